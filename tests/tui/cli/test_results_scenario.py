"""`ssmic results scenario`: an archived results file suffices to repeat its run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ended import Ssmic


@pytest.mark.parametrize("name", ["street", "cloud-front"])
def test_a_run_of_the_scenario_in_a_results_file_has_the_same_ledger(ssmic: Ssmic, name: str) -> None:
    """Timeline and zone included, with an algorithm that draws random numbers."""
    how = ("--bus", "memory", "--algorithm", "fifty_fifty", "--seed", "7", "--reset-scores", "--json")
    first = ssmic("run", name, *how).json

    assert ssmic("results", "scenario", first["results_file"], "again.yaml").out == "again.yaml\n"

    assert ssmic("check", "again.yaml").code == 0
    again = ssmic("run", "again.yaml", *how, "--out", "again.sqlite").json
    assert again["runs"][0]["ledger_sha256"] == first["runs"][0]["ledger_sha256"]


def test_an_existing_file_is_kept(ssmic: Ssmic, small: Path) -> None:
    """Unless --force is given; a sweep has no scenario to write."""
    file = ssmic("run", small, "--bus", "memory", "--json").json["results_file"]
    refused = ssmic("results", "scenario", file, small)
    assert refused.code == 2
    assert "use --force to overwrite it" in " ".join(refused.err.split())
    assert ssmic("results", "scenario", file, small, "--force").code == 0

    assert (
        ssmic("sweep", small, "--vary", "penalty=1,2", "--seeds", "1", "--workers", "1", "--out", "s.sqlite").code == 0
    )
    assert ssmic("results", "scenario", "s.sqlite", "other.yaml").code == 2
    assert not Path("other.yaml").exists()
