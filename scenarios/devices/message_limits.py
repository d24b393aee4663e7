"""Limits how many messages, and how many bytes, a host accepts of one device in a second of the run."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from agents import DeviceSaid, Rejected
from broker import plural
from broker.hosts import Incoming
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
"""How many unknown devices are remembered, so that each gets each error once; and of how many topics of a host floods
are reported in a second of the run."""
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


@dataclass(slots=True)
class _TopicCount:
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
class _DeviceCount:
    """What a device has sent since the last round."""

    taken: int = 0
    """Accepted messages on all topics."""
    size_bytes: int = 0
    """Their size, as far as they came on our topics."""
    topics: dict[str, _TopicCount] = field(default_factory=dict)

    def take(self, message: WaitingMessage) -> bool:
        """Count a message as accepted, unless there are too many, or they are too long; return whether it is."""
        # A payload that is too long is refused unread.
        size_bytes = min(len(message.payload), MAX_BYTES) if message.is_ours else 0
        count = self.on_topic_of(message)
        is_short = self.size_bytes + size_bytes <= MAX_WAITING_BYTES
        if not (count.taken < MAX_WAITING and self.taken < MAX_WAITING_OF_DEVICE and is_short):
            return False
        self.topics[message.topic] = count
        self.size_bytes += size_bytes
        self.taken += 1
        count.taken += 1
        return True

    def on_topic_of(self, message: WaitingMessage) -> _TopicCount:
        """Return what is known of a message's topic, a new record where there is none."""
        return self.topics.get(message.topic) or _TopicCount(message.device, message.topic)


@dataclass(slots=True)
class LimitedMessages:
    """Messages of all devices of a host since its last round, as far as the limits allow."""

    _messages: deque[WaitingMessage] = field(default_factory=deque)
    _devices: dict[str, _DeviceCount] = field(default_factory=dict)
    """By device, what it has sent since the last round."""
    _lasting: list[_TopicCount] = field(default_factory=list)
    """Topics whose last message is accepted, although there were too many."""
    _floods: list[_TopicCount] = field(default_factory=list)
    """Topics of which messages are dropped."""

    def put(self, message: WaitingMessage) -> None:
        """Keep a message, unless there are too many of its device.

        A meter that reports continuously does not displace requests, which have their own topic.
        """
        device = self._devices.setdefault(message.device, _DeviceCount())
        if device.take(message):
            self._messages.append(message)
        else:
            self._hold_back(device, message)

    def _hold_back(self, device: _DeviceCount, message: WaitingMessage) -> None:
        """Drop one of too many messages, or the one before it if the last one counts."""
        count = device.on_topic_of(message)
        is_kept = message.is_ours and message.topic in LASTING
        is_dropped = not is_kept or count.newest is not None
        if is_kept:
            if count.newest is None:
                self._lasting.append(count)
            count.newest = message
            device.topics[message.topic] = count
        if is_dropped and (count.dropped or len(self._floods) < MAX_STRANGERS):
            if not count.dropped:
                self._floods.append(count)
            count.dropped += 1
            count.agent = message.gateway.agent
            device.topics[message.topic] = count

    def take_accepted(self) -> Sequence[WaitingMessage]:
        """Return the accepted messages in the order in which they are to be read, and forget them."""
        for count in self._lasting:
            if count.newest is not None:
                self._messages.append(count.newest)
                count.taken += 1
        self._lasting.clear()
        accepted = tuple(self._messages)
        self._messages.clear()
        return accepted

    def take_dropped(self) -> Sequence[Incoming]:
        """Return what informs agents of dropped messages of their devices; a new second of the run begins."""
        informing = [_flood_of(count) for count in self._floods]
        self._floods.clear()
        self._devices.clear()
        return informing


def _flood_of(count: _TopicCount) -> Incoming:
    """Return what informs an agent of dropped messages of its device."""
    flood = Rejected(
        topic=clipped(count.topic, MAX_TOPIC_SHOWN),
        problem=f"{plural(count.taken + count.dropped, 'message')} at once, {count.dropped:,} of them dropped",
        expected=f"at most {MAX_WAITING} on a topic in a second of the run, {MAX_WAITING_OF_DEVICE} in all, "
        f"and {MAX_WAITING_BYTES // 1024} kB",
    )
    return Incoming(count.agent, DeviceSaid(device=count.device, said=flood))
