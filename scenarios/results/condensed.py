"""Messages as they are recorded: which job they are about, and no load profile that the scenario tells already."""

from __future__ import annotations

from typing import Any

from agents.energy import LoadProfile
from scenarios.scenario import Scenario


class Condenser:
    """Knows the load profiles of a scenario. A request would otherwise carry one, and be most of the file."""

    def __init__(self, scenario: Scenario) -> None:
        self._jobs = {job.job_id: job for job in scenario.jobs}

    def condensed(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a message without the load profile of its job where it is the scenario's; else as it is."""
        job = body.get("job")
        if not isinstance(job, dict):
            return body
        job_id, load = job.get("job_id"), job.get("load_profile")
        if not isinstance(job_id, str) or not isinstance(load, dict):
            return body
        known = self._jobs.get(job_id)
        if known is None or not _is_same(load, known.load_profile.as_sent):
            return body
        return {**body, "job": {key: value for key, value in job.items() if key != "load_profile"}}


def _is_same(told: dict[str, Any], load: LoadProfile) -> bool:
    """Say whether a load profile of a message, with lists or with tuples, is this one."""
    return told.keys() == {"times_s", "cumulative_wh"} and all(
        isinstance(told[key], list | tuple) and tuple(told[key]) == getattr(load, key) for key in told
    )


def job_of(body: dict[str, Any]) -> str | None:
    """Return the id of the job that a message is about; None where it is about none."""
    for holder in (body.get("job"), body.get("contract"), body):
        if isinstance(holder, dict) and isinstance(job_id := holder.get("job_id"), str):
            return job_id
    contract_id = body.get("contract_id")
    if isinstance(contract_id, str) and "/" in contract_id:
        return contract_id.rpartition("/")[0]  # see `agents.model.Contract`
    return None
