"""Simulations run one after another for comparison: one per algorithm, each in its own process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from scenarios.simulation import Plan
from tui.run.simulation_client import SimulationClient


class Batch:
    """One or several simulations, run in sequence. `on_change` as for `SimulationClient`."""

    def __init__(self, plans: Sequence[Plan], on_change: Callable[[], None], optimum_wall_s: float | None) -> None:
        """Make it; `run` starts it.

        Args:
            plans: The simulations to run, in order.
            on_change: Called at every change of a simulation.
            optimum_wall_s: Time limit for each clairvoyant optimum, real seconds; None: not computed.
        """
        self.plans = tuple(plans)
        self.started_wall_s = time.monotonic()
        self._on_change = on_change
        self._optimum_wall_s = optimum_wall_s
        self._is_stopped = False
        self.simulations: list[SimulationClient] = [
            SimulationClient(plans[0], on_change, optimum_wall_s=optimum_wall_s)
        ]
        """Those started so far; the last one is the current one."""

    @property
    def current(self) -> SimulationClient:
        """The simulation started last."""
        return self.simulations[-1]

    @property
    def is_over(self) -> bool:
        """Whether nothing more will run."""
        is_last = self._is_stopped or len(self.simulations) == len(self.plans) or self.current.state != "done"
        return self.current.is_over and is_last

    @property
    def results(self) -> tuple[Path, ...]:
        """The results files that there are, in the order of the plans."""
        return tuple(one.began.results_file for one in self.simulations if one.began is not None)

    async def run(self, connected: Callable[[SimulationClient], None]) -> None:
        """Run all of them, stopping after one that does not finish.

        Args:
            connected: Called when a simulation can be watched.
        """
        while True:
            await self.current.run(connected)
            if self.is_over:
                return
            plan = self.plans[len(self.simulations)]
            self.simulations.append(SimulationClient(plan, self._on_change, optimum_wall_s=self._optimum_wall_s))
            self._on_change()

    async def interrupt(self) -> None:
        """Stop the current simulation, and start no other."""
        self._is_stopped = True
        await self.current.interrupt()

    def share_done(self) -> float:
        """Return the share of total virtual time that has passed, 0 to 1."""
        before = len(self.simulations) - 1
        return (before + self.current.share_done()) / len(self.plans)

    def elapsed_wall_s(self) -> float:
        """Return the elapsed real time, s."""
        if len(self.plans) == 1:
            return self.current.elapsed_wall_s()
        if self.is_over:
            return sum(one.wall_s for one in self.simulations)
        return time.monotonic() - self.started_wall_s

    def left_wall_s(self) -> float | None:
        """Return the estimated remaining real time, s; None if unknown or while a run does not advance."""
        left_wall_s, share = self.current.left_wall_s(), self.current.share_done()
        if left_wall_s is None or share >= 1:
            return left_wall_s
        one_wall_s = left_wall_s / (1 - share)
        return left_wall_s + one_wall_s * (len(self.plans) - len(self.simulations))
