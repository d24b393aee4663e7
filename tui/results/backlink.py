"""The way back for the mouse."""

from __future__ import annotations

from textual.widgets import Static


class BackLink(Static):
    """A click does what escape does."""

    DEFAULT_CSS = """
    BackLink { width: auto; padding: 0 1; color: $primary; pointer: pointer; }
    BackLink:hover { background: $boost; }
    """

    async def on_click(self) -> None:
        """Go back."""
        await self.screen.run_action("leave")
