"""The register of jobs and producers: the manager's knowledge of a neighbourhood before the first message.

Reports are checked against it: the owner of a job, its energy, its possible starts, and the producers. A producer that
is named to a job receives the job's digest, so that it can distinguish a genuine request from an invented one without
knowing the jobs of others.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agents.energy import MAX_REAL_W
from agents.job_needs import JobNeeds
from agents.model import TIMELINE, Job

DIGEST_CHARACTERS = 24
"""Length of a job's digest in hexadecimal digits."""
MAX_DIGESTS = 10_000
"""Digests in one message, which keeps messages below the bus's `MAX_PAYLOAD_BYTES`."""
MAX_ADDED_JOBS = 100_000
"""Jobs that one device may request in a run: one every five minutes for a year."""
MAX_AHEAD_S = 366 * 86_400
"""How long after its registration a real device's job may start, seconds: a run is settled until its last job ends."""
MAX_ADDED_DURATION_S = 31 * 86_400
"""The longest job of a real device, seconds: others calculate with every second of it."""
MAX_ADDED_POINTS = 250_000, 25_000
"""Total points of the loads of one real device's jobs: at once, and in addition for each day of the run."""
MAX_ADDED_DAYS = 400, 30
"""Total duration of one real device's jobs, days: at once, and in addition for each day of the run."""


_KNOWN_DIGESTS = 2_048
"""Number of jobs whose digest is kept."""
_known: dict[int, tuple[Job, str]] = {}
"""By the object's identity, jobs and their digests: in memory, a job asks one producer after the other with the same
object, and each of them computes the digest."""


def digest_of(job: Job) -> str:
    """Return a digest of a job as it is sent in messages, load profile included."""
    known = _known.get(id(job))
    if known is not None and known[0] is job:
        return known[1]
    if len(_known) >= _KNOWN_DIGESTS:
        _known.clear()
    digest = _digest_of(job)
    _known[id(job)] = job, digest
    return digest


def _digest_of(job: Job) -> str:
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


class JobAllowance:
    """How much one real device may still add in a run; bounded, because the clock keeps every job in memory."""

    __slots__ = ("_begun_s", "_count", "_duration_s", "_points")

    def __init__(self) -> None:
        """Begin without jobs."""
        self._count = self._points = self._duration_s = 0
        self._begun_s: int | None = None

    def take(self, job: Job, now_s: int) -> str:
        """Count a job of the device; return why it is too much and does not count, empty if it counts.

        Args:
            job: The job.
            now_s: Virtual time, UNIX seconds.
        """
        if self._count >= MAX_ADDED_JOBS:
            return f"more than {MAX_ADDED_JOBS} jobs"
        days = 0 if self._begun_s is None else (now_s - self._begun_s) // 86_400
        points, duration_s = self._points + len(job.load_profile.times_s), self._duration_s + job.duration_s
        most_points, most_days = (at_once + days * by_day for at_once, by_day in (MAX_ADDED_POINTS, MAX_ADDED_DAYS))
        if points > most_points:
            return f"jobs with {points} points in total, more than {most_points}"
        if duration_s > most_days * 86_400:
            return f"jobs of {duration_s} s in total, more than {most_days} days"
        if self._begun_s is None:
            self._begun_s = now_s
        self._count += 1
        self._points, self._duration_s = points, duration_s
        return ""


def addition_problem(sender: str, job: Job, *, is_gateway: bool) -> str:
    """Return why an agent may not add a job, regardless of other jobs; empty: it may.

    Args:
        sender: The agent that says so. The timeline may add any job.
        job: The job.
        is_gateway: Whether the agent represents a real device.
    """
    if sender == TIMELINE:
        return ""
    if not is_gateway or job.agent != sender:
        return f"adds job {job.job_id!r}, but is not the gateway of its device"
    if not job.job_id.startswith(f"{job.house}/"):
        return f"adds job {job.job_id!r}; expected an id that begins with {job.house + '/'!r}"
    if job.latest_start_s - job.registered_s > MAX_AHEAD_S or job.duration_s > MAX_ADDED_DURATION_S:
        what = f"which lasts {job.duration_s} s and may start at {job.latest_start_s}"
        return f"adds job {job.job_id!r}, {what}; expected at most {MAX_ADDED_DURATION_S} s, within {MAX_AHEAD_S} s"
    if job.load_profile.most_w > MAX_REAL_W:
        return f"adds job {job.job_id!r} of {job.load_profile.most_w:g} W; expected at most {MAX_REAL_W:g} W"
    return ""


@dataclass(frozen=True, slots=True)
class RegisteredJob:
    """A job as the manager knows it. Times in UNIX seconds."""

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

    def need(self, first_start_s: int | None, last_start_s: int | None, now_s: int) -> JobNeeds:
        """Return what the job needs, if its device has time for it between two starts only.

        Args:
            first_start_s: The earlier one, UNIX seconds; None: its window begins it.
            last_start_s: The later one; None: its window ends it.
            now_s: Virtual time, UNIX seconds.
        """
        first_s = self.earliest_start_s if first_start_s is None else max(first_start_s, self.earliest_start_s)
        last_s = self.latest_start_s if last_start_s is None else min(last_start_s, self.latest_start_s)
        load = self.sent.load_profile
        return JobNeeds(
            max(first_s, now_s), max(last_s, now_s) + load.duration_s, load.energy_wh, load.least_peak_wh, load
        )

    def may_start_at(self, start_s: int, now_s: int) -> bool:
        """Return whether a start is within the job's window and not in the past."""
        return max(self.earliest_start_s, now_s) <= start_s <= self.latest_start_s


class JobRegister:
    """The jobs and producers of a neighbourhood."""

    def __init__(self, jobs: Iterable[Job] = (), producers: Iterable[str] = (), gateways: Iterable[str] = ()) -> None:
        """Fill the register.

        Args:
            jobs: All jobs of the scenario's houses, including those that become known later.
            producers: The ids of all producers.
            gateways: The ids of the agents that represent real devices: consumers may add jobs.
        """
        self.producers = frozenset(producers)
        self._gateways = frozenset(gateways)
        self._jobs: dict[str, RegisteredJob] = {}
        self._digests: dict[str, str] = {}
        self._added: defaultdict[str, JobAllowance] = defaultdict(JobAllowance)
        """What each gateway has added, by its id."""
        for job in jobs:
            self._enter(job)

    def add(self, sender: str, job: Job, now_s: int) -> str:
        """Register a job that becomes known during the run; return why not, empty if it is registered.

        Args:
            sender: The agent that says so.
            job: The job.
            now_s: Virtual time, UNIX seconds.
        """
        problem = addition_problem(sender, job, is_gateway=self.is_gateway(sender))
        if not problem and job.job_id in self._jobs:
            problem = f"adds job {job.job_id!r}, which exists already"
        if not problem and (job.registered_s != now_s or job.earliest_start_s < now_s):
            problem = f"adds job {job.job_id!r} of {job.registered_s} at {now_s}"
        if not problem and sender != TIMELINE and (too_much := self._added[sender].take(job, now_s)):
            problem = f"adds {too_much}"
        if not problem:
            self._enter(job)
        return problem

    def _enter(self, job: Job) -> None:
        sent = job.as_sent
        self._jobs[job.job_id] = RegisteredJob(
            job.agent,
            job.house,
            job.energy_wh,
            sent.energy_wh,
            job.earliest_start_s,
            job.latest_start_s,
            sent,
        )

    def is_gateway(self, agent: str) -> bool:
        """Return whether an agent represents a real device."""
        return agent in self._gateways

    def get(self, job_id: str) -> RegisteredJob | None:
        """Return a job; None if there is no such job."""
        return self._jobs.get(job_id)

    def owns(self, agent: str, job_id: str) -> bool:
        """Return whether a job exists and is an agent's own."""
        job = self._jobs.get(job_id)
        return job is not None and job.agent == agent

    def digest(self, job_id: str) -> str:
        """Return a job's digest, by which producers and the manager know what was registered."""
        if job_id not in self._digests:
            self._digests[job_id] = digest_of(self._jobs[job_id].sent)
        return self._digests[job_id]

    def digests(self, job_ids: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the digests of jobs in portions fit for one message."""
        digests = [self.digest(job_id) for job_id in job_ids]
        return [tuple(digests[begin : begin + MAX_DIGESTS]) for begin in range(0, len(digests), MAX_DIGESTS)]
