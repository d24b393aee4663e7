"""What a device and its watchers learn about its jobs, and the state of the device that follows from them.

A job is published on its device's topic `job` whenever its state, its start, who supplies it or what it costs changes
(`docs/devices.md`).
"""

from __future__ import annotations

from typing import Any

from agents.device_events import DeviceNotice
from agents.gateway.device_commands import DeviceCommands
from agents.gateway.gateway_settings import PriceChange
from agents.gateway.job_course import JobCourse, JobCourses
from agents.gateway.job_requests import in_utc
from agents.gateway.represented_device import RepresentedDevice
from agents.gateway.supply_terms import SupplyTerms
from agents.messages import AnyMessage
from agents.model import Contract
from broker.hosts import Agent


class JobNotices:
    """The notices of one device's jobs, of which each is published only if it differs from the one before."""

    __slots__ = ("_price_changes", "_shown", "terms")

    def __init__(self, terms: SupplyTerms) -> None:
        """Begin with no notice.

        Args:
            terms: Describes the supply of its jobs to the device.
        """
        self.terms = terms
        self._price_changes: tuple[PriceChange, ...] = ()
        self._shown: dict[str, dict[str, Any]] = {}
        """By job id, the newest notice without its time."""

    def change_prices(self, change: PriceChange) -> None:
        """Calculate with other prices from a time on."""
        self._price_changes += (change,)

    def newest(
        self, course: JobCourse, contract: Contract | None, now_s: int, *, again: bool = False
    ) -> DeviceNotice | None:
        """Return the notice to be published of a job; None if it has been published, or the job's device has no id.

        Args:
            course: The job on its device.
            contract: The job's contract; None: it has none.
            now_s: Virtual time, UNIX seconds.
            again: Whether to publish it although nothing has changed.
        """
        content = self._content(course, contract)
        if not course.device or not (again or self._shown.get(course.job.job_id) != content):
            return None
        self._shown[course.job.job_id] = content
        return DeviceNotice(part="job", device=course.device, content={**content, "time": now_s})

    def _content(self, course: JobCourse, contract: Contract | None) -> dict[str, Any]:
        job, start_s = course.job, None if contract is None else contract.start_s
        price_eur = None if contract is None else self.terms.price_eur(job, contract, self._price_changes)
        return {
            "id": course.asked_id,
            "state": course.state,
            "suppliers": [] if contract is None else self.terms.suppliers(job, contract),
            "start": start_s,
            "start_iso": None if start_s is None else in_utc(start_s),
            "end": None if start_s is None else start_s + job.duration_s,
            "energy_wh": round(job.energy_wh, 3),
            "price_eur": None if price_eur is None else round(price_eur, 6),
            "measured_wh": None if course.measured is None else round(course.measured.energy_wh, 3),
            "outcome": course.outcome,
            "reason": course.reason,
        }


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
