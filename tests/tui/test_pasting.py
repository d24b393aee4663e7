"""What is pasted into a terminal is text, whatever is in it."""

from __future__ import annotations

import sys

import pytest
from textual.events import Key, Paste

if sys.platform == "win32":
    pytest.skip("Windows has another driver", allow_module_level=True)

from tui.terminal_driver import PasteSafeParser

PASTED = "\x1b[200~two\r\n lines\x1b[31m,\ta tab\x07\x1b[A\x1b\x1b[20 and é\r\x1b[201~"


def taken(*pieces: str) -> list[str]:
    """Return the keys and texts of what a terminal sends in pieces."""
    parser = PasteSafeParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return [event.text if isinstance(event, Paste) else event.key for event in events if isinstance(event, Paste | Key)]


def test_control_sequences_in_pasted_text_are_no_keys() -> None:
    """Textual took `[31m,` and all up to the end for keys: bell, arrow and `Enter` were obeyed."""
    text = "two\r\n lines[31m,\ta tab[A[20 and é\r"
    assert taken("a", PASTED, "b\x1b[A") == ["a", text, "b", "up"]
    for cut in range(1, len(PASTED)):
        assert taken("a", PASTED[:cut], PASTED[cut:] + "b") == ["a", text, "b"]
