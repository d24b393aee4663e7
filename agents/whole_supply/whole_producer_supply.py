"""How a producer supplies whole jobs: decides which ones its production can supply, and keeps its promises.

Requests are processed one by one. Energy stays committed until a job has run. A new forecast triggers rescheduling, but
running jobs are never moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agents.energy import Outlook
from agents.headroom import PublishedHeadroom
from agents.job_register import digest_of
from agents.messages import (
    MAX_REASON_CHARACTERS,
    MAX_REFUSED,
    Accept,
    AcceptProvisionally,
    Amend,
    AnyMessage,
    Cancel,
    Decline,
    Declined,
    Headroom,
    Hold,
    JobsRegistered,
    Opening,
    Promised,
    PromiseVoid,
    PromiseWithdrawn,
    PushOut,
    Release,
    Request,
    Withdraw,
)
from agents.model import MANAGER, Job, Starts, covers
from agents.producer import Producer
from agents.scheduling import AlgorithmSettings, Commitment, ProducerState, Schedule, Scheduler, Task, scheduler_for
from agents.whole_supply.openings import DeclinedJobs
from agents.whole_supply.provisional_promises import PUSHED_OUT, Provisional, is_firm
from broker import SsmicError
from broker.hosts import Received


class WholeProducerSupply:
    """The supply of a producer that gives each job all of its energy, or none."""

    __slots__ = (
        "_clients",
        "_committed",
        "_dealt_with",
        "_expects",
        "_headroom",
        "_jobs",
        "_known_state",
        "_producer",
        "_promised_in",
        "_provisional",
        "_refused",
        "_registered",
        "_scheduler",
        "_supplied_s",
        "_waiting",
    )

    def __init__(self, producer: Producer, scheduler: Scheduler) -> None:
        """Begin without promises.

        Args:
            producer: The producer, which sends the messages.
            scheduler: Decides on requests.
        """
        self._producer = producer
        self._expects = producer.expects
        self._scheduler = scheduler
        self._provisional: Provisional | None = None
        self._headroom = PublishedHeadroom()
        self._committed: dict[str, Commitment] = {}
        """By job id, what is promised and has not been carried out."""
        self._supplied_s: dict[str, int] = {}
        """By job id, the starts of those that have been carried out, UNIX seconds."""
        self._clients: dict[str, str] = {}
        """By job id, its consumer."""
        self._promised_in: dict[str, int] = {}
        """By job id, the step in which its start was last promised."""
        self._registered: set[str] = set()
        """Digests of the jobs that may be requested."""
        self._jobs: dict[str, Job] = {}
        """Jobs that have been requested, and are registered."""
        self._dealt_with: dict[tuple[str, str], None] = {}
        """Requests of consumers and releases of jobs that were handled in this round; each is handled only once per
        round. (An empty set takes three times as much memory.)"""
        self._waiting = DeclinedJobs()
        self._refused: list[str] = []
        """Jobs that were declined in this round, and of which the manager has not been informed yet."""
        self._known_state: ProducerState | None = None
        """The state as it was last decided on in this round: many jobs that become known at once ask the same
        producer, which declines most of them."""

    @property
    def promised_s(self) -> Mapping[str, int]:
        """See `Producer.promised_s`."""
        return self._supplied_s | {job_id: commitment.start_s for job_id, commitment in self._committed.items()}

    def promise_late(self) -> None:
        """See `Producer.promise_late`."""
        self._provisional = Provisional()

    def change_algorithm(self, algorithm: AlgorithmSettings) -> None:
        """See `ProducerSupply.change_algorithm`."""
        self._scheduler = scheduler_for(algorithm, pushes_out=self._provisional is not None)

    def begin_round(self) -> None:
        """See `ProducerSupply.begin_round`."""
        self._dealt_with.clear()
        self._headroom.begin_round()
        self._known_state = None

    def end_round(self) -> None:
        """See `ProducerSupply.end_round`."""
        self._report_refusals()

    async def take(self, received: Received[AnyMessage]) -> bool:
        """See `ProducerSupply.take`."""
        sender = received.sender
        match received.message:
            case Request(job=job) as request:
                if not self._is_registered(job, sender):
                    self._producer.reject(sender, f"requests job {job.job_id!r}, which is not registered as its own")
                    self._producer.reply(received, Decline(job_id=job.job_id, reason="the job is not registered"))
                elif self._is_first("request", sender):
                    await self._decide(received, request)
                else:
                    self._producer.reject(sender, "requests several jobs at once; a device plans one after the other")
                    self._producer.reply(received, Decline(job_id=job.job_id, reason="one request at a time"))
            case Hold(job_id=job_id):
                self._hold(received, job_id)
            case Release(job_id=job_id, starts=starts):
                self._release(sender, job_id, starts)
            case Withdraw(job_id=job_id):
                self._withdraw(sender, job_id)
            case JobsRegistered(digests=digests) if sender == MANAGER:
                self._registered |= set(digests)
            case PromiseVoid() as void if sender == MANAGER:
                self._take_void(void, received.step)
            case _:
                return False
        return True

    def _is_registered(self, job: Job, consumer: str) -> bool:
        """Return whether a job is registered, as it is, as its consumer's own."""
        if job.agent != consumer:
            return False
        if self._jobs.get(job.job_id) != job:
            if digest_of(job) not in self._registered:
                return False
            self._jobs[job.job_id] = job
        return True

    def _is_first(self, what: str, whose: str) -> bool:
        """Return whether something is handled for the first time in this round, and record it."""
        is_first = (what, whose) not in self._dealt_with
        self._dealt_with[what, whose] = None
        return is_first

    def _withdraw(self, consumer: str, job_id: str) -> None:
        self._waiting.withdraw(consumer, job_id)
        if self._unstarted(consumer, job_id) is not None:
            del self._committed[job_id]
            self._producer.send(
                MANAGER, PromiseWithdrawn(job_id=job_id, reason="its consumer has withdrawn the request")
            )
            self._announce_openings()
        elif job_id in self._jobs and self._jobs[job_id].agent != consumer:
            self._producer.reject(consumer, f"withdraws job {job_id!r}, which is not its own")

    def _take_void(self, void: PromiseVoid, sent_in: int) -> None:
        """Free the energy of a promise, unless it was made again before the manager could know.

        Args:
            void: What the manager says.
            sent_in: The step in which it said so.
        """
        commitment = self._committed.get(void.job_id)
        if commitment is not None and commitment.start_s == void.start_s and self._promised_in[void.job_id] < sent_in:
            del self._committed[void.job_id]
            self._announce_openings()

    def forget_consumers(self, consumers: frozenset[str]) -> None:
        """See `ProducerSupply.forget_consumers`."""
        self._waiting.forget_consumers(consumers)
        for job_id, commitment in list(self._committed.items()):
            if self._clients[job_id] in consumers and commitment.start_s > self._producer.now_s:
                del self._committed[job_id]
        self._announce_openings()

    # Requests.

    async def _decide(self, received: Received[AnyMessage], request: Request) -> None:
        state, job = self._state(), request.job
        task = Task.among(request.starts, job.job_id, job.load_profile)
        if not self._producer.is_there:
            # No refusal for the scores: the manager does not name it at present.
            self._producer.reply(received, Decline(job_id=job.job_id, reason="takes no part at present"))
            return
        if state is None or job.job_id in self._committed:
            self._decline(received, job.job_id, "no forecast yet" if state is None else "supplies this job already")
            return
        if self._provisional is not None:
            was_told = self._waiting.was_told(job.job_id)
            state = replace(
                state, may_push=self._provisional.may_push(job.job_id, self._producer.now_s, was_told=was_told)
            )
        if self._scheduler.is_heavy:
            decision = await self._producer.compute(self._scheduler.place, state, task, self._producer.rng)
        else:
            decision = self._scheduler.place(state, task, self._producer.rng)
        if isinstance(decision, Schedule):
            self._waiting.remove(job.job_id)
            self._check(decision, state, task)
            start_s = decision.starts_s[job.job_id]
            self._accept(received, job.job_id, start_s)
            self._clients[job.job_id] = received.sender
            self._promise(job.job_id, start_s)
            self._push_out(decision.starts_s)
            self._move(decision.starts_s)
            self._committed[job.job_id] = (
                _held(Commitment(task, start_s)) if request.held else Commitment(task, start_s)
            )
            if self._provisional is not None:  # what was moved or pushed out may have made room
                self._announce_openings()
        else:
            if request.patient:
                self._waiting.add(received.sender, task)
            else:
                self._waiting.remove(job.job_id)
            if (view := self._headroom.explain_refusal(state, task)) is not None:
                self._producer.send(MANAGER, Headroom(view=view))
            self._decline(received, job.job_id, decision.reason)

    def _accept(self, received: Received[AnyMessage], job_id: str, start_s: int) -> None:
        if self._provisional is None or is_firm(start_s, self._producer.now_s):
            self._producer.reply(received, Accept(job_id=job_id, start_s=start_s))
        else:
            self._producer.reply(received, AcceptProvisionally(job_id=job_id, start_s=start_s))

    def _push_out(self, starts_s: Mapping[str, int]) -> None:
        """End the promises to jobs that a schedule has no start for; their consumers look elsewhere."""
        if self._provisional is None:
            return
        for job_id in [job_id for job_id in self._committed if job_id not in starts_s]:
            self._provisional.pushed(job_id, self._producer.now_s)
            del self._committed[job_id]
            self._producer.send(self._clients[job_id], PushOut(job_id=job_id, reason=PUSHED_OUT))
            self._producer.send(MANAGER, PromiseWithdrawn(job_id=job_id, reason=PUSHED_OUT))

    def _decline(self, received: Received[AnyMessage], job_id: str, reason: str) -> None:
        self._producer.reply(received, Decline(job_id=job_id, reason=reason[:MAX_REASON_CHARACTERS]))
        self._refused.append(job_id)
        if self._provisional is not None:
            self._provisional.declined(job_id, self._producer.now_s)

    def _report_refusals(self) -> None:
        """Report to the manager all jobs that were declined in this round.

        In a large neighbourhood many jobs become known at once, and ask the same producers in the same round.
        """
        producer = self._producer
        for begin in range(0, len(self._refused), MAX_REFUSED):
            first, *others = self._refused[begin : begin + MAX_REFUSED]
            producer.send(MANAGER, Declined(job_id=first, producer=producer.id, others=tuple(others)))
        self._refused.clear()

    def _promise(self, job_id: str, start_s: int) -> None:
        """Report to the manager the promise that the job's consumer receives."""
        promised = Promised(
            job_id=job_id, consumer=self._clients[job_id], start_s=start_s, energy_wh=self._jobs[job_id].energy_wh
        )
        self._producer.send(MANAGER, promised)
        self._promised_in[job_id] = self._producer.step

    def _check(self, schedule: Schedule, state: ProducerState, task: Task) -> None:
        """Raise if a schedule breaks a promise: the scheduler has a bug, and the run would be worthless."""
        for commitment in (*state.committed, Commitment(task, state.now_s + 1)):
            if self._may_lack(commitment, schedule, state):
                continue
            job_id = commitment.task.job_id
            start_s = schedule.starts_s[job_id]
            if not commitment.may_start_at(start_s, state.now_s):
                raise SsmicError(f"the scheduler starts job {job_id!r} at {start_s}, which it may not")

    def _may_lack(self, commitment: Commitment, schedule: Schedule, state: ProducerState) -> bool:
        """Return whether a schedule has no start for a commitment, which may be pushed out."""
        job_id = commitment.task.job_id
        may_go = self._provisional is not None and commitment in state.committed and job_id not in state.firm
        return may_go and commitment.start_s > state.now_s and job_id not in schedule.starts_s

    def _move(self, starts_s: Mapping[str, int]) -> None:
        """Adopt the starts of a schedule and inform the consumers of jobs that moved."""
        for job_id, commitment in self._committed.items():
            if starts_s[job_id] != commitment.start_s:
                self._committed[job_id] = Commitment(commitment.task, starts_s[job_id])
                self._producer.send(self._clients[job_id], Amend(job_id=job_id, start_s=starts_s[job_id]))
                self._promise(job_id, starts_s[job_id])

    # Holding and releasing jobs.

    def _hold(self, received: Received[AnyMessage], job_id: str) -> None:
        """Fix a job at its start until its consumer releases it."""
        commitment = self._unstarted(received.sender, job_id)
        if commitment is None:
            self._producer.reply(received, Decline(job_id=job_id, reason="it runs, or is not supplied"))
            return
        self._committed[job_id] = _held(commitment)
        self._producer.reply(received, Accept(job_id=job_id, start_s=commitment.start_s))

    def _release(self, consumer: str, job_id: str, starts: Starts) -> None:
        """Let a job move among these starts, which may make room for waiting jobs."""
        commitment = self._unstarted(consumer, job_id)
        if commitment is None:
            return
        job = self._jobs[job_id]
        is_within = job.earliest_start_s <= starts[0][0] and starts[-1][1] <= job.latest_start_s
        if not is_within or not covers(starts, commitment.start_s) or not self._is_first("release", job_id):
            self._producer.reject(consumer, f"releases job {job_id!r} to starts that it may not have, or twice at once")
            return
        task = Task.among(starts, job_id, commitment.task.load)
        self._committed[job_id] = Commitment(task, commitment.start_s)
        self._announce_openings()

    def _unstarted(self, consumer: str, job_id: str) -> Commitment | None:
        """Return the commitment to a consumer's job, if the job has not started."""
        commitment = self._committed.get(job_id)
        if commitment is None or commitment.start_s <= self._producer.now_s or self._clients[job_id] != consumer:
            return None
        return commitment

    # Forecasts.

    def learn(self, production: Outlook) -> None:
        """See `ProducerSupply.learn`: it is read when a decision is made."""

    def follow_forecast(self) -> None:
        """See `ProducerSupply.follow_forecast`: jobs are moved, and those that fit nowhere are cancelled."""
        state = self._state()
        if state is None:
            return
        replanning = self._scheduler.replan(state)
        for job_id, why in replanning.cancelled.items():
            reason = why[:MAX_REASON_CHARACTERS]
            del self._committed[job_id]
            self._producer.send(self._clients[job_id], Cancel(job_id=job_id, reason=reason))
            self._producer.send(MANAGER, PromiseWithdrawn(job_id=job_id, reason=reason))
        self._move(replanning.starts_s)
        self._announce_openings()

    def stop(self, reason: str) -> None:
        """See `ProducerSupply.stop`."""
        self._waiting.clear()
        for job_id, commitment in list(self._committed.items()):
            if commitment.start_s > self._producer.now_s:
                del self._committed[job_id]
                self._producer.send(self._clients[job_id], Cancel(job_id=job_id, reason=reason))
                self._producer.send(MANAGER, PromiseWithdrawn(job_id=job_id, reason=reason))

    def resume(self) -> None:
        """See `ProducerSupply.resume`: all that was promised before has been cancelled."""

    # Headroom and openings.

    def introduce(self) -> None:
        """See `ProducerSupply.introduce`."""
        self._headroom.retract()
        if (state := self._state()) is not None:
            self._show_headroom(state)

    def _show_headroom(self, state: ProducerState) -> None:
        """Publish the headroom to the manager if it has risen."""
        if self._producer.negotiating.leaves_out and (view := self._headroom.renew(state)) is not None:
            self._producer.send(MANAGER, Headroom(view=view))

    def _announce_openings(self) -> None:
        """Inform each waiting job that would be accepted now."""
        state = self._state()
        self._waiting.forget_late(self._producer.now_s)
        if state is None:
            return
        self._show_headroom(state)
        for job in self._waiting.take_openings(state, self._expects.adopted, self._scheduler, self._provisional):
            self._producer.send(job.consumer, Opening(job_id=job.task.job_id))

    def _state(self) -> ProducerState | None:
        """Return the state on which decisions are made, without jobs that have ended.

        Promises hold minute by minute: what a job drew in the current minute counts until the minute is over.
        """
        now_s, production, known = self._producer.now_s, self._expects.outlook, self._known_state
        if known is None or known.now_s != now_s:
            known = None
            self._forget_ended(now_s - now_s % 60)
        if production is None:
            return None
        committed = tuple(self._committed.values())
        if self._provisional is None:
            if known is None or known.production is not production or known.committed != committed:
                self._known_state = known = ProducerState(production, committed, now_s)
            return known
        return ProducerState(
            production,
            committed,
            now_s,
            firm=self._provisional.firm(committed, now_s),
            waiting=self._waiting.tasks,
        )

    def _forget_ended(self, minute_s: int) -> None:
        """Note the commitments that had ended before a minute, UNIX seconds, as carried out."""
        for job_id, commitment in list(self._committed.items()):
            if commitment.start_s + commitment.task.load.duration_s <= minute_s:
                self._supplied_s[job_id] = commitment.start_s
                del self._committed[job_id]


def _held(commitment: Commitment) -> Commitment:
    """Return a commitment that cannot move."""
    start_s = commitment.start_s
    return Commitment(Task.among(((start_s, start_s),), commitment.task.job_id, commitment.task.load), start_s)
