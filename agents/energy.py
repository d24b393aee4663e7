"""Energy over time: load profiles and forecasts as cumulative Wh, piecewise linear.

Power is constant between two points and zero outside them. Consumption and production are both positive; the owner of a
series knows which one it is.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Self
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, model_validator

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MAX_SENT_POINTS = 10_000
"""Longest series in a message (see `as_sent`), which keeps messages below the bus's `MAX_PAYLOAD_BYTES`. Other series
may be longer."""
MAX_TIME_S = 10**12
"""Largest time in a message or a series, either way, seconds: far beyond all that a run can reach, and exact as a
floating-point number."""
MAX_DURATION_S = 366 * 86_400
"""Longest load profile, seconds."""
MAX_WH = 1e12
"""Largest energy of a series: far more than a neighbourhood has, and small enough for full precision within a minute.
"""
MAX_REAL_W = 2e7
"""Highest power of a real device that counts, W: twice what a device may say, so that rounding does not matter."""
_MINUTE_S = 60


class CumulativeSeries(BaseModel):
    """Cumulative energy at points in time: at least two points, times strictly ascending, energy not decreasing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    times_s: tuple[int, ...]
    """Seconds, strictly ascending, relative to an origin that the subclass defines; shape (points,)."""
    cumulative_wh: tuple[float, ...]
    """Energy up to each time, Wh, finite and not decreasing, shape (points,). Only differences matter."""

    @model_validator(mode="after")
    def _is_cumulative(self) -> Self:
        problems = cumulative_problems(self.times_s, self.cumulative_wh)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def __eq__(self, other: object) -> bool:
        """Return whether a series is of the same kind and has the same points.

        Pydantic would also compare what is cached: arrays, whose comparison is not one bool, and the series itself.
        """
        if not isinstance(other, CumulativeSeries):
            return NotImplemented
        return self is other or (
            type(self) is type(other) and self.times_s == other.times_s and self.cumulative_wh == other.cumulative_wh
        )

    def __hash__(self) -> int:
        """Return the hash of the points."""
        return hash((self.times_s, self.cumulative_wh))

    @property
    def start_s(self) -> int:
        """Time of the first point."""
        return self.times_s[0]

    @property
    def end_s(self) -> int:
        """Time of the last point."""
        return self.times_s[-1]

    @property
    def energy_wh(self) -> float:
        """Energy between the first and the last point, Wh."""
        return self.cumulative_wh[-1] - self.cumulative_wh[0]

    @property
    def most_w(self) -> float:
        """The highest power between two points, W."""
        return 3600 * float((np.diff(self.cumulative_array) / np.diff(self.times_array)).max())

    @cached_property
    def times_array(self) -> FloatArray:
        """`times_s` as an array, seconds, shape (points,); converted once, and read-only."""
        return _read_only(np.asarray(self.times_s, dtype=np.float64))

    @cached_property
    def cumulative_array(self) -> FloatArray:
        """`cumulative_wh` relative to its first point, Wh, shape (points,); converted once, and read-only."""
        return _read_only(np.asarray(self.cumulative_wh, dtype=np.float64) - self.cumulative_wh[0])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the points, hexadecimal."""
        times, energies = np.asarray(self.times_s, dtype="<f8"), np.asarray(self.cumulative_wh, dtype="<f8")
        return hashlib.sha256(times.tobytes() + energies.tobytes()).hexdigest()

    def energy_until_wh(self, times_s: Sequence[float] | FloatArray) -> FloatArray:
        """Return the energy from the first point up to each time.

        Args:
            times_s: Times, shape (times,).

        Returns:
            Wh, shape (times,).
        """
        return np.asarray(np.interp(times_s, self.times_array, self.cumulative_array), dtype=np.float64)

    def energy_per_bin_wh(self, edges_s: Sequence[float] | FloatArray) -> FloatArray:
        """Return the energy between consecutive edges.

        Args:
            edges_s: Ascending times, shape (edges,).

        Returns:
            Wh, shape (edges - 1,).
        """
        return np.diff(self.energy_until_wh(edges_s))

    @cached_property
    def as_sent(self) -> Self:
        """This series as it is sent in messages: itself, or resampled to at most `MAX_SENT_POINTS` points.

        Points are then at whole minutes, the resolution of settlement, or at every second, third, ... minute if these
        are still too many. The energy up to each point, and so in total, is unchanged.
        """
        if len(self.times_s) <= MAX_SENT_POINTS:
            return self
        # The first and last point are additional to the whole steps.
        step_s = _MINUTE_S * -(-(self.end_s - self.start_s) // (_MINUTE_S * (MAX_SENT_POINTS - 2)))
        inner_s = range(self.start_s // step_s * step_s + step_s, self.end_s, step_s)
        times_s = (self.start_s, *inner_s, self.end_s)
        # Interpolation may round below a point of the series, but energy must not decrease.
        energy_wh = np.maximum.accumulate(self.energy_until_wh(times_s))
        return type(self)(times_s=times_s, cumulative_wh=tuple(energy_wh.tolist()))


class LoadProfile(CumulativeSeries):
    """Consumption of one run of a device, in seconds since the job's start; the first point is at 0 s."""

    @model_validator(mode="after")
    def _starts_at_zero(self) -> Self:
        if self.times_s[0] != 0:
            raise ValueError(f"the first point of a load profile is at 0 s, not at {self.times_s[0]} s")
        return self

    @property
    def duration_s(self) -> int:
        """Duration of the run, seconds."""
        return self.times_s[-1]

    def per_minute_wh(self, phase_s: int) -> FloatArray:
        """Return the consumption in each minute that the run touches. The array is cached and read-only.

        Args:
            phase_s: Second of the first minute at which the run starts, 0 to 59.

        Returns:
            Wh, shape (minutes,).
        """
        return self._tables.per_minute_wh(phase_s)

    def needed(self, phase_s: int, tolerance_wh: float) -> RequiredEnergy:
        """Return what must be left in each minute that the run touches. Cached: the same object for equal profiles.

        Args:
            phase_s: Second of the first minute at which the run starts, 0 to 59.
            tolerance_wh: How much less than the consumption is enough in each minute, Wh.
        """
        return self._tables.needed(phase_s, tolerance_wh)

    @property
    def least_peak_wh(self) -> float:
        """What a run draws in its strongest minute, Wh, at the second of a minute at which that is least."""
        return self._tables.least_peak_wh

    def least_peaks_wh(self, slot_s: int) -> FloatArray:
        """Return what a run draws in the strongest minute of each slot that it touches, at least. Cached and read-only.

        Args:
            slot_s: Length of a slot, seconds, a whole number of minutes.

        Returns:
            Wh, shape (minutes of a slot, slots): by the minute of its first slot in which the run starts, the least for
            all seconds of that minute.
        """
        return self._tables.least_peaks_wh(slot_s)

    def least_needed_wh(self, slot_s: int, margin_wh: float, dtype: np.dtype[np.floating]) -> npt.NDArray[np.floating]:
        """Return `least_peaks_wh` minus a margin, Wh, as numbers of a type. Cached and read-only.

        Args:
            slot_s: Length of a slot, seconds, a whole number of minutes.
            margin_wh: How much less is enough, Wh.
            dtype: The type.
        """
        return self._tables.least_needed_wh(slot_s, margin_wh, dtype)

    @cached_property
    def _tables(self) -> _LoadTables:
        return _LoadTables.of(self)


@dataclass(frozen=True, slots=True, eq=False)
class RequiredEnergy:
    """What must be left in each minute that a run touches."""

    load_wh: FloatArray
    """What the run draws, Wh, shape (minutes,)."""
    wh: FloatArray
    """What must be left, Wh; the same shape."""
    strong: tuple[tuple[int, FloatArray], ...]
    """The minutes that rule out most starts, and what must be left in each, Wh, as an array without dimensions: the
    minute in which the run draws most, and the first and last one in which it draws half as much."""

    @classmethod
    def of(cls, load_wh: FloatArray, tolerance_wh: float) -> RequiredEnergy:
        """Return what is needed for a load.

        Args:
            load_wh: What its run draws in each minute that it touches, Wh.
            tolerance_wh: How much less is enough in each minute, Wh.
        """
        needed_wh = load_wh - tolerance_wh
        needed_wh.setflags(write=False)
        peak = int(load_wh.argmax())
        strong = (load_wh >= load_wh[peak] / 2).nonzero()[0]
        minutes = dict.fromkeys((peak, int(strong[0]), int(strong[-1])))
        return cls(load_wh, needed_wh, tuple((minute, needed_wh[minute, ...]) for minute in minutes))


class _LoadTables:
    """What is computed of a load profile. Equal profiles share it: a neighbourhood has thousands of jobs, of few kinds.

    So it is computed once for each kind, and stays in the processor's caches.
    """

    __slots__ = (
        "__weakref__",
        "_duration_s",
        "_least_needed_wh",
        "_least_peak_wh",
        "_least_peaks_wh",
        "_needed",
        "_per_minute_wh",
        "_until_wh",
    )

    def __init__(self, load: LoadProfile) -> None:
        self._duration_s = load.duration_s
        self._until_wh = load.times_array, load.cumulative_array
        self._per_minute_wh: dict[int, FloatArray] = {}
        self._needed: dict[tuple[int, float], RequiredEnergy] = {}
        self._least_peaks_wh: dict[int, FloatArray] = {}
        self._least_needed_wh: dict[tuple[int, float, np.dtype[np.floating]], npt.NDArray[np.floating]] = {}
        self._least_peak_wh: float | None = None

    @classmethod
    def of(cls, load: LoadProfile) -> _LoadTables:
        """Return the tables of a load profile."""
        key = load.times_s, load.cumulative_wh
        known = _TABLES.get(key)
        if known is None:
            known = _TABLES[key] = cls(load)
        return known

    def per_minute_wh(self, phase_s: int) -> FloatArray:
        """See `LoadProfile.per_minute_wh`."""
        kept = self._per_minute_wh.get(phase_s)
        if kept is None:
            minutes = max(1, -(-(phase_s + self._duration_s) // _MINUTE_S))
            kept = np.diff(self._energy_until_wh(-phase_s, (minutes + 1) * _MINUTE_S - phase_s, _MINUTE_S))
            kept.setflags(write=False)
            self._per_minute_wh[phase_s] = kept
        return kept

    def needed(self, phase_s: int, tolerance_wh: float) -> RequiredEnergy:
        """See `LoadProfile.needed`."""
        kept = self._needed.get((phase_s, tolerance_wh))
        if kept is None:
            kept = RequiredEnergy.of(self.per_minute_wh(phase_s), tolerance_wh)
            self._needed[phase_s, tolerance_wh] = kept
        return kept

    @property
    def least_peak_wh(self) -> float:
        """See `LoadProfile.least_peak_wh`."""
        if self._least_peak_wh is None:
            seconds_wh = self._energy_until_wh(-_MINUTE_S, self._duration_s + 2 * _MINUTE_S)
            per_minute_wh = seconds_wh[_MINUTE_S:] - seconds_wh[:-_MINUTE_S]
            whole = len(per_minute_wh) // _MINUTE_S * _MINUTE_S
            self._least_peak_wh = float(per_minute_wh[:whole].reshape(-1, _MINUTE_S).max(axis=0).min())
        return self._least_peak_wh

    def least_peaks_wh(self, slot_s: int) -> FloatArray:
        """See `LoadProfile.least_peaks_wh`."""
        kept = self._least_peaks_wh.get(slot_s)
        if kept is None:
            kept = self._least_peaks_wh[slot_s] = self._compute_least_peaks_wh(slot_s)
        return kept

    def least_needed_wh(self, slot_s: int, margin_wh: float, dtype: np.dtype[np.floating]) -> npt.NDArray[np.floating]:
        """See `LoadProfile.least_needed_wh`."""
        kept = self._least_needed_wh.get((slot_s, margin_wh, dtype))
        if kept is None:
            kept = (self.least_peaks_wh(slot_s) - margin_wh).astype(dtype)
            kept.setflags(write=False)
            self._least_needed_wh[slot_s, margin_wh, dtype] = kept
        return kept

    def _compute_least_peaks_wh(self, slot_s: int) -> FloatArray:
        minutes, slots = slot_s // _MINUTE_S, -(-self._duration_s // slot_s) + 1
        # Index 0 is the last second before which the run can start, if a slot is to begin then and touch it.
        seconds_wh = self._energy_until_wh(1 - slot_s, (slots + 1) * slot_s + 1)
        minute_wh = seconds_wh[_MINUTE_S:] - seconds_wh[:-_MINUTE_S]
        count = slots * slot_s
        peak_wh = minute_wh[:count].copy()
        for later in range(1, minutes):
            np.maximum(peak_wh, minute_wh[later * _MINUTE_S :][:count], out=peak_wh)
        # If a run starts at second `q` of its first slot, its slot `i` begins at index `(i + 1) * slot_s - q - 1`.
        # The 60 starts of a minute are 60 indices in a row; a later minute comes before them.
        least_wh = peak_wh.reshape(slots, minutes, _MINUTE_S).min(axis=2)
        least_wh = np.ascontiguousarray(least_wh[:, ::-1].T)
        least_wh.setflags(write=False)
        return least_wh

    def _energy_until_wh(self, first_s: int, end_s: int, step_s: int = 1) -> FloatArray:
        """Return the energy up to each of some times, in seconds since the run's start, Wh, shape (times,)."""
        return np.asarray(np.interp(np.arange(first_s, end_s, step_s, dtype=np.float64), *self._until_wh))


_TABLES: WeakValueDictionary[tuple[tuple[int, ...], tuple[float, ...]], _LoadTables] = WeakValueDictionary()
"""By the points of a load profile, its tables, as long as a profile uses them."""


class Production(CumulativeSeries):
    """Actual or expected production of a panel, at UNIX seconds."""

    @property
    def most_in_a_minute_wh(self) -> float:
        """Upper bound of the energy of any minute, Wh: that of a minute at the highest power between two points."""
        return float((np.diff(self.cumulative_array) / np.diff(self.times_array)).max()) * _MINUTE_S

    def continued_by(self, newer: Production) -> Production:
        """Return this series up to the first point of `newer`, followed by `newer`."""
        times_s = self.times_s[: bisect_left(self.times_s, newer.start_s)]
        if not times_s:
            return newer
        at_seam_wh = float(self.energy_until_wh([newer.start_s])[0])
        kept_wh = self.cumulative_array[: len(times_s)].tolist()
        newer_wh = (newer.cumulative_array + at_seam_wh).tolist()
        return Production(times_s=(*times_s, *newer.times_s), cumulative_wh=(*kept_wh, *newer_wh))

    def less(self, load: CumulativeSeries) -> Production:
        """Return the series minus a load at UNIX seconds, but in no minute below zero.

        A run is settled by the minute. So a minute in which either series has a point counts as a whole, also the one
        in which this series begins: what the house uses in one part of it is taken from what the other part gives.
        """
        inside = load.times_array[(load.times_array > self.start_s) & (load.times_array < self.end_s)]
        edges_s = whole_minutes_of(np.union1d(self.times_array, inside))
        left_wh = np.maximum(self.energy_per_bin_wh(edges_s) - load.energy_per_bin_wh(edges_s), 0.0)
        cumulative_wh = np.concatenate([[0.0], np.cumsum(left_wh)])
        times_s = np.clip(edges_s, self.start_s, self.end_s).astype(np.int64)
        return Production(times_s=tuple(times_s.tolist()), cumulative_wh=tuple(cumulative_wh.tolist()))


def whole_minutes_of(times_s: FloatArray) -> FloatArray:
    """Return the times that are whole minutes and, for each other time, both edges of its minute; ascending."""
    is_within = times_s % _MINUTE_S > 0
    begins_s = times_s[is_within] - times_s[is_within] % _MINUTE_S
    return np.unique(np.concatenate([times_s[~is_within], begins_s, begins_s + _MINUTE_S]))


@dataclass(frozen=True, slots=True)
class Outlook:
    """Expected production of a panel as its producer knows it: successive forecasts joined, without the distant past.

    Energy is counted from the very first point, so forgetting the past does not change later values, not even by
    rounding.
    """

    times_s: FloatArray
    """UNIX seconds, ascending, shape (points,); read-only."""
    cumulative_wh: FloatArray
    """Energy up to each time, Wh, shape (points,); read-only."""

    def __post_init__(self) -> None:
        _read_only(self.times_s)
        _read_only(self.cumulative_wh)

    @property
    def start_s(self) -> int:
        """Time of the first remaining point."""
        return int(self.times_s[0])

    @property
    def end_s(self) -> int:
        """Time of the last point."""
        return int(self.times_s[-1])

    @classmethod
    def of(cls, production: Production) -> Outlook:
        """Return the outlook given by a first forecast."""
        return cls(production.times_array, production.cumulative_array)

    def continued_by(self, newer: Production) -> Outlook:
        """Return this outlook up to the first point of `newer`, followed by `newer`."""
        kept = int(np.searchsorted(self.times_s, newer.start_s, side="left"))
        if not kept:
            return Outlook.of(newer)
        at_seam_wh = np.interp(newer.start_s, self.times_s, self.cumulative_wh)
        return Outlook(
            np.concatenate([self.times_s[:kept], newer.times_array]),
            np.concatenate([self.cumulative_wh[:kept], newer.cumulative_array + at_seam_wh]),
        )

    def since(self, time_s: int) -> Outlook:
        """Return this outlook without the points before the last one that is not later than `time_s`."""
        past = int(np.searchsorted(self.times_s, time_s, side="right")) - 1
        # Copied, because a view would keep the whole past in memory.
        return self if past <= 0 else Outlook(self.times_s[past:].copy(), self.cumulative_wh[past:].copy())

    def energy_per_bin_wh(self, edges_s: Sequence[float] | FloatArray) -> FloatArray:
        """Return the energy between consecutive edges.

        Args:
            edges_s: Ascending times, UNIX seconds, shape (edges,).

        Returns:
            Wh, shape (edges - 1,).
        """
        return np.diff(np.interp(edges_s, self.times_s, self.cumulative_wh))


class Prediction(BaseModel):
    """A producer's forecast; from its first point on, it replaces earlier ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issued_s: int
    """When the producer receives it, UNIX seconds."""
    production: Production


def _read_only(array: FloatArray) -> FloatArray:
    """Make an array read-only, and return it: many objects share it, also schedulers of other packages."""
    array.setflags(write=False)
    return array


def _is_rising(times_s: Sequence[int], cumulative_wh: Sequence[float]) -> bool:
    """Return whether times ascend and energies do not decrease; vectorised, for series of a year of minutes."""
    try:
        times, energies = np.asarray(times_s, dtype=np.float64), np.asarray(cumulative_wh, dtype=np.float64)
    except OverflowError:  # a whole number can be of any size
        return False
    is_finite = np.isfinite(energies).all() and (np.abs(times) <= MAX_TIME_S).all()
    return bool(is_finite and (times[1:] > times[:-1]).all() and (energies[1:] >= energies[:-1]).all())


def cumulative_problems(times_s: tuple[int, ...], cumulative_wh: tuple[float, ...]) -> list[str]:
    """Return the problems of a cumulative series, each with its position; empty if it is valid.

    Args:
        times_s: Times, seconds, shape (points,).
        cumulative_wh: Energy up to each time, Wh, shape (points,).
    """
    if len(times_s) != len(cumulative_wh):
        return [f"{len(times_s)} times but {len(cumulative_wh)} energies"]
    if len(times_s) < 2:
        return [f"at least two points are needed, there are {len(times_s)}"]
    if _is_rising(times_s, cumulative_wh):
        return []
    problems = [
        f"point {i + 1}: {wh} Wh is not a finite number" for i, wh in enumerate(cumulative_wh) if not math.isfinite(wh)
    ]
    problems += [
        f"point {i + 1}: the time is not within {MAX_TIME_S} s"
        for i, time_s in enumerate(times_s)
        if abs(time_s) > MAX_TIME_S
    ]
    for i, (before, after) in enumerate(pairwise(times_s)):
        if after <= before:
            problems.append(f"point {i + 2}: time {after} s does not come after {before} s")
    for i, (before_wh, after_wh) in enumerate(pairwise(cumulative_wh)):
        if after_wh < before_wh:
            problems.append(f"point {i + 2}: cumulative energy falls from {before_wh} to {after_wh} Wh")
    return problems
