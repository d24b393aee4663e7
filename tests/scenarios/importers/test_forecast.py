"""Import of PySSMic's forecasts: the energy does not depend on a file's step or its counter's offset."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, given, settings, strategies as st

from scenarios.errors import ScenarioError
from scenarios.importers.assumptions import ImportedScenario
from scenarios.importers.detect import import_source
from scenarios.importers.forecast import MANY, make_forecast

ISSUED_S = 1_600_000_000
DAY_S = 86_400
STEPS_S = [60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400]


def imported(folder: Path, *forecasts: tuple[int, list[tuple[int, float]]]) -> ImportedScenario:
    """Return the import of a folder with these forecasts of one producer, each with its time of issue and rows."""
    (folder / "predictions").mkdir(exist_ok=True)
    lines = []
    for number, (issued_s, rows) in enumerate(forecasts):
        text = "".join(f"{time_s} {wh!r}\n" for time_s, wh in rows)
        (folder / f"predictions/p{number}.csv").write_text(text, encoding="utf-8")
        lines.append(f"{issued_s};pv[1]:[9];p{number}.csv\n")
    (folder / "producer_event.csv").write_text("".join(lines), encoding="utf-8")
    (folder / "consumer_event.csv").write_text("", encoding="utf-8")
    return import_source(folder)


def energies_wh(found: ImportedScenario, *edges_s: int) -> list[float]:
    """Return the energy of the last forecast, after those before it, between edges."""
    first, *rest = (prediction.production for prediction in found.scenario.producers["pv[1]:[9]"].predictions)
    production = first
    for newer in rest:
        production = production.continued_by(newer)
    return [round(wh, 3) for wh in production.energy_per_bin_wh(edges_s).tolist()]


@st.composite
def suns(draw: st.DrawFn) -> tuple[int, list[float]]:
    """Draw a step, and the energy of each step of a day or two, Wh."""
    step_s = draw(st.sampled_from(STEPS_S))
    power_w = draw(st.lists(st.integers(0, 5000), min_size=1, max_size=8))
    count = draw(st.integers(1, 2)) * DAY_S // step_s
    return step_s, [power_w[i * len(power_w) // count] * step_s / 3600 for i in range(count)]


@given(suns(), st.none() | st.integers(-(10**9), 10**9))
@settings(max_examples=60, deadline=None)
def test_energy_is_the_same_for_every_step_and_counter(sun: tuple[int, list[float]], counter_wh: int | None) -> None:
    """This holds from the time of issue on, with and without a row there."""
    step_s, steps_wh = sun
    # A first step of many times what any other gives reads as a counter.
    assume(counter_wh is not None or steps_wh[0] <= MANY * max(steps_wh[1:], default=steps_wh[0]))
    rows = [(ISSUED_S + i * step_s, wh) for i, wh in enumerate(accumulate(steps_wh, initial=float(counter_wh or 0)))]
    with TemporaryDirectory() as folder:
        found = imported(Path(folder), (ISSUED_S, rows[1:] if counter_wh is None else rows))
    edges_s = [ISSUED_S + i * step_s for i in range(len(steps_wh) + 1)]
    assert energies_wh(found, *edges_s) == pytest.approx(steps_wh, abs=0.01)


@given(st.sampled_from(STEPS_S), st.integers(1, 5000), st.integers(10**7, 10**10))
@settings(max_examples=40, deadline=None)
def test_a_steady_sun_is_the_same_though_the_counter_began_unseen(step_s: int, power_w: int, counter_wh: int) -> None:
    """The first row of a running counter comes a step after the time of issue: that step does not count as darkness."""
    count = 2 * DAY_S // step_s
    rows = [(ISSUED_S + i * step_s, counter_wh + power_w * i * step_s / 3600) for i in range(1, count + 1)]
    with TemporaryDirectory() as folder:
        found = imported(Path(folder), (ISSUED_S, rows))
    assert energies_wh(found, ISSUED_S, ISSUED_S + 2 * DAY_S) == pytest.approx([power_w * 48], abs=0.01)


def test_a_first_value_of_zero_at_the_time_of_issue_makes_no_darkness(tmp_path: Path) -> None:
    """The forecast before holds until then."""
    first = [(ISSUED_S + i * 3600, 1000.0 * i) for i in range(13)]
    second = [(ISSUED_S + 6 * 3600 + i * 3600, 1000.0 * i) for i in range(7)]
    found = imported(tmp_path, (ISSUED_S, first), (ISSUED_S + 6 * 3600, second))
    assert energies_wh(found, *(ISSUED_S + i * 3600 for i in range(13))) == [1000.0] * 12


def test_a_first_value_of_zero_after_the_time_of_issue_is_darkness_until_then(tmp_path: Path) -> None:
    """The forecast predicts zero in its first step, regardless of the previous forecast."""
    first = [(ISSUED_S + i * 3600, 1000.0 * i) for i in range(13)]
    second = [(ISSUED_S + 6 * 3600 + i * 3600, 1000.0 * (i - 1)) for i in range(1, 7)]
    found = imported(tmp_path, (ISSUED_S, first), (ISSUED_S + 6 * 3600, second))
    assert energies_wh(found, *(ISSUED_S + i * 3600 for i in range(4, 9))) == [1000.0, 1000.0, 0.0, 1000.0]


def test_one_row_after_the_time_of_issue_is_a_forecast(tmp_path: Path) -> None:
    """A day's energy in a single value."""
    found = imported(tmp_path, (ISSUED_S, [(ISSUED_S + DAY_S, 24_000.0)]))
    assert energies_wh(found, ISSUED_S, ISSUED_S + DAY_S // 2, ISSUED_S + DAY_S) == [12_000.0, 12_000.0]


def test_one_row_is_noted_because_it_may_be_a_counter(tmp_path: Path) -> None:
    """Nothing else in the file shows which of the two it is, also if it is an hour after the time of issue."""
    found = imported(tmp_path, (ISSUED_S, [(ISSUED_S + 3600, 1_500.0)]))
    what = "the only value is taken as the energy since the time of issue, and not as a counter's reading"
    assert found.notes == (f"{what}: predictions/p0.csv (1,500 Wh)",)


def test_one_row_that_no_roof_can_produce_is_refused(tmp_path: Path) -> None:
    """It was taken as energy without a word: 5 MWh in an hour."""
    with pytest.raises(ScenarioError, match="a mean of 5,000 kW since the time of issue; at most 100 kW"):
        imported(tmp_path, (ISSUED_S, [(ISSUED_S + 3600, 5_000_000.0)]))


def test_a_gap_does_not_say_how_long_a_step_is(tmp_path: Path) -> None:
    """Nights are left out of a quarter-hourly file."""
    rows = [(ISSUED_S, 250.0), (ISSUED_S + 43_200, 250.0)] + [(ISSUED_S + 43_200 + i * 900, 500.0) for i in range(1, 5)]
    found = imported(tmp_path, (ISSUED_S, rows))
    production = found.scenario.producers["pv[1]:[9]"].predictions[0].production
    assert production.times_s[0] == ISSUED_S - 900


def test_a_first_value_of_up_to_ten_steps_is_the_energy_of_a_step() -> None:
    """A greater one is what a counter had counted before."""
    for first_wh, beginning in ((1_000.0, "step"), (1_001.0, "counter")):
        found = make_forecast((7_200, 10_800, 14_400), (first_wh, first_wh + 100, first_wh + 150), 3_600)
        assert found.beginning == beginning


def test_no_forecast_begins_before_1970() -> None:
    """PySSMic's own inputs count from there, and the first row may be less than a step after it."""
    for first_wh, energy_wh in ((100.0, 200.0), (0.0, 100.0), (99_999.0, 150.0)):
        production = make_forecast((1_800, 5_400), (first_wh, first_wh + 100), 0).production
        assert production.times_s[0] == 0
        assert production.energy_wh == energy_wh


def test_a_forecast_from_0_on_says_nothing_of_more_than_a_step_before() -> None:
    """The forecast before holds until then, although this one is issued earlier."""
    production = make_forecast((36_000, 39_600), (0.0, 1_000.0), 3_600).production
    assert production.times_s == (32_400, 36_000, 39_600)


def test_assumptions_are_noted(tmp_path: Path) -> None:
    """They are grouped by kind, with the files; the hour before the first row is PySSMic's rule, not an assumption."""
    quarters = [(ISSUED_S + 900 * i, 250.0 * i) for i in range(1, 9)]
    counter = [(ISSUED_S + 7200 + 3600 * i, 1_234_567.0 + 1000 * i) for i in range(9)]
    zero = [(ISSUED_S + 10_800 + 3600 * i, 1000.0 * i) for i in range(9)]
    hours = [(ISSUED_S + 14_400 + 3600 * i, 1000.0 * i) for i in range(1, 9)]
    found = imported(
        tmp_path,
        (ISSUED_S, quarters),
        (ISSUED_S + 7200, counter),
        (ISSUED_S + 10_800, zero),
        (ISSUED_S + 14_400, hours),
    )
    assert found.notes == (
        "the first value is taken as the energy of the 15 min before the first row: predictions/p0.csv",
        "the first value is 0, so the forecast is taken to begin there: predictions/p2.csv",
        (
            "the first value is far more than any step gives, or below 0, so it is taken as a counter's initial "
            "reading, and only differences count: predictions/p1.csv (1,234,567 Wh)"
        ),
    )
