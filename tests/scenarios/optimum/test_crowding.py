"""Inequalities that every whole plan keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from scenarios.optimum.cuts import KINDS, Kind


@given(st.lists(st.integers(0, 60) | st.floats(0, 60), min_size=1, max_size=8), st.sampled_from(KINDS), st.booleans())
def test_loads_that_fit_together_count_one_at_most(loads: list[float], kind: Kind, exactly: bool) -> None:  # noqa: FBT001 - drawn
    """Whatever their shares, also those on the very steps of a function."""
    total = sum(loads)
    full = total if exactly and total > 0 else 60.0 * max(1.0, total / 60.0)
    assert kind.counts(np.array(loads) / full).sum() <= 1.0 + 1e-9


def test_two_loads_of_more_than_half_do_not_fit() -> None:
    """The simplest crowd tells what energy does not: one of them is all there is room for."""
    assert Kind(steps=1).counts(np.array([0.51, 0.5, 0.49])) == pytest.approx([1.0, 0.5, 0.0])


def test_no_kind_counts_more_than_the_whole() -> None:
    """A load that takes all of the sun counts 1."""
    assert all(kind.counts(np.array([1.0]))[0] <= 1.0 for kind in KINDS)
