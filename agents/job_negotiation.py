"""The negotiation of one job: from its registration until it has run, its consumer's coroutine looks for a supplier.

A job asks the producers on the manager's list (`agents.ranking.short_list`), in order, until one accepts. If none
does, a patient job waits: the producers that declined inform it of openings, and the manager informs it of new
producers and of others that have more to offer. At its latest start it runs on grid power. A job that loses its
contract before its start begins again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

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
from agents.model import GRID, MANAGER, Contract, Job
from agents.possible_starts import Starts, covers
from agents.ranking import ROUNDS_TO_ASK, NegotiationSettings
from broker.hosts import AgentLostError, AskLapsedError, Channel, Received, TimeUp

WITHDRAWN = "its household no longer wants it"
"""Reason, in the ledger, of the cancelled contract of a job that was withdrawn."""


class RunEnds:
    """Put into every job's channel when the run's end is reached."""


@dataclass(frozen=True, slots=True)
class JobChanged:
    """Put into a job's channel when its contract was amended or cancelled, or its device's time was divided again."""

    time_was_freed: bool = False
    """Whether a contract was cancelled, so that the device may have more time for the job."""


class JobDropped:
    """Put into a job's channel when its household no longer wants it."""


class DeviceReturned:
    """Put into every job's channel when the device takes part in negotiations again."""


QuestionPart = Literal["first", "next", "last"]
"""See `ProducersFor.part`."""
JobEvent = Received[AnyMessage] | RunEnds | JobChanged | JobDropped | DeviceReturned


@dataclass(frozen=True, slots=True)
class FreeTime:
    """The starts at which a device is free for a job that looks for a supplier."""

    starts: Starts
    held: bool
    """Whether the device has other jobs, so that the job must not move at first."""


@dataclass(slots=True, eq=False)
class ConsumerJob:
    """What a consumer knows of one of its jobs."""

    job: Job
    channel: Channel[JobEvent]
    """Wakes the job's coroutine."""
    contracts_made: int = 0
    """How many contracts it has had."""
    asking: frozenset[str] = frozenset()
    """The producers whose answers are awaited."""
    asked: set[str] = field(default_factory=set)
    """The producers that it has ever asked."""
    untrusted: set[str] = field(default_factory=set)
    """The producers that broke a promise in the second in which they made it: they are not asked again."""
    premature: list[Received[AnyMessage]] = field(default_factory=list)
    """Changes to a contract that an answer of this round may be about to establish."""
    is_provisional: bool = False
    """Whether its contract was accepted provisionally."""
    is_dropped: bool = False
    """Whether it is not to run."""


class JobOwner(Protocol):
    """What a job needs of the consumer that it belongs to; see `agents.consumer.Consumer`."""

    patient: bool
    negotiating: NegotiationSettings
    contracts: dict[str, Contract]
    asks_twice: bool
    is_away: bool
    is_gone: bool
    now_s: int

    # What the device has time for.

    @property
    def turns(self) -> AbstractAsyncContextManager[None]:
        """The lock that a job of the device holds while it looks for a supplier."""
        ...

    async def reserve_time(self, job: Job) -> FreeTime:
        """Return the starts at which the device is free for a job, and fix its other jobs meanwhile."""
        ...

    def has_more_time(self, job: Job, starts: Starts) -> bool:
        """Return whether the device is free for a job at any start besides these."""
        ...

    def deadline_s(self, job: Job) -> int:
        """Return how long a job can wait, UNIX seconds."""
        ...

    def set_waiting(self, job_id: str, *, is_waiting: bool) -> None:
        """Record whether a job waits for an opening."""
        ...

    def forget(self, job_id: str) -> None:
        """Free the device's time that a dropped job would have taken."""
        ...

    def runs_itself(self, job: Job) -> bool:
        """Return whether `execute` runs a job from its contract's start on."""
        ...

    async def execute(self, job: Job) -> None:
        """Run a job at its contract's start."""
        ...

    # Its contracts.

    def next_contract_id(self, job_id: str) -> str:
        """Return the id of a job's next contract, and count it."""
        ...

    def agree(self, job: Job, contract: Contract, movable: Starts) -> None:
        """Adopt a contract, and report it."""
        ...

    def end_contract(self, contract: Contract, reason: str) -> None:
        """Cancel a contract of a job that has not started."""
        ...

    def drop(self, job_id: str) -> None:
        """End a job without running it, unless it has started."""
        ...

    # Its strategy, and its messages; see `broker.hosts.Agent`.

    def ranked(self, job: Job, producers: Sequence[str]) -> Sequence[str]:
        """Return the order in which a job asks producers."""
        ...

    async def until(self, time_s: int) -> None:
        """Wait until a virtual time, UNIX seconds."""
        ...

    async def pass_rounds(self, count: int) -> None:
        """Wait until a number of rounds of the present second have passed."""
        ...

    async def ask(self, to: str, message: AnyMessage) -> AnyMessage:
        """Send a message and return the answer."""
        ...

    async def ask_all(self, questions: Sequence[tuple[str, AnyMessage]]) -> list[AnyMessage | AgentLostError]:
        """Ask several agents in the same round, and return all answers."""
        ...

    def send(self, to: str, message: AnyMessage) -> int:
        """Send a message."""
        ...

    def reject(self, sender: str, why: str) -> None:
        """Refuse a message of a sender that was not entitled to send it."""
        ...


class JobNegotiation:
    """A job from its registration to its end: the coroutine that finds its suppliers."""

    def __init__(self, agent: JobOwner, record: ConsumerJob) -> None:
        self._agent = agent
        self._record = record
        self._job = record.job
        self._channel = record.channel
        self._patient = agent.patient
        """As it was when the job looked for a supplier last."""
        self._asked: list[str] = []
        """Producers that it has asked since it began to look for a supplier, and those that it does not ask."""
        self._listeners: dict[str, None] = {}
        """Those that may have it on their lists."""
        self._has_requested = False
        self._reservation = FreeTime((), held=False)
        self._run_ends = False

    async def serve(self) -> None:
        """Find a supplier, and another one whenever it is lost, until the job starts; then wait until it has run."""
        await self._agent.until(self._job.registered_s)
        while True:
            await self._find_supplier()
            if await self._has_run():
                return
            if self._record.is_dropped:
                await self._end_without_running()
                return

    async def _end_without_running(self) -> None:
        async with self._agent.turns:
            contract = self._agent.contracts.get(self._job.job_id)
            if contract is not None:
                self._agent.end_contract(contract, WITHDRAWN)
            self._withdraw()
            if self._patient:
                self._agent.send(MANAGER, Withdraw(job_id=self._job.job_id))
            self._agent.forget(self._job.job_id)

    async def _wait_for_return(self) -> bool:
        """Wait until the device takes part; return False if the job is dropped, or takes grid power, before."""
        while self._agent.is_away and not self._record.is_dropped:
            event = RunEnds() if self._run_ends else await self._channel.get(until_s=self._job.latest_start_s)
            if not isinstance(event, TimeUp | RunEnds):
                continue
            self._run_ends |= isinstance(event, RunEnds)
            if self._agent.is_gone:
                self._agent.drop(self._job.job_id)
                return False
            async with self._agent.turns:
                self._take_grid_power(self._agent.deadline_s(self._job))
            return False
        return not self._record.is_dropped

    async def _find_supplier(self) -> None:
        if not await self._wait_for_return():
            return
        self._patient = self._agent.patient
        self._listeners = dict.fromkeys(sorted(self._record.untrusted))
        async with self._agent.turns:
            self._reservation = await self._agent.reserve_time(self._job)
            if await self._negotiate():
                return
            if not self._patient:
                self._take_grid_power(self._reservation.starts[0][0])
                return
        self._agent.set_waiting(self._job.job_id, is_waiting=True)
        await self._wait_for_supplier()
        self._agent.set_waiting(self._job.job_id, is_waiting=False)

    async def _negotiate(self) -> bool:
        """Ask all producers on the manager's list, and those that join in the meantime; return whether one accepted."""
        self._asked = sorted(self._record.untrusted)
        part: QuestionPart = "first"
        while True:
            answer = await self._agent.ask(MANAGER, self._question(part))
            if not isinstance(answer, Producers) or not (answer.producers or any(answer.left_out)):
                return self._agent.asks_twice and await self._ask_each(tuple(self._asked))
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
        following: Producers | None = listed
        while following is not None:
            listed, following = following, None
            producers, left_out = self._agent.ranked(self._job, listed.producers), listed.left_out
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

    async def _let_pass(self, left_out: int) -> None:
        """Skip the rounds in which the job would have asked producers that were left out."""
        if self._at_once == 1:
            await self._agent.pass_rounds(ROUNDS_TO_ASK * left_out)

    @property
    def _at_once(self) -> int:
        return self._agent.negotiating.ask_at_once

    async def _ask_each(self, producers: Sequence[str]) -> bool:
        """Ask producers that the manager named, one by one; return whether one accepted."""
        for producer in self._agent.ranked(self._job, producers):
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
                        self._agent.send(producer, Withdraw(job_id=job.job_id))
                        self._listeners.pop(producer)
                case AskLapsedError():
                    # It may have accepted without a word, or answer later: nothing must be left of this request.
                    self._agent.send(producer, Withdraw(job_id=job.job_id))
                case Decline() | AgentLostError():
                    pass
                case reply:
                    self._record.untrusted.add(producer)
                    self._agent.reject(producer, f"answers a request for job {job.job_id!r} with a wrong {reply.kind}")
                    self._agent.send(producer, Withdraw(job_id=job.job_id))
        if supplier is not None:
            self._withdraw(but=supplier[0])
            self._agree(*supplier)
        return supplier is not None, more if isinstance(more, Producers) else None

    async def _answers_of(
        self, producers: Sequence[str], question: ProducersFor | None
    ) -> list[AnyMessage | AgentLostError]:
        self._record.premature.clear()
        request = Request(
            job=self._job.as_sent, patient=self._patient, starts=self._reservation.starts, held=self._reservation.held
        )
        questions: list[tuple[str, AnyMessage]] = [(producer, request) for producer in producers]
        if question is not None:
            questions.append((MANAGER, question))
        self._record.asked.update(producers)
        self._record.asking = frozenset(producers)
        try:
            return await self._agent.ask_all(questions)
        finally:
            self._record.asking = frozenset()

    def _is_possible(self, start_s: int) -> bool:
        return start_s >= self._agent.now_s and covers(self._reservation.starts, start_s)

    async def _wait_for_supplier(self) -> None:  # noqa: C901 - one case for each event
        """Wait for an opening as long as the device's other jobs allow, then take grid power."""
        while True:
            event = RunEnds() if self._run_ends else await self._channel.get(until_s=self._agent.deadline_s(self._job))
            if self._agent.is_gone and isinstance(event, TimeUp | RunEnds):
                self._agent.drop(self._job.job_id)
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
                case JobChanged(time_was_freed=True) if self._agent.has_more_time(self._job, self._reservation.starts):
                    begins_again = True
                case TimeUp() | RunEnds():
                    async with self._agent.turns:
                        deadline_s = self._agent.deadline_s(self._job)
                        if isinstance(event, RunEnds) or deadline_s <= self._agent.now_s:
                            self._take_grid_power(deadline_s)
                            return
            if (producers or begins_again) and not self._agent.is_away:
                async with self._agent.turns:
                    self._reservation = await self._agent.reserve_time(self._job)
                    if await (self._negotiate() if begins_again else self._ask_each(producers)):
                        return

    def _take_grid_power(self, start_s: int) -> None:
        self._withdraw()
        self._agree(GRID, start_s)

    async def _has_run(self) -> bool:
        """Wait until the job has run; return False if its contract ends or it is dropped before."""
        while True:
            start_s = self._start_s()
            if start_s is None:
                return False
            runs_itself = self._agent.runs_itself(self._job)
            waits_for_start = runs_itself or self._agent.now_s < start_s
            event = await self._channel.get(until_s=start_s if waits_for_start else start_s + self._job.duration_s)
            if isinstance(event, RunEnds):
                self._run_ends = True
            elif isinstance(event, TimeUp) and runs_itself:
                await self._agent.execute(self._job)
                return True
            elif isinstance(event, TimeUp) and self._agent.now_s >= start_s + self._job.duration_s:
                return True

    def _start_s(self) -> int | None:
        """Return the start of the contract, UNIX seconds; None if there is none, or the job was dropped before it."""
        contract = self._agent.contracts.get(self._job.job_id)
        if contract is None or (self._record.is_dropped and contract.start_s > self._agent.now_s):
            return None
        return contract.start_s

    def _agree(self, producer: str, start_s: int) -> None:
        contract = Contract(
            contract_id=self._agent.next_contract_id(self._job.job_id),
            job_id=self._job.job_id,
            producer=producer,
            start_s=start_s,
            agreed_s=self._agent.now_s,
            energy_wh=self._job.energy_wh,
        )
        stays = self._reservation.held or producer == GRID
        self._agent.agree(self._job, contract, ((start_s, start_s),) if stays else self._reservation.starts)

    def _withdraw(self, but: str | None = None) -> None:
        """Inform the producers that have the job on their lists that it no longer needs a supplier."""
        if self._patient:
            for listener in self._listeners:
                if listener != but:
                    self._agent.send(listener, Withdraw(job_id=self._job.job_id))
