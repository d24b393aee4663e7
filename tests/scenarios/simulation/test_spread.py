"""The default number of hosts of a run."""

from __future__ import annotations

from broker.clock import Pace
from scenarios.load import load_scenario
from scenarios.simulation import Plan

STREET = load_scenario("street")


def test_a_run_in_one_process_has_one_host_where_that_is_faster() -> None:
    """Households get separate hosts if that is no slower, if a link may fail, or on request."""
    assert Plan(STREET, (1,)).spread == 1
    assert Plan(STREET, (1,), hosts=3).spread == 3
    assert Plan(STREET, (1,), processes=2).spread == 2
    assert Plan(STREET, (1,), hosts=5, processes=2).spread == 5
    assert Plan(STREET, (1,), hosts="houses").spread is None
    assert Plan(STREET, (1,), pace=Pace.parse("60x")).spread is None
    assert Plan(STREET, (1,), has_script=True).spread is None
    assert Plan(load_scenario("flaky-network"), (1,)).spread is None
