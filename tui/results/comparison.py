"""Two simulations side by side: their figures, their average days, and what became of each job in a run of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scenarios.kpis import Spread
from scenarios.results.averages import AverageDay, average_day
from scenarios.results.errors import ResultsError
from scenarios.results.reader import ResultsReader
from scenarios.results.records import SimulationInfo
from scenarios.results.report.figures import FIGURES, Figure
from scenarios.results.views import ContractRow, load_run, view_runs
from scenarios.zone import Zone


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two."""

    path: Path
    info: SimulationInfo
    runs: int
    figures: dict[str, Spread]
    """Over all of its runs."""
    day: AverageDay
    contracts: dict[str, ContractRow]
    """Of its first run, by job."""
    seed: int
    """Of its first run."""
    zone: Zone
    """How its times are shown."""


@dataclass(frozen=True, slots=True)
class FigureRow:
    """A figure of both; means over their runs."""

    figure: Figure
    a: Spread
    b: Spread

    @property
    def difference(self) -> float | None:
        """How much more the second has."""
        return None if self.a.mean is None or self.b.mean is None else self.b.mean - self.a.mean

    @property
    def relative(self) -> float | None:
        """The difference as a share of the first; None for shares, which are compared in points, and from zero."""
        difference = self.difference
        if difference is None or not self.a.mean or self.figure.unit == "share":
            return None
        return difference / abs(self.a.mean)


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job in a run of each; None: it had no contract there."""

    job_id: str
    a: ContractRow | None
    b: ContractRow | None

    @property
    def is_same(self) -> bool:
        """Whether the same producer serves it from the same start."""
        if self.a is None or self.b is None:
            return False
        return (self.a.producer, self.a.start_s) == (self.b.producer, self.b.start_s)

    @property
    def moved_s(self) -> int | None:
        """How much later it starts in the second."""
        return None if self.a is None or self.b is None else self.b.start_s - self.a.start_s


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both."""

    a: Side
    b: Side
    figures: tuple[FigureRow, ...]
    jobs: tuple[JobRow, ...]
    """Those that differ first, by start."""
    is_same_scenario: bool
    """By name; times and jobs of different ones are seldom comparable."""


def compare(a: Path, b: Path, interval_s: int) -> Comparison:
    """Read two simulations.

    Raises:
        ResultsError: One of them cannot be read, or has no run yet.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    one, other = _side(a, interval_s), _side(b, interval_s)
    nothing = Spread(0, None, None, None, None, None, None)
    figures = (
        FigureRow(figure, one.figures.get(figure.name, nothing), other.figures.get(figure.name, nothing))
        for figure in FIGURES
    )
    job_ids = dict.fromkeys((*one.contracts, *other.contracts))
    jobs = [JobRow(job_id, one.contracts.get(job_id), other.contracts.get(job_id)) for job_id in job_ids]
    return Comparison(
        one,
        other,
        tuple(row for row in figures if row.a.runs or row.b.runs),
        tuple(sorted(jobs, key=lambda row: (row.is_same, _start_s(row), row.job_id))),
        one.info.scenario == other.info.scenario,
    )


def _side(path: Path, interval_s: int) -> Side:
    with ResultsReader(path) as results:
        view = view_runs(results, interval_s)
        if not view.runs:
            raise ResultsError(f"{path}: has no run yet, so there is nothing to compare")
        first = load_run(results, view.runs[0][0].run)
        return Side(
            path=path,
            info=results.info,
            runs=len(view.runs),
            figures=view.spread,
            day=average_day(results, interval_s),
            contracts={row.job_id: row for row in first.contracts},
            seed=first.run.seed,
            zone=results.scenario.zone,
        )


def _start_s(row: JobRow) -> int:
    return min(contract.start_s for contract in (row.a, row.b) if contract is not None)
