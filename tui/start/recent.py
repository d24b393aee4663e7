"""Which neighbourhoods and results were opened last. Never anything that changes a result."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from broker import atomic_write

MOST = 12
"""Of each kind; older ones are forgotten."""


class Recent(BaseModel):
    """What was opened, newest first: absolute paths. A file that cannot be read counts as none."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    neighbourhoods: tuple[Path, ...] = ()
    results: tuple[Path, ...] = ()

    def with_neighbourhood(self, path: Path) -> Recent:
        """Return this with a neighbourhood in front."""
        return self.model_copy(update={"neighbourhoods": _in_front(path, self.neighbourhoods)})

    def with_results(self, path: Path) -> Recent:
        """Return this with a results file in front."""
        return self.model_copy(update={"results": _in_front(path, self.results)})

    def without(self, path: Path) -> Recent:
        """Return this without a path."""
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
    """Return where it is kept."""
    return platformdirs.user_state_path("ssmic") / "recent.json"


def load_recent() -> Recent:
    """Return what was opened last; nothing where that cannot be read."""
    try:
        return Recent.model_validate_json(recent_file().read_bytes())
    except (OSError, ValidationError):
        return Recent()


def save_recent(recent: Recent) -> None:
    """Remember; where the disk does not let us, forget. Another ssmic never reads half a file."""
    path = recent_file()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, mode=0o600) as draft:
            draft.write_text(recent.model_dump_json(indent=1) + "\n", encoding="utf-8")
