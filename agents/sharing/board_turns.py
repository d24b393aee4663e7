"""Which job reads the board when: one after another, so that each sees what the one before has left.

A job reads the board when it has asked, or when there is more energy than it knows of. It also learns what producers
answer to its reservations: all answers of a round in one message, after they have been reported for the ledger.
"""

from __future__ import annotations

from agents.job_needs import JobNeeds
from agents.job_register import JobRegister, RegisteredJob
from agents.manager import Ledger
from agents.messages import AnyMessage, Offer, Offered, ProducersFor, SharesAnswered
from agents.shares import MAX_SHARES, MINUTE_S
from agents.sharing.board import PAST_KEPT_MINUTES, EnergyBoard
from agents.sharing.job_offers import JobOffers
from agents.sharing.signed_shares import SignedShares
from agents.sharing.undersupplied_jobs import UndersuppliedJobs
from broker.hosts import Agent, Received

ROUNDS_OF_TURN = 3
"""Rounds until a job's reservations are on the board: the job receives offers, reserves, and producers report."""


class _Answers:
    """What producers have answered to a job's reservations in a round: each once, its first answer."""

    def __init__(self) -> None:
        self._is_promised: dict[str, bool] = {}

    def add(self, producer: str, *, is_promised: bool) -> None:
        """Take a producer's answer; a job reserves with at most `MAX_SHARES` producers."""
        if len(self._is_promised) < MAX_SHARES:
            self._is_promised.setdefault(producer, is_promised)

    @property
    def promised(self) -> tuple[str, ...]:
        """Producers that have promised, in the order of their answers."""
        return tuple(producer for producer, is_promised in self._is_promised.items() if is_promised)

    @property
    def declined(self) -> tuple[str, ...]:
        """Producers that have declined, in the order of their answers."""
        return tuple(producer for producer, is_promised in self._is_promised.items() if not is_promised)


class BoardTurns:
    """Lets jobs read the board, one at a time: first those that ask, then those that could use more energy."""

    def __init__(
        self,
        manager: Agent[AnyMessage],
        register: JobRegister,
        ledger: Ledger,
        board: EnergyBoard,
        shares: SignedShares,
        offers: JobOffers,
        least_lacking: float,
    ) -> None:
        """Begin without jobs.

        Args:
            manager: The agent that sends and receives the messages.
            register: The jobs of the neighbourhood.
            ledger: The contracts: a job that runs needs nothing before the present.
            board: What producers have left.
            shares: Who supplies a job already.
            offers: What a job reads.
            least_lacking: Jobs that lack at most this share of their energy are not informed of more; negative: all
                jobs are.
        """
        self._manager = manager
        self._register = register
        self._ledger = ledger
        self._board = board
        self._shares = shares
        self._offers = offers
        self._least_lacking = least_lacking
        self._undersupplied = UndersuppliedJobs()
        self._answers: dict[str, _Answers] = {}
        """By job, the answers of this round."""
        self._questions: dict[str, tuple[Received[AnyMessage], ProducersFor]] = {}
        """Jobs that wait for their turn to read the board, each with its question, in the order of those."""
        self._next_turn = 0
        """The step from which on the next job may read the board."""
        self._is_informing = False
        """Whether any job has been informed of the present additional energy."""
        self._is_waking = False
        """Whether a coroutine waits for the next turn."""

    def ask(self, received: Received[AnyMessage], question: ProducersFor) -> None:
        """Let a job read the board when it is its turn; it asks once.

        Args:
            received: The message of the job's consumer.
            question: Its content.
        """
        if question.job_id in self._questions:
            self._manager.reject(received.sender, f"asks for job {question.job_id!r} again before it is answered")
        else:
            self._questions[question.job_id] = (received, question)

    def take_forecast(self) -> None:
        """Let all jobs be informed again, however often they have been: there is a new forecast."""
        self._undersupplied.forget_news()

    def take_answer(self, job_id: str, producer: str, *, is_promised: bool) -> None:
        """Pass on at the end of the round what a producer has answered to a reservation.

        Args:
            job_id: The job.
            producer: The producer.
            is_promised: Whether it has promised, or else declined.
        """
        self._answers.setdefault(job_id, _Answers()).add(producer, is_promised=is_promised)

    def take_coverage(self, job_id: str) -> None:
        """Note that the signed shares of a job have changed. It keeps waiting: more may cover more of it."""
        self._undersupplied.covered(job_id, self._shares.covered_mwh(job_id))

    def stop_waiting(self, job_id: str) -> None:
        """Inform a job of no more energy."""
        self._undersupplied.remove(job_id)

    def lose(self, agents: frozenset[str]) -> None:
        """Inform lost consumers of no more energy; those that wait for their turn get none."""
        self._questions = {job_id: of for job_id, of in self._questions.items() if of[0].sender not in agents}
        self._undersupplied.remove_of(agents)

    def end_round(self) -> None:
        """Pass on the answers of this round; then a job may read the board, or is informed of more energy."""
        for job_id, answers in self._answers.items():
            self._pass_on(job_id, answers)
        self._answers = {}
        self._give_turn()

    # Turns.

    def _give_turn(self) -> None:
        """Let the next job read the board, one at a time: the next one sees what the first has left.

        Jobs that ask come first, in the order in which they asked; then, as long as there is more energy than jobs know
        of, those that could use it.
        """
        if self._manager.step < self._next_turn:
            has_more = True
        else:
            has_more = self._let_next_read()
            if has_more:
                self._next_turn = self._manager.step + ROUNDS_OF_TURN
        if has_more and not self._is_waking:
            self._is_waking = True
            self._manager.spawn(self._wake_for_turns(), "turns")

    async def _wake_for_turns(self) -> None:
        """Give turns when a job has not reserved anything, so that no message brings the next one."""
        # One round later than the reports of what it reserved, which are read first.
        await self._manager.pass_rounds(max(1, self._next_turn + 1 - self._manager.step))
        self._is_waking = False
        self._give_turn()

    def _let_next_read(self) -> bool:
        """Let a job read the board; return whether there was any that wanted or needed to."""
        now_minute = self._manager.now_s // MINUTE_S
        if self._board.forget_past(now_minute):
            self._forget_signed((now_minute - PAST_KEPT_MINUTES) * MINUTE_S)
        if self._questions:
            self._answer(*self._questions.pop(next(iter(self._questions))))
            return True
        if self._board.take_has_risen():
            self._undersupplied.inform_again()
        first_minute, more_mwh = self._board.news()
        passed = max(0, now_minute - first_minute)
        if len(more_mwh) > passed:
            self._undersupplied.remove_ended(now_minute)
            informed = self._undersupplied.next_to_inform(first_minute + passed, more_mwh[passed:], self._least_lacking)
            if informed is not None:
                job_id, consumer = informed
                first, offers = self._offers_to(job_id)
                self._manager.send(consumer, Offered(job_id=job_id, first_minute=first, offers=offers))
                self._is_informing = True
                return True
            if self._is_informing or not self._undersupplied.lack_energy(self._least_lacking):
                self._is_informing = False
                self._board.end_news()
        return False

    def _forget_signed(self, before_s: int) -> None:
        """Forget who signed for jobs that must have ended before a time, UNIX seconds."""
        for job_id in self._shares.jobs():
            job = self._job(job_id)
            if job.latest_start_s + job.sent.duration_s < before_s:
                self._shares.forget(job_id)

    # What a job reads.

    def _answer(self, received: Received[AnyMessage], question: ProducersFor) -> None:
        job, job_id = self._job(question.job_id), question.job_id
        need = job.need(question.first_start_s, question.last_start_s, self._manager.now_s)
        self._undersupplied.add(job_id, received.sender, need)
        self._undersupplied.mark_informed(job_id)
        first_minute, offers = self._offers.of(job, need, self._manager.now_s, frozenset(question.asked))
        self._manager.reply(received, Offered(job_id=job_id, first_minute=first_minute, offers=offers))

    def _pass_on(self, job_id: str, answers: _Answers) -> None:
        """Inform a job's consumer of what producers have answered, and if any declined, of what there is instead."""
        first_minute = 0
        offers: tuple[Offer, ...] = ()
        if answers.declined:
            first_minute, offers = self._offers_to(job_id)
        answered = SharesAnswered(
            job_id=job_id,
            promised=answers.promised,
            declined=answers.declined,
            first_minute=first_minute,
            offers=offers,
        )
        self._manager.send(self._job(job_id).agent, answered)

    def _offers_to(self, job_id: str) -> tuple[int, tuple[Offer, ...]]:
        """Return what a job is offered that has not asked; see `JobOffers.of`."""
        job = self._job(job_id)
        return self._offers.of(job, self._need_of(job_id, job), self._manager.now_s)

    def _need_of(self, job_id: str, job: RegisteredJob) -> JobNeeds:
        """Return what a job needs from now on; if it runs, until it ends."""
        now_s, entry = self._manager.now_s, self._ledger.standing(job_id)
        if entry is not None and entry.contract.start_s <= now_s:
            start_s = entry.contract.start_s
            need = job.need(start_s, start_s, start_s)
            return JobNeeds(now_s, max(need.end_s, now_s), need.energy_wh, need.peak_wh, need.load)
        return job.need(None, None, now_s)

    def _job(self, job_id: str) -> RegisteredJob:
        job = self._register.get(job_id)
        assert job is not None  # noqa: S101 - only registered jobs ask, wait, and have shares
        return job
