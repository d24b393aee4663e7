"""A PySSMic forecast: rows of cumulative energy, and what they say of the time before the first of them.

Each value is the energy up to its row, so the first one is the energy of a step that has no row at its beginning. The
step is the file's own, and three cases are told apart:

- `step`: the first value is the energy of the step before the first row.
- `begins`: a first value of 0 makes no step of darkness. The forecast begins at its first row or, where that comes
  later, when it is issued.
- `counter`: no step of the file gives anywhere near the first value, or it is below 0. Then a meter was read that
  stood there before, and only differences count. Where the first row comes after the time of issue, the step before
  it gives as much as the step after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from agents import Production

Beginning = Literal["step", "begins", "counter"]

MANY = 10
"""A first value of more than this many of the file's largest steps is the reading of a counter."""

_SHOWN = 3
_USUAL_STEP_S = 3600
_UNITS = ((86_400, "day", "days"), (3600, "h", "h"), (60, "min", "min"), (1, "s", "s"))


@dataclass(frozen=True, slots=True)
class Forecast:
    """A forecast with the time before its first row made up for."""

    production: Production
    beginning: Beginning
    step_s: int
    """Length of the step before the first row, seconds."""
    first_wh: float
    """The first value as the file has it."""


def fewest_rows(first_s: int | None, issued_s: int | None) -> int:
    """Return how many rows a forecast needs: one is enough where it comes after the time of issue."""
    return 1 if first_s is not None and issued_s is not None and issued_s < first_s else 2


def make_forecast(times_s: Sequence[int], cumulative_wh: Sequence[float], issued_s: int) -> Forecast:
    """Return the forecast that rows describe.

    Args:
        times_s: UNIX seconds, rising; at least `fewest_rows` of them.
        cumulative_wh: Energy up to each time, Wh, never falling.
        issued_s: When the producer learns of it, UNIX seconds.
    """
    steps_s = [after_s - before_s for before_s, after_s in pairwise(times_s)]
    steps_wh = [after_wh - before_wh for before_wh, after_wh in pairwise(cumulative_wh)]
    first_s, first_wh = times_s[0], cumulative_wh[0]
    # A gap in a file does not say how long its steps are, so the most frequent one counts.
    step_s = Counter(steps_s).most_common(1)[0][0] if steps_s else first_s - issued_s
    before_s = max(first_s - step_s, 0)
    from_issue_s = min(first_s, max(before_s, issued_s))
    if first_wh == 0:
        return _forecast(times_s, cumulative_wh, from_issue_s, 0.0, "begins", step_s)
    if first_wh < 0 or (steps_s and first_wh > MANY * _largest_wh(steps_s, steps_wh, step_s)):
        power_w = steps_wh[0] * 3600 / steps_s[0] if steps_s else 0.0
        step_wh = power_w * (first_s - from_issue_s) / 3600
        relative_wh = [wh - first_wh + step_wh for wh in cumulative_wh]
        return _forecast(times_s, relative_wh, from_issue_s, first_wh, "counter", step_s)
    return _forecast(times_s, cumulative_wh, before_s, first_wh, "step", step_s)


def _largest_wh(steps_s: Sequence[int], steps_wh: Sequence[float], step_s: int) -> float:
    """Return the most energy of one step, Wh, as the file has them and at the file's usual length."""
    return max(max(wh, wh * step_s / length_s) for length_s, wh in zip(steps_s, steps_wh, strict=True))


def _forecast(
    times_s: Sequence[int],
    cumulative_wh: Sequence[float],
    begin_s: int,
    first_wh: float,
    beginning: Beginning,
    step_s: int,
) -> Forecast:
    times, energies = tuple(times_s), tuple(cumulative_wh)
    if begin_s < times[0]:
        times, energies = (begin_s, *times), (0.0, *energies)
    return Forecast(Production(times_s=times, cumulative_wh=energies), beginning, step_s, first_wh)


def forecast_notes(forecasts: Iterable[tuple[str, Forecast]]) -> list[str]:
    """Return what was assumed of the time before first rows, one sentence for all forecasts of a kind.

    PySSMic's own forecasts are hourly, so an hour before the first row is no assumption.

    Args:
        forecasts: Each with the name of its file or table.
    """
    steps: dict[int, list[str]] = {}
    begin: list[str] = []
    counters: list[str] = []
    for name, forecast in forecasts:
        if forecast.beginning == "step":
            if forecast.step_s == _USUAL_STEP_S:
                # So the format says: nothing is assumed.
                continue
            steps.setdefault(forecast.step_s, []).append(name)
        elif forecast.beginning == "begins":
            begin.append(name)
        else:
            shown = f"{name} ({forecast.first_wh:,.15g} Wh)"
            counters.append(shown)
    what = "the first value is taken as the energy of the"
    notes = [f"{what} {duration(step_s)} before the first row: {listed(steps[step_s])}" for step_s in sorted(steps)]
    if begin:
        notes.append(f"the first value is 0, so the forecast is taken to begin there: {listed(begin)}")
    if counters:
        what = "the first value is far more than any step gives, or below 0, so it is taken as where a counter stood"
        notes.append(f"{what}, and only differences count: {listed(counters)}")
    return notes


def duration(seconds: int) -> str:
    """Return a duration as people say it: `15 min`, `1 h`, `1 day`, `1 h 30 min`."""
    words = []
    for size_s, one, more in _UNITS:
        count, seconds = divmod(seconds, size_s)
        if count:
            words.append(f"{count} {one if count == 1 else more}")
    return " ".join(words) or "0 s"


def listed(names: Iterable[str], show: Callable[[str], str] = str) -> str:
    """Return the first few different names, and how many more there are."""
    different = list(dict.fromkeys(names))
    shown = ", ".join(show(name) for name in different[:_SHOWN])
    return shown if len(different) <= _SHOWN else f"{shown} and {len(different) - _SHOWN} more"
