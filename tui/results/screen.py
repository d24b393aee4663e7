"""*Results*: list, show and compare simulations."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import ContentSwitcher

from scenarios.metrics import DEFAULT_INTERVAL_S
from scenarios.results import ResultsError
from tui.keys import shown
from tui.results.comparison import COMPARISON_TABS, ComparisonPane, OtherChooser
from tui.results.export_dialog import Writing, save_comparison
from tui.results.file_access import FilePane
from tui.results.simulation_list import SimulationList, readable
from tui.results.simulation_pane import TABS, SimulationPane
from tui.shell import AreaScreen, CompareResults, Intent, OpenResults, PickPath

FOLLOW_WALL_S = 1.0

_LIST = frozenset({"mark", "open_file", "open_folder"})
_SIMULATION = frozenset({"view", "choose", "next"})
_DAYS = frozenset({"next_day", "choose_day"})
_SHEET = frozenset({"zoom", "interval"})
_FILES = frozenset({"compare", "export", "report"})


class ResultsScreen(AreaScreen):
    """Lists simulations, opens one, and compares several."""

    AREA = "results"
    TITLE = "Results"
    HELP = """
The results of your runs: who supplied whom, when, and how much solar energy was used.

The **list** shows the simulations in the results folder, newest first. A file that cannot be read is listed
with the reason. `Enter` opens a simulation, `Space` marks it, `v` compares all marked ones. A simulation in progress
is updated as it runs.

A **comparison** shows means over the finished runs with 95 % intervals, differences from the first simulation paired
by seed, a chart, the average days, and the outcome of each job. `e` saves it as table and figure.

An opened simulation has six views; `Esc` goes back to the list.

- **All households**: where the energy came from and went to, peak-to-average over an interval of your choice (`k`), the
  day, the households (`Enter` opens one), and every contract. `z` zooms in on one of these.
  A run of more than two days is drawn day by day: `{` and `}` go to the day before and after, `G` opens one by number
  or date.
- **One household**: the same for one household; `u` chooses it, `(` and `)` go to the previous and next one.
- **All runs**: each run's figures, mean and standard deviation, the average day. `Enter` opens a run.
- **Bills**: what each household pays with and without the neighbourhood; settle by another allocation key above.
- **Log**: the run's log and the history of each contract, in virtual time.
- **Scores**: producer scores before and after the run, and those of the next run; `X` resets these.

In tables: arrow keys choose a cell, `s` sorts by its column (or click the title), `c` copies the cell, `y` the row,
`Y` all rows; `/` finds. `Enter` on a contract shows how it was negotiated.

`e` exports tables, `B` writes the report and opens it in the browser. Times are at the offset of the
scenario's start (see the heading); when clocks go back, the hour that occurs twice is `2A`, then `2B`. Energy is
settled minute by minute; *local* is energy that panels served.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", tooltip="Back: from a field to the table, from a simulation to the list"),
        *(Binding(key, f"view('{id_}')", title, show=False, key_display=shown(key)) for key, id_, title in TABS),
        *(Binding(key, f"side('{id_}')", title, show=False) for key, id_, title in COMPARISON_TABS),
        Binding("left_square_bracket", "next_view(-1)", "Previous view", show=False, key_display="["),
        Binding("right_square_bracket", "next_view(1)", "Next view", show=False, key_display="]"),
        Binding("g", "choose('run')", "Choose the run", show=False),
        Binding("u", "choose('house')", "Choose the household", show=False),
        Binding("comma", "next('run', -1)", "Previous run", show=False, key_display=","),
        Binding("full_stop", "next('run', 1)", "Next run", show=False, key_display="."),
        Binding("left_parenthesis", "next('house', -1)", "Previous household", show=False, key_display="("),
        Binding("right_parenthesis", "next('house', 1)", "Next household", show=False, key_display=")"),
        Binding("left_curly_bracket", "next_day(-1)", "Previous day", show=False, key_display="{"),
        Binding("right_curly_bracket", "next_day(1)", "Next day", show=False, key_display="}"),
        Binding("G", "choose_day", "Go to a day", show=False, tooltip="Show another day, by number or date"),
        Binding("z", "zoom", "Zoom", tooltip="Zoom in on contracts, households or the day, or show all"),
        Binding("k", "interval", "Interval of peaks", show=False, tooltip="Over how many minutes peaks are averaged"),
        Binding("slash", "find", "Find", key_display="/", tooltip="Find by a part of a name"),
        Binding("v", "compare", "Compare", tooltip="Compare simulations: those that are marked, or two"),
        Binding(
            "e", "save", "Save", tooltip="Save the comparison: a table (.csv, .tex, .md) and a figure (.svg, .png)"
        ),
        Binding("e", "export", "Export", tooltip="Write tables for other programs: CSV, JSON, Parquet"),
        Binding("B", "report", "Report", tooltip="Write the report, one page of HTML, and open it in the browser"),
        Binding("X", "reset_scores", "Reset scores", tooltip="Reset the producer scores kept for the next run"),
        Binding("ctrl+o", "open_file", "Open file", show=False, tooltip="Open a results file from another folder"),
        Binding("D", "open_folder", "Folder", show=False, tooltip="List results in another folder"),
        Binding("ctrl+l", "look_again", "Refresh", show=False, tooltip="Reload; this also happens automatically"),
    ]
    DEFAULT_CSS = """
    ResultsScreen #place { height: 1fr; }
    ResultsScreen TabbedContent { height: 1fr; }
    """

    def compose_body(self) -> ComposeResult:
        """The list, and a simulation in its place once one is opened."""
        with ContentSwitcher(initial="list", id="place"):
            yield SimulationList()
            yield SimulationPane()
            yield ComparisonPane()

    def on_mount(self) -> None:
        """Start following changes of the visible files."""
        self.simulation_list.look()
        self.set_interval(FOLLOW_WALL_S, self._follow)
        self.ssmic.before_quit.append(self._losses_by_quitting)

    def on_screen_resume(self) -> None:
        """Reload when shown."""
        self._follow()

    def _follow(self) -> None:
        if self.is_current:
            if self.place == "list":
                self.simulation_list.look()
            elif self.place == "simulation":
                self.simulation.follow()

    @property
    def place(self) -> str:
        """The visible part: `list`, `comparison` or `simulation`."""
        return self.query_one("#place", ContentSwitcher).current or "list"

    @property
    def simulation_list(self) -> SimulationList:
        """The pane with all simulations of the folder."""
        return self.query_one(SimulationList)

    @property
    def comparison(self) -> ComparisonPane:
        """The pane of the place `comparison`; empty until simulations are compared."""
        return self.query_one(ComparisonPane)

    @property
    def simulation(self) -> SimulationPane:
        """The opened simulation."""
        return self.query_one(SimulationPane)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable the actions that apply to the visible part."""
        if not self.is_mounted:
            return True
        place = self.place
        fits = {
            **dict.fromkeys(_LIST, place == "list"),
            **dict.fromkeys(_SIMULATION, place == "simulation"),
            **dict.fromkeys(_DAYS, place == "simulation" and self.simulation.has_days),
            **dict.fromkeys(_SHEET, place == "simulation" and self.simulation.sheet_pane is not None),
            "reset_scores": place == "simulation" and self.simulation.tab == "scores",
            "side": place == "comparison",
            "next_view": place != "list",
            "find": place == "list" or (place == "simulation" and self.simulation.sheet_pane is not None),
            **dict.fromkeys(_FILES, place == "simulation" or (place == "list" and bool(self.simulation_list.entries))),
            "save": place == "comparison",
            "leave": place != "list" or self.simulation_list.is_narrowed or self._is_opening,
        }
        return fits[action] if action in fits else super().check_action(action, parameters)

    def _go(self, place: str) -> None:
        self.query_one("#place", ContentSwitcher).current = place
        self.refresh_bindings()

    # Opening.

    def receive(self, intent: Intent) -> None:
        """Open a results file, or compare several."""
        if isinstance(intent, OpenResults):
            self._open(intent.path)
        elif isinstance(intent, CompareResults):
            self._compare(intent.paths)

    @on(SimulationList.Asked)
    def _asked(self, event: SimulationList.Asked) -> None:
        self._open(event.path)

    def _open(self, path: Path) -> None:
        self.comparison.give_up("compare")
        self.simulation_list.show_operation(f"opening {path.name} ...")
        self.simulation.open(path)
        self.refresh_bindings()

    def _compare(self, paths: Sequence[Path], interval_s: int = DEFAULT_INTERVAL_S) -> None:
        self.simulation.give_up("open")
        self.simulation_list.show_operation("comparing ...")
        self.comparison.open(paths, interval_s)
        self.refresh_bindings()

    @on(SimulationPane.Shown)
    def _shown(self) -> None:
        self.simulation_list.show_operation()
        if self.simulation.opened is None:
            return  # the user went back before it was shown
        self.ssmic.remember_results(self.simulation.opened.path)
        self._go("simulation")
        self.call_after_refresh(self.simulation.focus_view)

    @on(SimulationPane.Failed)
    def _failed(self, event: SimulationPane.Failed) -> None:
        self.simulation_list.show_operation()
        self.complain(event.error, "Not opened")
        if self.simulation.opened is None:
            self.action_leave_simulation()
        self.refresh_bindings()

    def action_open_file(self) -> None:
        """Ask for a results file."""

        def chosen(path: Path | None) -> None:
            if path is not None:
                self._open(path)

        folder = self.simulation_list.folder.path
        start = folder if folder.is_dir() else Path()
        self.app.push_screen(PickPath("Open results", start, suffixes=(".sqlite",)), chosen)

    def action_open_folder(self) -> None:
        """Ask for a folder with results."""

        def chosen(path: Path | None) -> None:
            if path is not None:
                self.simulation_list.show_folder(path)

        self.app.push_screen(PickPath("List the results in", Path(), kind="folder"), chosen)

    def action_look_again(self) -> None:
        """Reload immediately."""
        if self.place == "list":
            self.simulation_list.look()
        elif not self._is_opening:
            self.simulation.reload()

    # Getting around.

    def action_leave(self) -> None:
        """Leave a field, then a search, then the simulation; in the list, stop opening what takes long."""
        if self.place == "list" and self._is_opening:
            self._stop_opening()
        elif self.place == "list":
            self.simulation_list.give_way()
        elif self.place == "comparison":
            self._leave_comparison()
        elif not self.simulation.give_way():
            self.action_leave_simulation()

    @property
    def _is_opening(self) -> bool:
        """Whether a simulation is being opened or read again, or several are being compared."""
        return self.simulation.is_reading("open") or self.comparison.is_reading("compare")

    def _stop_opening(self) -> None:
        self.simulation.give_up("open")
        self.comparison.give_up("compare")
        self.simulation_list.show_operation()
        self.refresh_bindings()

    def action_leave_simulation(self) -> None:
        """Go back to the list."""
        self.simulation.close()
        if not self.comparison.is_reading("compare"):
            self.simulation_list.show_operation()
        self._go("list")
        self.simulation_list.look()
        self.call_after_refresh(self.simulation_list.focus_list)

    def action_view(self, view: str) -> None:
        """Show a view of the opened simulation; `view` is the id of its tab."""
        self.simulation.show_tab(view)

    def action_side(self, side: str) -> None:
        """Show a view of the comparison."""
        self.comparison.show_tab(side)

    def action_next_view(self, by: int) -> None:
        """Show the next or previous view."""
        (self.comparison if self.place == "comparison" else self.simulation).show_next_tab(by)

    def action_choose(self, what: str) -> None:
        """Let the user choose a run or a household."""
        self.simulation.choose(what)

    def action_next(self, what: str, by: int) -> None:
        """Show the next or previous run or household."""
        self.simulation.show_next(what, by)

    def action_next_day(self, by: int) -> None:
        """Draw the day before or after."""
        self.simulation.show_day(self.simulation.day_pane.day_index + by)

    def action_choose_day(self) -> None:
        """Ask which day to draw."""
        pane = self.simulation.day_pane
        days = pane.days
        if days is not None and days.count > 1:

            def chosen(text: str | None) -> None:
                if text is not None:
                    self.simulation.show_day(days.index(text))

            self.app.push_screen(days.ask(pane.day_index), chosen)

    def action_reset_scores(self) -> None:
        """Reset the producers' scores, after confirmation."""
        self.simulation.reset_scores()

    def action_zoom(self) -> None:
        """Zoom in on the next part."""
        pane = self.simulation.sheet_pane
        if pane is not None:
            pane.zoom_next()

    def action_interval(self) -> None:
        """Focus the interval field."""
        pane = self.simulation.sheet_pane
        if pane is not None:
            pane.ask_interval()

    def action_find(self) -> None:
        """Focus the search field."""
        if self.place == "list":
            self.simulation_list.find()
            return
        pane = self.simulation.sheet_pane
        if pane is not None:
            pane.find()

    def action_mark(self) -> None:
        """Mark a simulation."""
        self.simulation_list.mark()

    # Comparing.

    def action_compare(self) -> None:
        """Compare the marked simulations, or this one and another."""
        if self.place == "simulation":
            self._ask_other(self.simulation.opened.path if self.simulation.opened else None)
            return
        entry, marked = self.simulation_list.entry, self.simulation_list.marked
        if len(marked) > 1:
            self._compare(marked)
        elif entry is not None and len(marked) == 1 and marked[0] != entry.path and not entry.listed.problem:
            self._compare((marked[0], entry.path))
        elif entry is not None and not entry.listed.problem:
            self._ask_other(entry.path)

    def _ask_other(self, path: Path | None) -> None:
        if path is None:
            return

        def chosen(other: Path | None) -> None:
            if other is not None:
                self._compare((path, other), self.simulation.interval_s)

        itself = os.path.realpath(path)
        entries = tuple(
            entry for entry in readable(self.simulation_list.entries) if os.path.realpath(entry.path) != itself
        )
        self.app.push_screen(OtherChooser(entries), chosen)

    @on(ComparisonPane.Shown)
    def _compared(self) -> None:
        self.simulation_list.show_operation()
        self._go("comparison")
        self.call_after_refresh(self.comparison.focus_view)

    @on(ComparisonPane.Failed)
    def _not_compared(self, event: ComparisonPane.Failed) -> None:
        self.simulation_list.show_operation()
        self.refresh_bindings()
        self.complain(event.error, "Not compared")

    def _leave_comparison(self) -> None:
        if self.simulation.opened is None:
            self.action_leave_simulation()
        else:
            self._go("simulation")
            self.call_after_refresh(self.simulation.focus_view)

    # Writing.

    def _losses_by_quitting(self) -> list[str]:
        written = [what for place in self.query(FilePane) for what in place.being_written]
        return [f"{what} is being written. Quitting leaves it unfinished." for what in written]

    @property
    def _file(self) -> Path | None:
        """The opened simulation, or the one under the cursor."""
        if self.place == "simulation":
            return self.simulation.opened.path if self.simulation.opened else None
        entry = self.simulation_list.entry
        if entry is not None and entry.listed.problem:
            raise ResultsError(f"{entry.path}: {entry.listed.problem}")
        return None if entry is None else entry.path

    def action_export(self) -> None:
        """Ask for format and folder, then export."""
        path = self._file
        if path is not None:
            Writing(self.simulation_list).export(path)

    def action_save(self) -> None:
        """Ask for files, then save the comparison."""
        comparison = self.comparison.comparison
        if comparison is not None:
            save_comparison(self.comparison, comparison.statistics)

    def action_report(self) -> None:
        """Ask for a place, write the report there, open it."""
        path = self._file
        if path is not None:
            Writing(self.simulation_list).report(path, self.simulation.interval_s)
