"""Text widgets: text that relayouts only if its height changes, a check box, a choice, the help line of fields.

The help line has a fixed place below the fields. Directly under a field it would move the fields below, and a click
would miss its target.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from rich.console import RenderableType
from rich.text import Text
from textual.content import Content
from textual.widgets import Checkbox, Select, Static
from textual.widgets._select import SelectCurrent
from typing_extensions import override

ChoiceT = TypeVar("ChoiceT")


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
    SignCheckbox > .toggle--button { color: $foreground 60%; background: $surface; }
    SignCheckbox.-on > .toggle--button { color: $success; background: $surface; text-style: bold; }
    """

    @property
    def _button(self) -> Content:
        return Content.assemble(("[x]" if self.value else "[ ]", self.get_visual_style("toggle--button")))


class TextChoice(Select[ChoiceT]):
    """A choice with plain text, which follows the options; that nothing is chosen yet is not one of them.

    Textual's own takes brackets and backslashes for markup, keeps the text while the same value is chosen, and offers
    its prompt as if it could be chosen.
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
