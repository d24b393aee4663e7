"""Inequalities that every whole plan keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from scenarios.optimum.cuts import DUAL_FEASIBLE_FUNCTIONS, DualFeasibleFunction


@given(
    st.lists(st.integers(0, 60) | st.floats(0, 60), min_size=1, max_size=8),
    st.sampled_from(DUAL_FEASIBLE_FUNCTIONS),
    st.booleans(),
)
def test_loads_that_fit_together_count_one_at_most(
    loads: list[float],
    function: DualFeasibleFunction,
    exactly: bool,  # noqa: FBT001 - drawn
) -> None:
    """This holds for any shares, also for those exactly on the steps of a function."""
    total = sum(loads)
    full = total if exactly and total > 0 else 60.0 * max(1.0, total / 60.0)
    assert function.coefficients(np.array(loads) / full).sum() <= 1.0 + 1e-9


def test_two_loads_of_more_than_half_do_not_fit() -> None:
    """The simplest cut excludes what an energy balance allows: there is room for one of them only."""
    assert DualFeasibleFunction(steps=1).coefficients(np.array([0.51, 0.5, 0.49])) == pytest.approx([1.0, 0.5, 0.0])


def test_no_function_exceeds_one_for_the_whole_limit() -> None:
    """A load that takes all of the production has the coefficient 1."""
    assert all(function.coefficients(np.array([1.0]))[0] <= 1.0 for function in DUAL_FEASIBLE_FUNCTIONS)
