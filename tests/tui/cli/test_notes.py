"""Notes of commands, which are not errors: assumptions of an import, and parts that cannot meet in time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.ended import Ssmic
from tests.scenarios.files.series.test_coverage_notes import TEXT

APART = TEXT.replace("2026-06-21T06", "2027-06-21T06")
NEIGHBOURHOOD = """\
<neighborhood id="1"><house id="1"><user id="1">
<device><id>1</id><name>dish</name><template>7</template><type>consumer</type></device>
<device><id>2</id><name>sun</name><template>1</template><type>producer</type></device>
</user></house></neighborhood>
"""
JOBS = """\
<neighborhood id="1"><house id="1"><user id="1">
<device><id>1</id><est>1460264400</est><lst>1460293200</lst><creation_time>1460257200</creation_time></device>
</user></house></neighborhood>
"""


@pytest.fixture
def apart(tmp_path: Path) -> Path:
    """A scenario whose sun is a year after its only job."""
    path = tmp_path / "apart.yaml"
    path.write_text(APART, encoding="utf-8")
    return path


def quarter_hours(folder: Path) -> Path:
    """Write a PySSMic folder of a steady sun of 1000 W, forecast in quarter hours four times a day."""
    for name in ("loads", "predictions"):
        (folder / name).mkdir(parents=True)
    start_s = 1_599_998_400
    (folder / "loads/2_1.csv").write_text("0 0\n2700 675\n")
    jobs = (f"{start_s};{start_s + hour};{start_s + hour};[1]:[2]:[1];2_1.csv\n" for hour in (40_500, 82_800))
    (folder / "consumer_event.csv").write_text("".join(jobs))
    lines = []
    for number in range(4):
        issued_s = start_s + number * 21_600
        rows = (f"{issued_s + 900 * i} {250 * i}\n" for i in range(1, 97 - 24 * number))
        (folder / f"predictions/p{number}.csv").write_text("".join(rows))
        lines.append(f"{issued_s};pv_producer[1]:[9];p{number}.csv\n")
    (folder / "producer_event.csv").write_text("".join(lines))
    return folder


def test_a_steady_sun_in_quarter_hours_is_all_there(ssmic: Ssmic, tmp_path: Path) -> None:
    """A kilowatt for a day is 24 kWh, and serves the jobs at the seams of forecasts."""
    folder = quarter_hours(tmp_path / "quarters")
    ended = ssmic("run", folder, "--days", "1", "--bus", "memory", "--json")
    assert ended.code == 0, ended.err
    kpis = ended.json["runs"][0]["kpis"]
    assert kpis["produced_wh"] == pytest.approx(24_000)
    assert kpis["self_sufficiency"] == pytest.approx(1)
    assert "note: the first value is taken as the energy of the 15 min before the first row" in ended.err


def test_parts_that_cannot_meet_are_noted_by_check_run_and_import(ssmic: Ssmic, apart: Path) -> None:
    """The notes state the periods and the remedy; none is an error."""
    for arguments in (["check", apart], ["run", apart, "--bus", "memory"]):
        ended = ssmic(*arguments)
        assert ended.code == 0, ended.err
        assert "note: no forecast reaches into the run: the run is from 2026-06-21 00:00 to 13:00" in ended.err
        assert "the forecasts are from 2027-06-21 06:00 to 10:00" in ended.err
        assert "move the start to 2027-06-21T00:00:00+02:00" in ended.err
    checked = ssmic("check", apart, "--json")
    assert checked.json["problems"] == []
    assert checked.json["notes"][0].startswith("no forecast reaches into the run")
    assert "no problems, 1 note: 1 house," in ssmic("check", apart).out


def test_too_few_days_are_noted(ssmic: Ssmic, small: Path) -> None:
    """The note quotes the command line."""
    ended = ssmic("run", small, "--bus", "memory", "--days", "1")
    assert "1 of 3 jobs (tomorrow) can run only when the run is over" in ended.err
    assert "run 2 days" in ended.err


def test_an_xml_and_a_pickle_are_imported_where_a_scenario_is_expected(ssmic: Ssmic, tmp_path: Path) -> None:
    """`check` and `run` import them and list assumptions."""
    xml = tmp_path / "n.xml"
    xml.write_text(NEIGHBOURHOOD, encoding="utf-8")
    checked = ssmic("check", xml)
    assert checked.code == 0, checked.err
    assert "no load profile '7'; the bundled 'dishwasher-eco' takes its place" in checked.err
    ended = ssmic("run", xml, "--bus", "memory", "--days", "1", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["runs"][0]["kpis"]["produced_wh"] > 10_000
    damaged = tmp_path / "n.pkl"
    damaged.write_bytes(b"\x80\x04K\x01.")
    refused = ssmic("check", damaged)
    assert refused.code == 3
    assert "n.pkl: contains no PySSMic neighbourhood" in refused.err


def test_a_pickle_runs(ssmic: Ssmic, pyssmic_inputs: Path, tmp_path: Path) -> None:
    """PySSMic's own."""
    shutil.copy(pyssmic_inputs / "two_houses.pkl", tmp_path / "n.pkl")
    ended = ssmic("run", tmp_path / "n.pkl", "--bus", "memory", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["scenario"] == "n"


def test_jobs_given_as_a_scenario_are_recognised(ssmic: Ssmic, tmp_path: Path) -> None:
    """The message says which command takes them."""
    jobs = tmp_path / "jobs.xml"
    jobs.write_text(JOBS, encoding="utf-8")
    for arguments in (["check", jobs], ["run", jobs, "--bus", "memory"], ["import", jobs, "x.yaml"]):
        ended = ssmic(*arguments)
        assert ended.code == 3
        assert "is a file of jobs" in ended.err
        assert "--jobs jobs.xml" in ended.err
