"""Progress of a simulation: a bar with an estimate, the watched run's status, a row per run, and its expectations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from broker import plural
from scenarios import Scenario, Zone, planned_end_s
from scenarios.expectations import Verdict
from scenarios.monitor import SIGNS, RunStatus, Tone
from tui.formatting import kwh, percent, ratio
from tui.run.simulation_client import SimulationBatch, SimulationClient
from tui.run.simulation_messages import OptimumSearch, RunSummary
from tui.shell import COLOURS, MonitoredRun, StatusLine
from tui.widgets import Cell, Column, VirtualTable, rich_colour

State = Literal["held", "failed", "not yet", "not judged"]
_MARKS: dict[State, tuple[str, str]] = {
    "held": ("✓ held   ", "success"),
    "failed": ("✗ failed ", "error"),
    "not yet": ("· not yet", "foreground"),
    "not judged": ("· not judged", "foreground"),
}
_STATES: dict[str, tuple[str, str]] = {
    "starting": ("… starting", "warning"),
    "running": ("▶ running", "success"),
    "seeking": ("… computing the optimum", "success"),
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
    "": ("· waiting", "muted"),
    "not run": ("· not run", "muted"),
}
_LOOKS: dict[Tone, str] = {"good": "ok", "warning": "warn", "bad": "bad", "plain": "muted"}
_ROOMY = 110
"""Minimum width for all columns."""


@dataclass(frozen=True, slots=True)
class ExpectationLine:
    """The state of an expectation in all runs of a simulation."""

    state: State
    """`failed` where it failed in any run; `held` where it held in all of them."""
    title: str
    details: str
    """The values that decided, when it is due, or in how many runs it held."""


def expectation_lines(
    scenario: Scenario, runs: int, verdicts: Mapping[int, Sequence[Verdict | None]], *, is_over: bool = False
) -> tuple[ExpectationLine, ...]:
    """Return how each expectation stands, in the order of the file.

    Args:
        scenario: The scenario.
        runs: Number of runs.
        verdicts: By run, the verdicts so far; None for an expectation that is not judged yet.
        is_over: Whether the simulation has ended, so that nothing more will be judged.
    """
    lines = []
    open_state: State = "not judged" if is_over else "not yet"
    for i, expectation in enumerate(scenario.expectations):
        found = [one for of_run in verdicts.values() if i < len(of_run) and (one := of_run[i]) is not None]
        held = sum(one.holds for one in found)
        state: State = "failed" if held < len(found) else "held" if len(found) == runs else open_state
        if runs > 1 and found:
            details = f"{held} of {plural(len(found), 'run')}"
        elif found:
            details = found[0].error or found[0].values
        elif is_over:
            details = "the run did not get that far"
        else:
            details = _due(expectation.at_s, scenario.start_s, scenario.zone)
        lines.append(ExpectationLine(state, expectation.title, details))
    return tuple(lines)


def _due(at_s: int | None, start_s: int, zone: Zone) -> str:
    if at_s is None:
        return "at the end"
    is_same_day = zone.at(at_s).date() == zone.at(start_s).date()
    return f"at {zone.exact_clock(at_s) if is_same_day else zone.exact_moment(at_s)}"


def summary_of(lines: Sequence[ExpectationLine]) -> str:
    """Return how many expectations hold, fail and are open."""
    counts = Counter(line.state for line in lines)
    return ", ".join(f"{counts[state]} {state}" for state in _MARKS if counts[state])


class ExpectationsPanel(VerticalScroll, can_focus=False):
    """A line for each expectation; hidden where the scenario has none."""

    DEFAULT_CSS = """
    ExpectationsPanel { height: auto; max-height: 6; padding: 0 1; display: none; scrollbar-size-vertical: 1; }
    ExpectationsPanel.some { display: block; }
    ExpectationsPanel Static { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[ExpectationLine, ...] = ()

    def compose(self) -> ComposeResult:
        """One text of several lines."""
        yield Static("")

    def show(self, lines: tuple[ExpectationLine, ...]) -> None:
        """Show the state of each expectation; those that fail come first, then those that hold."""
        if lines == self._shown:
            return
        self._shown = lines
        self.set_class(bool(lines), "some")
        colours = self.app.theme_variables
        said = Text(f"Expectations: {summary_of(lines)}")
        order: tuple[State, ...] = ("failed", "held", "not yet", "not judged")
        for line in sorted(lines, key=lambda line: order.index(line.state)):
            mark, colour = _MARKS[line.state]
            said.append(f"\n{mark} ", style=rich_colour(colours, colour))
            said.append(line.title)
            said.append(f"  {line.details}", style="dim")
        self.query_one(Static).update(said)


class Bar(Widget):
    """State, bar, time taken, time left."""

    DEFAULT_CSS = "Bar { height: 1; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._batch: SimulationBatch | None = None

    def show(self, batch: SimulationBatch | None) -> None:
        """Update bar, status and rows from the state of all runs."""
        self._batch = batch
        self.refresh()

    def render(self) -> Text:
        """Draw state, bar and figures in one line, as wide as the panel."""
        batch, colours = self._batch, self.app.theme_variables
        if batch is None:
            return Text()
        text, colour = _STATES[batch.current.state if batch.is_over or batch.current.state != "done" else "starting"]
        standing = batch.current.standing
        if batch.current.state == "running" and standing is not None:
            text, colour = standing.text, COLOURS[standing.tone]
        if len(batch.plans) > 1 and not batch.is_over:
            text = f"{text} {batch.current.plan.algorithm.name}, {len(batch.simulations)} of {len(batch.plans)}"
        share = batch.share_done()
        note = f" {share:4.0%}  {_span(batch.elapsed_wall_s())}{_left(batch)}"
        most = max(10, self.size.width - len(note) - 10)
        text = text if len(text) <= most else f"{text[: most - 1]}…"
        width = max(4, self.size.width - len(text) - len(note) - 2)
        done = round(share * width)
        line = Text(f"{text}  ", style=rich_colour(colours, colour), no_wrap=True, end="")
        line.append("━" * done, style=rich_colour(colours, colour))
        line.append("─" * (width - done), style=rich_colour(colours, "border"))
        line.append(note, style=rich_colour(colours, "foreground"))
        return line


def _left(batch: SimulationBatch) -> str:
    left_wall_s = batch.left_wall_s()
    return "" if left_wall_s is None else f", about {_span(left_wall_s)} left"


def _span(wall_s: float) -> str:
    return str(timedelta(seconds=round(wall_s)))[2 if wall_s < 3600 else 0 :]


@dataclass(frozen=True, slots=True)
class RunProgress:
    """One run of a simulation."""

    simulation: int
    """Index of the simulation, from 0."""
    algorithm: str
    run: int
    seed: int
    state: str
    share: float
    summary: RunSummary | None
    standing: RunStatus | None = None
    """Its clock's latest report; None: none yet, or no longer valid."""

    @property
    def mark(self) -> str:
        """Suffix of figures that cover only a part of the run."""
        return "" if self.state == "done" else "*"

    def kpi(self, name: str) -> float | None:
        """Return a key figure; None if not available yet."""
        return None if self.summary is None else self.summary.kpis.get(name)


def _percent(name: str) -> Column[RunProgress]:
    titles = {"self_consumption": "self-cons.", "self_sufficiency": "self-suff."}
    full = name.replace("_", "-")
    return Column(
        titles[name],
        lambda row: f"{percent(row.kpi(name))}{row.mark}" if row.summary else "",
        10,
        right=True,
        sort=lambda row: row.kpi(name) or 0,
        full=full,
    )


def _grid(row: RunProgress) -> str:
    wh = row.kpi("grid_wh")
    return "" if wh is None else f"{kwh(wh)}{row.mark}"


def _peak(row: RunProgress) -> str:
    return "" if row.summary is None else f"{ratio(row.kpi('consumption_peak_to_average'))}{row.mark}"


def _state(row: RunProgress) -> Cell:
    if row.state == "running" and row.standing is not None:
        return f"{SIGNS[row.standing.kind]} {row.standing.kind}", _LOOKS[row.standing.tone]
    return _RUN_STATES.get(row.state, row.state)


def _hash(row: RunProgress) -> Cell:
    return ("", "") if row.summary is None else (row.summary.ledger_sha256[:12], "muted")


_ALGORITHM: Column[RunProgress] = Column("algorithm", lambda row: row.algorithm, 11)
_OF_BEST: Column[RunProgress] = Column(
    "of best",
    lambda row: percent(row.summary.share_of_best) if row.summary else "",
    8,
    right=True,
    sort=lambda row: (row.summary.share_of_best if row.summary else None) or 0,
)
_OF_SHARED_BEST = replace(_OF_BEST, title="of shared", width=9, full="of shared best")
_COLUMNS: tuple[Column[RunProgress], ...] = (
    _ALGORITHM,
    Column("run", lambda row: str(row.run), 3, right=True, sort=lambda row: row.run),
    Column("seed", lambda row: str(row.seed), 5, right=True, sort=lambda row: row.seed),
    Column("state", _state, 14, 11),
    Column("done", lambda row: f"{row.share:.0%}", 5, 4, right=True, sort=lambda row: row.share),
    _percent("self_consumption"),
    _percent("self_sufficiency"),
    Column("from grid", _grid, 11, 9, right=True, sort=lambda row: row.kpi("grid_wh") or 0),
    _OF_BEST,
    _OF_SHARED_BEST,
    Column("peak/avg", _peak, 8, right=True, from_width=90),
    Column("messages", lambda row: f"{row.summary.messages:,}" if row.summary else "", 8, right=True),
    Column("took", lambda row: f"{row.summary.wall_s:.1f} s" if row.summary else "", 8, right=True, from_width=84),
    Column("ledger", _hash, 12, from_width=100),
)


def columns_for(batch: SimulationBatch) -> tuple[Column[RunProgress], ...]:
    """Return the columns; algorithm and share of the best plan, of the runs' own rule of supply, only if they apply."""
    is_shared = batch.current.plan.supply_settings.rule == "shared"
    is_sought = batch.current.optimum_wall_s is not None
    left_out = {
        _ALGORITHM: len(batch.plans) == 1,
        _OF_BEST: is_shared or not is_sought,
        _OF_SHARED_BEST: not (is_shared and is_sought),
    }
    columns = (column for column in _COLUMNS if not left_out.get(column, False))
    room = 0 if all(left_out.values()) else _ROOMY
    return tuple(
        replace(c, from_width=max(c.from_width, room)) if c.title in {"messages", "took"} else c for c in columns
    )


class ProgressPanel(Vertical):
    """The progress panel, below or next to the form."""

    DEFAULT_CSS = """
    ProgressPanel { height: auto; border-top: solid $border; }
    ProgressPanel VirtualTable { height: auto; min-height: 3; max-height: 12; }
    ProgressPanel .note { height: auto; padding: 0 1; color: $text-muted; max-height: 5; }
    ProgressPanel .note.wrong { color: $text-error; }
    """

    def compose(self) -> ComposeResult:
        """Compose the bar, status, notices, runs and expectations."""
        yield Bar()
        yield StatusLine()
        yield Static("", classes="note", markup=False)
        yield VirtualTable[RunProgress](
            _COLUMNS, key=lambda row: (row.simulation, row.run), empty="Runs appear here once started", id="runs-table"
        )
        yield ExpectationsPanel()

    def show(self, batch: SimulationBatch, monitored_run: MonitoredRun) -> None:
        """Take over the state of all runs, and draw it."""
        running = batch.current
        self.query_one(Bar).show(batch)
        status = self.query_one(StatusLine)
        status.display = bool(running.feeds) and not running.is_over
        status.show(monitored_run)
        note = self.query_one(".note", Static)
        text = status_message(batch)
        note.update(text)
        note.display = bool(text)
        note.set_class(bool(running.problem), "wrong")
        plan = running.plan
        lines = expectation_lines(plan.scenario, len(plan.seeds), running.verdicts, is_over=running.is_over)
        self.query_one(ExpectationsPanel).show(lines)
        rows = rows_of(batch)
        table: VirtualTable[RunProgress] = self.query_one("#runs-table", VirtualTable)
        if table.columns != columns_for(batch):
            table.columns, table.sorted_by = columns_for(batch), None
        if table.rows != rows:
            table.styles.height = len(rows) + 1
            table.show_rows(rows)


def status_message(batch: SimulationBatch) -> str:
    """Return a status message about the simulations."""
    running = batch.current
    began = running.began
    if running.problem or (running.is_over and began is None):
        return running.problem
    if began is None:
        return running.said or ("Connecting to the broker ..." if running.plan.broker else "")
    if running.state == "seeking":
        return _say_sought(running.sought)
    if batch.is_over:
        return _say_results(batch)
    if not running.feeds:
        return "Several in-memory runs cannot be watched live; choose MQTT to watch."
    broker = f"Broker: {began.broker}."
    if running.plan.scenario.gateways and running.plan.has_private_broker:
        broker += " It is private: real devices cannot connect to it (choose their broker as transport)."
    return f"{broker} Press 3 to watch the negotiations."


def _say_sought(sought: OptimumSearch | None) -> str:
    if sought is None or sought.best_wh is None or sought.bound_wh is None:
        return "All runs are done; computing the optimum."
    return f"Best plan so far {kwh(sought.best_wh)}; no plan can exceed {kwh(sought.bound_wh)}."


def _say_results(batch: SimulationBatch) -> str:
    results = batch.results
    state = batch.current.state
    if state == "done" and len(results) > 1:
        return f"{len(results)} results files in {_short(results[0].parent)} (press r to compare them)"
    kept = "everything agreed so far is kept" if state == "interrupted" else "press r to open them"
    ended = batch.current.ended
    is_part = ended is not None and any(run.state != "done" for run in ended.runs)
    part = " * These figures cover only the part that ran; they are excluded from means." if is_part else ""
    return f"Results: {_short(results[-1])} ({kept}){part}"


def _short(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def rows_of(batch: SimulationBatch) -> list[RunProgress]:
    """Return a row per run; runs in progress first, then the newest."""
    rows = [_rows_of(n, running) for n, running in enumerate(batch.simulations)]
    return [row for of_one in reversed(rows) for row in of_one]


def _rows_of(simulation: int, running: SimulationClient) -> list[RunProgress]:
    scenario = running.plan.scenario
    span_s = max(1, planned_end_s(scenario, running.plan.days) - scenario.start_s)
    summaries = {} if running.ended is None else {summary.run: summary for summary in running.ended.runs}
    rows = []
    for run, seed in enumerate(running.plan.seeds, start=1):
        time_s, summary = running.times_s.get(run), summaries.get(run)
        share = 0.0 if time_s is None else min(1.0, max(0.0, (time_s - scenario.start_s) / span_s))
        algorithm, standing = running.plan.algorithm.name, running.standings.get(run)
        has_ended = standing is not None and standing.is_over  # the process may be ended while it seeks the optimum
        if summary is not None:
            state = summary.state
        elif running.is_over and not has_ended:  # the process was ended, or has failed
            state = "not run" if time_s is None else running.state
        else:
            state = "" if time_s is None else "running"
        share = 1.0 if state == "done" else share
        rows.append(RunProgress(simulation, algorithm, run, seed, state, share, summary, standing))
    return rows
