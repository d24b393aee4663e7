"""Claims of labs on the devices that they emulate, so that two labs at one broker do not emulate the same ones.

Each lab publishes one retained claim, on `ssmic/<run>/lab/claims/<process>`, with the topics on which its devices say
whether they are online; such a topic belongs to one device only. A lab that begins asks all others for their claims. A
claim that is not repeated within `SILENT_WALL_S` is a leftover. No wall clocks are compared: a broker hands the
messages on these topics to all readers in the same order, so of two labs that begin at the same time, both see which
was first.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from broker import BrokerUnreachableError, SsmicError
from broker.protocol import TimeReport, topics
from broker.transport import Broker, Bus, Delivery, Reconnected, Will, leave_gracefully
from scenarios.lab.device import EmulatedDevice

_log = structlog.get_logger(__name__)

SILENT_WALL_S = 5.0
"""A lab or run that gives no sign of life for this long has ended, wall-clock seconds."""
_PASSED_ON_WALL_S = 5.0
"""How long the broker may take to pass on the claim of this lab, wall-clock seconds."""
_SHOWN = 3
"""Devices that an error names."""
_SHOWN_BYTES = 40
"""Bytes of a device's payload that an error shows."""
_EVERY_CLAIM = f"{topics.ROOT}/+/lab/claims/+"
_NOT_NOTICED = "another lab that emulates the same devices will not be noticed"

_Name = Annotated[str, Field(max_length=65_535)]


class LabTakenError(SsmicError):
    """Another lab emulates the same devices, or real devices use their topics; the message says which."""


class LabClaim(BaseModel):
    """What a lab says on `lab/claims/<process>`: which devices it emulates."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    v: Annotated[int, Field(ge=1)]
    """Version of the message."""
    by: _Name
    """A random name of the process."""
    devices: tuple[_Name, ...]
    """The topics on which the devices say whether they are online."""
    asks: bool = False
    """Whether labs that emulate some of these devices are to repeat their claims."""


@dataclass(slots=True)
class _OtherLab:
    """A lab with the same devices or the same run id."""

    run: str
    topic: str
    devices: frozenset[str]
    is_known_to_live: bool = False


class LabClaims:
    """The claim of one lab, and what it knows about those of others."""

    def __init__(self, run: str, devices: Sequence[EmulatedDevice]) -> None:
        """Create the claim of the lab with the id `run` on `devices`."""
        self._run = run
        self._devices = {device.will.topic: device for device in devices}
        self._process = secrets.token_hex(8)
        self._topic = f"{topics.ROOT}/{topics.encode(run)}/lab/claims/{self._process}"
        self._others: dict[str, _OtherLab] = {}
        """By process."""
        self._online: dict[str, str] = {}
        """By topic, what was found there of a device that is online."""
        self._run_lives: bool | None = False
        """Whether a run with this id takes place at the broker; None: it may have ended."""
        self._silent_wall_s = SILENT_WALL_S
        self._is_passed_on = False
        """Whether the broker has passed on the claim of this lab, and with it all earlier ones."""
        self._is_held = False
        self._has_wrong_claim = False
        """Whether a claim was not understood; any client of a broker without logins could send such claims for ever."""

    @asynccontextmanager
    async def held(self, broker: Broker) -> AsyncIterator[Bus]:
        """Hold the claim for the duration of the context, in which `keep` must run.

        Args:
            broker: The broker of the lab.

        Raises:
            LabTakenError: The devices, or the run id, are in use.
            BrokerUnreachableError, BrokerLostError: see `broker.transport`.
        """
        async with broker.connect(f"ssmic-lab-claims-{self._process}", Will(self._topic, b"")) as bus:
            try:
                await self._claim(bus)
                yield bus
            finally:
                await leave_gracefully(_remove(bus, (self._topic,)))

    async def keep(self, bus: Bus) -> None:
        """Answer other labs until cancelled, and claim again when the broker may have forgotten it."""
        async for event in bus.messages():
            await self._take(bus, event)

    async def _claim(self, bus: Bus) -> None:
        try:
            own_time = topics.time(self._run)
            await bus.subscribe(_EVERY_CLAIM, own_time, *self._devices, qos=1)
        except BrokerUnreachableError as error:
            _log.warning(_NOT_NOTICED, reason=str(error))
            return
        await self._say(bus, asks=True)
        await self._hear_others(bus)
        if not self._is_passed_on:
            _log.warning(_NOT_NOTICED, reason="the broker does not pass on ssmic/+/lab/claims/+ to this login")
        if problem := self._problem():
            raise LabTakenError(problem)
        for other in self._others.values():
            _log.warning("claim of a lab that does not answer has lapsed", lab=other.run)
        await _remove(bus, [other.topic for other in self._others.values()])
        self._others.clear()
        self._is_held = True

    async def _hear_others(self, bus: Bus) -> None:
        """Take messages until it is known who claims what, and whether they are still there."""
        loop, messages = asyncio.get_running_loop(), bus.messages()
        limit_wall_s = loop.time() + _PASSED_ON_WALL_S
        while not self._is_settled():
            was_passed_on = self._is_passed_on
            try:
                async with asyncio.timeout_at(limit_wall_s):
                    event = await anext(messages)
            except (TimeoutError, StopAsyncIteration):
                return
            await self._take(bus, event)
            if self._is_passed_on and not was_passed_on:
                limit_wall_s = loop.time() + self._silent_wall_s

    def _is_settled(self) -> bool:
        if not self._is_passed_on:
            return False
        return bool(self._living()) or (not self._others and self._run_lives is not None)

    def _living(self) -> list[_OtherLab]:
        return [other for other in self._others.values() if other.is_known_to_live]

    def _problem(self) -> str:
        """Return why this lab must not begin; empty: it may."""
        living = self._living()
        shared = [(other, topic) for other in living for topic in self._devices if topic in other.devices]
        if shared:
            labs = " and ".join(sorted({repr(other.run) for other, _ in shared}))
            taken = self._named(topic for _, topic in shared)
            return (
                f"lab {labs} at this broker already emulates {taken}: end it first, use another broker, or choose "
                "other devices with --as"
            )
        if living or self._run_lives:
            what = "lab" if living else "run"
            return f"{what} {self._run!r} is already active at this broker: end it first, or choose another --run"
        left = {topic for other in self._others.values() for topic in other.devices}
        online = {topic: said for topic, said in self._online.items() if topic not in left}
        if not online:
            return ""
        topic, said = next(iter(online.items()))
        return (
            f"a device that is not a lab's uses the topics of {self._named(online)}: {topic} is {said!r} (retained). "
            "Use another broker, or choose other devices with --as; remove the message if the device no longer exists"
        )

    def _named(self, taken: Iterable[str]) -> str:
        """Return the devices with these topics, for a person."""
        names = []
        for topic in taken:
            keys = self._devices[topic].keys
            names.append(f"{keys[0] if len(keys) == 1 else f'{len(keys)} devices'} ({topic})")
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return ", ".join(names[:_SHOWN]) + more

    async def _take(self, bus: Bus, event: Delivery | Reconnected) -> None:
        if not isinstance(event, Delivery):
            await self._say(bus, asks=not self._is_held)
        elif (device := self._devices.get(event.topic)) is not None:
            if event.payload in {b"", device.will.payload}:
                self._online.pop(event.topic, None)
            else:
                self._online[event.topic] = event.payload[:_SHOWN_BYTES].decode(errors="replace")
        elif event.topic == topics.time(self._run):
            self._take_time(event)
        else:
            await self._take_claim(bus, event)

    def _take_time(self, delivery: Delivery) -> None:
        if self._is_held:
            return  # this lab's own
        try:
            report = TimeReport.model_validate_json(delivery.payload)
        except ValidationError:
            self._run_lives = False  # an empty payload: it has just ended
            return
        if not report.is_under_way:
            self._run_lives = False
        elif delivery.retain:
            self._run_lives = None
            self._silent_wall_s = max(self._silent_wall_s, report.valid_wall_s)
        else:
            self._run_lives = True

    async def _take_claim(self, bus: Bus, delivery: Delivery) -> None:
        run, process = topics.run_of(delivery.topic), delivery.topic.rpartition("/")[2]
        if run is None:
            return
        if not delivery.payload:
            self._others.pop(process, None)
            if process == self._process:
                await self._say(bus)  # removed by another process
            return
        try:
            claim = LabClaim.model_validate_json(delivery.payload)
        except ValidationError:
            if not self._has_wrong_claim:
                _log.warning("claim of a lab not understood", topic=delivery.topic, further="not logged")
            self._has_wrong_claim = True
            return
        if process == self._process:
            self._is_passed_on = self._is_passed_on or not delivery.retain
        elif run == self._run or any(topic in self._devices for topic in claim.devices):
            await self._take_conflict(bus, delivery, run, process, claim)

    async def _take_conflict(self, bus: Bus, delivery: Delivery, run: str, process: str, claim: LabClaim) -> None:
        came_second = claim.asks and not delivery.retain and self._is_passed_on and process not in self._others
        if came_second:
            await self._say(bus)  # and it will see so
            return
        is_new = process not in self._others
        other = self._others.setdefault(process, _OtherLab(run, delivery.topic, frozenset(claim.devices)))
        other.is_known_to_live |= not delivery.retain
        if self._is_held and is_new:
            # Both began while one of them had no connection.
            _log.warning("another lab emulates the same devices", lab=run)
            await self._say(bus)

    async def _say(self, bus: Bus, *, asks: bool = False) -> None:
        claim = LabClaim(v=1, by=self._process, devices=tuple(self._devices), asks=asks)
        await bus.publish(self._topic, claim.model_dump_json(exclude_defaults=True).encode(), qos=1, retain=True)


async def _remove(bus: Bus, retained: Sequence[str]) -> None:
    for topic in retained:
        await bus.publish(topic, b"", qos=1, retain=True)
    await bus.flush()
