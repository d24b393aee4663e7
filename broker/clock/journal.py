"""The clock's journal: the round that it granted last, from which a restarted clock resumes."""

from __future__ import annotations

from pydantic import ValidationError

from broker.clock.schedule import ScheduledRound
from broker.journal_file import JournalFile


class ClockJournal(JournalFile):
    """A clock's journal of one run."""

    def save_round(self, scheduled: ScheduledRound) -> None:
        """Store the round that is about to be granted; once this returns, the round survives the process.

        Raises:
            JournalError: The file cannot be written.
        """
        self._save_state(scheduled.model_dump_json())

    def load_round(self) -> ScheduledRound | None:
        """Return the round that was stored last; None if the run has not begun.

        Raises:
            JournalError: It is not what was stored.
        """
        state_json = self._load_state()
        try:
            return None if state_json is None else ScheduledRound.model_validate_json(state_json)
        except ValidationError:
            raise self._unreadable("its state") from None
