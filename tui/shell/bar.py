"""The line at the top: the areas, which one is shown, and how the run goes."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static

from tui.areas import AREAS, Area
from tui.keys import is_typed


class AreaTab(Static):
    """An area's name; a click opens it."""

    def __init__(self, area: Area, *, shown: bool) -> None:
        super().__init__("", classes="shown" if shown else "")
        self.tooltip = area.help
        self._area = area
        self.name_keys(typing=False)

    def name_keys(self, *, typing: bool) -> None:
        """Name the key that opens the area now: while somebody types, a digit is text."""
        key = self._area.function_key.upper() if typing else self._area.key
        self.update(f"[$primary]{key}[/] {self._area.title}")

    async def on_click(self) -> None:
        """Open the area."""
        await self.app.run_action(f"app.open_area('{self._area.id}')")


class AreaBar(Horizontal):
    """One row: name of the application, areas, status of the run."""

    DEFAULT_CSS = """
    AreaBar { height: 1; dock: top; background: $panel; }
    AreaBar .brand { width: auto; padding: 0 1; color: $primary; text-style: bold; background: $panel; }
    AreaBar AreaTab { width: auto; padding: 0 1; color: $text-muted; pointer: pointer; }
    AreaBar AreaTab:hover { background: $boost; color: $text; }
    AreaBar AreaTab.shown { background: $background; color: $text; text-style: bold; }
    AreaBar .status {
        width: 1fr; text-align: right; padding: 0 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis;
    }
    """

    def __init__(self, shown: str) -> None:
        """Make the bar.

        Args:
            shown: Id of the area that the screen belongs to.
        """
        super().__init__()
        self._shown = shown
        self._typing = False

    def compose(self) -> ComposeResult:
        """One tab an area."""
        yield Static("ssmic", classes="brand")
        for area in AREAS:
            yield AreaTab(area, shown=area.id == self._shown)
        yield Static("", classes="status")

    def on_mount(self) -> None:
        """Follow the status of the run."""
        self.watch(self.app, "run_status", self._show_status)
        self.watch(self.screen, "focused", self._name_keys)

    def _name_keys(self, focused: Widget | None) -> None:
        typing = is_typed(focused, "1")
        if typing != self._typing:
            self._typing = typing
            for tab in self.query(AreaTab):
                tab.name_keys(typing=typing)

    def _show_status(self, status: str) -> None:
        self.query_one(".status", Static).update(status)
