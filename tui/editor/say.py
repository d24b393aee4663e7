"""Changing a text only where it is another one: laying the screen out anew costs more than anything else here."""

from __future__ import annotations

from textual.widgets import Static


def say(widget: Static, text: str) -> None:
    """Let a widget show a text."""
    if widget.content != text:
        widget.update(text)
