"""Figures beside their names: a list where there is room, else a line that flows."""

from __future__ import annotations

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from textual.widget import Widget


class Figures(Widget):
    """As many as there is room for; the first ones first."""

    DEFAULT_CSS = """
    Figures { height: 2; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.figures: tuple[tuple[str, str], ...] = ()

    def show(self, figures: tuple[tuple[str, str], ...]) -> None:
        """Show others."""
        self.figures = figures
        self.refresh()

    def render(self) -> RenderableType:
        """Write them as there is room."""
        if self.size.height > 3:
            return self._list()
        lines: list[Text] = [Text()]
        for name, value in self.figures:
            words = Text.assemble((f"{name} ", "dim"), (value, "bold"))
            if lines[-1].cell_len and lines[-1].cell_len + 3 + words.cell_len > self.size.width:
                lines.append(Text())
            lines[-1].append("   " if lines[-1].cell_len else "").append_text(words)
        return Text("\n").join(lines[: self.size.height])

    def _list(self) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(style="bold", no_wrap=True, overflow="ellipsis")
        for name, value in self.figures:
            table.add_row(name, value)
        return table
