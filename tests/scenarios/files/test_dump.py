"""Writing is the inverse of loading, for any scenario, and what is written is fit to be read by people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings, strategies as st

from agents.energy import LoadProfile, Prediction, Production
from agents.model import Device, House, Job
from scenarios.errors import ScenarioError
from scenarios.files.build import JobIds
from scenarios.files.dump import natural_order, save_scenario, scalar, to_yaml
from scenarios.files.scenario_from_text import load_text
from scenarios.files.yaml_nodes import resolve
from scenarios.load import load_scenario
from scenarios.prices import MAX_EUR_PER_KWH, Tariff
from scenarios.scenario import RESERVED, ProducerSeries, Scenario
from tests.identifiers import valid_ids

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
ids = valid_ids(8).filter(lambda text: text not in RESERVED)
finite = st.floats(0, 1e9, allow_nan=False)
prices = st.floats(0, MAX_EUR_PER_KWH, allow_nan=False)


@st.composite
def cumulative(draw: st.DrawFn, first_s: int, last_s: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Draw times that rise and energies that never fall."""
    times = sorted(draw(st.sets(st.integers(first_s + 1, last_s), min_size=1, max_size=4)) | {first_s})
    energies = sorted(draw(st.lists(finite, min_size=len(times), max_size=len(times))))
    return tuple(times), tuple(energies)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Draw a scenario that holds together."""
    start_s = draw(st.integers(0, 2_000_000_000))
    houses, jobs_of, producers = [], [], {}
    profiles = {
        name: LoadProfile(times_s=times, cumulative_wh=energies)
        for name in draw(st.lists(ids, min_size=1, max_size=3, unique=True))
        for times, energies in [draw(cumulative(0, 90_000))]
    }
    agents: set[str] = set()
    for house in draw(st.lists(ids, min_size=1, max_size=3, unique=True)):
        devices = []
        for device_id in draw(st.lists(ids, max_size=3, unique=True)):
            device = Device(
                id=device_id,
                house=house,
                type=draw(st.sampled_from(["consumer", "producer"])),
                name=draw(texts),
                template=draw(texts),
            )
            if device.agent in agents:
                continue
            agents.add(device.agent)
            devices.append(device)
            if device.type == "consumer":
                jobs_of += [(house, device_id)] * draw(st.integers(0, 3))
                continue
            issued = sorted(draw(st.sets(st.integers(start_s, start_s + 4_000_000), min_size=1, max_size=3)))
            series = [draw(cumulative(max(0, start_s - 4000), start_s + 90_000)) for _ in range(len(issued) + 1)]
            made = [Production(times_s=times, cumulative_wh=energies) for times, energies in series]
            producers[device_id] = ProducerSeries(
                tuple(Prediction(issued_s=t, production=p) for t, p in zip(issued, made, strict=False)),
                draw(st.sampled_from([None, made[-1]])),
            )
        houses.append(House(id=house, name=draw(texts), devices=tuple(devices)))
    job_ids = JobIds()
    jobs = []
    for house, consumer in jobs_of:
        source_id = draw(st.sampled_from([f"{house}/{consumer}", "a", "a#2", "[1]:[2]"]))
        registered_s = start_s + draw(st.integers(0, 200_000))
        earliest_s = registered_s + draw(st.integers(-100, 100_000))
        profile = draw(st.sampled_from(sorted(profiles)))
        jobs.append(
            Job(
                job_id=job_ids.take(source_id),
                source_id=source_id,
                house=house,
                device=consumer,
                profile=profile,
                load_profile=profiles[profile],
                registered_s=registered_s,
                earliest_start_s=max(0, earliest_s),
                latest_start_s=max(0, earliest_s, registered_s) + draw(st.integers(0, 10)),
            )
        )
    return Scenario(
        name=draw(st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)),
        start_s=start_s,
        seed=draw(st.integers(0, 2**63 - 1)),
        houses=tuple(houses),
        jobs=tuple(sorted(jobs, key=lambda job: (job.registered_s, job.job_id))),
        producers=producers,
        description=draw(texts),
        days=draw(st.none() | st.integers(1, 3660)),
        tariff=draw(st.none() | st.builds(Tariff, *[prices] * 4)),
    )


def test_numbers_in_other_scripts_are_text() -> None:
    """A superscript is a digit to Python, but no number."""
    assert sorted(["10", "9", "¹", "٣", "a10", "a9"], key=natural_order) == ["9", "10", "a9", "a10", "¹", "٣"]


@given(scenarios())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_loading_undoes_writing(scenario: Scenario) -> None:
    """Equal to the last digit."""
    assert load_text(to_yaml(scenario), "written.yaml", None) == scenario


@settings(deadline=None)
@given(texts | finite | st.integers(-(10**17), 10**17) | st.from_regex(r"[-+.0-9eE_:xa-f~]{1,8}", fullmatch=True))
def test_a_scalar_means_the_same_to_us_and_to_readers_of_yaml_1_1(value: str | float) -> None:
    """The files are read by other tools too."""
    text = scalar(value)

    assert yaml.safe_load(text) == value
    assert (resolve(text) if text[0] != '"' else value) == value


def test_pyssmic_folders_survive(pyssmic_inputs: Path, tmp_path: Path) -> None:
    """Imported, written, loaded: the same."""
    for name in ("small_test", "test"):
        scenario = load_scenario(pyssmic_inputs / name)
        save_scenario(scenario, tmp_path / "copy.yaml")

        assert load_scenario(tmp_path / "copy.yaml") == scenario


@pytest.mark.parametrize(
    "text",
    [
        """
        load_profiles: {wash: {step_s: 1800, power_w: [2000, 300]}}
        houses: [{id: a, devices: [{id: washer, type: consumer}]}]
        timeline:
          - {at: "07:00", do: add_job, house: a, device: washer, load_profile: wash, latest_start: 9h}
        """,
        """
        houses: [{id: a}]
        timeline:
          - {at: "10:00", do: cloud, factor: 0.3, duration: 1h}
          - {at: "10:00", do: forecast_error}
          - {at: "10:00", do: algorithm, algorithm: exact}
        """,
    ],
    ids=["the load profile of a job that only the timeline adds", "events for all producers where there are none"],
)
def test_a_timeline_survives(text: str) -> None:
    """What `ssmic results scenario` writes can be run again; no file may have an empty list of producers."""
    head = """
        version: 1
        name: timeline
        start: 2026-06-21T00:00:00Z
        seed: 1"""
    scenario = load_text(head + text, "timeline.yaml", None)

    assert load_text(to_yaml(scenario), "written.yaml", None) == scenario


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_times_in_a_zone_survive_where_clocks_change(day: str) -> None:
    """Also those of real devices and of faults."""
    text = f"""
        version: 1
        name: clocks
        start: "{day}T00:00"
        zone: Europe/Berlin
        seed: 1
        load_profiles: {{wash: {{step_s: 1800, power_w: [2000, 300]}}}}
        houses:
          - id: a
            base_load: {{points: [["00:00", 0], ["12:00", 50], ["20:00", 100]]}}
            devices:
              - {{id: washer, type: consumer, load_profile: wash}}
              - id: pv
                type: producer
                gateway: {{}}
                predictions: [{{issued: "05:00", start: "06:00", step_s: 3600, power_w: [500, 3000]}}]
                actual: {{start: "06:00", step_s: 3600, power_w: [500, 3000]}}
        jobs: [{{house: a, device: washer, registered: "05:00", earliest_start: "06:00", latest_start: "12:00"}}]
        timeline: [{{at: "10:00", do: offline, house: a}}]
        expect: [{{at: "13:00", that: "jobs >= 0"}}]
        faults: [{{device: a/washer, fault: dead, at: "13:00", until: "14:00"}}]"""
    scenario = load_text(text, "clocks.yaml", None)

    assert load_text(to_yaml(scenario), "written.yaml", None) == scenario


def test_what_is_written_is_tidy() -> None:
    """A job a line, times after the start, what a device's jobs share said once."""
    profile = LoadProfile(times_s=(0, 60), cumulative_wh=(0, 15.5))
    job = Job(
        job_id="1/dish", source_id="1/dish", house="1", device="dish", profile="eco", load_profile=profile,
        registered_s=3600, earliest_start_s=3600, latest_start_s=90_005,
    )  # fmt: skip
    sun = Production(times_s=(0, 3600, 7200), cumulative_wh=(0, 1e-05, 20.0))
    devices = (
        Device(id="dish", house="1", type="consumer", name="Dish washer"),
        Device(id="pv", house="1", type="producer", template="yes"),
    )
    scenario = Scenario(
        name="one", start_s=3600, seed=1, houses=(House(id="1", devices=devices),), jobs=(job,),
        producers={"pv": ProducerSeries((Prediction(issued_s=3600, production=sun),))},
    )  # fmt: skip

    assert (
        to_yaml(scenario)
        == """\
version: 1
name: one
start: "1970-01-01T01:00:00Z"
seed: 1

load_profiles:
  eco: {points: [[0, 0], [60, 15.5]]}

houses:
  - id: "1"
    devices:
      - {id: dish, type: consumer, name: Dish washer, load_profile: eco}
      - id: pv
        type: producer
        template: "yes"
        predictions:
          - {issued: "00:00", points: [["1970-01-01T00:00:00Z", 0], ["00:00", 1.0e-05], ["01:00", 20]]}

jobs:
  - {house: "1", device: dish, registered: "00:00", earliest_start: "00:00", latest_start: "24:00:05"}
"""
    )


def test_a_scenario_that_no_file_makes_is_refused() -> None:
    """Rather than written as something else."""
    scenario = load_scenario("street")
    odd = scenario.jobs[0].model_copy(update={"job_id": "odd"})

    with pytest.raises(ScenarioError, match="the job id 'odd' does not follow from the source id"):
        to_yaml(replace(scenario, jobs=(odd, *scenario.jobs[1:])))
    with pytest.raises(ScenarioError, match="name: at most 100 letters"):
        to_yaml(replace(scenario, name="two words"))


def test_a_file_that_cannot_be_written_stays_as_it_is(tmp_path: Path) -> None:
    """No draft remains."""
    scenario = load_scenario("street")
    (tmp_path / "folder").mkdir()

    with pytest.raises(ScenarioError, match=r"folder: cannot be written: Is a directory"):
        save_scenario(scenario, tmp_path / "folder")
    (tmp_path / "file").touch()
    with pytest.raises(ScenarioError, match=r"x\.yaml: cannot be written: .*file is a file, a folder is expected"):
        save_scenario(scenario, tmp_path / "file" / "missing" / "x.yaml")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    save_scenario(scenario, tmp_path / "missing" / "x.yaml")
    assert [path.name for path in (tmp_path / "missing").iterdir()] == ["x.yaml"]


def test_folders_made_for_a_file_that_cannot_be_written_are_removed(tmp_path: Path) -> None:
    """A name that is too long: the folder for it is not left behind."""
    with pytest.raises(ScenarioError, match="cannot be written: File name too long"):
        save_scenario(load_scenario("street"), tmp_path / "missing" / f"{'x' * 300}.yaml")
    assert list(tmp_path.iterdir()) == []
