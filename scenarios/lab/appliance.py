"""A load behind a plug: it has a programme to run, and draws its profile while it has power.

The plug cuts and restores power; the appliance continues where it was, or starts over if it forgets. Times are whole
UNIX seconds of virtual time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from agents import Job, LoadProfile

Starter = Literal["controller", "hand", "itself"]
"""Who gave the power with which a job began: `hand` is a person at the plug, `itself` a load without control."""


@dataclass(slots=True)
class RunInterval:
    """An uninterrupted part of a job's run."""

    start_s: int
    """UNIX seconds of virtual time, as the end."""
    progress_s: int
    """Position in the load profile at its start, seconds."""
    end_s: int | None = None
    """None: it goes on."""


@dataclass(slots=True)
class ApplianceRun:
    """A job of the scenario, and how it has gone so far."""

    job: Job
    loaded_s: int
    """When the household has loaded the appliance and chosen the programme; it starts as soon as it has power."""
    intervals: list[RunInterval] = field(default_factory=list)
    """In the order of time; empty: it has not started."""
    started_by: Starter = "controller"
    """Who gave it power when it started."""
    is_done: bool = False
    """Whether its programme has run to the end."""

    @property
    def start_s(self) -> int | None:
        """First start; None: not started."""
        return self.intervals[0].start_s if self.intervals else None

    @property
    def interruptions(self) -> int:
        """How often power was cut while it ran."""
        return max(0, len(self.intervals) - 1) + (
            bool(self.intervals) and not self.is_done and self.intervals[-1].end_s is not None
        )

    def measured_profile(self, now_s: int) -> LoadProfile:
        """Return what it drew, from its first start on: the job's own profile if it was never interrupted.

        What has not run yet is taken to follow without a further interruption.
        """
        profile, intervals = self.job.load_profile, self.intervals
        if len(intervals) < 2 and (not intervals or intervals[0].end_s is None or self.is_done):
            return profile
        times_s, cumulative_wh = [0], [0.0]

        def draw(start_s: int, from_s: int, to_s: int) -> None:
            """Add the part of the profile between two positions, beginning at a time."""
            base_wh = cumulative_wh[-1] - float(profile.energy_until_wh([from_s])[0])
            inner_s = [time_s for time_s in profile.times_s if from_s < time_s < to_s]
            for position_s in (from_s, *inner_s, to_s):
                at_s = start_s + position_s - from_s - intervals[0].start_s
                wh = base_wh + float(profile.energy_until_wh([position_s])[0])
                if at_s > times_s[-1]:
                    times_s.append(at_s)
                    cumulative_wh.append(max(wh, cumulative_wh[-1]))

        for interval in intervals:
            end_s = interval.end_s
            length_s = profile.duration_s - interval.progress_s if end_s is None else end_s - interval.start_s
            draw(interval.start_s, interval.progress_s, interval.progress_s + length_s)
        if not self.is_done and intervals[-1].end_s is not None:
            progress_s = intervals[-1].progress_s + intervals[-1].end_s - intervals[-1].start_s
            draw(max(now_s, intervals[-1].end_s), progress_s, profile.duration_s)
        return LoadProfile(times_s=tuple(times_s), cumulative_wh=tuple(cumulative_wh))


class EmulatedAppliance:
    """An appliance of the lab, with its jobs in the order in which they are loaded; it runs one at a time."""

    def __init__(self, jobs: Iterable[Job], start_s: int) -> None:
        """Make an appliance without power.

        Args:
            jobs: Its jobs.
            start_s: Start of the lab, UNIX seconds.
        """
        runs = [ApplianceRun(job, max(job.earliest_start_s, job.registered_s, start_s)) for job in jobs]
        self.runs = tuple(sorted(runs, key=lambda run: (run.loaded_s, run.job.latest_start_s, run.job.job_id)))
        self.forgets = False
        """Whether it begins its programme again when it lost power."""
        self._is_powered = False
        self._powered_by: Starter = "controller"
        self._current: ApplianceRun | None = None
        """Begun and not done, whether it has power or not."""
        self._next = 0
        self._ready_s = start_s
        """Since when it has power and runs nothing."""
        self._has_run = False
        """Whether a job has ended since it got power; a person at the plug starts one, and no further one."""
        self._before_wh = 0.0
        """Energy drawn before the current interval."""

    @property
    def is_powered(self) -> bool:
        """Whether it has power; a plug with distorted reports may say otherwise."""
        return self._is_powered

    @property
    def is_running(self) -> bool:
        """Whether a programme is running."""
        return self._is_powered and self._current is not None

    @property
    def waiting(self) -> ApplianceRun | None:
        """The next job that has not begun, loaded or not."""
        return self.runs[self._next] if self._next < len(self.runs) else None

    def set_power(self, now_s: int, *, on: bool, by: Starter = "controller") -> None:
        """Switch the power on or off at `now_s`, UNIX seconds; `by` says who switched it."""
        self.advance(now_s)
        if on == self._is_powered:
            return
        self._is_powered, self._powered_by, self._ready_s, self._has_run = on, by, now_s, False
        if self._current is not None:
            last = self._current.intervals[-1]
            if on:
                reached_s = last.progress_s + (now_s if last.end_s is None else last.end_s) - last.start_s
                self._current.intervals.append(RunInterval(now_s, 0 if self.forgets else reached_s))
            else:
                self._before_wh = self.energy_wh(now_s)
                last.end_s = now_s
        self.advance(now_s)

    def next_event_s(self) -> int | None:
        """Return the time of its next own action: its programme ends, or the next one begins; None: never."""
        if not self._is_powered:
            return None
        if self._current is not None:
            last = self._current.intervals[-1]
            return last.start_s + self._current.job.duration_s - last.progress_s
        if self.waiting is None or (self._powered_by == "hand" and self._has_run):
            return None
        return max(self.waiting.loaded_s, self._ready_s)

    def advance(self, now_s: int) -> None:
        """Carry out its own actions until a time."""
        while (event_s := self.next_event_s()) is not None and event_s <= now_s:
            if self._current is None:
                self._current = self.runs[self._next]
                self._current.started_by = self._powered_by
                self._current.intervals.append(RunInterval(event_s, 0))
                self._next += 1
            else:
                self._before_wh = self.energy_wh(event_s)
                self._current.intervals[-1].end_s = event_s
                self._current.is_done = True
                self._current = None
                self._ready_s, self._has_run = event_s, True

    def power_w(self, now_s: int) -> float:
        """Return the power drawn at a time, W."""
        if not self.is_running or self._current is None:
            return 0.0
        profile, last = self._current.job.load_profile, self._current.intervals[-1]
        place = bisect_right(profile.times_s, last.progress_s + now_s - last.start_s)
        if not 0 < place < len(profile.times_s):
            return 0.0
        energy_wh = profile.cumulative_wh[place] - profile.cumulative_wh[place - 1]
        return 3600 * energy_wh / (profile.times_s[place] - profile.times_s[place - 1])

    def energy_wh(self, now_s: int) -> float:
        """Return the energy drawn from the start of the lab up to a time, Wh."""
        if not self.is_running or self._current is None:
            return self._before_wh
        profile, last = self._current.job.load_profile, self._current.intervals[-1]
        upto_wh, before_wh = profile.energy_until_wh([last.progress_s + now_s - last.start_s, last.progress_s])
        return self._before_wh + float(upto_wh - before_wh)
