"""A consumer device: finds a supplier for each of its jobs, and holds the job's side of the contract.

A job asks the producers in the order of their scores until one accepts. When none does, a patient job waits: the
producers that declined tell it when something changed, the manager tells it of producers that join. At its latest
start it runs on grid power. Whatever happens to a contract before its job starts, the consumer reports to the manager,
in the order in which it happened: so the ledger has one source for each job.

A device runs one job at a time. Its jobs look for suppliers in turn; each request says for which starts the device is
free (`agents.device_calendar`). Producers may move a job only where its consumer lets them: while another job of the
device looks for a supplier, jobs stay where they are (`Hold`); afterwards their device's time is divided among them
(`Release`). So nothing that a producer does can make two jobs meet, and nobody needs to be asked about a move.
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
    """Left in every job's box when the run's end is reached."""


@dataclass(frozen=True, slots=True)
class _Changed:
    """Left in a job's box when its contract was amended or cancelled, or its device's time is divided otherwise."""

    time_is_free: bool = False
    """Whether a contract was cancelled, so that the device may have more time for it."""


Event = Received[AnyMessage] | _RunEnds | _Changed


@dataclass(frozen=True, slots=True)
class _Room:
    """When a device is free for a job that looks for a supplier."""

    starts: Starts
    held: bool
    """Whether the device has other jobs, so that the job must not be moved at first."""


class Consumer(Agent[AnyMessage]):
    """The agent of one consumer device."""

    def __init__(self, agent_id: str, jobs: Sequence[Job], *, patient: bool) -> None:
        """Make a consumer.

        Args:
            agent_id: See `agents.model.consumer_agent`.
            jobs: All jobs of the device; each is known to the neighbourhood from its registration on.
            patient: Whether a job that nobody can serve waits until its latest start before it takes grid power.
        """
        super().__init__(agent_id)
        self.jobs = tuple(jobs)
        self.contracts: dict[str, Contract] = {}
        """The contract that stands for each job, by job id: the consumer's side of the ledger."""
        self._patient = patient
        self._calendar = Calendar(self.jobs)
        self._turns = _Turns(self)
        self._channels: dict[str, Channel[Event]] = {job.job_id: self.channel() for job in jobs}
        self._waiting: dict[str, None] = {}
        self._early: dict[str, list[Received[AnyMessage]]] = {}
        self._touched: set[str] = set()
        self._time_is_free = False

    async def run(self) -> None:
        """Serve each job; hand each message to the job that it is about."""
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
                    log.warning("not understood", agent=self.id, sender=received.sender, kind=received.message.kind)

    def on_lost(self, agents: frozenset[str]) -> None:
        """Let each job that has a contract with one of them look for another supplier."""
        for contract in self._calendar.unstarted(self.now_s):
            if contract.producer in agents:
                self._cancel(contract, "its household is lost")

    async def _end_jobs(self) -> None:
        await self.closing()
        for channel in self._channels.values():
            channel.put(_RunEnds())

    # Contracts.

    def agree(self, job: Job, contract: Contract, movable: Starts) -> None:
        """Take over a contract.

        Args:
            job: What it is for.
            contract: With whom, and from when.
            movable: Where the producer may move it.
        """
        self._touched |= {job.job_id, *self._calendar.near(job, self.now_s)}
        self.contracts[job.job_id] = contract
        self._calendar.place(contract, movable)
        self.send(MANAGER, ContractAgreed(contract=contract, reason=self._reason(contract)))
        for received in self._early.pop(job.job_id, []):
            self._take(job.job_id, received)

    def _take(self, job_id: str, received: Received[AnyMessage]) -> None:
        """Take what a producer says about its contract, if it is one and the job has not started."""
        contract = self.contracts.get(job_id)
        if contract is None:
            # It may be about the contract that an answer of this very round is going to make.
            self._early.setdefault(job_id, []).append(received)
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
            case Cancel(reason=reason):
                self._cancel(contract, reason)
            case message:
                log.warning("breaks the protocol", agent=self.id, sender=received.sender, message=str(message))

    def _cancel(self, contract: Contract, reason: str) -> None:
        del self.contracts[contract.job_id]
        self._calendar.free(contract.job_id)
        self._time_is_free = True
        self.send(MANAGER, ContractCancelled(contract_id=contract.contract_id, reason=reason))
        self._channels[contract.job_id].put(_Changed())

    def _reason(self, contract: Contract) -> str:
        return TOGETHER if self._calendar.meets_another(contract, self.now_s) else ""

    # The device's time.

    def forget_early(self, job_id: str) -> None:
        """Drop what producers said about contracts of a job that do not stand any more."""
        self._early.pop(job_id, None)

    def deadline_s(self, job: Job) -> int:
        """Return how long a job can wait for a supplier, so that all that wait still find room after one another."""
        return self._calendar.deadline_s(job, self.now_s)

    def has_more_room(self, job: Job, starts: Starts) -> bool:
        """Say whether the device is free for a job at any start besides these."""
        return any(
            not any(a <= first_s and last_s <= b for a, b in starts)
            for first_s, last_s in self._calendar.open_starts(job, self.now_s)
        )

    async def make_room(self, job: Job) -> _Room:
        """Hold the device's other jobs, and return when it is free for this one; jobs that must give way lose theirs.

        A job that gives way looks for a supplier again, when it is its turn.
        """
        for contract in self._calendar.to_be_held(job, self.now_s):
            await self._hold(contract)
        starts, giving_way = self._calendar.room(job, self.now_s)
        for job_id in giving_way:
            contract = self.contracts[job_id]
            if contract.producer != GRID:
                self.send(contract.producer, Withdraw(job_id=job_id))
            self._cancel(contract, "its device needs the time for another job")
        self._touched |= {job.job_id, *self._calendar.near(job, self.now_s)}
        return _Room(starts[:MAX_STRETCHES], held=bool(self._calendar.near(job, self.now_s)))

    async def _hold(self, contract: Contract) -> None:
        try:
            reply = await self.ask(contract.producer, Hold(job_id=contract.job_id))
        except AgentLostError:
            return
        match reply:
            case Accept(job_id=job_id) if job_id == contract.job_id and job_id in self.contracts:
                self._calendar.hold(job_id)
            case Decline():
                # It was cancelled in the meantime; that has been said before.
                pass
            case _:
                log.warning("reply breaks the protocol", agent=self.id, sender=contract.producer, reply=str(reply))

    def divide(self) -> None:
        """Let producers move the jobs that were held, each in its own share of the device's time."""
        for contract, starts in self._calendar.divide(self.now_s):
            self.send(contract.producer, Release(job_id=contract.job_id, starts=starts))
        self._calendar.forget_sequence(self._touched)
        for job_id in [waiting for waiting in self._waiting if waiting in self._touched]:
            self._channels[job_id].put(_Changed(time_is_free=self._time_is_free))
        self._touched, self._time_is_free = set(), False

    def waits(self, job_id: str, *, does: bool) -> None:
        """Note whether a job waits for an opening; one that does is told when the device's time changes."""
        if does:
            self._waiting[job_id] = None
        else:
            self._waiting.pop(job_id, None)

    @property
    def turns(self) -> _Turns:
        """Who of the device's jobs looks for a supplier."""
        return self._turns


class _Turns:
    """One job after the other: a lock that is handed on in the order in which it was asked for."""

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
            self._consumer.divide()


class _JobRun:
    """One job from its registration to its end."""

    def __init__(self, agent: Consumer, job: Job, channel: Channel[Event], *, patient: bool) -> None:
        self._agent = agent
        self._job = job
        self._channel = channel
        self._patient = patient
        self._contracts = 0
        self._asked: list[str] = []
        self._room = _Room((), held=False)
        self._run_ends = False

    async def serve(self) -> None:
        """Find a supplier, again when it is lost, until the job starts; then let it run."""
        await self._agent.until(self._job.registered_s)
        await self._find_supplier()
        while await self._is_lost_before_start():
            await self._find_supplier()
        await self._agent.until(self._agent.contracts[self._job.job_id].start_s + self._job.duration_s)

    async def _find_supplier(self) -> None:
        async with self._agent.turns:
            self._room = await self._agent.make_room(self._job)
            if await self._negotiate():
                return
            if not self._patient:
                self._take_grid_power(self._room.starts[0][0])
                return
        self._agent.waits(self._job.job_id, does=True)
        await self._wait_for_supplier()
        self._agent.waits(self._job.job_id, does=False)

    async def _negotiate(self) -> bool:
        """Ask all producers there are, those that join meanwhile too; return whether one accepted."""
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
        for producer in producers:
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
                    log.warning("reply breaks the protocol", agent=self._agent.id, sender=producer, reply=str(reply))
                    self._agent.send(producer, Withdraw(job_id=job.job_id))
            self._agent.send(MANAGER, Declined(job_id=job.job_id, producer=producer))
        return False

    async def _answer_of(self, producer: str) -> AnyMessage | None:
        self._agent.forget_early(self._job.job_id)
        request = Request(job=self._job.as_sent, patient=self._patient, starts=self._room.starts, held=self._room.held)
        try:
            return await self._agent.ask(producer, request)
        except AgentLostError:
            return None

    def _is_possible(self, start_s: int) -> bool:
        return start_s >= self._agent.now_s and covers(self._room.starts, start_s)

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
                case _Changed(time_is_free=True) if self._agent.has_more_room(self._job, self._room.starts):
                    producers = tuple(self._asked)
                case TimeUp() | _RunEnds():
                    async with self._agent.turns:
                        deadline_s = self._agent.deadline_s(self._job)
                        if isinstance(event, _RunEnds) or deadline_s <= self._agent.now_s:
                            self._take_grid_power(deadline_s)
                            return
            if producers:
                async with self._agent.turns:
                    self._room = await self._agent.make_room(self._job)
                    if await self._ask_each(producers):
                        return

    def _take_grid_power(self, start_s: int) -> None:
        self._withdraw()
        self._agree(GRID, start_s)

    async def _is_lost_before_start(self) -> bool:
        """Keep a contract until its job starts; return True when it is cancelled before."""
        while True:
            contract = self._agent.contracts.get(self._job.job_id)
            if contract is None:
                return True
            event = await self._channel.get(until_s=contract.start_s)
            if isinstance(event, _RunEnds):
                self._run_ends = True
                return self._job.job_id not in self._agent.contracts
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
        stays = self._room.held or producer == GRID
        self._agent.agree(self._job, contract, ((start_s, start_s),) if stays else self._room.starts)

    def _withdraw(self, but: str | None = None) -> None:
        """Tell those who keep the job in mind that it needs nothing any more."""
        if self._patient:
            for listener in (*self._asked, MANAGER):
                if listener != but:
                    self._agent.send(listener, Withdraw(job_id=self._job.job_id))
