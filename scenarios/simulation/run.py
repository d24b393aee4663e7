"""One run of a scenario: the clock and the hosts that are local, and the outcome.

A run in one process is a deployment all of whose hosts are local. In a deployment the clock's process runs the manager
(`run_scenario`), and each household's process its own hosts (`run_hosts`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeVar

import structlog

from agents import MESSAGES, NEW_PRODUCER, Job, LedgerEntry, ledger_sha256, one_blas_thread
from broker import (
    AgentFailedError,
    BrokerLostError,
    BrokerUnreachableError,
    HostsMissingError,
    SsmicError,
    long_lived_objects,
    rare_collections,
)
from broker.clock import Clock, ClockJournal, ClockReport, ClockSettings, Moment
from broker.hosts import ClockSigns, Host, HostJournal, Port
from broker.protocol import MAX_TIME_S, Control
from broker.transport import Broker
from scenarios.devices import DeviceLink, ReplayPort, Saying, adapters_of
from scenarios.events import DisturbLink
from scenarios.home_assistant import Standing, shown_in_home_assistant
from scenarios.realised_scenario import realise
from scenarios.results import DroppedHost, RunWriter
from scenarios.scenario import Scenario, latest_s
from scenarios.simulation.agent_limits import most_messages, most_rounds, most_rounds_a_second, most_timers
from scenarios.simulation.agents import Cast, homes_of, places_of
from scenarios.simulation.invariants import Sides, consumer_problems, disagreements, manager_problems
from scenarios.simulation.many_journals import open_journals
from scenarios.simulation.recording import EndState, Recorder, Watch, WireWatch
from scenarios.simulation.settings import RunSettings
from scenarios.simulation.shared_invariants import SharedSides, double_booked, forecasts_of, share_disagreements
from scenarios.timeline import Disturbances, DisturbedBroker, Script, as_happened, optional_jobs

RESEND_WALL_S = 0.02
"""How soon missing messages are requested again if the timeline loses them on purpose; does not affect results."""
CUT_OFF = "the end of the session is not recorded, so it cannot be replayed to the same ledger"
"""Error of an interrupted run with real devices that did not end in order."""
_STOP_WALL_S = 2.0
"""How long an interrupted run may take to end in order; a few seconds after the signal, the process ends anyway."""
JournalT = TypeVar("JournalT", ClockJournal, HostJournal)

LOOK_AFTER_FILES_WALL_S = 2.0
"""How often a process looks whether the files that it writes are still there."""

log = structlog.get_logger(__name__)


class KeptFile(Protocol):
    """A file that a process has open and writes to."""

    path: Path

    @property
    def is_in_place(self) -> bool:
        """Whether the file is still where it was opened."""
        ...

    def put_back(self) -> None:
        """Write its content to its place again."""
        ...


async def look_after(files: Collection[KeptFile]) -> None:
    """Complain about files that were removed while they are written, and put them back; until cancelled.

    Their content exists as long as the process has them open: afterwards it would be too late.
    """
    while True:
        await asyncio.sleep(LOOK_AFTER_FILES_WALL_S)
        for file in files:
            if not file.is_in_place:
                try:
                    file.put_back()
                except SsmicError as error:
                    log.error("file removed, not put back yet", file=str(file.path), why=str(error))  # noqa: TRY400 - the user needs no traceback
                else:
                    log.error("file removed, put back", file=str(file.path))


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended, and what was agreed until then."""

    seed: int
    run_id: str
    state: EndState
    ledger: tuple[LedgerEntry, ...] = field(repr=False)
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
    """How long it took, in all processes that its clock has had, wall-clock seconds."""
    disputes: tuple[str, ...] = ()
    """Where households of other processes contradict the ledger or each other, and who said what. The ledger stands."""
    without: tuple[DroppedHost, ...] = ()
    """Hosts that the run ended without, by id."""

    def scores_since(self, begun_with: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Return each producer's score at the beginning and at the end, by id.

        Args:
            begun_with: The scores that the run began with; a producer that is not among them was new.
        """
        return {producer: (begun_with.get(producer, NEW_PRODUCER), after) for producer, after in self.scores.items()}

    @property
    def ledger_sha256(self) -> str:
        """SHA-256 of the ledger's canonical form; equal ledgers have equal hashes."""
        return ledger_sha256(self.ledger)


async def run_scenario(  # noqa: C901, PLR0915 - what it sets up is taken down in the same place
    scenario: Scenario,
    settings: RunSettings,
    broker: Broker,
    local_hosts: Collection[str] | None = None,
    recorder: Recorder | None = None,
    *,
    on_moment: Callable[[Moment], None] | None = None,
    on_missing: Callable[[tuple[str, ...]], None] | None = None,
    on_report: Callable[[ClockReport], None] | None = None,
    replay: Replay | None = None,
    restart_broker: Callable[[], None] | None = None,
    script: Script | None = None,
    is_spread: bool = False,
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
        replay: Messages of devices in an earlier run; the devices themselves are not used then.
        restart_broker: Restarts the broker when the timeline asks for it; None: only one in memory can be.
        script: The script that acts on the run besides the scenario's timeline.
        is_spread: Whether all remote hosts are in processes that were started only for this run. Then their messages
            need no second validation, and the record is that of a run in one process.

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
    places = places_of(scenario, settings.hosts)
    with rare_collections():
        cast = Cast(scenario, settings, {agent for agents in local.values() for agent in agents}, script)
    host_of = {agent: host for host, agents in homes.items() for agent in agents}
    host_of_house = {house.id: host_of[device.agent] for house in scenario.houses for device in house.devices}
    disturbances = Disturbances(broker, host_of_house, settings.seed, restart_broker)
    on_event = None if cast.director is None else disturbances.begin_happening
    # Actions of remote hosts are visible only on the wire; if all hosts are local, the clock need not read it.
    is_shared = settings.supply.is_shared
    wire = WireWatch(scenario, recorder, on_event, is_shared=is_shared) if remote else None
    watch = wire or Watch(scenario, recorder, on_event, is_shared=is_shared)
    end_s = settings.end_s(scenario)
    ports = _Ports(scenario, settings, broker, local, replay, is_whole=not remote)
    setup = settings.fingerprint_of_all(scenario) if settings.journals is not None else ""
    # Each decision limits linear algebra to one thread; within one block for all, it need not set the limit again.
    with one_blas_thread(), ExitStack() as journals:
        clock_journal = _open(settings.clock_journal(setup), journals)
        managers = {host: _open(settings.host_journal(host, setup), journals) for host in local}
        clock = Clock(
            ClockSettings(
                settings.run_id,
                homes,
                scenario.start_s,
                end_s,
                pace=settings.pace,
                timeouts=settings.patience,
                on_loss=settings.on_loss,
                catch_up=settings.catch_up,
                indispensable=frozenset(local),
                # What a script will do is not known; it steers runs all of whose hosts are its own.
                latest_s=latest_s(scenario, end_s) if script is None else MAX_TIME_S,
                most_rounds_a_second=most_rounds_a_second(scenario, has_script=script is not None),
                most_rounds=most_rounds(scenario, has_script=script is not None),
                most_timers=most_timers(scenario, places, end_s, has_script=script is not None),
                most_messages={} if is_spread else most_messages(scenario, places, has_script=script is not None),
                setups=settings.fingerprints(scenario, {host: places[host] for host in remote}),
                utc_offset_s=scenario.utc_offset_s,
                zone=scenario.zone_name,
                keep=settings.keep,
                is_open=bool(scenario.gateways) and replay is None,
                stop_after_s=None if replay is None else replay.stop_after_s,
            ),
            disturbances.with_time(on_moment) if cast.director is not None else on_moment,
            on_missing=on_missing,
            on_report=on_report,
            observer=wire,
            journal=clock_journal,
            messages=None if is_spread else MESSAGES,
        )
        if script is not None:
            script.command = clock.command
        hosts = [
            _host(host, cast, agents, settings, managers[host], watch=watch, port=ports.of(host))
            for host, agents in local.items()
        ]
        journals.enter_context(long_lived_objects())
        files: list[KeptFile] = [file for file in (clock_journal, *managers.values()) if file is not None]
        if isinstance(recorder, RunWriter):
            files.append(recorder)

        def finish(state: EndState, error: str = "", disputes: tuple[str, ...] = ()) -> RunOutcome:
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
                disputes=disputes,
                wall_s=clock.earlier_wall_s + time.perf_counter() - started_wall_s,
                without=tuple(
                    DroppedHost(host, why, host in clock.membership.quarantined)
                    for host, why in sorted(clock.membership.reasons.items())
                ),
            )
            if recorder is not None:
                recorder.finish(
                    state,
                    # If a deployment has no end, its record ends with the last job.
                    None if remote and not is_spread and end_s is None and state == "done" else outcome.end_s,
                    negotiations=outcome.negotiations,
                    wall_s=outcome.wall_s,
                    not_registered=outcome.not_registered,
                    error=error,
                    scores=outcome.scores_since(settings.scores),
                    without=outcome.without,
                    disputes=outcome.disputes,
                )
            return outcome

        has_devices, is_cut = bool(scenario.gateways) and replay is None, False
        try:
            async with (
                _shown(scenario, settings, broker, clock, cast, watch),
                ports.link.connected(),
                asyncio.TaskGroup() as tasks,
            ):
                # A task like the hosts: when the run is interrupted, all leave at once and not one after the other.
                members = [tasks.create_task(clock.run(broker), name="clock")]
                for host in hosts:
                    link = broker
                    if cast.director is not None:
                        link = DisturbedBroker(broker, host.host_id, disturbances)
                    members.append(tasks.create_task(host.run(link), name=f"host[{host.host_id}]"))
                looking = tasks.create_task(look_after(files), name="look after files")
                try:
                    await asyncio.wait(members)
                except asyncio.CancelledError:
                    # A session with real devices has no other end, and can be repeated only if that is recorded.
                    is_cut = has_devices and not await _stopped(clock, members)
                    raise
                looking.cancel()
        except asyncio.CancelledError as cancelled:
            finish("interrupted", CUT_OFF if is_cut else str(cancelled))
            raise
        except ExceptionGroup as group:
            error = root_cause(group)
            finish("failed", str(error))
            raise error from group
        finally:
            await disturbances.end()
        defects, disputes = _violations(scenario, cast, clock, watch)
        if defects:
            violation = SsmicError("the ledger violates an invariant:\n" + "\n".join(defects))
            finish("failed", str(violation))
            raise violation
        for dispute in disputes:
            log.warning("dispute", what=dispute)
        was_stopped = replay is not None and replay.stop_after_s is not None
        return finish("interrupted" if clock.is_stopped or was_stopped else "done", disputes=tuple(disputes))


async def _stopped(clock: Clock, members: Collection[asyncio.Task[None]]) -> bool:
    """End an interrupted run at the present moment, as an operator does; return whether it ended, in a short time."""
    if any(member.done() for member in members):
        return False
    clock.command(Control(command="stop", by="signal"))
    if not clock.is_stopped:
        return False  # it has not begun
    done, running = await asyncio.wait(members, timeout=_STOP_WALL_S, return_when=asyncio.FIRST_EXCEPTION)
    return not running and not any(member.cancelled() or member.exception() for member in done)


@dataclass(frozen=True, slots=True)
class Replay:
    """The recorded input with which to repeat a run with real devices without them."""

    sayings: Sequence[Saying]
    """The messages of devices, in the order of delivery."""
    stop_after_s: int | None = None
    """The last second of a run that was stopped, UNIX seconds; None: it ran to its end."""


class _Ports:
    """The ports of the hosts of this process: to real devices, or to a record of what they said."""

    def __init__(
        self,
        scenario: Scenario,
        settings: RunSettings,
        broker: Broker,
        homes: Mapping[str, Sequence[str]],
        replay: Replay | None = None,
        *,
        is_whole: bool = True,
    ) -> None:
        """Make the ports.

        Args:
            scenario: The scenario.
            settings: How.
            broker: Where the devices are.
            homes: By host of this process, the agents that live there.
            replay: Messages of devices in an earlier run; the devices themselves are not used then.
            is_whole: Whether all agents of the run live here.
        """
        here = {
            host: [scenario.gateways[agent] for agent in agents if agent in scenario.gateways]
            for host, agents in homes.items()
        }
        real = {host: gateways for host, gateways in here.items() if gateways and replay is None}
        adapters = adapters_of(gateway for gateways in real.values() for gateway in gateways)
        self.link = DeviceLink(
            settings.run_id,
            broker,
            real,
            adapters,
            scenario.zone,
            keep=settings.keep,
            is_only_one=is_whole,
            may_return=settings.journals is not None,
        )
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


@asynccontextmanager
async def _shown(
    scenario: Scenario, settings: RunSettings, broker: Broker, clock: Clock, cast: Cast, watch: Watch
) -> AsyncIterator[None]:
    """Show the run in Home Assistant for the duration of the context, if it is to be shown."""
    if not settings.home_assistant:
        yield
        return

    def standing() -> Standing:
        ledger = tuple(cast.manager.ledger.values())
        happened = scenario if cast.director is None else as_happened(scenario, cast.director.happenings)
        realised = realise(happened, watch.realised, is_shared=cast.is_shared)
        return Standing(clock.now.time_s, ledger, cast.manager.scores.by_producer(), realised)

    async with shown_in_home_assistant(broker, scenario, settings.run_id, standing, keep=settings.keep):
        yield


def _violations(scenario: Scenario, cast: Cast, clock: Clock, watch: Watch) -> tuple[list[str], list[str]]:
    """Return how the ledger and the agents violate the invariants of a run that has ended.

    An error of an agent in this process is a defect of this program. Households in other processes are responsible for
    their own statements: one that lies about its own jobs or production does not end the run, but is named.

    Returns:
        Defects, and disputes.
    """
    ledger = list(cast.manager.ledger.values())
    optional: frozenset[str] = frozenset()
    if cast.director is not None:
        scenario = as_happened(scenario, cast.director.happenings)
        optional = optional_jobs(scenario, cast.director.happenings)
    lost = [host for host in clock.membership.dropped if host in clock.settings.hosts]
    # With the jobs as they were agreed: what was measured since changes no contract.
    realised = realise(scenario, watch.realised, is_shared=cast.is_shared)
    scenario = realised.agreed
    defects = manager_problems(scenario, ledger)
    optional |= realised.withdrawn
    open_ends = consumer_problems(scenario, ledger, clock.acted_until_s, lost, optional)
    if not isinstance(watch, WireWatch):
        defects += double_booked(scenario.jobs, ledger, forecasts_of(cast))
        local: Sides | SharedSides = SharedSides.of(cast) if cast.is_shared else Sides.of(cast)
        return defects + open_ends + _differences(ledger, local, scenario.jobs, cast.producers), []
    wire = watch
    if wire.sides is None:
        return defects, open_ends
    there = scenario.part_of([house.id for house in scenario.houses if house.id not in lost])
    return defects, open_ends + _differences(ledger, wire.sides, there.jobs, there.producers)


def _differences(
    ledger: Sequence[LedgerEntry], sides: Sides | SharedSides, jobs: Sequence[Job], producers: Iterable[str]
) -> list[str]:
    if isinstance(sides, SharedSides):
        return share_disagreements(ledger, sides, jobs, producers)
    return disagreements(ledger, sides, jobs, producers)


async def run_hosts(
    scenario: Scenario,
    settings: RunSettings,
    broker: Broker,
    house_ids: Collection[str] | Mapping[str, Collection[str]],
) -> None:
    """Run the agents of some houses until the clock in another process ends the run.

    Args:
        scenario: The neighbourhood; only the part of these houses is read.
        settings: As the clock has them.
        broker: Where the clock connects to as well.
        house_ids: Houses of the scenario with at least one device, each a host; or, by host id, the houses that share
            the host.

    Raises:
        HostRefusedError: the clock does not let a house take part; the message says why.
        RunFailedError: the clock ended the run because of a failure; the message says why.
        ClockMissingError: the clock gave no sign for longer than the limit.
        BrokerUnreachableError, BrokerLostError: see `broker.transport.base`.
        JournalError: a journal cannot be used, or its replay differs.
    """
    shared = house_ids if isinstance(house_ids, Mapping) else {house: (house,) for house in house_ids}
    agents_of = {house.id: [device.agent for device in house.devices] for house in scenario.houses}
    homes = {host: sorted(agent for house in houses for agent in agents_of[house]) for host, houses in shared.items()}
    with rare_collections():
        cast = Cast(scenario, settings, {agent for agents in homes.values() for agent in agents})
    ports = _Ports(scenario, settings, broker, homes, is_whole=False)
    try:
        with one_blas_thread(), ExitStack() as opened:
            setups = settings.fingerprints(scenario, shared)
            journals = open_journals(settings, setups, opened)
            opened.enter_context(long_lived_objects())
            async with ports.link.connected(), asyncio.TaskGroup() as tasks:
                members, signs = [], ClockSigns()
                for host_id in shared:
                    host = _host(
                        host_id,
                        cast,
                        homes[host_id],
                        settings,
                        journals[host_id],
                        setup=setups[host_id],
                        port=ports.of(host_id),
                        clock_limit_wall_s=settings.patience.limit_wall_s,
                        clock_signs=signs,
                    )
                    members.append(tasks.create_task(host.run(broker), name=f"host[{host_id}]"))
                looking = tasks.create_task(look_after([j for j in journals.values() if j is not None]))
                await asyncio.wait(members)
                looking.cancel()
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
    clock_limit_wall_s: float | None = None,
    clock_signs: ClockSigns | None = None,
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
        clock_limit_wall_s=clock_limit_wall_s,
        clock_signs=clock_signs,
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
