"""Dialogs of the editor: import a neighbourhood; show notes or problems of a file; choose several ids in an order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from scenarios.files import MEASURED_SUFFIXES
from tui.shell import Dialog, Footer, PickPath
from tui.widgets import LookedUp, PathInput, looked_up, typed_path

YAML = (".yaml", ".yml")
IMPORTABLE = (".xml", ".pkl", ".pickle", *YAML)


@dataclass(frozen=True, slots=True)
class ImportChoice:
    """The choice in the dialog."""

    path: Path
    jobs: Path | None
    loads: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    id: str
    label: str
    hint: str
    help: str
    kind: Literal["either", "file", "folder"]
    suffixes: tuple[str, ...]


_LINES = (
    _Line(
        "source",
        "from",
        "PySSMic, GreenCharge or a meter's series",
        "PySSMic's folder, XML, pickle; GreenCharge's folder, XML; YAML; or a meter's CSV, gzip, Parquet",
        "either",
        (*IMPORTABLE, *MEASURED_SUFFIXES),
    ),
    _Line(
        "jobs",
        "jobs",
        "optional: PySSMic's jobs, GreenCharge's loads",
        "For a neighbourhood in XML: the times of each job or charging session. Folders have their own.",
        "file",
        (".xml",),
    ),
    _Line(
        "loads",
        "load profiles",
        "optional: a folder with <name>.csv",
        'For a neighbourhood in XML: one "seconds Wh" pair per line, cumulative.',
        "folder",
        (".csv",),
    ),
)


class ImportDialog(Dialog[ImportChoice | None]):
    """Asks for the paths of neighbourhood, jobs and load profiles; escape returns None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o", "browse", "Browse", tooltip="Choose from a list of files"),
        Binding("ctrl+s", "accept", "Import"),
    ]
    TITLE = "Import a neighbourhood"
    HELP = """
Choose an input of **PySSMic**: a folder (with `consumer_event.csv` and `producer_event.csv`), a neighbourhood in XML
or a pickle; or of **GreenCharge**: a simulation's folder (with `xml/` and `Inputs/`), or its neighbourhood in XML. The
type is detected from the content. `Tab` completes a path, `Ctrl+O` lists files, `Enter` imports.

A neighbourhood in XML or a pickle may lack jobs and load profiles: choose them in the second and third
field. Missing values are filled in and listed after the import. The input is not changed.

A **series** of a meter or portal (CSV, gzip, Parquet) is added to panels or a device of the open neighbourhood, or to
a new one. What was guessed is shown, and can be changed.
"""
    DEFAULT_CSS = """
    ImportDialog > Vertical { width: 90; padding: 1 2 0 2; }
    ImportDialog .details { color: $text-muted; margin-bottom: 1; height: auto; }
    ImportDialog .line { height: 1; }
    ImportDialog .help { height: 2; margin-left: 15; padding: 0 1; color: $text-muted; visibility: hidden; }
    ImportDialog .field { height: auto; min-width: 46; }
    ImportDialog .field:focus-within { height: auto; }  /* Textual follows the focus only where such a rule is */
    ImportDialog .field:focus-within .help { visibility: visible; }
    ImportDialog .label { width: 15; color: $text-muted; }
    ImportDialog .line Input.-textual-compact { width: 1fr; background: $panel; padding: 0 1; }
    ImportDialog .line Button { margin-left: 1; min-width: 5; }
    ImportDialog .problem { color: $text-error; height: auto; min-height: 1; }
    ImportDialog .buttons { height: auto; align-horizontal: right; margin: 1 0; }
    ImportDialog .buttons Button { margin-left: 2; }
    """

    def __init__(self, folder: Path) -> None:
        """Ask.

        Args:
            folder: Initial folder for browsing.
        """
        super().__init__()
        self._folder = folder

    def compose(self) -> ComposeResult:
        """One line per path."""
        with Vertical() as box:
            box.border_title = "Import a neighbourhood"
            yield Static(
                "The type is detected from the content. Missing values are filled in and listed. The input is not "
                "changed.",
                classes="details",
            )
            for line in _LINES:
                with Vertical(classes="field"):
                    with Horizontal(classes="line"):
                        yield Static(line.label, classes="label")
                        yield PathInput(
                            id=line.id,
                            compact=True,
                            placeholder=line.hint,
                            folder=self._folder,
                            suffixes=line.suffixes,
                        )
                        yield Button("...", name=line.id, compact=True)
                    yield Static(line.help, classes="help", markup=False)
            yield Static("", classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Import", variant="primary", action="screen.accept", compact=True)
                yield Button("Back", action="screen.dismiss", compact=True)
        yield Footer()

    def on_mount(self) -> None:
        """Begin with the source."""
        self.query_one("#source").focus()

    @on(Button.Pressed, ".line Button")
    def _pressed(self, event: Button.Pressed) -> None:
        self._browse(event.button.name or "source")

    def action_browse(self) -> None:
        """Choose the focused line's path from a file tree."""
        focused = self.focused
        known = {line.id for line in _LINES}
        name = (focused.id or focused.name) if focused is not None else None
        self._browse(name if name in known else "source")

    def _browse(self, id_: str | None) -> None:
        line = next(line for line in _LINES if line.id == id_)
        field = self.query_one(f"#{line.id}", Input)
        typed = typed_path(field.value.strip())
        found = looked_up(typed)
        is_folder = bool(field.value.strip()) and found.is_folder
        start = typed if is_folder else typed.parent if found.is_file else self._folder

        def chosen(path: Path | None) -> None:
            if path is not None:
                field.value = str(path)
                field.focus()

        self.app.push_screen(PickPath(f"Import: {line.label}", start, suffixes=line.suffixes, kind=line.kind), chosen)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_accept()

    def action_accept(self) -> None:
        """Return the paths, if valid."""
        problem = None
        paths: dict[str, Path | None] = {}
        for line in _LINES:
            typed = self.query_one(f"#{line.id}", Input).value.strip()
            path = typed_path(typed) if typed else None
            found = LookedUp() if path is None else looked_up(path)
            paths[line.id] = path
            if path is None and line.id == "source":
                problem = problem or "Type the path of the neighbourhood, or choose it (Ctrl+O)."
            elif path is not None and not found.is_there:
                problem = problem or found.problem or f"There is no {path}."
            elif path is not None and line.kind == "folder" and not found.is_folder:
                problem = problem or f"{path} is a file; a folder is needed."
            elif path is not None and line.kind == "file" and found.is_folder:
                problem = problem or f"{path} is a folder; a file is needed."
        self.query_one(".problem", Static).update(problem or "")
        source = paths["source"]
        if problem is None and source is not None:
            loads = paths["loads"]
            self.dismiss(ImportChoice(source, paths["jobs"], () if loads is None else (loads,)))


class Notes(Dialog[None]):
    """Shows a list of notes or problems until dismissed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "dismiss", "Close")]
    DEFAULT_CSS = """
    Notes > Vertical { width: 100; max-height: 90%; padding: 1 2 0 2; }
    Notes.bad > Vertical { border: round $error; border-title-color: $text-error; }
    Notes .lead { height: auto; margin-bottom: 1; }
    Notes VerticalScroll { height: auto; max-height: 16; }
    Notes .line { height: auto; margin-bottom: 1; color: $text-muted; }
    Notes .buttons { height: auto; align-horizontal: right; margin: 1 0; }
    """

    def __init__(self, title: str, lead: str, lines: Sequence[str], *, bad: bool = False) -> None:
        """Show.

        Args:
            title: In the border.
            lead: Introduction to the lines.
            lines: One after the other.
            bad: Whether the lines are errors.
        """
        super().__init__(classes="bad" if bad else "")
        self.title = self._title = title
        self._lead = lead
        self._lines = tuple(lines)

    def compose(self) -> ComposeResult:
        """Lead, lines, button."""
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield Static(self._lead, classes="lead", markup=False)
            with VerticalScroll():
                for line in self._lines:
                    yield Static(f"· {line}", classes="line", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Close", variant="primary", action="screen.dismiss", compact=True)
        yield Footer()

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self.query_one(VerticalScroll).focus()


class ChooseSeveral(Dialog[tuple[str, ...] | None]):
    """Returns the ticked ids in the order in which they were ticked; None on escape."""

    HELP = """
`Space` ticks or unticks the line under the cursor. The numbers show the order. `Enter` accepts.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Tick", priority=True),
        Binding("enter,ctrl+s", "accept", "OK", priority=True),
    ]
    DEFAULT_CSS = """
    ChooseSeveral > Vertical { width: 70; max-height: 90%; padding: 1 1 0 1; }
    ChooseSeveral .details { color: $text-muted; height: auto; margin-bottom: 1; }
    ChooseSeveral OptionList {
        height: auto; max-height: 20; background: $surface; border: none; padding: 0; scrollbar-size-vertical: 1;
    }
    ChooseSeveral OptionList > .option-list--option-highlighted { background: $primary 28%; color: $text; }
    ChooseSeveral .buttons { height: auto; align-horizontal: right; margin: 1 0; }
    ChooseSeveral Button { margin-left: 2; }
    """

    def __init__(self, title: str, known: Sequence[str], chosen: Sequence[str], details: str = "") -> None:
        """Ask.

        Args:
            title: The question.
            known: The ids to choose from.
            chosen: Those that are ticked at the beginning, in order; unknown ones stay, at the end of the list.
            details: Text under the title.
        """
        super().__init__()
        self.title = self._title = title
        self._known = (*known, *(id_ for id_ in chosen if id_ not in set(known)))
        self._chosen = list(chosen)
        self._details = details

    def compose(self) -> ComposeResult:
        """Compose the question, the list and buttons."""
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield Static(f"Space ticks. {self._details}", classes="details", markup=False)
            yield OptionList(*(Option(self._line(id_)) for id_ in self._known), compact=True, markup=False)
            with Horizontal(classes="buttons"):
                yield Button("OK", variant="primary", action="screen.accept", compact=True)
                yield Button("Back", id="back", action="screen.dismiss", compact=True)
        yield Footer()

    def on_mount(self) -> None:
        """Begin with the first one that is ticked."""
        listed = self.query_one(OptionList)
        listed.focus()
        if self._known:
            listed.highlighted = self._known.index(self._chosen[0]) if self._chosen else 0

    def _line(self, id_: str) -> str:
        number = str(self._chosen.index(id_) + 1) if id_ in self._chosen else " "
        return f"[{number}] {id_}"

    def action_mark(self) -> None:
        """Tick the line under the cursor, or take its tick away."""
        self.in_order(self._mark)

    def _mark(self) -> None:
        index = self.query_one(OptionList).highlighted
        if index is None:
            return
        changed = set(self._chosen)
        id_ = self._known[index]
        if id_ in self._chosen:
            self._chosen.remove(id_)
        else:
            self._chosen.append(id_)
        self._draw({id_} | changed)

    @on(OptionList.OptionSelected)
    def _clicked(self) -> None:
        self._mark()

    def _draw(self, changed: set[str]) -> None:
        listed = self.query_one(OptionList)
        for index, id_ in enumerate(self._known):
            if id_ in changed:
                listed.replace_option_prompt_at_index(index, self._line(id_))

    def action_accept(self) -> None:
        """Return the ticked items, or nothing if `Back` has the focus; the button `OK` calls this, too."""
        self.in_order(self._accept)

    def _accept(self) -> None:
        is_back = self.focused is not None and self.focused.id == "back"
        self.dismiss(None if is_back else tuple(self._chosen))
