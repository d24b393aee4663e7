"""An embedded broker for machines without Mosquitto: amqtt, with its defects worked around.

It runs in its own thread and event loop. In the agents' loop it would stop whenever they compute, and other connected
processes would take that for a dead link; its tasks and exceptions would mix with ours; and a cancelled run would stop
the broker before its clients had disconnected. The cost is a thread switch per message, which is small compared with
amqtt's own.

It suffices for a run on one machine. It admits every client that has its login, grants everyone everything, and
redelivers nothing.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING
from weakref import WeakSet

import structlog

from broker.errors import BrokerUnreachableError
from broker.servers.own_broker import LOOPBACK, OwnLogin, RunningBroker, port_taken
from broker.transport import BrokerUrl, matches

if TYPE_CHECKING:
    # Takes half a second to import, so it is imported only where it is used.
    from amqtt.broker import Broker

_STOP_WALL_S = 5.0
_HANG_UP_WALL_S = 1.0
"""How long a broker that stops waits for clients that do not read, or have not logged in."""
_log = structlog.get_logger(__name__)
_matches = lru_cache(maxsize=100_000)(matches)


@dataclass(frozen=True, slots=True)
class _Started:
    """The started broker, as its thread hands it to the thread that started it."""

    port: int
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event
    restart: asyncio.Event


@asynccontextmanager
async def embedded_broker(*, port: int | None = None, login: OwnLogin | None = None) -> AsyncIterator[RunningBroker]:
    """Run the embedded broker for the duration of the context.

    Args:
        port: Port on the loopback interface; None: any free port.
        login: The login of clients; None: every user of this machine may connect.

    Raises:
        BrokerUnreachableError: The port is taken, or the broker does not start; the message says why.
    """
    started: Future[_Started] = Future()
    # A daemon thread: a process that crashes must not wait for it.
    thread = threading.Thread(target=_serve, args=(port, login, started), name="embedded-broker", daemon=True)
    thread.start()
    running = await asyncio.wrap_future(started)

    def restart() -> None:
        running.loop.call_soon_threadsafe(running.restart.set)

    try:
        yield RunningBroker(
            BrokerUrl(LOOPBACK, running.port, *(() if login is None else (login.user, login.password))),
            f"embedded amqtt {version('amqtt')} on {LOOPBACK}:{running.port}",
            restart=restart,
        )
    finally:
        running.loop.call_soon_threadsafe(running.stop.set)
        running.loop.call_soon_threadsafe(running.restart.set)
        await asyncio.to_thread(thread.join, 2 * _STOP_WALL_S)


def _serve(port: int | None, login: OwnLogin | None, started: Future[_Started]) -> None:
    """Run the broker in its own thread and event loop until it is stopped."""
    try:
        asyncio.run(_run(port, login, started))
    except Exception as error:  # noqa: BLE001 - whatever it is, it must reach the other thread
        if started.done():
            _log.exception("embedded broker failed")
        elif _cause(error) == errno.EADDRINUSE and port is not None:
            started.set_exception(port_taken(port))
        else:
            started.set_exception(BrokerUnreachableError(f"the embedded broker did not start: {error}"))


async def _run(port: int | None, login: OwnLogin | None, started: Future[_Started]) -> None:
    # It logs every packet, and clients' errors as exceptions; the bus reports what matters.
    logging.getLogger("amqtt").setLevel(logging.CRITICAL + 1)
    logging.getLogger("transitions").setLevel(logging.CRITICAL + 1)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: _log.debug("embedded broker", **_log_fields(context)))
    connections: WeakSet[asyncio.WriteTransport] = WeakSet()
    broker = _make_broker(port or 0, login, connections)
    await broker.start()
    stop, restart = asyncio.Event(), asyncio.Event()
    chosen = _port_of(broker)
    started.set_result(_Started(chosen, loop, stop, restart))
    while True:
        await restart.wait()
        restart.clear()
        await _shut_down(broker, connections)
        if stop.is_set():
            _hang_up(connections)  # until Python 3.11, some are left
            return
        broker = _make_broker(chosen, login, connections)
        await broker.start()


async def _shut_down(broker: Broker, connections: WeakSet[asyncio.WriteTransport]) -> None:
    """Shut it down, and end the connections that hold it up: since Python 3.12, a server waits for all of them."""
    hanging_up = asyncio.get_running_loop().call_later(_HANG_UP_WALL_S, _hang_up, connections)
    try:
        async with asyncio.timeout(_STOP_WALL_S):
            await broker.shutdown()
    except TimeoutError:
        _log.debug("embedded broker did not shut down in time")
    finally:
        hanging_up.cancel()


def _hang_up(connections: WeakSet[asyncio.WriteTransport]) -> None:
    for connection in list(connections):
        connection.abort()


def _make_broker(port: int, login: OwnLogin | None, connections: WeakSet[asyncio.WriteTransport]) -> Broker:
    from amqtt.broker import Broker  # noqa: PLC0415 - heavy
    from amqtt.contexts import BrokerConfig, ListenerConfig  # noqa: PLC0415 - heavy
    from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler  # noqa: PLC0415 - heavy
    from amqtt.session import Session  # noqa: PLC0415 - heavy

    from broker.servers.embedded_connections import BoundedWriter, PacedReader  # noqa: PLC0415 - heavy

    class EmbeddedBroker(Broker):  # type: ignore[misc]  # amqtt has no types
        """amqtt that notices when clients go, and not too early, does not leak, and matches filters faster."""

        async def stream_connected(
            self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
        ) -> None:
            connections.add(writer.transport)
            try:
                paced = PacedReader(reader, hang_up=writer.transport.abort)
                await self.external_connected(paced, BoundedWriter(writer), listener_name)
            finally:
                # amqtt leaves a connection open on which no client has logged in.
                writer.close()

        async def _handle_message_delivery(
            self, client_session: Session, handler: BrokerProtocolHandler, wait_deliver: asyncio.Future[object]
        ) -> bool:
            is_valid: bool = await super()._handle_message_delivery(client_session, handler, wait_deliver)
            if isinstance(handler.reader, PacedReader):
                handler.reader.passed_on()
            return is_valid

        async def _publish_retained_messages_for_subscription(
            self, subscription: tuple[str, int], session: Session
        ) -> None:
            # amqtt sends a new client the messages retained under the filters of all other clients.
            mine = self._subscriptions.get(subscription[0], ())
            if any(subscribed is session for subscribed, _ in mine):
                await super()._publish_retained_messages_for_subscription(subscription, session)

        def _matches(self, topic: str, a_filter: str) -> bool:
            return _matches(a_filter, topic)

    # Only this one of the default plugins: the others log, and publish statistics with a deprecated library.
    plugins: dict[str, dict[str, object]] = {
        "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
    }
    if login is not None:
        plugins = {
            "broker.servers.embedded_connections.OwnLoginPlugin": {"user": login.user, "password": login.password}
        }
    listeners = {"default": ListenerConfig(bind=f"{LOOPBACK}:{port}")}
    return EmbeddedBroker(BrokerConfig(listeners=listeners, plugins=plugins))


def _port_of(broker: Broker) -> int:
    server = broker._servers["default"].instance  # noqa: SLF001 - no public attribute has the port that was chosen for port 0
    assert isinstance(server, asyncio.Server)  # noqa: S101 - a TCP listener is one
    port: int = server.sockets[0].getsockname()[1]
    return port


def _cause(error: BaseException | None) -> int | None:
    """Return the number of the operating-system error behind an exception."""
    while error is not None:
        if isinstance(error, OSError):
            return error.errno
        error = error.__cause__ or error.__context__
    return None


def _log_fields(context: dict[str, object]) -> dict[str, str]:
    return {"what": str(context.get("message")), "error": repr(context.get("exception"))}
