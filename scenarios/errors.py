"""Problems in a scenario's files: each with its location, all reported at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from broker import SsmicError


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
