"""A member that lies by seed. More: `make soak`."""

from __future__ import annotations

import pytest

from agents.ranking import ABOUT_RANKING
from scenarios.scenario import Scenario
from tests.faults.liar import FIRST_WIDE, Liar, negotiating_of, run_seed, variant_of


@pytest.mark.parametrize(
    "seed",
    [
        4,
        10010,
        *(
            pytest.param(seed, marks=pytest.mark.long)
            for seed in (*range(5, 40), 843, 2307, 3883, 4325, *range(5000, 5008), 4859, 5361, 10000, 10014, 10028)
        ),
    ],
)
def test_a_lying_member_harms_no_other_member(street: Scenario, seed: int) -> None:
    """The run is done, jobs of others have contracts, and both parties signed every contract."""
    assert run_seed(variant_of(street, seed), seed) == ()


def test_the_seeds_have_every_rule_in_turn(street: Scenario) -> None:
    """Whole supply, shared supply, and promises that become firm late, in two neighbourhoods; later, all settings."""
    rules = [(variant.supply, variant.promise) for variant in (variant_of(street, seed) for seed in range(4))]
    assert rules == [("whole", "early"), ("shared", "early"), ("whole", "late"), ("whole", "late")]
    wide = {seed: variant_of(street, seed) for seed in range(FIRST_WIDE, FIRST_WIDE + 40)}
    assert {bool(scenario.gateways) for scenario in wide.values()} == {False, True}
    negotiating = [negotiating_of(scenario, seed) for seed, scenario in wide.items()]
    assert {settings.ask_at_once for settings in negotiating} >= {1, 2, 4, 64}
    assert {settings.ranking for settings in negotiating} == set(ABOUT_RANKING)
    assert {Liar(scenario, seed).on_loss for seed, scenario in wide.items()} == {"drop", "wait"}


@pytest.mark.long
def test_a_seed_lies_the_same_way_again(street: Scenario) -> None:
    """So a finding can be reproduced."""
    lies = []
    for _ in range(2):
        liar = Liar(street, 9)
        assert run_seed(street, 9, liar=liar) == ()
        lies.append(liar.lies)
    assert lies[0] == lies[1] != []
