"""The manager: registers producers, ranks them by score, and keeps the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import structlog

from agents.device_events import JobState
from agents.ledger import LedgerEntry, LedgerEvent
from agents.messages import (
    AnyMessage,
    ContractAgreed,
    ContractAmended,
    ContractCancelled,
    Declined,
    DeviceSaid,
    JobAdded,
    JobExecuted,
    JobWithdrawn,
    ProducerJoined,
    Producers,
    ProducersFor,
    ProductionMeasured,
    Withdraw,
)
from agents.model import GRID, MANAGER
from agents.scores import Scores
from broker.hosts import Agent, Received

log = structlog.get_logger(__name__)

_EXECUTIONS: Mapping[JobState, Literal["started", "interrupted", "finished", "aborted"]] = {
    "EXECUTING": "started",
    "INTERRUPTED": "interrupted",
    "FINISHED": "finished",
    "ABORTED": "aborted",
}
"""How a contract's history says what a device did."""


class Manager(Agent[AnyMessage]):
    """The agent that tells consumers which producers to ask."""

    def __init__(self, scores: Mapping[str, int] | None = None) -> None:
        """Create a manager.

        Args:
            scores: Scores from earlier simulations, by producer id.
        """
        super().__init__(MANAGER)
        self.scores = Scores(scores or {})
        self.ledger: dict[str, LedgerEntry] = {}
        """By contract id, in the order of agreement."""
        self._reporters: dict[str, str] = {}
        self._waiting: dict[str, str] = {}

    async def run(self) -> None:
        """Process the messages of each round, joining producers first, so that they can be asked at once."""
        while True:
            batch = await self.receive_round()
            for received in sorted(batch, key=lambda r: not isinstance(r.message, ProducerJoined)):
                self._take(received)

    def _take(self, received: Received[AnyMessage]) -> None:
        match received.message:
            case ProducerJoined(producer=producer) if producer == received.sender:
                self.scores.add(producer)
                for job_id, consumer in self._waiting.items():
                    self.send(consumer, Producers(job_id=job_id, producers=(producer,)))
            case ProducersFor(job_id=job_id, asked=asked):
                producers = tuple(p for p in self.scores.ranking() if p not in asked)
                if not producers:
                    self._waiting[job_id] = received.sender
                self.reply(received, Producers(job_id=job_id, producers=producers))
            case Withdraw(job_id=job_id):
                self._waiting.pop(job_id, None)
            case Declined(producer=producer):
                self.scores.declined(producer)
            case ContractAgreed() | ContractAmended() | ContractCancelled() as report:
                self._record(received.sender, report)
            case JobExecuted() as report:
                self._record_execution(received.sender, report)
            case DeviceSaid() | JobAdded() | JobWithdrawn() | ProductionMeasured():
                pass  # for the record only
            case message:
                log.warning("unexpected message", agent=self.id, sender=received.sender, kind=message.kind)

    def on_lost(self, agents: frozenset[str]) -> None:
        """Remove lost producers; mark the open contracts of lost consumers as lost."""
        self.scores.remove(agents)
        self._waiting = {job_id: consumer for job_id, consumer in self._waiting.items() if consumer not in agents}
        for contract_id, entry in list(self.ledger.items()):
            is_open = entry.state == "standing" and entry.contract.start_s > self.now_s
            if is_open and self._reporters[contract_id] in agents:
                start_s = entry.contract.start_s
                event = LedgerEvent(at_s=self.now_s, what="lost", start_s=start_s, reason="its household is lost")
                self._write(entry.model_copy(update={"state": "lost", "history": (*entry.history, event)}))

    def _record(self, sender: str, report: ContractAgreed | ContractAmended | ContractCancelled) -> None:
        contract_id = report.contract.contract_id if isinstance(report, ContractAgreed) else report.contract_id
        is_new = contract_id not in self.ledger
        if is_new != isinstance(report, ContractAgreed) or self._reporters.setdefault(contract_id, sender) != sender:
            log.warning("report refused", agent=self.id, sender=sender, kind=report.kind, contract=contract_id)
            return
        match report:
            case ContractAgreed(contract=contract, reason=reason):
                if contract.producer != GRID:
                    self.scores.accepted(contract.producer)
                self._waiting.pop(contract.job_id, None)
                agreed = LedgerEvent(at_s=self.now_s, what="agreed", start_s=contract.start_s, reason=reason)
                self._write(LedgerEntry(contract=contract, state="standing", history=(agreed,)))
            case ContractAmended(start_s=start_s, reason=reason):
                self._amend(contract_id, start_s, reason)
            case ContractCancelled(reason=reason):
                self._cancel(contract_id, reason)

    def _amend(self, contract_id: str, start_s: int, reason: str) -> None:
        entry = self.ledger[contract_id]
        amended = LedgerEvent(at_s=self.now_s, what="amended", start_s=start_s, reason=reason)
        contract = entry.contract.model_copy(update={"start_s": start_s})
        self._write(entry.model_copy(update={"contract": contract, "history": (*entry.history, amended)}))

    def _cancel(self, contract_id: str, reason: str) -> None:
        entry = self.ledger[contract_id]
        event = LedgerEvent(at_s=self.now_s, what="cancelled", start_s=entry.contract.start_s, reason=reason)
        self._write(entry.model_copy(update={"state": "cancelled", "history": (*entry.history, event)}))

    def _record_execution(self, sender: str, report: JobExecuted) -> None:
        entry = self.ledger.get(report.contract_id)
        what = _EXECUTIONS.get(report.state)
        if entry is None or what is None or self._reporters[report.contract_id] != sender:
            log.warning("report refused", agent=self.id, sender=sender, kind=report.kind, contract=report.contract_id)
            return
        reason = f"{report.outcome}: {report.reason}" if report.reason else report.outcome
        event = LedgerEvent(at_s=self.now_s, what=what, start_s=report.started_s, reason=reason)
        self._write(entry.model_copy(update={"history": (*entry.history, event)}))

    def _write(self, entry: LedgerEntry) -> None:
        self.ledger[entry.contract.contract_id] = entry
        self.publish(entry.contract.contract_id, entry)
