"""The port of one host to its real devices: keeps what they send until the host's next round.

`ReplayPort` takes its place where a run is repeated without its devices, from the messages that they sent.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agents import DeviceEvent, DeviceSaid
from broker.hosts import Incoming, Instruction
from scenarios.devices.message_limits import LimitedMessages, WaitingMessage
from scenarios.gateways import Gateway


class Interpreter(Protocol):
    """Knows what messages from and to devices mean; see `scenarios.devices.link.DeviceLink`."""

    def note_time(self, now_s: int) -> None:
        """Note the virtual time of a round in which messages are taken, UNIX seconds."""
        ...

    def translate(self, message: WaitingMessage, now_s: int) -> Sequence[DeviceEvent]:
        """Return what a message says, at the virtual time at which it is taken, UNIX seconds."""
        ...

    def message_id(self, message: WaitingMessage) -> str:
        """Return what an answer to a message names it by; see `agents.messages.DeviceSaid`."""
        ...

    def restore(self, taken: Sequence[Incoming], instructions: Sequence[Instruction], now_s: int) -> None:
        """Restore the input from before a restart: see `Port.restore`."""
        ...

    def carry_out(self, instructions: Sequence[Instruction], now_s: int) -> None:
        """See `Port.carry_out`."""
        ...


@dataclass(slots=True)
class DevicePort:
    """The port of one host (`broker.hosts.Port`)."""

    link: Interpreter
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while messages wait for a round."""
    _messages: LimitedMessages = field(default_factory=LimitedMessages)
    _noted: list[Incoming] = field(default_factory=list)

    @property
    def next_s(self) -> int | None:
        """See `Port.next_s`: input from outside wakes the host."""
        return None

    def put(self, message: WaitingMessage) -> None:
        """Keep a message until the next round, within the limits of `LimitedMessages`."""
        self._messages.put(message)
        self.waiting.set()

    def note(self, gateway: Gateway, event: DeviceEvent) -> None:
        """Keep, until the next round, what the link itself knows about a device."""
        self._noted.append(Incoming(gateway.agent, DeviceSaid(device=gateway.id, said=event)))
        self.waiting.set()

    def take(self, now_s: int) -> Sequence[Incoming]:
        """See `Port.take`."""
        self.link.note_time(now_s)
        taken, self._noted = self._noted, []
        for message in self._messages.take_accepted():
            said = self.link.translate(message, now_s)
            id_ = self.link.message_id(message)
            taken += [
                Incoming(message.gateway.agent, DeviceSaid(device=message.device, said=each, message_id=id_))
                for each in said
            ]
        taken += self._messages.take_dropped()
        self.waiting.clear()
        return taken

    def restore(self, taken: Sequence[Incoming], instructions: Sequence[Instruction], now_s: int) -> None:
        """See `Port.restore`."""
        self.link.restore(taken, instructions, now_s)

    async def carry_out(self, instructions: Sequence[Instruction], now_s: int) -> None:
        """See `Port.carry_out`."""
        self.link.carry_out(instructions, now_s)


@dataclass(frozen=True, slots=True)
class RecordedDeviceMessage:
    """A message of a device, as its agent received it."""

    time_s: int
    """Virtual time, UNIX seconds."""
    agent: str
    """Id of the agent that received it."""
    message: DeviceSaid


class ReplayPort:
    """A port that gives out what was recorded (`broker.hosts.Port`)."""

    def __init__(self, recorded: Iterable[RecordedDeviceMessage]) -> None:
        """Create a port.

        Args:
            recorded: Messages to the agents of one host, in the order of delivery.
        """
        self.waiting = asyncio.Event()
        self._due: dict[int, list[Incoming]] = defaultdict(list)
        for each in recorded:
            self._due[each.time_s].append(Incoming(each.agent, each.message))
        self._times_s = sorted(self._due, reverse=True)

    @property
    def next_s(self) -> int | None:
        """See `Port.next_s`."""
        return self._times_s[-1] if self._times_s else None

    def take(self, now_s: int) -> Sequence[Incoming]:
        """See `Port.take`."""
        while self._times_s and self._times_s[-1] <= now_s:
            self._times_s.pop()
        return self._due.pop(now_s, [])

    def restore(self, taken: Sequence[Incoming], instructions: Sequence[Instruction], now_s: int) -> None:
        """See `Port.restore`."""
        del taken, instructions
        self.take(now_s)

    async def carry_out(self, instructions: Sequence[Instruction], now_s: int) -> None:
        """See `Port.carry_out`: there is no device to instruct."""
