"""A producer with shared supply: offers what it has left, minute by minute, and keeps count of what it has reserved.

In no minute does it give away more than its newest forecast, rounded to whole mWh. If a forecast falls, the shares that
were reserved last shrink first, those of running jobs included; minutes that have passed stay as they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agents.energy import MAX_TIME_S, Outlook, Prediction, Production
from agents.headroom import view_of
from agents.messages import (
    MAX_REASON_CHARACTERS,
    AnyMessage,
    Conclude,
    Decline,
    Headroom,
    Offer,
    OfferRequest,
    Reserve,
    Reserved,
    RoomNeeded,
    RoomWanted,
    SharePromised,
    ShareVoid,
    Shrink,
    Withdraw,
)
from agents.model import MANAGER, Job
from agents.producer import Producer
from agents.scheduling import ProducerState
from agents.shares import MINUTE_S, IntArray, add_at, load_mwh, packed, unpacked
from agents.sharing import Book
from broker.hosts import Received

MAX_RESERVATIONS = 40
"""Reservations of one job in one second that are followed; honest consumers make a few."""
NEWS_SHARE = 0.05
"""A job is informed of additional energy if that could cover at least this share of it."""
OFFERED_PEAKS = 3
"""Offers are capped at this multiple of what a job can use in a minute: its consumer sees who has plenty, but not how
much."""
MAX_NEWS = 4
"""How often a job is offered more, unasked, between two forecasts: each time, all jobs that wait compete for it."""
MAX_ROOM_BYTES = 200_000
"""Size of a wish for room, which is passed on with an offer: together they must fit into a message."""
MAX_ASKED_FOR_ROOM = 4
"""Jobs that are asked to make room for another one, those with the most of what it wants first."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A producer's reservation for a job."""

    start_s: int
    """Start of the job, UNIX seconds."""
    minutes_mwh: IntArray
    """mWh in each minute from the one in which the job starts."""

    @property
    def first_minute(self) -> int:
        """UNIX minute in which the job starts."""
        return self.start_s // MINUTE_S

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """Its energy as it is sent."""
        return packed(self.minutes_mwh)

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
class _Interest:
    """A job that has asked for an offer."""

    job: Job
    most_mwh: int
    """Maximum offer to the job in a minute."""
    first_minute: int
    told_mwh: IntArray
    """The last offer to its consumer, from that minute on."""
    news: int = 0
    """How often its consumer was offered more, unasked, since the newest forecast."""


class SharedProducer(Producer):
    """The agent of one producer device that supplies shares."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Create a producer; see `Producer`."""
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # exactly those of `Producer`
        self._reserved: dict[str, Reservation] = {}
        """By job id, in the order of reservation."""
        self._newer: dict[str, Reservation] = {}
        """By job id, a reservation that replaces the one above if its consumer concludes so."""
        self._given: dict[str, Reservation] = {}
        """Reservations of jobs that have run."""
        self._book = Book()
        self._booked: dict[str, tuple[int, IntArray]] = {}
        """By job, what is booked for it: the first UNIX minute, and mWh in each minute."""
        self._freed: tuple[int, int] | None = None
        """The first and the last UNIX minute between which energy has become free since jobs were informed of it."""
        self._interests: dict[str, _Interest] = {}
        self._counts: dict[str, tuple[int, int]] = {}
        """By job, the second of its last reservation, and how many it made in that second."""
        self.forecasts: list[tuple[int, Production]] = []
        """All forecasts, each with the time from which it counted, UNIX seconds."""
        self.was_away = False
        """Whether it has ever left, so that shares of running jobs did not follow its forecasts."""
        self._why_shrunk = ""
        """Why shares shrank last."""

    @property
    def shares(self) -> Mapping[str, tuple[int, tuple[tuple[int, int], ...]]]:
        """By job id, start (UNIX seconds) and energy by the minute of each share: its side of the ledger."""
        return {job_id: (r.start_s, r.runs) for job_id, r in {**self._given, **self._reserved}.items() if r.runs}

    @property
    def promised_s(self) -> Mapping[str, int]:
        """See `Producer.promised_s`."""
        return {job_id: start_s for job_id, (start_s, _) in self.shares.items()}

    async def _take(self, received: Received[AnyMessage]) -> None:
        sender = received.sender
        match received.message:
            case OfferRequest(job=job, starts=starts):
                self._offer(received, job, starts)
            case Reserve() as reserve:
                self._reserve(received, reserve)
            case Conclude(job_id=job_id, is_agreed=is_agreed) if self._is_of(sender, job_id):
                self._conclude(job_id, is_agreed=is_agreed)
            case Withdraw(job_id=job_id) if self._is_of(sender, job_id):
                self._interests.pop(job_id, None)
                self._give_up(job_id)
            case RoomWanted(job_id=job_id) as wanted if self._is_of(sender, job_id):
                self._ask_for_room(wanted)
            case ShareVoid(job_id=job_id) if sender == MANAGER:
                self._reserved.pop(job_id, None)
                self._newer.pop(job_id, None)
                self._rebook(job_id)
                self._announce_openings()
            case message:
                await self._take_other(received, message)

    async def _take_other(self, received: Received[AnyMessage], message: AnyMessage) -> None:
        if isinstance(message, Conclude | Withdraw | RoomWanted):
            self.reject(received.sender, f"sends a {message.kind} for job {message.job_id!r}, which is not its own")
        elif message.kind in {"Request", "Hold", "Release", "PromiseVoid"}:
            self.reject(received.sender, f"sends a {message.kind}, and this neighbourhood shares its supply")
        else:
            await super()._take(received)

    def _is_of(self, consumer: str, job_id: str) -> bool:
        """Return whether a job that has asked for an offer is a consumer's own."""
        job = self._jobs.get(job_id)
        return job is not None and job.agent == consumer

    # Offers.

    def _offer(self, received: Received[AnyMessage], job: Job, starts: Sequence[tuple[int, int]]) -> None:
        sender, reason = received.sender, ""
        if not self._is_registered(job, sender):
            reason = "the job is not registered"
            self.reject(sender, f"asks for job {job.job_id!r}, which is not registered as its own")
        elif not self._is_first("offer", sender):
            reason = "one request at a time"
            self.reject(sender, "asks for several jobs at once; a device plans one after the other")
        elif not self._is_there:
            reason = "takes no part at present"
        elif self._production is None:
            reason = "no forecast yet"
        if reason:
            self.reply(received, Decline(job_id=job.job_id, reason=reason))
            return
        first_minute = max(starts[0][0], self.now_s) // MINUTE_S
        last_minute = -(-(starts[-1][1] + job.duration_s) // MINUTE_S)
        minutes = max(1, last_minute - first_minute)
        self._interests[job.job_id] = _Interest(
            job, OFFERED_PEAKS * _peak_mwh(job), first_minute, np.zeros(minutes, dtype=np.int64)
        )
        self.reply(received, self._offer_of(job.job_id))

    def _offer_of(self, job_id: str) -> Offer:
        """Return what a job can have now, and remember that its consumer knows it."""
        interest = self._interests[job_id]
        free_mwh = self._free_mwh(job_id, interest.first_minute, len(interest.told_mwh))
        usable_mwh = np.minimum(free_mwh, interest.most_mwh)
        self._interests[job_id] = replace(interest, told_mwh=usable_mwh)
        movable_mwh = np.minimum(self._movable_mwh(job_id, interest.first_minute, len(free_mwh)), interest.most_mwh)
        return Offer(
            job_id=job_id,
            first_minute=interest.first_minute,
            minutes_mwh=packed(usable_mwh),
            movable_mwh=packed(movable_mwh),
        )

    def _movable_mwh(self, job_id: str, first_minute: int, minutes: int) -> IntArray:
        """Return what other jobs hold in each minute that have not started, mWh, shape (minutes,)."""
        movable_mwh = np.zeros(minutes, dtype=np.int64)
        for other, reservation in self._reserved.items():
            if other != job_id and reservation.start_s > self.now_s:
                movable_mwh += reservation.between(first_minute, minutes)
        return movable_mwh

    def _free_mwh(self, job_id: str, first_minute: int, minutes: int) -> IntArray:
        """Return what a job could have in each minute, its own share included, mWh, shape (minutes,)."""
        if self._production is None or not self._is_there:
            return np.zeros(minutes, dtype=np.int64)
        free_mwh = self._book.left_mwh(first_minute, minutes)
        if job_id in self._booked:
            begin, own_mwh = self._booked[job_id]
            add_at(free_mwh, own_mwh, begin - first_minute)
        free_mwh[: max(0, self.now_s // MINUTE_S - first_minute)] = 0
        return np.maximum(free_mwh, 0)

    def _rebook(self, job_id: str) -> None:
        """Book what is kept for a job now: of two reservations, only one will be needed."""
        before = self._booked.pop(job_id, None)
        if before is not None:
            begin, before_mwh = before
            self._book.take(begin, -before_mwh)
            self._note_freed(begin, begin + len(before_mwh))
        kept = [r for r in (self._reserved.get(job_id), self._newer.get(job_id)) if r is not None]
        if kept:
            first = min(r.first_minute for r in kept)
            minutes = max(r.first_minute + len(r.minutes_mwh) for r in kept) - first
            series_mwh = np.maximum.reduce([r.between(first, minutes) for r in kept])
            self._booked[job_id] = (first, series_mwh)
            self._book.take(first, series_mwh)

    def _note_freed(self, first_minute: int, end_minute: int) -> None:
        first, end = self._freed or (first_minute, end_minute)
        self._freed = min(first, first_minute), max(end, end_minute)

    def _announce_openings(self) -> None:
        """Inform jobs for which there is more than they know, if that could cover a part of them that matters."""
        self._forget_ended()
        if self._freed is None:
            return
        (first, end), self._freed = self._freed, None
        for job_id, interest in list(self._interests.items()):
            minutes = len(interest.told_mwh)
            is_concerned = interest.first_minute < end and first < interest.first_minute + minutes
            if is_concerned and interest.news < MAX_NEWS:
                free_mwh = self._free_mwh(job_id, interest.first_minute, minutes)
                more_mwh = np.minimum(free_mwh, interest.most_mwh) - interest.told_mwh
                if np.maximum(more_mwh, 0).sum() >= NEWS_SHARE * 1_000 * interest.job.energy_wh:
                    self._interests[job_id] = replace(interest, news=interest.news + 1)
                    self.send(interest.job.agent, self._offer_of(job_id))

    def _forget_ended(self) -> None:
        for job_id, interest in list(self._interests.items()):
            if interest.job.latest_start_s + interest.job.duration_s <= self.now_s:
                del self._interests[job_id]
        for job_id, reservation in list(self._reserved.items()):
            if reservation.start_s + self._jobs[job_id].duration_s <= self.now_s and job_id not in self._newer:
                self._given[job_id] = self._reserved.pop(job_id)
                self._booked.pop(job_id, None)

    # Reservations.

    def _reserve(self, received: Received[AnyMessage], reserve: Reserve) -> None:
        job_id, sender = reserve.job_id, received.sender
        problem = self._problem_with(reserve, sender)
        if problem:
            self.reject(sender, problem)
            if reserve.minutes_mwh:
                self.reply(received, Decline(job_id=job_id, reason=problem[:MAX_REASON_CHARACTERS]))
            return
        wanted = Reservation(reserve.start_s, unpacked(reserve.minutes_mwh))
        minutes = len(wanted.minutes_mwh)
        skipped = max(0, self.now_s // MINUTE_S - wanted.first_minute)
        free_mwh = self._free_mwh(job_id, wanted.first_minute, minutes)
        if (wanted.minutes_mwh[skipped:] > free_mwh[skipped:]).any():
            self.reply(received, self._offer_of(job_id))
            return
        if reserve.minutes_mwh:
            self.reply(received, Reserved(job_id=job_id))
        if reserve.keeps_earlier and job_id in self._reserved:
            self._newer[job_id] = wanted
            self._rebook(job_id)
        else:
            self._replace(job_id, wanted)
        self._promise_share(job_id, wanted)
        self._announce_openings()

    def _problem_with(self, reserve: Reserve, consumer: str) -> str:
        """Return the problem of a reservation that does not depend on the uncommitted production; empty: none."""
        job_id = reserve.job_id
        if not self._is_of(consumer, job_id) or job_id not in self._interests:
            return f"reserves for job {job_id!r}, which has not asked for an offer or is not its own"
        at_s, count = self._counts.get(job_id, (self.now_s, 0))
        self._counts[job_id] = (self.now_s, count + 1 if at_s == self.now_s else 1)
        if self._counts[job_id][1] > MAX_RESERVATIONS:
            return f"reserves more than {MAX_RESERVATIONS} times for job {job_id!r} in one second"
        job, wanted = self._jobs[job_id], unpacked(reserve.minutes_mwh)
        needed = load_mwh(job.load_profile, reserve.start_s)
        if len(wanted) > len(needed) or (wanted > needed[: len(wanted)]).any():
            return f"reserves more for job {job_id!r} than it draws"
        earlier = self._reserved.get(job_id)
        if earlier is not None and earlier.start_s <= self.now_s:
            passed = max(0, self.now_s // MINUTE_S - earlier.first_minute)
            before, after = earlier.between(earlier.first_minute, passed), unpacked(reserve.minutes_mwh, passed)
            if earlier.start_s != reserve.start_s or (before != after).any():
                return f"changes what job {job_id!r} has been given already"
        elif reserve.minutes_mwh and not self._may_start_at(job, reserve.start_s, wanted):
            return f"reserves for a start of job {job_id!r} at {reserve.start_s}, outside its window"
        return ""

    def _may_start_at(self, job: Job, start_s: int, wanted: IntArray) -> bool:
        """Return whether a start is possible; a job that runs already can be given what is still to come."""
        passed = max(0, self.now_s // MINUTE_S - start_s // MINUTE_S)
        return job.earliest_start_s <= start_s <= job.latest_start_s and not wanted[:passed].any()

    def _replace(self, job_id: str, wanted: Reservation) -> None:
        self._newer.pop(job_id, None)
        self._reserved.pop(job_id, None)
        if len(wanted.minutes_mwh):
            self._reserved[job_id] = wanted
        self._rebook(job_id)

    def _conclude(self, job_id: str, *, is_agreed: bool) -> None:
        newer = self._newer.pop(job_id, None)
        if newer is None:
            return
        if is_agreed:
            self._replace(job_id, newer)
        else:
            self._rebook(job_id)
            self._promise_share(job_id, self._reserved[job_id])
        if self._why_shrunk:
            self._shrink(self._why_shrunk)
        self._announce_openings()

    def _give_up(self, job_id: str) -> None:
        """Free what is reserved for a job; what a running one has had already stays."""
        self._newer.pop(job_id, None)
        reservation = self._reserved.get(job_id)
        if reservation is None:
            return
        if reservation.start_s <= self.now_s:
            kept = reservation.minutes_mwh.copy()
            kept[self.now_s // MINUTE_S - reservation.first_minute :] = 0
            self._reserved[job_id] = replace(reservation, minutes_mwh=kept)
        else:
            del self._reserved[job_id]
        self._rebook(job_id)
        self._promise_share(job_id, self._reserved.get(job_id, Reservation(reservation.start_s, _NOTHING)))
        self._announce_openings()

    def _promise_share(self, job_id: str, reservation: Reservation) -> None:
        """Report to the manager the share that the job's consumer receives."""
        consumer = self._jobs[job_id].agent
        promised = SharePromised(
            job_id=job_id, consumer=consumer, start_s=reservation.start_s, minutes_mwh=reservation.runs
        )
        self.send(MANAGER, promised)

    # Room for other jobs.

    def _ask_for_room(self, wanted: RoomWanted) -> None:
        """Ask unstarted jobs whose shares another job wants whether they would be covered as well elsewhere."""
        own = next((share for share in wanted.shares if share.producer == self.id), None)
        if own is None:
            self.reject(self._jobs[wanted.job_id].agent, "wants room at a producer whose share is not among the wanted")
            return
        if len(wanted.model_dump_json()) > MAX_ROOM_BYTES:
            self.reject(self._jobs[wanted.job_id].agent, f"wants room in more than {MAX_ROOM_BYTES} bytes")
            return
        wish = Reservation(wanted.start_s, own.minutes())
        minutes = len(wish.minutes_mwh)
        free_mwh = self._free_mwh(wanted.job_id, wish.first_minute, minutes)
        lacking_mwh = np.maximum(wish.minutes_mwh - free_mwh, 0)
        overlaps = [
            (int(np.minimum(reservation.between(wish.first_minute, minutes), lacking_mwh).sum()), job_id)
            for job_id, reservation in self._reserved.items()
            if job_id != wanted.job_id and reservation.start_s > self.now_s and job_id in self._interests
        ]
        for overlap_mwh, job_id in sorted(overlaps, key=lambda pair: (-pair[0], pair[1]))[:MAX_ASKED_FOR_ROOM]:
            if overlap_mwh:
                left = self._offer_of(job_id)
                needed = RoomNeeded(
                    job_id=job_id,
                    first_minute=left.first_minute,
                    minutes_mwh=left.minutes_mwh,
                    start_s=wanted.start_s,
                    shares=wanted.shares,
                )
                self.send(self._interests[job_id].job.agent, needed)

    # Forecasts, leaving, lost consumers.

    def _adopt(self, prediction: Prediction) -> None:
        self.forecasts.append((self.now_s, self._beside_own_use(prediction).production))
        super()._adopt(prediction)

    def _remember(self, production: Outlook) -> None:
        super()._remember(production)
        self._book.adopt(production, self.now_s // MINUTE_S)

    def _show_headroom(self, state: ProducerState) -> None:
        """Publish the expected production by the hour; shares are not subtracted, because the manager knows them."""
        view = view_of(state)
        if view != self._headroom:
            self._headroom = view
            self.send(MANAGER, Headroom(view=view))

    def _replan(self, state: ProducerState) -> None:
        """Shrink shares until the new forecast covers them, the latest first."""
        self._show_headroom(state)
        self._shrink("the new forecast has less sun")
        self._offer_again()

    def _offer_again(self) -> None:
        """Inform all jobs for which there is more than they know."""
        self._note_freed(0, MAX_TIME_S)
        self._interests = {job_id: replace(interest, news=0) for job_id, interest in self._interests.items()}
        self._announce_openings()

    def _shrink(self, reason: str) -> None:
        self._why_shrunk = reason
        self._forget_ended()
        for job_id, kept_mwh in list(self._kept()):
            reservation = self._reserved[job_id]
            if job_id in self._newer or (kept_mwh == reservation.minutes_mwh).all():
                continue  # of two reservations, `_conclude` shrinks the one that remains
            shrunk = replace(reservation, minutes_mwh=kept_mwh)
            self._reserved[job_id] = shrunk
            if not shrunk.runs:
                del self._reserved[job_id]
            self._rebook(job_id)
            shrink = Shrink(
                job_id=job_id,
                start_s=shrunk.start_s,
                before_mwh=reservation.runs,
                minutes_mwh=shrunk.runs,
                reason=reason[:MAX_REASON_CHARACTERS],
            )
            self.send(self._jobs[job_id].agent, shrink)
            self._promise_share(job_id, shrunk)

    def _kept(self) -> Iterator[tuple[str, IntArray]]:
        """Yield what the forecast leaves of each reservation, in the order of reservation."""
        if not self._reserved:
            return
        now = self.now_s // MINUTE_S
        last = max(r.first_minute + len(r.minutes_mwh) for r in self._reserved.values())
        minutes = max(0, last - now)
        left_mwh = np.zeros(minutes, dtype=np.int64)
        if self._production is not None and self._is_there:
            left_mwh = self._book.produced_mwh(now, minutes)
        for job_id, reservation in self._reserved.items():
            if not self._is_there and reservation.start_s <= self.now_s:
                yield job_id, reservation.minutes_mwh
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
            yield job_id, kept_mwh

    def _break_promises(self, reason: str) -> None:
        """Take the shares back from jobs that have not started."""
        self.was_away = True
        self._shrink(reason)
        for job_id, interest in self._interests.items():
            self._interests[job_id] = replace(interest, told_mwh=np.zeros_like(interest.told_mwh))

    def _join(self) -> None:
        super()._join()
        self._shrink("its producer was away, and its forecast has less sun")
        self._offer_again()

    def on_lost(self, agents: frozenset[str]) -> None:
        """Forget the jobs of lost consumers, except running ones."""
        for job_id, interest in list(self._interests.items()):
            if interest.job.agent in agents:
                del self._interests[job_id]
        for job_id, reservation in list(self._reserved.items()):
            if self._jobs[job_id].agent in agents:
                self._newer.pop(job_id, None)
                if reservation.start_s > self.now_s:
                    del self._reserved[job_id]
                self._rebook(job_id)
        self._announce_openings()


_NOTHING: IntArray = np.zeros(0, dtype=np.int64)


def _peak_mwh(job: Job) -> int:
    """Return at least the most that a job can use in a minute, wherever in a minute it starts, mWh."""
    load = job.load_profile
    power_w = np.diff(load.cumulative_array) / np.diff(load.times_array) * 3_600
    return int(np.ceil(power_w.max() * 1_000 * MINUTE_S / 3_600))
