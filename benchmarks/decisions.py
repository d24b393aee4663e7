"""How long a decision among 100 committed jobs takes, by algorithm; and basin-hopping against random draws.

Processor time is measured, the least of a few tries of the same decision: what else runs on the machine hardly changes
it. Fails if any decision takes longer than it may.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from random import Random

import numpy as np

from agents.energy import Production
from agents.scheduling.algorithms import scheduler_for
from agents.scheduling.basin_hopping import HOUR_S, BasinHopping, PenaltyObjective
from agents.scheduling.problem import Commitment, ProducerState, Schedule, Task
from agents.scheduling.settings import BASIN_HOPPING, AlgorithmSettings
from agents.scheduling.time_grid import Grid
from scenarios.appliances import APPLIANCES

MIDNIGHT_S = 1_782_000_000 // 86_400 * 86_400
SUNRISE_S = MIDNIGHT_S + 5 * 3600
CROWDS = (
    ("100 jobs, plenty of sun", 100, 300_000.0),
    ("100 jobs, hardly any left", 100, 120_000.0),
    # So many that `insertion` still puts all of them back from scratch: it has most to do.
    ("79 jobs, hardly any left", 79, 95_000.0),
)
DECISIONS = {"fifty_fifty": 60, "insertion": 60, "L-BFGS-B": 20, "SLSQP": 20, "TNC": 20, "exact": 3}
TRIES = {"exact": 1}
LIMIT_MS = {"insertion": 5.0, "SLSQP": 100.0}
DRAWS = 300


def some_task(rng: Random, name: str) -> Task:
    """Draw a task of a household appliance, with a window of ten minutes to eight hours at any second."""
    earliest_s = MIDNIGHT_S + round(rng.uniform(7, 15) * 3600)
    width_s = round(600 * 48 ** rng.random())
    return Task(name, APPLIANCES[rng.choice(sorted(APPLIANCES))].load_profile, earliest_s, earliest_s + width_s)


def crowd(jobs: int, sun_wh: float) -> tuple[ProducerState, list[Task]]:
    """Return a producer that has promised so many jobs, and further jobs that ask for its sun."""
    rng = Random(1)
    hours = np.maximum(0.0, np.sin((np.arange(24) - 4.5) / 15 * np.pi)) * ((np.arange(24) >= 5) & (np.arange(24) < 20))
    cumulative_wh = np.concatenate(([0.0], np.cumsum(hours / hours.sum() * sun_wh)))
    times_s = tuple(MIDNIGHT_S + 3600 * hour for hour in range(25))
    production = Production(times_s=times_s, cumulative_wh=tuple(cumulative_wh.tolist()))
    insertion = scheduler_for(AlgorithmSettings("insertion"))
    committed: list[Commitment] = []
    asked = 0
    while len(committed) < jobs:
        asked += 1
        task = some_task(rng, f"job-{asked}")
        answer = insertion.place(ProducerState(production, tuple(committed), SUNRISE_S), task, rng)
        if isinstance(answer, Schedule):
            tasks = [*(c.task for c in committed), task]
            committed = [Commitment(t, answer.starts_s[t.job_id]) for t in tasks]
    return ProducerState(production, tuple(committed), SUNRISE_S), [some_task(rng, f"new-{i}") for i in range(60)]


def decisions() -> bool:
    """Time every algorithm on the same requests; say whether all kept to their limits."""
    kept = True
    for what, jobs, sun_wh in CROWDS:
        state, tasks = crowd(jobs, sun_wh)
        medians: dict[str, float] = {}
        for name, count in DECISIONS.items():
            scheduler = scheduler_for(AlgorithmSettings(name))
            scheduler.place(state, tasks[-1], Random(1))  # SciPy is imported by the first decision
            took_ms, accepted = [], 0
            for seed, task in enumerate(tasks[:count]):
                tries_ms = []
                for _ in range(TRIES.get(name, 3)):
                    begin = time.process_time()
                    answer = scheduler.place(state, task, Random(seed))
                    tries_ms.append((time.process_time() - begin) * 1e3)
                took_ms.append(min(tries_ms))
                accepted += isinstance(answer, Schedule)
            medians[name] = statistics.median(took_ms)
            limit_ms = LIMIT_MS.get(name)
            kept = kept and (limit_ms is None or max(took_ms) < limit_ms)
            print(
                f"{what}: {name:<12} median {medians[name]:8.2f} ms, most {max(took_ms):8.2f} ms, "
                f"{medians[name] / medians['fifty_fifty']:8.1f} times fifty_fifty, accepts {accepted} of {count}"
                + ("" if limit_ms is None else f" (all must stay under {limit_ms:g} ms)")
            )
    return kept


def draws() -> None:
    """Compare where basin-hopping ends with the best of 300 random plans, from the same starts and by one objective."""
    state, _ = crowd(100, 120_000.0)
    empty = ProducerState(state.production, (), state.now_s)
    tasks = [c.task for c in state.committed[:40]]
    grid = Grid.of(empty, *tasks)
    objective = PenaltyObjective.of(grid, tasks, penalty=100.0, step_s=60.0)
    lowest = np.array([max(t.earliest_start_s - grid.now_s, 0) / HOUR_S for t in tasks])
    highest = np.array([(t.latest_start_s - grid.now_s) / HOUR_S for t in tasks])
    chance = np.random.default_rng(1)
    begin = time.process_time()
    drawn = [objective(chance.uniform(lowest, highest))[0] for _ in range(DRAWS)]
    drawing_s = time.process_time() - begin
    start = chance.uniform(lowest, highest)
    commitments = [Commitment(t, grid.now_s + round(x * HOUR_S)) for t, x in zip(tasks, start.tolist(), strict=True)]
    for method in BASIN_HOPPING:
        begin = time.process_time()
        found, _ = objective(BasinHopping(method, 100.0, 60.0, 0.01).optimise(grid, commitments, Random(1)))
        took_s = time.process_time() - begin
        print(
            f"{method:<9} objective {found:9.0f} Wh, {found / min(drawn):.3f} of the best of {DRAWS} draws, "
            f"{found / objective(start)[0]:.3f} of where it began, in {took_s / drawing_s:.2f} of their time"
        )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    within_limits = decisions()
    draws()
    sys.exit(0 if within_limits else "a decision took longer than it may")
