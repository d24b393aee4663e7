"""A consumer device: finds a supplier for each of its jobs, and represents the job in the contract.

A job asks producers in the order of their scores until one accepts. If none does, a patient job waits: the producers
that declined inform it of openings, and the manager informs it of new producers. At its latest start it runs on grid
power. The consumer reports everything that happens to a contract before its job starts to the manager, in chronological
order, so each job has a single source in the ledger.

A device runs one job at a time. Its jobs look for suppliers in turn; each request contains the starts at which the
device is free (`agents.device_calendar`). Producers may move a job only where its consumer allows: while another job of
the device looks for a supplier, jobs are fixed (`Hold`); afterwards the device's time is divided among them
(`Release`). So no producer can make two jobs overlap, and no move needs to be negotiated.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import structlog

from agents.device_calendar import Calendar
from agents.messages import (
    MAX_STRETCHES,
    Accept,
    Amend,
    AnyMessage,
    Cancel,
    ContractAgreed,
    ContractAmended,
    ContractCancelled,
    Decline,
    Declined,
    Hold,
    Opening,
    Producers,
    ProducersFor,
    Release,
    Request,
    Withdraw,
)
from agents.model import GRID, MANAGER, TOGETHER, Contract, Job
from agents.sequencing import Starts, covers
from broker.hosts import Agent, AgentLostError, Channel, Received, TimeUp

log = structlog.get_logger(__name__)


class _RunEnds:
    """Put into every job's channel when the run's end is reached."""


class _Withdrawn:
    """Put into a job's channel when it is withdrawn."""


@dataclass(frozen=True, slots=True)
class _Changed:
    """Put into a job's channel when its contract was amended or cancelled, or its device's time was divided again."""

    time_was_freed: bool = False
    """Whether a contract was cancelled, so that the device may have more time for the job."""


Event = Received[AnyMessage] | _RunEnds | _Withdrawn | _Changed


@dataclass(frozen=True, slots=True)
class _Reservation:
    """The starts at which a device is free for a job that looks for a supplier."""

    starts: Starts
    held: bool
    """Whether the device has other jobs, so that the job must not move at first."""


class Consumer(Agent[AnyMessage]):
    """The agent of one consumer device."""

    def __init__(self, agent_id: str, jobs: Sequence[Job], *, patient: bool) -> None:
        """Create a consumer.

        Args:
            agent_id: See `agents.model.consumer_agent`.
            jobs: All jobs of the device; each becomes known at its registration.
            patient: Whether a job that no producer can supply waits until its latest start before it takes grid power.
        """
        super().__init__(agent_id)
        self.jobs = tuple(jobs)
        self.contracts: dict[str, Contract] = {}
        """The current contract of each job, by job id: the consumer's side of the ledger."""
        self._patient = patient
        self._calendar = Calendar(self.jobs)
        self._turns = _TurnLock(self)
        self._channels: dict[str, Channel[Event]] = {job.job_id: self.channel() for job in jobs}
        self._waiting: dict[str, None] = {}
        self._premature: dict[str, list[Received[AnyMessage]]] = {}
        self._affected: set[str] = set()
        self._time_was_freed = False

    async def run(self) -> None:
        """Start all jobs, and pass each message to the job that it concerns."""
        for job in self.jobs:
            self.spawn(_JobRun(self, job, self._channels[job.job_id], patient=self._patient).serve(), job.job_id)
        self.spawn(self._end_jobs(), "end")
        while True:
            received = await self.receive()
            match received.message:
                case Amend(job_id=job_id) | Cancel(job_id=job_id):
                    if job_id in self._channels:
                        self._take(job_id, received)
                case Opening(job_id=job_id) | Producers(job_id=job_id):
                    if job_id in self._channels:
                        self._channels[job_id].put(received)
                case _:
                    self.take_other(received)

    def take_other(self, received: Received[AnyMessage]) -> None:
        """Take a message that is about no job; a subclass that expects such messages overrides this."""
        log.warning("unexpected message", agent=self.id, sender=received.sender, kind=received.message.kind)

    def contract_changed(self, job_id: str) -> None:
        """Called when a job got, moved or lost its contract; a subclass that acts on it overrides this."""

    def rank(self, job: Job, producers: Sequence[str]) -> Sequence[str]:
        """Return in which order a job asks producers; a plug-in with a strategy of its own overrides this.

        Args:
            job: The job.
            producers: Ids of the producers that the manager names, lowest score first.
        """
        del job
        return producers

    async def execute(self, job: Job) -> None:
        """Run a job at its contract's start; a subclass that has a real device overrides this."""
        await self.until(self.contracts[job.job_id].start_s + job.duration_s)

    def add_job(self, job: Job) -> None:
        """Start a job that was not known at the beginning."""
        self.jobs = (*self.jobs, job)
        self._calendar.add(job)
        channel = self._channels[job.job_id] = self.channel()
        self.spawn(_JobRun(self, job, channel, patient=self._patient).serve(), job.job_id)

    def withdraw_job(self, job_id: str) -> None:
        """Let a job that has not started look for no supplier any more, and give up its contract."""
        self._channels[job_id].put(_Withdrawn())

    def on_lost(self, agents: frozenset[str]) -> None:
        """Cancel the contracts with lost producers; their jobs look for other suppliers."""
        for contract in self._calendar.unstarted(self.now_s):
            if contract.producer in agents:
                self._cancel(contract, "its household is lost")

    async def _end_jobs(self) -> None:
        await self.closing()
        for channel in self._channels.values():
            channel.put(_RunEnds())

    # Contracts.

    def agree(self, job: Job, contract: Contract, movable: Starts) -> None:
        """Adopt a contract.

        Args:
            job: The job.
            contract: Its supplier and start.
            movable: The starts among which the producer may move it.
        """
        self._affected |= {job.job_id, *self._calendar.near(job, self.now_s)}
        self.contracts[job.job_id] = contract
        self._calendar.place(contract, movable)
        self.send(MANAGER, ContractAgreed(contract=contract, reason=self._reason(contract)))
        self.contract_changed(job.job_id)
        for received in self._premature.pop(job.job_id, []):
            self._take(job.job_id, received)

    def give_up(self, job_id: str, reason: str) -> None:
        """Cancel the contract of a job that is withdrawn, if it has one, and free its device's time."""
        contract = self.contracts.get(job_id)
        job = next(job for job in self.jobs if job.job_id == job_id)
        self._affected |= self._calendar.near(job, self.now_s)
        if contract is not None:
            if contract.producer != GRID:
                self.send(contract.producer, Withdraw(job_id=job_id))
            self._cancel(contract, reason)
        self._calendar.remove(job_id)
        self._waiting.pop(job_id, None)

    def _take(self, job_id: str, received: Received[AnyMessage]) -> None:
        """Process a producer's change to a contract, if it is the supplier and the job has not started."""
        contract = self.contracts.get(job_id)
        if contract is None:
            # It may concern a contract that an answer in this very round is about to establish.
            self._premature.setdefault(job_id, []).append(received)
            return
        if received.sender != contract.producer or contract.start_s <= self.now_s:
            return
        match received.message:
            case Amend(start_s=start_s) if start_s >= self.now_s and covers(self._calendar.movable(job_id), start_s):
                moved = contract.model_copy(update={"start_s": start_s})
                self.contracts[job_id] = moved
                self._calendar.move(moved)
                reason = self._reason(moved)
                self.send(MANAGER, ContractAmended(contract_id=moved.contract_id, start_s=start_s, reason=reason))
                self._channels[job_id].put(_Changed())
                self.contract_changed(job_id)
            case Cancel(reason=reason):
                self._cancel(contract, reason)
            case message:
                log.warning("protocol violation", agent=self.id, sender=received.sender, message=str(message))

    def _cancel(self, contract: Contract, reason: str) -> None:
        del self.contracts[contract.job_id]
        self._calendar.free(contract.job_id)
        self._time_was_freed = True
        self.send(MANAGER, ContractCancelled(contract_id=contract.contract_id, reason=reason))
        self._channels[contract.job_id].put(_Changed())
        self.contract_changed(contract.job_id)

    def _reason(self, contract: Contract) -> str:
        return TOGETHER if self._calendar.meets_another(contract, self.now_s) else ""

    # The device's time.

    def forget_premature(self, job_id: str) -> None:
        """Discard messages about contracts of a job that are no longer current."""
        self._premature.pop(job_id, None)

    def deadline_s(self, job: Job) -> int:
        """Return how long a job can wait so that all waiting jobs can still run in sequence, UNIX seconds."""
        return self._calendar.deadline_s(job, self.now_s)

    def has_more_time(self, job: Job, starts: Starts) -> bool:
        """Return whether the device is free for a job at any start besides these."""
        return any(
            not any(a <= first_s and last_s <= b for a, b in starts)
            for first_s, last_s in self._calendar.open_starts(job, self.now_s)
        )

    async def reserve_time(self, job: Job) -> _Reservation:
        """Hold the device's other jobs, and find the starts at which the device is free for this one.

        Jobs that are displaced lose their contracts, and look for a supplier again when it is their turn.
        """
        for contract in self._calendar.to_be_held(job, self.now_s):
            await self._hold(contract)
        starts, displaced = self._calendar.find_starts(job, self.now_s)
        for job_id in displaced:
            contract = self.contracts[job_id]
            if contract.producer != GRID:
                self.send(contract.producer, Withdraw(job_id=job_id))
            self._cancel(contract, "its device needs the time for another job")
        self._affected |= {job.job_id, *self._calendar.near(job, self.now_s)}
        return _Reservation(starts[:MAX_STRETCHES], held=bool(self._calendar.near(job, self.now_s)))

    async def _hold(self, contract: Contract) -> None:
        try:
            reply = await self.ask(contract.producer, Hold(job_id=contract.job_id))
        except AgentLostError:
            return
        match reply:
            case Accept(job_id=job_id) if job_id == contract.job_id and job_id in self.contracts:
                self._calendar.hold(job_id)
            case Decline():
                # It was cancelled in the meantime, which has been reported.
                pass
            case _:
                log.warning("protocol violation in reply", agent=self.id, sender=contract.producer, reply=str(reply))

    def release_held(self) -> None:
        """Let producers move the held jobs, each within its own share of the device's time."""
        for contract, starts in self._calendar.release_held(self.now_s):
            self.send(contract.producer, Release(job_id=contract.job_id, starts=starts))
        self._calendar.forget_sequence(self._affected)
        for job_id in [waiting for waiting in self._waiting if waiting in self._affected]:
            self._channels[job_id].put(_Changed(time_was_freed=self._time_was_freed))
        self._affected, self._time_was_freed = set(), False

    def set_waiting(self, job_id: str, *, is_waiting: bool) -> None:
        """Record whether a job waits for an opening; waiting jobs are informed when the device's time changes.

        Args:
            job_id: The job.
            is_waiting: Whether it waits.
        """
        if is_waiting:
            self._waiting[job_id] = None
        else:
            self._waiting.pop(job_id, None)

    @property
    def turns(self) -> _TurnLock:
        """The lock that a job of the device holds while it looks for a supplier."""
        return self._turns


class _TurnLock:
    """A fair lock: it is handed on in the order in which it was requested."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._taken = False
        self._queue: deque[Channel[None]] = deque()

    async def __aenter__(self) -> None:
        if self._taken:
            channel: Channel[None] = self._consumer.channel()
            self._queue.append(channel)
            await channel.get()
        self._taken = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._queue:
            self._queue.popleft().put(None)
            return
        self._taken = False
        if kind is None:
            self._consumer.release_held()


class _JobRun:
    """One job from its registration to its end."""

    def __init__(self, agent: Consumer, job: Job, channel: Channel[Event], *, patient: bool) -> None:
        self._agent = agent
        self._job = job
        self._channel = channel
        self._patient = patient
        self._contracts = 0
        self._asked: list[str] = []
        self._reservation = _Reservation((), held=False)
        self._run_ends = False
        self._is_withdrawn = False

    async def serve(self) -> None:
        """Find a supplier, and another one whenever it is lost, until the job starts; then wait until it has run."""
        await self._agent.until(self._job.registered_s)
        await self._find_supplier()
        while not self._is_withdrawn and await self._is_lost_before_start():
            await self._find_supplier()
        if self._is_withdrawn:
            async with self._agent.turns:
                self._agent.give_up(self._job.job_id, "it is withdrawn")
        else:
            await self._agent.execute(self._job)

    async def _find_supplier(self) -> None:
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
        """Ask all producers, including those that join meanwhile; return whether one accepted."""
        self._asked = []
        while True:
            question = ProducersFor(job_id=self._job.job_id, asked=tuple(self._asked))
            answer = await self._agent.ask(MANAGER, question)
            if not isinstance(answer, Producers) or not answer.producers:
                return False
            if await self._ask_each(answer.producers):
                return True

    async def _ask_each(self, producers: Sequence[str]) -> bool:
        job = self._job
        for producer in self._agent.rank(job, producers):
            if producer not in self._asked:
                self._asked.append(producer)
            match await self._answer_of(producer):
                case Accept(job_id=job.job_id, start_s=start_s) if self._is_possible(start_s):
                    self._withdraw(but=producer)
                    self._agree(producer, start_s)
                    return True
                case Decline():
                    pass
                case None:
                    continue
                case reply:
                    log.warning("protocol violation in reply", agent=self._agent.id, sender=producer, reply=str(reply))
                    self._agent.send(producer, Withdraw(job_id=job.job_id))
            self._agent.send(MANAGER, Declined(job_id=job.job_id, producer=producer))
        return False

    async def _answer_of(self, producer: str) -> AnyMessage | None:
        self._agent.forget_premature(self._job.job_id)
        request = Request(
            job=self._job.as_sent, patient=self._patient, starts=self._reservation.starts, held=self._reservation.held
        )
        try:
            return await self._agent.ask(producer, request)
        except AgentLostError:
            return None

    def _is_possible(self, start_s: int) -> bool:
        return start_s >= self._agent.now_s and covers(self._reservation.starts, start_s)

    async def _wait_for_supplier(self) -> None:
        """Wait for an opening as long as the device's other jobs allow, then take grid power."""
        while True:
            event = _RunEnds() if self._run_ends else await self._channel.get(until_s=self._agent.deadline_s(self._job))
            producers: Sequence[str] = ()
            match event:
                case Received(message=Opening()):
                    producers = (event.sender,)
                case Received(message=Producers(producers=joined)):
                    producers = joined
                case _Changed(time_was_freed=True) if self._agent.has_more_time(self._job, self._reservation.starts):
                    producers = tuple(self._asked)
                case _Withdrawn():
                    self._is_withdrawn = True
                    self._withdraw()
                    return
                case TimeUp() | _RunEnds():
                    async with self._agent.turns:
                        deadline_s = self._agent.deadline_s(self._job)
                        if isinstance(event, _RunEnds) or deadline_s <= self._agent.now_s:
                            self._take_grid_power(deadline_s)
                            return
            if producers:
                async with self._agent.turns:
                    self._reservation = await self._agent.reserve_time(self._job)
                    if await self._ask_each(producers):
                        return

    def _take_grid_power(self, start_s: int) -> None:
        self._withdraw()
        self._agree(GRID, start_s)

    async def _is_lost_before_start(self) -> bool:
        """Wait until the job starts; return True if its contract is cancelled before."""
        while True:
            contract = self._agent.contracts.get(self._job.job_id)
            if contract is None:
                return True
            event = await self._channel.get(until_s=contract.start_s)
            if isinstance(event, _RunEnds):
                self._run_ends = True
                return self._job.job_id not in self._agent.contracts
            if isinstance(event, _Withdrawn):
                self._is_withdrawn = True
                return False
            if isinstance(event, TimeUp):
                return False

    def _agree(self, producer: str, start_s: int) -> None:
        self._contracts += 1
        contract = Contract(
            contract_id=f"{self._job.job_id}/{self._contracts}",
            job_id=self._job.job_id,
            producer=producer,
            start_s=start_s,
            agreed_s=self._agent.now_s,
            energy_wh=self._job.energy_wh,
        )
        stays = self._reservation.held or producer == GRID
        self._agent.agree(self._job, contract, ((start_s, start_s),) if stays else self._reservation.starts)

    def _withdraw(self, but: str | None = None) -> None:
        """Inform the agents that have the job on their lists that it no longer needs a supplier."""
        if self._patient:
            for listener in (*self._asked, MANAGER):
                if listener != but:
                    self._agent.send(listener, Withdraw(job_id=self._job.job_id))
