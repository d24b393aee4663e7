"""Readings of real meters: counters that are reset, run backwards or cannot be true."""

from __future__ import annotations

import math

import pytest

from agents.gateway.counter_unit import CounterUnit, is_thousandth
from agents.gateway.device_rules import MeterRules
from agents.gateway.meter import Meter


def test_a_meter_takes_only_readings_that_are_numbers() -> None:
    """Otherwise it could no longer count energy."""
    meter = Meter()
    assert not meter.take(0, 5.0, 1000.0)
    for reading in (math.nan, math.inf, 1e300):
        assert "expected" in meter.take(60, None, reading)
    assert not meter.take(120, 5.0, 1010.0)
    assert meter.energy_wh == 10.0


def test_a_counter_that_falls_to_what_no_meter_can_have_counted_since_adds_nothing() -> None:
    """Another meter, or a wrong reading: half a million Wh are not a reset, and counting continues from there."""
    meter = Meter()
    assert not meter.take(0, None, 1_000_000.0)
    assert "expected to rise, or to restart at 0" in meter.take(60, None, 500_000.0)
    assert not meter.take(120, None, 500_020.0)
    assert not meter.take(180, None, 5.0)
    assert (meter.energy_wh, meter.resets) == (25.0, 1)


@pytest.mark.parametrize(
    ("readings", "energy_wh", "refused"),
    [
        ([10_000, 1e12, 10_001, 10_002], 2.0, 1),  # one garbled reading
        ([10_000, 1e12, 1e12 - 5, 10_001], 1.0, 2),
        ([10_000, 0, 10_001], 1.0, 0),  # a plug that says 0 until it has read its own memory
        ([2_000_000, 0, 2_000_001, 2_000_003], 3.0, 0),
        ([10_000, 0, 7, 9], 9.0, 0),  # a reset
        ([10_000, 5_000_000, 5_000_010, 5_000_020], 20.0, 1),  # another meter
        ([10_000, 1e12, 1e12, 10_001, 10_001], 1.0, 1),  # each reading on two topics
        ([10_000, 10_000, 0, 0, 10_001, 10_001], 1.0, 0),
        ([10_000, 3_000, 3_000, 10_001], 1.0, 1),
        ([10_000, 10_000, 0, 0, 7, 7, 9, 9], 9.0, 0),
        ([10_000, 5_000_000, 5_000_000, 5_000_010, 5_000_010], 10.0, 1),
    ],
)
def test_a_single_reading_that_cannot_be_true_is_passed_over(
    readings: list[float], energy_wh: float, refused: int
) -> None:
    """It cost a whole counter: of 10,000, 1e12 and 10,001 Wh, the last one counted as 10,001 Wh drawn in a minute."""
    meter = Meter()
    problems = [meter.take(60 * i, None, reading) for i, reading in enumerate(readings)]
    assert meter.energy_wh == energy_wh
    assert len([problem for problem in problems if problem]) == refused


@pytest.mark.parametrize(
    ("reading", "next_reading", "energy_wh"), [(0.0, 13_000.0, 13_000.0), (5_000_000.0, 5_000_010.0, 10.0)]
)
def test_a_reading_that_stands_for_long_enough_is_true(reading: float, next_reading: float, energy_wh: float) -> None:
    """An inverter counts 0 from midnight on, and may be read again only in the evening."""
    meter = Meter()
    meter.take(0, None, 12_000.0)
    for minute in range(1, 12):
        meter.take(60 * minute, None, reading)
    assert not meter.take(720, None, reading)
    assert not meter.take(43_200, None, next_reading)
    assert meter.energy_wh == energy_wh


def test_a_counter_may_be_behind_by_minutes() -> None:
    """No household draws 2,000 Wh in a minute, but in the ten before it can; so it can count less in the next ones."""
    meter = Meter()
    assert not meter.take(0, None, 1_000.0)
    assert not meter.take(60, None, 3_000.0)
    assert "expected at most 16333 Wh more" in meter.take(120, None, 30_000.0)


def test_a_counter_goes_on_while_its_device_is_away() -> None:
    """It left an hour after its last reading, and is back a minute later: 50 kWh are possible since then."""
    meter = Meter()
    assert not meter.take(0, None, 0.0)
    meter.pause(3_600)
    assert not meter.take(3_660, None, 50_000.0)
    assert meter.energy_wh == 50_000.0


def test_power_is_counted_while_the_counter_is_absent() -> None:
    """A counter that came once stopped all metering: an hour at 2 kW was 0 Wh."""
    meter = Meter()
    meter.take(0, 0.0, 5_000.0)
    for minute in range(1, 61):
        meter.take(60 * minute, 2_000.0, None)
    assert meter.energy_wh == pytest.approx(2_000.0 * 59 / 60)
    meter.advance(3_660)
    assert meter.energy_wh == pytest.approx(2_000.0)


@pytest.mark.parametrize(
    ("counter_wh", "energy_wh", "later_wh"),
    [
        (7_100.0, 2_100.0, 2_133.0),  # it counted more
        (6_900.0, 2_000.0, 2_000.0),  # it counted less: nothing is added until it has caught up
        (10.0, 2_000.0, 2_033.0),  # it was reset when it came again
        (300_000.0, 2_000.0, 2_033.0),  # another meter, which the next reading shows
    ],
)
def test_a_counter_that_comes_again_includes_what_was_counted_by_power(
    counter_wh: float, energy_wh: float, later_wh: float
) -> None:
    """Otherwise the energy of the gap would count twice."""
    meter = Meter()
    meter.take(0, 2_000.0, 5_000.0)
    for minute in range(1, 61):
        meter.take(60 * minute, 2_000.0, None)
    meter.take(3_600, None, counter_wh)
    assert meter.energy_wh == pytest.approx(energy_wh)
    meter.take(3_660, 2_000.0, None)
    meter.take(3_660, None, counter_wh + 33)
    assert meter.energy_wh == pytest.approx(later_wh, abs=1)


def test_a_counter_that_reads_low_does_not_lose_more_in_each_gap() -> None:
    """Power is 3 % above the counter; after ten hours of gaps, the error is that of one."""
    meter = Meter()
    meter.take(0, 1_030.0, 0.0)
    for minute in range(1, 601):
        meter.take(60 * minute, 1_030.0, 1_000.0 * minute / 60 if minute % 60 == 0 else None)
    assert meter.energy_wh == pytest.approx(10_000.0, abs=31)


def test_a_counter_that_comes_every_five_minutes_is_not_absent() -> None:
    """Power is read in between, and is wrong; the counter is trusted."""
    meter = Meter()
    for second in range(0, 3_601, 10):
        meter.take(second, 9_000.0, None)
        if second % 300 == 0:
            meter.take(second, None, second / 3.6)
    assert meter.energy_wh == pytest.approx(1_000.0)


def test_a_counter_may_have_counted_all_the_time_since_it_was_last_read() -> None:
    """Five hours at 10 kW were refused as a jump, because power had been read a minute before."""
    meter = Meter()
    meter.take(0, 10_000.0, 0.0)
    for minute in range(1, 300):
        meter.take(60 * minute, 10_000.0, None)
    assert not meter.take(18_000, None, 50_000.0)
    assert meter.energy_wh == pytest.approx(50_000.0)


def test_a_wrong_power_does_not_make_the_counter_beside_it_wrong() -> None:
    """A plug that draws nothing reports -1 W, and its counter was lost with that."""
    meter = Meter()
    meter.take(0, 1_000.0, 5_000.0)
    assert "power of -1 W" in meter.take(60, -1.0, 5_050.0)
    assert (meter.energy_wh, meter.counter_wh, meter.power_w) == (50.0, 5_050.0, 1_000.0)
    assert "power of -1 W" in meter.take(120, -1.0, None)
    assert not meter.has_taken
    assert not meter.take(180, None, None)


def test_a_counter_that_runs_backwards_is_metered_by_power() -> None:
    """It lost the power too; but a single report may be old, or of another device on the same topic."""
    meter = Meter()
    meter.take(0, 1_000.0, 5_000.0)
    for minute in range(1, 61):
        assert "expected to rise" in meter.take(60 * minute, 1_000.0 if minute < 5 else 2_000.0, 4_990.0 - minute)
        assert meter.power_w == (1_000.0 if minute < 5 else 2_000.0)
    assert meter.energy_wh == pytest.approx(1_000.0 * 5 / 60 + 2_000.0 * 55 / 60)


@pytest.mark.parametrize(
    ("readings", "energy_wh", "problems"),
    [
        ([12.0, 12.4, 12_450.0, 12_480.0, 12_510.0], 60.4, 1),  # it counts in Wh from now on
        ([12.0, 12.4, 12_450.0, 12.5, 12.6], 0.6, 1),  # a single wrong reading
        ([12_000.0, 12_040.0, 12_080_000.0, 12_110_000.0, 12_150_000.0], 40.0, 3),  # it is declared in kWh
        # So it is if it is read often: the second reading added up to 16 kWh.
        ([12_000.0, 12_005.0, 12_010_000.0, 12_015_000.0, 12_020_000.0], 5.0, 3),
        ([12.0, 12.4, 12_450.0, 12_480.0, 10.0, 40.0], 70.4, 1),  # and is reset later
        ([2.0, 2.4, 502.0, 542.0], 540.0, 0),  # a fast meter: it can have counted so much
    ],
    ids=["Wh", "single", "kWh", "often", "reset", "possible"],
)
def test_a_counter_that_changes_from_kwh_to_wh_adds_no_more_than_its_device_can_draw(
    readings: list[float], energy_wh: float, problems: int
) -> None:
    """It counted with up to 100 kW, however small its device."""
    meter = Meter(planned_w=2_000.0)
    found = [meter.take(60 * minute, None, counter_wh) for minute, counter_wh in enumerate(readings)]
    assert meter.energy_wh == pytest.approx(energy_wh)
    assert [bool(problem) for problem in found].count(True) == problems


@pytest.mark.parametrize(
    ("counters", "energy_wh", "problems"),
    [
        # In Wh, then in kWh with three decimals: metered by power.
        ([12_000, 12_033, 12.066, 12.1, 12.133, 12.166, 12.2, 12.233, 12.266, 12.3, 12.333, 12.366], 366.7, 9),
        # Declared in kWh, and so far 1000 times too fast: from the change on, it is right.
        ([12e6, 12_033e3, 12_066, 12_100, 12_133, 12_166, 12_200, 12_233, 12_266, 12_300, 12_333, 12_366], 366.7, 2),
        ([5_000, 5_033, 5.1, 5_100, 5_133, 5_166, 5_200, 5_233, 5_266, 5_300, 5_333, 5_366], 366.7, 0),  # a wrong one
        ([5_000, 5_033, 5.1, 38, 71, 104, 138, 171, 204, 238, 271, 304], 337.0, 0),  # a reset
        ([5_000, 5_033, 5.1, 0, 33, 66, 100, 133, 166, 200, 233, 266], 365.7, 0),
    ],
    ids=["kWh", "Wh", "single", "reset", "twice"],
)
def test_a_counter_that_changes_from_wh_to_kwh_is_metered_by_power(
    counters: list[float], energy_wh: float, problems: int
) -> None:
    """It counted as reset, and 1000 times too slowly afterwards; or added 12 kWh at once."""
    meter = Meter(planned_w=2_000.0)
    found = [meter.take(60 * minute, 2_000.0, counter_wh) for minute, counter_wh in enumerate(counters)]
    assert meter.energy_wh == pytest.approx(energy_wh, rel=0.002)
    assert [bool(problem) for problem in found].count(True) == problems


def test_a_counter_is_not_reported_as_slow_while_nothing_is_drawn() -> None:
    """An inverter is first read in the morning when it has counted a thousandth of the day before."""
    meter = Meter(planned_w=600.0)
    meter.take(0, 0.0, 12_000.0)
    for minute in range(600, 660):
        assert not meter.take(60 * minute, 0.0, 12.0)
    for minute in range(60):
        assert not meter.take(60 * (660 + minute), 600.0, 12.0 + 10 * minute)
    assert meter.energy_wh == pytest.approx(602.0)


def test_a_counter_whose_device_is_not_known_may_count_1000_times_as_much() -> None:
    """Nothing says what it can draw: neither a plan nor a reading of power."""
    meter = Meter()
    assert not meter.take(0, None, 10.0)
    assert not meter.take(600, None, 10_000.0)
    assert meter.energy_wh == 9_990.0


def test_one_wrong_reading_does_not_show_another_unit() -> None:
    """Of the rises of a counter, the largest one does not count."""
    unit = CounterUnit()
    readings_wh = (0.0, 0.4, 0.8, 2_000.8, 2_001.2)
    for minute, counter_wh in enumerate(readings_wh):
        power_wh = 0.4 * minute
        assert not unit.take(60 * minute, counter_wh, power_wh, power_wh, most_w=2_000.0, is_fresh=True)
    assert not unit.is_wrong


@pytest.mark.parametrize(
    ("counted_wh", "planned_wh", "expected"),
    [(0.9, 1_000.0, True), (3.0, 1_000.0, False), (0.0, 1_000.0, False), (0.05, 50.0, False)],
)
def test_a_job_that_has_drawn_a_thousandth_was_counted_in_kwh(
    counted_wh: float, planned_wh: float, *, expected: bool
) -> None:
    """Nothing is said of jobs of little energy, nor of one that has drawn nothing."""
    assert is_thousandth(counted_wh, planned_wh) == expected


def test_a_device_that_is_offline_twice_is_counted_in_between() -> None:
    """Its last power applies from when it is back, until the next reading."""
    meter = Meter()
    meter.take(0, 1_000.0, None)
    meter.go_offline(3_600)
    meter.come_online(7_200)
    meter.go_offline(10_800)
    assert meter.energy_wh == pytest.approx(2_000.0)
    meter.take(14_400, 250.0, None)
    assert meter.energy_wh == pytest.approx(2_500.0)
    assert meter.unknown_wh == pytest.approx(1_500.0)


def test_a_counter_that_comes_after_the_end_of_a_job_does_not_count_its_energy_again() -> None:
    """The job's end was counted by power, because it could not wait for the counter."""
    meter = Meter()
    meter.take(0, 2_000.0, 5_000.0)
    meter.settle(180)
    assert meter.energy_wh == pytest.approx(100.0)
    meter.take(300, 0.0, 5_101.0)
    assert meter.energy_wh == pytest.approx(101.0)


def test_a_counter_that_falls_by_rounding_stands() -> None:
    """A device reported 1763.774 and then 1763.77 Wh, which was rejected with the state and the power beside it."""
    meter = Meter()
    meter.take(0, None, 1_763.774)
    assert not meter.take(60, 5.0, 1_763.77)
    assert not meter.take(120, None, 1_764.0)
    assert meter.energy_wh == pytest.approx(0.226)
    assert "from 1764 to 1762.7504" in meter.take(180, None, 1_762.7504)


def test_a_device_that_left_while_it_was_offline_begins_anew() -> None:
    """What the one before may have drawn is not the draw of the one that comes."""
    meter = Meter()
    meter.take(0, 1_000.0, None)
    meter.go_offline(3_600)
    meter.pause(7_200)
    meter.take(10_800, 500.0, None)
    meter.take(14_400, 0.0, None)
    assert meter.energy_wh == pytest.approx(1_500.0)
    assert meter.unknown_wh == 0.0


def two_plugs(own_wh: float, other_wh: float, pattern: str, every_s: int = 10) -> list[tuple[int, float, float]]:
    """Return readings on one topic: one plug draws 373 Wh in the hour after the first five minutes, the other nothing.

    Args:
        own_wh: The counter of the first plug.
        other_wh: The counter of the other one.
        pattern: Whose turn it is, repeated: `a` is the first plug.
        every_s: Seconds between two readings.
    """
    readings = []
    for number, now_s in enumerate(range(0, 4_200, every_s)):
        drawn_wh = 373.0 * min(max(now_s - 300, 0), 3_600) / 3_600
        power_w = 373.0 if 300 <= now_s < 3_900 else 0.0
        is_own = pattern[number % len(pattern)] == "a"
        readings.append((now_s, power_w, own_wh + drawn_wh) if is_own else (now_s, 0.0, other_wh))
    return readings


@pytest.mark.parametrize("pattern", ["ab", "aab", "aabb", "aabbb", "aaaaaaaab", "abbaab"])
@pytest.mark.parametrize(
    ("own_wh", "other_wh"),
    [(12_000.0, 5_000.0), (5_000.0, 12_000.0), (300.0, 100.0), (1_000.0, 1_400.0), (12_000.0, 0.0), (3e5, 2e6)],
)
def test_of_two_plugs_on_one_topic_only_the_first_one_counts(own_wh: float, other_wh: float, pattern: str) -> None:
    """Each turn of the other one was a reset, and each return 7,000 Wh more: 115 kWh instead of 373 Wh, silently."""
    meter = Meter(planned_w=400.0)
    problems = [meter.take(*reading) for reading in two_plugs(own_wh, other_wh, pattern)]
    assert meter.energy_wh == pytest.approx(373.0, abs=2.0)
    assert any("as if several devices reported here" in problem for problem in problems)
    assert meter.has_taken == (pattern[419 % len(pattern)] == "a")


def test_of_two_plugs_that_count_in_steps_the_first_one_counts() -> None:
    """Once the plugs are told apart, a step of the first one is not taken for a third plug."""
    meter = Meter(planned_w=2_000.0)
    for number in range(720):
        own_wh = 12_000.0 + 100 * (number * 10 * 2_000 // 360_000)
        meter.take(10 * number, None, 5_000.0 if number % 3 == 1 else own_wh)
    assert meter.energy_wh == pytest.approx(4_000.0 - 100.0, abs=101.0)


def test_three_plugs_on_one_topic_are_told_apart_like_two() -> None:
    """They take turns, each of which goes on from its own last reading."""
    meter = Meter(planned_w=400.0)
    for number in range(300):
        meter.take(10 * number, None, (9_000.0 + number, 20_000.0, 50_000.0 + number)[number % 3])
    assert meter.energy_wh == pytest.approx(297.0)


def test_a_plug_that_is_left_alone_on_its_topic_counts_from_then_on() -> None:
    """The other one has its own topic now; what the one that is left drew before is not added."""
    meter = Meter(planned_w=400.0)
    for number in range(60):
        meter.take(10 * number, None, 12_000.0 if number % 2 else 5_000.0)
    for minute in range(10, 100):
        meter.take(60 * minute, None, 12_000.0 + minute)
    assert meter.energy_wh == pytest.approx(99.0 - 30.0, abs=2.0)


@pytest.mark.parametrize(
    ("counters", "energy_wh"),
    [
        ([0, 50, 100, 20, 70, 120, 10, 60, 110, 160, 30, 80], 100 + 120 + 160 + 80),  # a plug that restarts often
        ([12_000, 0, 12_010, 12_020, 12_030], 30),  # one that had not read its memory yet
        ([5_000, 5_000, 6_000, 6_000, 7_000, 7_000, 8_000], 3_000),  # one that counts in steps of a kWh
        ([0, 1_000, 2_000, 0, 1_000, 2_000, 3_000], 5_000),  # the same, reset
        ([12_000, 20_000, 12_010, 12_020], 20),  # one wrong reading
        ([12_000, 12_100, 12_000, 12_200, 12_100, 12_300, 12_200, 12_400], 400),  # readings that are sent again, late
    ],
    ids=["restarts", "zero", "steps", "reset", "wrong", "late"],
)
def test_a_single_plug_is_not_taken_for_several(counters: list[float], energy_wh: float) -> None:
    """Its readings do not alternate."""
    meter = Meter(planned_w=3_000.0)
    problems = [meter.take(600 * number, None, counter_wh) for number, counter_wh in enumerate(counters)]
    assert meter.energy_wh == energy_wh
    assert not any("several" in problem for problem in problems)


@pytest.mark.parametrize("every_s", [10, 60])
@pytest.mark.parametrize(
    ("factor", "hint"), [(1_000.0, "in Wh and not in kWh"), (0.001, "in kWh and not in Wh")], ids=["fast", "slow"]
)
def test_a_counter_in_another_unit_than_declared_is_metered_by_power(factor: float, hint: str, every_s: int) -> None:
    """A counter in Wh that was declared in kWh counted 333 kWh, silently if it was read often; one in kWh, 0.3 Wh."""
    meter = Meter(planned_w=2_000.0)
    problems = set()
    for now_s in range(0, 1_201, every_s):
        drawn_wh = 2_000.0 * min(max(now_s - 300, 0), 600) / 3_600
        power_w = 2_000.0 if 300 <= now_s < 900 else 0.0
        problems.add(meter.take(now_s, power_w, factor * (50_000.0 + drawn_wh)))
    assert meter.energy_wh == pytest.approx(333.3, abs=34.0)
    assert any(hint in problem for problem in problems)


def test_a_counter_that_is_right_beside_a_power_in_kw_counts() -> None:
    """It rises as fast as the device can draw, so the power is in another unit."""
    meter = Meter(planned_w=2_000.0)
    found = [meter.take(60 * minute, 2.0, 50_000.0 + 2_000.0 * minute / 60) for minute in range(61)]
    assert meter.energy_wh == pytest.approx(2_000.0)
    problems = [problem for problem in found if problem]
    assert len(problems) == 1
    assert "as if its power was in kW and not in W" in problems[0]


def test_a_counter_alone_that_runs_wild_counts_nothing() -> None:
    """Nothing was said of 333 kWh in ten minutes: each reading added less than a counter may be behind."""
    meter = Meter()
    problems = [meter.take(10 * number, None, 1_000.0 * (50_000.0 + 5.5 * min(number, 60))) for number in range(90)]
    assert meter.energy_wh == 0.0
    assert "as if it counted in Wh and not in kWh" in next(problem for problem in problems if problem)


def test_a_counter_whose_unit_is_right_again_counts() -> None:
    """It was judged by a power that was wrong for a while."""
    meter = Meter(planned_w=2_000.0)
    for minute in range(121):
        is_wrong = minute < 20
        meter.take(60 * minute, 2_000.0 if is_wrong else 60.0, 5_000.0 + (minute / 30 if is_wrong else minute))
    by_power_wh = 2_000.0 * 20 / 60
    assert meter.energy_wh == pytest.approx(by_power_wh + 100.0, abs=30.0)
    assert meter.counter_wh == 5_120.0


@pytest.mark.parametrize(
    ("readings", "drawn_wh"),
    [
        ([400, 430, 300, 330, 360], 120.0),  # what it drew while 300 was doubted, by power
        ([10_000, 10_030, *range(8_950, 9_600, 30)], 690.0),
        ([10_000, 10_030, *range(9_600, 10_500, 30)], 930.0),
        ([400, 430, 5, 35, 65], 120.0),  # it was reset, and power shows what it drew before that
        ([400, 430, 420, 460, 455, 490], 90.0),  # late readings
    ],
    ids=["small", "large", "slightly", "reset", "late"],
)
def test_a_plug_that_counts_on_from_what_it_had_stored_counts_nothing_twice(
    readings: list[int], drawn_wh: float
) -> None:
    """After a power cut, 8,950 Wh were counted again; or nothing, until the counter had caught up."""
    meter = Meter()
    for number, reading in enumerate(readings):
        meter.take(60 * number, 1_800.0, float(reading))
    assert meter.energy_wh == pytest.approx(drawn_wh)


@pytest.mark.parametrize("period_s", [60, 300])
@pytest.mark.parametrize("stored", [8_950, 9_600], ids=["large", "slightly"])
def test_a_plug_that_was_without_power_has_drawn_nothing_meanwhile(stored: int, period_s: int) -> None:
    """It was `offline`, and drew as much before as afterwards, so that it seemed to have lost its connection only."""
    meter, rise = Meter(), period_s // 2
    for number, reading in enumerate([10_000, 10_000 + rise]):
        meter.take(period_s * number, 1_800.0, float(reading))
    meter.go_offline(period_s)
    meter.come_online(period_s + 7200)
    for number in range(20):
        meter.take(period_s * (number + 1) + 7200, 1_800.0, float(stored + rise * number))
    assert meter.energy_wh == pytest.approx(20 * rise)


@pytest.mark.parametrize("below_wh", [10, 30, 100])
def test_a_second_plug_that_reports_more_often_and_shows_slightly_less_adds_nothing(below_wh: int) -> None:
    """Each reading of the first one, which reports every 5 minutes, added the difference between their counters."""
    meter = Meter()
    for now_s in range(0, 7201, 60):
        if now_s % 300 == 0:
            meter.take(now_s, 100.0, float(5_000 + 100 * now_s // 3600))
        else:
            meter.take(now_s, 60.0, float(5_000 - below_wh + 60 * now_s // 3600))
    assert meter.energy_wh == pytest.approx(200.0, abs=10.0)


@pytest.mark.parametrize(("weighs_resets", "drawn_wh"), [(False, 866.7), (True, 1_000.0)])
def test_what_a_counter_misses_because_it_was_reset_counts_by_power(*, weighs_resets: bool, drawn_wh: float) -> None:
    """Up to an interval between two reports was lost, which may be five minutes at full power."""
    meter = Meter(planned_w=2_000.0, rules=MeterRules(weighs_resets=weighs_resets))
    counters = [5_000.0, 5_166.7, 5_333.3, 33.3, 200.0, 366.7, 533.3]  # reset a minute before its fourth reading
    for number, counter_wh in enumerate(counters):
        meter.take(300 * number, 2_000.0, counter_wh)
    assert meter.energy_wh == pytest.approx(drawn_wh, abs=0.1)


def after_a_night(counters: list[float], *, weighs_resets: bool, after_w: float = 0.0) -> Meter:
    """Return the meter of a plug that drew 2 kW, was offline for twelve hours, and draws `after_w` then."""
    meter = Meter(planned_w=2_000.0, rules=MeterRules(weighs_resets=weighs_resets))
    before_wh, *others = counters
    meter.take(0, 2_000.0, before_wh - 33.0)
    meter.take(60, 2_000.0, before_wh)
    meter.go_offline(60)
    back_s = 60 + 12 * 3_600
    meter.come_online(back_s)
    for number, counter_wh in enumerate(others):
        meter.take(back_s + 60 * number, after_w, counter_wh)
    return meter


@pytest.mark.parametrize(
    ("counters", "after_w", "drawn_wh"),
    [
        ([10_030.0, 8_950.0, 8_950.0, 8_951.0], 0.0, 34.0),
        ([10_030.0, *(8_950.0 + 33 * number for number in range(9))], 2_000.0, 298.0),
        ([10_030.0, 5.0, 5.0, 6.0], 0.0, 39.0),  # it was reset when its power returned, and began at 0
        ([10_030.0, *(10.1 + 33 * number for number in range(9))], 2_000.0, 307.0),
        ([10_030.0, *(9_900.0 for number in range(9))], 0.0, 33.0),
        ([10_030.0, *(9_700.0 + 33 * number for number in range(9))], 2_000.0, 297.0),
    ],
    ids=["stored", "stored, goes on", "reset", "a thousandth", "slightly less", "slightly less, goes on"],
)
def test_a_plug_that_was_without_power_for_a_night_adds_no_stored_counter(
    counters: list[float], after_w: float, drawn_wh: float
) -> None:
    """Within twelve hours it could have drawn 8,950 Wh after a reset, so all of that was counted once more."""
    meter = after_a_night(counters, weighs_resets=True, after_w=after_w)
    assert meter.energy_wh == pytest.approx(drawn_wh, abs=3)


@pytest.mark.parametrize(("weighs_resets", "drawn_wh"), [(False, 8_984.0), (True, 34.0)])
def test_a_stored_counter_is_recognized_without_readings_of_power(*, weighs_resets: bool, drawn_wh: float) -> None:
    """The time offline was noted only beside a power. A reset later on, while it is online, counts as one."""
    meter = Meter(planned_w=2_000.0, rules=MeterRules(weighs_resets=weighs_resets))
    meter.take(0, None, 9_997.0)
    meter.take(60, None, 10_030.0)
    meter.go_offline(60)
    back_s = 60 + 12 * 3_600
    for number, counter_wh in enumerate([8_950.0, 8_950.0, 8_951.0]):
        meter.take(back_s + 60 * number, None, counter_wh)
    assert meter.energy_wh == pytest.approx(drawn_wh)
    meter.take(back_s + 600, None, 200.0)
    assert meter.energy_wh == pytest.approx(drawn_wh + 200.0)


def test_what_a_counter_may_have_counted_since_a_reset_while_its_device_was_offline_is_said() -> None:
    """Whether it was reset is not known, so the job says how much it may be."""
    counters = [10_030.0, 8_950.0, 8_950.0, 8_951.0]
    assert after_a_night(counters, weighs_resets=True).unknown_wh == 8_950.0
    meter = after_a_night(counters, weighs_resets=False)
    assert (meter.energy_wh, meter.unknown_wh) == (8_984.0, 0.0)


def test_the_power_beside_a_counter_that_has_fallen_since_its_device_was_offline_counts() -> None:
    """A plug that was without power said 0 W with each reading, and was metered by the 2 kW of before."""
    for weighs_resets, power_w in ((True, 0.0), (False, 2_000.0)):
        meter = Meter(planned_w=2_000.0, rules=MeterRules(weighs_resets=weighs_resets))
        meter.take(0, 2_000.0, 1_717.0)
        meter.go_offline(10)
        meter.come_online(260)
        assert "expected to rise" in meter.take(262, 0.0, 1_618.0)
        assert meter.power_w == power_w


@pytest.mark.parametrize(
    ("after_wh", "drawn_wh", "weighs_resets"),
    [(3_020.0, 120.0, True), (3_020.0, 3_120.0, False), (300.0, 400.0, True), (2_900.0, 3_000.0, True)],
    ids=["goes on", "rules 11", "was reset", "has never been there"],
)
def test_an_inverter_whose_bridge_shows_0_for_a_while_has_not_produced_its_day_again(
    *, after_wh: float, drawn_wh: float, weighs_resets: bool
) -> None:
    """AhoyDTU may set its values to 0 while an inverter does not answer."""
    meter = Meter(rules=MeterRules(weighs_resets=weighs_resets))
    meter.take(0, 400.0, 2_900.0)
    meter.take(900, 400.0, 3_000.0)
    meter.pause(960)
    for minute in range(16, 31):
        meter.take(60 * minute, 0.0, 0.0)
    for number in range(4):
        meter.take(60 * (31 + number), 400.0, after_wh)
    assert meter.energy_wh == pytest.approx(drawn_wh, abs=10)


def test_a_counter_that_was_reset_while_nothing_was_heard_of_its_device_is_not_in_another_unit() -> None:
    """What it would have drawn in these hours by its last power seemed to be missing from the counter afterwards."""
    meter = Meter(planned_w=2_000.0)
    meter.take(0, 2_000.0, 1_133.0)
    meter.take(60, 2_000.0, 1_167.0)
    problems = [meter.take(7_200 + 60 * number, 2_000.0, 5.0 + 33.3 * number) for number in range(4)]
    assert problems == ["", "", "", ""]
    assert meter.energy_wh == pytest.approx(34.0 + 105.0, abs=1)


@pytest.mark.parametrize(("knows_old_repeats", "drawn_wh"), [(False, 2_210.0), (True, 3_485.0)])
def test_a_charger_whose_messages_are_repeated_late_is_not_taken_for_two(
    *, knows_old_repeats: bool, drawn_wh: float
) -> None:
    """It draws 85 Wh in half a minute; 11 s after a repetition, these seemed to be those of another meter."""
    steps = {30 * number: number for number in range(42)} | {1_800: 41, 2_700: 41}
    del steps[60], steps[660], steps[750], steps[840]
    repeated = {50: 1, 640: 20, 730: 23, 820: 26}
    after_that = {61: 2, 661: 22, 751: 25, 841: 28}
    meter = Meter(planned_w=10_200.0, rules=MeterRules(knows_old_repeats=knows_old_repeats))
    for now_s, step in sorted((steps | repeated | after_that).items()):
        meter.take(now_s, None, 85.0 * step)
    assert meter.energy_wh == pytest.approx(drawn_wh)
