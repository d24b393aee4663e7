"""The clock's journal: the round that it granted last and how far it has come; a restarted clock resumes from there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from broker.clock.next_round import ScheduledRound
from broker.clock.pacing import LOOK_EVERY_WALL_S, ControlState
from broker.clock.quarantine import ConductCounters
from broker.journal_file import STATE, JournalError, JournalFile
from broker.protocol import first_problem

log = structlog.get_logger(__name__)


class ClockProgress(BaseModel):
    """What a clock needs to resume in addition to the last granted round."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    control: ControlState
    """The pace, the commands that were given, and the virtual time reached."""
    wall_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """How long the run has taken so far in all processes of its clock, wall-clock seconds."""
    counted: ConductCounters = ConductCounters()
    """What its hosts have been counted for; journals of earlier versions do not say."""


class ClockJournal(JournalFile):
    """A clock's journal of one run."""

    _BEGUN = STATE

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

    def check_host_journal(self, host: str, path: Path, granted_step: int, last_step: int) -> None:
        """Check that this journal and a host's belong together: one of them may have been restored alone.

        Args:
            host: The host.
            path: Its journal.
            granted_step: The last step in it that the clock granted, after storing it in this journal; -1: none.
            last_step: The last step in it, which the host may have run without a grant; -1: none.

        Raises:
            JournalError: They do not, or the stored content was changed.
        """
        scheduled = self.load_round()
        if scheduled is None:
            return
        ran = scheduled.ran.get(host, -1)
        if granted_step > scheduled.step:
            older, its_step, newer, other_step = self.path, scheduled.step, path, granted_step
        elif ran > last_step:
            older, its_step, newer, other_step = path, last_step, self.path, ran
        else:
            return
        reached = "contains no step" if its_step < 0 else f"ends at step {its_step}"
        raise JournalError(
            f"journal {older} {reached}, but {newer} has step {other_step} of host {host!r}: they do not belong "
            "together; put back all files of the run from one backup"
        )

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


class ProgressKeeper:
    """Journals how far a run has come, and knows what earlier processes of its clock have journaled."""

    def __init__(self, journal: ClockJournal | None) -> None:
        """Read what the journal has.

        Args:
            journal: The clock's; None: nothing is stored.

        Raises:
            JournalError: The stored content was changed.
        """
        self._journal = journal
        self.earlier = journal.load_progress() if journal is not None else None
        """The progress stored by earlier processes of this clock; None: there is none."""
        self._begun_wall_s = 0.0
        """When this process began to run, loop time."""
        self._stored_wall_s = 0.0
        """When progress was stored last, loop time."""

    @property
    def earlier_wall_s(self) -> float:
        """How long the run took in earlier processes of its clock, wall-clock seconds."""
        return 0.0 if self.earlier is None else self.earlier.wall_s

    def begin(self) -> None:
        """Record that this process begins to run."""
        self._begun_wall_s = asyncio.get_running_loop().time()

    def is_due(self, *, is_final: bool) -> bool:
        """Return whether progress is to be stored now: every half second at most, unless it `is_final`."""
        if self._journal is None:
            return False
        passed_wall_s = asyncio.get_running_loop().time() - self._stored_wall_s
        return is_final or passed_wall_s >= LOOK_EVERY_WALL_S * 0.9

    def store(self, control: ControlState, counted: ConductCounters, *, is_final: bool) -> None:
        """Store the progress; if that fails, it is logged, and the next step fails.

        Args:
            control: The pace, the commands, and the virtual time reached.
            counted: What hosts have been counted for.
            is_final: Whether it must survive a power cut.
        """
        if self._journal is None:
            return
        self._stored_wall_s = asyncio.get_running_loop().time()
        wall_s = self.earlier_wall_s + self._stored_wall_s - self._begun_wall_s
        progress = ClockProgress(control=control, wall_s=wall_s, counted=counted)
        try:
            self._journal.save_progress(progress, is_final=is_final)
        except JournalError as error:
            log.warning("progress not stored", reason=str(error))
