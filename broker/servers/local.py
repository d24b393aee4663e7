"""What a broker that runs for us tells about itself, and what the kinds of them share."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from broker.errors import BrokerUnreachableError
from broker.transport import BrokerUrl

LOOPBACK = "127.0.0.1"
ATTEMPTS = 5
"""Free ports that are tried: another process may take one between our asking and our listening."""
HEADROOM_BYTES = 64 * 1024
"""By how much a broker takes more than `MAX_PAYLOAD_BYTES`: what is too large is seen and counted where it comes in."""


@dataclass(frozen=True, slots=True)
class RunningBroker:
    """A broker that accepts connections."""

    url: BrokerUrl
    """What other processes connect to."""
    description: str
    """For people: which broker, where."""
    pid: int | None = None
    """The process that it is, where it is one of its own."""


def free_port() -> int:
    """Return a port of the loopback on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def port_taken(port: int) -> BrokerUnreachableError:
    """Return the error for a port that the user chose and somebody else has."""
    return BrokerUnreachableError(f"port {port} is taken: choose another one, or leave it out for any that is free")
