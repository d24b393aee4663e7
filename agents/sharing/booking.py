"""A producer's book: minute by minute, the energy that it forecasts, and what has been reserved of it."""

from __future__ import annotations

import numpy as np

from agents.energy import IntArray, Outlook
from agents.shares import MINUTE_S, produced_mwh

_NONE: IntArray = np.zeros(0, dtype=np.int64)


class MinuteBookings:
    """Energy by the minute from some minute on, in whole mWh."""

    def __init__(self, first_minute: int = 0) -> None:
        """Begin an empty book with a UNIX minute."""
        self._first_minute = first_minute
        self._produced_mwh = _NONE
        self._taken_mwh = _NONE

    @property
    def first_minute(self) -> int:
        """UNIX minute with which the book begins."""
        return self._first_minute

    @property
    def end_minute(self) -> int:
        """UNIX minute after the last one in which something is expected or taken."""
        return self._first_minute + max(len(self._produced_mwh), len(self._taken_mwh))

    def adopt(self, outlook: Outlook, now_minute: int) -> IntArray:
        """Take a new forecast, and forget the minutes that have passed.

        Args:
            outlook: The expected production from now on.
            now_minute: The present UNIX minute.

        Returns:
            What is expected in each minute from now on, mWh, shape (minutes,).
        """
        minutes = max(0, outlook.end_s // MINUTE_S + 1 - now_minute)
        expected_mwh = produced_mwh(outlook, now_minute, minutes)
        self._begin_with(now_minute)
        self._produced_mwh = expected_mwh
        return expected_mwh

    def expect(self, first_minute: int, series_mwh: IntArray) -> None:
        """Take what is expected from some minute on, instead of what was expected there before.

        Args:
            first_minute: UNIX minute of the first value; if the book begins before, earlier minutes stay as they were.
            series_mwh: mWh in each minute; after the last one nothing is expected.
        """
        begin = first_minute - self._first_minute
        if begin < 0:
            self._taken_mwh = np.concatenate([np.zeros(-begin, dtype=np.int64), self._taken_mwh])
            self._first_minute, begin = first_minute, 0
        earlier = self._produced_mwh[:begin]
        gap = np.zeros(begin - len(earlier) if len(series_mwh) else 0, dtype=np.int64)
        self._produced_mwh = np.concatenate([earlier, gap, series_mwh])

    def _begin_with(self, minute: int) -> None:
        """Begin with a minute; what lies before it is forgotten."""
        missing = max(0, self._first_minute - minute)
        self._taken_mwh = np.concatenate([np.zeros(missing, dtype=np.int64), self._taken_mwh])
        self._first_minute -= missing
        self.forget_before(minute)

    def forget_before(self, minute: int) -> None:
        """Forget the minutes before a UNIX minute; if the book begins later, it stays as it is."""
        passed = minute - self._first_minute
        if passed > 0:
            # Copied, because a view would keep the whole past in memory.
            self._produced_mwh, self._taken_mwh = self._produced_mwh[passed:].copy(), self._taken_mwh[passed:].copy()
            self._first_minute = minute

    def take(self, first_minute: int, series_mwh: IntArray) -> None:
        """Book energy.

        Args:
            first_minute: UNIX minute of the first value; what lies before the book's first minute is ignored.
            series_mwh: mWh in each minute; negative to give it back.
        """
        begin = first_minute - self._first_minute
        passed = max(0, -begin)
        if passed >= len(series_mwh):
            return
        end = begin + len(series_mwh)
        if end > len(self._taken_mwh):
            self._taken_mwh = np.concatenate([self._taken_mwh, np.zeros(end - len(self._taken_mwh), dtype=np.int64)])
        self._taken_mwh[begin + passed : end] += series_mwh[passed:]

    def left_mwh(self, first_minute: int, minutes: int) -> IntArray:
        """Return the uncommitted production of each minute, mWh, shape (minutes,); negative if the forecast fell."""
        left_mwh = self._cut(self._produced_mwh, first_minute, minutes)
        left_mwh -= self._cut(self._taken_mwh, first_minute, minutes)
        return left_mwh

    def _cut(self, series_mwh: IntArray, first_minute: int, minutes: int) -> IntArray:
        """Return a copy of some minutes of a series, with zeros outside of it."""
        cut = np.zeros(minutes, dtype=np.int64)
        begin = first_minute - self._first_minute
        first, last = max(begin, 0), min(begin + minutes, len(series_mwh))
        if first < last:
            cut[first - begin : last - begin] = series_mwh[first:last]
        return cut
