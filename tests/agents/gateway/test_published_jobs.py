"""What is published of a device's jobs, and when."""

from __future__ import annotations

import pytest

from agents.device_events import DeviceNotice
from agents.gateway.gateway_settings import PriceChange
from agents.gateway.job_course import JobCourse
from agents.gateway.published_jobs import JobNotices, SharedTerms, WholeJobTerms
from agents.model import GRID, SHARED
from agents.shares import Share
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


def test_a_job_with_one_supplier_names_it_and_its_house() -> None:
    """The grid has no house."""
    terms = WholeJobTerms(GATEWAY)
    assert terms.suppliers(WASH, contract("roof")) == [{"producer": "roof", "house": "brandt", "share": 1.0}]
    assert terms.suppliers(WASH, contract(GRID)) == [{"producer": GRID, "house": "", "share": 1.0}]
    assert terms.names(WASH, contract("roof")) == "roof"


def test_a_shared_job_names_all_suppliers_and_the_grid_with_the_rest() -> None:
    """Own panels cost nothing, the neighbour's 0.1 EUR/kWh and the grid 0.3."""
    terms = SharedTerms(GATEWAY)
    pv, roof = (Share(producer=name, minutes_mwh=((60, mwh),)) for name, mwh in (("pv", 5_000), ("roof", 3_000)))
    shared = contract(SHARED, pv, roof)
    assert [(one["producer"], one["share"], one["energy_wh"]) for one in terms.suppliers(WASH, shared)] == [
        ("pv", 0.5, 300.0),
        ("roof", 0.3, 180.0),
        (GRID, 0.2, 120.0),
    ]
    assert terms.names(WASH, shared) == f"pv + roof + {GRID}"
    assert terms.price_eur(WASH, shared, ()) == pytest.approx(0.018 + 0.036)
