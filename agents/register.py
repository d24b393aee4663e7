"""The register of jobs and producers: what the manager knows of a neighbourhood before anybody speaks.

Reports are held against it: whose job it is, what it needs, when it may start, and who produces. A producer that a job
is told of is given the job's digest, so that it can tell a request for a job of the neighbourhood from an invented one
without knowing anybody's jobs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agents.headroom import Need
from agents.model import Job

DIGEST_CHARACTERS = 24
"""Length of a job's digest in hexadecimal digits."""
MAX_DIGESTS = 10_000
"""Digests in one message, which keeps messages below the bus's `MAX_PAYLOAD_BYTES`."""


def digest_of(job: Job) -> str:
    """Return a digest of a job as it is sent in messages, load profile included."""
    terms = (
        job.job_id,
        job.source_id,
        job.house,
        job.device,
        job.profile,
        job.registered_s,
        job.earliest_start_s,
        job.latest_start_s,
        job.load_profile.digest,
    )
    return hashlib.sha256(json.dumps(terms).encode()).hexdigest()[:DIGEST_CHARACTERS]


@dataclass(frozen=True, slots=True)
class RegisteredJob:
    """What the manager knows of a job. Times in UNIX seconds."""

    agent: str
    """Id of its consumer."""
    house: str
    energy_wh: float
    sent_energy_wh: float
    """Energy of the load profile as it is sent in requests, which may differ by rounding."""
    earliest_start_s: int
    latest_start_s: int
    sent: Job
    """The job as it is sent in requests."""

    @property
    def digest(self) -> str:
        """See `digest_of`."""
        return digest_of(self.sent)

    def need(self, first_start_s: int | None, last_start_s: int | None, now_s: int) -> Need:
        """Return what the job needs, if its device has time for it between two starts only.

        Args:
            first_start_s: The earlier one, UNIX seconds; None: its window begins it.
            last_start_s: The later one; None: its window ends it.
            now_s: Virtual time, UNIX seconds.
        """
        first_s = self.earliest_start_s if first_start_s is None else max(first_start_s, self.earliest_start_s)
        last_s = self.latest_start_s if last_start_s is None else min(last_start_s, self.latest_start_s)
        load = self.sent.load_profile
        return Need(max(first_s, now_s), max(last_s, now_s) + load.duration_s, load.energy_wh, load.least_peak_wh)

    def may_start_at(self, start_s: int, now_s: int) -> bool:
        """Return whether a start is within the job's window and not in the past."""
        return max(self.earliest_start_s, now_s) <= start_s <= self.latest_start_s


class JobRegister:
    """The jobs and producers of a neighbourhood."""

    def __init__(self, jobs: Iterable[Job] = (), producers: Iterable[str] = ()) -> None:
        """Fill the register.

        Args:
            jobs: All jobs of the scenario, those included that become known later.
            producers: The ids of all producers.
        """
        self.producers = frozenset(producers)
        self._jobs: dict[str, RegisteredJob] = {}
        for job in jobs:
            self.add(job)

    def add(self, job: Job) -> None:
        """Register a job; one that the timeline adds becomes known when it is added."""
        sent = job.as_sent
        self._jobs[job.job_id] = RegisteredJob(
            job.agent, job.house, job.energy_wh, sent.energy_wh, job.earliest_start_s, job.latest_start_s, sent
        )

    def get(self, job_id: str) -> RegisteredJob | None:
        """Return a job; None if there is no such job."""
        return self._jobs.get(job_id)

    def owns(self, agent: str, job_id: str) -> bool:
        """Return whether a job exists and is an agent's own."""
        job = self._jobs.get(job_id)
        return job is not None and job.agent == agent

    def digests(self, job_ids: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the digests of jobs in portions fit for one message."""
        digests = [self._jobs[job_id].digest for job_id in job_ids]
        return [tuple(digests[begin : begin + MAX_DIGESTS]) for begin in range(0, len(digests), MAX_DIGESTS)]
