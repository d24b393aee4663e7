"""Faults of a lab in a file of their own."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from scenarios.files import load_faults
from scenarios.load import load_scenario


def test_the_times_of_faults_are_those_of_the_clock(tmp_path: Path) -> None:
    """Also on a day with 25 hours, as in the scenario file itself."""
    scenario = load_scenario("daylight-saving")
    file = tmp_path / "faults.yaml"
    file.write_text('faults:\n  - {broker: restart, at: "13:00"}\n', encoding="utf-8")
    (fault,) = load_faults(file, scenario)
    assert fault.at_s == datetime(2026, 10, 25, 13, tzinfo=scenario.zone.tzinfo).timestamp()
