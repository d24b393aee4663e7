"""What several test folders need."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def pyssmic_inputs() -> Path:
    """Inputs in PySSMic's formats, which are no part of the project: beside it, or where SSMIC_SHARED says."""
    shared = os.environ.get("SSMIC_SHARED") or Path(__file__).resolve().parents[2] / "shared"
    folder = Path(shared) / "pyssmic"
    if not folder.is_dir():
        pytest.skip(f"no PySSMic inputs in {folder}")
    return folder


def pytest_xdist_auto_num_workers() -> int:
    """Begin half as many workers again as there are cores: many tests wait for processes that they have begun."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + (cores + 1) // 2


def pytest_configure() -> None:
    """Say that there is no event loop yet: asked for one, Python 3.11 makes one that nobody closes."""
    asyncio.set_event_loop(None)
