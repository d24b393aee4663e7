"""The manager's estimate of uncommitted production: which producers a job asks first, and which not at all.

A producer publishes its forecast in at most 30 blocks of whole hours (`Headroom`), and the manager is informed of every
share. So it knows without asking which producers have uncommitted production in a job's window, and how much. The
estimate decides only whom a job asks, and in which order: each producer decides on its shares itself, minute by minute.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from agents.headroom import Need, View, stretch
from agents.shares import MINUTE_S, unpacked

_Runs = tuple[tuple[int, int], ...]


class _Forecast:
    """One producer's newest forecast, and the promised part of it, by block."""

    def __init__(self, view: View, shares: Mapping[str, tuple[int, _Runs]]) -> None:
        self._view = view
        self._free_wh = np.asarray(view.free_wh, dtype=np.float64)
        self._promised_wh = np.zeros(len(view.free_wh))
        for start_s, runs in shares.values():
            self.promise(start_s, runs, 1.0)

    def promise(self, start_s: int, runs: _Runs, sign: float) -> None:
        """Add a share, or take it away with sign -1."""
        minutes_mwh = unpacked(runs)
        times_s = (start_s // MINUTE_S + np.arange(len(minutes_mwh))) * MINUTE_S
        blocks = (times_s - self._view.from_s) // self._view.block_s
        is_within = (blocks >= 0) & (blocks < len(self._promised_wh))
        by_block = np.bincount(blocks[is_within], minutes_mwh[is_within] / 1_000, len(self._promised_wh))
        self._promised_wh += sign * by_block

    def within(self, need: Need) -> tuple[float, float]:
        """Return the uncommitted and the expected production in a job's window, Wh."""
        first, end = stretch(need, self._view.from_s, self._view.block_s, len(self._free_wh))
        free_wh = self._free_wh[first:end]
        left_wh = np.maximum(free_wh - self._promised_wh[first:end], 0.0)
        return round(float(left_wh.sum()), 3), float(free_wh.sum())


class Remaining:
    """Forecasts and promised shares of all producers, by their numbers."""

    def __init__(self) -> None:
        self._forecasts: dict[int, _Forecast] = {}
        self._shares: dict[int, dict[str, tuple[int, _Runs]]] = {}
        """By producer and job, start and runs of a share."""

    def forecast(self, number: int, view: View) -> None:
        """Take a producer's newest forecast."""
        self._forecasts[number] = _Forecast(view, self._shares.setdefault(number, {}))

    def promise(self, number: int, job_id: str, start_s: int, runs: Iterable[tuple[int, int]]) -> None:
        """Take a share instead of an earlier one for the same job.

        Args:
            number: The producer's number.
            job_id: The job.
            start_s: Its start, UNIX seconds.
            runs: Energy by the minute from then on, mWh, run-length encoded; none: the share has ended.
        """
        shares, forecast = self._shares.setdefault(number, {}), self._forecasts.get(number)
        before, after = shares.pop(job_id, None), (start_s, tuple(runs))
        if after[1]:
            shares[job_id] = after
        if forecast is not None:
            if before is not None:
                forecast.promise(*before, -1.0)
            forecast.promise(*after, 1.0)

    def may_supply(self, number: int, need: Need) -> bool:
        """Return whether a producer has any sun in a job's window, promised or not."""
        return number in self._forecasts and self._forecasts[number].within(need)[1] > 0.0

    def ranked(self, numbers: Iterable[int], need: Need, own: Collection[int], least_wh: float = 0.0) -> list[int]:
        """Return the producers that have sun in a job's window: its own household's first, then by what they have left.

        Args:
            numbers: The producers' numbers; what ties keeps their order.
            need: The job's window.
            own: Those of the job's household.
            least_wh: How much they must have left in that window, Wh.
        """
        known = {number: self._forecasts[number].within(need) for number in numbers if number in self._forecasts}
        some = [n for n, (left_wh, expected_wh) in known.items() if expected_wh > 0.0 and left_wh >= least_wh]
        return sorted(some, key=lambda number: (number not in own, -known[number][0], -known[number][1]))
