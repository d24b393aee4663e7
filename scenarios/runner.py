"""One run: the agents of a scenario over a broker, from the start to the end, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from agents.messages import MESSAGES
from agents.scheduling.settings import AlgorithmSettings
from broker.clock.clock import Clock, ClockSettings
from broker.clock.pacing import Moment, Pace
from broker.clock.time_report import Reported
from broker.hosts.host import Host
from broker.protocol.timeouts import Timeouts
from broker.transport.base import Broker
from scenarios.agreement import disagreements, ledger_problems
from scenarios.ending import promises_kept, telling_how_it_ended
from scenarios.neighbourhood import Cast, homes_of
from scenarios.outcome import RunOutcome, outcome_of
from scenarios.recording import Recorder, Watch
from scenarios.scenario import Scenario

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How a scenario is run once."""

    seed: int
    run_id: str
    algorithm: AlgorithmSettings = field(default_factory=AlgorithmSettings)
    hosts: int | None = None
    """Connections that the agents are spread over; None: one a household, and one for the manager."""
    days: int | None = None
    """None: until the last job has run."""
    pace: Pace = field(default_factory=Pace)
    patient: bool = True
    scores: Mapping[str, int] = field(default_factory=dict)
    """What producers earned in earlier simulations."""
    patience: Timeouts = field(default_factory=Timeouts)
    keep: bool = False
    """Whether what is retained stays at the broker when the run has ended, for watchers that come later."""


async def run_once(
    scenario: Scenario,
    settings: RunSettings,
    broker: Broker,
    recorder: Recorder | None = None,
    on_moment: Callable[[Moment], None] | None = None,
    on_outcome: Callable[[RunOutcome], None] | None = None,
    on_report: Callable[[Reported], None] | None = None,
) -> RunOutcome:
    """Run a scenario once, all its hosts in this process.

    Args:
        scenario: What to run.
        settings: How.
        broker: Where the hosts and the clock connect to.
        recorder: Is told of messages and contracts as they come.
        on_moment: Is told of every step.
        on_outcome: Is given what there is when the run is cancelled or fails, before the error goes on.
        on_report: Is told where the run stands, every few seconds at least.

    Raises:
        BrokerUnreachableError, BrokerLostError, HostsMissingError, AgentFailedError: see `Clock.run`.
        SsmicError: the ledger broke a promise, which is a defect of ours.
    """
    cast = Cast(scenario, settings.algorithm, patient=settings.patient, scores=settings.scores)
    homes = homes_of(scenario, settings.hosts)
    days = scenario.days if settings.days is None else settings.days
    end_s = None if days is None else scenario.start_s + days * DAY_S
    clock = Clock(
        ClockSettings(
            settings.run_id,
            homes,
            scenario.start_s,
            end_s,
            pace=settings.pace,
            patience=settings.patience,
            utc_offset_s=scenario.utc_offset_s,
            keep=settings.keep,
        ),
        on_moment,
        on_report=on_report,
    )
    watch = Watch(recorder)
    outcome = partial(
        outcome_of, scenario, settings.run_id, settings.seed, clock, cast.manager, watch, time.perf_counter()
    )
    with telling_how_it_ended(outcome, on_outcome):
        async with asyncio.TaskGroup() as tasks:
            for host_id, agents in homes.items():
                host = Host(
                    host_id,
                    settings.run_id,
                    cast.living_at(agents),
                    MESSAGES,
                    seed=settings.seed,
                    patience=settings.patience,
                    observer=watch,
                )
                tasks.create_task(host.run(broker), name=f"host[{host_id}]")
            await clock.run(broker)
    promises_kept(ledger_problems(scenario, cast.manager.ledger.values(), clock.acted_until_s) + disagreements(cast))
    return outcome("interrupted" if clock.is_stopped else "done")
