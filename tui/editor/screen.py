"""*Neighbourhoods*: build one, or open one. The layout is in `desk`, what can be done in `editing` and `filing`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType

from tui.editor import tree_model
from tui.editor.file_actions import Filing
from tui.editor.jobs_table import JobsTable
from tui.editor.time_repairs import is_possible, label_of
from tui.shell import PaletteEntry

_OURS = frozenset(
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
        "remove",
        "duplicate",
        "find",
        "next_problem",
        "next_day",
        "choose_day",
        "to_tree",
    }
)


class NeighbourhoodsScreen(Filing):
    """Houses, devices, jobs."""

    AREA = "neighbourhoods"
    TITLE = "Neighbourhoods"
    HELP = """
A neighbourhood is houses with devices, and the jobs that the devices have to run. It is a file in YAML; comments and
the order of lines stay as they are.

- The **tree** on the left: `▲` is a producer (PV panels), `▽` a consumer, `•` a job, `✗` a problem. Arrow keys move,
  `Enter` goes to the fields, `Esc` comes back.
- **Fields** take effect while you type. The line under a field says what it is; problems stand below it. All problems
  are in the list at the bottom, `F8` goes to the next.
- **Times** are a date and a time of day, with the UTC offset of the run's start; Up and Down move them.
- A field with `▾` opens a list; type to search it. It offers files first, then load profiles or PV panels.
- The **chart** shows one day: `{` and `}` go to the day before and after, `G` asks for one by number or date.
- **Notes** at the bottom say what cannot meet in time, such as forecasts of another year, with a button for each way
  out. They are in the palette (`Ctrl+P`) too.
- `Ctrl+Z` undoes anything, also a removal. `Ctrl+R` runs the neighbourhood.

A bundled neighbourhood opens as a copy; saving asks for a file of your own.
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
            tooltip="Remove the selected house, device, job or load profile",
        ),
        Binding("d", "duplicate", "Duplicate", show=False, tooltip="Duplicate the selected house, device or job"),
        Binding("I", "add_jobs_xml", "Jobs from XML", show=False, tooltip="Import jobs from PySSMic's XML"),
        Binding(
            "l",
            "add_profile",
            "Load profile",
            show=False,
            tooltip="Add a load profile: from a file or a bundled appliance",
        ),
        Binding(
            "slash", "find", "Find", show=False, key_display="/", tooltip="Find a house, device, job or load profile"
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
        Binding("i", "import", "Import", tooltip="Import from PySSMic: a folder, XML, a pickle"),
        Binding("q", "close", "Close", show=False, tooltip="Close this neighbourhood"),
        Binding("escape", "to_tree", "To the tree", show=False, tooltip="Go back to the tree"),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done now."""
        del parameters
        work = self.work
        if action not in _OURS:
            return True
        if work is None:
            return False
        kind = tree_model.kind_of(self.ref)
        possible = {
            "undo": work.history.undoable is not None,
            "redo": work.history.redoable is not None,
            "remove": kind in {"house", "device", "job", "jobs", "profile"},
            "duplicate": kind in {"house", "device", "job"},
            "add_forecast": kind == "device" and tree_model.at(work.tree, (*self.ref, "type")) == "producer",
            "next_problem": bool(work.problems),
            **dict.fromkeys(("next_day", "choose_day"), self.days is not None and self.days.count > 1),
        }
        return possible.get(action, True)

    def palette(self) -> Iterable[PaletteEntry]:
        """Offer the ways out where parts cannot meet in time."""
        work = self.work
        for note in work.notes if work is not None else ():
            for way in note.ways_out:
                if work is not None and is_possible(way, work.tree):
                    run = partial(self.begin, self.bring_together, way)
                    yield PaletteEntry(label_of(way, work.tree), note.what.partition("; ")[0], run)

    @on(JobsTable.Chosen)
    def _job_chosen(self, event: JobsTable.Chosen) -> None:
        self.go_to(event.ref)
        self.begin(self._focus_form, None)
