"""How a reading of a counter is linked to those before it."""

from __future__ import annotations

import pytest

from agents.gateway.counter_history import CountBefore, CounterHistory, CounterStep, PowerSeen
from agents.gateway.device_rules import MeterRules

MOST_W = 3_680.0
_BEFORE = CountBefore(10_000.0, 0.0, 0.0)


def last_step(readings: list[float]) -> CounterStep:
    """Return the link of the last of some readings, one a minute, Wh, of which nothing was counted by power."""
    counter = CounterHistory(MeterRules())
    step = CounterStep(None)
    for minute, counter_wh in enumerate(readings):
        now_s = 60 * minute
        seen = PowerSeen(now_s, max(0, now_s - 60), None, is_offline=False, drawn_wh=0.0, most_w=MOST_W)
        if counter.check(counter_wh, seen).problem:
            continue
        step = counter.step_to(counter_wh, seen)
        if step.is_reset and step.before_wh is not None:
            counter.note_reset(CountBefore(step.before_wh, 0.0, 0.0), counter_wh, now_s)
        counter.stand_at(counter_wh)
        counter.note_read(now_s)
    return step


@pytest.mark.parametrize(
    ("readings", "step"),
    [
        pytest.param([10_000.0], CounterStep(None), id="the first one"),
        pytest.param([10_000.0, 10_005.0], CounterStep(10_000.0), id="goes on"),
        pytest.param([10_000.0, 3.0], CounterStep(10_000.0, is_reset=True), id="was reset"),
        pytest.param([10_000.0, 3.0, 10_005.0], CounterStep(10_000.0, back_to=_BEFORE), id="was not reset after all"),
        pytest.param([10_000.0, 3.0, 8.0], CounterStep(3.0), id="was reset indeed"),
        pytest.param([10_000.0, 5e6, 10_005.0], CounterStep(10_000.0), id="passes over a wrong one"),
        pytest.param([10_000.0, 5e6, 5e6 + 5], CounterStep(5e6, is_elsewhere=True), id="is of another meter"),
        pytest.param([10_000.0, 7_000.0, 7_005.0], CounterStep(7_000.0, is_elsewhere=True), id="counts on as stored"),
        pytest.param(
            [10_000.0, *[0.0] * 20, 10_005.0], CounterStep(10_000.0, back_to=_BEFORE), id="a bridge had lost its device"
        ),
    ],
)
def test_a_reading_goes_on_from_an_earlier_one(readings: list[float], step: CounterStep) -> None:
    """A meter counts the difference; which reading it is taken from decides between 5 and 10,000 Wh."""
    assert last_step(readings) == step
    assert step.from_wh == (0.0 if step.is_reset else step.before_wh)


@pytest.mark.parametrize(("until_s", "drawn_wh"), [(None, 0.0), (0, 100.0), (1_800, 50.0)])
def test_what_was_drawn_since_the_last_reading_begins_at_any_time_even_at_0(
    until_s: int | None, drawn_wh: float
) -> None:
    """Time 0 was taken for no reading at all."""
    seen = PowerSeen(3_600, until_s, 100.0, is_offline=False, drawn_wh=0.0, most_w=3_680.0)
    assert seen.since_wh == pytest.approx(drawn_wh)
