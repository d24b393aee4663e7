"""One run of a scenario: the clock and the hosts that are local, and the outcome.

A run in one process is a deployment all of whose hosts are local. In a deployment the clock's process runs the manager
(`run_scenario`), and each household's process its own hosts (`run_hosts`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

from agents import MESSAGES, NEW_PRODUCER, LedgerEntry, ledger_sha256
from broker import AgentFailedError, BrokerLostError, BrokerUnreachableError, HostsMissingError, SsmicError
from broker.clock import Clock, ClockJournal, ClockSettings, Moment, Reported
from broker.hosts import Host, HostJournal, Port
from broker.transport import Broker
from scenarios.devices import DeviceLink, ReplayPort, Saying, adapters_of
from scenarios.realised import realise
from scenarios.scenario import Scenario
from scenarios.simulation.agents import Cast, homes_of
from scenarios.simulation.invariants import Sides, disagreements, ledger_problems
from scenarios.simulation.recording import EndState, Recorder, Watch, WireWatch
from scenarios.simulation.settings import RunSettings

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
    replay: Replay | None = None,
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
        replay: What devices said in an earlier run; they are left alone then.

    Raises:
        BrokerUnreachableError, BrokerLostError, HostsMissingError, AgentFailedError: see `Clock.run`.
        JournalError: a journal cannot be used, or its replay differs.
        SsmicError: the ledger violates an invariant, which is a defect of this program.
    """
    started_wall_s = time.perf_counter()
    homes = homes_of(scenario, settings.hosts)
    local = homes if local_hosts is None else {host: homes[host] for host in local_hosts}
    remote = [host for host in homes if host not in local]
    cast = Cast(scenario, settings, {agent for agents in local.values() for agent in agents})
    # Only the wire tells what remote hosts do; where all are local the clock is spared reading it.
    wire = WireWatch(recorder) if remote else None
    watch = wire or Watch(recorder)
    end_s = settings.end_s(scenario)
    ports = _Ports(scenario, settings, broker, local, replay)
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
                is_open=bool(scenario.gateways) and replay is None,
                stop_after_s=None if replay is None else replay.stop_after_s,
            ),
            on_moment,
            on_missing=on_missing,
            on_report=on_report,
            observer=wire,
            journal=_open(settings.clock_journal(setup), journals),
        )
        hosts = [
            _host(
                host,
                cast,
                agents,
                settings,
                _open(settings.host_journal(host, setup), journals),
                watch=watch,
                port=ports.of(host),
            )
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
            async with ports.link.connected(), asyncio.TaskGroup() as tasks:
                # A task like the hosts: when the run is interrupted, all leave at once and not one after the other.
                tasks.create_task(clock.run(broker), name="clock")
                for host in hosts:
                    tasks.create_task(host.run(broker), name=f"host[{host.host_id}]")
        except asyncio.CancelledError as cancelled:
            finish("interrupted", str(cancelled))
            raise
        except ExceptionGroup as group:
            error = root_cause(group)
            finish("failed", str(error))
            raise error from group
        if problems := _violations(scenario, cast, clock, watch):
            violation = SsmicError("the ledger broke a promise:\n" + "\n".join(problems))
            finish("failed", str(violation))
            raise violation
        was_stopped = replay is not None and replay.stop_after_s is not None
        return finish("interrupted" if clock.is_stopped or was_stopped else "done")


@dataclass(frozen=True, slots=True)
class Replay:
    """What is needed to repeat a run with real devices without them."""

    sayings: Sequence[Saying]
    """What devices said, in the order in which it was taken."""
    stop_after_s: int | None = None
    """The last second of a run that was stopped, UNIX seconds; None: it came to its end."""


class _Ports:
    """The ports of the hosts of this process: to real devices, or to a record of what they said."""

    def __init__(
        self,
        scenario: Scenario,
        settings: RunSettings,
        broker: Broker,
        homes: Mapping[str, Sequence[str]],
        replay: Replay | None = None,
    ) -> None:
        here = {
            host: [scenario.gateways[agent] for agent in agents if agent in scenario.gateways]
            for host, agents in homes.items()
        }
        real = {host: gateways for host, gateways in here.items() if gateways and replay is None}
        adapters = adapters_of(gateway for gateways in real.values() for gateway in gateways)
        self.link = DeviceLink(settings.run_id, broker, real, adapters, scenario.zone, keep=settings.keep)
        self._replayed: dict[str, ReplayPort] = {}
        if replay is not None:
            home_of = {agent: host for host, agents in homes.items() for agent in agents}
            said: dict[str, list[Saying]] = {}
            for saying in replay.sayings:
                said.setdefault(home_of.get(saying.agent, ""), []).append(saying)
            self._replayed = {host: ReplayPort(sayings) for host, sayings in said.items()}

    def of(self, host: str) -> Port | None:
        """Return the port of a host; None: nothing comes from outside to it."""
        return self._replayed.get(host) or self.link.port(host)


def _violations(scenario: Scenario, cast: Cast, clock: Clock, watch: Watch) -> list[str]:
    """Return how the ledger and the agents violate the invariants of a run that has ended."""
    ledger = cast.manager.ledger.values()
    lost = [host for host in clock.membership.dropped if host in clock.settings.hosts]
    realised = realise(scenario, watch.realised)
    scenario = realised.scenario
    problems = ledger_problems(scenario, ledger, clock.acted_until_s, lost, realised.withdrawn)
    if not isinstance(watch, WireWatch):
        return problems + disagreements(ledger, Sides.of(cast), scenario.jobs, cast.producers)
    wire = watch
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
    ports = _Ports(scenario, settings, broker, {house: homes[house] for house in house_ids})
    try:
        with ExitStack() as journals:
            async with ports.link.connected(), asyncio.TaskGroup() as tasks:
                for house in house_ids:
                    setup = settings.fingerprint(scenario, [house])
                    journal = _open(settings.host_journal(house, setup), journals)
                    host = _host(house, cast, homes[house], settings, journal, setup=setup, port=ports.of(house))
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
    port: Port | None = None,
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
        port=port,
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
