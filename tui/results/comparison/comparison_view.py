"""The view of a comparison: figures with intervals, differences, chart, average days, jobs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, ScrollableContainer, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Static, TabbedContent, TabPane

from agents import GRID as GRID_SUPPLY
from broker import plural
from scenarios import DAY_S, Zone
from scenarios.metrics import DEFAULT_INTERVAL_S, SampleStatistics
from scenarios.results import AveragePowerProfile, ContractRow
from scenarios.results.comparison import mean_text, unit_of
from tui.results.comparison.comparison_model import ComparisonSheet, FigureRow, JobComparison, Side, compare, letter_of
from tui.results.comparison.interval_chart import Intervals
from tui.results.file_access import FilePane
from tui.results.pane_parts import BackLink, stamp, state_cell
from tui.results.simulation_states import ListedSimulation
from tui.shell import Dialog, Footer
from tui.widgets import GRID, OWN, PRODUCTION, Cell, CellTable, Chart, Column, PlainText, TimeAxis, VirtualTable, drawn

_ENTRIES: tuple[Column[ListedSimulation], ...] = (
    Column("made (UTC)", lambda entry: stamp(entry.made_wall_s), 16, sort=lambda entry: entry.made_wall_s),
    Column("scenario", lambda entry: entry.listed.scenario),
    Column("algorithm", lambda entry: entry.listed.algorithm, 11),
    Column("supply", lambda entry: entry.listed.supply, 6),
    Column("runs", lambda entry: str(entry.listed.planned_runs), 4, right=True),
    Column("state", lambda entry: state_cell(entry.state), 13),
)


class OtherChooser(Dialog[Path | None]):
    """Asks which simulation to compare with."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Compare", priority=True),
    ]
    DEFAULT_CSS = """
    OtherChooser > Vertical { width: 76; height: 70%; }
    OtherChooser VirtualTable { background: $surface; }
    """

    def __init__(self, entries: tuple[ListedSimulation, ...]) -> None:
        super().__init__()
        self._books = entries

    def compose(self) -> ComposeResult:
        """Yield the readable simulations."""
        with Vertical() as box:
            box.border_title = "Compare with"
            yield VirtualTable[ListedSimulation](
                _ENTRIES, key=lambda entry: entry.path, empty="No other simulation to compare with yet"
            )
        yield Footer()

    def on_mount(self) -> None:
        """List the simulations and take the focus, so that Enter chooses."""
        table = self.query_one(VirtualTable)
        table.show_rows(self._books)
        table.focus()

    def action_choose(self) -> None:
        """Choose the one under the cursor."""
        self.in_order(self._choose)

    def _choose(self) -> None:
        entry: ListedSimulation | None = self.query_one(VirtualTable).row
        if entry is not None:
            self.dismiss(entry.path)

    @on(VirtualTable.Chosen)
    def _clicked(self) -> None:
        self.action_choose()


COMPARISON_TABS = (
    ("K", "figures", "Figures"),
    ("W", "differences", "Differences"),
    ("V", "chart", "Chart"),
    ("T", "days", "Average days"),
    ("J", "jobs", "Jobs"),
)
_LESS = "\N{MINUS SIGN}"
_CELL = 18
_NARROW_CELL = 15


def _label(row: FigureRow, *, of_difference: bool = False) -> str:
    unit = unit_of(row.figure, of_difference=of_difference)
    return f"{row.figure.label}, {unit}" if unit else row.figure.label


def _figure_columns(sides: Sequence[Side]) -> tuple[Column[FigureRow], ...]:
    """Return columns: the figure, then mean and interval of each simulation."""

    def of_side(i: int, side: Side) -> Column[FigureRow]:
        return Column(
            f"{side.letter} {side.short_label}",
            lambda row: mean_text(row.figure, row.spreads[i]),
            _CELL,
            _NARROW_CELL,
            right=True,
            is_id=True,
            sort=lambda row: row.spreads[i].mean or 0.0,
        )

    return (Column("mean ± 95 %", _label, most=40), *(of_side(i, side) for i, side in enumerate(sides)))


def _difference_columns(sides: Sequence[Side]) -> tuple[Column[FigureRow], ...]:
    """Return columns: the figure, then each simulation's difference from the first, with interval."""

    def of_side(i: int, side: Side) -> Column[FigureRow]:
        return Column(
            f"{side.letter} {_LESS} {sides[0].letter} {side.short_label}",
            lambda row: _difference(row, i),
            _CELL + 2,
            _NARROW_CELL + 1,
            right=True,
            is_id=True,
            sort=lambda row: _mean(row.differences[i]),
        )

    rest = tuple(of_side(i, side) for i, side in enumerate(sides) if i)
    return (Column("paired by seed", lambda row: _label(row, of_difference=True), most=40), *rest)


def _mean(spread: SampleStatistics | None) -> float:
    return 0.0 if spread is None or spread.mean is None else spread.mean


def _difference(row: FigureRow, i: int) -> Cell:
    spread = row.differences[i]
    if spread is None or spread.mean is None:
        return "-", "muted"
    is_sure = spread.low_95 is not None and spread.high_95 is not None and spread.low_95 * spread.high_95 > 0
    return mean_text(row.figure, spread, signed=True), "accent" if is_sure else "muted"


def _supplier(contract: ContractRow | None) -> Cell:
    if contract is None:
        return "- none", "muted"
    return ("⌁ grid", "warn") if contract.producer == GRID_SUPPLY else contract.suppliers


def _moved(row: JobComparison) -> Cell:
    if row.is_same:
        return "= same", "muted"
    letters = [letter_of(i) for i, contract in enumerate(row.contracts) if contract is not None]
    if len(letters) < len(row.contracts):
        return f"only in {', '.join(letters)}", "warn"
    moved_s = row.moved_s
    if not moved_s or len(row.contracts) > 2:
        starts = {contract.start_s for contract in row.contracts if contract is not None}
        return ("≠ start" if len(starts) > 1 else "≠ supplier"), "accent"
    minutes = f"{abs(moved_s) / 60:,.1f}".removesuffix(".0")
    return f"{'▲ +' if moved_s > 0 else '▼ -'}{minutes} min", "accent"


def _width_for(i: int) -> int:
    """Return the least width, in cells, of a table of jobs that shows the simulation `i`, counted from 0."""
    return 0 if i < 2 else 80 + 30 * (i - 1)


def job_columns(jobs: Sequence[JobComparison], sides: Sequence[Side]) -> tuple[Column[JobComparison], ...]:
    """Return the columns for some jobs, with dates only if they differ."""
    starts_s = [contract.start_s for row in jobs for contract in row.contracts if contract is not None]
    is_one_day = not starts_s or max(starts_s) - min(starts_s) < DAY_S
    width = 8 if is_one_day else 15

    def start(contract: ContractRow | None, zone: Zone) -> Cell:
        if contract is None:
            return ""
        return zone.narrow_clock(contract.start_s) if is_one_day else zone.narrow_moment(contract.start_s)

    def start_s(contract: ContractRow | None) -> int:
        return 0 if contract is None else contract.start_s

    def of_side(i: int, side: Side) -> tuple[Column[JobComparison], ...]:
        from_width = _width_for(i)
        return (
            Column(f"{side.letter}: supplier", lambda row: _supplier(row.contracts[i]), 16, 12, from_width=from_width),
            Column(
                "start",
                lambda row: start(row.contracts[i], side.zone),
                width,
                sort=lambda row: start_s(row.contracts[i]),
                from_width=from_width,
            ),
        )

    title = f"{sides[1].letter} {_LESS} {sides[0].letter}" if len(sides) == 2 else "difference"
    return (
        Column("job", lambda row: row.job_id, most=36),
        *(column for i, side in enumerate(sides) for column in of_side(i, side)),
        Column(title, _moved, 14, 12, right=True, sort=lambda row: row.moved_s or 0),
    )


class DayOfSide(Vertical):
    """One simulation's average day, with its name."""

    DEFAULT_CSS = """
    DayOfSide { width: 1fr; height: 1fr; }
    DayOfSide Static { height: 1; text-style: bold; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def compose(self) -> ComposeResult:
        """Name and chart."""
        yield Static("", markup=False)
        yield Chart()

    def on_descendant_focus(self) -> None:
        """Scroll to the name of the chart that has the focus, too, where not all have room."""
        self.call_after_refresh(self.scroll_visible, animate=False)

    def show(self, title: str, day: AveragePowerProfile, zone: Zone, top_w: float) -> None:
        """Draw a day, on the same scale as the other simulations'.

        Args:
            title: Label of the simulation.
            day: Its average day.
            zone: Zone of the time axis.
            top_w: Upper end of the y axis, W.
        """
        self.query_one(Static).update(title)
        start_s = float(day.times_s[0])
        end_s = start_s + len(day.times_s) * day.interval_s
        self.query_one(Chart).show(
            (
                drawn(PRODUCTION, day.production.mean_w),
                drawn(OWN, day.local.mean_w, "local use"),
                drawn(GRID, day.grid.mean_w, "grid use"),
            ),
            TimeAxis(start_s, end_s, zone),
            top=top_w,
        )


def most_w(day: AveragePowerProfile) -> float:
    """Return the highest power of a day's chart, W."""
    return float(max(day.production.mean_w.max(initial=0), (day.local.mean_w + day.grid.mean_w).max(initial=0)))


class ComparisonPane(FilePane):
    """The comparison of two or more simulations."""

    SCOPED_CSS = False  # depends on the size classes of the screen too
    DEFAULT_CSS = """
    ComparisonPane { height: 1fr; }
    ComparisonPane .heading { height: auto; max-height: 6; background: $surface; }
    ComparisonPane .title { width: 1fr; height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    ComparisonPane .warnings { height: auto; max-height: 4; padding: 0 1; color: $text-warning; }
    ComparisonPane .warnings.gone { display: none; }
    ComparisonPane DayOfSide { min-height: 5; }
    ComparisonPane #days { layout: horizontal; overflow: hidden auto; }
    ComparisonPane .detail { height: auto; min-height: 1; padding: 0 1; background: $panel; }
    .-narrow ComparisonPane #days { layout: vertical; }
    """

    class Shown(Message):
        """All simulations were read and are displayed."""

    class Failed(Message):
        """One could not be read, or they cannot be compared."""

        def __init__(self, error: BaseException) -> None:
            super().__init__()
            self.error = error

    def __init__(self) -> None:
        super().__init__(id="comparison")
        self.comparison: ComparisonSheet | None = None

    def compose(self) -> ComposeResult:
        """Yield the heading and a tab per view."""
        with Horizontal(classes="heading"):
            yield BackLink("◂ Back")
            yield Static("", classes="title", markup=False)
        yield PlainText(classes="warnings gone")
        with TabbedContent(id="sides"):
            for key, id_, title in COMPARISON_TABS:
                with TabPane(f"[dim]{key}[/] {title}", id=f"compare-{id_}"):
                    if id_ in {"figures", "differences"}:
                        yield CellTable[FigureRow]((), key=lambda row: row.figure.name, id=f"{id_}-rows")
                        yield PlainText(classes="detail")
                    elif id_ == "chart":
                        with VerticalScroll(id="intervals"):
                            yield Intervals()
                    elif id_ == "days":
                        yield ScrollableContainer(id="days", can_focus=False)
                    else:
                        yield CellTable[JobComparison]((), key=lambda row: row.job_id, id="job-rows")
                        yield PlainText(classes="detail")

    @property
    def tab(self) -> str:
        """Id of the visible view."""
        return self.query_one("#sides", TabbedContent).active.removeprefix("compare-")

    def open(self, paths: Sequence[Path], interval_s: int = DEFAULT_INTERVAL_S) -> None:
        """Read simulations and show them."""
        self.read("compare", partial(compare, tuple(paths), interval_s), self._show, self._failed)

    def _failed(self, error: BaseException) -> None:
        self.post_message(self.Failed(error))

    def _show(self, comparison: ComparisonSheet) -> None:
        self.comparison = comparison
        sides = comparison.sides
        self.query_one(".title", Static).update("\n".join(_title(side) for side in sides))
        warnings = self.query_one(".warnings", PlainText)
        warnings.set_class(not comparison.statistics.warnings, "gone")
        warnings.say("\n".join(f"! {warning}" for warning in comparison.statistics.warnings))
        for id_, columns in (("figures", _figure_columns(sides)), ("differences", _difference_columns(sides))):
            table = self.query_one(f"#{id_}-rows", CellTable)
            table.show_columns(columns)
            table.show_rows(comparison.figures)
        self.query_one(Intervals).show(comparison.statistics)
        self._show_days(sides)
        jobs = self.query_one("#job-rows", CellTable)
        jobs.show_columns(job_columns(comparison.jobs, sides))
        jobs.show_rows(comparison.jobs)
        self._say_jobs(comparison)
        self.post_message(self.Shown())

    def _say_jobs(self, comparison: ComparisonSheet) -> None:
        """Say which jobs are shown, and which simulations have no room beside the others."""
        sides = comparison.sides
        differ = sum(not row.is_same for row in comparison.jobs)
        seeds = ", ".join(str(side.seed) for side in sides)
        said = f"First run of each, seeds {seeds}: {differ:,} of {plural(len(comparison.jobs), 'job')} differ."
        zones = dict.fromkeys(side.zone.name for side in sides)
        said += f" Times are {' and '.join(zones)}."
        if not comparison.statistics.is_same_scenario:
            said += " The scenarios differ."
        width = self.query_one("#job-rows", CellTable).size.width or self.size.width
        hidden = [side.letter for i, side in enumerate(sides) if width < _width_for(i)]
        if hidden and width:
            said += f" {' and '.join(hidden)}: in a wider terminal."
        self.query_one("#compare-jobs .detail", PlainText).say(said)

    @on(events.Resize)
    def _resized(self) -> None:
        if self.comparison is not None:
            self.call_after_refresh(self._say_jobs, self.comparison)

    def _show_days(self, sides: Sequence[Side]) -> None:
        days = self.query_one("#days", ScrollableContainer)
        places = list(days.query(DayOfSide))
        for place in places[len(sides) :]:
            place.remove()
        new = [DayOfSide() for _ in sides[len(places) :]]
        days.mount(*new)
        top_w = max(most_w(side.day) for side in sides)
        for place, side in zip((*places, *new), sides, strict=False):
            place.call_after_refresh(place.show, _title(side), side.day, side.zone, top_w)

    def show_tab(self, tab: str) -> None:
        """Show a view."""
        self.query_one("#sides", TabbedContent).active = f"compare-{tab}"
        self.call_after_refresh(self.focus_view)

    def show_next_tab(self, by: int) -> None:
        """Show the next or previous view."""
        ids = [id_ for _, id_, _ in COMPARISON_TABS]
        self.show_tab(ids[(ids.index(self.tab) + by) % len(ids)])

    def focus_view(self) -> None:
        """Focus the visible table, if any."""
        pane = f"#compare-{self.tab}"
        for place in self.query(f"{pane} CellTable, {pane} #intervals, {pane} Chart"):
            place.focus(scroll_visible=not isinstance(place, Chart))  # that scrolls to its name
            return
        self.query_one("#sides Tabs").focus()

    @on(VirtualTable.Highlighted, "#figures-rows")
    @on(VirtualTable.Highlighted, "#differences-rows")
    def _explain(self, event: VirtualTable.Highlighted) -> None:
        event.stop()
        figure = event.row.figure
        note = figure.note.format(interval=f"{DEFAULT_INTERVAL_S // 60} min")
        said = {
            "figures": "Mean over the finished runs ± 95 % interval (Student's t).",
            "differences": "Difference per seed: mean ± 95 % interval. Muted: not significantly different from 0.",
        }
        id_ = str(event.table.id).removesuffix("-rows")
        self.query_one(f"#compare-{id_} .detail", PlainText).say(f"{figure.label}: {note} {said[id_]}")

    @on(TabbedContent.TabActivated)
    def _tab_changed(self, event: TabbedContent.TabActivated) -> None:
        event.stop()
        self._resized()


def _title(side: Side) -> str:
    one = side.compared
    made = one.info.created_utc[:16].replace("T", " ")
    planned, counted = len(one.info.seeds), len(one.by_seed)
    runs = plural(counted, "run") if counted == planned else f"{counted} of {plural(planned, 'run')}"
    # What may be cut off at the end is what they have in common.
    return f"{side.letter}  {one.label}, {runs}, created {made} UTC, {one.info.scenario}"
