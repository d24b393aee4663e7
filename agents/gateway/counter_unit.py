"""Finds out in which unit a counter counts: in another than declared, or in another than before.

Many plugs publish kWh where others publish Wh. Nothing but the power that is read beside it shows a wrong declaration:
12 Wh more are as good a reading as 12 kWh.

A counter may also change its unit during a run, as after an update of its firmware. From kWh to Wh, it shows 1000 times
as much at once, more than its device can have drawn. From Wh to kWh it shows a thousandth, as it may after a reset,
too: which of the two it is shows only by how fast it rises from then on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

UnitVerdict = Literal["unknown", "right", "too fast", "too slow", "power too low"]
"""What is known of a counter: it may run too fast or too slowly by some 1000 times. `power too low`: the counter rises
as fast as its device can draw, so that it is the power beside it that is in another unit."""

FallVerdict = Literal["unknown", "wrong reading", "in kWh", "reset", "in declared unit"]
"""What a fall of a counter to a thousandth has been. `in kWh`: the counter counts in another unit than declared. `in
declared unit`: so it did until then."""

UNIT_FACTOR = 1000.0
"""A counter that shows this many times as much has changed from kWh to Wh, if its device cannot have drawn so much; one
that shows that part of it may have changed from Wh to kWh, or was reset."""
NEAR = 0.9
"""A counter in another unit shows at least this share of what it had shown before."""
DECIDES_WH = 10.0
"""How fast a counter rises shows once so much has been drawn, by power or by the counter, Wh."""
SLOW_SHARE = 0.1
"""A counter that rises by less than this share of what was drawn by power counts in another unit."""
_FACTOR = 500.0
"""What differs by this factor is not inexact, but in another unit."""
_AGREE_FACTOR = 10.0
"""What differs by less than this factor is in the same unit."""
_LEAST_FAST_WH = 1.0
"""Least energy by power before a counter can be judged too fast, Wh."""
_LEAST_RIGHT_WH = 10.0
"""Least energy by power before a counter can be judged right, Wh."""
_LEAST_SLOW_WH = 100.0
"""Least energy by power before a counter can be judged too slow, Wh."""
_LEAST_FAST_RISES = 3
"""Least number of rises before a counter can be judged too fast; the largest rise does not count, as it may be a wrong
reading."""
_LEAST_SLOW_RISES = 3
"""Least number of rises of a slow counter before it is judged: one that is behind by minutes is slow until it rises."""
_SLOWEST = 2_000.0
"""A counter that is slower than this has stopped, or is behind."""
_MOST_WH = 250.0
"""Energy by power after which, without a verdict, the comparison begins again, Wh."""
_HOUR_S = 3600
_MISTAKES: dict[UnitVerdict, str] = {
    "too fast": "it counted in Wh and not in kWh",
    "too slow": "it counted in kWh and not in Wh",
    "power too low": "its power was in kW and not in W",
}


def is_thousandth(counted_wh: float, planned_wh: float) -> bool:
    """Return whether a job has drawn so little by a counter alone that the counter seems to count in kWh.

    Args:
        counted_wh: What it has drawn by the counter, Wh.
        planned_wh: What it was planned to draw, Wh.
    """
    return planned_wh >= _LEAST_SLOW_WH and 0 < counted_wh <= planned_wh / _FACTOR


@dataclass(slots=True)
class CounterUnit:
    """Compares what a counter counts with what its device draws by its power."""

    verdict: UnitVerdict = "unknown"
    drawn_wh: float = 0.0
    """By power since comparing began, Wh."""
    risen_wh: float = 0.0
    """By the counter since then, Wh."""
    metered_wh: float = 0.0
    """What had been metered before that, Wh."""
    _since_s: int = 0
    _rises: int = 0
    _slow_rises: int = 0
    """How often it has risen since it became too slow."""
    _largest_wh: float = 0.0
    """The largest rise, Wh."""
    _is_stale: bool = False
    """Whether power was not read for too long to blame the counter for being slow."""
    _counter_wh: float | None = None
    """The last reading, Wh."""
    _power_wh: float = 0.0
    """By power in all, when it was taken, Wh."""

    @property
    def is_wrong(self) -> bool:
        """Whether the counter cannot be used."""
        return self.verdict in {"too fast", "too slow"}

    @property
    def problem(self) -> str:
        """What has been found wrong, by what has been compared since comparing began; empty: nothing."""
        if self.verdict not in _MISTAKES:
            return ""
        what = f"counter has risen by {self.risen_wh:.6g} Wh while its power amounts to {self.drawn_wh:.6g} Wh"
        return f"{what}, as if {_MISTAKES[self.verdict]}; expected the unit in which the device is declared"

    def take(
        self, now_s: int, counter_wh: float, power_wh: float, metered_wh: float, *, most_w: float, is_fresh: bool
    ) -> bool:
        """Take a reading; return whether the counter, or its device's power, has just been found wrong, or right again.

        Args:
            now_s: Virtual time, UNIX seconds.
            counter_wh: The reading, Wh.
            power_wh: What the device has drawn by its power so far, Wh.
            metered_wh: What has been metered so far, Wh.
            most_w: What the device draws at most, W.
            is_fresh: Whether power has been read lately.
        """
        before_wh, drawn_wh = self._counter_wh, power_wh - self._power_wh
        self._counter_wh, self._power_wh = counter_wh, power_wh
        if before_wh is None or counter_wh < before_wh or (counter_wh == before_wh and not drawn_wh):
            self.begin(now_s, metered_wh)
            return False
        self.drawn_wh += drawn_wh
        self.risen_wh += counter_wh - before_wh
        self._largest_wh = max(self._largest_wh, counter_wh - before_wh)
        self._rises += counter_wh > before_wh
        is_slow = _FACTOR * self.risen_wh <= self.drawn_wh <= _SLOWEST * self.risen_wh
        if not is_slow:
            self._slow_rises = 0
        elif counter_wh > before_wh:
            self._slow_rises += 1
        self._is_stale |= not is_fresh
        verdict = self._judge(now_s, most_w)
        if verdict is None:
            if self.drawn_wh >= _MOST_WH:
                self.begin(now_s, metered_wh)
            return False
        is_news = verdict != self.verdict and not (verdict == "right" and self.verdict == "unknown")
        self.verdict = verdict
        if not is_news:
            self.begin(now_s, metered_wh)
        return is_news

    def begin(self, now_s: int, metered_wh: float) -> None:
        """Compare from now on; see `take` for the arguments."""
        self._since_s, self.metered_wh = now_s, metered_wh
        self.drawn_wh, self.risen_wh, self._largest_wh = 0.0, 0.0, 0.0
        self._rises, self._slow_rises, self._is_stale = 0, 0, False

    def _judge(self, now_s: int, most_w: float) -> UnitVerdict | None:
        drawn_wh, risen_wh = self.drawn_wh, self.risen_wh
        surely_wh = risen_wh - self._largest_wh
        is_fast = drawn_wh >= _LEAST_FAST_WH and surely_wh >= _FACTOR * drawn_wh
        if is_fast and self._rises >= _LEAST_FAST_RISES:
            is_possible = surely_wh <= most_w * (now_s - self._since_s) / _HOUR_S
            return "power too low" if is_possible else "too fast"
        if drawn_wh >= _LEAST_SLOW_WH and self._slow_rises >= _LEAST_SLOW_RISES:
            return None if self._is_stale else "too slow"
        is_close = drawn_wh <= _AGREE_FACTOR * risen_wh and risen_wh <= _AGREE_FACTOR * drawn_wh
        return "right" if drawn_wh >= _LEAST_RIGHT_WH and is_close else None


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
