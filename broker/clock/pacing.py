"""Lets time pass, or not: the pace, and what people ask of the clock (pause, resume, step, pace, stop)."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from broker.errors import SsmicError
from broker.protocol import Control


class PaceError(SsmicError):
    """A pace that nobody can keep."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Virtual seconds a wall second; None: as fast as it goes."""

    factor: float | None = None

    @classmethod
    def parse(cls, text: str) -> Pace:
        """Return the pace that `text` names: `max`, `1x`, `60x`, `0.5x`.

        Raises:
            PaceError: it names none.
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
    """Says when a moment of virtual time is due."""

    def __init__(self, pace: Pace, now_s: int) -> None:
        self.pace = pace
        self._anchor_s = now_s
        self._anchor_wall_s = asyncio.get_running_loop().time()

    def change(self, pace: Pace, now_s: int) -> None:
        """Go on at another pace from here."""
        self.pace = pace
        self._anchor_s = now_s
        self._anchor_wall_s = asyncio.get_running_loop().time()

    def due_in_wall_s(self, time_s: int) -> float:
        """Return how long it is until `time_s` is due; negative: so long overdue, which is the lag."""
        if self.pace.factor is None:
            return 0.0
        due_wall_s = self._anchor_wall_s + (time_s - self._anchor_s) / self.pace.factor
        return due_wall_s - asyncio.get_running_loop().time()


HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a run stands."""

    time_s: int
    """Virtual time, UNIX seconds."""
    round: int
    """Counts the rounds of this second."""
    step: int
    """Counts all rounds of the run."""


class RunControl:
    """Stands between one round and the next."""

    def __init__(self, pace: Pace, start_s: int) -> None:
        self.is_stopped = False
        """Whether somebody asked to end the run."""
        self.paused_by = ""
        """Who paused the run, or lets it go step by step; as they say themselves."""
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
        """How fast virtual time may go."""
        return self._pacer.pace

    def take(self, control: Control, now: Moment) -> None:
        """Do what is asked.

        Raises:
            PaceError: it names a pace that nobody can keep.
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

    def is_open(self, moment: Moment, now: Moment) -> bool:
        """Return whether the round at `moment` may be granted at once, not regarding the pace."""
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
                    # Time moves by what happens: a quiet hour would be no step at all, however often it is asked for.
                    self._step_until_s = max(self._step_until_s, moment.time_s)
                if moment.time_s <= self._step_until_s:
                    return True
                self._step = None
        return False

    async def wait_changed(self) -> None:
        """Wait until somebody asks for something."""
        self._changed.clear()
        await self._changed.wait()

    async def wait_due(self, moment: Moment) -> None:
        """Wait until the pace lets `moment` come, or somebody asks for something."""
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
        """Return whether the pace lets `moment` come. Steps go as fast as a person asks for them."""
        return self._paused or self.is_stopped or self._pacer.due_in_wall_s(moment.time_s) <= 0

    def lag_wall_s(self, now: Moment) -> float:
        """Return how far virtual time is behind its pace; 0 while it is paused or waits until its next event is due."""
        if self._paused or self._is_early:
            return 0.0
        return max(0.0, -self._pacer.due_in_wall_s(now.time_s))
