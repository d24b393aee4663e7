"""Text that changes all the time: the screen is laid out anew only where it takes more or fewer lines than before."""

from __future__ import annotations

from textual.widgets import Static


class Words(Static):
    """Plain text, changed with `say`."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        """Make it, empty.

        Args:
            id: See `textual.widget.Widget`.
            classes: As `id`.
        """
        super().__init__("", id=id, classes=classes, markup=False)

    def say(self, text: str) -> None:
        """Show a text."""
        if text == self.content:
            return
        width = self.content_size.width
        before = self._lines(width)
        self.update(text, layout=False)
        if not width or self._lines(width) != before:
            self.refresh(layout=True)

    def _lines(self, width: int) -> int:
        return self.get_content_height(self.container_size, self.app.size, width) if width else 0
