"""The manager: registers producers, ranks them by score, and keeps the ledger, which two sign.

A contract stands when its consumer and its producer have reported the same: job, start and energy. The producer speaks
first, with its answer to the consumer (`Promised`); the consumer's report arrives a round later and confirms it. Moves
take the same path. Either party may end a contract that has not started.

The exchange ends with the second of virtual time. What a producer has said until then and its consumer has not
confirmed is settled: a promise lapses, a move voids the contract, and a withdrawal ends it. A consumer's report that
its producer has not said is refused at once, because the producer's word would have come before it. Both parties are
told (`ContractVoid`, `PromiseVoid`), so that the other one can look further.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from agents.ledger import LedgerEntry, LedgerEvent
from agents.messages import (
    MAX_REASON_CHARACTERS,
    AddJob,
    AnyMessage,
    ContractAgreed,
    ContractAmended,
    ContractCancelled,
    ContractVoid,
    Declined,
    Follow,
    Followed,
    Happened,
    JobsRegistered,
    ProducerJoined,
    ProducerLeft,
    Producers,
    ProducersFor,
    Promised,
    PromiseVoid,
    PromiseWithdrawn,
    SharePromised,
    Withdraw,
)
from agents.model import GRID, MANAGER, TIMELINE, Contract
from agents.register import JobRegister, RegisteredJob
from agents.scores import Scores
from broker.hosts import Agent, Received

log = structlog.get_logger(__name__)

MAX_UNCONFIRMED = 100
"""Statements of a producer on one job that its consumer has not confirmed yet; there are two or three in practice."""
_NOT_ITS_JOB = "speaks for a job that is not its own"


@dataclass(frozen=True, slots=True)
class _Statement:
    """What a producer said of a job, and its consumer has not confirmed yet."""

    said_s: int
    start_s: int | None
    """The promised start, UNIX seconds; None: it no longer supplies the job."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A job that a producer declined, before its consumer has heard of it."""

    step: int
    """The step in which the consumer hears of it."""
    consumer: str
    producer: str


class Manager(Agent[AnyMessage]):
    """The agent that tells consumers which producers to ask, and keeps the ledger."""

    def __init__(self, register: JobRegister, scores: Mapping[str, int] | None = None) -> None:
        """Create a manager.

        Args:
            register: The jobs and producers of the neighbourhood.
            scores: Scores from earlier simulations, by producer id.
        """
        super().__init__(MANAGER)
        self.scores = Scores(scores or {})
        self.ledger: dict[str, LedgerEntry] = {}
        """By contract id, in the order of agreement: contracts that both sides have reported."""
        self._register = register
        self._waiting: dict[str, str] = {}
        self._followed: frozenset[str] = frozenset()
        """Jobs of whose contracts the timeline is told."""
        self._joined: set[str] = set()
        """Producers that have joined and are not lost; those that have left may still have to end promises."""
        self._counts: dict[str, int] = defaultdict(int)
        """By job id, how many contracts of it the ledger has."""
        self._statements: dict[tuple[str, str], deque[_Statement]] = {}
        """By job and producer."""
        self._refusals: list[_Refusal] = []

    async def run(self) -> None:
        """Process the messages of each round; producers join and leave first, so that answers take account of it."""
        self.spawn(self._settle_at_the_end(), "end")
        while True:
            batch = await self.receive_round(until_s=self._next_settlement_s())
            self._settle(self.now_s)
            for received in sorted(batch, key=lambda r: _rank(r.message)):
                self._take(received)

    def on_lost(self, agents: frozenset[str]) -> None:
        """Remove lost producers; mark the open contracts of lost consumers as lost."""
        self.scores.remove(agents)
        self._joined -= agents
        self._waiting = {job_id: consumer for job_id, consumer in self._waiting.items() if consumer not in agents}
        self._statements = {key: said for key, said in self._statements.items() if key[1] not in agents}
        for entry in list(self.ledger.values()):
            is_open = entry.state == "standing" and entry.contract.start_s > self.now_s
            if is_open and self._job_of(entry.contract).agent in agents:
                start_s = entry.contract.start_s
                event = LedgerEvent(at_s=self.now_s, what="lost", start_s=start_s, reason="its household is lost")
                self._write(entry.model_copy(update={"state": "lost", "history": (*entry.history, event)}))

    def _take(self, received: Received[AnyMessage]) -> None:
        sender = received.sender
        match received.message:
            case ProducerJoined(producer=producer):
                self._join(sender, producer)
            case ProducerLeft(producer=producer):
                self._leave(sender, producer)
            case AddJob() | Follow() | Happened() as of_timeline if sender == TIMELINE:
                self._obey(of_timeline)
            case ProducersFor(job_id=job_id) | Withdraw(job_id=job_id) if not self._register.owns(sender, job_id):
                self.reject(sender, _NOT_ITS_JOB)
            case ProducersFor() as question:
                self._name_producers(received, question)
            case Withdraw(job_id=job_id):
                self._waiting.pop(job_id, None)
            case Promised() | PromiseWithdrawn() | Declined() as statement:
                self._take_statement(received, statement)
            case ContractAgreed() | ContractAmended() | ContractCancelled() as report:
                self._take_report(sender, report)
            case message:
                self.reject(sender, f"sends the manager a {message.kind}, which is not for it")

    def _join(self, sender: str, producer: str) -> None:
        if producer != sender or producer not in self._register.producers:
            self.reject(sender, f"joins as producer {producer!r}, which it is not")
        elif not self.scores.takes_part(producer):
            self.scores.add(producer)
            self._joined.add(producer)
            for digests in self._register.digests():
                self.send(producer, JobsRegistered(digests=digests))
            for job_id, consumer in self._waiting.items():
                self.send(consumer, Producers(job_id=job_id, producers=(producer,)))

    def _leave(self, sender: str, producer: str) -> None:
        if producer == sender:
            self.scores.remove({producer})
        else:
            self.reject(sender, f"says that {producer!r} leaves; each producer speaks for itself")

    def _name_producers(self, received: Received[AnyMessage], question: ProducersFor) -> None:
        self._hear_refusals(received)
        producers = tuple(p for p in self.scores.ranking() if p not in question.asked)
        if not producers:
            self._waiting[question.job_id] = received.sender
        self.reply(received, Producers(job_id=question.job_id, producers=producers))

    def _obey(self, message: AddJob | Follow | Happened) -> None:
        """Take what the scenario's timeline says."""
        match message:
            case AddJob(job=job):
                digest = self._register.add(job)
                for producer in sorted(self._joined):
                    self.send(producer, JobsRegistered(digests=(digest,)))
            case Follow(job_ids=job_ids):
                self._followed |= frozenset(job_ids)
            case Happened(n=n, event=event):
                log.info("event of the timeline", n=n, do=event.get("do"))

    # What producers say.

    def _take_statement(
        self, received: Received[AnyMessage], statement: Promised | PromiseWithdrawn | Declined
    ) -> None:
        producer, job = received.sender, self._register.get(statement.job_id)
        if producer not in self._joined:
            self.reject(producer, f"sends a {statement.kind} and is no producer that has joined")
        elif job is None:
            self.reject(producer, f"sends a {statement.kind} for job {statement.job_id!r}, which does not exist")
        else:
            match statement:
                case Promised():
                    self._take_promise(producer, job, statement)
                case PromiseWithdrawn(reason=reason):
                    if self._said_something(producer, statement.job_id):
                        self._remember(producer, statement.job_id, _Statement(self.now_s, None, reason))
                case Declined(producer=named) if named != producer:
                    self.reject(producer, f"says that {named!r} declined a job; each producer speaks for itself")
                case Declined(job_id=job_id):
                    if self.scores.declined(producer, job_id, self.now_s):
                        self._refusals.append(_Refusal(received.step + 1, job.agent, producer))

    def _take_promise(self, producer: str, job: RegisteredJob, promise: Promised) -> None:
        problem = ""
        if promise.consumer != job.agent:
            problem = f"promises job {promise.job_id!r} to {promise.consumer!r}, whose job it is not"
        elif promise.energy_wh != job.sent_energy_wh:
            problem = f"promises {promise.energy_wh} Wh for job {promise.job_id!r}, which needs {job.sent_energy_wh} Wh"
        elif not job.may_start_at(promise.start_s, self.now_s):
            problem = f"promises job {promise.job_id!r} a start at {promise.start_s}, outside its window"
        elif not self._remember(producer, promise.job_id, _Statement(self.now_s, promise.start_s)):
            problem = f"makes more than {MAX_UNCONFIRMED} promises for job {promise.job_id!r} in one second"
        if problem:
            self.reject(producer, problem)
            reason = problem[:MAX_REASON_CHARACTERS]
            self.send(producer, PromiseVoid(job_id=promise.job_id, start_s=promise.start_s, reason=reason))

    def _said_something(self, producer: str, job_id: str) -> bool:
        """Return whether there is anything that a producer could withdraw."""
        entry = self._standing(job_id)
        return (job_id, producer) in self._statements or (entry is not None and entry.contract.producer == producer)

    def _remember(self, producer: str, job_id: str, statement: _Statement) -> bool:
        said = self._statements.setdefault((job_id, producer), deque())
        if len(said) >= MAX_UNCONFIRMED:
            return False
        said.append(statement)
        return True

    def _confirm(self, producer: str, job_id: str, start_s: int | None) -> bool:
        """Take what a producer said, and all that it said before; return False if it has not said so.

        Args:
            producer: The producer.
            job_id: The job.
            start_s: The start that its consumer reports, UNIX seconds; None: that the contract has ended.
        """
        said = self._statements.get((job_id, producer), deque())
        if start_s not in [statement.start_s for statement in said]:
            return False
        while said.popleft().start_s != start_s:
            pass
        if not said:
            del self._statements[job_id, producer]
        return True

    # What consumers say.

    def _take_report(self, sender: str, report: ContractAgreed | ContractAmended | ContractCancelled) -> None:
        if isinstance(report, ContractAgreed):
            job = self._register.get(report.contract.job_id)
            if job is None or job.agent != sender:
                self.reject(sender, _NOT_ITS_JOB)
            else:
                self._agree(job, report)
            return
        entry = self.ledger.get(report.contract_id)
        if entry is None or self._job_of(entry.contract).agent != sender:
            self.reject(sender, f"reports on contract {report.contract_id!r}, which is none of its own")
        elif entry.state == "standing":  # else the producer has ended it, which the consumer could not know
            if entry.contract.start_s <= self.now_s:
                self.reject(sender, f"changes contract {report.contract_id!r}, whose job has started")
            elif isinstance(report, ContractAmended):
                self._amend(entry, report)
            else:
                self._cancel_for_consumer(entry, report.reason)

    def _agree(self, job: RegisteredJob, report: ContractAgreed) -> None:
        contract = report.contract
        if problem := self._problem_with(contract, job):
            self.reject(job.agent, problem)
            self._tell_void(job, contract, problem)
        elif reason := self._unsigned(contract):
            log.warning("contract not confirmed", contract=contract.contract_id, consumer=job.agent, why=reason)
            self._tell_void(job, contract, reason)
        else:
            for producer in contract.producers:
                self.scores.accepted(producer, contract.job_id)
            self._waiting.pop(contract.job_id, None)
            self._counts[contract.job_id] += 1
            agreed = LedgerEvent(at_s=self.now_s, what="agreed", start_s=contract.start_s, reason=report.reason)
            self._write(LedgerEntry(contract=contract, state="standing", history=(agreed,)))

    def _unsigned(self, contract: Contract) -> str:
        """Confirm what a contract's producer has said; return why that cannot be, or nothing."""
        if contract.producer == GRID or self._confirm(contract.producer, contract.job_id, contract.start_s):
            return ""
        return f"{contract.producer!r} has not promised it"

    def _problem_with(self, contract: Contract, job: RegisteredJob) -> str:
        """Return what is wrong with a contract whatever its producer says; empty: nothing."""
        number = self._counts[contract.job_id] + 1
        if self._standing(contract.job_id) is not None:
            return f"reports a second contract for job {contract.job_id!r}"
        if contract.contract_id != f"{contract.job_id}/{number}":
            return f"reports contract {contract.contract_id!r}; the job's next one is number {number}"
        if contract.energy_wh != job.energy_wh:
            return f"reports {contract.energy_wh} Wh for job {contract.job_id!r}, which needs {job.energy_wh} Wh"
        if contract.agreed_s != self.now_s:
            return f"reports a contract of {contract.agreed_s} at {self.now_s}"
        if not job.may_start_at(contract.start_s, self.now_s):
            return f"reports a start of job {contract.job_id!r} at {contract.start_s}, outside its window"
        return ""

    def _amend(self, entry: LedgerEntry, report: ContractAmended) -> None:
        contract = entry.contract
        if contract.producer == GRID or not self._confirm(contract.producer, contract.job_id, report.start_s):
            reason = f"{contract.producer!r} has not moved it to the start that its consumer reports"
            self._end(entry, reason, "consumer", "producer")
            return
        amended = LedgerEvent(at_s=self.now_s, what="amended", start_s=report.start_s, reason=report.reason)
        moved = contract.model_copy(update={"start_s": report.start_s})
        self._write(entry.model_copy(update={"contract": moved, "history": (*entry.history, amended)}))

    def _cancel_for_consumer(self, entry: LedgerEntry, reason: str) -> None:
        contract = entry.contract
        if contract.producer == GRID or self._confirm(contract.producer, contract.job_id, None):
            self._end(entry, reason)
        else:
            self._end(entry, reason, "producer")

    # The end of the exchange.

    def _next_settlement_s(self) -> int | None:
        said_s = (said[0].said_s for said in self._statements.values())
        return min((first_s + 1 for first_s in said_s), default=None)

    async def _settle_at_the_end(self) -> None:
        await self.closing()
        self._settle(self.now_s + 1)

    def _settle(self, before_s: int) -> None:
        """Settle what producers said before a time, UNIX seconds, and consumers have not confirmed."""
        due = [key for key, said in self._statements.items() if said[0].said_s < before_s]
        for job_id, producer in due:
            last = self._statements.pop((job_id, producer))[-1]
            entry = self._standing(job_id)
            is_theirs = entry is not None and entry.contract.producer == producer
            if entry is None or not is_theirs:
                if last.start_s is not None:
                    reason = "its consumer has not confirmed it"
                    self.send(producer, PromiseVoid(job_id=job_id, start_s=last.start_s, reason=reason))
            elif entry.contract.start_s > last.said_s and last.start_s != entry.contract.start_s:
                if last.start_s is None:
                    self._end(entry, last.reason, "consumer")
                else:
                    self._end(entry, "its consumer has not confirmed its new start", "consumer")
                    reason = "its consumer has not confirmed the new start"
                    self.send(producer, PromiseVoid(job_id=job_id, start_s=last.start_s, reason=reason))

    # The ledger.

    def _standing(self, job_id: str) -> LedgerEntry | None:
        """Return a job's contract that stands: its last one, if any."""
        entry = self.ledger.get(f"{job_id}/{self._counts[job_id]}")
        return entry if entry is not None and entry.state == "standing" else None

    def _job_of(self, contract: Contract) -> RegisteredJob:
        job = self._register.get(contract.job_id)
        assert job is not None  # noqa: S101 - the ledger has contracts of registered jobs only
        return job

    def _end(self, entry: LedgerEntry, reason: str, *told: str) -> None:
        """Cancel a contract.

        Args:
            entry: The contract.
            reason: Why.
            told: Parties that do not know it yet: `consumer`, `producer`.
        """
        contract = entry.contract
        event = LedgerEvent(at_s=self.now_s, what="cancelled", start_s=contract.start_s, reason=reason)
        self._write(entry.model_copy(update={"state": "cancelled", "history": (*entry.history, event)}))
        if "consumer" in told:
            self._tell_void(self._job_of(contract), contract, reason)
        if "producer" in told:
            self._tell_producers_void(contract, reason)

    def _tell_producers_void(self, contract: Contract, reason: str) -> None:
        void = PromiseVoid(job_id=contract.job_id, start_s=contract.start_s, reason=reason)
        self.send(contract.producer, void)

    def _tell_void(self, job: RegisteredJob, contract: Contract, reason: str) -> None:
        count = self._counts[contract.job_id]
        void = ContractVoid(
            job_id=contract.job_id,
            contract_id=contract.contract_id,
            contracts=count,
            reason=reason[:MAX_REASON_CHARACTERS],
        )
        self.send(job.agent, void)

    def _write(self, entry: LedgerEntry) -> None:
        self.ledger[entry.contract.contract_id] = entry
        self.publish(entry.contract.contract_id, entry)
        contract = entry.contract
        if contract.job_id in self._followed:
            self.send(TIMELINE, Followed(job_id=contract.job_id, state=entry.state, start_s=contract.start_s))

    # Scores.

    def _hear_refusals(self, received: Received[AnyMessage]) -> None:
        """Let the refusals count that consumers have heard of before a message was sent.

        A producer reports a refusal in the step in which it answers; its consumer hears of it in the next one. Who asks
        in that very step is told by the old scores if it comes before the consumer in the order of messages.
        """
        still: list[_Refusal] = []
        for refusal in self._refusals:
            if (refusal.step, refusal.consumer) <= (received.step, received.sender):
                self.scores.heard(refusal.producer)
            else:
                still.append(refusal)
        self._refusals = still


def _rank(message: AnyMessage) -> int:
    """Return which messages of a round come first: who joins or leaves, what producers say, then the others."""
    return (
        0
        if isinstance(message, ProducerJoined | ProducerLeft)
        else 1
        if isinstance(message, Promised | PromiseWithdrawn | SharePromised)
        else 2
    )
