"""A results file that is open: what does not change is kept, all else is read when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from scenarios.results.reader import ResultsReader
from scenarios.results.rows import RunInfo, SimulationInfo
from scenarios.scenario import Scenario
from tui.results.sheet import Sheet, neighbourhood_sheet
from tui.results.shelf import Stamp, stamp_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Opened:
    """A simulation that was opened."""

    path: Path
    stamp: Stamp
    """As the file was before it was read."""
    info: SimulationInfo
    runs: tuple[RunInfo, ...]
    scenario: Scenario
    sheet: Sheet | None
    """All households of the first run, read on the way; None: no run has begun, or the file was open before."""

    knows_offset: bool
    """Whether the file says at which offset its scenario's times are shown."""

    @property
    def houses(self) -> tuple[tuple[str, str], ...]:
        """Ids and names."""
        return tuple((house.id, house.name) for house in self.scenario.houses)


def open_simulation(path: Path, interval_s: int, before: Opened | None) -> Opened:
    """Read what a simulation is about.

    Args:
        path: The results file.
        interval_s: Over which peaks are averaged.
        before: The same file as it was read before; None: it was not.

    Raises:
        ResultsError: It cannot be read.
    """
    stamp = stamp_of(path)
    with ResultsReader(path) as results:
        if before is not None and before.info.created_utc == results.info.created_utc:
            return Opened(path, stamp, results.info, results.runs(), before.scenario, None, before.knows_offset)
        runs = results.runs()
        sheet = neighbourhood_sheet(results, runs[0].run, interval_s) if runs else None
        return Opened(path, stamp, results.info, runs, results.scenario, sheet, results.knows_offset)


def read_from(opened: Opened, read: Callable[[ResultsReader], T]) -> T:
    """Read something of an opened simulation.

    Raises:
        ResultsError: It cannot be read any more.
    """
    with ResultsReader(opened.path, opened.scenario) as results:
        return read(results)
