"""The negotiation of one job with whole supply: finds the one producer that supplies it.

A job asks the producers on the manager's list (`agents.ranking.producer_lists`), in order, until one accepts. If none
does, a patient job waits: the producers that declined inform it of openings, and the manager informs it of new
producers and of others that have more to offer. At its latest start it runs on grid power.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agents.device_calendar import FreeTime
from agents.job_lifecycle import (
    ConsumerJob,
    DeviceReturned,
    JobChanged,
    JobOwner,
    QuestionPart,
    RunEnds,
    start_s_of,
)
from agents.messages import (
    Accept,
    AcceptProvisionally,
    AnyMessage,
    Decline,
    Opening,
    Producers,
    ProducersFor,
    Request,
    Withdraw,
)
from agents.model import MANAGER, Job, Starts, covers
from agents.ranking import ROUNDS_TO_ASK, NegotiationSettings
from broker.hosts import AgentLostError, AskLapsedError, Received, TimedOut


class WholeJobOwner(JobOwner, Protocol):
    """What the negotiation of a whole job needs of its consumer besides; see `agents.consumer.Consumer`."""

    negotiating: NegotiationSettings
    asks_twice: bool

    @property
    def has_own_order(self) -> bool:
        """Whether `ranked` orders producers otherwise than the manager, so that it has to know all of them."""
        ...

    def ranked(self, job: Job, producers: Sequence[str]) -> Sequence[str]:
        """Return the order in which a job asks producers."""
        ...

    # See `broker.hosts.Agent`.

    async def ask_all(self, questions: Sequence[tuple[str, AnyMessage]]) -> list[AnyMessage | AgentLostError]:
        """Ask several agents in the same round, and return all answers."""
        ...

    async def pass_rounds(self, count: int) -> None:
        """Wait until a number of rounds of the present second have passed."""
        ...

    def reject(self, sender: str, why: str) -> None:
        """Refuse a message of a sender that was not entitled to send it."""
        ...


class SuppliesWholeJobs(Protocol):
    """What the negotiation of a whole job needs of its consumer's supply; see `WholeConsumerSupply`."""

    async def reserve_time(self, job: Job) -> FreeTime:
        """Return the starts at which the device is free for a job, and fix its other jobs meanwhile."""
        ...

    def set_waiting(self, job_id: str, *, is_waiting: bool) -> None:
        """Record whether a job waits for an opening."""
        ...

    def agree(self, job: Job, producer: str, start_s: int, movable: Starts) -> None:
        """Adopt a contract of a job; its producer may move it among the starts `movable`."""
        ...

    def take_grid_power(self, job: Job, start_s: int) -> None:
        """Adopt a contract with the grid, from a start in UNIX seconds on."""
        ...


class WholeJobNegotiation:
    """How a job finds a producer that supplies all of it; see `agents.job_lifecycle.JobNegotiation`."""

    def __init__(self, consumer: WholeJobOwner, record: ConsumerJob, supply: SuppliesWholeJobs) -> None:
        """Begin with a job that has asked no producer.

        Args:
            consumer: The consumer that the job belongs to.
            record: The job.
            supply: The supply of the consumer, which keeps the job's contract.
        """
        self._consumer = consumer
        self._record = record
        self._supply = supply
        self._job = record.job
        self._channel = record.channel
        self._asked: list[str] = []
        """Producers that it has asked since it began to look for a supplier, and those that it does not ask."""
        self._listeners: dict[str, None] = {}
        """The producers that may have it on their lists."""
        self._has_requested = False
        self._reservation = FreeTime((), held=False)

    async def find_supplier(self) -> None:
        """See `JobNegotiation.find_supplier`; a patient job waits for openings until the time of its device is up."""
        self._listeners = dict.fromkeys(sorted(self._record.untrusted))
        async with self._consumer.turns:
            self._reservation = await self._supply.reserve_time(self._job)
            if await self._negotiate():
                return
            if not self._record.is_patient:
                self.take_grid_power(self._reservation.starts[0][0])
                return
        self._supply.set_waiting(self._job.job_id, is_waiting=True)
        await self._wait_for_supplier()
        self._supply.set_waiting(self._job.job_id, is_waiting=False)

    async def _negotiate(self) -> bool:
        """Ask all producers on the manager's list, and those that join in the meantime; return whether one accepted."""
        self._asked = sorted(self._record.untrusted)
        part: QuestionPart = "first"
        while True:
            answer = await self._consumer.ask(MANAGER, self._question(part))
            if not isinstance(answer, Producers) or not (answer.producers or any(answer.left_out)):
                return self._consumer.asks_twice and await self._ask_each(tuple(self._asked))
            if await self._ask_listed(answer):
                return True
            part = "last"

    def _question(self, part: QuestionPart, about_to_ask: Sequence[str] = ()) -> ProducersFor:
        starts = self._reservation.starts
        return ProducersFor(
            job_id=self._job.job_id,
            asked=tuple(dict.fromkeys((*self._asked, *about_to_ask))),
            part=part,
            first_start_s=starts[0][0],
            last_start_s=starts[-1][1],
            job=self._job.as_sent if part == "last" and not self._has_requested else None,
        )

    async def _ask_listed(self, listed: Producers) -> bool:
        """Ask the producers on a list, which the manager sends in portions; return whether one accepted."""
        if self._consumer.has_own_order:
            return await self._ask_in_own_order(listed)
        following: Producers | None = listed
        while following is not None:
            listed, following = following, None
            producers, left_out = self._consumer.ranked(self._job, listed.producers), listed.left_out
            for begin in range(0, len(producers), self._at_once):
                if begin < len(left_out):
                    await self._let_pass(left_out[begin])
                batch = producers[begin : begin + self._at_once]
                is_last = begin + len(batch) == len(producers)
                has_more = is_last and len(left_out) == len(producers)
                is_served, following = await self._ask_at_once(
                    batch, self._question("next", batch) if has_more else None
                )
                if is_served:
                    return True
            if len(left_out) > len(producers):
                await self._let_pass(left_out[-1])
        return False

    async def _ask_in_own_order(self, listed: Producers) -> bool:
        """Ask the producers on a list in the consumer's own order, after all portions; return whether one accepted."""
        producers, left_out = list(listed.producers), sum(listed.left_out)
        while listed.producers and len(listed.left_out) == len(listed.producers):
            answer = await self._consumer.ask(MANAGER, self._question("next"))
            if not isinstance(answer, Producers):
                break
            listed = answer
            producers += listed.producers
            left_out += sum(listed.left_out)
        ranked = self._consumer.ranked(self._job, producers)
        for begin in range(0, len(ranked), self._at_once):
            if (await self._ask_at_once(ranked[begin : begin + self._at_once]))[0]:
                return True
        await self._let_pass(left_out)
        return False

    async def _let_pass(self, left_out: int) -> None:
        """Skip the rounds in which the job would have asked producers that were left out."""
        if self._at_once == 1:
            await self._consumer.pass_rounds(ROUNDS_TO_ASK * left_out)

    @property
    def _at_once(self) -> int:
        return self._consumer.negotiating.ask_at_once

    async def _ask_each(self, producers: Sequence[str]) -> bool:
        """Ask producers that the manager named, one by one; return whether one accepted."""
        for producer in self._consumer.ranked(self._job, producers):
            if (await self._ask_at_once((producer,)))[0]:
                return True
        return False

    async def _ask_at_once(
        self, producers: Sequence[str], question: ProducersFor | None = None
    ) -> tuple[bool, Producers | None]:
        """Ask producers at the same time, and take the first one of them that accepts.

        Args:
            producers: The producers, best first.
            question: The request to the manager for further producers, sent at the same time; None: none is sent.

        Returns:
            Whether one accepted, and the manager's answer.
        """
        job = self._job
        asked = [producer for producer in producers if producer not in self._record.untrusted]
        self._asked += [producer for producer in asked if producer not in self._asked]
        self._listeners |= dict.fromkeys(asked)
        self._has_requested |= bool(asked)
        answers = await self._answers_of(asked, question)
        more = answers.pop() if question is not None else None
        supplier: tuple[str, int] | None = None
        for producer, answer in zip(asked, answers, strict=True):
            match answer:
                case (
                    Accept(job_id=job.job_id, start_s=start_s) | AcceptProvisionally(job_id=job.job_id, start_s=start_s)
                ) if self._is_possible(start_s):
                    if supplier is None:
                        supplier = producer, start_s
                        self._record.is_provisional = isinstance(answer, AcceptProvisionally)
                    else:
                        self._consumer.send(producer, Withdraw(job_id=job.job_id))
                        self._listeners.pop(producer)
                case AskLapsedError():
                    # It may have accepted without a word, or answer later: nothing must be left of this request.
                    self._consumer.send(producer, Withdraw(job_id=job.job_id))
                case Decline() | AgentLostError():
                    pass
                case reply:
                    self._record.untrusted.add(producer)
                    problem = f"answers a request for job {job.job_id!r} with a wrong {reply.kind}"
                    self._consumer.reject(producer, problem)
                    self._consumer.send(producer, Withdraw(job_id=job.job_id))
        if supplier is not None:
            self._withdraw_from_others(supplier[0])
            self._agree(*supplier)
        return supplier is not None, more if isinstance(more, Producers) else None

    async def _answers_of(
        self, producers: Sequence[str], question: ProducersFor | None
    ) -> list[AnyMessage | AgentLostError]:
        self._record.premature.clear()
        request = Request(
            job=self._job.as_sent,
            patient=self._record.is_patient,
            starts=self._reservation.starts,
            held=self._reservation.held,
        )
        questions: list[tuple[str, AnyMessage]] = [(producer, request) for producer in producers]
        if question is not None:
            questions.append((MANAGER, question))
        self._record.asked.update(producers)
        self._record.asking = frozenset(producers)
        try:
            return await self._consumer.ask_all(questions)
        finally:
            self._record.asking = frozenset()

    def _is_possible(self, start_s: int) -> bool:
        return start_s >= self._consumer.now_s and covers(self._reservation.starts, start_s)

    async def _wait_for_supplier(self) -> None:  # noqa: C901 - one case for each event
        """Wait for an opening as long as the device's other jobs allow, then take grid power."""
        while True:
            event = RunEnds() if self._record.run_ends else await self._channel.get(until_s=self._deadline_s)
            self._record.run_ends |= isinstance(event, RunEnds)
            if self._consumer.is_gone and isinstance(event, TimedOut | RunEnds):
                self._consumer.drop(self._job.job_id)
            if self._record.is_dropped:
                return
            producers: Sequence[str] = ()
            begins_again = False
            match event:
                case DeviceReturned():
                    begins_again = True
                case Received(message=Opening()):
                    producers = (event.sender,)
                case Received(message=Producers(producers=joined)):
                    producers = joined
                case JobChanged(time_was_freed=True) if self._has_more_time():
                    begins_again = True
                case TimedOut() | RunEnds():
                    async with self._consumer.turns:
                        deadline_s = self._deadline_s
                        if isinstance(event, RunEnds) or deadline_s <= self._consumer.now_s:
                            self.take_grid_power(deadline_s)
                            return
            if (producers or begins_again) and not self._consumer.is_away:
                async with self._consumer.turns:
                    self._reservation = await self._supply.reserve_time(self._job)
                    if await (self._negotiate() if begins_again else self._ask_each(producers)):
                        return

    @property
    def _deadline_s(self) -> int:
        """How long the job can wait so that all waiting jobs of the device can still run in sequence, UNIX seconds."""
        return self._consumer.calendar.deadline_s(self._job, self._consumer.now_s)

    def _has_more_time(self) -> bool:
        """Return whether the device is free for the job at a start of which it has not asked."""
        return self._consumer.calendar.has_more_time(self._job, self._reservation.starts, self._consumer.now_s)

    def take_grid_power(self, start_s: int) -> None:
        """See `JobNegotiation.take_grid_power`."""
        self.withdraw()
        self._supply.take_grid_power(self._job, start_s)

    async def has_run(self) -> bool:
        """See `JobNegotiation.has_run`; if a device runs the job, when it has ended there."""
        device = self._consumer.real_device
        while True:
            start_s = start_s_of(self._consumer, self._record)
            if start_s is None:
                return False
            waits_for_start = device is not None or self._consumer.now_s < start_s
            event = await self._channel.get(until_s=start_s if waits_for_start else start_s + self._job.duration_s)
            if isinstance(event, RunEnds):
                self._record.run_ends = True
            elif isinstance(event, TimedOut) and device is not None:
                await device.execute(self._job)
                return True
            elif isinstance(event, TimedOut) and self._consumer.now_s >= start_s + self._job.duration_s:
                return True

    def _agree(self, producer: str, start_s: int) -> None:
        movable = ((start_s, start_s),) if self._reservation.held else self._reservation.starts
        self._supply.agree(self._job, producer, start_s, movable)

    def withdraw(self) -> None:
        """See `JobNegotiation.withdraw`."""
        self._withdraw_from_others(None)

    def _withdraw_from_others(self, supplier: str | None) -> None:
        """Inform the producers that have the job on their lists that it needs none but this supplier."""
        if self._record.is_patient:
            for listener in self._listeners:
                if listener != supplier:
                    self._consumer.send(listener, Withdraw(job_id=self._job.job_id))

    def end(self) -> None:
        """See `JobNegotiation.end`: there is nothing to forget."""
