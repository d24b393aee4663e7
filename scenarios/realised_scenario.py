"""A scenario as a run realised it: the jobs that real devices requested, and measurements in place of assumptions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import ValidationError

from agents import (
    MESSAGES,
    AddJob,
    AnyMessage,
    Contract,
    Job,
    JobExecuted,
    JobWithdrawn,
    Outlook,
    Production,
    ProductionMeasured,
    addition_problem,
)
from scenarios.drawn_shares import as_drawn
from scenarios.scenario import ProducerSeries, Scenario

MAX_LATE_S = 366 * 86_400
"""How long after its latest start a job may start at most: a run may be stopped, and a device be slow."""
KINDS = frozenset({"AddJob", "JobWithdrawn", "JobExecuted", "ProductionMeasured"})
"""Kinds of messages that say so."""


@dataclass(frozen=True, slots=True)
class Realised:
    """A scenario as it came about in one run."""

    scenario: Scenario
    """With the jobs that were added, the loads and the production that were measured."""
    agreed: Scenario
    """With the jobs that were added, as contracts were made on them."""
    withdrawn: frozenset[str] = frozenset()
    """Ids of jobs that were withdrawn."""
    started_s: tuple[tuple[str, int], ...] = ()
    """Job ids, and when their devices started, UNIX seconds, where it is known."""
    is_shared: bool = False
    """Whether several producers supply a job together."""

    def settled(self, contracts: Sequence[Contract]) -> list[Contract]:
        """Return contracts with the starts of jobs as they came about.

        With shared supply a producer gives what it has promised, in the minutes for which it has promised it, and never
        more than the device drew then: a device that is late, or draws more, takes nothing that others were promised.
        """
        started_s = dict(self.started_s)
        if not started_s:
            return list(contracts)
        drawn = {job.job_id: job for job in self.scenario.jobs} if self.is_shared else {}
        agreed = {job.job_id: job for job in self.agreed.jobs} if self.is_shared else {}
        settled = []
        for contract in contracts:
            job_id = contract.job_id
            if job_id not in started_s:
                settled.append(contract)
            elif self.is_shared:
                settled.append(as_drawn(contract, agreed[job_id], drawn[job_id], started_s[job_id]))
            else:
                settled.append(contract.model_copy(update={"start_s": started_s[job_id]}))
        return settled


Said = tuple[str, dict[str, Any]]
"""A message's sender and body."""


def realise(scenario: Scenario, messages: Iterable[Said], *, is_shared: bool = False) -> Realised:
    """Return a scenario as a run realised it. Messages of a gateway apply only to its own device.

    Args:
        scenario: As it was before the run.
        messages: The run's messages of the kinds in `KINDS`, in their order; others are passed over.
        is_shared: Whether several producers supply a job together.
    """
    owners = {job.job_id: job.agent for job in scenario.jobs}
    of_scenario = {job.job_id: job for job in scenario.jobs}
    added: dict[str, Job] = {}
    withdrawn: set[str] = set()
    executed: dict[str, JobExecuted] = {}
    given: dict[str, list[Production]] = {}
    for sender, body in messages:
        if sender not in scenario.gateways or body.get("kind") not in KINDS:
            continue
        match _understood(body):
            case AddJob(job=job):
                if job.job_id not in owners and not addition_problem(sender, job, is_gateway=True):
                    added[job.job_id] = job
                    owners[job.job_id] = sender
            case JobWithdrawn(job_id=job_id) if owners.get(job_id) == sender:
                withdrawn.add(job_id)
            case JobExecuted(job_id=job_id) as execution if owners.get(job_id) == sender:
                if _is_plausible(execution, added.get(job_id) or of_scenario[job_id]):
                    executed[job_id] = execution
            case ProductionMeasured() as measured if measured.producer == sender:
                given.setdefault(measured.producer, []).append(measured.production)
    if not (added or executed or given):
        return Realised(scenario, scenario, frozenset(withdrawn))
    known = (*scenario.jobs, *added.values())
    loads = {job_id: e.measured for job_id, e in executed.items() if e.measured is not None}
    jobs = tuple(
        job.model_copy(update={"load_profile": loads[job.job_id]}) if job.job_id in loads else job for job in known
    )
    producers = {
        producer: replace(series, actual=_measured(series, given[producer])) if producer in given else series
        for producer, series in scenario.producers.items()
    }
    return Realised(
        replace(scenario, jobs=_ordered(jobs), producers=producers),
        replace(scenario, jobs=_ordered(known)),
        frozenset(withdrawn),
        tuple((job_id, e.started_s) for job_id, e in executed.items()),
        is_shared,
    )


def _is_plausible(execution: JobExecuted, job: Job) -> bool:
    """Return whether a job can have started when its gateway says: results are settled from then on."""
    return job.registered_s <= execution.started_s <= job.latest_start_s + MAX_LATE_S


def _understood(body: dict[str, Any]) -> AnyMessage | None:
    """Return a message; None if a household's process sent nonsense, which the manager has refused as well.

    Jobs that the scenario knows are recorded without their load profile, and are no additions either.
    """
    try:
        return MESSAGES.validate_python(body)
    except ValidationError:
        return None


def _ordered(jobs: Iterable[Job]) -> tuple[Job, ...]:
    return tuple(sorted(jobs, key=lambda job: (job.registered_s, job.job_id)))


def _measured(series: ProducerSeries, parts: Sequence[Production]) -> Production:
    """Return production as it was measured; what was assumed stands before, after, and between measurements."""
    outlook: Outlook | None = None
    if series.actual is not None:
        outlook = Outlook.of(series.actual)
    else:
        for prediction in series.predictions:
            newer = prediction.production
            outlook = Outlook.of(newer) if outlook is None else outlook.continued_by(newer)
    times_s = sorted({time_s for part in parts for time_s in part.times_s})
    if outlook is not None:
        first_s, last_s = times_s[0], times_s[-1]
        assumed_s = [int(s) for s in outlook.times_s if not first_s <= s <= last_s]
        times_s = sorted({*times_s, *assumed_s})
    energies_wh = [0.0]
    for begin_s, end_s in pairwise(times_s):
        part = next((part for part in parts if part.start_s <= begin_s and end_s <= part.end_s), None)
        edges_s = [begin_s, end_s]
        if part is not None:
            step_wh = float(part.energy_per_bin_wh(edges_s)[0])
        else:
            step_wh = 0.0 if outlook is None else float(outlook.energy_per_bin_wh(edges_s)[0])
        energies_wh.append(energies_wh[-1] + max(0.0, step_wh))
    return Production(times_s=tuple(times_s), cumulative_wh=tuple(np.asarray(energies_wh).tolist()))
