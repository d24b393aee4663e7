"""What must hold of every ledger: each job has exactly one standing contract, and all sides agree on it.

A device runs one job at a time, unless its consumer said with the contract that there was no other way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from agents import GRID, TOGETHER, Job, LedgerEntry
from scenarios.device_overlaps import overlapping
from scenarios.scenario import Scenario
from scenarios.simulation.agents import Cast


def ledger_problems(
    scenario: Scenario, ledger: Iterable[LedgerEntry], acted_until_s: int, lost_houses: Collection[str] = ()
) -> list[str]:
    """Return what is wrong with a ledger at the end of a run; empty if nothing is.

    Args:
        scenario: What was run.
        ledger: All entries.
        acted_until_s: Jobs registered later need no contract, and can have none.
        lost_houses: The run went on without them; their jobs may have no contract.
    """
    entries = list(ledger)
    standing = [entry.contract for entry in entries if entry.state == "standing"]
    count = Counter(contract.job_id for contract in standing)
    lost = {entry.contract.job_id for entry in entries if entry.state == "lost"}
    jobs = {job.job_id: job for job in scenario.jobs}
    problems = [f"contract {c.contract_id!r} is for no job of the scenario" for c in standing if c.job_id not in jobs]
    for job in scenario.jobs:
        due = 1 if job.registered_s <= acted_until_s and job.job_id not in lost else 0
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
    said = {entry.contract.contract_id: entry.history[-1].reason for entry in standing}
    return [
        f"contract {later.contract_id!r} starts while {earlier.contract_id!r} runs on the same device"
        for earlier, later in overlapping(jobs, (entry.contract for entry in standing))
        if TOGETHER not in (said[earlier.contract_id], said[later.contract_id])
    ]


def disagreements(cast: Cast) -> list[str]:
    """Return where consumers and producers of this process differ from the ledger at the end of a run."""
    standing = {e.contract.job_id: e.contract for e in cast.manager.ledger.values() if e.state == "standing"}
    held = {job_id: c for consumer in cast.consumers.values() for job_id, c in consumer.contracts.items()}
    local = {job.job_id for consumer in cast.consumers.values() for job in consumer.jobs}
    problems = [
        f"job {job_id!r}: the consumer holds {held.get(job_id)}, the ledger {standing.get(job_id)}"
        for job_id in sorted(standing.keys() & local | held.keys())
        if standing.get(job_id) != held.get(job_id)
    ]
    for producer_id, producer in cast.producers.items():
        in_ledger = {job_id: c.start_s for job_id, c in standing.items() if c.producer == producer_id}
        promised = dict(producer.promised_s)
        problems += [
            f"job {job_id!r}: {producer_id!r} promised start {promised.get(job_id)}, the ledger {in_ledger.get(job_id)}"
            for job_id in sorted(in_ledger.keys() | promised.keys())
            if in_ledger.get(job_id) != promised.get(job_id)
        ]
    return problems
