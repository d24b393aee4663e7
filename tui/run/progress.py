"""How a simulation goes: a bar with an estimate, where the watched run stands, and a line for each run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from scenarios.simulation import planned_end_s
from scenarios.watch.standing import SIGNS, Standing, Tone
from tui.cli.figures import kwh, percent, ratio
from tui.run.protocol import RunSummary
from tui.run.running import Running
from tui.shell.status import COLOURS, StatusLine
from tui.shell.watching import Watching
from tui.widgets.table import Cell, Column, VirtualTable

_STATES: dict[str, tuple[str, str]] = {
    "starting": ("… starting", "warning"),
    "running": ("▶ running", "success"),
    "stopping": ("… stopping", "warning"),
    "done": ("✓ done", "success"),
    "interrupted": ("■ stopped before the end", "warning"),
    "failed": ("✗ failed", "error"),
}
_RUN_STATES: dict[str, Cell] = {
    "done": ("✓ done", "ok"),
    "interrupted": ("■ stopped", "warn"),
    "failed": ("✗ failed", "bad"),
    "running": ("▶ running", "ok"),
    "": ("· waits", "muted"),
}
_LOOKS: dict[Tone, str] = {"good": "ok", "warning": "warn", "bad": "bad", "plain": "muted"}


class Bar(Widget):
    """State, bar, time taken, time left."""

    DEFAULT_CSS = "Bar { height: 1; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._simulation: Running | None = None

    def show(self, running: Running | None) -> None:
        """Draw how far it is."""
        self._simulation = running
        self.refresh()

    def render(self) -> Text:
        """Draw it."""
        running, colours = self._simulation, self.app.theme_variables
        if running is None:
            return Text()
        text, colour = _STATES[running.state]
        standing = running.standing
        if running.state == "running" and standing is not None:
            text, colour = standing.text, COLOURS[standing.tone]
        share = running.share_done()
        told = f" {share:4.0%}  {_span(running.elapsed_wall_s())}{_left(running)}"
        most = max(10, self.size.width - len(told) - 10)
        text = text if len(text) <= most else f"{text[: most - 1]}…"
        width = max(4, self.size.width - len(text) - len(told) - 2)
        done = round(share * width)
        line = Text(f"{text}  ", style=colours.get(colour, ""), no_wrap=True, end="")
        line.append("━" * done, style=colours.get(colour, ""))
        line.append("─" * (width - done), style=colours.get("border", ""))
        line.append(told, style=colours.get("foreground", ""))
        return line


def _left(running: Running) -> str:
    left_wall_s = running.left_wall_s()
    return "" if left_wall_s is None else f", about {_span(left_wall_s)} left"


def _span(wall_s: float) -> str:
    return str(timedelta(seconds=round(wall_s)))[2 if wall_s < 3600 else 0 :]


@dataclass(frozen=True, slots=True)
class Row:
    """One run of the simulation."""

    run: int
    seed: int
    state: str
    share: float
    summary: RunSummary | None
    standing: Standing | None = None
    """As its clock says; None: it says nothing yet, or no longer."""

    @property
    def mark(self) -> str:
        """What stands behind a figure that covers a part of the run only."""
        return "" if self.state == "done" else "*"

    def kpi(self, name: str) -> float | None:
        """Return a figure, None before there is one."""
        return None if self.summary is None else self.summary.kpis.get(name)


def _percent(name: str) -> Column[Row]:
    titles = {"self_consumption": "self-cons.", "self_sufficiency": "self-suff."}
    return Column(
        titles[name],
        lambda row: f"{percent(row.kpi(name))}{row.mark}" if row.summary else "",
        10,
        right=True,
        sort=lambda row: row.kpi(name) or 0,
    )


def _grid(row: Row) -> str:
    wh = row.kpi("grid_wh")
    return "" if wh is None else f"{kwh(wh)}{row.mark}"


def _peak(row: Row) -> str:
    return "" if row.summary is None else f"{ratio(row.kpi('consumption_peak_to_average'))}{row.mark}"


def _state(row: Row) -> Cell:
    if row.state == "running" and row.standing is not None:
        return f"{SIGNS[row.standing.kind]} {row.standing.kind}", _LOOKS[row.standing.tone]
    return _RUN_STATES.get(row.state, row.state)


def _hash(row: Row) -> Cell:
    return ("", "") if row.summary is None else (row.summary.ledger_sha256[:12], "muted")


_COLUMNS: tuple[Column[Row], ...] = (
    Column("run", lambda row: str(row.run), 3, right=True, sort=lambda row: row.run),
    Column("seed", lambda row: str(row.seed), 5, right=True, sort=lambda row: row.seed),
    Column("state", _state, 14),
    Column("done", lambda row: f"{row.share:.0%}", 5, right=True, sort=lambda row: row.share),
    _percent("self_consumption"),
    _percent("self_sufficiency"),
    Column("from grid", _grid, 11, right=True, sort=lambda row: row.kpi("grid_wh") or 0),
    Column("peak/avg", _peak, 8, right=True, from_width=90),
    Column("mess.", lambda row: f"{row.summary.messages:,}" if row.summary else "", 8, right=True),
    Column("took", lambda row: f"{row.summary.wall_s:.1f} s" if row.summary else "", 8, right=True),
    Column("ledger", _hash, 12, from_width=100),
)


class ProgressPanel(Vertical):
    """Below or beside the form."""

    DEFAULT_CSS = """
    ProgressPanel { height: auto; border-top: solid $border; }
    ProgressPanel VirtualTable { height: auto; min-height: 3; max-height: 12; }
    ProgressPanel .told { height: auto; padding: 0 1; color: $text-muted; max-height: 5; }
    ProgressPanel .told.wrong { color: $text-error; }
    """

    def compose(self) -> ComposeResult:
        """Bar, status, what there is to say, runs."""
        yield Bar()
        yield StatusLine()
        yield Static("", classes="told", markup=False)
        yield VirtualTable[Row](_COLUMNS, key=lambda row: row.run, empty="The runs appear here", id="runs-table")

    def show(self, running: Running, watching: Watching) -> None:
        """Draw how it goes."""
        self.query_one(Bar).show(running)
        status = self.query_one(StatusLine)
        status.display = bool(running.feeds) and not running.is_over
        status.show(watching)
        told = self.query_one(".told", Static)
        text = say(running)
        told.update(text)
        told.display = bool(text)
        told.set_class(bool(running.problem), "wrong")
        rows = rows_of(running)
        table: VirtualTable[Row] = self.query_one("#runs-table", VirtualTable)
        if table.rows != rows:
            table.styles.height = len(rows) + 1
            table.show_rows(rows)


def say(running: Running) -> str:
    """Return what else there is to say about a simulation."""
    if running.problem:
        return running.problem
    began = running.began
    if running.is_over:
        kept = "what was agreed until then is kept" if running.state == "interrupted" else "press r to open them"
        is_part = running.ended is not None and any(run.state != "done" for run in running.ended.runs)
        part = " * These figures cover only the part that ran; they enter no mean." if is_part else ""
        return "" if began is None else f"Results: {_short(began.results_file)} ({kept}){part}"
    if began is not None and not running.feeds:
        return "Several runs in memory cannot be watched live; choose MQTT for that."
    return "" if began is None else f"Broker: {began.broker}. Press 3 to watch the negotiations."


def _short(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def rows_of(running: Running) -> list[Row]:
    """Return a row for each run."""
    scenario = running.plan.scenario
    span_s = max(1, planned_end_s(scenario, running.plan.days) - scenario.start_s)
    summaries = {} if running.ended is None else {summary.run: summary for summary in running.ended.runs}
    rows = []
    for run, seed in enumerate(running.plan.seeds, start=1):
        time_s, summary = running.times_s.get(run), summaries.get(run)
        share = 0.0 if time_s is None else min(1.0, max(0.0, (time_s - scenario.start_s) / span_s))
        state = summary.state if summary is not None else "" if time_s is None else "running"
        rows.append(Row(run, seed, state, 1.0 if state == "done" else share, summary, running.standings.get(run)))
    return rows
