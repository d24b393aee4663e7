"""The interface of a broker to its clients: bytes on topics.

`MemoryBroker` and `MqttBroker` pass the same conformance tests. A bus may lose, duplicate or reorder QoS 0 messages
when its connection breaks, which it reports with `Reconnected`; the counted rounds repair the damage.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from broker import protocol

ModelT = TypeVar("ModelT", bound=BaseModel)

LEAVE_WALL_S = 2.0
"""How long a leaving client may take to publish its final messages: an interrupted run must not hang on an unresponsive
broker."""


async def leave_gracefully(last_words: Coroutine[Any, Any, None]) -> bool:
    """Publish final messages within `LEAVE_WALL_S`.

    They are published in a separate task, since the leaving task has usually been cancelled.

    Args:
        last_words: Publishes them.

    Returns:
        Whether the broker has confirmed all of them.
    """
    saying = asyncio.create_task(last_words, name="leaving")
    try:
        await asyncio.wait({saying}, timeout=LEAVE_WALL_S)
    finally:
        saying.cancel()
    return saying.done() and not saying.cancelled() and saying.exception() is None


MAX_PAYLOAD_BYTES = protocol.MAX_PAYLOAD_BYTES
"""Larger payloads are dropped on receipt, unless a reader accepts others (`Bus.largest_bytes`)."""
HEADROOM_BYTES = 64 * 1024
"""How much more than `MAX_PAYLOAD_BYTES` our brokers accept, so that oversized messages are counted by the receiver."""


@dataclass(frozen=True, slots=True)
class Will:
    """A message that the broker publishes if a client disappears without disconnecting (MQTT's last will)."""

    topic: str
    payload: bytes
    retain: bool = True


class Content(Protocol):
    """A payload that is encoded only when it leaves the process.

    If it has a true attribute `is_last`, its sender has nothing to publish right after it: it is written at once, with
    all that waits to be written, and not at the end of the event loop's iteration.
    """

    def encoded(self) -> bytes:
        """Return it as one payload."""
        ...

    def payloads(self) -> tuple[bytes, ...]:
        """Return it as payloads that brokers accept: one, or several if it is large."""
        ...


class Delivery:
    """A message as it was received. Immutable."""

    __slots__ = ("_content", "_payload", "retain", "size_bytes", "topic")

    def __init__(self, topic: str, payload: bytes | Content, retain: bool) -> None:  # noqa: FBT001 - a field
        """Create it.

        Args:
            topic: The topic.
            payload: The content; not encoded if it has not left the process.
            retain: Whether the broker had retained it since before the subscription.
        """
        self.topic = topic
        self.retain = retain
        self._payload: bytes | None
        self._content: Content | None
        self.size_bytes = 0
        """Size of a payload from another process; 0 for content of this process, which need not be encoded."""
        if isinstance(payload, bytes):
            self._payload, self._content, self.size_bytes = payload, None, len(payload)
        else:
            self._payload, self._content = None, payload

    @property
    def payload(self) -> bytes:
        """The content as bytes; encoded on first use if it comes from this process."""
        if self._payload is None:
            self._payload = b"" if self._content is None else self._content.encoded()
        return self._payload

    @property
    def is_empty(self) -> bool:
        """Whether the content is empty, which removes what was retained."""
        return self._content is None and not self._payload

    @property
    def envelopes(self) -> tuple[protocol.Envelope, ...]:
        """The messages between agents that it contains.

        Raises:
            MalformedError: It is something else, or a value is out of range.
        """
        if isinstance(self._content, protocol.Envelopes):
            return self._content.envelopes
        return protocol.decode_batch(self.payload)

    def grant_to(self, host: str) -> protocol.Grant | protocol.ReadGrant | None:
        """The grant that it contains, of which only the part of `host` may be read; None: it does not concern the host.

        Raises:
            MalformedError: It is something else, or a value is out of range.
        """
        if isinstance(self._content, protocol.Grant):
            return self._content if host in self._content.expected else None
        return protocol.decode_grant(self.payload, host)

    def read(self, model: type[ModelT]) -> ModelT:
        """Return the content. A payload from another process is validated here.

        Args:
            model: The expected model.

        Raises:
            MalformedError: It is something else, or a value is out of range.
        """
        if isinstance(self._content, model):
            return self._content
        return protocol.decode(model, self.payload)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Delivery):
            return False
        return (self.topic, self.payload, self.retain) == (other.topic, other.payload, other.retain)

    def __hash__(self) -> int:
        return hash((self.topic, self.retain))

    def __repr__(self) -> str:
        return f"Delivery({self.topic!r}, {self.payload!r}, retain={self.retain})"


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The connection broke and was restored, subscriptions included. Messages may have been lost in between."""

    away_wall_s: float = field(default=0.0, compare=False)
    """How long it was down, wall-clock seconds."""


class Bus(Protocol):
    """One client's connection to a broker."""

    on_oversized: Callable[[str, int], None] | None
    """Called with topic and size in bytes of each message that is dropped because it is too large; None: they are
    dropped silently."""
    largest_bytes: int
    """Payloads above this are dropped; `MAX_PAYLOAD_BYTES` unless the reader has set another limit."""
    on_delivery: Callable[[Delivery], bool] | None
    """Called with each message that arrives while the reader of `messages` waits for one. Returns whether it has dealt
    with the message; if so, the reader does not get it, and need not wake up. What it raises, the reader raises."""

    @property
    def is_connected(self) -> bool:
        """Whether messages can pass. While they cannot, the bus tries to reconnect; once it gives up, it raises."""
        ...

    async def publish(self, topic: str, payload: bytes | Content, *, qos: int = 0, retain: bool = False) -> None:
        """Publish a message. Waits while the connection is down.

        Messages of one client on one topic arrive in order unless the connection breaks.

        Args:
            topic: The topic, without wildcards.
            payload: The content, which is encoded only if it leaves the process; an empty retained payload removes the
                message that is retained under `topic`.
            qos: 0 or 1.
            retain: Whether the broker keeps the message for later subscribers.

        Raises:
            BrokerLostError: The connection is permanently down.
        """
        ...

    async def subscribe(self, *topic_filters: str, qos: int = 0) -> None:
        """Receive messages on topics from now on, and those retained there.

        Args:
            topic_filters: MQTT filters, wildcards allowed.
            qos: 0 or 1; messages published at QoS 1 are delivered at QoS 1 only to subscriptions of QoS 1.
        """
        ...

    async def flush(self) -> None:
        """Wait until the broker has confirmed all QoS 1 messages.

        Raises:
            BrokerLostError: The connection is permanently down.
        """
        ...

    def messages(self) -> AsyncIterator[Delivery | Reconnected]:
        """Return an iterator over incoming messages in order of arrival. A bus has one reader.

        Raises:
            BrokerLostError: While iterating: the connection is permanently down.
        """
        ...


class Broker(Protocol):
    """A broker that clients can connect to."""

    def connect(self, client_id: str, will: Will | None = None) -> AbstractAsyncContextManager[Bus]:
        """Connect a client for the duration of the context.

        Args:
            client_id: Unique at the broker.
            will: Published by the broker if the client disappears.

        Raises:
            BrokerUnreachableError: The connection or the login was refused.
        """
        ...
