"""A terminal emulator that is fed what a viewer writes, and hostile text to write."""

from __future__ import annotations

import re
import unicodedata

import pyte

TITLE = "\x1b]0;OWNED\x07"
CLIPBOARD = "\x1b]52;c;cm0gLXJm\x1b\\"
HOSTILE = f"X{TITLE}{CLIPBOARD}\x1b[2J\x9b5m\u202eevil\u202c\u200b\r\x08[@click=app.quit]q[/]"
"""Sets the title and the clipboard, clears the screen, blinks, reverses, hides, goes back, and is a link in markup."""
SHOWN = r"X\x1b]0;OWNED\x07"
"""The display of its beginning."""
_STYLES = re.compile(r"\x1b\[[0-9;]*m")
_MOVES = re.compile(r"\x1b\[[?>]?[0-9;]*\$?[A-Za-z]|\x1b[()=>78][0B]?")
_POINTER = re.compile(r"\x1b\]22;[a-z-]*\x07")
"""Textual's own choice of a mouse pointer."""


class Emulator(pyte.Screen):
    """A screen that records control sequences in addition to text."""

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__(columns, lines)
        self.titles: list[str] = []

    def set_title(self, param: str) -> None:
        self.titles.append(param)

    def set_icon_name(self, param: str) -> None:
        self.titles.append(param)


def emulated(written: str, size: tuple[int, int], *, moves: bool = False) -> str:
    """Return what is on the screen after something was written, and assert that nothing but text arrived.

    Args:
        written: What a viewer wrote, escape sequences and all.
        size: Columns and lines.
        moves: Whether the viewer positions its text by sequences; one that prints lines uses only colours.
    """
    screen = Emulator(*size)
    written = _POINTER.sub("", written) if moves else written
    pyte.Stream(screen).feed(written.replace("\n", "\r\n"))
    assert screen.titles == [], "the title was set"
    assert "\x1b]" not in written, "a sequence for the terminal's program passed"
    rest = _STYLES.sub("", written)
    if moves:
        rest = _MOVES.sub("", rest)
    breaks = "\r\n\t" if moves else "\n\t"
    invisible = [c for c in rest if c not in breaks and unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"}]
    assert not invisible, f"passed: {sorted(set(invisible))}: {rest[max(0, rest.index(invisible[0]) - 40) :][:120]!a}"
    return "\n".join(screen.display)
