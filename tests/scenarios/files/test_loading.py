"""YAML files that are right: what each way of saying something means."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.files.scenario_from_text import load_text
from scenarios.load import bundled_names, load_scenario
from scenarios.prices import Tariff
from scenarios.scenario import Scenario
from tests.scenarios.problems import problems_of

STREET = """\
version: 1
name: street
description: A house
start: 2026-06-21T00:00:00+02:00
days: 1
seed: 7
load_profiles:
  dish-eco: {points: [[0, 0], [60, 15.3]]}
  kettle: {step_s: 60, power_w: [1800, 900, 0]}
houses:
  - id: 1
    name: Adler
    devices:
      - {id: dishwasher, type: consumer, name: Dishwasher, template: dish, load_profile: dish-eco}
      - id: pv-1
        type: producer
        predictions:
          - {issued: "06:00", start: "06:00", step_s: 3600, power_w: [100, 50.5]}
          - {issued: "00:00", points: [["04:00", 0], ["29:00:30", 120.5]]}
        actual: {start: 1781992800, step_s: 1800, power_w: [10]}
jobs:
  - {house: "1", device: dishwasher, registered: 06:00, earliest_start: "08:00:05", latest_start: 2026-06-21T14:00Z}
  - house: 1
    device: dishwasher
    id: tea
    load_profile: kettle
    registered: 1782014400
    earliest_start: "07:00"
    latest_start: "07:00"
  - {house: "1", device: dishwasher, registered: "05:00", earliest_start: "08:00", latest_start: "16:00"}
tariff: {import_eur_per_kwh: 0.35, feed_in_eur_per_kwh: 0.08, neighbour_eur_per_kwh: 0.2, grid_kg_co2_per_kwh: 0}
"""
START_S = 1781992800


@pytest.fixture
def street() -> Scenario:
    """The scenario above."""
    return load_text(STREET, "street.yaml", None)


def test_the_keys_at_the_top_of_a_file(street: Scenario) -> None:
    """The start's offset counts; integers are fine where numbers are expected."""
    assert (street.name, street.description, street.start_s, street.days, street.seed, street.algorithm) == (
        "street", "A house", START_S, 1, 7, "insertion",
    )  # fmt: skip
    assert street.tariff == Tariff(0.35, 0.08, 0.2, 0.0)


def test_times_may_be_said_in_three_ways(street: Scenario) -> None:
    """After the start, with or without quotes; ISO with an offset; UNIX seconds."""
    times = {job.job_id: (job.registered_s, job.earliest_start_s, job.latest_start_s) for job in street.jobs}

    assert times["1/dishwasher"] == (START_S + 6 * 3600, START_S + 8 * 3600 + 5, START_S + 16 * 3600)
    assert times["tea"] == (START_S + 6 * 3600, START_S + 7 * 3600, START_S + 7 * 3600)


NOTED = (
    'street.yaml:18: houses[0].devices[1].predictions[0].issued: "06:00" counts from the start of the run, '
    "which is at 00:30, so it means 06:30 on 21 June 2026"
)


@pytest.mark.parametrize(
    ("start", "noted"),
    [
        ("2026-06-21T00:00:00+02:00", []),
        ("2026-06-21T00:30:00+02:00", [NOTED]),
        ("2026-06-20T23:30:00+02:00", []),  # no clock shows 6:00 on that day after the start
    ],
)
def test_what_looks_like_a_time_of_the_clock_but_counts_from_the_start_is_noted_once(
    start: str, noted: list[str]
) -> None:
    """Somebody who starts a run at half past midnight means six o'clock, and waits in vain for the job."""
    notes: list[str] = []
    load_text(STREET.replace("2026-06-21T00:00:00+02:00", start), "street.yaml", None, notes)
    assert notes == noted


def test_jobs_are_in_the_order_of_registration(street: Scenario) -> None:
    """Their ids come from the order of the file: the second with an id is #2, whenever it is registered."""
    assert [(job.job_id, job.source_id, job.profile) for job in street.jobs] == [
        ("1/dishwasher#2", "1/dishwasher", "dish-eco"),
        ("1/dishwasher", "1/dishwasher", "dish-eco"),
        ("tea", "tea", "kettle"),
    ]


def test_a_taken_job_id_is_skipped() -> None:
    """An input may hold an id that looks like ours."""
    job = "  - {house: '1', device: dishwasher, id: IDS, registered: 0:00, earliest_start: 0:00, latest_start: 1:00}"
    ids = ["a", "a#2", "a", "a", "a#2"]
    text = STREET[: STREET.index("jobs:")] + "jobs:\n" + "\n".join(job.replace("IDS", f'"{name}"') for name in ids)

    scenario = load_text(text, "street.yaml", None)

    assert {job.job_id: job.source_id for job in scenario.jobs} == {
        "a": "a", "a#2": "a#2", "a#3": "a", "a#4": "a", "a#2#2": "a#2",
    }  # fmt: skip


def test_power_becomes_cumulative_energy(street: Scenario) -> None:
    """Average power of each step, W, for load profiles, predictions and what really came."""
    tea = next(job for job in street.jobs if job.job_id == "tea")
    assert tea.load_profile.times_s == (0, 60, 120, 180)
    assert tea.load_profile.cumulative_wh == (0, 30, 45, 45)
    newer = street.producers["pv-1"].predictions[1].production
    assert (newer.times_s, newer.cumulative_wh) == (
        (START_S + 6 * 3600, START_S + 7 * 3600, START_S + 8 * 3600),
        (0, 100, 150.5),
    )
    actual = street.producers["pv-1"].actual
    assert actual is not None
    assert (actual.times_s, actual.cumulative_wh) == ((START_S, START_S + 1800), (0, 5))


def test_predictions_come_in_the_order_of_issue(street: Scenario) -> None:
    """The order in the file does not matter."""
    predictions = street.producers["pv-1"].predictions

    assert [prediction.issued_s - START_S for prediction in predictions] == [0, 6 * 3600]
    assert predictions[0].production.times_s == (START_S + 4 * 3600, START_S + 29 * 3600 + 30)


@pytest.mark.parametrize(
    "content",
    ["0 0\n60 1.5\n", "\ufeff0,0\r\n60,1.5\r\n\r\n\r\n", "0;0\n\n60;1,5\n", "  0\t0\n 60.0   1.5e0"],
    ids=["spaces", "bom, crlf, commas, blank lines", "semicolons, decimal comma", "tabs, no end of line"],
)
def test_series_may_be_in_separate_files(tmp_path: Path, content: str) -> None:
    """Paths are relative to the YAML file; any usual separator works."""
    (tmp_path / "loads").mkdir()
    (tmp_path / "loads/dish.csv").write_bytes(content.encode())
    text = STREET.replace("{points: [[0, 0], [60, 15.3]]}", "{file: loads/dish.csv}")
    (tmp_path / "street.yaml").write_text(text, encoding="utf-8")

    profile = load_scenario(tmp_path / "street.yaml").jobs[0].load_profile

    assert (profile.times_s, profile.cumulative_wh) == ((0, 60), (0, 1.5))


def test_a_prediction_file_is_used_as_it_is(tmp_path: Path) -> None:
    """Times are UNIX seconds; the hour before the first row is PySSMic's convention."""
    (tmp_path / "sun.csv").write_text("1782000000 5\n1782003600 25\n", encoding="utf-8")
    text = STREET.replace("start: 1781992800, step_s: 1800, power_w: [10]", "file: sun.csv")

    actual = load_text(text, "street.yaml", tmp_path).producers["pv-1"].actual

    assert actual is not None
    assert (actual.start_s, actual.energy_wh) == (1782000000, 20)


def test_anchors_save_writing() -> None:
    """An alias is what it refers to."""
    text = STREET.replace("power_w: [100, 50.5]", "power_w: &sun [100, 50.5]").replace("power_w: [10]", "power_w: *sun")

    actual = load_text(text, "street.yaml", None).producers["pv-1"].actual

    assert actual is not None
    assert actual.energy_wh == 75.25


def test_ids_and_names_may_hold_any_character() -> None:
    """They are text in any script."""
    text = STREET.replace("id: 1\n", 'id: "[1]:/+#ü 🌞"\n').replace('house: "1"', 'house: "[1]:/+#ü 🌞"')
    text = text.replace("house: 1\n", 'house: "[1]:/+#ü \\U0001F31E"\n')

    assert load_text(text, "street.yaml", None).houses[0].id == "[1]:/+#ü 🌞"


def test_a_neighbourhood_without_jobs_is_fine() -> None:
    """Users begin with one."""
    assert load_text(STREET[: STREET.index("jobs:")], "street.yaml", None).jobs == ()


def test_bundled_names_are_known_and_load() -> None:
    """A bundled scenario is loaded by its name."""
    assert "street" in bundled_names()
    for name in bundled_names():
        assert load_scenario(name).name == name


def test_a_bundled_scenario_that_does_not_exist_suggests_one() -> None:
    """The nearest."""
    assert [str(problem) for problem in problems_of("stret")] == [
        "stret: there is no such file or folder, and no bundled scenario of this name; did you mean 'street'?"
    ]


def test_a_path_is_never_taken_for_a_name() -> None:
    """Even a missing file is not looked up as a name."""
    assert [str(problem) for problem in problems_of("./street")] == ["street: there is no such file"]
    assert [str(problem) for problem in problems_of("street.yml")] == ["street.yml: there is no such file"]
