"""Runs a lab: emulated devices on a broker, at a pace, until the scenario's end; an outside controller switches them.

In addition to the devices' own topics, the lab publishes what a controller cannot learn from them, under `ssmic/<run>`:

| topic | retained | payload |
| --- | --- | --- |
| `time` | yes | as in a run: virtual time, pace, lag |
| `lab/faketime` | no | once a second: what `faketime -f` expects, so that a program lives in the lab's time |
| `lab/jobs/<house>/<device>/<job>` | yes | a job that the household wants done, from its registration on |
| `lab/claims/<process>` | yes | the devices that the lab emulates, see `scenarios.lab.lab_claims` |

`control` accepts `pause`, `resume`, `pace` and `stop`, as a run's clock does.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from typing import Literal

import structlog
from pydantic import BaseModel, ConfigDict

from broker import ProtocolError
from broker.clock import Pace, PaceError
from broker.protocol import Control, RejectedMessages, RunPhase, TimeReport, decode, topics
from broker.transport import Bus, Delivery, Will, leave_gracefully
from scenarios.lab.appliance import ApplianceRun
from scenarios.lab.device import UNDISTORTED, ReportDistortion
from scenarios.lab.device_client import DeviceClient
from scenarios.lab.emulated_devices import DeviceKinds, EmulatedDevices
from scenarios.lab.lab_broker import LabBroker
from scenarios.lab.lab_claims import LabClaims
from scenarios.lab.plug import Plug
from scenarios.lab.virtual_clock import Agenda, VirtualClock, factor_of
from scenarios.scenario import Fault, FaultKind, Scenario, planned_end_s

_log = structlog.get_logger(__name__)

REPORT_WALL_S = 1.0
CHECKS_PER_REPORT = 5
DEFAULT_PACE = Pace(60.0)
LOOKS_AGAIN_S = 60
"""After how long a person who could not start or unload an appliance returns, seconds of virtual time."""


class PlugNotice(BaseModel):
    """How to switch a plug, as the lab publishes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["tasmota", "shelly", "zigbee2mqtt"]
    topic: str
    """Where to publish a command, not retained."""
    on: str
    """The payload that switches it on."""
    off: str
    """The payload that switches it off."""


class JobNotice(BaseModel):
    """A job that a household of a lab wants done, on `lab/jobs/<house>/<device>/<job>`. Times in UNIX seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1] = 1
    """Version of the message."""
    job: str
    house: str
    device: str
    state: Literal["registered", "loaded", "running", "interrupted", "done"]
    """`loaded`: the appliance waits for power; `interrupted`: it lost power while it ran."""
    earliest_start: int
    """When its appliance is loaded."""
    latest_start: int
    """When it is to have started."""
    duration_s: int
    """How long it runs, if nothing interrupts it."""
    energy_wh: float
    """What it draws in all."""
    start: int | None
    """When it started; null: not yet."""
    plug: PlugNotice


LabJobState = Literal["registered", "loaded", "running", "interrupted", "done"]


@dataclass(frozen=True, slots=True)
class LabSettings:
    """The user's settings of a lab, apart from its scenario."""

    run_id: str
    """Names the lab on the broker."""
    kinds: DeviceKinds = field(default_factory=DeviceKinds)
    pace: Pace = DEFAULT_PACE
    """How fast virtual time passes."""
    report_s: int = 60
    """How often devices report, seconds of virtual time."""
    end_s: int | None = None
    """End, UNIX seconds; None: when the last job has run, at the latest when it must have run."""
    by_hand: bool = True
    """Whether a person switches a device on at a job's latest start if the controller has not."""
    faults: tuple[Fault, ...] = ()
    """What goes wrong, and when."""
    is_paused: bool = False
    """Whether virtual time begins only with a `resume` on `control`."""

    def __post_init__(self) -> None:
        """Refuse a pace at which no program from outside can follow, before the lab has a broker."""
        factor_of(self.pace)


class Lab:
    """A lab; make it in the event loop that runs it."""

    def __init__(self, scenario: Scenario, settings: LabSettings, broker: LabBroker) -> None:
        """Create a lab whose clock is paused at the beginning of the scenario.

        Args:
            scenario: Its houses, and the jobs of their devices.
            settings: Pace, end and faults.
            broker: Where the devices and the controller connect.
        """
        self.scenario, self.settings, self.broker = scenario, settings, broker
        self.end_s = planned_end_s(scenario, None) if settings.end_s is None else settings.end_s
        self.clock = VirtualClock(settings.pace, scenario.start_s)
        self.agenda = Agenda(self.clock)
        self.emulated = EmulatedDevices(scenario, settings.kinds, self.end_s, settings.report_s)
        suffix = secrets.token_hex(2)
        self.clients = [
            DeviceClient(device, self.agenda, lambda name: f"{name}-{suffix}") for device in self.emulated.devices
        ]
        self.reached_s = scenario.start_s
        self.stopped_by = ""
        """Who ended it over the broker."""
        self._by_key = {key: client for client in self.clients for key in client.device.keys}
        self._state: RunPhase = "waiting"
        self._bus: Bus | None = None
        self._told: dict[str, tuple[str, str]] = {}
        """Topic and state of each job that was published."""
        self._rejected = RejectedMessages("lab")

    @property
    def has_begun(self) -> bool:
        """Whether its devices were connected, so that there is an outcome."""
        return self._state != "waiting"

    @property
    def is_under_way(self) -> bool:
        """Whether it has not come to its end, and has not been stopped; its devices may still be connecting."""
        return self._state != "ended" and not self.agenda.has_ended

    @property
    def runs(self) -> list[ApplianceRun]:
        """All jobs and how they went, in the order of registration."""
        runs = [run for plug in self.emulated.plugs.values() for run in plug.appliance.runs]
        return sorted(runs, key=lambda run: (run.job.registered_s, run.job.job_id))

    async def run(
        self,
        on_progress: Callable[[int], None] | None = None,
        on_ready: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Run until the end; all devices are connected before virtual time begins.

        Args:
            on_progress: Called with the virtual time, once a second.
            on_ready: Is awaited when all devices are connected, before virtual time begins.

        Raises:
            LabTakenError: Another lab emulates the same devices, or real ones use their topics.
            BrokerUnreachableError, BrokerLostError: see `broker.transport.base`.
        """
        claims = LabClaims(self.settings.run_id, self.emulated.devices)
        try:
            async with claims.held(self.broker.current) as claiming, asyncio.TaskGroup() as tasks:
                answering = tasks.create_task(claims.keep(claiming), name="lab claims")
                try:
                    await self._perform(tasks, on_progress, on_ready)
                except asyncio.CancelledError:
                    await leave_gracefully(self._leave())
                    raise
                answering.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group
        finally:
            if self._state != "ended":
                self.reached_s = max(self.scenario.start_s, min(self.clock.now_s(), self.end_s))

    async def _perform(
        self,
        tasks: asyncio.TaskGroup,
        on_progress: Callable[[int], None] | None,
        on_ready: Callable[[], Awaitable[None]] | None,
    ) -> None:
        """Connect everything, let time pass until the end, and leave the broker; see `run` for the arguments."""
        for client in self.clients:
            client.start(self.broker.current, tasks)
        observer = tasks.create_task(self._observe(on_progress), name="lab")
        for client in self.clients:
            await client.ready.wait()
        if on_ready is not None:
            await on_ready()
        self._enter_everything(tasks)
        self.clock.set_paused(paused=self.settings.is_paused)
        self._state = "running"
        await self.agenda.run()
        self.reached_s = self._end_of_last_job_s() or min(self.clock.now_s(), self.end_s)
        for plug in self.emulated.plugs.values():
            plug.advance(self.reached_s)
        self._state = "ended"
        await self._leave()
        observer.cancel()

    async def _leave(self) -> None:
        """Disconnect the devices, which remove their retained messages from the broker."""
        await asyncio.gather(*(client.leave() for client in self.clients))

    def stop(self, by: str) -> None:
        """End the lab now; the outcome covers the time until then.

        Args:
            by: Who ends it.
        """
        self.stopped_by = by
        self.agenda.end()

    def _end_of_last_job_s(self) -> int | None:
        """Return when the last job had run, if the lab ends then; None: a job has not, or the lab has its own end."""
        if self.settings.end_s is not None or not all(run.is_done for run in self.runs):
            return None
        return max((run.intervals[-1].end_s or 0 for run in self.runs), default=None)

    def _enter_everything(self, tasks: asyncio.TaskGroup) -> None:
        self.agenda.add(self.end_s, lambda _now_s: self.agenda.end())
        for client in self.clients:
            client.enter()
        for plug in self.emulated.plugs.values():
            for run in plug.appliance.runs:
                self._enter_job(plug, run)
        for fault in self.settings.faults:
            self._enter_fault(fault, tasks)

    def _enter_job(self, plug: Plug, run: ApplianceRun) -> None:
        job = run.job

        async def tell(_now_s: int) -> None:
            await self._tell_job(plug, run)

        self.agenda.add(max(job.registered_s, self.scenario.start_s), tell)
        self.agenda.add(run.loaded_s, tell)
        if self.settings.by_hand and plug.key not in self.emulated.fixed:
            self.agenda.add(max(job.latest_start_s, run.loaded_s), self._starts_by_hand(plug, run))

    def _starts_by_hand(self, plug: Plug, run: ApplianceRun) -> Callable[[int], Awaitable[None]]:
        """Return what a person does at a job's latest start, and again until it has started."""

        async def start(now_s: int) -> None:
            # Within a second, the person acts first: the appliance may not yet have noticed that its programme is over.
            plug.appliance.advance(now_s)
            if run.start_s is not None:
                return
            if not self._is_dead(plug, now_s):
                if plug.appliance.is_powered and not plug.appliance.is_running:
                    await self._press(plug, now_s, on=False)  # left on after the job before, which is not to run again
                if not plug.appliance.is_powered:
                    await self._press(plug, now_s, on=True)
            if run.start_s is None:
                # An earlier job is running, or the plug is dead.
                self.agenda.add(now_s + LOOKS_AGAIN_S, start)
                return
            _log.info("switched on by hand", device=plug.key, job=run.job.job_id)
            self.agenda.add(now_s + run.job.duration_s, self._unloads(plug, run))

        return start

    def _unloads(self, plug: Plug, run: ApplianceRun) -> Callable[[int], Awaitable[None]]:
        """Return what the person does when the job's programme should be over, and again until it is."""

        async def unload(now_s: int) -> None:
            plug.appliance.advance(now_s)
            if not run.is_done or self._is_dead(plug, now_s):
                self.agenda.add(now_s + LOOKS_AGAIN_S, unload)
            elif plug.appliance.is_powered and not plug.appliance.is_running:
                await self._press(plug, now_s, on=False)

        return unload

    async def _press(self, plug: Plug, now_s: int, *, on: bool) -> None:
        client = self._by_key[plug.key]
        await client.say(client.device.pressed(plug.key, now_s, on=on))

    def _is_dead(self, plug: Plug, now_s: int) -> bool:
        return fault_in_force(self.settings.faults, "dead", plug.key, now_s) is not None

    async def _tell_job(self, plug: Plug, run: ApplianceRun) -> None:
        """Publish a job if its state has changed."""
        if self._bus is None or plug.key in self.emulated.fixed:
            return
        job, state = run.job, _state_of(run, self.clock.now_s())
        told = self._told.get(job.job_id)
        if told is not None and told[1] == state:
            return
        levels = "/".join(topics.encode(part) for part in (plug.house.id, plug.device, job.job_id))
        topic = f"ssmic/{topics.encode(self.settings.run_id)}/lab/jobs/{levels}"
        self._told[job.job_id] = (topic, state)
        control = self.emulated.controls[plug.key]
        notice = JobNotice(
            job=job.job_id,
            house=plug.house.id,
            device=plug.device,
            state=state,
            earliest_start=job.earliest_start_s,
            latest_start=job.latest_start_s,
            duration_s=job.duration_s,
            energy_wh=round(job.energy_wh, 3),
            start=run.start_s,
            plug=PlugNotice.model_validate(asdict(control)),
        )
        await self._bus.publish(topic, notice.model_dump_json().encode(), qos=1, retain=True)

    def _enter_fault(self, fault: Fault, tasks: asyncio.TaskGroup) -> None:
        if fault.kind == "broker":
            self.agenda.add(fault.at_s, self._broker_restarts(fault, tasks))
            return
        for key, client in self._by_key.items():
            if fnmatchcase(key, fault.device):
                self.agenda.add(fault.at_s, self._fault_begins(fault, key, client, tasks))
                if fault.until_s is not None and fault.kind != "forgets":
                    self.agenda.add(fault.until_s, self._fault_ends(fault, key, client, tasks))

    def _fault_begins(
        self, fault: Fault, key: str, client: DeviceClient, tasks: asyncio.TaskGroup
    ) -> Callable[[int], Awaitable[None]]:
        async def begin(now_s: int) -> None:
            _log.info("fault begins", device=key, fault=fault.kind)
            match fault.kind:
                case "dead":
                    await client.say(client.device.power(key, now_s, on=False))
                    if not client.device.is_gateway:
                        client.vanish()
                case "late":
                    client.delay_s = fault.delay_s
                case "lies":
                    self._distort(key, _distortion_of(fault))
                case _:
                    said = client.device.forget(key, now_s)
                    await client.say(said)
                    if not client.device.is_gateway:
                        client.vanish()
                        client.start(self.broker.current, tasks)

        return begin

    def _fault_ends(
        self, fault: Fault, key: str, client: DeviceClient, tasks: asyncio.TaskGroup
    ) -> Callable[[int], Awaitable[None]]:
        async def end(now_s: int) -> None:
            _log.info("fault is over", device=key, fault=fault.kind)
            other = fault_in_force(self.settings.faults, fault.kind, key, now_s)
            match fault.kind:
                case "dead" if other is not None:
                    pass  # another power cut lasts longer
                case "dead":
                    said = client.device.power(key, now_s, on=True)
                    if not client.device.is_gateway:
                        client.start(self.broker.current, tasks)
                    await client.say(said)
                case "late":
                    client.delay_s = 0 if other is None else other.delay_s
                case _:
                    self._distort(key, UNDISTORTED if other is None else _distortion_of(other))

        return end

    def _distort(self, key: str, distortion: ReportDistortion) -> None:
        if key in self.emulated.plugs:
            self.emulated.plugs[key].distortion = distortion
        elif key in self.emulated.inverters:
            self.emulated.inverters[key].distortion = distortion
        else:
            self.emulated.meters[key].distortion = distortion

    def _broker_restarts(self, fault: Fault, tasks: asyncio.TaskGroup) -> Callable[[int], None]:
        def begin(_now_s: int) -> None:
            # The devices continue in the meantime: they do not wait for the broker.
            tasks.create_task(self._restart_broker(fault), name="broker restarts")

        return begin

    async def _restart_broker(self, fault: Fault) -> None:
        _log.info("the broker restarts", down_s=fault.down_s)
        down_wall_s = fault.down_s / (self.clock.pace.factor or 1.0)
        await self.broker.restart(down_wall_s, keeps_retained=fault.keeps_retained)

    async def _observe(self, on_progress: Callable[[int], None] | None) -> None:
        """Publish the time and the jobs' states, and take commands."""
        run = topics.encode(self.settings.run_id)
        time_topic = f"ssmic/{run}/time"
        will = Will(time_topic, b"")
        async with self.broker.current.connect(f"ssmic-lab-{secrets.token_hex(4)}", will) as bus:
            self._bus = bus
            await bus.subscribe(f"ssmic/{run}/control", qos=1)
            hearing = asyncio.create_task(self._take_commands(bus), name="lab control")
            try:
                for number in count():
                    if number % CHECKS_PER_REPORT == 0:
                        await self._report(bus, time_topic, run)
                        if on_progress is not None:
                            on_progress(self.clock.now_s())
                    await self._tell_changes()
                    await asyncio.sleep(REPORT_WALL_S / CHECKS_PER_REPORT)
            finally:
                hearing.cancel()
                self._rejected.log_suppressed()
                self._bus = None
                await leave_gracefully(self._clear(bus, time_topic))

    async def _report(self, bus: Bus, time_topic: str, run: str) -> None:
        now_s = self.clock.now_s()
        lags = self.agenda.lags_wall_s
        report = TimeReport(
            time=now_s,
            round=0,
            step=len(lags),
            pace=str(self.clock.pace),
            lag_wall_s=round(lags[-1], 3) if lags else 0.0,
            state="paused" if self._state == "running" and self.clock.is_paused else self._state,
            every_wall_s=2 * REPORT_WALL_S,
        )
        await bus.publish(time_topic, report.encoded(), retain=True)
        if self._state == "running":
            await bus.publish(f"ssmic/{run}/lab/faketime", self.clock.faketime().encode())

    async def _tell_changes(self) -> None:
        """Publish the jobs whose state has changed; end the lab when the last one has run."""
        for plug in self.emulated.plugs.values():
            for run in plug.appliance.runs:
                if run.job.job_id in self._told:
                    await self._tell_job(plug, run)
        if self._state == "running" and self._end_of_last_job_s() is not None:
            self.agenda.end()

    async def _take_commands(self, bus: Bus) -> None:
        async for event in bus.messages():
            if not isinstance(event, Delivery):
                # The broker may have lost its retained messages: `_tell_changes` publishes them again.
                self._told = {job_id: (topic, "") for job_id, (topic, _) in self._told.items()}
            elif not event.retain:
                try:
                    self._obey(decode(Control, event.payload))
                except (ValueError, PaceError, ProtocolError) as error:
                    self._rejected.reject(event.topic, error)

    def _obey(self, command: Control) -> None:
        match command.command:
            case "pause" | "resume":
                self.clock.set_paused(paused=command.command == "pause")
            case "pace":
                self.clock.set_pace(Pace.parse(command.pace or ""))
            case "stop":
                self.stop(command.by or "someone")
            case "step":
                raise ProtocolError("a lab follows the wall clock and cannot step")

    async def _clear(self, bus: Bus, time_topic: str) -> None:
        for topic, _ in self._told.values():
            await bus.publish(topic, b"", qos=1, retain=True)
        await bus.publish(time_topic, b"", qos=1, retain=True)
        await bus.flush()


def fault_in_force(faults: Iterable[Fault], kind: FaultKind, key: str, now_s: int) -> Fault | None:
    """Return the fault of a kind that a device has at a time; of several, the one that began last.

    Args:
        faults: All faults.
        kind: Kind of the fault.
        key: The device, `house/device`.
        now_s: The time, UNIX seconds.
    """
    of_device = [fault for fault in faults if fault.kind == kind and fnmatchcase(key, fault.device)]
    return max(
        (fault for fault in of_device if fault.at_s <= now_s and (fault.until_s is None or now_s < fault.until_s)),
        key=lambda fault: fault.at_s,
        default=None,
    )


def _distortion_of(fault: Fault) -> ReportDistortion:
    return ReportDistortion(fault.factor, fault.power_w, fault.obeys)


def _state_of(run: ApplianceRun, now_s: int) -> LabJobState:
    if run.is_done:
        return "done"
    if run.start_s is not None:
        return "interrupted" if run.intervals[-1].end_s is not None else "running"
    return "loaded" if now_s >= run.loaded_s else "registered"
