"""The outcome of a lab: its results file, like that of a run, and the figures that only a lab has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from agents import GRID, Contract, FloatArray, Job, LedgerEntry, LedgerEvent
from scenarios.base_load import net_of_base_loads
from scenarios.lab.appliance import ApplianceRun
from scenarios.lab.lab import Lab
from scenarios.metrics import MINUTE_S, real_production_wh
from scenarios.results import RecordedEnd, RunWriter, SimulationSpec, create_results, seal
from scenarios.scenario import Scenario

ALGORITHM = "controller"
"""In the place of a scheduling algorithm in results and comparisons."""
_TOLERANCE_WH = 1e-6


@dataclass(frozen=True, slots=True)
class LabFigures:
    """Figures of a lab in addition to those of every run."""

    jobs_by_controller: int
    """Jobs that the controller started within their window."""
    jobs_by_hand: int
    """Jobs that a person started at their latest start, because the controller had not."""
    jobs_after_window: int
    """Jobs that the controller started after their latest start."""
    jobs_not_started: int
    """Jobs that were never started."""
    jobs_not_done: int
    """Jobs that were started and had not ended when the lab did."""
    interruptions: int
    """How often an appliance lost its power while it ran."""
    switched: int
    """How often a relay changed."""
    curtailed_wh: float
    """What inverters could have given and were not allowed to."""
    lag_wall_s: float
    """The longest time by which anything was late, wall-clock seconds."""
    lag_p99_wall_s: float
    """The 99th percentile of it."""

    def as_dict(self) -> dict[str, float]:
        """Return the figures by name."""
        return asdict(self)


def lab_figures(lab: Lab) -> LabFigures:
    """Return the figures of a lab that has ended."""
    runs = controllable(lab)
    started = [run for run in runs if run.start_s is not None]
    by_controller = [run for run in started if run.started_by == "controller"]
    in_window = [run for run in by_controller if run.start_s is not None and run.start_s <= _latest_s(run)]
    lags = np.asarray(lab.agenda.lags_wall_s) if lab.agenda.lags_wall_s else np.zeros(1)
    return LabFigures(
        jobs_by_controller=len(in_window),
        jobs_by_hand=sum(run.started_by == "hand" for run in started),
        jobs_after_window=len(by_controller) - len(in_window),
        jobs_not_started=len(runs) - len(started),
        jobs_not_done=sum(not run.is_done for run in started),
        interruptions=sum(run.interruptions for run in runs),
        switched=sum(plug.switched for key, plug in lab.emulated.plugs.items() if key not in lab.emulated.fixed),
        curtailed_wh=sum(inverter.curtailed_wh(lab.reached_s) for inverter in lab.emulated.inverters.values()),
        lag_wall_s=round(float(lags.max()), 4),
        lag_p99_wall_s=round(float(np.percentile(lags, 99)), 4),
    )


def controllable(lab: Lab) -> list[ApplianceRun]:
    """Return the jobs that are a matter for a controller and were loaded before the lab's end."""
    fixed = {run.job.job_id for key in lab.emulated.fixed for run in lab.emulated.plugs[key].appliance.runs}
    return [run for run in lab.runs if run.job.job_id not in fixed and run.loaded_s <= lab.reached_s]


def _latest_s(run: ApplianceRun) -> int:
    return max(run.job.latest_start_s, run.loaded_s)


def as_run(lab: Lab) -> Scenario:
    """Return the scenario as the lab ran it: a load that was interrupted as it drew, a limited panel as it gave."""
    measured = {
        run.job.job_id: run.measured_profile(lab.reached_s)
        for run in lab.runs
        if len(run.intervals) > 1 or (run.intervals and run.interruptions)
    }
    jobs = tuple(
        job.model_copy(update={"load_profile": measured[job.job_id]}) if job.job_id in measured else job
        for job in lab.scenario.jobs
    )
    limited = {
        i.device: i.given(lab.reached_s) for i in lab.emulated.inverters.values() if i.curtailed_wh(lab.reached_s)
    }
    producers = {
        producer: replace(series, actual=limited[producer]) if producer in limited else series
        for producer, series in lab.scenario.producers.items()
    }
    return replace(lab.scenario, jobs=jobs, producers=producers)


def contracts_of(scenario: Scenario, runs: Iterable[ApplianceRun], end_s: int) -> list[Contract]:
    """Return who supplies each job that was started.

    In the order of their starts, each job gets a producer whose actual production covers it in full in addition to
    earlier jobs, its own house's first, else the grid: the rule of contracts with knowledge of the production, as in
    the baselines.

    Args:
        scenario: The scenario as it ran.
        runs: The jobs and how they went.
        end_s: End of the lab, UNIX seconds.
    """
    by_id = {job.job_id: job for job in scenario.jobs}
    started = sorted(
        ((run.start_s, by_id[run.job.job_id]) for run in runs if run.start_s is not None),
        key=lambda one: (one[0], one[1].job_id),
    )
    first_s = scenario.start_s // MINUTE_S * MINUTE_S
    last_s = max([end_s, *(start_s + job.duration_s for start_s, job in started)])
    minutes = max(1, -((first_s - last_s) // MINUTE_S))
    edges_s = first_s + MINUTE_S * np.arange(minutes + 1, dtype=np.float64)
    # A house's own panels serve its base load before all jobs.
    left = net_of_base_loads(scenario, end_s).producers
    room_wh = {producer: real_production_wh(of, edges_s, end_s) for producer, of in left.items()}
    house_of = {d.id: house.id for house in scenario.houses for d in house.devices if d.type == "producer"}
    return [
        Contract(
            contract_id=f"{job.job_id}/1",
            job_id=job.job_id,
            producer=_supplier(job, start_s, first_s, edges_s, room_wh, house_of),
            start_s=start_s,
            agreed_s=start_s,
            energy_wh=job.energy_wh,
        )
        for start_s, job in started
    ]


def _supplier(
    job: Job,
    start_s: int,
    first_s: int,
    edges_s: FloatArray,
    room_wh: dict[str, FloatArray],
    house_of: dict[str, str],
) -> str:
    first = (start_s - first_s) // MINUTE_S
    last = -((first_s - start_s - job.duration_s) // MINUTE_S)
    draw_wh = job.load_profile.energy_per_bin_wh(edges_s[first : last + 1] - start_s)
    for producer in sorted(room_wh, key=lambda one: (house_of[one] != job.house, one)):
        room = room_wh[producer][first:last]
        if (draw_wh[: len(room)] <= room + _TOLERANCE_WH).all():
            room_wh[producer][first:last] -= draw_wh[: len(room)]
            return producer
    return GRID


def write_results(lab: Lab, *, is_complete: bool, wall_s: float, out: Path | None) -> Path:
    """Write the results of a lab, and return the file.

    Args:
        lab: The lab, which has ended.
        is_complete: Whether it ran to its end.
        wall_s: Its duration, wall-clock seconds.
        out: The file; None: one named after the scenario and the time, in the default folder.

    Raises:
        ResultsError: The file cannot be written.
    """
    scenario, settings = as_run(lab), lab.settings
    chosen: dict[str, Any] = {
        "lab": {
            "as": [*settings.kinds.plugs, *settings.kinds.inverters],
            "pace": str(lab.clock.pace),
            "by_hand": settings.by_hand,
            "faults": [asdict(fault) for fault in settings.faults],
            **lab_figures(lab).as_dict(),
        },
        "days": None,
        "patient": True,
    }
    spec = SimulationSpec(scenario, ALGORITHM, (scenario.seed,), str(lab.broker.url), settings=chosen)
    path = create_results(spec, out)
    contracts = contracts_of(scenario, lab.runs, lab.reached_s)
    with RunWriter(
        path, scenario, run=1, run_id=settings.run_id, seed=scenario.seed, start_s=scenario.start_s
    ) as writer:
        for contract in contracts:
            writer.entry(_entry(contract))
        writer.finish(
            RecordedEnd(
                "done" if is_complete else "interrupted",
                lab.reached_s,
                wall_s=wall_s,
                not_registered=tuple(job.job_id for job in scenario.jobs if job.registered_s > lab.reached_s),
                error="" if is_complete else f"stopped by {lab.stopped_by}" if lab.stopped_by else "",
            )
        )
    seal(path)
    return path


def _entry(contract: Contract) -> LedgerEntry:
    agreed = LedgerEvent(at_s=contract.agreed_s, what="agreed", start_s=contract.start_s)
    return LedgerEntry(contract=contract, state="standing", history=(agreed,))
