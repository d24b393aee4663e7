"""PySSMic forecasts: rows of cumulative energy, and what they imply for the time before the first row.

Each value is the energy up to its row, so the first value is the energy of a step that has no row at its beginning.
That step has the length of the other steps of the file. Three cases are distinguished:

- `step`: the first value is the energy of the step before the first row.
- `begins`: the first value is 0, which does not imply a step without production. The forecast begins at its first row,
  or at the time of issue if that is later.
- `counter`: the first value is far more than any step of the file, or negative. It is then a meter reading, and only
  differences count. If the first row is after the time of issue, the step before it has the power of the step after.

A single row has no differences that could show that it is a meter reading. It counts as the energy since the time of
issue, which a note says, unless no roof can produce so much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from agents import Production
from broker import first_few

Beginning = Literal["step", "begins", "counter"]

MANY = 10
"""A first value of more than this many times the largest step is a meter reading."""

MAX_SINGLE_ROW_W = 100_000.0
"""A single row of more than this mean power is a meter reading."""

_USUAL_STEP_S = 3600
_UNITS = ((86_400, "day", "days"), (3600, "h", "h"), (60, "min", "min"), (1, "s", "s"))


@dataclass(frozen=True, slots=True)
class Forecast:
    """A forecast, completed by the time before its first row."""

    production: Production
    beginning: Beginning
    step_s: int
    """Length of the step before the first row, seconds."""
    first_wh: float
    """The first value in the file, Wh."""
    is_single: bool = False
    """Whether the file has no other value."""


def fewest_rows(first_s: int | None, issued_s: int | None) -> int:
    """Return how many rows a forecast needs; a single one suffices if it is after the time of issue."""
    return 1 if first_s is not None and issued_s is not None and issued_s < first_s else 2


def problem_of_single_row(time_s: int, energy_wh: float, issued_s: int) -> str:
    """Return what is wrong with a forecast that has only one row; empty: nothing.

    Args:
        time_s: Its time, UNIX seconds, after the time of issue.
        energy_wh: Its value, Wh.
        issued_s: Time of issue, UNIX seconds.
    """
    mean_w = energy_wh * 3600 / (time_s - issued_s)
    if mean_w <= MAX_SINGLE_ROW_W:
        return ""
    what = f"its only value, {energy_wh:,.15g} Wh, would be a mean of {mean_w / 1000:,.0f} kW since the time of issue"
    return f"{what}; at most {MAX_SINGLE_ROW_W / 1000:g} kW are expected. A counter's reading needs a second row"


def make_forecast(times_s: Sequence[int], cumulative_wh: Sequence[float], issued_s: int) -> Forecast:
    """Return the forecast that rows describe.

    Args:
        times_s: UNIX seconds, rising; at least `fewest_rows` of them.
        cumulative_wh: Energy up to each time, Wh, non-decreasing.
        issued_s: Time of issue, UNIX seconds.
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
    forecast = _forecast(times_s, cumulative_wh, before_s, first_wh, "step", step_s)
    return replace(forecast, is_single=len(times_s) == 1)


def _largest_wh(steps_s: Sequence[int], steps_wh: Sequence[float], step_s: int) -> float:
    """Return the largest energy of a step, Wh, as it is in the file or scaled to the usual step length."""
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
    """Return what was assumed for the time before first rows, one sentence per kind of assumption.

    PySSMic's own forecasts are hourly, so an hour before the first row is not an assumption.

    Args:
        forecasts: Name of the file or table, and forecast.
    """
    steps: dict[int, list[str]] = {}
    begin: list[str] = []
    counters: list[str] = []
    single: list[str] = []
    for name, forecast in forecasts:
        if forecast.is_single:
            single.append(f"{name} ({forecast.first_wh:,.15g} Wh)")
        elif forecast.beginning == "step":
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
    notes = [f"{what} {duration(step_s)} before the first row: {first_few(steps[step_s])}" for step_s in sorted(steps)]
    if single:
        what = "the only value is taken as the energy since the time of issue, and not as a counter's reading"
        notes.append(f"{what}: {first_few(single)}")
    if begin:
        notes.append(f"the first value is 0, so the forecast is taken to begin there: {first_few(begin)}")
    if counters:
        what = (
            "the first value is far more than any step gives, or below 0, so it is taken as a counter's initial reading"
        )
        notes.append(f"{what}, and only differences count: {first_few(counters)}")
    return notes


def duration(seconds: int) -> str:
    """Return a duration in words: `15 min`, `1 h`, `1 day`, `1 h 30 min`."""
    words = []
    for size_s, one, more in _UNITS:
        count, seconds = divmod(seconds, size_s)
        if count:
            words.append(f"{count} {one if count == 1 else more}")
    return " ".join(words) or "0 s"
