"""Infers why a broker repeatedly closes a client's connection from what its disconnects have in common.

MQTT 3.1.1 gives a broker no way to say that a packet is too large, or that a client may not write to a topic: many just
close the connection. The client would reconnect and send the same packet again, for ever.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

SAME_DISCONNECTS = 4
"""This many disconnects in a row, each after the same packet, are not a coincidence."""
PROMPT_WALL_S = 5.0
"""A packet sent longer ago than this did not cause a disconnect, wall-clock seconds."""
SMALL_BYTES = 1_000
"""No usable broker rejects packets up to this size for their size."""


class SentPacket(NamedTuple):
    """A packet that was handed to a connection."""

    topic: str
    packet_bytes: int
    at_wall_s: float
    """Loop time."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """A connection that the other side closed."""

    largest: SentPacket | None
    """The largest packet that had been sent over it."""
    at_wall_s: float

    @property
    def is_prompt(self) -> bool:
        """Whether the largest packet may have been the cause."""
        return self.largest is not None and self.at_wall_s - self.largest.at_wall_s <= PROMPT_WALL_S


class DisconnectHistory:
    """The disconnects of one client, in order."""

    def __init__(self) -> None:
        self._last: deque[Disconnect] = deque(maxlen=SAME_DISCONNECTS)
        self._passed_bytes = SMALL_BYTES

    def add(self, disconnect: Disconnect) -> SentPacket | None:
        """Add a disconnect; return the packet that preceded each of the last ones, if it was the same packet."""
        self._last.append(disconnect)
        if disconnect.largest is not None and not disconnect.is_prompt:
            self._passed_bytes = max(self._passed_bytes, disconnect.largest.packet_bytes)
        same = {(c.largest.topic, c.largest.packet_bytes) for c in self._last if c.largest is not None and c.is_prompt}
        if disconnect.largest is None or len(self._last) < SAME_DISCONNECTS or len(same) != 1:
            return None
        if not all(c.is_prompt for c in self._last) or disconnect.largest.packet_bytes <= self._passed_bytes:
            return None
        return disconnect.largest


def describe(sent: SentPacket) -> str:
    """Return the error message for a broker that closes the connection after a packet."""
    return (
        f"disconnected this client {SAME_DISCONNECTS} times in a row, each time after a packet of "
        f"{sent.packet_bytes:,} bytes on {sent.topic}; it probably limits the packet size (Mosquitto: max_packet_size, "
        "message_size_limit), or its access rules do not let this client write there"
    )
