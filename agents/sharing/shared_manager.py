"""A manager with shared supply: a contract stands when its consumer and each of its producers have signed.

Each share is signed by its producer (`SharePromised`) and, with the contract, by the consumer (`ContractAgreed`,
`SharesAmended`). As with whole jobs the producer reports first, and open statements are resolved at the end of the
second: a share that its consumer has not included in the contract is void, and a contract ends if its producer has
since reported another share.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from agents.headroom import View
from agents.job_register import JobRegister, RegisteredJob
from agents.ledger import LedgerEntry, LedgerEvent
from agents.manager import MAX_UNCONFIRMED, Manager, continued
from agents.messages import (
    MAX_REASON_CHARACTERS,
    AnyMessage,
    ContractAmended,
    Producers,
    ProducersFor,
    Promised,
    PromiseWithdrawn,
    SharePromised,
    SharesAmended,
    ShareVoid,
)
from agents.model import GRID, SHARED, Contract
from agents.ranking import Places
from agents.shares import IntArray, load_mwh, packed, unpacked
from agents.sharing import Remaining
from broker.hosts import Received

NAMED_AT_FIRST = 4
"""Producers named in the first portion; each further portion is as large as all before together, so that few questions
are needed."""
MAX_ASKED = 12
"""Producers that a job asks in all."""
SUPPLY_EVENTS = frozenset({"agreed", "amended"})
"""Events of a contract's history that say who supplies the job from then on."""
LEAST_LEFT = 0.02
"""Further producers are named only if they have at least this share of the job's energy left in its window."""
NEARLY_COVERED = 0.99
"""A job of which this share is covered asks no other producers and does not move."""

log = structlog.get_logger(__name__)

Runs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Said:
    """A producer's statement of its share of a job."""

    said_s: int
    start_s: int
    runs: Runs


class SharedManager(Manager):
    """The manager of a neighbourhood that shares its supply."""

    def __init__(
        self, register: JobRegister, scores: Mapping[str, int] | None = None, places: Places | None = None
    ) -> None:
        """Create a manager; see `Manager`."""
        super().__init__(register, scores, places=places)
        self._remaining = Remaining()
        self._said: dict[tuple[str, str], deque[_Said]] = {}
        """By job and producer, what its consumer has not confirmed yet."""
        self._signed: dict[str, dict[str, tuple[int, Runs]]] = {}
        """By job and producer, start and share that both have signed."""
        self._dropped: dict[tuple[str, str], int] = {}
        """By job and producer, when a consumer took a share out of its contract and its producer had not said so."""

    def on_lost(self, agents: frozenset[str]) -> None:
        """See `Manager.on_lost`; nothing is settled with lost producers."""
        super().on_lost(agents)
        self._said = {key: said for key, said in self._said.items() if key[1] not in agents}
        self._dropped = {key: at_s for key, at_s in self._dropped.items() if key[1] not in agents}

    def _take(self, received: Received[AnyMessage]) -> None:
        match received.message:
            case SharePromised() as promise:
                self._take_share(received.sender, promise)
            case SharesAmended() as report:
                self._take_amendment(received.sender, report)
            case Promised() | PromiseWithdrawn() | ContractAmended() as message:
                self.reject(received.sender, f"sends a {message.kind}, and this neighbourhood shares its supply")
            case _:
                super()._take(received)

    def _name_producers(self, received: Received[AnyMessage], question: ProducersFor) -> None:
        """Name the producers with the most uncommitted production in the job's window, the household's own first."""
        job = self._register.get(question.job_id)
        assert job is not None  # noqa: S101 - the sender owns it
        known = {self.scores.number_of[p] for p in question.asked if p in self.scores.number_of}
        others = [int(number) for number in self.scores.ranked() if number not in known]
        need = job.need(question.first_start_s, question.last_start_s, self.now_s)
        least_wh = LEAST_LEFT * job.sent_energy_wh if known else 0.0
        count = max(0, min(max(NAMED_AT_FIRST, len(known)), MAX_ASKED - len(known)))
        order = self._remaining.ranked(others, need, self._own_of(job), least_wh)[:count]
        self._inform(question.job_id, order)
        names = tuple(self.scores.ids[number] for number in order)
        self.reply(received, Producers(job_id=question.job_id, producers=names))
        self._waiting.add(question.job_id, received.sender, need, known | set(order))

    def _own_of(self, job: RegisteredJob) -> frozenset[int]:
        """Return the numbers of the producers of a job's household."""
        house_of = self._places.house_of
        return frozenset(n for producer, n in self.scores.number_of.items() if house_of.get(producer) == job.house)

    def _is_served(self, job_id: str) -> None:
        """Keep the job waiting: until it starts, a producer that joins may cover more of it."""

    def _join(self, sender: str, producer: str) -> None:
        """Take a producer; jobs learn of it once it has said what it expects to produce."""
        if producer != sender or producer not in self._register.producers:
            self.reject(sender, f"joins as producer {producer!r}, which it is not")
        else:
            self.scores.add(producer)
            self._joined.add(producer)

    def _take_view(self, sender: str, view: View) -> None:
        """Process a producer's new forecast, and name the producer to jobs that could use it and do not know it."""
        if sender not in self._joined:
            self.reject(sender, "says what it has left and is no producer that has joined")
            return
        number = self.scores.number_of[sender]
        self._remaining.forecast(number, view)
        for job_id, consumer in self._waiting:
            job = self._register.get(job_id)
            if job is None or job.latest_start_s < self.now_s:
                self._waiting.remove(job_id)
                continue
            need = job.need(None, None, self.now_s)
            asked = self._waiting.asked(job_id)
            if number in asked or len(asked) >= MAX_ASKED or not self._remaining.may_supply(number, need):
                continue
            is_own = self._places.house_of.get(sender) == job.house
            if is_own or self._covered_mwh(job_id) < NEARLY_COVERED * 1_000 * job.sent_energy_wh:
                asked.add(number)
                self._tell_of(job_id, consumer, number)

    def _covered_mwh(self, job_id: str) -> int:
        """Return how much of a job its signed shares cover."""
        runs_of = self._signed.get(job_id, {}).values()
        return sum(minutes * mwh for _, runs in runs_of for minutes, mwh in runs)

    # Reports of producers.

    def _take_share(self, producer: str, promise: SharePromised) -> None:
        job = self._register.get(promise.job_id)
        if producer not in self._joined:
            self.reject(producer, f"sends a {promise.kind} and is no producer that has joined")
        elif job is None:
            self.reject(producer, f"sends a {promise.kind} for job {promise.job_id!r}, which does not exist")
        elif problem := self._problem_with_share(producer, job, promise):
            self.reject(producer, problem)
            self._tell_share_void(producer, promise.job_id, problem)

    def _problem_with_share(self, producer: str, job: RegisteredJob, promise: SharePromised) -> str:
        """Process a producer's statement; return its problem, empty if it is valid."""
        key = promise.job_id, producer
        if promise.consumer != job.agent:
            return f"promises job {promise.job_id!r} to {promise.consumer!r}, whose job it is not"
        if not promise.minutes_mwh:
            self._dropped.pop(key, None)
            if key not in self._said and producer not in self._signed.get(promise.job_id, {}):
                return ""
        elif not job.earliest_start_s <= promise.start_s <= job.latest_start_s:
            return f"promises job {promise.job_id!r} a start at {promise.start_s}, outside its window"
        said = self._said.setdefault(key, deque())
        if len(said) >= MAX_UNCONFIRMED:
            return f"makes more than {MAX_UNCONFIRMED} promises for job {promise.job_id!r} in one second"
        said.append(_Said(self.now_s, promise.start_s, promise.minutes_mwh))
        self._remaining.promise(self.scores.number_of[producer], promise.job_id, promise.start_s, promise.minutes_mwh)
        return ""

    # Reports of consumers.

    def _unsigned(self, contract: Contract) -> str:
        """See `Manager._unsigned`: the same for each share."""
        job = self._job_of(contract)
        shares = _shares_by_producer(contract, job)
        drawn = load_mwh(job.sent.load_profile, contract.start_s)
        given = sum((unpacked(runs, len(drawn)) for runs in shares.values()), start=drawn * 0)
        if any(len(unpacked(runs)) > len(drawn) for runs in shares.values()) or (given > drawn).any():
            return "its shares give more than the job draws"
        signed = self._signed.get(contract.job_id, {})
        for producer, runs in shares.items():
            wanted = (contract.start_s, runs)
            said = self._said.get((contract.job_id, producer), ())
            if signed.get(producer) != wanted and wanted not in [(s.start_s, s.runs) for s in said]:
                return f"{producer!r} has not promised its share"
        for producer in signed.keys() - shares.keys():
            self._drop(contract.job_id, producer)
        for producer, runs in shares.items():
            self._confirm_share(contract.job_id, producer, (contract.start_s, runs))
        self._signed[contract.job_id] = {producer: (contract.start_s, runs) for producer, runs in shares.items()}
        return ""

    def _confirm_share(self, job_id: str, producer: str, wanted: tuple[int, Runs]) -> None:
        """Take what a producer said, and all that it said before."""
        said = self._said.get((job_id, producer), deque())
        if wanted in [(s.start_s, s.runs) for s in said]:
            while True:
                first = said.popleft()
                if (first.start_s, first.runs) == wanted:
                    break
        if not said:
            self._said.pop((job_id, producer), None)

    def _drop(self, job_id: str, producer: str) -> None:
        """Record that a share is no longer in a contract, and inform its producer unless it reported that itself."""
        said = self._said.pop((job_id, producer), deque())
        if not said or said[-1].runs:
            self._dropped[job_id, producer] = self.now_s

    def _take_amendment(self, sender: str, report: SharesAmended) -> None:
        contract = report.contract
        entry = self.ledger.get(contract.contract_id)
        if entry is None or self._job_of(entry.contract).agent != sender:
            self.reject(sender, f"reports on contract {contract.contract_id!r}, which is not its own")
        elif entry.state == "standing":
            problem = self._problem_with_amendment(entry.contract, contract)
            if problem:
                self.reject(sender, problem)
            problem = problem or self._unsigned(contract)
            if not problem:
                self._amend_shares(entry, report)
                return
            log.warning("amendment not confirmed", contract=contract.contract_id, consumer=sender, why=problem)
            if entry.contract.start_s > self.now_s:
                self._end(entry, problem, "consumer", "producer")

    def _problem_with_amendment(self, before: Contract, after: Contract) -> str:
        """Return the problem of an amendment that does not depend on its producers' statements; empty: none."""
        job = self._job_of(before)
        kept = {"start_s": after.start_s, "producer": after.producer, "shares": after.shares}
        if before.model_copy(update=kept) != after:
            return f"changes more than the start and the shares of contract {before.contract_id!r}"
        if before.start_s <= self.now_s:
            if after.start_s != before.start_s:
                return f"moves contract {before.contract_id!r}, whose job has started"
            passed = self.now_s // 60 - before.start_s // 60
            had, has = _shares_by_producer(before, job), _shares_by_producer(after, job)
            for producer in had.keys() | has.keys():
                if (unpacked(had.get(producer, ()), passed) != unpacked(has.get(producer, ()), passed)).any():
                    return f"changes minutes of contract {before.contract_id!r} that have passed"
        elif not job.may_start_at(after.start_s, self.now_s):
            return f"reports a start of job {after.job_id!r} at {after.start_s}, outside its window"
        return ""

    def _amend_shares(self, entry: LedgerEntry, report: SharesAmended) -> None:
        before, contract = entry.contract, report.contract
        history = entry.history
        has_changed = any(event.producer for event in history)
        if contract.producer != before.producer and not has_changed:
            has_changed = True
            history = tuple(
                event.model_copy(update={"producer": before.producer}) if event.what in SUPPLY_EVENTS else event
                for event in history
            )
        amended = LedgerEvent(
            at_s=self.now_s,
            what="amended",
            start_s=contract.start_s,
            reason=report.reason,
            producer=contract.producer if has_changed else "",
            shares=contract.shares,
        )
        for producer in contract.producers:
            self.scores.accepted(producer, contract.job_id)
        self._write(entry.model_copy(update={"contract": contract, "history": continued(history, amended)}))

    def _cancel_for_consumer(self, entry: LedgerEntry, reason: str) -> None:
        if self.may_cancel(entry.contract):
            for producer in list(self._signed.get(entry.contract.job_id, {})):
                self._drop(entry.contract.job_id, producer)
            self._end(entry, reason)

    # The end of the exchange.

    def _next_settlement_s(self) -> int | None:
        said_s = [said[0].said_s for said in self._said.values()] + list(self._dropped.values())
        return min((first_s + 1 for first_s in said_s), default=None)

    def _settle(self, before_s: int) -> None:
        """See `Manager._settle`: the same for each share."""
        for (job_id, producer), said in list(self._said.items()):
            if said[0].said_s >= before_s:
                continue
            last = self._said.pop((job_id, producer), deque([said[-1]]))[-1]
            entry, signed = self._standing(job_id), self._signed.get(job_id, {}).get(producer)
            if entry is None or signed is None:
                if last.runs:
                    self._tell_share_void(producer, job_id, "its consumer has not confirmed it")
            elif (last.start_s, last.runs) != signed and entry.contract.start_s > self.now_s:
                self._end(
                    entry, f"its consumer has not confirmed the new share of {producer!r}", "consumer", "producer"
                )
        for (job_id, producer), at_s in list(self._dropped.items()):
            if at_s < before_s:
                del self._dropped[job_id, producer]
                self._tell_share_void(producer, job_id, "its consumer no longer needs the share")

    def _end(self, entry: LedgerEntry, reason: str, *told: str) -> None:
        super()._end(entry, reason, *told)
        self._signed.pop(entry.contract.job_id, None)

    def _write(self, entry: LedgerEntry) -> None:
        if entry.contract.shares and not entry.history[0].shares and len(entry.history) == 1:
            agreed = entry.history[0].model_copy(update={"shares": entry.contract.shares})
            entry = entry.model_copy(update={"history": (agreed,)})
        super()._write(entry)

    def _tell_producers_void(self, contract: Contract, reason: str) -> None:
        for producer in self._signed.get(contract.job_id, {}):
            self._tell_share_void(producer, contract.job_id, reason)

    def _tell_share_void(self, producer: str, job_id: str, reason: str) -> None:
        self.send(producer, ShareVoid(job_id=job_id, reason=reason[:MAX_REASON_CHARACTERS]))


def _shares_by_producer(contract: Contract, job: RegisteredJob) -> dict[str, Runs]:
    """Return what each producer gives by a contract, in runs."""
    if contract.producer == SHARED:
        return {share.producer: share.minutes_mwh for share in contract.shares}
    if contract.producer == GRID:
        return {}
    everything: IntArray = load_mwh(job.sent.load_profile, contract.start_s)
    return {contract.producer: packed(everything)}
