"""A small sweep, and its results file."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.sweep import SweepPlan, plan_sweep, read_sweep
from tests.scenarios.sweep.small_sweep import REQUEST, sweep


@pytest.fixture(scope="session")
def plan() -> SweepPlan:
    """Plan of a sweep of two points with two seeds."""
    return plan_sweep(REQUEST)


@pytest.fixture(scope="session")
def undisturbed(plan: SweepPlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results file of that sweep, done at one go."""
    path = tmp_path_factory.mktemp("sweep") / "undisturbed.sqlite"
    outcome = sweep(plan, path, workers=1)
    assert outcome.sha256 == read_sweep(path).info.sha256
    return path
