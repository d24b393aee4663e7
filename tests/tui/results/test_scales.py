"""Scales of comparisons where values differ by almost nothing: readable ticks, no digits of rounding errors."""

from __future__ import annotations

import pytest

from scenarios.metrics import FIGURES, SampleStatistics
from scenarios.results.comparison.figure import TextShape, _Axis
from tui.formatting import fit
from tui.results.comparison.interval_chart import Scale, label_width

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


@pytest.mark.parametrize("width", [40, 78, 138])
def test_simulations_that_differ_in_their_minute_have_different_labels(width: int) -> None:
    """On 80 columns, both were `insertion (2026-11-27 `."""
    labels = [f"insertion (2026-11-27 11:{minute})" for minute in (25, 31)]
    room = label_width(labels, width)
    first, second = (fit(label, room - 2, is_id=True) for label in labels)
    assert first != second
    assert width == 40 or first == labels[0]


@pytest.mark.parametrize("width", range(40, 200))
def test_long_labels_leave_room_for_the_values(width: int) -> None:
    """A chart is drawn for 40 columns before it has a size; a label of 22 cells left none, which ended the program."""
    label = label_width(["insertion (2026-11-27 11:25)", "x" * 200], width)
    plot = width - label - 17 if width < 110 else (width - label - 17 - 17 - 4) // 2
    assert plot >= 7
    spread = SampleStatistics(3, 0.5, 0.1, 0.4, 0.6, 0.4, 0.6)
    assert len(Scale(SHARE, [spread], plot).bar(spread, "●")) == plot
