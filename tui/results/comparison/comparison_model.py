"""Data of a comparison: figures, average days, and each job's outcome in a run of each simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scenarios import Zone
from scenarios.metrics import Figure, SampleStatistics
from scenarios.results import (
    AveragePowerProfile,
    ContractRow,
    ResultsReader,
    average_power_profile,
    load_run,
    view_overview,
)
from scenarios.results.comparison import ComparedSimulation, SimulationComparison, compare_simulations


def letter_of(index: int) -> str:
    """Return a simulation's label: A, B, ... Z, then numbers."""
    return chr(ord("A") + index) if index < 26 else str(index + 1)


@dataclass(frozen=True, slots=True)
class Side:
    """One simulation of a comparison."""

    letter: str
    compared: ComparedSimulation
    day: AveragePowerProfile
    contracts: dict[str, ContractRow]
    """Contracts of its first finished run, by job."""
    seed: int
    """Seed of its first finished run."""
    zone: Zone
    """Display zone of its times."""

    @property
    def short_label(self) -> str:
        """What distinguishes it from the others."""
        return self.compared.short_label or self.compared.label


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure of all simulations, over their runs."""

    figure: Figure
    spreads: tuple[SampleStatistics, ...]
    """One per simulation."""
    differences: tuple[SampleStatistics | None, ...]
    """Differences from the first simulation, paired by seed; None without pairs, as for the first itself."""


@dataclass(frozen=True, slots=True)
class JobComparison:
    """A job's contract in a run of each simulation; None: no contract."""

    job_id: str
    contracts: tuple[ContractRow | None, ...]

    @property
    def is_same(self) -> bool:
        """Whether suppliers and start are the same in all."""
        found = {None if of is None else (of.suppliers, of.start_s) for of in self.contracts}
        return len(found) == 1 and None not in found

    @property
    def moved_s(self) -> int | None:
        """Difference of the start, last minus first simulation, s; None without a contract in both."""
        first, last = self.contracts[0], self.contracts[-1]
        return None if first is None or last is None else last.start_s - first.start_s


@dataclass(frozen=True, slots=True)
class ComparisonSheet:
    """All of them."""

    sides: tuple[Side, ...]
    figures: tuple[FigureRow, ...]
    jobs: tuple[JobComparison, ...]
    """Differing jobs first, by start."""
    statistics: SimulationComparison


def compare(paths: Sequence[Path], interval_s: int) -> ComparisonSheet:
    """Read simulations and compare them with the first.

    Raises:
        ResultsError: One of them cannot be read, has no finished run, or is there twice.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    statistics = compare_simulations(paths, interval_s)
    sides = tuple(_side(one, letter_of(i), interval_s) for i, one in enumerate(statistics.simulations))
    differences = [statistics.difference(0, i) for i in statistics.indexes]
    figures = tuple(
        FigureRow(
            figure,
            tuple(statistics.statistics_of(i, figure.name) for i in statistics.indexes),
            tuple(None if of is None else of.figures[figure.name] for of in differences),
        )
        for figure in statistics.figures
    )
    job_ids = dict.fromkeys(job_id for side in sides for job_id in side.contracts)
    jobs = [JobComparison(job_id, tuple(side.contracts.get(job_id) for side in sides)) for job_id in job_ids]
    return ComparisonSheet(
        sides, figures, tuple(sorted(jobs, key=lambda row: (row.is_same, _start_s(row), row.job_id))), statistics
    )


def _side(one: ComparedSimulation, letter: str, interval_s: int) -> Side:
    with ResultsReader(one.path) as results:
        first = next(run for run in results.runs() if run.state == "done")
        is_large = results.is_large(first.run)  # to settle it again takes half a minute
        contracts = (view_overview(results, first.run) if is_large else load_run(results, first.run)).contracts
        return Side(
            letter=letter,
            compared=one,
            day=average_power_profile(results, interval_s),
            contracts={row.job_id: row for row in contracts},
            seed=first.seed,
            zone=results.zone,
        )


def _start_s(row: JobComparison) -> int:
    return min(contract.start_s for contract in row.contracts if contract is not None)
