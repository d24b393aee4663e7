"""The production that a producer expects: its newest forecasts, as issued or corrected, less what its own house uses.

A forecast may be corrected by what the roof has produced so far (`forecast: corrected`). Every half-hour the producer
reads its inverter's counter. If each of the last two hours differed from its forecast in the same direction, the
smaller difference is taken as the present error of the forecast. The error is assumed to fade within eight hours. This
combines persistence with the forecast. A difference in one hour only is taken for a passing cloud, which no forecast
predicts to the minute. A correction is published only if it changes by `LEAST_ERROR` or more, because each one makes
jobs move: corrections of a few percent, at every reading, or by the last hour alone, lose what they gain
(`benchmarks/README.md`). So forecasts that are nearly right stay as they are.

A producer reads only what its counter shows at the time, so it learns nothing of the future.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from agents.energy import CumulativeSeries, FloatArray, Outlook, Prediction, Production

PAST_KEPT_S = 86_400
"""How much of the past a producer remembers, seconds: a forecast issued during a day may begin at midnight."""

READ_EVERY_S = 1_800
"""Interval between readings, at full half-hours, seconds."""
WINDOW_S = 3_600
"""Length of each of the two periods that are compared with the forecast, seconds."""
FADE_S = 28_800
"""Time after a correction at which the forecast applies in full again, seconds."""
LEAST_ERROR = 0.1
"""Smallest change of the correction that leads to a new one, and so the smallest relative error that is corrected."""
_ROUNDING = 1e-9
"""Without it, 10 % less would not be corrected, but 10 % more would: 1 - 0.9 is less than 0.1 in floating point."""
LEAST_SHARE = 0.3
"""The last hour is not compared if its forecast was below this share of the peak of the next two hours: at dawn, the
difference says little about noon."""
LEAST_SHARE_BEFORE = 0.05
"""The same limit for the hour before."""
SHARES = (0.1, 3.0)
"""Lower and upper bound of production relative to the forecast; a value beyond them counts as the bound."""
_AHEAD_S = 7_200
_STEP_S = 900


class ProductionCounter(Protocol):
    """The counter of a simulated roof's inverter."""

    @property
    def production(self) -> Production | None:
        """What the roof produces, of which a producer reads the part that has passed; None: what it forecasts."""
        ...

    @property
    def differs_from_s(self) -> int:
        """From when on it may differ from the forecasts, UNIX seconds."""
        ...

    def follow(self, event: Mapping[str, Any], at_s: int) -> None:
        """Count what the roof produces after an event that was not known before the run.

        Args:
            event: See `agents.messages.ProductionChanged`.
            at_s: When it takes place, UNIX seconds.

        Raises:
            ValueError: The event does not change what this roof produces.
        """
        ...


class ExpectedProduction:
    """The forecasts of one producer, of which it has adopted those that have been issued."""

    __slots__ = (
        "_correction",
        "_counter",
        "_next_reading_s",
        "_own_use",
        "_to_be_issued",
        "adopted",
        "newest",
        "outlook",
    )

    def __init__(
        self, predictions: Sequence[Prediction], own_use: CumulativeSeries | None, counter: ProductionCounter | None
    ) -> None:
        """Create the expectation of a producer that has adopted no forecast.

        Args:
            predictions: Forecasts in the order of issue.
            own_use: The part of its house's base load that the producer serves, at UNIX seconds; None: none.
            counter: The counter by which forecasts are corrected; None: forecasts are used as issued.
        """
        self._to_be_issued = list(predictions)
        self._own_use = own_use
        self._counter = counter
        self._correction = None if counter is None else ForecastCorrection(counter.production, counter.differs_from_s)
        self._next_reading_s: int | None = None
        self.outlook: Outlook | None = None
        """The expected production, with a day of the past; None: no forecast has been adopted yet."""
        self.newest: Prediction | None = None
        """The forecast adopted last, less the own use."""
        self.adopted = 0
        """How many forecasts were adopted."""

    @property
    def next_timer_s(self) -> int | None:
        """When the next forecast is issued or the counter is to be read, UNIX seconds; None: never."""
        next_issue_s = self._to_be_issued[0].issued_s if self._to_be_issued else None
        due_s = [time_s for time_s in (next_issue_s, self._next_reading_s) if time_s is not None]
        return min(due_s, default=None)

    def is_due(self, now_s: int) -> bool:
        """Return whether a forecast has been issued and not been taken."""
        return bool(self._to_be_issued) and self._to_be_issued[0].issued_s <= now_s

    def take_due(self) -> Prediction:
        """Remove the next forecast and return it, as issued."""
        return _apart(self._to_be_issued.pop(0))

    def discard_later(self) -> None:
        """Discard all forecasts that have not been taken."""
        self._to_be_issued.clear()

    def read_counter(self, now_s: int, *, is_there: bool) -> Production | None:
        """Read the counter if a reading is due; return the corrected forecast, or None if it stays as it is.

        Args:
            now_s: Present time, UNIX seconds.
            is_there: Whether the producer takes part; otherwise nothing is corrected.
        """
        if self._correction is None or self._next_reading_s is None or now_s < self._next_reading_s:
            return None
        corrected = self._correction.take_reading(now_s) if is_there else None
        self._next_reading_s = self._correction.next_reading_s(now_s)
        return corrected

    def corrected(self, issued: Prediction, now_s: int) -> Prediction:
        """Return a new forecast, corrected if this producer corrects its forecasts.

        Args:
            issued: The forecast as issued.
            now_s: Present time, UNIX seconds.
        """
        if self._correction is None:
            return issued
        production = self._correction.take_forecast(now_s, issued.production)
        self._next_reading_s = self._correction.next_reading_s(now_s)
        return issued.model_copy(update={"production": production})

    def adopt(self, prediction: Prediction, now_s: int) -> Prediction:
        """Expect what a forecast says from now on; return the forecast less the own use.

        Args:
            prediction: The forecast, corrected if it is to be.
            now_s: Present time, UNIX seconds.
        """
        if self._own_use is not None:
            prediction = prediction.model_copy(update={"production": prediction.production.less(self._own_use)})
        newer = prediction.production
        self.adopted += 1
        self.newest = prediction
        known = Outlook.of(newer) if self.outlook is None else self.outlook.continued_by(newer)
        self.outlook = known.since(now_s - PAST_KEPT_S)
        return prediction

    def follow(self, event: Mapping[str, Any], now_s: int) -> None:
        """Let the counter follow an event that was not known before the run.

        Args:
            event: See `agents.messages.ProductionChanged`.
            now_s: Present time, UNIX seconds.

        Raises:
            ValueError: The event does not change what this producer's counter counts.
        """
        if self._counter is None or self._correction is None:
            raise ValueError("the forecasts of this producer are not corrected")
        self._counter.follow(event, now_s)
        self._correction.count(self._counter.production, self._counter.differs_from_s)
        self._next_reading_s = self._correction.next_reading_s(now_s)

    def start_over(self, now_s: int) -> None:
        """Correct nothing by the time before now, in which the producer took no part."""
        if self._correction is not None:
            self._correction.start_over(now_s)


def _apart(prediction: Prediction) -> Prediction:
    """Return a copy that shares its points, but not the arrays that are made of them: the scenario keeps the original.

    The arrays of a day of minutes take 23 kB, and only the newest forecast needs them.
    """
    return prediction.model_copy(update={"production": prediction.production.model_copy()})


class ForecastCorrection:
    """The forecasts of one roof, corrected by its counter."""

    def __init__(self, counter: Production | None, differs_from_s: int = 0) -> None:
        """Create a correction that has read nothing.

        Args:
            counter: See `count`.
            differs_from_s: See `count`.
        """
        self.count(counter, differs_from_s)
        self._in_force: Outlook | None = None
        """What was forecast for each moment when it came."""
        self._since_s = 0
        """From when on production can be compared, UNIX seconds."""
        self._share = 1.0
        """Production relative to the forecast, when last corrected; 1: the forecast is not corrected."""
        self._corrected_s = 0

    def count(self, counter: Production | None, differs_from_s: int) -> None:
        """Read another production from now on.

        Args:
            counter: The roof's production, of which only the part that has passed is read; None: what it forecasts, so
                there is nothing to correct.
            differs_from_s: From when on it may differ from the forecasts; nothing is read before, UNIX seconds.
        """
        self._counter = counter
        self._differs_from_s = differs_from_s

    def start_over(self, now_s: int) -> None:
        """Ignore the time before now, in which the roof took no part."""
        self._since_s = now_s

    def next_reading_s(self, now_s: int) -> int | None:
        """Return when to read next, UNIX seconds: at the first full half-hour after production is expected.

        Args:
            now_s: Present time, UNIX seconds.

        Returns:
            None: no production is expected any more, or there is no counter to read.
        """
        if self._in_force is None or self._counter is None:
            return None
        times_s, cumulative_wh = self._in_force.times_s, self._in_force.cumulative_wh
        steps = np.flatnonzero((times_s[1:] > now_s) & (np.diff(cumulative_wh) > 0.0))
        if not len(steps):
            return None
        return (max(now_s, int(times_s[steps[0]])) // READ_EVERY_S + 1) * READ_EVERY_S

    def take_forecast(self, now_s: int, issued: Production) -> Production:
        """Take a new forecast; return it, corrected.

        The present correction still applies, unless the new forecast already contains it.
        """
        ahead = issued.start_s <= now_s < issued.end_s
        if self._in_force is not None and ahead:
            share = self._share_at(now_s)
            window_s = [float(now_s), float(min(now_s + WINDOW_S, issued.end_s))]
            before_wh = self._in_force.energy_per_bin_wh(window_s).item()
            after_wh = issued.energy_per_bin_wh(window_s).item()
            if share != 1.0 and before_wh > 0.0 and after_wh > 0.0:
                left = float(np.clip(share * before_wh / after_wh, min(share, 1.0), max(share, 1.0)))
                self._share, self._corrected_s = round(left, 2), now_s
        rest = _rest(Outlook.of(issued), now_s) if issued.start_s < now_s else issued
        if rest is None:
            return issued
        in_force = Outlook.of(rest) if self._in_force is None else self._in_force.continued_by(rest)
        self._in_force = in_force.since(now_s - 2 * WINDOW_S)
        return self._corrected(issued, now_s)

    def take_reading(self, now_s: int) -> Production | None:
        """Read the counter; return the corrected forecast from now on, or None if the forecast stays as it is."""
        outlook, counter = self._in_force, self._counter
        if counter is None or now_s < self._differs_from_s:
            return None
        share = None if outlook is None else self._persistent_share(outlook, counter, now_s)
        if outlook is None or share is None or abs(share - self._share_at(now_s)) < LEAST_ERROR - _ROUNDING:
            return None
        rest = None if _is_dawn(outlook, now_s) else _rest(outlook, now_s)
        if rest is None:
            return None
        self._share, self._corrected_s = share, now_s
        return self._corrected(rest, now_s)

    def _persistent_share(self, outlook: Outlook, counter: Production, now_s: int) -> float | None:
        """Return the production that both of the last two hours show, relative to the forecast; None: not known."""
        if now_s - 2 * WINDOW_S < max(self._since_s, outlook.start_s):
            return None
        hours_s = _last_two_hours_s(now_s)
        expected_wh: list[float] = outlook.energy_per_bin_wh(hours_s).tolist()
        if min(expected_wh) <= 0.0:
            return None
        produced_wh: list[float] = counter.energy_per_bin_wh(hours_s).tolist()
        least, most = SHARES
        before, last = (
            min(max(wh / expected, least), most) - 1.0 for wh, expected in zip(produced_wh, expected_wh, strict=True)
        )
        return round(1.0 + min(before, last, key=abs), 2) if before * last > 0.0 else 1.0

    def _share_at(self, time_s: int) -> float:
        """Return the factor that applies to the forecast at a time."""
        return 1.0 if self._share == 1.0 else self._shares_at(np.array([float(time_s)])).item()

    def _shares_at(self, times_s: FloatArray) -> FloatArray:
        """Return the factor that applies to the forecast at each time, shape (times,)."""
        left = np.clip(1.0 - (times_s - self._corrected_s) / FADE_S, 0.0, 1.0)
        return np.asarray(1.0 + (self._share - 1.0) * left, dtype=np.float64)

    def _corrected(self, production: Production, now_s: int) -> Production:
        """Return a forecast with the correction applied from now on."""
        end_s = self._corrected_s + FADE_S
        if self._share == 1.0 or end_s <= max(production.start_s, now_s) or production.end_s <= now_s:
            return production
        times_s = production.times_array
        grid_s = np.arange(now_s, end_s + 1, _STEP_S, dtype=np.float64)
        times_s = np.union1d(times_s, grid_s[(grid_s > times_s[0]) & (grid_s < times_s[-1])])
        shares = np.where(times_s[:-1] >= now_s, self._shares_at((times_s[:-1] + times_s[1:]) / 2), 1.0)
        return _production(times_s, np.diff(production.energy_until_wh(times_s)) * shares)


def _last_two_hours_s(now_s: int) -> list[float]:
    """Return the edges of the last two hours, UNIX seconds."""
    return [float(now_s - 2 * WINDOW_S), float(now_s - WINDOW_S), float(now_s)]


def _is_dawn(outlook: Outlook, now_s: int) -> bool:
    """Return whether less was forecast for one of the last two hours than can be compared, or nothing is ahead."""
    ahead_s = np.arange(now_s, now_s + _AHEAD_S + 1, _STEP_S, dtype=np.float64)
    most_wh = float(outlook.energy_per_bin_wh(ahead_s).max()) * WINDOW_S / _STEP_S
    expected_wh = outlook.energy_per_bin_wh(_last_two_hours_s(now_s))
    least_wh = np.array([LEAST_SHARE_BEFORE, LEAST_SHARE]) * most_wh
    return not most_wh or bool((expected_wh <= least_wh).any())


def _rest(outlook: Outlook, now_s: int) -> Production | None:
    """Return what is expected from now on; None if the outlook has ended."""
    if outlook.end_s <= now_s:
        return None
    times_s = np.concatenate([[float(now_s)], outlook.times_s[outlook.times_s > now_s]])
    if outlook.start_s > now_s:
        times_s = times_s[1:]
    return _production(times_s, np.diff(np.interp(times_s, outlook.times_s, outlook.cumulative_wh)))


def _production(times_s: FloatArray, energies_wh: FloatArray) -> Production:
    cumulative_wh = np.concatenate([[0.0], np.cumsum(np.maximum(energies_wh, 0.0))])
    return Production(times_s=tuple(times_s.astype(np.int64).tolist()), cumulative_wh=tuple(cumulative_wh.tolist()))
