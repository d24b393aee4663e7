"""One run of a sweep: from a scenario to its figures, in any process.

A worker imports this module and what a run needs, but nothing that reads scenarios, because that would take half of its
start-up time.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeAlias

import structlog

from broker import SsmicError, new_loop
from broker.transport import MemoryBroker
from scenarios.events import RunEvent
from scenarios.metrics import Kpis, compute_kpis, settle
from scenarios.scenario import Scenario
from scenarios.simulation import RunCallbacks, RunSettings, fastest_spread, run_scenario
from scenarios.timeline import as_happened, optional_jobs

FIGURES = (*(field.name for field in fields(Kpis) if field.name != "interval_s"), "negotiations", "messages")
"""Names of the figures of a run, in the order of the tables."""
COUNTS = frozenset({*(field.name for field in fields(Kpis) if field.type == "int"), "negotiations", "messages"})
"""Those of them that are whole numbers."""


@dataclass(frozen=True, slots=True)
class SweepRun:
    """One run of a sweep, as it is sent to another process."""

    run: int
    """Counts from 1."""
    point: int
    """Number of its point."""
    variant: int
    """Index of the scenario."""
    settings: RunSettings


@dataclass(frozen=True, slots=True)
class SweepRow:
    """The outcome of one run."""

    run: int
    """Its number, from 1."""
    state: Literal["done", "failed"]
    figures: Mapping[str, float | None]
    """By name; empty if it failed."""
    ledger_sha256: str | None
    """Identifies its contracts; None if it failed."""
    error: str
    """Why it failed; empty if it did not."""
    wall_s: float
    """How long it took, wall-clock seconds."""


def perform(scenario: Scenario, order: SweepRun) -> SweepRow:
    """Do a run and return its figures; a run that fails is a row that says why.

    The agents talk over a broker in memory: the ledger is the same as over MQTT.
    """
    started_wall_s = time.perf_counter()
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            figures, ledger = runner.run(_run(scenario, order.settings))
    except SsmicError as error:
        return SweepRow(order.run, "failed", {}, None, str(error), time.perf_counter() - started_wall_s)
    return SweepRow(order.run, "done", figures, ledger, "", time.perf_counter() - started_wall_s)


async def _run(scenario: Scenario, settings: RunSettings) -> tuple[dict[str, float | None], str]:
    if settings.hosts is None:
        settings = replace(settings, hosts=fastest_spread(scenario))
    run_events: list[RunEvent] = []
    outcome = await run_scenario(scenario, settings, MemoryBroker(), callbacks=RunCallbacks(on_event=run_events.append))
    happened = as_happened(scenario, run_events, outcome.end_s)
    entries = sorted(outcome.ledger, key=lambda entry: entry.contract.contract_id)
    standing = [entry.contract for entry in entries if entry.state == "standing"]
    settled = settle(happened, standing, outcome.start_s, outcome.end_s)
    kpis = compute_kpis(
        happened,
        settled,
        entries,
        outcome.end_s,
        not_registered=len(outcome.not_registered),
        optional=optional_jobs(happened, run_events),
    )
    known = {**kpis.as_dict(), "negotiations": outcome.negotiations, "messages": outcome.messages}
    return {name: known[name] for name in FIGURES}, outcome.ledger_sha256


Submit: TypeAlias = Callable[[SweepRun], Coroutine[Any, Any, SweepRow]]
"""Has a worker do a run; raises SweepWorkerError if workers are lost."""
CONTINUES = "finished runs are kept, and the same command continues from there"
"""The end of a message about workers that were lost."""


class SweepWorkerError(SsmicError):
    """A worker was lost with its run, or cannot do it; what was done before is kept."""


def perform_in_worker(scenario: Scenario, order: SweepRun) -> SweepRow:
    """Do a run in a process that does nothing else; it logs warnings only, to standard error."""
    if not structlog.is_configured():
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )
    return perform(scenario, order)
