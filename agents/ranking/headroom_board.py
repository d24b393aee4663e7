"""The views of all producers: which of them may serve a job (`agents.headroom`), found by one operation for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agents.energy import FloatArray, IntArray
from agents.headroom import MAX_BLOCKS, MIN_BLOCK_S, SLOTS_A_BLOCK, View, coarse_slots_wh
from agents.job_needs import MARGIN_WH, JobNeeds, may_run, may_run_at
from agents.ranking.scores import BoolArray
from agents.scheduling import BIN_S

FEW_VIEWS = 3
"""Up to this many fine views are compared one by one, which takes less time than preparing a common comparison."""
MANY_PRODUCERS = 256
"""With fewer, it takes no longer to look at all of them for each job."""
MAX_LOOK = 512
"""How many producers are looked at slot by slot at once, at most."""
MAX_STRETCHES = 256
"""Number of pairs of hours for which the most that producers may have is kept."""
_SHARE = 1e-6
"""By how much a bound may be exceeded besides the margin, as a share: bounds are kept in single precision."""


@dataclass(frozen=True, slots=True)
class _FineSlots:
    """The slots of a fine view."""

    from_s: int
    slot_s: int
    slots_wh: npt.NDArray[np.float32]
    """In the best minute of each, Wh, shape (slots,)."""

    def within(self, need: JobNeeds) -> tuple[int, npt.NDArray[np.float32]]:
        """Return the begin, UNIX seconds, and the energies of the slots that a job's runs can touch."""
        first = min(max((need.begin_s - self.from_s) // self.slot_s, 0), len(self.slots_wh))
        end = min(max(-(-(need.end_s - self.from_s) // self.slot_s), first), len(self.slots_wh))
        return self.from_s + first * self.slot_s, self.slots_wh[first:end]


@dataclass(slots=True)
class _Most:
    """The most that producers may have for jobs which run between two times, shape (producers,)."""

    energy_wh: npt.NDArray[np.float32]
    peak_wh: npt.NDArray[np.float32]
    """In one minute."""
    views: int
    """How many views have been taken into account."""

    def covers(self, need: JobNeeds) -> BoolArray:
        """Return which producers have enough for a job."""
        found: BoolArray = (self.energy_wh >= need.energy_wh) & (self.peak_wh >= need.peak_wh)
        return found


class HeadroomBoard:
    """The producers' views, by number, in arrays, so that one operation finds all producers that may serve a job."""

    def __init__(self) -> None:
        self._energy_wh = np.zeros((0, 1, 1), dtype=np.float32)
        self._peak_wh = np.zeros((0, 1, 1), dtype=np.float32)
        self._from_s: IntArray = np.zeros(0, dtype=np.int64)
        self._block_s: IntArray = np.zeros(0, dtype=np.int64)
        self._blocks: IntArray = np.zeros(0, dtype=np.int64)
        """-1: no view, so the producer is always asked."""
        self._slot_s: IntArray = np.zeros(0, dtype=np.int64)
        self._slots_wh = np.zeros((0, MAX_BLOCKS * SLOTS_A_BLOCK), dtype=np.float32)
        self._fine: dict[int, _FineSlots] = {}
        """By number, the minutes of producers whose views are fine; the arrays above have their coarse slots."""
        self.views = 0
        """How many views it has taken."""
        self._newest: IntArray = np.zeros(0, dtype=np.int64)
        """By number, which of them the producer's newest one is, counted from 1; 0: it has published none."""
        self._has_odd_blocks: BoolArray = np.zeros(0, dtype=np.bool_)
        """By number, whether the blocks of the producer's view begin or end within an hour."""
        self._within: dict[tuple[int, int], _Most] = {}
        """By the hours between which jobs run: the first one, and the one after the last. Those used last are kept."""

    def put(self, number: int, view: View) -> None:
        """Take a producer's new view."""
        bounds = view.bounds
        self._reserve(number + 1, bounds.blocks + 1)
        self.views += 1
        self._newest[number] = self.views
        self._energy_wh[number], self._peak_wh[number] = 0.0, 0.0
        edges = bounds.blocks + 1
        self._energy_wh[number, :edges, :edges] = bounds.energy_wh
        self._peak_wh[number, :edges, :edges] = bounds.peak_wh
        self._from_s[number], self._block_s[number], self._blocks[number] = bounds.from_s, bounds.block_s, bounds.blocks
        self._has_odd_blocks[number] = bounds.from_s % MIN_BLOCK_S > 0 or bounds.block_s % MIN_BLOCK_S > 0
        slots_wh, slot_s = bounds.slots_wh * (1 + _SHARE), bounds.slot_s
        self._fine.pop(number, None)
        if view.is_fine:
            self._fine[number] = _FineSlots(bounds.from_s, slot_s, slots_wh.astype(np.float32))
            slots_wh, slot_s = coarse_slots_wh(slots_wh, bounds.blocks), bounds.block_s // SLOTS_A_BLOCK
        self._slot_s[number], self._slots_wh[number] = slot_s, 0.0
        self._slots_wh[number, : len(slots_wh)] = slots_wh

    def may_serve(self, need: JobNeeds, producers: IntArray) -> BoolArray:
        """Return which producers may serve a job; all that have published no view.

        Args:
            need: The job's needs.
            producers: The producers' numbers, shape (producers,).
        """
        self._reserve(int(producers.max(initial=-1)) + 1, 1)
        if len(producers) < MANY_PRODUCERS:
            return self._most(need, producers).covers(need)
        return self._most_of_all(need).covers(need)[producers]

    def _most_of_all(self, need: JobNeeds) -> _Most:
        """Return the most that each producer may have for a job, by number.

        The many jobs that run between the same hours share the result, because reading the arrays of all hours takes
        a slow memory access for each producer. Only new views are looked at again.
        """
        hours = need.begin_s // MIN_BLOCK_S, -(-need.end_s // MIN_BLOCK_S)
        most, count = self._within.pop(hours, None), len(self._newest)
        if most is None or len(most.energy_wh) < count:
            most = _Most(np.zeros(count, dtype=np.float32), np.zeros(count, dtype=np.float32), views=-1)
            while len(self._within) >= MAX_STRETCHES:
                del self._within[next(iter(self._within))]
        numbers = ((self._newest > most.views) | self._has_odd_blocks).nonzero()[0]
        if len(numbers):
            newer = self._most(need, numbers)
            most.energy_wh[numbers], most.peak_wh[numbers] = newer.energy_wh, newer.peak_wh
        most.views = self.views
        self._within[hours] = most
        return most

    def _most(self, need: JobNeeds, producers: IntArray) -> _Most:
        """Return the most that some producers may have for a job; infinite for those that have published no view."""
        blocks = self._blocks[producers]
        from_s, block_s = self._from_s[producers], self._block_s[producers]
        most = np.maximum(blocks, 0)
        rows = np.minimum(np.maximum((need.begin_s - from_s) // block_s, 0), most)
        columns = np.minimum(np.maximum(-(-(need.end_s - from_s) // block_s), 0), most)
        energy_wh = self._energy_wh[producers, rows, columns] * (1 + _SHARE) + MARGIN_WH
        peak_wh = self._peak_wh[producers, rows, columns] * (1 + _SHARE) + MARGIN_WH
        energy_wh[blocks < 0] = peak_wh[blocks < 0] = np.inf
        return _Most(energy_wh, peak_wh, self.views)

    def may_run(self, need: JobNeeds, producers: IntArray) -> BoolArray:
        """Return which producers have enough for a job in each slot, for some start; all that have published no view.

        This takes longer than `may_serve`, which leaves out most; so it is for producers that may serve the job.

        Args:
            need: The job's needs.
            producers: The producers' numbers, shape (producers,).
        """
        found = np.ones(len(producers), dtype=np.bool_)
        has_view = self._blocks[producers] >= 0
        slots_s, from_s = self._slot_s[producers], self._from_s[producers]
        phases_s = from_s % slots_s
        for slot_s, phase_s in set(zip(slots_s.tolist(), phases_s.tolist(), strict=True)):
            alike = (has_view & (slots_s == slot_s) & (phases_s == phase_s)).nonzero()[0]
            found[alike] = may_run(need, from_s[alike], slot_s, self._slots_wh[producers[alike]])
        self._look_at_minutes(need, producers, found)
        return found

    def _look_at_minutes(self, need: JobNeeds, producers: IntArray, found: BoolArray) -> None:
        """Remove the producers from those `found` whose fine views show that they have too little for a job."""
        fine: dict[tuple[int, int], list[int]] = {}
        for place in np.flatnonzero(found).tolist():
            slots = self._fine.get(int(producers[place]))
            if slots is not None:
                fine.setdefault((slots.slot_s, slots.from_s % slots.slot_s), []).append(place)
        for (slot_s, _), places in fine.items():
            if len(places) <= FEW_VIEWS:
                for place in places:
                    part_s, part_wh = self._fine[int(producers[place])].within(need)
                    found[place] = may_run_at(need, part_s, slot_s, part_wh)
                continue
            parts = [self._fine[int(producers[place])].within(need) for place in places]
            from_s = np.array([part_s for part_s, _ in parts], dtype=np.int64)
            there_wh = np.zeros((len(parts), max(1, *(len(part_wh) for _, part_wh in parts))), dtype=np.float32)
            for row, (_, part_wh) in enumerate(parts):
                there_wh[row, : len(part_wh)] = part_wh
            found[places] = may_run(need, from_s, slot_s, there_wh)

    def has_new_view(self, producers: IntArray, views: int) -> BoolArray:
        """Return which producers have published a view since `views` were taken.

        Args:
            producers: The producers' numbers, shape (producers,).
            views: A former value of `views`.
        """
        self._reserve(int(producers.max(initial=-1)) + 1, 1)
        newer: BoolArray = self._newest[producers] > views
        return newer

    def may_be_served(
        self, number: int, begin_s: IntArray, end_s: IntArray, energy_wh: FloatArray, peak_wh: FloatArray
    ) -> BoolArray:
        """Return which jobs a producer may serve.

        Args:
            number: The producer, which has published a view.
            begin_s: The jobs' earliest starts, shape (jobs,); all in UNIX seconds.
            end_s: The ends of their runs from their latest starts.
            energy_wh: Their energy.
            peak_wh: Lower bound of the draw of each in its strongest minute.
        """
        from_s, block_s, blocks = int(self._from_s[number]), int(self._block_s[number]), int(self._blocks[number])
        rows = np.clip((begin_s - from_s) // block_s, 0, blocks)
        columns = np.clip(-(-(end_s - from_s) // block_s), 0, blocks)
        found: BoolArray = (self._energy_wh[number, rows, columns] * (1 + _SHARE) + MARGIN_WH >= energy_wh) & (
            self._peak_wh[number, rows, columns] * (1 + _SHARE) + MARGIN_WH >= peak_wh
        )
        return found

    def _reserve(self, producers: int, size: int) -> None:
        known, before = self._energy_wh.shape[:2]
        if producers <= known and size <= before:
            return
        count, size = max(known, 2 * producers if producers > known else 0), max(before, size)
        for name in ("_energy_wh", "_peak_wh"):
            bigger = np.zeros((count, size, size), dtype=np.float32)
            bigger[:known, :before, :before] = getattr(self, name)
            setattr(self, name, bigger)
        new = count - known
        self._from_s = np.concatenate([self._from_s, np.zeros(new, dtype=np.int64)])
        self._block_s = np.concatenate([self._block_s, np.ones(new, dtype=np.int64)])
        self._blocks = np.concatenate([self._blocks, np.full(new, -1, dtype=np.int64)])
        self._newest = np.concatenate([self._newest, np.zeros(new, dtype=np.int64)])
        self._has_odd_blocks = np.concatenate([self._has_odd_blocks, np.zeros(new, dtype=np.bool_)])
        self._slot_s = np.concatenate([self._slot_s, np.full(new, BIN_S, dtype=np.int64)])
        self._slots_wh = np.concatenate([self._slots_wh, np.zeros((new, self._slots_wh.shape[1]), dtype=np.float32)])
