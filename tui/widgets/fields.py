"""Fields of forms, and the texts beside them: a path, a check box, a choice, pasted text, the help line.

A path is completed by Tab as in a shell. Of pasted text, Textual takes the first line, and nothing if that is empty;
here no line is dropped without a notice. A text is laid out again only if its height changes.

The help line has a fixed place below the fields. Directly under a field it would move the fields below, and a click
would miss its target.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from rich.console import RenderableType
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.suggester import Suggester
from textual.widgets import Checkbox, Input, Select, Static
from textual.widgets._select import SelectCurrent
from typing_extensions import override

from broker import plural

ChoiceT = TypeVar("ChoiceT")
_MOST_ENTRIES = 5_000


class PlainText(Static):
    """Plain text, changed with `say`."""

    def __init__(self, *, classes: str) -> None:
        """Make it, empty; `classes` are its CSS classes."""
        super().__init__("", classes=classes, markup=False)

    def say(self, text: str) -> None:
        """Replace what is shown, if it differs."""
        if text == self.content:
            return
        width = self.content_size.width
        before = self._lines(width)
        self.update(text, layout=False)
        if not width or self._lines(width) != before:
            self.refresh(layout=True)

    def _lines(self, width: int) -> int:
        return self.get_content_height(self.container_size, self.app.size, width) if width else 0


class SignCheckbox(Checkbox):
    """A check box whose states differ in their sign; in Textual's own they differ in colour only."""

    DEFAULT_CSS = """
    SignCheckbox > .toggle--button { color: $text-muted; background: $surface; }
    SignCheckbox.-on > .toggle--button { color: $success; background: $surface; text-style: bold; }
    """

    @property
    def _button(self) -> Content:
        return Content.assemble(("[x]" if self.value else "[ ]", self.get_visual_style("toggle--button")))


class TextChoice(Select[ChoiceT]):
    """A choice between options in plain text; its prompt cannot be chosen.

    Textual's own takes brackets and backslashes for markup, does not update the text shown when the options change but
    the value does not, and lists its prompt as an option.
    """

    @override
    def _setup_variables_for_options(self, options: Iterable[tuple[RenderableType, ChoiceT]]) -> None:
        super()._setup_variables_for_options(
            (Text(prompt) if isinstance(prompt, str) else prompt, value) for prompt, value in options
        )
        self._options = [option for option in self._options if option[1] is not self.NULL]

    @override
    def set_options(self, options: Iterable[tuple[RenderableType, ChoiceT]]) -> None:
        super().set_options(options)
        for prompt, value in self._options:
            if value == self.value:
                self.query_one(SelectCurrent).update(prompt)


def update_if_changed(widget: Static, text: str) -> None:
    """Update a widget's text if it has changed."""
    if widget.content != text:
        widget.update(text)


class FieldHelp(Static):
    """The help line of the focused field."""

    DEFAULT_CSS = """
    FieldHelp { height: 2; padding: 0 1; color: $text-muted; background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False)

    def say(self, text: str) -> None:
        """Show a help text; empty if no field has the focus."""
        if text != self.content:
            self.update(text, layout=False)


def completions(folder: Path, suffixes: tuple[str, ...], value: str) -> list[str]:
    """Return the folders and matching files that start with the typed text, sorted; folders end with a slash.

    Args:
        folder: Base folder of relative paths.
        suffixes: Suffixes of matching files, lower case; empty: all files.
        value: The typed text. `~` is the home folder.
    """
    head, slash, begin = value.rpartition("/")
    place = folder / typed_path(f"{head}{slash}" or ".")
    found = []
    try:
        with os.scandir(place) as entries:
            for _, entry in zip(range(_MOST_ENTRIES), entries, strict=False):
                is_hidden = entry.name.startswith(".") and not begin.startswith(".")
                if is_hidden or not entry.name.startswith(begin):
                    continue
                if entry.is_dir():
                    found.append(f"{head}{slash}{entry.name}/")
                elif not suffixes or Path(entry.name).suffix.lower() in suffixes:
                    found.append(f"{head}{slash}{entry.name}")
    except OSError:
        return []
    return sorted(found)


def typed_path(text: str) -> Path:
    """Return a typed path. `~` is the home folder; `~name` without a user of that name stays as typed.

    Args:
        text: As typed.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What is at a path."""

    is_there: bool = False
    is_folder: bool = False
    problem: str = ""
    """Why that cannot be known; empty if it can."""

    @property
    def is_file(self) -> bool:
        """Whether there is something other than a folder."""
        return self.is_there and not self.is_folder


def looked_up(path: Path) -> LookedUp:
    """Return what is at a path.

    `Path.exists` raises an error where a name is too long, or a folder closed to the user.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return LookedUp()
    except OSError as error:
        return LookedUp(problem=f"{path}: {error.strerror}.")
    return LookedUp(is_there=True, is_folder=stat.S_ISDIR(mode))


def meant_path(text: str) -> Path:
    """Return the path that a text means: of `/home/ada//tmp/x` only `/tmp/x`, unless the whole leads somewhere.

    Args:
        text: As typed. `~` is the home folder.
    """
    whole = typed_path(text)
    _, behind_folder, rest = text.rpartition("//")
    absolute = Path(f"/{rest}")
    leads_somewhere = looked_up(whole.parent).is_folder or not looked_up(absolute.parent).is_folder
    return whole if leads_somewhere or not behind_folder else absolute


def _common_beginning(texts: list[str]) -> str:
    first, last = min(texts, default=""), max(texts, default="")
    return next((first[:i] for i, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), first)


class PathSuggester(Suggester):
    """Suggests the first path that starts with the typed text."""

    def __init__(self, folder: Path, suffixes: tuple[str, ...]) -> None:
        """Make one. The arguments are those of `completions`."""
        super().__init__(use_cache=False, case_sensitive=True)
        self._folder = folder
        self._suffixes = suffixes

    async def get_suggestion(self, value: str) -> str | None:
        """Return the completed path."""
        if not value:
            return None
        found = await asyncio.to_thread(completions, self._folder, self._suffixes, value)
        return found[0] if found else None


class PathInput(Input):
    """Tab completes the suggestions' common prefix, else the first one, else moves the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", tooltip="Complete the path, else move to the next field"),
    ]

    def __init__(
        self,
        value: str = "",
        *,
        folder: Path,
        suffixes: tuple[str, ...],
        placeholder: str = "",
        id: str | None = None,
        compact: bool,
    ) -> None:
        """Make one.

        Args:
            value: Initial text.
            folder: Base folder of relative paths.
            suffixes: Suffixes of matching files, lower case, with the dot; empty: all files.
            placeholder: See `textual.widgets.Input`.
            id: As `placeholder`.
            compact: As `placeholder`.
        """
        super().__init__(
            value,
            placeholder=placeholder,
            id=id,
            compact=compact,
            suggester=PathSuggester(folder, suffixes),
            select_on_focus=False,
        )
        self._folder = folder
        self._suffixes = suffixes

    def _on_paste(self, event: events.Paste) -> None:
        """Insert the text; an absolute path behind a folder takes the place of the whole."""
        pasted = event.text.strip().partition("\n")[0].strip()
        is_absolute = pasted.startswith(("/", "~/"))
        if is_absolute and self.value[: min(self.selection)].endswith("/"):
            self.value = pasted
            self.cursor_position = len(pasted)
            event.prevent_default()
            event.stop()

    def action_complete(self) -> None:
        """Complete the path, or go to the next field."""
        found = completions(self._folder, self._suffixes, self.value) if self.value else []
        longer = _common_beginning(found)
        if len(longer) <= len(self.value):
            longer = next((path for path in found if len(path) > len(self.value)), "")
        if longer:
            self.value = longer
            self.cursor_position = len(longer)
        else:
            self.screen.focus_next()


def pasted_line(field: Input, text: str) -> str:
    """Return a pasted text as one line, its lines separated by blanks.

    A field for a path takes the first line only, and the user is notified of that.

    Args:
        field: The field that takes the line.
        text: The pasted text.
    """
    filled = [line for line in text.splitlines() if line.strip()]
    if len(filled) < 2:
        return filled[0] if filled else text
    lines = [line.strip() for line in filled]
    if isinstance(field, PathInput):
        field.notify(f"Pasted the first of {plural(len(lines), 'line')}: this is a field for one path.", markup=False)
        return lines[0]
    return " ".join(lines)
