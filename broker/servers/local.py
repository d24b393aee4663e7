"""Brokers that we start on this machine: where they listen, and what they have in common."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from broker.errors import BrokerUnreachableError
from broker.transport import BrokerUrl

LOOPBACK = "127.0.0.1"
_LOWEST_PORT = 10_000
"""Ports below are often reserved for services."""
_PROBES = 100
_OUTGOING_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_OUTGOING_PORT = 32_768
"""The first outgoing port of Linux; other systems begin at 49,152."""
ATTEMPTS = 5
"""How many free ports are tried: another process may take one between our check and the broker's start."""


@dataclass(frozen=True, slots=True)
class RunningBroker:
    """A broker that accepts connections."""

    url: BrokerUrl
    """The URL that other processes connect to."""
    description: str
    """Which broker it is, and where, for users."""
    pid: int | None = None
    """Its process id, if it runs in a separate process."""
    restart: Callable[[], None] | None = None
    """Makes it stop, and start again on the same port soon; None: it is not restarted."""


def free_port() -> int:
    """Return a port of the loopback interface that is currently free.

    It is not one of those that the system gives to outgoing connections: while a broker is being restarted, such a
    connection could take its port, even one that tries to reach that very broker.
    """
    for _ in range(_PROBES):
        port = _LOWEST_PORT + secrets.randbelow(_first_outgoing_port() - _LOWEST_PORT)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        free: int = probe.getsockname()[1]
        return free


def _first_outgoing_port() -> int:
    """Return the lowest port that this system gives to outgoing connections."""
    try:
        lowest = int(_OUTGOING_PORTS.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _USUAL_OUTGOING_PORT
    return lowest if lowest > 2 * _LOWEST_PORT else _USUAL_OUTGOING_PORT


def port_taken(port: int) -> BrokerUnreachableError:
    """Return the error for a port, chosen by the user, that is in use."""
    return BrokerUnreachableError(f"port {port} is taken: choose another one, or omit it to use any free port")
