"""The register of jobs and producers: what the manager knows of a neighbourhood before anybody speaks.

Reports are held against it: whose job it is, what it needs, when it may start, and who produces. Producers are given
digests of the jobs, so that each can tell a request for a job of the neighbourhood from an invented one without knowing
anybody's jobs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agents.energy import LoadProfile
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
    energy_wh: float
    sent_energy_wh: float
    """Energy of the load profile as it is sent in requests, which may differ by rounding."""
    earliest_start_s: int
    latest_start_s: int
    digest: str
    load: LoadProfile
    """As it is sent."""

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

    def add(self, job: Job) -> str:
        """Register a job, and return its digest; one that the timeline adds becomes known when it is added."""
        sent = job.as_sent
        registered = RegisteredJob(
            job.agent,
            job.energy_wh,
            sent.energy_wh,
            job.earliest_start_s,
            job.latest_start_s,
            digest_of(sent),
            sent.load_profile,
        )
        self._jobs[job.job_id] = registered
        return registered.digest

    def get(self, job_id: str) -> RegisteredJob | None:
        """Return a job; None if there is no such job."""
        return self._jobs.get(job_id)

    def owns(self, agent: str, job_id: str) -> bool:
        """Return whether a job exists and is an agent's own."""
        job = self._jobs.get(job_id)
        return job is not None and job.agent == agent

    def digests(self) -> Iterator[tuple[str, ...]]:
        """Return the digests of all jobs in portions fit for one message; at least one portion."""
        every = [job.digest for job in self._jobs.values()]
        for begin in range(0, max(1, len(every)), MAX_DIGESTS):
            yield tuple(every[begin : begin + MAX_DIGESTS])
