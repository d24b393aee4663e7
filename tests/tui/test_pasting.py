"""What is pasted into a terminal is text, whatever is in it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key, Paste
from textual.widgets import Input, Static

from tests.tui.driving import dialog, notices, until
from tui.editor.dialogs import ImportDialog
from tui.results.export_dialog import ExportDialog
from tui.shell.dialogs import AskText, Dialog, PickPath

if sys.platform == "win32":
    pytest.skip("Windows has another driver", allow_module_level=True)

from tui.terminal_driver import PasteSafeParser

Opened = Any
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


@pytest.mark.parametrize(
    ("pasted", "value"),
    [
        ("Adler", "Adler"),
        (" Adler \n", " Adler "),
        ("\nAdler", "Adler"),
        ("  \nAdler", "Adler"),
        ("Adler,\r\n\r\n  corner house\r", "Adler, corner house"),
        ("2026-06-21\n12:00\n", "2026-06-21 12:00"),
        ("\n", ""),
    ],
)
async def test_a_field_takes_all_lines_of_a_pasted_text(opened: Opened, pasted: str, value: str) -> None:
    """It took the first one, and nothing of a text that began with an empty line."""
    async with opened() as pilot:
        pilot.app.push_screen(AskText("Name"))
        field = (await dialog(pilot, AskText)).query_one(Input)
        pilot.app.post_message(Paste(pasted))
        await pilot.press("x")
        await until(pilot, lambda: field.value == f"{value}x")


async def test_a_field_for_a_path_says_that_it_takes_the_first_line(opened: Opened, tmp_path: Path) -> None:
    """Files that a file manager copied are a line each."""
    async with opened() as pilot:
        pilot.app.push_screen(PickPath("Open", tmp_path, suffixes=(".yaml",)))
        field = (await dialog(pilot, PickPath)).query_one(Input)
        pilot.app.post_message(Paste(f"{tmp_path}/a.yaml\n{tmp_path}/b.yaml\n"))
        await until(pilot, lambda: field.value == f"{tmp_path}/a.yaml")
        assert [text for _, text in notices(pilot)] == ["Pasted the first of 2 lines: this is a field for one path."]


@pytest.mark.parametrize("kind", ["export", "open", "new", "import"])
async def test_a_path_that_cannot_be_looked_up_is_a_problem_of_its_field(
    opened: Opened, tmp_path: Path, kind: str
) -> None:
    """A name that is too long, or a folder that is closed to the user: it was an error of the program."""
    dialogs: dict[str, Callable[[], Dialog[Any]]] = {
        "export": lambda: ExportDialog(tmp_path / "a.sqlite"),
        "open": lambda: PickPath("Open", tmp_path, suffixes=(".yaml",)),
        "new": lambda: PickPath("Save as", tmp_path / "ours.yaml", kind="new"),
        "import": lambda: ImportDialog(tmp_path),
    }
    async with opened() as pilot:
        pilot.app.push_screen(dialogs[kind]())
        asked = await dialog(pilot, Dialog)
        field = asked.query(Input).first()
        field.value = ""
        pilot.app.post_message(Paste(f"{tmp_path}/{'x' * 300}.yaml"))
        await until(pilot, lambda: field.value)
        await pilot.press("ctrl+s")
        problem = asked.query_one(".problem", Static)
        await until(pilot, lambda: "File name too long" in str(problem.content))
        assert pilot.app.screen is asked
        assert notices(pilot) == []
