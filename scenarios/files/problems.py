"""Collecting problems on the way, so that a file's are told all at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeAlias

from scenarios.errors import Problem, ScenarioError

MAX_LISTED = 12


def suggest(name: str, known: Iterable[str]) -> str:
    """Return `did you mean ...?`, or else what is known, as the end of a message; empty where nothing is known."""
    names = sorted(set(known))
    by_fold = {known_name.casefold(): known_name for known_name in names}
    near = get_close_matches(name[:200].casefold(), by_fold, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {by_fold[near[0]]!r}?"
    if not names:
        return ""
    listed = ", ".join(names[:MAX_LISTED]) + (", ..." if len(names) > MAX_LISTED else "")
    return f"; known: {listed}"


KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of a file to a value: `("jobs", 0, "latest_start")`."""
Locate: TypeAlias = Callable[[KeyPath], str]
"""Says where a value stands, for people."""


_WORD = re.compile(r"[\w-]+")


@dataclass(slots=True)
class ProblemCollector:
    """Problems found so far, and how to say where they are."""

    locate: Locate
    origin: Callable[[KeyPath], KeyPath] = lambda path: path
    """Says where a value stood before anything was taken out."""
    problems: list[Problem] = field(default_factory=list)

    def at(self, path: KeyPath, what: str) -> None:
        """Add what is wrong with the value at `path`."""
        self.problems.append(Problem(self.locate(path), what, self.origin(path)))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Add problems that know where they are."""
        self.problems.extend(problems)

    def raise_if_any(self) -> None:
        """Raise `ScenarioError` with all problems, each once."""
        if self.problems:
            raise ScenarioError(dict.fromkeys(self.problems))


def in_words(path: KeyPath) -> str:
    """Return a key path as people write it: `jobs[0].latest_start`; keys that are no plain words in quotes."""
    words = (part if isinstance(part, int) or _WORD.fullmatch(part) else repr(part) for part in path)
    keys = "".join(f"[{word}]" if isinstance(word, int) else f".{word}" for word in words)
    return keys.removeprefix(".")


def locate_in(where: str) -> Locate:
    """Return a `Locate` for data that did not come from a text with lines."""

    def locate(path: KeyPath) -> str:
        return f"{where}: {in_words(path)}" if path else where

    return locate
