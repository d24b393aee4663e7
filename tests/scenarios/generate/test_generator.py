"""Generated data are plausible (energy, windows, production, clouds, households), and the same for the same seed."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from agents import FloatArray
from scenarios.errors import ScenarioWriteError
from scenarios.files import coverage_notes, load_text, zone_of
from scenarios.generate import (
    GeneratedNeighbourhood,
    GeneratorSpec,
    Site,
    clear_irradiance,
    generate,
    generated_yaml,
    needs_tables,
    write_series,
)
from scenarios.generate.generator import BASE_LOAD
from scenarios.generate.habits import is_day_off
from scenarios.generate.solar import ambient_c, power_of
from scenarios.load import load

SHIFTABLE_SHARE = (0.08, 0.22)
"""Within which washing, drying and dishes are expected, as a share of a household's yearly energy."""
_SPECS = st.builds(
    GeneratorSpec,
    houses=st.integers(2, 12),
    days=st.integers(1, 3),
    first_day=st.dates(date(2025, 1, 1), date(2027, 12, 1)),
    seed=st.integers(0, 10_000),
    weather=st.sampled_from(("mixed", "clear", "fair", "changeable")),
    flexibility=st.floats(0, 4),
    roofs=st.just(0.7),
    zone=st.just(zone_of("Europe/Berlin", "")),
)


def _quarters(spec: GeneratorSpec) -> FloatArray:
    """Return the middle of each quarter of an hour of the run, UNIX seconds."""
    return np.asarray(spec.start_s + 900.0 * np.arange(spec.days * 96) + 450.0, dtype=np.float64)


@settings(max_examples=15)
@given(_SPECS)
def test_every_specification_gives_a_valid_scenario(spec: GeneratorSpec) -> None:
    """Windows are open and within the run, devices run once at a time, nights are dark, forecasts never exceed."""
    made = generate(spec)
    text = generated_yaml(made)
    assert text == generated_yaml(generate(spec)), "the same seed gives the same file"
    scenario = load_text(text, "generated", None)
    assert len(scenario.houses) == spec.houses
    end_s = spec.midnight_s(spec.days)
    last: dict[tuple[str, str], int] = {}
    for job in sorted(scenario.jobs, key=lambda job: job.earliest_start_s):
        assert scenario.start_s <= job.registered_s <= job.earliest_start_s <= job.latest_start_s
        assert job.latest_start_s + job.duration_s <= end_s
        assert job.earliest_start_s >= last.get((job.house, job.device), 0)
        last[job.house, job.device] = job.latest_start_s + job.duration_s
        assert spec.flexibility or job.latest_start_s - job.earliest_start_s <= 300
    for house in made.houses:
        base_load = scenario.base_loads[house.id]
        assert base_load.energy_wh == pytest.approx(made.energy_wh(house)[BASE_LOAD])
        assert (base_load.start_s, base_load.end_s) == (spec.start_s, spec.midnight_s(spec.days))
    times_s = _quarters(spec)
    for _, roof in made.producers():
        level = clear_irradiance(spec.site, roof.tilt_deg, roof.azimuth_deg, times_s)
        is_dark = (level.beam + level.diffuse) == 0
        before, after = np.roll(is_dark, 1), np.roll(is_dark, -1)
        assert not made.actual_w(roof)[is_dark & before & after].any()
        assert 0.02 * spec.days < made.actual_w(roof).sum() / 4000 / roof.peak_kw < 9 * spec.days


BDEW_2020_KWH = {1: 1900, 2: 2890, 3: 3720, 4: 4085}
"""What households of one to four persons used in Germany in 2020."""


@pytest.fixture(scope="module")
def year() -> GeneratedNeighbourhood:
    """A neighbourhood without heat pumps and cars for a week in each season, without weather."""
    return generate(GeneratorSpec(houses=300, days=14, first_day=date(2026, 4, 13), heat_pumps=0, cars=0, roofs=0))


def test_yearly_consumption_and_shares_are_within_the_ranges_of_the_sources(year: GeneratedNeighbourhood) -> None:
    """By household size, the mean is within 15 % of the source; washing, drying and dishes have their share."""
    totals: dict[int, list[float]] = {}
    shiftable_wh = all_wh = 0.0
    for house in year.houses:
        by_device = year.energy_wh(house)
        totals.setdefault(house.persons, []).append(sum(by_device.values()) / 14 * 365.25 / 1000)
        all_wh += sum(by_device.values())
        shiftable_wh += sum(by_device.get(name, 0.0) for name in ("washing-machine", "tumble-dryer", "dishwasher"))
    for persons in (1, 2, 3, 4):
        assert np.mean(totals[persons]) == pytest.approx(BDEW_2020_KWH[persons], rel=0.15), persons
    assert SHIFTABLE_SHARE[0] <= shiftable_wh / all_wh <= SHIFTABLE_SHARE[1]


def test_ownership_grows_with_the_household(year: GeneratedNeighbourhood) -> None:
    """As in the statistics, nearly all have a washing machine, three quarters a dishwasher, under half a dryer."""
    owned = {
        name: np.mean([name in house.devices for house in year.houses])
        for name in ("washing-machine", "dishwasher", "tumble-dryer")
    }
    assert owned["washing-machine"] > 0.9
    assert 0.65 < owned["dishwasher"] < 0.85
    assert 0.3 < owned["tumble-dryer"] < 0.5


def test_days_off_are_different_from_working_days() -> None:
    """Weekends, the holidays of all Germany, and those that are added."""
    assert is_day_off(date(2026, 6, 21))
    assert is_day_off(date(2026, 4, 6)), "Easter Monday"
    assert is_day_off(date(2026, 5, 14)), "Ascension Day"
    assert not is_day_off(date(2026, 6, 22))
    assert is_day_off(date(2026, 6, 22), frozenset({date(2026, 6, 22)}))
    working, off = (
        generate(GeneratorSpec(houses=200, first_day=day, heat_pumps=0, cars=0))
        for day in (date(2026, 6, 22), date(2026, 6, 21))
    )

    def washes(made: GeneratedNeighbourhood) -> int:
        return sum(job.device == "washing-machine" for house in made.houses for job in house.jobs)

    assert washes(off) > washes(working)


def test_neighbours_share_their_clouds() -> None:
    """Two neighbours' deviations from the clear sky go together; those of another seed do not."""

    def shading(seed: int) -> list[FloatArray]:
        made = generate(GeneratorSpec(houses=30, days=4, seed=seed, weather="changeable", roofs=1))
        times_s = _quarters(made.spec)
        ratios = []
        for _, roof in list(made.producers())[:8]:
            there = clear_irradiance(made.spec.site, roof.tilt_deg, roof.azimuth_deg, times_s)
            most_w = roof.peak_kw * power_of(there.beam + there.diffuse, ambient_c(made.spec.site, times_s))
            is_bright = most_w > 0.3 * most_w.max()
            ratios.append(np.where(is_bright, made.actual_w(roof) / np.maximum(most_w, 1.0), np.nan))
        return ratios

    def correlation(one: FloatArray, other: FloatArray) -> float:
        both = ~(np.isnan(one) | np.isnan(other))
        return float(np.corrcoef(one[both], other[both])[0, 1])

    here, elsewhere = shading(3), shading(4)
    assert min(correlation(here[0], other) for other in here[1:]) > 0.7
    assert abs(np.mean([correlation(here[0], other) for other in elsewhere])) < 0.3


def test_the_error_of_forecasts_grows_with_the_horizon() -> None:
    """Over many days: six hours ahead is closer than a day ahead, and than a day and a half."""
    errors: dict[int, list[float]] = {6: [], 12: [], 36: []}
    for seed in range(12):
        made = generate(GeneratorSpec(houses=1, days=6, roofs=1, weather="fair", seed=seed))
        ((_, roof),) = made.producers()
        actual = made.actual_w(roof)
        for day in range(1, 5):
            noon = slice((day * 24 + 12) * 4, (day * 24 + 14) * 4)
            for hours, found in errors.items():
                issued = day * 24 + 12 - hours
                forecast = made.forecast_w(roof, issued // 24, issued % 24)
                ahead = slice(hours * 4, (hours + 2) * 4)
                found.append(abs(math.log(forecast[ahead].sum() / actual[noon].sum())))
    means = [float(np.mean(values)) for values in errors.values()]
    assert means[0] < means[1] < means[2]


@pytest.mark.parametrize("overwrites", [False, True])
def test_tables_are_written_all_or_none(tmp_path: Path, *, overwrites: bool) -> None:
    """If one cannot take its place, or the file that refers to them cannot be written, the folder stays as it was."""
    spec = GeneratorSpec(houses=5, days=2, roofs=1)
    if overwrites:
        with write_series(generate(spec), tmp_path, "made", "csv"):
            (tmp_path / "made.yaml").write_text("old", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    other = generate(replace(spec, seed=2))
    with pytest.raises(OSError, match="full"), write_series(other, tmp_path, "made", "csv"):
        raise OSError("the disk is full")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    last = tmp_path / "made.forecast-042h.csv"
    last.unlink(missing_ok=True)
    last.mkdir()
    before.pop(last.name, None)
    with pytest.raises(ScenarioWriteError, match="Is a directory"), write_series(other, tmp_path, "made", "csv"):
        pass
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path != last} == before


def test_four_forecasts_a_day_are_issued() -> None:
    """They are issued at midnight, six, noon and eighteen hours of each day."""
    scenario = load_text(generated_yaml(generate(GeneratorSpec(houses=4, days=2, roofs=1))), "generated", None)
    for producer in scenario.producers.values():
        hours = [(prediction.issued_s - scenario.start_s) / 3600 for prediction in producer.predictions]
        assert hours == [0, 6, 12, 18, 24, 30, 36, 42]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_next_to_the_file_hold_the_same_series(kind: str, tmp_path: Path) -> None:
    """A file with separate tables gives the same scenario as one with inline series."""
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="Parquet is an extra: pip install 'ssmic[parquet]'")
    made = generate(GeneratorSpec(houses=5, days=2, roofs=1))
    with write_series(made, tmp_path, "made", kind) as tables:  # type: ignore[arg-type]  # one of the kinds
        (tmp_path / "made.yaml").write_text(generated_yaml(made, "made", kind), encoding="utf-8")
    assert len(tables) == 2 + 8
    beside, inside = load(tmp_path / "made.yaml").scenario, load_text(generated_yaml(made), "generated", None)
    assert beside.jobs == inside.jobs
    for house, base_load in inside.base_loads.items():
        assert beside.base_loads[house].times_s == base_load.times_s
        assert beside.base_loads[house].cumulative_wh == pytest.approx(base_load.cumulative_wh)
    for name, producer in inside.producers.items():
        other = beside.producers[name]
        for one, two in zip((*producer.predictions,), (*other.predictions,), strict=True):
            assert one.issued_s == two.issued_s
            assert one.production.times_s == two.production.times_s
            assert two.production.cumulative_wh == pytest.approx(one.production.cumulative_wh)
        assert producer.actual is not None
        assert other.actual is not None
        assert other.actual.cumulative_wh == pytest.approx(producer.actual.cumulative_wh)


def test_more_houses_leave_the_households_of_fewer_as_they_are() -> None:
    """A household depends on the seed and its number only."""
    few, many = (generate(GeneratorSpec(houses=houses, roofs=0)) for houses in (12, 99))
    for one, other in zip(few.houses, many.houses, strict=False):
        assert one.jobs == other.jobs
        assert one.devices == other.devices


def test_the_south_faces_north_and_heats_in_july() -> None:
    """The same household of Frankfurt, in Sydney and in Quito."""
    frankfurt, sydney, quito = Site(50.1, 8.7), Site(-33.9, 151.2), Site(-0.2, -78.5)
    made = {
        (site, month): generate(GeneratorSpec(houses=30, site=site, first_day=date(2026, month, 6), heat_pumps=1.0))
        for site in (frankfurt, sydney, quito)
        for month in (1, 7)
    }
    heated = {
        key: any(job.device == "heat-pump" for house in one.houses for job in house.jobs) for key, one in made.items()
    }
    assert [key for key, is_heated in heated.items() if is_heated] == [(frankfurt, 1), (sydney, 7)]
    light = {key: sum(sum(load) for load in one.base_loads.values()) for key, one in made.items()}
    assert light[frankfurt, 1] > light[sydney, 1]
    assert light[frankfurt, 7] < light[sydney, 7]
    assert light[quito, 1] == pytest.approx(light[quito, 7])
    north, south = (
        [house.roof.azimuth_deg for house in made[winter].houses if house.roof is not None]
        for winter in ((frankfurt, 1), (sydney, 7))
    )
    assert [(180 - azimuth) % 360 for azimuth in south] == north
    assert sum(90 < azimuth < 270 for azimuth in north) > len(north) / 2


def test_at_the_poles_there_are_days_without_sun_and_without_night() -> None:
    """Tromso in December and in June."""
    spec = {
        "houses": 4,
        "site": Site(69.65, 18.96),
        "roofs": 1.0,
        "weather": "clear",
        "zone": zone_of("Europe/Oslo", ""),
    }
    powers = {}
    for month in (6, 12):
        made = generate(GeneratorSpec(first_day=date(2026, month, 21), **spec))  # type: ignore[arg-type]  # each case names what it varies
        load_text(generated_yaml(made), "generated", None)
        powers[month] = sum(made.actual_w(house.roof) for house in made.houses if house.roof is not None)
    assert np.all(powers[6] > 0)
    assert not np.any(powers[12])


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_habits_keep_the_time_of_the_clock_when_it_changes(day: date, hours: int) -> None:
    """Who washes at half past six does so by the clock, and all jobs end with the day."""
    zone = zone_of("Europe/Berlin", "")
    before, changed = (GeneratorSpec(houses=20, zone=zone, first_day=first) for first in (day - timedelta(days=7), day))
    assert changed.midnight_s(1) - changed.start_s == hours * 3600
    clocks = []
    for spec in (before, changed):
        jobs = [job for house in generate(spec).houses for job in house.jobs]
        assert all(job.latest_s + 60 <= spec.midnight_s(1) - spec.start_s for job in jobs)
        at = {job.id: datetime.fromtimestamp(spec.start_s + job.earliest_s, zone).time() for job in jobs}
        clocks.append({job_id: time for job_id, time in at.items() if job_id.endswith("-1")})
        scenario = load_text(generated_yaml(generate(spec)), "generated", None)
        assert scenario.end_s(1) == spec.midnight_s(1)
        read = {job.job_id: job.earliest_start_s - spec.start_s for job in scenario.jobs}
        assert read == {job.id: job.earliest_s for job in jobs}
    common = clocks[0].keys() & clocks[1].keys()
    assert len(common) > 20
    assert all(clocks[0][job_id] == clocks[1][job_id] for job_id in common)


@pytest.mark.parametrize(
    ("zone", "day", "reason"),
    [
        ("Pacific/Apia", date(2011, 12, 30), "its clocks skip"),
        ("America/Sao_Paulo", date(2018, 11, 4), "begins at 01:00:00"),
        ("Asia/Kathmandu", date(1986, 1, 1), "begins at 00:15:00"),
    ],
)
def test_the_first_day_has_a_midnight(zone: str, day: date, reason: str) -> None:
    """Times in the file count from it; a run may begin or end beside a skipped one."""
    info = zone_of(zone, "")
    said = f"^date: a day that begins at 00:00 in {zone} is expected, not {day}, which {reason}$"
    with pytest.raises(ValueError, match=said):
        GeneratorSpec(houses=3, zone=info, first_day=day)
    for first in (day - timedelta(days=1), day + timedelta(days=1)):
        spec = GeneratorSpec(houses=3, days=2, zone=info, first_day=first)
        scenario = load_text(generated_yaml(generate(spec)), "generated", None)
        assert scenario.end_s(2) == spec.midnight_s(2)


@pytest.mark.filterwarnings("ignore:DatetimeIndex.dayofyear")  # pvlib's
@pytest.mark.parametrize(
    ("site", "plane", "day"),
    [
        *(
            (site, plane, day)
            for day in ("2026-03-20", "2026-06-21", "2026-09-22", "2026-12-21")
            for site, plane in (
                *(
                    (Site(50.1, 8.7), plane)
                    for plane in ((35, 180), (40, 90), (40, 270), (15, 180), (30, 0), (0, 180), (60, 135))
                ),
                (Site(50.1, 8.7), (90, 180)),
                (Site(59.9, 10.8), (40, 270)),
                (Site(-33.9, 151.2), (30, 0)),
            )
        ),
        # Where the sun hardly rises, a tenth of a degree is a third of the energy.
        (Site(69.65, 18.96), (90, 180), "2026-11-21"),
        (Site(69.65, 18.96), (35, 180), "2026-01-21"),
        (Site(78.2, 15.6), (60, 135), "2026-02-21"),
    ],
)
def test_the_sun_is_within_5_per_cent_of_pvlib(day: str, site: Site, plane: tuple[float, float]) -> None:
    """Daily energy under a clear sky, in every season and orientation, with the models that the module names."""
    pvlib = pytest.importorskip("pvlib", reason="pvlib is an extra: pip install 'ssmic[pv]'")
    pd = pytest.importorskip("pandas")
    times = pd.date_range(day, periods=144, freq="10min", tz="UTC") + pd.Timedelta("5min")
    seconds = times.as_unit("s").asi8.astype(np.float64)
    ours = clear_irradiance(site, *plane, seconds)
    made_w = power_of(ours.beam + ours.diffuse, ambient_c(site, seconds))
    place = pvlib.location.Location(site.latitude_deg, site.longitude_deg)
    sun, sky = place.get_solarposition(times), place.get_clearsky(times, model="simplified_solis")
    on_plane = pvlib.irradiance.get_total_irradiance(
        *plane, sun.apparent_zenith, sun.azimuth, sky.dni, sky.ghi, sky.dhi,
        dni_extra=pvlib.irradiance.get_extra_radiation(times), model="haydavies", albedo=0.2,
    )  # fmt: skip
    angle = pvlib.irradiance.aoi(*plane, sun.apparent_zenith, sun.azimuth)
    light = on_plane.poa_direct * pvlib.iam.ashrae(angle) + on_plane.poa_diffuse * pvlib.iam.ashrae(59)
    light = light.fillna(0.0)
    model = pvlib.temperature.TEMPERATURE_MODEL_PARAMETERS["sapm"]["close_mount_glass_glass"]
    cell_c = pvlib.temperature.sapm_cell(light, ambient_c(site, seconds), 1.0, **model)
    left = (1 - pvlib.pvsystem.pvwatts_losses() / 100) * 0.96
    theirs_w = pvlib.pvsystem.pvwatts_dc(light, cell_c, 1000, -0.004) * left
    assert made_w.sum() == pytest.approx(theirs_w.sum(), rel=0.05)


def test_other_countries_have_their_own_days_off() -> None:
    """Norway's national day is one and Germany's is not; Saudi Arabia works on Sundays; unknown ones are refused."""
    if importlib.util.find_spec("holidays") is None:
        pytest.skip("the package holidays is not installed")
    assert is_day_off(date(2028, 5, 17), country="NO")
    assert not is_day_off(date(2028, 5, 17))
    assert not is_day_off(date(2026, 6, 28), country="SA")
    assert is_day_off(date(2026, 6, 26), country="SA")
    for wrong in ("XX", "AU-NSX", "holidays", ""):
        with pytest.raises(ValueError, match="country: there is no"):
            GeneratorSpec(houses=3, country=wrong)
    german, other = (
        generate(GeneratorSpec(houses=1, first_day=date(2028, 5, 17), country=code)) for code in ("DE", "NO")
    )
    assert german.base_loads != other.base_loads
    assert "--country NO" in generated_yaml(other)


@pytest.mark.long
def test_many_houses_without_panels_need_tables_too() -> None:
    """Each house has a base load, over the year."""
    assert needs_tables(generate(GeneratorSpec(houses=6, days=366, roofs=0, cars=0, heat_pumps=0)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"houses": 0},
        {"houses": 10_001},
        {"days": 0},
        {"roofs": 1.5},
        {"flexibility": -1},
        {"site": Site(91, 0)},
        {"first_day": date(1969, 12, 31)},
        {"first_day": date(9999, 12, 31)},
    ],
)
def test_invalid_requests_are_refused(wrong: dict[str, object]) -> None:
    """The error states the limits."""
    with pytest.raises(ValueError, match="from"):
        GeneratorSpec(**{"houses": 3, **wrong})  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 4, 5), 24.5), (date(2026, 10, 4), 23.5)])
def test_base_loads_cover_a_day_whose_hours_are_not_whole(day: date, hours: float) -> None:
    """On Lord Howe Island, clocks change by half an hour; energy outside the day does not count."""
    spec = GeneratorSpec(houses=2, days=1, first_day=day, zone=zone_of("Australia/Lord_Howe", ""))
    made = generate(spec)
    scenario = load_text(generated_yaml(made), "generated", None)
    end_s = scenario.start_s + round(hours * 3600)
    assert scenario.end_s(1) == end_s
    assert not [note for note in coverage_notes(scenario) if "base load" in note.what]
    for house in made.houses:
        load = scenario.base_loads[house.id]
        assert made.energy_wh(house)[BASE_LOAD] == pytest.approx(
            load.energy_until_wh(np.array([end_s]))[0] - load.cumulative_wh[0]
        )
