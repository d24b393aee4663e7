"""Notices a counter that changes its unit during a run, from kWh to Wh or back, as after an update of its firmware.

From kWh to Wh, it shows 1000 times as much at once, more than its device can have drawn. From Wh to kWh it shows a
thousandth, as it may after a reset, too: which of the two it is shows only by how fast it rises from then on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

UNIT_FACTOR = 1000.0
"""A counter that shows this many times as much has changed from kWh to Wh, if its device cannot have drawn so much; one
that shows that part of it may have changed from Wh to kWh, or was reset."""
NEAR = 0.9
"""A counter in another unit shows at least this share of what it had shown before."""
DECIDES_WH = 10.0
"""How fast a counter rises shows once so much has been drawn, by power or by the counter, Wh."""
SLOW_SHARE = 0.1
"""A counter that rises by less than this share of what was drawn by power counts in another unit."""

FallVerdict = Literal["unknown", "wrong reading", "in kWh", "reset", "in declared unit"]
"""What a fall of a counter to a thousandth has been. `in kWh`: the counter counts in another unit than declared. `in
declared unit`: so it did until then."""


class CounterReading(NamedTuple):
    """A reading of a counter."""

    at_s: int
    """UNIX seconds."""
    counter_wh: float


class CounterFall(NamedTuple):
    """A reading of a counter that shows a thousandth of the one before it."""

    at_s: int
    """UNIX seconds."""
    counter_wh: float
    uncounted_wh: float
    """What had been drawn by power since the reading before, Wh."""
    may_be_reset: bool
    """Whether its device can have drawn so much since the reading before, if the counter began at 0."""

    def judge(self, counter_wh: float, drawn_wh: float) -> FallVerdict:
        """Return what the fall was by a later reading.

        Args:
            counter_wh: The reading, Wh, which does not continue from the one before the fall.
            drawn_wh: By power since the fall, Wh.
        """
        rise_wh = counter_wh - self.counter_wh
        if rise_wh < 0:
            return "wrong reading"
        if max(rise_wh, drawn_wh) < DECIDES_WH:
            return "unknown"
        if rise_wh < SLOW_SHARE * drawn_wh:
            return "in kWh"
        return "reset" if self.may_be_reset else "in declared unit"

    def problem(self, counter_wh: float, drawn_wh: float) -> str:
        """Return what is wrong with a later reading in kWh; see `judge` for the arguments."""
        rise_wh = counter_wh - self.counter_wh
        what = f"counter has risen by {rise_wh:.3g} Wh while {drawn_wh:.3g} Wh were drawn by the power reported"
        return f"{what}; expected about as much, or a restart of the run with the device's new unit, kWh"


@dataclass(slots=True)
class UnitChange:
    """What is known of a counter's change of unit."""

    fall: CounterFall | None = None
    """The reading since which the counter counts in kWh instead of Wh, or was reset; None: there was none."""
    since: CounterReading | None = None
    """The first reading in Wh of a counter that is declared in kWh; None: it has not changed."""

    def forget(self) -> None:
        """Begin again: the counter begins again, too."""
        self.fall = self.since = None

    def take_fall(
        self, now_s: int, before_wh: float, counter_wh: float, *, possible_wh: float, uncounted_wh: float
    ) -> CounterFall | None:
        """Note and return a fall, if a counter shows in kWh what it can have shown in Wh by now; None: it does not.

        Args:
            now_s: Virtual time, UNIX seconds.
            before_wh: The reading before, Wh.
            counter_wh: The reading, Wh.
            possible_wh: What the device can have drawn since the reading before, Wh.
            uncounted_wh: What it has drawn by power since then, Wh.
        """
        may_be_reset = counter_wh <= possible_wh
        # A counter that was declared in kWh has shown 1000 times too much, also of what it has counted since.
        more_wh = possible_wh if may_be_reset else UNIT_FACTOR * possible_wh
        in_kwh = NEAR * before_wh <= UNIT_FACTOR * counter_wh <= before_wh + more_wh
        if not 0 < counter_wh < before_wh or not in_kwh:
            return None
        self.fall = CounterFall(now_s, counter_wh, uncounted_wh, may_be_reset=may_be_reset)
        return self.fall


def problem_of_fall(before_wh: float, counter_wh: float) -> str:
    """Return what is wrong with a reading, Wh, after one of `before_wh`, of which it shows a thousandth."""
    what = f"counter falls from {before_wh:.9g} to {counter_wh:.9g} Wh, as if it had changed from Wh to kWh"
    return f"{what}; expected to rise, or to restart at 0"


def problem_of_jump(before_wh: float, counter_wh: float, most_wh: float) -> str:
    """Return what is wrong with a reading if the counter has changed from kWh to Wh now; empty: it has not.

    Args:
        before_wh: The reading before, Wh.
        counter_wh: The reading, Wh.
        most_wh: What the device can be expected to have drawn since then, Wh.
    """
    is_other_unit = NEAR * before_wh <= counter_wh / UNIT_FACTOR <= before_wh + most_wh
    if counter_wh - before_wh <= most_wh or not before_wh or not is_other_unit:
        return ""
    what = f"counter jumps from {before_wh:.9g} to {counter_wh:.9g} Wh, as if it had changed from kWh to Wh"
    return f"{what}; expected at most {most_wh:.0f} Wh more"


def problem_since_jump(passed_s: int, rise_wh: float, most_wh: float) -> str:
    """Return what is wrong with a counter that runs 1000 times too fast since it counts in Wh; empty: it does not.

    Args:
        passed_s: The time since then, seconds.
        rise_wh: How much it has risen since then, Wh.
        most_wh: What the device can be expected to have drawn since then, Wh.
    """
    if rise_wh <= most_wh:
        return ""
    what = f"counter has risen by {rise_wh:.9g} Wh in {passed_s} s, since it changed from kWh to Wh"
    return f"{what}; expected at most {most_wh:.0f} Wh, or a restart of the run with the device's new unit"
