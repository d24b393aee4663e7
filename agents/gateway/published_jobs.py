"""What is published of the jobs of a device: each of them, and the state of the device that follows from them."""

from __future__ import annotations

from agents.gateway.device_commands import DeviceCommands
from agents.gateway.job_course import JobCourse, JobCourses
from agents.gateway.job_notices import JobNotices
from agents.gateway.represented_device import RepresentedDevice
from agents.messages import AnyMessage
from broker.hosts import Agent


class PublishedJobs:
    """Publishes the jobs and the state of one consumer device whenever they have changed."""

    __slots__ = ("_agent", "_commands", "_courses", "_device", "_notices")

    def __init__(
        self,
        agent: Agent[AnyMessage],
        device: RepresentedDevice,
        courses: JobCourses,
        commands: DeviceCommands,
        notices: JobNotices,
    ) -> None:
        """Begin with nothing published.

        Args:
            agent: The agent of the device, which sends the messages.
            device: The device.
            courses: Its jobs.
            commands: The commands to it, which are counted in its state.
            notices: Says of each job what is published.
        """
        self._agent = agent
        self._device = device
        self._courses = courses
        self._commands = commands
        self._notices = notices

    def show_job(self, course: JobCourse, *, again: bool = False) -> None:
        """Publish a job if something has changed, or `again` although nothing has."""
        notice = self._notices.newest(course, self._courses.contract_of(course), self._agent.now_s, again=again)
        if notice is not None:
            self._agent.instruct(notice)

    def show_state(self) -> None:
        """Publish the state of the device if something has changed: with the job that runs, or the next one."""
        course = self._courses.next
        contract = None if course is None else self._courses.contract_of(course)
        self._device.show(
            state=None if course is None else course.state,
            job=None if course is None else course.asked_id,
            next_start_s=None if contract is None or course is None or not course.is_open else contract.start_s,
            supplier=None if contract is None or course is None else self._notices.terms.names(course.job, contract),
            commands=self._commands.sent,
            answers=self._commands.answered,
        )
