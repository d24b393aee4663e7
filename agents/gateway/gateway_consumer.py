"""The gateway agent of a real consumer device: negotiates its jobs like any consumer, and has the device run them.

The run never waits for the device: the device gets a command when a contract starts, and its messages arrive as events
with their virtual time. Everything that can happen to a job on a device has an outcome (`docs/devices.md`), which is
recorded in the contract's history and published on the device's topic `job`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from typing_extensions import override

from agents.consumer import Consumer
from agents.device_events import (
    Announced,
    Availability,
    CommandRefused,
    DeviceEvent,
    ExecutionOutcome,
    Forecasted,
    JobAsked,
    JobState,
    JobTakenBack,
    Left,
    Occupied,
    Rejected,
    Reported,
    Vacated,
)
from agents.gateway.device_commands import DeviceCommands
from agents.gateway.gateway_settings import GatewaySettings, PriceChange
from agents.gateway.job_course import JobCourse, JobCourses
from agents.gateway.job_notices import JobNotices, SupplyTerms, WholeJobTerms
from agents.gateway.job_requests import MAX_PROFILES, DeviceProfiles, RequestError, requested_job
from agents.gateway.represented_device import RepresentedDevice
from agents.gateway.waiting_appliance import WaitingDetector
from agents.messages import MAX_REASON_CHARACTERS, AnyMessage, ChangePrices, DeviceSaid, JobExecuted, JobWithdrawn
from agents.model import MANAGER, Job
from broker.hosts import Received, TimeUp
from broker.protocol import clipped

log = structlog.get_logger(__name__)

MAX_OPEN_JOBS = 100
"""More jobs that have not ended are refused."""


class GatewayConsumer(Consumer):
    """Represents one real consumer device, or a guest that may join."""

    has_fixed_strategy = True

    def __init__(
        self,
        agent_id: str,
        jobs: Sequence[Job],
        *,
        patient: bool,
        gateway: GatewaySettings,
        is_there: bool = True,
        terms: SupplyTerms | None = None,
        **supply: Any,  # noqa: ANN401 - whatever the class beside this one takes
    ) -> None:
        """Create the agent.

        Args:
            agent_id: See `agents.model.consumer_agent`.
            jobs: Jobs of the device that the scenario names.
            patient: As for every consumer.
            gateway: The device.
            is_there: As for every consumer.
            terms: How the device is told who supplies its jobs; None: as for jobs with one supplier each.
            supply: What a subclass needs whose jobs are supplied in another way.
        """
        super().__init__(agent_id, jobs, patient=patient, is_there=is_there, **supply)
        self._gateway = gateway
        self._device = RepresentedDevice(self, gateway, "consumer", (JobAsked, JobTakenBack, Occupied, Vacated))
        self._profiles = DeviceProfiles(gateway.profiles, gateway.profile)
        self._courses = JobCourses()
        for job in jobs:
            self._courses.add(JobCourse(job, job.job_id, self._device.id, self.channel()))
        self._commands = DeviceCommands(gateway)
        self._notices = JobNotices(terms or WholeJobTerms(gateway))
        self._appliance = WaitingDetector()

    @override
    async def run(self) -> None:
        self.spawn(self._end(), "device")
        if self._device.id:
            self._show()
        await super().run()

    # Events from the device.

    def take_other(self, received: Received[AnyMessage]) -> None:
        """See `Consumer.take_other`; what the device says comes from this agent itself."""
        message = received.message
        if not isinstance(message, DeviceSaid) or received.sender != self.id:
            super().take_other(received)
            return
        self.send(MANAGER, message)
        if self._device.is_another_guest(message):
            self._take_guest(message.device)
        with self._device.listening_to(message):
            self._hear(message.said)
        self._show()

    def _take_guest(self, device: str) -> None:
        """Represent a guest that has joined."""
        self._device.become_guest(device)
        self._profiles = DeviceProfiles(self._gateway.profiles)
        if self._gateway.rules >= 5:
            self._commands.restart_counts()

    def _obey(self, received: Received[AnyMessage]) -> None:
        """See `Consumer._obey`; the device is informed of the new prices of its jobs."""
        message = received.message
        if not isinstance(message, ChangePrices):
            super()._obey(received)
            return
        prices = message.import_eur_per_kwh, message.neighbour_eur_per_kwh
        self._notices.change_prices(PriceChange(self.now_s, *prices))
        for course in self._courses.open:
            self._show_job(course, again=False)

    def _hear(self, said: DeviceEvent) -> None:
        match said:
            case Announced(type="consumer", name=name, profiles=profiles):
                self._device.name = name or self._device.name
                if not self._profiles.take(profiles):
                    self._device.complain("announce", f"more than {MAX_PROFILES} profiles", "the same names each time")
            case Announced() | Forecasted():
                what = "announce" if isinstance(said, Announced) else "forecast"
                self._device.complain(what, "the device is a consumer", "type 'consumer', and no forecast")
            case Left() | Availability():
                self._take_presence(said)
            case JobAsked():
                self._ask_for(said)
            case JobTakenBack(id=asked_id):
                self._take_back(asked_id)
            case Reported():
                self._take_report(said)
            case CommandRefused() | Occupied() | Vacated():
                self._take_obstacle(said)
            case Rejected(topic=topic, problem=problem, expected=expected, payload=payload):
                self._device.complain(topic, problem, expected, payload)

    def _take_presence(self, said: Left | Availability) -> None:
        if isinstance(said, Availability):
            self._take_availability(online=said.online)
            return
        self._device.is_available = False
        for course in self._courses:
            if course.is_open and self._has_begun(course):
                course.ended_by, course.outcome, course.reason = "ABORTED", "vanished", "its device has left"
                course.wake()
            elif course.is_open:
                self._withdraw(course, "its device has left")

    def _take_back(self, asked_id: str) -> None:
        course = self._course(asked_id)
        if course is None or not course.is_open:
            self._device.complain("withdraw", f"there is no open job {asked_id!r}", self._open_ids())
        elif self._has_begun(course):
            self._device.complain("withdraw", f"job {asked_id!r} runs", "a job that has not started")
        else:
            self._withdraw(course, "")

    def _take_refusal(self, problem: str) -> None:
        for course in self._courses:
            if course.is_commanded and course.state == "SCHEDULED":
                course.ended_by, course.outcome, course.reason = "ABORTED", "refused", problem
                course.wake()

    def _take_obstacle(self, said: CommandRefused | Occupied | Vacated) -> None:
        """The device does not obey, or must not be commanded, or may be commanded again."""
        match said:
            case CommandRefused(problem=problem):
                self._commands.answered += any(course.awaits_answer for course in self._courses)
                self._take_refusal(clipped(problem, MAX_REASON_CHARACTERS))  # recordings hold longer ones
            case Occupied(run=run):
                self._commands.occupied_by, self._device.is_available = run, False
                log.warning("device is commanded by another run, not by this one", device=self._device.id, run=run)
                expected = "the end of that run; until then, this one does not command the device"
                self._device.answer_error("claims", _in_use(run), expected)
                self._take_refusal(_in_use(run))
            case Vacated():
                self._commands.occupied_by, self._device.is_available = "", None

    def _take_availability(self, *, online: bool) -> None:
        self._device.is_available = online
        for course in self._courses:
            if course.is_running and not online:
                course.was_offline = True
                course.wake()

    def _take_report(self, report: Reported) -> None:
        self._device.is_available = True if self._device.is_available is None else self._device.is_available
        if report.power_w is not None or report.counter_wh is not None:
            resets, before_w = self._device.meter.resets, self._device.meter.power_w
            problem = self._device.meter.take(self.now_s, report.power_w, report.counter_wh)
            if problem:
                what, _, expected = problem.partition("; expected ")
                self._device.complain(self._device.topic_of_report, what, expected)
            for running in self._courses:
                if running.is_running:
                    running.was_offline |= self._device.meter.resets > resets
                    self._meter_run(running)
            self._look_for_start_by_hand(before_w)
        course = self._course_of(report)
        if course is not None:
            self._take_state(course, report)
        elif report.job is not None and self._course(report.job) is None:
            self._device.complain("report", f"there is no open job {report.job!r}", self._open_ids())
        self._look_for_waiting()

    def _look_for_start_by_hand(self, before_w: float | None) -> None:
        """Notice that an appliance behind a plug begins its programme before its contract does.

        Args:
            before_w: What it drew before, W; None: not known, so that it may have been at something else all along.
        """
        waiting, power_w = self._gateway.waiting, self._device.meter.power_w
        most_w = max(self._gateway.idle_w, waiting.below_w if waiting is not None else 0.0)
        if not self._gateway.is_switched or before_w is None or power_w is None or not before_w <= most_w < power_w:
            return
        is_open = [course for course in self._courses.open if course.device == self._device.id]
        to_come = [course for course in is_open if course.job.job_id in self.contracts]
        if to_come and not any(course.is_running or course.is_commanded or course.is_due for course in is_open):
            self._take_start(min(to_come, key=self._start_of))

    def _course_of(self, report: Reported) -> JobCourse | None:
        """Return the job that a report is about: the one that runs or is commanded, else the next one."""
        if report.job is not None:
            course = self._course(report.job)
            return course if course is not None and course.is_open else None
        if report.state is None and report.is_on is None and not report.restarted:
            return None
        is_open = [course for course in self._courses.open if course.device == self._device.id]
        under_way = [course for course in is_open if course.is_running or course.is_commanded]
        return next(iter(under_way or sorted(is_open, key=self._start_of)), None)

    def _start_of(self, course: JobCourse) -> int:
        contract = self.contracts.get(course.job.job_id)
        return course.job.latest_start_s if contract is None else contract.start_s

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
        if course.state == "EXECUTING":
            course.was_offline &= self._gateway.rules < 6  # it has kept its power
            return
        if course.started_s is None:
            if self.contracts.get(course.job.job_id) is None:
                problem = f"job {course.asked_id!r} has no supplier yet"
                self._device.complain(self._device.topic_of_report, problem, "a command to start")
                return
            course.begin(self.now_s, self._device.meter)
            if course.is_commanded:
                self._commands.answered += 1
            else:
                course.outcome, course.is_in_ledger = "started_by_hand", True
        elif course.is_commanded:
            self._commands.answered += 1
        if not course.is_commanded and self._gateway.longest_timer_s is not None:
            # It was switched on by hand, without its timer. A person may switch it off again right away.
            course.renew_timer_s = self.now_s + self._gateway.answer_s
        course.is_commanded = False
        course.interrupted_s = course.idle_since_s = None
        course.state = "EXECUTING"
        if not course.is_due:  # no coroutine follows it before its contract starts
            self._tell_ledger(course)
            self._show_job(course)
            if not course.is_followed and self._gateway.rules >= 3:
                course.is_followed = True
                self.spawn(self._follow(course, until_due=True), f"{course.job.job_id} started by hand")
        course.wake()

    def _take_switched_off(self, course: JobCourse) -> None:
        """The switch of a device that ran is open: its programme is over, or its power was cut."""
        if course.is_over_when_switched_off(self.now_s, self._gateway.rules):
            course.ended_by = "FINISHED"
            course.wake()
        else:
            self._interrupt(course)

    def _interrupt(self, course: JobCourse) -> None:
        course.state, course.interrupted_s = "INTERRUPTED", self.now_s
        course.outcome = "power_lost" if course.was_offline else "stopped_by_hand"
        self._tell_ledger(course)
        self._show_job(course)
        if course.was_offline and self._gateway.is_switched:
            self._command(course, 1)
        course.wake()

    def _meter_run(self, course: JobCourse) -> None:
        """Add a reading to what a running job drew."""
        if course.add_reading(self.now_s, self._device.meter, self._gateway.idle_w):
            course.wake()

    def _meter_until_end(self, course: JobCourse) -> None:
        """Count the power of the last reading until now, if the device ends a job without a new reading."""
        if course.is_running and course.readings and self._device.meter.counter_wh is None:
            self._device.meter.advance(self.now_s)
            self._meter_run(course)

    def _look_for_waiting(self) -> None:
        """Ask for a job when the appliance behind a plug waits for its programme."""
        waiting, has_job = self._gateway.waiting, bool(self._courses.open)
        waits = self._appliance.waits(waiting, self._device.meter.power_w, self.now_s, has_job=has_job)
        if waits and waiting is not None:
            self._ask_for(JobAsked(profile=waiting.profile, ready_by_s=self.now_s + waiting.within_s))
            self._instruct_to_stop()

    # Jobs.

    def _ask_for(self, asked: JobAsked) -> None:
        asked_id = asked.id or self._courses.unused_id(self._owner)
        known = self._course(asked_id)
        if known is not None:
            self._device.complain("request", f"job {asked_id!r} already exists", "a different id for each job")
            self._show_job(known, again=True)
            return
        if len(self._courses.open) >= MAX_OPEN_JOBS:
            self._device.complain("request", f"{MAX_OPEN_JOBS} jobs are open", "fewer jobs at a time")
            return
        try:
            added = requested_job(asked, asked_id, self._profiles, self._gateway, self._device.id, self.now_s)
        except RequestError as error:
            self._device.complain("request", error.problem, error.expected)
            return
        job = added.job
        course = self._courses.add(JobCourse(job, asked_id, self._device.id, self.channel(), asked.reference))
        self.send(MANAGER, added)
        self._show_job(course)
        super().add_job(job)

    def add_job(self, job: Job) -> None:
        """See `Consumer.add_job`: the timeline adds a job that the device is to run."""
        course = self._courses.add(JobCourse(job, job.job_id, self._device.id, self.channel()))
        self._show_job(course)
        super().add_job(job)

    @property
    def _owner(self) -> str:
        """House and gateway id of the device; see `JobCourses.named`."""
        return f"{self._gateway.house}/{self._device.id}"

    def _course(self, asked_id: str) -> JobCourse | None:
        """Return a job by the id that the device knows."""
        return self._courses.named(asked_id, self._owner)

    def _open_ids(self) -> str:
        ids = [course.asked_id for course in self._courses.open]
        return f"one of: {', '.join(ids)}" if ids else "no job is open"

    def _has_begun(self, course: JobCourse) -> bool:
        """Return whether it is too late to withdraw a job."""
        contract = self.contracts.get(course.job.job_id)
        has_started = contract is not None and contract.start_s <= self.now_s
        return has_started or course.is_due or course.is_commanded or course.is_running

    def _withdraw(self, course: JobCourse, reason: str) -> None:
        if self._has_begun(course):
            return
        course.reason = reason
        self.send(MANAGER, JobWithdrawn(job_id=course.job.job_id))
        self.drop(course.job.job_id)

    def drop(self, job_id: str) -> None:
        """See `Consumer.drop`; a job started by hand counts as started, regardless of its contract."""
        course = self._courses[job_id]
        if course.is_open and not self._has_begun(course):
            course.state, course.outcome = "ABORTED", "withdrawn"
            super().drop(job_id)
            self._show_job(course)

    @override
    def contract_changed(self, job_id: str) -> None:
        course = self._courses[job_id]
        if course.state in {"NOT_SCHEDULED", "SCHEDULED"}:
            course.state = "SCHEDULED" if job_id in self.contracts else "NOT_SCHEDULED"
        self._show_job(course)
        self._show()

    # Execution.

    @override
    def runs_itself(self, job: Job) -> bool:
        del job
        return True

    async def execute(self, job: Job) -> None:
        """See `Consumer.execute`: command the device, and follow it until its programme is over."""
        course = self._courses[job.job_id]
        course.is_due = True
        if not course.is_open:
            if course.outcome == "withdrawn":  # and a producer accepted it for that very second
                self._conclude(course, "ABORTED", "withdrawn", course.reason)
            return
        if course.is_followed and self._gateway.rules >= 7:
            course.hand_over(self.channel())
        elif course.is_followed:
            course.wake()
        if await self._start(course):
            if not course.is_in_ledger:
                self._tell_ledger(course)
            await self._follow(course)
        self._show()

    async def _start(self, course: JobCourse) -> bool:
        """Command the device until it answers; return whether it runs."""
        while any(other.is_running for other in self._courses if other is not course):
            await self.until(self.now_s + self._gateway.answer_s)  # its earlier job runs longer than it was to
        for attempt in range(1, self._gateway.tries + 1):
            if self._commands.occupied_by and course.started_s is None:
                self._conclude(course, "ABORTED", "refused", _in_use(self._commands.occupied_by))
                return False
            if course.started_s is None and course.ended_by is None:
                self._command(course, attempt)
            until_s = self.now_s + self._gateway.answer_s
            while course.started_s is None and course.ended_by is None and not self.is_closing:
                if isinstance(await course.changed.get(until_s), TimeUp):
                    break
            if course.started_s is not None:
                course.outcome = course.outcome or ("on_time" if attempt == 1 else "late")
                self._show_job(course)
                return True
            if course.ended_by is not None:
                self._conclude(course, "ABORTED", course.outcome or "refused")
                return False
            if self.is_closing:
                self._conclude(course, "ABORTED", "run_ended")
                return False
        offline = "the device is offline" if self._device.is_available is False else ""
        self._conclude(course, "ABORTED", "no_answer", offline)
        return False

    async def _follow(self, course: JobCourse, *, until_due: bool = False) -> None:
        """Follow a running job to its end.

        Args:
            course: The job.
            until_due: Whether `execute` goes on with it from the start of its contract.
        """
        while course.is_open and not (until_due and course.is_due):
            if self.is_closing:
                self._conclude(course, "ABORTED", "run_ended")
                return
            is_lost, silent_s = (
                self._device.is_available is False,
                self.now_s - (self._device.last_heard_s or self.now_s),
            )
            end = course.end_at(self.now_s, self._gateway, self._device.meter, is_lost=is_lost, silent_s=silent_s)
            if end is not None:
                self._conclude(course, *end)
                return
            if course.renew_timer_s is not None and course.renew_timer_s <= self.now_s:
                renewed = self._commands.renew(course, self._device.id, self.now_s)
                if renewed is not None:
                    self.instruct(renewed)
            self._show_job(course)
            await course.changed.get(course.next_look_s(self.now_s, self._gateway))

    def _command(self, course: JobCourse, attempt: int) -> None:
        self.instruct(self._commands.start(course, self._device.id, self.now_s, attempt))
        self._show()

    def _instruct_to_stop(self, asked_id: str = "") -> None:
        """Switch the device off: after the job with this id, if there was one."""
        self.instruct(self._commands.stop(self._device.id, self.now_s, asked_id))

    def _conclude(self, course: JobCourse, state: JobState, outcome: ExecutionOutcome, reason: str = "") -> None:
        """Record a job's end: in the ledger, on its topic, and as what its next run is expected to draw."""
        course.state, course.outcome, course.is_commanded = state, outcome, False
        course.reason = reason or course.reason
        course.measured = course.drawn(self._device.meter)
        self._tell_ledger(course)
        self._show_job(course)
        if state == "FINISHED":
            if self._gateway.learns and course.measured is not None and course.measured.energy_wh > 0:
                self._profiles.learn(course.job.profile, course.measured)
            if self._gateway.is_switched and self._gateway.waiting is None:
                self._instruct_to_stop(course.asked_id)

    def _tell_ledger(self, course: JobCourse) -> None:
        contract = self.contracts.get(course.job.job_id)
        if contract is not None:
            self.send(
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

    async def _end(self) -> None:
        """Report the outcome of jobs that have not run when the run ends."""
        await self.closing()
        for course in self._courses:
            if course.is_open:
                course.wake()
                if not course.is_running and not course.is_commanded:
                    course.outcome = "run_ended"
                    self._show_job(course)
        self._show()

    # Notices.

    def _show_job(self, course: JobCourse, *, again: bool = False) -> None:
        """Publish a job if something changed."""
        notice = self._notices.newest(course, self.contracts.get(course.job.job_id), self.now_s, again=again)
        if notice is not None:
            self.instruct(notice)

    def _show(self) -> None:
        course = self._next_course()
        contract = None if course is None else self.contracts.get(course.job.job_id)
        self._device.show(
            state=None if course is None else course.state,
            job=None if course is None else course.asked_id,
            next_start_s=None if contract is None or course is None or not course.is_open else contract.start_s,
            supplier=None if contract is None or course is None else self._notices.terms.names(course.job, contract),
            commands=self._commands.sent,
            answers=self._commands.answered,
        )

    def _next_course(self) -> JobCourse | None:
        """Return the job that runs, or the next one, or else the last one."""
        is_open = self._courses.open
        running = [course for course in is_open if course.is_running or course.is_commanded]
        if running:
            return running[0]
        if is_open:
            return min(is_open, key=self._start_of)
        return self._courses.last


def _in_use(run: str) -> str:
    return f"run {run!r} commands the device"
