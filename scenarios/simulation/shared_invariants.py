"""Invariants of every ledger with shared supply: no energy is lost, and none is supplied twice.

Each share in the ledger is what its producer has reserved and its consumer has agreed to, and the other way round; in
no minute do the shares of a job exceed what it draws, nor those of a producer what it forecast.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import ValidationError

from agents import (
    GRID,
    MANAGER,
    SHARED,
    TIMELINE,
    Contract,
    ContractAgreed,
    Job,
    LedgerEntry,
    PastForecasts,
    SharedProducerSupply,
    SharePromised,
    SharesAmended,
    addition_problem,
    load_mwh,
    packed,
    unpacked,
)
from broker.protocol import Envelope
from scenarios.scenario import Scenario
from scenarios.simulation.agents import AgentSet

MINUTE_S = 60
FORGET_EVERY_S = 86_400
"""How often statements on jobs that have ended are forgotten, and how long they are kept, seconds."""
Runs = tuple[tuple[int, int], ...]
Given = dict[str, tuple[int, Runs]]
"""By producer, the start of the job (UNIX seconds) and what it gives, in runs of mWh a minute."""


def given_by(contract: Contract, job: Job) -> Given:
    """Return what each producer gives to a job by a contract."""
    if contract.producer == SHARED:
        return {share.producer: (contract.start_s, share.minutes_mwh) for share in contract.shares}
    if contract.producer == GRID:
        return {}
    return {contract.producer: (contract.start_s, packed(load_mwh(job.as_sent.load_profile, contract.start_s)))}


_OF_SHARES = frozenset(
    {"SharePromised", "ShareVoid", "AddJob", "ContractVoid", "ContractAgreed", "SharesAmended", "ContractCancelled"}
)
"""Kinds of messages from which the shares follow."""


class PartyShares:
    """The contracts as consumers and producers have them, which the ledger must agree with."""

    def __init__(self) -> None:
        self.contracts: dict[str, Contract] = {}
        """The consumers' side, by job id."""
        self.promised: dict[str, dict[str, tuple[int, Runs]]] = defaultdict(dict)
        """The producers' side: start and share, by producer id and job id."""

    @classmethod
    def of(cls, agent_set: AgentSet) -> PartyShares:
        """Return what the agents of this process have."""
        parties = cls()
        for consumer in agent_set.consumers.values():
            parties.contracts.update(consumer.contracts)
        for producer, agent in agent_set.producers.items():
            if isinstance(agent.supply, SharedProducerSupply):
                parties.promised[producer] = dict(agent.supply.shares)
        return parties


class ReportedShares:
    """The shares as all agents see them, derived from their messages to the manager.

    Only messages of the responsible agent are used: a consumer's on the contracts of its jobs, a producer's on its
    shares.
    """

    def __init__(self, scenario: Scenario) -> None:
        """Begin with the first message of a run.

        Args:
            scenario: The scenario, which names the owner of each job.
        """
        self.parties = PartyShares()
        self._jobs = {job.job_id: job for job in scenario.jobs}
        self._gateways = frozenset(scenario.gateways)
        self._said: dict[str, set[Contract]] = defaultdict(set)
        """By job, each contract that its consumer has reported."""
        self._promised: dict[str, set[tuple[str, int, Runs]]] = defaultdict(set)
        """By job, each producer, start and share that was promised."""
        self._forgot_s = 0
        """When statements on earlier jobs were forgotten last, UNIX seconds."""

    def record(self, envelope: Envelope) -> None:
        """Record a message; other kinds of messages do not concern contracts."""
        if envelope.kind not in _OF_SHARES:
            return
        if envelope.time >= self._forgot_s + FORGET_EVERY_S:
            self._forget(envelope.time)
        match envelope.message:
            case SharePromised() as promise:
                self._record_share(envelope.sender, promise)
            case (ContractAgreed() | SharesAmended()) as report:
                self._record_contract(envelope.sender, report.contract)
            case _:
                self._record_body(envelope)

    def _record_share(self, producer: str, promise: SharePromised) -> None:
        job_id, share = promise.job_id, (promise.start_s, promise.minutes_mwh)
        if promise.minutes_mwh:
            self.parties.promised[producer][job_id] = share
            self._promised[job_id].add((producer, *share))
        else:
            self.parties.promised[producer].pop(job_id, None)

    def _record_contract(self, sender: str, contract: Contract) -> None:
        if self._owner(contract.job_id) == sender:
            self.parties.contracts[contract.job_id] = contract
            self._said[contract.job_id].add(contract)

    def _forget(self, now_s: int) -> None:
        """Forget all but the last statement of each party on the jobs that must have ended a day ago.

        Args:
            now_s: The present virtual time, UNIX seconds.
        """
        self._forgot_s = now_s
        for job_id in self._said.keys() | self._promised.keys():
            job = self._jobs.get(job_id)
            if job is not None and job.latest_start_s + job.duration_s + FORGET_EVERY_S < now_s:
                self._said.pop(job_id, None)
                self._promised.pop(job_id, None)
                self._share_runs(job_id)

    def _share_runs(self, job_id: str) -> None:
        """Keep what producers and the consumer of a job say in the same words only once."""
        contract = self.parties.contracts.get(job_id)
        if contract is None:
            return
        for share in contract.shares:
            promised, agreed = self.parties.promised.get(share.producer, {}), (contract.start_s, share.minutes_mwh)
            if promised.get(job_id) == agreed:
                promised[job_id] = agreed

    def _record_body(self, envelope: Envelope) -> None:
        """Record a message by its JSON: one that came over the wire, or of a rare kind."""
        sender, parties = envelope.sender, self.parties
        match envelope.body:
            case {"kind": "SharePromised"}:
                self._record_share(sender, SharePromised.model_validate(envelope.body))
            case {"kind": "ContractAgreed" | "SharesAmended", "contract": dict(reported)}:
                self._record_contract(sender, Contract.model_validate(reported))
            case {"kind": "ShareVoid", "job_id": str(job_id)} if sender == MANAGER:
                parties.promised[envelope.to].pop(job_id, None)
            case {"kind": "AddJob", "job": dict(added)} if sender == TIMELINE or sender in self._gateways:
                self._record_added(sender, added)
            case {"kind": "ContractVoid", "job_id": str(job_id)} if sender == MANAGER:
                parties.contracts.pop(job_id, None)
            case {"kind": "ContractCancelled", "contract_id": str(id_)}:
                job_id = id_.rpartition("/")[0]
                if self._owner(job_id) == sender:
                    parties.contracts.pop(job_id, None)

    def _record_added(self, sender: str, added: dict[str, Any]) -> None:
        """Record a job that the timeline, or the gateway of a real device, adds."""
        try:
            job = Job.model_validate(added)
        except ValidationError:
            return  # the manager refuses it as well
        if not addition_problem(sender, job, is_gateway=sender in self._gateways):
            self._jobs.setdefault(job.job_id, job)

    def unsigned(self, entry: LedgerEntry) -> str:
        """Return why a contract that the manager enters as standing has not been agreed by all; empty: it has."""
        contract = entry.contract
        if entry.state != "standing":
            return ""
        job_id, last = contract.job_id, self.parties.contracts.get(contract.job_id)
        if contract != last and contract not in self._said.get(job_id, ()):
            owner = self._owner(contract.job_id)
            return f"contract {contract.contract_id!r} stands, but consumer {owner!r} has not reported it so"
        for producer, (start_s, runs) in given_by(contract, self._jobs[contract.job_id]).items():
            share = self.parties.promised.get(producer, {}).get(job_id)
            if share != (start_s, runs) and (producer, start_s, runs) not in self._promised.get(job_id, ()):
                return f"contract {contract.contract_id!r} stands, but {producer!r} has not promised its share"
        return ""

    def _owner(self, job_id: str) -> str | None:
        job = self._jobs.get(job_id)
        return None if job is None else job.agent


def share_disagreements(
    ledger: Iterable[LedgerEntry], parties: PartyShares, jobs: Iterable[Job], producers: Iterable[str]
) -> list[str]:
    """Return where consumers, producers and the ledger differ at the end of a run; empty if all agree.

    Args:
        ledger: All entries.
        parties: The contracts as consumers and producers see them.
        jobs: Those whose consumers' side is known.
        producers: Ids of those whose side is known.
    """
    standing = {entry.contract.job_id: entry.contract for entry in ledger if entry.state == "standing"}
    known = {job.job_id: job for job in jobs}
    problems = [
        f"job {job_id!r}: its consumer {known[job_id].agent!r} reports "
        f"{_contract_in_words(parties.contracts.get(job_id))}, "
        f"the ledger has {_contract_in_words(standing.get(job_id))}"
        for job_id in sorted(known.keys() & (standing.keys() | parties.contracts.keys()))
        if standing.get(job_id) != parties.contracts.get(job_id)
    ]
    in_ledger: dict[str, Given] = defaultdict(dict)
    for job_id, contract in standing.items():
        if job_id in known:
            for producer, given in given_by(contract, known[job_id]).items():
                in_ledger[producer][job_id] = given
    for producer in producers:
        promised, signed = parties.promised.get(producer, {}), in_ledger.get(producer, {})
        problems += [
            f"job {job_id!r}: producer {producer!r} gives {_share_in_words(promised.get(job_id))}, "
            f"the ledger has {_share_in_words(signed.get(job_id))} from it"
            for job_id in sorted(known.keys() & (promised.keys() | signed.keys()))
            if promised.get(job_id) != signed.get(job_id)
        ]
    return problems


def share_problems(scenario: Scenario, ledger: Iterable[LedgerEntry]) -> list[str]:
    """Return which shares are more than their job draws, or come from no producer of the scenario."""
    jobs = {job.job_id: job for job in scenario.jobs}
    problems = []
    for contract in (entry.contract for entry in ledger if entry.state == "standing"):
        job = jobs.get(contract.job_id)
        if job is None:
            continue  # the manager's problem, which is reported as such
        drawn = load_mwh(job.as_sent.load_profile, contract.start_s)
        shares = [unpacked(share.minutes_mwh, len(drawn)) for share in contract.shares]
        if (sum(shares, start=np.zeros_like(drawn)) > drawn).any():
            problems.append(f"contract {contract.contract_id!r}: its shares give more than its job draws in a minute")
        problems += [
            f"contract {contract.contract_id!r} has a share of {producer!r}, which is not a producer"
            for producer in contract.producers
            if producer not in scenario.producers
        ]
    return problems


def double_booked(
    jobs: Sequence[Job], ledger: Iterable[LedgerEntry], forecasts: Mapping[str, PastForecasts]
) -> list[str]:
    """Return which producers give more in a minute than they forecast.

    Args:
        jobs: All jobs.
        ledger: All entries.
        forecasts: By producer, what it forecast.
    """
    by_id = {job.job_id: job for job in jobs}
    given: dict[str, list[tuple[int, Runs]]] = defaultdict(list)
    for contract in (entry.contract for entry in ledger if entry.state == "standing"):
        for producer, share in given_by(contract, by_id[contract.job_id]).items():
            given[producer].append(share)
    problems = []
    for producer, shares in given.items():
        if producer not in forecasts:
            continue
        first = min(start_s // MINUTE_S for start_s, _ in shares)
        last = max(start_s // MINUTE_S + sum(count for count, _ in runs) for start_s, runs in shares)
        total = np.zeros(last - first, dtype=np.int64)
        for start_s, runs in shares:
            series, begin = unpacked(runs), start_s // MINUTE_S - first
            total[begin : begin + len(series)] += series
        over = np.flatnonzero(total > forecasts[producer].expected_mwh(first, last - first))
        if len(over):
            minute_s = (first + int(over[0])) * MINUTE_S
            problems.append(f"producer {producer!r} gives more in the minute {minute_s} than it forecast")
    return problems


def forecasts_of(agent_set: AgentSet) -> dict[str, PastForecasts]:
    """Return the forecasts of those producers of this process that have never been away, for `double_booked`."""
    return {
        producer: agent.supply.past_forecasts
        for producer, agent in agent_set.producers.items()
        if isinstance(agent.supply, SharedProducerSupply) and not agent.supply.was_away
    }


def _contract_in_words(contract: Contract | None) -> str:
    if contract is None:
        return "no contract"
    shares = "".join(
        f", {_share_in_words((contract.start_s, share.minutes_mwh))} of {share.producer!r}" for share in contract.shares
    )
    return f"a contract with {contract.producer!r} from {contract.start_s}{shares}"


def _share_in_words(given: tuple[int, Runs] | None) -> str:
    if given is None:
        return "nothing"
    start_s, runs = given
    # What a household has said may be written in other runs than a share.
    return f"{sum(minutes * mwh for minutes, mwh in runs) / 1_000:g} Wh from {start_s}"
