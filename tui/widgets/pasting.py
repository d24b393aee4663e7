"""Text of several lines that is pasted into a field: no line is dropped without a notice.

Textual takes the first line, and nothing if that is empty.
"""

from __future__ import annotations

from textual.widgets import Input

from broker import plural
from tui.widgets.path_field import PathInput


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
