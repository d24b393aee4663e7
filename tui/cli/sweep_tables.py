"""The tables and the progress of `ssmic sweep`."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.table import Table

from broker import plural
from scenarios.metrics import Figure
from scenarios.results.comparison import SimulationComparison, mean_text, unit_of
from scenarios.sweep import SweepPlan, SweepProgress, SweepResults, compared_points
from tui.cli.output import notes

_SHOWN = ("self_sufficiency", "grid_wh", "peak_import_w", "jobs_on_grid", "bill_eur")
"""The figures in the terminal, of which runs without a tariff have no bill; the report and JSON have all figures."""
_HEAD_WIDTH = 14
_SAY_EVERY_WALL_S = 10.0
_WITHOUT_WORKERS = "the cluster has no workers; waiting for some"


def show_sweep(console: Console, results: SweepResults) -> None:
    """Print the means of each point with their intervals, and the differences from the first point."""
    comparison = compared_points(results)
    info = results.info
    points, seeds = plural(len(comparison.simulations), "point"), plural(len(info.seeds), "seed")
    console.print(f"{info.scenario}: {points}, {seeds}; mean ± 95 % interval", soft_wrap=True)
    rows = [
        (
            one.label,
            f"{len(one.by_seed)}",
            [mean_text(f, comparison.statistics_of(i, f.name)) for f in _figures(comparison)],
        )
        for i, one in enumerate(comparison.simulations)
    ]
    _print(console, comparison, rows, "runs", of_difference=False)
    first = [of for of in comparison.differences if of.reference == 0]
    if first:
        console.print(f"Difference from {comparison.simulations[0].label} on the same seeds", soft_wrap=True)
        paired = [
            (
                comparison.simulations[of.other].label,
                f"{len(of.seeds)}",
                [mean_text(f, of.figures[f.name], signed=True) for f in _figures(comparison)],
            )
            for of in first
        ]
        _print(console, comparison, paired, "seeds", of_difference=True)
    for warning in comparison.warnings:
        console.print(f"Note: {warning}", soft_wrap=True)
    if info.sha256 is not None:
        console.print(f"SHA-256 of the results: {info.sha256}", soft_wrap=True)


def _figures(comparison: SimulationComparison) -> list[Figure]:
    by_name = {figure.name: figure for figure in comparison.figures}
    points = range(len(comparison.simulations))
    known = {name for name in by_name if any(comparison.statistics_of(i, name).mean is not None for i in points)}
    return [by_name[name] for name in _SHOWN if name in known]


def _print(
    console: Console,
    comparison: SimulationComparison,
    rows: list[tuple[str, str, list[str]]],
    counted: str,
    *,
    of_difference: bool,
) -> None:
    """Print a table with one line per point, divided into parts that fit the width."""
    figures = _figures(comparison)
    heads = [_head(figure.label, unit_of(figure, of_difference=of_difference)) for figure in figures]
    widths = [
        max(*map(len, ("", *head.split("\n"))), *(len(row[2][k]) for row in rows)) + 2 for k, head in enumerate(heads)
    ]
    label = max(len(row[0]) for row in rows) + 2 + max(len(counted), 4) + 2
    start = 0
    while start < len(figures):
        end = start + 1
        while end < len(figures) and label + sum(widths[start : end + 1]) <= console.width:
            end += 1
        shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        shown.add_column("", overflow="fold")
        shown.add_column(counted, justify="right", no_wrap=True)
        for head in heads[start:end]:
            shown.add_column(head, justify="right", no_wrap=True)
        for name, count, cells in rows:
            shown.add_row(name, count, *cells[start:end])
        console.print(shown)
        console.print()
        start = end


def _head(label: str, unit: str) -> str:
    return textwrap.fill(f"{label} ({unit})" if unit else label, _HEAD_WIDTH)


@contextmanager
def sweep_progress(plan: SweepPlan) -> Iterator[Callable[[SweepProgress], None]]:
    """Show how many runs are done and how long the rest will take; yield the callback that updates it."""
    console = notes()
    if not console.is_terminal:
        yield _Lines().tell
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(f"sweep of {plan.scenario}", total=plan.count)

        def tell(now: SweepProgress) -> None:
            waits = f": {_WITHOUT_WORKERS}" if now.without_workers else ""
            progress.update(bar, completed=now.done, description=f"sweep of {plan.scenario}{waits}")

        yield tell


class _Lines:
    """Progress as lines, every few seconds, where the output is not a terminal."""

    def __init__(self) -> None:
        self._said_wall_s = time.monotonic()
        self._begun: tuple[float, int] | None = None
        """When the work began that the estimate is made from, and with how many runs done."""
        self._without_workers = False

    def tell(self, now: SweepProgress) -> None:
        """Update the progress of the sweep."""
        wall_s = time.monotonic()
        if self._begun is None:
            self._begun = wall_s, now.done
            if now.before:
                notes().print(f"{now.before} of {now.planned} runs are done already", soft_wrap=True)
            return
        if now.without_workers != self._without_workers:
            self._begun = wall_s, now.done
            self._without_workers = now.without_workers
            notes().print(_WITHOUT_WORKERS if now.without_workers else "the cluster has workers", soft_wrap=True)
            return
        begun_wall_s, before = self._begun
        if now.done in {before, now.planned} or wall_s - self._said_wall_s < _SAY_EVERY_WALL_S:
            return
        self._said_wall_s = wall_s
        left_s = (wall_s - begun_wall_s) / (now.done - before) * (now.planned - now.done)
        notes().print(f"{now.done} of {now.planned} runs, about {_duration(left_s)} left", soft_wrap=True)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
