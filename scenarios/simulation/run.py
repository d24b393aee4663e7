"""One run: the agents of a scenario over a broker, from the start to the end, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from agents import MESSAGES, NEW_PRODUCER, LedgerEntry, Manager, ledger_sha256
from agents.scheduling import AlgorithmSettings
from broker import AgentFailedError, BrokerLostError, BrokerUnreachableError, HostsMissingError, SsmicError
from broker.clock import Clock, ClockSettings, Moment, Pace, Reported
from broker.hosts import Host
from broker.protocol import Timeouts
from broker.transport import Broker
from scenarios.scenario import Scenario
from scenarios.simulation.agents import Cast, homes_of
from scenarios.simulation.invariants import disagreements, ledger_problems
from scenarios.simulation.recording import Recorder, Watch

RunState = Literal["done", "interrupted", "failed"]


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What came of a run."""

    seed: int
    run_id: str
    state: RunState
    ledger: tuple[LedgerEntry, ...]
    """In the order of agreement."""
    start_s: int
    end_s: int
    """Where virtual time stood at the end; the end that `days` gives where there is one."""
    not_registered: tuple[str, ...]
    """Jobs that the run ended before; they have no contract."""
    scores: Mapping[str, int]
    messages: int
    """That agents sent to each other."""
    negotiations: int
    """How often a job went looking for a supplier."""
    rounds: int
    wall_s: float

    def scores_since(self, begun_with: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Return each producer's score at the beginning and at the end, by id.

        Args:
            begun_with: The scores that the run began with; a producer that is not among them was new.
        """
        return {producer: (begun_with.get(producer, NEW_PRODUCER), after) for producer, after in self.scores.items()}

    @property
    def ledger_sha256(self) -> str:
        """Equal ledgers, equal hash."""
        return ledger_sha256(self.ledger)


def outcome_of(
    scenario: Scenario,
    run_id: str,
    seed: int,
    clock: Clock,
    manager: Manager,
    watch: Watch,
    started_wall_s: float,
    state: RunState,
) -> RunOutcome:
    """Return what has come of a run so far.

    Args:
        scenario: What is run.
        run_id: As the broker knows it.
        seed: The run's.
        clock: Where it stands.
        manager: Keeps its ledger.
        watch: Counted its messages.
        started_wall_s: When it started, by `time.perf_counter`.
        state: How it ended.
    """
    return RunOutcome(
        seed=seed,
        run_id=run_id,
        state=state,
        ledger=tuple(manager.ledger.values()),
        start_s=scenario.start_s,
        end_s=clock.now.time_s,
        not_registered=tuple(job.job_id for job in scenario.jobs if job.registered_s > clock.acted_until_s),
        scores=manager.scores.by_producer(),
        messages=watch.messages,
        negotiations=watch.negotiations,
        rounds=clock.now.step + 1,
        wall_s=time.perf_counter() - started_wall_s,
    )


@contextmanager
def telling_how_it_ended(
    outcome: Callable[[RunState], RunOutcome], on_outcome: Callable[[RunOutcome], None] | None
) -> Iterator[None]:
    """Run what is inside; if it is cancelled or fails, hand over what there is before the error goes on.

    Args:
        outcome: Makes an outcome of what there is.
        on_outcome: Is given it; None: nobody wants it.

    Raises:
        SsmicError: why it failed.
    """
    try:
        yield
    except asyncio.CancelledError:
        if on_outcome is not None:
            on_outcome(outcome("interrupted"))
        raise
    except ExceptionGroup as group:
        if on_outcome is not None:
            on_outcome(outcome("failed"))
        raise telling_error(group) from group


def promises_kept(problems: Sequence[str]) -> None:
    """Refuse a ledger that is not as it has to be.

    Raises:
        SsmicError: there are problems, which is a defect of ours.
    """
    if problems:
        raise SsmicError("the ledger broke a promise:\n" + "\n".join(problems))


def telling_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one error of a group that says why: the first failure, not what followed from it."""
    leaves: list[BaseException] = []
    pending: list[BaseException] = [group]
    while pending:
        error = pending.pop(0)
        if isinstance(error, BaseExceptionGroup):
            pending += error.exceptions
        else:
            leaves.append(error)
    # Hosts that cannot reach the broker are missing because of that.
    order = (AgentFailedError, BrokerUnreachableError, BrokerLostError, HostsMissingError)

    def rank(error: BaseException) -> int:
        if not isinstance(error, SsmicError):
            return -1  # a defect: never hide it behind what it caused
        return next((i for i, kind in enumerate(order) if isinstance(error, kind)), len(order))

    return min(leaves, key=rank)


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
            timeouts=settings.patience,
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
                    timeouts=settings.patience,
                    observer=watch,
                )
                tasks.create_task(host.run(broker), name=f"host[{host_id}]")
            await clock.run(broker)
    promises_kept(ledger_problems(scenario, cast.manager.ledger.values(), clock.acted_until_s) + disagreements(cast))
    return outcome("interrupted" if clock.is_stopped else "done")
