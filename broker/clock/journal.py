"""The clock's journal: the round that it granted last and how far it has come; a restarted clock resumes from there."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from broker.clock.next_round import ScheduledRound
from broker.clock.pacing import ControlState
from broker.clock.quarantine import Counted
from broker.journal_file import JournalFile
from broker.protocol import first_problem


class ClockProgress(BaseModel):
    """What a clock needs to resume in addition to the last granted round."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    control: ControlState
    """The pace, the commands that were given, and the virtual time reached."""
    wall_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """How long the run has taken so far in all processes of its clock, wall-clock seconds."""
    counted: Counted = Counted()
    """What its hosts have been counted for; journals of earlier versions do not say."""


class ClockJournal(JournalFile):
    """A clock's journal of one run."""

    def save_round(self, scheduled: ScheduledRound) -> None:
        """Store the round that is about to be granted; once this returns, the round survives the process.

        Raises:
            JournalError: The file cannot be written.
        """
        self._save_state(scheduled.encoded())

    def load_round(self) -> ScheduledRound | None:
        """Return the round that was stored last; None if the run has not begun.

        Raises:
            JournalError: The stored content was changed.
        """
        state_json = self._load_state()
        try:
            return None if state_json is None else ScheduledRound.decoded(state_json)
        except ValidationError as error:
            raise self._unreadable(f"its state ({first_problem(error)})") from None

    def save_progress(self, progress: ClockProgress, *, is_final: bool = True) -> None:
        """Store how far the run has come; once this returns, it survives the process.

        Args:
            progress: The progress.
            is_final: Whether it must survive a power cut too. If not, this does not wait for the disk.

        Raises:
            JournalError: The file cannot be written.
        """
        self._save_progress(progress.model_dump_json(), is_final=is_final)

    def load_progress(self) -> ClockProgress | None:
        """Return the progress that was stored last; None if none was stored.

        Raises:
            JournalError: The stored content was changed.
        """
        progress_json = self._load_progress()
        try:
            return None if progress_json is None else ClockProgress.model_validate_json(progress_json)
        except ValidationError as error:
            raise self._unreadable(f"its progress ({first_problem(error)})") from None
