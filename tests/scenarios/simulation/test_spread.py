"""On how many hosts the agents of a run are, unless somebody says."""

from __future__ import annotations

from broker.clock import Pace
from scenarios.load import load_scenario
from scenarios.simulation import Plan

STREET = load_scenario("street")


def test_a_run_in_one_process_has_one_host_where_that_is_faster() -> None:
    """Each household has its own where it is no faster, where its link may fail, and where somebody wants it so."""
    assert Plan(STREET, (1,)).spread == 1
    assert Plan(STREET, (1,), hosts=3).spread == 3
    assert Plan(STREET, (1,), processes=2).spread == 2
    assert Plan(STREET, (1,), hosts=5, processes=2).spread == 5
    assert Plan(STREET, (1,), hosts="houses").spread is None
    assert Plan(STREET, (1,), pace=Pace.parse("60x")).spread is None
    assert Plan(STREET, (1,), has_script=True).spread is None
    assert Plan(load_scenario("flaky-network"), (1,)).spread is None
