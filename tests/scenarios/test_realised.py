"""A scenario as a run realised it, from messages of households' processes."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.files.scenario_from_text import load_text
from scenarios.realised_scenario import realise
from tests.scenarios.devices.session import STREET

WASHER = "adler/washer"
LOAD = {"times_s": [0, 60], "cumulative_wh": [0.0, 5.0]}


def added(**changes: Any) -> dict[str, Any]:
    """Return what a gateway says when its device asks for a job."""
    job = {
        "job_id": "adler/washer/1",
        "source_id": "1",
        "house": "adler",
        "device": "washer",
        "profile": "eco40",
        "load_profile": LOAD,
        "registered_s": 1782021600,
        "earliest_start_s": 1782021600,
        "latest_start_s": 1782025200,
    }
    return {"kind": "AddJob", "job": {**job, **changes}}


@pytest.mark.parametrize(
    "nonsense",
    [
        {"kind": "AddJob"},
        {"kind": "AddJob", "job": 5},
        added(latest_start_s="soon"),
        added(load_profile={"times_s": [0, 10**12], "cumulative_wh": [0.0, 1.0]}),
        added(house="brandt", device="dryer", job_id="brandt/dryer/1"),
        {"kind": "JobExecuted", "job_id": "brandt/dryer"},
        {"kind": "ProductionMeasured", "producer": "pv", "production": LOAD},
    ],
    ids=str,
)
def test_nonsense_of_a_household_adds_nothing_and_ends_nothing(nonsense: dict[str, Any]) -> None:
    """The clock reads messages of other processes as they are."""
    street = load_text(STREET, "street", None)
    realised = realise(street, [(WASHER, nonsense), (WASHER, added())])
    assert [job.job_id for job in realised.agreed.jobs] == ["adler/washer/1", "brandt/dryer"]
    assert realised.scenario.producers == street.producers


@pytest.mark.parametrize(
    ("started_s", "expected_s"), [(1782021660, {"adler/washer/1": 1782021660}), (0, {}), (10**12, {}), (-(10**12), {})]
)
def test_a_start_that_no_device_can_have_had_is_passed_over(started_s: int, expected_s: dict[str, int]) -> None:
    """Results are settled from there on, in minutes: a clock in 1970 would fill the memory."""
    executed = {
        "kind": "JobExecuted",
        "contract_id": "adler/washer/1/1",
        "job_id": "adler/washer/1",
        "state": "FINISHED",
        "outcome": "on_time",
        "started_s": started_s,
    }
    realised = realise(load_text(STREET, "street", None), [(WASHER, added()), (WASHER, executed)])
    assert dict(realised.started_s) == expected_s
