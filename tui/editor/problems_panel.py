"""Panels of notes and problems; a row leads to its field."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Button, Static

from broker import plural
from scenarios import Problem, problem_count
from scenarios.files import Remedy, ScenarioNote
from tui.editor import tree_model
from tui.editor.forms import field_for, form_of, is_possible, label_of
from tui.editor.tree_model import Tree
from tui.widgets import Column, VirtualTable

MOST_NOTES = 20
"""An import may have a note for each of its jobs."""


class CoveragePanel(VerticalScroll):
    """The notes; hidden while there are none."""

    can_focus = False
    DEFAULT_CSS = """
    CoveragePanel {
        height: auto; max-height: 6; display: none; border-top: solid $warning; border-title-color: $text-warning;
    }
    CoveragePanel.some { display: block; }
    CoveragePanel .note { height: auto; padding: 0 1; }
    CoveragePanel .remedies { height: 1; padding: 0 1; }
    CoveragePanel .remedies Button { margin-right: 2; }
    """

    class Chosen(Message):
        """A suggested repair was chosen."""

        def __init__(self, remedy: Remedy) -> None:
            super().__init__()
            self.remedy = remedy

    def __init__(self) -> None:
        super().__init__(id="coverage")
        self._shown: tuple[ScenarioNote, ...] = ()
        self._wanted: tuple[ScenarioNote, ...] = ()
        self._lock = asyncio.Lock()

    async def show(self, tree: Tree, notes: Sequence[ScenarioNote]) -> None:
        """Show these; the last ones asked for stay."""
        self._wanted = tuple(notes)
        async with self._lock:
            if self._wanted != self._shown:
                self._shown = self._wanted
                await self._draw(tree)

    async def _draw(self, tree: Tree) -> None:
        notes = self._shown
        self.border_title = plural(len(notes), "note")
        self.set_class(bool(notes), "some")
        with self.app.batch_update():
            await self.remove_children()
            for note in notes[:MOST_NOTES]:
                # The buttons say the rest, which names the remedies.
                text = note.what.partition("; ")[0] if note.remedies else note.what
                await self.mount(Static(f"! {text}", classes="note", markup=False))
                remedies = [remedy for remedy in note.remedies if is_possible(remedy, tree)]
                if remedies:
                    await self.mount(
                        Horizontal(*(_RemedyButton(remedy, tree) for remedy in remedies), classes="remedies")
                    )

            if len(notes) > MOST_NOTES:
                more = f"! and {plural(len(notes) - MOST_NOTES, 'more note')}; ssmic check lists all"
                await self.mount(Static(more, classes="note", markup=False))

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if isinstance(event.button, _RemedyButton):
            self.post_message(self.Chosen(event.button.remedy))


class _RemedyButton(Button):
    """A button that applies a remedy."""

    def __init__(self, remedy: Remedy, tree: Tree) -> None:
        super().__init__(label_of(remedy, tree), compact=True)
        self.remedy = remedy


MOST_ROWS = 8


class ProblemsPanel(Vertical):
    """The list; hidden while there are no problems."""

    DEFAULT_CSS = """
    ProblemsPanel { height: auto; display: none; border-top: solid $error; border-title-color: $text-error; }
    ProblemsPanel.some { display: block; }
    """

    class Chosen(Message):
        """A problem was chosen."""

        def __init__(self, problem: Problem) -> None:
            super().__init__()
            self.problem = problem

    def __init__(self) -> None:
        super().__init__(id="problems")
        self._tree: Tree = {}
        self._height = 0

    def compose(self) -> ComposeResult:
        """One row per problem."""
        yield VirtualTable[tuple[int, Problem]](
            (
                Column("part", lambda row: ("✗ " + self._part(row[1]), "bad"), 34, narrow=24),
                Column("field", lambda row: self._field(row[1]), 20, narrow=14),
                Column("problem", lambda row: row[1].what),
            ),
            key=lambda row: row[0],
            id="problem-table",
        )

    def show(self, tree: Tree, problems: Sequence[Problem]) -> None:
        """List problems, as many rows as the terminal has room for; none hides the panel."""
        self._tree = tree
        self.set_class(bool(problems), "some")
        self.border_title = plural(problem_count(problems), "problem")
        most = 3 if self.screen.has_class("-short") else MOST_ROWS
        table = self.query_one(VirtualTable)
        height = min(len(problems), most) + 1
        if problems and height != self._height:
            self._height = table.styles.height = height
        table.show_rows(list(enumerate(problems)))

    def _part(self, problem: Problem) -> str:
        return tree_model.title_of(self._tree, tree_model.owner_of(self._tree, problem.path))

    def _field(self, problem: Problem) -> str:
        """Return the label of the problem's field, or the heading of its fields; the key if the form has neither."""
        path = problem.path
        field = field_for(form_of(self._tree, tree_model.owner_of(self._tree, path)).fields, path)
        if field is not None and field.path == path:
            return field.label
        if field is not None and field.heading and field.path[:-1] == path and path in field.covers:
            return field.heading
        words = [part for part in path if isinstance(part, str)]
        return (words[-1] if words else "").replace("_", " ")

    @on(VirtualTable.Chosen)
    def _chosen(self, event: VirtualTable.Chosen) -> None:
        event.stop()
        self.post_message(self.Chosen(event.row[1]))
