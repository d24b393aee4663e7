"""A plan under construction: which start of which job stands on which producer, and the room that is left."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from agents.energy import FloatArray
from scenarios.optimum.instance import Instance
from scenarios.optimum.ladders import BIN_S, TOLERANCE_WH, IntArray, Ladder


@dataclass(frozen=True, slots=True)
class Place:
    """One start of one task on one producer."""

    producer: int
    """Index in the instance."""
    ladder: Ladder
    rung: int
    """Which of the ladder's starts."""

    @property
    def bins(self) -> slice:
        """The bins that it draws in."""
        first = self.ladder.first_bin + self.rung
        return slice(first, first + len(self.ladder.draw_wh))

    def draws_in(self, bin_: int) -> bool:
        """Return whether it draws anything in this bin of the instance."""
        own = bin_ - self.ladder.first_bin - self.rung
        return 0 <= own < len(self.ladder.draw_wh) and bool(self.ladder.draw_wh[own] > 0.0)

    def start_s(self, instance: Instance) -> int:
        """Return the start, UNIX seconds."""
        return instance.start_s + BIN_S * (self.ladder.first_bin + self.rung) + self.ladder.offset_s


@dataclass(frozen=True)
class Choice:
    """A ladder on a producer, without the starts that would not fit even if the task were alone."""

    producer: int
    ladder: Ladder
    rungs: IntArray
    """The ladder's starts that fit alone, rising."""


Freed = dict[int, tuple[int, int]]
"""By producer: the bins from the first to before the last in which room came free."""


class Menu:
    """Where each task fits alone; tasks that fit nowhere have no choice."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.choices: list[list[Choice]] = [
            [
                Choice(p, ladder, rungs)
                for p in range(len(instance.producers))
                for ladder in task.ladders
                if len(rungs := ladder.fits(instance.sun_wh[p], ladder.rungs))
            ]
            for task in instance.tasks
        ]
        self.fitting = [i for i, choices in enumerate(self.choices) if choices]

    def find(self, task: int, producer: str, start_s: int) -> Place | None:
        """Return a task's place at this start, UNIX seconds; None if it does not fit there even alone."""
        for choice in self.choices[task]:
            ladder = choice.ladder
            since_s = start_s - self.instance.start_s - BIN_S * ladder.first_bin - ladder.offset_s
            rung, rest_s = divmod(since_s, BIN_S)
            if self.instance.producers[choice.producer] == producer and rest_s == 0 and rung in choice.rungs:
                return Place(choice.producer, ladder, rung)
        return None

    @cached_property
    def fitting_wh(self) -> float:
        """Energy of the tasks that fit somewhere alone: what no plan carried in full can exceed."""
        return sum(self.instance.tasks[i].energy_wh for i in self.fitting)


class Packing:
    """Placed tasks, all carried in full, and the room beside them."""

    def __init__(self, menu: Menu) -> None:
        self.menu = menu
        self.room_wh: FloatArray = menu.instance.sun_wh.copy()
        self.placed: dict[int, Place] = {}
        self.value_wh = 0.0

    def copy(self) -> Packing:
        """Return an independent copy."""
        twin = Packing.__new__(Packing)
        twin.menu, twin.room_wh = self.menu, self.room_wh.copy()
        twin.placed, twin.value_wh = dict(self.placed), self.value_wh
        return twin

    def put(self, task: int, place: Place) -> None:
        """Place a task; that it fits is the caller's to know."""
        self.room_wh[place.producer, place.bins] -= place.ladder.draw_wh
        self.placed[task] = place
        self.value_wh += self.menu.instance.tasks[task].energy_wh

    def take(self, task: int) -> Place:
        """Take a task off again."""
        place = self.placed.pop(task)
        self.room_wh[place.producer, place.bins] += place.ladder.draw_wh
        self.value_wh -= self.menu.instance.tasks[task].energy_wh
        return place

    def has_room(self, place: Place) -> bool:
        """Return whether no bin of a place draws more than the room that is left."""
        room_wh = self.room_wh[place.producer, place.bins]
        return bool((place.ladder.draw_wh <= room_wh + TOLERANCE_WH).all())

    def openings(self, task: int, freed: Freed | None = None) -> list[tuple[Choice, IntArray]]:
        """Return where a task fits now, ladder by ladder, with the rungs that fit.

        Args:
            task: Which.
            freed: Where room came free since it last found none; None: look everywhere.
        """
        found = []
        for choice in self.menu.choices[task]:
            rungs = choice.rungs
            if freed is not None:
                if choice.producer not in freed:
                    continue
                begin, end = freed[choice.producer]
                first = begin - choice.ladder.first_bin - len(choice.ladder.draw_wh) + 1
                low, high = np.searchsorted(rungs, (first, end - choice.ladder.first_bin))
                rungs = rungs[low:high]
            if len(rungs):
                rungs = choice.ladder.fits(self.room_wh[choice.producer], rungs)
                if len(rungs):
                    found.append((choice, rungs))
        return found
