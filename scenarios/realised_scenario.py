"""A scenario as a run realised it: the jobs that real devices requested, and measurements in place of assumptions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from agents import (
    GRID,
    MAX_REAL_W,
    MESSAGES,
    SHARED,
    AddJob,
    AnyMessage,
    Contract,
    CumulativeSeries,
    Job,
    JobAllowance,
    JobExecuted,
    JobWithdrawn,
    Outlook,
    Production,
    ProductionMeasured,
    addition_problem,
    load_mwh,
    shares_of,
)
from scenarios.metrics import PromisedLoad
from scenarios.scenario import ProducerSeries, Scenario

IntArray = npt.NDArray[np.int64]

_MINUTE_S = 60
_MAX_BEHIND_S = 3600
"""A counter's first reading may include earlier energy: as much as `MAX_REAL_W` gives in this time, 20 MWh, which a
household uses in years."""
MAX_LATE_S = 366 * 86_400
"""The longest time from a job's latest start to its start, seconds: a run may be stopped, and a device may be slow."""
KINDS = frozenset({"AddJob", "JobWithdrawn", "JobExecuted", "ProductionMeasured"})
"""Kinds of messages from which the realised scenario follows."""


def as_drawn(contract: Contract, agreed: Job, drawn: Job, started_s: int) -> Contract:
    """Return a contract with the start and the shares of its job as realised.

    A share is energy in certain minutes of time, whenever the device starts. Where a device draws less than its shares
    have together, each producer gives its part of that; where it draws more, the rest comes from the grid.

    Args:
        contract: A contract of shared supply.
        agreed: The job as the contract was made on it.
        drawn: The job with the load that was measured.
        started_s: When its device started, UNIX seconds.
    """
    drawn_mwh: IntArray = load_mwh(drawn.as_sent.load_profile, started_s)
    if contract.producer == GRID or not drawn_mwh.any():
        return contract.model_copy(update={"start_s": started_s})
    promised = {share.producer: share.minutes() for share in contract.shares}
    if contract.producer != SHARED:
        promised = {contract.producer: load_mwh(agreed.as_sent.load_profile, contract.start_s)}
    late = started_s // _MINUTE_S - contract.start_s // _MINUTE_S
    names = sorted(promised)
    promised_mwh = np.array([_seen_later(promised[name], late, len(drawn_mwh)) for name in names])
    total_mwh = promised_mwh.sum(axis=0)
    given_mwh = np.minimum(drawn_mwh, total_mwh)
    # Cut where the parts meet, so that together they are exactly what was drawn.
    bounds = np.cumsum(promised_mwh, axis=0) * (given_mwh / np.maximum(total_mwh, 1))
    bounds_mwh = np.minimum(np.rint(bounds).astype(np.int64), given_mwh)
    parts_mwh = np.diff(bounds_mwh, axis=0, prepend=0)
    shares = shares_of(dict(zip(names, parts_mwh, strict=True)))
    return contract.model_copy(update={"producer": SHARED if shares else GRID, "start_s": started_s, "shares": shares})


def _seen_later(series_mwh: IntArray, late: int, minutes: int) -> IntArray:
    """Return the minutes of a series from the `late`th on, padded with zeros; if it is negative, zeros come first."""
    seen_mwh = np.zeros(minutes, dtype=np.int64)
    kept_mwh = series_mwh[max(0, late) :][: max(0, minutes - max(0, -late))]
    begin = max(0, -late)
    seen_mwh[begin : begin + len(kept_mwh)] = kept_mwh
    return seen_mwh


@dataclass(frozen=True, slots=True)
class RealisedScenario:
    """A scenario as one run realised it."""

    scenario: Scenario
    """With the jobs that were added, the loads and the production that were measured."""
    agreed: Scenario
    """With the jobs that were added, as contracts were made on them."""
    optional: frozenset[str] = frozenset()
    """Ids of jobs that need not have run: they were withdrawn, or their devices were not there."""
    started_s: tuple[tuple[str, int], ...] = ()
    """Job ids, and when their devices started, UNIX seconds, where it is known."""
    is_shared: bool = False
    """Whether several producers supply a job together."""

    def settled(self, contracts: Sequence[Contract]) -> list[Contract]:
        """Return contracts with the starts of jobs as realised.

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

    def promises(self, contracts: Sequence[Contract]) -> dict[str, PromisedLoad]:
        """Return what was promised to jobs that real devices executed, by job id; see `settle`.

        With shared supply, no job gets more than that in any case (`as_drawn`).
        """
        if self.is_shared or not self.started_s:
            return {}
        executed = dict(self.started_s)
        loads = {job.job_id: job.load_profile for job in self.agreed.jobs}
        return {
            contract.job_id: PromisedLoad(contract.start_s, loads[contract.job_id])
            for contract in contracts
            if contract.job_id in executed
        }


Said = tuple[str, dict[str, Any]]
"""A message's sender and body."""


def realise(
    scenario: Scenario,
    messages: Iterable[Said],
    *,
    is_shared: bool = False,
    known_until_s: int | None = None,
    optional: Collection[str] = (),
) -> RealisedScenario:
    """Return a scenario as a run realised it. Messages of a gateway apply only to its own device.

    Args:
        scenario: As it was before the run.
        messages: The run's messages of the kinds in `KINDS`, in their order; others are passed over.
        is_shared: Whether several producers supply a job together.
        known_until_s: The run's end, UNIX seconds: forecasts issued later are no production, and no device has started
            later; None: it has not ended.
        optional: Ids of jobs that need not have run because of the timeline (`scenarios.timeline.optional_jobs`).
    """
    owners = {job.job_id: job.agent for job in scenario.jobs}
    of_scenario = {job.job_id: job for job in scenario.jobs}
    added: dict[str, Job] = {}
    allowances: defaultdict[str, JobAllowance] = defaultdict(JobAllowance)
    withdrawn = set(optional)
    executed: dict[str, JobExecuted] = {}
    given: dict[str, list[Production]] = {}
    for sender, body in messages:
        if sender not in scenario.gateways or body.get("kind") not in KINDS:
            continue
        match _understood(body):
            case AddJob(job=job) if job.job_id not in owners and _may_add(sender, job, allowances[sender]):
                added[job.job_id] = job
                owners[job.job_id] = sender
            case JobWithdrawn(job_id=job_id) if owners.get(job_id) == sender:
                withdrawn.add(job_id)
            case JobExecuted(job_id=job_id) as execution if owners.get(job_id) == sender:
                if _is_possible(execution, added.get(job_id) or of_scenario[job_id], known_until_s):
                    executed[job_id] = execution
            case ProductionMeasured(producer=p, production=measured) if p == sender and _is_plausible(measured):
                given.setdefault(p, []).append(measured)
    if not (added or executed or given):
        return RealisedScenario(scenario, scenario, frozenset(withdrawn))
    known = (*scenario.jobs, *added.values())
    loads = {job_id: e.measured for job_id, e in executed.items() if e.measured is not None}
    jobs = tuple(
        job.model_copy(update={"load_profile": loads[job.job_id]}) if job.job_id in loads else job for job in known
    )
    producers = {
        producer: replace(series, actual=_measured(series, given[producer], known_until_s))
        if producer in given
        else series
        for producer, series in scenario.producers.items()
    }
    return RealisedScenario(
        replace(scenario, jobs=_ordered(jobs), producers=producers),
        replace(scenario, jobs=_ordered(known)),
        frozenset(withdrawn),
        tuple((job_id, e.started_s) for job_id, e in executed.items()),
        is_shared,
    )


def _may_add(gateway: str, job: Job, allowance: JobAllowance) -> bool:
    """Return whether a gateway may add a job, and count it if so; the manager decides in the same way."""
    return not (addition_problem(gateway, job, is_gateway=True) or allowance.take(job, job.registered_s))


def _is_possible(execution: JobExecuted, job: Job, known_until_s: int | None) -> bool:
    """Return whether a job can have run as its gateway says: results are settled from its start on."""
    last_s = job.latest_start_s + MAX_LATE_S
    last_s = last_s if known_until_s is None else min(last_s, known_until_s)
    is_measured = execution.measured is None or _is_plausible(execution.measured)
    return is_measured and job.registered_s <= execution.started_s <= last_s


def _is_plausible(measured: CumulativeSeries) -> bool:
    """Return whether a meter can have shown a series.

    Its steps do not tell: a counter shows in a second what it has counted while its device was not heard.
    """
    span_s = measured.end_s - measured.start_s + _MAX_BEHIND_S
    return measured.energy_wh <= MAX_REAL_W * span_s / 3600


def _understood(body: dict[str, Any]) -> AnyMessage | None:
    """Return a message; None if a household's process sent nonsense, which the manager has refused as well.

    Jobs that the scenario knows are recorded without their load profile, and are not additions either.
    """
    try:
        return MESSAGES.validate_python(body)
    except ValidationError:
        return None


def _ordered(jobs: Iterable[Job]) -> tuple[Job, ...]:
    return tuple(sorted(jobs, key=lambda job: (job.registered_s, job.job_id)))


def _measured(series: ProducerSeries, parts: Sequence[Production], known_until_s: int | None) -> Production:
    """Return production as measured; before, after and between measurements, the assumed production."""
    outlook: Outlook | None = None
    if series.actual is not None:
        outlook = Outlook.of(series.actual)
    else:
        for prediction in series.predictions:
            if known_until_s is not None and prediction.issued_s > known_until_s:
                continue
            newer = prediction.production
            outlook = Outlook.of(newer) if outlook is None else outlook.continued_by(newer)
    measured_s = np.unique(np.concatenate([np.asarray(part.times_s, dtype=np.int64) for part in parts]))
    times_s = measured_s
    if outlook is not None:
        outlook_s = outlook.times_s.astype(np.int64)
        is_measured = np.zeros(len(outlook_s), dtype=np.bool_)
        for part in parts:
            is_measured |= (part.start_s <= outlook_s) & (outlook_s <= part.end_s)
        times_s = np.union1d(measured_s, outlook_s[~is_measured])
    steps_wh = np.zeros(len(times_s) - 1) if outlook is None else outlook.energy_per_bin_wh(times_s)
    # All points of a part are among the times. Where parts overlap, the first one counts.
    for part in reversed(parts):
        first, last = np.searchsorted(times_s, (part.start_s, part.end_s)).tolist()
        steps_wh[first:last] = part.energy_per_bin_wh(times_s[first : last + 1])
    cumulative_wh = np.concatenate(([0.0], np.cumsum(np.maximum(steps_wh, 0.0))))
    return Production(times_s=tuple(times_s.tolist()), cumulative_wh=tuple(cumulative_wh.tolist()))
