"""One run of a scenario: the clock and the hosts that are local, and the outcome.

A run in one process is a deployment all of whose hosts are local. In a deployment the clock's process runs the manager
(`run_scenario`), and each household's process its own hosts (`run_hosts`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TypeVar

from agents import MESSAGES, NEW_PRODUCER, LedgerEntry, ledger_sha256
from broker import AgentFailedError, BrokerLostError, BrokerUnreachableError, HostsMissingError, SsmicError
from broker.clock import Clock, ClockJournal, ClockSettings, Moment, Reported
from broker.hosts import Host, HostJournal
from broker.transport import Broker
from scenarios.events import DisturbLink
from scenarios.scenario import Scenario
from scenarios.simulation.agents import Cast, homes_of
from scenarios.simulation.invariants import Sides, disagreements, ledger_problems
from scenarios.simulation.recording import EndState, Recorder, Watch, WireWatch
from scenarios.simulation.settings import RunSettings
from scenarios.timeline import Disturbances, DisturbedBroker, Script, as_happened, optional_jobs

RESEND_WALL_S = 0.02
"""How soon missing messages are asked for where the timeline loses them on purpose; no part in the result."""
JournalT = TypeVar("JournalT", ClockJournal, HostJournal)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What came of a run."""

    seed: int
    run_id: str
    state: EndState
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


async def run_scenario(
    scenario: Scenario,
    settings: RunSettings,
    broker: Broker,
    local_hosts: Collection[str] | None = None,
    recorder: Recorder | None = None,
    *,
    on_moment: Callable[[Moment], None] | None = None,
    on_missing: Callable[[tuple[str, ...]], None] | None = None,
    on_report: Callable[[Reported], None] | None = None,
    restart_broker: Callable[[], None] | None = None,
    script: Script | None = None,
) -> RunOutcome:
    """Run the clock of a scenario and the hosts that are local, from the start to the end.

    Args:
        scenario: The whole neighbourhood.
        settings: How it is run; the processes of the other hosts have the same.
        broker: Where the clock and all hosts connect to.
        local_hosts: Ids of the hosts that run in this process, the manager's among them; None: all.
        recorder: Records messages and contracts as they come and, however the run ends, the outcome.
        on_moment: Is called at every step.
        on_missing: Is given the ids of the hosts that have not come yet, whenever they change before the start.
        on_report: Is given the state of the run, every few seconds at least.
        restart_broker: Restarts the broker when the timeline asks for it; None: only one in memory can be.
        script: What acts on the run besides the scenario's timeline.

    Raises:
        BrokerUnreachableError, BrokerLostError, HostsMissingError, AgentFailedError: see `Clock.run`.
        JournalError: a journal cannot be used, or its replay differs.
        SsmicError: the ledger violates an invariant, which is a defect of this program.
    """
    started_wall_s = time.perf_counter()
    if any(isinstance(event.action, DisturbLink) for event in scenario.timeline):
        # What a bad link loses is asked for soon, or every lost message would cost half a second and more.
        quick = replace(settings.patience, resend_wall_s=RESEND_WALL_S, resend_most_wall_s=10 * RESEND_WALL_S)
        settings = replace(settings, patience=quick)
    homes = homes_of(scenario, settings.hosts, has_script=script is not None)
    local = homes if local_hosts is None else {host: homes[host] for host in local_hosts}
    remote = [host for host in homes if host not in local]
    cast = Cast(scenario, settings, {agent for agents in local.values() for agent in agents}, script)
    host_of = {agent: host for host, agents in homes.items() for agent in agents}
    host_of_house = {house.id: host_of[device.agent] for house in scenario.houses for device in house.devices}
    disturbances = Disturbances(broker, host_of_house, settings.seed, restart_broker)
    on_event = None if cast.director is None else disturbances.begin_happening
    # Only the wire tells what remote hosts do; where all are local the clock is spared reading it.
    wire = WireWatch(recorder, on_event) if remote else None
    watch = wire or Watch(recorder, on_event)
    end_s = settings.end_s(scenario)
    setup = settings.fingerprint_of_all(scenario) if settings.journals is not None else ""
    with ExitStack() as journals:
        clock = Clock(
            ClockSettings(
                settings.run_id,
                homes,
                scenario.start_s,
                end_s,
                pace=settings.pace,
                timeouts=settings.patience,
                on_loss=settings.on_loss,
                indispensable=frozenset(local),
                setups={house: settings.fingerprint(scenario, [house]) for house in remote},
                utc_offset_s=scenario.utc_offset_s,
                keep=settings.keep,
            ),
            disturbances.with_time(on_moment) if cast.director is not None else on_moment,
            on_missing=on_missing,
            on_report=on_report,
            observer=wire,
            journal=_open(settings.clock_journal(setup), journals),
        )
        hosts = [
            _host(host, cast, agents, settings, _open(settings.host_journal(host, setup), journals), watch=watch)
            for host, agents in local.items()
        ]

        def finish(state: EndState, error: str = "") -> RunOutcome:
            outcome = RunOutcome(
                seed=settings.seed,
                run_id=settings.run_id,
                state=state,
                ledger=tuple(cast.manager.ledger.values()),
                start_s=scenario.start_s,
                end_s=clock.now.time_s,
                not_registered=tuple(job.job_id for job in scenario.jobs if job.registered_s > clock.acted_until_s),
                scores=cast.manager.scores.by_producer(),
                messages=watch.messages,
                negotiations=watch.negotiations,
                rounds=clock.now.step + 1,
                wall_s=time.perf_counter() - started_wall_s,
            )
            if recorder is not None:
                recorder.finish(
                    state,
                    # Without an end of its own, the record of a deployment ends with the last job.
                    None if remote and end_s is None and state == "done" else outcome.end_s,
                    negotiations=outcome.negotiations,
                    wall_s=outcome.wall_s,
                    not_registered=outcome.not_registered,
                    error=error,
                    scores=outcome.scores_since(settings.scores),
                )
            return outcome

        try:
            async with asyncio.TaskGroup() as tasks:
                # A task like the hosts: when the run is interrupted, all leave at once and not one after the other.
                tasks.create_task(clock.run(broker), name="clock")
                for host in hosts:
                    link = broker
                    if cast.director is not None:
                        link = DisturbedBroker(broker, host.host_id, disturbances)
                    tasks.create_task(host.run(link), name=f"host[{host.host_id}]")
        except asyncio.CancelledError as cancelled:
            finish("interrupted", str(cancelled))
            raise
        except ExceptionGroup as group:
            error = root_cause(group)
            finish("failed", str(error))
            raise error from group
        finally:
            await disturbances.end()
        if problems := _violations(scenario, cast, clock, wire):
            violation = SsmicError("the ledger broke a promise:\n" + "\n".join(problems))
            finish("failed", str(violation))
            raise violation
        return finish("interrupted" if clock.is_stopped else "done")


def _violations(scenario: Scenario, cast: Cast, clock: Clock, wire: WireWatch | None) -> list[str]:
    """Return how the ledger and the agents violate the invariants of a run that has ended."""
    ledger = cast.manager.ledger.values()
    optional: Collection[str] = ()
    if cast.director is not None:
        scenario = as_happened(scenario, cast.director.happenings)
        optional = optional_jobs(scenario, cast.director.happenings)
    lost = [host for host in clock.membership.dropped if host in clock.settings.hosts]
    problems = ledger_problems(scenario, ledger, clock.acted_until_s, lost, optional)
    if wire is None:
        return problems + disagreements(ledger, Sides.of(cast), scenario.jobs, cast.producers)
    if wire.sides is None:
        return problems
    there = scenario.part_of([house.id for house in scenario.houses if house.id not in lost])
    return problems + disagreements(ledger, wire.sides, there.jobs, there.producers)


async def run_hosts(scenario: Scenario, settings: RunSettings, broker: Broker, house_ids: Collection[str]) -> None:
    """Run the agents of some houses, each house a host, until the clock in another process ends the run.

    Args:
        scenario: The neighbourhood; only the part of these houses is read.
        settings: As the clock has them.
        broker: Where the clock connects to as well.
        house_ids: Houses of the scenario with at least one device.

    Raises:
        HostRefusedError: the clock does not let a house take part; the message says why.
        BrokerUnreachableError, BrokerLostError: see `broker.transport.base`.
        JournalError: a journal cannot be used, or its replay differs.
    """
    homes = homes_of(scenario)
    cast = Cast(scenario, settings, {agent for house in house_ids for agent in homes[house]})
    try:
        with ExitStack() as journals:
            async with asyncio.TaskGroup() as tasks:
                for house in house_ids:
                    setup = settings.fingerprint(scenario, [house])
                    journal = _open(settings.host_journal(house, setup), journals)
                    host = _host(house, cast, homes[house], settings, journal, setup=setup)
                    tasks.create_task(host.run(broker), name=f"host[{house}]")
    except ExceptionGroup as group:
        raise root_cause(group) from group


def _open(journal: JournalT | None, journals: ExitStack) -> JournalT | None:
    return None if journal is None else journals.enter_context(journal)


def _host(
    host_id: str,
    cast: Cast,
    agents: Sequence[str],
    settings: RunSettings,
    journal: HostJournal | None,
    *,
    watch: Watch | None = None,
    setup: str = "",
) -> Host:
    return Host(
        host_id,
        settings.run_id,
        cast.living_at(agents),
        MESSAGES,
        seed=settings.seed,
        timeouts=settings.patience,
        observer=watch,
        journal=journal,
        setup=setup,
    )


def root_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
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
