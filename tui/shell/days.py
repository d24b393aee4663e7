"""The days of a run, and the dialog for choosing one: long runs are displayed day by day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from textual.screen import ModalScreen

from scenarios import Zone, whole_number_of
from tui.shell.dialogs import AskText


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a run, each starting at the run's own time of day: where clocks change, one has 23 or 25 hours."""

    first_s: int
    """Start of the first day, UNIX seconds."""
    count: int
    zone: Zone

    def fitting(self, index: int) -> int:
        """Return the index of the nearest day."""
        return min(max(index, 0), self.count - 1)

    def begins_s(self, index: int) -> int:
        """Return the start of a day, UNIX seconds."""
        return self.zone.days_later_s(self.first_s, index)

    def title(self, index: int) -> str:
        """Return `Sun 21 Jun, day 1 of 365`; empty for a single day."""
        begins = self.zone.at(self.begins_s(index))
        return f"{begins:%a} {begins.day} {begins:%b}, day {index + 1} of {self.count}" if self.count > 1 else ""

    def problem(self, text: str) -> str | None:
        """Return the problem with a typed day, or None."""
        if self._index_of(text) is not None:
            return None
        first, last = (self.zone.at(self.begins_s(i)).date() for i in (0, self.count - 1))
        return f"expected: a number from 1 to {self.count}, or a date from {first} to {last}"

    def index(self, text: str) -> int:
        """Return the index of a typed day without a `problem`."""
        return self._index_of(text) or 0

    def _index_of(self, text: str) -> int | None:
        text = text.strip()
        number = whole_number_of(text)
        if number is not None:
            index = number - 1
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
