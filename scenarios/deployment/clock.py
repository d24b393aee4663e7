"""The clock's process: the time authority and the manager, which keeps the ledger, and the run's record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from agents import MANAGER, MESSAGES
from broker.clock import Clock, ClockSettings, Moment
from broker.hosts import Host
from broker.transport import Broker
from scenarios.deployment.settings import DeploymentSettings
from scenarios.results import RunWriter
from scenarios.scenario import Scenario
from scenarios.simulation import (
    DAY_S,
    Cast,
    RunOutcome,
    WireWatch,
    homes_of,
    ledger_problems,
    outcome_of,
    promises_kept,
    telling_how_it_ended,
)


async def run_clock(
    scenario: Scenario,
    settings: DeploymentSettings,
    broker: Broker,
    *,
    recorder: RunWriter | None = None,
    on_moment: Callable[[Moment], None] | None = None,
    on_missing: Callable[[tuple[str, ...]], None] | None = None,
    on_outcome: Callable[[RunOutcome], None] | None = None,
) -> RunOutcome:
    """Run the clock and the manager of a run whose households are processes of their own.

    Args:
        scenario: The whole neighbourhood.
        settings: As the households have them.
        broker: Where the households connect to as well.
        recorder: Is told of contracts as they are agreed and of all messages, as read from the wire.
        on_moment: Is told of every step.
        on_missing: Is told who has not come yet whenever that changes, before the run starts.
        on_outcome: Is given what there is when the run is cancelled or fails, before the error goes on.

    Raises:
        BrokerUnreachableError, BrokerLostError, HostsMissingError, AgentFailedError: see `Clock.run`.
        JournalError: a journal cannot be used, or does not replay.
        SsmicError: the ledger broke a promise, which is a defect of ours.
    """
    cast = Cast(scenario.part_of([]), settings.algorithm, patient=settings.patient, scores=settings.scores)
    homes = homes_of(scenario)
    setup = settings.fingerprint_of_all(scenario)
    days = scenario.days if settings.days is None else settings.days
    watch = WireWatch(recorder, seen={})
    if recorder is not None:
        watch = WireWatch(recorder, messages=recorder.messages, negotiations=recorder.negotiations, seen=recorder.seen)
    started_wall_s = time.perf_counter()
    with ExitStack() as journals:
        clock_journal = settings.clock_journal(setup)
        manager_journal = settings.host_journal(MANAGER, setup)
        for journal in (clock_journal, manager_journal):
            if journal is not None:
                journals.enter_context(journal)
        clock = Clock(
            ClockSettings(
                settings.run_id,
                homes,
                scenario.start_s,
                None if days is None else scenario.start_s + days * DAY_S,
                pace=settings.pace,
                timeouts=settings.patience,
                on_loss=settings.on_loss,
                indispensable=frozenset({MANAGER}),
                keep=settings.keep,
                setups={house: settings.fingerprint(scenario, [house]) for house in homes if house != MANAGER},
                utc_offset_s=scenario.utc_offset_s,
            ),
            on_moment,
            on_missing=on_missing,
            observer=watch,
            journal=clock_journal,
        )
        manager = Host(
            MANAGER,
            settings.run_id,
            [cast.manager],
            MESSAGES,
            seed=settings.seed,
            timeouts=settings.patience,
            observer=watch,
            journal=manager_journal,
        )

        outcome = partial(
            outcome_of, scenario, settings.run_id, settings.seed, clock, cast.manager, watch, started_wall_s
        )
        with telling_how_it_ended(outcome, on_outcome):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(manager.run(broker), name=f"host[{MANAGER}]")
                await clock.run(broker)
        lost_houses = [house for house in clock.membership.dropped if house in homes]
        promises_kept(ledger_problems(scenario, cast.manager.ledger.values(), clock.acted_until_s, lost_houses))
        return outcome("interrupted" if clock.is_stopped else "done")
