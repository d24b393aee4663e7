"""From a scenario back to a file's content: times after the start, what a device's jobs share said once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from agents.energy import LoadProfile, Prediction, Production
from agents.model import Job
from scenarios.errors import Problem, ScenarioError
from scenarios.files.build import JobIds
from scenarios.files.findings import locate_in
from scenarios.files.model import VERSION, ScenarioFile
from scenarios.files.times import format_after_start
from scenarios.files.validate import make_file
from scenarios.scenario import Scenario


def describe(scenario: Scenario) -> ScenarioFile:
    """Return the file of which `scenario` is built.

    Raises:
        ScenarioError: No file makes this scenario: two load profiles with one name, job ids that do not follow from
            source ids, a producer without a prediction.
    """
    where = f"scenario {scenario.name!r}"
    profiles: dict[str, LoadProfile] = {}
    for job in scenario.jobs:
        if profiles.setdefault(job.profile, job.load_profile) != job.load_profile:
            raise ScenarioError([Problem(where, f"two load profiles are called {job.profile!r}")])
    shared = _shared_profiles(scenario.jobs)
    start_s = scenario.start_s
    content = {
        "version": VERSION,
        "name": scenario.name,
        "description": scenario.description,
        "start": scenario.zone.iso(start_s),
        "days": scenario.days,
        "seed": scenario.seed,
        "algorithm": scenario.algorithm,
        "load_profiles": profile_entries(profiles),
        "houses": [
            {
                "id": house.id,
                "name": house.name,
                "devices": [
                    consumer_entry(device.id, device.name, device.template, shared.get((house.id, device.id)))
                    if device.type == "consumer"
                    else producer_entry(
                        device.id,
                        device.name,
                        device.template,
                        scenario.producers[device.id].predictions,
                        start_s=start_s,
                        actual=scenario.producers[device.id].actual,
                    )
                    for device in house.devices
                ],
            }
            for house in scenario.houses
        ],
        "jobs": [_job(job, start_s, shared) for job in _in_id_order(scenario.jobs, where)],
        "tariff": asdict(scenario.tariff) if scenario.tariff else None,
    }
    return make_file(content, locate_in(where))


def profile_entries(profiles: Mapping[str, LoadProfile]) -> dict[str, Any]:
    """Return load profiles as they stand in a file."""
    return {
        name: {"points": list(zip(profiles[name].times_s, profiles[name].cumulative_wh, strict=True))}
        for name in sorted(profiles, key=natural_order)
    }


def consumer_entry(device: str, name: str, template: str, profile: str | None) -> dict[str, Any]:
    """Return a consumer as it stands in a file."""
    return {"id": device, "type": "consumer", "name": name, "template": template, "load_profile": profile}


def producer_entry(
    device: str,
    name: str,
    template: str,
    predictions: Sequence[Prediction],
    *,
    start_s: int,
    actual: Production | None = None,
) -> dict[str, Any]:
    """Return a producer as it stands in a file."""
    return {
        "id": device,
        "type": "producer",
        "name": name,
        "template": template,
        "predictions": [
            {
                "issued": format_after_start(prediction.issued_s, start_s),
                "points": _points(prediction.production, start_s),
            }
            for prediction in predictions
        ],
        "actual": {"points": _points(actual, start_s)} if actual else None,
    }


def _points(production: Production, start_s: int) -> list[tuple[str, float]]:
    times = (format_after_start(time_s, start_s) for time_s in production.times_s)
    return list(zip(times, production.cumulative_wh, strict=True))


def _shared_profiles(jobs: Sequence[Job]) -> dict[tuple[str, str], str]:
    """Return the load profile of each device whose jobs all have the same."""
    names: dict[tuple[str, str], set[str]] = {}
    for job in jobs:
        names.setdefault((job.house, job.device), set()).add(job.profile)
    return {device: next(iter(profiles)) for device, profiles in names.items() if len(profiles) == 1}


def _job(job: Job, start_s: int, shared: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    return {
        "house": job.house,
        "device": job.device,
        "id": job.source_id if job.source_id != f"{job.house}/{job.device}" else None,
        "load_profile": None if (job.house, job.device) in shared else job.profile,
        "registered": format_after_start(job.registered_s, start_s),
        "earliest_start": format_after_start(job.earliest_start_s, start_s),
        "latest_start": format_after_start(job.latest_start_s, start_s),
    }


def _in_id_order(jobs: Sequence[Job], where: str) -> list[Job]:
    """Return the jobs as they are, but each after those that its id counts from."""
    ids = JobIds()
    ordered: list[Job] = []
    pending = list(jobs)
    while pending:
        left = []
        for job in pending:
            if ids.next_for(job.source_id) == job.job_id:
                ids.take(job.source_id)
                ordered.append(job)
            else:
                left.append(job)
        if len(left) == len(pending):
            what = f"the job id {left[0].job_id!r} does not follow from the source id {left[0].source_id!r}"
            raise ScenarioError([Problem(where, what)])
        pending = left
    return ordered


def natural_order(text: str) -> tuple[tuple[bool, int, str], ...]:
    """Return a sort key under which `9` comes before `10`."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return tuple((False, int(part), part) if part[0] in "0123456789" else (True, 0, part) for part in parts)
