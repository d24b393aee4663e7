"""Schedulers and consumer strategies of other packages, chosen by name: the examples as they stand in the docs."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from tests.ended import Ssmic
from tests.integration.conftest import PROJECT

EXAMPLE = PROJECT / "examples" / "plugins"


def installed(folder: Path) -> str:
    """Return a PYTHONPATH on which the example is installed, as pip would leave it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = folder / "ssmic_example_plugins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return f"{PROJECT}:{EXAMPLE}:{folder}"


def test_a_scheduler_and_a_strategy_of_another_package_run_and_repeat(ssmic: Ssmic, tmp_path: Path) -> None:
    """They change the contracts, runs are reproducible, and the results name them."""
    path = installed(tmp_path)
    run = ("run", "street", "--bus", "memory", "--reset-scores", "--json")
    chosen = ("--algorithm", "latest", "--strategy", "own-house-first")
    ours = json.loads(ssmic(*run, PYTHONPATH=path).out)
    first, second = (json.loads(ssmic(*run, *chosen, PYTHONPATH=path).out) for _ in range(2))
    assert first["algorithm"] == "latest"
    hashes = [simulation["runs"][0]["ledger_sha256"] for simulation in (ours, first, second)]
    assert hashes[0] != hashes[1] == hashes[2]


def test_a_plugin_that_is_not_there_is_named_with_those_that_are(ssmic: Ssmic, tmp_path: Path) -> None:
    """Wrong usage, in one line."""
    path = installed(tmp_path)
    ended = ssmic("run", "street", "--strategy", "nobodys", PYTHONPATH=path)
    assert (ended.code, "own-house-first" in ended.err) == (2, True)
    ended = ssmic("run", "street", "--algorithm", "earliest", PYTHONPATH=path)
    assert (ended.code, "latest" in ended.err) == (2, True)
