"""The manager: registers producers, and keeps the ledger; both parties confirm entries.

`agents.ranking.ProducerLists` names the producers that a job may ask.

A contract stands when its consumer and its producer have reported the same job, start and energy. The producer reports
first, in the round of its answer to the consumer (`Promised`); the consumer's report arrives a round later and confirms
it. Moves take the same path. Either party may end a contract that has not started.

The exchange ends with the second of virtual time. Statements of a producer that the consumer has not confirmed by then
are resolved: a promise lapses, a move voids the contract, and a withdrawal ends it. A consumer's report without the
producer's statement is rejected immediately, because the statement would have arrived first. Both parties are informed
(`ContractVoid`, `PromiseVoid`), so that they can look for another partner.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import structlog

from agents.contract_ledger import MAX_UNCONFIRMED, LedgerEntry, LedgerEvent, UnconfirmedStatements, continued
from agents.device_events import JobState
from agents.headroom import View
from agents.job_register import JobRegister, RegisteredJob
from agents.messages import (
    MAX_REASON_CHARACTERS,
    AddJob,
    AnyMessage,
    ContractAgreed,
    ContractAmended,
    ContractCancelled,
    ContractVoid,
    Declined,
    DeviceSaid,
    Follow,
    Followed,
    Happened,
    Headroom,
    JobExecuted,
    JobWithdrawn,
    ProducerJoined,
    ProducerLeft,
    ProducersFor,
    ProductionExpected,
    ProductionMeasured,
    Promised,
    PromiseVoid,
    PromiseWithdrawn,
    Scored,
    ShareDeclined,
    SharePromised,
    Withdraw,
)
from agents.model import GRID, MANAGER, TIMELINE, Contract, Job
from agents.ranking import RANKED, NegotiationSettings, Places, ProducerLists, Scores
from broker.hosts import Agent, Received

log = structlog.get_logger(__name__)

MAX_CANCELLED = 200
"""Contracts of one job that its consumer may cancel on its own initiative; there are one or two in practice."""
REPORT_SCORES_EVERY_S = 3_600
"""Interval at which score changes that no other message shows are reported to watchers, virtual seconds; they are also
reported at the end of the run."""
MAX_EXECUTIONS = 1_000
"""Limit on events in a contract's history that a device may cause, so that a plug switched on and off repeatedly cannot
fill the ledger."""
Party = Literal["consumer", "producer"]
"""A party of a contract."""
_NOT_ITS_JOB = "speaks for a job that is not its own"
_EXECUTIONS: Mapping[JobState, Literal["started", "interrupted", "finished", "aborted"]] = {
    "EXECUTING": "started",
    "INTERRUPTED": "interrupted",
    "FINISHED": "finished",
    "ABORTED": "aborted",
}
"""The event in a contract's history for each state of a device."""


@dataclass(frozen=True, slots=True)
class _Statement:
    """A producer's statement about a job; a consumer confirms the start."""

    start_s: int | None
    """The promised start, UNIX seconds; None: it no longer supplies the job."""
    reason: str = field(default="", compare=False)


class Manager(Agent[AnyMessage]):
    """The agent that names producers to consumers, and keeps the ledger."""

    def __init__(
        self,
        register: JobRegister,
        scores: Mapping[str, int] | None = None,
        negotiating: NegotiationSettings | None = None,
        places: Places | None = None,
    ) -> None:
        """Create a manager.

        Args:
            register: The jobs and producers of the neighbourhood.
            scores: Scores from earlier simulations, by producer id.
            negotiating: How jobs find a supplier; None: they ask all producers in order (`RANKED`).
            places: Where consumers and producers are; None: unknown.
        """
        super().__init__(MANAGER)
        self.scores = Scores(scores or {})
        self.ledger: dict[str, LedgerEntry] = {}
        """By contract id, in the order of agreement: contracts that both sides have reported."""
        self._register = register
        self._lists = ProducerLists(
            self, register, self.scores, negotiating or NegotiationSettings(RANKED), places or Places()
        )
        self._scores_reported_s = 0
        self._followed: frozenset[str] = frozenset()
        """Jobs about whose contracts the timeline is informed."""
        self._joined: set[str] = set()
        """Producers that have joined and are not lost; those that have left may still have to end promises."""
        self._counts: dict[str, int] = defaultdict(int)
        """By job id, how many contracts of it the ledger has."""
        self._cancelled: dict[str, int] = defaultdict(int)
        """By job id, how many its consumer has cancelled on its own initiative."""
        self._statements: UnconfirmedStatements[_Statement] = UnconfirmedStatements()

    async def run(self) -> None:
        """Process the messages of each round; producers join and leave first, so that answers reflect it."""
        self.spawn(self._settle_at_the_end(), "end")
        while True:
            batch = await self.receive_round(until_s=self._next_settlement_s())
            self._settle(self.now_s)
            for received in sorted(batch, key=lambda r: _rank(r.message)):
                self._take(received)
            self._tell_of_risen()
            self._lists.send_digests()
            if self.now_s >= self._scores_reported_s + REPORT_SCORES_EVERY_S:
                self._report_scores()

    def on_lost(self, agents: frozenset[str]) -> None:
        """Remove lost producers; mark the open contracts of lost consumers as lost."""
        self.scores.remove(agents)
        self._joined -= agents
        self._lists.remove_consumers(agents)
        self._statements.forget(agents)
        for entry in list(self.ledger.values()):
            is_open = entry.state == "standing" and entry.contract.start_s > self.now_s
            if is_open and self._job_of(entry.contract).agent in agents:
                start_s = entry.contract.start_s
                event = LedgerEvent(at_s=self.now_s, what="lost", start_s=start_s, reason="its household is lost")
                self._write(entry.model_copy(update={"state": "lost", "history": (*entry.history, event)}))

    def _take(self, received: Received[AnyMessage]) -> None:  # noqa: C901 - one case for each message
        sender = received.sender
        match received.message:
            case ProducerJoined(producer=producer):
                self._join(sender, producer)
            case ProducerLeft(producer=producer):
                self._leave(sender, producer)
            case AddJob() | Follow() | Happened() as event:
                self._take_event(sender, event)
            case ProducersFor(job_id=job_id) | Withdraw(job_id=job_id) if not self._register.owns(sender, job_id):
                self.reject(sender, _NOT_ITS_JOB)
            case ProducersFor() as question:
                self._name_producers(received, question)
            case Withdraw(job_id=job_id):
                self._lists.stop_waiting(job_id)
            case Headroom(view=view):
                self._take_view(sender, view)
            case Promised() | PromiseWithdrawn() | Declined() as statement:
                self._take_statement(received, statement)
            case ContractAgreed() | ContractAmended() | ContractCancelled() as report:
                self._take_report(sender, report)
            case Scored() if sender == MANAGER:
                pass
            case DeviceSaid() | JobWithdrawn() | JobExecuted() | ProductionMeasured() as report:
                self._take_gateway(sender, report)
            case message:
                self.reject(sender, f"sends the manager a {message.kind}, which is not for it")

    def _join(self, sender: str, producer: str) -> None:
        if producer != sender or producer not in self._register.producers:
            self.reject(sender, f"joins as producer {producer!r}, which it is not")
        elif not self.scores.takes_part(producer):
            self.scores.add(producer)
            self._joined.add(producer)
            self._lists.add_producer(producer)

    def _leave(self, sender: str, producer: str) -> None:
        if producer == sender:
            self.scores.remove({producer})
        else:
            self.reject(sender, f"says that {producer!r} leaves; each producer speaks for itself")

    def _take_view(self, sender: str, view: View) -> None:
        if sender not in self._joined:
            self.reject(sender, "reports its headroom, but has not joined as a producer")
        else:
            self._lists.take_view(sender, view)

    # Lists of producers.

    @property
    def _places(self) -> Places:
        return self._lists.places

    def _name_producers(self, received: Received[AnyMessage], question: ProducersFor) -> None:
        self._lists.name_producers(received, question)

    def _tell_of_risen(self) -> None:
        """Inform waiting jobs of producers that have more to offer."""
        self._lists.tell_of_risen()

    def _take_event(self, sender: str, message: AddJob | Follow | Happened) -> None:
        """Handle a message of the scenario's timeline; gateways of real devices may also add jobs."""
        match message:
            case AddJob(job=job):
                self._add_job(sender, job)
            case Follow(job_ids=job_ids) if sender == TIMELINE:
                self._followed |= frozenset(job_ids)
            case Happened(n=n, event=event) if sender == TIMELINE:
                log.info("event of the timeline", n=n, do=event.get("do"))
                if event.get("do") == "tariff":
                    prices = {name: price for name, price in event.items() if isinstance(price, int | float)}
                    self._lists.replace_prices(prices)
            case _:
                self.reject(sender, f"sends the manager a {message.kind}, which only the timeline may")

    def _add_job(self, sender: str, job: Job) -> None:
        """Register a job that the timeline or a real device adds."""
        problem = self._register.add(sender, job, self.now_s)
        if problem:
            self.reject(sender, problem)

    # Reports of gateways of real devices.

    def _take_gateway(self, sender: str, report: DeviceSaid | JobWithdrawn | JobExecuted | ProductionMeasured) -> None:
        if not self._register.is_gateway(sender):
            self.reject(sender, f"sends a {report.kind}, but is not the gateway of a real device")
            return
        match report:
            case JobWithdrawn(job_id=job_id):
                if not self._register.owns(sender, job_id):
                    self.reject(sender, _NOT_ITS_JOB)
            case JobExecuted():
                self._record_execution(sender, report)
            case ProductionMeasured(producer=producer):
                if producer != sender:
                    self.reject(sender, f"says what {producer!r} measured; each gateway speaks for its own device")
            case DeviceSaid():
                pass  # for the record only

    # Reports of producers.

    def _may_state(self, sender: str, statement: Promised | PromiseWithdrawn | Declined) -> bool:
        """Return whether a producer may make a statement; reject it if not."""
        problem = ""
        if sender not in self._joined:
            problem = f"sends a {statement.kind}, but is not a producer that has joined"
        elif isinstance(statement, Declined) and statement.producer != sender:
            problem = f"says that {statement.producer!r} declined a job; each producer speaks for itself"
        if problem:
            self.reject(sender, problem)
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
                self.reject(producer, f"sends a {statement.kind} for job {job_id!r}, which does not exist")
                continue
            match statement:
                case Promised():
                    self._take_promise(producer, job, statement)
                case PromiseWithdrawn(reason=reason):
                    if self._may_withdraw(producer, job_id):
                        self._statements.add(job_id, producer, self.now_s, _Statement(None, reason))
                case Declined():
                    self._lists.take_refusal(received, job, job_id)

    def _take_promise(self, producer: str, job: RegisteredJob, promise: Promised) -> None:
        problem = ""
        if promise.consumer != job.agent:
            problem = f"promises job {promise.job_id!r} to {promise.consumer!r}, whose job it is not"
        elif promise.energy_wh != job.sent_energy_wh:
            problem = f"promises {promise.energy_wh} Wh for job {promise.job_id!r}, which needs {job.sent_energy_wh} Wh"
        elif not job.may_start_at(promise.start_s, self.now_s):
            problem = f"promises job {promise.job_id!r} a start at {promise.start_s}, outside its window"
        elif not self._statements.add(promise.job_id, producer, self.now_s, _Statement(promise.start_s)):
            problem = f"makes more than {MAX_UNCONFIRMED} promises for job {promise.job_id!r} in one second"
        if problem:
            self.reject(producer, problem)
            reason = problem[:MAX_REASON_CHARACTERS]
            self.send(producer, PromiseVoid(job_id=promise.job_id, start_s=promise.start_s, reason=reason))

    def _may_withdraw(self, producer: str, job_id: str) -> bool:
        """Return whether the producer has a promise or contract that it could withdraw."""
        entry = self._standing(job_id)
        has_contract = entry is not None and entry.contract.producer == producer
        return has_contract or self._statements.has_any(job_id, producer)

    def _confirm(self, contract: Contract, start_s: int | None) -> bool:
        """Confirm the statement of a contract's producer; return False if it has not made it, as the grid never does.

        Args:
            contract: The contract, as agreed before.
            start_s: The start that its consumer reports, UNIX seconds; None: that the contract has ended.
        """
        return self._statements.confirm(contract.job_id, contract.producer, _Statement(start_s))

    # Reports of consumers.

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
            self.reject(sender, f"reports on contract {report.contract_id!r}, which is not its own")
        elif entry.state == "standing":  # else the producer has ended it, which the consumer could not know
            if entry.contract.start_s <= self.now_s:
                self.reject(sender, f"changes contract {report.contract_id!r}, whose job has started")
            elif isinstance(report, ContractAmended):
                self._amend(entry, report)
            else:
                self._cancel_for_consumer(entry, report.reason)

    def _note_contract(self, job_id: str) -> None:
        """Called when a job has a contract: it no longer waits for producers."""
        self._lists.stop_waiting(job_id)

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
                self._lists.learn(job.agent, producer)
            self._lists.end_negotiation(contract.job_id, contract.producer)
            self._note_contract(contract.job_id)
            self._counts[contract.job_id] += 1
            agreed = LedgerEvent(at_s=self.now_s, what="agreed", start_s=contract.start_s, reason=report.reason)
            self._write(LedgerEntry(contract=contract, state="standing", history=(agreed,)))

    def _unsigned(self, contract: Contract) -> str:
        """Confirm the statement of a contract's producer; return why this is impossible, or an empty text."""
        if contract.producer == GRID or self._confirm(contract, contract.start_s):
            return ""
        return f"{contract.producer!r} has not promised it"

    def _problem_with(self, contract: Contract, job: RegisteredJob) -> str:
        """Return the problem of a contract that does not depend on its producer's statements; empty: none."""
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
        if not self._confirm(contract, report.start_s):
            reason = f"{contract.producer!r} has not moved it to the start that its consumer reports"
            self._end(entry, reason, "consumer", "producer")
            return
        amended = LedgerEvent(at_s=self.now_s, what="amended", start_s=report.start_s, reason=report.reason)
        moved = contract.model_copy(update={"start_s": report.start_s})
        self._write(entry.model_copy(update={"contract": moved, "history": continued(entry.history, amended)}))

    def _cancel_for_consumer(self, entry: LedgerEntry, reason: str) -> None:
        contract = entry.contract
        if self._confirm(contract, None):
            self._end(entry, reason)
        elif self.may_cancel(contract):
            informed: tuple[Party, ...] = () if contract.producer == GRID else ("producer",)
            self._end(entry, reason, *informed)

    def may_cancel(self, contract: Contract) -> bool:
        """Return whether a consumer may cancel a contract on its own initiative, and count the cancellation."""
        self._cancelled[contract.job_id] += 1
        if self._cancelled[contract.job_id] > MAX_CANCELLED:
            consumer = self._job_of(contract).agent
            self.reject(consumer, f"cancels more than {MAX_CANCELLED} contracts of job {contract.job_id!r}")
        return self._cancelled[contract.job_id] <= MAX_CANCELLED

    def _record_execution(self, sender: str, report: JobExecuted) -> None:
        """Record how a device executed a job; the contract stands, regardless of the outcome."""
        entry = self.ledger.get(report.contract_id)
        what = _EXECUTIONS.get(report.state)
        if not self._register.owns(sender, report.job_id) or what is None:
            self.reject(sender, f"says what a device did of job {report.job_id!r}, which is not its own or has not run")
        elif report.started_s > self.now_s:
            self.reject(sender, f"says at {self.now_s} that job {report.job_id!r} started at {report.started_s}")
        elif entry is None or entry.contract.job_id != report.job_id or entry.state != "standing":
            # Its producer has ended the contract, which the gateway could not know.
            log.warning("execution without a contract", agent=self.id, sender=sender, contract=report.contract_id)
        elif sum(event.what in _EXECUTIONS.values() for event in entry.history) >= MAX_EXECUTIONS:
            self.reject(sender, f"reports more than {MAX_EXECUTIONS} executions of contract {report.contract_id!r}")
        else:
            reason = f"{report.outcome}: {report.reason}" if report.reason else report.outcome
            event = LedgerEvent(at_s=self.now_s, what=what, start_s=report.started_s, reason=reason)
            self._write(entry.model_copy(update={"history": (*entry.history, event)}))

    # The end of the exchange.

    def _next_settlement_s(self) -> int | None:
        first_s = self._statements.first_s
        return None if first_s is None else first_s + 1

    async def _settle_at_the_end(self) -> None:
        await self.closing()
        self._settle(self.now_s + 1)
        self._report_scores()

    def _settle(self, before_s: int) -> None:
        """Resolve statements that producers made before a time, UNIX seconds, and that consumers have not confirmed."""
        self._lists.settle(before_s)
        for unconfirmed in self._statements.take_older(before_s):
            job_id, producer, last = unconfirmed.job_id, unconfirmed.producer, unconfirmed.statement
            entry = self._standing(job_id)
            is_theirs = entry is not None and entry.contract.producer == producer
            if entry is None or not is_theirs:
                if last.start_s is not None:
                    reason = "its consumer has not confirmed it"
                    self.send(producer, PromiseVoid(job_id=job_id, start_s=last.start_s, reason=reason))
            elif entry.contract.start_s > unconfirmed.said_s and last.start_s != entry.contract.start_s:
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

    def _end(self, entry: LedgerEntry, reason: str, *informed: Party) -> None:
        """Cancel a contract.

        Args:
            entry: The contract.
            reason: Why.
            informed: Parties to inform, because they do not know it yet.
        """
        contract = entry.contract
        event = LedgerEvent(at_s=self.now_s, what="cancelled", start_s=contract.start_s, reason=reason)
        self._write(entry.model_copy(update={"state": "cancelled", "history": (*entry.history, event)}))
        if "consumer" in informed:
            self._tell_void(self._job_of(contract), contract, reason)
        if "producer" in informed:
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

    def _report_scores(self) -> None:
        """Report to watchers the score changes of producers that were left out: no other message shows them."""
        self._scores_reported_s = self.now_s
        if left_out := self.scores.take_left_out():
            self.send(MANAGER, Scored(left_out=left_out))


_SAID_FIRST = AddJob | Headroom | ProductionExpected | Promised | PromiseWithdrawn | SharePromised | ShareDeclined


def _rank(message: AnyMessage) -> int:
    """Return a message's place in a round: joining and leaving, added jobs and producers' statements come first."""
    if isinstance(message, ProducerJoined | ProducerLeft):
        return 0
    return 1 if isinstance(message, _SAID_FIRST) else 2
