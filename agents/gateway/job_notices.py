"""What a device and its watchers learn about a job: its state, who supplies it, when it starts, what it costs.

A job is published on its device's topic `job` whenever any of this changes (`docs/devices.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agents.device_events import DeviceNotice
from agents.gateway.gateway_settings import GatewaySettings, PriceChange
from agents.gateway.job_course import JobCourse
from agents.gateway.job_requests import in_utc
from agents.model import Contract, Job


class SupplyTerms(Protocol):
    """How a device is told who supplies its jobs, and what that costs."""

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


class JobNotices:
    """The notices of one device's jobs, of which each is published only if it differs from the one before."""

    __slots__ = ("_price_changes", "_shown", "terms")

    def __init__(self, terms: SupplyTerms) -> None:
        """Begin with no notice.

        Args:
            terms: How the device is told of its jobs' supply.
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
