"""A progress bar on standard error, where a person looks at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scenarios.simulation import Plan, planned_end_s
from tui.cli.console import notes
from tui.cli.figures import kwh


@contextmanager
def progress_of(plan: Plan) -> Iterator[Callable[[int, int], None] | None]:
    """Show how far the runs of a simulation are; give what to tell it: (run, virtual time)."""
    console = notes()
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    start_s, end_s = plan.scenario.start_s, planned_end_s(plan.scenario, plan.days)
    span_s = max(1, end_s - start_s)
    share_done: dict[int, float] = {}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(plan.scenario.name, total=len(plan.seeds))

        def tell(run: int, time_s: int) -> None:
            share_done[run] = min(1.0, max(0.0, (time_s - start_s) / span_s))
            if len(plan.seeds) == 1:
                what = f"{plan.scenario.name} {_clock(time_s - start_s)}"
            else:
                what = f"{plan.scenario.name}, {len(share_done)} of {len(plan.seeds)} runs begun"
            progress.update(bar, completed=sum(share_done.values()), description=what)

        yield tell


def _clock(since_start_s: int) -> str:
    days, rest_s = divmod(max(0, since_start_s), 86_400)
    return f"day {days + 1} +{rest_s // 3600:02}:{rest_s % 3600 // 60:02}"


@contextmanager
def optimum_progress(time_limit_wall_s: float) -> Iterator[Callable[[float, float], None] | None]:
    """Show how far the search for an optimum is; give what to tell it: (best plan, bound), Wh."""
    console = notes()
    if not console.is_terminal:
        yield None
        return
    with console.status(f"searching for the best plan, at most {time_limit_wall_s:g} s") as status:

        def tell(best_wh: float, bound_wh: float) -> None:
            status.update(f"best plan {kwh(best_wh)}, at most {kwh(bound_wh)} possible")

        yield tell
