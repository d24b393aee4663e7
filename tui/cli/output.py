"""Output: tables on standard output, everything else on standard error, where a progress bar shows on a terminal."""

from __future__ import annotations

import ctypes
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from rich.console import Console

from broker.clock import ClockReport
from scenarios import planned_end_s
from scenarios.monitor import RunStatus, most_urgent, status_of_reported
from scenarios.simulation import Plan
from tui.formatting import kwh
from tui.safe_output import make_rich_safe

make_rich_safe()

PIPED_WIDTH = 80
STDOUT_FD = 1


def output() -> Console:
    """Return the console for standard output; 80 columns wide if it is not a terminal."""
    return _console(sys.stdout)


def notes() -> Console:
    """Return the console for standard error."""
    return _console(sys.stderr)


def _console(file: TextIO) -> Console:
    """Return a console; rich handles NO_COLOR, TERM and COLUMNS."""
    console = Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=False)
    if not console.is_terminal and console.width < PIPED_WIDTH:
        console.width = PIPED_WIDTH
    return console


@contextmanager
def own_output() -> Iterator[None]:
    """Redirect file descriptor 1 to standard error, except for writes through `sys.stdout`.

    Does nothing if `sys.stdout` is not the process's own (in tests, in an embedding program).
    """
    before = sys.stdout
    if not isinstance(before, io.TextIOWrapper) or not _is_real(before):
        yield
        return
    before.flush()
    kept_fd = os.dup(STDOUT_FD)
    os.dup2(2, STDOUT_FD)
    ours = io.TextIOWrapper(
        os.fdopen(kept_fd, "wb"),
        encoding=before.encoding,
        errors=before.errors,
        line_buffering=before.line_buffering,
    )
    sys.stdout = ours
    try:
        yield
        ours.flush()
    finally:
        # Flush C's own buffer before descriptor 1 is standard output again.
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept_fd, STDOUT_FD)
        sys.stdout = before
        # The reader may have gone; the caller learned of that when writing.
        with suppress(BrokenPipeError):
            ours.close()


def _is_real(file: io.TextIOWrapper) -> bool:
    try:
        return file.fileno() == STDOUT_FD
    except (OSError, ValueError):
        return False


Tell = Callable[[int, int], None] | None
"""Called with (run number, virtual time in UNIX seconds)."""
Report = Callable[[int, ClockReport], None] | None
"""Called with (run number, its clock's report)."""


@contextmanager
def progress_of(plan: Plan) -> Iterator[tuple[Tell, Report]]:
    """Show the progress and state of a simulation's runs; yield the callbacks that update it."""
    console = notes()
    if not console.is_terminal:
        yield None, None
        return
    from rich.progress import BarColumn, Progress, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.text import Text

    class TimeLeft(TimeRemainingColumn):
        """Estimated time left, while virtual time advances."""

        def render(self, task: Task) -> Text:
            return super().render(task) if task.fields["moves"] else Text("")

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeLeft(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        state = _State(plan)
        bar = progress.add_task(plan.scenario.name, total=len(plan.seeds), moves=True)

        def show() -> None:
            progress.update(bar, completed=state.done(), description=state.words(), moves=state.moves())

        def tell(run: int, time_s: int) -> None:
            state.times_s[run] = time_s
            show()

        def report(run: int, reported: ClockReport) -> None:
            state.standings[run] = status_of_reported(reported)
            show()

        yield tell, report


class _State:
    """Progress and state of a simulation's runs."""

    def __init__(self, plan: Plan) -> None:
        self.times_s: dict[int, int] = {}
        self.standings: dict[int, RunStatus] = {}
        self._plan = plan
        self._start_s = plan.scenario.start_s
        self._span_s = max(1, planned_end_s(plan.scenario, plan.days) - self._start_s)

    def done(self) -> float:
        """Return the number of runs done, including fractions."""
        return sum(min(1.0, max(0.0, (time_s - self._start_s) / self._span_s)) for time_s in self.times_s.values())

    def moves(self) -> bool:
        """Return whether no run has stopped advancing."""
        standing = most_urgent(self.standings.values())
        return standing is None or standing.moves

    def words(self) -> str:
        """Return the simulation's position, and the reason if it has stopped advancing."""
        name, runs = self._plan.scenario.name, len(self._plan.seeds)
        standing = most_urgent(self.standings.values())
        said = "" if standing is None or standing.moves else f"  {standing.text}"
        if runs > 1:
            return f"{name}, {len(self.times_s)} of {runs} runs begun{said}"
        return f"{name} {_clock(self.times_s.get(1, self._start_s) - self._start_s)}{said}"


def _clock(since_start_s: int) -> str:
    days, rest_s = divmod(max(0, since_start_s), 86_400)
    return f"day {days + 1} +{rest_s // 3600:02}:{rest_s % 3600 // 60:02}"


@contextmanager
def optimum_progress(time_limit_wall_s: float) -> Iterator[Callable[[float, float], None] | None]:
    """Show the progress of an optimum's computation; yield the callback for (best plan, bound), Wh."""
    console = notes()
    if not console.is_terminal:
        yield None
        return
    with console.status(f"computing the optimum, at most {time_limit_wall_s:g} s") as status:

        def tell(best_wh: float, bound_wh: float) -> None:
            status.update(f"best plan {kwh(best_wh)}, at most {kwh(bound_wh)} possible")

        yield tell
