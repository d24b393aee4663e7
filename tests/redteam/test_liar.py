"""A member that lies by seed. More: `make soak`."""

from __future__ import annotations

import pytest

from scenarios.scenario import Scenario
from tests.faults.liar import Liar, run_seed


@pytest.mark.parametrize("seed", [3, 5, 9, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(10, 40))])
def test_a_lying_member_harms_nobody_else(street: Scenario, seed: int) -> None:
    """The run is done, the others' jobs have their contracts, and every contract was signed by both its parties."""
    assert run_seed(street, seed) == ()


def test_a_seed_lies_the_same_way_again(street: Scenario) -> None:
    """Or nobody could repeat what it found."""
    lies = []
    for _ in range(2):
        liar = Liar(street, 9)
        assert run_seed(street, 9, liar=liar) == ()
        lies.append(liar.lies)
    assert lies[0] == lies[1] != []
