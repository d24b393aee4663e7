"""What a producer has forecast for minutes that have passed, in little memory."""

from __future__ import annotations

import pickle

import numpy as np
from hypothesis import given, settings, strategies as st

from agents.energy import IntArray, Outlook, Production
from agents.shares import produced_mwh
from agents.sharing import PastForecasts

MINUTE_S = 60
DAY = 1_440
NIGHT = DAY // 2


def sunny(first_minute: int, mwh: list[int]) -> Production:
    """Return a forecast by the minute."""
    return Production(
        times_s=tuple(range(first_minute * MINUTE_S, (first_minute + len(mwh) + 1) * MINUTE_S, MINUTE_S)),
        cumulative_wh=tuple((np.cumsum([0, *mwh]) / 1_000).tolist()),
    )


@settings(max_examples=200, deadline=None)
@given(
    forecasts=st.lists(
        st.tuples(st.integers(0, 200), st.integers(-20, 20), st.lists(st.integers(0, 90_000), min_size=1, max_size=60)),
        min_size=1,
        max_size=6,
    )
)
def test_each_minute_is_expected_as_the_forecast_had_it_that_expected_most_while_it_lasted(
    forecasts: list[tuple[int, int, list[int]]],
) -> None:
    """Whatever the order and length of the forecasts, and wherever they begin."""
    past, known, now_s = PastForecasts(), None, 1_000 * MINUTE_S
    first, minutes = 900, 1_000
    expected: IntArray = np.zeros(minutes, dtype=np.int64)
    for pause_s, later, mwh in forecasts:
        now_s += pause_s
        newer = sunny(now_s // MINUTE_S + later, mwh)
        known = Outlook.of(newer) if known is None else known.continued_by(newer)
        past.take(known, now_s)
        begin = now_s // MINUTE_S - first
        earlier_mwh = expected[begin]
        expected[begin:] = produced_mwh(known, first + begin, minutes - begin)
        expected[begin] = max(expected[begin], earlier_mwh)
        assert (past.expected_mwh(first, minutes) == expected).all()
    assert (past.expected_mwh(first + 120, 40) == expected[120:160]).all()


def test_a_day_of_forecasts_takes_a_few_kilobytes_however_many_there_were() -> None:
    """A roof that corrects its forecasts has several a day."""
    past, sizes, known = PastForecasts(), [], None
    for hour in range(24 * 20):
        days_mwh = [0] * NIGHT + [60_000 - minute % 7 for minute in range(DAY - NIGHT)]
        newer = sunny(hour // 24 * DAY, 2 * days_mwh)
        now_s = hour * 3_600
        known = (Outlook.of(newer) if known is None else known.continued_by(newer)).since(now_s - DAY * MINUTE_S)
        past.take(known, now_s)
        sizes.append(len(pickle.dumps(past)))
    assert (sizes[-1] - sizes[24 * 10 - 1]) / 10 < 5_000
