"""Controls when the next round may run: the pace, and the commands pause, resume, step, pace and stop."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from broker.errors import SsmicError
from broker.protocol import Control


class PaceError(SsmicError):
    """The pace is not valid."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Virtual seconds per wall-clock second."""

    factor: float | None = None
    """Above 0; None: as fast as possible."""

    @classmethod
    def parse(cls, text: str) -> Pace:
        """Parse a pace: `max`, `1x`, `60x`, `0.5x`.

        Raises:
            PaceError: The text is not a pace.
        """
        if text == "max":
            return cls()
        try:
            factor = float(text.removesuffix("x"))
        except ValueError:
            factor = math.nan
        if not text.endswith("x") or not math.isfinite(factor) or factor <= 0:
            raise PaceError(f"pace {text!r}: expected 'max' or a factor above 0 such as '1x' or '60x'")
        return cls(factor)

    def __str__(self) -> str:
        return "max" if self.factor is None else f"{self.factor:g}x"


class Pacer:
    """Maps virtual time to the wall clock."""

    def __init__(self, pace: Pace, now_s: int) -> None:
        self.pace = pace
        self._anchor_s = now_s
        self._anchor_wall_s = asyncio.get_running_loop().time()

    def change(self, pace: Pace, now_s: int) -> None:
        """Continue at another pace.

        Args:
            pace: The new pace.
            now_s: Virtual time from which it applies, UNIX seconds.
        """
        self.pace = pace
        self._anchor_s = now_s
        self._anchor_wall_s = asyncio.get_running_loop().time()

    def due_in_wall_s(self, time_s: int) -> float:
        """Return in how many wall-clock seconds a virtual time is due; negative: how long it is overdue (the lag)."""
        if self.pace.factor is None:
            return 0.0
        due_wall_s = self._anchor_wall_s + (time_s - self._anchor_s) / self.pace.factor
        return due_wall_s - asyncio.get_running_loop().time()

    def reached_s(self, now_s: int) -> int:
        """Return the whole second of virtual time that the pace has reached, UNIX seconds; without a pace: `now_s`."""
        if self.pace.factor is None:
            return now_s
        passed_wall_s = asyncio.get_running_loop().time() - self._anchor_wall_s
        return max(now_s, self._anchor_s + math.floor(passed_wall_s * self.pace.factor))


HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Moment:
    """A position in a run."""

    time_s: int
    """Virtual time, UNIX seconds."""
    round: int
    """Number of the round within this second, from 0."""
    step: int
    """Number of the round within the run, from 0."""


class RunControl:
    """Decides when the next round may run."""

    def __init__(self, pace: Pace, start_s: int) -> None:
        self.is_stopped = False
        """Whether someone asked to end the run."""
        self.paused_by = ""
        """Who paused the run or steps through it, by their own account."""
        self.stopped_by = ""
        """Who asked to end it."""
        self._pacer = Pacer(pace, start_s)
        self._paused = False
        self._step: str | None = None
        self._step_from_s = start_s
        self._step_until_s: int | None = None
        self._changed = asyncio.Event()
        self._is_early = False
        """Whether it waits until the pace lets the next event come."""

    @property
    def pace(self) -> Pace:
        """The current pace."""
        return self._pacer.pace

    def apply(self, control: Control, now: Moment) -> None:
        """Carry out a command.

        Args:
            control: The command.
            now: Where the run is.

        Raises:
            PaceError: The command contains an invalid pace.
        """
        match control.command:
            case "pause":
                self._paused, self._step, self.paused_by = True, None, control.by
            case "resume":
                self._paused, self._step, self.paused_by = False, None, ""
                self._pacer.change(self._pacer.pace, now.time_s)
            case "step":
                self._paused, self._step, self._step_until_s = True, control.until or "round", None
                self.paused_by = control.by
            case "pace":
                self._pacer.change(Pace.parse(control.pace or ""), now.time_s)
            case "stop":
                self.is_stopped, self.stopped_by = True, control.by
        self._changed.set()

    def interrupt(self) -> None:
        """Let whoever waits for the next round look again at what it is."""
        self._changed.set()

    def paced_time_s(self, now_s: int) -> int:
        """Return the virtual time that the pace has reached, UNIX seconds; without a pace, or paused: `now_s`."""
        return now_s if self._paused else self._pacer.reached_s(now_s)

    def permits(self, moment: Moment, now: Moment) -> bool:
        """Return whether a round may run now, regardless of the pace.

        Args:
            moment: The next round.
            now: The last round that ran.
        """
        if not self._paused or self.is_stopped:
            return True
        match self._step:
            case "round":
                self._step = None
                return True
            case "event" | "hour":
                if self._step_until_s is None:
                    self._step_from_s = now.time_s
                    self._step_until_s = moment.time_s if self._step == "event" else now.time_s + HOUR_S
                if self._step == "hour" and now.time_s == self._step_from_s:
                    # Time advances from event to event: without this, a step through an hour without events would never
                    # advance.
                    self._step_until_s = max(self._step_until_s, moment.time_s)
                if moment.time_s <= self._step_until_s:
                    return True
                self._step = None
        return False

    async def wait_changed(self) -> None:
        """Wait for the next command."""
        self._changed.clear()
        await self._changed.wait()

    async def wait_due(self, moment: Moment) -> None:
        """Wait until a round is due at the current pace, or a command arrives."""
        due_in_wall_s = self._pacer.due_in_wall_s(moment.time_s)
        if self._paused or due_in_wall_s <= 0:
            return
        self._is_early = True
        try:
            async with asyncio.timeout(due_in_wall_s):
                await self.wait_changed()
        except TimeoutError:
            pass
        finally:
            self._is_early = False

    def is_due(self, moment: Moment) -> bool:
        """Return whether a round is due at the current pace; single steps are always due."""
        return self._paused or self.is_stopped or self._pacer.due_in_wall_s(moment.time_s) <= 0

    def lag_wall_s(self, now: Moment) -> float:
        """Return how far virtual time lags behind the pace, wall-clock seconds.

        0 while the run is paused, and while it waits until its next event is due.
        """
        if self._paused or self._is_early:
            return 0.0
        return max(0.0, -self._pacer.due_in_wall_s(now.time_s))
