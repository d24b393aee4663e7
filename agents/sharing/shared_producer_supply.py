"""A producer with shared supply: reports what it expects to produce, and answers what consumers ask to reserve.

The manager's board shows what the producer has left, minute by minute, because it learns of each forecast and of each
share. A consumer that reserves a share for the first time describes the job. The producer sends its answer to the
manager, which compares the description with the job that was registered.

In no minute does the producer promise more than its newest forecast, rounded to whole mWh. If a forecast falls, the
shares that were reserved last shrink first, including those of running jobs; minutes that have passed stay as they
were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from agents.counts_per_second import CountsPerSecond
from agents.energy import IntArray, Outlook
from agents.expected_production import PAST_KEPT_S
from agents.job_register import digest_of
from agents.messages import (
    MAX_REASON_CHARACTERS,
    NOT_REGISTERED,
    AnyMessage,
    Conclude,
    ProductionExpected,
    Reserve,
    RoomNeeded,
    RoomWanted,
    ShareDeclined,
    SharePromised,
    ShareVoid,
    Shrink,
    Withdraw,
)
from agents.model import MANAGER, Job
from agents.producer import Producer
from agents.scheduling import AlgorithmSettings
from agents.shares import MAX_MINUTES, MAX_RUNS, MINUTE_S, load_mwh, packed, unpacked
from agents.sharing.board import most_mwh
from agents.sharing.past_forecasts import PastForecasts
from agents.sharing.reservations import Reservation, Reservations
from broker.hosts import Received

TAKEN = "another agent has described a job with this id, and the manager has not checked it yet"
"""Why a share is declined to a consumer that may be honest."""
MAX_RESERVATIONS = 40
"""Reservations of one job in one second that are followed; honest consumers make a few."""
MAX_WISHES_TAKEN = 40
"""Wishes for room of one consumer in one second that are followed; each may lead to several messages."""
MAX_ROOM_BYTES = 200_000
"""Size of a wish for room, which is passed on with an offer: together they must fit into a message."""
ROUNDS_OF_REFUSAL = 3
"""Rounds after a refusal in which its consumer may not know of it: the manager passes it on, and messages cross it."""
MAX_ASKED_FOR_ROOM = 4
"""Jobs that are asked to make room for another one, those with the most of what it wants first."""


class _Description(NamedTuple):
    """A description of a job by its consumer."""

    digest: str
    step: int
    """The step in which it was received."""


class _Forgotten(NamedTuple):
    """A job that was forgotten because its first reservation was declined."""

    consumer: str
    step: int
    """The step in which it was declined."""


class SharedProducerSupply:
    """The supply of a producer that gives shares to jobs, minute by minute; see `agents.producer.ProducerSupply`."""

    def __init__(self, producer: Producer) -> None:
        """Begin without reservations.

        Args:
            producer: The producer, which sends the messages.
        """
        self._producer = producer
        self._jobs: dict[str, Job] = {}
        """By job id, how its consumer described it."""
        self._reservations = Reservations()
        self._descriptions: dict[str, _Description] = {}
        """By job id, what is kept of its consumer's description besides the job."""
        self._forgotten: dict[str, _Forgotten] = {}
        """By job id, refusals of the last rounds after which nothing else is known of the job."""
        self._promised_in: dict[str, int] = {}
        """By job id, the step in which its share was last reported to the manager."""
        self._inventors: set[str] = set()
        """Houses that have described a job that is not registered so: they describe no more."""
        self._expected: list[tuple[int, tuple[tuple[int, int], ...]]] = []
        """The newest forecast as it is sent to the manager, each part with its first UNIX minute."""
        self._requests = CountsPerSecond()
        """Reservations that were asked for, by job."""
        self._wishes = CountsPerSecond()
        """Wishes for room, by consumer."""
        self.past_forecasts = PastForecasts()
        self.was_away = False
        """Whether it has ever left, so that shares of running jobs did not follow its forecasts."""
        self._why_shrunk = ""
        """Why shares shrank last."""

    @property
    def shares(self) -> Mapping[str, tuple[int, tuple[tuple[int, int], ...]]]:
        """By job id, start (UNIX seconds) and energy by the minute of each share: its side of the ledger."""
        return self._reservations.shares

    @property
    def promised_s(self) -> Mapping[str, int]:
        """See `Producer.promised_s`."""
        return {job_id: start_s for job_id, (start_s, _) in self.shares.items()}

    def begin_round(self) -> None:
        """See `ProducerSupply.begin_round`: nothing is kept for a round only."""

    def end_round(self) -> None:
        """See `ProducerSupply.end_round`: refusals of which all consumers know by now are forgotten."""
        if self._forgotten:
            since = self._producer.step - ROUNDS_OF_REFUSAL
            self._forgotten = {job_id: refused for job_id, refused in self._forgotten.items() if refused.step > since}

    def change_algorithm(self, algorithm: AlgorithmSettings) -> None:
        """See `ProducerSupply.change_algorithm`: consumers compose the shares, so no algorithm decides here."""

    def promise_late(self) -> None:
        """See `Producer.promise_late`: no job is pushed out, because jobs share the minutes."""

    async def take(self, received: Received[AnyMessage]) -> bool:
        """See `ProducerSupply.take`."""
        sender = received.sender
        match received.message:
            case Reserve() as reserve:
                self._reserve(sender, reserve)
            case Conclude(job_id=job_id, is_agreed=is_agreed) if self._is_of(sender, job_id):
                self._conclude(job_id, is_agreed=is_agreed)
            case Withdraw(job_id=job_id) if self._is_of(sender, job_id):
                self._give_up(job_id)
            case Withdraw(job_id=job_id) if self._may_not_know_of_refusal(sender, job_id):
                pass
            case RoomWanted(job_id=job_id) as wanted if job_id not in self._jobs or self._is_of(sender, job_id):
                self._ask_for_room(sender, wanted)
            case ShareVoid() as void if sender == MANAGER:
                self._take_void(void, received.step)
            case message:
                return self._refuse(sender, message)
        return True

    def _refuse(self, sender: str, message: AnyMessage) -> bool:
        """Reject a message about jobs that its sender may not send; return False if it is not about jobs."""
        if isinstance(message, Conclude | Withdraw | RoomWanted):
            if message.job_id in self._jobs or not isinstance(message, RoomWanted):
                self._producer.reject(sender, f"sends {message.kind} for job {message.job_id!r}, which is not its own")
        elif message.kind in {"Request", "Hold", "Release", "PromiseVoid", "JobsRegistered"}:
            self._producer.reject(sender, f"sends {message.kind}, and this neighbourhood shares its supply")
        else:
            return False
        return True

    def _is_of(self, consumer: str, job_id: str) -> bool:
        """Return whether a job that was described is a consumer's own."""
        job = self._jobs.get(job_id)
        return job is not None and job.agent == consumer

    def _may_not_know_of_refusal(self, consumer: str, job_id: str) -> bool:
        """Return whether a job's first reservation was declined so recently that its consumer may still withdraw it."""
        refused = self._forgotten.get(job_id)
        if refused is None or refused.consumer != consumer:
            return False
        return self._producer.step - refused.step <= ROUNDS_OF_REFUSAL

    def _take_void(self, void: ShareVoid, sent_in: int) -> None:
        """Free a share, unless it was promised again, or the job described again, before the manager could know.

        Args:
            void: What the manager says.
            sent_in: The step in which it said so.
        """
        job_id = void.job_id
        if void.reason != NOT_REGISTERED:
            if self._promised_in.get(job_id, -1) < sent_in:
                self._reservations.remove(job_id)
        elif job_id in self._jobs and self._descriptions[job_id].step < sent_in:
            self._reservations.remove(job_id)
            invented = self._forget_job(job_id)  # the job's real consumer may still describe it
            self._inventors.add(invented.house)
            self._producer.reject(invented.agent, f"reserves for job {job_id!r}, which is not registered so")

    def _forget_job(self, job_id: str) -> Job:
        """Forget a job that was described and has no reservation; return it."""
        del self._descriptions[job_id]
        self._promised_in.pop(job_id, None)
        return self._jobs.pop(job_id)

    # What is left.

    def _free_mwh(self, job_id: str, first_minute: int, minutes: int) -> IntArray:
        """Return what a job could have in each minute, its own share included, mWh, shape (minutes,)."""
        if self._producer.expects.outlook is None or not self._producer.is_there:
            return np.zeros(minutes, dtype=np.int64)
        free_mwh = self._reservations.left_mwh(job_id, first_minute, minutes)
        free_mwh[: max(0, self._producer.now_s // MINUTE_S - first_minute)] = 0
        return np.maximum(free_mwh, 0)

    def _forget_descriptions(self) -> None:
        """Forget the jobs that must have ended a day ago: no message mentions them any more."""
        for job_id, job in list(self._jobs.items()):
            has_ended = job.latest_start_s + job.duration_s + PAST_KEPT_S <= self._producer.now_s
            if has_ended and not self._reservations.has(job_id):
                self._forget_job(job_id)

    # Reservations.

    def _reserve(self, consumer: str, reserve: Reserve) -> None:
        job_id = reserve.job_id
        is_new = job_id not in self._jobs
        problem = self._problem_with_job(reserve, consumer) or self._problem_with(reserve)
        wanted = Reservation.of(reserve.start_s, unpacked(reserve.minutes_mwh))
        if problem or self._has_less(job_id, wanted):
            if problem and problem != TAKEN:
                self._producer.reject(consumer, problem)
            self._decline_share(reserve, consumer, problem or "less is left")
            if is_new and job_id in self._jobs:
                self._forget_job(job_id)  # the manager compares the description only if something is promised
                self._forgotten[job_id] = _Forgotten(consumer, self._producer.step)
            return
        self._reservations.add(job_id, wanted, keeps_earlier=reserve.keeps_earlier)
        self._promise_share(job_id, wanted, is_answer=bool(reserve.minutes_mwh))

    def _has_less(self, job_id: str, wanted: Reservation) -> bool:
        """Return whether less is left than a job wants, in any minute that has not passed."""
        skipped = max(0, self._producer.now_s // MINUTE_S - wanted.first_minute)
        free_mwh = self._free_mwh(job_id, wanted.first_minute, len(wanted.minutes_mwh))
        return bool((wanted.minutes_mwh[skipped:] > free_mwh[skipped:]).any())

    def _decline_share(self, reserve: Reserve, consumer: str, reason: str) -> None:
        if reserve.minutes_mwh:
            declined = ShareDeclined(job_id=reserve.job_id, consumer=consumer, reason=reason[:MAX_REASON_CHARACTERS])
            self._producer.send(MANAGER, declined)

    def _problem_with_job(self, reserve: Reserve, consumer: str) -> str:
        """Take a consumer's description of its job; return the problem, empty if the job is its own and known."""
        job_id, described = reserve.job_id, reserve.job
        is_new = described is not None and job_id not in self._jobs and described.house not in self._inventors
        if described is not None and is_new and described.agent == consumer:
            self._jobs[job_id] = described
            self._descriptions[job_id] = _Description(digest_of(described), self._producer.step)
        known = self._jobs.get(job_id)
        if known is not None and described is not None and known.agent != consumer == described.agent:
            return TAKEN
        if known is None or known.agent != consumer or (described is not None and described != known):
            return f"reserves for job {job_id!r}, which it has not described or is not its own"
        return ""

    def _problem_with(self, reserve: Reserve) -> str:
        """Return the problem of a reservation that does not depend on the uncommitted production; empty: none."""
        job_id = reserve.job_id
        if self._requests.add(job_id, self._producer.now_s) > MAX_RESERVATIONS:
            return f"reserves more than {MAX_RESERVATIONS} times for job {job_id!r} in one second"
        job, wanted = self._jobs[job_id], unpacked(reserve.minutes_mwh)
        needed = load_mwh(job.load_profile, reserve.start_s)
        if len(wanted) > len(needed) or (wanted > needed[: len(wanted)]).any():
            return f"reserves more for job {job_id!r} than it draws"
        earlier = self._reservations.get(job_id)
        if earlier is not None and earlier.start_s <= self._producer.now_s:
            passed = max(0, self._producer.now_s // MINUTE_S - earlier.first_minute)
            before, after = earlier.between(earlier.first_minute, passed), unpacked(reserve.minutes_mwh, passed)
            if earlier.start_s != reserve.start_s or (before != after).any():
                return f"changes what job {job_id!r} has been given already"
        elif reserve.minutes_mwh and not self._may_start_at(job, reserve.start_s, wanted):
            return f"reserves for a start of job {job_id!r} at {reserve.start_s}, outside its window"
        return ""

    def _may_start_at(self, job: Job, start_s: int, wanted: IntArray) -> bool:
        """Return whether a start is possible; a job that runs already can be given what is still to come."""
        passed = max(0, self._producer.now_s // MINUTE_S - start_s // MINUTE_S)
        return job.earliest_start_s <= start_s <= job.latest_start_s and not wanted[:passed].any()

    def _conclude(self, job_id: str, *, is_agreed: bool) -> None:
        if not self._reservations.has_newer(job_id):
            return
        self._reservations.conclude(job_id, takes_newer=is_agreed)
        earlier = self._reservations.get(job_id)
        if not is_agreed and earlier is not None:
            self._promise_share(job_id, earlier)
        if self._why_shrunk:
            self._shrink(self._why_shrunk)

    def _give_up(self, job_id: str) -> None:
        """Free what is reserved for a job; what a running one has had already stays."""
        left = self._reservations.give_up(job_id, self._producer.now_s)
        if left is not None:
            self._promise_share(job_id, left)

    def _promise_share(self, job_id: str, reservation: Reservation, *, is_answer: bool = False) -> None:
        """Report to the manager the share that the job has from now on.

        Args:
            job_id: The job.
            reservation: The share.
            is_answer: Whether the job's consumer waits for it.
        """
        promised = SharePromised(
            job_id=job_id,
            consumer=self._jobs[job_id].agent,
            start_s=reservation.start_s,
            minutes_mwh=reservation.runs,
            digest=self._descriptions[job_id].digest,
            is_answer=is_answer,
        )
        self._producer.send(MANAGER, promised)
        self._promised_in[job_id] = self._producer.step

    # Room for other jobs.

    def _ask_for_room(self, consumer: str, wanted: RoomWanted) -> None:
        """Ask unstarted jobs whose shares another job wants whether they would be covered as well elsewhere.

        The other job may be unknown here, because the producer had nothing left for it to reserve.
        """
        if self._wishes.add(consumer, self._producer.now_s) > MAX_WISHES_TAKEN:
            self._producer.reject(consumer, f"wants room more than {MAX_WISHES_TAKEN} times in one second")
            return
        own = next((share for share in wanted.shares if share.producer == self._producer.id), None)
        if own is None:
            self._producer.reject(consumer, "wants room at a producer whose share is not among the wanted")
            return
        if len(wanted.model_dump_json()) > MAX_ROOM_BYTES:
            self._producer.reject(consumer, f"wants room in more than {MAX_ROOM_BYTES} bytes")
            return
        wish = Reservation(wanted.start_s, own.minutes(), own.minutes_mwh)
        minutes = len(wish.minutes_mwh)
        free_mwh = self._free_mwh(wanted.job_id, wish.first_minute, minutes)
        lacking_mwh = np.maximum(wish.minutes_mwh - free_mwh, 0)
        overlaps = [
            (int(np.minimum(reservation.between(wish.first_minute, minutes), lacking_mwh).sum()), job_id)
            for job_id, reservation in self._reservations.items()
            if job_id != wanted.job_id and reservation.start_s > self._producer.now_s
        ]
        for overlap_mwh, job_id in sorted(overlaps, key=lambda pair: (-pair[0], pair[1]))[:MAX_ASKED_FOR_ROOM]:
            if overlap_mwh:
                first_minute, left_mwh = self._left_for(job_id)
                needed = RoomNeeded(
                    job_id=job_id,
                    first_minute=first_minute,
                    minutes_mwh=packed(left_mwh),
                    start_s=wanted.start_s,
                    shares=wanted.shares,
                )
                self._producer.send(self._jobs[job_id].agent, needed)

    def _left_for(self, job_id: str) -> tuple[int, IntArray]:
        """Return what an unstarted job could have, from which UNIX minute on, mWh in each minute."""
        job = self._jobs[job_id]
        first_minute = max(job.earliest_start_s, self._producer.now_s) // MINUTE_S
        minutes = max(1, -(-(job.latest_start_s + job.duration_s) // MINUTE_S) - first_minute)
        free_mwh = self._free_mwh(job_id, first_minute, minutes)
        return first_minute, np.minimum(free_mwh, most_mwh(job))

    # Forecasts, leaving, lost consumers.

    def learn(self, production: Outlook) -> None:
        """See `ProducerSupply.learn`."""
        self.past_forecasts.take(production, self._producer.now_s)
        first_minute = self._producer.now_s // MINUTE_S
        runs = packed(self._reservations.adopt(production, first_minute)[:MAX_MINUTES])
        self._expected = []
        for begin in range(0, max(1, len(runs)), MAX_RUNS):
            part = runs[begin : begin + MAX_RUNS]
            self._expected.append((first_minute, part))
            first_minute += sum(count for count, _ in part)

    def introduce(self) -> None:
        """See `ProducerSupply.introduce`: the manager's board subtracts the shares from it, because it knows them."""
        if self._producer.expects.outlook is None:
            return
        now_minute = self._producer.now_s // MINUTE_S
        for first_minute, runs in self._expected:
            passed = now_minute - first_minute
            if passed > 0:
                first_minute, runs = now_minute, packed(unpacked(runs)[passed:])  # noqa: PLW2901 - what is to come
            self._producer.send(MANAGER, ProductionExpected(first_minute=first_minute, minutes_mwh=runs))

    def follow_forecast(self) -> None:
        """See `ProducerSupply.follow_forecast`: shares shrink until the new forecast covers them, the latest first."""
        self.introduce()
        self._shrink("the new forecast has less sun")

    def _shrink(self, reason: str) -> None:
        self._why_shrunk = reason
        producer, now_s = self._producer, self._producer.now_s
        self._reservations.close_ended(now_s, self._jobs)
        self._forget_descriptions()
        for job_id, kept_mwh in self._reservations.kept(now_s, is_there=producer.is_there):
            reservation = self._reservations[job_id]
            if self._reservations.has_newer(job_id) or (kept_mwh == reservation.minutes_mwh).all():
                continue  # of two reservations, `_conclude` shrinks the one that remains
            shrunk = Reservation.of(reservation.start_s, kept_mwh)
            self._reservations.shrink(job_id, shrunk)
            shrink = Shrink(
                job_id=job_id,
                start_s=shrunk.start_s,
                before_mwh=reservation.runs,
                minutes_mwh=shrunk.runs,
                reason=reason[:MAX_REASON_CHARACTERS],
            )
            self._producer.send(self._jobs[job_id].agent, shrink)
            self._promise_share(job_id, shrunk)

    def stop(self, reason: str) -> None:
        """See `ProducerSupply.stop`."""
        self.was_away = True
        self._shrink(reason)

    def resume(self) -> None:
        """See `ProducerSupply.resume`: the forecast may have fallen meanwhile."""
        self._shrink("its producer was away, and its forecast has less sun")

    def forget_consumers(self, consumers: frozenset[str]) -> None:
        """See `ProducerSupply.forget_consumers`."""
        for job_id, _ in list(self._reservations.items()):
            if self._jobs[job_id].agent in consumers:
                self._reservations.lose(job_id, self._producer.now_s)
