"""Choosing one of a run's days: a year is looked at day by day, not drawn at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from textual.screen import ModalScreen

from scenarios import Zone
from tui.shell.dialogs import AskText

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Days:
    """The days that there are to choose from, each from the run's time of day at its start to the next."""

    first_s: int
    """Where the first begins, UNIX seconds."""
    count: int
    zone: Zone

    def fitting(self, index: int) -> int:
        """Return the day nearest to an index, which may lie outside."""
        return min(max(index, 0), self.count - 1)

    def begins_s(self, index: int) -> int:
        """Return where a day begins, UNIX seconds."""
        return self.first_s + index * DAY_S

    def title(self, index: int) -> str:
        """Return `Sun 21 Jun, day 1 of 365`; nothing where there is one day only."""
        begins = self.zone.at(self.begins_s(index))
        return f"{begins:%a} {begins.day} {begins:%b}, day {index + 1} of {self.count}" if self.count > 1 else ""

    def problem(self, text: str) -> str | None:
        """Return what is wrong with a day as somebody wrote it; None where nothing is."""
        if self._index_of(text) is not None:
            return None
        first, last = (self.zone.at(self.begins_s(i)).date() for i in (0, self.count - 1))
        return f"expected: a number from 1 to {self.count}, or a date from {first} to {last}"

    def index(self, text: str) -> int:
        """Return the day that a text without a `problem` names."""
        return self._index_of(text) or 0

    def _index_of(self, text: str) -> int | None:
        text = text.strip()
        if text.isascii() and text.isdecimal():
            index = int(text) - 1
        else:
            try:
                asked = date.fromisoformat(text)
            except ValueError:
                return None
            index = (asked - self.zone.at(self.first_s).date()).days
        return index if 0 <= index < self.count else None

    def ask(self, index: int) -> ModalScreen[str | None]:
        """Return a dialog that asks for a day; it returns a text without a `problem`, or None."""
        details = f"A number from 1 to {self.count}, or a date such as {self.zone.at(self.begins_s(index)).date()}."
        problem: Callable[[str], str | None] = self.problem
        return AskText("Which day?", details, str(index + 1), problem)
