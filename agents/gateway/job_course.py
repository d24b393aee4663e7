"""The courses of jobs on a real device: what its meter measured, and when a programme is over.

A plug knows nothing of programmes. A programme is over when the appliance behind the plug has drawn next to nothing for
some minutes, in the second half of the planned duration or later. This module does not act: `JobExecutor` commands,
waits and reports.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from agents.device_events import ExecutionOutcome, JobState
from agents.energy import LoadProfile
from agents.gateway.gateway_settings import GatewaySettings
from agents.gateway.meter import Meter, at_most
from agents.model import Contract, Job
from broker.hosts import Channel

_OPEN: Final = frozenset({"NOT_SCHEDULED", "SCHEDULED", "EXECUTING", "INTERRUPTED"})
_LEAST_GRACE_S = 600
_HOUR_S = 3600
_DAY_S = 86_400
LEAST_DOUBT_WH = 10.0
"""If a job may have drawn less than this in addition to what was measured, nothing is said of it, Wh."""
_INTERVALS = 5
"""How many of the last intervals between readings show how often a device is read."""
_LATE_S = 60
"""How much later than usual a reading may come, seconds."""
_STANDBY_FACTOR = 4
"""A device that has drawn at most this many times its `idle_w` for an hour is on stand-by."""


class JobEnd(NamedTuple):
    """How a job has ended."""

    state: JobState
    outcome: ExecutionOutcome
    reason: str = ""


@dataclass(slots=True)
class JobCourse:
    """One job, from its request until its end; times in UNIX seconds."""

    job: Job
    asked_id: str
    """The job's id as the device knows it."""
    device: str
    """The device's gateway id; a guest's place may have another one by now."""
    changed: Channel[None]
    """Wakes the coroutine that follows the job; see `wake`."""
    reference: str = ""
    """The reference of the job, as requested."""
    state: JobState = "NOT_SCHEDULED"
    outcome: ExecutionOutcome = ""
    reason: str = ""
    is_due: bool = False
    """Whether its contract has started."""
    is_commanded: bool = False
    is_followed: bool = False
    """Whether it is followed although its contract has not started, because its device was started by hand."""
    is_in_ledger: bool = False
    """Whether the ledger has its start, because it came before its contract's."""
    started_s: int | None = None
    interrupted_s: int | None = None
    renew_timer_s: int | None = None
    """When its device's own timer is set again; None: it has none."""
    ended_by: JobState | None = None
    """The report of the device on its end."""
    base_wh: float = 0.0
    """The meter at its start."""
    base_unknown_wh: float = 0.0
    """The meter's `unknown_wh` at its start."""
    base_by_power_wh: float = 0.0
    """The meter's `by_power_wh` at its start."""
    points: list[tuple[int, float]] = field(default_factory=list)
    """Seconds since its start, and Wh since then."""
    low_since_s: int | None = None
    """Since when its device has drawn no more than one on stand-by; None: it draws more."""
    idle_since_s: int | None = None
    """Since when the device draws next to nothing; None: it draws, or has not drawn yet."""
    read_s: int | None = None
    """When its device was last read."""
    intervals_s: deque[int] = field(default_factory=lambda: deque(maxlen=_INTERVALS))
    """Between its last readings, seconds."""
    has_drawn: bool = False
    readings: int = 0
    was_offline: bool = False
    is_doubtful: bool = False
    """Whether it may have drawn more than was measured; see `doubt`."""
    measured: LoadProfile | None = None
    late_meter: Meter | None = None
    """Whose counter may still show what its device drew after it had vanished; None: no meter's."""
    vanished_s: int | None = None
    """When it was found that its device had vanished; None: the counter has been read since, or it had not."""
    on_since_s: int | None = None
    """Since when its device, a plug, is on although it should not be; None: it is not, or a job runs on it."""
    seen_on_s: int = 0
    """When that plug said last that it is on."""

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state in _OPEN

    @property
    def is_running(self) -> bool:
        """Whether it has started and not ended; an interrupted job may continue."""
        return self.state in {"EXECUTING", "INTERRUPTED"}

    @property
    def awaits_answer(self) -> bool:
        """Whether its device has been commanded to start it, and has not answered yet."""
        return self.is_commanded and self.state == "SCHEDULED" and self.ended_by is None

    @property
    def grace_s(self) -> int:
        """How much longer than planned a metered job may take before anything follows from it, seconds."""
        return max(_LEAST_GRACE_S, self.job.duration_s // 4)

    @property
    def _most_s(self) -> int:
        """How long a job may take whose device draws no more than on stand-by, seconds."""
        return 2 * self.job.duration_s + _HOUR_S

    @property
    def timer_s(self) -> int:
        """After how long a device should switch itself off if no further command arrives, seconds."""
        return 2 * (self.job.duration_s + self.grace_s)

    def _start_s(self, now_s: int) -> int:
        """Return when it started; `now_s` if it has not."""
        return now_s if self.started_s is None else self.started_s

    def wake(self) -> None:
        """Wake the coroutine that follows the job; if there is none yet, the next one will look at the job at once.

        At most one wake-up waits in the channel: no coroutine follows a job before its start, and a device may report
        its state every second until then.
        """
        if not self.changed.waiting:
            self.changed.put(None)

    def hand_over(self, channel: Channel[None]) -> None:
        """Let another coroutine follow the job from now on, and wake the present one, which then ends.

        Each has a channel of its own, because a channel wakes one reader only: it could be the one that is to end.

        Args:
            channel: Wakes the other coroutine.
        """
        self.wake()
        self.changed = channel

    def begin(self, now_s: int, meter: Meter) -> None:
        """Start metering.

        Args:
            now_s: Virtual time.
            meter: The device's.
        """
        self.started_s = now_s
        self.base_wh, self.base_unknown_wh = meter.energy_wh, meter.unknown_wh
        self.base_by_power_wh = meter.by_power_wh
        self.points = [(0, 0.0)]

    def add_reading(self, now_s: int, meter: Meter, gateway: GatewaySettings) -> bool:
        """Add a reading to what a running job drew; return whether it shows something of the programme's end.

        Args:
            now_s: Virtual time.
            meter: The device's, with the reading.
            gateway: The device's settings.
        """
        if gateway.rules >= 8:
            self._pass_over(meter)
        self.readings += 1
        self.add_point(now_s, meter)
        return self.look_at_power(now_s, meter.power_w, gateway)

    def look_at_power(self, now_s: int, power_w: float | None, gateway: GatewaySettings) -> bool:
        """Note what its device draws; return whether that shows something of the programme's end.

        Args:
            now_s: Virtual time.
            power_w: The reading, W; None: of a counter only.
            gateway: The device's settings.
        """
        if self.read_s is not None and self.read_s < now_s:
            self.intervals_s.append(now_s - self.read_s)
        self.read_s = now_s
        if power_w is None:
            return False
        if power_w > _STANDBY_FACTOR * gateway.idle_w:
            self.low_since_s = None
        elif self.low_since_s is None:
            self.low_since_s = now_s
        if power_w > gateway.idle_w:
            self.has_drawn, self.idle_since_s = True, None
        elif self.has_drawn and self.idle_since_s is None:
            self.idle_since_s = now_s
            return True
        return gateway.rules >= 12 and self.idle_since_s is not None and now_s >= self.idle_since_s + gateway.idle_s

    def go_offline(self, now_s: int, gateway: GatewaySettings) -> None:
        """Note that the device of a running job is offline, and may lose its power.

        What it has drawn before does not show what it draws once it is back: a programme that paused in its first half
        may have gone on. One that paused in the second half counts as over.

        Args:
            now_s: Virtual time.
            gateway: The device's settings.
        """
        self.was_offline = True
        if gateway.rules < 13:
            return
        self.read_s = None
        if now_s - self._start_s(now_s) < self.job.duration_s // 2:
            self.low_since_s = self.idle_since_s = None

    def add_point(self, at_s: int, meter: Meter) -> None:
        """Add what a running job has drawn until a time, by `meter`.

        Args:
            at_s: Virtual time, UNIX seconds.
            meter: The device's, with all that it has metered until then.
        """
        self.add_energy(at_s, meter.energy_wh)

    def add_energy(self, at_s: int, energy_wh: float) -> None:
        """See `add_point`; `energy_wh` is what the meter had metered then."""
        after_s = at_s - self._start_s(at_s)
        drawn_wh = max(self.points[-1][1], energy_wh - self.base_wh)
        while len(self.points) > 1 and self.points[-1][0] >= after_s:  # readings that were wrong have points, too
            self.points.pop()
        if after_s > self.points[-1][0]:
            self.points.append((after_s, drawn_wh))

    def await_counter(self, now_s: int, meter: Meter) -> None:
        """Let the counter of a device that has vanished show later what it drew, if it has one.

        Args:
            now_s: Virtual time.
            meter: The device's.
        """
        if self.readings and meter.counter_wh is not None:
            self.late_meter, self.vanished_s = meter, now_s
            self.base_unknown_wh = meter.unknown_wh  # its reason has said what was not known until now

    @property
    def is_unread(self) -> bool:
        """Whether its device has vanished, and its counter has not been read since."""
        return self.late_meter is not None and self.vanished_s is not None

    def divide(self, before: JobCourse, meter: Meter) -> None:
        """Leave what this job has not drawn by its power to the job before, whose device had vanished.

        Args:
            before: That job, which `is_unread`.
            meter: The device's, with the first reading of its counter since.
        """
        own_wh = meter.by_power_wh - self.base_by_power_wh
        self.base_wh = max(self.base_wh, meter.energy_wh - own_wh)
        self.points = at_most(self.points, meter.energy_wh - self.base_wh)
        if before.vanished_s is not None:
            before.add_energy(before.vanished_s, self.base_wh)

    def add_late_reading(self, now_s: int, meter: Meter, gateway: GatewaySettings) -> bool:
        """Add what a device that had vanished has drawn; return whether that is known in full now.

        What it drew meanwhile is spread evenly over the time until it counted as vanished: its programme should have
        ended before that. If it still runs, it is metered on, for as long as a job may take with a device on stand-by.

        Args:
            now_s: Virtual time.
            meter: The device's, with the reading.
            gateway: The device's settings.
        """
        if not meter.has_counted(now_s):
            return False
        self._pass_over(meter)
        limit_s = self._start_s(now_s) + self._most_s
        self.add_point(min(now_s, limit_s) if self.vanished_s is None else self.vanished_s, meter)
        self.vanished_s = None
        is_idle = (meter.power_w or 0.0) <= gateway.idle_w or meter.is_offline
        return is_idle or now_s >= limit_s

    def _pass_over(self, meter: Meter) -> None:
        """Take back what the job drew by a reading that `meter` has shown to be wrong."""
        self.base_wh = min(self.base_wh, meter.energy_wh)
        self.points = at_most(self.points, meter.energy_wh - self.base_wh)

    def is_over_when_switched_off(self, now_s: int, rules: int) -> bool:
        """Return whether its programme is over if its switch opens now; otherwise its power was cut.

        Args:
            now_s: Virtual time.
            rules: The rules by which the gateway answers its device.
        """
        elapsed_s = now_s - self._start_s(now_s)
        if elapsed_s >= self.job.duration_s * 9 // 10:
            return True
        # Many plugs say in one message that they are off and that nothing is drawn: the one follows from the other.
        return self.idle_since_s is not None and (rules < 6 or self.idle_since_s < now_s)

    def end_at(
        self, now_s: int, gateway: GatewaySettings, meter: Meter, *, is_lost: bool, silent_s: int
    ) -> JobEnd | None:
        """Return how a running job has ended; None: it is still running.

        Args:
            now_s: Virtual time.
            gateway: The device's settings.
            meter: The device's.
            is_lost: Whether the device is known to be offline.
            silent_s: For how long it has sent nothing.
        """
        started_s = self._start_s(now_s)
        if self.ended_by is not None:
            return JobEnd(self.ended_by, self.outcome or "on_time", self.reason)
        if self.interrupted_s is not None:
            return None if now_s < self.interrupted_s + gateway.resume_s else JobEnd("ABORTED", self.outcome)
        is_idle = self.idle_since_s is not None and now_s >= self._idle_until_s(self.idle_since_s, gateway)
        if is_idle and now_s - started_s >= self.job.duration_s // 2:
            return JobEnd("FINISHED", self.outcome)
        grace_s = self._grace_with(gateway)
        if now_s < started_s + self.job.duration_s + grace_s:
            return None
        if is_lost or (self.readings > 1 and silent_s > grace_s):
            reason = "its device is offline" if is_lost else "its device sends nothing more"
            return JobEnd("ABORTED", "vanished", reason if gateway.rules >= 11 else "")
        power_w = meter.power_w or 0.0
        if gateway.rules >= 13 and self.readings and self.read_s is None:
            power_w = math.inf  # it may still run: it is back, and has not been read again
        return self._overdue(now_s, gateway, 0.0 if self.idle_since_s is not None else power_w)

    def _idle_until_s(self, since_s: int, gateway: GatewaySettings) -> int:
        """Return when a device that stays idle counts as having ended its programme.

        A plug that reports every 5 minutes may be read only once in a pause of 2. So if it is read seldom, another
        reading is waited for, but not for ever: many plugs report only what changes.

        Args:
            since_s: Since when it has been idle.
            gateway: Its settings.
        """
        until_s = since_s + gateway.idle_s
        is_seen_again = self.read_s is not None and self.read_s >= until_s
        if gateway.rules < 12 or is_seen_again or not self.intervals_s:
            return until_s
        usual_s = sorted(self.intervals_s)[len(self.intervals_s) // 2]
        return until_s if 2 * usual_s <= gateway.idle_s else until_s + min(usual_s, _HOUR_S) + _LATE_S

    def _overdue(self, now_s: int, gateway: GatewaySettings, power_w: float) -> JobEnd | None:
        """Return how a job that takes longer than planned has ended; None: its device still runs."""
        if gateway.rules >= 12 and self.idle_since_s is not None:
            return None  # it may just be pausing: it has not been idle for long enough
        limit_s = self._start_s(now_s) + self._most_s
        is_on_standby = self.low_since_s is not None and now_s - self.low_since_s >= _HOUR_S
        if gateway.rules >= 4 and not is_on_standby:
            limit_s += _DAY_S
        still_draws = power_w > gateway.idle_w
        if still_draws and now_s < limit_s:
            return None
        return JobEnd("FINISHED", self.outcome, "it still draws power" if still_draws else "")

    def leave_on(self, since_s: int) -> None:
        """Note that the job has ended and that its plug may have been left on. Earlier readings no longer count.

        Args:
            since_s: A report after this time shows that the plug is on. It is the job's end, or, after a command to
                switch off, the time by which the plug should have answered; UNIX seconds.
        """
        self.on_since_s = since_s
        self.low_since_s = self.idle_since_s = self.read_s = None
        self.intervals_s.clear()
        self.has_drawn = True  # the appliance may have run unseen, so a first reading of next to nothing counts as idle

    def plug_off_s(self, gateway: GatewaySettings, power_w: float | None) -> int:
        """Return when its plug, which was left on, may be switched off: its programme is over by then.

        Args:
            gateway: The device's settings.
            power_w: What the plug has last read, W; None: it reads no power.
        """
        begun_s = self._start_s(0)
        if power_w is None:
            return begun_s + self.job.duration_s + self._grace_with(gateway)
        limits_s = [begun_s + self._most_s + _DAY_S]
        if self.idle_since_s is not None:
            limits_s.append(max(self._idle_until_s(self.idle_since_s, gateway), begun_s + self.job.duration_s // 2))
        if self.low_since_s is not None:
            limits_s.append(max(self.low_since_s + _HOUR_S, begun_s + self._most_s))
        return min(limits_s)

    def next_look_s(self, now_s: int, gateway: GatewaySettings) -> int:
        """Return when a running job may have ended without a message of its device.

        Args:
            now_s: Virtual time; the result is later.
            gateway: The device's settings.
        """
        started_s, grace_s = self._start_s(now_s), self._grace_with(gateway)
        over_s = started_s + self.job.duration_s + grace_s
        while over_s <= now_s:
            over_s += grace_s
        looks = [over_s]
        if self.interrupted_s is not None:
            looks.append(self.interrupted_s + gateway.resume_s)
        if self.idle_since_s is not None:
            looks.append(max(self._idle_until_s(self.idle_since_s, gateway), started_s + self.job.duration_s // 2))
        if self.renew_timer_s is not None:
            looks.append(self.renew_timer_s)
        return min(look_s for look_s in looks if look_s > now_s)

    def _grace_with(self, gateway: GatewaySettings) -> int:
        """Return the grace of a job that may not be metered: the gateway waits only for the answer to a command."""
        return self.grace_s if self.readings else gateway.answer_s

    def add_to_reason(self, *parts: str) -> None:
        """Add what else is known of its end; an empty part adds nothing."""
        self.reason = "; ".join(part for part in (self.reason, *parts) if part)

    def doubt(self, meter: Meter) -> str:
        """Return why what a job drew is doubtful, in words; empty: it is not."""
        unknown_wh = meter.unknown_wh - self.base_unknown_wh
        if self.started_s is None or unknown_wh < LEAST_DOUBT_WH:
            return ""
        return f"while offline, it may have drawn up to {unknown_wh:.0f} Wh more"

    def drawn(self, meter: Meter) -> LoadProfile | None:
        """Return what an ended job drew; nothing if it did not start; None if it was not measured."""
        if self.started_s is None:
            return LoadProfile(times_s=(0, max(1, self.job.duration_s)), cumulative_wh=(0.0, 0.0))
        if len(self.points) < 2:
            return None
        points = self.points
        if self.state == "FINISHED" and self.idle_since_s is not None:
            points = _until_over(points, self.idle_since_s - self.started_s, meter.power_w or 0.0)
        if len(points) < 2:
            return None
        return LoadProfile(times_s=tuple(s for s, _ in points), cumulative_wh=tuple(wh for _, wh in points)).as_sent


class JobCourses:
    """All jobs of one device, in the order in which they became known."""

    __slots__ = ("_by_id", "_contracts", "_numbered")

    def __init__(self, contracts: Mapping[str, Contract]) -> None:
        """Begin with no job.

        Args:
            contracts: By job id, the contracts of the device's consumer.
        """
        self._contracts = contracts
        self._by_id: dict[str, JobCourse] = {}
        self._numbered = 0

    def __getitem__(self, job_id: str) -> JobCourse:
        """Return a job by its id in the neighbourhood."""
        return self._by_id[job_id]

    def __iter__(self) -> Iterator[JobCourse]:
        return iter(self._by_id.values())

    def add(self, course: JobCourse) -> JobCourse:
        """Add a job, and return it."""
        self._by_id[course.job.job_id] = course
        return course

    @property
    def open(self) -> list[JobCourse]:
        """The jobs that have not ended."""
        return [course for course in self if course.is_open]

    @property
    def open_ids(self) -> str:
        """What an error expects instead of an unknown job: the device's own ids of the jobs that have not ended."""
        ids = [course.asked_id for course in self.open]
        return f"one of: {', '.join(ids)}" if ids else "the id of an open job; none is open now"

    def contract_of(self, course: JobCourse) -> Contract | None:
        """Return a job's contract; None if it has none."""
        return self._contracts.get(course.job.job_id)

    def start_of(self, course: JobCourse) -> int:
        """Return when a job starts by its contract, or else must start, UNIX seconds."""
        contract = self.contract_of(course)
        return course.job.latest_start_s if contract is None else contract.start_s

    def has_begun(self, course: JobCourse, now_s: int) -> bool:
        """Return whether it is too late to withdraw or move a job: by its contract, or because its device runs it.

        Args:
            course: The job.
            now_s: Virtual time, UNIX seconds.
        """
        contract = self.contract_of(course)
        has_started = contract is not None and contract.start_s <= now_s
        return has_started or course.is_due or course.is_commanded or course.is_running

    @property
    def next(self) -> JobCourse | None:
        """The job that runs, or the next one, or else the one that became known last; None: there is none."""
        is_open = self.open
        running = [course for course in is_open if course.is_running or course.is_commanded]
        if running:
            return running[0]
        if is_open:
            return min(is_open, key=self.start_of)
        return next(reversed(self._by_id.values()), None)

    def named(self, asked_id: str, owner: str) -> JobCourse | None:
        """Return a job by the id that its device knows; None if there is none.

        Args:
            asked_id: The id.
            owner: House and gateway id of the device, `house/device`, by which its own jobs are named.
        """
        return self._by_id.get(f"{owner}/{asked_id}") or self._by_id.get(asked_id)

    def unused_id(self, owner: str) -> str:
        """Return an id for a job that its device has not named; see `named` for `owner`."""
        while True:
            self._numbered += 1
            asked_id = f"job-{self._numbered}"
            if self.named(asked_id, owner) is None:
                return asked_id


def _until_over(points: list[tuple[int, float]], over_s: int, idle_w: float) -> list[tuple[int, float]]:
    """Return what a programme drew until it was over, without what its device draws afterwards.

    A meter may say that the power has fallen before its counter has the last of the energy.

    Args:
        points: Seconds since the start, and Wh since then.
        over_s: When it was over, seconds since the start.
        idle_w: What the device draws afterwards, W.
    """
    end_s, end_wh = points[-1]
    until_wh = max(wh for s, wh in points if s <= over_s)
    idle_wh = idle_w * (end_s - over_s) / _HOUR_S
    return [*(point for point in points if point[0] < over_s), (over_s, max(until_wh, end_wh - idle_wh))]
