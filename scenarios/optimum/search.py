"""Good plans fast: tasks are taken off and put back in other orders, at prices that say which sun is scarce.

Large neighbourhood search (ruin and recreate) with simulated annealing. A task goes to the place that costs least at
the prices of the bound; each round shakes the prices and the order a little. Everything is drawn from one seeded
generator, so the same number of rounds gives the same plan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from random import Random

import numpy as np

from agents.energy import FloatArray
from scenarios.optimum.packing import Menu, Packing

EPSILON_WH = 1e-6


def greedy(menu: Menu, price: FloatArray) -> Packing:
    """Place the tasks one by one, large ones first, each where it costs least."""
    packing = Packing(menu)
    fill(packing, sorted(menu.fitting, key=lambda i: (-menu.instance.tasks[i].energy_wh, i)), price)
    return packing


def fill(packing: Packing, order: Iterable[int], price: FloatArray) -> None:
    """Place what still fits of the tasks, in the order given, each where it costs least."""
    for task in order:
        place = packing.cheapest(task, price)
        if place is not None:
            packing.put(task, place)


def improve(packing: Packing, price: FloatArray, rng: Random, *, stop: Callable[[Packing], bool]) -> Packing:
    """Return the best packing found from a given one on.

    Args:
        packing: Where to begin; it is not changed.
        price: Of sun by producer, bin and Wh; shape (producers, bins).
        rng: Where chance comes from.
        stop: Asked with the best packing after each round; true ends the search.
    """
    best, current = packing.copy(), packing.copy()
    menu = packing.menu
    if not menu.fitting:
        return best
    noise = np.random.default_rng(rng.getrandbits(64))
    scale_wh = 0.02 * max(menu.instance.tasks[i].energy_wh for i in menu.fitting)
    round_ = 0
    while not stop(best):
        heat_wh = scale_wh * (1.0 - (round_ % 2000) / 2000)
        round_ += 1
        trial = current.copy()
        _ruin(trial, rng)
        _recreate(trial, _taste(trial, price, rng, noise), rng)
        loss_wh = current.value_wh - trial.value_wh
        if loss_wh <= EPSILON_WH or (heat_wh > 0.0 and rng.random() < math.exp(-loss_wh / heat_wh)):
            current = trial
            if current.value_wh > best.value_wh + EPSILON_WH:
                best = current.copy()
    return best


def _ruin(packing: Packing, rng: Random) -> None:
    """Take off some tasks: those that draw about the same time, or any."""
    placed = sorted(packing.placed)
    if not placed:
        return
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
    for task in chosen:
        packing.take(task)


def _recreate(packing: Packing, price: FloatArray, rng: Random) -> None:
    """Put back what fits, large tasks first more often than not."""
    tasks = packing.menu.instance.tasks
    missing = [task for task in packing.menu.fitting if task not in packing.placed]
    missing.sort(key=lambda i: -tasks[i].energy_wh * rng.uniform(0.3, 1.0))
    fill(packing, missing, price)


def _taste(packing: Packing, price: FloatArray, rng: Random, noise: np.random.Generator) -> FloatArray:
    """Return this round's prices: the bound's, the room that a start would leave unused, or mere chance."""
    shape = price.shape
    by_chance = noise.random((shape[0], 1)) + 0.02 * noise.random(shape)
    match rng.randrange(4):
        case 0:
            return price * noise.uniform(0.6, 1.4, (shape[0], 1)) + by_chance * 0.1
        case 1:
            return packing.room_wh / max(1e-9, float(packing.menu.instance.sun_wh.max())) + by_chance * 0.1
        case 2:  # rising or falling: as early or as late as it goes
            slope = rng.choice((-1.0, 1.0)) * np.arange(shape[1]) / shape[1]
            return np.asarray(by_chance * rng.random() + slope, dtype=np.float64)
        case _:
            return by_chance
