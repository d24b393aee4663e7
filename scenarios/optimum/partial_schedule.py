"""A plan under construction: which start of which job stands on which producer, and the room that is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from agents import FloatArray, Starts, covers, open_starts
from scenarios.optimum.instance import Instance
from scenarios.optimum.start_grid import BIN_S, TOLERANCE_WH, IntArray, Ladder, draw_from

MAX_KEPT = 100_000
"""Of what was found for a device's tasks, before it is forgotten."""
MAX_EDGES = 16
"""Ends of stretches of open starts that are looked at beside whole minutes."""
FIRST_RUNG: IntArray = np.zeros(1, dtype=np.int64)
"""The only start of a ladder that has no other."""


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
        by_device: dict[str, list[int]] = defaultdict(list)
        for i, task in enumerate(instance.tasks):
            if task.device:
                by_device[task.device].append(i)
        self.mates: list[tuple[int, ...]] = [
            tuple(other for other in by_device[task.device] if other != i) if task.device else ()
            for i, task in enumerate(instance.tasks)
        ]
        """Of each task, the others of its device that it must not meet."""
        self._open_starts: dict[tuple[int, tuple[tuple[int, int], ...]], Starts] = {}
        self._single: dict[tuple[int, int], Ladder] = {}

    def find(self, task: int, producer: str, start_s: int) -> Place | None:
        """Return a task's place at this start, UNIX seconds; None if it does not fit there even alone."""
        for choice in self.choices[task]:
            ladder = choice.ladder
            since_s = start_s - self.instance.start_s - BIN_S * ladder.first_bin - ladder.offset_s
            rung, rest_s = divmod(since_s, BIN_S)
            if self.instance.producers[choice.producer] == producer and rest_s == 0 and rung in choice.rungs:
                return Place(choice.producer, ladder, rung)
        return None

    def is_tied(self, task: int) -> bool:
        """Say whether anything of its device can be in a task's way."""
        of = self.instance.tasks[task]
        return bool(self.mates[task] or (of.device and self.instance.busy.get(of.device)))

    def open_starts(self, task: int, placed_s: tuple[tuple[int, int], ...]) -> Starts:
        """Return the starts, UNIX seconds, after which all tasks of the device that are not placed find room.

        Args:
            task: Which.
            placed_s: Its placed mates with their starts, in the order of `mates`.
        """
        key = (task, placed_s)
        if key not in self._open_starts:
            if len(self._open_starts) >= MAX_KEPT:
                self._open_starts.clear()
            tasks, at_s = self.instance.tasks, dict(placed_s)
            busy = [*self.instance.busy.get(tasks[task].device, ())]
            busy += [(start_s, start_s + tasks[mate].run.duration_s) for mate, start_s in placed_s]
            others = [tasks[mate].run for mate in self.mates[task] if mate not in at_s]
            self._open_starts[key] = open_starts(tasks[task].run, others, busy)
        return self._open_starts[key]

    def single(self, task: int, start_s: int) -> Ladder:
        """Return a ladder of this one start, UNIX seconds."""
        key = (task, start_s)
        if key not in self._single:
            if len(self._single) >= MAX_KEPT:
                self._single.clear()
            bin_, offset_s = divmod(start_s - self.instance.start_s, BIN_S)
            self._single[key] = Ladder(draw_from(self.instance.tasks[task].load, offset_s), offset_s, bin_, 1)
        return self._single[key]

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

    def is_free(self, task: int, start_s: int) -> bool:
        """Return whether a device is free for its task at this start, UNIX seconds, and all others find room beside."""
        return not self.menu.is_tied(task) or covers(self.menu.open_starts(task, self._placed_mates(task)), start_s)

    def _placed_mates(self, task: int) -> tuple[tuple[int, int], ...]:
        instance = self.menu.instance
        return tuple(
            (mate, self.placed[mate].start_s(instance)) for mate in self.menu.mates[task] if mate in self.placed
        )

    def has_room(self, task: int, place: Place) -> bool:
        """Return whether a task's device is free for it at a place, and the sun left carries it in every bin."""
        return self.is_free(task, place.start_s(self.menu.instance)) and self.has_sun(place)

    def has_sun(self, place: Place) -> bool:
        """Return whether no bin of a place draws more than the room that is left."""
        room_wh = self.room_wh[place.producer, place.bins]
        return bool((place.ladder.draw_wh <= room_wh + TOLERANCE_WH).all())

    def openings(self, task: int, freed: Freed | None = None) -> list[tuple[Choice, IntArray]]:
        """Return where a task fits now, ladder by ladder, with the rungs that fit.

        Args:
            task: Which.
            freed: Where room came free since it last found none; None: look everywhere.
        """
        if not self.menu.is_tied(task):
            return self._openings(self.menu.choices[task], freed)
        starts = self.menu.open_starts(task, self._placed_mates(task))
        instance = self.menu.instance
        choices = []
        for choice in self.menu.choices[task]:
            first_s = Place(choice.producer, choice.ladder, 0).start_s(instance)
            at_s = first_s + BIN_S * choice.rungs
            free = np.zeros(len(at_s), dtype=np.bool_)
            for begin_s, end_s in starts:
                low, high = np.searchsorted(at_s, (begin_s, end_s + 1))
                free[low:high] = True
            if free.any():
                choices.append(Choice(choice.producer, choice.ladder, choice.rungs[free]))
        # Where a job must begin when another ends, that is seldom on a whole minute.
        edges_s = sorted({s for stretch in starts for s in stretch if (s - instance.start_s) % BIN_S})[:MAX_EDGES]
        producers = sorted({choice.producer for choice in self.menu.choices[task]})
        choices += [Choice(p, self.menu.single(task, s), FIRST_RUNG) for s in edges_s for p in producers]
        return self._openings(choices, freed)

    def _openings(self, choices: Sequence[Choice], freed: Freed | None) -> list[tuple[Choice, IntArray]]:
        found = []
        for choice in choices:
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
