"""What a device learns about the suppliers and the price of its jobs."""

from __future__ import annotations

import pytest

from agents.gateway.supply_terms import SharedTerms, WholeJobTerms
from agents.model import GRID, SHARED
from agents.shares import Share
from tests.agents.gateway.washing import GATEWAY, contract, wash

WASH = wash(energy_wh=600.0)


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
