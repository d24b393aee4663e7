"""Every second of a window in closed form: against the draws of each second, one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from agents.energy import FloatArray, LoadProfile
from scenarios.optimum.starts import BIN_S, TOLERANCE_WH, FeasiblePieces, piece_families_of
from tests.scenarios.neighbourhoods import load

BINS = 12


def drawn_wh(profile: LoadProfile, start_s: int) -> FloatArray:
    """Return what a start draws in each minute."""
    return profile.energy_per_bin_wh(BIN_S * np.arange(BINS + 1, dtype=np.float64) - start_s)


def open_seconds(feasible: FeasiblePieces) -> dict[int, FloatArray]:
    """Return each second that a stretch leaves open, and its draw by minute."""
    family = feasible.family
    found = {}
    for piece in np.flatnonzero(feasible.mask):
        for second_s in range(int(feasible.first_s[piece]), int(feasible.last_s[piece]) + 1):
            draw_wh = np.zeros(BINS)
            own_wh = feasible.draw_wh(second_s)
            begin = family.first_bin + int(piece)
            draw_wh[begin : begin + len(own_wh)] = own_wh
            found[BIN_S * begin + family.offset_s + second_s] = draw_wh
    return found


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(20, 150), st.integers(20, 150)),
    st.tuples(st.integers(1, 8), st.integers(0, 8)),
    st.integers(0, 100),
    st.integers(0, 130),
    st.lists(st.integers(1, 12), min_size=BINS, max_size=BINS),
)
def test_exactly_the_feasible_seconds_are_found(
    times_s: tuple[int, int], energies_wh: tuple[int, int], opens_s: int, window_s: int, limit: list[int]
) -> None:
    """No feasible second of a window is lost, none that draws too much is included, and the draw is exact."""
    profile = load((0, 0.0), (times_s[0], energies_wh[0]), (sum(times_s), sum(energies_wh)))
    limit_wh = np.array(limit, dtype=np.float64) / 2
    found: dict[int, FloatArray] = {}
    for family in piece_families_of(profile, 0, (opens_s, opens_s + window_s)):
        found |= open_seconds(family.within(limit_wh))
    every = range(opens_s, opens_s + window_s + 1)
    assert set(found) == {s for s in every if (drawn_wh(profile, s) <= limit_wh + 2 * TOLERANCE_WH).all()}
    for start_s, own_wh in found.items():
        assert own_wh == pytest.approx(drawn_wh(profile, start_s), abs=1e-6)


def test_the_last_second_of_a_piece_draws_at_most_what_remains() -> None:
    """A minute that has no sun from its middle on: a wash must end before; half a minute earlier is the last start."""
    profile = load((0, 0.0), (60, 6.0))
    limit_wh = np.array([6.0, 6.0, 3.0, *([0.0] * (BINS - 3))])
    (family,) = piece_families_of(profile, 0, (60, 120))
    (feasible,) = [family.within(limit_wh)]
    assert sorted(open_seconds(feasible)) == list(range(60, 91))


def test_the_cheapest_second_is_inside_what_is_open() -> None:
    """The later the cheaper, but the limit ends the piece: its last open second, and what that costs."""
    profile = load((0, 0.0), (60, 6.0))
    limit_wh = np.array([6.0, 6.0, 3.0, *([0.0] * (BINS - 3))])
    (family,) = piece_families_of(profile, 0, (60, 120))
    price = np.array([2.0, 2.0, *([1.0] * (BINS - 2))])
    cost, piece, second_s = family.within(limit_wh).cheapest(price, np.zeros(1))
    assert (piece, second_s) == (0, 30)
    assert cost == pytest.approx(9.0)
