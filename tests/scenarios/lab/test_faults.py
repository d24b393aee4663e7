"""Faults of the devices of a lab that overlap."""

from __future__ import annotations

import pytest

from scenarios.lab.lab import fault_in_force
from scenarios.scenario import Fault

FAULTS = (
    Fault("lies", at_s=10, until_s=40, device="adler/*", factor=2.0),
    Fault("lies", at_s=20, until_s=30, device="adler/washer", factor=3.0),
    Fault("dead", at_s=25, device="adler/washer"),
)


@pytest.mark.parametrize(
    ("now_s", "factor"), [(9, None), (10, 2.0), (19, 2.0), (20, 3.0), (29, 3.0), (30, 2.0), (39, 2.0), (40, None)]
)
def test_the_end_of_a_fault_does_not_end_another_one(now_s: int, factor: float | None) -> None:
    """Of several faults of a kind the one counts that began last; when it is over, the one before counts again."""
    found = fault_in_force(FAULTS, "lies", "adler/washer", now_s)
    assert (None if found is None else found.factor) == factor


def test_a_fault_without_an_end_lasts() -> None:
    """It is a fault of the devices that it names only."""
    assert fault_in_force(FAULTS, "dead", "adler/washer", 10**9) == FAULTS[2]
    assert fault_in_force(FAULTS, "dead", "adler/dryer", 10**9) is None
