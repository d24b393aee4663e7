"""The highest of a producer's forecasts in force during each minute, as the check for double booking needs it.

That is the forecast in force when the minute ends, or a higher one if the forecast falls within the minute: a job that
has ended by then keeps what it was given.

A forecast of minutes is large, and a roof may have several a day. So only the part of each is kept that no newer one
replaced, without the nights: 3 kB a day.
"""

from __future__ import annotations

import numpy as np

from agents.energy import IntArray, Outlook
from agents.shares import MINUTE_S, add_at, produced_mwh


class PastForecasts:
    """The forecasts of one producer, each as far as it was in force."""

    def __init__(self) -> None:
        self._parts: list[tuple[int, IntArray]] = []
        """First UNIX minute, and mWh in each minute, of forecasts that newer ones have replaced."""
        self._newest: Outlook | None = None
        self._since_minute = 0
        """UNIX minute from which on the newest one counts."""
        self._earlier_mwh = 0
        """The most that earlier ones expected for that minute while it lasted, mWh."""

    def take(self, outlook: Outlook, now_s: int) -> None:
        """Take what is expected from now on.

        Args:
            outlook: All forecasts so far, joined; it may begin in the past.
            now_s: The present, UNIX seconds; minutes from the present one on count by this forecast.
        """
        now_minute = now_s // MINUTE_S
        if self._newest is not None:
            until_now_mwh = self._expected_lately_mwh(self._since_minute, now_minute + 1 - self._since_minute)
            passed_mwh, self._earlier_mwh = until_now_mwh[:-1], int(until_now_mwh[-1])
            sunny = np.flatnonzero(passed_mwh)
            if len(sunny):
                begin, end = int(sunny[0]), int(sunny[-1]) + 1
                kept = passed_mwh[begin:end].astype(np.min_scalar_type(int(passed_mwh.max())))
                self._parts.append((self._since_minute + begin, kept))
        self._newest, self._since_minute = outlook, now_minute

    def expected_mwh(self, first_minute: int, minutes: int) -> IntArray:
        """Return the most that was expected in each minute while it lasted, mWh, shape (minutes,).

        Args:
            first_minute: The first one, in UNIX minutes.
            minutes: How many.
        """
        expected = np.zeros(minutes, dtype=np.int64)
        for begin, part_mwh in self._parts:
            add_at(expected, part_mwh.astype(np.int64), begin - first_minute)
        skipped = max(0, self._since_minute - first_minute)
        if skipped < minutes:
            expected[skipped:] = self._expected_lately_mwh(first_minute + skipped, minutes - skipped)
        return expected

    def _expected_lately_mwh(self, first_minute: int, minutes: int) -> IntArray:
        """Return the same for minutes from the one on in which the newest forecast was taken."""
        if self._newest is None:
            return np.zeros(minutes, dtype=np.int64)
        expected = produced_mwh(self._newest, first_minute, minutes)
        if first_minute == self._since_minute:
            expected[0] = max(int(expected[0]), self._earlier_mwh)
        return expected
