"""A device's meter: energy from a counter that may be reset, or from power readings only."""

from __future__ import annotations

from dataclasses import dataclass

MAX_POWER_W = 100_000.0
"""More is no household device: a meter that says so is wrong."""
MAX_COUNTER_WH = 1e12
"""More has no meter of a household counted."""
RESET_BELOW = 0.9
"""A counter that falls below this share of its last value was reset; one that falls less runs backwards."""
_HOUR_S = 3600


@dataclass(slots=True)
class Meter:
    """Integrates meter readings: power, which applies until the next reading, or a counter as soon as there is one."""

    energy_wh: float = 0.0
    """Metered so far, without jumps at resets, Wh."""
    power_w: float | None = None
    """The last reading, W."""
    counter_wh: float | None = None
    """The last reading, Wh."""
    at_s: int | None = None
    """Virtual time of the last reading, UNIX seconds."""
    resets: int = 0

    def take(self, now_s: int, power_w: float | None, counter_wh: float | None) -> str:
        """Process a reading; return its problem, empty if it is valid. An invalid reading changes nothing.

        Args:
            now_s: Virtual time, UNIX seconds.
            power_w: Power, W; None: not read.
            counter_wh: Counter, Wh; None: not read.
        """
        problem = self._problem(now_s, power_w, counter_wh)
        if problem:
            return problem
        self.advance(now_s)
        if counter_wh is not None:
            if self.counter_wh is not None:
                is_reset = counter_wh < self.counter_wh
                self.energy_wh += counter_wh if is_reset else counter_wh - self.counter_wh
                self.resets += is_reset
            self.counter_wh = counter_wh
        if power_w is not None:
            self.power_w = power_w
        return ""

    def advance(self, now_s: int) -> None:
        """Count the power of the last reading until now, where there is no counter."""
        if self.at_s is not None and self.power_w is not None and self.counter_wh is None:
            self.energy_wh += self.power_w * (now_s - self.at_s) / _HOUR_S
        self.at_s = now_s

    def _problem(self, now_s: int, power_w: float | None, counter_wh: float | None) -> str:
        if power_w is not None and not 0 <= power_w <= MAX_POWER_W:
            return f"power of {power_w:g} W; expected 0 to {MAX_POWER_W:g} W"
        if counter_wh is not None and not 0 <= counter_wh <= MAX_COUNTER_WH:
            return f"counter of {counter_wh:g} Wh; expected 0 to {MAX_COUNTER_WH:g} Wh"
        if counter_wh is None or self.counter_wh is None or self.at_s is None:
            return ""
        before = self.counter_wh
        # A counter may be behind by some minutes.
        limit_wh = MAX_POWER_W * (now_s - self.at_s + 600) / _HOUR_S
        if counter_wh < before and (RESET_BELOW * before <= counter_wh or counter_wh > limit_wh):
            if counter_wh < RESET_BELOW * before:
                self.counter_wh = counter_wh  # another meter, perhaps: count on from here
            return f"counter falls from {before:g} to {counter_wh:g} Wh; expected to rise, or to restart at 0"
        if counter_wh - before > limit_wh:
            self.counter_wh = counter_wh  # count on from here
            return f"counter jumps from {before:g} to {counter_wh:g} Wh; expected at most {limit_wh:.0f} Wh more"
        return ""
