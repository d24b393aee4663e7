"""A consumer device: has a supplier found for each of its jobs, and represents the jobs in their contracts.

Each job negotiates in a coroutine of its own (`agents.job_negotiation`). The consumer reports to the manager everything
that happens to a contract before its job starts, in chronological order. The producer reports the same. If the manager
finds that the producer did not, it declares the contract void (`ContractVoid`), and the job looks for another supplier.

Messages of other agents are accepted only within their roles: only the supplier may change a contract, only producers
that were asked may send openings, and only the manager may send lists of producers. Everything else is rejected.

A device runs one job at a time. Its jobs look for suppliers in turn; each request contains the starts at which the
device is free (`agents.device_calendar`). Producers may move a job only where its consumer allows: while another job of
the device looks for a supplier, jobs are fixed (`Hold`); afterwards the device's time is divided among them
(`Release`). So no producer can make two jobs overlap, and no move needs to be negotiated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import ClassVar

import structlog
from typing_extensions import override

from agents.device_calendar import Calendar
from agents.job_negotiation import (
    ConsumerJob,
    DeviceReturned,
    FreeTime,
    JobChanged,
    JobDropped,
    JobNegotiation,
    RunEnds,
)
from agents.late_promises import MAX_PUSHES, is_firm
from agents.messages import (
    MAX_STRETCHES,
    Accept,
    AddJob,
    Amend,
    AnyMessage,
    Cancel,
    ChangePatience,
    ChangeStrategy,
    ContractAgreed,
    ContractAmended,
    ContractCancelled,
    ContractVoid,
    Decline,
    DropJob,
    Hold,
    Join,
    Leave,
    Opening,
    Producers,
    PushOut,
    Release,
    Withdraw,
)
from agents.model import GRID, MANAGER, TIMELINE, TOGETHER, Contract, Job
from agents.plugins import AGENTS, calling, failure_of, load_plugin, plugin_of, wrong_result
from agents.ranking import RANKED, NegotiationSettings
from agents.second_counts import SecondCounts
from agents.sequencing import Starts, covers
from broker import PluginError
from broker.hosts import Agent, AgentLostError, Channel, Received

log = structlog.get_logger(__name__)

MAX_OPENINGS = 20
"""Openings of one producer for one job in one second that the consumer follows; honest producers send one or two."""


class Consumer(Agent[AnyMessage]):
    """The agent of one consumer device."""

    wakes_every_s: ClassVar[int] = 1
    """For plug-ins: the shortest interval at which a consumer sets timers in addition to those of its jobs, seconds.
    The clock of a deployed run quarantines a household that sets more timers than this allows; the longer the interval,
    the sooner it notices a dishonest household. By default a plug-in may wake up in every second."""

    has_fixed_strategy: ClassVar[bool] = False
    """Whether no plug-in can replace its strategy: supply is shared, or a real device runs its jobs."""

    def __init__(
        self,
        agent_id: str,
        jobs: Sequence[Job],
        *,
        patient: bool,
        is_there: bool = True,
        negotiating: NegotiationSettings | None = None,
    ) -> None:
        """Create a consumer.

        Args:
            agent_id: See `agents.model.consumer_agent`.
            jobs: All jobs of the device; each becomes known at its registration.
            patient: Whether a job that no producer can supply waits until its latest start before it takes grid power.
            is_there: Whether the device is present from the start; otherwise its jobs wait for `Join`.
            negotiating: How jobs find a supplier; None: they ask all producers in order (`RANKED`).
        """
        super().__init__(agent_id)
        self._jobs = {job.job_id: ConsumerJob(job, self.channel()) for job in jobs}
        self.contracts: dict[str, Contract] = {}
        """The current contract of each job, by job id: the consumer's side of the ledger."""
        self.asks_twice = False
        """Whether promises are late, so that a job that all producers have declined asks them again."""
        self.patient = patient
        """Whether jobs that ask from now on wait where no producer can supply them."""
        self.negotiating = negotiating or NegotiationSettings(RANKED)
        self.is_away = not is_there
        """Whether the device takes no part in negotiations at present."""
        self.is_gone = not is_there
        """Whether the device is absent altogether, so that its jobs cannot run."""
        self._calendar = Calendar(self.jobs)
        self._turns = _TurnLock(self)
        self._waiting: dict[str, None] = {}
        """Ids of the jobs that wait for an opening, in the order in which they began to."""
        self._openings = SecondCounts()
        """By job and producer."""
        self._pushes = SecondCounts()
        """How often a job was pushed out, by job and producer."""
        self._affected: set[str] = set()
        """Ids of the jobs whose part of the device's time may have changed since it was divided last."""
        self._time_was_freed = False
        """Whether a contract has ended since then."""

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All jobs of the device, in the order in which they became known."""
        return tuple(record.job for record in self._jobs.values())

    async def run(self) -> None:
        """Start all jobs, and pass each message to the job that it concerns."""
        for record in self._jobs.values():
            self._serve(record)
        self.spawn(self._end_jobs(), "end")
        while True:
            received = await self.receive()
            self._dispatch(received)

    def _dispatch(self, received: Received[AnyMessage]) -> None:
        """Pass a message to the job that it concerns, if the sender is entitled to send it."""
        sender, message = received.sender, received.message
        if sender == TIMELINE:
            self._obey(received)
            return
        match message:
            case Amend(job_id=job_id) | Cancel(job_id=job_id) | PushOut(job_id=job_id) | Opening(job_id=job_id):
                if not self._has_asked(sender, job_id):
                    self.reject(sender, f"sends {message.kind} for job {job_id!r}, which it was never asked to supply")
                elif isinstance(message, Opening):
                    if self._follows(sender, job_id):
                        self._jobs[job_id].channel.put(received)
                else:
                    self._take(job_id, received)
            case Producers(job_id=job_id) if sender == MANAGER:
                if job_id in self._jobs:
                    self._jobs[job_id].channel.put(received)
            case ContractVoid() if sender == MANAGER:
                self._take_void(message)
            case _:
                self.take_other(received)

    def take_other(self, received: Received[AnyMessage]) -> None:
        """Handle a message that is not about a job; a subclass that expects such messages overrides this."""
        kind = received.message.kind
        self.reject(received.sender, f"sends a {kind}, which is not for {self.id!r} or not from it")

    def _has_asked(self, producer: str, job_id: str) -> bool:
        """Return whether a job of this consumer has ever asked a producer."""
        return job_id in self._jobs and producer in self._jobs[job_id].asked

    def _follows(self, producer: str, job_id: str) -> bool:
        """Return whether to follow a producer's opening: a producer must not keep a job busy for ever.

        A job that has started, or was dropped, no longer reads its channel: openings would fill it.
        """
        contract = self.contracts.get(job_id)
        if self._jobs[job_id].is_dropped or (contract is not None and contract.start_s <= self.now_s):
            return False
        count = self._openings.add((job_id, producer), self.now_s)
        if count > MAX_OPENINGS:
            self.reject(producer, f"sends more than {MAX_OPENINGS} openings for job {job_id!r} in one second")
        return count <= MAX_OPENINGS

    def contract_changed(self, job_id: str) -> None:
        """Called when a job got, moved or lost its contract; a subclass that acts on it overrides this."""

    def rank(self, job: Job, producers: Sequence[str]) -> Sequence[str]:
        """Return the order in which a job asks producers; a plug-in overrides this with its own strategy.

        Args:
            job: The job.
            producers: Ids of the producers that the manager names, lowest score first.

        Returns:
            The same ids, each of them once.
        """
        del job
        return producers

    def ranked(self, job: Job, producers: Sequence[str]) -> Sequence[str]:
        """Return what `rank` does.

        Raises:
            PluginError: A plug-in's `rank` fails, or does not return the same producers. A job that asked only some of
                them would be told of the others again and again.
        """
        plugin = plugin_of(type(self))
        if plugin is None:
            return self.rank(job, producers)
        producers = tuple(producers)  # which a plug-in cannot change
        with calling(plugin, "rank"):
            ranked: object = self.rank(job, producers)
            if not isinstance(ranked, Sequence) or Counter(ranked) != Counter(producers):
                what = f"{ranked!r:.80}: expected the ids that it was given, each of them once, in any order"
                raise wrong_result(plugin, "rank", what)
        return tuple(ranked)

    @override
    def describe_failure(self, error: Exception) -> str:
        """See `Agent.describe_failure`."""
        plugin = plugin_of(type(self))
        return (plugin is not None and failure_of(plugin, type(self), error)) or super().describe_failure(error)

    def runs_itself(self, job: Job) -> bool:
        """Return whether `execute` runs a job from its contract's start on; a subclass with a real device overrides it.

        Otherwise a job only lasts as long as its load profile.
        """
        del job
        return False

    async def execute(self, job: Job) -> None:
        """Run a job at its contract's start, if it `runs_itself`."""

    def add_job(self, job: Job) -> None:
        """Take on a job that was not known at the beginning."""
        record = self._jobs[job.job_id] = ConsumerJob(job, self.channel())
        self._calendar.add(job)
        self._serve(record)

    def _serve(self, record: ConsumerJob) -> None:
        self.spawn(self._negotiation_of(record).serve(), record.job.job_id)

    def _negotiation_of(self, record: ConsumerJob) -> JobNegotiation:
        """Return the negotiation of a job until it has run."""
        return JobNegotiation(self, record)

    def _obey(self, received: Received[AnyMessage]) -> None:
        """Carry out an event of the scenario's timeline."""
        match received.message:
            case AddJob(job=job) if job.job_id not in self._jobs and job.agent == self.id:
                self.add_job(job)
            case DropJob(job_id=job_id) if job_id in self._jobs:
                self.drop(job_id)
            case ChangePatience(patient=patient):
                self.patient = patient
            case ChangeStrategy(strategy=strategy):
                if not self.has_fixed_strategy:
                    self._change_strategy(load_plugin(AGENTS, strategy) if strategy else Consumer)
            case Leave(reason=reason, is_gone=is_gone):
                self.is_away, self.is_gone = True, is_gone
                for contract in self._calendar.unstarted(self.now_s) if is_gone else ():
                    self.end_contract(contract, reason)
            case Join():
                self.is_away = self.is_gone = False
                for record in self._jobs.values():
                    record.channel.put(DeviceReturned())
            case message:
                self.reject(received.sender, f"sends a {message.kind}, which is not for {self.id!r}")

    def _change_strategy(self, strategy: type[Consumer]) -> None:
        """Decide by another strategy: with its methods, and with its own attributes as they are at a run's beginning.

        What every consumer has (jobs, contracts, waiting coroutines) stays as it is.
        """
        before, jobs = vars(self).copy(), self.jobs
        common = vars(Consumer(self.id, jobs, patient=self.patient)).keys()
        vars(self).clear()
        self.__class__ = strategy
        with _making(strategy):
            strategy.__init__(self, before["id"], jobs, patient=before["patient"], is_there=not before["is_gone"])
        vars(self).update({name: before[name] for name in common})

    def drop(self, job_id: str) -> None:
        """End a job without running it, unless it has started."""
        contract, record = self.contracts.get(job_id), self._jobs[job_id]
        if not record.is_dropped and (contract is None or contract.start_s > self.now_s):
            record.is_dropped = True
            record.channel.put(JobDropped())

    def end_contract(self, contract: Contract, reason: str) -> None:
        """Cancel a contract of a job that has not started, of the consumer's own accord."""
        self._withdraw_from_suppliers(contract)
        self._cancel(contract, reason)

    def _withdraw_from_suppliers(self, contract: Contract) -> None:
        """Inform the suppliers of a contract that it ends."""
        for producer in contract.producers:
            self.send(producer, Withdraw(job_id=contract.job_id))

    def forget(self, job_id: str) -> None:
        """Free the device's time that a dropped job would have taken."""
        self._calendar.drop(job_id)

    def on_lost(self, agents: frozenset[str]) -> None:
        """Cancel the contracts with lost producers; their jobs look for other suppliers."""
        for contract in self._calendar.unstarted(self.now_s):
            if contract.producer in agents:
                self._cancel(contract, "its household is lost")

    async def _end_jobs(self) -> None:
        await self.closing()
        for record in self._jobs.values():
            record.channel.put(RunEnds())

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
        record = self._jobs[job.job_id]
        premature, record.premature = record.premature, []
        for received in premature:
            self._take(job.job_id, received)

    def _take(self, job_id: str, received: Received[AnyMessage]) -> None:
        """Process a producer's change to a contract, if it is the supplier and the job has not started."""
        contract, record = self.contracts.get(job_id), self._jobs[job_id]
        if contract is None:
            if received.sender in record.asking:
                record.premature.append(received)
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
                record.channel.put(JobChanged())
                self.contract_changed(job_id)
            case Cancel(reason=reason):
                if contract.agreed_s == self.now_s:
                    record.untrusted.add(contract.producer)
                self._cancel(contract, reason)
            case PushOut(reason=reason):
                if not record.is_provisional or is_firm(contract.start_s, self.now_s):
                    self.reject(received.sender, f"pushes out job {job_id!r}, which it has promised firmly")
                    return
                if self._pushes.add((job_id, contract.producer), self.now_s) > MAX_PUSHES:
                    self.reject(contract.producer, f"pushes out job {job_id!r} too often in one second")
                    record.untrusted.add(contract.producer)
                self._cancel(contract, reason)
            case _:
                self.reject(received.sender, f"moves job {job_id!r} to a start that its consumer does not allow")

    def signers_of(self, contract: Contract) -> Collection[str]:
        """Return the producers whose promises a contract rests on."""
        return contract.producers

    def _take_void(self, void: ContractVoid) -> None:
        """Give up a contract that the ledger does not have, and inform its producer; the job looks for another one."""
        contract, record = self.contracts.get(void.job_id), self._jobs.get(void.job_id)
        if record is None:
            return
        if contract is None:  # it has cancelled it, as its producer is lost
            record.contracts_made = void.contracts
            return
        if contract.contract_id != void.contract_id:
            return
        job, signers = record.job, self.signers_of(contract)
        if not signers:  # the grid's word is not needed, but the ledger has fewer contracts than were counted
            if contract.contract_id != f"{job.job_id}/{void.contracts + 1}" and contract.start_s >= self.now_s:
                record.contracts_made = void.contracts
                self._agree_anew(job, contract, contract.producer, contract.start_s)
            return
        log.warning("contract void", agent=self.id, contract=void.contract_id, reason=void.reason)
        if contract.start_s + job.duration_s <= self.now_s:
            return  # it has run
        is_running = contract.start_s <= self.now_s and self.runs_itself(job)
        record.contracts_made = void.contracts
        record.untrusted.update(signers)
        self._withdraw_from_suppliers(contract)
        self._free(contract)
        if is_running:  # its device already draws power, now from the grid
            self._agree_anew(job, contract, GRID, self.now_s)

    def _agree_anew(self, job: Job, contract: Contract, producer: str, start_s: int) -> None:
        """Adopt a new contract of a fixed start in place of a void one.

        Args:
            job: The job.
            contract: The void contract.
            producer: The new supplier.
            start_s: The new start, UNIX seconds.
        """
        update = {
            "contract_id": self.next_contract_id(job.job_id),
            "producer": producer,
            "start_s": start_s,
            "agreed_s": self.now_s,
        }
        self.agree(job, contract.model_copy(update=update), ((start_s, start_s),))

    def _cancel(self, contract: Contract, reason: str) -> None:
        self.send(MANAGER, ContractCancelled(contract_id=contract.contract_id, reason=reason))
        self._free(contract)

    def _free(self, contract: Contract) -> None:
        del self.contracts[contract.job_id]
        self._calendar.free(contract.job_id)
        self._time_was_freed = True
        self._jobs[contract.job_id].channel.put(JobChanged())
        self.contract_changed(contract.job_id)

    def _reason(self, contract: Contract) -> str:
        return TOGETHER if self._calendar.meets_another(contract, self.now_s) else ""

    # The device's time.

    def deadline_s(self, job: Job) -> int:
        """Return how long a job can wait so that all waiting jobs can still run in sequence, UNIX seconds."""
        return self._calendar.deadline_s(job, self.now_s)

    def has_more_time(self, job: Job, starts: Starts) -> bool:
        """Return whether the device is free for a job at any start besides these."""
        return any(
            not any(a <= first_s and last_s <= b for a, b in starts)
            for first_s, last_s in self._calendar.open_starts(job, self.now_s)
        )

    async def reserve_time(self, job: Job) -> FreeTime:
        """Hold the device's other jobs, and find the starts at which the device is free for this one.

        Jobs that are displaced lose their contracts, and look for a supplier again when it is their turn.
        """
        for contract in self._calendar.to_be_held(job, self.now_s):
            await self._hold(contract)
        starts, displaced = self._calendar.find_starts(job, self.now_s)
        for job_id in displaced:
            contract = self.contracts[job_id]
            self._withdraw_from_suppliers(contract)
            self._cancel(contract, "its device needs the time for another job")
        self._affected |= {job.job_id, *self._calendar.near(job, self.now_s)}
        return FreeTime(starts[:MAX_STRETCHES], held=bool(self._calendar.near(job, self.now_s)))

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
                self.reject(contract.producer, f"answers Hold for job {contract.job_id!r} with {reply.kind}")

    def release_held(self) -> None:
        """Let producers move the held jobs, each within its own share of the device's time."""
        for contract, starts in self._calendar.release_held(self.now_s):
            self.send(contract.producer, Release(job_id=contract.job_id, starts=starts))
        self._calendar.forget_sequence(self._affected)
        for job_id in [waiting for waiting in self._waiting if waiting in self._affected]:
            self._jobs[job_id].channel.put(JobChanged(time_was_freed=self._time_was_freed))
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

    # Producers.

    def promise_late(self) -> None:
        """Take promises to be provisional until shortly before the start."""
        self.asks_twice = True

    def next_contract_id(self, job_id: str) -> str:
        """Return the id of a job's next contract, and count it."""
        record = self._jobs[job_id]
        record.contracts_made += 1
        return f"{job_id}/{record.contracts_made}"

    @property
    def turns(self) -> _TurnLock:
        """The lock that a job of the device holds while it looks for a supplier."""
        return self._turns


class _TurnLock:
    """A fair lock: it is handed on in the order in which it was requested."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._taken = False
        self._queue: list[Channel[None]] = []

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
            self._queue.pop(0).put(None)
            return
        self._taken = False
        if kind is None:
            self._consumer.release_held()


def make_consumer(
    strategy: type[Consumer], agent_id: str, jobs: Sequence[Job], *, patient: bool, is_there: bool
) -> Consumer:
    """Return a consumer with a strategy; see `Consumer.__init__` for the rest.

    Raises:
        PluginError: The strategy is a plug-in that cannot be made.
    """
    with _making(strategy):
        made = strategy(agent_id, jobs, patient=patient, is_there=is_there)
    if not hasattr(made, "_calendar"):
        raise PluginError(f"{plugin_of(strategy)}: its __init__ does not call that of agents.Consumer")
    return made


def _making(strategy: type[Consumer]) -> AbstractContextManager[None]:
    plugin = plugin_of(strategy)
    return nullcontext() if plugin is None else calling(plugin, "__init__")
