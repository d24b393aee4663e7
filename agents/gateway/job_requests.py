"""A device's requests for jobs: the load profiles that it may name, and the job that a request stands for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import ValidationError

from agents.device_events import JobAsked
from agents.energy import MAX_REAL_W, LoadProfile
from agents.gateway.gateway_settings import GatewaySettings
from agents.job_register import MAX_ADDED_DURATION_S, MAX_AHEAD_S
from agents.messages import AddJob
from agents.model import Job
from broker.protocol import first_problem

LEARNED = "learned"
"""Name of the load profile that a device without a named one has learned."""
MAX_JOB_ID_CHARACTERS = 380
"""So that ids of its contracts are within `agents.model.ContractId`."""
MAX_PROFILES = 1_000
"""Load profiles of one device, those that it announced before included."""


class RequestError(Exception):
    """A device asks for a job that cannot be; carries the problem and what is expected."""

    def __init__(self, problem: str, expected: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.expected = expected


class DeviceProfiles:
    """The load profiles that are known of a device: declared, announced by itself, or learned from its jobs."""

    __slots__ = ("_known", "_own")

    def __init__(self, known: Mapping[str, LoadProfile], own: str = "") -> None:
        """Create them.

        Args:
            known: Profiles of the scenario, by name.
            own: The one of jobs that name none; empty: not known.
        """
        self._known = dict(known)
        self._own = own

    def take(self, announced: Mapping[str, LoadProfile]) -> bool:
        """Add what a device announces; return False if it has too many, and add none."""
        if len({*self._known, *announced}) > MAX_PROFILES:
            return False
        self._known |= announced
        if not self._own and len(announced) == 1:
            self._own = next(iter(announced))
        return True

    def learn(self, name: str, measured: LoadProfile) -> None:
        """Replace a profile by what a job with it has drawn; a name that is not known stands for the device's own."""
        known = name if name in self._known else self._own or LEARNED
        self._known[known] = measured
        self._own = self._own or known

    def load_of(self, asked: JobAsked) -> tuple[str, LoadProfile]:
        """Return the name and the load of a job.

        Raises:
            RequestError: It names none that is known.
        """
        if asked.load is not None:
            return asked.profile, asked.load
        name = asked.profile or self._own
        if not name:
            raise RequestError(
                "the load is missing", "profile, power_w with step_s, points, or energy_wh with duration_s"
            )
        load = self._known.get(name)
        if load is None:
            raise RequestError(f"profile {name!r} is not known", f"one of: {', '.join(sorted(self._known)) or 'none'}")
        return name, load


def requested_job(
    asked: JobAsked, asked_id: str, profiles: DeviceProfiles, gateway: GatewaySettings, device: str, now_s: int
) -> AddJob:
    """Return the message that adds the job that a device asks for.

    Args:
        asked: The request.
        asked_id: The job's id, which no other job of the device has.
        profiles: The load profiles that the request may name.
        gateway: The device's place in the scenario.
        device: Its id; a guest's is not in the scenario.
        now_s: Virtual time, UNIX seconds.

    Raises:
        RequestError: Its load is not known, it has no possible start, or it exceeds a limit.
    """
    name, load = profiles.load_of(asked)
    earliest_s = max(now_s, asked.earliest_start_s or now_s)
    latest_s = asked.latest_start_s
    if asked.ready_by_s is not None:
        latest_s = asked.ready_by_s - load.duration_s
    if latest_s is None or latest_s < earliest_s:
        problem = _no_start(asked, load.duration_s, earliest_s)
        raise RequestError(problem, "latest_start or ready_by, not before the earliest start")
    job_id = f"{gateway.house}/{device}/{asked_id}"
    if len(job_id) > MAX_JOB_ID_CHARACTERS:
        problem = f"the ids of house, device and job have {len(job_id)} characters together"
        raise RequestError(problem, f"at most {MAX_JOB_ID_CHARACTERS}")
    try:
        job = Job(
            job_id=job_id,
            source_id=asked_id,
            house=gateway.house,
            device=gateway.device,
            profile=name or asked_id,
            load_profile=load.as_sent,
            registered_s=now_s,
            earliest_start_s=earliest_s,
            latest_start_s=latest_s,
        )
        added = AddJob(job=job)
    except ValidationError as error:
        expected = "a load and times within the limits of scenarios"
        raise RequestError(first_problem(error), expected) from None
    if latest_s - now_s > MAX_AHEAD_S or load.duration_s > MAX_ADDED_DURATION_S:
        problem = f"the job lasts {load.duration_s} s, and starts within {latest_s - now_s} s"
        raise RequestError(problem, f"at most {MAX_ADDED_DURATION_S} s, and {MAX_AHEAD_S} s from now")
    if load.most_w > MAX_REAL_W:
        raise RequestError(f"the load reaches {load.most_w:g} W", f"at most {MAX_REAL_W:g} W")
    return added


def in_utc(time_s: int) -> str:
    """Return a virtual time as in messages: ISO 8601, in UTC."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _no_start(asked: JobAsked, duration_s: int, earliest_s: int) -> str:
    """Return why a job cannot start in time."""
    if asked.ready_by_s is not None:
        over, wanted = in_utc(earliest_s + duration_s), in_utc(asked.ready_by_s)
        return f"there is no start in time: the job takes {duration_s} s, until {over} at least; ready_by is {wanted}"
    if asked.latest_start_s is not None:
        latest = in_utc(asked.latest_start_s)
        return f"there is no start in time: latest_start {latest} is before the earliest start, {in_utc(earliest_s)}"
    return "the latest start is missing"
