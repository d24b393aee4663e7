"""Pasted text of several lines: a field takes one, and drops nothing without saying so.

Textual takes the first line, and nothing if that is empty.
"""

from __future__ import annotations

from textual.widgets import Input

from broker import plural
from tui.widgets.path_field import PathInput


def pasted_line(field: Input, text: str) -> str:
    """Return the line that a field takes of a pasted text, and notify the user if it is not the whole text.

    Args:
        field: Takes all lines, with blanks between them; of several paths, the first one.
        text: The pasted text.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        return text.strip("\r\n")
    if isinstance(field, PathInput):
        field.notify(f"Pasted the first of {plural(len(lines), 'line')}: this is a field for one path.", markup=False)
        return lines[0]
    return " ".join(lines)
