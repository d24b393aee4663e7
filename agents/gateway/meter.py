"""Energy by the readings of a real meter: a counter that may be reset or run wild, or power readings only."""

from __future__ import annotations

from dataclasses import dataclass, field

from agents.gateway.counter_history import ABSENT_S, MAX_COUNTER_WH, MAX_POWER_W, CountBefore, CounterHistory, PowerSeen
from agents.gateway.counter_unit import CounterUnit
from agents.gateway.device_rules import MeterRules
from agents.gateway.several_meters import SeveralMeters

PLAUSIBLE_FACTOR = 2.0
"""A device draws at most this many times the power that it has shown, or that its jobs are planned with."""
LEAST_PLAUSIBLE_W = 3680.0
"""Every device may draw what a household socket supplies, W."""
_HOUR_S = 3600


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
    at_s: int | None = None
    """Virtual time of the last reading, UNIX seconds."""
    planned_w: float = 0.0
    """Highest power that its device's jobs are planned with, W."""
    unknown_wh: float = 0.0
    """How much more may have been drawn while the device was offline, and no counter shows it, Wh."""
    has_taken: bool = False
    """Whether anything of the last reading was valid."""
    _uncounted_wh: float = 0.0
    """Energy by readings of power since the counter was last read, Wh."""
    _ahead_wh: float = 0.0
    """Part of `energy_wh` that was counted by power, and not by the counter yet, Wh."""
    _highest_w: float = 0.0
    """Highest power read so far, W."""
    _is_offline: bool = False
    """Whether the device is offline."""
    _gap_s: int = 0
    """How long it was offline since the last reading of power, seconds."""
    _offline_wh: float = 0.0
    """Part of `_uncounted_wh` that was added for the time offline, Wh."""
    _by_power_wh: float = 0.0
    """Energy by readings of power in all, Wh."""
    _power_read_s: int = 0
    """When power was last read, UNIX seconds."""
    _unit_problem: str = ""
    """What is wrong with the unit of the counter."""
    _steady_wh: float = 0.0
    """`energy_wh` before its counter began to rise by more than a household can draw, Wh."""
    _counter: CounterHistory = field(init=False)
    """What its counter has shown so far."""
    _several: SeveralMeters = field(init=False)
    """Notices readings of other meters on the same topic."""
    _unit: CounterUnit = field(default_factory=CounterUnit)
    """Notices a counter in another unit than it is declared in."""

    def __post_init__(self) -> None:
        self._counter = CounterHistory(self.rules)
        self._several = SeveralMeters(knows_old_repeats=self.rules.knows_old_repeats)

    @property
    def counter_wh(self) -> float | None:
        """The last valid reading of the counter, Wh; None: there is no counter."""
        return self._counter.counter_wh

    @property
    def resets(self) -> int:
        """How often the counter was reset, as far as is known."""
        return self._counter.resets

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
        before = self._counter.before_doubt
        return before is not None and self.energy_wh > before.energy_wh

    def has_counted(self, now_s: int) -> bool:
        """Return whether the counter was read at a time, the last one, and nothing can show later that it was wrong."""
        return self._counter.counted_s == now_s and self._counter.suspect_wh is None and not self.is_doubtful

    @property
    def counts_power(self) -> bool:
        """Whether energy is metered by power: there is no counter, or it is absent."""
        if self.counter_wh is None:
            return True
        return self.rules.bridges_absence and self.at_s is not None and self._counter.is_absent(self.at_s)

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
        problem_of_counter = ""
        seen = self._power_seen(now_s)
        if counter_wh is not None:
            counter_wh = self._counter.without_rounding(counter_wh)
            problem_of_counter = self._check_counter(counter_wh, seen)
            if problem_of_counter:
                power_w, counter_wh = power_w if self._counter.spares_power(seen) else None, None
            elif self._counter.is_unclear:
                counter_wh = None
        self.has_taken = power_w is not None or counter_wh is not None
        if self.has_taken or not (problem or problem_of_counter):
            self._take_valid(power_w, counter_wh, seen)
        return problem or problem_of_source or problem_of_unit or problem_of_counter

    def _power_seen(self, now_s: int) -> PowerSeen:
        """Return what is known of the device by its power when it is read."""
        return PowerSeen(now_s, self.at_s, self.power_w, self._is_offline, self._shown_wh, self._most_w)

    def _check_counter(self, counter_wh: float, seen: PowerSeen) -> str:
        """Return what is wrong with a reading of the counter, Wh; empty: nothing. Take back what has run wild."""
        verdict = self._counter.check(counter_wh, seen)
        if verdict.is_wild:
            self.energy_wh = min(self.energy_wh, self._steady_wh)
        return verdict.problem

    def _check_source(self, now_s: int, counter_wh: float | None) -> tuple[bool, str]:
        """Return whether a reading is of another meter than the device's own, and what is wrong; empty: nothing."""
        several = self._several
        if not self.rules.knows_several or counter_wh is None or not 0 <= counter_wh <= MAX_COUNTER_WH:
            return False, ""
        was_one = several.own is None
        is_other = several.take(now_s, counter_wh, self.energy_wh, self._most_w)
        own = several.own
        if own is None:
            if not was_one:
                self._forget_counter()  # another meter is left, which counts from now on
            return False, ""
        if was_one:
            self._forget_counter()
            self.energy_wh, self._counter.counter_wh, self._counter.counted_s = own.energy_wh, own.counter_wh, own.at_s
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
        self._counter.forget()
        self._uncounted_wh = self._offline_wh = self._ahead_wh = 0.0

    def _take_valid(self, power_w: float | None, counter_wh: float | None, seen: PowerSeen) -> None:
        now_s = seen.now_s
        self._integrate(now_s)
        self.at_s = now_s
        if power_w is not None:
            self._end_gap(power_w)
        if counter_wh is not None:
            self._count(counter_wh, seen)
            self._counter.note_read(now_s)
        else:
            self._counter.note_missing(now_s)
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
            self._counter.away_s += now_s - self.at_s
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
            has_fallen = self._counter.below_since_s is not None  # so it had no power while it was offline
            drawn_wh = self._shown_wh if has_fallen else self._uncounted_wh
            more_wh = max(0.0, drawn_wh - self._ahead_wh)
            self.energy_wh += more_wh
            self._ahead_wh += more_wh

    @property
    def _shown_wh(self) -> float:
        """Energy by power since the counter was last read, Wh, without what is only assumed of the time offline."""
        return self._uncounted_wh - self._offline_wh if self.rules.weighs_resets else self._uncounted_wh

    def _count(self, counter_wh: float, seen: PowerSeen) -> None:
        """Add what a valid reading of the counter, Wh, shows, and take back what was wrong before."""
        counter, now_s = self._counter, seen.now_s
        if counter.repeats(counter_wh, now_s):
            return
        step = counter.step_to(counter_wh, seen)
        if step.back_to is not None:
            self.energy_wh, self._ahead_wh = step.back_to.energy_wh, step.back_to.ahead_wh
        if step.has_lost:
            self._count_lost(is_other_unit=step.is_other_unit)
        self.unknown_wh += step.unknown_wh
        if step.before_wh is not None and step.is_reset:
            before = CountBefore(step.before_wh, self.energy_wh, self._ahead_wh)
            if counter.note_reset(before, counter_wh, now_s):
                self._count_lost()
        self._uncounted_wh = self._offline_wh = 0.0
        if step.from_wh is not None:
            rise_wh = counter_wh - step.from_wh
            if counter.spend(rise_wh, now_s):
                self._steady_wh = self.energy_wh
            if step.goes_on:
                before = CountBefore(step.from_wh, self.energy_wh, self._ahead_wh)
                counter.doubt_rise(rise_wh, before, seen)
            self.energy_wh += max(0.0, rise_wh - self._ahead_wh)
            self._ahead_wh = max(0.0, self._ahead_wh - rise_wh) if step.includes_ahead else 0.0
        counter.stand_at(counter_wh)

    def _count_lost(self, *, is_other_unit: bool = False) -> None:
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


def at_most(points: list[tuple[int, float]], most_wh: float) -> list[tuple[int, float]]:
    """Return points of metered energy, none of which is above what has been metered in the end.

    Args:
        points: Times, seconds, and the energy until then, Wh, which never falls.
        most_wh: Metered in the end, Wh: less than the last point if a reading before it was wrong.
    """
    if not points or points[-1][1] <= most_wh:
        return points
    return [(at_s, min(wh, most_wh)) for at_s, wh in points]
