"""A job's suppliers over time: its contract's shares as cumulative energy, including the grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents import GRID, Contract, FloatArray, Job
from scenarios.metrics import MINUTE_S, fractions_of


@dataclass(frozen=True, slots=True)
class ShareSeries:
    """One supplier's part of a job's contract."""

    producer: str
    """A producer's id, or `GRID`."""
    times_s: tuple[int, ...]
    """Seconds since the job's start, ascending, from 0 to the job's duration, shape (points,)."""
    cumulative_wh: tuple[float, ...]
    """Energy from the start up to each time, Wh; between two points power is constant. Shape (points,)."""

    @property
    def energy_wh(self) -> float:
        """Energy of the supplier's part, Wh."""
        return self.cumulative_wh[-1]

    def as_dict(self) -> dict[str, object]:
        """Return it fit for JSON."""
        points = [list(point) for point in zip(self.times_s, self.cumulative_wh, strict=True)]
        return {"producer": self.producer, "energy_wh": self.energy_wh, "cumulative_wh": points}


def share_series(job: Job, contract: Contract) -> tuple[ShareSeries, ...]:
    """Return the energy from each supplier: producers in the order of their ids, then the grid if it gives anything.

    In each minute the shares add up to what the job draws.

    Args:
        job: The job.
        contract: Its contract.
    """
    phase_s = contract.start_s % MINUTE_S
    minutes = -(-(phase_s + job.duration_s) // MINUTE_S)
    edges_s = np.arange(minutes + 1) * MINUTE_S - phase_s
    edges_s[0], edges_s[-1] = 0, job.duration_s
    drawn_wh = np.diff(job.load_profile.energy_until_wh(edges_s.astype(np.float64)))
    given_wh = {producer: drawn_wh * part for producer, part in sorted(fractions_of(job, contract).items())}
    rest_wh = drawn_wh - sum(given_wh.values(), start=np.zeros(minutes))
    rest_wh[np.abs(rest_wh) <= 1e-9 * np.maximum(drawn_wh, 1.0)] = 0.0
    if rest_wh.any() or not given_wh:
        given_wh[GRID] = rest_wh
    return tuple(_series(producer, edges_s, wh) for producer, wh in given_wh.items() if wh.any() or len(given_wh) == 1)


def _series(
    producer: str, edges_s: np.ndarray[tuple[int, ...], np.dtype[np.int64]], given_wh: FloatArray
) -> ShareSeries:
    """Return a series without the points between which its power stays the same."""
    power = given_wh / np.diff(edges_s)
    is_kept = np.ones(len(edges_s), dtype=bool)
    is_kept[1:-1] = np.abs(np.diff(power)) > 1e-9
    cumulative_wh = np.concatenate([[0.0], np.cumsum(given_wh)])
    return ShareSeries(producer, tuple(edges_s[is_kept].tolist()), tuple(cumulative_wh[is_kept].tolist()))
