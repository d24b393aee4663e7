"""What every importer gives: a scenario file, the scenario that it makes, and what the user should know."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from scenarios.files.build import build
from scenarios.files.findings import Findings, locate_in
from scenarios.files.model import ScenarioFile
from scenarios.files.validate import make_file
from scenarios.scenario import Scenario

SEED = 1
"""Of an imported scenario: the inputs have none."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A scenario made of somebody else's input."""

    file: ScenarioFile
    """Self-contained: it names no other file."""
    scenario: Scenario
    notes: tuple[str, ...] = ()
    """What was assumed where the input says nothing, one sentence each."""


def finish(content: dict[str, Any], where: str, notes: tuple[str, ...] = ()) -> Imported:
    """Return what was imported, of a file's content as plain data.

    Raises:
        ScenarioError: The input makes no valid scenario.
    """
    file = make_file(content, where)
    return Imported(file, build(file, Findings(locate_in(where))), notes)


def scenario_name(text: str) -> str:
    """Return a scenario's name made of any text."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:100] or "imported"
