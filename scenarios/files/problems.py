"""Collects problems, so that all of a file's problems are reported at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from scenarios.errors import Problem, ScenarioError

MOST_PROBLEMS = 1_000
"""Problems listed for one scenario; a file with more of them is read no further."""
TOO_MANY = f"more than {MOST_PROBLEMS - 1:,} problems; the rest of the file was not checked"


UNKNOWN = "\0unknown"
"""Stand-in for a time or an id that could not be read, while the rest of the file is checked."""


def is_unknown(name: str) -> bool:
    """Return whether a name is a stand-in: `UNKNOWN`, or that of a house or device, which has a number behind it."""
    return name.startswith(UNKNOWN)


YamlValue: TypeAlias = Any
"""Whatever YAML can hold: a mapping, a list, a text, a number, a date or nothing, right or wrong."""
KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of a file to a value: `("jobs", 0, "latest_start")`."""
Locate: TypeAlias = Callable[[KeyPath], str]
"""Describes the location of a value, for display."""


_WORD = re.compile(r"[\w-]+")


@dataclass(slots=True)
class ProblemCollector:
    """Collects problems, and knows how to locate them."""

    locate: Locate
    """Describes where a value is, for messages."""
    origin: Callable[[KeyPath], KeyPath] = lambda path: path
    """Returns the key path of a value before anything was removed."""
    problems: list[Problem] = field(default_factory=list)
    """In the order in which they were found."""
    notes: list[str] = field(default_factory=list)
    """Assumptions about a file, and findings that are not problems; one sentence each."""

    def at(self, path: KeyPath, what: str, count: int = 1) -> None:
        """Add a problem with the value at `path`, which stands for `count` of them.

        Raises:
            ScenarioError: There are more than `MOST_PROBLEMS`; carries the first ones.
        """
        self.stop_if_too_many()
        self.problems.append(Problem(self.locate(path), what, self.origin(path), count))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Add problems that are already located; see `at`."""
        self.problems.extend(problems)
        self.stop_if_too_many()

    def stop_if_too_many(self) -> None:
        """Raise `ScenarioError` if the list is too long to be useful, and add why it ends."""
        if len(self.problems) >= MOST_PROBLEMS:
            self.problems = [*self.problems[: MOST_PROBLEMS - 1], Problem(self.locate(()), TOO_MANY)]
            raise ScenarioError(self.problems)

    def raise_if_any(self) -> None:
        """Raise `ScenarioError` with all problems, without duplicates."""
        if self.problems:
            raise ScenarioError(dict.fromkeys(self.problems))


def path_in_words(path: KeyPath) -> str:
    """Return a key path in readable form: `jobs[0].latest_start`; keys that are not plain words are quoted."""
    words = (part if isinstance(part, int) or _WORD.fullmatch(part) else repr(part) for part in path)
    keys = "".join(f"[{word}]" if isinstance(word, int) else f".{word}" for word in words)
    return keys.removeprefix(".")


def locate_in(where: str) -> Locate:
    """Return a `Locate` for data that does not come from a text with lines."""

    def locate(path: KeyPath) -> str:
        return f"{where}: {path_in_words(path)}" if path else where

    return locate
