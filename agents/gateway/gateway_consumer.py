"""The gateway agent of a real consumer device: negotiates its jobs like any consumer, and has the device run them.

The run never waits for the device: the device gets a command when a contract starts, and its messages arrive as events
with their virtual time.

- `RepresentedDevice` knows the device: its meter, and whether it is there.
- `JobCourses` has the jobs, and how far each of them has come.
- `JobExecutor` commands the device, and follows its jobs to their ends.
- `PublishedJobs` publishes the jobs and the device's state.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from typing_extensions import override

from agents.consumer import Consumer, MakeConsumerSupply
from agents.device_events import (
    Announced,
    Availability,
    CommandRefused,
    DeviceEvent,
    Forecasted,
    JobAsked,
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
from agents.gateway.job_executor import JobExecutor
from agents.gateway.job_requests import MAX_PROFILES, DeviceProfiles, RequestError, requested_job
from agents.gateway.published_jobs import JobNotices, PublishedJobs, SupplyTerms, WholeJobTerms
from agents.gateway.represented_device import RepresentedDevice
from agents.gateway.waiting_appliance import WaitingDetector
from agents.job_register import JobAllowance
from agents.messages import MAX_REASON_CHARACTERS, AnyMessage, ChangePrices, DeviceSaid, JobWithdrawn
from agents.model import MANAGER, Job
from agents.whole_supply import WholeConsumerSupply
from broker.hosts import Received
from broker.protocol import clipped

log = structlog.get_logger(__name__)

MAX_OPEN_JOBS = 100
"""More jobs that have not ended are refused."""


class GatewayConsumer(Consumer):
    """Represents one real consumer device, or a guest that may join."""

    def __init__(
        self,
        agent_id: str,
        jobs: Sequence[Job],
        *,
        patient: bool,
        gateway: GatewaySettings,
        is_there: bool = True,
        terms: SupplyTerms | None = None,
        supply: MakeConsumerSupply = WholeConsumerSupply,
    ) -> None:
        """Create the agent.

        Args:
            agent_id: See `agents.model.consumer_agent`.
            jobs: Jobs of the device that the scenario names.
            patient: As for every consumer.
            gateway: The device.
            is_there: As for every consumer.
            terms: How the device is told who supplies its jobs; None: as for jobs with one supplier each.
            supply: As for every consumer.
        """
        super().__init__(agent_id, jobs, patient=patient, is_there=is_there, supply=supply)
        self._gateway = gateway
        self._device = RepresentedDevice(self, gateway, "consumer", (JobAsked, JobTakenBack, Occupied, Vacated))
        self._profiles = DeviceProfiles(gateway.profiles, gateway.profile)
        self._courses = JobCourses(self.contracts)
        self._allowance = JobAllowance()
        for job in jobs:
            self._courses.add(JobCourse(job, job.job_id, self._device.id, self.channel()))
        self._commands = DeviceCommands(gateway)
        self._notices = JobNotices(terms or WholeJobTerms(gateway))
        self._published = PublishedJobs(self, self._device, self._courses, self._commands, self._notices)
        self._executor = JobExecutor(self, gateway, self._device, self._courses, self._commands, self._published)
        self.real_device = self._executor
        self._appliance = WaitingDetector()

    @override
    async def run(self) -> None:
        self.spawn(self._end(), "device")
        if self._device.id:
            self._published.show_state()
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
        self._published.show_state()

    def _take_guest(self, device: str) -> None:
        """Represent a guest that has joined."""
        self._device.become_guest(device)
        self._profiles = DeviceProfiles(self._gateway.profiles)
        if self._gateway.rules >= 5:
            self._commands.restart_counts()

    def change_prices(self, prices: ChangePrices) -> None:
        """See `Consumer.change_prices` for `prices`; the device is informed of what its jobs cost now."""
        super().change_prices(prices)
        change = PriceChange(self.now_s, prices.import_eur_per_kwh, prices.neighbour_eur_per_kwh)
        self._notices.change_prices(change)
        for course in self._courses.open:
            self._published.show_job(course, again=False)

    def _hear(self, said: DeviceEvent) -> None:
        match said:
            case Announced(type="consumer", name=name, profiles=profiles):
                self._device.name = name or self._device.name
                if not self._profiles.take(profiles):
                    self._device.complain("announce", f"more than {MAX_PROFILES} profiles", "the same names each time")
            case Announced() | Forecasted():
                what = "announce" if isinstance(said, Announced) else "forecast"
                expected = "type 'consumer'" if isinstance(said, Announced) else "forecasts only of producers"
                self._device.complain(what, "the device is a consumer", expected)
            case Left() | Availability():
                self._take_presence(said)
            case JobAsked():
                self._ask_for(said)
            case JobTakenBack(id=asked_id):
                self._take_back(asked_id)
            case Reported():
                self._executor.take_report(said)
                self._look_for_waiting()
            case CommandRefused() | Occupied() | Vacated():
                self._take_obstacle(said)
            case Rejected(topic=topic, problem=problem, expected=expected, payload=payload):
                self._device.complain(topic, problem, expected, payload)

    def _take_presence(self, said: Left | Availability) -> None:
        if isinstance(said, Availability):
            self._executor.take_availability(online=said.online)
            return
        self._device.is_available = False
        for course in self._courses:
            if course.is_open and self._courses.has_begun(course, self.now_s):
                self._executor.abort(course, "vanished", "its device has left")
            elif course.is_open:
                self._withdraw(course, "its device has left")

    def _take_back(self, asked_id: str) -> None:
        course = self._course(asked_id)
        if course is None or not course.is_open:
            self._device.complain("withdraw", f"there is no open job {asked_id!r}", self._courses.open_ids)
        elif self._courses.has_begun(course, self.now_s):
            self._device.complain("withdraw", f"job {asked_id!r} runs", "a job that has not started")
        else:
            self._withdraw(course, "")

    def _take_obstacle(self, said: CommandRefused | Occupied | Vacated) -> None:
        """The device does not obey, or must not be commanded, or may be commanded again."""
        match said:
            case CommandRefused(problem=problem):
                self._commands.answered += any(course.awaits_answer for course in self._courses)
                self._executor.take_refusal(clipped(problem, MAX_REASON_CHARACTERS))  # recordings hold longer ones
            case Occupied(run=run):
                self._commands.occupied_by, self._device.is_available = run, False
                if self._gateway.rules >= 9:
                    self._device.meter.go_offline(self.now_s)  # its messages are not read
                log.warning("device is commanded by another run", device=self._device.id, run=run)
                expected = "the end of that run; until then, this one does not command the device"
                self._device.answer_error("claims", self._commands.why_occupied, expected)
                self._executor.take_refusal(self._commands.why_occupied)
            case Vacated():
                self._commands.occupied_by, self._device.is_available = "", None
                if self._gateway.rules >= 9:
                    self._device.meter.come_online(self.now_s)

    def _look_for_waiting(self) -> None:
        """Ask for a job when the appliance behind a plug waits for its programme."""
        waiting, has_job = self._gateway.waiting, bool(self._courses.open)
        waits = self._appliance.waits(waiting, self._device.meter.power_w, self.now_s, has_job=has_job)
        if waits and waiting is not None:
            self._ask_for(JobAsked(profile=waiting.profile, ready_by_s=self.now_s + waiting.within_s))
            self._executor.instruct_to_stop()

    # Jobs.

    def _ask_for(self, asked: JobAsked) -> None:
        asked_id = asked.id or self._courses.unused_id(self._device.qualified_id)
        known = self._course(asked_id)
        if known is not None:
            self._device.complain("request", f"job {asked_id!r} already exists", "a different id for each job")
            self._published.show_job(known, again=True)
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
        if too_much := self._allowance.take(job, self.now_s):
            self._device.complain("request", f"the device asks for {too_much}", "fewer, shorter or simpler jobs")
            return
        course = self._courses.add(JobCourse(job, asked_id, self._device.id, self.channel(), asked.reference))
        self.send(MANAGER, added)
        self._published.show_job(course)
        super().add_job(job)

    def add_job(self, job: Job) -> None:
        """See `Consumer.add_job`: the timeline adds a job that the device is to run."""
        course = self._courses.add(JobCourse(job, job.job_id, self._device.id, self.channel()))
        self._published.show_job(course)
        super().add_job(job)

    def _course(self, asked_id: str) -> JobCourse | None:
        """Return a job by the id that the device knows."""
        return self._courses.named(asked_id, self._device.qualified_id)

    def _withdraw(self, course: JobCourse, reason: str) -> None:
        if self._courses.has_begun(course, self.now_s):
            return
        course.reason = reason
        self.send(MANAGER, JobWithdrawn(job_id=course.job.job_id))
        self.drop(course.job.job_id)

    def drop(self, job_id: str) -> None:
        """See `Consumer.drop`; a job started by hand counts as started, regardless of its contract."""
        course = self._courses[job_id]
        if course.is_open and not self._courses.has_begun(course, self.now_s):
            course.state, course.outcome = "ABORTED", "withdrawn"
            super().drop(job_id)
            self._published.show_job(course)

    @override
    def contract_changed(self, job_id: str) -> None:
        course = self._courses[job_id]
        if course.state in {"NOT_SCHEDULED", "SCHEDULED"}:
            course.state = "SCHEDULED" if job_id in self.contracts else "NOT_SCHEDULED"
        self._published.show_job(course)
        self._published.show_state()

    # Execution.

    def job_begun(self, job: Job) -> None:
        """Inform the supply that the device runs a job; called whenever the device has said so."""
        self.supply.job_begun(job)

    def job_finished(self, course: JobCourse) -> None:
        """Expect of the next job with the same load profile what this one has drawn."""
        measured = course.measured
        if self._gateway.learns and measured is not None and measured.energy_wh > 0 and not course.is_doubtful:
            self._profiles.learn(course.job.profile, measured)

    async def _end(self) -> None:
        """Report the outcome of jobs that have not run when the run ends."""
        await self.closing()
        self._executor.complete_vanished()
        for course in self._courses:
            if course.is_open:
                course.wake()
                if not course.is_running and not course.is_commanded:
                    course.outcome = "run_ended"
                    self._published.show_job(course)
        self._published.show_state()
