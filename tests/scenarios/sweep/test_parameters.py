"""Parameters that can be varied and set, and the errors for all others."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import SettingsError
from scenarios import ScenarioError
from scenarios.load import load_scenario
from scenarios.sweep import SweepRequest, plan_sweep


def _problems(**request: object) -> str:
    with pytest.raises(SettingsError) as raised:
        plan_sweep(SweepRequest("street", **request))  # type: ignore[arg-type]  # each case names what it varies
    return str(raised.value)


def test_a_grid_has_every_combination_and_each_has_the_same_seeds() -> None:
    """A grid has every combination and each has the same seeds."""
    plan = plan_sweep(SweepRequest("street", ("algorithm=insertion,exact", "penalty=0.5:2:4"), seeds=20))
    assert plan.keys == ("algorithm", "penalty")
    assert [point.values for point in plan.points] == [
        (name, penalty) for name in ("insertion", "exact") for penalty in (0.5, 1.0, 1.5, 2.0)
    ]
    assert plan.seeds == tuple(range(1, 21))
    assert plan.count == len(list(plan.runs())) == 160
    assert sorted(run.run for run in plan.runs()) == list(range(1, 161))
    assert [(run.run, run.point) for run in plan.runs()][:3] == [(1, 1), (21, 2), (41, 3)]
    assert plan.notes == (
        (
            "penalty belongs to L-BFGS-B, SLSQP, TNC; insertion and exact have no such setting, "
            "so its value changes nothing there"
        ),
    )


def test_a_latin_hypercube_takes_one_value_from_each_layer_of_a_range() -> None:
    """A latin hypercube takes one value from each layer of a range."""
    request = SweepRequest("street", ("penalty=0:10", "algorithm=SLSQP,TNC"), sample=10, seeds=1)
    points = plan_sweep(request).points
    assert sorted(int(float(point.values[0])) for point in points) == list(range(10))
    assert all(len(f"{point.values[0]}") <= len("0.123456") for point in points)
    assert [point.values[1] for point in points].count("SLSQP") == 5
    assert points == plan_sweep(request).points


def test_logarithmic_and_whole_ranges() -> None:
    """Logarithmic and whole ranges."""
    request = SweepRequest("street", ("penalty=1:100:3:log", "node_limit=10:40:4"), ("algorithm=slsqp",), seeds=1)
    points = plan_sweep(request).points
    assert sorted({point.values for point in points}) == [(p, n) for p in (1.0, 10.0, 100.0) for n in (10, 20, 30, 40)]
    assert {point.settings["algorithm"] for point in points} == {"SLSQP"}


def test_a_path_sets_values_of_the_scenario_by_id_number_or_all() -> None:
    """A path sets values of the scenario by id number or all."""
    request = SweepRequest(
        "street",
        ("jobs[adler-car].latest_start=10:00,14:00", "tariff.import_eur_per_kwh=0.2:0.4:3"),
        ("houses[*].name=House",),
        seeds=1,
    )
    plan = plan_sweep(request)
    assert len(plan.points) == len(plan.variants) == 6
    jobs = [next(job for job in one.jobs if job.job_id == "adler-car") for one in plan.variants]
    assert {job.latest_start_s - plan.variants[0].start_s for job in jobs} == {10 * 3600, 14 * 3600}
    assert {one.tariff.import_eur_per_kwh for one in plan.variants if one.tariff} == {0.2, 0.3, 0.4}
    assert {house.name for one in plan.variants for house in one.houses} == {"House"}


def test_unknown_keys_are_reported_all_at_once_with_the_nearest_known_key() -> None:
    """All unknown keys are reported at once, each with the nearest known key."""
    said = _problems(vary=("penality=1,2", "jobs[adler-car].latest_strt=10:00"), fixed=("algoritm=exact",))
    assert "unknown key 'penality'; did you mean 'penalty'?" in said
    assert "there is no 'latest_strt' in jobs[1]; did you mean 'latest_start'?" in said
    assert "unknown key 'algoritm'; did you mean 'algorithm'?" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("penalty", "expected KEY=VALUE"),
        ("penalty=high", "a number is expected"),
        ("penalty=2:1:3", "the first number has to be less"),
        ("penalty=1:2", "has no number of values"),
        ("penalty=0:2:3:log", "begins above 0"),
        ("penalty=1:2:1", "a range has from 2 to 10000 values, not 1"),
        ("penalty=1,1", "a value is given twice"),
        ("penalty=1,,2", "a value is missing"),
        ("penalty=-1", "above 0"),
        ("node_limit=1:3:9", "there are not 9 different whole numbers"),
        ("node_limit=2.5", "a whole number is expected"),
        ("algorithm=inserton", "did you mean 'insertion'?"),
        ("patient=perhaps", "yes or no"),
        ("days=0", "from 1 to 3660 is expected"),
        ("seed=4", "--seeds"),
        ("jobs=3", "is not a single value"),
        ("houses[nobody].name=x", "there is no 'nobody' in houses"),
        ("a[=3", "is not a key"),
    ],
)
def test_problems_of_a_parameter_are_reported(text: str, said: str) -> None:
    """The error states the problem of a parameter."""
    assert said in _problems(vary=(text,))


def test_seeds_follow_the_first_one() -> None:
    """Without a first one, that of the scenario."""
    assert plan_sweep(SweepRequest("street", seeds=2, first_seed=7)).seeds == (7, 8)
    assert plan_sweep(SweepRequest("street", seeds=2)).seeds == (1, 2)


def test_a_sample_of_whole_numbers_reaches_both_ends() -> None:
    """Each of them is drawn about equally often."""
    plan = plan_sweep(SweepRequest("street", ("algorithm=exact", "node_limit=1:3"), sample=12))
    assert sorted(point.values for point in plan.points) == [("exact", 1), ("exact", 2), ("exact", 3)]


def test_a_key_cannot_be_varied_and_set() -> None:
    """A key cannot be varied and set."""
    assert "varied or set twice" in _problems(vary=("penalty=1,2",), fixed=("penalty=3",))
    assert "varied or set twice" in _problems(vary=("jobs[*].latest_start=23:00", "jobs[0].latest_start=23:00"))
    assert "takes one value" in _problems(fixed=("penalty=1,2",))


def test_parameters_that_go_together_take_their_values_in_turn() -> None:
    """The other ones are combined with each of these pairs; a sample has them as one dimension."""
    vary = ("algorithm=SLSQP,TNC", "node_limit=10,20", "penalty=1:10:2")
    request = SweepRequest("street", vary, seeds=1, together=("algorithm,penalty",))
    assert [point.values for point in plan_sweep(request).points] == [
        ("SLSQP", 10, 1.0),
        ("SLSQP", 20, 1.0),
        ("TNC", 10, 10.0),
        ("TNC", 20, 10.0),
    ]
    drawn = plan_sweep(SweepRequest("street", vary, seeds=1, sample=8, together=("algorithm,penalty",))).points
    assert {(point.values[0], point.values[2]) for point in drawn} == {("SLSQP", 1.0), ("TNC", 10.0)}

    said = _problems(vary=vary, together=("algorithm,penality", "node_limit", "penalty,penalty"))
    assert "penality is not varied; did you mean 'penalty'?" in said
    assert "name at least two keys" in said
    assert "penalty is named twice" in said
    ranges = ("penalty=1:2", "node_limit=1:3")
    assert "penalty has 0, node_limit has 0" in _problems(vary=ranges, sample=3, together=("penalty,node_limit",))
    assert "algorithm has 1, penalty has 2" in _problems(
        vary=("algorithm=TNC", "penalty=1,2"), together=("algorithm,penalty",)
    )


def test_lists_and_mappings_of_the_file_are_set_and_varied_as_run_does() -> None:
    """In brackets, as in YAML; commas in them part no values."""
    request = SweepRequest(
        "street",
        ("prefer=[cheapest],[own-roof, cheapest]", "tariff.feed_in_eur_per_kwh=0.05,{points: [['00:00', 0.1]]}"),
        ("supply=shared", "expect=[self_sufficiency >= 0, 'jobs_on_grid <= 3']", "description=Two, or three"),
        seeds=1,
    )
    plan = plan_sweep(request)
    assert [scenario.prefer for scenario in plan.variants] == [("cheapest",)] * 2 + [("own-roof", "cheapest")] * 2
    assert {len(scenario.expectations) for scenario in plan.variants} == {2}
    assert {scenario.description for scenario in plan.variants} == {"Two, or three"}
    assert {run.settings.supply.prefer for run in plan.runs()} == {("cheapest",), ("own-roof", "cheapest")}
    assert plan.label(plan.points[0]) == "prefer=[cheapest], tariff.feed_in_eur_per_kwh=0.05"
    assert "prefer=[cheapest" in _problems(vary=("prefer=[cheapest",))
    assert "takes one value" in _problems(fixed=("tariff.import_eur_per_kwh=0.2,0.3",))


WITH_VARIABLES = """\
version: 1
name: evening
start: 2026-06-21T00:00:00+00:00
seed: 1
algorithm: ${how}
vars: {power_w: 2000, latest: "20:00", how: insertion, is_shared: true}
load_profiles:
  wash: {step_s: 3600, power_w: ["${power_w}"]}
houses:
  - id: a
    devices:
      - {id: washer, type: consumer, load_profile: wash}
      - {id: pv, type: producer, predictions: [{issued: "00:00", points: [["06:00", 0], ["18:00", 6000]]}]}
jobs:
  - {house: a, device: washer, id: wash, registered: "01:00", earliest_start: "08:00", latest_start: "${latest}"}
"""


def test_variables_of_the_file_are_varied_and_set_as_run_does(tmp_path: Path) -> None:
    """The scenarios are those of `ssmic run --set`; a variable keeps its type, and suggestions know it."""
    file = tmp_path / "evening.yaml"
    file.write_text(WITH_VARIABLES, encoding="utf-8")
    vary = ("power_w=1000:2000:3", "latest=19:00,20:00", "jobs[wash].registered=02:00")
    plan = plan_sweep(SweepRequest(str(file), vary, ("how=exact",), seeds=1))

    assert plan.keys == ("power_w", "latest", "jobs[wash].registered")
    assert [point.values[:2] for point in plan.points][:3] == [(1000, "19:00"), (1000, "20:00"), (1500, "19:00")]
    assert {point.settings["algorithm"] for point in plan.points} == {"exact"}
    text = WITH_VARIABLES.replace("01:00", "02:00")
    file.write_text(text, encoding="utf-8")
    chosen = {"power_w": "1500", "latest": "19:00", "how": "exact"}
    assert plan.variants[plan.points[2].variant] == load_scenario(file, chosen)

    with pytest.raises(SettingsError, match="did you mean 'power_w'"):
        plan_sweep(SweepRequest(str(file), ("power=1,2",)))
    with pytest.raises(SettingsError, match="a number is expected"):
        plan_sweep(SweepRequest(str(file), ("power_w=high",)))
    with pytest.raises(ScenarioError, match=r"evening.yaml with latest=05:00: .*before the earliest start"):
        plan_sweep(SweepRequest(str(file), ("latest=05:00,19:00",)))


def test_runs_use_the_settings_of_the_file_unless_they_are_varied(tmp_path: Path) -> None:
    """Those of the point's own variant."""
    file = tmp_path / "evening.yaml"
    file.write_text(f"supply: shared\nforecast: issued\n{WITH_VARIABLES}", encoding="utf-8")
    runs = list(plan_sweep(SweepRequest(str(file), ("how=insertion,exact", "patient=yes,no"), seeds=1)).runs())
    assert {(run.settings.supply.rule, run.settings.supply.forecast) for run in runs} == {("shared", "issued")}
    assert [(run.settings.algorithm.name, run.settings.patient) for run in runs] == [
        ("insertion", True),
        ("insertion", False),
        ("exact", True),
        ("exact", False),
    ]
    whole = plan_sweep(SweepRequest(str(file), (), ("supply=whole",), seeds=1)).runs()
    assert [run.settings.supply.rule for run in whole] == ["whole"]


def test_a_sweep_has_at_most_a_million_runs() -> None:
    """It would take weeks."""
    assert "2 points with 500001 seeds are more than 1,000,000 runs" in _problems(
        vary=("algorithm=exact,insertion",), seeds=500_001
    )


def test_a_scenario_that_is_invalid_with_a_value_names_the_value() -> None:
    """A scenario that is invalid with a value names the value."""
    with pytest.raises(ScenarioError, match=r"with jobs\[adler-car\]\.latest_start=08:00: .*before the earliest start"):
        plan_sweep(SweepRequest("street", ("jobs[adler-car].latest_start=08:00,14:00",), seeds=1))


def test_parts_outside_the_folder_are_allowed_only_if_asked_for(tmp_path: Path) -> None:
    """This also holds if each point has a separate scenario."""
    folder = tmp_path / "mine"
    folder.mkdir()
    text = WITH_VARIABLES.replace('load_profiles:\n  wash: {step_s: 3600, power_w: ["${power_w}"]}\n', "")
    (tmp_path / "profiles.yaml").write_text('load_profiles: {wash: {step_s: 3600, power_w: ["${power_w}"]}}\n')
    file = folder / "evening.yaml"
    file.write_text(f"include: ../profiles.yaml\n{text}", encoding="utf-8")
    vary = ("power_w=1000,2000",)
    plan = plan_sweep(SweepRequest(str(file), vary, seeds=1, allow_outside=True))
    assert [job.energy_wh for scenario in plan.variants for job in scenario.jobs] == [1000.0, 2000.0]
    with pytest.raises(ScenarioError, match="outside"):
        plan_sweep(SweepRequest(str(file), vary, seeds=1))
