"""What a household's process needs of the scenario's file: its own house, and nothing of the others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from scenarios.deployment.household_scenario import load_part
from scenarios.load import bundled_text
from scenarios.simulation import RunSettings
from tests.patience import PATIENCE_WALL_S


def test_a_file_with_only_its_own_house_admits_a_household_to_the_run(tmp_path: Path) -> None:
    """The clock compares a fingerprint, in which a house has no part that is not its own (docs/security.md)."""
    content = yaml.safe_load(bundled_text("street"))
    content["start"] = "2026-06-21T00:00:00+02:00"
    whole, own = tmp_path / "whole.yaml", tmp_path / "own.yaml"
    whole.write_text(yaml.safe_dump(content))
    content["houses"] = [house for house in content["houses"] if house["id"] == "brandt"]
    content["jobs"] = [job for job in content["jobs"] if job["house"] == "brandt"]
    del content["expect"]
    own.write_text(yaml.safe_dump(content))
    settings = RunSettings(1, "run")

    of_own, of_whole = (settings.fingerprint(load_part(str(file), ["brandt"]), ["brandt"]) for file in (own, whole))

    assert of_own == of_whole
    content["jobs"].pop()
    own.write_text(yaml.safe_dump(content))
    assert settings.fingerprint(load_part(str(own), ["brandt"]), ["brandt"]) != of_whole


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_the_process_that_reads_the_file_ends_with_a_killed_household(tmp_path: Path) -> None:
    """The file is a named pipe, so the household is still reading when it is killed."""
    file = tmp_path / "slow.yaml"
    os.mkfifo(file)
    script = f"from scenarios.deployment import load_part; load_part({str(file)!r}, ['a'])"
    # Opening the pipe returns once its other end is open.
    with subprocess.Popen([sys.executable, "-c", script]) as household, file.open("w"):
        (reader,) = psutil.Process(household.pid).children()
        household.kill()
        _, alive = psutil.wait_procs([reader], timeout=PATIENCE_WALL_S)
        assert not alive
