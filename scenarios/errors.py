"""Problems in a scenario's files: each with its location, all reported at once.

The end of an error message about a mistyped name is the known name most similar to it (`suggest`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from broker import SsmicError

MAX_LISTED = 12
_MAX_COMPARED_CHARACTERS = 200
_CANNOT_BE_TYPED = "\0"
"""Names that begin with it stand in for names that could not be read."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem in a user's file."""

    where: str
    """File, line and key as far as they are known: `street.yaml:14: jobs[0].latest_start`."""
    what: str
    """The problem, and what was expected instead."""
    path: tuple[str | int, ...] = field(default=(), compare=False)
    """Keys and indexes from the top of a scenario file to the value that is wrong; empty where not known."""
    count: int = 1
    """How many problems it stands for: more than one where the others of a long list are only counted."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class ScenarioError(SsmicError):
    """A scenario or one of its files cannot be used; carries all problems found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    @property
    def count(self) -> int:
        """The number of problems found, with those that are only counted."""
        return problem_count(self.problems)


def problem_count(problems: Iterable[Problem]) -> int:
    """Return how many problems these stand for, with those that are only counted."""
    return sum(problem.count for problem in problems)


class ScenarioWriteError(ScenarioError):
    """A scenario's file cannot be written, through no fault of the scenario."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most similar to another one, regardless of case; None if none is similar."""
    by_fold = {known_name.casefold(): known_name for known_name in sorted(set(known))}
    near = get_close_matches(name[:_MAX_COMPARED_CHARACTERS].casefold(), by_fold, n=1, cutoff=0.6)
    return by_fold[near[0]] if near else None


def suggest(name: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """Return the end of a message: `; did you mean ...?` if a known name is like another.

    Args:
        name: What was written.
        known: The names that are known.
        otherwise: The end of the message if none is like it; None: the first known names, or nothing if none are known.
    """
    names = sorted(known_name for known_name in set(known) if not known_name.startswith(_CANNOT_BE_TYPED))
    near = nearest(name, names)
    if near is not None:
        return f"; did you mean {near!r}?"
    if otherwise is not None:
        return otherwise
    if not names:
        return ""
    return f"; known: {', '.join(names[:MAX_LISTED])}{', ...' if len(names) > MAX_LISTED else ''}"
