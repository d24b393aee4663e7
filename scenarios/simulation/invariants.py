"""What must hold of every ledger: each job has exactly one standing contract, and all sides agree on it.

A device runs one job at a time, unless its consumer said with the contract that there was no other way.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from agents import GRID, TOGETHER, Job, LedgerEntry
from broker.protocol import Envelope
from scenarios.device_overlaps import overlapping
from scenarios.scenario import Scenario
from scenarios.simulation.agents import Cast


def ledger_problems(
    scenario: Scenario,
    ledger: Iterable[LedgerEntry],
    acted_until_s: int,
    lost_houses: Collection[str] = (),
    withdrawn: Collection[str] = (),
) -> list[str]:
    """Return what is wrong with a ledger at the end of a run; empty if nothing is.

    Args:
        scenario: What was run.
        ledger: All entries.
        acted_until_s: Jobs registered later need no contract, and can have none.
        lost_houses: The run went on without them; their jobs may have no contract.
        withdrawn: Jobs that were withdrawn, and have none.
    """
    entries = list(ledger)
    standing = [entry.contract for entry in entries if entry.state == "standing"]
    count = Counter(contract.job_id for contract in standing)
    lost = {entry.contract.job_id for entry in entries if entry.state == "lost"}
    jobs = {job.job_id: job for job in scenario.jobs}
    problems = [f"contract {c.contract_id!r} is for no job of the scenario" for c in standing if c.job_id not in jobs]
    for job in scenario.jobs:
        due = 1 if job.registered_s <= acted_until_s and job.job_id not in lost | set(withdrawn) else 0
        if count[job.job_id] != due and not (job.house in lost_houses and count[job.job_id] < due):
            problems.append(f"job {job.job_id!r} has {count[job.job_id]} standing contracts instead of {due}")
    for contract in standing:
        job_of = jobs.get(contract.job_id)
        if job_of is None:
            continue
        if not job_of.earliest_start_s <= contract.start_s <= job_of.latest_start_s:
            problems.append(f"contract {contract.contract_id!r} starts at {contract.start_s}, out of its job's window")
        if contract.producer != GRID and contract.producer not in scenario.producers:
            problems.append(f"contract {contract.contract_id!r} is with {contract.producer!r}, which is no producer")
    return problems + _device_problems(jobs, entries)


def _device_problems(jobs: Mapping[str, Job], entries: Iterable[LedgerEntry]) -> list[str]:
    """Return which jobs run at the same time on one device without a word of their consumer that it must be so."""
    standing = [entry for entry in entries if entry.state == "standing"]
    said = {
        entry.contract.contract_id: [e.reason for e in entry.history if e.what in {"agreed", "amended"}][-1]
        for entry in standing
    }
    return [
        f"contract {later.contract_id!r} starts while {earlier.contract_id!r} runs on the same device"
        for earlier, later in overlapping(jobs, (entry.contract for entry in standing))
        if TOGETHER not in (said[earlier.contract_id], said[later.contract_id])
    ]


@dataclass(slots=True)
class Sides:
    """The contracts as consumers and producers have them, which the ledger must agree with."""

    contracts: dict[str, tuple[str, int]] = field(default_factory=dict)
    """The consumers' side: producer and start, UNIX seconds, by job id."""
    promised_s: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    """The producers' side: start of each job, UNIX seconds, by producer id and job id."""

    @classmethod
    def of(cls, cast: Cast) -> Sides:
        """Return what the agents of this process have."""
        consumers = cast.consumers.values()
        held = {job: (c.producer, c.start_s) for consumer in consumers for job, c in consumer.contracts.items()}
        return cls(held, {producer: dict(agent.promised_s) for producer, agent in cast.producers.items()})


class HeardSides:
    """The sides of agents in other processes, from what they said to each other and to the manager."""

    def __init__(self) -> None:
        self.sides = Sides()
        self._reported: dict[str, tuple[str, str]] = {}
        """Job and producer by contract id."""

    def hear(self, envelope: Envelope) -> None:
        """Take note of a message; those of other kinds have no part in a contract."""
        contracts, promised_s = self.sides.contracts, self.sides.promised_s
        match envelope.body:
            case {"kind": "Accept" | "Amend", "job_id": str(job_id), "start_s": int(start_s)}:
                promised_s[envelope.sender][job_id] = start_s
            case {"kind": "Cancel", "job_id": str(job_id)}:
                promised_s[envelope.sender].pop(job_id, None)
            case {"kind": "Withdraw", "job_id": str(job_id)}:
                # A job that has started is supplied to its end.
                if promised_s[envelope.to].get(job_id, envelope.time) > envelope.time:
                    del promised_s[envelope.to][job_id]
            case {
                "kind": "ContractAgreed",
                "contract": {
                    "contract_id": str(id_),
                    "job_id": str(job_id),
                    "producer": str(producer),
                    "start_s": int(s),
                },
            }:
                self._reported[id_] = (job_id, producer)
                contracts[job_id] = (producer, s)
            case {"kind": "ContractAmended", "contract_id": str(id_), "start_s": int(s)} if id_ in self._reported:
                job_id, producer = self._reported[id_]
                contracts[job_id] = (producer, s)
            case {"kind": "ContractCancelled", "contract_id": str(id_)} if id_ in self._reported:
                contracts.pop(self._reported[id_][0], None)


def disagreements(
    ledger: Iterable[LedgerEntry], sides: Sides, jobs: Iterable[Job], producers: Iterable[str]
) -> list[str]:
    """Return where consumers, producers and the ledger differ at the end of a run; empty where all agree.

    Args:
        ledger: All entries.
        sides: What consumers and producers have.
        jobs: Those whose consumers' side is known.
        producers: Ids of those whose side is known.
    """
    standing = {entry.contract.job_id: entry.contract for entry in ledger if entry.state == "standing"}
    in_ledger = {job_id: (contract.producer, contract.start_s) for job_id, contract in standing.items()}
    known = {job.job_id for job in jobs}
    problems = [
        f"job {job_id!r}: the consumer holds {sides.contracts.get(job_id)}, the ledger {in_ledger.get(job_id)}"
        for job_id in sorted(known & (in_ledger.keys() | sides.contracts.keys()))
        if in_ledger.get(job_id) != sides.contracts.get(job_id)
    ]
    for producer in producers:
        promised_s = sides.promised_s.get(producer, {})
        supplied_s = {job_id: start_s for job_id, (supplier, start_s) in in_ledger.items() if supplier == producer}
        problems += [
            f"job {job_id!r}: {producer!r} promised start {promised_s.get(job_id)}, the ledger {supplied_s.get(job_id)}"
            for job_id in sorted(known & (supplied_s.keys() | promised_s.keys()))
            if supplied_s.get(job_id) != promised_s.get(job_id)
        ]
    return problems
