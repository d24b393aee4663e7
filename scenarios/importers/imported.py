"""What every importer gives: a scenario file, the scenario that it makes, and what the user should know."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scenarios.errors import ScenarioError
from scenarios.files.build import build
from scenarios.files.describe import natural_order
from scenarios.files.findings import Findings, KeyPath, in_words, locate_in
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
    """What was assumed where the input says nothing, and what was left out; one sentence each."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where in the input each part of a scenario's content comes from, so that a finding names that place."""

    where: str
    """The input as a whole."""
    words: Mapping[str, str]
    """What the input calls a key of the scenario format."""
    parts: dict[KeyPath, str] = field(default_factory=dict)
    """By the key path of a part in the content: file and, as far as it has lines, line."""

    def add(self, path: KeyPath, place: str) -> None:
        """Say where a part comes from; the first place counts."""
        self.parts.setdefault(path, place)

    def locate(self, path: KeyPath) -> str:
        """Return where a value comes from, for people."""
        for length in range(len(path), 0, -1):
            place = self.parts.get(path[:length])
            if place is not None:
                rest = path[length:]
                return f"{place}: {self.words.get(str(rest[0])) or in_words(rest)}" if rest else place
        return locate_in(self.where)(path)


def finish(content: dict[str, Any], places: Places, notes: Sequence[str] = ()) -> Imported:
    """Return what was imported.

    Args:
        content: A scenario file's content as plain data.
        places: Where its parts come from.
        notes: What was assumed or left out, one sentence each.

    Raises:
        ScenarioError: The input makes no valid scenario.
    """
    try:
        file = make_file(content, places.locate)
        return Imported(file, build(file, Findings(places.locate)), tuple(notes))
    except ScenarioError as error:
        # A scenario's parts are not in the order of the input, and people read a file from its first line.
        raise ScenarioError(sorted(error.problems, key=lambda problem: natural_order(problem.where))) from None


def scenario_name(text: str) -> str:
    """Return a scenario's name made of any text."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:100] or "imported"
