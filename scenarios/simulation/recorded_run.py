"""The record of one run in the results file and in the log, and its progress for a waiting user."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from broker.clock import Moment
from scenarios.results import KeptMessages, ResultsError, RunWriter
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.settings import RunSettings

PROGRESS_EVERY_WALL_S = 0.1

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run to be done; goes to another process as it is."""

    run: int
    """Counts from 1."""
    settings: RunSettings
    results_file: Path
    """Its results file; other processes may record other runs in it."""
    kept_messages: KeptMessages = "all"
    """Which messages the results file keeps."""

    @property
    def run_id(self) -> str:
        """Names the run on the broker."""
        return self.settings.run_id


class RunRecord:
    """The record of a run in progress: `writer` for the results, `moment` for the time it has reached."""

    writer: RunWriter

    def __init__(self, now_s: int, on_progress: Callable[[int], None] | None) -> None:
        self.now_s = now_s
        """Virtual time, UNIX seconds. Log records show it: this object is bound to them as `where`."""
        self._on_progress = on_progress
        self._told_wall_s = 0.0
        self._late: asyncio.TimerHandle | None = None
        """Will report the last step, if no other step does so before; a run may pause after any step."""

    def __repr__(self) -> str:
        """Return what a log shows of it."""
        return f"RunRecord(now_s={self.now_s})"

    def moment(self, moment: Moment) -> None:
        """Record a step."""
        self.now_s = moment.time_s
        early_wall_s = self._told_wall_s + PROGRESS_EVERY_WALL_S - time.monotonic()
        if early_wall_s <= 0:
            self._tell(moment.time_s)
        elif self._late is None and self._on_progress is not None:
            self._late = asyncio.get_running_loop().call_later(early_wall_s, self._tell_late)

    def ended(self, outcome: RunOutcome) -> RunOutcome:
        """Record the outcome; return it."""
        self._tell(outcome.end_s)
        without = {"without": {dropped.host: dropped.why for dropped in outcome.without}} if outcome.without else {}
        log.info(
            "run ended",
            state=outcome.state,
            **without,
            ledger_sha256=outcome.ledger_sha256,
            wall_s=round(outcome.wall_s, 3),
        )
        return outcome

    def stop_telling(self) -> None:
        """Report no step any more that has not been reported."""
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _tell_late(self) -> None:
        with suppress(ResultsError, OSError):  # the next step, or the end, meets the same error and passes it on
            self._tell(self.now_s)

    def _tell(self, time_s: int) -> None:
        self.stop_telling()
        self._told_wall_s = time.monotonic()
        if self._on_progress is not None:
            self.writer.commit()  # expectations that are due are judged by the file
            self._on_progress(time_s)


@contextmanager
def record_run(
    scenario: Scenario,
    planned: PlannedRun,
    on_progress: Callable[[int], None] | None = None,
    *,
    resume: bool = False,
    reached_s: int | None = None,
) -> Iterator[RunRecord]:
    """Record a run for the duration of the context; its record states how it ended, in every case.

    Args:
        scenario: The scenario.
        planned: How, and where to.
        on_progress: Called with the virtual time, UNIX seconds, a few times a second.
        resume: Continue the run if the file already contains it, because its clock restarts after a crash.
        reached_s: Virtual time that the run has reached, UNIX seconds; None: it has not begun.

    Raises:
        ResultsError: see `RunWriter`.
    """
    settings = planned.settings
    record = RunRecord(scenario.start_s if reached_s is None else reached_s, on_progress)
    with structlog.contextvars.bound_contextvars(run=planned.run, run_id=settings.run_id, where=record):
        log.info("run begins", scenario=scenario.name, seed=settings.seed, algorithm=settings.algorithm.name)
        try:
            with RunWriter(
                planned.results_file,
                scenario,
                run=planned.run,
                run_id=settings.run_id,
                seed=settings.seed,
                start_s=scenario.start_s,
                resume=resume,
                kept=planned.kept_messages,
            ) as record.writer:
                try:
                    yield record
                finally:
                    record.stop_telling()
        except asyncio.CancelledError:
            log.info("run interrupted")
            raise
        except Exception as error:
            log.exception("run failed", reason=str(error))
            raise
