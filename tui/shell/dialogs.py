"""Dialogs: confirmation, a line of text, a file, one of many. Each is a modal screen that returns its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import ModalScreen
from textual.widgets import Button, DirectoryTree, Input, Static
from textual.widgets.directory_tree import DirEntry
from textual.widgets.tree import TreeNode
from typing_extensions import override

from broker import plural, writing_obstacle
from tui.shell.error_notices import ErrorBoundary
from tui.shell.footer import Footer
from tui.street_groups import streets_of
from tui.widgets import Column, PathInput, PlainText, VirtualTable, looked_up, meant_path, typed_path

_BOX_CSS = """
    {name} > Vertical {{ width: {width}; max-width: 95%; padding: 1 2 0 2; }}
    {name} .details {{ color: $text-muted; margin-bottom: 1; height: auto; }}
    {name} .problem {{ color: $text-error; height: auto; min-height: 1; }}
    {name} .buttons {{ height: auto; align-horizontal: right; margin: 1 0; }}
    {name} Button {{ margin-left: 2; }}
"""


Answer = tuple[str, str, Literal["primary", "error", "default"]]
"""Return value, label and variant of a button."""
MOST_FOUND: Final = 500
"""Results that a search lists at most."""
AnswerT = TypeVar("AnswerT")
HouseName = tuple[str, str]
"""Id and name."""

if TYPE_CHECKING:
    _Base = ModalScreen
else:
    _Base = Generic


class AnswersOnce(_Base[AnswerT]):
    """Mixin for modal screens: the first answer counts, and only closes this screen.

    Textual removes the screen on top, whichever it is. The second click of a double click on an answer closed the
    dialog that the first had opened, whose asker waited for ever, or failed because no dialog was left.
    """

    is_answered = False
    """Whether it was closed."""
    _late_answer: Callable[[], object] | None = None
    """Gives the answer once this screen is on top."""

    def dismiss(self, result: AnswerT | None = None) -> AwaitComplete:
        """Close this screen, the first time; once it is there and on top: the help or a question may be above it.

        Args:
            result: Its answer.
        """
        if self.is_answered:
            return AwaitComplete()
        if not (self.is_mounted and self.is_active):
            self._late_answer = partial(self.dismiss, result)
            return AwaitComplete()
        self.is_answered = True
        return super().dismiss(result)

    def on_screen_resume(self) -> None:
        """Give the answer that waits until this screen is there and on top."""
        if self._late_answer is not None:
            self._late_answer()


class Dialog(ErrorBoundary, AnswersOnce[AnswerT], ModalScreen[AnswerT]):
    """A box in the middle of the screen, which returns an answer; escape returns None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Back")]
    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > Vertical {
        max-width: 96%; height: auto; max-height: 95%;
        background: $surface; border: round $primary; border-title-color: $primary; padding: 0 1;
        overflow: auto; scrollbar-size: 1 1;
    }
    /* On terminals that are too small, the focus scrolls to what does not fit. */
    Dialog .buttons { min-width: 54; }
    Dialog .line { min-width: 46; }
    Dialog VirtualTable, Dialog Tree, Dialog OptionList { min-height: 3; }
    """

    def in_order(self, act: Callable[[], None]) -> None:
        """Act once all keys pressed before have been obeyed; not at all if the dialog is closed by then.

        The application obeys a key with priority at once. Several keys may come together, and those before it may still
        be on their way: to the focused widget, and from there through its parents to the application.
        """
        way: list[DOMNode] = [*(self.focused or self).ancestors_with_self]

        def pass_on() -> None:
            if way:
                way.pop(0).call_later(pass_on)
            elif self.is_current:
                act()

        pass_on()


class Confirm(Dialog[str | None]):
    """A question with two or three answers; escape returns None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
    ]
    HELP = "Choose an answer with the arrow keys and `Enter`. `Esc` goes back and changes nothing."
    DEFAULT_CSS = _BOX_CSS.format(name="Confirm", width="64")

    def __init__(self, title: str, details: str, answers: Iterable[Answer]) -> None:
        """Ask.

        Args:
            title: The question.
            details: Consequences, plain text.
            answers: The first has the focus.
        """
        super().__init__()
        self.title = self._title = title
        self._details = details
        self._answers = tuple(answers)

    def compose(self) -> ComposeResult:
        """The question, the answers side by side."""
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield Static(self._details, classes="details", markup=False)
            with Horizontal(classes="buttons"):
                for answer, label, variant in self._answers:
                    yield Button(label, variant=variant, name=answer, compact=True)
        yield Footer()

    @on(Button.Pressed)
    def _answer(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.name)


class AskText(Dialog[str | None]):
    """A line of text; escape returns None."""

    HELP = "Type, then press `Enter`. `Esc` goes back and changes nothing."
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,ctrl+s", "accept", "OK", priority=True)]
    DEFAULT_CSS = (
        _BOX_CSS.format(name="AskText", width="64")
        + "AskText Input.-textual-compact { background: $panel; padding: 0 1; }"
    )

    def __init__(
        self, title: str, details: str = "", value: str = "", check: Callable[[str], str | None] = lambda _: None
    ) -> None:
        """Ask.

        Args:
            title: The question.
            details: The expected input, plain text.
            value: Initial text.
            check: Returns the problem with a text, or None; shown while typing, and of the initial text only if the
                user confirms it.
        """
        super().__init__()
        self.title = self._title = title
        self._details = details
        self._value = value
        self._check = check

    def compose(self) -> ComposeResult:
        """Yield the input, and its problem below."""
        with Vertical() as box:
            box.border_title = Content(self._title)
            if self._details:
                yield Static(self._details, classes="details", markup=False)
            yield Input(self._value, compact=True)
            yield Static("", classes="problem", markup=False)
        yield Footer()

    @on(Input.Changed)
    def _show_problem(self, event: Input.Changed) -> None:
        problem = None if event.value == self._value else self._check(event.value)
        self.query_one(".problem", Static).update(problem or "")

    def action_accept(self) -> None:
        """Return the text, or show its problem."""
        self.in_order(self._accept)

    def _accept(self) -> None:
        text = self.query_one(Input).value
        problem = self._check(text)
        if problem is None:
            self.dismiss(text)
        else:
            self.query_one(".problem", Static).update(problem)


class _Tree(DirectoryTree):
    """Folders, and the matching files."""

    def __init__(self, path: Path, suffixes: tuple[str, ...]) -> None:
        super().__init__(path)
        self._suffixes = suffixes

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Omit hidden files and files that do not match."""
        return [p for p in paths if not p.name.startswith(".") and (looked_up(p).is_folder or self._fits(p))]

    @override
    def _add_to_load_queue(self, node: TreeNode[DirEntry]) -> AwaitComplete:
        """Have a folder loaded, without waiting until it is.

        Textual waits until its queue is empty. If the loader is replaced meanwhile, because another folder is shown, or
        cancelled, because the dialog closes, that never happens: the dialog never ends, nor does the application.
        """
        if node.data is not None and not node.data.loaded:
            node.data.loaded = True
            self._load_queue.put_nowait(node)
        return AwaitComplete()

    def _fits(self, path: Path) -> bool:
        return not self._suffixes or path.suffix.lower() in self._suffixes


class PickPath(Dialog[Path | None]):
    """A file or folder, typed or chosen from a tree; escape returns None."""

    HELP = """
Type a path; `Tab` completes it, `Enter` accepts it. Or go down to the list: `Enter` opens a folder or chooses a file.
The list shows the folder in the field. `Ctrl+Up` goes to the folder above it.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "accept", "Accept", tooltip="Take the path in the field"),
        Binding("ctrl+up", "parent", "Parent folder", tooltip="List the folder above"),
        Binding("down", "to_list", show=False),
    ]
    DEFAULT_CSS = (
        _BOX_CSS.format(name="PickPath", width="90")
        + """
    PickPath > Vertical { height: 85%; }
    PickPath Input.-textual-compact { background: $panel; padding: 0 1; }
    PickPath .hint { color: $text-muted; height: 1; padding: 0 1; }
    PickPath DirectoryTree { height: 1fr; margin-top: 1; background: $surface; }
    """
    )

    def __init__(
        self,
        title: str,
        start: Path,
        *,
        suffixes: tuple[str, ...] = (),
        kind: Literal["file", "folder", "either", "new"] = "file",
        details: str = "",
    ) -> None:
        """Ask.

        Args:
            title: The question.
            start: The folder shown first, or with `new` the file proposed.
            suffixes: Suffixes of files to show, lower case, with the dot; empty: all files.
            kind: The kind of choice; `new` may not exist yet.
            details: The expected input, plain text.
        """
        super().__init__()
        self.title = self._title = title
        start = start.absolute()
        self._folder = start if start.is_dir() else start.parent
        self._proposed = "" if start.is_dir() else str(start)
        self._suffixes = suffixes
        self._kind = kind
        self._details = details

    def compose(self) -> ComposeResult:
        """The path above, the tree below."""
        with Vertical() as box:
            box.border_title = Content(self._title)
            if self._details:
                yield Static(self._details, classes="details", markup=False)
            yield PathInput(
                self._proposed or f"{self._folder}/",
                folder=self._folder,
                suffixes=self._suffixes,
                placeholder="path",
                compact=True,
            )
            yield Static("Tab completes the path, Down goes to the list.", classes="hint")
            yield Static("", classes="problem", markup=False)
            yield _Tree(self._folder, self._suffixes)
            with Horizontal(classes="buttons"):
                label = {"new": "Save", "folder": "Choose"}.get(self._kind, "Open")
                yield Button(label, variant="primary", action="screen.accept", compact=True)
                yield Button("Back", action="screen.dismiss", compact=True)
        yield Footer()

    def on_mount(self) -> None:
        """Begin in the field."""
        self.query_one(PathInput).focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Go down to the list from the field only."""
        if action == "to_list":
            return isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    def action_to_list(self) -> None:
        """Go to the list of files."""
        tree = self.query_one(_Tree)
        tree.focus()
        if tree.cursor_line < 1:
            tree.cursor_line = min(1, tree.last_line)

    @on(Input.Changed)
    def _list_folder(self, event: Input.Changed) -> None:
        typed = typed_path(event.value.strip() or ".")
        folder = typed if event.value.endswith("/") else typed.parent
        tree = self.query_one(_Tree)
        if event.input.has_focus and looked_up(folder).is_folder and folder != Path(tree.path):
            tree.path = folder

    def action_parent(self) -> None:
        """Show the folder above."""
        tree = self.query_one(_Tree)
        tree.path = Path(tree.path).parent
        self.query_one(Input).value = f"{tree.path}/"

    def action_accept(self) -> None:
        """Return the path in the field, if valid."""
        text = self.query_one(Input).value.strip()
        path = meant_path(text)
        problem = self._problem(text, path)
        self.query_one(".problem", Static).update(problem or "")
        if problem is None:
            self.dismiss(path)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_accept()

    @on(DirectoryTree.FileSelected)
    def _file_chosen(self, event: DirectoryTree.FileSelected) -> None:
        self.query_one(Input).value = str(event.path)
        if self._kind != "new":
            self.action_accept()

    @on(DirectoryTree.DirectorySelected)
    def _folder_chosen(self, event: DirectoryTree.DirectorySelected) -> None:
        name = Path(self.query_one(Input).value).name if self._kind == "new" else ""
        self.query_one(Input).value = str(event.path / name) if name else f"{event.path}/"

    def _problem(self, text: str, path: Path) -> str | None:
        obstacle = writing_obstacle(path) if self._kind == "new" else ""  # missing folders are created
        found = looked_up(path)
        problems = {
            "Type a path, or choose one below.": not text,
            f"{path} is a folder; add a file name.": self._kind == "new" and found.is_folder,
            f"{path} cannot be written: {obstacle}.": bool(obstacle),
            found.problem: bool(found.problem),
            f"There is no {path}.": self._kind != "new" and not found.is_there,
            f"{path} is a folder; a file is needed.": self._kind == "file" and found.is_folder,
            f"{path} is a file; a folder is needed.": self._kind == "folder" and found.is_file,
        }
        return next((problem for problem, is_so in problems.items() if is_so), None)


class ChooseOne(Dialog[str | None]):
    """Asks for one of many households, or the like, by a part of its name."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "Down", show=False),
    ]
    DEFAULT_CSS = """
    ChooseOne > Vertical { width: 76; height: 70%; }
    ChooseOne Input { background: $boost; }
    ChooseOne .count { color: $text-muted; height: 1; }
    ChooseOne VirtualTable { background: $surface; }
    """

    def __init__(self, what: str, houses: Iterable[HouseName]) -> None:
        """Make it.

        Args:
            what: What one of them is, such as `household`.
            houses: Ids and names.
        """
        super().__init__()
        self._what = what
        self._houses = tuple(houses)
        self._streets = streets_of(self._houses)
        self._texts = [f"{house} {name} {self._streets[house]}".casefold() for house, name in self._houses]

    def compose(self) -> ComposeResult:
        """Yield field and list."""
        with Vertical() as box:
            box.border_title = f"Choose a {self._what}"
            yield Input(placeholder="a part of its id, name or street", compact=True)
            yield PlainText(classes="count")
            yield VirtualTable[HouseName](
                (
                    Column(self._what, lambda house: house[0], 24, is_id=True),
                    Column("name", lambda house: house[1]),
                    Column("street", lambda house: (self._streets[house[0]], "muted"), 24, from_width=60),
                ),
                key=lambda house: house[0],
                empty="No match",
            )
        yield Footer()

    def on_mount(self) -> None:
        """Show the first ones."""
        self._show_found()
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _show_found(self) -> None:
        wanted = self.query_one(Input).value.strip().casefold()
        found = [house for house, text in zip(self._houses, self._texts, strict=True) if wanted in text]
        self.query_one(VirtualTable).show_rows(found[:MOST_FOUND])
        rest = f", the first {MOST_FOUND} are listed" if len(found) > MOST_FOUND else ""
        self.query_one(".count", PlainText).say(f"{len(found):,} of {plural(len(self._houses), self._what)}{rest}")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._choose()

    @on(VirtualTable.Chosen)
    def _clicked(self, event: VirtualTable.Chosen) -> None:
        event.stop()
        self._choose()

    def _choose(self) -> None:
        house: HouseName | Any = self.query_one(VirtualTable).row
        if house is not None:
            self.dismiss(house[0])
