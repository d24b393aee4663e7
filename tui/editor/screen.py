"""*Neighbourhoods*, the editor's screen: it binds the keys, and wires session, workspace, edit and file actions."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import ContentSwitcher

from tui.editor import file_actions, tree_model
from tui.editor.actions import AnswerT, EditActions
from tui.editor.file_actions import FileActions
from tui.editor.forms import FieldRow, is_possible, label_of
from tui.editor.problems_panel import CoveragePanel
from tui.editor.scan_actions import ScanActions
from tui.editor.scripts import ScriptActions
from tui.editor.session import (
    EditedNeighbourhood,
    EditSession,
    FieldWanted,
    Opened,
    OperationsChanged,
    SessionEvent,
)
from tui.editor.tree_model import Ref
from tui.editor.workspace import Workspace
from tui.shell import AreaScreen, EditScenario, EmptyState, Intent, PaletteEntry, RunScenario

_NEEDS_OPEN = frozenset(
    {
        "save",
        "save_as",
        "close",
        "run_it",
        "undo",
        "redo",
        "add_house",
        "add_device",
        "add_job",
        "add_forecast",
        "add_profile",
        "add_jobs_xml",
        "add_event",
        "add_expectation",
        "remove",
        "duplicate",
        "find",
        "next_problem",
        "next_day",
        "choose_day",
        "to_tree",
    }
)


class NeighbourhoodsScreen(AreaScreen):
    """The area where neighbourhoods are opened, edited and saved."""

    AREA = "neighbourhoods"
    TITLE = "Neighbourhoods"
    HELP = """
A neighbourhood is houses with devices, and the jobs that the devices have to run. It is a file in YAML; comments and
the order of lines stay as they are.

- The **tree** on the left: `▲` is a producer (PV panels), `▽` a consumer, `•` a job, `✗` a problem. Arrow keys move,
  `Enter` goes to the fields, `Esc` comes back.
- **Fields** take effect while you type. The line under a field explains it; its problems are shown there. All problems
  are in the list at the bottom, `F8` goes to the next.
- **Times** are a date and a time of day, with the UTC offset of the run's start; Up and Down move them.
- A field with `▾` opens a list; type to search it. It offers files first, then load profiles or PV panels.
- The **chart** shows one day: `{` and `}` go to the day before and after, `G` asks for one by number or date.
  Events are marked on it (`╎`); the chart's cursor says what each is.
- `!` adds an **event**: what happens in the run, at a time or when something happens to a job. `=` adds an
  **expectation**: a condition that must hold at the end or at a time.
- **Notes** at the bottom list parts that do not overlap in time, such as forecasts of another year, with a button for
  each remedy. The remedies are in the palette (`Ctrl+P`) too.
- `Ctrl+Z` undoes any change, including removals. `Ctrl+R` runs the neighbourhood.

`+` generates a realistic neighbourhood of any size. A bundled neighbourhood opens as a copy; saving asks for a new
file.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "run_it", "Run", tooltip="Run this neighbourhood"),
        Binding("h", "add_house", "House", tooltip="Add a house"),
        Binding("a", "add_device", "Device", tooltip="Add a device to the house"),
        Binding("j", "add_job", "Job", tooltip="Add a job for the device"),
        Binding("f", "add_forecast", "Forecast", tooltip="Add a forecast to the producer"),
        Binding(
            "delete",
            "remove",
            "Remove",
            key_display="del",
            tooltip="Remove the selected house, device, job, load profile, event or expectation",
        ),
        Binding("d", "duplicate", "Duplicate", show=False, tooltip="Duplicate the selected part"),
        Binding("I", "add_jobs_xml", "Jobs from XML", show=False, tooltip="Import jobs from PySSMic's XML"),
        Binding(
            "l",
            "add_profile",
            "Load profile",
            show=False,
            tooltip="Add a load profile: from a file or a bundled appliance",
        ),
        Binding(
            "exclamation_mark",
            "add_event",
            "Event",
            show=False,
            key_display="!",
            tooltip="Add an event: clouds, a forecast, a house offline, another job, other prices, a note",
        ),
        Binding(
            "equals_sign",
            "add_expectation",
            "Expectation",
            show=False,
            key_display="=",
            tooltip="Add an expectation: a condition that a run must meet",
        ),
        Binding(
            "slash",
            "find",
            "Find",
            show=False,
            key_display="/",
            tooltip="Find a house, device, job, load profile, event or expectation",
        ),
        Binding("left_curly_bracket", "next_day(-1)", "Previous day", show=False, key_display="{"),
        Binding("right_curly_bracket", "next_day(1)", "Next day", show=False, key_display="}"),
        Binding("G", "choose_day", "Go to a day", show=False, tooltip="Show another day, by number or date"),
        Binding("f8", "next_problem", "Problem", tooltip="Go to the next problem"),
        Binding("ctrl+z", "undo", "Undo", tooltip="Undo the last change"),
        Binding("ctrl+y", "redo", "Redo", show=False, tooltip="Redo the change that was undone"),
        Binding("ctrl+s", "save", "Save", tooltip="Save the neighbourhood"),
        Binding("f12", "save_as", "Save as", show=False, tooltip="Save to another file"),
        Binding("ctrl+n", "new", "New", tooltip="Create a new neighbourhood"),
        Binding("ctrl+o", "open", "Open", tooltip="Open a neighbourhood file"),
        Binding("b", "copy_bundled", "Bundled", tooltip="Copy a bundled neighbourhood"),
        Binding("i", "import", "Import", tooltip="Import from PySSMic, GreenCharge or a meter"),
        Binding(
            "plus",
            "generate",
            "Generate",
            show=False,
            key_display="+",
            tooltip="Generate a realistic neighbourhood of any size: houses, place, date, seed, flexibility",
        ),
        Binding("q", "close", "Close", show=False, tooltip="Close this neighbourhood"),
        Binding("escape", "to_tree", "To the tree", show=False, tooltip="Go back to the tree"),
    ]

    DEFAULT_CSS = """
    NeighbourhoodsScreen #desk { height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.session = EditSession()
        self.session.watch(self._show_what_is_open)
        self.workspace = Workspace(self.session)
        self.session.watch(self._offer)
        user = ScreenUser(self)
        self.edits = EditActions(self.session, user)
        self.script = ScriptActions(self.session, user, self.edits.fields)
        self.real = ScanActions(self.session, user, self.edits, self._note_devices_broker)
        self.files = FileActions(self.session, user, self._remember)
        self._offered: object = None

    def compose_body(self) -> ComposeResult:
        """An empty state until something is open."""
        with ContentSwitcher(initial="nothing", id="desk"):
            yield EmptyState(
                "No neighbourhood open",
                "Begin a new one (Ctrl+N), copy a bundled one (b),\nopen a file (Ctrl+O), import other data (i),\n"
                "or generate one of any size (+).",
                (
                    ("New", "screen.new"),
                    ("From a bundled one", "screen.copy_bundled"),
                    ("Open", "screen.open"),
                    ("Import", "screen.import"),
                    ("Generate", "screen.generate"),
                ),
                id="nothing",
            )
            yield self.workspace

    def _note_devices_broker(self, url: str) -> None:
        self.ssmic.devices_broker = url

    def on_mount(self) -> None:
        """Take part in quitting, offer what is open to the other areas, and watch the file."""
        self.session.allow_outside = self.ssmic.allow_outside
        self.ssmic.before_quit.append(self.files.losses)
        self.ssmic.rescues.append(self.files.rescue)
        self.ssmic.open_neighbourhood = self.files.open_neighbourhood
        self.set_interval(file_actions.LOOK_WALL_S, self.look_at_disk)

    def _remember(self, path: Path) -> None:
        self.ssmic.remember_neighbourhood(path)

    # What is open.

    @property
    def work(self) -> EditedNeighbourhood | None:
        """The open neighbourhood."""
        return self.session.work

    @property
    def ref(self) -> Ref:
        """The selected part."""
        return self.session.ref

    @property
    def is_settled(self) -> bool:
        """Whether all changes are displayed, drawn and checked."""
        return self.workspace.is_settled

    def go_to(self, ref: Ref) -> None:
        """Select a part."""
        self.session.select(ref)

    async def open_source(self, source: str) -> None:
        """Open a file, import an input of PySSMic or GreenCharge, or copy a bundled scenario."""
        await self.files.open_source(source)

    def receive(self, intent: Intent) -> None:
        """Open what another area asks for."""
        if isinstance(intent, EditScenario):
            self.workspace.begin(self.files.open_source, intent.source)

    def look_at_disk(self) -> None:
        """Ask, once, if another program changed the file."""
        if self.is_current and self.files.notice_disk():
            self.workspace.begin(self.files.ask_about_disk, group="save")

    def _show_what_is_open(self, event: SessionEvent) -> None:
        if isinstance(event, Opened):
            self.query_one("#desk", ContentSwitcher).current = "nothing" if self.work is None else "open"
        elif isinstance(event, OperationsChanged):
            operation = self.session.operation
            self.query_one(EmptyState).say(f"{operation[:1].upper()}{operation[1:]}")

    # Actions of the keys.

    def _offer(self, event: SessionEvent) -> None:
        """Draw the footer where its keys changed; to draw it at every letter would take too long."""
        if isinstance(event, FieldWanted | OperationsChanged):
            return
        work = self.work
        offered: object = None
        if work is not None:
            type_ = tree_model.at(work.tree, (*self.ref, "type")) if self.ref else None
            history = work.history
            changes = history.undoable is None, history.redoable is None
            offered = tree_model.kind_of(self.ref), type_, changes, bool(work.problems)
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Say whether an action is possible now; the footer and the palette offer only what is."""
        del parameters
        work = self.work
        if action not in _NEEDS_OPEN:
            return True
        if work is None:
            return False
        days = self.workspace.preview.days
        kind = tree_model.kind_of(self.ref)
        possible = {
            "undo": work.history.undoable is not None,
            "redo": work.history.redoable is not None,
            "remove": kind in {"house", "device", "job", "jobs", "profile", "event", "expectation"},
            "duplicate": kind in {"house", "device", "job", "event", "expectation"},
            "add_forecast": kind == "device" and tree_model.at(work.tree, (*self.ref, "type")) == "producer",
            "next_problem": bool(work.problems),
            **dict.fromkeys(("next_day", "choose_day"), days is not None and days.count > 1),
        }
        return possible.get(action, True)

    def palette(self) -> Iterable[PaletteEntry]:
        """Offer to find real devices, and the remedies of notes: what to move so that parts meet in time."""
        work = self.work
        if work is not None:
            find = partial(self._begin, self.real.add_found)
            yield PaletteEntry(
                "Find real devices at a broker", "Add plugs and inverters that announce themselves", find
            )
        for note in work.notes if work is not None else ():
            for remedy in note.remedies:
                if work is not None and is_possible(remedy, work.tree):
                    run = partial(self.workspace.begin, self.edits.bring_together, remedy)
                    yield PaletteEntry(label_of(remedy, work.tree), note.what.partition("; ")[0], run)

    # The fields and the notes.

    @on(FieldRow.Edited)
    def _field_edited(self, event: FieldRow.Edited) -> None:
        self.edits.fields.set_field(event.path, event.value)
        event.accept()

    @on(FieldRow.Left)
    def _field_left(self) -> None:
        self.edits.fields.leave_field()

    @on(FieldRow.Asked)
    def _field_asked(self, event: FieldRow.Asked) -> None:
        is_script = event.path[:1] in {tree_model.EVENTS, tree_model.EXPECTATIONS}
        pick = self.script.pick_value if is_script else self.edits.fields.pick_value
        self._begin(pick, event.path)

    @on(CoveragePanel.Chosen)
    def _way_chosen(self, event: CoveragePanel.Chosen) -> None:
        self.workspace.begin(self.edits.bring_together, event.remedy)

    def _begin(self, task: Callable[..., Coroutine[Any, Any, Any]], *args: object, group: str = "default") -> None:
        """Run a task in the background that may ask the user something; keys wait for its dialogs."""
        end = self.ssmic.key_queue.expect_dialog(saves=group == "save")

        async def asking() -> None:
            try:
                await task(*args)
            finally:
                end()

        self.workspace.begin(asking, group=group)

    # Keys: files.

    def action_new(self) -> None:
        """Begin a neighbourhood from scratch."""
        self._begin(self.files.new)

    def action_open(self) -> None:
        """Open a scenario file."""
        self._begin(self.files.ask_and_open)

    def action_copy_bundled(self) -> None:
        """Open a copy of a bundled scenario."""
        self._begin(self.files.ask_and_copy)

    def action_import(self) -> None:
        """Import a neighbourhood of PySSMic or GreenCharge, or a series of a meter."""
        self._begin(self.files.ask_and_import)

    def action_generate(self) -> None:
        """Generate a neighbourhood, and open it."""
        self._begin(self.files.generate)

    def action_save(self) -> None:
        """Save to the file, or ask for one if the neighbourhood has none."""
        self._begin(self.files.save, group="save")

    def action_save_as(self) -> None:
        """Save to another file."""
        self._begin(self.files.save_as, group="save")

    def action_close(self) -> None:
        """Close the open neighbourhood."""
        self._begin(self.files.close)

    def action_run_it(self) -> None:
        """Prepare a run of the open neighbourhood."""
        self._begin(self._run_it)

    async def _run_it(self) -> None:
        source = await self.files.source_for_run()
        if source is not None:
            self.post_message(RunScenario(source))

    # Keys: changes.

    def action_add_house(self) -> None:
        """Add a house with the next free id, and go to its fields."""
        self.edits.add_house()

    def action_add_device(self) -> None:
        """Pick a device to add."""
        self._begin(self.edits.add_device)

    def action_add_job(self) -> None:
        """Add a job to the selected device, or to one that is picked."""
        self._begin(self.edits.add_job)

    def action_add_forecast(self) -> None:
        """Add a forecast to the selected producer."""
        self._begin(self.edits.add_forecast)

    def action_add_profile(self) -> None:
        """Add a load profile."""
        self._begin(self.edits.add_profile)

    def action_add_jobs_xml(self) -> None:
        """Add the jobs of a PySSMic XML file to the devices that they name."""
        self._begin(self.edits.add_jobs_xml)

    def action_add_event(self) -> None:
        """Pick what happens, and add it."""
        self._begin(self.script.add_event)

    def action_add_expectation(self) -> None:
        """Pick what must come out, and add it."""
        self._begin(self.script.add_expectation)

    def action_remove(self) -> None:
        """Remove the selected part; undo brings it back."""
        self.edits.remove(self.workspace.chosen)

    def action_duplicate(self) -> None:
        """Add a copy of the selected part."""
        self.edits.duplicate()

    def action_undo(self) -> None:
        """Take the last change back."""
        self.edits.undo()

    def action_redo(self) -> None:
        """Make the change again that was taken back last."""
        self.edits.redo()

    # Keys: getting around.

    def action_next_problem(self) -> None:
        """Go to the field of the next problem."""
        self.edits.next_problem()

    def action_find(self) -> None:
        """Find a part by its text."""
        self._begin(self.edits.find)

    def action_to_tree(self) -> None:
        """Give the tree the focus."""
        self.workspace.focus_tree()

    def action_next_day(self, by: int) -> None:
        """Draw the chart of a later day, or of an earlier one where `by` is negative."""
        preview = self.workspace.preview
        if preview.days is not None:
            self.workspace.show_day(preview.days.fitting(preview.day_index) + by)

    def action_choose_day(self) -> None:
        """Ask which day to draw."""
        self._begin(self._choose_day)

    async def _choose_day(self) -> None:
        days = self.workspace.preview.days
        if days is not None:
            text = await self.app.push_screen_wait(days.ask(days.fitting(self.workspace.preview.day_index)))
            if text is not None:
                self.workspace.show_day(days.index(text))


class ScreenUser:
    """The user in front of a screen: see `tui.editor.actions.User`."""

    def __init__(self, screen: AreaScreen) -> None:
        self._screen = screen

    async def ask(self, dialog: ModalScreen[AnswerT]) -> AnswerT:
        """Show a dialog; return its answer."""
        return await self._screen.app.push_screen_wait(dialog)

    def tell(
        self,
        text: str,
        *,
        severity: Literal["information", "warning", "error"] = "information",
        timeout_wall_s: float | None = None,
    ) -> None:
        """Show a notice with this `text` and `severity` for `timeout_wall_s`, wall-clock seconds."""
        self._screen.notify(text, severity=severity, timeout=timeout_wall_s, markup=False)

    def complain(self, error: BaseException, title: str = "") -> None:
        """Show an error as a notice."""
        self._screen.complain(error, title)
