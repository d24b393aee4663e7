"""Energy over time: cumulative series, interpolation, and how forecasts follow one another."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from agents.energy import CumulativeSeries, LoadProfile, Outlook, Production

rises_s = st.lists(st.integers(1, 4000), min_size=1, max_size=12)
energies_wh = st.lists(st.floats(0, 1e5, allow_nan=False), min_size=1, max_size=12)


@st.composite
def productions(draw: st.DrawFn, start_s: int = 0) -> Production:
    """Draw a production of a few points from a start on."""
    steps_s = draw(rises_s)
    steps_wh = draw(st.lists(st.floats(0, 1e5), min_size=len(steps_s), max_size=len(steps_s)))
    counter_wh = draw(st.floats(0, 1e6))
    return Production(
        times_s=tuple(accumulate(steps_s, initial=start_s)),
        cumulative_wh=tuple(accumulate(steps_wh, initial=counter_wh)),
    )


def test_power_is_constant_between_two_points_and_zero_outside() -> None:
    """Half of the way is half of the energy."""
    series = Production(times_s=(100, 200, 400), cumulative_wh=(5.0, 15.0, 15.0))
    assert series.energy_until_wh([0, 100, 150, 200, 300, 400, 9999]).tolist() == [0, 0, 5, 10, 10, 10, 10]


def test_series_are_equal_by_their_points_whatever_has_been_computed_of_them() -> None:
    """The comparison included cached arrays, and the series itself (as it is sent), without end."""
    points = {"times_s": (0, 60, 90), "cumulative_wh": (0.0, 30.0, 31.0)}
    first, second, longer = (
        LoadProfile(**points),
        LoadProfile(**points),
        LoadProfile(**points | {"times_s": (0, 60, 95)}),
    )
    for series in (first, second, longer):
        assert series.as_sent.energy_until_wh([60]).tolist() == [30]
    assert first == second
    assert hash(first) == hash(second)
    assert first not in (longer, Production(**points))


def test_only_differences_count() -> None:
    """A counter may stand anywhere."""
    low = Production(times_s=(0, 60), cumulative_wh=(0.0, 30.0))
    high = Production(times_s=(0, 60), cumulative_wh=(1_234_567.0, 1_234_597.0))
    assert low.energy_wh == high.energy_wh == 30.0
    assert low.energy_per_bin_wh([0, 15, 60]).tolist() == high.energy_per_bin_wh([0, 15, 60]).tolist()


@given(productions(), st.lists(st.integers(-100, 50_000), min_size=2, max_size=8))
def test_bins_add_up_to_what_lies_between_their_ends(series: Production, edges_s: list[int]) -> None:
    """However they are cut."""
    edges = sorted(edges_s)
    first_wh, last_wh = series.energy_until_wh([edges[0], edges[-1]]).tolist()
    bins = series.energy_per_bin_wh(edges)
    assert (bins >= 0).all()
    assert float(bins.sum()) == pytest.approx(last_wh - first_wh, abs=1e-6)


@given(rises_s, st.integers(0, 59))
def test_the_minutes_of_a_load_add_up_to_its_energy_at_any_start(steps_s: list[int], phase: int) -> None:
    """No minute draws less than nothing, and their sum is the load's energy."""
    times_s = tuple(accumulate(steps_s, initial=0))
    load = LoadProfile(times_s=times_s, cumulative_wh=tuple(float(10 * n) for n in range(len(times_s))))
    minutes = load.per_minute_wh(phase)
    assert (minutes >= 0).all()
    assert float(minutes.sum()) == pytest.approx(load.energy_wh)
    assert len(minutes) * 60 >= phase + load.duration_s


def test_the_kept_minutes_of_a_load_cannot_be_changed() -> None:
    """The cached minutes are returned repeatedly, so they must be read-only."""
    load = LoadProfile(times_s=(0, 120), cumulative_wh=(0.0, 60.0))
    with pytest.raises(ValueError, match="read-only"):
        load.per_minute_wh(0)[0] = 1.0


def test_equal_loads_share_what_is_computed_of_them_and_others_do_not() -> None:
    """Thousands of jobs have a few kinds of loads; what one of them computes serves all of its kind."""
    load = LoadProfile(times_s=(0, 600, 1800), cumulative_wh=(0.0, 50.0, 60.0))
    same = LoadProfile(times_s=(0, 600, 1800), cumulative_wh=(0.0, 50.0, 60.0))
    other = LoadProfile(times_s=(0, 600, 1800), cumulative_wh=(0.0, 51.0, 60.0))
    assert load.per_minute_wh(7) is same.per_minute_wh(7)
    assert load.least_peaks_wh(900) is same.least_peaks_wh(900)
    assert load.needed(7, 0.5) is same.needed(7, 0.5)
    assert load.needed(7, 0.5) is not load.needed(7, 0.6)
    assert not np.array_equal(load.per_minute_wh(7), other.per_minute_wh(7))
    assert load.least_peak_wh == same.least_peak_wh != other.least_peak_wh


@given(productions(), st.integers(-1000, 30_000).flatmap(productions))
def test_a_newer_forecast_replaces_an_older_one_from_its_first_point_on(older: Production, newer: Production) -> None:
    """Before it the older one counts, from it on the newer one, and nothing jumps where they meet."""
    joined = older.continued_by(newer)
    edges = np.arange(-1500, 90_000, 500, dtype=np.float64)
    before = np.append(edges[edges < newer.start_s], newer.start_s)
    after = np.insert(edges[edges > newer.start_s], 0, newer.start_s)
    np.testing.assert_allclose(joined.energy_per_bin_wh(after), newer.energy_per_bin_wh(after), atol=1e-6)
    np.testing.assert_allclose(joined.energy_per_bin_wh(before), older.energy_per_bin_wh(before), atol=1e-6)


@pytest.mark.parametrize(
    ("times_s", "cumulative_wh", "problem"),
    [
        ((0, 60), (0.0,), "2 times but 1 energies"),
        ((0,), (0.0,), "at least two points are needed, there are 1"),
        ((0, 60, 60), (0.0, 1.0, 2.0), "point 3: time 60 s does not come after 60 s"),
        ((0, 60), (5.0, 4.0), "point 2: cumulative energy falls from 5.0 to 4.0 Wh"),
        ((0, 60), (0.0, float("nan")), "point 2: nan Wh is not a finite number"),
    ],
)
def test_a_series_that_is_not_cumulative_is_refused_with_the_place(
    times_s: tuple[int, ...], cumulative_wh: tuple[float, ...], problem: str
) -> None:
    """Points are counted from 1."""
    with pytest.raises(ValidationError, match=problem):
        Production(times_s=times_s, cumulative_wh=cumulative_wh)


def test_a_load_profile_begins_at_zero_seconds() -> None:
    """Its times count from the job's start."""
    with pytest.raises(ValidationError, match="the first point of a load profile is at 0 s, not at 60 s"):
        LoadProfile(times_s=(60, 120), cumulative_wh=(0.0, 1.0))


def test_a_forecast_that_begins_at_a_point_of_the_last_one_takes_the_place_of_that_point() -> None:
    """Times stay strictly ascending, however often forecasts follow one another at full hours."""
    first = Production(times_s=(0, 3600, 7200), cumulative_wh=(0.0, 100.0, 300.0))
    newer = Production(times_s=(3600, 7200), cumulative_wh=(0.0, 50.0))
    assert first.continued_by(newer) == Production(times_s=(0, 3600, 7200), cumulative_wh=(0.0, 100.0, 150.0))
    outlook = Outlook.of(first).continued_by(newer)
    assert (outlook.times_s.tolist(), outlook.cumulative_wh.tolist()) == ([0, 3600, 7200], [0.0, 100.0, 150.0])


def test_a_base_load_above_production_leaves_nothing_and_takes_nothing_from_other_minutes() -> None:
    """In the first hour the house draws more than its roof produces, in the second one less."""
    roof = Production(times_s=(0, 3600, 7200), cumulative_wh=(0.0, 100.0, 600.0))
    house = Production(times_s=(0, 7200), cumulative_wh=(0.0, 600.0))
    assert roof.less(house).energy_per_bin_wh([0, 3600, 7200]).tolist() == [0.0, 200.0]


@given(data=st.data())
def test_a_base_load_leaves_in_each_minute_what_settlement_leaves_there(data: st.DataObject) -> None:
    """Also in minutes in which production or base load begins, ends or changes."""

    def points(of: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
        times_s = sorted(data.draw(st.sets(st.integers(0, 599), min_size=2, max_size=6), of))
        energies_wh = [float(data.draw(st.integers(0, 50), of)) for _ in times_s[1:]]
        return tuple(times_s), tuple(accumulate(energies_wh, initial=0.0))

    (roof_s, roof_wh), (house_s, house_wh) = points("roof"), points("house")
    roof = Production(times_s=roof_s, cumulative_wh=roof_wh)
    house = CumulativeSeries(times_s=house_s, cumulative_wh=house_wh)
    minutes_s = np.arange(0.0, 660.0, 60.0)
    left_wh = np.maximum(roof.energy_per_bin_wh(minutes_s) - house.energy_per_bin_wh(minutes_s), 0.0)
    left = roof.less(house)
    assert left.energy_per_bin_wh(minutes_s) == pytest.approx(left_wh)
    assert (left.start_s, left.end_s) == (roof.start_s, roof.end_s)
