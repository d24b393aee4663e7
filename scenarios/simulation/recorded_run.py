"""One run of a simulation, from its order to its record in the results file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from broker.clock import Moment, Reported
from broker.transport import Broker
from scenarios.results import RunWriter
from scenarios.scenario import Scenario
from scenarios.simulation.run import RunOutcome, RunSettings, run_once

PROGRESS_EVERY_WALL_S = 0.1

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Whereabouts:
    """Where a run stands; bound to its log records as `where`, so that each can say `now_s`."""

    now_s: int


@dataclass(frozen=True, slots=True)
class Order:
    """A run to be done; goes to another process as it is."""

    run: int
    """Counts from 1."""
    settings: RunSettings
    results_file: Path

    @property
    def run_id(self) -> str:
        """Names the run on the broker."""
        return self.settings.run_id


async def perform(
    scenario: Scenario,
    order: Order,
    broker: Broker,
    on_progress: Callable[[int], None] | None = None,
    on_report: Callable[[Reported], None] | None = None,
) -> RunOutcome:
    """Run once and record it; however the run ends, its record says so.

    Args:
        scenario: What to run.
        order: How, and where to.
        broker: Where the hosts connect to.
        on_progress: Is told where virtual time stands, a few times a second.
        on_report: Is told what the clock reports.

    Raises:
        asyncio.CancelledError: it was interrupted; recorded is what was agreed until then.
        SsmicError: see `scenarios.simulation.run.run_once`; recorded as failed.
    """
    settings = order.settings
    where = Whereabouts(scenario.start_s)
    with structlog.contextvars.bound_contextvars(run=order.run, run_id=settings.run_id, where=where):
        log.info("run begins", scenario=scenario.name, seed=settings.seed, algorithm=settings.algorithm.name)
        try:
            outcome = await _perform(scenario, order, broker, where, on_progress, on_report)
        except asyncio.CancelledError:
            log.info("run interrupted")
            raise
        except Exception as error:
            log.exception("run failed", error=str(error))
            raise
        log.info("run ended", state=outcome.state, ledger_sha256=outcome.ledger_sha256, wall_s=round(outcome.wall_s, 3))
    return outcome


async def _perform(
    scenario: Scenario,
    order: Order,
    broker: Broker,
    where: Whereabouts,
    on_progress: Callable[[int], None] | None,
    on_report: Callable[[Reported], None] | None,
) -> RunOutcome:
    told_wall_s = 0.0

    def tell(moment: Moment) -> None:
        nonlocal told_wall_s
        where.now_s = moment.time_s
        now_wall_s = time.monotonic()
        if on_progress is not None and now_wall_s - told_wall_s >= PROGRESS_EVERY_WALL_S:
            told_wall_s = now_wall_s
            on_progress(moment.time_s)

    settings = order.settings
    with RunWriter(
        order.results_file,
        scenario,
        run=order.run,
        run_id=settings.run_id,
        seed=settings.seed,
        start_s=scenario.start_s,
    ) as writer:
        unfinished: list[RunOutcome] = []
        try:
            outcome = await run_once(scenario, settings, broker, writer, tell, unfinished.append, on_report)
        except (Exception, asyncio.CancelledError) as error:
            for outcome in unfinished:
                _finish(writer, outcome, settings.scores, error=str(error))
            raise
        _finish(writer, outcome, settings.scores)
    if on_progress is not None:
        on_progress(outcome.end_s)
    return outcome


def _finish(writer: RunWriter, outcome: RunOutcome, begun_with: Mapping[str, int], error: str = "") -> None:
    writer.finish(
        outcome.state,
        outcome.end_s,
        negotiations=outcome.negotiations,
        wall_s=outcome.wall_s,
        not_registered=outcome.not_registered,
        error=error,
        scores=outcome.scores_since(begun_with),
    )
