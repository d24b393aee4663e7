"""A scroll bar for what scrolls all the time: Textual's takes longer to draw than the table beside it."""

from __future__ import annotations

from rich.style import Style
from textual.geometry import Region
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.strip import Strip


class QuickBar(ScrollBar):
    """Looks and works as its parent does, and makes its lines all at once."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw a region."""
        bar = self.render()
        width, height = self.size
        if not isinstance(bar, ScrollBarRender) or not isinstance(bar.style, Style) or crop.column_span != (0, width):
            return super().render_lines(crop)
        back, front = bar.style.bgcolor, bar.style.color
        if back is None or front is None:
            return super().render_lines(crop)
        drawn = self.renderer.render_bar(
            height, bar.virtual_size, bar.window_size, bar.position, width, bar.vertical, back, front
        )
        strips = [Strip([segment], width) for segment in drawn.segments[crop.y : crop.bottom]]
        background = self.background_colors[1]
        for line_filter in self.get_line_filters():
            strips = [strip.apply_filter(line_filter, background) for strip in strips]
        self._dirty_regions.clear()
        return strips
