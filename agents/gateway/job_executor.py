"""Has a real device run its jobs: commands it, takes what it reports of them, and follows each to its end.

The device reports when it likes, by messages. Two coroutines may wait for what they change in a job's course: the one
that runs the job by its contract (`JobExecutor.execute`), and before that the one that follows a job that was started
by hand. Everything that can happen to a job on a device has an outcome (`docs/devices.md`), which is recorded in the
contract's history and published on the device's topic `job`.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

from agents.device_events import DeviceCommand, ExecutionOutcome, JobState, Reported
from agents.gateway.counter_history import ROUNDING_WH
from agents.gateway.counter_unit import is_thousandth
from agents.gateway.device_commands import DeviceCommands
from agents.gateway.gateway_settings import GatewaySettings
from agents.gateway.job_course import JobCourse, JobCourses
from agents.gateway.published_jobs import PublishedJobs
from agents.gateway.represented_device import RepresentedDevice
from agents.messages import AnyMessage, JobExecuted
from agents.model import MANAGER, Job
from broker.hosts import Channel, TimedOut

_HOUR_S = 3600
_MINUTES_PER_HOUR = 60


class DeviceOwner(Protocol):
    """What the execution of jobs needs of the agent that represents their device; see `GatewayConsumer`."""

    now_s: int
    is_closing: bool

    def job_begun(self, job: Job) -> None:
        """Called whenever the device has said that it runs a job."""
        ...

    def job_finished(self, course: JobCourse) -> None:
        """Called when the device has run a job to its end."""
        ...

    # See `broker.hosts.Agent`.

    def send(self, to: str, message: AnyMessage) -> int:
        """Send a message."""
        ...

    def instruct(self, content: DeviceCommand) -> None:
        """Send a command to the device."""
        ...

    async def until(self, time_s: int) -> None:
        """Wait until a virtual time, UNIX seconds."""
        ...

    def spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        """Start another coroutine of the agent."""
        ...

    def channel(self) -> Channel[None]:
        """Return a new channel between the agent's coroutines."""
        ...


class JobExecutor:
    """Has one device run its jobs, one at a time; see `agents.job_lifecycle.RealDevice`."""

    __slots__ = ("_agent", "_commands", "_courses", "_device", "_gateway", "_published")

    def __init__(
        self,
        agent: DeviceOwner,
        gateway: GatewaySettings,
        device: RepresentedDevice,
        courses: JobCourses,
        commands: DeviceCommands,
        published: PublishedJobs,
    ) -> None:
        """Begin with no job under way.

        Args:
            agent: The agent of the device.
            gateway: The settings of the device.
            device: The device.
            courses: Its jobs.
            commands: The commands to it.
            published: Publishes what changes.
        """
        self._agent = agent
        self._gateway = gateway
        self._device = device
        self._courses = courses
        self._commands = commands
        self._published = published

    # What the device reports.

    def take_report(self, report: Reported) -> None:
        """Take a report of the device: its meter, the state of a job, or of its switch."""
        device = self._device
        device.is_available = True if device.is_available is None else device.is_available
        device.shows_switch |= report.is_on is not None
        if report.power_w is not None or report.counter_wh is not None:
            meter = device.meter
            resets, before_w, before_s, before_wh = meter.resets, meter.power_w, meter.at_s, meter.energy_wh
            problem = meter.take(self._agent.now_s, report.power_w, report.counter_wh)
            if problem:
                device.complain_of_reading(problem)
            self._divide_missed()
            for running in self._courses:
                if running.is_running and self._has_meter_of(running):
                    running.was_offline |= meter.resets > resets
                    self._meter_run(running)
            self._meter_vanished()
            self._look_for_start_by_hand(before_w)
            self._look_for_answer(before_s, before_wh)
        if report.is_on is False or report.state in {"FINISHED", "ABORTED"}:
            self._complete_returned()
        self._look_at_plug(report)
        course = self._course_of(report)
        if course is not None:
            self._take_state(course, report)
        elif report.job is not None and self._courses.named(report.job, device.qualified_id) is None:
            device.complain("report", f"there is no open job {report.job!r}", self._courses.open_ids)

    def _look_for_answer(self, before_s: int | None, before_wh: float) -> None:
        """Notice that a device without a switch of its own, which cannot answer otherwise, obeys by what it draws.

        Args:
            before_s: When the meter was read before, UNIX seconds; None: never.
            before_wh: What had been metered then, Wh.
        """
        if not self._gateway.is_switched or self._device.shows_switch or self._gateway.rules < 8:
            return
        power_w = self._device.meter.power_w
        if power_w is None and before_s is not None and before_s < self._agent.now_s:
            power_w = _HOUR_S * (self._device.meter.energy_wh - before_wh) / (self._agent.now_s - before_s)
        asked = next((course for course in self._courses if course.awaits_answer), None)
        if asked is not None and power_w is not None and power_w > self._most_idle_w:
            self._take_start(asked)

    def _look_for_start_by_hand(self, before_w: float | None) -> None:
        """Notice that an appliance behind a plug begins its programme before its contract does.

        Args:
            before_w: What it drew before, W; None: not known, so that it may have been at something else all along.
        """
        power_w, most_w = self._device.meter.power_w, self._most_idle_w
        if not self._gateway.is_switched or before_w is None or power_w is None or not before_w <= most_w < power_w:
            return
        is_open = [course for course in self._courses.open if course.device == self._device.id]
        to_come = [course for course in is_open if self._courses.contract_of(course) is not None]
        if to_come and not any(course.is_running or course.is_commanded or course.is_due for course in is_open):
            self._take_start(min(to_come, key=self._courses.start_of))

    @property
    def _most_idle_w(self) -> float:
        """The most that the device draws while no programme runs, W."""
        waiting = self._gateway.waiting
        return max(self._gateway.idle_w, waiting.below_w if waiting is not None else 0.0)

    def _course_of(self, report: Reported) -> JobCourse | None:
        """Return the job that a report is about: the one that runs or is commanded, else the next one."""
        if report.job is not None:
            course = self._courses.named(report.job, self._device.qualified_id)
            return course if course is not None and course.is_open else None
        if report.state is None and report.is_on is None and not report.restarted:
            return None
        is_open = [course for course in self._courses.open if course.device == self._device.id]
        under_way = [course for course in is_open if course.is_running or course.is_commanded]
        return next(iter(under_way or sorted(is_open, key=self._courses.start_of)), None)

    def _take_state(self, course: JobCourse, report: Reported) -> None:
        if course.is_running and report.restarted:
            course.was_offline = True
        match report.state:
            case "EXECUTING":
                self._take_start(course)
            case "INTERRUPTED" if course.state == "EXECUTING":
                self._interrupt(course)
            case "FINISHED" | "ABORTED" as end:
                self._meter_until_end(course)
                if course.is_running and not course.is_due:
                    self._conclude(course, end, course.outcome)
                elif course.is_running:
                    course.ended_by = end
                elif course.is_commanded:
                    self._commands.answered += course.awaits_answer
                    course.ended_by, course.outcome = "ABORTED", "refused"
                course.wake()
            case None if report.is_on is True and (course.is_commanded or course.is_running):
                self._take_start(course)
            case None if report.is_on is False and course.state == "EXECUTING":
                self._take_switched_off(course)
            case _:
                pass

    def _take_start(self, course: JobCourse) -> None:
        """The device says that it runs."""
        self._note_start(course)
        self._agent.job_begun(course.job)

    def _note_start(self, course: JobCourse) -> None:
        if course.state == "EXECUTING":
            course.was_offline &= self._gateway.rules < 6  # it has kept its power
            return
        if course.started_s is None:
            if self._courses.contract_of(course) is None:
                problem = f"job {course.asked_id!r} has no supplier yet"
                self._device.complain(self._device.topic_of_report, problem, "a command to start")
                return
            self._begin(course)
            if course.is_commanded:
                self._commands.answered += 1
            else:
                course.outcome, course.is_in_ledger = "started_by_hand", True
        elif course.is_commanded:
            self._commands.answered += 1
        if not course.is_commanded and self._gateway.longest_timer_s is not None:
            # It was switched on by hand, without its timer. A person may switch it off again right away.
            course.renew_timer_s = self._agent.now_s + self._gateway.answer_s
        course.is_commanded = False
        course.interrupted_s = course.idle_since_s = None
        course.state = "EXECUTING"
        if not course.is_due:  # no coroutine follows it before its contract starts
            self._tell_ledger(course)
            self._published.show_job(course)
            if not course.is_followed and self._gateway.rules >= 3:
                course.is_followed = True
                self._agent.spawn(self._follow(course, until_due=True), f"{course.job.job_id} started by hand")
        course.wake()

    def _begin(self, course: JobCourse) -> None:
        meter, now_s = self._device.meter, self._agent.now_s
        self._complete_returned()
        if self._gateway.rules >= 12:
            meter.end_absence(now_s)
        if self._gateway.rules >= 9:
            if meter.counts_power:
                meter.advance(now_s)  # what was drawn before is not the job's
            per_minute_wh = course.job.load_profile.per_minute_wh(0)
            meter.planned_w = max(meter.planned_w, _MINUTES_PER_HOUR * float(per_minute_wh.max()))
            course.has_drawn = (meter.power_w or 0.0) > self._gateway.idle_w
        course.begin(now_s, meter)

    def _take_switched_off(self, course: JobCourse) -> None:
        """The switch of a device that ran is open: its programme is over, or its power was cut."""
        if course.is_over_when_switched_off(self._agent.now_s, self._gateway.rules):
            course.ended_by = "FINISHED"
            course.wake()
        else:
            self._interrupt(course)

    def _interrupt(self, course: JobCourse) -> None:
        course.state, course.interrupted_s = "INTERRUPTED", self._agent.now_s
        course.outcome = "power_lost" if course.was_offline else "stopped_by_hand"
        self._tell_ledger(course)
        self._published.show_job(course)
        if course.was_offline and self._gateway.is_switched:
            self._command(course, 1)
        course.wake()

    def _meter_run(self, course: JobCourse) -> None:
        """Add a reading to what a running job drew."""
        if course.add_reading(self._agent.now_s, self._device.meter, self._gateway):
            course.wake()

    def _meter_until_end(self, course: JobCourse) -> None:
        """Count the power of the last reading until now, if the device ends a job without a new reading."""
        if course.is_running and course.readings and self._device.meter.counts_power:
            self._device.meter.advance(self._agent.now_s)
            self._meter_run(course)

    def _has_meter_of(self, course: JobCourse) -> bool:
        """Return whether the meter is that of a job's device, not of another guest that came in the same second."""
        return course.device == self._device.id or self._gateway.rules < 8

    def take_availability(self, *, online: bool) -> None:
        """Note that the device has connected or disconnected; one that is offline may have lost its power."""
        self._device.is_available = online
        if self._gateway.rules >= 9:
            self._meter_while_offline(online=online)
        for course in self._courses:
            if course.is_running and not online:
                course.go_offline(self._agent.now_s, self._gateway)
                course.wake()
            elif course.on_since_s is not None:
                if not online:
                    course.leave_on(course.on_since_s)
                course.wake()

    def _meter_while_offline(self, *, online: bool) -> None:
        """Count the last power until the device went offline, and again from when it is back."""
        meter, now_s = self._device.meter, self._agent.now_s
        if online:
            meter.come_online(now_s)
            return
        meter.go_offline(now_s)
        for course in self._courses:
            if course.is_running and course.readings and meter.counts_power and self._has_meter_of(course):
                course.add_point(now_s, meter)

    def take_refusal(self, problem: str) -> None:
        """End the job that the device was commanded to start, because it does not."""
        for course in self._courses:
            if course.is_commanded and course.state == "SCHEDULED":
                self.abort(course, "refused", problem)

    def abort(self, course: JobCourse, outcome: ExecutionOutcome, reason: str) -> None:
        """End a job that has begun, as soon as the coroutine that follows it resumes.

        Args:
            course: The job.
            outcome: What has become of it.
            reason: Why, in words.
        """
        course.ended_by, course.outcome, course.reason = "ABORTED", outcome, reason
        course.wake()

    # Having the device run its jobs.

    async def execute(self, job: Job) -> None:
        """Command the device to run a job whose contract starts, and follow it until its programme is over."""
        course = self._courses[job.job_id]
        course.is_due = True
        if not course.is_open:
            if course.outcome == "withdrawn":  # and a producer accepted it for that very second
                self._conclude(course, "ABORTED", "withdrawn", course.reason)
            return
        if course.is_followed and self._gateway.rules >= 7:
            course.hand_over(self._agent.channel())
        elif course.is_followed:
            course.wake()
        if await self._start(course):
            if not course.is_in_ledger:
                self._tell_ledger(course)
            await self._follow(course)
        self._published.show_state()

    def is_under_way(self, job: Job) -> bool:
        """Return whether the device has begun a job, or was commanded to."""
        return self._courses.has_begun(self._courses[job.job_id], self._agent.now_s)

    def started_s(self, job: Job) -> int | None:
        """Return when the device has begun the job that it runs, UNIX seconds; None: it does not run it."""
        course = self._courses[job.job_id]
        return course.started_s if course.is_running else None

    async def _start(self, course: JobCourse) -> bool:
        """Command the device until it answers; return whether it runs."""
        while any(other.is_running for other in self._courses if other is not course):
            # Its earlier job runs longer than it was to.
            await self._agent.until(self._agent.now_s + self._gateway.answer_s)
        for attempt in range(1, self._gateway.tries + 1):
            if self._commands.occupied_by and course.started_s is None:
                self._conclude(course, "ABORTED", "refused", self._commands.why_occupied)
                return False
            if course.started_s is None and course.ended_by is None:
                self._command(course, attempt)
            until_s = self._agent.now_s + self._gateway.answer_s
            while course.started_s is None and course.ended_by is None and not self._agent.is_closing:
                if isinstance(await course.changed.get(until_s), TimedOut):
                    break
            if course.started_s is not None:
                course.outcome = course.outcome or ("on_time" if attempt == 1 else "late")
                self._published.show_job(course)
                return True
            if course.ended_by is not None:
                self._conclude(course, "ABORTED", course.outcome or "refused")
                return False
            if self._agent.is_closing:
                self._conclude(course, "ABORTED", "run_ended")
                return False
        self._conclude(course, "ABORTED", "no_answer", self._why_no_answer)
        return False

    @property
    def _why_no_answer(self) -> str:
        """What is known of a device that has not answered; empty: nothing."""
        if self._device.last_heard_s is None and self._gateway.rules >= 10:
            return "nothing was ever heard of the device"
        return "the device is offline" if self._device.is_available is False else ""

    def _command(self, course: JobCourse, attempt: int) -> None:
        self._agent.instruct(self._commands.start(course, self._device.id, self._agent.now_s, attempt))
        self._published.show_state()

    def instruct_to_stop(self, asked_id: str = "") -> None:
        """Switch the device off: after the job with this id, if there was one."""
        self._agent.instruct(self._commands.stop(self._device.id, self._agent.now_s, asked_id))

    async def _follow(self, course: JobCourse, *, until_due: bool = False) -> None:
        """Follow a running job to its end.

        Args:
            course: The job.
            until_due: Whether `execute` goes on with it from the start of its contract.
        """
        while course.is_open and not (until_due and course.is_due):
            if self._agent.is_closing:
                self._conclude(course, "ABORTED", "run_ended")
                return
            now_s, device = self._agent.now_s, self._device
            is_lost = device.is_available is False
            silent_s = 0 if device.last_heard_s is None else now_s - device.last_heard_s
            end = course.end_at(now_s, self._gateway, device.meter, is_lost=is_lost, silent_s=silent_s)
            if end is not None:
                has_left = course.ended_by is not None  # its counter may go on elsewhere
                self._conclude(course, *end)
                if end.outcome == "vanished" and not has_left and self._gateway.rules >= 12:
                    self._await_counter(course)
                return
            if course.renew_timer_s is not None and course.renew_timer_s <= self._agent.now_s:
                renewed = self._commands.renew(course, self._device.id, self._agent.now_s)
                if renewed is not None:
                    self._agent.instruct(renewed)
            self._published.show_job(course)
            await course.changed.get(course.next_look_s(self._agent.now_s, self._gateway))

    # The end of a job.

    def _conclude(self, course: JobCourse, state: JobState, outcome: ExecutionOutcome, reason: str = "") -> None:
        """Record a job's end: in the ledger, on its topic, and as what its next run is expected to draw."""
        course.state, course.outcome, course.is_commanded = state, outcome, False
        course.reason = reason or course.reason
        if course.started_s is not None:
            self.complete_vanished()  # what the counter shows from now on may be of this job as well
        if self._gateway.rules >= 9 and course.readings and self._has_meter_of(course):
            self._settle(course)
        course.measured = course.drawn(self._device.meter)
        if self._gateway.rules >= 10 and course.readings and self._has_meter_of(course):
            self._look_at_unit(course)
        self._tell_ledger(course)
        self._published.show_job(course)
        if state == "FINISHED":
            self._agent.job_finished(course)
        if self._gateway.is_switched and self._gateway.waiting is None:
            self._switch_off(course)

    def _settle(self, course: JobCourse) -> None:
        """Count what a job drew since the counter was last read, at most until its device vanished; note any doubt."""
        meter = self._device.meter
        until_s = meter.at_s if course.outcome == "vanished" and meter.at_s is not None else self._agent.now_s
        meter.settle(until_s)
        course.add_point(until_s, meter)
        doubt = course.doubt(meter)
        course.is_doubtful = bool(doubt)
        if self._gateway.rules >= 11:
            course.add_to_reason(doubt)
        else:
            course.reason = course.reason or doubt

    def _look_at_unit(self, course: JobCourse) -> None:
        """Report a counter without power beside it that seems to count in kWh; the next job is not planned by it."""
        meter, measured, planned_wh = self._device.meter, course.measured, course.job.load_profile.energy_wh
        is_by_counter_alone = meter.counter_wh is not None and meter.power_w is None
        if is_by_counter_alone and measured is not None and is_thousandth(measured.energy_wh, planned_wh):
            course.is_doubtful = True
            what = (
                f"job {course.asked_id!r} has drawn {measured.energy_wh:.3g} Wh, and not {planned_wh:.0f} Wh as planned"
            )
            hint = "as if the counter was in kWh and not in Wh; expected the unit in which the device is declared"
            self._device.complain_of_reading(f"{what}, {hint}")

    def _tell_ledger(self, course: JobCourse) -> None:
        contract = self._courses.contract_of(course)
        if contract is not None:
            self._agent.send(
                MANAGER,
                JobExecuted(
                    contract_id=contract.contract_id,
                    job_id=course.job.job_id,
                    state=course.state,
                    outcome=course.outcome,
                    reason=course.reason,
                    started_s=contract.start_s if course.started_s is None else course.started_s,
                    measured=course.measured,
                ),
            )

    # Jobs whose device had vanished when they ended: its counter shows what they drew once it is back.

    def _await_counter(self, course: JobCourse) -> None:
        """Wait for what the counter of a device that has vanished shows of its job, once it is back."""
        meter = self._device.meter
        if self._has_meter_of(course):
            course.await_counter(self._agent.now_s, meter)
            if meter.at_s is not None:
                meter.go_offline(meter.at_s)  # while nothing is heard of it, it does not draw its last power

    def _meter_vanished(self) -> None:
        """Add to jobs whose device had vanished what its counter shows of them now that it is back."""
        meter = self._device.meter
        for course in self._courses:
            if course.late_meter is meter and course.add_late_reading(self._agent.now_s, meter, self._gateway):
                self._complete(course)

    def _divide_missed(self) -> None:
        """Divide what a counter has counted since its device vanished, if the next job began before it was read.

        Without readings of power, the next job has drawn all of it.
        """
        meter = self._device.meter
        if meter.power_w is None or not meter.has_counted(self._agent.now_s):
            return
        before = next((course for course in self._courses if course.is_unread and course.late_meter is meter), None)
        running = next((course for course in self._courses if course.is_running), None)
        if before is not None and running is not None:
            running.divide(before, meter)
            self._complete(before)

    def _complete_returned(self) -> None:
        """Record what jobs drew whose device had vanished and has been read since: it runs them no more."""
        for course in self._courses:
            if course.late_meter is not None and not course.is_unread:
                self._complete(course)

    def complete_vanished(self) -> None:
        """Record what is known of jobs whose device had vanished: another job has ended, or the run ends."""
        for course in self._courses:
            if course.late_meter is not None:
                self._complete(course)

    def _complete(self, course: JobCourse) -> None:
        """Record what is known of a job whose device had vanished, if that is more than at its end."""
        meter, course.late_meter = course.late_meter, None
        if meter is None:
            return
        known_wh = 0.0 if course.measured is None else course.measured.energy_wh
        news = [course.doubt(meter)]
        if course.points[-1][1] > known_wh + ROUNDING_WH:
            course.measured = course.drawn(meter)
            news = ["its counter has shown since what it drew", *news]
        if not any(news):
            return
        course.add_to_reason(*news)
        self._tell_ledger(course)
        self._published.show_job(course)

    # Switching plugs off.

    def _switch_off(self, course: JobCourse) -> None:
        """Switch the plug of a job off that has ended: now, or if the plug has vanished, once it is back."""
        now_s = self._agent.now_s
        if course.state == "FINISHED":
            self.instruct_to_stop(course.asked_id)
            is_on, since_s = self._device.shows_switch, now_s + self._gateway.answer_s
        else:
            is_on, since_s = course.outcome == "vanished", now_s
        if is_on and self._gateway.rules >= 13:
            course.leave_on(since_s)
            course.hand_over(self._agent.channel())
            self._agent.spawn(self._switch_off_later(course), f"{course.job.job_id} is switched off")

    async def _switch_off_later(self, course: JobCourse) -> None:
        """Switch the plug of a job off that has ended, as soon as its programme is over, until the plug says it is off.

        A plug that was not connected has not read the command; the appliance behind it may still have been running.
        """
        commands = 1 if course.state == "FINISHED" else 0
        while course.on_since_s is not None:
            if any(other.is_running or other.is_commanded for other in self._courses):
                break  # the plug is switched off after that job
            off_s = None
            if self._is_on(course, course.on_since_s):
                off_s = course.plug_off_s(self._gateway, self._device.meter.power_w)
            if off_s is None or off_s > self._agent.now_s:
                await course.changed.get(off_s)
            elif commands == self._gateway.tries or (commands and not self._device.shows_switch):
                break
            else:
                commands += 1
                self.instruct_to_stop(course.asked_id)
                course.leave_on(self._agent.now_s + self._gateway.answer_s)
        course.on_since_s = None

    def _is_on(self, course: JobCourse, since_s: int) -> bool:
        """Return whether the plug of an ended job has shown since then that it is on; many report no switch."""
        shown_s = course.seen_on_s if self._device.shows_switch else self._device.last_heard_s or 0
        return self._device.is_available is not False and shown_s > since_s

    def _look_at_plug(self, report: Reported) -> None:
        """Note what a report shows of a plug that is on although its job has ended."""
        for course in self._courses:
            if course.on_since_s is None:
                continue
            if report.is_on is False:
                course.on_since_s = None
            elif report.is_on:
                course.seen_on_s = self._agent.now_s
            if report.power_w is not None:
                course.look_at_power(self._agent.now_s, self._device.meter.power_w, self._gateway)
            course.wake()
