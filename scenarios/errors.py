"""What is wrong with a scenario's files: each problem with its place, all problems at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from broker import SsmicError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file that a user wrote."""

    where: str
    """File, and as far as they are known line and key: `street.yaml:14: jobs[0].latest_start`."""
    what: str
    """What is wrong and what is expected instead."""
    path: tuple[str | int, ...] = field(default=(), compare=False)
    """Keys and indexes from the top of a scenario file to the value that is wrong; empty where that is not known."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class ScenarioError(SsmicError):
    """A scenario, or a file that it is made of, cannot be used; carries everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class ScenarioWriteError(ScenarioError):
    """A scenario's file cannot be written, which is no fault of the scenario."""
