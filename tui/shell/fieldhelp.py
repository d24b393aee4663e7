"""One line that says what the field is that has the focus: what, unit, default, the name that PySSMic has for it.

It stands in one place below the fields. Directly under the field it would move what is below when the focus comes or
goes, and a click would miss what it was meant for.
"""

from __future__ import annotations

from textual.widgets import Static


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
