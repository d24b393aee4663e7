"""A consumer with whole supply: one producer, or the grid, supplies a whole job.

Producers may move a job only where its consumer allows: while another job of the device looks for a supplier, jobs are
fixed (`Hold`); afterwards the device's time is divided among them (`Release`). So no producer can make two jobs
overlap, and no move needs to be negotiated.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from agents.consumer_supply import SupplyOwner
from agents.counts_per_second import CountsPerSecond
from agents.device_calendar import FreeTime
from agents.job_lifecycle import ConsumerJob, JobChanged, JobNegotiation
from agents.messages import (
    Accept,
    Amend,
    AnyMessage,
    Cancel,
    ChangePrices,
    ContractAmended,
    ContractVoid,
    Decline,
    Hold,
    Opening,
    Producers,
    PushOut,
    Release,
    Withdraw,
)
from agents.model import GRID, MANAGER, Contract, Job, Starts, covers
from agents.whole_supply.provisional_promises import MAX_PUSHES, is_firm
from agents.whole_supply.whole_job_negotiation import WholeJobNegotiation, WholeJobOwner
from broker.hosts import AgentLostError, Received


class WholeSupplyOwner(SupplyOwner, WholeJobOwner, Protocol):
    """What whole supply needs of its consumer; see `agents.consumer.Consumer`."""

    def cancel(self, contract: Contract, reason: str) -> None:
        """Report that a contract has ended, and let its job look for another one."""
        ...

    def free_time_for(self, job: Job) -> FreeTime:
        """Return the starts at which the device is free for a job, and end the contracts of jobs that it displaces."""
        ...


class WholeConsumerSupply:
    """The supply of a consumer whose jobs have one supplier each; see `agents.consumer_supply.ConsumerSupply`."""

    __slots__ = ("_consumer", "_pushes", "_waiting")

    def __init__(self, consumer: WholeSupplyOwner) -> None:
        """Begin with no job that waits.

        Args:
            consumer: The consumer, which sends the messages.
        """
        self._consumer = consumer
        self._waiting: dict[str, None] = {}
        """Ids of the jobs that wait for an opening, in the order in which they began to."""
        self._pushes = CountsPerSecond()
        """How often a job was pushed out, by job and producer."""

    @property
    def follows_strategy(self) -> bool:
        """See `ConsumerSupply.follows_strategy`."""
        return True

    def negotiation_of(self, record: ConsumerJob) -> JobNegotiation:
        """See `ConsumerSupply.negotiation_of`."""
        return WholeJobNegotiation(self._consumer, record, self)

    # Messages.

    def take(self, received: Received[AnyMessage]) -> bool:
        """See `ConsumerSupply.take`."""
        sender, message, consumer = received.sender, received.message, self._consumer
        match message:
            case Amend(job_id=job_id) | Cancel(job_id=job_id) | PushOut(job_id=job_id):
                if consumer.hears(sender, message.kind, job_id):
                    self._take_change(job_id, received)
            case Opening(job_id=job_id):
                if consumer.hears(sender, message.kind, job_id) and consumer.follows(sender, job_id):
                    consumer.records[job_id].channel.put(received)
            case Producers(job_id=job_id) if sender == MANAGER:
                if job_id in consumer.records:
                    consumer.records[job_id].channel.put(received)
            case ContractVoid() if sender == MANAGER:
                consumer.take_void(message)
            case _:
                return False
        return True

    def _take_change(self, job_id: str, received: Received[AnyMessage]) -> None:
        """Process a producer's change to a contract, if it is the supplier and the job has not started."""
        consumer = self._consumer
        contract, record = consumer.contracts.get(job_id), consumer.records[job_id]
        if contract is None:
            if received.sender in record.asking:
                record.premature.append(received)
            return
        if received.sender != contract.producer or contract.start_s <= consumer.now_s:
            return
        movable = consumer.calendar.movable(job_id)
        match received.message:
            case Amend(start_s=start_s) if start_s >= consumer.now_s and covers(movable, start_s):
                self._move(contract.model_copy(update={"start_s": start_s}))
            case Cancel(reason=reason):
                if contract.agreed_s == consumer.now_s:
                    record.untrusted.add(contract.producer)
                consumer.cancel(contract, reason)
            case PushOut(reason=reason):
                if not record.is_provisional or is_firm(contract.start_s, consumer.now_s):
                    consumer.reject(received.sender, f"pushes out job {job_id!r}, which it has promised firmly")
                    return
                if self._pushes.add((job_id, contract.producer), consumer.now_s) > MAX_PUSHES:
                    consumer.reject(contract.producer, f"pushes out job {job_id!r} too often in one second")
                    record.untrusted.add(contract.producer)
                consumer.cancel(contract, reason)
            case _:
                consumer.reject(received.sender, f"moves job {job_id!r} to a start that its consumer does not allow")

    def change_prices(self, prices: ChangePrices) -> None:
        """See `ConsumerSupply.change_prices`: the manager ranks the producers, so no price decides here."""

    def job_begun(self, job: Job) -> None:
        """See `ConsumerSupply.job_begun`: the contract of a job that was started by hand stays where it is."""

    # Contracts.

    def agree(self, job: Job, producer: str, start_s: int, movable: Starts) -> None:
        """Adopt a contract.

        Args:
            job: The job.
            producer: Its supplier.
            start_s: Its start, UNIX seconds.
            movable: The starts among which the producer may move it.
        """
        record = self._consumer.records[job.job_id]
        contract = Contract(
            contract_id=record.next_contract_id(),
            job_id=job.job_id,
            producer=producer,
            start_s=start_s,
            agreed_s=self._consumer.now_s,
            energy_wh=job.energy_wh,
        )
        self._consumer.agree(job, contract, movable)
        premature, record.premature = record.premature, []
        for received in premature:
            self._take_change(job.job_id, received)

    def take_grid_power(self, job: Job, start_s: int) -> None:
        """See `ConsumerSupply.take_grid_power`."""
        self.agree(job, GRID, start_s, ((start_s, start_s),))

    def _move(self, moved: Contract) -> None:
        consumer, job_id = self._consumer, moved.job_id
        consumer.contracts[job_id] = moved
        consumer.calendar.replace(moved)
        reason = consumer.remark_on(moved)
        consumer.send(MANAGER, ContractAmended(contract_id=moved.contract_id, start_s=moved.start_s, reason=reason))
        consumer.records[job_id].channel.put(JobChanged())
        consumer.contract_changed(job_id)

    def signers_of(self, contract: Contract) -> Collection[str]:
        """See `ConsumerSupply.signers_of`."""
        return contract.producers

    def withdraw(self, contract: Contract) -> None:
        """See `ConsumerSupply.withdraw`."""
        for producer in contract.producers:
            self._consumer.send(producer, Withdraw(job_id=contract.job_id))

    def forget_producers(self, producers: frozenset[str]) -> None:
        """See `ConsumerSupply.forget_producers`: their contracts end, and the jobs look for other suppliers."""
        for contract in self._consumer.calendar.unstarted(self._consumer.now_s):
            if contract.producer in producers:
                self._consumer.cancel(contract, "its household is lost")

    # The device's time.

    async def reserve_time(self, job: Job) -> FreeTime:
        """Hold the device's other jobs, and find the starts at which the device is free for this one.

        Jobs that are displaced lose their contracts, and look for a supplier again when it is their turn.
        """
        for contract in self._consumer.calendar.to_be_held(job, self._consumer.now_s):
            await self._hold(contract)
        return self._consumer.free_time_for(job)

    async def _hold(self, contract: Contract) -> None:
        consumer = self._consumer
        try:
            reply = await consumer.ask(contract.producer, Hold(job_id=contract.job_id))
        except AgentLostError:
            return
        match reply:
            case Accept(job_id=job_id) if job_id == contract.job_id and job_id in consumer.contracts:
                consumer.calendar.hold(job_id)
            case Decline():
                # It was cancelled in the meantime, which has been reported.
                pass
            case _:
                consumer.reject(contract.producer, f"answers Hold for job {contract.job_id!r} with {reply.kind}")

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

    def divide_time(self) -> None:
        """Let producers move the held jobs, each within its own share of the device's time."""
        consumer = self._consumer
        for contract, starts in consumer.calendar.release_held(consumer.now_s):
            consumer.send(contract.producer, Release(job_id=contract.job_id, starts=starts))
        affected, was_freed = consumer.calendar.take_changes()
        for job_id in [waiting for waiting in self._waiting if waiting in affected]:
            consumer.records[job_id].channel.put(JobChanged(time_was_freed=was_freed))
