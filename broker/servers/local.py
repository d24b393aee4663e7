"""What the local brokers have in common."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from broker.errors import BrokerUnreachableError
from broker.transport import BrokerUrl

LOOPBACK = "127.0.0.1"
ATTEMPTS = 5
"""How many free ports are tried: another process may take one between our check and the broker's start."""


@dataclass(frozen=True, slots=True)
class RunningBroker:
    """A broker that accepts connections."""

    url: BrokerUrl
    """What other processes connect to."""
    description: str
    """For users: which broker, and where."""
    pid: int | None = None
    """Its process, if it is a process of its own."""
    restart: Callable[[], None] | None = None
    """Has it stop and start again on the same port, soon; None: it does not start again."""


def free_port() -> int:
    """Return a port of the loopback interface that is currently free."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def port_taken(port: int) -> BrokerUnreachableError:
    """Return the error for a port, chosen by the user, that is in use."""
    return BrokerUnreachableError(f"port {port} is taken: choose another one, or omit it to use any free port")
