"""The command palette: everything that can be done now, and every way into the other areas, found by what it does."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import SystemCommand
from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui.shell.finding import rank_of


class Everything(Provider):
    """Searches titles first, then descriptions, then synonyms of both."""

    def _commands(self) -> Iterable[SystemCommand]:
        return self.app.get_system_commands(self.screen)

    async def discover(self) -> Hits:
        """Yield all, while nothing is typed."""
        for title, details, run, _ in sorted(self._commands(), key=lambda command: command.title):
            yield DiscoveryHit(title, run, help=details)

    async def search(self, query: str) -> Hits:
        """Yield what fits, with the better score the better it does."""
        for title, details, run, _ in self._commands():
            rank = rank_of(query, title, details)
            if rank is not None:
                yield Hit(1 / (1 + rank), title, run, text=title, help=details)
