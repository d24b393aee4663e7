"""Baselines without negotiation: earliest starts, random starts, and PySSMic's own rule.

All baselines are measured like runs: minute by minute against actual production, each producer for its own jobs
(`scenarios.metrics.settlement`). Two of them determine only when a job starts, not who supplies it. Suppliers are then
assigned in the order of registration: a job gets the first producer whose actual production covers it in full in
addition to earlier jobs, or else the grid. This is the rule of contracts with knowledge of the actual production, which
favours the baseline. Jobs of one device follow one another here, too. Each start leaves room for all later jobs of its
device, even for those not known by then, which again favours the baselines. (Giving each minute's production to all
jobs that draw at that moment would cover more, in parts. That is a different rule, measured by a run's pooled
self-consumption.)

PySSMic's rule: a start is drawn from the window once and never moves. Producers are asked in the order of their scores
(accepted: -1, declined: +1; lowest first). A producer sets the new job and all of its jobs that have not started to
random starts; this is where its optimiser ends, as rounding removes every gradient. It accepts if the mismatch between
its forecast and these jobs, with demand beyond the forecast counted twice, is less than at its last acceptance. A new
forecast changes no contract, a job that has started is forgotten, and a job without a producer runs on grid power.
PySSMic's errors in arithmetic (uneven intervals, interpolation by position) are not reproduced.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean, stdev

import numpy as np

from agents import GRID, Contract, FloatArray, Job, PendingRun, Starts, open_starts
from scenarios.base_load import net_of_base_loads
from scenarios.device_overlaps import jobs_without_room, pending_run_of
from scenarios.metrics import MINUTE_S, real_production_wh, settle
from scenarios.scenario import ProducerSeries, Scenario

TOLERANCE_WH = 1e-6
"""Tolerance of one minute, as for promises."""
FIRST_SCORE = 10


@dataclass(frozen=True, slots=True)
class Baseline:
    """A strategy without negotiation, and the energy that it delivers."""

    name: str
    """Its name, for users."""
    draws_wh: tuple[float, ...]
    """Delivered energy of each random draw; a single value where the strategy is deterministic."""
    plans: tuple[Mapping[str, tuple[str, int]], ...]
    """The plan of each draw: producer, which may be the grid, and start (UNIX seconds) by job id."""

    def plans_above(self, limit_wh: float) -> list[Mapping[str, tuple[str, int]]]:
        """Return the plans that deliver more than `limit_wh`, Wh."""
        return [plan for plan, wh in zip(self.plans, self.draws_wh, strict=True) if wh > limit_wh]

    @property
    def delivered_wh(self) -> float:
        """Delivered energy, Wh: the mean over the draws."""
        return fmean(self.draws_wh)

    @property
    def deviation_wh(self) -> float | None:
        """Sample standard deviation over the draws; None for a single one."""
        return stdev(self.draws_wh) if len(self.draws_wh) > 1 else None


def baselines(
    scenario: Scenario, *, seed: int | None = None, draws: int = 10, end_s: int | None = None
) -> tuple[Baseline, ...]:
    """Return all baselines of a scenario.

    Args:
        scenario: Neighbourhood, jobs and production.
        seed: Seed of the random draws; None: the scenario's.
        draws: Number of draws of each random strategy.
        end_s: End of the run, UNIX seconds; None: the scenario's own. Jobs registered later are left out.
    """
    street = _Street(net_of_base_loads(scenario, end_s), end_s)
    rng = Random(f"{scenario.seed if seed is None else seed}/baselines")
    return (
        street.measured("earliest start", [street.first_fit(street.earliest_starts())]),
        street.measured("random start", [street.first_fit(street.random_starts(rng)) for _ in range(draws)]),
        street.measured("PySSMic's rule", [_pyssmic(street, rng) for _ in range(draws)]),
    )


class _Street:
    """The jobs that a run learns of, and production by minute."""

    def __init__(self, scenario: Scenario, end_s: int | None) -> None:
        if end_s is None and scenario.days is not None:
            end_s = scenario.end_s(scenario.days)
        self.scenario = scenario
        self.jobs = [job for job in scenario.jobs if end_s is None or job.registered_s <= end_s]
        last_s = max(
            (max(job.latest_start_s, self.earliest_s(job)) + job.duration_s for job in self.jobs),
            default=scenario.start_s,
        )
        self.end_s = last_s if end_s is None else end_s
        self.first_s = scenario.start_s // MINUTE_S * MINUTE_S
        minutes = max(1, -((self.first_s - last_s) // MINUTE_S))
        self.edges_s = self.first_s + MINUTE_S * np.arange(minutes + 1, dtype=np.float64)
        self._later = self._later_runs()
        self.production_wh = {
            producer: real_production_wh(of, self.edges_s, self.end_s) for producer, of in scenario.producers.items()
        }

    def earliest_s(self, job: Job) -> int:
        """Return the first second at which a job can start; after its window if it was registered too late."""
        return max(job.earliest_start_s, job.registered_s, self.scenario.start_s)

    def random_start_s(self, job: Job, rng: Random, starts: Starts = ()) -> int:
        """Draw a start of a job.

        Args:
            job: The job.
            rng: The random number generator.
            starts: Intervals of starts to draw from, UNIX seconds; empty: the rest of its window.
        """
        earliest_s = self.earliest_s(job)
        stretches = starts or ((earliest_s, max(earliest_s, job.latest_start_s)),)
        place = rng.randint(0, sum(last_s - first_s + 1 for first_s, last_s in stretches) - 1)
        for first_s, last_s in stretches:
            if place <= last_s - first_s:
                return first_s + place
            place -= last_s - first_s + 1
        return earliest_s

    def random_starts(self, rng: Random) -> Iterator[int]:
        """Yield a random start for each job at which its device is free."""
        return self._one_after_the_other(lambda job, starts: self.random_start_s(job, rng, starts))

    def earliest_starts(self) -> Iterator[int]:
        """Yield the earliest start for each job at which its device is free."""
        return self._one_after_the_other(lambda job, starts: starts[0][0] if starts else self.earliest_s(job))

    def _one_after_the_other(self, choose: Callable[[Job, Starts], int]) -> Iterator[int]:
        """Yield a start for each job, chosen among those that leave room for the later jobs of its device."""
        busy: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for job in self.jobs:
            starts: Starts = ()
            if job.job_id in self._later:
                starts = open_starts(
                    pending_run_of(job, self.scenario.start_s), self._later[job.job_id], busy[job.agent]
                )
            start_s = choose(job, starts)
            if job.job_id in self._later:
                busy[job.agent].append((start_s, start_s + job.duration_s))
            yield start_s

    def _later_runs(self) -> dict[str, list[PendingRun]]:
        """Return the later jobs of the same device by job id, where jobs can run one after another."""
        without = {job.job_id for job in jobs_without_room(self.jobs, self.scenario.start_s)}
        by_device: dict[str, list[PendingRun]] = defaultdict(list)
        later: dict[str, list[PendingRun]] = {}
        for job in reversed(self.jobs):
            if job.job_id not in without and self.earliest_s(job) <= job.latest_start_s:
                later[job.job_id] = list(by_device[job.agent])
                by_device[job.agent].append(pending_run_of(job, self.scenario.start_s))
        return later

    def draw(self, job: Job, start_s: int) -> tuple[slice, FloatArray]:
        """Return the minutes in which a job draws, and its energy in them, Wh."""
        first = (start_s - self.first_s) // MINUTE_S
        last = -((self.first_s - start_s - job.duration_s) // MINUTE_S)
        minutes = slice(first, last)
        return minutes, job.load_profile.energy_per_bin_wh(self.edges_s[first : last + 1] - start_s)

    def first_fit(self, starts_s: Iterable[int]) -> list[Contract]:
        """Return contracts in which each job goes to the first producer that covers it in addition to earlier jobs."""
        room_wh = {producer: production_wh.copy() for producer, production_wh in self.production_wh.items()}
        contracts = []
        for job, start_s in zip(self.jobs, starts_s, strict=True):
            minutes, draw_wh = self.draw(job, start_s)
            takers = () if start_s > job.latest_start_s else sorted(room_wh)
            taker = next((p for p in takers if (draw_wh <= room_wh[p][minutes] + TOLERANCE_WH).all()), GRID)
            if taker != GRID:
                room_wh[taker][minutes] -= draw_wh
            contracts.append(_contract(job, taker, start_s))
        return contracts

    def measured(self, name: str, draws: Sequence[list[Contract]]) -> Baseline:
        """Return the baseline of this name that made these contracts, draw by draw."""
        return Baseline(
            name,
            tuple(self.delivered_wh(contracts) for contracts in draws),
            tuple({made.job_id: (made.producer, made.start_s) for made in contracts} for contracts in draws),
        )

    def delivered_wh(self, contracts: list[Contract]) -> float:
        """Return the energy that producers deliver, Wh, as a run's settlement counts it."""
        settled = settle(self.scenario, contracts, self.scenario.start_s, self.end_s)
        return float(settled.delivered_wh.sum())


class _Producer:
    """A producer that follows PySSMic's rule."""

    def __init__(self, street: _Street, of: ProducerSeries) -> None:
        self.score = FIRST_SCORE
        self._street = street
        self._of = of
        self._feasible_part: list[tuple[Job, int]] = []
        self._missed_wh = np.inf

    def accepts(self, job: Job, start_s: int, rng: Random) -> bool:
        """Decide on a job that is registered now, and keep it if accepted."""
        now_s = max(job.registered_s, self._street.scenario.start_s)
        self._feasible_part = [(kept, starts_s) for kept, starts_s in self._feasible_part if starts_s > now_s]
        forecast_wh = real_production_wh(ProducerSeries(self._of.predictions), self._street.edges_s, now_s)
        load_wh = np.zeros_like(forecast_wh)
        for other in [*(kept for kept, _ in self._feasible_part), job]:
            minutes, draw_wh = self._street.draw(other, self._street.random_start_s(other, rng))
            load_wh[minutes] += draw_wh
        missed_wh = float(np.abs(forecast_wh - load_wh).sum() + np.maximum(0.0, load_wh - forecast_wh).sum())
        accepted = missed_wh < self._missed_wh
        if accepted:
            self._missed_wh = missed_wh
            self._feasible_part.append((job, start_s))
        self.score += -1 if accepted else 1
        return accepted


def _pyssmic(street: _Street, rng: Random) -> list[Contract]:
    """Return the contracts of one run under PySSMic's rule."""
    producers = {producer: _Producer(street, of) for producer, of in sorted(street.scenario.producers.items())}
    contracts = []
    for job, start_s in zip(street.jobs, street.random_starts(rng), strict=True):
        ranked = sorted(producers, key=lambda producer: (producers[producer].score, producer))
        taker = next((producer for producer in ranked if producers[producer].accepts(job, start_s, rng)), GRID)
        contracts.append(_contract(job, taker, start_s))
    return contracts


def _contract(job: Job, producer: str, start_s: int) -> Contract:
    return Contract(
        contract_id=f"{job.job_id}/1",
        job_id=job.job_id,
        producer=producer,
        start_s=start_s,
        agreed_s=job.registered_s,
        energy_wh=job.energy_wh,
    )
