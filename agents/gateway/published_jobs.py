"""What a device and its watchers learn about its jobs, and the state of the device that follows from them.

A job is published on its device's topic `job` whenever its state, its start, who supplies it or what it costs changes
(`docs/devices.md`). The suppliers of a job, the share of each and the price are its *supply terms*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from agents.device_events import DeviceNotice
from agents.energy import IntArray
from agents.gateway.device_commands import DeviceCommands
from agents.gateway.gateway_settings import GatewaySettings, PriceChange
from agents.gateway.job_course import JobCourse, JobCourses
from agents.gateway.job_requests import in_utc
from agents.gateway.represented_device import RepresentedDevice
from agents.messages import AnyMessage
from agents.model import GRID, SHARED, Contract, Job
from agents.shares import load_mwh, unpacked
from broker.hosts import Agent


class SupplyTerms(Protocol):
    """Describes to a device who supplies its jobs, and at what price."""

    def suppliers(self, job: Job, contract: Contract) -> list[dict[str, Any]]:
        """Return the suppliers of a job as they are listed on the topic `job`."""
        ...

    def names(self, job: Job, contract: Contract) -> str:
        """Return the names of all suppliers, as on the topic `state`."""
        ...

    def price_eur(self, job: Job, contract: Contract, changes: Sequence[PriceChange]) -> float | None:
        """Return what a job costs, EUR; None if there are no prices.

        Args:
            job: The job.
            contract: Its contract.
            changes: How prices have changed since the run's start, in order of time.
        """
        ...


@dataclass(frozen=True, slots=True)
class WholeJobTerms:
    """The terms of jobs that one producer, or the grid, supplies alone."""

    gateway: GatewaySettings

    def suppliers(self, job: Job, contract: Contract) -> list[dict[str, Any]]:
        """See `SupplyTerms.suppliers`: the only one, with all of the job."""
        del job
        house = self.gateway.producer_houses.get(contract.producer, "")
        return [{"producer": contract.producer, "house": house, "share": 1.0}]

    def names(self, job: Job, contract: Contract) -> str:
        """See `SupplyTerms.names`."""
        del job
        return contract.producer

    def price_eur(self, job: Job, contract: Contract, changes: Sequence[PriceChange]) -> float | None:
        """See `SupplyTerms.price_eur` for the arguments."""
        return self.gateway.price_eur(contract.producer, job.load_profile, contract.start_s, changes)


@dataclass(frozen=True, slots=True)
class SharedTerms:
    """The terms of jobs that several producers supply, and the grid with what they do not give; see `SupplyTerms`."""

    gateway: GatewaySettings

    def suppliers(self, job: Job, contract: Contract) -> list[dict[str, Any]]:
        """Return who supplies a job, and how much each gives; the grid, which gives the rest, is the last one."""
        job_mwh = int(load_mwh(job.as_sent.load_profile, contract.start_s).sum())
        return [
            {
                "producer": supplier,
                "house": self.gateway.producer_houses.get(supplier, ""),
                "share": round(int(minutes_mwh.sum()) / job_mwh, 6) if job_mwh else 1.0,
                "energy_wh": int(minutes_mwh.sum()) / 1_000,
            }
            for supplier, minutes_mwh in _given(job, contract).items()
        ]

    def names(self, job: Job, contract: Contract) -> str:
        """See `SupplyTerms.names`."""
        return " + ".join(_given(job, contract))

    def price_eur(self, job: Job, contract: Contract, changes: Sequence[PriceChange]) -> float | None:
        """See `SupplyTerms.price_eur` for the arguments."""
        given_wh = {supplier: minutes_mwh / 1_000 for supplier, minutes_mwh in _given(job, contract).items()}
        return self.gateway.shared_price_eur(given_wh, contract.start_s, changes)


def _given(job: Job, contract: Contract) -> dict[str, IntArray]:
    """Return what each supplier of a job gives, the grid too if it gives anything, mWh in each minute."""
    drawn_mwh: IntArray = load_mwh(job.as_sent.load_profile, contract.start_s)
    if contract.producer != SHARED:
        return {contract.producer: drawn_mwh}
    given = {share.producer: unpacked(share.minutes_mwh, len(drawn_mwh)) for share in contract.shares}
    rest_mwh = drawn_mwh - np.sum(list(given.values()), axis=0)
    return {**given, GRID: rest_mwh} if rest_mwh.any() else given


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
