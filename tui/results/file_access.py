"""Access to results files from the UI: reading in threads, and opened simulations."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from textual.containers import Vertical

from scenarios import Scenario, Zone
from scenarios.results import ResultsReader, RunInfo, SimulationInfo
from tui.results.energy_sheet import Sheet, neighbourhood_sheet
from tui.results.simulation_states import Stamp, is_in_progress, stamp_of
from tui.shell import ErrorBoundary, complain

T = TypeVar("T")
OnFailure = Callable[[BaseException], None]


class FilePane(ErrorBoundary, Vertical):
    """A widget that reads and writes files in threads, and shows the outcome."""

    read_wall_s = 0.0
    """How long the last reading took, s."""
    read_until_wall_s = 0.0
    """When it ended, by the monotonic clock."""
    being_written: tuple[str, ...] = ()
    """What is being written now."""

    def read(
        self, group: str, work: Callable[[], T], then: Callable[[T], None], failed: OnFailure | None = None
    ) -> None:
        """Run work in a thread, then show its outcome; newer work of the same group supersedes it.

        Args:
            group: Only the newest work of a group counts.
            work: Runs in a thread; must not touch widgets.
            then: Called with its return value in the UI thread.
            failed: Called with an exception that `work` or `then` raised, expected or not; None: show a notice.
        """
        self.run_in_background(partial(self._perform, work, then, failed), group=group, is_exclusive=True)

    def write(
        self, what: str, work: Callable[[], T], then: Callable[[T], None], failed: OnFailure | None = None
    ) -> None:
        """Run work that writes files in a thread, then show its outcome; nothing supersedes it, and quitting asks.

        Args:
            what: What is being written, as the subject of a sentence.
            work: As in `read`.
            then: As in `read`.
            failed: As in `read`.
        """

        async def write() -> None:
            self.being_written = (*self.being_written, what)
            try:
                await self._perform(work, then, failed)
            finally:
                left = list(self.being_written)
                left.remove(what)
                self.being_written = tuple(left)

        self.run_in_background(write, group="write")

    def give_up(self, group: str) -> None:
        """Show neither the outcome nor the failure of a group's work: the user has gone on to something else."""
        self.workers.cancel_group(self, group)

    def is_reading(self, group: str) -> bool:
        """Whether work of a group is in progress."""
        return any(worker.group == group and worker.node is self and worker.is_running for worker in self.workers)

    async def _perform(self, work: Callable[[], T], then: Callable[[T], None], failed: OnFailure | None) -> None:
        began_wall_s = time.monotonic()
        try:
            value = await asyncio.to_thread(work)
        except Exception as error:  # noqa: BLE001 - whatever happened, the screen must stop saying that it is being read
            (failed or self.complain)(error)
            return
        self.read_until_wall_s = time.monotonic()
        self.read_wall_s = self.read_until_wall_s - began_wall_s
        try:
            then(value)
        except Exception as error:
            if failed is None or not self.app.is_running:
                raise
            failed(error)

    def complain(self, error: BaseException, title: str = "") -> None:
        """Show an error as a notice."""
        complain(self.app, error, title)


@dataclass(slots=True)
class Memory:
    """The immutable parts of a simulation's file that have been read."""

    scenario: Scenario | None = None
    """None: no view has asked for it; parsing that of 10,000 houses takes half a minute."""


@dataclass(frozen=True, slots=True)
class OpenedSimulation:
    """A results file as far as the screen has read it."""

    path: Path
    stamp: Stamp
    """State of the file before reading."""
    info: SimulationInfo
    runs: tuple[RunInfo, ...]
    houses: tuple[tuple[str, str], ...]
    """Ids and names."""
    zone: Zone
    memory: Memory
    sheet: Sheet | None
    """Sheet of all households of the first run; None: no run has started, or the file was reread."""
    in_progress: bool
    """Whether a process may be writing the file."""
    knows_offset: bool
    """Whether the file has the scenario's UTC offset."""


def open_simulation(path: Path, interval_s: int, before: OpenedSimulation | None) -> OpenedSimulation:
    """Read a simulation's description.

    Args:
        path: The results file.
        interval_s: Averaging interval of peaks, s.
        before: The same file as read earlier, if any.

    Raises:
        ResultsError: The file cannot be read.
    """
    stamp, in_progress = stamp_of(path), is_in_progress(path)
    memory = Memory() if before is None else before.memory
    with ResultsReader(path, memory.scenario) as results:
        runs, sheet = results.runs(), None
        if before is None or before.info.created_utc != results.info.created_utc:
            if memory.scenario is not None:
                return open_simulation(path, interval_s, None)
            sheet = neighbourhood_sheet(results, runs[0].run, interval_s) if runs else None
            memory.scenario = results.parsed_scenario
        return OpenedSimulation(
            path,
            stamp,
            results.info,
            runs,
            results.houses,
            results.zone,
            memory,
            sheet,
            in_progress,
            results.knows_offset,
        )


def read_from(opened: OpenedSimulation, read: Callable[[ResultsReader], T]) -> T:
    """Read from an opened simulation.

    Raises:
        ResultsError: The file can no longer be read.
    """
    with ResultsReader(opened.path, opened.memory.scenario) as results:
        value = read(results)
        opened.memory.scenario = results.parsed_scenario
        return value
