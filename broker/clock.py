"""The clock: the time authority. It alone moves virtual time, and only when counting shows that nothing is left.

It grants a round to the hosts that have messages or timers due, waits for their answers, and from the counts in them
knows who is addressed in the next round. When nobody is, time goes to the earliest timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import structlog
from pydantic import ValidationError

from broker import topics
from broker.bus import Broker, Bus, Delivery
from broker.errors import AgentFailedError, HostsMissingError, ProtocolError
from broker.gate import Gate, Moment
from broker.host import Patience
from broker.pace import Pace, PaceError
from broker.wire import Announcement, Control, Done, Grant, Member, Roster, TimeReport

log = structlog.get_logger(__name__)

REPORT_EVERY_WALL_S = 0.1
"""`time` is published at most this often, save when the run's state changes."""

Counts = dict[str, dict[str, int]]
"""By receiving host, by sending host: messages sent in the step before."""
Phase = Literal["start", "run", "closing", "end"]
State = Literal["waiting", "running", "paused", "ended", "failed"]


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """What a run's clock is told."""

    run: str
    hosts: Mapping[str, tuple[str, ...]]
    """Which agents live on which host; the run starts when all are there."""
    start_s: int
    end_s: int | None = None
    """Nothing happens at or after it; None: the run ends when no timer is left."""
    pace: Pace = field(default_factory=Pace)
    patience: Patience = field(default_factory=Patience)


class Clock:
    """Runs the rounds of one run."""

    def __init__(self, settings: ClockSettings, on_moment: Callable[[Moment], None] | None = None) -> None:
        """Make a clock.

        Args:
            settings: The run.
            on_moment: Is told of every step as it is granted.
        """
        self.settings = settings
        self.now = Moment(settings.start_s, 0, 0)
        self.acted_until_s = settings.start_s
        """Timers up to here have fired; the run's end may lie later."""
        self._on_moment = on_moment
        self._members: dict[str, Member] = {}
        self._refused: list[str] = []
        self._timers_s: dict[str, int | None] = {}
        self._dones: dict[str, Done] = {}
        self._awaited: set[str] = set()
        self._phase: Phase = "start"
        self._heard = asyncio.Event()
        self._heard_wall_s: dict[str, float] = {}
        self._gate: Gate | None = None
        self._reported: tuple[float, State | None] = (0.0, None)

    @property
    def is_stopped(self) -> bool:
        """Whether somebody asked to end the run before its time."""
        return self._gate is not None and self._gate.is_stopped

    @property
    def missing(self) -> tuple[str, ...]:
        """Hosts that are not there."""
        return tuple(sorted(self.settings.hosts.keys() - self._members.keys()))

    async def run(self, broker: Broker) -> None:
        """Run to the end.

        Raises:
            BrokerUnreachableError, BrokerLostError: see `broker.bus`.
            HostsMissingError: hosts stayed away longer than the limit; it names them.
            AgentFailedError: an agent raised.
        """
        run = self.settings.run
        async with broker.connect(f"{run}-clock") as bus:
            gate = self._gate = Gate(self.settings.pace, self.settings.start_s)
            await bus.subscribe(topics.hosts(run), topics.dones(run), topics.control(run))
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(self._read(bus), name="clock.read")
                try:
                    await self._gather(bus)
                    await self._run_rounds(bus, gate)
                except (AgentFailedError, HostsMissingError):
                    await self._report(bus, "failed")
                    raise
                await self._report(bus, "ended")
                reader.cancel()

    # What comes in.

    async def _read(self, bus: Bus) -> None:
        async for event in bus.messages():
            if not isinstance(event, Delivery):
                log.info("reconnected", host="clock")
                self._heard_wall_s.clear()
                await self._publish_roster(bus)
                continue
            try:
                await self._take(bus, event)
            except (ProtocolError, ValidationError, PaceError) as error:
                log.warning("dropped", host="clock", topic=event.topic, why=str(error).splitlines()[0])

    async def _take(self, bus: Bus, delivery: Delivery) -> None:
        address = topics.parse(delivery.topic)
        if address is None or address.run != self.settings.run:
            raise ProtocolError("not a topic of this run")
        match address.kind, address.ids:
            case "hosts", (host,):
                if delivery.payload:
                    await self._take_announcement(bus, host, Announcement.model_validate_json(delivery.payload))
                elif self._phase == "end" and host in self._awaited:
                    self._take_leave(host)
            case "done", (host,):
                self._take_done(host, Done.model_validate_json(delivery.payload))
            case "control", ():
                if self._gate is not None:
                    self._gate.take(Control.model_validate_json(delivery.payload), self.now)
            case _:
                raise ProtocolError("not a topic that the clock reads")

    async def _take_announcement(self, bus: Bus, host: str, announcement: Announcement) -> None:
        if announcement.host != host or host not in self.settings.hosts:
            raise ProtocolError(f"host {host!r} is not expected in this run")
        member = self._members.get(host)
        if announcement.state == "gone":
            if member is not None and member.session == announcement.session:
                log.warning("host gone", host=host)
                del self._members[host]
            return
        if set(announcement.agents) != set(self.settings.hosts[host]):
            raise ProtocolError(f"host {host!r} announces other agents than the scenario gives it")
        if member is None:
            log.info("host there", host=host)
            self._members[host] = Member(session=announcement.session, agents=self.settings.hosts[host])
        elif member.session != announcement.session:
            log.warning("second copy of a host refused", host=host)
            self._refused = sorted({*self._refused, announcement.session})
        if not self.missing or self._refused:
            await self._publish_roster(bus)
        self._mark_heard(host)

    def _take_done(self, host: str, done: Done) -> None:
        if host not in self.settings.hosts:
            raise ProtocolError(f"host {host!r} is not expected in this run")
        if done.sent.keys() - self.settings.hosts.keys():
            raise ProtocolError(f"host {host!r} sends to hosts that are not in this run")
        if done.step == self.now.step and host in self._awaited:
            if not done.busy:
                self._awaited.discard(host)
                self._dones[host] = done
            self._mark_heard(host)

    def _take_leave(self, host: str) -> None:
        """A host that left cannot repeat its last answer; that it left is the answer."""
        now = self.now
        self._take_done(host, Done(step=now.step, time=now.time_s, round=now.round, sent={}, next=None))

    def _mark_heard(self, host: str) -> None:
        self._heard_wall_s[host] = asyncio.get_running_loop().time()
        self._heard.set()

    # Who is there.

    async def _gather(self, bus: Bus) -> None:
        deadline_wall_s = asyncio.get_running_loop().time() + self.settings.patience.limit_wall_s
        while self.missing:
            await self._report(bus, "waiting")
            self._heard.clear()
            try:
                async with asyncio.timeout_at(deadline_wall_s):
                    await self._heard.wait()
            except TimeoutError:
                raise self._missing_error(self.missing) from None

    async def _publish_roster(self, bus: Bus) -> None:
        if self._members:
            roster = Roster(hosts=dict(sorted(self._members.items())), refused=tuple(self._refused))
            await bus.publish(topics.roster(self.settings.run), roster.encoded(), qos=topics.QOS_FACTS, retain=True)

    def _missing_error(self, hosts: Iterable[str]) -> HostsMissingError:
        names = ", ".join(repr(host) for host in sorted(hosts))
        limit_wall_s = self.settings.patience.limit_wall_s
        return HostsMissingError(f"waited {limit_wall_s:g} s for hosts that do not answer: {names}")

    # Rounds.

    async def _run_rounds(self, bus: Bus, gate: Gate) -> None:
        everybody: Counts = {host: {} for host in self.settings.hosts}
        counts = await self._grant(bus, self.now, everybody, "start")
        counts = await self._run_until_end(bus, gate, counts)
        await self._run_until_quiet(bus, counts)
        counts = await self._grant(bus, self._closing_moment(gate), everybody, "closing")
        await self._run_until_quiet(bus, counts, "closing")
        await self._grant(bus, self._next_round(), everybody, "end")

    async def _run_until_end(self, bus: Bus, gate: Gate, counts: Counts) -> Counts:
        while not gate.is_stopped:
            moment = self._next_round() if counts else self._next_instant()
            if moment is None:
                break
            if not gate.is_open(moment, self.now):
                await self._report(bus, "paused")
                await gate.wait_changed()
            elif not gate.is_due(moment):
                await gate.wait_due(moment)
            else:
                due: Counts = {host: {} for host, next_s in self._timers_s.items() if next_s == moment.time_s}
                counts = await self._grant(bus, moment, counts or due, "run")
        return counts

    async def _run_until_quiet(self, bus: Bus, counts: Counts, phase: Phase = "run") -> None:
        while counts:
            counts = await self._grant(bus, self._next_round(), counts, phase)

    def _next_round(self) -> Moment:
        return Moment(self.now.time_s, self.now.round + 1, self.now.step + 1)

    def _next_instant(self) -> Moment | None:
        earliest_s = min((next_s for next_s in self._timers_s.values() if next_s is not None), default=None)
        if earliest_s is None or (self.settings.end_s is not None and earliest_s >= self.settings.end_s):
            return None
        return Moment(earliest_s, 0, self.now.step + 1)

    def _closing_moment(self, gate: Gate) -> Moment:
        end_s = self.settings.end_s
        if end_s is None or gate.is_stopped or end_s <= self.now.time_s:
            return self._next_round()
        return Moment(end_s, 0, self.now.step + 1)

    async def _grant(self, bus: Bus, moment: Moment, counts: Counts, phase: Phase) -> Counts:
        """Let the hosts in `counts` run a round; return who is addressed in the next one."""
        self.now, self._phase = moment, phase
        if phase in {"start", "run"}:
            self.acted_until_s = moment.time_s
        if self._on_moment is not None:
            self._on_moment(moment)
        self._dones, self._awaited = {}, set(counts)
        grants = {
            host: Grant(step=moment.step, time=moment.time_s, round=moment.round, expected=expected, phase=phase)
            for host, expected in counts.items()
        }
        for host, grant in grants.items():
            await bus.publish(topics.grant(self.settings.run, host), grant.encoded(), qos=topics.QOS_ROUNDS)
        await self._report(bus, "running")
        await self._wait_done(bus, grants)
        addressed: Counts = {}
        for host, done in self._dones.items():
            if done.failure is not None:
                raise AgentFailedError(done.failure.agent, host, done.failure.traceback)
            self._timers_s[host] = done.next
            for receiver, count in done.sent.items():
                if count:
                    addressed.setdefault(receiver, {})[host] = count
        return addressed

    async def _wait_done(self, bus: Bus, grants: Mapping[str, Grant]) -> None:
        patience = self.settings.patience
        loop = asyncio.get_running_loop()
        granted_wall_s = loop.time()
        pause_wall_s = patience.resend_wall_s
        while self._awaited:
            self._heard.clear()
            try:
                async with asyncio.timeout(pause_wall_s):
                    await self._heard.wait()
            except TimeoutError:
                silent_since_wall_s = loop.time() - patience.limit_wall_s
                silent = {h for h in self._awaited if self._heard_wall_s.get(h, granted_wall_s) < silent_since_wall_s}
                if silent and granted_wall_s < silent_since_wall_s:
                    raise self._missing_error(silent) from None
                log.info("waiting for hosts", hosts=sorted(self._awaited), step=self.now.step)
                for host in sorted(self._awaited):
                    payload = grants[host].encoded()
                    await bus.publish(topics.grant(self.settings.run, host), payload, qos=topics.QOS_ROUNDS)
                pause_wall_s = min(2 * pause_wall_s, patience.resend_most_wall_s)

    async def _report(self, bus: Bus, state: State) -> None:
        now_wall_s = asyncio.get_running_loop().time()
        last_wall_s, last_state = self._reported
        if state == last_state and now_wall_s - last_wall_s < REPORT_EVERY_WALL_S:
            return
        self._reported = (now_wall_s, state)
        gate = self._gate
        report = TimeReport(
            time=self.now.time_s,
            round=self.now.round,
            step=self.now.step,
            pace=str(gate.pace if gate else self.settings.pace),
            lag_wall_s=round(gate.lag_wall_s(self.now), 3) if gate else 0.0,
            state=state,
        )
        await bus.publish(topics.time(self.settings.run), report.encoded(), retain=True)
