"""Scales of comparisons where values differ by almost nothing: readable ticks, no digits of rounding errors."""

from __future__ import annotations

import pytest

from scenarios.metrics import FIGURES, SampleStatistics
from scenarios.results.comparison.figure import TextShape, _Axis
from tui.results.interval_chart import Scale

SHARE = next(figure for figure in FIGURES if figure.name == "self_sufficiency")


@pytest.mark.parametrize(("low", "high"), [(0.961, 0.961 + 1e-15), (0.961, 0.96101), (0.1, 0.9)])
def test_the_ends_of_a_scale_differ_and_are_short(low: float, high: float) -> None:
    """This holds in the terminal application, and for the ticks in a saved figure."""
    spread = SampleStatistics(3, (low + high) / 2, 0.0, low, high, low, high)
    ends = Scale(SHARE, [spread], 40).axis().split()
    assert ends[0] != ends[1]
    assert max(map(len, ends)) <= 9
    grid = _Axis((0.1, 0.9), (low, high)).grid(0, 10)
    ticks = [shape.text for shape in grid if isinstance(shape, TextShape)]
    assert len(set(ticks)) == len(ticks) >= 3
    assert max(map(len, ticks)) <= 9
