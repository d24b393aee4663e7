"""Judges expectations during a run, as soon as it has passed their time; part of the process that runs it."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from broker import SsmicError
from scenarios import Scenario
from scenarios.expectations import Verdict, judge_so_far
from scenarios.results import ResultsReader
from tui.run.ipc import Judged


class Judging:
    """Reports the verdicts on expectations with a time."""

    def __init__(self, scenario: Scenario, results_file: Path, tell: Callable[[Judged], None]) -> None:
        """Begin, before the runs do.

        Args:
            scenario: The scenario.
            results_file: The results file of the runs.
            tell: Called with the verdicts on a run whenever further ones are due.
        """
        self._due_s = sorted(one.at_s for one in scenario.expectations if one.at_s is not None)
        self._file = results_file
        self._tell = tell
        self._judged: dict[int, int] = {}
        """By run, how many expectations with a time it has passed."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()

    def reached(self, run: int, time_s: int) -> None:
        """Note that a run has reached a time, and judge what is due."""
        passed = bisect_left(self._due_s, time_s)
        if passed > self._judged.get(run, 0):
            self._judged[run] = passed
            task = asyncio.create_task(self._judge(run, time_s), name=f"judge run {run}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _judge(self, run: int, now_s: int) -> None:
        async with self._one_at_a_time:
            with suppress(
                SsmicError
            ):  # the run itself says what is wrong with its file; all are judged again at the end
                self._tell(Judged(run, await asyncio.to_thread(_judged, self._file, run, now_s)))

    async def finish(self) -> None:
        """Wait for the verdicts that are being made."""
        while self._tasks:
            await asyncio.wait(self._tasks)


def _judged(results_file: Path, run: int, now_s: int) -> tuple[Verdict | None, ...]:
    with ResultsReader(results_file) as results:
        return judge_so_far(results, run, now_s)
