"""The manager's board: what each producer has left, minute by minute, by its forecast and by the shares it promised.

Producers report what they expect to produce, and each share that they promise. So a job only needs to ask the board
what is left, not each producer. The board decides nothing: each producer decides on its shares itself, and promises no
more than it has. If several jobs read the same energy on the board, the later ones are declined.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np

from agents.energy import FloatArray, IntArray
from agents.job_needs import JobNeeds
from agents.model import Job
from agents.shares import MINUTE_S, add_at, packed, unpacked
from agents.sharing.booking import MinuteBookings

_Runs = tuple[tuple[int, int], ...]
_HOUR = 60
"""Minutes of a block by which producers are compared."""
PAST_KEPT_MINUTES = 24 * _HOUR
"""How much of the past the board still has after forgetting, minutes; no job can use even that."""
MAX_RUNS_OF_OFFER = 2_000
"""In one offer, so that a dozen fit into a message: jobs that can wait for weeks see less detail."""
OFFERED_PEAKS = 3
"""Offers are capped at this multiple of what a job can use in a minute: its consumer sees who has plenty, but not how
much."""
_NONE: IntArray = np.zeros(0, dtype=np.int64)


class EnergyBoard:
    """Forecasts and promised shares of all producers, by their numbers."""

    def __init__(self) -> None:
        self._books: dict[int, MinuteBookings] = {}
        self._shares: dict[int, dict[str, tuple[int, IntArray]]] = {}
        """By producer and job, start (UNIX seconds) and mWh in each minute of a share."""
        self._first_minute = 0
        """UNIX minute with which the two arrays below begin, a whole hour."""
        self._by_hour: FloatArray = np.zeros((0, 0))
        """What is left in each hour, mWh, shape (producers, hours)."""
        self._total: IntArray = _NONE
        """What all producers have left together in each minute, mWh, shape (minutes,)."""
        self._known: IntArray = _NONE
        """The same as far as jobs have been informed of it; anything above this is news."""
        self._has_risen = False

    def expect(self, number: int, first_minute: int, runs: Iterable[tuple[int, int]]) -> None:
        """Take what a producer expects from some minute on, instead of what it expected there before.

        Args:
            number: The producer's number.
            first_minute: UNIX minute.
            runs: Energy by the minute, mWh, run-length encoded.
        """
        series = unpacked(runs)
        book = self._books.get(number)
        if book is None:
            book = self._books[number] = MinuteBookings(first_minute)
            for start_s, share in self._shares.get(number, {}).values():  # of jobs that ran while it was away
                book.take(start_s // MINUTE_S, share)
        end = max(first_minute + len(series), book.end_minute)
        before = self._left(number, first_minute, end - first_minute)
        book.expect(first_minute, series)
        self._note(number, first_minute, before)

    def forget(self, number: int) -> None:
        """Remove a producer that has left the neighbourhood, and its energy."""
        book = self._books.get(number)
        if book is not None:
            first, minutes = book.first_minute, book.end_minute - book.first_minute
            before = self._left(number, first, minutes)
            del self._books[number]
            self._note(number, first, before)

    def forget_past(self, now_minute: int) -> bool:
        """Forget minutes that have passed, and shares that had ended by then, once there are two days of them.

        Args:
            now_minute: The present UNIX minute.

        Returns:
            Whether there were any; of the past, a day remains (`PAST_KEPT_MINUTES`).
        """
        if now_minute - self._first_minute < 2 * PAST_KEPT_MINUTES:
            return False
        first = (now_minute - PAST_KEPT_MINUTES) // _HOUR * _HOUR
        passed = first - self._first_minute
        self._total, self._known = self._total[passed:].copy(), self._known[passed:].copy()
        self._by_hour = self._by_hour[:, passed // _HOUR :].copy()
        self._first_minute = first
        for book in self._books.values():
            book.forget_before(first)
        for number, shares in self._shares.items():
            self._shares[number] = {
                job_id: (start_s, series)
                for job_id, (start_s, series) in shares.items()
                if start_s // MINUTE_S + len(series) > first
            }
        return True

    def promise(self, number: int, job_id: str, start_s: int, runs: Iterable[tuple[int, int]]) -> None:
        """Take a share instead of an earlier one for the same job.

        Args:
            number: The producer's number.
            job_id: The job.
            start_s: Its start, UNIX seconds.
            runs: Energy by the minute from then on, mWh, run-length encoded; none: the share has ended.
        """
        shares = self._shares.setdefault(number, {})
        earlier, series = shares.pop(job_id, None), unpacked(runs)
        changed = [] if earlier is None else [(earlier[0] // MINUTE_S, -earlier[1])]
        if len(series):
            shares[job_id] = start_s, series
            changed.append((start_s // MINUTE_S, series))
        book = self._books.get(number)
        if book is None or not changed:
            return
        first = max(min(begin for begin, _ in changed), book.first_minute)
        end = max(begin + len(taken) for begin, taken in changed)
        before = self._left(number, first, max(0, end - first))
        for begin, taken in changed:
            book.take(begin, taken)
        self._note(number, first, before)

    # What jobs ask.

    def ranked(
        self,
        numbers: Collection[int],
        need: JobNeeds,
        own: Collection[int],
        least_wh: float = 0.0,
        count: int | None = None,
    ) -> list[int]:
        """Return producers that have energy left in a job's window: its own household's first, then by how much.

        Args:
            numbers: The producers' numbers; what ties keeps their order.
            need: The job's window.
            own: Those of the job's household, which come even if they have nothing left.
            least_wh: How much the others must have left in that window, Wh.
            count: How many at most; None: all.
        """
        known = [number for number in numbers if number in self._books]
        if not known:
            return []
        left_wh = self._left_wh(np.array(known, dtype=np.int64), need)
        is_own = np.array([number in own for number in known]) if own else np.zeros(len(known), dtype=np.bool_)
        is_of_use = is_own | ((left_wh > 0.0) & (left_wh >= least_wh))
        order = np.lexsort((-left_wh, ~is_own))
        return [known[i] for i in order[is_of_use[order]][:count].tolist()]

    def _left_wh(self, numbers: IntArray, need: JobNeeds) -> FloatArray:
        """Return what some producers have left in the hours of a job's window, Wh, shape (producers,)."""
        first = (need.begin_s // MINUTE_S - self._first_minute) // _HOUR
        end = -(-(-(-need.end_s // MINUTE_S) - self._first_minute) // _HOUR)
        rows = np.zeros(len(numbers), dtype=np.float64)
        is_known = numbers < len(self._by_hour)
        rows[is_known] = self._by_hour[numbers[is_known], max(first, 0) : max(end, 0)].sum(axis=1) / 1_000
        return rows

    def knows(self, number: int) -> bool:
        """Return whether a producer has said what it expects to produce."""
        return number in self._books

    def offer(
        self,
        number: int,
        job_id: str,
        first_minute: int,
        minutes: int,
        most_in_minute_mwh: int,
        movable_after_s: int | None,
        most_runs: int = MAX_RUNS_OF_OFFER,
    ) -> tuple[_Runs, _Runs]:
        """Return what a producer has left for a job, its present share included, and what others could give up.

        Args:
            number: The producer's number.
            job_id: The job.
            first_minute: The first minute, in UNIX minutes.
            minutes: How many.
            most_in_minute_mwh: Energy of a minute, mWh, from which on it does not matter how much there is.
            movable_after_s: Shares of other jobs that start after this time could move, UNIX seconds; None: they are
                not asked for.
            most_runs: Runs of each at most.

        Returns:
            Both by the minute, mWh, run-length encoded.
        """
        shares = self._shares.get(number, {})
        left_mwh = self._books[number].left_mwh(first_minute, minutes)
        if job_id in shares:
            start_s, series = shares[job_id]
            add_at(left_mwh, series, start_s // MINUTE_S - first_minute)
        np.clip(left_mwh, 0, most_in_minute_mwh, out=left_mwh)
        if movable_after_s is None:
            return _runs(left_mwh, most_runs), ()
        movable_mwh = np.zeros(minutes, dtype=np.int64)
        for other, (start_s, series) in shares.items():
            if other != job_id and start_s > movable_after_s:
                add_at(movable_mwh, series, start_s // MINUTE_S - first_minute)
        return _runs(left_mwh, most_runs), _runs(np.minimum(movable_mwh, most_in_minute_mwh), most_runs)

    def news(self) -> tuple[int, IntArray]:
        """Return by how much more is left in each minute than jobs know of.

        Returns:
            The first minute, in UNIX minutes, and mWh, shape (minutes,); empty if there is no more.
        """
        more_mwh = self._total - self._known
        risen = np.flatnonzero(more_mwh > 0)
        if not len(risen):
            return 0, _NONE
        first = int(risen[0])
        return self._first_minute + first, np.maximum(more_mwh[first : risen[-1] + 1], 0)

    def take_has_risen(self) -> bool:
        """Return whether the energy left has risen in any minute since the last call."""
        has_risen, self._has_risen = self._has_risen, False
        return has_risen

    def end_news(self) -> None:
        """Treat everything that is left as known from now on."""
        self._known = self._total.copy()

    # Sums.

    def _left(self, number: int, first_minute: int, minutes: int) -> IntArray:
        """Return what a producer has left in each minute, mWh, not negative."""
        return np.maximum(self._books[number].left_mwh(first_minute, minutes), 0)

    def _note(self, number: int, first_minute: int, before: IntArray) -> None:
        """Update the sums after what a producer has left has changed in some minutes, from `before`."""
        if not len(before):
            return
        first = first_minute // _HOUR * _HOUR
        end = -(-(first_minute + len(before)) // _HOUR) * _HOUR
        self._make_room(number, first, end)
        begin = first_minute - self._first_minute
        book = self._books.get(number)
        after = np.zeros(end - first, dtype=np.int64) if book is None else self._left(number, first, end - first)
        within = slice(begin, begin + len(before))
        change = after[first_minute - first : first_minute - first + len(before)] - before
        self._has_risen |= bool((change > 0).any())
        self._total[within] += change
        self._known[within] = np.minimum(self._known[within], self._total[within])
        hour = (first - self._first_minute) // _HOUR
        self._by_hour[number, hour : hour + (end - first) // _HOUR] = after.reshape(-1, _HOUR).sum(axis=1)

    def _make_room(self, number: int, first: int, end: int) -> None:
        """Extend the arrays so that they hold a producer, and the minutes from one to another, both whole hours."""
        if not len(self._total):
            self._first_minute = first
        lead = max(0, self._first_minute - first)
        minutes = max(len(self._total) + lead, end - self._first_minute + lead)
        rows = max(len(self._by_hour), number + 1)
        if not lead and minutes == len(self._total) and rows == len(self._by_hour):
            return
        total, known = np.zeros(minutes, dtype=np.int64), np.zeros(minutes, dtype=np.int64)
        total[lead : lead + len(self._total)] = self._total
        known[lead : lead + len(self._known)] = self._known
        by_hour = np.zeros((rows, minutes // _HOUR))
        old_rows, old_hours = self._by_hour.shape
        by_hour[:old_rows, lead // _HOUR : lead // _HOUR + old_hours] = self._by_hour
        self._first_minute -= lead
        self._total, self._known, self._by_hour = total, known, by_hour


def _runs(minutes_mwh: IntArray, most_runs: int) -> _Runs:
    """Return energy by the minute as runs; if there are very many, merge minutes by their lowest value."""
    for minutes in (1, 5, 15, 60):
        whole = len(minutes_mwh) // minutes * minutes
        least_mwh = minutes_mwh[:whole].reshape(-1, minutes).min(axis=1)
        runs = tuple((count * minutes, mwh) for count, mwh in packed(least_mwh)) if minutes > 1 else packed(least_mwh)
        if len(runs) <= most_runs:
            return runs
    return runs[:most_runs]


def most_mwh(job: Job) -> int:
    """Return what a producer offers to a job in a minute at most, mWh."""
    load = job.load_profile
    power_w = np.diff(load.cumulative_array) / np.diff(load.times_array) * 3_600
    return OFFERED_PEAKS * int(np.ceil(power_w.max() * 1_000 * MINUTE_S / 3_600))
