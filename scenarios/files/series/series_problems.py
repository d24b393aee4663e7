"""Checks series of cumulative energy, and says what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np

from agents import MAX_DURATION_S, MAX_WH
from broker import plural
from scenarios.errors import Problem
from scenarios.files.times import MAX_TIME_S

MAX_PROBLEMS = 10
"""Problems reported per file; the rest are counted."""

_Number = TypeVar("_Number", int, float)


def cap_problems(problems: list[Problem], where: str) -> list[Problem]:
    """Return the first problems, and the number of the others as one more problem."""
    if len(problems) <= MAX_PROBLEMS:
        return problems
    more = len(problems) - MAX_PROBLEMS
    return [*problems[:MAX_PROBLEMS], Problem(where, and_more(more), count=more)]


def and_more(count: int) -> str:
    """Return the text that stands for problems that are only counted."""
    return f"and {plural(count, 'more problem')}"


def known(values: Iterable[_Number | None]) -> tuple[_Number, ...]:
    """Return the values that could be read."""
    return tuple(value for value in values if value is not None)


def problems_of_series(
    times_s: Sequence[int | None], energies_wh: Sequence[float | None], *, from_zero: bool, fewest: int = 2
) -> list[tuple[int | None, str]]:
    """Return the problems of a cumulative series: index of the point (None: the series as a whole) and text.

    Args:
        times_s: Time of each point, seconds; None if it could not be read, which has been reported already.
        energies_wh: Cumulative energy of each point, Wh; None if it could not be read.
        from_zero: Whether the first time has to be 0 s, as in a load profile.
        fewest: Number of points needed.
    """
    if len(times_s) < fewest:
        return [(None, f"at least two points are needed, found {'one' if times_s else 'none'}")]
    if is_sound(times_s, energies_wh, from_zero=from_zero):
        return []
    problems: list[tuple[int | None, str]] = []
    if from_zero and times_s[0] is not None and times_s[0] != 0:
        problems.append((0, f"the first point of a load profile is at 0 s, not at {times_s[0]} s"))
    for i, before_s, after_s in _steps(times_s):
        if after_s <= before_s:
            problems.append((i, f"the time {after_s} is not after {before_s}; times must increase"))
    for i, before_wh, after_wh in _steps(energies_wh):
        if after_wh < before_wh:
            problems.append(
                (i, f"{after_wh:g} Wh is less than {before_wh:g} Wh before; cumulative energy must not decrease")
            )
    problems += _out_of_range(energies_wh)
    last_s = times_s[-1]
    if from_zero and last_s is not None and last_s > MAX_DURATION_S:
        problems.append((len(times_s) - 1, f"a load profile lasts at most {MAX_DURATION_S} s, not {last_s} s"))
    if not problems and not all(0 <= time_s <= MAX_TIME_S for time_s in known(times_s)):
        problems.append((None, "times are expected between the years 1970 and 9999"))
    return problems


def _out_of_range(energies_wh: Sequence[float | None]) -> list[tuple[int | None, str]]:
    problems: list[tuple[int | None, str]] = [
        (i, f"{wh:g} Wh is out of range; at most {MAX_WH:g} are possible")
        for i, wh in enumerate(energies_wh)
        if wh is not None and not abs(wh) <= MAX_WH
    ]
    known_wh = known(energies_wh)
    if not problems and known_wh and known_wh[-1] - known_wh[0] > MAX_WH:
        what = f"{known_wh[-1] - known_wh[0]:g} Wh in all are out of range; at most {MAX_WH:g} are possible"
        problems.append((len(energies_wh) - 1, what))
    return problems


def is_sound(times_s: Sequence[int | None], energies_wh: Sequence[float | None], *, from_zero: bool) -> bool:
    """Return whether a series has no problem; vectorised, because a year of minutes has half a million points.

    Args:
        times_s: UNIX seconds, or seconds from the start of a run; None: not readable.
        energies_wh: Cumulative energy at these times, Wh; None: not readable.
        from_zero: Whether the first time has to be 0.
    """
    if len(times_s) < 2 or None in times_s or None in energies_wh:
        return False
    try:
        times, energies = np.array(times_s, dtype=np.int64), np.array(energies_wh, dtype=np.float64)
    except OverflowError:  # a whole number can be of any size
        return False
    last_s = MAX_DURATION_S if from_zero else MAX_TIME_S
    return bool(
        len(times) == len(energies)
        and (times[0] == 0 if from_zero else times[0] >= 0)
        and times[-1] <= last_s
        and (times[1:] > times[:-1]).all()
        and (energies[1:] >= energies[:-1]).all()
        and (np.abs(energies) <= MAX_WH).all()
        and energies[-1] - energies[0] <= MAX_WH
    )


def _steps(values: Sequence[_Number | None]) -> Iterator[tuple[int, _Number, _Number]]:
    """Yield, for each known value but the first: its index, the known value before it, and itself."""
    places = [(i, value) for i, value in enumerate(values) if value is not None]
    for (_, before), (i, after) in pairwise(places):
        yield i, before, after
