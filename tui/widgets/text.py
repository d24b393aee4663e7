"""One line that says what the field is that has the focus: what, unit, default, the name that PySSMic has for it.

It stands in one place below the fields. Directly under the field it would move what is below when the focus comes or
goes, and a click would miss what it was meant for.
"""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Checkbox, Static


class Words(Static):
    """Plain text, changed with `say`."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        """Make it, empty.

        Args:
            id: See `textual.widget.Widget`.
            classes: As `id`.
        """
        super().__init__("", id=id, classes=classes, markup=False)

    def say(self, text: str) -> None:
        """Show a text."""
        if text == self.content:
            return
        width = self.content_size.width
        before = self._lines(width)
        self.update(text, layout=False)
        if not width or self._lines(width) != before:
            self.refresh(layout=True)

    def _lines(self, width: int) -> int:
        return self.get_content_height(self.container_size, self.app.size, width) if width else 0


class Tick(Checkbox):
    """A check box; Textual's own shows the same sign in two colours."""

    DEFAULT_CSS = """
    Tick > .toggle--button { color: $foreground 60%; background: $surface; }
    Tick.-on > .toggle--button { color: $success; background: $surface; text-style: bold; }
    """

    @property
    def _button(self) -> Content:
        return Content.assemble(("[x]" if self.value else "[ ]", self.get_visual_style("toggle--button")))


def say(widget: Static, text: str) -> None:
    """Let a widget show a text."""
    if widget.content != text:
        widget.update(text)


class FieldHelp(Static):
    """The line."""

    DEFAULT_CSS = """
    FieldHelp { height: 2; padding: 0 1; color: $text-muted; background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False)

    def say(self, text: str) -> None:
        """Show a text; nothing where no field has the focus."""
        if text != self.content:
            self.update(text, layout=False)
