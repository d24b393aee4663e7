"""A scenario as JSON that loses no digit, and the short hash by which processes and files know what is run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from agents.energy import CumulativeSeries, LoadProfile, Production
from scenarios.scenario import Scenario

SCENARIO: TypeAdapter[Scenario] = TypeAdapter(Scenario)
"""Turns a scenario into JSON and back."""


_SERIES = re.compile(r'"(load_profile|production|actual)":(\{"times_s":\[[^\]]*\],"cumulative_wh":\[[^\]]*\]\})')
"""Energy over time in that JSON. No id or name can look like it: a quote in a text has a backslash before it."""


def scenario_of(text: str) -> Scenario:
    """Return the scenario that JSON describes.

    One series after the other, so that other threads get their turn: a year of minutes is a hundred megabytes. Jobs
    with the same load share it.

    Raises:
        ValidationError: It describes none.
    """
    series: list[CumulativeSeries] = []
    known: dict[tuple[str, str], CumulativeSeries] = {}
    pieces: list[str] = []
    end = 0
    try:
        for found in _SERIES.finditer(text):
            key, described = found.groups()
            if (key, described) not in known:
                kind = LoadProfile if key == "load_profile" else Production
                known[key, described] = kind.model_validate_json(described)
            pieces += (text[end : found.start()], f'"{key}":{len(series)}')
            series.append(known[key, described])
            end = found.end()
        return SCENARIO.validate_python(_put_back(json.loads("".join((*pieces, text[end:]))), series))
    except (ValueError, LookupError, TypeError, AttributeError):
        # What is wrong has its place in the whole.
        return SCENARIO.validate_json(text)


def _put_back(scenario: Any, series: Sequence[CumulativeSeries]) -> Any:  # noqa: ANN401 - JSON of any shape
    for job in scenario["jobs"]:
        job["load_profile"] = series[job["load_profile"]]
    for producer in scenario["producers"].values():
        for prediction in producer["predictions"]:
            prediction["production"] = series[prediction["production"]]
        if producer["actual"] is not None:
            producer["actual"] = series[producer["actual"]]
    return scenario


def fingerprint(scenario: Scenario, *chosen: object) -> str:
    """Return a hash of a scenario and of what else was chosen, by its `repr`."""
    return hashlib.sha256(SCENARIO.dump_json(scenario) + b"\0" + repr(chosen).encode()).hexdigest()[:32]
