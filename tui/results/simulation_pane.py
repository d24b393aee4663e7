"""An opened simulation: choice of run and household, and its views. Follows a file being written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Select, Static, TabbedContent, TabPane

from broker import SsmicError, plural
from scenarios.metrics import DEFAULT_INTERVAL_S
from scenarios.results import RecordedMessage, ResultsReader, RunInfo
from tui.formatting import without
from tui.keys import shown
from tui.results.bills_pane import BillsPane, bills_sheet
from tui.results.contracts import Contracts
from tui.results.energy_sheet import Sheet, house_sheet, neighbourhood_sheet
from tui.results.energy_sheet_view import SheetPane
from tui.results.file_access import FilePane, OpenedSimulation, open_simulation, read_from
from tui.results.log_pane import LogPane, log_sheet
from tui.results.negotiation import NegotiationDialog, said_about
from tui.results.pane_parts import STATES, UNREAD, BackLink, notes_of
from tui.results.runs import RunsPane, RunsSheet, runs_sheet
from tui.results.scores_pane import ScoresPane, reset_scores, scores_sheet
from tui.results.simulation_states import is_in_progress, shown_state, stamp_of
from tui.shell import Answer, ChooseOne, Confirm, shown_zone
from tui.street_groups import MOST_LISTED
from tui.widgets import Chart, TextChoice, VirtualTable

TABS = (
    ("A", "all", "All households"),
    ("O", "house", "One household"),
    ("U", "runs", "All runs"),
    ("dollar_sign", "bills", "Bills"),
    ("E", "log", "Log"),
    ("S", "scores", "Scores"),
)
PAUSES = 5
"""A simulation in progress is read again after so many times the time that it took: the run needs the processor too."""
_SLOW_WALL_S = 0.3
"""After so many real seconds a message says that a view is being read."""
MAX_NOTES = 3
"""Lines about hosts that a run ended without, and disputes; there is little room above the views."""
_SHEETS = frozenset({"all", "house"})
_OTHERS = "\0others"
"""Stands for all households that are not offered, as there are too many; no id is like it."""

ContentT = TypeVar("ContentT")


class SimulationPane(FilePane):
    """A simulation's views."""

    SCOPED_CSS = False  # depends on the size classes of the screen too
    DEFAULT_CSS = """
    SimulationPane { height: 1fr; }
    SimulationPane .heading { height: 1; background: $surface; }
    SimulationPane .title { width: 1fr; padding-right: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    SimulationPane .heading Select { width: 30; }
    SimulationPane .heading #house-choice { width: 28; }
    SimulationPane .problem { height: auto; padding: 0 1; color: $text-error; display: none; }
    SimulationPane.troubled .problem { display: block; }
    SimulationPane .notes { height: auto; padding: 0 1; color: $text-warning; display: none; }
    SimulationPane.noted .notes { display: block; }
    .-narrow SimulationPane .notes { text-wrap: nowrap; text-overflow: ellipsis; }
    .-narrow SimulationPane .heading Select { width: 22; }
    .-narrow SimulationPane .heading #house-choice { width: 20; }
    """

    class Failed(Message):
        """It could not be opened."""

        def __init__(self, path: Path, error: BaseException) -> None:
            super().__init__()
            self.path = path
            self.error = error

    class Shown(Message):
        """The simulation was opened and is displayed."""

    def __init__(self) -> None:
        super().__init__(id="simulation")
        self.opened: OpenedSimulation | None = None
        self.run: int = 1
        self.house: str = ""
        self.interval_s = DEFAULT_INTERVAL_S
        self.key: str | None = None
        """Allocation key of the bills; None: as the scenario says."""
        self._drawn: dict[str, object] = {}
        """The displayed content of each tab."""
        self._being_read: tuple[str, object] | None = None
        """The tab, and its content, that is read now or was read last."""
        self._wanted: dict[str, object] = {}
        """The content of each tab that was asked for last."""
        self._problems: dict[str, str] = {}
        """Why a tab could not be read, by its id; by "", why the file could not."""
        self._is_slow = False
        """Whether it is being read for so long that people should know."""

    def compose(self) -> ComposeResult:
        """Heading, then a tab for each view."""
        with Horizontal(classes="heading"):
            yield BackLink("◂ Simulations")
            yield Static("", classes="title", markup=False)
            yield TextChoice[str]([("no household", "")], id="house-choice", compact=True, allow_blank=False)
            yield TextChoice[int]([("no run", 0)], id="run-choice", compact=True, allow_blank=False)
        yield Static("", classes="problem", markup=False)
        yield Static("", classes="notes", markup=False)
        with TabbedContent(id="views"):
            for key, id_, title in TABS:
                with TabPane(f"[dim]{shown(key)}[/] {title}", id=f"tab-{id_}"):
                    if id_ in _SHEETS:
                        yield SheetPane(one_house=id_ == "house")
                    else:
                        yield {"runs": RunsPane, "bills": BillsPane, "log": LogPane, "scores": ScoresPane}[id_]()

    def on_mount(self) -> None:
        """Show the household selector only where it applies."""
        self._fit_choices()
        self.watch(self.app, "utc_times", self._times_changed, init=False)

    def _times_changed(self) -> None:
        """Draw again with times in another zone."""
        if self.opened is not None:
            self._say_title(self.opened)
            self._drawn.clear()
            self.draw()

    # Opening and following.

    @property
    def tab(self) -> str:
        """Id of the view in sight: `all`, `house`, `runs`, `bills`, `log` or `scores`."""
        return self.query_one("#views", TabbedContent).active.removeprefix("tab-")

    @property
    def sheet_pane(self) -> SheetPane | None:
        """The sheet in sight, where it is one."""
        return self.query_one(f"#tab-{self.tab} SheetPane", SheetPane) if self.tab in _SHEETS else None

    def open(self, path: Path) -> None:
        """Open a results file; then `Shown` or `Failed` follows, also if it is open already."""
        self._read_file(path, is_asked=True)

    def reload(self) -> None:
        """Read the open file again."""
        if self.opened is not None:
            self._read_file(self.opened.path, is_asked=False)

    def _read_file(self, path: Path, *, is_asked: bool) -> None:
        before = self.opened if self.opened is not None and self.opened.path == path else None

        def failed(error: BaseException) -> None:
            if before is None:
                if self.opened is not None and self.opened.path == path:
                    self.opened = None  # it was read, but could not be shown
                self.post_message(self.Failed(path, error))
                return
            # Remember the state, so that the error is not repeated every second.
            self.opened = replace(self.opened or before, stamp=stamp_of(path))
            self._fail("", error, ". Showing what was read before.")
            if is_asked:
                self.post_message(self.Shown())

        work = partial(open_simulation, path, self.interval_s, before)
        self.read("open", work, partial(self._opened, is_asked=is_asked), failed)

    def follow(self) -> None:
        """Reload the visible view if the file has changed; less often where that takes long, as of a large run."""
        opened = self.opened
        busy = any(self.is_reading(group) for group in ("open", "sheet"))
        busy = busy or time.monotonic() - self.read_until_wall_s < PAUSES * self.read_wall_s
        if opened is None or busy:
            return
        is_running = opened.in_progress and any(run.state == "running" for run in opened.runs)
        has_ended = is_running and not is_in_progress(opened.path)  # it was killed: that writes nothing
        if has_ended or stamp_of(opened.path) != opened.stamp:
            self.reload()

    def close(self) -> None:
        """Forget the file, and what is being read of it."""
        for group in ("open", "sheet", "said"):
            self.give_up(group)
        self.opened = None
        self._drawn.clear()
        self._problems.clear()

    def _opened(self, opened: OpenedSimulation, *, is_asked: bool) -> None:
        before = self.opened
        # A later simulation may have taken the place of a file: its runs, households and contracts are others.
        is_other = before is None or before.path != opened.path or before.info.created_utc != opened.info.created_utc
        self.opened = opened
        self._is_slow = False
        self._drawn.clear()
        self._problems.clear()
        self._say_problem()
        self._say_title(opened)
        if is_other:
            self.run = opened.runs[0].run if opened.runs else 1
            self.house = opened.houses[0][0] if opened.houses else ""
            for contracts in self.query(Contracts):
                contracts.clear()
            for pane in (*self.query(SheetPane), *self.query(RunsPane)):
                pane.day_index = 0
            self.query_one("#views", TabbedContent).active = "tab-all"
        self._offer(opened)
        if is_other or is_asked:
            self.post_message(self.Shown())
        if opened.sheet is not None:
            self._drawn["all"] = (opened.stamp, self.run, self.interval_s)
            self._show_sheet("all", opened.sheet)
        if opened.runs:
            self.draw()
        else:
            self._problems[""] = "No run has started yet; this page fills in as soon as one does."
            self._say_problem()

    def _say_title(self, opened: OpenedSimulation) -> None:
        info = opened.info
        planned = plural(len(info.seeds), "run")
        # Where there is no room for all, what the list of simulations says as well is cut.
        self.query_one(".title", Static).update(
            f"{'reading ... · ' if self._is_slow else ''}{info.scenario} · times {shown_zone(self, opened.zone).name}"
            f"{'' if opened.knows_offset else ' (this file has no offset)'} · {info.algorithm_and_supply} · {planned}"
        )

    def _fail(self, tab: str, error: BaseException, rest: str = "") -> None:
        """Say above the views why a tab, or the file (`tab` empty), could not be read; a defect is a notice too."""
        is_defect = not isinstance(error, SsmicError | OSError)
        what = f"Unexpected error ({type(error).__name__}: {error})" if is_defect else str(error)
        self._problems[tab] = f"{what}{rest}"
        self._say_problem()
        if is_defect:
            self.complain(error)

    def _say_problem(self) -> None:
        """Show the problem of the tab in sight, if it could not be read, or else of the file; never of another tab."""
        problem = self._problems.get(self.tab) or self._problems.get("", "")
        self.query_one(".problem", Static).update(problem)
        self.set_class(bool(problem), "troubled")

    def _say_notes(self, opened: OpenedSimulation) -> None:
        """Show the hosts that the displayed run, or all runs, ended without, and disputes."""
        is_every = self.tab == "runs" and len(opened.runs) > 1
        runs = [run for run in opened.runs if is_every or run.run == self.run]
        notes = [f"Run {run.run}: {note}" if is_every else note for run in runs for note in notes_of(run)]
        if len(notes) > MAX_NOTES:
            notes[MAX_NOTES - 1 :] = [f"and {len(notes) - MAX_NOTES + 1} more: ssmic results show {opened.path.name}"]
        self.query_one(".notes", Static).update("\n".join(notes))
        self.set_class(bool(notes), "noted")

    def _offer(self, opened: OpenedSimulation) -> None:
        runs: Select[int] = self.query_one("#run-choice", Select)
        houses: Select[str] = self.query_one("#house-choice", Select)
        with self.prevent(Select.Changed):
            runs.set_options([(_run_title(run, opened), run.run) for run in opened.runs] or [("no run", 0)])
            if any(run.run == self.run for run in opened.runs):
                runs.value = self.run
            offered = opened.houses
            if len(offered) > MOST_LISTED:
                offered = tuple(house for house in offered if house[0] == self.house)
            options = [(_house_title(*house), house[0]) for house in offered] or [("no household", "")]
            if len(opened.houses) > MOST_LISTED:
                options.append((f"find one of {len(opened.houses):,} ...", _OTHERS))
            houses.set_options(options)
            if self.house:
                houses.value = self.house

    # Drawing.

    def draw(self) -> None:
        """Read and draw the visible view, unless up to date."""
        opened = self.opened
        self._fit_choices()
        self._say_problem()
        if opened is None or not opened.runs:
            return
        self._say_notes(opened)
        tab, run, house, interval_s = self.tab, self.run, self.house, self.interval_s
        wanted = {
            "all": (opened.stamp, self.run, self.interval_s),
            "house": (opened.stamp, self.run, self.house, self.interval_s),
            "runs": (opened.stamp, self.interval_s),
            "bills": (opened.stamp, self.run, self.key),
            "log": (opened.stamp, self.run),
            "scores": (opened.stamp, self.run),
        }[tab]
        self._wanted[tab] = wanted
        if self._drawn.get(tab) == wanted or (self.is_reading("sheet") and self._being_read == (tab, wanted)):
            return
        self._being_read = asked = (tab, wanted)
        show_sheet = partial(self._show_sheet, tab)
        if tab == "runs":
            self._read_view(opened, asked, lambda results: runs_sheet(results, interval_s), self._show_runs)
        elif tab == "bills":
            key, pane = self.key, self.query_one(BillsPane)
            self._read_view(opened, asked, lambda results: bills_sheet(results, run, key), pane.show)
        elif tab == "log":
            self._read_view(opened, asked, lambda results: log_sheet(results, run), self.query_one(LogPane).show)
        elif tab == "scores":
            self._read_view(opened, asked, lambda results: scores_sheet(results, run), self.query_one(ScoresPane).show)
        elif tab == "house":
            self._read_view(opened, asked, lambda results: house_sheet(results, run, house, interval_s), show_sheet)
        else:
            self._read_view(opened, asked, lambda results: neighbourhood_sheet(results, run, interval_s), show_sheet)
        self.set_timer(_SLOW_WALL_S, self._say_slow)

    def _read_view(
        self,
        opened: OpenedSimulation,
        asked: tuple[str, object],
        read: Callable[[ResultsReader], ContentT],
        show: Callable[[ContentT], None],
    ) -> None:
        """Read a view's content and show it, unless other content is asked for, or another file is open, by then.

        Args:
            opened: The file.
            asked: The tab, and its content.
            read: Reads the content; called in a thread.
            show: Shows it.
        """
        tab, wanted = asked

        def then(content: ContentT) -> None:
            self._say_read(opened)
            # What was chosen before may have been chosen again: it is displayed, and was not read again.
            if self.opened is opened and self._wanted.get(tab) == wanted:
                self._drawn[tab] = wanted
                if self._problems.pop(tab, ""):
                    self._say_problem()
                show(content)

        def failed(error: BaseException) -> None:
            self._say_read(opened)
            pane = self.query_one(f"#tab-{tab}", TabPane)
            for unread in (*pane.query(VirtualTable), *pane.query(Chart)):
                unread.stop_waiting(UNREAD)
            self._drawn.pop(tab, None)
            # The user may be looking at another view by now; on the way back, this one is read again.
            if self.opened is opened and self.tab == tab:
                self._fail(tab, error)

        self.read("sheet", partial(read_from, opened, read), then, failed)

    def _say_slow(self) -> None:
        """Say that a view is being read: until then, what the tab shows is that of before, or nothing."""
        if self.opened is not None and self.is_reading("sheet") and not self._is_slow:
            self._is_slow = True
            self._say_title(self.opened)

    def _say_read(self, opened: OpenedSimulation) -> None:
        if self._is_slow:
            self._is_slow = False
            self._say_title(self.opened or opened)

    def _show_sheet(self, tab: str, sheet: Sheet) -> None:
        pane = self.query_one(f"#tab-{tab} SheetPane", SheetPane)
        pane.show(sheet)
        pane.show_interval(self.interval_s // 60)

    def _show_runs(self, sheet: RunsSheet) -> None:
        self.query_one(RunsPane).show(sheet)

    def _fit_choices(self) -> None:
        self.query_one("#house-choice").display = self.tab == "house"
        self.query_one("#run-choice").display = self.tab != "runs"

    # What is asked for.

    def show_tab(self, tab: str) -> None:
        """Show a view."""
        self.query_one("#views", TabbedContent).active = f"tab-{tab}"
        self.call_after_refresh(self.focus_view)

    def show_next_tab(self, by: int) -> None:
        """Show the next or previous view."""
        ids = [id_ for _, id_, _ in TABS]
        self.show_tab(ids[(ids.index(self.tab) + by) % len(ids)])

    def focus_view(self) -> None:
        """Focus the visible table."""
        pane = self.sheet_pane
        if pane is not None:
            pane.focus_table()
        else:
            self.query_one(f"#tab-{self.tab} CellTable").focus()

    def show_run(self, run: int) -> None:
        """Choose a run by its number, counted from 1."""
        self.query_one("#run-choice", Select).value = run

    def show_house(self, house: str) -> None:
        """Choose a household by its id."""
        if self.opened is not None and len(self.opened.houses) > MOST_LISTED:
            self.house = house
            self._offer(self.opened)
            self.draw()
        else:
            self.query_one("#house-choice", Select).value = house

    def find_house(self) -> None:
        """Let the user find a household among many."""

        def chosen(house: str | None) -> None:
            if house is not None:
                self.show_house(house)
                self.focus_view()

        if self.opened is not None:
            self.app.push_screen(ChooseOne("household", self.opened.houses), chosen)

    def reset_scores(self) -> None:
        """Reset the saved scores, after confirmation."""
        opened = self.opened
        if opened is None:
            return
        path, scenario = opened.path, opened.info.scenario

        async def reset() -> None:
            await reset_scores(path, scenario)
            self._drawn.pop("scores", None)
            self.draw()
            self.notify("The next run begins with fresh scores.", title="Scores reset")

        def answered(answer: str | None) -> None:
            if answer == "reset":
                self.run_in_background(reset, group="reset", is_exclusive=True)

        details = f'The next run of "{scenario}" begins with fresh producer scores. These results stay as they are.'
        answers: tuple[Answer, ...] = (("keep", "Keep", "primary"), ("reset", "Reset", "error"))
        self.app.push_screen(Confirm("Reset producer scores?", details, answers), answered)

    def show_next(self, what: str, by: int) -> None:
        """Show the next or previous run or household."""
        if self.opened is None:
            return
        if what == "run":
            runs = [run.run for run in self.opened.runs]
            if self.run in runs:
                self.show_run(runs[(runs.index(self.run) + by) % len(runs)])
        else:
            houses = [id_ for id_, _ in self.opened.houses]
            if self.house in houses:
                self.show_house(houses[(houses.index(self.house) + by) % len(houses)])

    @property
    def day_pane(self) -> SheetPane | RunsPane:
        """The visible view, if it draws days."""
        return self.sheet_pane or self.query_one(RunsPane)

    def show_day(self, index: int) -> None:
        """Draw a day in the visible view, and in others once visible."""
        self.day_pane.show_day(index)
        for pane in (*self.query(SheetPane), *self.query(RunsPane)):
            pane.day_index = self.day_pane.day_index

    @property
    def has_days(self) -> bool:
        """Whether the view in sight draws a day, and there is more than one to choose from."""
        if self.tab not in _SHEETS | {"runs"}:
            return False
        days = self.day_pane.days
        return days is not None and days.count > 1

    def choose(self, what: str) -> None:
        """Let the user choose a run or a household."""
        if what == "house" and self.tab != "house":
            self.show_tab("house")
        if what == "house" and self.opened is not None and len(self.opened.houses) > MOST_LISTED:
            self.find_house()
            return
        choice = self.query_one(f"#{what}-choice", Select)
        choice.display = True
        choice.focus()
        choice.action_show_overlay()

    def give_way(self) -> bool:
        """Leave a field or clear the search; return whether anything changed."""
        pane = self.sheet_pane
        return pane is not None and pane.give_way()

    @on(Select.Changed, "#run-choice")
    def _run_changed(self, event: Select.Changed) -> None:
        event.stop()
        if isinstance(event.value, int) and event.value not in {0, self.run}:
            self.run = event.value
            self.draw()
            self.focus_view()

    @on(Select.Changed, "#house-choice")
    def _house_changed(self, event: Select.Changed) -> None:
        event.stop()
        if event.value == _OTHERS:
            with self.prevent(Select.Changed):
                self.query_one("#house-choice", Select).value = self.house
            self.find_house()
        elif isinstance(event.value, str) and event.value not in {"", self.house}:
            self.house = event.value
            self.draw()
            self.focus_view()

    @on(TabbedContent.TabActivated)
    def _tab_changed(self, event: TabbedContent.TabActivated) -> None:
        event.stop()
        self.draw()

    @on(SheetPane.IntervalChosen)
    def _interval_chosen(self, event: SheetPane.IntervalChosen) -> None:
        event.stop()
        self.interval_s = 60 * event.minutes
        self.draw()

    @on(BillsPane.KeyChosen)
    def _key_chosen(self, event: BillsPane.KeyChosen) -> None:
        event.stop()
        self.key = event.key
        self.draw()

    @on(SheetPane.HouseholdChosen)
    def _household_chosen(self, event: SheetPane.HouseholdChosen) -> None:
        event.stop()
        self.show_house(event.house)
        self.show_tab("house")

    @on(Contracts.JobChosen)
    def _job_chosen(self, event: Contracts.JobChosen) -> None:
        event.stop()
        if self.opened is None:
            return
        run, row, zone = self.run, event.row, shown_zone(self, self.opened.zone)

        def show(lines: tuple[tuple[RecordedMessage, str], ...]) -> None:
            self.app.push_screen(NegotiationDialog(row, lines, zone))

        self.read("said", partial(read_from, self.opened, lambda results: said_about(results, run, row, zone)), show)

    @on(RunsPane.RunChosen)
    def _run_chosen(self, event: RunsPane.RunChosen) -> None:
        event.stop()
        self.show_run(event.run)
        self.show_tab("all")


def _run_title(run: RunInfo, opened: OpenedSimulation) -> str:
    left_out = without([dropped.host for dropped in run.without])
    state_of_run = shown_state(run, in_progress=opened.in_progress)
    state = left_out and f", done{left_out}" if run.state == "done" else f" {STATES[state_of_run][0]}{left_out}"
    return f"run {run.run}, seed {run.seed}{state}"


def _house_title(house: str, name: str) -> str:
    return house if not name or name == house else f"{house} ({name})"
