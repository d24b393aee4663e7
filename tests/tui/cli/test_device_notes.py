"""Notes of `ssmic check` and `ssmic run` on jobs that must run at the same time on one device."""

from __future__ import annotations

import json
from pathlib import Path

from tests.ended import Ssmic

SCENARIO = """\
version: 1
name: over
start: 2026-06-21T00:00:00+02:00
seed: 1
load_profiles:
  wash: {step_s: 3600, power_w: [1000, 1000]}
houses:
  - id: a
    devices:
      - {id: w, type: consumer, load_profile: wash}
      - id: pv
        type: producer
        predictions:
          - {issued: "00:00", start: "06:00", step_s: 3600, power_w: [5000, 5000, 5000, 5000, 5000, 5000]}
jobs:
  - {house: a, device: w, id: j1, registered: "05:00", earliest_start: "06:00", latest_start: "LATEST"}
  - {house: a, device: w, id: j2, registered: "05:00", earliest_start: "06:00", latest_start: "LATEST"}
  - {house: a, device: w, id: j3, registered: "05:00", earliest_start: "06:00", latest_start: "LATEST"}
"""


def scenario(folder: Path, latest: str) -> Path:
    """Write three washes of two hours that may start from six o'clock until then."""
    file = folder / "over.yaml"
    file.write_text(SCENARIO.replace("LATEST", latest), encoding="utf-8")
    return file


def test_check_names_the_job_that_finds_no_room_with_its_line(ssmic: Ssmic, tmp_path: Path) -> None:
    """Windows until eight leave room for two of three: a note, and no error."""
    file = scenario(tmp_path, "08:00")
    done = ssmic("check", file)
    assert done.code == 0
    assert f"{file}:18: jobs[2]: job 'j3' runs at the same time as another job of device 'w'" in done.err
    assert "'j1', 'j2'" in done.err
    assert "jobs[1]" not in done.err
    (note,) = json.loads(ssmic("check", file, "--json").out)["notes"]
    assert note.startswith(f"{file}:18: jobs[2]: job 'j3'")


def test_check_says_nothing_where_jobs_can_follow_one_another(ssmic: Ssmic, tmp_path: Path) -> None:
    """Windows until ten leave room for six, eight and ten o'clock."""
    done = ssmic("check", scenario(tmp_path, "10:00"))
    assert (done.code, done.err) == (0, "")
    assert json.loads(ssmic("check", "street", "--json").out)["notes"] == []


def test_check_names_the_line_of_a_pyssmic_folder(ssmic: Ssmic, tmp_path: Path) -> None:
    """Two background loads of an hour, twenty seconds apart."""
    (tmp_path / "loads").mkdir()
    (tmp_path / "loads" / "back.csv").write_text("0 0\n3600 100\n", encoding="utf-8")
    (tmp_path / "consumer_event.csv").write_text(
        "1460246602;1460246602;1460246622;[57]:[222]:[3];back.csv\n\n"
        "1460246642;1460246642;1460246662;[57]:[222]:[3];back.csv\n",
        encoding="utf-8",
    )
    (tmp_path / "producer_event.csv").write_text("", encoding="utf-8")
    done = ssmic("check", tmp_path)
    assert done.code == 0
    assert f"{tmp_path / 'consumer_event.csv'}:3: job '[57]:[222]:[3]#2' runs at the same time" in done.err


def test_a_run_counts_the_jobs_that_overlap_on_their_device(ssmic: Ssmic, tmp_path: Path) -> None:
    """The table and JSON show the number, and no line if there are none."""
    file = scenario(tmp_path, "08:00")
    assert "overlapping on their device" in ssmic("run", file, "--bus", "memory").out
    found = json.loads(ssmic("run", file, "--bus", "memory", "--json").out)["runs"][0]
    assert found["kpis"]["jobs_overlapping"] == 1
    assert max(contract["start"] - found["start"] for contract in found["contracts"]) <= 8 * 3600
    fine = ssmic("run", scenario(tmp_path, "10:00"), "--bus", "memory")
    assert "overlapping" not in fine.out
