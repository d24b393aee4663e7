"""Whole supply: a producer supplies a whole job, and the manager names producers to jobs.

The producer states its promise in the round of its answer to the consumer (`Promised`); the consumer's report arrives a
round later and confirms it. Moves take the same path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agents.job_register import JobRegister, RegisteredJob
from agents.manager import (
    JoinedProducers,
    Ledger,
    LedgerEntry,
    Unconfirmed,
    UnconfirmedStatements,
)
from agents.messages import (
    MAX_REASON_CHARACTERS,
    AnyMessage,
    ContractAmended,
    Declined,
    Headroom,
    ProducersFor,
    Promised,
    PromiseVoid,
    PromiseWithdrawn,
)
from agents.model import GRID, Contract
from agents.ranking import RANKED, NegotiationSettings, Places, ProducerLists
from broker.hosts import Agent, Received


@dataclass(frozen=True, slots=True)
class _Statement:
    """A producer's statement about a job; a consumer confirms the start."""

    start_s: int | None
    """The promised start, UNIX seconds; None: it no longer supplies the job."""
    reason: str = field(default="", compare=False)


class WholeManagerSupply:
    """The manager's part where one producer, or the grid, supplies a whole job; see `ManagerSupply`."""

    def __init__(
        self,
        manager: Agent[AnyMessage],
        register: JobRegister,
        producers: JoinedProducers,
        ledger: Ledger,
        negotiating: NegotiationSettings | None = None,
        places: Places | None = None,
    ) -> None:
        """Begin a run.

        Args:
            manager: The agent that sends and receives the messages.
            register: The jobs of the neighbourhood.
            producers: Those that take part.
            ledger: The contracts.
            negotiating: How jobs find a supplier; None: they ask all producers in order (`RANKED`).
            places: Where consumers and producers are; None: unknown.
        """
        self._manager = manager
        self._register = register
        self._producers = producers
        self._ledger = ledger
        self._lists = ProducerLists(
            manager, register, producers.scores, negotiating or NegotiationSettings(RANKED), places or Places()
        )
        self._statements: UnconfirmedStatements[_Statement] = UnconfirmedStatements()

    # How jobs find producers.

    def take(self, received: Received[AnyMessage]) -> bool:
        """See `ManagerSupply.take`."""
        match received.message:
            case Headroom() as headroom:
                self._take_headroom(received.sender, headroom)
            case Promised() | PromiseWithdrawn() | Declined() as statement:
                self._take_statement(received, statement)
            case ContractAmended() as report:
                self._take_amendment(received.sender, report)
            case _:
                return False
        return True

    def add_producer(self, producer: str) -> None:
        """Name it to the jobs that wait."""
        self._lists.add_producer(producer)

    def remove_producer(self, producer: str) -> None:
        """Nothing to do: lists name only those that take part."""

    def answer(self, received: Received[AnyMessage], question: ProducersFor) -> None:
        """Name the producers that the job may ask next; see `ManagerSupply.answer`."""
        self._lists.name_producers(received, question)

    def stop_waiting(self, job_id: str) -> None:
        """See `ManagerSupply.stop_waiting`."""
        self._lists.stop_waiting(job_id)

    def replace_prices(self, prices: Mapping[str, int | float]) -> None:
        """See `ManagerSupply.replace_prices`."""
        self._lists.replace_prices(prices)

    def end_round(self) -> None:
        """Inform waiting jobs of producers that have more to offer, and producers of jobs that they were named to."""
        self._lists.tell_of_risen()
        self._lists.send_digests()

    # What producers state.

    def _take_headroom(self, producer: str, headroom: Headroom) -> None:
        if producer in self._producers:
            self._lists.take_view(producer, headroom.view)
        else:
            self._manager.reject(producer, "reports its headroom, but has not joined as a producer")

    def _may_state(self, sender: str, statement: Promised | PromiseWithdrawn | Declined) -> bool:
        """Return whether a producer may make a statement; reject it if not."""
        problem = ""
        if sender not in self._producers:
            problem = f"sends {statement.kind}, but is not a producer that has joined"
        elif isinstance(statement, Declined) and statement.producer != sender:
            problem = f"says that {statement.producer!r} declined a job; each producer speaks for itself"
        if problem:
            self._manager.reject(sender, problem)
        return not problem

    def _take_statement(
        self, received: Received[AnyMessage], statement: Promised | PromiseWithdrawn | Declined
    ) -> None:
        producer = received.sender
        if not self._may_state(producer, statement):
            return
        for job_id in statement.job_ids if isinstance(statement, Declined) else (statement.job_id,):
            job = self._register.get(job_id)
            if job is None:
                problem = f"sends {statement.kind} for job {job_id!r}, which does not exist"
                self._manager.reject(producer, problem)
                continue
            match statement:
                case Promised():
                    self._take_promise(producer, job, statement)
                case PromiseWithdrawn(reason=reason):
                    if self._may_withdraw(producer, job_id):
                        self._statements.add(job_id, producer, self._manager.now_s, _Statement(None, reason))
                case Declined():
                    self._lists.take_refusal(received, job, job_id)

    def _take_promise(self, producer: str, job: RegisteredJob, promise: Promised) -> None:
        problem, now_s = "", self._manager.now_s
        if promise.consumer != job.agent:
            problem = f"promises job {promise.job_id!r} to {promise.consumer!r}, whose job it is not"
        elif promise.energy_wh != job.sent_energy_wh:
            problem = f"promises {promise.energy_wh} Wh for job {promise.job_id!r}, which needs {job.sent_energy_wh} Wh"
        elif not job.may_start_at(promise.start_s, now_s):
            problem = f"promises job {promise.job_id!r} a start at {promise.start_s}, outside its window"
        if problem:
            self._manager.reject(producer, problem)
            self._tell_promise_void(producer, promise.job_id, promise.start_s, problem[:MAX_REASON_CHARACTERS])
        else:
            self._statements.add(promise.job_id, producer, now_s, _Statement(promise.start_s))

    def _may_withdraw(self, producer: str, job_id: str) -> bool:
        """Return whether the producer has a promise or contract that it could withdraw."""
        entry = self._ledger.standing(job_id)
        has_contract = entry is not None and entry.contract.producer == producer
        return has_contract or self._statements.has_any(job_id, producer)

    # What consumers confirm.

    def sign(self, contract: Contract) -> str:
        """See `ManagerSupply.sign`; the grid has promised everything."""
        if contract.producer != GRID and not self._confirm(contract, contract.start_s):
            return f"{contract.producer!r} has not promised it"
        for producer in contract.producers:
            self._producers.scores.accepted(producer, contract.job_id)
            self._lists.learn(self._ledger.job_of(contract).agent, producer)
        self._lists.end_negotiation(contract.job_id, contract.producer)
        self._lists.stop_waiting(contract.job_id)
        return ""

    def confirm_end(self, contract: Contract) -> bool:
        """See `ManagerSupply.confirm_end`."""
        return self._confirm(contract, None)

    def _confirm(self, contract: Contract, start_s: int | None) -> bool:
        """Confirm the statement of a contract's producer; return False if it has not made it, as the grid never does.

        Args:
            contract: The contract, as agreed before.
            start_s: The start that its consumer reports, UNIX seconds; None: that the contract has ended.
        """
        return self._statements.confirm(contract.job_id, contract.producer, _Statement(start_s))

    def _take_amendment(self, consumer: str, report: ContractAmended) -> None:
        entry = self._ledger.changeable_of(consumer, report.contract_id)
        if entry is None:
            return
        contract = entry.contract
        if self._confirm(contract, report.start_s):
            moved = contract.model_copy(update={"start_s": report.start_s})
            self._ledger.amend(entry, moved, report.reason)
        else:
            reason = f"{contract.producer!r} has not moved it to the start that its consumer reports"
            self._end_for_consumer(entry, reason)
            self._tell_promise_void(contract.producer, contract.job_id, contract.start_s, reason)

    def release(self, contract: Contract, reason: str) -> None:
        """See `ManagerSupply.release`."""
        if contract.producer != GRID:
            self._tell_promise_void(contract.producer, contract.job_id, contract.start_s, reason)

    def lose(self, agents: frozenset[str], contracts: Sequence[Contract]) -> None:  # noqa: ARG002 - none is kept here
        """See `ManagerSupply.lose`; producers end the contracts of lost consumers themselves."""
        self._lists.remove_consumers(agents)
        self._statements.forget(agents)

    # The end of a second.

    def next_settlement_s(self) -> int | None:
        """See `ManagerSupply.next_settlement_s`."""
        first_s = self._statements.first_s
        return None if first_s is None else first_s + 1

    def settle(self, before_s: int) -> None:
        """See `ManagerSupply.settle`: a promise lapses, a move voids the contract, and a withdrawal ends it."""
        self._lists.settle(before_s)
        for unconfirmed in self._statements.take_older(before_s):
            self._resolve(unconfirmed)

    def _resolve(self, unconfirmed: Unconfirmed[_Statement]) -> None:
        job_id, producer, last = unconfirmed.job_id, unconfirmed.producer, unconfirmed.statement
        entry = self._ledger.standing(job_id)
        if entry is None or entry.contract.producer != producer:
            if last.start_s is not None:
                self._tell_promise_void(producer, job_id, last.start_s, "its consumer has not confirmed it")
        elif entry.contract.start_s > unconfirmed.said_s and last.start_s != entry.contract.start_s:
            if last.start_s is None:
                self._end_for_consumer(entry, last.reason)
            else:
                self._end_for_consumer(entry, "its consumer has not confirmed its new start")
                self._tell_promise_void(producer, job_id, last.start_s, "its consumer has not confirmed the new start")

    def _end_for_consumer(self, entry: LedgerEntry, reason: str) -> None:
        """Cancel a contract, and inform its consumer."""
        self._ledger.end(entry, reason)
        self._ledger.tell_void(entry.contract, reason)

    def _tell_promise_void(self, producer: str, job_id: str, start_s: int, reason: str) -> None:
        self._manager.send(producer, PromiseVoid(job_id=job_id, start_s=start_s, reason=reason))
