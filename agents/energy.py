"""Energy over time: load profiles and predictions, as cumulative Wh, piecewise linear.

Power is constant between two points and zero outside them. Consumption and production are both positive numbers;
which of the two a series is, its owner knows.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, model_validator

FloatArray = npt.NDArray[np.float64]

MAX_SENT_POINTS = 10_000
"""Of a series in a message (see `as_sent`), which keeps it below `MAX_PAYLOAD_BYTES` of the bus. A series that is not
sent may be of any length."""
_MINUTE_S = 60


class CumulativeSeries(BaseModel):
    """Cumulative energy at points in time: at least two points, times rising, energy never falling."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    times_s: tuple[int, ...]
    """Seconds, strictly rising; from which zero, the subclass says."""
    cumulative_wh: tuple[float, ...]
    """Energy up to each of the times, Wh; finite and never falling. Only differences count."""

    @model_validator(mode="after")
    def _is_cumulative(self) -> Self:
        problems = cumulative_problems(self.times_s, self.cumulative_wh)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def start_s(self) -> int:
        """Its first point."""
        return self.times_s[0]

    @property
    def end_s(self) -> int:
        """Its last point."""
        return self.times_s[-1]

    @property
    def energy_wh(self) -> float:
        """All of its energy."""
        return self.cumulative_wh[-1] - self.cumulative_wh[0]

    @cached_property
    def times_array(self) -> FloatArray:
        """`times_s`, shape (points,)."""
        return np.asarray(self.times_s, dtype=np.float64)

    @cached_property
    def cumulative_array(self) -> FloatArray:
        """`cumulative_wh` counted from its first point, shape (points,)."""
        return np.asarray(self.cumulative_wh, dtype=np.float64) - self.cumulative_wh[0]

    def energy_until_wh(self, times_s: Sequence[float] | FloatArray) -> FloatArray:
        """Return the energy from the first point up to each time, Wh, shape of `times_s`."""
        return np.asarray(np.interp(times_s, self.times_array, self.cumulative_array), dtype=np.float64)

    def energy_per_bin_wh(self, edges_s: Sequence[float] | FloatArray) -> FloatArray:
        """Return the energy between neighbouring edges, Wh, shape (edges - 1,)."""
        return np.diff(self.energy_until_wh(edges_s))

    @cached_property
    def as_sent(self) -> Self:
        """This series as it is put into a message: itself, or with at most `MAX_SENT_POINTS` points.

        Points are then on whole minutes, in which energy is settled; where these are still too many, on every second
        minute, every third, and so on. The energy up to each of them, and so the whole, is what it was.
        """
        if len(self.times_s) <= MAX_SENT_POINTS:
            return self
        # First and last point stand beside the whole steps.
        step_s = _MINUTE_S * -(-(self.end_s - self.start_s) // (_MINUTE_S * (MAX_SENT_POINTS - 2)))
        inner_s = range(self.start_s // step_s * step_s + step_s, self.end_s, step_s)
        times_s = (self.start_s, *inner_s, self.end_s)
        # Interpolating may miss a point of the series by a rounding, and energy must not fall.
        energy_wh = np.maximum.accumulate(self.energy_until_wh(times_s))
        return type(self)(times_s=times_s, cumulative_wh=tuple(energy_wh.tolist()))


class LoadProfile(CumulativeSeries):
    """What one run of a device draws, at seconds since the job's start; its first point is at 0 s."""

    @model_validator(mode="after")
    def _starts_at_zero(self) -> Self:
        if self.times_s[0] != 0:
            raise ValueError(f"the first point of a load profile is at 0 s, not at {self.times_s[0]} s")
        return self

    @property
    def duration_s(self) -> int:
        """From the job's start to its end."""
        return self.times_s[-1]

    def per_minute_wh(self, phase_s: int) -> FloatArray:
        """Return what it draws in each minute that it touches, Wh, if it starts `phase_s` (0 to 59) into the first.

        Kept, since a producer asks for it at every decision, and read-only for that reason.
        """
        kept = self._per_minute_wh.get(phase_s)
        if kept is None:
            minutes = max(1, -(-(phase_s + self.duration_s) // 60))
            kept = self.energy_per_bin_wh(np.arange(-phase_s, (minutes + 1) * 60 - phase_s, 60, dtype=np.float64))
            kept.setflags(write=False)
            self._per_minute_wh[phase_s] = kept
        return kept

    @cached_property
    def _per_minute_wh(self) -> dict[int, FloatArray]:
        return {}


class Production(CumulativeSeries):
    """Energy that a panel gives or is expected to give, at UNIX seconds."""

    def continued_by(self, newer: Production) -> Production:
        """Return this series up to the first point of `newer`, and `newer` from there on."""
        times_s = self.times_s[: bisect_left(self.times_s, newer.start_s)]
        if not times_s:
            return newer
        at_seam_wh = float(self.energy_until_wh([newer.start_s])[0])
        kept_wh = self.cumulative_array[: len(times_s)].tolist()
        newer_wh = (newer.cumulative_array + at_seam_wh).tolist()
        return Production(times_s=(*times_s, *newer.times_s), cumulative_wh=(*kept_wh, *newer_wh))


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a panel is expected to give, as its producer knows it: spliced of forecasts, without what is long past.

    Energy is counted from the first point that there ever was, so forgetting the past changes no later figure, not even
    in its last digit.
    """

    times_s: FloatArray
    """UNIX seconds, rising, shape (points,)."""
    cumulative_wh: FloatArray
    """Energy up to each of the times, shape (points,)."""

    @property
    def start_s(self) -> int:
        """Its first point that is still known."""
        return int(self.times_s[0])

    @property
    def end_s(self) -> int:
        """Its last point."""
        return int(self.times_s[-1])

    @classmethod
    def of(cls, production: Production) -> Outlook:
        """Return the outlook by a first forecast."""
        return cls(production.times_array, production.cumulative_array)

    def continued_by(self, newer: Production) -> Outlook:
        """Return this outlook up to the first point of `newer`, and `newer` from there on."""
        kept = int(np.searchsorted(self.times_s, newer.start_s, side="left"))
        if not kept:
            return Outlook.of(newer)
        at_seam_wh = np.interp(newer.start_s, self.times_s, self.cumulative_wh)
        return Outlook(
            np.concatenate([self.times_s[:kept], newer.times_array]),
            np.concatenate([self.cumulative_wh[:kept], newer.cumulative_array + at_seam_wh]),
        )

    def since(self, time_s: int) -> Outlook:
        """Return it from `time_s` on: the points before the last one that is not later are forgotten."""
        past = int(np.searchsorted(self.times_s, time_s, side="right")) - 1
        # Copied, or the view would keep all of the past in memory.
        return self if past <= 0 else Outlook(self.times_s[past:].copy(), self.cumulative_wh[past:].copy())

    def energy_per_bin_wh(self, edges_s: Sequence[float] | FloatArray) -> FloatArray:
        """Return the energy between neighbouring edges, Wh, shape (edges - 1,)."""
        return np.diff(np.interp(edges_s, self.times_s, self.cumulative_wh))


class Prediction(BaseModel):
    """A producer's forecast; it replaces older ones from its first point on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issued_s: int
    """When the producer learns of it, UNIX seconds."""
    production: Production


def _is_rising(times_s: Sequence[int], cumulative_wh: Sequence[float]) -> bool:
    """Say whether times rise and energies do not fall, all points at once: a year of minutes has half a million."""
    try:
        times, energies = np.asarray(times_s, dtype=np.float64), np.asarray(cumulative_wh, dtype=np.float64)
    except OverflowError:  # a whole number can be of any size
        return False
    is_finite = np.isfinite(energies).all()
    return bool(is_finite and (times[1:] > times[:-1]).all() and (energies[1:] >= energies[:-1]).all())


def cumulative_problems(times_s: tuple[int, ...], cumulative_wh: tuple[float, ...]) -> list[str]:
    """Return what is wrong with a cumulative series, in words, each problem with its place; empty if nothing is."""
    if len(times_s) != len(cumulative_wh):
        return [f"{len(times_s)} times but {len(cumulative_wh)} energies"]
    if len(times_s) < 2:
        return [f"at least two points are needed, there are {len(times_s)}"]
    if _is_rising(times_s, cumulative_wh):
        return []
    problems = [
        f"point {i + 1}: {wh} Wh is not a finite number" for i, wh in enumerate(cumulative_wh) if not math.isfinite(wh)
    ]
    for i, (before, after) in enumerate(pairwise(times_s)):
        if after <= before:
            problems.append(f"point {i + 2}: time {after} s does not come after {before} s")
    for i, (before_wh, after_wh) in enumerate(pairwise(cumulative_wh)):
        if after_wh < before_wh:
            problems.append(f"point {i + 2}: cumulative energy falls from {before_wh} to {after_wh} Wh")
    return problems
