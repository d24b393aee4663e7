"""Completes a path while it is typed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual.suggester import Suggester

_MOST_ENTRIES = 5_000


class PathSuggester(Suggester):
    """Suggests the first folder or fitting file that begins with what is typed; the right arrow key takes it."""

    def __init__(self, folder: Path, suffixes: tuple[str, ...]) -> None:
        """Make one.

        Args:
            folder: That paths are relative to.
            suffixes: Of the files that fit, lower case.
        """
        super().__init__(use_cache=False, case_sensitive=True)
        self._folder = folder
        self._suffixes = suffixes

    async def get_suggestion(self, value: str) -> str | None:
        """Return the completed path."""
        if not value:
            return None
        return await asyncio.to_thread(self._complete, value)

    def _complete(self, value: str) -> str | None:
        head, slash, begin = value.rpartition("/")
        folder = self._folder / Path(f"{head}{slash}" or ".").expanduser()
        try:
            entries = sorted(entry for _, entry in zip(range(_MOST_ENTRIES), folder.iterdir(), strict=False))
        except OSError:
            return None
        for entry in entries:
            fits = entry.is_dir() or entry.suffix.lower() in self._suffixes
            if entry.name.startswith(begin) and not entry.name.startswith(".") and fits:
                return f"{head}{slash}{entry.name}{'/' if entry.is_dir() else ''}"
        return None
