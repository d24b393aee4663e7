"""Wall-clock limits of the protocol: when to ask again, when to give up. They never decide what happens in a run."""

from __future__ import annotations

from dataclasses import dataclass

LIMIT_WALL_S = 60.0
"""How long to wait for a host that says nothing, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds of the wall clock."""

    resend_wall_s: float = 0.5
    """Ask again for messages or answers that are missing this long; doubles up to `resend_most_wall_s`."""
    resend_most_wall_s: float = 5.0
    limit_wall_s: float = LIMIT_WALL_S
    """The clock gives up on a host that it has not heard of for so long."""
