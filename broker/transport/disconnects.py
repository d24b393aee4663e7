"""Why a broker ends a client's connection again and again: what its cuts have in common says it.

MQTT 3.1.1 gives a broker no way to say that a packet is too large, or that a client may not write to a topic: many just
close the connection. The client connects again, sends the same again, and would do so for ever.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

SAME_CUTS = 4
"""So many in a row, each after the same packet, are no accident of the network."""
PROMPT_WALL_S = 5.0
"""A packet that a connection outlived by more than this was not what ended it."""
SMALL_BYTES = 1_000
"""No broker of use refuses packets up to here for their size."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet that was handed to a connection."""

    topic: str
    packet_bytes: int
    at_wall_s: float
    """By the loop's time."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A connection that the other side ended."""

    largest: Sent | None
    """The largest packet that had been sent over it."""
    at_wall_s: float

    @property
    def is_prompt(self) -> bool:
        """Whether the largest packet may have been the reason."""
        return self.largest is not None and self.at_wall_s - self.largest.at_wall_s <= PROMPT_WALL_S


class Cuts:
    """Those of one client, in their order."""

    def __init__(self) -> None:
        self._last: deque[Cut] = deque(maxlen=SAME_CUTS)
        self._passed_bytes = SMALL_BYTES

    def take(self, cut: Cut) -> Sent | None:
        """Take note of a cut; return the packet after which each of the last ones came, if there is one."""
        self._last.append(cut)
        if cut.largest is not None and not cut.is_prompt:
            self._passed_bytes = max(self._passed_bytes, cut.largest.packet_bytes)
        same = {(c.largest.topic, c.largest.packet_bytes) for c in self._last if c.largest is not None and c.is_prompt}
        if cut.largest is None or len(self._last) < SAME_CUTS or len(same) != 1:
            return None
        if not all(c.is_prompt for c in self._last) or cut.largest.packet_bytes <= self._passed_bytes:
            return None
        return cut.largest


def words_for(sent: Sent) -> str:
    """Return what to say of a broker that ends the connection after a packet."""
    return (
        f"cut this client off {SAME_CUTS} times in a row, each time after a packet of {sent.packet_bytes:,} bytes "
        f"on {sent.topic}; it probably limits the size of packets (Mosquitto: max_packet_size, message_size_limit), "
        "or its access rules do not let this client write there"
    )
