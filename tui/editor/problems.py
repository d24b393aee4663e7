"""All problems in one list; a row leads to its field."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from scenarios.errors import Problem
from tui.editor import outline
from tui.editor.outline import Tree
from tui.widgets.table import Column, VirtualTable

MOST_ROWS = 8


class ProblemsPanel(Vertical):
    """The list; hidden while there are no problems."""

    DEFAULT_CSS = """
    ProblemsPanel { height: auto; display: none; border-top: solid $error; border-title-color: $text-error; }
    ProblemsPanel.some { display: block; }
    """

    class Chosen(Message):
        """A problem's field is wanted."""

        def __init__(self, problem: Problem) -> None:
            super().__init__()
            self.problem = problem

    def __init__(self) -> None:
        super().__init__(id="problems")
        self._tree: Tree = {}
        self._height = 0

    def compose(self) -> ComposeResult:
        """One row a problem."""
        yield VirtualTable[tuple[int, Problem]](
            (
                Column("part", lambda row: ("✗ " + self._part(row[1]), "bad"), 34, narrow=24),
                Column("field", lambda row: _field(row[1]), 20, narrow=14),
                Column("problem", lambda row: row[1].what),
            ),
            key=lambda row: row[0],
            id="problem-table",
        )

    def show(self, tree: Tree, problems: Sequence[Problem]) -> None:
        """Show these."""
        self._tree = tree
        self.set_class(bool(problems), "some")
        self.border_title = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        most = 3 if self.screen.has_class("-short") else MOST_ROWS
        table = self.query_one(VirtualTable)
        height = min(len(problems), most) + 1
        if problems and height != self._height:
            self._height = table.styles.height = height
        table.show_rows(list(enumerate(problems)))

    def _part(self, problem: Problem) -> str:
        return outline.title_of(self._tree, outline.owner_of(self._tree, problem.path))

    @on(VirtualTable.Chosen)
    def _chosen(self, event: VirtualTable.Chosen) -> None:
        event.stop()
        self.post_message(self.Chosen(event.row[1]))


def _field(problem: Problem) -> str:
    words = [part for part in problem.path if isinstance(part, str)]
    return (words[-1] if words else "").replace("_", " ")
