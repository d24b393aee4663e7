"""One run of a scenario: the clock and the hosts that are local, and the outcome.

A run in one process is a deployment all of whose hosts are local. In a deployment the clock's process runs the manager
(`run_scenario`), and each household's process its own hosts (`run_hosts`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import structlog

from agents import MESSAGES
from agents.scheduling import one_blas_thread
from broker import HostRefusedError, RunFailedError, keep_in_large_pages, long_lived_objects, no_collections
from broker.clock import Clock, ClockJournal, ClockReport, ClockSettings, Moment
from broker.hosts import ClockLiveness, Host, HostJournal, Port
from broker.protocol import MAX_TIME_S, Control
from broker.transport import Broker
from scenarios.devices import DeviceLink, RecordedDeviceMessage, ReplayPort, adapters_of, answering_lost_guests
from scenarios.events import DisturbLink, RunEvent
from scenarios.home_assistant import RunSnapshot, shown_in_home_assistant
from scenarios.realised_scenario import realise
from scenarios.results import RunWriter
from scenarios.scenario import Scenario, latest_s
from scenarios.simulation.agent_limits import most_messages, most_rounds, most_rounds_a_second, most_timers
from scenarios.simulation.agents import AgentSet, agents_by_host, houses_by_host
from scenarios.simulation.outcome import RunFinisher, RunOutcome, root_cause
from scenarios.simulation.process_files import KeptFile, open_journals, restore_removed_files
from scenarios.simulation.recording import DistributedRunObserver, Recorder, RunObserver
from scenarios.simulation.settings import RunSettings
from scenarios.timeline import DisturbedBroker, NetworkFaults, ScriptControl, as_happened

log = structlog.get_logger(__name__)

RESEND_WALL_S = 0.02
"""How soon missing messages are requested again if the timeline loses them on purpose; does not affect results."""
CUT_OFF = "the end of the session is not recorded, so it cannot be replayed to the same ledger"
"""Error of an interrupted run with real devices that did not end in order."""
_FAIL_WALL_S = 10.0
"""How long a host that leaves a failed run waits for the clock to end with the error that says why."""
_REPORT_WALL_S = 3.0
"""How long a host that was refused waits for its clock to hear another one, which reports every two seconds."""
_STOP_WALL_S = 2.0
"""How long an interrupted run may take to end in order; a few seconds after the signal, the process ends anyway."""
JournalT = TypeVar("JournalT", ClockJournal, HostJournal)


async def run_scenario(
    scenario: Scenario,
    settings: RunSettings,
    broker: Broker,
    local_hosts: Collection[str] | None = None,
    recorder: Recorder | None = None,
    *,
    callbacks: RunCallbacks | None = None,
    environment: RunEnvironment | None = None,
) -> RunOutcome:
    """Run the clock of a scenario and the hosts that are local, from the start to the end.

    Args:
        scenario: The whole neighbourhood.
        settings: How it is run; the processes of the other hosts have the same.
        broker: Where the clock and all hosts connect to.
        local_hosts: Ids of the hosts that run in this process, the manager's among them; None: all.
        recorder: Records messages and contracts as they come and, however the run ends, the outcome.
        callbacks: What is called while the run is in progress; None: nothing.
        environment: What takes part in the run besides the scenario's agents; None: nothing.

    Raises:
        BrokerUnreachableError, BrokerLostError, HostsMissingError, AgentFailedError: see `Clock.run`.
        JournalError: a journal cannot be used, or its replay differs.
        SsmicError: the ledger violates an invariant, which is a defect of this program.
    """
    started_wall_s = time.perf_counter()
    # Each decision limits linear algebra to one thread; within one block for all, it need not set the limit again.
    with one_blas_thread(), ExitStack() as opened:
        with no_collections():
            run = _LocalRun(
                scenario,
                _resending_soon(scenario, settings),
                broker,
                local_hosts,
                recorder,
                callbacks or RunCallbacks(),
                environment or RunEnvironment(),
            )
            clock, hosts, files = run.open(opened)
        finisher = run.finisher(clock, started_wall_s)
        try:
            await run.until_ended(clock, hosts, files)
            # `finish` waits for the lock without the event loop, so wait here: connections and signals are served.
            if isinstance(recorder, RunWriter):
                await recorder.until_unlocked()
        except asyncio.CancelledError as cancelled:
            finisher.finish("interrupted", CUT_OFF if run.is_cut else str(cancelled), reached_s=run.interrupted_at_s)
            raise
        except ExceptionGroup as group:
            error = root_cause(group)
            finisher.finish("failed", str(error))
            raise error from group
        finally:
            await run.end_network_faults()
        return finisher.judge(was_stopped=clock.is_stopped or run.is_replay_of_stopped)


async def _fail_after_the_clock(host: Coroutine[Any, Any, None], clock: asyncio.Task[None]) -> None:
    """Run a host; if the run fails, let the clock end first, because a host's error would cancel it.

    The clock informs the hosts of its failure before it has disconnected, and only its error says what failed. A second
    clock learns of the first one from its next report; by then, the first one may have refused the second one's hosts.

    Raises:
        ExceptionGroup: The errors of the host, and what the clock said of it if the clock has not ended.
    """
    try:
        await host
    except* RunFailedError:
        await asyncio.wait([clock], timeout=_FAIL_WALL_S)
        raise
    except* HostRefusedError:
        await asyncio.wait([clock], timeout=_REPORT_WALL_S)
        raise


def _resending_soon(scenario: Scenario, settings: RunSettings) -> RunSettings:
    """Return the settings of a run, with less patience if its timeline disturbs links.

    What a bad link loses is asked for soon, or every lost message would cost half a second and more.
    """
    if not any(isinstance(event.action, DisturbLink) for event in scenario.timeline):
        return settings
    quick = replace(settings.patience, resend_wall_s=RESEND_WALL_S, resend_most_wall_s=10 * RESEND_WALL_S)
    return replace(settings, patience=quick)


@dataclass(frozen=True, slots=True)
class Replay:
    """The recorded input with which to repeat a run with real devices without them."""

    device_messages: Sequence[RecordedDeviceMessage]
    """The messages of devices, in the order of delivery."""
    stop_after_s: int | None = None
    """The last second of a run that was stopped, UNIX seconds; None: it ran to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCallbacks:
    """What a run calls in the process of its clock while it is in progress; None: nothing is called."""

    on_moment: Callable[[Moment], None] | None = None
    """Called at every step."""
    on_missing: Callable[[tuple[str, ...]], None] | None = None
    """Called with the ids of the hosts that are still missing, whenever they change before the start."""
    on_report: Callable[[ClockReport], None] | None = None
    """Called with the state of the run, every few seconds at least."""
    on_event: Callable[[RunEvent], None] | None = None
    """Called with each event of the timeline when it takes place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnvironment:
    """What takes part in a run besides the scenario's agents."""

    replay: Replay | None = None
    """Messages of devices in an earlier run; the devices themselves are not used then."""
    script: ScriptControl | None = None
    """The script that acts on the run besides the scenario's timeline."""
    restart_broker: Callable[[], None] | None = None
    """Restarts the broker when the timeline asks for it; None: only one in memory can be."""
    is_spread: bool = False
    """Whether all remote hosts are in processes that were started only for this run. Then their messages need no second
    validation, and the record is that of a run in one process."""


class _LocalRun:
    """The part of a run that is in its clock's process: the clock, the local agents, and what they need."""

    def __init__(
        self,
        scenario: Scenario,
        settings: RunSettings,
        broker: Broker,
        local_hosts: Collection[str] | None,
        recorder: Recorder | None,
        callbacks: RunCallbacks,
        environment: RunEnvironment,
    ) -> None:
        """Create the agents; see `run_scenario` for the arguments."""
        self._scenario = scenario
        self._settings = settings
        self._broker = broker
        self._recorder = recorder
        self._callbacks = callbacks
        self._environment = environment
        self._homes = agents_by_host(scenario, settings.hosts, has_script=environment.script is not None)
        """By host of the run, the agents that live there."""
        self._local = self._homes if local_hosts is None else {host: self._homes[host] for host in local_hosts}
        """The agents of the hosts of this process, by host."""
        local_agents = {agent for agents in self._local.values() for agent in agents}
        self._agent_set = AgentSet(scenario, settings, local_agents, environment.script)
        host_of = {agent: host for host, agents in self._homes.items() for agent in agents}
        host_of_house = {house.id: host_of[device.agent] for house in scenario.houses for device in house.devices}
        self._network_faults = NetworkFaults(broker, host_of_house, settings.seed, environment.restart_broker)
        self._observer = self._make_observer()
        self._ports = _Ports(scenario, settings, broker, self._local, environment.replay, is_whole=not self._remote)
        self.is_cut = False
        """Whether it was interrupted without ending in order, and so cannot be replayed."""
        self.interrupted_at_s = 0
        """Virtual time reached when it was interrupted, UNIX seconds; 0: it was not."""

    @property
    def _remote(self) -> list[str]:
        """The hosts of other processes."""
        return [host for host in self._homes if host not in self._local]

    @property
    def _is_directed(self) -> bool:
        """Whether a timeline or a script acts on the run."""
        return self._agent_set.timeline_agent is not None

    def _make_observer(self) -> RunObserver:
        """Return what observes the run: actions of remote hosts are visible only on the wire.

        If all hosts are local, the clock need not read it.
        """
        on_event = self._take_event if self._is_directed else None
        kind = DistributedRunObserver if self._remote else RunObserver
        return kind(self._scenario, self._recorder, on_event, is_shared=self._settings.supply.is_shared)

    def _take_event(self, run_event: RunEvent, is_replayed: bool) -> None:  # noqa: FBT001 - a callback
        if not is_replayed:
            log.info("event of the timeline", n=run_event.n, do=run_event.action.do)
        self._network_faults.begin_run_event(run_event, is_replayed=is_replayed)
        if self._callbacks.on_event is not None:
            self._callbacks.on_event(run_event)

    def open(self, opened: ExitStack) -> tuple[Clock, list[Host], list[KeptFile]]:
        """Open the journals; return the clock, the local hosts and the files that they write.

        Args:
            opened: Closes the journals in the end.
        """
        scenario, settings, callbacks = self._scenario, self._settings, self._callbacks
        setup = settings.fingerprint_of_all(scenario) if settings.journals is not None else ""
        clock_journal = _open(settings.clock_journal(setup), opened)
        journals = {host: _open(settings.host_journal(host, setup), opened) for host in self._local}
        clock = Clock(
            self._clock_settings(),
            self._network_faults.with_time(callbacks.on_moment) if self._is_directed else callbacks.on_moment,
            on_missing=callbacks.on_missing,
            on_report=callbacks.on_report,
            observer=self._observer if isinstance(self._observer, DistributedRunObserver) else None,
            journal=clock_journal,
            messages=None if self._environment.is_spread else MESSAGES,
        )
        if self._environment.script is not None:
            self._environment.script.command = clock.command
        hosts = [
            _host(
                host,
                self._agent_set,
                agents,
                settings,
                journals[host],
                observer=self._observer,
                port=self._ports.of(host),
            )
            for host, agents in self._local.items()
        ]
        opened.enter_context(long_lived_objects())
        files: list[KeptFile] = [file for file in (clock_journal, *journals.values()) if file is not None]
        if isinstance(self._recorder, RunWriter):
            files.append(self._recorder)
        return clock, hosts, files

    def _clock_settings(self) -> ClockSettings:
        """Return the settings of the clock, with the limits by which it judges hosts of other processes."""
        scenario, settings, has_script = self._scenario, self._settings, self._environment.script is not None
        end_s = settings.end_s(scenario)
        places = houses_by_host(scenario, settings.hosts)
        corrected_until_s = latest_s(scenario, end_s) if settings.supply.corrects_forecasts else None
        return ClockSettings(
            settings.run_id,
            self._homes,
            scenario.start_s,
            end_s,
            pace=settings.pace,
            timeouts=settings.patience,
            on_loss=settings.on_loss,
            catch_up=settings.catch_up,
            indispensable=frozenset(self._local),
            # What a script will do is not known; it steers runs all of whose hosts are its own.
            latest_s=MAX_TIME_S if has_script else latest_s(scenario, end_s),
            most_rounds_a_second=most_rounds_a_second(scenario, has_script=has_script),
            most_rounds=most_rounds(scenario, has_script=has_script, corrected_until_s=corrected_until_s),
            most_timers=most_timers(scenario, places, end_s, has_script=has_script),
            most_messages={}
            if self._environment.is_spread
            else most_messages(scenario, places, has_script=has_script, corrected_until_s=corrected_until_s),
            setups=settings.fingerprints(scenario, {host: places[host] for host in self._remote}),
            utc_offset_s=scenario.utc_offset_s,
            zone=scenario.zone_name,
            keep=settings.keep,
            is_open=self._has_devices,
            stop_after_s=self._stop_after_s,
        )

    @property
    def _has_devices(self) -> bool:
        """Whether real devices take part."""
        return bool(self._scenario.gateways) and self._environment.replay is None

    @property
    def _stop_after_s(self) -> int | None:
        """The last second of the run that is replayed, UNIX seconds; None: it ran to its end, or none is replayed."""
        replay = self._environment.replay
        return None if replay is None else replay.stop_after_s

    @property
    def is_replay_of_stopped(self) -> bool:
        """Whether the run repeats one that was stopped."""
        return self._stop_after_s is not None

    def finisher(self, clock: Clock, started_wall_s: float) -> RunFinisher:
        """Return what judges and records the run, however it ends.

        Args:
            clock: The clock.
            started_wall_s: When this process began with the run, seconds of `time.perf_counter`.
        """
        return RunFinisher(
            self._scenario,
            self._settings,
            self._agent_set,
            clock,
            self._observer,
            self._recorder,
            started_wall_s,
            is_without_days=self._settings.end_s(self._scenario) is None,
        )

    async def until_ended(self, clock: Clock, hosts: Sequence[Host], files: Collection[KeptFile]) -> None:
        """Run the clock and the hosts until all of them have ended.

        Args:
            clock: The clock.
            hosts: The local hosts.
            files: Files that are written again if somebody removes them.

        Raises:
            ExceptionGroup: The errors of those that failed.
        """
        async with (
            self._shown(clock),
            self._ports.link.connected(),
            self._lost_guests_answered(clock),
            asyncio.TaskGroup() as tasks,
        ):
            # A task like the hosts: when the run is interrupted, all leave at once and not one after the other.
            clock_task = tasks.create_task(clock.run(self._broker), name="clock")
            members = [clock_task]
            for host in hosts:
                running = _fail_after_the_clock(host.run(self._link_of(host)), clock_task)
                members.append(tasks.create_task(running, name=f"host[{host.host_id}]"))
            beside = (
                tasks.create_task(restore_removed_files(files), name="restore removed files"),
                tasks.create_task(keep_in_large_pages(), name="large pages"),
            )
            try:
                await asyncio.wait(members)
            except asyncio.CancelledError:
                self.interrupted_at_s = clock.reached_s
                # A session with real devices has no other end, and can be repeated only if that is recorded.
                self.is_cut = self._has_devices and not await _stopped(clock, members)
                raise
            for task in beside:
                task.cancel()

    async def end_network_faults(self) -> None:
        """End what the timeline does to links, however the run ended."""
        await self._network_faults.end()

    def _link_of(self, host: Host) -> Broker:
        """Return the broker as a host reaches it."""
        if self._is_directed:
            return DisturbedBroker(self._broker, host.host_id, self._network_faults)
        return self._broker

    @asynccontextmanager
    async def _lost_guests_answered(self, clock: Clock) -> AsyncIterator[None]:
        """Answer devices that no household's process welcomes, for the duration of the context."""
        if not (self._remote and self._has_devices):
            yield
            return
        run = self._settings.run_id
        async with answering_lost_guests(self._broker, self._scenario, run, lambda: clock.now.time_s):
            yield

    @asynccontextmanager
    async def _shown(self, clock: Clock) -> AsyncIterator[None]:
        """Show the run in Home Assistant for the duration of the context, if it is to be shown."""
        if not self._settings.home_assistant:
            yield
            return
        scenario, agent_set, run_id, keep = self._scenario, self._agent_set, self._settings.run_id, self._settings.keep

        def snapshot() -> RunSnapshot:
            ledger = tuple(agent_set.manager.ledger.values())
            timeline = agent_set.timeline_agent
            happened = scenario if timeline is None else as_happened(scenario, timeline.run_events)
            realised = realise(happened, self._observer.realised, is_shared=agent_set.is_shared)
            return RunSnapshot(clock.now.time_s, ledger, agent_set.manager.scores.by_producer(), realised)

        async with shown_in_home_assistant(self._broker, scenario, run_id, snapshot, keep=keep):
            yield


async def _stopped(clock: Clock, members: Collection[asyncio.Task[None]]) -> bool:
    """End an interrupted run at the present moment, as an operator does; return whether it ended, in a short time."""
    if any(member.done() for member in members):
        return False
    clock.command(Control(command="stop", by="signal"))
    if not clock.is_stopped:
        return False  # it has not begun
    done, running = await asyncio.wait(members, timeout=_STOP_WALL_S, return_when=asyncio.FIRST_EXCEPTION)
    return not running and not any(member.cancelled() or member.exception() for member in done)


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
        is_whole: bool,
    ) -> None:
        """Make the ports.

        Args:
            scenario: The scenario.
            settings: How it is run.
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
            has_all_devices=is_whole,
            may_return=settings.journals is not None,
            simulated=frozenset(_simulated(scenario)) if real else (),
            start_s=scenario.start_s,
        )
        self._replayed: dict[str, ReplayPort] = {}
        if replay is not None:
            home_of = {agent: host for host, agents in homes.items() for agent in agents}
            said: dict[str, list[RecordedDeviceMessage]] = {}
            for recorded in replay.device_messages:
                said.setdefault(home_of.get(recorded.agent, ""), []).append(recorded)
            self._replayed = {host: ReplayPort(device_messages) for host, device_messages in said.items()}

    def of(self, host: str) -> Port | None:
        """Return the port of a host; None: nothing comes from outside to it."""
        return self._replayed.get(host) or self.link.port(host)


def _simulated(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Return house and id of each device that is not real."""
    for house in scenario.houses:
        yield from ((house.id, device.id) for device in house.devices if device.agent not in scenario.gateways)


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
    with one_blas_thread(), ExitStack() as opened:
        with no_collections():
            agent_set = AgentSet(scenario, settings, {agent for agents in homes.values() for agent in agents})
            ports = _Ports(scenario, settings, broker, homes, is_whole=False)
            setups = settings.fingerprints(scenario, shared)
            journals = open_journals(settings, setups, opened)
            opened.enter_context(long_lived_objects())
        try:
            async with ports.link.connected(), asyncio.TaskGroup() as tasks:
                members, liveness = [], ClockLiveness()
                for host_id in shared:
                    host = _host(
                        host_id,
                        agent_set,
                        homes[host_id],
                        settings,
                        journals[host_id],
                        setup=setups[host_id],
                        port=ports.of(host_id),
                        clock_limit_wall_s=settings.patience.limit_wall_s,
                        clock_liveness=liveness,
                    )
                    members.append(tasks.create_task(host.run(broker), name=f"host[{host_id}]"))
                beside = (
                    tasks.create_task(restore_removed_files([j for j in journals.values() if j is not None])),
                    tasks.create_task(keep_in_large_pages()),
                )
                await asyncio.wait(members)
                for task in beside:
                    task.cancel()
        except ExceptionGroup as group:
            raise root_cause(group) from group


def _open(journal: JournalT | None, journals: ExitStack) -> JournalT | None:
    return None if journal is None else journals.enter_context(journal)


def _host(
    host_id: str,
    agent_set: AgentSet,
    agents: Sequence[str],
    settings: RunSettings,
    journal: HostJournal | None,
    *,
    observer: RunObserver | None = None,
    setup: str = "",
    port: Port | None = None,
    clock_limit_wall_s: float | None = None,
    clock_liveness: ClockLiveness | None = None,
) -> Host:
    return Host(
        host_id,
        settings.run_id,
        agent_set.living_at(agents),
        MESSAGES,
        seed=settings.seed,
        timeouts=settings.patience,
        observer=observer,
        journal=journal,
        setup=setup,
        port=port,
        clock_limit_wall_s=clock_limit_wall_s,
        clock_liveness=clock_liveness,
    )
