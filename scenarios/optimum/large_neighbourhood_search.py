"""Good plans fast: tasks are taken off and put back in other orders and places.

Large neighbourhood search (ruin and recreate) with simulated annealing. A round takes off tasks that draw at about the
same time, or forces one in that found no place and takes off what is in its way; then it fills the room by one of
several tastes: at random, as early or as late as it goes, where the bound's prices or the sun are low, or where the
least room is left unused. None of them is the best on all neighbourhoods, and together they beat each. (Exact programs
over a dozen tasks at a time, the others fixed, were tried: seconds each, and they found nothing that this had not.)
Everything is drawn from one seeded generator, so the same number of rounds gives the same plan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from random import Random

import numpy as np

from agents import FloatArray
from scenarios.optimum.partial_schedule import Choice, Freed, Menu, Packing, Place
from scenarios.optimum.start_grid import TOLERANCE_WH, IntArray

EPSILON_WH = 1e-6
CYCLE = 1500
"""Rounds from one heating to the next."""
HEATS = (0.03, 0.2, 0.01, 0.08)
"""Of a mean task: the loss that the first rounds of a cycle take lightly. No single heat is best everywhere."""

Taste = Callable[[Packing, list[tuple[Choice, IntArray]]], tuple[Choice, int]]
"""Chooses one of the places that fit."""


def early(_packing: Packing, openings: list[tuple[Choice, IntArray]]) -> tuple[Choice, int]:
    """Choose the first start that fits."""
    choice, rungs = min(openings, key=lambda opening: opening[0].ladder.first_bin + int(opening[1][0]))
    return choice, int(rungs[0])


def late(_packing: Packing, openings: list[tuple[Choice, IntArray]]) -> tuple[Choice, int]:
    """Choose the last start that fits."""
    choice, rungs = max(openings, key=lambda opening: opening[0].ladder.first_bin + int(opening[1][-1]))
    return choice, int(rungs[-1])


def tight(packing: Packing, openings: list[tuple[Choice, IntArray]]) -> tuple[Choice, int]:
    """Choose where the least room stands unused."""
    return _cheapest(packing.room_wh, openings)


def priced(price: FloatArray) -> Taste:
    """Return the taste for low prices by producer, bin and Wh."""
    return lambda _packing, openings: _cheapest(price, openings)


def chance(rng: Random) -> Taste:
    """Return the taste for anything."""

    def choose(_packing: Packing, openings: list[tuple[Choice, IntArray]]) -> tuple[Choice, int]:
        choice, rungs = rng.choices(openings, [len(rungs) for _, rungs in openings])[0]
        return choice, int(rungs[rng.randrange(len(rungs))])

    return choose


def greedy(menu: Menu, taste: Taste) -> Packing:
    """Place the tasks one by one, large ones first."""
    packing = Packing(menu)
    fill(packing, sorted(menu.fitting, key=lambda i: (-menu.instance.tasks[i].energy_wh, i)), taste)
    return packing


def fill(
    packing: Packing, order: Iterable[int], taste: Taste, freed: Freed | None = None, loose: Iterable[int] = ()
) -> None:
    """Place what fits of the tasks, in the order given.

    Args:
        packing: Where.
        order: Which.
        taste: Chooses the place.
        freed: The only places to look at, for tasks that found no other before; None: all.
        loose: Tasks that may go anywhere all the same.
    """
    anywhere = set(loose)
    for task in order:
        openings = packing.openings(task, None if task in anywhere else freed)
        if openings:
            choice, rung = taste(packing, openings)
            packing.put(task, Place(choice.producer, choice.ladder, rung))


def improve(starts: Sequence[Packing], price: FloatArray, rng: Random, *, stop: Callable[[Packing], bool]) -> Packing:
    """Return the best packing found from given ones on.

    Args:
        starts: Where to begin, one cycle each, at least one; they are not changed. No task that is not in one of them
            fits beside it.
        price: Of sun by producer, bin and Wh; shape (producers, bins).
        rng: Where chance comes from.
        stop: Asked with the best packing after each round; true ends the search.
    """
    best = current = max(starts, key=lambda packing: packing.value_wh)
    menu = best.menu
    if not menu.fitting:
        return best
    tastes = (early, late, tight, priced(price), priced(menu.instance.sun_wh), chance(rng), chance(rng))
    mean_wh = sum(menu.instance.tasks[i].energy_wh for i in menu.fitting) / len(menu.fitting)
    round_ = 0
    while not stop(best):
        cycle, turn = divmod(round_, CYCLE)
        heat_wh = HEATS[cycle % len(HEATS)] * mean_wh * (1.0 - turn / CYCLE) ** 2
        if turn == 0 and cycle < len(starts):
            current = starts[cycle]
        elif turn == 0 and cycle % 2 == 0:
            current = best
        round_ += 1
        trial = current.copy()
        taken = _force(trial, rng) if rng.random() < 0.5 else _ruin(trial, rng)
        _recreate(trial, taken, rng.choice(tastes), rng)
        loss_wh = current.value_wh - trial.value_wh
        if loss_wh <= EPSILON_WH or (heat_wh > 0.0 and rng.random() < math.exp(-loss_wh / heat_wh)):
            current = trial
            if current.value_wh > best.value_wh + EPSILON_WH:
                best = current.copy()
    return best


def _ruin(packing: Packing, rng: Random) -> dict[int, Place]:
    """Take off some tasks, those that draw about the same time or any; return where they were."""
    placed = sorted(packing.placed)
    if not placed:
        return {}
    count = min(len(placed), rng.randint(1, 8))
    if rng.random() < 0.7:
        centre = packing.placed[rng.choice(placed)].bins
        middle = (centre.start + centre.stop) / 2

        def apart(task: int) -> float:
            bins = packing.placed[task].bins
            return float(abs((bins.start + bins.stop) / 2 - middle) * rng.uniform(0.5, 1.5))

        chosen = sorted(placed, key=apart)[:count]
    else:
        chosen = rng.sample(placed, count)
    return {task: packing.take(task) for task in chosen}


def _force(packing: Packing, rng: Random) -> dict[int, Place]:
    """Put a task that found no place somewhere, and take off what is in its way; return where that was."""
    missing = [task for task in packing.menu.fitting if task not in packing.placed]
    if not missing:
        return _ruin(packing, rng)
    tasks = packing.menu.instance.tasks
    task = rng.choices(missing, [tasks[i].energy_wh + EPSILON_WH for i in missing])[0]
    choice = rng.choice(packing.menu.choices[task])
    place = Place(choice.producer, choice.ladder, int(choice.rungs[rng.randrange(len(choice.rungs))]))
    taken: dict[int, Place] = {}
    start_s = place.start_s(packing.menu.instance)
    for mate in packing.menu.mates[task]:
        if mate in packing.placed and not packing.is_free(task, start_s):
            taken[mate] = packing.take(mate)
    if not packing.is_free(task, start_s):
        return taken
    while not packing.has_sun(place):
        short = packing.room_wh[place.producer, place.bins] < place.ladder.draw_wh - TOLERANCE_WH
        bin_ = place.bins.start + int(rng.choice(np.flatnonzero(short)))
        in_the_way = [
            other for other, at in sorted(packing.placed.items()) if at.producer == place.producer and at.draws_in(bin_)
        ]
        other = rng.choices(in_the_way, [1.0 / (tasks[i].energy_wh + EPSILON_WH) for i in in_the_way])[0]
        taken[other] = packing.take(other)
    packing.put(task, place)
    return taken


def _recreate(packing: Packing, taken: dict[int, Place], taste: Taste, rng: Random) -> None:
    """Put back what fits, large tasks first more often than not."""
    freed: Freed = {}
    for place in taken.values():
        begin, end = freed.get(place.producer, (place.bins.start, place.bins.stop))
        freed[place.producer] = (min(begin, place.bins.start), max(end, place.bins.stop))
    tasks = packing.menu.instance.tasks
    missing = [task for task in packing.menu.fitting if task not in packing.placed]
    missing.sort(key=lambda i: -tasks[i].energy_wh * rng.uniform(0.3, 1.0))
    # Where a task was taken off, its device is free again for its mates, at every producer.
    mates = [mate for task in taken for mate in packing.menu.mates[task]]
    fill(packing, missing, taste, freed, loose=[*taken, *mates])


def _cheapest(price: FloatArray, openings: list[tuple[Choice, IntArray]]) -> tuple[Choice, int]:
    best: tuple[float, Choice, int] | None = None
    for choice, rungs in openings:
        cost = choice.ladder.cost(price[choice.producer])[rungs]
        low = int(cost.argmin())
        if best is None or cost[low] < best[0]:
            best = float(cost[low]), choice, int(rungs[low])
    if best is None:
        raise ValueError("no place to choose from")
    return best[1], best[2]
