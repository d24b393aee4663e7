"""How the jobs fared: served late, moved, cancelled, renegotiated, still running at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from agents.ledger import LedgerEntry
from agents.model import GRID
from scenarios.device_time import overlapping
from scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class JobCounts:
    """Numbers of jobs, if nothing else is said."""

    jobs: int
    """With a standing contract."""
    jobs_on_grid: int
    """Whose standing contract is with the grid."""
    jobs_late: int
    """Started after the earliest moment that was left to them: earliest start, registration, or the run's start."""
    mean_delay_s: float | None
    """Of all jobs' starts after that moment; None where there are no jobs."""
    jobs_waited: int
    """Got their first contract later than they asked for it."""
    jobs_moved: int
    """Had a contract amended, at least once."""
    jobs_cancelled: int
    """Had a contract cancelled, at least once."""
    jobs_renegotiated: int
    """Lost a contract and got another, from a producer or the grid."""
    jobs_lost: int
    """Whose household stayed away, so that they have no standing contract."""
    jobs_overlapping: int
    """Started while another job of their device ran, because their windows left no other way."""
    jobs_unfinished: int
    """Still ran, or had not started, when the run ended."""
    jobs_not_registered: int
    """Would have been registered only after the run's end."""


def count_jobs(scenario: Scenario, entries: Iterable[LedgerEntry], end_s: int, not_registered: int = 0) -> JobCounts:
    """Count how the jobs fared.

    Args:
        scenario: Knows the jobs.
        entries: The whole ledger, cancelled contracts too.
        end_s: Where the run ended, UNIX seconds.
        not_registered: How many jobs the run ended too early for.
    """
    jobs = {job.job_id: job for job in scenario.jobs}
    ledger = [entry for entry in entries if entry.contract.job_id in jobs]
    standing = {entry.contract.job_id: entry for entry in ledger if entry.state == "standing"}
    first_agreed_s: dict[str, int] = {}
    for entry in ledger:
        job_id = entry.contract.job_id
        first_agreed_s[job_id] = min(entry.contract.agreed_s, first_agreed_s.get(job_id, entry.contract.agreed_s))
    contracts_of = Counter(entry.contract.job_id for entry in ledger)
    known_s = {job_id: max(job.registered_s, scenario.start_s) for job_id, job in jobs.items()}
    delays_s = [
        max(0, entry.contract.start_s - max(jobs[job_id].earliest_start_s, known_s[job_id]))
        for job_id, entry in standing.items()
    ]
    return JobCounts(
        jobs=len(standing),
        jobs_on_grid=sum(entry.contract.producer == GRID for entry in standing.values()),
        jobs_late=sum(delay_s > 0 for delay_s in delays_s),
        mean_delay_s=sum(delays_s) / len(delays_s) if delays_s else None,
        jobs_waited=sum(agreed_s > known_s[job_id] for job_id, agreed_s in first_agreed_s.items()),
        jobs_moved=_with_event(ledger, "amended"),
        jobs_cancelled=_with_event(ledger, "cancelled"),
        jobs_renegotiated=sum(contracts_of[job_id] > 1 for job_id in standing),
        jobs_lost=len({entry.contract.job_id for entry in ledger if entry.state == "lost"} - standing.keys()),
        jobs_overlapping=len(overlapping(jobs, (entry.contract for entry in standing.values()))),
        jobs_unfinished=sum(
            entry.contract.start_s + jobs[job_id].duration_s > end_s for job_id, entry in standing.items()
        ),
        jobs_not_registered=not_registered,
    )


def _with_event(ledger: Iterable[LedgerEntry], what: str) -> int:
    return len({entry.contract.job_id for entry in ledger if any(event.what == what for event in entry.history)})
