"""*Start*: the first screen, with recent and rescued neighbourhoods, last results, bundled ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from broker import SsmicError, plural
from scenarios.load import bundled_description, bundled_names
from scenarios.results import DEFAULT_FOLDER, results_files
from tui.results import ListedSimulation, entry_of
from tui.shell import Answer, AreaScreen, Confirm, EditScenario, OpenResults, RunScenario
from tui.start.remembered import load_recent, rescued_files
from tui.widgets import looked_up

Kind = Literal["action", "rescued", "neighbourhood", "results", "bundled"]
FIRST = "street"
"""The bundled neighbourhood listed first."""
MOST_RECENT = 5
MOST_RESULTS = 4
GROUPS: dict[Kind, str] = {
    "rescued": "Rescued changes: not saved when ssmic ended",
    "neighbourhood": "Recent neighbourhoods",
    "results": "Last results",
    "bundled": "Bundled neighbourhoods: open as a copy",
    "action": "Begin",
}
"""Headings by kind, in screen order."""
_LEAD = "Build [b](1)[/], run [b](2)[/], watch the negotiation [b](3)[/], read the results [b](4)[/]."
_DOES = {
    "action": "Press Enter.",
    "rescued": "Enter opens them as unsaved changes; Del discards them.",
    "neighbourhood": "Enter opens it in Neighbourhoods, Ctrl+R in Run; Del takes it off this list.",
    "results": "Enter opens it in Results.",
    "bundled": "Enter opens a copy in Neighbourhoods; Ctrl+R goes to Run with it.",
}


@dataclass(frozen=True, slots=True)
class StartEntry:
    """An entry of the start screen."""

    kind: Kind
    target: str
    """A path, a bundled name, or an action of the screen."""
    title: str
    details: str = ""
    key: str = ""
    """Key with the same effect on this screen."""

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.target)


ACTIONS = (
    StartEntry("action", "new", "New neighbourhood", "with one house to start from", "ctrl+n"),
    StartEntry("action", "open", "Open a file ...", "a neighbourhood in YAML", "ctrl+o"),
    StartEntry("action", "import", "Import ...", "from PySSMic, GreenCharge or a meter", "i"),
    StartEntry(
        "action", "generate", "Generate a neighbourhood ...", "realistic, 1 to 10,000 houses, from a seed", "plus"
    ),
    StartEntry("action", "join", "Watch a run ...", "on this machine or elsewhere, on an MQTT broker", "w"),
)


def entries() -> tuple[StartEntry, ...]:
    """Return the current entries, group by group. Reads files; call it in a thread."""
    recent = load_recent()
    known = [path for path in recent.neighbourhoods if looked_up(path).is_there]
    folders = [Path.cwd(), *(path.parent for path in known)]
    rescued = (
        StartEntry("rescued", str(path), path.name, f"{_when(path)}, {path.parent}") for path in rescued_files(folders)
    )
    neighbourhoods = (
        StartEntry("neighbourhood", str(path), path.name, f"{_when(path)}, {path.parent}")
        for path in known[:MOST_RECENT]
    )
    names = sorted(bundled_names(), key=lambda name: (name != FIRST, name))
    bundled = (StartEntry("bundled", name, name, bundled_description(name)) for name in names)
    return (*rescued, *neighbourhoods, *_results(recent.results), *bundled, *ACTIONS)


def _results(opened: Iterable[Path]) -> list[StartEntry]:
    """Return the newest results files of the results folder, and those recently opened elsewhere."""
    try:
        here = [path.absolute() for path in results_files(DEFAULT_FOLDER)]
    except SsmicError:
        here = []
    times = {path: written_s for path in {*here, *opened} if (written_s := _written_s(path)) is not None}
    newest = sorted(times, key=lambda path: (times[path], path.name), reverse=True)[:MOST_RESULTS]
    return [_results_entry(entry_of(path)) for path in newest]


def _results_entry(entry: ListedSimulation) -> StartEntry:
    path, listed = entry.path, entry.listed
    if listed.problem:
        return StartEntry("results", str(path), path.name, f"cannot be read: {listed.problem}")
    runs = plural(listed.planned_runs, "run")
    about = f"{runs}{f': {entry.states}' if entry.states else ''}"
    return StartEntry(
        "results", str(path), f"{listed.scenario}, {listed.algorithm}", f"{_when(path)}, {about}, {path.name}"
    )


def _written_s(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _when(path: Path) -> str:
    """Return a file's modification time, in local time."""
    written_s = _written_s(path)
    return "" if written_s is None else f"{datetime.fromtimestamp(written_s):%Y-%m-%d %H:%M}"  # noqa: DTZ006 - local


class StartScreen(AreaScreen):
    """The start screen: one list; Enter opens the entry under the cursor."""

    AREA = "start"
    AUTO_FOCUS = "#entries"
    TITLE = "Start"
    HELP = """
Start here: build a neighbourhood (1), run it (2), watch it negotiate (3), read the results (4).

- **Rescued changes** were not saved when ssmic ended. They are kept beside their file. `Enter` opens them as unsaved
  changes of that file; saving writes them there.
- **Recent neighbourhoods** and **last results** open with `Enter`.
- **Bundled neighbourhoods** are examples. They open as a copy; saving asks for a new file.

`Ctrl+R` goes to *Run* with the neighbourhood under the cursor. `i` imports data of PySSMic, GreenCharge or a
meter.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "run_it", "Run", tooltip="Run the neighbourhood under the cursor"),
        Binding("ctrl+n", "new", "New", tooltip="Create a new neighbourhood"),
        Binding("ctrl+o", "open", "Open", tooltip="Open a neighbourhood file"),
        Binding("i", "import", "Import", tooltip="Import from PySSMic, GreenCharge or a meter"),
        Binding(
            "plus",
            "generate",
            "Generate",
            show=False,
            key_display="+",
            tooltip="Generate a realistic neighbourhood of any size",
        ),
        Binding("b", "copy_bundled", "Bundled", show=False, tooltip="Copy a bundled neighbourhood"),
        Binding("w", "join", "Watch", tooltip="Watch a run on a broker"),
        Binding(
            "delete",
            "remove",
            "Remove",
            key_display="del",
            tooltip="Discard the rescued changes, or remove the file from the list",
        ),
    ]
    DEFAULT_CSS = """
    StartScreen #entries {
        height: 1fr; background: $background; border: none; padding: 0 1; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    StartScreen #entries > .option-list--option-highlighted { background: $primary 28%; color: $text; }
    StartScreen #lead { height: auto; padding: 0 2; color: $text-muted; background: $surface; }
    StartScreen #does { height: 1; padding: 0 2; color: $text-muted; background: $surface; }
    StartScreen.-tall #entries { padding: 1 2; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.entries: tuple[StartEntry, ...] = ()

    def compose_body(self) -> ComposeResult:
        """The list, and what Enter does."""
        yield Static(_LEAD, id="lead")
        yield OptionList(id="entries", compact=True)
        yield Static("", id="does", markup=False)

    def on_screen_resume(self) -> None:
        """Update the lists."""
        self.run_in_background(self._look, group="look", is_exclusive=True)

    async def _look(self) -> None:
        found = await asyncio.to_thread(entries)
        if found != self.entries:
            before = self.entry
            self.entries = found
            self._show(before)

    def _show(self, before: StartEntry | None) -> None:
        options: list[Option] = []
        for kind, heading in GROUPS.items():
            group = [entry for entry in self.entries if entry.kind == kind]
            if group:
                options.append(Option(f"[b $primary]{heading}[/]", disabled=True))
                options += [Option(self._line(entry), id=f"{entry.kind}:{entry.target}") for entry in group]
        listed = self.query_one("#entries", OptionList)
        listed.clear_options()
        listed.add_options(options)
        wanted = next((i for i, entry in enumerate(self.entries) if before is not None and _same(entry, before)), 0)
        listed.highlighted = listed.get_option_index(_id(self.entries[wanted]))
        listed.scroll_to_highlight()

    def _line(self, entry: StartEntry) -> Content:
        line = f"  {'[$primary]$key[/]  ' if entry.key else ''}$title{'  [dim]$details[/]' if entry.details else ''}"
        key = self.app.get_key_display(Binding(entry.key, "")) if entry.key else ""
        return Content.from_markup(line, key=key, title=entry.title, details=entry.details)

    @property
    def entry(self) -> StartEntry | None:
        """The item under the cursor."""
        listed = self.query_one("#entries", OptionList)
        if listed.highlighted is None:
            return None
        id_ = listed.get_option_at_index(listed.highlighted).id
        return next((entry for entry in self.entries if _id(entry) == id_), None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable the actions that apply to the entry under the cursor."""
        if action in {"run_it", "remove"}:
            entry = self.entry if self.is_mounted else None
            kinds = {"run_it": {"neighbourhood", "bundled"}, "remove": {"rescued", "neighbourhood"}}
            return entry is not None and entry.kind in kinds[action]
        return super().check_action(action, parameters)

    @on(OptionList.OptionHighlighted)
    def _explain(self) -> None:
        entry = self.entry
        if entry is not None:
            self.query_one("#does", Static).update(_DOES[entry.kind])
        self.refresh_bindings()  # the footer offers what the entry allows

    @on(OptionList.OptionSelected)
    async def _open(self) -> None:
        entry = self.entry
        if entry is None:
            return
        if entry.kind == "action":
            await self.run_action(entry.target)
        elif entry.kind == "results":
            self.post_message(OpenResults(entry.path))
        else:
            self.post_message(EditScenario(entry.target))

    def action_run_it(self) -> None:
        """Go to Run with the neighbourhood under the cursor."""
        entry = self.entry
        if entry is not None:
            self.post_message(RunScenario(entry.target))

    async def action_new(self) -> None:
        """Create a new neighbourhood."""
        await self.ssmic.run_area_action("neighbourhoods", "new")

    async def action_open(self) -> None:
        """Open a neighbourhood file."""
        await self.ssmic.run_area_action("neighbourhoods", "open")

    async def action_import(self) -> None:
        """Import from PySSMic, GreenCharge or a meter."""
        await self.ssmic.run_area_action("neighbourhoods", "import")

    async def action_generate(self) -> None:
        """Generate a neighbourhood."""
        await self.ssmic.run_area_action("neighbourhoods", "generate")

    async def action_copy_bundled(self) -> None:
        """Copy a bundled neighbourhood."""
        await self.ssmic.run_area_action("neighbourhoods", "copy_bundled")

    async def action_join(self) -> None:
        """Watch a run on a broker."""
        await self.ssmic.run_area_action("negotiations", "join")

    def action_remove(self) -> None:
        """Remove a recent neighbourhood, or discard rescued changes after confirmation."""
        entry = self.entry
        if entry is None:
            return
        if entry.kind == "neighbourhood":
            self.ssmic.forget(entry.path)
            self.on_screen_resume()
            return

        def answered(answer: str | None) -> None:
            if answer == "discard":
                entry.path.unlink(missing_ok=True)
                self.on_screen_resume()

        details = f"{entry.path} will be deleted; its changes are not saved anywhere else."
        answers: tuple[Answer, ...] = (("back", "Back", "primary"), ("discard", "Discard", "error"))
        self.app.push_screen(Confirm(f"Discard {entry.title}?", details, answers), answered)


def _id(entry: StartEntry) -> str:
    return f"{entry.kind}:{entry.target}"


def _same(entry: StartEntry, other: StartEntry) -> bool:
    return _id(entry) == _id(other)
