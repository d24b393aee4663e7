"""Collecting problems on the way, so that a file's are told all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from scenarios.errors import Problem, ScenarioError

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of a file to a value: `("jobs", 0, "latest_start")`."""
Locate: TypeAlias = Callable[[KeyPath], str]
"""Says where a value stands, for people."""


@dataclass(slots=True)
class Findings:
    """Problems found so far, and how to say where they are."""

    locate: Locate
    problems: list[Problem] = field(default_factory=list)

    def at(self, path: KeyPath, what: str) -> None:
        """Add what is wrong with the value at `path`."""
        self.problems.append(Problem(self.locate(path), what))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Add problems that know where they are."""
        self.problems.extend(problems)

    def raise_if_any(self) -> None:
        """Raise `ScenarioError` with all problems, each once."""
        if self.problems:
            raise ScenarioError(dict.fromkeys(self.problems))


def locate_in(where: str) -> Locate:
    """Return a `Locate` for data that did not come from a text with lines."""

    def locate(path: KeyPath) -> str:
        keys = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
        return f"{where}: {keys.removeprefix('.')}" if keys else where

    return locate
