"""Prices that vary in time, and the energy community: read, written, and all mistakes named."""

# ruff: noqa: E501 - a message stands in one line, as users see it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from scenarios.errors import ScenarioError
from scenarios.files.dump import to_yaml
from scenarios.files.scenario_from_text import load_text
from scenarios.files.series.coverage_notes import coverage_notes
from scenarios.load import load
from scenarios.metrics.community_allocation import ALLOCATION_KEYS
from scenarios.prices import Community, Price, PriceBand, PriceSeries, Tariff, TimeOfUse
from scenarios.scenario import SCENARIO, Scenario, scenario_of

GOOD = """\
version: 1
name: community
start: 2026-06-21T00:00:00+02:00
seed: 1
houses: [{id: a}, {id: b}]
tariff:
  import_eur_per_kwh: 0.35
  feed_in_eur_per_kwh: 0.08
  neighbour_eur_per_kwh: 0.2
  grid_kg_co2_per_kwh: 0.4
community:
  key: hierarchical
"""
START_S = 1_781_992_800


def loaded_scenario(price: str, folder: Path | None = None) -> Scenario:
    """Return the file above with another import price."""
    return load_text(GOOD.replace("import_eur_per_kwh: 0.35", f"import_eur_per_kwh: {price}"), "s", folder)


def loaded(price: str, folder: Path | None = None) -> Price:
    """Return the import price of the file above with another one."""
    tariff = loaded_scenario(price, folder).tariff
    assert tariff is not None
    return tariff.import_eur_per_kwh


def mistakes(old: str, new: str) -> list[str]:
    """Return the messages for the file above with something replaced."""
    try:
        load_text(GOOD.replace(old, new), "s.yaml", None)
    except ScenarioError as error:
        return str(error).splitlines()
    return []


def test_a_price_is_a_number_a_table_points_or_steps() -> None:
    """These are the inline forms."""
    assert loaded("0.3") == 0.3
    assert loaded(
        "{time_of_use: [{days: [sat, sun], eur_per_kwh: 0.2}, {begin: '22:00', end: '6:00', eur_per_kwh: 0.25}, {eur_per_kwh: 0.36}]}"
    ) == TimeOfUse(
        (
            PriceBand((5, 6), 0, 1440, 0.2),
            PriceBand((0, 1, 2, 3, 4, 5, 6), 1320, 360, 0.25),
            PriceBand((0, 1, 2, 3, 4, 5, 6), 0, 1440, 0.36),
        )
    )
    series = PriceSeries((START_S, START_S + 3600), (0.3, -0.05))
    assert loaded('{points: [["00:00", 0.3], ["01:00", -0.05]]}') == series
    assert loaded('{start: "00:00", step_s: 3600, eur_per_kwh: [0.3, -0.05]}') == series


def test_a_price_is_read_from_a_table_of_an_exchange(tmp_path: Path) -> None:
    """Day-ahead prices in EUR/MWh at local times."""
    text = "MTU,Day-ahead Price [EUR/MWh]\n2026-06-21 00:00,84.1\n2026-06-21 01:00,-5\n2026-06-21 02:00,120\n"
    (tmp_path / "prices.csv").write_text(text, encoding="utf-8")

    price = loaded("{file: prices.csv, zone: Europe/Berlin}", tmp_path)
    (tmp_path / "prices.csv").write_text(text.replace("[EUR/MWh]", ""), encoding="utf-8")
    with pytest.raises(ScenarioError, match="does not say the unit of its prices; add unit: one of EUR/kWh"):
        loaded("{file: prices.csv, zone: Europe/Berlin}", tmp_path)

    assert price == PriceSeries((START_S, START_S + 3600, START_S + 7200), (0.0841, -0.005, 0.12))

    (tmp_path / "prices.csv").write_text(text.replace("120", "1e300"), encoding="utf-8")
    with pytest.raises(
        ScenarioError, match=r"has a price of 1e\+297 EUR/kWh; from -1,000,000 to 1,000,000 is expected"
    ):
        loaded("{file: prices.csv, zone: Europe/Berlin}", tmp_path)


def notes_on_gaps(folder: Path, rows: Sequence[str], days: int) -> list[str]:
    """Return the notes on gaps in a table of prices, of which a run has so many days."""
    (folder / "prices.csv").write_text("\n".join(["MTU,Price [EUR/MWh]", *rows]), encoding="utf-8")
    price = "{file: prices.csv, zone: Europe/Berlin}"
    text = GOOD.replace("0.35", price).replace("seed", f"days: {days}\nseed")
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    return [note for note in load(folder / "s.yaml").notes if "gap" in note]


def test_a_gap_in_a_table_of_prices_is_noted(tmp_path: Path) -> None:
    """A missing price was replaced by the one before it, without a word; prices that change now and then have no gap."""
    hours = [f"2026-06-21 {hour:02}:00,{'' if hour in (3, 4, 20) else hour}" for hour in range(24)]
    (note,) = notes_on_gaps(tmp_path, hours, days=1)
    assert (
        "has 2 gaps (the first from 2026-06-21 01:00Z on, the longest 120 min); the price before a gap still applies"
        in note
    )

    changes = ["2026-01-01 00:00,300", "2026-03-10 00:00,250", "2026-06-22 00:00,260", "2026-06-23 00:00,270"]
    assert notes_on_gaps(tmp_path, changes, days=1) == []


def test_a_resolution_that_changes_is_no_gap(tmp_path: Path) -> None:
    """Hourly day-ahead prices before October 2025 had a gap of 45 min in every hour, if most rows were of later days."""
    hours = [f"2026-06-{day} {hour:02}:00,{hour}" for day in (21, 22) for hour in range(24)]
    quarters = [f"2026-06-{day} {n // 4:02}:{n % 4 * 15:02},{n}" for day in (23, 24, 25) for n in range(96)]
    rows = hours + quarters
    assert notes_on_gaps(tmp_path, rows, days=5) == []

    missing = ("2026-06-22 03", "2026-06-22 04", "2026-06-24 10")
    (note,) = notes_on_gaps(tmp_path, [row for row in rows if not row.startswith(missing)], days=5)
    assert (
        "has 2 gaps (the first from 2026-06-22 01:00Z on, the longest 120 min); the price before a gap still applies"
        in note
    )


@pytest.mark.parametrize("days", [1, 5])
def test_prices_whose_ends_are_given_hold_for_the_step_before_also_if_the_resolution_changes(
    days: int, tmp_path: Path
) -> None:
    """Where 24:00 shows that times are ends, each hourly price held from a quarter of an hour before its end on."""
    hours = [f"2026-06-{21 + n // 24} {n % 24 + 1:02}:00,{n}" for n in range(24 * days)]
    quarters = [f"2026-06-{21 + days} {n // 4:02}:{n % 4 * 15:02},{100 + n}" for n in range(1, 97)]
    (tmp_path / "prices.csv").write_text("\n".join(["MTU,Price [EUR/MWh]", *hours, *quarters]), encoding="utf-8")

    price = loaded("{file: prices.csv, zone: Europe/Berlin}", tmp_path)

    end_s = START_S + days * 86_400
    assert isinstance(price, PriceSeries)
    assert price.times_s == (*range(START_S, end_s, 3_600), *range(end_s, end_s + 86_400, 900))


@pytest.mark.parametrize(
    "lines",
    [
        ["start_timestamp,end_timestamp,marketprice,unit", *(f"{1000 * (START_S + 3600 * n)},{1000 * (START_S + 3600 * n + 3600)},{price},Eur/MWh" for n, price in enumerate((84.1, -5, 120)))],
        ["end_timestamp,start_timestamp,marketprice,unit", *(f"{1000 * (START_S + 3600 * n + 3600)},{1000 * (START_S + 3600 * n)},{price},Eur/MWh" for n, price in enumerate((84.1, -5, 120)))],
        ["Delivery Date CET;Delivery Start (CET);Delivery End (CET);SE3 (EUR/MWh)", *(f"21.06.2026;21.06.2026 0{n}:00:00;21.06.2026 0{n + 1}:00:00;{price}" for n, price in enumerate(("84,1", "-5", "120")))],
        ["Date (GMT+2),Day Ahead Auction (DE-LU)", ',"Price (EUR/MWh, EUR/tCO2)"', *(f"2026-06-21T0{n}:00+02:00,{price}" for n, price in enumerate((84.1, -5, 120)))],
    ],
    ids=["aWATTar", "aWATTar, ends first", "Nord Pool", "energy-charts"],
)  # fmt: skip
def test_tables_of_exchanges_and_suppliers_need_no_keys(lines: list[str], tmp_path: Path) -> None:
    """The unit is in a column or row of its own; a date or the end of an hour is neither a price nor its time."""
    (tmp_path / "prices.csv").write_text("\n".join(lines), encoding="utf-8")
    price = loaded("{file: prices.csv, zone: Europe/Berlin}", tmp_path)
    assert price == PriceSeries((START_S, START_S + 3600, START_S + 7200), (0.0841, -0.005, 0.12))


@pytest.mark.parametrize(("header", "keys"), [("MTU", ", labels: end"), ("Period end", "")])
def test_a_price_holds_for_the_step_before_its_time_if_its_times_are_ends(
    header: str, keys: str, tmp_path: Path
) -> None:
    """It held for the step after it; the first hour had no price, which was an error."""
    rows = "2026-06-21 01:00,84.1\n2026-06-21 02:00,-5\n2026-06-21 03:00,120\n"
    (tmp_path / "prices.csv").write_text(f"{header},Price [EUR/MWh]\n{rows}", encoding="utf-8")

    price = loaded(f"{{file: prices.csv, zone: Europe/Berlin{keys}}}", tmp_path)

    assert price == PriceSeries((START_S, START_S + 3600, START_S + 7200), (0.0841, -0.005, 0.12))
    with pytest.raises(ScenarioError, match=r"labels: is only valid with 'file'"):
        loaded('{points: [["00:00", 0.3], ["01:00", 0.2]], labels: end}', tmp_path)


def test_prices_that_end_before_the_run_are_noted() -> None:
    """A day-ahead price is hardly meant to apply after its table; with a few prices, the last one may be."""
    of_a_day = loaded_scenario(f"{{start: '00:00', step_s: 3600, eur_per_kwh: {[0.3] * 24}}}")

    assert [note.what for note in coverage_notes(of_a_day, days=1)] == []
    (note,) = coverage_notes(of_a_day, days=2)
    assert note.what == (
        "tariff.import_eur_per_kwh does not cover the run: its prices are from 2026-06-21 00:00 to 2026-06-22 00:00 "
        "(+02:00), and the run is from 2026-06-21 00:00 to 2026-06-23 00:00 (+02:00); the last price still applies"
    )
    points = [*((3_600 * n, 0.3) for n in range(24)), *((86_400 + 900 * n, 0.3) for n in range(8))]
    finer = PriceSeries(tuple(START_S + at_s for at_s, _ in points), tuple(eur for _, eur in points))
    assert of_a_day.tariff is not None
    (note,) = coverage_notes(replace(of_a_day, tariff=replace(of_a_day.tariff, import_eur_per_kwh=finer)), days=2)
    assert "its prices are from 2026-06-21 00:00 to 2026-06-22 02:00" in note.what
    few = loaded_scenario("{points: [['00:00', 0.3], ['12:00', 0.2]]}")
    assert coverage_notes(few, days=2) == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("key: hierarchical", "key: fair", "s.yaml:12: community.key: 'static', 'proportional', 'hierarchical' or 'negotiated' is expected, not 'fair'"),
        ("key: hierarchical", "kye: static", "s.yaml:12: community.kye: unknown key; did you mean 'key'?"),
        ("key: hierarchical", "key: static\n  coefficients: {a: 0.7, b: 0.5}", "s.yaml:13: community.coefficients: at most 1 is expected for all houses together, not 1.2"),
        ("key: hierarchical", "key: static\n  coefficients: {a: 0.7, c: 0.2}", "s.yaml:13: community.coefficients.c: there is no house 'c'; known: a, b"),
        ("key: hierarchical", "coefficients: {a: 0.7}", "s.yaml:12: community.coefficients: belong to the key 'static'; the key is 'hierarchical'"),
        ("key: hierarchical", "vat_percent: -3", "s.yaml:12: community.vat_percent: at least 0 is expected, not -3"),
        ("key: hierarchical", "interval_s: 700", "s.yaml:12: community.interval_s: 300, 600, 900, 1800 or 3600 is expected, not 700"),
        ("key: hierarchical", "grid_fee_eur_per_kwh: dear", "s.yaml:12: community.grid_fee_eur_per_kwh: a number is expected, not 'dear'"),
        ("0.35", "{points: [['00:00', 0.3]], file: x.csv}", "s.yaml:7: tariff.import_eur_per_kwh: exactly one of 'time_of_use', 'points', 'file', or 'eur_per_kwh' with 'start' and 'step_s' is expected; found 'points' and 'file'"),
        ("0.35", "{points: [['00:00', 0.3]], unit: ct/kWh}", "s.yaml:7: tariff.import_eur_per_kwh.unit: is only valid with 'file'"),
        ("0.35", "{points: [['01:00', 0.3]]}", "s.yaml:7: tariff.import_eur_per_kwh.points[0]: the first price holds from 2026-06-20T23:00:00Z on, after the run starts (2026-06-20T22:00:00Z)"),
        ("0.35", "{points: [['00:00', 0.3], ['00:00', 0.4]]}", "s.yaml:7: tariff.import_eur_per_kwh.points[1]: 2026-06-20T22:00:00Z is not after 2026-06-20T22:00:00Z; times must increase"),
        ("0.35", "{start: '00:00', eur_per_kwh: [0.3]}", "s.yaml:7: tariff.import_eur_per_kwh: 'start', 'step_s' and 'eur_per_kwh' go together; 'step_s' is missing"),
        ("0.35", "{time_of_use: [{begin: '6:00', eur_per_kwh: 0.3}]}", "s.yaml:7: tariff.import_eur_per_kwh.time_of_use: has no price at mon 00:00; an entry without days, begin and end covers the rest"),
        ("0.35", "{time_of_use: [{begin: '25:00', eur_per_kwh: 0.3}]}", "s.yaml:7: tariff.import_eur_per_kwh.time_of_use[0].begin: a clock time from \"00:00\" to \"23:59\" is expected, not '25:00'"),
        ("0.35", "{time_of_use: [{days: [mo], eur_per_kwh: 0.3}]}", "s.yaml:7: tariff.import_eur_per_kwh.time_of_use[0].days[0]: 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun' is expected, not 'mo'"),
        ("0.35", "1e300", "s.yaml:7: tariff.import_eur_per_kwh: at most 1,000,000 is expected, not 1e+300"),
        ("0.35", "{points: [['00:00', -2e6]]}", "s.yaml:7: tariff.import_eur_per_kwh.points[0][1]: at least -1,000,000 is expected, not -2000000.0"),
        ("key: hierarchical", "supplier_fee_eur_per_year: 1e300", "s.yaml:12: community.supplier_fee_eur_per_year: at most 1,000,000,000 is expected, not 1e+300"),
        ("kwh: 0.4", "kwh: 1e300", "s.yaml:10: tariff.grid_kg_co2_per_kwh: at most 1,000,000 is expected, not 1e+300"),
        ("0.35", "{time_of_use: [{price: 0.3}]}", "s.yaml:7: tariff.import_eur_per_kwh.time_of_use[0].eur_per_kwh: required (the price)"),
    ],
)  # fmt: skip
def test_one_mistake_one_message(old: str, new: str, message: str) -> None:
    """The message names line, key and what was expected; the mistake may cause further messages."""
    assert message in mistakes(old, new)


def test_all_mistakes_are_named_at_once() -> None:
    """They are in the tariff, the community and the jobs; a broken tariff is not called missing."""
    text = GOOD.replace("0.35", "cheap").replace("key: hierarchical", "key: static\n  coefficients: {c: 0.5}")
    text = text.replace("0.08", "{time_of_use: [{begin: '6:00', eur_per_kwh: 0.3}]}").replace(
        "0.2", "{points: [[0, a]]}"
    )
    text += "  vat_percent: 101\n"
    with pytest.raises(ScenarioError) as caught:
        load_text(text + "jobs: [{house: x}]\n", "s.yaml", None)

    said = str(caught.value)
    assert "tariff.import_eur_per_kwh: a number is expected" in said
    assert "tariff.feed_in_eur_per_kwh.time_of_use: has no price at mon 00:00" in said
    assert "tariff.neighbour_eur_per_kwh.points[0][1]: a number is expected, not 'a'" in said
    assert "community.vat_percent: at most 100 is expected, not 101" in said
    assert "community.coefficients.c: there is no house 'c'" in said
    assert "jobs[0].device: required" in said
    assert "missing" not in said


def test_a_community_needs_a_tariff() -> None:
    """Without a tariff there is nothing to bill."""
    begin = GOOD.index("tariff:")
    assert mistakes(GOOD[begin : GOOD.index("community:")], "") == [
        "s.yaml:6: community: needs the prices of a 'tariff', which is missing"
    ]


eur = st.floats(-2, 2, allow_nan=False)


@st.composite
def prices(draw: st.DrawFn) -> Price:
    """Draw a price of any form."""
    kind = draw(st.sampled_from(["constant", "table", "series"]))
    if kind == "constant":
        return draw(eur)
    if kind == "table":
        clock = st.integers(0, 1439)
        days = st.sets(st.integers(0, 6), min_size=1).map(lambda chosen: tuple(sorted(chosen)))
        bands = draw(st.lists(st.builds(PriceBand, days, clock, clock.map(lambda m: m + 1), eur), max_size=3))
        return TimeOfUse((*bands, PriceBand((0, 1, 2, 3, 4, 5, 6), 0, 1440, draw(eur))))
    later = draw(st.lists(st.integers(START_S + 1, START_S + 10**6), max_size=4, unique=True))
    times = (draw(st.integers(START_S - 10**6, START_S)), *sorted(later))
    return PriceSeries(times, tuple(draw(eur) for _ in times))


@st.composite
def communities(draw: st.DrawFn) -> Community:
    """Draw a community of the houses a and b."""
    key = draw(st.sampled_from(ALLOCATION_KEYS))
    shares = st.none() | st.just({"a": 0.25, "b": 0.75})
    return Community(
        key=key,
        interval_s=draw(st.sampled_from([300, 900, 3600])),
        coefficients=draw(shares) if key == "static" else None,
        grid_fee_eur_per_kwh=draw(prices()),
        local_grid_fee_eur_per_kwh=draw(st.none() | prices()),
        supplier_fee_eur_per_year=draw(st.floats(0, 100)),
        vat_percent=draw(st.floats(0, 100)),
        vat_on=draw(st.sampled_from([(), ("local",), ("import", "grid_fee", "fixed_fee")])),
    )


@settings(max_examples=15)
@given(prices(), prices(), prices(), communities())
def test_tariff_and_community_survive_writing_and_the_results_file(
    bought: Price, fed_in: Price, local: Price, community: Community
) -> None:
    """They survive as YAML, and as the JSON of a results file."""
    plain: Scenario = load_text(GOOD, "s.yaml", None)
    scenario = replace(plain, tariff=Tariff(bought, fed_in, local, 0.4), community=community)

    assert load_text(to_yaml(scenario), "written.yaml", None) == scenario
    assert scenario_of(SCENARIO.dump_json(scenario).decode()) == scenario


def test_the_example_of_the_documentation_is_valid() -> None:
    """The first block of docs/settlement.md, below the other keys of a scenario."""
    page = (Path(__file__).resolve().parents[3] / "docs" / "settlement.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]

    scenario = load_text(GOOD[: GOOD.index("tariff:")] + example, "s.yaml", None)

    assert scenario.community is not None
    assert scenario.community.vat_percent == 19
    assert scenario.tariff is not None
    assert isinstance(scenario.tariff.import_eur_per_kwh, TimeOfUse)


def test_the_first_band_that_a_time_belongs_to_counts() -> None:
    """A band that ends at or before its beginning ends on the next day, also if that is next week's Monday."""
    every_day = tuple(range(7))
    week = TimeOfUse(
        (
            PriceBand((6,), 20 * 60, 6 * 60, 0.1),
            PriceBand((0,), 8 * 60, 8 * 60, 0.2),
            PriceBand(every_day, 0, 1440, 0.3),
        )
    ).week()

    def at(day: int, hour: int) -> float:
        return float(week[(day * 24 + hour) * 60])

    assert [at(6, 19), at(6, 20), at(0, 5), at(0, 6)] == [0.3, 0.1, 0.1, 0.3]
    assert [at(0, 7), at(0, 8), at(1, 7), at(1, 8)] == [0.3, 0.2, 0.2, 0.3]
