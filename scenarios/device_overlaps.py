"""A device runs one job at a time: contracts that violate this, and jobs that cannot avoid it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from agents import Busy, Contract, Job, PendingRun, largest_sequence


def overlapping(jobs: Mapping[str, Job], contracts: Iterable[Contract]) -> list[tuple[Contract, Contract]]:
    """Return pairs of contracts on one device in which the second job starts while the first one runs.

    A job that overlaps several others appears once, after the one that runs longest.

    Args:
        jobs: Jobs by job id; contracts of other jobs are ignored.
        contracts: Contracts, one per job.
    """
    by_device: dict[str, list[Contract]] = defaultdict(list)
    for contract in contracts:
        if contract.job_id in jobs:
            by_device[jobs[contract.job_id].agent].append(contract)
    found = []
    for of_device in by_device.values():
        running: Contract | None = None
        for contract in sorted(of_device, key=lambda contract: (contract.start_s, contract.job_id)):
            if running is not None and contract.start_s < running.start_s + jobs[running.job_id].duration_s:
                found.append((running, contract))
            if running is None or _end_s(jobs, contract) > _end_s(jobs, running):
                running = contract
    return found


def pending_run_of(job: Job, run_start_s: int) -> PendingRun:
    """Return a job as its device's calendar sees it, with the starts left once the neighbourhood knows of it."""
    earliest_s = max(job.earliest_start_s, job.registered_s, run_start_s)
    return PendingRun(job.job_id, earliest_s, job.latest_start_s, job.duration_s)


def jobs_without_room(jobs: Iterable[Job], run_start_s: int, busy: Mapping[str, Busy] | None = None) -> tuple[Job, ...]:
    """Return the jobs that have to overlap another job of their device even with perfect foresight.

    As few as were found; among identical jobs, the last ones.

    Args:
        jobs: Jobs in the order of registration; those registered after their window are ignored.
        run_start_s: Start of the run, UNIX seconds; no job starts earlier.
        busy: When devices are busy with other jobs, UNIX seconds, by the agent id of the consumer.
    """
    by_device: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        if max(job.registered_s, run_start_s) <= job.latest_start_s:
            by_device[job.agent].append(job)
    left_out = []
    for device, of_device in by_device.items():
        following = largest_sequence(
            [pending_run_of(job, run_start_s) for job in of_device], (busy or {}).get(device, ())
        )
        left_out += [job for job in of_device if job.job_id not in following]
    return tuple(left_out)


def _end_s(jobs: Mapping[str, Job], contract: Contract) -> int:
    return contract.start_s + jobs[contract.job_id].duration_s
