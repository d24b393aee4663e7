"""Messages while a command waits, and about ids that several jobs share."""

from __future__ import annotations

from pathlib import Path

from tests.ended import Ssmic

TWICE = """\
version: 1
name: twice
start: 2026-06-21T00:00:00Z
seed: 1
load_profiles: {wash: {step_s: 3600, power_w: [100]}}
houses:
  - {id: h, devices: [{id: d, type: consumer, load_profile: wash}]}
jobs:
  - {house: h, device: d, id: j1, registered: "00:00", earliest_start: "01:00", latest_start: "02:00"}
  - {house: h, device: d, id: j1, registered: "00:00", earliest_start: "05:00", latest_start: "06:00"}
  - {house: h, device: d, registered: "00:00", earliest_start: "08:00", latest_start: "09:00"}
  - {house: h, device: d, registered: "00:00", earliest_start: "12:00", latest_start: "13:00"}
"""


def test_an_unreachable_broker_is_named_while_it_is_retried(ssmic: Ssmic) -> None:
    """A sentence names it, with the time limit, instead of a log record."""
    done = ssmic("run", "street", "--broker", "mqtt://127.0.0.1:9", "--limit", "0.5")
    assert done.code == 4
    first, *_ = done.err.splitlines()
    assert first == (
        "ssmic: mqtt://127.0.0.1:9: connection refused: no broker at 127.0.0.1:9; "
        "trying again for up to 0.5 s (Ctrl-C stops)"
    )
    assert "[warning" not in done.err


def test_check_lists_the_new_ids_of_jobs_with_the_same_id(ssmic: Ssmic, tmp_path: Path) -> None:
    """Generated ids are numbered without a note."""
    (tmp_path / "twice.yaml").write_text(TWICE)
    done = ssmic("check", "twice.yaml")
    assert done.code == 0
    assert "job id 'j1' is used 2 times; the further jobs are called 'j1#2'" in done.err + done.out
    assert "h/d" not in done.err + done.out


def test_several_connections_of_a_process_wait_in_one_sentence(ssmic: Ssmic) -> None:
    """A clock has a second connection, which said the same."""
    ended = ssmic("clock", "night", "--broker", "mqtt://127.0.0.1:9", "--limit", "0.5")
    assert ended.code == 4
    assert ended.err.count("trying again for up to 0.5 s (Ctrl-C stops)") == 1, ended.err


def test_the_first_clock_in_a_folder_writes_a_log_beside_its_results(ssmic: Ssmic, tmp_path: Path) -> None:
    """The folder of the results did not exist yet, and so the whole run had no log."""
    assert ssmic("clock", "night", "--broker", "mqtt://127.0.0.1:9", "--limit", "0.5").code == 4
    log = (tmp_path / "results" / "night.log.jsonl").read_text()
    assert "no connection yet, retrying" in log
    assert "run begins" in log
