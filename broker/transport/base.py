"""What a broker gives to those who talk over it: bytes on topics, nothing more.

Two implementations pass one conformance suite: `MemoryBroker` and `MqttBroker`. A bus may lose, double or reorder
messages of QoS 0 when its connection breaks, and says so with `Reconnected`; the counted rounds make good for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

LEAVE_WALL_S = 2.0
"""How long last words may take: whoever interrupts a run does not wait for a broker that is away."""


async def say_and_leave(last_words: Coroutine[Any, Any, None]) -> bool:
    """Say last words; return whether the broker has them all.

    They are said in a task of their own: the one that leaves has been cancelled, as a rule.
    """
    saying = asyncio.create_task(last_words, name="leaving")
    try:
        await asyncio.wait({saying}, timeout=LEAVE_WALL_S)
    finally:
        saying.cancel()
    return saying.done() and not saying.cancelled() and saying.exception() is None


MAX_PAYLOAD_BYTES = 512 * 1024
"""Larger payloads are dropped where they come in: 10,000 points, the most that a series is sent with, take 300 kB."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes for a client that goes away without a word."""

    topic: str
    payload: bytes
    retain: bool = True


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it arrived."""

    topic: str
    payload: bytes
    retain: bool
    """Whether it was stored at the broker before the subscription was made."""


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The connection broke and stands again, subscriptions included. Messages may have been lost in between."""


class Bus(Protocol):
    """One client's connection to a broker."""

    async def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """Send `payload`; an empty retained payload clears what is stored under `topic`.

        Waits while the connection is down. Messages of one client on one topic arrive in order unless the
        connection breaks.

        Raises:
            BrokerLostError: the connection is down for good.
        """
        ...

    async def subscribe(self, *topic_filters: str, qos: int = 0) -> None:
        """Receive what is published to the filters (MQTT wildcards) from now on, and what is retained there.

        What is published at QoS 1 comes so only where it was subscribed to so.
        """
        ...

    async def flush(self) -> None:
        """Wait until the broker has all that was published at QoS 1.

        Raises:
            BrokerLostError: the connection is down for good.
        """
        ...

    def messages(self) -> AsyncIterator[Delivery | Reconnected]:
        """What arrives, in order of arrival. One reader a bus.

        Raises:
            BrokerLostError: the connection is down for good.
        """
        ...


class Broker(Protocol):
    """Where clients connect to."""

    def connect(self, client_id: str, will: Will | None = None) -> AbstractAsyncContextManager[Bus]:
        """Connect a client for the time of the context.

        Raises:
            BrokerUnreachableError: no broker runs there, or the login was refused.
        """
        ...
