"""The results file of a deployed run: made by the clock's process, and taken up again when that comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scenarios.deployment.clock import CLOCK_JOURNAL
from scenarios.deployment.settings import DeploymentSettings
from scenarios.results import ResultsError, RunWriter, Simulation, create_results, seal
from scenarios.scenario import Scenario
from scenarios.simulation import RunOutcome


@dataclass(frozen=True, slots=True)
class DeployedRecord:
    """The record of a run that goes on."""

    writer: RunWriter
    until_last_job: bool
    """No other end was set."""
    begun_with: Mapping[str, int] = field(default_factory=dict)
    """The producers' scores at the beginning, by id."""
    unfinished: list[RunOutcome] = field(default_factory=list)
    """What there was when the run was cancelled or failed."""

    async def keep(self, run: Coroutine[Any, Any, RunOutcome]) -> RunOutcome:
        """Run to the end and close the books, however the run ends."""
        try:
            outcome = await run
        except (Exception, asyncio.CancelledError) as error:
            for outcome in self.unfinished:
                self._finish(outcome, str(error))
            raise
        self._finish(outcome, "")
        return outcome

    def _finish(self, outcome: RunOutcome, error: str) -> None:
        self.writer.finish(
            outcome.state,
            None if self.until_last_job and outcome.state == "done" else outcome.end_s,
            negotiations=outcome.negotiations,
            wall_s=outcome.wall_s,
            not_registered=outcome.not_registered,
            error=error,
            scores=outcome.scores_since(self.begun_with),
        )


@contextmanager
def open_record(path: Path, scenario: Scenario, settings: DeploymentSettings) -> Iterator[DeployedRecord]:
    """Make the results file of a run, or go on with it where the clock's journal has the run already.

    Raises:
        ResultsError: the file exists and is not this run's, or cannot be written.
        JournalError: the journal is another run's; then the file may be too, and is left as it is.
    """
    comes_back = settings.journal_file(CLOCK_JOURNAL).exists()
    if comes_back and (journal := settings.journal(CLOCK_JOURNAL, settings.fingerprint_of_all(scenario))) is not None:
        with journal:
            pass  # it is this run's, or could not have been opened
    if path.exists() and not comes_back:
        raise ResultsError(f"{path}: exists already; refusing to overwrite results")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        create_results(
            Simulation(scenario, settings.algorithm.name, (settings.seed,), "mqtt", settings=settings.described()), path
        )
    with RunWriter(
        path,
        scenario,
        run=1,
        run_id=settings.run_id,
        seed=settings.seed,
        start_s=scenario.start_s,
        resume=comes_back,
    ) as writer:
        until_last_job = settings.days is None and scenario.days is None
        yield DeployedRecord(writer, until_last_job, settings.scores)
    seal(path)
