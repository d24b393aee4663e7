"""Large neighbourhood search (ruin and recreate) with simulated annealing, for good plans fast.

A round removes tasks that draw at about the same time, or forces in a task that has no placement and removes the tasks
in its way. It then fills the room by one of several insertion rules: a random start, the earliest, the latest, the one
where dual prices or production are lowest, or the one that leaves the least production unused. No single rule is best
in all neighbourhoods; together they beat each of them. (Exact programs over a dozen tasks with the others fixed were
tried: seconds each, and they found nothing better.) All random numbers come from one seeded generator, so the same
number of rounds gives the same plan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from random import Random

import numpy as np

from agents import FloatArray
from scenarios.optimum.partial_schedule import Freed, PartialSchedule, Placement, PlacementOptions, StartCandidates
from scenarios.optimum.starts import TOLERANCE_WH, IntArray

EPSILON_WH = 1e-6
CYCLE = 1500
"""Rounds of one annealing cycle."""
TEMPERATURES = (0.03, 0.2, 0.01, 0.08)
"""Initial temperature of each cycle, as a share of the mean energy of a task. No single temperature is best
everywhere."""

InsertionRule = Callable[[PartialSchedule, list[tuple[StartCandidates, IntArray]]], tuple[StartCandidates, int]]
"""Chooses one of the feasible starts of a task: the candidates and the index of the start in their grid."""


def earliest(
    _packing: PartialSchedule, feasible_starts: list[tuple[StartCandidates, IntArray]]
) -> tuple[StartCandidates, int]:
    """Choose the earliest of `feasible_starts` (indices into the task's grid), regardless of the schedule."""
    candidate, indices = min(
        feasible_starts, key=lambda feasible_start: feasible_start[0].start_grid.first_bin + int(feasible_start[1][0])
    )
    return candidate, int(indices[0])


def latest(
    _packing: PartialSchedule, feasible_starts: list[tuple[StartCandidates, IntArray]]
) -> tuple[StartCandidates, int]:
    """Choose the latest of `feasible_starts` (indices into the task's grid), regardless of the schedule."""
    candidate, indices = max(
        feasible_starts, key=lambda feasible_start: feasible_start[0].start_grid.first_bin + int(feasible_start[1][-1])
    )
    return candidate, int(indices[-1])


def tightest(
    schedule: PartialSchedule, feasible_starts: list[tuple[StartCandidates, IntArray]]
) -> tuple[StartCandidates, int]:
    """Choose the one of `feasible_starts` at which `schedule` leaves the least production unused."""
    return _cheapest(schedule.room_wh, feasible_starts)


def lowest_price(price: FloatArray) -> InsertionRule:
    """Return the rule that chooses the start with the lowest cost.

    Args:
        price: Price per Wh by producer and bin, shape (producers, bins).
    """
    return lambda _packing, feasible_starts: _cheapest(price, feasible_starts)


def any_start(rng: Random) -> InsertionRule:
    """Return the rule that draws any feasible start, with equal probability."""

    def choose(
        _packing: PartialSchedule, feasible_starts: list[tuple[StartCandidates, IntArray]]
    ) -> tuple[StartCandidates, int]:
        candidate, indices = rng.choices(feasible_starts, [len(indices) for _, indices in feasible_starts])[0]
        return candidate, int(indices[rng.randrange(len(indices))])

    return choose


def greedy(options: PlacementOptions, rule: InsertionRule) -> PartialSchedule:
    """Place the tasks one by one in the order of falling energy.

    Args:
        options: Where each task fits on its own.
        rule: Chooses among the feasible starts of a task.
    """
    schedule = PartialSchedule(options)
    fill(schedule, sorted(options.placeable, key=lambda i: (-options.instance.tasks[i].energy_wh, i)), rule)
    return schedule


def fill(
    schedule: PartialSchedule,
    order: Iterable[int],
    rule: InsertionRule,
    freed: Freed | None = None,
    loose: Iterable[int] = (),
) -> None:
    """Insert as many tasks as fit, in the order given.

    Args:
        schedule: The schedule to fill; changed in place.
        order: Indices of the tasks to try, first one first.
        rule: Chooses among the feasible starts of a task.
        freed: Bins, by producer, to which the search for a start is limited; None: all bins.
        loose: Tasks that may start in any bin despite `freed`.
    """
    anywhere = set(loose)
    for task in order:
        feasible_starts = schedule.feasible_starts(task, None if task in anywhere else freed)
        if feasible_starts:
            candidate, index = rule(schedule, feasible_starts)
            schedule.insert(task, Placement(candidate.producer, candidate.start_grid, index))


def improve(
    starts: Sequence[PartialSchedule], price: FloatArray, rng: Random, *, stop: Callable[[PartialSchedule], bool]
) -> PartialSchedule:
    """Return the best schedule found from given ones.

    Args:
        starts: Initial schedules, at least one, each the start of one annealing cycle; not changed. No task missing
            from one of them fits into it.
        price: Price per Wh by producer and bin, shape (producers, bins).
        rng: The random number generator.
        stop: Called with the best schedule after each round; True ends the search.
    """
    best = current = max(starts, key=lambda schedule: schedule.value_wh)
    options = best.options
    if not options.placeable:
        return best
    rules = (
        earliest,
        latest,
        tightest,
        lowest_price(price),
        lowest_price(options.instance.production_wh),
        any_start(rng),
        any_start(rng),
    )
    mean_wh = sum(options.instance.tasks[i].energy_wh for i in options.placeable) / len(options.placeable)
    round_ = 0
    while not stop(best):
        cycle, turn = divmod(round_, CYCLE)
        temperature_wh = TEMPERATURES[cycle % len(TEMPERATURES)] * mean_wh * (1.0 - turn / CYCLE) ** 2
        if turn == 0 and cycle < len(starts):
            current = starts[cycle]
        elif turn == 0 and cycle % 2 == 0:
            current = best
        round_ += 1
        trial = current.copy()
        removed = _force(trial, rng) if rng.random() < 0.5 else _ruin(trial, rng)
        _recreate(trial, removed, rng.choice(rules), rng)
        loss_wh = current.value_wh - trial.value_wh
        if loss_wh <= EPSILON_WH or (temperature_wh > 0.0 and rng.random() < math.exp(-loss_wh / temperature_wh)):
            current = trial
            if current.value_wh > best.value_wh + EPSILON_WH:
                best = current.copy()
    return best


def _ruin(schedule: PartialSchedule, rng: Random) -> dict[int, Placement]:
    """Remove some tasks, neighbours in time or any; return where they were."""
    placed = sorted(schedule.placed)
    if not placed:
        return {}
    count = min(len(placed), rng.randint(1, 8))
    if rng.random() < 0.7:
        centre = schedule.placed[rng.choice(placed)].bins
        middle = (centre.start + centre.stop) / 2

        def apart(task: int) -> float:
            bins = schedule.placed[task].bins
            return float(abs((bins.start + bins.stop) / 2 - middle) * rng.uniform(0.5, 1.5))

        chosen = sorted(placed, key=apart)[:count]
    else:
        chosen = rng.sample(placed, count)
    return {task: schedule.remove(task) for task in chosen}


def _force(schedule: PartialSchedule, rng: Random) -> dict[int, Placement]:
    """Insert a task that has no placement and remove the tasks in its way; return their placements."""
    missing = [task for task in schedule.options.placeable if task not in schedule.placed]
    if not missing:
        return _ruin(schedule, rng)
    tasks = schedule.options.instance.tasks
    task = rng.choices(missing, [tasks[i].energy_wh + EPSILON_WH for i in missing])[0]
    candidate = rng.choice(schedule.options.candidates[task])
    placement = Placement(
        candidate.producer, candidate.start_grid, int(candidate.indices[rng.randrange(len(candidate.indices))])
    )
    removed: dict[int, Placement] = {}
    start_s = placement.start_s(schedule.options.instance)
    for mate in schedule.options.same_device[task]:
        if mate in schedule.placed and not schedule.is_free(task, start_s):
            removed[mate] = schedule.remove(mate)
    if not schedule.is_free(task, start_s):
        return removed
    while not schedule.has_production(placement):
        short = schedule.room_wh[placement.producer, placement.bins] < placement.start_grid.draw_wh - TOLERANCE_WH
        bin_ = placement.bins.start + int(rng.choice(np.flatnonzero(short)))
        in_the_way = [
            other
            for other, at in sorted(schedule.placed.items())
            if at.producer == placement.producer and at.draws_in(bin_)
        ]
        other = rng.choices(in_the_way, [1.0 / (tasks[i].energy_wh + EPSILON_WH) for i in in_the_way])[0]
        removed[other] = schedule.remove(other)
    schedule.insert(task, placement)
    return removed


def _recreate(schedule: PartialSchedule, removed: dict[int, Placement], rule: InsertionRule, rng: Random) -> None:
    """Insert what fits, large tasks first more often than not."""
    freed: Freed = {}
    for placement in removed.values():
        begin, end = freed.get(placement.producer, (placement.bins.start, placement.bins.stop))
        freed[placement.producer] = (min(begin, placement.bins.start), max(end, placement.bins.stop))
    tasks = schedule.options.instance.tasks
    missing = [task for task in schedule.options.placeable if task not in schedule.placed]
    missing.sort(key=lambda i: -tasks[i].energy_wh * rng.uniform(0.3, 1.0))
    # Where a task was taken off, its device is free again for its mates, at every producer.
    same_device = [mate for task in removed for mate in schedule.options.same_device[task]]
    fill(schedule, missing, rule, freed, loose=[*removed, *same_device])


def _cheapest(
    price: FloatArray, feasible_starts: list[tuple[StartCandidates, IntArray]]
) -> tuple[StartCandidates, int]:
    best: tuple[float, StartCandidates, int] | None = None
    for candidate, indices in feasible_starts:
        cost = candidate.start_grid.cost(price[candidate.producer])[indices]
        low = int(cost.argmin())
        if best is None or cost[low] < best[0]:
            best = float(cost[low]), candidate, int(indices[low])
    if best is None:
        raise ValueError("no place to choose from")
    return best[1], best[2]
