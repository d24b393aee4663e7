"""*All runs*: a row per run, mean and standard deviation, and the average day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from scenarios import Zone
from scenarios.metrics import SampleStatistics
from scenarios.results import AveragePowerProfile, ResultsReader, RunInfo, average_power_profile, view_runs
from tui.formatting import column_kwh, percent, ratio, unfinished
from tui.results.pane_parts import READING, state_cell
from tui.results.simulation_states import is_in_progress, shown_state
from tui.shell import Days, ErrorBoundary, shown_zone
from tui.widgets import GRID, OWN, PRODUCTION, Cell, CellTable, Chart, Column, PlainText, TimeAxis, VirtualTable, drawn


@dataclass(frozen=True, slots=True)
class RunRow:
    """A row: one run, or a statistic over all runs."""

    title: str
    run: RunInfo | None
    """The run; None for a statistic."""
    figures: dict[str, float | None]
    covered_share: float = 1.0
    """Completed share of the planned time, 0 to 1."""
    state: str = ""
    """A key of `tui.results.pane_parts.STATES`; empty for a statistic."""


@dataclass(frozen=True, slots=True)
class RunsSheet:
    """All runs of a simulation."""

    rows: tuple[RunRow, ...]
    average: AveragePowerProfile | None
    """Average day; None: no run has started."""
    zone: Zone
    """Display zone of times."""


def runs_sheet(results: ResultsReader, interval_s: int) -> RunsSheet:
    """Read all runs.

    Raises:
        ResultsError: The file cannot be read.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    view = view_runs(results, interval_s)
    average = average_power_profile(results, interval_s) if view.runs else None
    in_progress = is_in_progress(results.path)
    rows = [
        RunRow(
            f"{run.run}{'' if run.is_complete else '*'}",
            run,
            _with_counts(figures.as_dict(), run),
            results.covered_share(run),
            shown_state(run, in_progress=in_progress),
        )
        for run, figures in view.runs
    ]
    if len(rows) > 1:
        spreads = {**view.statistics, **_count_spreads(rows)}
        rows.append(RunRow("mean", None, {name: of.mean for name, of in spreads.items()}))
        rows.append(RunRow("± sd", None, {name: of.standard_deviation for name, of in spreads.items()}))
    return RunsSheet(tuple(rows), average, results.zone)


def _with_counts(figures: dict[str, float | None], run: RunInfo) -> dict[str, float | None]:
    return {
        **figures,
        "negotiations": run.negotiations,
        "messages": run.messages,
        "wall_s": run.wall_s,
        "of_best": run.share_of("optimum"),
        "of_shared_best": run.share_of("shared_optimum"),
    }


def _count_spreads(rows: list[RunRow]) -> dict[str, SampleStatistics]:
    from scenarios.metrics import sample_statistics  # noqa: PLC0415 - SciPy is heavy, and one run alone does not need it

    names = ("negotiations", "messages", "wall_s", "of_best", "of_shared_best")
    complete = [row for row in rows if row.run is not None and row.run.is_complete]
    return {name: sample_statistics([row.figures[name] for row in complete]) for name in names}


def _column(title: str, name: str, width: int, kind: str, from_width: int = 0, *, full: str = "") -> Column[RunRow]:
    def cell(row: RunRow) -> Cell:
        value = row.figures.get(name)
        return _written(kind, value), "" if row.run else "strong"

    return Column(
        title,
        cell,
        width,
        right=True,
        from_width=from_width,
        sort=lambda row: _rank(row.figures.get(name)),
        full=full,
    )


def _rank(value: float | None) -> float:
    return -1.0 if value is None else value


def _written(kind: str, value: float | None) -> str:
    if value is None:
        return "-"
    if kind == "count":
        return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
    if kind == "s":
        return f"{value:,.2f} s"
    return {"wh": column_kwh, "share": percent, "ratio": ratio}[kind](value)


_OF_BEST = _column("of best", "of_best", 8, "share")
_OF_SHARED_BEST = _column("of shared", "of_shared_best", 9, "share", full="of shared best")
_MESSAGES = _column("messages", "messages", 8, "count")
_MESSAGES_WHERE_COMPARED = _column("messages", "messages", 8, "count", 94)
"""Minimum width for messages next to the share of the best plan."""

_COLUMNS: tuple[Column[RunRow], ...] = (
    Column(
        "run", lambda row: (row.title, "" if row.run else "strong"), 5, sort=lambda row: row.run.run if row.run else 0
    ),
    Column(
        "seed",
        lambda row: str(row.run.seed) if row.run else "",
        6,
        right=True,
        sort=lambda row: row.run.seed if row.run else 0,
    ),
    Column("state", lambda row: state_cell(row.state) if row.run else "", 13, from_width=94),
    _column("consumed", "consumed_wh", 9, "wh"),
    _column("local", "local_wh", 9, "wh"),
    _column("grid", "grid_wh", 8, "wh"),
    _column("sun used", "self_consumption", 8, "share", full="self-consumption"),
    _column("from sun", "self_sufficiency", 8, "share", full="self-sufficiency"),
    _column("peak/avg", "consumption_peak_to_average", 8, "ratio"),
    _OF_BEST,
    _OF_SHARED_BEST,
    _column("of possible", "share_of_possible", 11, "share", 132, full="share of the possible"),
    _column("on grid", "jobs_on_grid", 7, "count", 120),
    _column("negotiations", "negotiations", 12, "count", 126),
    _MESSAGES,
    _column("took", "wall_s", 9, "s", 128),
)


def columns_for(rows: Sequence[RunRow]) -> tuple[Column[RunRow], ...]:
    """Return the columns; the shares of the best plans of whole jobs and of shared supply only if a run has them."""
    optional = {_OF_BEST: "of_best", _OF_SHARED_BEST: "of_shared_best"}
    hidden = {column for column, name in optional.items() if all(row.figures.get(name) is None for row in rows)}
    shown = (column for column in _COLUMNS if column not in hidden)
    if len(hidden) == len(optional):
        return tuple(shown)
    return tuple(_MESSAGES_WHERE_COMPARED if column is _MESSAGES else column for column in shown)


class RunsPane(ErrorBoundary, Vertical):
    """The runs of a simulation, and their average day."""

    SCOPED_CSS = False  # depends on the size classes of the screen too
    DEFAULT_CSS = """
    RunsPane { height: 1fr; }
    RunsPane .detail { height: auto; min-height: 1; padding: 0 1; background: $panel; }
    RunsPane #average { height: 1fr; border-top: solid $border; }
    .-narrow RunsPane #average { height: 9; border-top: none; }
    """

    class RunChosen(Message):
        """A run was chosen."""

        def __init__(self, run: int) -> None:
            super().__init__()
            self.run = run

    def __init__(self) -> None:
        super().__init__()
        self.sheet: RunsSheet | None = None
        self.day_index = 0
        """Index of the drawn day, if there are several."""

    def compose(self) -> ComposeResult:
        """Runs above, their average day below."""
        yield CellTable[RunRow](
            _COLUMNS,
            key=lambda row: row.title,
            empty="No run has begun yet",
            waiting=READING,
            last=lambda row: row.run is None,
            id="runs",
        )
        yield Chart(empty="No run has begun yet", waiting=READING, id="average")
        yield PlainText(classes="detail")

    def show(self, sheet: RunsSheet) -> None:
        """Replace the runs; the day that is shown stays the same."""
        self.sheet = sheet
        table = self.query_one("#runs", CellTable)
        table.show_columns(columns_for(sheet.rows))
        table.show_rows(sheet.rows)
        self.show_day(self.day_index)

    @property
    def days(self) -> Days | None:
        """The days to choose from; None: nothing shown yet."""
        average = None if self.sheet is None else self.sheet.average
        if self.sheet is None or average is None or not len(average.times_s):
            return None
        return Days(int(average.times_s[0]), average.days, self.sheet.zone)

    def show_day(self, index: int) -> None:
        """Draw the day nearest to an index."""
        sheet, days = self.sheet, self.days
        if sheet is None or sheet.average is None or days is None:
            return
        self.day_index = days.fitting(index)
        day = sheet.average.of_day(self.day_index)
        start_s = float(day.times_s[0])
        end_s = start_s + len(day.times_s) * day.interval_s
        self.query_one("#average", Chart).show(
            (
                drawn(PRODUCTION, day.production.mean_w),
                drawn(OWN, day.local.mean_w, "local use"),
                drawn(GRID, day.grid.mean_w, "grid use"),
            ),
            TimeAxis(start_s, end_s, shown_zone(self, sheet.zone)),
        )
        title = days.title(self.day_index)
        chosen = f"{title} ({{ }} day before, after; G choose). " if title else ""
        self.query_one(".detail", PlainText).say(chosen + _said(sheet.average, sheet.rows))

    @on(VirtualTable.Chosen, "#runs")
    def _chosen(self, event: VirtualTable.Chosen) -> None:
        event.stop()
        if event.row.run is not None:
            self.post_message(self.RunChosen(event.row.run.run))


def _said(day: AveragePowerProfile, rows: Sequence[RunRow]) -> str:
    """Return which runs the mean includes and excludes."""
    parts = [(row.run, unfinished(row.run.state, row.covered_share)) for row in rows if row.run is not None]
    left_out = "; ".join(f"* run {run.run}: {how}" for run, how in parts if how)
    if left_out:
        left_out = f" {left_out}: figures cover that part only and are excluded from the mean."
    if day.runs == 1:
        one = "One run." if len(parts) == 1 else f"One complete run of {len(parts)}."
        one = one if any(not how for _, how in parts) else "No complete run."
        return f"{one} Energy in kWh. Enter shows a run.{left_out}"
    most_kw, most_grid_kw = day.local.deviation_w.max() / 1000, day.grid.deviation_w.max() / 1000
    return (
        f"Average of {day.runs} runs; energy in kWh. Runs differ by up to ± {most_kw:.2f} kW "
        f"(local), ± {most_grid_kw:.2f} kW (grid) in {day.interval_s // 60} min. Enter shows a run.{left_out}"
    )
