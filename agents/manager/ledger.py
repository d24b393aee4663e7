"""The ledger: the contracts of a run, and what has become of each.

The ledger checks what it can know by itself: that a contract is what its job is, and the job's only one. Whether the
producers have confirmed it is for the manager's supply (`agents.manager.manager`) to say. The canonical form of
its entries shows whether two runs have the same ledger.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from agents.device_events import JobState
from agents.job_register import JobRegister, RegisteredJob
from agents.messages import MAX_REASON_CHARACTERS, AnyMessage, ContractVoid, Followed, JobExecuted
from agents.model import SHARED, TIMELINE, Contract
from agents.shares import MAX_SHARES, Share, without_empty
from broker.hosts import Agent

log = structlog.get_logger(__name__)

MAX_CANCELLED = 200
"""Contracts of one job that its consumer may cancel on its own initiative; there are one or two in practice."""
MAX_EXECUTIONS = 1_000
"""Limit on events in a contract's history that a device may cause, so that a plug switched on and off repeatedly cannot
fill the ledger."""
SUPPLY_EVENTS = frozenset({"agreed", "amended"})
"""Events of a contract's history that say who supplies the job from then on."""
_EXECUTIONS: Mapping[JobState, Literal["started", "interrupted", "finished", "aborted"]] = {
    "EXECUTING": "started",
    "INTERRUPTED": "interrupted",
    "FINISHED": "finished",
    "ABORTED": "aborted",
}
"""The event in a contract's history for each state of a device."""
MAX_CHANGES = 1_000
"""Maximum number of changes in the history of a contract; older ones are left out. So a device whose suppliers keep
moving its job does not fill the ledger, and loses no contract."""


class LedgerEvent(BaseModel):
    """An event in the life of a contract."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_s: int
    """Virtual time, UNIX seconds."""
    what: Literal["agreed", "amended", "cancelled", "lost", "started", "interrupted", "finished", "aborted"]
    """`lost`: the run continued without the household. The last four: what a real device did."""
    start_s: int
    """The start from then on, UNIX seconds."""
    reason: str = ""
    """Why the contract was cancelled or lost, or its outcome on a real device; `TOGETHER` if the job runs at the same
    time as another job of its device."""
    producer: str = ""
    """The supplier from then on, as in the contract; empty if the contract has always had the same one."""
    shares: Annotated[tuple[Share, ...], Field(max_length=MAX_SHARES)] = ()
    """The producers' shares from then on, as in the contract."""

    @model_serializer(mode="wrap")
    def _without_empty(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_empty(serialise(self), "producer", "shares")


class LedgerEntry(BaseModel):
    """A contract and its history."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contract: Contract
    """In its current, or last, version."""
    state: Literal["standing", "cancelled", "lost"]
    history: tuple[LedgerEvent, ...]
    """In chronological order, `agreed` first."""

    def suppliers_after(self, event: LedgerEvent) -> tuple[str, ...]:
        """Return the ids of all suppliers of the job after an event of the history, including `GRID`."""
        if event.shares:
            return self.contract.model_copy(update={"producer": SHARED, "shares": event.shares}).suppliers
        producer = event.producer or self.contract.producer
        return self.contract.suppliers if producer == SHARED else (producer,)

    def shortened(self, most_bytes: int) -> LedgerEntry:
        """Return the entry with as much of its history as fits into a message: the beginning and the latest events.

        Args:
            most_bytes: Maximum size as JSON; exceeded only if the contract with its latest event is larger.
        """
        beginning, later = self.history[:1], self.history[1:]
        left_bytes = most_bytes - _json_bytes(self.model_copy(update={"history": beginning}))
        kept = 0
        for event in reversed(later):  # the others, which may be many, are not encoded
            left_bytes -= _json_bytes(event) + 1
            if left_bytes < 0 and kept:
                break
            kept += 1
        if kept == len(later):
            return self
        return self.model_copy(update={"history": (*beginning, *later[len(later) - kept :])})


def continued(history: tuple[LedgerEvent, ...], event: LedgerEvent) -> tuple[LedgerEvent, ...]:
    """Return a contract's history with one more event, and without the oldest changes if there are too many.

    Args:
        history: In chronological order, `agreed` first.
        event: What happened now.
    """
    return (*history[:1], *history[max(1, len(history) - MAX_CHANGES + 1) :], event)


def _json_bytes(model: BaseModel) -> int:
    return len(model.model_dump_json().encode())


def canonical_bytes(entries: Iterable[LedgerEntry]) -> bytes:
    """Return the canonical form: one JSON line per entry, sorted by contract id, keys sorted, no spaces."""
    ordered = sorted(entries, key=lambda entry: entry.contract.contract_id)
    lines = (
        json.dumps(entry.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        for entry in ordered
    )
    return "".join(f"{line}\n" for line in lines).encode()


def ledger_sha256(entries: Iterable[LedgerEntry]) -> str:
    """Return the SHA-256 of the canonical form, hexadecimal: equal ledgers have equal hashes."""
    return hashlib.sha256(canonical_bytes(entries)).hexdigest()


class Ledger:
    """The contracts of a run. Each change is published, and reported to the timeline if events wait for the job."""

    def __init__(self, manager: Agent[AnyMessage], register: JobRegister) -> None:
        """Begin without contracts.

        Args:
            manager: The agent that publishes the entries and sends the messages.
            register: The jobs of the neighbourhood.
        """
        self.entries: dict[str, LedgerEntry] = {}
        """By contract id, in the order of agreement."""
        self._manager = manager
        self._register = register
        self._counts: dict[str, int] = defaultdict(int)
        """By job id, how many contracts of it there are."""
        self._cancelled: dict[str, int] = defaultdict(int)
        """By job id, how many its consumer has cancelled on its own initiative."""
        self._refused: dict[str, str] = {}
        """By id of a contract that its producers have not confirmed: the consumer that reported it."""
        self._followed: frozenset[str] = frozenset()
        """Jobs about whose contracts the timeline is informed."""

    def follow(self, job_ids: Collection[str]) -> None:
        """Inform the timeline of these jobs' contracts from now on."""
        self._followed |= frozenset(job_ids)

    # What is there.

    def standing(self, job_id: str) -> LedgerEntry | None:
        """Return a job's contract that stands: its last one, if any."""
        entry = self.entries.get(f"{job_id}/{self._counts[job_id]}")
        return entry if entry is not None and entry.state == "standing" else None

    def job_of(self, contract: Contract) -> RegisteredJob:
        """Return the job of a contract, which is registered: its consumer has reported it."""
        job = self._register.get(contract.job_id)
        assert job is not None  # noqa: S101 - contracts of other jobs are rejected
        return job

    def standing_of(self, consumer: str, contract_id: str) -> LedgerEntry | None:
        """Return the contract that a consumer reports on; reject the report if it is not its own.

        Args:
            consumer: The sender.
            contract_id: The contract.

        Returns:
            None, too, if a producer has ended the contract, or it was refused, which the consumer could not know.
        """
        entry = self.entries.get(contract_id)
        if entry is None and self._refused.get(contract_id) == consumer:
            return None
        if entry is None or self.job_of(entry.contract).agent != consumer:
            self._manager.reject(consumer, f"reports on contract {contract_id!r}, which is not its own")
            return None
        return entry if entry.state == "standing" else None

    def changeable_of(self, consumer: str, contract_id: str) -> LedgerEntry | None:
        """Return the contract that a consumer wants to change; reject that also if the job has started.

        Args:
            consumer: The sender.
            contract_id: The contract.

        Returns:
            See `standing_of`.
        """
        entry = self.standing_of(consumer, contract_id)
        if entry is not None and entry.contract.start_s <= self._manager.now_s:
            self._manager.reject(consumer, f"changes contract {contract_id!r}, whose job has started")
            return None
        return entry

    # Agreed, amended, ended.

    def problem_with(self, contract: Contract, job: RegisteredJob) -> str:
        """Return the problem of a new contract that does not depend on its producers' statements; empty: none.

        Args:
            contract: As its consumer reports it.
            job: Its job.
        """
        number = self._counts[contract.job_id] + 1
        if self.standing(contract.job_id) is not None:
            return f"reports a second contract for job {contract.job_id!r}"
        if contract.contract_id != f"{contract.job_id}/{number}":
            return f"reports contract {contract.contract_id!r}; the job's next one is number {number}"
        if contract.energy_wh != job.energy_wh:
            return f"reports {contract.energy_wh} Wh for job {contract.job_id!r}, which needs {job.energy_wh} Wh"
        if contract.agreed_s != self._manager.now_s:
            return f"reports a contract of {contract.agreed_s} at {self._manager.now_s}"
        if not job.may_start_at(contract.start_s, self._manager.now_s):
            return f"reports a start of job {contract.job_id!r} at {contract.start_s}, outside its window"
        return ""

    def agree(self, contract: Contract, reason: str) -> None:
        """Enter a contract that all its parties have confirmed.

        Args:
            contract: The contract.
            reason: What its consumer says about it.
        """
        self._counts[contract.job_id] += 1
        agreed = LedgerEvent(
            at_s=self._manager.now_s, what="agreed", start_s=contract.start_s, reason=reason, shares=contract.shares
        )
        self._write(LedgerEntry(contract=contract, state="standing", history=(agreed,)))

    def refuse(self, contract: Contract, reason: str) -> None:
        """Inform a consumer that its new contract does not stand, because its producers have not confirmed it.

        Args:
            contract: The contract, the next one of its job.
            reason: Why.
        """
        self._refused[contract.contract_id] = self.job_of(contract).agent
        self.tell_void(contract, reason)

    def amend(self, entry: LedgerEntry, contract: Contract, reason: str) -> None:
        """Change the start or the supply of a contract that stands.

        Args:
            entry: The contract as it was.
            contract: The contract from now on.
            reason: Why.
        """
        before, history = entry.contract, entry.history
        has_changed = any(event.producer for event in history)
        if contract.producer != before.producer and not has_changed:
            has_changed = True
            history = tuple(
                event.model_copy(update={"producer": before.producer}) if event.what in SUPPLY_EVENTS else event
                for event in history
            )
        amended = LedgerEvent(
            at_s=self._manager.now_s,
            what="amended",
            start_s=contract.start_s,
            reason=reason,
            producer=contract.producer if has_changed else "",
            shares=contract.shares,
        )
        self._write(entry.model_copy(update={"contract": contract, "history": continued(history, amended)}))

    def end(self, entry: LedgerEntry, reason: str) -> None:
        """Cancel a contract that stands; the caller informs the parties that do not know it yet.

        Args:
            entry: The contract.
            reason: Why.
        """
        start_s = entry.contract.start_s
        event = LedgerEvent(at_s=self._manager.now_s, what="cancelled", start_s=start_s, reason=reason)
        self._write(entry.model_copy(update={"state": "cancelled", "history": (*entry.history, event)}))

    def may_cancel(self, contract: Contract) -> bool:
        """Return whether a consumer may cancel a contract on its own initiative; count it, and reject it if not."""
        self._cancelled[contract.job_id] += 1
        if self._cancelled[contract.job_id] > MAX_CANCELLED:
            consumer = self.job_of(contract).agent
            self._manager.reject(consumer, f"cancels more than {MAX_CANCELLED} contracts of job {contract.job_id!r}")
        return self._cancelled[contract.job_id] <= MAX_CANCELLED

    def tell_void(self, contract: Contract, reason: str) -> None:
        """Inform a consumer that the ledger does not have a contract, or no longer.

        Args:
            contract: The contract.
            reason: Why.
        """
        void = ContractVoid(
            job_id=contract.job_id,
            contract_id=contract.contract_id,
            contracts=self._counts[contract.job_id],
            reason=reason[:MAX_REASON_CHARACTERS],
        )
        self._manager.send(self.job_of(contract).agent, void)

    def lose(self, agents: Collection[str]) -> list[Contract]:
        """Mark the contracts of lost consumers as lost, unless their jobs have started; return those contracts."""
        lost = []
        for entry in list(self.entries.values()):
            is_open = entry.state == "standing" and entry.contract.start_s > self._manager.now_s
            if is_open and self.job_of(entry.contract).agent in agents:
                start_s, reason = entry.contract.start_s, "its household is lost"
                event = LedgerEvent(at_s=self._manager.now_s, what="lost", start_s=start_s, reason=reason)
                self._write(entry.model_copy(update={"state": "lost", "history": (*entry.history, event)}))
                lost.append(entry.contract)
        return lost

    # What devices did.

    def record_execution(self, sender: str, report: JobExecuted) -> None:
        """Record how a device executed a job; the contract stands, regardless of the outcome.

        Args:
            sender: The gateway of the device. Reports that cannot be true are rejected.
            report: Its report.
        """
        entry = self.entries.get(report.contract_id)
        what, now_s, reject = _EXECUTIONS.get(report.state), self._manager.now_s, self._manager.reject
        if not self._register.owns(sender, report.job_id) or what is None:
            reject(sender, f"says what a device did of job {report.job_id!r}, which is not its own or has not run")
        elif report.started_s > now_s:
            reject(sender, f"says at {now_s} that job {report.job_id!r} started at {report.started_s}")
        elif entry is None or entry.contract.job_id != report.job_id or entry.state != "standing":
            # Its producer has ended the contract, which the gateway could not know.
            log.warning(
                "execution without a contract", agent=self._manager.id, sender=sender, contract=report.contract_id
            )
        elif sum(event.what in _EXECUTIONS.values() for event in entry.history) >= MAX_EXECUTIONS:
            reject(sender, f"reports more than {MAX_EXECUTIONS} executions of contract {report.contract_id!r}")
        else:
            reason = f"{report.outcome}: {report.reason}" if report.reason else report.outcome
            event = LedgerEvent(at_s=now_s, what=what, start_s=report.started_s, reason=reason)
            self._write(entry.model_copy(update={"history": (*entry.history, event)}))

    def _write(self, entry: LedgerEntry) -> None:
        contract = entry.contract
        self.entries[contract.contract_id] = entry
        self._manager.publish(contract.contract_id, entry)
        if contract.job_id in self._followed:
            self._manager.send(TIMELINE, Followed(job_id=contract.job_id, state=entry.state, start_s=contract.start_s))
