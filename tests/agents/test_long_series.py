"""Series of any length: what a producer remembers of them, and what of them is put into a message."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from agents.energy import MAX_SENT_POINTS, LoadProfile, Outlook, Prediction, Production
from broker.transport.base import MAX_PAYLOAD_BYTES

START_S = 1_767_225_600
DAY_S = 86_400


def forecast(start_s: int, steps_wh: list[float], step_s: int = 60) -> Production:
    """Return a production of even steps."""
    times_s = range(start_s, start_s + step_s * (len(steps_wh) + 1), step_s)
    return Production(times_s=tuple(times_s), cumulative_wh=(0.0, *np.cumsum(steps_wh).tolist()))


@pytest.mark.parametrize("minutes", [10_000, 525_600])
def test_a_long_series_fits_into_a_message(minutes: int) -> None:
    """A year of minutes is sent with fewer points, none of which has another energy than before."""
    whole = forecast(START_S, np.random.default_rng(1).uniform(0, 100, minutes).tolist())

    sent = whole.as_sent

    message = Prediction(issued_s=START_S, production=sent).model_dump_json()
    assert len(message) < MAX_PAYLOAD_BYTES
    assert (sent.start_s, sent.end_s) == (whole.start_s, whole.end_s)
    assert sent.energy_wh == pytest.approx(whole.energy_wh, rel=1e-12)
    assert sent.energy_until_wh(sent.times_s) == pytest.approx(whole.energy_until_wh(sent.times_s), rel=1e-12)


def test_a_series_that_begins_between_two_minutes_has_no_point_too_many() -> None:
    """Its first and last point are additional to the whole minutes."""
    for minutes in (MAX_SENT_POINTS - 2, MAX_SENT_POINTS - 1, MAX_SENT_POINTS):
        whole = forecast(START_S + 1, [1.0] * 2 * minutes, step_s=30)
        assert len(whole.times_s) > MAX_SENT_POINTS >= len(whole.as_sent.times_s)


def test_a_day_of_seconds_keeps_the_energy_of_every_minute() -> None:
    """Energy is settled in minutes, so what is sent of a load measured every second is exact in each of them."""
    seconds = np.random.default_rng(2).uniform(0, 1, DAY_S)
    load = LoadProfile(times_s=tuple(range(DAY_S + 1)), cumulative_wh=(0.0, *np.cumsum(seconds).tolist()))
    minutes = np.arange(0, DAY_S + 60, 60, dtype=np.float64)

    assert len(load.as_sent.times_s) < 2_000
    assert load.as_sent.energy_per_bin_wh(minutes) == pytest.approx(load.energy_per_bin_wh(minutes))


def test_a_series_that_fits_is_sent_as_it_is() -> None:
    """Series within the limit are sent unchanged."""
    short = forecast(START_S, [1.0] * 1440)

    assert short.as_sent is short


@given(
    st.lists(
        st.tuples(st.integers(0, 5_000), st.lists(st.floats(0, 1e4), min_size=1, max_size=8)), min_size=1, max_size=8
    ),
    st.integers(0, 6_000),
)
def test_forgetting_the_past_changes_no_later_minute(forecasts: list[tuple[int, list[float]]], now_s: int) -> None:
    """The expected production from now on is identical, with or without the past."""
    productions = [forecast(START_S + start_s, steps_wh) for start_s, steps_wh in forecasts]
    whole = productions[0]
    kept = Outlook.of(productions[0])
    for newer in productions[1:]:
        whole, kept = whole.continued_by(newer), kept.continued_by(newer)
    edges_s = START_S + now_s + np.arange(0, 3_600, 60, dtype=np.float64)

    assert kept.since(START_S + now_s).energy_per_bin_wh(edges_s).tolist() == whole.energy_per_bin_wh(edges_s).tolist()


def test_a_year_of_daily_forecasts_takes_the_room_of_two_days() -> None:
    """A producer that adopts a forecast every midnight remembers no more on the last day than on the second."""
    known = Outlook.of(forecast(START_S, [1.0] * 1440))
    points = []
    for day in range(1, 60):
        known = known.continued_by(forecast(START_S + day * DAY_S, [1.0] * 1440)).since(START_S + (day - 1) * DAY_S)
        points.append(len(known.times_s))

    assert set(points) == {2 * 1440 + 1}
