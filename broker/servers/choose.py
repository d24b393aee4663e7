"""Chooses the broker of a run: the one that the user asked for, or the best one available on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

from broker.servers.embedded import embedded_broker
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.servers.own_broker import kept_login, new_login
from broker.transport import LOST_AFTER_WALL_S, BrokerUrl, MqttBroker, Tls, parse_url


@dataclass(frozen=True, slots=True)
class ChosenBroker:
    """A running broker, and how to reach it."""

    broker: MqttBroker
    """The broker, as the clients of this process reach it."""
    url: BrokerUrl
    """The broker's URL, for other processes."""
    description: str
    """One line for the user."""
    restart: Callable[[], None] | None = None
    """Restarts it; None: it was not started here."""


@asynccontextmanager
async def choose_broker(
    wanted: str | BrokerUrl | None = None,
    *,
    port: int | None = None,
    tls: Tls | None = None,
    lost_after_wall_s: float = LOST_AFTER_WALL_S,
    is_open: bool = False,
) -> AsyncIterator[ChosenBroker]:
    """Provide a broker for the duration of the context; stop it on exit if it was started here.

    Args:
        wanted: A URL, `mosquitto` or `embedded`; None: Mosquitto if installed, otherwise the embedded broker.
        port: Port of a broker that is started; None: any free port.
        tls: Certificates for a broker with an `mqtts` URL.
        is_open: Whether every user of this machine may connect to a broker that is started; otherwise it has a random
            login, which this user's other processes find.
        lost_after_wall_s: How long the connection may be down before it counts as lost, wall-clock seconds.

    Raises:
        BrokerUrlError: `wanted` is not a URL of a broker.
        BrokerLostError: A private Mosquitto died repeatedly.
        BrokerUnreachableError: A broker could not be started, or a certificate file cannot be used. Whether a user's
            own broker is reachable shows only when a client connects.
    """
    if wanted in {None, "mosquitto", "embedded"}:
        installed = find_mosquitto() is not None
        why = " (mosquitto is not installed)" if wanted is None and not installed else ""
        embedded = wanted == "embedded" or (wanted is None and not installed)
        login = None if is_open else new_login()
        started = (
            embedded_broker(port=port, login=login)
            if embedded
            else managed_mosquitto(port=port, restart=True, login=login)
        )
        async with started as running:
            with nullcontext() if is_open else kept_login(running.url):
                broker = MqttBroker(running.url, lost_after_wall_s=lost_after_wall_s)
                yield ChosenBroker(broker, running.url, f"{running.description}{why}", running.restart)
    else:
        url = wanted if isinstance(wanted, BrokerUrl) else parse_url(wanted)
        yield ChosenBroker(MqttBroker(url, tls=tls, lost_after_wall_s=lost_after_wall_s), url, str(url))
