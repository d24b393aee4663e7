"""What basin-hopping minimises: a smooth function of real-valued start times, with its gradient.

Symbols, for the docs: x_i is the delay of start i after `now`; tau_k = x_i + t_k is the moment of bend k of load i,
where its power changes by d_k; e_b are the bins' edges; L_b is what all loads draw in bin b and P_b what is free.

The energy drawn up to e is C(e) = sum_k d_k * ramp(e - tau_k), with ramp(u) = max(0, u); L_b = C(e_b+1) - C(e_b). No
time is rounded, so L moves evenly with x. Since power jumps, dL/dx still has steps where a bend crosses an edge;
averaging each start over `step_s` around it makes them slopes. The objective, in Wh, is

    penalty * sum_b hinge(L_b - P_b) + sum_i energy_i * x_i / day

The hinge is the overdraft, rounded off below 1 Wh a minute. The second term uses the sun soonest: sun that has passed
is lost. It gives a plan that overdraws nothing a slope too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.energy import FloatArray
from agents.scheduling.grid import BIN_S, Grid, IntArray
from agents.scheduling.problem import Task

DAY_S = 86_400.0
HOUR_S = 3600.0
ROUND_WH = 1.0
"""Overdrafts of a minute below this count by their square."""


@dataclass(frozen=True, slots=True, eq=False)
class Overdraft:
    """The objective over the delays of some tasks, in hours after `now`, so that slopes are powers."""

    free_wh: FloatArray
    """P: what is free in each bin."""
    offset_s: float
    """When `now` is, after the first bin's begin."""
    task_of: IntArray
    """Of each bend: whose it is."""
    bend_s: FloatArray
    """t: of each bend, seconds after its load's start."""
    change_wh_per_s: FloatArray
    """d: of each bend, the change of power."""
    energy_wh: FloatArray
    """Of each task."""
    penalty: float
    step_s: float

    @classmethod
    def of(cls, grid: Grid, tasks: Sequence[Task], penalty: float, step_s: float) -> Overdraft:
        """Prepare the objective for these tasks beside what runs."""
        task_of, bends, changes = [], [], []
        for i, task in enumerate(tasks):
            times_s = task.load.times_array
            power = np.diff(task.load.cumulative_array) / np.diff(times_s)
            change = np.diff(np.concatenate(([0.0], power, [0.0])))
            real = np.flatnonzero(change)
            task_of.append(np.full(len(real), i))
            bends.append(times_s[real])
            changes.append(change[real])
        return cls(
            free_wh=grid.free_wh,
            offset_s=float(grid.now_s - grid.first_s),
            task_of=np.concatenate(task_of),
            bend_s=np.concatenate(bends),
            change_wh_per_s=np.concatenate(changes),
            energy_wh=np.array([task.load.energy_wh for task in tasks]),
            penalty=penalty,
            step_s=step_s,
        )

    def drawn_wh(self, delays_h: FloatArray) -> FloatArray:
        """Return L: what the loads draw in each bin, each start averaged over `step_s`, Wh."""
        moments_s = self._moments_s(delays_h)
        if self.step_s < 1.0:
            return np.diff(self._drawn_until_wh(moments_s, 1))
        half_s = self.step_s / 2
        before, after = self._drawn_until_wh(moments_s - half_s, 2), self._drawn_until_wh(moments_s + half_s, 2)
        return np.diff((before - after) / self.step_s)

    def __call__(self, delays_h: FloatArray) -> tuple[float, FloatArray]:
        """Return the objective, Wh, and its gradient, W, shape (tasks,)."""
        over_wh = self.drawn_wh(delays_h) - self.free_wh
        part = np.clip(over_wh / ROUND_WH, 0.0, 1.0)
        hinge_wh = part * (over_wh - part * ROUND_WH / 2)
        delay_wh = self.energy_wh * (HOUR_S / DAY_S)
        value = self.penalty * float(hinge_wh.sum()) + float(delay_wh @ delays_h)
        # Moving a bend later by ds takes d * ds out of its bin. `part` is the hinge's slope in each bin.
        moments_s = self._moments_s(delays_h)
        if self.step_s < 1.0:
            slope = part[self._bins(moments_s)]
        else:
            area = np.concatenate(([0.0], np.cumsum(part))) * BIN_S
            edges_s = np.arange(len(area)) * float(BIN_S)
            half_s = self.step_s / 2
            slope = (
                np.interp(moments_s + half_s, edges_s, area) - np.interp(moments_s - half_s, edges_s, area)
            ) / self.step_s
        pulls = np.bincount(self.task_of, self.change_wh_per_s * slope, minlength=len(self.energy_wh))
        return value, delay_wh - self.penalty * HOUR_S * pulls

    def _moments_s(self, delays_h: FloatArray) -> FloatArray:
        """Return tau: when each bend comes, seconds after the first bin's begin."""
        return delays_h[self.task_of] * HOUR_S + self.bend_s + self.offset_s

    def _bins(self, moments_s: FloatArray) -> IntArray:
        return np.clip((moments_s // BIN_S).astype(np.int64), 0, len(self.free_wh) - 1)

    def _drawn_until_wh(self, moments_s: FloatArray, order: int) -> FloatArray:
        """Return sum_k d_k * max(0, e - tau_k)**order / order at every edge e, shape (bins + 1,).

        Each bin gathers its bends' moments about its own end, and they are carried from edge to edge: sums over
        a whole day of large terms that cancel would lose what is looked for.
        """
        bins = np.floor(moments_s / BIN_S).astype(np.int64)
        # Averaging may reach before the first edge; what bends there has bent when the grid begins.
        first = int(bins.min(initial=0))
        count = len(self.free_wh) - first
        bins = np.minimum(bins - first, count - 1)
        rest_s = np.maximum((bins + first + 1) * float(BIN_S) - moments_s, 0.0)
        change = np.bincount(bins, self.change_wh_per_s, minlength=count)
        power = np.cumsum(change)
        ramp = np.bincount(bins, self.change_wh_per_s * rest_s, minlength=count)
        drawn = np.cumsum(ramp + BIN_S * (power - change))
        if order == 1:
            return np.concatenate(([0.0], drawn))[-first:]
        square = np.bincount(bins, self.change_wh_per_s * rest_s**2 / 2, minlength=count)
        before = np.concatenate(([0.0], drawn[:-1]))
        area = np.cumsum(square + BIN_S * before + (power - change) * (BIN_S**2 / 2))
        return np.concatenate(([0.0], area))[-first:]
