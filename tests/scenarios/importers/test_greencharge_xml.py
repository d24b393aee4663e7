"""Neighbourhoods of GreenCharge's simulator: houses, charging stations, cars, and what does not exist here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scenarios.errors import ScenarioError
from scenarios.importers import import_source
from scenarios.importers.assumptions import ImportedScenario

MIDNIGHT_S = 1_475_884_800
"""2016-10-08T00:00:00Z, the day of the profiles."""

NEIGHBORHOOD = """\
<?xml version='1.0' encoding='UTF-8'?>
<Neighborhood peakLoad2="10000">
  <energyCost><id>5</id><profile>cost.csv</profile></energyCost>
  <house id="1" peakLoad="3000">
    <user id="0">
      <device><id>1</id><name>PVPanel</name><type>Producer</type></device>
      <device><id>3</id><name>DishWasher</name><type>Consumer</type></device>
      <battery><id>5</id><name>batt</name><type>Prosumer</type><capacity>8000</capacity></battery>
      <backgroundload><id>6</id><name>BackGroundLoad</name><type>NS-Consumer</type></backgroundload>
      <heatercooler><id>7</id><name>freezer</name><type>NS-Consumer</type></heatercooler>
    </user>
  </house>
  <chargingStation id="1" peakLoad="50">
    <user id="0">
      <ChargingPoint id="0" peakLoad="3" ConnectorsType="DC">
        <ecar>
          <id>2</id><name>blue car</name><type>Prosumer</type><capacity>24</capacity><maxchpowac>4</maxchpowac>
          <maxchpowcc>40</maxchpowcc><sbch>0.8</sbch><cheff>0.5</cheff>
        </ecar>
      </ChargingPoint>
    </user>
  </chargingStation>
  <fleet><ecar><id>9</id><type>Prosumer</type><capacity>24</capacity><maxchpowac>4</maxchpowac></ecar></fleet>
</Neighborhood>
"""
LOADS = """\
<Neighborhood>
  <house id="1">
    <user id="0">
      <device><id>1</id><est>0</est><lst>0</lst><type>load</type><creation_time>0</creation_time>
        <energy_cost>c.csv</energy_cost><profile>pv.csv </profile></device>
      <device><id>3</id><est>35000</est><lst>40000</lst><type>load</type><creation_time>15000</creation_time>
        <profile>dish.csv</profile></device>
      <battery><id>5</id><soc>8</soc><targetSoc>80</targetSoc><startTime>1</startTime><endTime>2</endTime></battery>
      <backgroundload><id>6</id><profile>base.csv</profile></backgroundload>
      <heatercooler><id>7</id><profile>missing.csv</profile></heatercooler>
      <device><id>33</id><est>0</est><lst>0</lst><creation_time>0</creation_time><profile>dish.csv</profile></device>
    </user>
  </house>
  <chargingStation id="1">
    <user id="0">
      <ChargingPoint id="0">
        <ecar><id>2</id><pat>50000</pat><pdt>71000</pdt><aat>51000</aat><adt>71000</adt>
          <creation_time>10000</creation_time><soc>70</soc><targetSoc>90</targetSoc><V2G>1</V2G>
          <priority>0</priority></ecar>
      </ChargingPoint>
    </user>
  </chargingStation>
</Neighborhood>
"""


def rows(first_s: int, *values: float, step_s: int = 3600) -> str:
    """Return a profile's file."""
    return "".join(f"{first_s + i * step_s} {value}\n" for i, value in enumerate(values))


@pytest.fixture
def simulation(tmp_path: Path) -> Path:
    """A simulation's folder as the simulator has it."""
    (tmp_path / "xml").mkdir()
    (tmp_path / "Inputs").mkdir()
    (tmp_path / "xml" / "neighborhood.xml").write_text(NEIGHBORHOOD)
    (tmp_path / "xml" / "loads.xml").write_text(LOADS)
    (tmp_path / "Inputs" / "pv.csv").write_text(rows(MIDNIGHT_S + 6 * 3600, 5, 1005, 3005, 3005))
    (tmp_path / "Inputs" / "dish.csv").write_text(rows(1_475_920_161, 0, 700, 800, step_s=1800))
    (tmp_path / "Inputs" / "base.csv").write_text(rows(MIDNIGHT_S, 100, 300, 100, 300))
    return tmp_path


def said(imported: ImportedScenario, *words: str) -> bool:
    """Return whether a note has all of these words."""
    return any(all(word in note for word in words) for note in imported.notes)


def test_devices_cars_and_base_loads_are_those_of_the_files(simulation: Path) -> None:
    """They are on the day of the production's profile, with the files' energies."""
    imported = import_source(simulation)
    scenario = imported.scenario
    assert (scenario.start_s, scenario.days) == (MIDNIGHT_S, 1)
    assert {house.id: house.name for house in scenario.houses} == {"1": "House 1", "station-1": "Charging station 1"}

    sun = scenario.producers["1"]
    assert sun.predictions[0].production.times_s[0] == MIDNIGHT_S + 6 * 3600
    assert sun.predictions[0].production.cumulative_wh[-1] == 3000

    jobs = {job.device: job for job in scenario.jobs}
    dish, car = jobs["3"], jobs["2"]
    assert (dish.registered_s, dish.earliest_start_s, dish.latest_start_s) == (
        MIDNIGHT_S + 15_000,
        MIDNIGHT_S + 35_000,
        MIDNIGHT_S + 40_000,
    )
    assert dish.load_profile.cumulative_wh == (0, 700, 800)
    base = scenario.base_loads["1"]
    assert base.times_s[0] == MIDNIGHT_S
    assert base.cumulative_wh == (0, 100, 400, 500)  # the values fall: W in each hour
    # 20 % of 24 kWh: half of it below 80 % at the 3 kW of the point, half above it at half of the power.
    assert car.load_profile.cumulative_wh == pytest.approx((0, 2400, 4800))
    assert car.load_profile.times_s == (0, 2880, 8640)
    assert (car.earliest_start_s, car.latest_start_s) == (MIDNIGHT_S + 51_000, MIDNIGHT_S + 71_000 - 8640)


def test_a_capacity_of_1000_or_more_is_taken_as_wh(simulation: Path) -> None:
    """The energy is the same, and the note says which unit was assumed."""
    path = next(simulation.rglob("neighborhood.xml"))
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("<capacity>24<", "<capacity>1000<"), encoding="utf-8")
    assert said(import_source(simulation), "capacity 1000 is not below 1000, so it is taken as Wh (")
    for old, new in (("<capacity>24<", "<capacity>24000<"), ('"3" Conn', '"3000" Conn'), (">40<", ">40000<")):
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    imported = import_source(simulation)
    assert said(imported, "capacity 24000 is not below 1000, so it is taken as Wh (", "neighborhood.xml:17)")
    car = next(job for job in imported.scenario.jobs if job.device == "2")
    assert car.load_profile.cumulative_wh == pytest.approx((0, 2400, 4800))


def test_a_counter_that_was_reset_goes_on_counting(simulation: Path) -> None:
    """It falls once in forty rows, and did not begin with 0."""
    counter = [5000 + 10 * i for i in range(20)] + [10 * i for i in range(20)]
    (simulation / "Inputs" / "base.csv").write_text(rows(MIDNIGHT_S, *counter, step_s=600))
    imported = import_source(simulation)
    base = imported.scenario.base_loads["1"]
    assert (base.cumulative_wh[0], base.cumulative_wh[19], base.cumulative_wh[-1]) == (0, 190, 380)
    assert said(imported, "the counter was reset; these steps count as 0 Wh", "base.csv:21")


def loads_with(simulation: Path, *changes: tuple[str, str]) -> ImportedScenario:
    """Return the import with other loads."""
    text = LOADS
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    (simulation / "xml" / "loads.xml").write_text(text)
    return import_source(simulation)


def test_a_session_that_is_booked_too_late_is_known_at_its_latest_start(simulation: Path) -> None:
    """A job cannot be registered after that."""
    imported = loads_with(simulation, ("<creation_time>10000<", "<creation_time>70000<"))
    car = next(job for job in imported.scenario.jobs if job.device == "2")
    assert car.registered_s == car.latest_start_s == MIDNIGHT_S + 71_000 - 8640


def test_a_latest_start_before_the_earliest_is_on_the_next_day(simulation: Path) -> None:
    """A note says so."""
    imported = loads_with(simulation, ("<lst>40000<", "<lst>20000<"))
    dish = next(job for job in imported.scenario.jobs if job.device == "3")
    assert dish.latest_start_s == MIDNIGHT_S + 86_400 + 20_000
    assert said(imported, "'lst' is before 'est'", "loads.xml:6")


def test_a_forecast_is_issued_when_it_was_created(simulation: Path) -> None:
    """Jobs before that do not know of it."""
    first = "<creation_time>0</creation_time>\n        <energy_cost>"
    imported = loads_with(simulation, (first, first.replace("0", "18000")))
    assert imported.scenario.producers["1"].predictions[0].issued_s == MIDNIGHT_S + 18_000


@pytest.mark.parametrize(("cheff", "end_s"), [("0", 5760), ("1", 5760), ("0.25", 2880 + 4 * 2880), ("25", 5760)])
def test_a_car_without_a_sensible_share_charges_at_full_power_to_the_end(
    simulation: Path, cheff: str, end_s: int
) -> None:
    """Half of the energy is above 80 %, from where on it charges at that share of its power."""
    path = simulation / "xml" / "neighborhood.xml"
    path.write_text(NEIGHBORHOOD.replace("<cheff>0.5<", f"<cheff>{cheff}<"))
    car = next(job for job in import_source(simulation).scenario.jobs if job.device == "2")
    assert car.load_profile.times_s[-1] == end_s


def test_an_import_lists_assumptions_and_omissions(simulation: Path) -> None:
    """Each has its place."""
    imported = import_source(simulation)
    assert said(imported, "loads.xml beside it")
    assert said(imported, "base.csv: the values fall (1 time), so they are taken as W")
    assert said(imported, "UTC", "2016-10-08")
    assert said(imported, "batteries were left out: 5 of house 1 (capacity 8000)", "neighborhood.xml:8")
    assert said(imported, "peakLoad", "neighborhood.xml:2")
    assert said(imported, "energy prices that vary were left out")
    assert said(imported, "heater or cooler 7 of house 1 was left out: there is no profile missing.csv")
    assert said(imported, "base.csv", "taken as W")
    car = "car 2 of house station-1"
    assert said(imported, car, "capacity 24 is below 1000, so it is taken as kWh (", "neighborhood.xml:17)")
    assert said(imported, car, "maxchpowcc 40 is taken as kW", "neighborhood.xml:18)")
    assert said(imported, car, "peakLoad 3 is taken as kW", "neighborhood.xml:15)")
    assert said(imported, "V2G left out")
    assert said(imported, "actual times count")
    assert said(imported, "car 9 of house fleet was left out: it has no charging session")
    assert said(imported, "does not have were left out: 33 of house 1", "loads.xml:11")


def test_a_stay_that_is_too_short_charges_what_it_can(simulation: Path) -> None:
    """A note reports it; a departure before the arrival is on the next day."""
    file = simulation / "xml" / "loads.xml"
    file.write_text(LOADS.replace("<adt>71000", "<adt>53000"))
    car = next(job for job in import_source(simulation).scenario.jobs if job.device == "2")
    assert car.earliest_start_s == car.latest_start_s
    assert car.load_profile.cumulative_wh[-1] == pytest.approx(2000 / 3600 * 3000)
    assert said(import_source(simulation), "its stay is too short for 4800 Wh, so it charges 1667 Wh")

    file.write_text(LOADS.replace("<adt>71000", "<adt>10000"))
    car = next(job for job in import_source(simulation).scenario.jobs if job.device == "2")
    assert car.latest_start_s == MIDNIGHT_S + 86_400 + 10_000 - 8640


def test_only_the_time_of_day_of_a_time_counts(simulation: Path) -> None:
    """As in the simulator: the loads of another day are those of the day of the first production."""
    jobs = import_source(simulation).scenario.jobs
    another_day_s = 1_400_000_000 // 86_400 * 86_400
    loads = re.sub(
        r"<(est|lst|creation_time|pat|pdt|aat|adt)>(\d+)<",
        lambda time: f"<{time[1]}>{int(time[2]) + another_day_s}<",
        LOADS,
    )
    (simulation / "xml" / "loads.xml").write_text(loads)
    assert import_source(simulation).scenario.jobs == jobs


def test_a_session_of_less_than_a_second_lasts_one(simulation: Path) -> None:
    """At full power and above the threshold alike: a load profile counts whole seconds."""
    loads = LOADS.replace("<soc>70", "<soc>79.9999").replace("<targetSoc>90", "<targetSoc>80.0001")
    (simulation / "xml" / "loads.xml").write_text(loads)
    car = next(job for job in import_source(simulation).scenario.jobs if job.device == "2")
    assert car.load_profile.times_s == (0, 1)
    assert car.load_profile.energy_wh == pytest.approx(0.048)


@pytest.mark.parametrize("separator", ["\f", "\x1c", "\u2028"])
def test_lines_of_a_profile_are_counted_as_editors_count_them(simulation: Path, separator: str) -> None:
    """Separators that only Unicode knows end no line."""
    file = simulation / "Inputs" / "pv.csv"
    file.write_text(f"1475920161 0{separator}\nnoon 4\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"pv\.csv:2: .*'noon 4'"):
        import_source(simulation)


def test_all_problems_of_both_files_are_reported_at_once(simulation: Path) -> None:
    """Each has its file and line."""
    (simulation / "xml" / "neighborhood.xml").write_text(NEIGHBORHOOD.replace("<type>Consumer<", "<type>Konsumer<"))
    (simulation / "xml" / "loads.xml").write_text(LOADS.replace("35000", "soon").replace("<soc>70", "<soc>much"))
    (simulation / "Inputs" / "pv.csv").write_text("1475920161 0\nnoon 4\n1475920163 9\n1475920163 10\n")
    with pytest.raises(ScenarioError) as caught:
        import_source(simulation)
    problems = [str(problem) for problem in caught.value.problems]
    assert any("neighborhood.xml:7" in one and "did you mean 'consumer'" in one for one in problems)
    assert any("loads.xml:17" in one and "'soc'" in one and "'much'" in one for one in problems)
    assert any("pv.csv:2" in one and "'noon 4'" in one for one in problems)
    assert any("pv.csv:4" in one for one in problems)


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("loads.xml", "<targetSoc>90", "<targetSoc>900", "percent, from 0 to 100, is expected, not '900'"),
        ("loads.xml", "<soc>70", "<soc>1e308", "percent, from 0 to 100, is expected, not '1e308'"),
        ("neighborhood.xml", 'peakLoad="3"', 'peakLoad="1e-320"', "from 0 to 1,000,000,000 is expected, not '1e-320'"),
        ("neighborhood.xml", "<capacity>24", "<capacity>1e300", "from 0 to 1,000,000,000 is expected, not '1e300'"),
        ("loads.xml", "dish.csv", f"{'d' * 300}.csv", "File name too long"),
    ],
)
def test_impossible_values_are_reported(simulation: Path, file: str, old: str, new: str, problem: str) -> None:
    """They overflowed, or made a car charge 9 times what it holds."""
    path = simulation / "xml" / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ScenarioError, match=re.escape(problem)):
        import_source(simulation)


def test_loads_given_as_the_neighbourhood_are_recognised(simulation: Path) -> None:
    """The message says which file is needed."""
    with pytest.raises(ScenarioError, match=r"is a file of loads.*--jobs"):
        import_source(simulation / "xml" / "loads.xml")


def test_a_neighbourhood_without_loads_has_no_jobs(simulation: Path) -> None:
    """Its producers get a clear sky, as in PySSMic imports."""
    (simulation / "xml" / "loads.xml").unlink()
    imported = import_source(simulation / "xml" / "neighborhood.xml")
    assert not imported.scenario.jobs
    assert said(imported, "no prediction")
