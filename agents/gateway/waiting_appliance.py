"""Detects, by its power, an appliance behind a plug that was switched on and waits for its programme.

A waiting appliance draws some power for its display, but less than during any programme. One job is requested each time
it is switched on.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WaitingDetection:
    """How a plug detects that its appliance waits for its programme, and the job requested then."""

    above_w: float
    below_w: float
    """It draws more than `above_w` and less than `below_w` ..."""
    for_s: int
    """... for this long."""
    within_s: int
    """The job must have ended this long after the detection."""
    profile: str = ""
    """Name of its load profile; empty: the device's own."""


class WaitingDetector:
    """Detects that an appliance waits; it has to be switched off before it can be found waiting again."""

    __slots__ = ("_may_wait", "_since_s")

    def __init__(self) -> None:
        self._since_s: int | None = None
        """Since when its power has been between the limits, UNIX seconds; None: it is not."""
        self._may_wait = True

    def waits(self, waiting: WaitingDetection | None, power_w: float | None, now_s: int, *, has_job: bool) -> bool:
        """Take a reading of the power; return True once, when it shows that the appliance waits.

        Args:
            waiting: How that is detected; None: not at all.
            power_w: What it draws, W; None: not known.
            now_s: The present, UNIX seconds.
            has_job: Whether it has a job already, so that it waits for this one.
        """
        if waiting is None or power_w is None or has_job:
            self._since_s = None
            return False
        if power_w <= waiting.above_w:
            self._may_wait = True
        if not waiting.above_w < power_w < waiting.below_w or not self._may_wait:
            self._since_s = None
            return False
        if self._since_s is None:
            self._since_s = now_s
        if now_s - self._since_s < waiting.for_s:
            return False
        self._since_s, self._may_wait = None, False
        return True
