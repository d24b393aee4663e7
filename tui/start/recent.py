"""Recently opened neighbourhoods and results. Never affects a result."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from broker import atomic_write

MOST = 12
"""Maximum number kept per kind."""


class Recent(BaseModel):
    """Recently opened absolute paths, newest first. An unreadable file counts as empty."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    neighbourhoods: tuple[Path, ...] = ()
    results: tuple[Path, ...] = ()

    def with_neighbourhood(self, path: Path) -> Recent:
        """Return a copy with a neighbourhood first."""
        return self.model_copy(update={"neighbourhoods": _in_front(path, self.neighbourhoods)})

    def with_results(self, path: Path) -> Recent:
        """Return a copy with a results file first."""
        return self.model_copy(update={"results": _in_front(path, self.results)})

    def without(self, path: Path) -> Recent:
        """Return a copy without a path."""
        neighbourhoods = tuple(known for known in self.neighbourhoods if known != path)
        return self.model_copy(
            update={
                "neighbourhoods": neighbourhoods,
                "results": tuple(known for known in self.results if known != path),
            }
        )


def _in_front(path: Path, others: Iterable[Path]) -> tuple[Path, ...]:
    path = path.absolute()
    return (path, *(other for other in others if other != path))[:MOST]


def recent_file() -> Path:
    """Return the file of the recent list."""
    return platformdirs.user_state_path("ssmic") / "recent.json"


def load_recent() -> Recent:
    """Return the recent list; empty if it cannot be read."""
    try:
        return Recent.model_validate_json(recent_file().read_bytes())
    except (OSError, ValidationError):
        return Recent()


def save_recent(recent: Recent) -> None:
    """Save the recent list atomically, ignoring write errors."""
    path = recent_file()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, mode=0o600) as draft:
            draft.write_text(recent.model_dump_json(indent=1) + "\n", encoding="utf-8")
