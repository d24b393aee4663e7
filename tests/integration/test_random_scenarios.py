"""Random scenarios give the same results however they are run, and energy that a second computation finds."""

from __future__ import annotations

import pytest

from tests.faults.random_runs import problems_of


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_a_random_scenario_gives_the_same_results_in_each_way_and_true_energy(seed: int) -> None:
    """On one host and, depending on the seed, on several, over a bad network, or deployed with crashes."""
    assert problems_of(seed) == []
