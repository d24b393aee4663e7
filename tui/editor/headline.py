"""The line above the tree: which neighbourhood is open, whether it is saved, and its problems."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from tui.cli.figures import plural
from tui.editor.say import say
from tui.editor.work import Work


class Headline(Horizontal):
    """Name, state, what was found."""

    DEFAULT_CSS = """
    Headline { height: 1; background: $surface; }
    Headline > .name { width: auto; padding: 0 1; text-style: bold; }
    Headline > .state { width: 1fr; color: $warning; }
    Headline > .found { width: auto; padding: 0 1; color: $success; }
    Headline > .found.some { color: $text-error; }
    """

    def __init__(self) -> None:
        super().__init__(id="headline")

    def compose(self) -> ComposeResult:
        """Three texts."""
        yield Static("", classes="name", markup=False)
        yield Static("", classes="state", markup=False)
        yield Static("", classes="found", markup=False)

    def show(self, work: Work) -> None:
        """Say how it stands with what is open."""
        say(self.query_one(".name", Static), work.title)
        state = "● changed, not saved" if work.history.is_dirty else ""
        if work.path is None and not work.history.is_dirty:
            state = "not saved yet" if work.source else "new"
        say(self.query_one(".state", Static), state)
        found, count = self.query_one(".found", Static), len(work.problems)
        found.set_class(bool(count), "some")
        if work.checked is not work.history.current:
            say(found, f"✗ {count}" if count else "… checking")
        else:
            notes = f", {plural(len(work.notes), 'note')}" if work.notes else ""
            say(found, f"✗ {plural(count, 'problem')} (F8)" if count else f"✓ no problems{notes}")
