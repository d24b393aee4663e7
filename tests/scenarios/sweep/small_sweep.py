"""A sweep of two points with two seeds, and the content of its results file."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from scenarios.sweep import SweepOutcome, SweepPlan, SweepRequest, run_sweep

REQUEST = SweepRequest("street", ("algorithm=insertion,fifty_fifty",), ("days=1",), seeds=2)


def sweep(plan: SweepPlan, path: Path, **how: object) -> SweepOutcome:
    """Do a sweep from beginning to end."""
    return asyncio.run(run_sweep(plan, path, **how))  # type: ignore[arg-type]  # passed on


def content(path: Path) -> list[str]:
    """Return all that a results file holds but wall times."""
    connection = sqlite3.connect(path)
    try:
        lines = list(connection.iterdump())
    finally:
        connection.close()
    return [line for line in lines if 'INTO "timing"' not in line and "created_utc" not in line]
