"""What a reading of a counter means after those before it: it goes on, was reset, is of another meter, or is wrong.

`CounterHistory` decides what a counter says; the `Meter` that owns it counts how much was drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from agents.gateway.counter_unit import (
    CounterFall,
    CounterReading,
    UnitChange,
    problem_of_fall,
    problem_of_jump,
    problem_since_jump,
)
from agents.gateway.device_rules import MeterRules

MAX_POWER_W = 100_000.0
"""No household device draws or supplies more than this; a meter that reports more is wrong."""
MAX_COUNTER_WH = 1e12
"""No household's meter has ever counted more than this."""
RESET_BELOW = 0.9
"""A counter that falls below this share of its last value was reset; one that falls less runs backwards."""
LATE_S = 120
"""A counter that shows slightly less than before for so long, in all its readings, is not only read late, seconds."""
STAYS_BELOW_S = 900
"""After so long, such a counter counts on from there, seconds. Until then it may be that of a second plug on the topic,
while the first one reports every 5 minutes."""
STEP_WH = 10.0
"""Counters rise in steps of up to this, Wh; so the first reading after a reset may show this much in any case."""
ROUNDING_WH = 1.0
"""A counter that falls by no more than this was rounded in another way, and stands."""
BEHIND_S = 600
"""How far a counter may be behind, seconds. For as long as this, repeating a doubtful reading does not confirm it."""
ABSENT_S = 300
"""A counter is absent if power has been read for so long without it, seconds; many plugs send it every 5 minutes."""
_HOUR_S = 3600
_BEHIND_WH = MAX_POWER_W * BEHIND_S / _HOUR_S


class PowerSeen(NamedTuple):
    """What power says of a device when its counter is read, by which the reading is judged."""

    now_s: int
    """Time of the reading, UNIX seconds."""
    until_s: int | None
    """Until when the device has been metered, UNIX seconds; None: it has not."""
    power_w: float | None
    """The last reading, W; None: power has not been read."""
    is_offline: bool
    """Whether the device is offline, so that its present power is not known."""
    drawn_wh: float
    """Drawn by power from the last reading of the counter until `until_s`, Wh, as far as power was read for it."""
    most_w: float
    """The most that the device can be expected to draw, W."""

    @property
    def passed_s(self) -> int:
        """How long ago `until_s` was, seconds; 0 if it is not known."""
        return 0 if self.until_s is None else self.now_s - self.until_s

    @property
    def since_wh(self) -> float:
        """Drawn by the last power since `until_s`, Wh."""
        return 0.0 if self.is_offline else (self.power_w or 0.0) * self.passed_s / _HOUR_S


class CountBefore(NamedTuple):
    """What was metered before a reading that may be wrong, to which a meter returns if it was."""

    counter_wh: float
    energy_wh: float
    ahead_wh: float
    """Part of `energy_wh` that was counted by power, and not by the counter yet, Wh."""


class CounterVerdict(NamedTuple):
    """Whether a reading of a counter is valid."""

    problem: str = ""
    """What is wrong; empty: nothing."""
    is_wild: bool = False
    """Whether the counter has risen for a while as no household's does, so that what it counted was not drawn."""


_VALID = CounterVerdict()


class CounterStep(NamedTuple):
    """How a valid reading of a counter is linked to those before."""

    before_wh: float | None
    """The reading from which the counter goes on, or fell when it was reset, Wh; None: there was none."""
    is_reset: bool = False
    """Whether the counter began again at 0."""
    back_to: CountBefore | None = None
    """To what the meter returns, because a reading since then was wrong; None: none was."""
    is_elsewhere: bool = False
    """Whether the counter goes on from a reading that seemed wrong, as that of another meter does."""
    is_other_unit: bool = False
    """Whether it does so because it counts in another unit now."""
    was_below: bool = False
    """Whether the counter had shown slightly less than before for a while, and has caught up with itself or fallen."""
    unknown_wh: float = 0.0
    """What the device may have drawn in addition while it was offline, because the counter may have been reset, Wh."""

    @property
    def from_wh(self) -> float | None:
        """From what the counter has risen to this reading, Wh: 0 if it was reset; None: this is the first reading."""
        return 0.0 if self.is_reset else self.before_wh

    @property
    def goes_on(self) -> bool:
        """Whether the counter is the same as before, and was not reset."""
        return not (self.is_reset or self.is_elsewhere)

    @property
    def has_lost(self) -> bool:
        """Whether the counter does not include what was drawn before, because it goes on from elsewhere."""
        return self.back_to is None and (self.is_elsewhere or self.was_below)

    @property
    def includes_ahead(self) -> bool:
        """Whether the counter has counted, too, what was counted by power before."""
        return self.goes_on and not self.was_below


class ZeroCounter(NamedTuple):
    """A counter that shows 0, as if it was reset, or as if a bridge had lost its device."""

    since_s: int
    """UNIX seconds."""
    before: CountBefore


@dataclass(slots=True)
class CounterHistory:
    """The readings of a counter so far, as far as later ones depend on them."""

    rules: MeterRules
    counter_wh: float | None = None
    """The last valid reading, Wh."""
    counted_s: int | None = None
    """When the counter was last read, UNIX seconds."""
    missing_since_s: int | None = None
    """When power was first read without the counter since then, UNIX seconds; None: it has not been."""
    away_s: int = 0
    """How long the device was offline since then, seconds."""
    resets: int = 0
    """How often the counter was reset, as far as is known."""
    suspect_wh: float | None = None
    """The last reading, if no meter can have counted it: of another meter, if the next one goes on from it."""
    before_doubt: CountBefore | None = None
    """What was metered before the last reading, if that was a reset, or a rise by more than the device can draw."""
    doubtful_since_s: int = 0
    """When a doubtful last reading was first taken, UNIX seconds: a reset, or more than a meter can have counted."""
    zero: ZeroCounter | None = None
    """None: the counter does not show 0."""
    below_since_s: int | None = None
    """Since when the counter has shown slightly less than before, UNIX seconds; None: it does not."""
    has_other_unit: bool = False
    """Whether `suspect_wh` is what the counter shows if it has changed from kWh to Wh."""
    unit_change: UnitChange = field(default_factory=UnitChange)
    """Whether the counter has changed its unit."""
    spare_wh: float = _BEHIND_WH
    """How much more than `MAX_POWER_W` the counter may count since its last reading, because it may be behind, Wh."""

    # When it is read.

    def is_absent(self, now_s: int) -> bool:
        """Return whether power has been read for `ABSENT_S` without the counter."""
        return self.missing_since_s is not None and now_s - self.missing_since_s >= ABSENT_S

    def note_read(self, now_s: int) -> None:
        """Note that a valid reading came with the counter."""
        self.counted_s, self.missing_since_s = now_s, None

    def note_missing(self, now_s: int) -> None:
        """Note that a valid reading came without the counter."""
        if self.missing_since_s is None and now_s != self.counted_s:
            self.missing_since_s = now_s

    def forget(self) -> None:
        """Forget what the counter has shown so far; the number of its resets, and what it may be behind, stay."""
        self.counter_wh = self.counted_s = self.missing_since_s = None
        self.away_s = 0
        self.suspect_wh = self.before_doubt = self.zero = self.below_since_s = None
        self.has_other_unit = False
        self.unit_change.forget()

    # Whether a reading is valid.

    def without_rounding(self, counter_wh: float) -> float:
        """Return a reading, Wh, or the last one if it falls from there no more than rounding explains."""
        before_wh = self.counter_wh
        if not self.rules.judges_each or before_wh is None or not 0 < before_wh - counter_wh <= ROUNDING_WH:
            return counter_wh
        return before_wh

    def check(self, counter_wh: float, seen: PowerSeen) -> CounterVerdict:
        """Return whether a reading, Wh, is valid, and note what it may mean for the next ones.

        It is valid, too, while it is not known yet what it means; see `is_unclear`.
        """
        if not 0 <= counter_wh <= MAX_COUNTER_WH:
            return CounterVerdict(f"counter of {counter_wh:g} Wh; expected 0 to {MAX_COUNTER_WH:g} Wh")
        if self.counter_wh is None or seen.until_s is None:
            return _VALID
        limit_wh = self._limit_wh(seen)
        problem = self._problem_in_other_unit(counter_wh, limit_wh, seen)
        if problem or self.is_unclear:
            return CounterVerdict(problem)
        before_doubt_wh = self.before_doubt.counter_wh if self.before_doubt is not None else None
        goes_on = _follows(self.suspect_wh, counter_wh, self._suspect_limit_wh(seen.now_s, limit_wh))
        if goes_on or _follows(before_doubt_wh, counter_wh, limit_wh):
            return _VALID
        return self._check_change(self.counter_wh, counter_wh, limit_wh, seen)

    @property
    def is_unclear(self) -> bool:
        """Whether the counter has fallen to a thousandth, and was reset, or counts in kWh instead of Wh since then."""
        return self.unit_change.fall is not None

    def spares_power(self, seen: PowerSeen) -> bool:
        """Return whether a wrong reading of the counter says nothing about the power beside it.

        A single report may be old, or of another device on the same topic, so that its power is wrong too. A counter
        that is not valid any more does not make all power wrong, nor one that may have lost something with its power.
        """
        is_absent = self._unread_s(seen.now_s) >= ABSENT_S
        first = self.unit_change.fall or self._possible_change
        is_in_other_unit = self.unit_change.since is not None or (first is not None and seen.now_s > first.at_s)
        was_away = self.rules.weighs_resets and self._away_until_s(seen) > 0
        return self.rules.judges_each and (is_absent or is_in_other_unit or was_away)

    def _limit_wh(self, seen: PowerSeen) -> float:
        """Return how much a meter can have counted since its last reading, Wh; a counter may be behind by minutes."""
        since_s = self.counted_s if self.rules.bridges_absence and self.counted_s is not None else seen.until_s
        if since_s is None:
            return 0.0
        if not self.rules.bounds_rises:
            return MAX_POWER_W * (seen.now_s - since_s + BEHIND_S) / _HOUR_S
        return MAX_POWER_W * (seen.now_s - since_s) / _HOUR_S + self.spare_wh

    def _check_change(self, before_wh: float, counter_wh: float, limit_wh: float, seen: PowerSeen) -> CounterVerdict:
        """Return whether a reading is valid after the last valid one, if it goes on from no other one."""
        now_s = seen.now_s
        possible_wh = _plausible_wh(self._unread_s(now_s), seen.most_w)
        # Without readings of power, nothing could show later which unit the counter counts in.
        if self.rules.knows_units and seen.power_w is not None:
            # What was drawn until now is no sign of the unit, above all if nothing was heard for hours.
            shown_wh = seen.drawn_wh + (seen.since_wh if self.rules.weighs_resets else 0.0)
            fall = self.unit_change.take_fall(
                now_s, before_wh, counter_wh, possible_wh=possible_wh, uncounted_wh=shown_wh
            )
            if fall is not None:
                return _VALID if fall.may_be_reset else CounterVerdict(problem_of_fall(before_wh, counter_wh))
        is_high = counter_wh > self._reset_limit_wh(limit_wh, seen)
        if counter_wh < before_wh and (RESET_BELOW * before_wh <= counter_wh or is_high):
            if counter_wh < RESET_BELOW * before_wh or self._stays_below(now_s):
                self._suspect(now_s, counter_wh)
            what = f"counter falls from {before_wh:.9g} to {counter_wh:.9g} Wh"
            return CounterVerdict(f"{what}; expected to rise, or to restart at 0")
        problem = problem_of_jump(before_wh, counter_wh, possible_wh) if self.rules.knows_units else ""
        if problem:
            self._suspect(now_s, counter_wh)
            self.has_other_unit = True
            return CounterVerdict(problem)
        if counter_wh - before_wh > limit_wh:
            return self._check_jump(before_wh, counter_wh, limit_wh, now_s)
        return _VALID

    def _check_jump(self, before_wh: float, counter_wh: float, limit_wh: float, now_s: int) -> CounterVerdict:
        """Return what is wrong with a counter that rises by more than any household can draw."""
        what, is_wild = f"counter jumps from {before_wh:.9g} to {counter_wh:.9g} Wh", False
        if self.rules.bounds_rises:
            is_wild = counter_wh - before_wh <= limit_wh + _BEHIND_WH - self.spare_wh
            if is_wild or self.suspect_wh is not None:
                what += " for a while now, as if it counted in Wh and not in kWh"
        self._suspect(now_s, counter_wh)
        return CounterVerdict(f"{what}; expected at most {limit_wh:.0f} Wh more", is_wild)

    def _suspect(self, now_s: int, counter_wh: float) -> None:
        if self.rules.passes_over:
            self.suspect_wh, self.doubtful_since_s, self.has_other_unit = counter_wh, now_s, False
        else:
            self.counter_wh = counter_wh

    def _stays_below(self, now_s: int) -> bool:
        """Return whether a counter has shown less than before for `STAYS_BELOW_S`, and note that it does.

        A plug that lost power may count on from what it had stored some time before.
        """
        if not self.rules.bounds_resets:
            return False
        if self.below_since_s is None:
            self.below_since_s = now_s
        return now_s - self.below_since_s >= STAYS_BELOW_S

    def _suspect_limit_wh(self, now_s: int, limit_wh: float) -> float:
        """Return how much a meter can have counted since the reading that no meter can have counted, Wh.

        Args:
            now_s: Virtual time, UNIX seconds.
            limit_wh: How much since its last valid reading, Wh.
        """
        if not self.rules.bounds_rises:
            return limit_wh
        return MAX_POWER_W * (now_s - self.doubtful_since_s) / _HOUR_S + self.spare_wh

    def _reset_limit_wh(self, limit_wh: float, seen: PowerSeen) -> float:
        """Return how much a meter can show that was reset since its last reading, Wh.

        A plug that lost power may show again what it had stored minutes before. If its counter is small, that looks
        like a reset, and all of it would be counted once more. So the time offline does not count: after a night, any
        counter would be small enough.

        Args:
            limit_wh: How much any meter can have counted since then, Wh.
            seen: What is known by power.
        """
        if not self.rules.bounds_resets or self.counted_s is None:
            return limit_wh
        away_s = self._away_until_s(seen) if self.rules.weighs_resets else 0
        return min(limit_wh, seen.most_w * (seen.now_s - self.counted_s - away_s) / _HOUR_S + STEP_WH)

    def _away_until_s(self, seen: PowerSeen) -> int:
        """Return for how long the device has been offline since its counter was last read, seconds."""
        return self.away_s + (seen.passed_s if seen.is_offline else 0)

    def _unread_s(self, now_s: int) -> int:
        """Return for how long the counter has not been read, seconds; 0 if it never was."""
        return 0 if self.counted_s is None else now_s - self.counted_s

    # Whether its unit is another one.

    @property
    def _possible_change(self) -> CounterReading | None:
        """The last reading, if it is what the counter shows if it has changed from kWh to Wh; None: it is not."""
        if self.suspect_wh is None or not self.has_other_unit:
            return None
        return CounterReading(self.doubtful_since_s, self.suspect_wh)

    def _problem_in_other_unit(self, counter_wh: float, limit_wh: float, seen: PowerSeen) -> str:
        """Return what is wrong with a reading if the counter has, or may have, changed its unit before."""
        if self.unit_change.fall is not None:
            return self._problem_since_fall(self.unit_change.fall, counter_wh, limit_wh, seen)
        changed = self._possible_change or self.unit_change.since
        if changed is None:
            return ""
        # If the device is declared in kWh, its counter runs 1000 times too fast from then on.
        passed_s = seen.now_s - changed.at_s
        return problem_since_jump(passed_s, counter_wh - changed.counter_wh, _plausible_wh(passed_s, seen.most_w))

    def _problem_since_fall(self, fall: CounterFall, counter_wh: float, limit_wh: float, seen: PowerSeen) -> str:
        """Return what is wrong with a reading after the counter fell to a thousandth; empty: nothing so far."""
        drawn_wh = seen.drawn_wh - fall.uncounted_wh + seen.since_wh
        goes_on = _follows(self.counter_wh, counter_wh, limit_wh)
        match "wrong reading" if goes_on else fall.judge(counter_wh, drawn_wh):
            case "wrong reading":
                self.unit_change.fall = None
            case "in kWh":
                return fall.problem(counter_wh, drawn_wh)
            case "reset":
                self.unit_change.fall, self.counter_wh, self.resets = None, 0.0, self.resets + 1
            case "in declared unit":
                self.unit_change.forget()
                self._suspect(fall.at_s, fall.counter_wh)
            case "unknown":
                pass
        return ""

    # What a valid reading says of those before.

    def repeats(self, counter_wh: float, now_s: int) -> bool:
        """Return whether a reading only repeats a doubtful one, so that it does not show whether that was wrong."""
        is_reset_again = self.before_doubt is not None and counter_wh == self.counter_wh
        is_recent = now_s <= self.doubtful_since_s + BEHIND_S
        return self.rules.knows_repeats and is_recent and (is_reset_again or counter_wh == self.suspect_wh)

    def step_to(self, counter_wh: float, seen: PowerSeen) -> CounterStep:
        """Return how a valid reading, Wh, is linked to those before, and doubt them no more."""
        now_s, most_w, limit_wh = seen.now_s, seen.most_w, self._limit_wh(seen)
        was_below = self._ends_below(now_s)
        suspect_wh, self.suspect_wh = self.suspect_wh, None
        doubt, self.before_doubt = self.before_doubt, None
        if doubt is not None and _follows(doubt.counter_wh, counter_wh, limit_wh):
            return CounterStep(doubt.counter_wh, back_to=doubt, was_below=was_below)
        if self.zero is not None and self._resumes(counter_wh, self.zero, now_s, most_w):
            before = self.zero.before
            return CounterStep(before.counter_wh, back_to=before, was_below=was_below)
        if (
            suspect_wh is not None
            and _follows(suspect_wh, counter_wh, self._suspect_limit_wh(now_s, limit_wh))
            and (self.has_other_unit or not _follows(self.counter_wh, counter_wh, limit_wh))
        ):
            return self._step_from(suspect_wh, most_w)
        before_wh = self.counter_wh
        is_reset = before_wh is not None and counter_wh < before_wh
        return CounterStep(before_wh, is_reset, was_below=was_below)

    def _step_from(self, suspect_wh: float, most_w: float) -> CounterStep:
        """Return the step to a reading that goes on from a suspect one: of another meter, or in another unit."""
        unknown_wh = self._unknown_wh(suspect_wh, most_w)
        if self.has_other_unit:
            self.unit_change.since = CounterReading(self.doubtful_since_s, suspect_wh)
        return CounterStep(suspect_wh, is_elsewhere=True, is_other_unit=self.has_other_unit, unknown_wh=unknown_wh)

    def _unknown_wh(self, suspect_wh: float, most_w: float) -> float:
        """Return what a device may have drawn while it was offline, if its counter may have been reset meanwhile, Wh.

        Args:
            suspect_wh: The counter when it was online again, from which it goes on, Wh.
            most_w: The most that the device can be expected to draw, W.
        """
        if not self.rules.weighs_resets or not self.away_s or self.counter_wh is None:
            return 0.0
        is_possible = suspect_wh < self.counter_wh and suspect_wh <= most_w * self.away_s / _HOUR_S
        return suspect_wh if is_possible else 0.0

    def _resumes(self, counter_wh: float, zero: ZeroCounter, now_s: int, most_w: float) -> bool:
        """Return whether a counter goes on from where it was before it showed 0, as after a bridge has lost its device.

        Args:
            counter_wh: The counter, which cannot have risen so much since it was last 0, Wh.
            zero: What it has shown until now.
            now_s: Virtual time, UNIX seconds.
            most_w: The most that the device can be expected to draw, W.
        """
        is_possible = counter_wh <= _plausible_wh(self._unread_s(now_s), most_w)
        most_wh = _plausible_wh(now_s - zero.since_s, most_w)
        return not is_possible and _follows(zero.before.counter_wh, counter_wh, most_wh)

    def _ends_below(self, now_s: int) -> bool:
        """Return whether the counter had shown slightly less than before for a while, and note that it does no more."""
        since_s, self.below_since_s = self.below_since_s, None
        return since_s is not None and now_s - since_s >= LATE_S

    def note_reset(self, before: CountBefore, counter_wh: float, now_s: int) -> bool:
        """Note that the counter was reset; return whether power shows what it has missed.

        After a long time without a reading, the last power says little of what was drawn.

        Args:
            before: What was metered until then.
            counter_wh: What the counter shows now, Wh.
            now_s: Virtual time, UNIX seconds.
        """
        self.before_doubt = before if self.rules.passes_over else None
        self.doubtful_since_s = now_s
        self.resets += 1
        self.unit_change.since = None
        if self.rules.weighs_resets and self.before_doubt is not None and not counter_wh:
            self.zero = ZeroCounter(now_s, self.before_doubt)
        return self.rules.weighs_resets and self.counted_s is not None and now_s - self.counted_s <= BEHIND_S

    def spend(self, rise_wh: float, now_s: int) -> bool:
        """Note a rise, Wh; return whether the counter had not risen faster than a household can draw until then."""
        spare_wh = self.spare_wh + MAX_POWER_W * self._unread_s(now_s) / _HOUR_S
        self.spare_wh = max(0.0, min(spare_wh, _BEHIND_WH) - rise_wh)
        return spare_wh >= _BEHIND_WH

    def doubt_rise(self, rise_wh: float, before: CountBefore, seen: PowerSeen) -> None:
        """Doubt a rise from `before`, Wh, if it is more than the device can be expected to have drawn."""
        if self.rules.bounds_rises and rise_wh > _plausible_wh(self._unread_s(seen.now_s), seen.most_w):
            self.before_doubt, self.doubtful_since_s = before, seen.now_s

    def stand_at(self, counter_wh: float) -> None:
        """Go on from a valid reading, Wh."""
        self.counter_wh, self.away_s = counter_wh, 0
        if counter_wh:
            self.zero = None


def _follows(before_wh: float | None, counter_wh: float, limit_wh: float) -> bool:
    """Return whether a counter can have risen from one reading to another."""
    return before_wh is not None and 0 <= counter_wh - before_wh <= limit_wh


def _plausible_wh(passed_s: int, most_w: float) -> float:
    """Return how much a device can be expected to have drawn in a time, Wh; its counter may be behind before it."""
    return most_w * (passed_s + BEHIND_S) / _HOUR_S
