"""A sweep in a separate process: `ssmic sweep`, which the screen starts, monitors by its file, and stops."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import dataclass, field
from pathlib import Path

from scenarios.results import ResultsError
from scenarios.sweep import SweepPlan, SweepRequest, SweepResults, default_file, plan_sweep, read_sweep

_MOST_SAID = 2000


@dataclass(slots=True)
class SweepProcess:
    """A sweep that was started from the screen."""

    plan: SweepPlan
    path: Path
    begun_wall_s: float = field(default_factory=time.monotonic)
    before: int = 0
    """Runs that were there when it was started."""
    said: str = ""
    """Standard error of the command."""
    code: int | None = None
    """Its exit code; None: it is running."""
    _process: Process | None = None

    @property
    def goes_on(self) -> bool:
        """Whether it has not ended."""
        return self.code is None

    async def run(self) -> None:
        """Do the runs that are missing, until all are done or it is stopped."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tui", *arguments(self.plan.request), "--out", str(self.path)),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,
        )
        try:
            _, said = await self._process.communicate()
        except asyncio.CancelledError:
            self.stop()
            raise
        self.said = said.decode(errors="replace")[-_MOST_SAID:]
        self.code = self._process.returncode

    def stop(self) -> None:
        """Ask it to stop; the runs that are done stay in its file."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)

    def left_wall_s(self, done: int) -> float | None:
        """Return how long the rest is likely to take, seconds; None where nothing is known yet."""
        if done <= self.before:
            return None
        elapsed_s = time.monotonic() - self.begun_wall_s
        return elapsed_s / (done - self.before) * (self.plan.count - done)


def arguments(request: SweepRequest) -> list[str]:
    """Return the command line for a request, without `ssmic`."""
    found = ["sweep", request.source, "--seeds", str(request.seeds)]
    for option, texts in (("--vary", request.vary), ("--set", request.fixed), ("--zip", request.together)):
        for text in texts:
            found += [option, text]
    if request.sample is not None:
        found += ["--sample", str(request.sample)]
    if request.allow_outside:
        found.append("--allow-outside")
    return found


def prepared(request: SweepRequest, out: str) -> SweepProcess:
    """Return a sweep that can be run; its file may have some runs already.

    Raises:
        SettingsError, ScenarioError: see `scenarios.sweep.plan_sweep`.
    """
    plan = plan_sweep(request)
    path = Path(out) if out else default_file(plan)
    there = found_in(path)
    return SweepProcess(plan, path, before=0 if there is None else len(there.rows))


def found_in(path: Path) -> SweepResults | None:
    """Return the present content of a sweep's file; None while there is no file."""
    try:
        return read_sweep(path)
    except ResultsError:
        return None
