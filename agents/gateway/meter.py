"""Energy by the readings of a real meter: a counter that may be reset or run wild, or power readings only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from agents.gateway.counter_unit import CounterUnit
from agents.gateway.meter_rules import MeterRules
from agents.gateway.several_meters import SeveralMeters
from agents.gateway.unit_change import (
    CounterFall,
    CounterReading,
    UnitChange,
    problem_of_fall,
    problem_of_jump,
    problem_since_jump,
)

MAX_POWER_W = 100_000.0
"""No household device draws or supplies more than this; a meter that reports more is wrong."""
MAX_COUNTER_WH = 1e12
"""No household's meter has ever counted more than this."""
RESET_BELOW = 0.9
"""A counter that falls below this share of its last value was reset; one that falls less runs backwards."""
LATE_S = 120
"""A counter that shows slightly less than before for so long, in all its readings, is not only read late, seconds."""
STAYS_S = 900
"""It counts on from there after so long, seconds; before, it may be that of a second plug on the topic, while the first
one reports every 5 minutes."""
RESET_STEP_WH = 10.0
"""Counters rise in steps of up to this; so much may be in the first reading after a reset in any case."""
ROUNDING_WH = 1.0
"""A counter that falls by no more than this was rounded in another way, and stands."""
BEHIND_S = 600
"""How far a counter may be behind, seconds. As long as this, repeating a doubtful reading does not confirm it."""
ABSENT_S = 300
"""A counter is absent if power has been read for so long without it, seconds; many plugs send it every 5 minutes."""
PLAUSIBLE_FACTOR = 2.0
"""A device draws at most this many times the power that it has shown, or that its jobs are planned with."""
LEAST_PLAUSIBLE_W = 3680.0
"""Every device may draw what a household socket supplies, W."""
_HOUR_S = 3600
_BEHIND_WH = MAX_POWER_W * BEHIND_S / _HOUR_S


class CountBefore(NamedTuple):
    """What was metered before a reading that may be wrong, to which a meter returns if it was."""

    counter_wh: float
    energy_wh: float
    ahead_wh: float
    """Part of `energy_wh` that was counted by power, and not by the counter yet, Wh."""


class ZeroCounter(NamedTuple):
    """A counter that shows 0, as if it was reset, or as if a bridge had lost its device."""

    since_s: int
    """UNIX seconds."""
    before: CountBefore


@dataclass(slots=True)
class Meter:
    """Integrates meter readings: a counter, or power, which applies until the next reading, where no counter comes.

    While a counter is absent, power is counted too. What the counter shows when it comes again includes that energy, so
    it is not added again; if the counter shows less, nothing is added until it has caught up.
    """

    rules: MeterRules = field(default_factory=MeterRules)
    """Which readings it recognizes for what they are."""
    energy_wh: float = 0.0
    """Metered so far, without jumps at resets, Wh. It falls only when a reading shows that a reset was a wrong one."""
    power_w: float | None = None
    """The last reading, W."""
    counter_wh: float | None = None
    """The last reading, Wh."""
    at_s: int | None = None
    """Virtual time of the last reading, UNIX seconds."""
    resets: int = 0
    planned_w: float = 0.0
    """Highest power that its device's jobs are planned with, W."""
    unknown_wh: float = 0.0
    """How much more may have been drawn while the device was offline, and no counter shows it, Wh."""
    has_taken: bool = False
    """Whether anything of the last reading was valid."""
    _counted_s: int | None = None
    """When the counter was last read, UNIX seconds."""
    _uncounted_wh: float = 0.0
    """Energy since then by readings of power, Wh."""
    _without_counter_s: int | None = None
    """When power was first read without the counter since then; None: it has not been."""
    _ahead_wh: float = 0.0
    """Part of `energy_wh` that was counted by power, and not by the counter yet, Wh."""
    _suspect_wh: float | None = None
    """The last reading, if no meter can have counted it: of another meter, if the next one goes on from it."""
    _before_reset: CountBefore | None = None
    """Before the last reading, if that was a reset, or more than the device can draw."""
    _zero: ZeroCounter | None = None
    """None: the counter does not show 0."""
    _doubtful_since_s: int = 0
    """When a doubtful last reading was first taken, UNIX seconds: a reset, or more than a meter can have counted."""
    _highest_w: float = 0.0
    """Highest power read so far, W."""
    _is_offline: bool = False
    """Whether the device is offline."""
    _gap_s: int = 0
    """How long it was offline since the last reading of power, seconds."""
    _offline_wh: float = 0.0
    """Part of `_uncounted_wh` that was added for the time offline, Wh."""
    _away_s: int = 0
    """How long it was offline since the counter was last read, seconds."""
    _has_other_unit: bool = False
    """Whether `_suspect_wh` is what the counter shows if it has changed from kWh to Wh."""
    _below_since_s: int | None = None
    """Since when the counter has shown slightly less than before, UNIX seconds; None: it does not."""
    _unit_change: UnitChange = field(default_factory=UnitChange)
    """Whether the counter has changed its unit."""
    _by_power_wh: float = 0.0
    """Energy by readings of power in all, Wh."""
    _power_read_s: int = 0
    """When power was last read, UNIX seconds."""
    _unit_problem: str = ""
    """What is wrong with the unit of the counter."""
    _spare_wh: float = _BEHIND_WH
    """How much more than `MAX_POWER_W` the counter may count since its last reading, because it may be behind, Wh."""
    _steady_wh: float = 0.0
    """`energy_wh` before it began to count more than that, Wh."""
    _several: SeveralMeters = field(init=False)
    """Notices readings of other meters on the same topic."""
    _unit: CounterUnit = field(default_factory=CounterUnit)
    """Notices a counter in another unit than it is declared in."""

    def __post_init__(self) -> None:
        self._several = SeveralMeters(knows_old_repeats=self.rules.knows_old_repeats)

    @property
    def is_offline(self) -> bool:
        """Whether the device is offline, so that its present power is not known."""
        return self._is_offline

    @property
    def by_power_wh(self) -> float:
        """Energy by readings of power until the last one, Wh, whether or not a counter has counted it."""
        return self._by_power_wh

    @property
    def is_doubtful(self) -> bool:
        """Whether the next reading can show that the last one, such as a reset, was wrong; `energy_wh` falls then."""
        return self._before_reset is not None and self.energy_wh > self._before_reset.energy_wh

    def has_counted(self, now_s: int) -> bool:
        """Return whether the counter was read at a time, the last one, and nothing can show later that it was wrong."""
        return self._counted_s == now_s and self._suspect_wh is None and not self.is_doubtful

    @property
    def counts_power(self) -> bool:
        """Whether energy is metered by power: there is no counter, or it is absent."""
        if self.counter_wh is None:
            return True
        if not self.rules.bridges_absence or self.at_s is None or self._without_counter_s is None:
            return False
        return self.at_s - self._without_counter_s >= ABSENT_S

    def take(self, now_s: int, power_w: float | None, counter_wh: float | None) -> str:
        """Process a reading; return its problem, empty if it is valid. An invalid value changes nothing.

        Args:
            now_s: Virtual time, UNIX seconds.
            power_w: Power, W; None: not read.
            counter_wh: Counter, Wh; None: not read.
        """
        problem = self._problem_of_power(power_w)
        if problem:
            power_w, counter_wh = None, counter_wh if self.rules.judges_each else None
        is_other, problem_of_source = self._check_source(now_s, counter_wh)
        if is_other:
            self.has_taken = False
            return problem or problem_of_source
        problem_of_unit = self._check_unit(now_s, counter_wh)
        if self._unit.is_wrong:
            counter_wh = None
        if counter_wh is not None and self._is_rounded(counter_wh):
            counter_wh = self.counter_wh
        if problem_of_counter := self._problem_of_counter(now_s, counter_wh):
            power_w, counter_wh = power_w if self._is_counter_at_fault(now_s) else None, None
        elif self._unit_change.fall is not None:
            counter_wh = None  # what it means is not known yet
        self.has_taken = power_w is not None or counter_wh is not None
        if self.has_taken or not (problem or problem_of_counter):
            self._take_valid(now_s, power_w, counter_wh)
        return problem or problem_of_source or problem_of_unit or problem_of_counter

    def _check_source(self, now_s: int, counter_wh: float | None) -> tuple[bool, str]:
        """Return whether a reading is of another meter than the device's own, and what is wrong; empty: nothing."""
        several = self._several
        if not self.rules.knows_several or counter_wh is None or not 0 <= counter_wh <= MAX_COUNTER_WH:
            return False, ""
        was_one = several.own is None
        is_other = several.take(now_s, counter_wh, self.energy_wh, self._most_w, BEHIND_S)
        own = several.own
        if own is None:
            if not was_one:
                self._forget_counter()  # another meter is left, which counts from now on
            return False, ""
        if was_one:
            self._forget_counter()
            self.energy_wh, self.counter_wh, self._counted_s = own.energy_wh, own.counter_wh, own.at_s
            self._unit = CounterUnit()
        if not (is_other or was_one):
            return False, ""
        return is_other, several.problem

    def _check_unit(self, now_s: int, counter_wh: float | None) -> str:
        """Return what is wrong with the unit of the counter; empty: nothing. If it is wrong, meter by power."""
        unit = self._unit
        if not self.rules.checks_unit or counter_wh is None or not 0 <= counter_wh <= MAX_COUNTER_WH:
            return ""
        since_wh = 0.0
        if self.power_w is not None and self.at_s is not None and not self._is_offline:
            since_wh = self.power_w * (now_s - self.at_s) / _HOUR_S
        ahead_wh = since_wh if self.counter_wh is None else max(0.0, self._uncounted_wh + since_wh - self._ahead_wh)
        is_news = unit.take(
            now_s,
            counter_wh,
            self._by_power_wh + since_wh,
            self.energy_wh + ahead_wh,
            most_w=self._most_w,
            is_fresh=now_s - self._power_read_s < ABSENT_S,
        )
        if not is_news:
            return self._unit_problem if unit.is_wrong else ""
        problem, self._unit_problem = unit.problem, unit.problem if unit.is_wrong else ""
        if unit.is_wrong:
            self._forget_counter()
            self.energy_wh = unit.metered_wh + unit.drawn_wh - since_wh
        unit.begin(now_s, self.energy_wh)
        return problem

    def _forget_counter(self) -> None:
        """Forget what the counter has shown so far."""
        self.counter_wh = self._counted_s = self._without_counter_s = None
        self._uncounted_wh = self._offline_wh = self._ahead_wh = 0.0
        self._away_s = 0
        self._suspect_wh = self._before_reset = self._zero = self._below_since_s = None
        self._has_other_unit = False
        self._unit_change.forget()

    def _is_rounded(self, counter_wh: float) -> bool:
        """Return whether a reading falls no more than rounding explains."""
        before_wh = self.counter_wh
        return self.rules.judges_each and before_wh is not None and 0 < before_wh - counter_wh <= ROUNDING_WH

    def _take_valid(self, now_s: int, power_w: float | None, counter_wh: float | None) -> None:
        limit_wh = self._limit_wh(now_s)
        self._integrate(now_s)
        self.at_s = now_s
        if power_w is not None:
            self._end_gap(power_w)
        if counter_wh is not None:
            self._count(counter_wh, limit_wh)
            self._counted_s, self._without_counter_s = now_s, None
        elif self._without_counter_s is None and now_s != self._counted_s:
            self._without_counter_s = now_s
        if power_w is not None:
            self.power_w, self._power_read_s, self._is_offline = power_w, now_s, False
            self._highest_w = max(self._highest_w, power_w)
        elif self.power_w is None and counter_wh is not None:
            self._is_offline = False  # no reading of power will show that it is back
        self._bridge()

    def advance(self, now_s: int) -> None:
        """Count the power of the last reading until now, where there is no counter, or it is absent."""
        self._integrate(now_s)
        self.at_s = now_s
        self._bridge()

    def pause(self, now_s: int) -> None:
        """Count the power until now, and nothing more until the next reading: the device has left."""
        if self.counts_power:
            self.advance(now_s)
        else:
            self._integrate(now_s)
        self.power_w, self._is_offline, self._gap_s = None, False, 0

    def settle(self, now_s: int) -> None:
        """Count the power until now, even if a counter is not absent yet: a job ends, and cannot wait for the counter.

        As after an absence, the counter does not add this energy again.
        """
        self._integrate(now_s)
        self._end_gap(0.0)
        self.at_s = now_s
        self._count_ahead()

    def end_absence(self, now_s: int) -> None:
        """Count no power for the time that the device has been offline until now: a job begins, which has not drawn it.

        What its counter shows of that time is still counted.
        """
        if self.at_s is None:
            return
        self._integrate(now_s)
        self._end_gap(0.0)
        self.at_s = now_s

    def go_offline(self, now_s: int) -> None:
        """Count the power until now, and then only what the device draws at least, until it is online again.

        A device that has only lost its connection draws as before when it is back. One whose car drove off draws
        nothing, and since when is not known: the time offline is counted with the lower of the powers before and after.
        """
        self._integrate(now_s)
        self.at_s = now_s
        self._bridge()
        self._is_offline = True

    def come_online(self, now_s: int) -> None:
        """Count by power again: the last reading applies from now until the next one."""
        self._integrate(now_s)
        self.at_s = now_s
        self._is_offline = False

    def _integrate(self, now_s: int) -> None:
        """Add the energy of the last power since the last reading."""
        if self.at_s is None:
            return
        if self._is_offline:
            self._away_s += now_s - self.at_s
        if self.power_w is None:
            return
        if self._is_offline:
            self._gap_s += now_s - self.at_s
        else:
            self._add_by_power(self.power_w * (now_s - self.at_s) / _HOUR_S)

    def _end_gap(self, power_w: float) -> None:
        """Add the energy of the time offline; `power_w` is the power after it, W."""
        if self._gap_s:
            before_w, hours = self.power_w or 0.0, self._gap_s / _HOUR_S
            drawn_wh = min(before_w, power_w) * hours
            self._add_by_power(drawn_wh)
            if self.counter_wh is None:
                self.unknown_wh += abs(before_w - power_w) * hours
            else:
                self._offline_wh += drawn_wh
        self._gap_s = 0

    def _add_by_power(self, energy_wh: float) -> None:
        self._by_power_wh += energy_wh
        if self.counter_wh is None:
            self.energy_wh += energy_wh
        else:
            self._uncounted_wh += energy_wh

    def _bridge(self) -> None:
        """Count what was metered by power while the counter is absent."""
        if self.counts_power:
            self._count_ahead()

    def _count_ahead(self) -> None:
        """Count what was metered by power since the counter was last read."""
        if self.counter_wh is not None:
            has_fallen = self._below_since_s is not None  # so it had no power while it was offline
            drawn_wh = self._shown_wh if has_fallen else self._uncounted_wh
            more_wh = max(0.0, drawn_wh - self._ahead_wh)
            self.energy_wh += more_wh
            self._ahead_wh += more_wh

    @property
    def _shown_wh(self) -> float:
        """Energy by power since the counter was last read, Wh, without what is only assumed of the time offline."""
        return self._uncounted_wh - self._offline_wh if self.rules.weighs_resets else self._uncounted_wh

    def _count(self, counter_wh: float, limit_wh: float) -> None:
        """Add a valid reading of the counter, Wh, which may have counted at most `limit_wh` since the last one."""
        if self.rules.knows_repeats and self._repeats(counter_wh):
            return
        was_below = self._ends_below()
        before_wh, goes_on = self._reading_before(counter_wh, limit_wh, was_below=was_below)
        if before_wh is not None and counter_wh < before_wh:
            self._restart(before_wh, counter_wh)
            before_wh, goes_on = 0.0, False
        self._uncounted_wh = self._offline_wh = 0.0
        self._away_s = 0
        if before_wh is not None:
            rise_wh = counter_wh - before_wh
            self._spend(rise_wh)
            counted_s = self.at_s if self._counted_s is None else self._counted_s
            if self.rules.bounds_rises and goes_on and rise_wh > self._plausible_wh(self.at_s or 0, counted_s or 0):
                self._before_reset = CountBefore(before_wh, self.energy_wh, self._ahead_wh)  # it may be wrong, too
                self._doubtful_since_s = self.at_s or 0
            self.energy_wh += max(0.0, rise_wh - self._ahead_wh)
            # A counter that was reset does not include what was counted by power before.
            self._ahead_wh = max(0.0, self._ahead_wh - rise_wh) if goes_on and not was_below else 0.0
        self.counter_wh = counter_wh
        if counter_wh:
            self._zero = None

    def _reading_before(self, counter_wh: float, limit_wh: float, *, was_below: bool) -> tuple[float | None, bool]:
        """Return from which reading the counter goes on, Wh, and whether that is one of the same counter.

        If it shows that an earlier reading was wrong, take back what that has added. If it goes on from elsewhere,
        count by power what it does not include.

        Args:
            counter_wh: The counter, Wh.
            limit_wh: What it may have counted at most since its last reading, Wh.
            was_below: Whether it has shown slightly less than before for a while.
        """
        before_wh, goes_on = self.counter_wh, True
        suspect_wh, self._suspect_wh = self._suspect_wh, None
        before_reset, self._before_reset = self._before_reset, None
        if before_reset is not None and self._follows(before_reset.counter_wh, counter_wh, limit_wh):
            before_wh, self.energy_wh, self._ahead_wh = before_reset  # the reset was a wrong reading
        elif self._zero is not None and self._resumes(counter_wh, self._zero):
            before_wh, self.energy_wh, self._ahead_wh = self._zero.before
        elif self._follows(suspect_wh, counter_wh, self._suspect_limit_wh(self.at_s or 0, limit_wh)) and (
            self._has_other_unit or not self._follows(before_wh, counter_wh, limit_wh)
        ):
            self._doubt_reset(before_wh, suspect_wh)
            before_wh, goes_on = suspect_wh, False  # another meter, or another unit
            self._count_before(is_other_unit=self._has_other_unit)
            if self._has_other_unit and suspect_wh is not None:
                self._unit_change.since = CounterReading(self._doubtful_since_s, suspect_wh)
        elif was_below:
            self._count_before()  # it has caught up with itself, and does not include what it had lost
        return before_wh, goes_on

    def _restart(self, before_wh: float, counter_wh: float) -> None:
        """Note that the counter was reset: it had shown `before_wh`, and shows `counter_wh` now."""
        self._before_reset = CountBefore(before_wh, self.energy_wh, self._ahead_wh) if self.rules.passes_over else None
        self._doubtful_since_s = self.at_s or 0
        self.resets += 1
        self._unit_change.since = None
        if self.rules.weighs_resets and self._before_reset is not None and not counter_wh:
            self._zero = ZeroCounter(self._doubtful_since_s, self._before_reset)
        self._count_missed()

    def _resumes(self, counter_wh: float, zero: ZeroCounter) -> bool:
        """Return whether a counter goes on from where it was before it showed 0, as after a bridge has lost its device.

        Args:
            counter_wh: The counter, which cannot have risen so much since it was last 0, Wh.
            zero: What it has shown until now.
        """
        now_s = self.at_s or 0
        is_possible = counter_wh <= self._plausible_wh(now_s, now_s if self._counted_s is None else self._counted_s)
        return not is_possible and self._follows(
            zero.before.counter_wh, counter_wh, self._plausible_wh(now_s, zero.since_s)
        )

    def _count_missed(self) -> None:
        """Count by power what was drawn since the reading before a reset, of which the counter shows only a part.

        After a long time without a reading, the last power says little of what was drawn.
        """
        if self.rules.weighs_resets and self._counted_s is not None and (self.at_s or 0) - self._counted_s <= BEHIND_S:
            self._count_before()

    def _doubt_reset(self, before_wh: float | None, suspect_wh: float | None) -> None:
        """Note what a device may have drawn while it was offline, if its counter may have been reset meanwhile.

        Args:
            before_wh: The counter before, Wh.
            suspect_wh: The counter when it was online again, from which it goes on, Wh.
        """
        if not self.rules.weighs_resets or not self._away_s or before_wh is None or suspect_wh is None:
            return
        if suspect_wh < before_wh and suspect_wh <= self._most_w * self._away_s / _HOUR_S:
            self.unknown_wh += suspect_wh

    def _ends_below(self) -> bool:
        """Return whether the counter had shown slightly less than before for a while, and note that it does no more."""
        since_s, self._below_since_s = self._below_since_s, None
        return since_s is not None and (self.at_s or 0) - since_s >= LATE_S

    def _count_before(self, *, is_other_unit: bool = False) -> None:
        """Count by power what a counter does not include that goes on from elsewhere, as a new one does.

        It is not counted for the time offline: the device had no power then, unless only the unit is another one.
        """
        if self.rules.bounds_resets and not is_other_unit:
            self._uncounted_wh -= self._offline_wh
            wrong_wh = min(self._offline_wh, max(0.0, self._ahead_wh - self._uncounted_wh))
            self.energy_wh -= wrong_wh
            self._ahead_wh -= wrong_wh
        if self.rules.judges_each:
            self._count_ahead()

    def _spend(self, rise_wh: float) -> None:
        """Note by how much more the counter rises, for long, than a device can draw, Wh."""
        passed_s = 0 if self.at_s is None or self._counted_s is None else self.at_s - self._counted_s
        spare_wh = self._spare_wh + MAX_POWER_W * passed_s / _HOUR_S
        if spare_wh >= _BEHIND_WH:
            self._steady_wh = self.energy_wh
        self._spare_wh = max(0.0, min(spare_wh, _BEHIND_WH) - rise_wh)

    def _repeats(self, counter_wh: float) -> bool:
        """Return whether a reading only repeats a doubtful one, so that it does not show whether that was wrong."""
        is_reset_again = self._before_reset is not None and counter_wh == self.counter_wh
        is_recent = self.at_s is not None and self.at_s <= self._doubtful_since_s + BEHIND_S
        return is_recent and (is_reset_again or counter_wh == self._suspect_wh)

    @staticmethod
    def _follows(before_wh: float | None, counter_wh: float, limit_wh: float) -> bool:
        """Return whether a counter can have risen from one reading to another."""
        return before_wh is not None and 0 <= counter_wh - before_wh <= limit_wh

    def _limit_wh(self, now_s: int) -> float:
        """Return how much a meter can have counted since its last reading, Wh; a counter may be behind by minutes."""
        since_s = self._counted_s if self.rules.bridges_absence and self._counted_s is not None else self.at_s
        if since_s is None:
            return 0.0
        if not self.rules.bounds_rises:
            return MAX_POWER_W * (now_s - since_s + BEHIND_S) / _HOUR_S
        return MAX_POWER_W * (now_s - since_s) / _HOUR_S + self._spare_wh

    def _suspect_limit_wh(self, now_s: int, limit_wh: float) -> float:
        """Return how much a meter can have counted since the reading that no meter can have counted, Wh.

        Args:
            now_s: Virtual time, UNIX seconds.
            limit_wh: How much since its last valid reading, Wh.
        """
        if not self.rules.bounds_rises:
            return limit_wh
        return MAX_POWER_W * (now_s - self._doubtful_since_s) / _HOUR_S + self._spare_wh

    def _reset_limit_wh(self, now_s: int, limit_wh: float) -> float:
        """Return how much a meter can show that was reset since its last reading, Wh.

        A plug that lost power may show again what it had stored minutes before. If its counter is small, that looks
        like a reset, and all of it would be counted once more. So the time offline does not count: after a night, any
        counter would be small enough.

        Args:
            now_s: Virtual time, UNIX seconds.
            limit_wh: How much any meter can have counted since then, Wh.
        """
        if not self.rules.bounds_resets or self._counted_s is None:
            return limit_wh
        away_s = self._away_until_s(now_s) if self.rules.weighs_resets else 0
        return min(limit_wh, self._most_w * (now_s - self._counted_s - away_s) / _HOUR_S + RESET_STEP_WH)

    def _away_until_s(self, now_s: int) -> int:
        """Return for how long the device has been offline since its counter was last read, seconds."""
        return self._away_s + (now_s - (self.at_s or now_s) if self._is_offline else 0)

    def _plausible_wh(self, now_s: int, since_s: int) -> float:
        """Return how much the device can be expected to have drawn since a time, Wh."""
        return self._most_w * (now_s - since_s + BEHIND_S) / _HOUR_S

    @property
    def _most_w(self) -> float:
        """The most that the device can be expected to draw, W."""
        known_w = max(self._highest_w, self.planned_w)
        return max(LEAST_PLAUSIBLE_W, PLAUSIBLE_FACTOR * known_w) if known_w else MAX_POWER_W

    @staticmethod
    def _problem_of_power(power_w: float | None) -> str:
        if power_w is None or 0 <= power_w <= MAX_POWER_W:
            return ""
        hint = ", as if it was in another unit than declared" if power_w > MAX_POWER_W else ""
        return f"power of {power_w:g} W{hint}; expected 0 to {MAX_POWER_W:g} W"

    def _problem_of_counter(self, now_s: int, counter_wh: float | None) -> str:
        if counter_wh is None:
            return ""
        if not 0 <= counter_wh <= MAX_COUNTER_WH:
            return f"counter of {counter_wh:g} Wh; expected 0 to {MAX_COUNTER_WH:g} Wh"
        if self.counter_wh is None or self.at_s is None:
            return ""
        limit_wh = self._limit_wh(now_s)
        problem = self._problem_in_other_unit(now_s, counter_wh, limit_wh)
        if problem or self._unit_change.fall is not None:
            return problem
        before_reset_wh = self._before_reset.counter_wh if self._before_reset is not None else None
        goes_on = self._follows(self._suspect_wh, counter_wh, self._suspect_limit_wh(now_s, limit_wh))
        if goes_on or self._follows(before_reset_wh, counter_wh, limit_wh):
            return ""
        return self._problem_of_change(now_s, self.counter_wh, counter_wh, limit_wh)

    def _problem_of_change(self, now_s: int, before_wh: float, counter_wh: float, limit_wh: float) -> str:
        possible_wh = self._plausible_wh(now_s, now_s if self._counted_s is None else self._counted_s)
        # Without readings of power, nothing could show later which unit the counter counts in.
        if self.rules.knows_units and self.power_w is not None:
            # What was drawn until now is no sign of the unit, above all if nothing was heard for hours.
            until_wh = self.power_w * (now_s - (self.at_s or now_s)) / _HOUR_S
            is_drawing = self.rules.weighs_resets and not self._is_offline
            shown_wh = self._shown_wh + (until_wh if is_drawing else 0.0)
            fall = self._unit_change.take_fall(
                now_s, before_wh, counter_wh, possible_wh=possible_wh, uncounted_wh=shown_wh
            )
            if fall is not None:
                return "" if fall.may_be_reset else problem_of_fall(before_wh, counter_wh)
        is_high = counter_wh > self._reset_limit_wh(now_s, limit_wh)
        if counter_wh < before_wh and (RESET_BELOW * before_wh <= counter_wh or is_high):
            if counter_wh < RESET_BELOW * before_wh or self._stays_below(now_s):
                self._suspect(now_s, counter_wh)
            return f"counter falls from {before_wh:.9g} to {counter_wh:.9g} Wh; expected to rise, or to restart at 0"
        problem = problem_of_jump(before_wh, counter_wh, possible_wh) if self.rules.knows_units else ""
        if problem:
            self._suspect(now_s, counter_wh)
            self._has_other_unit = True
        elif counter_wh - before_wh > limit_wh:
            what = f"counter jumps from {before_wh:.9g} to {counter_wh:.9g} Wh"
            if self.rules.bounds_rises and self._runs_wild(counter_wh - before_wh, limit_wh):
                what += " for a while now, as if it counted in Wh and not in kWh"
            self._suspect(now_s, counter_wh)
            problem = f"{what}; expected at most {limit_wh:.0f} Wh more"
        return problem

    def _stays_below(self, now_s: int) -> bool:
        """Return whether a counter has shown less than before for `STAYS_S`, and note that it does.

        A plug that lost power may count on from what it had stored some time before.
        """
        if not self.rules.bounds_resets:
            return False
        if self._below_since_s is None:
            self._below_since_s = now_s
        return now_s - self._below_since_s >= STAYS_S

    def _runs_wild(self, rise_wh: float, limit_wh: float) -> bool:
        """Return whether a counter has risen for a while as no household's does, and take back what it has counted."""
        is_spent = rise_wh <= limit_wh + _BEHIND_WH - self._spare_wh
        if is_spent:
            self.energy_wh = min(self.energy_wh, self._steady_wh)
        return is_spent or self._suspect_wh is not None

    def _problem_in_other_unit(self, now_s: int, counter_wh: float, limit_wh: float) -> str:
        """Return what is wrong with a reading if the counter has, or may have, changed its unit before."""
        if self._unit_change.fall is not None:
            return self._problem_since_fall(self._unit_change.fall, now_s, counter_wh, limit_wh)
        changed = self._unit_change.since
        if self._may_have_changed and self._suspect_wh is not None:
            changed = CounterReading(self._doubtful_since_s, self._suspect_wh)
        if changed is None:
            return ""
        # If the device is declared in kWh, its counter runs 1000 times too fast from then on.
        most_wh = self._plausible_wh(now_s, changed.at_s)
        return problem_since_jump(now_s - changed.at_s, counter_wh - changed.counter_wh, most_wh)

    @property
    def _may_have_changed(self) -> bool:
        """Whether the last reading shows what the counter does if it has changed from kWh to Wh."""
        return self._has_other_unit and self._suspect_wh is not None

    def _problem_since_fall(self, fall: CounterFall, now_s: int, counter_wh: float, limit_wh: float) -> str:
        """Return what is wrong with a reading after the counter fell to a thousandth; empty: nothing so far."""
        power_w = 0.0 if self._is_offline else self.power_w or 0.0
        drawn_wh = self._shown_wh - fall.uncounted_wh + power_w * (now_s - (self.at_s or now_s)) / _HOUR_S
        goes_on = self._follows(self.counter_wh, counter_wh, limit_wh)
        match "wrong reading" if goes_on else fall.judge(counter_wh, drawn_wh):
            case "wrong reading":
                self._unit_change.fall = None
            case "in kWh":
                return fall.problem(counter_wh, drawn_wh)
            case "reset":
                self._unit_change.fall, self.counter_wh, self.resets = None, 0.0, self.resets + 1
            case "in declared unit":
                self._unit_change.forget()
                self._suspect(fall.at_s, fall.counter_wh)
            case "unknown":
                pass
        return ""

    def _is_counter_at_fault(self, now_s: int) -> bool:
        """Return whether a wrong counter says nothing about the power beside it.

        A single report may be old, or of another device on the same topic, so that its power is wrong too. A counter
        that is not valid any more does not make all power wrong, nor one that may have lost something with its power.
        """
        is_absent = self._counted_s is not None and now_s - self._counted_s >= ABSENT_S
        fall = self._unit_change.fall
        may_be = fall is not None or self._may_have_changed
        is_since_before = now_s > (fall.at_s if fall is not None else self._doubtful_since_s)
        is_in_other_unit = self._unit_change.since is not None or (may_be and is_since_before)
        was_away = self.rules.weighs_resets and self._away_until_s(now_s) > 0
        return self.rules.judges_each and (is_absent or is_in_other_unit or was_away)

    def _suspect(self, now_s: int, counter_wh: float) -> None:
        if self.rules.passes_over:
            self._suspect_wh, self._doubtful_since_s, self._has_other_unit = counter_wh, now_s, False
        else:
            self.counter_wh = counter_wh


def at_most(points: list[tuple[int, float]], most_wh: float) -> list[tuple[int, float]]:
    """Return points of metered energy, none of which is above what has been metered in the end.

    Args:
        points: Times, seconds, and the energy until then, Wh, which never falls.
        most_wh: Metered in the end, Wh: less than the last point if a reading before it was wrong.
    """
    if not points or points[-1][1] <= most_wh:
        return points
    return [(at_s, min(wh, most_wh)) for at_s, wh in points]
