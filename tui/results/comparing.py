"""Shows two simulations side by side: figures, average days, jobs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static, TabbedContent, TabPane

from scenarios.kpis import DEFAULT_INTERVAL_S, Spread
from scenarios.results.averages import AverageDay
from scenarios.results.views import ContractRow
from scenarios.zone import Zone
from tui.cli.figures import plural
from tui.results.backlink import BackLink
from tui.results.celltable import CellTable
from tui.results.comparison import Comparison, FigureRow, JobRow, Side, compare
from tui.results.looks import DAY_S, day_label, figure_text
from tui.results.reading import Reads
from tui.widgets.chart import Chart, Series, Span
from tui.widgets.table import Cell, Column, VirtualTable
from tui.widgets.words import Words

TABS = (("K", "figures", "Figures"), ("T", "days", "Average days"), ("J", "jobs", "Jobs"))


def _mean(unit: str, spread: Spread) -> str:
    return figure_text(unit, spread.mean)


def _deviation(unit: str, spread: Spread) -> Cell:
    deviation = spread.standard_deviation
    return ("" if deviation is None else f"± {figure_text(unit, deviation)}"), "muted"


def _difference(row: FigureRow) -> Cell:
    difference = row.difference
    if difference is None:
        return ""
    text = figure_text(row.figure.unit, abs(difference))
    if text == figure_text(row.figure.unit, 0.0):
        return "=", "muted"
    if row.figure.unit == "share":
        text = text.replace("%", "pp")
    return f"{'▲ +' if difference > 0 else '▼ -'}{text}", "accent"


def _relative(row: FigureRow) -> Cell:
    relative = row.relative
    return ("" if relative is None or abs(relative) < 0.0005 else f"{relative:+.1%}"), "muted"


_FIGURES: tuple[Column[FigureRow], ...] = (
    Column("figure", lambda row: row.figure.label, most=40),
    Column("A", lambda row: _mean(row.figure.unit, row.a), 14, 12, right=True, sort=lambda row: row.a.mean or 0.0),
    Column("", lambda row: _deviation(row.figure.unit, row.a), 14, from_width=100),
    Column("B", lambda row: _mean(row.figure.unit, row.b), 14, 12, right=True, sort=lambda row: row.b.mean or 0.0),
    Column("", lambda row: _deviation(row.figure.unit, row.b), 14, from_width=100),
    Column("B less A", _difference, 16, 14, right=True, sort=lambda row: row.difference or 0.0),
    Column("", _relative, 9, right=True, sort=lambda row: row.relative or 0.0),
)


def _supplier(contract: ContractRow | None) -> Cell:
    if contract is None:
        return "- none", "muted"
    return ("⌁ grid", "warn") if contract.producer_house is None else contract.producer


def _moved(row: JobRow) -> Cell:
    if row.is_same:
        return "= same", "muted"
    moved_s = row.moved_s
    if moved_s is None:
        return "only in B" if row.a is None else "only in A", "warn"
    if moved_s == 0:
        return "≠ supplier", "accent"
    minutes = f"{abs(moved_s) / 60:,.1f}".removesuffix(".0")
    return f"{'▲ +' if moved_s > 0 else '▼ -'}{minutes} min", "accent"


def job_columns(jobs: Sequence[JobRow], zone_a: Zone, zone_b: Zone) -> tuple[Column[JobRow], ...]:
    """Return the columns for some jobs; days are told only where there are several."""
    starts_s = [contract.start_s for row in jobs for contract in (row.a, row.b) if contract is not None]
    is_one_day = not starts_s or max(starts_s) - min(starts_s) < DAY_S
    width = 8 if is_one_day else 15

    def start(contract: ContractRow | None, zone: Zone) -> Cell:
        if contract is None:
            return ""
        return zone.clock(contract.start_s) if is_one_day else zone.moment(contract.start_s)

    return (
        Column("job", lambda row: row.job_id, most=36),
        Column("A: supplier", lambda row: _supplier(row.a), 16, 12),
        Column("start", lambda row: start(row.a, zone_a), width, sort=lambda row: row.a.start_s if row.a else 0),
        Column("B: supplier", lambda row: _supplier(row.b), 16, 12),
        Column("start", lambda row: start(row.b, zone_b), width, sort=lambda row: row.b.start_s if row.b else 0),
        Column("B less A", _moved, 14, 12, right=True, sort=lambda row: row.moved_s or 0),
    )


class DayOfSide(Vertical):
    """One side's average day, with its name above it."""

    DEFAULT_CSS = """
    DayOfSide { width: 1fr; height: 1fr; }
    DayOfSide Static { height: 1; text-style: bold; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def compose(self) -> ComposeResult:
        """Name and chart."""
        yield Static("", markup=False)
        yield Chart()

    def show(self, title: str, day: AverageDay, zone: Zone, top_w: float) -> None:
        """Draw another day, on a scale that reaches as far as the other side's."""
        self.query_one(Static).update(title)
        start_s = float(day.times_s[0])
        end_s = start_s + len(day.times_s) * day.interval_s
        self.query_one(Chart).show(
            (
                Series("produced", day.production.mean_w, "dots", "forecast"),
                Series("local use", day.local.mean_w, "area", "committed"),
                Series("grid use", day.grid.mean_w, "area", "grid-power"),
            ),
            Span(start_s, end_s, day_label(zone, start_s, end_s)),
            top=top_w,
        )


def most_w(day: AverageDay) -> float:
    """Return how far the scale of a day's chart has to reach."""
    return float(max(day.production.mean_w.max(initial=0), (day.local.mean_w + day.grid.mean_w).max(initial=0)))


class ComparisonPane(Reads):
    """Two simulations."""

    SCOPED_CSS = False  # the screen's size, a class of the screen, decides too
    DEFAULT_CSS = """
    ComparisonPane { height: 1fr; }
    ComparisonPane .heading { height: 2; background: $surface; }
    ComparisonPane .title { width: 1fr; height: 2; text-wrap: nowrap; text-overflow: ellipsis; }
    ComparisonPane .detail { height: auto; min-height: 1; padding: 0 1; background: $panel; }
    .-narrow ComparisonPane #days { layout: vertical; }
    """

    class Shown(Message):
        """Both were read and are there to be seen."""

    class Failed(Message):
        """One could not be read."""

        def __init__(self, error: BaseException) -> None:
            super().__init__()
            self.error = error

    def __init__(self) -> None:
        super().__init__(id="comparison")
        self.comparison: Comparison | None = None

    def compose(self) -> ComposeResult:
        """Which two, then a tab for each way to look at them."""
        with Horizontal(classes="heading"):
            yield BackLink("◂ Back")
            yield Static("", classes="title", markup=False)
        with TabbedContent(id="sides"):
            for key, id_, title in TABS:
                with TabPane(f"[dim]{key}[/] {title}", id=f"compare-{id_}"):
                    if id_ == "figures":
                        yield CellTable[FigureRow](_FIGURES, key=lambda row: row.figure.name, id="figure-rows")
                        yield Words(classes="detail")
                    elif id_ == "days":
                        with Horizontal(id="days"):
                            yield DayOfSide()
                            yield DayOfSide()
                    else:
                        yield CellTable[JobRow](
                            job_columns((), Zone(), Zone()), key=lambda row: row.job_id, id="job-rows"
                        )
                        yield Words(classes="detail")

    @property
    def tab(self) -> str:
        """Id of the way to look in sight."""
        return self.query_one("#sides", TabbedContent).active.removeprefix("compare-")

    def open(self, a: Path, b: Path, interval_s: int = DEFAULT_INTERVAL_S) -> None:
        """Read two simulations and show them."""
        self.read("compare", partial(compare, a, b, interval_s), self._show, self._failed)

    def _failed(self, error: BaseException) -> None:
        self.post_message(self.Failed(error))

    def _show(self, comparison: Comparison) -> None:
        self.comparison = comparison
        a, b = _title("A", comparison.a), _title("B", comparison.b)
        self.query_one(".title", Static).update(f"{a}\n{b}")
        self.query_one("#figure-rows", VirtualTable).show_rows(comparison.figures)
        sides = comparison.a, comparison.b
        top_w = max(most_w(side.day) for side in sides)
        for place, title, side in zip(self.query(DayOfSide), (a, b), sides, strict=True):
            place.show(title, side.day, side.zone, top_w)
        jobs = self.query_one("#job-rows", CellTable)
        jobs.show_columns(job_columns(comparison.jobs, comparison.a.zone, comparison.b.zone))
        jobs.show_rows(comparison.jobs)
        differ = sum(not row.is_same for row in comparison.jobs)
        told = f"Run 1 of each, seeds {comparison.a.seed} and {comparison.b.seed}: {differ:,} of "
        told += f"{plural(len(comparison.jobs), 'job')} differ."
        zones = dict.fromkeys(side.zone.name for side in sides)
        told += f" Times are {' and '.join(zones)}."
        if not comparison.is_same_scenario:
            told += " These are different scenarios."
        self.query_one("#compare-jobs .detail", Words).say(told)
        self.post_message(self.Shown())

    def show_tab(self, tab: str) -> None:
        """Look at them in another way."""
        self.query_one("#sides", TabbedContent).active = f"compare-{tab}"
        self.call_after_refresh(self.focus_view)

    def show_next_tab(self, by: int) -> None:
        """Look at them in the way beside."""
        ids = [id_ for _, id_, _ in TABS]
        self.show_tab(ids[(ids.index(self.tab) + by) % len(ids)])

    def focus_view(self) -> None:
        """Go to the table in sight, if there is one."""
        for table in self.query(f"#compare-{self.tab} CellTable"):
            table.focus()
            return
        self.query_one("#sides Tabs").focus()

    @on(VirtualTable.Highlighted, "#figure-rows")
    def _explain(self, event: VirtualTable.Highlighted) -> None:
        event.stop()
        figure = event.row.figure
        note = figure.note.format(interval=f"{DEFAULT_INTERVAL_S // 60} min")
        runs = "Means over the runs, with standard deviation where there are several."
        self.query_one("#compare-figures .detail", Words).say(f"{figure.label}: {note} {runs}")

    @on(TabbedContent.TabActivated)
    def _tab_changed(self, event: TabbedContent.TabActivated) -> None:
        event.stop()


def _title(letter: str, side: Side) -> str:
    made = side.info.created_utc[:16].replace("T", " ")
    return f"{letter}  {side.info.scenario}, {side.info.algorithm}, {plural(side.runs, 'run')}, made {made} UTC"
