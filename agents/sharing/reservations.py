"""What one producer has reserved, for which job, and what is left of its forecast.

A reservation may have a newer one beside it, which replaces it if the job's consumer concludes so. Until then, what
either of the two needs is booked.
"""

from __future__ import annotations

from collections.abc import ItemsView, Mapping
from dataclasses import dataclass

import numpy as np

from agents.energy import IntArray, Outlook
from agents.model import Job
from agents.shares import MINUTE_S, add_at, packed
from agents.sharing.booking import MinuteBookings

_NOTHING: IntArray = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Reservation:
    """A producer's reservation for a job."""

    start_s: int
    """Start of the job, UNIX seconds."""
    minutes_mwh: IntArray
    """mWh in each minute from the one in which the job starts."""
    runs: tuple[tuple[int, int], ...]
    """The same as it is sent."""

    @classmethod
    def of(cls, start_s: int, minutes_mwh: IntArray) -> Reservation:
        """Return a reservation of energy by the minute."""
        return cls(start_s, minutes_mwh, packed(minutes_mwh))

    @property
    def first_minute(self) -> int:
        """UNIX minute in which the job starts."""
        return self.start_s // MINUTE_S

    def between(self, first_minute: int, minutes: int) -> IntArray:
        """Return its energy in some minutes, mWh, shape (minutes,).

        Args:
            first_minute: The first one, in UNIX minutes.
            minutes: How many.
        """
        series_mwh = np.zeros(minutes, dtype=np.int64)
        add_at(series_mwh, self.minutes_mwh, self.first_minute - first_minute)
        return series_mwh


@dataclass(frozen=True, slots=True)
class _Given:
    """What a job that has run was given: a reservation in as few bytes as possible, as a year has thousands."""

    start_s: int
    """Start of the job, UNIX seconds."""
    minutes_mwh: IntArray
    """mWh in each minute from the one in which the job started, in the smallest type that holds them."""

    @classmethod
    def of(cls, reservation: Reservation) -> _Given:
        """Return what a reservation has given."""
        minutes_mwh = reservation.minutes_mwh
        smallest = np.min_scalar_type(int(minutes_mwh.max(initial=0)))
        return cls(reservation.start_s, minutes_mwh.astype(smallest))

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """The energy as it was promised."""
        return packed(self.minutes_mwh)


class Reservations:
    """The reservations of one producer, in the order in which they were made."""

    __slots__ = ("_book", "_booked", "_given", "_newer", "_reserved")

    def __init__(self) -> None:
        self._reserved: dict[str, Reservation] = {}
        """By job id, in the order of reservation."""
        self._newer: dict[str, Reservation] = {}
        """By job id, a reservation that replaces the one above if its consumer concludes so."""
        self._given: dict[str, _Given] = {}
        """By job that has run, what it was given."""
        self._book = MinuteBookings()
        self._booked: dict[str, tuple[int, IntArray]] = {}
        """By job, what is booked for it: the first UNIX minute, and mWh in each minute."""

    def __getitem__(self, job_id: str) -> Reservation:
        """Return a job's reservation, without the newer one."""
        return self._reserved[job_id]

    def get(self, job_id: str) -> Reservation | None:
        """Return a job's reservation, without the newer one; None: it has none."""
        return self._reserved.get(job_id)

    def items(self) -> ItemsView[str, Reservation]:
        """Return all reservations by job id, without the newer ones."""
        return self._reserved.items()

    def has(self, job_id: str) -> bool:
        """Return whether anything is reserved for a job."""
        return job_id in self._reserved or job_id in self._newer

    def has_newer(self, job_id: str) -> bool:
        """Return whether a newer reservation waits for its consumer's conclusion."""
        return job_id in self._newer

    @property
    def shares(self) -> Mapping[str, tuple[int, tuple[tuple[int, int], ...]]]:
        """By job id, start (UNIX seconds) and energy by the minute of each share, those of jobs that have run first."""
        kept: dict[str, _Given | Reservation] = {**self._given, **self._reserved}
        return {job_id: (share.start_s, runs) for job_id, share in kept.items() if (runs := share.runs)}

    # What is left.

    def adopt(self, production: Outlook, first_minute: int) -> IntArray:
        """Take a new forecast.

        Args:
            production: What is expected from now on.
            first_minute: The present UNIX minute.

        Returns:
            What is expected in each minute from now on, mWh, shape (minutes,).
        """
        return self._book.adopt(production, first_minute)

    def left_mwh(self, job_id: str, first_minute: int, minutes: int) -> IntArray:
        """Return what a job could have in some minutes, mWh, shape (minutes,); negative if the forecast fell.

        Args:
            job_id: The job; what is booked for itself counts as left.
            first_minute: The first one, in UNIX minutes.
            minutes: How many.
        """
        left_mwh = self._book.left_mwh(first_minute, minutes)
        if job_id in self._booked:
            begin, own_mwh = self._booked[job_id]
            add_at(left_mwh, own_mwh, begin - first_minute)
        return left_mwh

    def kept(self, now_s: int, *, is_there: bool) -> list[tuple[str, IntArray]]:
        """Return what the forecast leaves of each reservation, mWh in each minute, in the order of reservation.

        Args:
            now_s: The present, UNIX seconds; what has passed stays as it was.
            is_there: Whether the producer takes part; otherwise running jobs keep all, and the others nothing.
        """
        if not self._reserved:
            return []
        now = now_s // MINUTE_S
        last = max(r.first_minute + len(r.minutes_mwh) for r in self._reserved.values())
        minutes = max(0, last - now)
        left_mwh = self._left_by_ended_mwh(now, minutes) if is_there else np.zeros(minutes, dtype=np.int64)
        kept = []
        for job_id, reservation in self._reserved.items():
            if not is_there and reservation.start_s <= now_s:
                kept.append((job_id, reservation.minutes_mwh))
                continue
            future_mwh = np.minimum(reservation.between(now, minutes), left_mwh)
            begin, booked_mwh = self._booked[job_id]
            add_at(left_mwh, -booked_mwh, begin - now)
            left_mwh = np.maximum(left_mwh, 0)
            kept_mwh = reservation.minutes_mwh.copy()
            begin = reservation.first_minute - now
            passed = max(0, -begin)
            if passed < len(kept_mwh):
                kept_mwh[passed:] = future_mwh[begin + passed : begin + len(kept_mwh)]
            kept.append((job_id, kept_mwh))
        return kept

    def _left_by_ended_mwh(self, first_minute: int, minutes: int) -> IntArray:
        """Return what jobs that have ended leave of the production, mWh, shape (minutes,).

        In the minute in which a job ends, it has been given energy that others cannot have.
        """
        left_mwh = self._book.left_mwh(first_minute, minutes)
        for begin, booked_mwh in self._booked.values():
            add_at(left_mwh, booked_mwh, begin - first_minute)
        return np.maximum(left_mwh, 0)

    # Reserving.

    def add(self, job_id: str, wanted: Reservation, *, keeps_earlier: bool) -> None:
        """Reserve energy for a job; a reservation of nothing frees what it had.

        Args:
            job_id: The job.
            wanted: The reservation.
            keeps_earlier: Whether the job keeps an earlier one as well until `conclude`.
        """
        if keeps_earlier and job_id in self._reserved:
            self._newer[job_id] = wanted
            self._rebook(job_id)
        else:
            self._replace(job_id, wanted)

    def conclude(self, job_id: str, *, takes_newer: bool) -> None:
        """Keep one of a job's two reservations: the newer one, or the earlier one."""
        newer = self._newer.pop(job_id)
        if takes_newer:
            self._replace(job_id, newer)
        else:
            self._rebook(job_id)

    def shrink(self, job_id: str, shrunk: Reservation) -> None:
        """Leave a job with less than it had; with nothing, it has no reservation any more."""
        self._reserved[job_id] = shrunk
        if not shrunk.runs:
            del self._reserved[job_id]
        self._rebook(job_id)

    def _replace(self, job_id: str, wanted: Reservation) -> None:
        self._newer.pop(job_id, None)
        self._reserved.pop(job_id, None)
        if len(wanted.minutes_mwh):
            self._reserved[job_id] = wanted
        self._rebook(job_id)

    def _rebook(self, job_id: str) -> None:
        """Book what is kept for a job now: of two reservations, only one will be needed."""
        before = self._booked.pop(job_id, None)
        if before is not None:
            begin, before_mwh = before
            self._book.take(begin, -before_mwh)
        kept = [r for r in (self._reserved.get(job_id), self._newer.get(job_id)) if r is not None]
        if kept:
            first = min(r.first_minute for r in kept)
            minutes = max(r.first_minute + len(r.minutes_mwh) for r in kept) - first
            series_mwh = np.maximum.reduce([r.between(first, minutes) for r in kept])
            self._booked[job_id] = (first, series_mwh)
            self._book.take(first, series_mwh)

    # Freeing.

    def give_up(self, job_id: str, now_s: int) -> Reservation | None:
        """Free what is reserved for a job; what a running one has had already stays.

        Args:
            job_id: The job.
            now_s: The present, UNIX seconds.

        Returns:
            What the job has from now on, which may be nothing; None: it had no reservation.
        """
        self._newer.pop(job_id, None)
        reservation = self._reserved.get(job_id)
        if reservation is None:
            return None
        if reservation.start_s <= now_s:
            kept_mwh = reservation.minutes_mwh.copy()
            kept_mwh[now_s // MINUTE_S - reservation.first_minute :] = 0
            self._reserved[job_id] = Reservation.of(reservation.start_s, kept_mwh)
        else:
            del self._reserved[job_id]
        self._rebook(job_id)
        return self._reserved.get(job_id, Reservation(reservation.start_s, _NOTHING, ()))

    def remove(self, job_id: str) -> None:
        """Free all that is reserved for a job, as if it had never had anything."""
        self._reserved.pop(job_id, None)
        self._newer.pop(job_id, None)
        self._rebook(job_id)

    def lose(self, job_id: str, now_s: int) -> None:
        """Free what is reserved for a job of a lost consumer, unless it runs; no newer reservation will be concluded.

        Args:
            job_id: The job.
            now_s: The present, UNIX seconds.
        """
        self._newer.pop(job_id, None)
        if self._reserved[job_id].start_s > now_s:
            del self._reserved[job_id]
        self._rebook(job_id)

    def close_ended(self, now_s: int, jobs: Mapping[str, Job]) -> None:
        """Keep of jobs that have ended only what they were given.

        Args:
            now_s: The present, UNIX seconds.
            jobs: By job id, all that have a reservation.
        """
        for job_id, reservation in list(self._reserved.items()):
            if reservation.start_s + jobs[job_id].duration_s <= now_s and job_id not in self._newer:
                self._given[job_id] = _Given.of(self._reserved.pop(job_id))
                self._booked.pop(job_id, None)
