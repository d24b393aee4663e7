"""A labelled bar: an energy and what it is made of. Parts are told apart by their patterns, too."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.color import Color
from textual.widget import Widget

from tui.cli.figures import kwh
from tui.results.sheet import Whole
from tui.widgets.meaning import MEANINGS

_PATTERNS = {meaning.colour: meaning.pattern for meaning in MEANINGS}
_TITLE_WIDTH = 9


class EnergyBar(Widget):
    """Two lines: the whole as a bar, and its parts by name with energy and share."""

    DEFAULT_CSS = """
    EnergyBar { height: 2; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.whole: Whole | None = None

    def show(self, whole: Whole) -> None:
        """Draw another energy."""
        self.whole = whole
        self.refresh()

    def render(self) -> Text:
        """Draw it as wide as there is room."""
        whole, width = self.whole, self.size.width
        if whole is None:
            return Text("")
        text = Text(no_wrap=True, overflow="ellipsis")
        total = kwh(whole.wh)
        text.append(f"{whole.name:<{_TITLE_WIDTH}}", Style(bold=True))
        text.append(f"{total:>13} ")
        room = max(4, width - _TITLE_WIDTH - 14)
        for part, cells in zip(whole.parts, shares(whole, room), strict=True):
            text.append(_PATTERNS.get(part.colour, "█") * cells, self._look(part.colour))
        if whole.wh <= 0:
            text.append("none", Style(dim=True))
        text.append("\n")
        full, short = self._legend(whole, with_energy=True), self._legend(whole, with_energy=False)
        legend = full if full.cell_len <= width else short
        indent = min(_TITLE_WIDTH + 14, max(0, width - legend.cell_len))
        return text.append(" " * indent).append_text(legend)

    def _legend(self, whole: Whole, *, with_energy: bool) -> Text:
        parts = []
        for part in whole.parts:
            energy = f" {part.wh / 1000:,.2f}" if with_energy else ""
            share = f" {part.wh / whole.wh:.0%}" if whole.wh > 0 else ""
            parts.append(
                Text.assemble(
                    (_PATTERNS.get(part.colour, "█"), self._look(part.colour)), f" {part.name}{energy}{share}"
                )
            )
        return Text("   ").join(parts)

    def _look(self, colour: str) -> Style:
        value = self.app.theme_variables.get(colour, colour)
        return Style(color=(self.background_colors[1] + Color.parse(value)).rich_color)


def shares(whole: Whole, cells: int) -> list[int]:
    """Return how many cells each part gets of a bar; what is there at all gets one, and the sum is never more."""
    if whole.wh <= 0:
        return [0] * len(whole.parts)
    exact = [part.wh / whole.wh * cells for part in whole.parts]
    given = [max(int(share), 1) if share > 0.0005 * cells else 0 for share in exact]
    while sum(given) > cells and max(given) > 1:
        given[given.index(max(given))] -= 1
    by_rest = sorted(range(len(exact)), key=lambda i: exact[i] - int(exact[i]), reverse=True)
    for i in by_rest:
        if sum(given) < round(min(sum(exact), cells)) and given[i] <= exact[i] and given[i]:
            given[i] += 1
    return given
