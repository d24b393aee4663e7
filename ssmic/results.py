"""Results files from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scenarios.results import ResultsReader, load_frames as load, simulation_json
from scenarios.sweep import load_sweep

__all__ = ["load", "load_sweep", "reader", "summary"]


def summary(file: str | Path) -> dict[str, Any]:
    """Return all runs of a results file with figures, contracts, events and verdicts, as `ssmic run --json` does.

    Raises:
        SsmicError: The file is missing, damaged or not ours.
    """
    with ResultsReader(Path(file)) as results:
        return simulation_json(results)


def reader(file: str | Path) -> ResultsReader:
    """Return a results file open for reading; use it in a `with` statement.

    Raises:
        SsmicError: The file is missing, damaged or not ours.
    """
    return ResultsReader(Path(file))
