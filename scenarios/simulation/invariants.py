"""Invariants of every ledger: each job has exactly one standing contract, and all parties agree on it.

A device runs one job at a time, unless its consumer said with the contract that there was no other way.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile

from agents import GRID, MANAGER, SHARED, TIMELINE, TOGETHER, Job, LedgerEntry, consumer_agent
from broker.protocol import Envelope
from scenarios.device_overlaps import overlapping
from scenarios.scenario import Scenario
from scenarios.simulation.agents import AgentSet
from scenarios.simulation.shared_invariants import share_problems


def manager_problems(scenario: Scenario, ledger: Iterable[LedgerEntry]) -> list[str]:
    """Return the problems of a ledger that its manager must always prevent."""
    ledger = list(ledger)
    standing = [entry.contract for entry in ledger if entry.state == "standing"]
    count = Counter(contract.job_id for contract in standing)
    jobs = {job.job_id: job for job in scenario.jobs}
    problems = [f"job {job_id!r} has {n} standing contracts instead of 1" for job_id, n in count.items() if n > 1]
    for contract in standing:
        job = jobs.get(contract.job_id)
        if job is None:
            problems.append(f"contract {contract.contract_id!r} is for a job that the scenario does not have")
            continue
        if not job.earliest_start_s <= contract.start_s <= job.latest_start_s:
            problems.append(f"contract {contract.contract_id!r} starts at {contract.start_s}, outside its job's window")
        if contract.producer not in {GRID, SHARED} and contract.producer not in scenario.producers:
            problems.append(f"contract {contract.contract_id!r} is with {contract.producer!r}, which is not a producer")
        if contract.energy_wh != job.energy_wh:
            what = f"is for {contract.energy_wh} Wh, and its job needs {job.energy_wh} Wh"
            problems.append(f"contract {contract.contract_id!r} {what}")
    return problems + share_problems(scenario, ledger)


def consumer_problems(
    scenario: Scenario,
    ledger: Iterable[LedgerEntry],
    acted_until_s: int,
    lost_houses: Collection[str],
    optional: Collection[str],
) -> list[str]:
    """Return the problems that consumers are responsible for: jobs without a contract, and overlapping jobs.

    Args:
        scenario: The scenario of the run.
        ledger: All entries.
        acted_until_s: Jobs registered later need no contract, and can have none.
        lost_houses: Houses that the run continued without; their jobs may have no contract.
        optional: Jobs that may have none either: they were withdrawn, or their device was not there.
    """
    entries = list(ledger)
    have = {entry.contract.job_id for entry in entries if entry.state == "standing"}
    lost = {entry.contract.job_id for entry in entries if entry.state == "lost"}
    problems = []
    for job in scenario.jobs:
        is_due = job.registered_s <= acted_until_s and job.job_id not in lost
        if job.job_id in have and not is_due:
            problems.append(f"job {job.job_id!r} of {job.agent!r} has a contract that it cannot have")
        elif is_due and job.job_id not in have and job.house not in lost_houses and job.job_id not in optional:
            problems.append(f"job {job.job_id!r} has 0 standing contracts instead of 1; {job.agent!r} reported none")
    return problems + _device_problems({job.job_id: job for job in scenario.jobs}, entries)


def _device_problems(jobs: Mapping[str, Job], entries: Iterable[LedgerEntry]) -> list[str]:
    """Return which jobs run at the same time on one device without a word of their consumer that it must be so."""
    standing = [entry for entry in entries if entry.state == "standing"]
    said = {entry.contract.contract_id: _said_of_start(entry) for entry in standing}
    return [
        f"contract {later.contract_id!r} starts while {earlier.contract_id!r} runs on the same device"
        for earlier, later in overlapping(jobs, (entry.contract for entry in standing))
        if TOGETHER not in said[earlier.contract_id] | said[later.contract_id]
    ]


def _said_of_start(entry: LedgerEntry) -> set[str]:
    """Return what a consumer said of a contract's start, then and with later changes of the shares only.

    Once the other job of its device has ended, those no longer mention it.
    """
    versions = [event for event in entry.history if event.what in {"agreed", "amended"}]
    of_start = takewhile(lambda event: event.start_s == entry.contract.start_s, reversed(versions))
    return {event.reason for event in of_start}


@dataclass(slots=True)
class PartyContracts:
    """The contracts as consumers and producers have them, which the ledger must agree with."""

    contracts: dict[str, tuple[str, int]] = field(default_factory=dict)
    """The consumers' side: producer and start, UNIX seconds, by job id."""
    promised_s: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    """The producers' side: start of each job, UNIX seconds, by producer id and job id."""

    @classmethod
    def of(cls, agent_set: AgentSet) -> PartyContracts:
        """Return what the agents of this process have."""
        consumers = agent_set.consumers.values()
        held = {job: (c.producer, c.start_s) for consumer in consumers for job, c in consumer.contracts.items()}
        return cls(held, {producer: dict(agent.promised_s) for producer, agent in agent_set.producers.items()})


_OF_CONTRACTS = frozenset(
    {
        "Promised",
        "PromiseWithdrawn",
        "PromiseVoid",
        "ContractVoid",
        "ContractAgreed",
        "ContractAmended",
        "ContractCancelled",
    }
)
"""Kinds of messages from which the contracts of the parties follow."""


class ReportedContracts:
    """The contracts as all agents see them, derived from their messages to the manager.

    Only messages of the responsible agent are used: a consumer's on the contracts of its jobs, a producer's on its
    promises.
    """

    def __init__(self, scenario: Scenario) -> None:
        """Begin with the first message of a run.

        Args:
            scenario: The scenario, which names the owner of each job.
        """
        self.parties = PartyContracts()
        self._owners = {job.job_id: job.agent for job in scenario.jobs}
        self._gateways = frozenset(scenario.gateways)
        self._reported: dict[str, tuple[str, str]] = {}
        """Job and producer by contract id."""
        self._said: set[tuple[str, str, int]] = set()
        """Job, supplier and start, UNIX seconds, as consumers have reported them."""
        self._promised: set[tuple[str, str, int]] = set()
        """Job, producer and start, as producers have promised them."""

    def record(self, envelope: Envelope) -> None:
        """Record a message; other kinds of messages do not concern contracts."""
        match envelope.kind:
            case "AddJob":
                self._record_added(envelope)
            case kind if kind in _OF_CONTRACTS:
                self._record_contract(envelope)

    def _record_added(self, envelope: Envelope) -> None:
        """Record the owner of a job that the timeline, or the gateway of a real device, adds."""
        sender = envelope.sender
        match envelope.body:
            case {"job": {"job_id": str(job_id), "house": str(house), "device": str(device)}}:
                owner = consumer_agent(house, device)
                is_own = sender in self._gateways and sender == owner and job_id.startswith(f"{house}/")
                if sender == TIMELINE or is_own:
                    self._owners.setdefault(job_id, owner)

    def _record_contract(self, envelope: Envelope) -> None:
        contracts, promised_s, sender = self.parties.contracts, self.parties.promised_s, envelope.sender
        match envelope.body:
            case {"kind": "Promised", "job_id": str(job_id), "start_s": int(start_s)}:
                promised_s[sender][job_id] = start_s
                self._promised.add((job_id, sender, start_s))
            case {"kind": "PromiseWithdrawn", "job_id": str(job_id)}:
                promised_s[sender].pop(job_id, None)
            case {"kind": "PromiseVoid", "job_id": str(job_id), "start_s": int(start_s)} if sender == MANAGER:
                if promised_s[envelope.to].get(job_id) == start_s:
                    del promised_s[envelope.to][job_id]
            case {"kind": "ContractVoid", "job_id": str(job_id)} if sender == MANAGER:
                contracts.pop(job_id, None)
            case {"kind": "ContractAgreed", "contract": {"contract_id": str(id_), "job_id": str(job_id)} as contract}:
                is_own = self._owners.get(job_id) == sender and id_.rpartition("/")[0] == job_id
                match contract:
                    case {"producer": str(producer), "start_s": int(s)} if is_own:
                        self._reported[id_] = (job_id, producer)
                        self._report(id_, s)
            case {"kind": "ContractAmended", "contract_id": str(id_), "start_s": int(s)} if self._is_of(id_, sender):
                self._report(id_, s)
            case {"kind": "ContractCancelled", "contract_id": str(id_)} if self._is_of(id_, sender):
                contracts.pop(self._reported[id_][0], None)

    def unsigned(self, entry: LedgerEntry) -> str:
        """Return why a contract that the manager enters as standing has not been agreed by both; empty: it has."""
        contract = entry.contract
        agreed = (contract.job_id, contract.producer, contract.start_s)
        if entry.state != "standing":
            return ""
        if agreed not in self._said:
            owner = self._owners.get(contract.job_id)
            return f"contract {contract.contract_id!r} stands, but consumer {owner!r} has not reported {agreed[1:]}"
        if contract.producer != GRID and agreed not in self._promised:
            return f"contract {contract.contract_id!r} stands, but {contract.producer!r} has not promised {agreed[2]}"
        return ""

    def _report(self, contract_id: str, start_s: int) -> None:
        job_id, producer = self._reported[contract_id]
        self.parties.contracts[job_id] = (producer, start_s)
        self._said.add((job_id, producer, start_s))

    def _is_of(self, contract_id: str, consumer: str) -> bool:
        return contract_id in self._reported and self._owners.get(self._reported[contract_id][0]) == consumer


def disagreements(
    ledger: Iterable[LedgerEntry], parties: PartyContracts, jobs: Iterable[Job], producers: Iterable[str]
) -> list[str]:
    """Return where consumers, producers and the ledger differ at the end of a run; empty if all agree.

    Args:
        ledger: All entries.
        parties: The contracts as consumers and producers see them.
        jobs: Those whose consumers' side is known.
        producers: Ids of those whose side is known.
    """
    standing = {entry.contract.job_id: entry.contract for entry in ledger if entry.state == "standing"}
    in_ledger = {job_id: (contract.producer, contract.start_s) for job_id, contract in standing.items()}
    known = {job.job_id: job.agent for job in jobs}
    problems = [
        f"job {job_id!r}: its consumer {known[job_id]!r} reports {_contract_in_words(parties.contracts.get(job_id))}, "
        f"the ledger has {_contract_in_words(in_ledger.get(job_id))}"
        for job_id in sorted(known.keys() & (in_ledger.keys() | parties.contracts.keys()))
        if in_ledger.get(job_id) != parties.contracts.get(job_id)
    ]
    supplied_by: dict[str, dict[str, int]] = defaultdict(dict)
    for job_id, (supplier, start_s) in in_ledger.items():
        supplied_by[supplier][job_id] = start_s
    for producer in producers:
        promised_s = parties.promised_s.get(producer, {})
        supplied_s = supplied_by.get(producer, {})
        problems += [
            f"job {job_id!r}: producer {producer!r} promises {_start_in_words(promised_s.get(job_id))}, "
            f"the ledger has {_start_in_words(supplied_s.get(job_id))} with it"
            for job_id in sorted(job_id for job_id in supplied_s.keys() | promised_s.keys() if job_id in known)
            if supplied_s.get(job_id) != promised_s.get(job_id)
        ]
    return problems


def _contract_in_words(contract: tuple[str, int] | None) -> str:
    return "no contract" if contract is None else f"a contract with {contract[0]!r} from {contract[1]}"


def _start_in_words(start_s: int | None) -> str:
    return "no start" if start_s is None else f"a start at {start_s}"
