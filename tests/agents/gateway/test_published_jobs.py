"""What is published of a device's jobs, and when."""

from __future__ import annotations

from agents.device_events import DeviceNotice
from agents.gateway.gateway_settings import PriceChange
from agents.gateway.job_course import JobCourse
from agents.gateway.published_jobs import JobNotices
from agents.gateway.supply_terms import WholeJobTerms
from broker.hosts import Agent
from broker.hosts.coroutines import Channel
from tests.agents.gateway.washing import GATEWAY, START_S, contract, wash

WASH = wash(energy_wh=600.0)


def washing(device: str = "w") -> JobCourse:
    """Return the course of a wash that has not started."""
    return JobCourse(WASH, "wash-1", device, Channel(Agent("adler/washer")))


def content(notice: DeviceNotice | None, *keys: str) -> list[object]:
    """Return some values of a notice."""
    assert notice is not None
    return [notice.content[key] for key in keys]


def test_a_job_without_a_contract_has_no_supplier_no_start_and_no_price() -> None:
    """Everything else is known."""
    notice = JobNotices(WholeJobTerms(GATEWAY)).newest(washing(), None, START_S)
    assert content(notice, "id", "state", "energy_wh", "time") == ["wash-1", "NOT_SCHEDULED", 600.0, START_S]
    assert content(notice, "suppliers", "start", "start_iso", "end", "price_eur") == [[], None, None, None, None]


def test_a_job_is_published_again_only_if_something_but_the_time_has_changed() -> None:
    """Unless it is wanted: a device that asks for the same job again is answered."""
    notices, course = JobNotices(WholeJobTerms(GATEWAY)), washing()
    assert notices.newest(course, None, START_S) is not None
    assert notices.newest(course, None, START_S + 1) is None
    assert notices.newest(course, None, START_S + 2, again=True) is not None
    course.state = "SCHEDULED"
    assert content(notices.newest(course, contract("pv"), START_S + 3), "start_iso") == ["2026-06-21T06:00:00Z"]
    assert notices.newest(course, contract("pv"), START_S + 4) is None


def test_nothing_is_published_of_a_job_whose_device_has_no_id() -> None:
    """It is the job of a place that no guest has taken."""
    assert JobNotices(WholeJobTerms(GATEWAY)).newest(washing(""), None, START_S, again=True) is None


def test_a_price_that_changes_is_published_and_counts_from_then_on() -> None:
    """The neighbour's 600 Wh cost 0.06 EUR; in the second half of the hour they cost twice as much."""
    notices, course = JobNotices(WholeJobTerms(GATEWAY)), washing()
    assert content(notices.newest(course, contract("roof"), START_S), "price_eur") == [0.06]
    notices.change_prices(PriceChange(START_S + 1_800, None, 0.2))
    assert content(notices.newest(course, contract("roof"), START_S), "price_eur") == [0.09]
