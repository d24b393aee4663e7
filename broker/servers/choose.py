"""Which broker a run talks over: what the user asked for, or the best there is on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from broker.servers.embedded import embedded_broker
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.transport import LOST_AFTER_WALL_S, BrokerUrl, MqttBroker, Tls, parse_url


@dataclass(frozen=True, slots=True)
class ChosenBroker:
    """A broker that is there, and how to reach it."""

    broker: MqttBroker
    """Connects the clients of this process."""
    url: BrokerUrl
    """What other processes connect to."""
    description: str
    """One line for the user."""


@asynccontextmanager
async def choose_broker(
    wanted: str | BrokerUrl | None = None,
    *,
    port: int | None = None,
    tls: Tls | None = None,
    lost_after_wall_s: float = LOST_AFTER_WALL_S,
) -> AsyncIterator[ChosenBroker]:
    """Have a broker for the time of the context; one that had to be started is gone afterwards.

    Args:
        wanted: A URL, `mosquitto` or `embedded`; None: Mosquitto where it is installed, else the embedded one.
        port: Where a broker that is started listens; None: on any free port.
        tls: The certificates for a broker with an `mqtts` URL.
        lost_after_wall_s: How long the connection may be down.

    Raises:
        BrokerUrlError: `wanted` is none of these.
        BrokerLostError: a Mosquitto of our own died again and again.
        BrokerUnreachableError: a broker could not be started, or a certificate's file not be used. Whether a broker
            of the user's own is there shows when a client connects.
    """
    if wanted in {None, "mosquitto", "embedded"}:
        installed = find_mosquitto() is not None
        why = " (mosquitto is not installed)" if wanted is None and not installed else ""
        embedded = wanted == "embedded" or (wanted is None and not installed)
        started = embedded_broker(port=port) if embedded else managed_mosquitto(port=port, revive=True)
        async with started as running:
            broker = MqttBroker(running.url, lost_after_wall_s=lost_after_wall_s)
            yield ChosenBroker(broker, running.url, f"{running.description}{why}")
    else:
        url = wanted if isinstance(wanted, BrokerUrl) else parse_url(wanted)
        yield ChosenBroker(MqttBroker(url, tls=tls, lost_after_wall_s=lost_after_wall_s), url, str(url))
