"""The port of one host to its real devices: keeps what they send until the host's next round, within limits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agents import DeviceEvent, DeviceSaid, Rejected
from broker.hosts import Incoming, Instruction
from broker.protocol import clipped
from scenarios.devices.payloads import MAX_BYTES
from scenarios.gateways import Gateway

MAX_WAITING = 32
"""Messages of one device on one topic that are accepted in one second of the run; more are dropped and counted."""
MAX_WAITING_OF_DEVICE = 4 * MAX_WAITING
"""The same limit on all its topics together."""
MAX_WAITING_BYTES = 2 * MAX_BYTES
"""The same limit in bytes, on ssmic's own topics. Series become up to 13 times as long in the messages that record
them, and the clock has room for `MAX_BUFFERED_BYTES` of a household."""
MAX_STRANGERS = 1_000
"""How many unknown devices are remembered, so that each gets each error once."""
MAX_TOPIC_SHOWN = 200
"""Characters of a topic that an error shows."""
LASTING = frozenset({"announce", "availability"})
"""Topics on which the last message holds until the next one: the last one is accepted even if there are too many."""


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A message of a device that waits for a round."""

    gateway: Gateway
    """The place that the device has."""
    device: str
    """Its id in topics."""
    topic: str
    """Last level of a topic of ours; the whole topic of another one."""
    payload: bytes
    is_ours: bool
    """Whether it came on one of our own device topics."""
    retained: bool
    """Whether the broker had kept it."""


class Interpreter(Protocol):
    """Knows what messages from and to devices mean; see `scenarios.devices.link.DeviceLink`."""

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
class _Intake:
    """What a device has sent on one topic since the last round."""

    device: str
    topic: str
    taken: int = 0
    """Messages that are accepted."""
    dropped: int = 0
    """Messages that are not."""
    agent: str = ""
    """That is informed of dropped messages."""
    newest: WaitingMessage | None = None
    """The last of too many messages, where it says what holds from then on."""


@dataclass(slots=True)
class _Sender:
    """What a device has sent since the last round."""

    taken: int = 0
    """Accepted messages on all topics."""
    size_bytes: int = 0
    """Their size, as far as they came on our topics."""
    topics: dict[str, _Intake] = field(default_factory=dict)

    def take(self, message: WaitingMessage) -> bool:
        """Count a message as accepted, unless there are too many, or they are too long; return whether it is."""
        # A payload that is too long is refused unread.
        size_bytes = min(len(message.payload), MAX_BYTES) if message.is_ours else 0
        intake = self.intake(message)
        is_short = self.size_bytes + size_bytes <= MAX_WAITING_BYTES
        if not (intake.taken < MAX_WAITING and self.taken < MAX_WAITING_OF_DEVICE and is_short):
            return False
        self.topics[message.topic] = intake
        self.size_bytes += size_bytes
        self.taken += 1
        intake.taken += 1
        return True

    def intake(self, message: WaitingMessage) -> _Intake:
        """Return what is known of a message's topic, a new record where there is none."""
        return self.topics.get(message.topic) or _Intake(message.device, message.topic)


@dataclass(slots=True)
class DevicePort:
    """The port of one host (`broker.hosts.Port`)."""

    link: Interpreter
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while messages wait for a round."""
    _messages: deque[WaitingMessage] = field(default_factory=deque)
    _senders: dict[str, _Sender] = field(default_factory=dict)
    """By device, what it has sent since the last round."""
    _lasting: list[_Intake] = field(default_factory=list)
    """Topics whose last message is accepted, although there were too many."""
    _floods: list[_Intake] = field(default_factory=list)
    """Topics of which messages are dropped."""
    _noted: list[Incoming] = field(default_factory=list)

    @property
    def next_s(self) -> int | None:
        """See `Port.next_s`: input from outside wakes the host."""
        return None

    def put(self, message: WaitingMessage) -> None:
        """Keep a message until the next round, unless there are too many of its device.

        A meter that reports continuously does not displace requests, which have their own topic.
        """
        sender = self._senders.setdefault(message.device, _Sender())
        if sender.take(message):
            self._messages.append(message)
        else:
            self._hold_back(sender, message)
        self.waiting.set()

    def _hold_back(self, sender: _Sender, message: WaitingMessage) -> None:
        """Drop one of too many messages, or the one before it if the last one counts."""
        intake = sender.intake(message)
        is_kept = message.is_ours and message.topic in LASTING
        is_dropped = not is_kept or intake.newest is not None
        if is_kept:
            if intake.newest is None:
                self._lasting.append(intake)
            intake.newest = message
            sender.topics[message.topic] = intake
        if is_dropped and (intake.dropped or len(self._floods) < MAX_STRANGERS):
            if not intake.dropped:
                self._floods.append(intake)
            intake.dropped += 1
            intake.agent = message.gateway.agent
            sender.topics[message.topic] = intake

    def note(self, gateway: Gateway, event: DeviceEvent) -> None:
        """Keep, until the next round, what the link itself knows about a device."""
        self._noted.append(Incoming(gateway.agent, DeviceSaid(device=gateway.id, said=event)))
        self.waiting.set()

    def take(self, now_s: int) -> Sequence[Incoming]:
        """See `Port.take`."""
        taken, self._noted = self._noted, []
        for intake in self._lasting:
            if intake.newest is not None:
                self._messages.append(intake.newest)
                intake.taken += 1
        self._lasting.clear()
        while self._messages:
            message = self._messages.popleft()
            said = self.link.translate(message, now_s)
            id_ = self.link.message_id(message)
            taken += [
                Incoming(message.gateway.agent, DeviceSaid(device=message.device, said=each, message_id=id_))
                for each in said
            ]
        taken += [_flood_of(intake) for intake in self._floods]
        self._floods.clear()
        self._senders.clear()
        self.waiting.clear()
        return taken

    def restore(self, taken: Sequence[Incoming], instructions: Sequence[Instruction], now_s: int) -> None:
        """See `Port.restore`."""
        self.link.restore(taken, instructions, now_s)

    async def carry_out(self, instructions: Sequence[Instruction], now_s: int) -> None:
        """See `Port.carry_out`."""
        self.link.carry_out(instructions, now_s)


def _flood_of(intake: _Intake) -> Incoming:
    """Return what informs an agent of dropped messages of its device."""
    flood = Rejected(
        topic=clipped(intake.topic, MAX_TOPIC_SHOWN),
        problem=f"{intake.taken + intake.dropped} messages at once, of which {intake.dropped} are dropped",
        expected=f"at most {MAX_WAITING} on a topic in a second of the run, {MAX_WAITING_OF_DEVICE} in all, "
        f"and {MAX_WAITING_BYTES // 1024} kB",
    )
    return Incoming(intake.agent, DeviceSaid(device=intake.device, said=flood))
