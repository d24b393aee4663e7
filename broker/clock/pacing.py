"""Controls when the next round may run: the pace, and the commands pause, resume, step, pace and stop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from broker.errors import SsmicError
from broker.protocol import MAX_TIME_S, Control

LOOK_EVERY_WALL_S = 0.5
"""How often a clock that waits for its pace looks at the time and stores how far it has come."""
_SHORTEST_SLEEP_WALL_S = 0.001
"""A shorter wait may not move the event loop's clock at all."""
AWAY_AFTER_WALL_S = 1.0
"""A household that has not reacted to a question for this long, or a process that did not run for this long, was away;
shorter delays count as work, and the run always catches up with them."""


_SLOWEST, _FASTEST = 1e-3, 1e9
"""Factors of a pace. Beyond them, times and durations would no longer fit into the report on `time`."""


class PaceError(SsmicError):
    """The pace is not valid."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Virtual seconds per wall-clock second."""

    factor: float | None = None
    """From `_SLOWEST` to `_FASTEST`; None: as fast as possible."""

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
        if not _SLOWEST <= factor <= _FASTEST:
            raise PaceError(f"pace {text!r}: expected 'max' or a factor from '0.001x' to '1000000000x'")
        return cls(factor)

    def __str__(self) -> str:
        return "max" if self.factor is None else f"{self.factor:g}x"


@dataclass(frozen=True, slots=True)
class CatchUp:
    """How a run makes up for time in which a participant was away."""

    factor: float | None = None
    """Multiple of the pace, above 1, at which lost time is made up for; infinite: as fast as possible; None: it is
    lost."""

    @classmethod
    def parse(cls, text: str) -> CatchUp:
        """Parse a setting: `none`, `2x`, `1.5x`, `max`.

        Raises:
            PaceError: The text is not such a setting.
        """
        if text in {"none", "max"}:
            return cls(math.inf if text == "max" else None)
        try:
            factor = float(text.removesuffix("x"))
        except ValueError:
            factor = math.nan
        if not text.endswith("x") or not math.isfinite(factor) or factor <= 1:
            raise PaceError(
                f"catch-up {text!r}: expected 'none', 'max', or a multiple of the pace above 1 such as '2x'"
            )
        return cls(factor)

    def __str__(self) -> str:
        if self.factor is None:
            return "none"
        return "max" if math.isinf(self.factor) else f"{self.factor:g}x"


class Pacer:
    """Maps wall-clock time to the virtual time that a run should have reached.

    Time in which a participant was away does not count. With a catch-up, it is owed, and made up for at a multiple of
    the pace.
    """

    def __init__(self, pace: Pace, at_s: float, catch_up: CatchUp | None, owed_s: float) -> None:
        """Create a stopped pacer.

        Args:
            pace: The pace.
            at_s: Virtual time, UNIX seconds.
            catch_up: How to make up for time in which a participant was away; None: it is lost.
            owed_s: Virtual seconds that are to be made up for.
        """
        self.pace = pace
        self._catch_up = catch_up or CatchUp()
        self._anchor_s = float(at_s)
        self._anchor_wall_s = 0.0
        """When virtual time was at `_anchor_s`, loop time; unused while it is stopped."""
        self._owed_s = owed_s if self._catch_up.factor is not None else 0.0
        self._is_standing = True

    @property
    def is_standing(self) -> bool:
        """Whether virtual time is stopped."""
        return self._is_standing

    @staticmethod
    def _now_wall_s() -> float:
        return asyncio.get_running_loop().time()

    @property
    def at_s(self) -> float:
        """The virtual time that the run should have reached, UNIX seconds; at the pace `max`: its last known time."""
        return self._at(self._now_wall_s())[0]

    @property
    def owed_s(self) -> float:
        """Virtual seconds that are still to be made up for."""
        return self._at(self._now_wall_s())[1]

    def start(self) -> None:
        """Let virtual time pass from now on, at the pace."""
        self._anchor(self._now_wall_s())
        self._is_standing = False

    def stand(self) -> None:
        """Stop virtual time at the present moment."""
        self._anchor(self._now_wall_s())
        self._is_standing = True

    def change(self, pace: Pace) -> None:
        """Continue at another pace from the time reached."""
        self._anchor(self._now_wall_s())
        self.pace = pace

    def reach(self, time_s: float) -> None:
        """Move to a virtual time if it is later than the present one; the owed time decreases accordingly."""
        now_wall_s = self._now_wall_s()
        at_s, owed_s = self._at(now_wall_s)
        if time_s > at_s:
            self._anchor_s, self._anchor_wall_s = float(time_s), now_wall_s
            self._owed_s = max(0.0, owed_s - (time_s - at_s))

    def leave_out(self, since_wall_s: float, until_wall_s: float) -> None:
        """Exclude an interval in which a participant was away; overlaps with earlier intervals count once.

        Args:
            since_wall_s: Beginning of the interval, loop time.
            until_wall_s: End of the interval, loop time.
        """
        since_wall_s = max(since_wall_s, self._anchor_wall_s)
        away_wall_s = until_wall_s - since_wall_s
        if self._is_standing or away_wall_s <= 0 or self.pace.factor is None:
            return
        self._anchor(since_wall_s)
        self._anchor_wall_s = until_wall_s
        if self._catch_up.factor is not None:
            self._owed_s += away_wall_s * self.pace.factor

    def due_in_wall_s(self, time_s: float) -> float:
        """Return in how many wall-clock seconds a virtual time is due; negative: how long it is overdue."""
        if self.pace.factor is None:
            return 0.0
        ahead_s = time_s - self._anchor_s
        gain = self._gain
        fast_wall_s = self._owed_s / (gain * self.pace.factor) if gain else 0.0
        fast_s = self._owed_s + fast_wall_s * self.pace.factor
        if 0 < ahead_s <= fast_s:
            in_wall_s = fast_wall_s * ahead_s / fast_s
        else:
            in_wall_s = (
                ahead_s / self.pace.factor if ahead_s <= 0 else fast_wall_s + (ahead_s - fast_s) / self.pace.factor
            )
        return self._anchor_wall_s + in_wall_s - (self._anchor_wall_s if self._is_standing else self._now_wall_s())

    @property
    def _gain(self) -> float:
        """By what multiple of the pace owed time is made up for; 0: no time is ever owed."""
        return 0.0 if self._catch_up.factor is None else self._catch_up.factor - 1

    def _at(self, wall_s: float) -> tuple[float, float]:
        """Return the virtual time that the run should have reached at a loop time, and the time then owed, seconds.

        A run without an end may wait for input at any pace, so virtual time stops at the latest that there is.
        """
        passed_wall_s = max(0.0, wall_s - self._anchor_wall_s)
        if self._is_standing or self.pace.factor is None:
            return self._anchor_s, self._owed_s
        paid_s = self._owed_s
        if not math.isinf(self._gain):
            paid_s = min(paid_s, self._gain * self.pace.factor * passed_wall_s)
        reached_s = self._anchor_s + self.pace.factor * passed_wall_s + paid_s
        return min(reached_s, float(MAX_TIME_S)), self._owed_s - paid_s

    def _anchor(self, wall_s: float) -> None:
        self._anchor_s, self._owed_s = self._at(wall_s)
        self._anchor_wall_s = wall_s


HOUR_S = 3600


class Moment(NamedTuple):
    """A position in a run."""

    time_s: int
    """Virtual time, UNIX seconds."""
    round: int
    """Number of the round within this second, from 0."""
    step: int
    """Number of the round within the run, from 0."""


def _is_pace(text: str) -> str:
    try:
        Pace.parse(text)
    except PaceError as error:
        raise ValueError(str(error)) from None
    return text


class ControlState(BaseModel):
    """The pace and the commands received so far, from which a restarted clock resumes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    begun_with: str
    """The pace that the clock was started with. A clock restarted with a different pace uses the new one."""
    pace: Annotated[str, AfterValidator(_is_pace)]
    reached_s: Annotated[float, Field(ge=0, le=MAX_TIME_S, allow_inf_nan=False)]
    """Virtual time reached, UNIX seconds."""
    owed_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Virtual seconds that are still to be made up for."""
    is_paused: bool = False
    paused_by: str = ""
    is_stopped: bool = False
    stopped_by: str = ""


class RunControl:
    """Decides when the next round may run."""

    def __init__(
        self,
        pace: Pace,
        start_s: int,
        *,
        catch_up: CatchUp | None = None,
        state: ControlState | None = None,
        on_look: Callable[[], None] | None = None,
    ) -> None:
        """Create it; virtual time passes from `start` on.

        Args:
            pace: The pace to begin with.
            start_s: Virtual time, UNIX seconds.
            catch_up: How to make up for time in which a participant was away; None: it is lost.
            state: The state in the clock's journal; None: the run begins.
            on_look: Called every `LOOK_EVERY_WALL_S` while the run waits for its pace.
        """
        self._begun_with = str(pace)
        at_s = float(start_s)
        owed_s = 0.0
        self.is_stopped = False
        """Whether someone asked to end the run."""
        self.paused_by = ""
        """Name of the user who paused the run or steps through it, as given in the command."""
        self.stopped_by = ""
        """Name of the user who asked to end it."""
        self._paused = False
        self._has_begun = False
        """Whether all hosts are there, so that virtual time may pass."""
        if state is not None:
            at_s, owed_s = max(at_s, state.reached_s), state.owed_s
            self._paused, self.paused_by = state.is_paused, state.paused_by
            self.is_stopped, self.stopped_by = state.is_stopped, state.stopped_by
            if state.begun_with == self._begun_with:
                pace = Pace.parse(state.pace)
        self._pacer = Pacer(pace, at_s, catch_up, owed_s)
        self._on_look = on_look
        self._step: str | None = None
        self._step_from_s = start_s
        self._step_until_s: int | None = None
        self._changed = asyncio.Event()
        self._next_s: float | None = None
        """When the next round is, while no round is running; infinite: none is known."""
        self._is_early = False
        """Whether the run waits until the pace lets the next round come."""
        self._stopped_at_s = math.floor(at_s) if self.is_stopped else 0

    @property
    def pace(self) -> Pace:
        """The current pace, as started or as last commanded."""
        return self._pacer.pace

    @property
    def is_paused(self) -> bool:
        """Whether the run is paused, or advances in single steps."""
        return self._paused

    @property
    def is_held(self) -> bool:
        """Whether no further round may run: the run is paused, without a command to step or stop."""
        return self._paused and self._step is None and not self.is_stopped

    @property
    def state(self) -> ControlState:
        """The state that the clock's journal stores."""
        return ControlState(
            begun_with=self._begun_with,
            pace=str(self.pace),
            reached_s=self._stopped_at_s if self.is_stopped else min(self._pacer.at_s, MAX_TIME_S),
            owed_s=self._pacer.owed_s,
            is_paused=self._paused,
            paused_by=self.paused_by,
            is_stopped=self.is_stopped,
            stopped_by=self.stopped_by,
        )

    def start(self) -> None:
        """Start virtual time, unless the run is paused; called when all hosts are present."""
        self._has_begun = True
        if not self._paused:
            self._pacer.start()

    def reached_s(self, now: Moment) -> int:
        """Return the virtual time reached, UNIX seconds: between the last event and the next one.

        Args:
            now: The last round that ran, or the one that is running.
        """
        if not self._has_begun:
            return max(now.time_s, math.floor(self._pacer.at_s))
        if self._next_s is None:
            return now.time_s
        return max(now.time_s, math.floor(min(self._pacer.at_s, self._next_s)))

    @property
    def stopped_at_s(self) -> int | None:
        """Virtual time at which a user ended the run, UNIX seconds; None: no user did."""
        return self._stopped_at_s if self.is_stopped else None

    def leave_out(self, since_wall_s: float, until_wall_s: float) -> None:
        """Exclude an interval in which a participant was away (loop time, seconds) from the pace."""
        self._pacer.leave_out(since_wall_s, until_wall_s)

    def apply(self, control: Control, now: Moment) -> None:
        """Carry out a command.

        Args:
            control: The command.
            now: The present virtual time, round and step.

        Raises:
            PaceError: The command contains an invalid pace.
        """
        match control.command:
            case "pause":
                self._pause(control.by)
                self._step = None
            case "resume":
                self._paused, self._step, self.paused_by = False, None, ""
                if self._has_begun:
                    self._pacer.start()
            case "step":
                self._pause(control.by)
                self._step, self._step_until_s = control.until or "round", None
            case "pace":
                pace = Pace.parse(control.pace or "")
                self._pacer.reach(now.time_s)
                self._pacer.change(pace)
            case "stop":
                if not self.is_stopped:
                    self._stopped_at_s = self.reached_s(now)
                self.is_stopped, self.stopped_by = True, control.by
                self._pacer.stand()
        self._changed.set()

    def _pause(self, by: str) -> None:
        self._paused, self.paused_by = True, by
        self._pacer.stand()

    def interrupt(self) -> None:
        """Wake the waiting clock, so that it determines the next round again."""
        self._changed.set()

    def paced_time_s(self, now_s: int) -> int:
        """Return the virtual time reached, UNIX seconds, at least `now_s`.

        While the run is paused, and at the pace `max`, no time passes without rounds, but some may have passed before.
        """
        return max(now_s, math.floor(self._pacer.at_s))

    def permits(self, moment: Moment, now: Moment) -> bool:
        """Return whether a round may run now, regardless of the pace.

        Args:
            moment: The next round.
            now: The last round that ran.
        """
        self._next_s = moment.time_s
        if not self._paused or self.is_stopped:
            return True
        match self._step:
            case "round":
                self._step = None
                return True
            case "event" | "hour":
                if self._step_until_s is None:
                    self._step_from_s = self.reached_s(now)
                    self._step_until_s = moment.time_s if self._step == "event" else self._step_from_s + HOUR_S
                if self._step == "hour" and now.time_s <= self._step_from_s:
                    # Time advances from event to event: without this, a step through an hour without events would never
                    # advance.
                    self._step_until_s = max(self._step_until_s, moment.time_s)
                if moment.time_s <= self._step_until_s:
                    return True
                self._pacer.reach(self._step_until_s)
                self._step = None
        return False

    def look(self) -> None:
        """Note that all commands so far are taken into account; `wait_changed` waits for those from now on."""
        self._changed.clear()

    async def wait_changed(self) -> None:
        """Wait for a command since the last `look`."""
        await self._changed.wait()

    async def wait_due(self, moment: Moment) -> None:
        """Wait until a round is due at the current pace, or a command arrives.

        If this process did not run in between, because it or its machine was suspended, it was away.
        """
        await self._wait_until(moment.time_s)

    async def wait_for_others(self) -> None:
        """Wait for a command, or for something from outside the run: no round is next, and virtual time passes."""
        if self._paused or self.pace.factor is None:
            await self.wait_changed()
        else:
            await self._wait_until(math.inf)

    async def _wait_until(self, next_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._next_s = next_s
        self._is_early = True
        try:
            while not self._paused and not self._changed.is_set():
                due_in_wall_s = self._pacer.due_in_wall_s(next_s)
                if due_in_wall_s <= 0:
                    return
                since_wall_s = loop.time()
                asleep_wall_s = min(max(due_in_wall_s, _SHORTEST_SLEEP_WALL_S), LOOK_EVERY_WALL_S)
                try:
                    async with asyncio.timeout(asleep_wall_s):
                        await self._changed.wait()
                except TimeoutError:
                    pass
                if loop.time() - since_wall_s > asleep_wall_s + AWAY_AFTER_WALL_S:
                    self._pacer.leave_out(since_wall_s + asleep_wall_s, loop.time())
                if self._on_look is not None:
                    self._on_look()
        finally:
            self._is_early = False

    def is_due(self, moment: Moment) -> bool:
        """Return whether a round is due at the current pace; single steps are always due."""
        return self._paused or self.is_stopped or self._pacer.due_in_wall_s(moment.time_s) <= 0

    def ran(self, moment: Moment) -> None:
        """Record that a round runs. While time is stopped, or without a pace, virtual time moves with the rounds."""
        self._next_s = None
        self._pacer.reach(moment.time_s)

    def lag_wall_s(self, now: Moment) -> float:
        """Return how far virtual time lags behind the pace, wall-clock seconds: overdue time plus owed time.

        0 while the run is paused. While it waits for its hosts, or until its next event is due, nothing is overdue.
        """
        factor = self.pace.factor
        if self._paused or factor is None:
            return 0.0
        overdue_wall_s = (
            0.0 if self._is_early or self._pacer.is_standing else max(0.0, -self._pacer.due_in_wall_s(now.time_s))
        )
        return min(overdue_wall_s + self._pacer.owed_s / factor, float(MAX_TIME_S))
