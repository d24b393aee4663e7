"""What cannot meet in time, and a button for each way out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from textual import on
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Button, Static

from scenarios.files.coverage import Note, WayOut
from tui.editor.bringing import is_possible, label_of
from tui.editor.outline import Tree


class CoveragePanel(VerticalScroll):
    """The notes; not there while there are none."""

    can_focus = False
    DEFAULT_CSS = """
    CoveragePanel {
        height: auto; max-height: 6; display: none; border-top: solid $warning; border-title-color: $text-warning;
    }
    CoveragePanel.some { display: block; }
    CoveragePanel .note { height: auto; padding: 0 1; }
    CoveragePanel .ways { height: 1; padding: 0 1; }
    CoveragePanel .ways Button { margin-right: 2; }
    """

    class Chosen(Message):
        """A way out is to be taken."""

        def __init__(self, way: WayOut) -> None:
            super().__init__()
            self.way = way

    def __init__(self) -> None:
        super().__init__(id="coverage")
        self._shown: tuple[Note, ...] = ()
        self._wanted: tuple[Note, ...] = ()
        self._lock = asyncio.Lock()

    async def show(self, tree: Tree, notes: Sequence[Note]) -> None:
        """Show these; the last ones asked for stay."""
        self._wanted = tuple(notes)
        async with self._lock:
            if self._wanted != self._shown:
                self._shown = self._wanted
                await self._draw(tree)

    async def _draw(self, tree: Tree) -> None:
        notes = self._shown
        self.border_title = f"{len(notes)} note{'s' if len(notes) != 1 else ''}"
        self.set_class(bool(notes), "some")
        with self.app.batch_update():
            await self.remove_children()
            for note in notes:
                # The ways out stand on buttons.
                text = note.what.partition("; ")[0] if note.ways_out else note.what
                await self.mount(Static(f"! {text}", classes="note", markup=False))
                ways = [way for way in note.ways_out if is_possible(way, tree)]
                if ways:
                    await self.mount(Horizontal(*(_WayButton(way, tree) for way in ways), classes="ways"))

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if isinstance(event.button, _WayButton):
            self.post_message(self.Chosen(event.button.way))


class _WayButton(Button):
    """A button for a way out."""

    def __init__(self, way: WayOut, tree: Tree) -> None:
        super().__init__(label_of(way, tree), compact=True)
        self.way = way
