"""The list of simulations in the results folder, newest first, including unreadable files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import ContentSwitcher, Input, Static

from broker import plural
from scenarios.results import DEFAULT_FOLDER
from tui.formatting import percent
from tui.results.file_access import FilePane
from tui.results.pane_parts import stamp, state_cell
from tui.results.simulation_states import ListedSimulation, ResultsFolder
from tui.shell import EmptyState
from tui.widgets import Cell, Column, VirtualTable

MARK = "◆"


class ResultsTable(VirtualTable[ListedSimulation]):
    """The table of simulations."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Open", tooltip="Open the simulation"),
        Binding("space", "screen.mark", "Mark", tooltip="Mark it, to compare it with others"),
    ]


def _runs(entry: ListedSimulation) -> Cell:
    listed = entry.listed
    if listed.problem:
        return ""
    is_complete = listed.done_runs == listed.planned_runs
    return str(listed.planned_runs) if is_complete else f"{listed.done_runs} of {listed.planned_runs}"


def _about(entry: ListedSimulation) -> Cell:
    listed = entry.listed
    return (listed.problem, "bad") if listed.problem else (listed.path.name, "muted")


class SimulationList(FilePane):
    """The list, with details of the selected simulation."""

    SCOPED_CSS = False  # depends on the size classes of the screen too
    DEFAULT_CSS = """
    SimulationList { height: 1fr; }
    SimulationList ContentSwitcher { height: 1fr; }
    SimulationList .finding { height: 1; background: $surface; }
    SimulationList .finding .folder {
        width: auto; max-width: 50%; padding: 0 1; color: $text-muted; text-wrap: nowrap;
    }
    SimulationList .finding Input { width: 1fr; background: $boost; }
    SimulationList .finding .count { width: auto; padding: 0 1; color: $text-muted; }
    SimulationList #index { height: 1fr; }
    SimulationList #about { width: 46; height: 1fr; padding: 1 2; border-left: solid $border; }
    .-narrow SimulationList #index { layout: vertical; }
    .-narrow SimulationList #about {
        width: 1fr; height: 5; padding: 0 1; border-left: none; background: $panel;
    }
    """

    class Asked(Message):
        """A simulation was chosen."""

        def __init__(self, path: Path) -> None:
            super().__init__()
            self.path = path

    def __init__(self) -> None:
        super().__init__(id="list")
        self.folder = ResultsFolder(DEFAULT_FOLDER)
        self.entries: tuple[ListedSimulation, ...] = ()
        self.marked: tuple[Path, ...] = ()
        """Those that are to be compared, in the order in which they were marked."""
        self._is_looked = False
        self._operation = ""
        """The operation in progress."""

    def compose(self) -> ComposeResult:
        """The list, or what to do while there is nothing."""
        columns: tuple[Column[ListedSimulation], ...] = (
            Column(" ", lambda entry: (MARK if entry.path in self.marked else "", "accent"), 1),
            Column("made (UTC)", lambda entry: stamp(entry.made_wall_s), 16, sort=lambda entry: entry.made_wall_s),
            Column("scenario", lambda entry: entry.listed.scenario or (entry.path.stem, "muted"), 16, 12, wide=28),
            Column("algorithm", lambda entry: entry.listed.algorithm_and_supply, 19, 14),
            Column("runs", _runs, 7, right=True, sort=lambda entry: entry.listed.planned_runs),
            Column("state", lambda entry: state_cell(entry.state), 13),
            Column(
                "from sun",
                lambda entry: "" if entry.listed.problem else percent(entry.listed.self_sufficiency),
                8,
                right=True,
                sort=lambda entry: -1.0 if entry.listed.self_sufficiency is None else entry.listed.self_sufficiency,
                full="self-sufficiency",
            ),
            Column("broker", lambda entry: (entry.listed.broker, "muted"), 10, from_width=140),
            Column("file / problem", _about, from_width=90),
        )
        with ContentSwitcher(initial="looking"):
            yield Static("  Loading results ...", id="looking")
            yield EmptyState(
                "No results yet",
                "Run something: every run writes a file here as it goes.\n"
                "Go to Run (key 2), choose a scenario and start it, or type [b]ssmic run street[/] in a shell.\n"
                "For results elsewhere: ctrl+o opens a file, D another folder.",
                (("Go to Run", "app.open_area('run')"), ("Open a file", "screen.open_file")),
                id="nothing",
            )
            with Horizontal(id="index"):
                with Vertical(id="listing"):
                    with Horizontal(classes="finding"):
                        yield Static("", classes="folder", markup=False)
                        yield Input(placeholder="find a scenario, algorithm, file", compact=True)
                        yield Static("", classes="count")
                    yield ResultsTable(columns, key=lambda entry: entry.path, empty="No match", id="entries")
                yield Static("", id="about")

    @property
    def table(self) -> VirtualTable[ListedSimulation]:
        """One row per simulation that the search leaves."""
        return self.query_one("#entries", VirtualTable)

    @property
    def entry(self) -> ListedSimulation | None:
        """The simulation under the cursor."""
        return self.table.row

    # Looking.

    def look(self) -> None:
        """Reload the folder, unless already in progress."""
        if not self.is_reading("look"):
            self.read("look", self.folder.look, self._found, self._not_found)

    def show_folder(self, folder: Path) -> None:
        """Switch to another folder."""
        self.folder = ResultsFolder(folder)
        self.marked = ()
        self._is_looked = False
        self.read("look", self.folder.look, self._found, self._not_found)

    def _found(self, entries: tuple[ListedSimulation, ...]) -> None:
        if self._is_looked and entries == self.entries:
            return
        self.entries = entries
        self.marked = tuple(path for path in self.marked if any(entry.path == path for entry in entries))
        had_focus = self.table.has_focus
        switcher = self.query_one(ContentSwitcher)
        was_shown, switcher.current = switcher.current, "index" if entries else "nothing"
        self._show_books()
        # What is hidden must not keep the focus: Enter would press a button that nobody sees.
        if not self._is_looked or switcher.current != was_shown or (entries and self.screen.focused is None):
            self._is_looked = True
            self.call_after_refresh(self.focus_list)
        elif had_focus:
            self.table.focus()

    def _not_found(self, error: BaseException) -> None:
        if self.entries or not self._is_looked:
            self.complain(error)
        self._found(())

    def _show_books(self) -> None:
        wanted = self.query_one(Input).value.strip().casefold()
        found = [entry for entry in self.entries if wanted in _names(entry)] if wanted else self.entries
        self.table.show_rows(found)
        self.query_one(".folder", Static).update(f"{self.folder.path}/")
        self._explain()
        self._show_count()

    def show_operation(self, operation: str = "") -> None:
        """Show the operation in progress, in place of the count; empty: none is."""
        self._operation = operation
        self._show_count()

    def _show_count(self) -> None:
        found = self.table.rows
        count = plural(len(self.entries), "simulation")
        if len(found) < len(self.entries):
            count = f"{len(found):,} of {count}"
        self.query_one(".count", Static).update(self._operation or count)

    # What is asked for.

    def focus_list(self) -> None:
        """Focus the list, or the empty state."""
        if not self.is_on_screen:
            return
        if self.entries:
            self.table.focus()
        else:
            self.query_one("#nothing Button").focus()

    def find(self) -> None:
        """Focus the search field."""
        self.query_one(Input).focus()

    @property
    def is_narrowed(self) -> bool:
        """Whether a search is active."""
        field = self.query_one(Input)
        return bool(field.value) or field.has_focus

    def give_way(self) -> bool:
        """Leave the field or clear the search; return whether anything changed."""
        field = self.query_one(Input)
        if not self.is_narrowed:
            return False
        field.value = ""
        self.focus_list()
        return True

    def mark(self) -> None:
        """Toggle the mark of the simulation under the cursor."""
        entry = self.entry
        if entry is None or entry.listed.problem:
            return
        if entry.path in self.marked:
            self.marked = tuple(path for path in self.marked if path != entry.path)
        else:
            self.marked = (*self.marked, entry.path)
        self.table.refresh()
        self._explain()

    @on(Input.Changed)
    def _wanted_changed(self) -> None:
        self._show_books()

    @on(Input.Submitted)
    def _wanted_done(self) -> None:
        self.table.focus()

    @on(VirtualTable.Highlighted)
    def _explain(self) -> None:
        entry = self.entry
        about = self.query_one("#about", Static)
        if entry is None:
            about.update("")
        elif entry.listed.problem:
            about.update(_problem(entry))
        else:
            about.update(self._description(entry, is_wide=self.screen.has_class("-wide")))

    @on(VirtualTable.Chosen)
    def _chosen(self, event: VirtualTable.Chosen) -> None:
        event.stop()
        self.post_message(self.Asked(event.row.path))

    def _description(self, entry: ListedSimulation, *, is_wide: bool) -> Table | Text:
        listed = entry.listed
        rows = [
            ("supply", listed.supply),
            ("runs", f"{entry.states or 'none has begun'} of {listed.planned_runs}"),
            ("broker", listed.broker),
            ("made", f"{stamp(entry.made_wall_s)} UTC"),
            ("size", f"{listed.size_bytes / 1e6:,.1f} MB"),
            ("file", str(entry.path)),
        ]
        hint = "Enter opens it."
        if entry.state == "running":
            hint = "In progress; Enter opens what is there."
        elif entry.state == "stale":
            hint = "The run was killed. Everything agreed until then is here."
        if self.marked:
            hint += f" {len(self.marked)} marked; v compares."
        if not is_wide:
            text = Text()
            text.append(f"{listed.scenario}, {listed.algorithm}, supply {listed.supply}", "bold")
            text.append(f"; {rows[1][1]}; {listed.broker}; {rows[4][1]}\n{entry.path}\n{hint}")
            return text
        table = Table.grid(padding=(0, 1))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row("", Text(f"{listed.scenario}, {listed.algorithm}", "bold"))
        for name, value in rows:
            table.add_row(name, Text(value))
        table.add_row("", "")
        table.add_row("", Text(hint))
        return table


def _problem(entry: ListedSimulation) -> Text:
    text = Text()
    if entry.state == "beginning":
        text.append("A simulation is starting.", "bold")
        return text.append(f"\n{entry.path}\nIt can be opened once it has data.")
    text.append("This file cannot be read.", "bold")
    return text.append(f"\n{entry.path}\n{entry.listed.problem}.")


def _names(entry: ListedSimulation) -> str:
    listed = entry.listed
    how = listed.algorithm_and_supply, listed.supply
    parts = (entry.path.name, listed.scenario, *how, listed.broker, listed.problem)
    return " ".join(parts).casefold()


def readable(entries: Sequence[ListedSimulation]) -> tuple[ListedSimulation, ...]:
    """Return the simulations that can be opened."""
    return tuple(entry for entry in entries if not entry.listed.problem)
