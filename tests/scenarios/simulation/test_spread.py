"""The default number of hosts of a run."""

from __future__ import annotations

import pytest

from broker import SsmicError
from broker.clock import Pace
from scenarios.load import load_scenario
from scenarios.simulation import Plan
from tests.scenarios.neighbourhoods import neighbourhood

STREET = load_scenario("street")
TOO_LARGE = neighbourhood({f"{i:04}".rjust(200, "h"): {} for i in range(2600)}, [])
"""The names of its devices alone take more than a message can have."""


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


def test_a_neighbourhood_too_large_for_a_broker_runs_in_memory() -> None:
    """The roster that names all agents is one message; only what asks for a broker is refused, before it begins."""
    plan = Plan(TOO_LARGE, (1,))
    with pytest.raises(SsmicError, match=r"roster of 2601 agents takes .* --bus memory"):
        plan.check_fits_broker()
    assert plan.with_a_bus_that_fits().bus == "memory"
    assert Plan(STREET, (1,)).with_a_bus_that_fits().bus == "mqtt"
