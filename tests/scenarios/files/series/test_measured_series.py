"""Series of meters and portals, as they come."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from scenarios import Problem, Scenario, ScenarioError
from scenarios.files.series.measured_series import MeasuredFormat, MeasuredSeries, read_measured
from scenarios.files.series.table_columns import Reading, Unit
from scenarios.files.series.tables import MOST_CELLS, forget_tables, read_table
from scenarios.load import LoadedScenario, load

_HEAD = """\
version: 1
name: measured
start: "2026-06-21T00:00:00+02:00"
days: 1
seed: 1
houses:
  - id: a
    devices:
      - id: pv
        type: producer
        predictions:
          - {issued: "00:00", start: "00:00", step_s: 3600, power_w: [0]}
        actual:
"""


def _load(folder: Path, text: str | bytes, keys: str = "", name: str = "meter.csv") -> LoadedScenario:
    content = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(content)
    lines = "".join(f"          {line}\n" for line in (f"file: {name}", *keys.splitlines()))
    (folder / "scenario.yaml").write_text(_HEAD + lines, encoding="utf-8")
    return load(folder / "scenario.yaml")


def _steps(scenario: Scenario) -> list[tuple[str, float]]:
    """Return the beginning of each step in UTC with its energy, Wh."""
    actual = scenario.producers["pv"].actual
    assert actual is not None
    energies = [after - before for before, after in zip(actual.cumulative_wh, actual.cumulative_wh[1:], strict=False)]
    begins = [datetime.fromtimestamp(time_s, UTC).strftime("%H:%M") for time_s in actual.times_s]
    return [(at, round(wh, 6)) for at, wh in zip(begins, energies, strict=False)]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("time,power_kw\n2026-06-21T08:00Z,1.0\n2026-06-21T08:30Z,2.0\n2026-06-21T09:00Z,0.5\n", ""),
        ("Zeitstempel;Leistung [W]\n21.06.2026 10:00;1000,0\n21.06.2026 10:30;2000,0\n21.06.2026 11:00;500,0\n", "zone: Europe/Berlin"),  # noqa: E501 - a file's text
        ("2026-06-21 10:00:00,500\n2026-06-21 10:30:00,1000\n2026-06-21 11:00:00,250\n", "zone: +02:00\nunit: Wh\nreading: interval"),  # noqa: E501 - a file's text
        ("1782028800,0.5\n1782030600,1.0\n1782032400,0.25\n", "unit: kWh\nreading: interval"),
        ("1782028800000\t500\n1782030600000\t1000\n1782032400000\t250\n", "unit: Wh\nreading: interval"),
        ("t,a,b\n2026-06-21T08:00Z,9,500\n2026-06-21T08:30Z,9,1000\n2026-06-21T09:00Z,9,250\n", "unit: Wh\ncolumns: {time: 1, value: b}"),  # noqa: E501 - a file's text
    ],
)  # fmt: skip
def test_headers_units_and_times_of_every_kind_give_the_same_energy(text: str, keys: str, tmp_path: Path) -> None:
    """Powers and energies hold from their time on for one step."""
    steps = _steps(_load(tmp_path, text, keys).scenario)
    assert steps == [("08:00", 500.0), ("08:30", 1000.0), ("09:00", 250.0)]


BERLIN = "zone: Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("sep=;\nDatum;Uhrzeit;Bezug (W)\n21.06.2026;10:00:00;1.000,0\n21.06.2026;10:30:00;2.000\n21.06.2026;11:00:00;500\n", BERLIN),  # noqa: E501 - a file's text
        ("Datum;Zeit;Bezug (W)\n21.06.2026;10:00 - 10:30;1.000,0\n21.06.2026;10:30 - 11:00;2.000\n21.06.2026;11:00 - 11:30;500\n", BERLIN),  # noqa: E501 - a file's text
        ("Plant: House 3\nCreated;21.06.2026\n\nTime;Power\n;[kW]\n2026-06-21 10:00;1,0\n2026-06-21 10:30;2,0\n2026-06-21 11:00;0,5\n", BERLIN),  # noqa: E501 - a file's text
        ('Date,Energy (Wh)\n6/21/2026 10:00 AM,500\n6/21/2026 10:30 AM,"1,000"\n6/21/2026 11:00 AM,250\n', BERLIN),
        ('Date,Time,Power (W)\n06/21/2026,10:00 AM,"1,000"\n06/21/2026,10:30 AM,"2,000"\n06/21/2026,11:00 AM,500\n', BERLIN),  # noqa: E501 - a file's text
        ("Time,Date,Power (W)\n10:00,6/21/2026,1000\n10:30,6/21/2026,2000\n11:00,6/21/2026,500\n", BERLIN),
        ("6/21/2026 10:00,1\n6/21/2026 10:30,2\n6/21/2026 11:00,0.5\n", f"{BERLIN}\nunit: kW"),
        ("Date,Energy (kWh)\n21/06/2026 10:00,0.5\n21/06/2026 10:30,1\n21/06/2026 11:00,0.25\nTotal,1.75\n", BERLIN),
        ("Period;kWh\n21.06.26 10:00 - 10:30;0,5\n21.06.26 10:30 - 11:00;1,0\n21.06.26 11:00 - 11:30;0,25\n", BERLIN),
        ("entity_id,state,last_changed\nsensor.pv,unavailable,2026-06-21T07:30:00.000Z\nsensor.pv,1000,2026-06-21T08:00:00.123Z\nsensor.pv,2000,2026-06-21T08:30:00.000Z\nsensor.pv,500,2026-06-21T09:00:00.000Z\n", "unit: W"),  # noqa: E501 - a file's text
        ("time,kW\n2026-06-21T09:00Z,0.5\n2026-06-21T08:30Z,2\n2026-06-21T08:00Z,1\n", ""),
        ("time,kW\n2026-06-21T08:00Z,1,ok,\n2026-06-21T08:30Z,2,,\n2026-06-21T09:00Z,0.5,estimated,see below\n", ""),
        ("time,kW\n2026-06-21T08:00Z,7,500\n2026-06-21T08:30Z,8,1000\n2026-06-21T09:00Z,9,250\n", "columns: {value: 3}\nunit: Wh\nreading: interval"),  # noqa: E501 - a file's text
        ("Time;kWh\n46194,4166666667;0,5\n46194,4375;1\n46194,4583333333;0,25\n", BERLIN),
        ("time,power\n2026-06-21 10:00 CEST,1000 W\n2026-06-21 10:30 CEST,2 kW\n2026-06-21 11:00 CEST,500 W\n", ""),
        ("2026-06-21 10:00 1,0\n2026-06-21 10:30 2,0\n2026-06-21 11:00 0,5\n", f"{BERLIN}\nunit: kW"),
        ("time,Wh\n2026-06-21T08:00Z,500\n2026-06-21T08:30Z,1000\n2026-06-21T08:30Z,1000\n2026-06-21T09:00Z,250\n", ""),
    ],
)  # fmt: skip
def test_exports_of_spreadsheets_portals_and_smart_homes_are_read_as_they_come(
    text: str, keys: str, tmp_path: Path
) -> None:
    """Lines before the table, rows of units and sums, separate dates, AM and PM, thousands, intervals, newest first."""
    steps = _steps(_load(tmp_path, text, keys).scenario)
    assert steps == [("08:00", 500.0), ("08:30", 1000.0), ("09:00", 250.0)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_texts_of_other_encodings_are_read(encoding: str, tmp_path: Path) -> None:
    """Spreadsheets save such files."""
    text = "Zeit\tZählerstand kWh\r\n21.06.2026 10:00\t1,5\r\n21.06.2026 11:00\t2,5\r\n"
    loaded = _load(tmp_path, text.encode(encoding), BERLIN)
    assert _steps(loaded.scenario) == [("08:00", 1000.0)]
    assert any("Windows-1252" in note for note in loaded.notes) == (encoding == "cp1252")


def test_a_counter_that_restarts_each_day_is_a_counter(tmp_path: Path) -> None:
    """Power of panels that rises and falls through the day is not."""
    hours = [(20 + i // 24, i % 24) for i in range(72)]
    daily = "".join(f"2026-06-{day}T{hour:02}:00Z,{max(0, min(hour - 5, 12)) * 300}\n" for day, hour in hours)
    panels = "".join(f"2026-06-{day}T{hour:02}:00Z,{max(0, 6 - abs(hour - 12)) * 300}\n" for day, hour in hours)
    assert any("resets 2 times" in note for note in _load(tmp_path, f"time,Wh\n{daily}").notes)
    assert any("energy of each interval" in note for note in _load(tmp_path, f"time,Wh\n{panels}").notes)


def test_a_few_watts_below_zero_at_night_count_as_nothing(tmp_path: Path) -> None:
    """A note reports them."""
    loaded = _load(tmp_path, "time,kW\n2026-06-21T08:00Z,-0.003\n2026-06-21T08:30Z,1.2\n")
    assert [wh for _, wh in _steps(loaded.scenario)] == [0.0, 600.0]
    assert any("1 value slightly below 0 counts as 0" in note for note in loaded.notes)


def test_the_reset_of_a_counter_is_a_boundary_with_a_note(tmp_path: Path) -> None:
    """A reset is neither an error nor energy."""
    rows = [(8, 10.0), (9, 10.5), (10, 11.5), (11, 0.2), (12, 0.7)]
    text = "time,total kWh\n" + "".join(f"2026-06-21T{hour:02}:00Z,{value}\n" for hour, value in rows)
    loaded = _load(tmp_path, text)
    assert _steps(loaded.scenario) == [("08:00", 500.0), ("09:00", 1000.0), ("10:00", 0.0), ("11:00", 500.0)]
    assert any("resets 1 time (2026-06-21 11:00Z)" in note for note in loaded.notes)
    assert any("readings of a counter" in note for note in loaded.notes)


def test_gaps_are_noted_and_bounded(tmp_path: Path) -> None:
    """A gap counts as zero, from the end of the last value on; one of more than a day is an error."""
    text = "time,W\n2026-06-21T08:00Z,100\n2026-06-21T08:15Z,100\n2026-06-21T10:00Z,100\n2026-06-21T10:15Z,100\n"
    loaded = _load(tmp_path, text)
    assert [wh for _, wh in _steps(loaded.scenario)] == [25.0, 25.0, 0.0, 25.0, 25.0]
    assert any("1 gap (the first from 2026-06-21 08:30Z on, the longest 90 min)" in note for note in loaded.notes)
    with pytest.raises(ScenarioError, match=r"no value for 47\.5 h from 2026-06-21 08:30Z on"):
        _load(tmp_path, text.replace("06-21T10", "06-23T08"))


@pytest.mark.parametrize("unit", ["W", "Wh"])
@pytest.mark.parametrize("are_ends", [False, True])
@pytest.mark.parametrize("minutes", [(60, 15), (15, 60)])
def test_a_resolution_that_changes_is_no_gap(
    unit: Unit,
    are_ends: bool,  # noqa: FBT001 - drawn
    minutes: tuple[int, int],
    tmp_path: Path,
) -> None:
    """Of an hourly day before two quarter-hourly ones, three quarters of the energy were lost, with a note on gaps."""
    begins, at = [], 0
    for days, step in zip((1, 2), minutes, strict=True):
        begins += [(at + n, step) for n in range(0, days * 1440, step)]
        at += days * 1440
    rows = []
    for begin, step in begins:
        days, minute = divmod(begin + step * are_ends, 1440)
        if are_ends and not minute:
            days, minute = days - 1, 1440
        value = 100 if unit == "W" else 100 * step / 60
        rows.append(f"2026-06-{21 + days} {minute // 60:02}:{minute % 60:02},{value}\n")
    (tmp_path / "meter.csv").write_text(f"time,x [{unit}]\n{''.join(rows)}", encoding="utf-8")

    wanted = MeasuredFormat(zone="UTC", reading="power" if unit == "W" else "interval")
    measured = read_measured(tmp_path / "meter.csv", "meter.csv", wanted)

    assert not [note for note in measured.notes if "gap" in note]
    assert measured.times_s[-1] - measured.times_s[0] == 3 * 86_400
    assert np.diff(measured.cumulative_wh) / np.diff(measured.times_s) * 3_600 == pytest.approx(100.0)


@pytest.mark.parametrize("mark", ["", "-", "NaN", "n/a", "n/e", "unavailable"])
def test_a_value_that_is_marked_as_missing_is_a_gap(mark: str, tmp_path: Path) -> None:
    """`n/e` is what the transparency platform of ENTSO-E writes: not expected."""
    rows = [f"2026-06-21T{hour:02}:00Z,{mark if hour == 10 else 100}\n" for hour in range(8, 13)]
    loaded = _load(tmp_path, f"time,W\n{''.join(rows)}")
    assert [wh for _, wh in _steps(loaded.scenario)] == [100.0, 100.0, 0.0, 100.0, 100.0]


@pytest.mark.parametrize(("unit", "is_bridged"), [("W", True), ("kWh", False)])
def test_a_missing_day_is_a_gap_of_24_hours(unit: str, is_bridged: bool, tmp_path: Path) -> None:  # noqa: FBT001 - drawn
    """Between the readings of a counter, 25 hours are unknown."""
    hours = [hour for hour in range(96) if not 30 <= hour < 54]
    rows = "".join(f"2026-06-{20 + hour // 24}T{hour % 24:02}:00Z,{100 + hour}\n" for hour in hours)
    (tmp_path / "meter.csv").write_text(f"time,x [{unit}]\n{rows}", encoding="utf-8")
    if is_bridged:
        notes = read_measured(tmp_path / "meter.csv", "meter.csv", MeasuredFormat()).notes
        assert "the first from 2026-06-21 06:00Z on, the longest 1440 min" in notes[0]
        return
    with pytest.raises(ScenarioError, match=r"no value for 25\.0 h from 2026-06-21 05:00Z on"):
        read_measured(tmp_path / "meter.csv", "meter.csv", MeasuredFormat())


@pytest.mark.parametrize("date_of_row", ["21.06.2026 ", "2026-06-21 ", "21.06.2026;"])
def test_the_end_of_an_interval_is_not_an_offset(date_of_row: str, tmp_path: Path) -> None:
    """`10:00-10:30` as a German portal writes it, also with the date in a column of its own."""
    header = "Datum;Zeit;kWh" if date_of_row.endswith(";") else "Zeit;kWh"
    clocks = [("10:00-10:30", "0,5"), ("10:30-11:00", "1,0"), ("11:00-11:30", "0,25")]
    for count in (2, 3):
        text = "".join(f"{date_of_row}{clock};{kwh}\n" for clock, kwh in clocks[:count])
        steps = _steps(_load(tmp_path, f"{header}\n{text}", f"{BERLIN}\nreading: interval").scenario)
        assert steps == [("08:00", 500.0), ("08:30", 1000.0), ("09:00", 250.0)][:count]


@pytest.mark.parametrize(
    ("written", "month"),
    [
        ("1. März 2026", 3), ("1. mai 2026", 5), ("1 juin 2026", 6), ("1 juillet 2026", 7), ("1-Okt-2026", 10),
        ("1 août 2026", 8), ("1. desember 2026", 12), ("1 gennaio 2026", 1), ("1 Sept. 2026", 9), ("May 1, 2026", 5),
        ("1. marraskuu 2026", None), ("1 marzec 2026", None),
    ],
)  # fmt: skip
def test_months_are_known_by_their_whole_names(written: str, month: int | None, tmp_path: Path) -> None:
    """`Mai`, `juin` and `Okt` were refused, and the Finnish November (`marraskuu`) was taken for March."""
    (tmp_path / "meter.csv").write_text(f"Zeit;kW\n{written} 10:00;1,0\n{written} 10:30;2,0\n", encoding="utf-8")
    if month is None:
        with pytest.raises(ScenarioError, match=r"marraskuu|marzec"):
            read_measured(tmp_path / "meter.csv", "meter.csv", MeasuredFormat(zone="UTC"))
        return
    measured = read_measured(tmp_path / "meter.csv", "meter.csv", MeasuredFormat(zone="UTC"))
    assert datetime.fromtimestamp(measured.times_s[0], UTC) == datetime(2026, month, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("begins", "step_s"),
    [
        (
            ["10-31 23:30-04:00", "11-01 00:30-04:00", "11-01 01:30-04:00", "11-01 01:30-05:00", "11-01 02:30-05:00"],
            3_600,
        ),
        (["06-21 03:00-04:00", "06-21 04:00-04:00"], 3_600),
        (["06-21 00:00-00:00", "06-22 00:00-00:00", "06-23 00:00-00:00"], 86_400),
    ],
    ids=["clocks change", "two rows", "days"],
)
def test_an_offset_is_not_the_end_of_an_interval(begins: list[str], step_s: int, tmp_path: Path) -> None:
    """Every row of a zone west of Greenwich has the same one, or, where clocks change, one of two."""
    rows = "".join(f"2026-{begin},100\n" for begin in begins)
    (tmp_path / "meter.csv").write_text(f"time,power [W]\n{rows}", encoding="utf-8")
    measured = read_measured(tmp_path / "meter.csv", "meter.csv", MeasuredFormat(), scenario_zone="Europe/Berlin")
    assert np.diff(measured.times_s).tolist() == [step_s] * len(begins)
    assert measured.times_s[0] == datetime.fromisoformat(f"2026-{begins[0]}").timestamp()
    assert measured.notes == ()


def test_a_note_names_the_zone_of_intervals(tmp_path: Path) -> None:
    """Their ends look like offsets."""
    rows = "21.06.2026 12:00-12:15;1\n21.06.2026 12:15-12:30;2\n"
    (tmp_path / "meter.csv").write_text(f"Zeit;kW\n{rows}", encoding="utf-8")
    measured = read_measured(tmp_path / "meter.csv", "meter.csv", MeasuredFormat(), scenario_zone="Europe/Berlin")
    assert measured.notes == ("meter.csv: times without an offset are taken as Europe/Berlin, the scenario's zone.",)


@pytest.mark.parametrize(
    ("header", "keys", "begins", "said"),
    [
        ("time", "", "22:00", "taken as Europe/Berlin, the scenario's zone"),
        ("timestamp (UTC)", "", "00:00", "taken as UTC, as the header says"),
        ("time_utc", "", "00:00", "taken as UTC, as the header says"),
        ("Zeit [UTC+1]", "", "23:00", "taken as +01:00, as the header says"),
        ("HourUTC", "", "00:00", "taken as UTC, as the header says"),
        ("Zeitstempel (Asia/Tokyo)", "", "15:00", "taken as Asia/Tokyo, as the header says"),
        ("Date/Time", "", "22:00", "taken as Europe/Berlin, the scenario's zone"),
        ("time (UTC)", "zone: +05:00", "19:00", None),
    ],
)
def test_the_zone_of_a_table_is_its_headers_before_the_scenarios(
    header: str, keys: str, begins: str, said: str | None, tmp_path: Path
) -> None:
    """A portal that states UTC is believed, and a note says which zone was taken; a given one precedes both."""
    (tmp_path / "meter.csv").write_text(f"{header},kW\n2026-06-21 00:00,1\n2026-06-21 01:00,2\n", encoding="utf-8")
    head = _HEAD.replace("+02:00", "").replace("days: 1", "days: 1\nzone: Europe/Berlin")
    lines = "".join(f"          {line}\n" for line in ("file: meter.csv", *keys.splitlines()))
    (tmp_path / "scenario.yaml").write_text(head + lines, encoding="utf-8")
    loaded = load(tmp_path / "scenario.yaml")
    assert _steps(loaded.scenario)[0] == (begins, 1000.0)
    assert [note for note in loaded.notes if "taken as" in note and said is None] == []
    assert said is None or any(said in note for note in loaded.notes)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Query,Date (UTC),Time", "2026-06-01 00:00,2026-06-21,{}:00"),
        ("Time,Date (UTC)", "{}:00,2026-06-21"),
        ("Datum (UTC),Zeit von,Zeit bis", "21.06.2026,{}:00,{}:59"),
    ],
)
def test_the_zone_of_times_of_day_is_that_of_their_dates(header: str, row: str, tmp_path: Path) -> None:
    """In any order, and also if the dates are the same in all rows, as is the start of a query."""
    rows = "".join(row.replace("{}", f"0{hour}") + ",1\n" for hour in range(3))
    (tmp_path / "meter.csv").write_text(f"{header},kW\n{rows}", encoding="utf-8")
    measured = read_measured(tmp_path / "meter.csv", "meter.csv", MeasuredFormat(), scenario_zone="Europe/Berlin")
    assert measured.times_s[0] == datetime(2026, 6, 21, tzinfo=UTC).timestamp()
    assert measured.notes == ("meter.csv: times without an offset are taken as UTC, as the header says.",)


_OPEN_METEO = "latitude,longitude,utc_offset_seconds,timezone\n40.7,-74,-14400,America/New_York\n\n"
_NINJA = "# Renewables.ninja\n# Units: time in UTC, local_time in Asia/Tokyo, electricity in kW\n"


@pytest.mark.parametrize(
    ("text", "keys", "begins", "said"),
    [
        ("Elevation (m):\t9\n\ntime,P,T2m\n20260621:0010,1,9\n20260621:0110,2,9\n\nP: PV system power (W)\n", "{value: P}\nunit: kW", "00:10", "UTC, as PVGIS writes them"),  # noqa: E501 - a file's text
        (f"{_NINJA}time,electricity\n2026-06-21 00:00,1\n2026-06-21 01:00,2\n", "{}", "00:00", "UTC, as stated above the table"),  # noqa: E501 - a file's text
        (f"{_NINJA}time,local_time,electricity\n2026-06-21 00:00,2026-06-21 09:00,1\n2026-06-21 01:00,2026-06-21 10:00,2\n", "{time: local_time}", "00:00", "Asia/Tokyo, as stated above the table"),  # noqa: E501 - a file's text
        (f"{_OPEN_METEO}time,pv (kW)\n2026-06-21T00:00,1\n2026-06-21T01:00,2\n", "{}", "04:00", "-04:00, as stated above the table"),  # noqa: E501 - a file's text
        ("MTU (EET/EEST),kW\n21.06.2026 03:00 - 21.06.2026 04:00,1\n21.06.2026 04:00 - 21.06.2026 05:00,2\n", "{}", "00:00", "Europe/Helsinki, as the header says"),  # noqa: E501 - a file's text
        ("Date (GMT+1),kW\n2026-06-21 01:00,1\n2026-06-21 02:00,2\n", "{}", "00:00", "+01:00, as the header says"),
        ("MTU,kW\n21/06/2026 02:00 (CEST) - 21/06/2026 03:00 (CEST),1\n21/06/2026 03:00 (CEST) - 21/06/2026 04:00 (CEST),2\n", "{}", "00:00", None),  # noqa: E501 - a file's text
        ("Time,Power (kW)\n06/21/2026 00:00,1\n06/21/2026 01:00,2\n", "{}", "04:00", "America/New_York, the scenario's zone"),  # noqa: E501 - a file's text
    ],
    ids=["PVGIS", "Renewables.ninja", "its local time", "Open-Meteo", "EET/EEST", "GMT", "(CEST)", "month first"],
)  # fmt: skip
def test_the_zone_of_a_service_is_known_from_what_it_writes(
    text: str, keys: str, begins: str, said: str | None, tmp_path: Path
) -> None:
    """A note named the zone that was assumed, the scenario's, and all figures were off by hours."""
    (tmp_path / "meter.csv").write_text(text, encoding="utf-8")
    head = _HEAD.replace("+02:00", "").replace("days: 1", "days: 1\nzone: America/New_York")
    lines = "".join(f"          {line}\n" for line in ("file: meter.csv", *f"columns: {keys}".splitlines()))
    (tmp_path / "scenario.yaml").write_text(head + lines, encoding="utf-8")
    loaded = load(tmp_path / "scenario.yaml")
    assert _steps(loaded.scenario)[0] == (begins, 1000.0)
    assert [note.split("offset are taken as ")[1] for note in loaded.notes if "taken as" in note] == (
        [f"{said}."] if said else []
    )


def test_the_time_24_00_shows_that_times_are_the_ends_of_intervals(tmp_path: Path) -> None:
    """As distributors in Spain write them; each hour's energy was counted an hour late."""
    rows = [f"2026/06/21;{hour:02}:00;{1 + hour % 2},5" for hour in range(1, 25)]
    text = "\n".join(["Fecha;Hora;Consumo_kWh", *rows])
    loaded = _load(tmp_path, text, BERLIN)
    assert _steps(loaded.scenario)[:2] == [("22:00", 2500.0), ("23:00", 1500.0)]
    assert len(_steps(loaded.scenario)) == 24
    assert any("24:00 shows that times are the ends of intervals" in note for note in loaded.notes)

    at_both_ends = text.replace("Consumo_kWh\n", "Consumo_kWh\n2026/06/21;00:00;7,5\n")
    assert _steps(_load(tmp_path, at_both_ends, BERLIN).scenario)[0] == ("22:00", 7500.0)
    counter = _load(tmp_path, text, f"{BERLIN}\nreading: counter").scenario
    assert _steps(counter)[0][0] == "23:00"  # the reading of a counter is that of its time


_ENDS = "2026-06-21 00:15;1,5\n2026-06-21 00:30;2\n2026-06-21 00:45;2,5\n2026-06-21 01:00;0,5\n"
_BEGINS = [("22:00", 1500.0), ("22:15", 2000.0), ("22:30", 2500.0), ("22:45", 500.0)]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Horodate;kWh\n" + _ENDS, "labels: end"),
        ("Horodate;kW\n" + _ENDS.replace("1,5", "6").replace(";2,5", ";10").replace(";2\n", ";8\n").replace("0,5", "2"), "labels: end"),  # noqa: E501 - a file's text
        ("Horodate;kWh\n" + _ENDS, "labels: end\nreading: interval"),
        ("period_end;kWh\n" + _ENDS, ""),
        ("PeriodEnd;kWh\n" + _ENDS, ""),
        ("Zeit bis;kWh\n" + _ENDS, ""),
        ("Bis;kWh;Von\n" + _ENDS.replace("\n", ";2026-06-21 00:00\n", 1).replace("2\n", "2;2026-06-21 00:15\n").replace("2,5\n", "2,5;2026-06-21 00:30\n").replace("0,5\n", "0,5;2026-06-21 00:45\n"), ""),  # noqa: E501 - a file's text
        ("Bis;kWh;Von\n" + _ENDS.replace("\n", ";-\n"), "columns: {time: Bis, value: kWh}"),
        ("from;to;kWh\n" + "".join(f"21.06.2026 00:{15 * n:02};{line.replace('2026-06-21', '21.06.2026')}\n" for n, line in enumerate(_ENDS.splitlines())), ""),  # noqa: E501 - a file's text
        ("Datum;bis;von;kWh\n" + "".join(f"21.06.2026;{line[11:16]};00:{15 * n:02};{line[17:]}\n" for n, line in enumerate(_ENDS.splitlines())), ""),  # noqa: E501 - a file's text
    ],
    ids=["key", "of power", "of energy", "period_end", "PeriodEnd", "bis", "Bis and Von", "Bis given", "to", "Datum"],
)  # fmt: skip
def test_times_that_are_the_ends_of_intervals_are_known_from_a_key_or_their_column(
    text: str, keys: str, tmp_path: Path
) -> None:
    """In such a table without 24:00, every value counted for the step after its own."""
    loaded = _load(tmp_path, text, f"{BERLIN}\n{keys}")
    assert _steps(loaded.scenario) == _BEGINS
    is_named = "labels" not in keys and "from" not in text and "von" not in text and (keys or "Von" not in text)
    assert any("column's name" in note for note in loaded.notes) == bool(is_named)
    if is_named:
        as_starts = _load(tmp_path, text, f"{BERLIN}\n{keys}\nlabels: start")
        assert _steps(as_starts.scenario)[0] == ("22:15", 1500.0)
        assert not any("ends of intervals" in note for note in as_starts.notes)


def test_a_day_from_its_first_step_until_midnight_looks_like_ends_and_is_noted(tmp_path: Path) -> None:
    """Nothing else shows that all is read one step late: a portal that labels by starts begins a day at 00:00."""
    quarters = [datetime(2026, 6, 21) + timedelta(minutes=15 * n) for n in range(1, 97)]  # noqa: DTZ001 - local times
    rows = [f"{at:%d.%m.%Y %H:%M};{at.hour % 3},5" for at in quarters]
    for lines in (rows, rows[::-1]):
        text = "\n".join(["Zeit;kWh", *lines])
        (note,) = [note for note in _load(tmp_path, text, BERLIN).notes if "labels: end" in note]
        assert "00:15 at the beginning and 00:00 at the end" in note
        for keys in ("labels: end", "labels: start", "reading: counter"):
            assert not any("labels" in note for note in _load(tmp_path, text, f"{BERLIN}\n{keys}").notes)
    assert not any("labels" in note for note in _load(tmp_path, "\n".join(["Zeit;kWh", *rows[:-1]]), BERLIN).notes)


@pytest.mark.parametrize(
    ("ends", "begins"),
    [
        (["2026-06-20 23:00", "2026-06-20 00:00", "2026-06-21 01:00"], ["20:00", "21:00", "22:00"]),
        (["2026-03-29 01:00", "2026-03-29 02:00", "2026-03-29 04:00"], ["23:00", "00:00", "01:00"]),
        (["2026-03-29 01:00", "2026-03-29 03:00", "2026-03-29 04:00"], ["23:00", "00:00", "01:00"]),
        (["2026-10-25 02:00", "2026-10-25 02:00", "2026-10-25 03:00"], ["23:00", "00:00", "01:00"]),
    ],
    ids=["midnight of the day that it ends", "clocks go forward", "shown after that", "clocks go back"],
)
def test_ends_of_intervals_at_midnight_and_at_clock_changes(ends: list[str], begins: list[str], tmp_path: Path) -> None:
    """There, an end is written in another way than the start of the next interval, or not at all."""
    rows = [f"{end};{energy}" for end, energy in zip(ends, ("1,5", "0,5", "2,5"), strict=True)]
    loaded = _load(tmp_path, "\n".join(["Zeit;kWh", *rows]), f"{BERLIN}\nlabels: end")
    assert _steps(loaded.scenario) == list(zip(begins, (1500.0, 500.0, 2500.0), strict=True))


def test_a_midnight_that_may_end_its_day_is_refused_with_a_hint(tmp_path: Path) -> None:
    """Each midnight was only said to be out of order."""
    rows = [f"21.06.2026;{hour % 24:02}:00;0,{hour % 3}" for hour in range(1, 25)]
    (problem,) = _problems(tmp_path, ["Datum;Uhrzeit;kWh", *rows])
    assert problem[1].endswith("is not after the one before; if it ends the day, add labels: end")
    text = "\n".join(["Datum;Uhrzeit;kWh", *rows])
    assert _steps(_load(tmp_path, text, f"{BERLIN}\nlabels: end").scenario)[-1] == ("21:00", 0.0)


def test_labels_are_start_or_end_and_describe_a_table(tmp_path: Path) -> None:
    """Anything else is an error at its line, and what else is wrong with the table is said as well."""
    with pytest.raises(ScenarioError) as raised:
        _load(tmp_path, "Zeit;kWh\n21.06.2026 25:00;1\n21.06.2026 02:00;2\n", f"{BERLIN}\nlabels: right")
    of_row, of_key = raised.value.problems
    assert "25:00" in of_row.what
    assert "actual.labels: 'start' or 'end' is expected, not 'right'" in str(of_key)
    text = (tmp_path / "scenario.yaml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if "file:" not in line and "zone:" not in line]
    inline = ['          points: [["00:00", 0], ["01:00", 5]]', "          labels: end"]
    (tmp_path / "scenario.yaml").write_text("\n".join([*lines[:-1], *inline]), encoding="utf-8")
    with pytest.raises(ScenarioError, match="labels: describes a table of measurements; only valid with 'file'"):
        load(tmp_path / "scenario.yaml")


@pytest.mark.parametrize("until", ["-", " - "])
@pytest.mark.parametrize("date", ["21.06.2026;", "21.06.2026 "])
def test_an_interval_until_24_00_is_labelled_by_its_beginning(date: str, until: str, tmp_path: Path) -> None:
    """As a German portal writes it: `23:00-24:00`."""
    rows = [f"{date}{hour:02}:00{until}{hour + 1:02}:00;{1 + hour % 2},5" for hour in range(20, 24)]
    header = "Datum;Zeit;kWh" if date.endswith(";") else "Zeit;kWh"
    steps = _steps(_load(tmp_path, "\n".join([header, *rows]), BERLIN).scenario)
    assert steps == [("18:00", 1500.0), ("19:00", 2500.0), ("20:00", 1500.0), ("21:00", 2500.0)]


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("Month,Day,Hour,AC (W)\n" + "".join(f"{1 + n // 744},1,{n % 24},{n % 24}\n" for n in range(1_000)), "Month"),
        ("Fecha;Hora;kWh\n" + "".join(f"{20 + n // 24}/06/2026;{1 + n % 24};0,{n % 7}\n" for n in range(48)), "Fecha"),
    ],
    ids=["PVWatts", "hours by number"],
)  # fmt: skip
def test_a_table_whose_times_are_in_parts_gets_one_error(text: str, column: str, tmp_path: Path) -> None:
    """There was one for each row, none of which said what was wrong."""
    with pytest.raises(ScenarioError) as raised:
        _load(tmp_path, text, f"{BERLIN}\ncolumns: {{value: {'AC (W)' if column == 'Month' else 'kWh'}}}")
    (problem,) = raised.value.problems
    assert problem.what == (
        f"column '{column}' has no times that rise from row to row; date and time of day are expected in one column, "
        "or in two: 2026-06-21 and 12:00"
    )


@pytest.mark.parametrize("header", [",power_kw", "Plant 7\n,Mean power [kW]", "Time,Power\n,[kW]"])
def test_a_column_of_times_may_have_no_name(header: str, tmp_path: Path) -> None:
    """Such as the index of pandas, or the times of Sunny Portal: the header was skipped, and kW were taken for Wh."""
    rows = [f"2026-06-21T{hour:02}:00Z,{power}" for hour, power in ((8, 1.5), (9, 2.0), (10, 4.5))]
    for keys in ("", "columns: {time: column 1, value: column 2}"):  # as it had to be chosen until now
        loaded = _load(tmp_path, "\n".join([header, *rows]), keys)
        assert _steps(loaded.scenario) == [("08:00", 1500.0), ("09:00", 2000.0), ("10:00", 4500.0)]


_TIBBER = "from,to,consumption,consumptionUnit,cost,unitPrice\n2026-06-21T00:00:00.000+02:00,2026-06-21T01:00:00.000+02:00,0.25,kWh,0.12,0.31\n2026-06-21T01:00:00.000+02:00,2026-06-21T02:00:00.000+02:00,0.5,kWh,0.12,0.31\n2026-06-21T02:00:00.000+02:00,2026-06-21T03:00:00.000+02:00,0.125,kWh,0.12,0.31\n"  # noqa: E501 - a file's text
_ELOVERBLIK = "MålepunktsID;Fra_dato;Til_dato;Mængde;Måleenhed;Kvalitet\n571313174001234567;21-06-2026 00:00:00;21-06-2026 01:00:00;0,25;KWH;Målt\n571313174001234567;21-06-2026 01:00:00;21-06-2026 02:00:00;0,5;KWH;Målt\n571313174001234567;21-06-2026 02:00:00;21-06-2026 03:00:00;0,125;KWH;Målt\n"  # noqa: E501 - a file's text
_FINGRID = "Mittauspisteen tunnus;Tuotteen tyyppi;Resoluutio;Yksikkötyyppi;Alkuaika;Määrä;Laatu\n643007572000123456;8716867000030;PT1H;kWh;2026-06-20T22:00:00Z;0,25;OK\n643007572000123456;8716867000030;PT1H;kWh;2026-06-20T23:00:00Z;0,5;OK\n643007572000123456;8716867000030;PT1H;kWh;2026-06-21T00:00:00Z;0,125;OK\n"  # noqa: E501 - a file's text
_FLUVIUS = "Van (datum);Van (tijdstip);Tot (datum);Tot (tijdstip);Meter;Register;Volume;Eenheid\n21-06-2026;00:00:00;21-06-2026;01:00:00;1SAG11;Afname Dag;0,25;kWh\n21-06-2026;01:00:00;21-06-2026;02:00:00;1SAG11;Afname Dag;0,5;kWh\n21-06-2026;02:00:00;21-06-2026;03:00:00;1SAG11;Afname Dag;0,125;kWh\n"  # noqa: E501 - a file's text
_AMBER = "type,date,endTime,kwh,perKwh,nemTime,startTime\nUsage,2026-06-20,2026-06-20T22:59:59Z,0.25,24.3,2026-06-21T09:00:00+10:00,2026-06-20T22:00:00Z\nUsage,2026-06-20,2026-06-20T23:59:59Z,0.5,24.3,2026-06-21T10:00:00+10:00,2026-06-20T23:00:00Z\nUsage,2026-06-21,2026-06-21T00:59:59Z,0.125,24.3,2026-06-21T11:00:00+10:00,2026-06-21T00:00:00Z\n"  # noqa: E501 - a file's text
_GREEN_BUTTON = "Name,JOHN DOE\nService,Service 1\n\nTYPE,DATE,START TIME,END TIME,USAGE,UNITS,COST,NOTES\nElectric usage,2026-06-21,00:00,00:59,0.25,kWh,$0.01,\nElectric usage,2026-06-21,01:00,01:59,0.5,kWh,$0.01,\nElectric usage,2026-06-21,02:00,02:59,0.125,kWh,$0.01,\n"  # noqa: E501 - a file's text
_FUSION_SOLAR = "Plant report\nManageObject,Start Time,Yield (kWh)\nInverter-1,2026-06-21 00:00:00 DST,0.25\nInverter-1,2026-06-21 01:00:00 DST,0.5\nInverter-1,2026-06-21 02:00:00 DST,0.125\n"  # noqa: E501 - a file's text
_EMPORIA = "Time Bucket (Europe/Berlin),Home-Mains_A (kWhs),Home-Mains_B (kWhs)\n06/21/2026 00:00:00,0.25,9\n06/21/2026 01:00:00,0.5,9\n06/21/2026 02:00:00,0.125,9\n"  # noqa: E501 - a file's text
_INFLUX = "#group,false,true\n_start,_stop,_time,_value,_field\n2026-06-20T00:00:00Z,2026-06-22T00:00:00Z,2026-06-20T22:00:00Z,0.25,e\n2026-06-20T00:00:00Z,2026-06-22T00:00:00Z,2026-06-20T23:00:00Z,0.5,e\n2026-06-20T00:00:00Z,2026-06-22T00:00:00Z,2026-06-21T00:00:00Z,0.125,e\n"  # noqa: E501 - a file's text
_VICTRON = "timestamp,PV on output,Grid\nEurope/Berlin (+02:00),kW,kW\n2026-06-21 00:00:00,0.25,9\n2026-06-21 01:00:00,0.5,9\n2026-06-21 02:00:00,0.125,9\n"  # noqa: E501 - a file's text
_ENERGY_CHARTS = 'Date (GMT+2),Solar,Load\n,"Power (kW)","Power (kW)"\n2026-06-21T00:00+02:00,0.25,7\n2026-06-21T01:00+02:00,0.5,8\n2026-06-21T02:00+02:00,0.125,9\n'  # noqa: E501 - a file's text


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (_TIBBER, "columns: {value: consumption}"),
        (_ELOVERBLIK, ""),
        (_FINGRID, ""),
        (_FLUVIUS, ""),
        (_AMBER, "columns: {value: kwh}\nunit: kWh"),
        (_GREEN_BUTTON, ""),
        (_FUSION_SOLAR, ""),
        (_ENERGY_CHARTS, "columns: {value: Solar}"),
        (_EMPORIA, "columns: {value: Home-Mains_A (kWhs)}"),
        (_INFLUX, "unit: kWh"),
        (_VICTRON, "columns: {value: PV on output}"),
    ],
    ids=[
        *("Tibber", "Eloverblik", "Fingrid", "Fluvius", "Amber", "Green Button", "FusionSolar", "energy-charts"),
        *("Emporia", "InfluxDB", "Victron"),
    ],
)
def test_exports_of_services_are_read_by_what_they_say(text: str, keys: str, tmp_path: Path) -> None:
    """The unit has a column of its own, an id is no value, a start precedes a date and an end, and so on."""
    steps = _steps(_load(tmp_path, text, f"{BERLIN}\n{keys}").scenario)
    assert steps == [("22:00", 250.0), ("23:00", 500.0), ("00:00", 125.0)]


@pytest.mark.parametrize(
    ("text", "column", "names"),
    [
        (_FLUVIUS + _FLUVIUS.partition("\n")[2].replace("Afname", "Injectie"), "Register", "Afname Dag, Injectie Dag"),
        ("entity_id,state,last_changed\n" + "".join(f"sensor.{name},{value},2026-06-21T00:{minute:02}:0{second}Z\n" for minute in range(30) for second, name, value in ((1, "load", 200), (4, "pv", 3000))), "entity_id", "sensor.load, sensor.pv"),  # noqa: E501 - a file's text
    ],
    ids=["Fluvius", "Home Assistant"],
)  # fmt: skip
def test_rows_of_several_series_are_an_error(text: str, column: str, names: str, tmp_path: Path) -> None:
    """Rows of a load and of a roof were taken for one series, if their times alternated."""
    with pytest.raises(ScenarioError) as raised:
        _load(tmp_path, text, f"{BERLIN}\nunit: {'kWh' if 'kWh' in text else 'W'}")
    (problem,) = raised.value.problems
    assert problem.what == (
        f"has rows of several series, which column '{column}' tells apart: {names}; keep the rows of one"
    )


def test_a_power_of_home_assistant_lasts_until_the_next_change(tmp_path: Path) -> None:
    """Each counted for the most common time between changes, here 10 s: 7 Wh of 870 remained."""
    states = ["00:00:00.5,120", "00:00:10.1,60", "00:00:20.2,60", "00:00:30.4,1200", "00:30:30.0,unavailable"]
    states += ["00:45:00.0,300", "01:44:50.2,50", "01:44:50.9,240", "01:45:00.0,0", "02:00:00.0,0"]
    rows = [f"sensor.load,{state},2026-06-21T{at}Z" for at, state in (row.split(",") for row in states)]
    loaded = _load(tmp_path, "\n".join(["entity_id,state,last_changed", *rows]), "unit: W")
    actual = loaded.scenario.producers["pv"].actual
    assert actual is not None
    expected_wh = (10 * 120 + 20 * 60 + 1800 * 1200 + (3600 - 10) * 300 + 10 * 240) / 3600
    assert actual.energy_wh == pytest.approx(expected_wh)
    assert any("each power lasts until the next row (at most 60 min)" in note for note in loaded.notes)
    (gap,) = [note for note in loaded.notes if "gap" in note]
    assert "has 1 gap (the first from 2026-06-21 00:30Z on, the longest 14 min); a gap counts as 0 Wh" in gap


def test_a_power_of_an_irregular_table_lasts_until_the_next_row(tmp_path: Path) -> None:
    """A logger may write only when a plug reports; in a table at regular times, missing rows are gaps."""
    minutes = [0, 1, 2, 5, 20, 21, 35, 36, 37, 50, 60]
    rows = [f"2026-06-21T08:{minute:02}Z,600" for minute in minutes[:-1]] + ["2026-06-21T09:00Z,600"]
    loaded = _load(tmp_path, "\n".join(["time,power_w", *rows]))
    assert sum(wh for _, wh in _steps(loaded.scenario)) == pytest.approx(610)
    assert any("each power lasts until the next row (at most 15 min)" in note for note in loaded.notes)

    regular = [f"2026-06-21T08:{minute:02}Z,600" for minute in range(60) if minute not in (5, 6, 20)]
    steps = _steps(_load(tmp_path, "\n".join(["time,power_w", *regular])).scenario)
    assert sum(wh for _, wh in steps) == pytest.approx(570)


@pytest.mark.parametrize("names", ["{hour:02}:00-{end:02}:00", "{hour:02}:00", "HH{end}"])
def test_a_row_for_each_day_with_a_column_for_each_hour_is_an_error(names: str, tmp_path: Path) -> None:
    """One of the hours had to be chosen, and counted for the whole day."""
    header = ";".join(names.format(hour=hour, end=hour + 1) for hour in range(24))
    rows = [f"{day}/06/2026;{';'.join(['0,5'] * 24)}" for day in (21, 22, 23)]
    text = "\n".join([f"Giorno;{header}", *rows])
    first = header.partition(";")[0]
    for keys in ("unit: kWh", f"unit: kWh\ncolumns: {{value: '{first}'}}"):
        with pytest.raises(ScenarioError, match="has a row for each day and a column for each time of day"):
            _load(tmp_path, text, f"{BERLIN}\n{keys}")


def test_columns_with_the_same_name_are_told_apart(tmp_path: Path) -> None:
    """The first one was read, whichever was meant."""
    text = "Zeit;kWh;kWh\n21.06.2026 00:00;1;3\n21.06.2026 01:00;5;2\n"
    with pytest.raises(ScenarioError, match=r"there is no column 'kWh'; known: Zeit, kWh \(column 2\), kWh"):
        _load(tmp_path, text, f"{BERLIN}\ncolumns: {{value: kWh}}")
    for column in ("kWh (column 3)", 3):
        assert _steps(_load(tmp_path, text, f"{BERLIN}\ncolumns: {{value: {column}}}").scenario)[0][1] == 3000.0


def test_columns_with_the_same_name_and_the_same_cells_need_not_be_told_apart(tmp_path: Path) -> None:
    """Exports put tables with the same times side by side; scenarios of earlier versions name the column of times."""
    times = ["21.06.2026 00:00", "21.06.2026 01:00"]
    text = f"Zeit;kW;Zeit;kWh\n{times[0]};1;{times[0]};3\n{times[1]};5;{times[1]};2\n"
    steps = _steps(_load(tmp_path, text, f"{BERLIN}\ncolumns: {{time: Zeit, value: kW}}").scenario)
    assert [wh for _, wh in steps] == [1000.0, 5000.0]


def test_a_status_w_is_no_unit(tmp_path: Path) -> None:
    """Swiss meters mark true values with W."""
    text = "Zeit;Wert;Status\n21.06.2026 00:00;1;W\n21.06.2026 01:00;3;W\n"
    with pytest.raises(ScenarioError, match="column 'Wert' has no unit of power or energy"):
        _load(tmp_path, text, BERLIN)


def _problems(folder: Path, lines: Sequence[str]) -> list[tuple[str, str]]:
    """Return where in a table there are problems, and which."""
    with pytest.raises(ScenarioError) as raised:
        _load(folder, "\n".join(lines), BERLIN)
    return [(each.where.rpartition("meter.csv")[2], each.what) for each in raised.value.problems]


@pytest.mark.parametrize("clock", ["%H:%M", "%H:%M:%S", "%I:%M %p"])
def test_a_table_with_times_of_day_alone_gets_one_error_about_them(clock: str, tmp_path: Path) -> None:
    """The daily export of Sunny Portal has no dates; there was an error for each row, also where most have no value."""
    quarters = [datetime(2026, 6, 21, n // 4, n % 4 * 15, tzinfo=UTC) for n in range(96)]
    rows = [f"{at:{clock}};{'' if at.hour < 15 else at.hour}" for at in quarters]

    about = (
        f"'{quarters[60]:{clock}}' is a time without a date, as in 35 other rows; date and time of day are expected in "
        "one column, or in two: 2026-06-21 and 12:00"
    )
    assert _problems(tmp_path, ["Zeit;Leistung [kW]", *rows]) == [(":62", about)]
    no_unit, of_times = _problems(tmp_path, ["Zeit;Leistung", *rows])
    assert "has no unit" in no_unit[1]
    assert "as in 95 other rows" in of_times[1]


def _powers_of_run(folder: Path, clocks: Sequence[str]) -> list[tuple[int, float]]:
    """Return the load profile of a device with these times of day, which draws 100, 200, ... W."""
    text = "\n".join(["time,W", *(f"{clock},{100 * n}" for n, clock in enumerate(clocks, start=1))])
    (folder / "run.csv").write_text(text, encoding="utf-8")
    found = read_measured(folder / "run.csv", "run.csv", MeasuredFormat(), is_run=True)
    powers_w = np.diff(found.cumulative_wh) * 3600 / np.diff(found.times_s)
    return list(zip((time_s - found.times_s[0] for time_s in found.times_s), powers_w.tolist(), strict=False))


@pytest.mark.parametrize(
    "clocks",
    [
        ("02:30 PM", "02:45 PM", "03:00 PM"),
        ("11:45 AM", "12:00 PM", "12:15 PM"),
        ("11:45:00 p.m.", "12:00:00 a.m.", "12:15:00 a.m."),
        ("11:45PM - 12:00AM", "12:00AM - 12:15AM", "12:15AM - 12:30AM"),
        ("23:45", "24:00", "24:15"),
        ("25:00", "25:15", "25:30"),
    ],
)
def test_a_run_of_a_device_may_have_times_of_day_with_am_and_pm_or_past_midnight(
    clocks: Sequence[str], tmp_path: Path
) -> None:
    """AM and PM were an error in each row, and 24:15 after 24:00 was a day later."""
    assert _powers_of_run(tmp_path, clocks) == [(0, 100), (900, 200), (1800, 300)]


@pytest.mark.parametrize("clock", ["13:{:02} PM", "00:{:02} AM", "12:{}"])
def test_a_table_without_any_time_that_exists_gets_one_error_about_them(clock: str, tmp_path: Path) -> None:
    """There was one for each row, up to ten."""
    clocks = [clock.format(minute) for minute in range(60, 90) if "{}" in clock] or [
        clock.format(minute) for minute in range(30, 60)
    ]
    with pytest.raises(ScenarioError) as raised:
        _powers_of_run(tmp_path, clocks)
    (problem,) = raised.value.problems
    assert problem.where == "run.csv:2"
    assert f"{clocks[0]!r} is not a time, as in 29 other rows; expected ISO 8601" in problem.what


def test_a_time_of_day_that_repeats_is_no_day_later(tmp_path: Path) -> None:
    """The second row of a minute, and all after it, were moved to the next day."""
    with pytest.raises(ScenarioError, match="the time 14:31 is not after the one before"):
        _powers_of_run(tmp_path, ["14:30", "14:31", "14:31", "14:32"])


def test_rows_without_a_date_among_others_are_each_named(tmp_path: Path) -> None:
    """Each is a mistake in its own line; so is a wrong time in a table that otherwise has times of day only."""
    rows = [f"2026-06-21 {hour:02}:00,1" for hour in range(24)]
    rows[3] = rows[7] = "03:00,1"
    assert [line for line, _ in _problems(tmp_path, ["time,kW", *rows])] == [":5", ":9"]

    clocks = [f"{hour:02}:00,1" for hour in range(24)]
    assert [line for line, _ in _problems(tmp_path, ["time,kW", *clocks, "lunch,1", "12:00,1"])] == [":2", ":26"]


@pytest.mark.parametrize(
    "written",
    [
        "21.6.2026 {}.{:02}",
        "21/06/2026 {:02}h{:02}",
        "21.06.2026 {:02}:{:02} Uhr",
        "21.06.2026 {:02}.{:02}.00",
        "2026-06-21T{:02}:{:02}:00+02:00[Europe/Berlin]",
        "2026-06-21 {:02}:{:02}:00 DST",
    ],
)
def test_times_are_read_as_countries_and_programs_write_them(written: str, tmp_path: Path) -> None:
    """A date followed by 10.00 was a time that cannot be read, in each row."""
    rows = [f"{written.format(8, minute)};0,5" for minute in (0, 15, 30)]
    text = "\n".join(["Aika;Kulutus kWh", *rows])
    assert _steps(_load(tmp_path, text, BERLIN).scenario) == [("06:00", 500.0), ("06:15", 500.0), ("06:30", 500.0)]


@pytest.mark.parametrize("column", ["Power (mW)", "power_mw", "energy_mWh"])
def test_milliwatts_are_no_megawatts(column: str, tmp_path: Path) -> None:
    """Plugs report them; 200,000 mW were 200 GW."""
    text = f"time,{column}\n2026-06-21T08:00Z,200000\n2026-06-21T09:00Z,190000\n"
    with pytest.raises(ScenarioError, match="in milli- or megawatts"):
        _load(tmp_path, text)
    assert _steps(_load(tmp_path, text, "unit: MW\nreading: power").scenario)[0] == ("08:00", 2e11)
    upper = text.replace(column, "Power (MW)").replace("0000", "")
    assert _steps(_load(tmp_path, upper).scenario)[0] == ("08:00", 2e7)


@pytest.mark.parametrize(
    "column",
    ["Price [EUR/MWh]", "Spot (€ / kWh)", "radiation (W/m²)", "ghi_wh_m2", "yield kWh/kWp", "gCO2/kWh", "ct per kWh"],
)
def test_prices_and_irradiance_are_no_energy(column: str, tmp_path: Path) -> None:
    """Their units contain one of power or energy."""
    text = f"time,{column}\n2026-06-21T08:00Z,100\n2026-06-21T09:00Z,90\n"
    with pytest.raises(ScenarioError, match="has no unit of power or energy; add unit"):
        _load(tmp_path, text)


@pytest.mark.parametrize("column", ["Leistung/kW", "PV/Netz [kW]", "P/kW", "Leistung (kW), Messung"])
def test_a_unit_behind_a_slash_is_that_of_the_values(column: str, tmp_path: Path) -> None:
    """Science writes the quantity, a slash and its unit."""
    text = f'time,"{column}"\n2026-06-21T08:00Z,0.5\n2026-06-21T09:00Z,1\n'
    assert _steps(_load(tmp_path, text).scenario) == [("08:00", 500.0), ("09:00", 1000.0)]


@pytest.mark.parametrize(
    ("text", "wh", "said"),
    [
        ("time;Wh\n2026-06-21T08:00Z;1.234\n2026-06-21T09:00Z;1.100\n2026-06-21T10:00Z;999\n", 1.234, "the point in numbers such as 1.234 is taken as a decimal"),  # noqa: E501 - a file's text
        ("time;Wh\n2026-06-21T08:00Z;1,234\n2026-06-21T09:00Z;1,100\n", 1.234, "the comma in numbers such as 1,234 is taken as a decimal"),  # noqa: E501 - a file's text
        ('time,Wh\n2026-06-21T08:00Z,"1,234 Wh"\n2026-06-21T09:00Z,"1,100 Wh"\n', 1234.0, "the comma in numbers such as 1,234 is taken as a thousands"),  # noqa: E501 - a file's text
        ("time;Wh\n2026-06-21T08:00Z;1.234\n2026-06-21T09:00Z;0.100\n", 1.234, None),
        ("time;Wh\n2026-06-21T08:00Z;1.234\n2026-06-21T09:00Z;1000\n", 1.234, None),
    ],
)  # fmt: skip
def test_a_note_says_how_numbers_were_read_that_may_be_thousands(
    text: str, wh: float, said: str | None, tmp_path: Path
) -> None:
    """No row tells whether `1.234` is one or a thousand."""
    loaded = _load(tmp_path, text, "reading: interval")
    assert _steps(loaded.scenario)[0][1] == wh
    assert [note for note in loaded.notes if "in numbers such as" in note and said is None] == []
    assert said is None or any(said in note for note in loaded.notes)


@pytest.mark.parametrize(
    "before",
    [
        "latitude;longitude;elevation;zone\n52.5;13.4;38;GMT\n\n",
        "Meter;Kind;From;To\n12345;Load;21/06/2026;22/06/2026\n",
    ],
)
def test_a_table_about_the_place_is_not_the_series(before: str, tmp_path: Path) -> None:
    """Weather services and grid operators put one above it."""
    text = f"{before}Time;Power (kW)\n2026-06-21T08:00Z;0.5\n2026-06-21T09:00Z;1\n2026-06-21T10:00Z;0.2\n"
    loaded = _load(tmp_path, text)
    assert _steps(loaded.scenario) == [("08:00", 500.0), ("09:00", 1000.0), ("10:00", 200.0)]
    assert any("2 lines before the table were left out" in note for note in loaded.notes)


def test_a_text_between_rows_is_no_header(tmp_path: Path) -> None:
    """The first row was dropped, and the columns were called by the remark."""
    rows = "2026-06-21T08:00Z,500,ok\nsensor,offline\n2026-06-21T09:00Z,1000,ok\n2026-06-21T10:00Z,250,ok\n"
    with pytest.raises(ScenarioError, match=r"meter\.csv:2"):
        _load(tmp_path, rows, "unit: W")


def test_a_legend_below_the_table_is_left_out_but_no_row_with_mistakes(tmp_path: Path) -> None:
    """PVGIS writes `20260621:0810`, and below the table what the columns are; a note counts these lines."""
    text = "Slope: 35 deg.\ntime,P,G(i)\n20260621:0810,500.0,90\n20260621:0910,1000.0,95\n20260621:1010,250.0,70\n"
    legend = "\nP: PV system power (W)\nT2m: 2-m air temperature\n\nPVGIS (c) European Union, 2001-2024\n"
    keys = "columns: {value: P}\nunit: W\nzone: UTC"
    loaded = _load(tmp_path, f"{text}{legend}", keys)
    assert _steps(loaded.scenario) == [("08:10", 500.0), ("09:10", 1000.0), ("10:10", 250.0)]
    assert any("3 lines below the table were left out" in note for note in loaded.notes)
    for mistake in ("20260621:1110,x,3\n", "20260621:1110\n", "20260631:1110,x,y\n", "20260621:1110,x\n"):
        with pytest.raises(ScenarioError, match=r"meter\.csv:6"):
            _load(tmp_path, f"{text}{mistake}", keys)


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("e.json", '{"a": [1, 2]}', "JSON"),
        ("e.xml", "<?xml version='1.0'?><feed/>", "XML"),
        ("e.csv", "[[1, 2]]", "JSON"),
    ],
)
def test_a_file_that_is_no_table_is_named_as_what_it_is(name: str, text: str, form: str, tmp_path: Path) -> None:
    """Portals offer several downloads."""
    for keys in ("", "unit: kWh"):
        with pytest.raises(ScenarioError) as raised:
            _load(tmp_path, text, keys, name)
        assert [problem.what for problem in raised.value.problems] == [f"is {form}, not a table; save it as CSV"]


def test_local_times_are_right_when_clocks_change(tmp_path: Path) -> None:
    """The repeated hour comes twice, and the missing one is an error."""
    rows = ("01:00", "02:00", "02:00", "03:00")
    autumn = "time,Wh\n" + "".join(f"2026-10-25 {at},100\n" for at in rows)
    loaded = _load(tmp_path, autumn, "zone: Europe/Berlin\nreading: interval")
    assert _steps(loaded.scenario) == [(at, 100) for at in ("23:00", "00:00", "01:00", "02:00")]
    with pytest.raises(ScenarioError, match=r"meter\.csv:3: the time 2026-03-29 02:30 does not exist on that day"):
        _load(tmp_path, "time,Wh\n2026-03-29 01:30,1\n2026-03-29 02:30,1\n", "zone: Europe/Berlin")


def test_compressed_files_and_parquet(tmp_path: Path) -> None:
    """The same table in three kinds of file is the same series."""
    text = "time,power W\n2026-06-21T08:00Z,100\n2026-06-21T09:00Z,200\n"
    plain = _steps(_load(tmp_path, text).scenario)
    assert _steps(_load(tmp_path, gzip.compress(text.encode()), name="meter.csv.gz").scenario) == plain
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet is an extra: pip install 'ssmic[parquet]'")
    arrow = pytest.importorskip("pyarrow")
    times = [datetime(2026, 6, 21, hour, tzinfo=UTC) for hour in (8, 9)]
    parquet.write_table(arrow.table({"time": times, "power W": [100.0, 200.0]}), tmp_path / "meter.parquet")
    content = (tmp_path / "meter.parquet").read_bytes()
    assert _steps(_load(tmp_path, content, name="meter.parquet").scenario) == plain


def test_a_damaged_compressed_table_is_refused(tmp_path: Path) -> None:
    """The archive is complete, but not its content."""
    content = bytearray(gzip.compress(b"time,power W\n2026-06-21T08:00Z,100\n2026-06-21T09:00Z,200\n"))
    content[10] = 0xFF
    with pytest.raises(ScenarioError, match=r"meter\.csv\.gz: cannot be unpacked"):
        _load(tmp_path, bytes(content), name="meter.csv.gz")


def test_parquet_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Text that is not UTF-8, times that no calendar has, and a few kilobytes that hold more than the memory."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet is an extra: pip install 'ssmic[parquet]'")
    arrow = pytest.importorskip("pyarrow")
    ends = arrow.py_buffer(struct.pack("<3i", 0, 2, 4))
    text = arrow.Array.from_buffers(arrow.string(), 2, [None, ends, arrow.py_buffer(b"\xff\xfeab")])
    times = arrow.array([2**45, 2**46], arrow.timestamp("s"))
    many = arrow.repeat(1.0, MOST_CELLS // 2 + 1)
    rows = 20_000
    long = arrow.DictionaryArray.from_arrays(arrow.repeat(0, rows), ["2026" * 20_000])
    for begins, power, said in (
        (text, [1.0, 2.0], "that can be read: 'utf-8' codec"),
        (times, [1.0, 2.0], "that can be read: .*out of range"),
        (many, many, "more than 30,000,000 values"),
        (long, arrow.repeat(1.0, rows), "more than 1024 MB when unpacked"),
    ):
        parquet.write_table(arrow.table({"time": begins, "power W": power}), tmp_path / "table")
        with pytest.raises(ScenarioError, match=rf"meter\.parquet: .*{said}"):
            _load(tmp_path, (tmp_path / "table").read_bytes(), name="meter.parquet")


@pytest.mark.parametrize(
    ("text", "keys", "said"),
    [
        ("time,kW\n2026-06-21 10:00,1\n2026-06-21 11:00,1\n", "", "add for example zone: Europe/Berlin"),
        ("time,kW\n2026-06-21T10:00Z,1\n2026-06-21T11:00Z,1\n", "zone: Europe/Berln", "did you mean 'Europe/Berlin'"),
        ("time,x,y\n2026-06-21T10:00Z,1,2\n2026-06-21T11:00Z,1,2\n", "", "name one under columns.value: 'x', 'y'"),
        ("time,power\n2026-06-21T10:00Z,1\n2026-06-21T11:00Z,1\n", "", "has no unit"),
        ("time,kW\n2026-06-21T10:00Z,1\n2026-06-21T11:00Z,1\n", "columns: {value: kWx}", "did you mean 'kW'?"),
        ("time,kW\n2026-06-21T11:00Z,1\n2026-06-21T10:00Z,1\n", "", "meter.csv:3: the time 2026-06-21T10:00Z is not after"),  # noqa: E501 - a file's text
        ("time,kW\n2026-06-21T10:00Z,a\n2026-06-21T11:00Z,1\n2026-06-21T12:00Z,b\n", "columns: {value: kW}", "meter.csv:2"),  # noqa: E501 - a file's text
        ("time,kW\n06/07/2026 10:00,1\n06/07/2026 11:00,1\n", BERLIN, "is ambiguous (day or month first)"),
        ("time,kW\n10:00,1\n11:00,1\n", BERLIN, "meter.csv:2: '10:00' is a time without a date"),
        ("PK\x03\x04", "", "save the table as CSV"),
        ("time,kW\n", "", "meter.csv: has no line with a time and a value; at least two are expected"),
        ("time,kW\n2026-06-21T10:00Z,1\n", "", "meter.csv: at least two rows are needed, found 1"),
        ("time,kW\n2026-06-21T11:00Z,1\n2026-06-21T10:00Z,1\n2026-06-21T12:00Z,1\n", "", "meter.csv:3: the time 2026-06-21T10:00Z is not after"),  # noqa: E501 - a file's text
        ("time,kW\n2026-06-21T10:00Z,-1\n2026-06-21T11:00Z,1\n", "", "has 1 negative value (the lowest -1000 W at 2026-06-21 10:00Z)"),  # noqa: E501 - a file's text
        ("time,kW\n2026-06-21T10:00Z,1,5\n2026-06-21T11:00Z,1\n", "", "meter.csv:2: has 3 columns, and the header names 2: a number that contains a comma"),  # noqa: E501 - a file's text
        ("time,kW\n2026-06-21T10:00Z,1,5\n2026-06-21T11:00Z,2,5\n", "", "meter.csv:3: has 3 columns"),
        ("date,W\n2026-06-21T10:00Z,900\n2026-06-21T11:00Z,1,000\n", "columns: {value: 2}", "meter.csv:3: has 3 columns"),  # noqa: E501 - a file's text
        ("2026-02-30T10:00Z,1\n2026-03-01T10:00Z,1\n2026-03-01T11:00Z,1\n", "unit: kW", "meter.csv:1: '2026-02-30T10:00Z' is not a time"),  # noqa: E501 - a file's text
        ("time,kW\n2026-06-21T10:00Z,1\n2026-06-21T11:00Z,1\n", "reading: counter", "kW is not a unit of a counter"),
    ],
)  # fmt: skip
def test_problems_are_reported_with_their_line(text: str, keys: str, said: str, tmp_path: Path) -> None:
    """There is no traceback, and a zone is never guessed."""
    with pytest.raises(ScenarioError) as raised:
        _load(tmp_path, text, keys)
    assert said in str(raised.value)


def test_a_missing_zone_is_reported_once_and_hides_no_other_problem(tmp_path: Path) -> None:
    """It is reported for the first time that needs it."""
    with pytest.raises(ScenarioError) as raised:
        _load(tmp_path, "time,kW\n2026-06-21 10:00,1\n2026-06-21 11:00,x\n2026-06-21 12:00,1\n", "unit: kW")
    assert [str(problem).split("meter.csv")[1] for problem in raised.value.problems] == [
        ":2: the time 2026-06-21 10:00 has no UTC offset; add for example zone: Europe/Berlin",
        ":3: a number is expected, not 'x'",
    ]


_PROFILE = """\
version: 1
name: measured
start: "2026-06-21T00:00:00+02:00"
seed: 1
load_profiles:
  wash:
PROFILE
houses:
  - {id: a, devices: [{id: washer, type: consumer, load_profile: wash}]}
jobs:
  - {house: a, device: washer, registered: "00:00", earliest_start: "08:00", latest_start: "14:00"}
"""


def _profile(folder: Path, text: str, keys: str = "") -> list[tuple[int, float]]:
    (folder / "wash.csv").write_text(text)
    lines = "\n".join(f"    {line}" for line in ("file: wash.csv", *keys.splitlines()))
    (folder / "scenario.yaml").write_text(_PROFILE.replace("PROFILE", lines), encoding="utf-8")
    profile = load(folder / "scenario.yaml").scenario.jobs[0].load_profile
    return [(at, round(wh, 6)) for at, wh in zip(profile.times_s, profile.cumulative_wh, strict=True)]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("seconds,power_w\n0,2000\n900,400\n1800,100\n", ""),
        ("minute;power_kw\n0;2,0\n15;0,4\n30;0,1\n", ""),
        ("clock,W\n23:50:00,2000\n00:05:00,400\n00:20:00,100\n", ""),
        ("time,kW\n2025-03-01 10:00,2\n2025-03-01 10:15,0.4\n2025-03-01 10:30,0.1\n", ""),
        ("0,2000\n900,400\n1800,100\n", "unit: W"),
        ("t,total kWh\n100,7\n1000,7.5\n1900,7.6\n2800,7.625\n", ""),
        ("t,a,b\n0,1,500\n900,1,100\n1800,1,25\n", "unit: Wh\nreading: interval\ncolumns: {value: b}"),
    ],
)
def test_a_load_profile_is_given_as_it_was_measured(text: str, keys: str, tmp_path: Path) -> None:
    """It has the same keys as production; times count from the first row."""
    assert _profile(tmp_path, text, keys) == [(0, 0.0), (900, 500.0), (1800, 600.0), (2700, 625.0)]


@pytest.mark.parametrize(
    ("text", "keys", "said"),
    [
        (
            "seconds,power\n0,2\n60,3\n",
            "columns: {value: power}",
            "has no unit of power or energy; add unit: W, kW, Wh or kWh",
        ),
        ("seconds,kW\n0,2\n60,x\n", "unit: kW", "wash.csv:3: a number is expected, not 'x'"),
        ("t,a,b\n0,1,2\n60,1,2\n", "", "name one under columns.value: 'a', 'b'"),
        ("0 0\n60 5\n", "unit: V", "load_profiles.wash.unit"),
    ],
)
def test_problems_of_a_measured_load_profile_are_reported(text: str, keys: str, said: str, tmp_path: Path) -> None:
    """They are reported as for production."""
    with pytest.raises(ScenarioError) as raised:
        _profile(tmp_path, text, keys)
    assert said in str(raised.value)


def test_the_tables_of_a_week_are_read_once_for_all_devices(tmp_path: Path) -> None:
    """A week of four forecasts a day are 28 tables, and each device has a column in all of them."""
    paths = [tmp_path / f"forecast-{n:02}.csv" for n in range(30)]
    for path in paths:
        path.write_text("time,a,b\n1782000000,1,2\n1782000900,3,4\n", encoding="utf-8")
    first = [read_table(path, path.name) for path in paths]
    again = [read_table(path, path.name) for path in paths]
    assert all(one is other for one, other in zip(first, again, strict=True))

    forget_tables()
    assert all(read_table(path, path.name) is not table for path, table in zip(paths, first, strict=True))


@given(
    st.lists(st.tuples(st.integers(1, 9), st.floats(-0.05, 1e4)), min_size=2, max_size=12),
    st.sampled_from(["power", "interval", "counter"]),
    st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_a_column_of_plain_numbers_is_read_as_one_with_units_in_its_cells(
    steps: list[tuple[int, float]],
    reading: Reading,
    has_zone: bool,  # noqa: FBT001 - drawn
) -> None:
    """Plain columns are read as a whole, others cell by cell; both give the same series, notes and problems."""
    unit: Unit = "W" if reading == "power" else "Wh"
    start = datetime(2026, 10, 25, 1, 15)  # noqa: DTZ001 - what a table says without a zone
    times = [start + timedelta(minutes=15 * sum(step for step, _ in steps[:n])) for n in range(1, len(steps) + 1)]
    said = [f"{time:%Y-%m-%d %H:%M}{'' if has_zone else '+02:00'}" for time in times]
    found: list[MeasuredSeries | tuple[Problem, ...]] = []
    with TemporaryDirectory() as folder:
        for name, behind in (("plain", ""), ("units", f" {unit}")):
            path = Path(folder) / f"{name}.csv"
            rows = [f"{time},{value!r}{behind}" for time, (_, value) in zip(said, steps, strict=True)]
            path.write_text("\n".join(["time,power", *rows]) + "\n", encoding="utf-8")
            wanted = MeasuredFormat(unit=unit, reading=reading, zone="Europe/Berlin" if has_zone else None)
            try:
                found.append(read_measured(path, "table", wanted))
            except ScenarioError as error:
                found.append(error.problems)
    assert found[0] == found[1]


CLOCK_CHANGES = [
    ("Australia/Lord_Howe", "2026-04-05"),  # back by half an hour
    ("Australia/Lord_Howe", "2026-10-04"),  # forward by half an hour
    ("Europe/Berlin", "2026-10-25"),
    ("Europe/Berlin", "2026-03-29"),
    ("America/Santiago", "2026-04-04"),
    ("America/Santiago", "2026-09-06"),  # skips midnight, as do the next two
    ("Asia/Beirut", "2026-03-29"),
    ("Africa/Cairo", "2026-04-24"),
    ("America/Havana", "2026-11-01"),  # shows midnight twice
]


@pytest.mark.parametrize("stamps", ["clock", "elapsed", "dates"])
@pytest.mark.parametrize(("zone", "day"), CLOCK_CHANGES)
def test_constant_power_stays_constant_over_any_change_of_the_clocks(
    zone: str, day: str, stamps: str, tmp_path: Path
) -> None:
    """Rows are at full steps of the clock, or at equal intervals; days have 23, 23.5, 24.5 or 25 hours."""
    info, middle = ZoneInfo(zone), date.fromisoformat(day)
    begin_s, end_s = (_day_begins_s(middle + timedelta(days=days), info) for days in (-3, 4))
    for minutes in (1_440,) if stamps == "dates" else (15, 30, 60, 180, 240, 360):
        if stamps == "dates":
            rows_s = [_day_begins_s(middle + timedelta(days=days), info) for days in range(-3, 4)]
        elif stamps == "clock":
            rows_s = [s for s in range(begin_s, end_s, 900) if _minute_of_day(s, info) % minutes == 0]
        else:
            rows_s = list(range(begin_s, end_s - 60 * minutes + 1, 60 * minutes))
        form = "%Y-%m-%d" if stamps == "dates" else "%Y-%m-%d %H:%M"
        lines = [f"{datetime.fromtimestamp(s, info):{form}},100" for s in rows_s]
        file = tmp_path / f"{minutes}.csv"
        file.write_text("\n".join(["time,power [W]", *lines]), encoding="utf-8")
        measured = read_measured(file, file.name, MeasuredFormat(zone=zone))
        if max(np.diff(rows_s)) > 1.5 * 60 * minutes:  # where midnight is skipped, the row of 00:00 is missing
            assert any("has 1 gap" in note for note in measured.notes)
            continue
        times_s, energy_wh = np.array(measured.times_s), np.array(measured.cumulative_wh)
        assert set(rows_s) <= set(times_s.tolist())
        assert times_s[0] == rows_s[0]
        assert times_s[-1] == rows_s[-1] + 60 * minutes
        assert np.diff(energy_wh) / np.diff(times_s) * 3_600 == pytest.approx(100.0)


def _day_begins_s(day: date, zone: ZoneInfo) -> int:
    """Return the first second of a day."""
    noon_s = int(datetime.combine(day, time(12), zone).timestamp())
    before_s = range(noon_s, noon_s - 15 * 3_600, -900)
    return next(s for s in before_s if datetime.fromtimestamp(s - 1, zone).date() < day)


def _minute_of_day(time_s: int, zone: ZoneInfo) -> int:
    at = datetime.fromtimestamp(time_s, zone)
    return at.hour * 60 + at.minute


def test_a_day_that_a_zone_skips_is_an_error(tmp_path: Path) -> None:
    """Samoa had no 30 December 2011."""
    rows = "".join(f"2011-12-{day},100\n" for day in (28, 29, 30, 31))
    (tmp_path / "meter.csv").write_text(f"time,power [W]\n{rows}", encoding="utf-8")
    with pytest.raises(ScenarioError, match="2011-12-30 does not exist"):
        read_measured(tmp_path / "meter.csv", "meter.csv", MeasuredFormat(zone="Pacific/Apia"))


def test_readings_at_slightly_irregular_times_lose_no_energy(tmp_path: Path) -> None:
    """A step that is a little longer than most is no gap."""
    seconds = (0, 60, 120, 188, 240, 300, 385, 440)
    rows = "".join(f"{1782028800 + s},100\n" for s in seconds)
    (tmp_path / "meter.csv").write_text(f"time,power [W]\n{rows}", encoding="utf-8")
    measured = read_measured(tmp_path / "meter.csv", "meter.csv", MeasuredFormat())
    assert measured.cumulative_wh[-1] == pytest.approx(100.0 * (440 + 60) / 3_600)
