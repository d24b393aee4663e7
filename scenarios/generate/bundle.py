"""The bundled scenarios and their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from types import MappingProxyType

from scenarios.generate.dump import scenario_yaml
from scenarios.generate.neighbourhood import NeighbourhoodSpec, neighbourhood
from scenarios.generate.street import NOTES, PREFACE, street
from scenarios.scenario import Expectation, Scenario

FOLDER = Path(__file__).resolve().parent.parent / "bundled"
"""Where the files are."""


_SCARCE = NeighbourhoodSpec(
    name="scarce",
    seed=1,
    houses=12,
    roofs=2,
    jobs=70,
    demand_per_production=1.2,
    date=date(2026, 9, 12),
    weather="fair",
    description="Twelve houses, two roofs with panels, a September day with clouds: not enough sun for all.",
)
_VILLAGE = NeighbourhoodSpec(
    name="village",
    seed=1,
    houses=100,
    roofs=40,
    jobs=360,
    demand_per_production=0.3,
    date=date(2026, 6, 20),
    weather="fair",
    description="A hundred houses, forty roofs with panels, a day in June with some clouds.",
)
_GENERATED_PREFACE = """\
{description}
Houses, roofs, jobs, clouds and forecasts are generated from a seed: this file is written by `python -m
scenarios.generate`. Energy is in Wh, power in W."""


_EXPECTED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "street": ("jobs_lost == 0", "delivered_wh + shortfall_wh == contracted_wh"),
        "scarce": ("jobs_lost == 0", "jobs_on_grid >= 1"),
        "village": ("jobs_lost == 0", "delivered_wh + shortfall_wh == contracted_wh"),
    }
)
"""What must come out of each scenario, with any algorithm and seed."""


def _expecting(name: str, make: Callable[[], Scenario]) -> Callable[[], Scenario]:
    return lambda: replace(make(), expectations=tuple(Expectation(text) for text in _EXPECTED[name]))


SCENARIOS: Mapping[str, Callable[[], Scenario]] = MappingProxyType(
    {
        "street": _expecting("street", street),
        "scarce": _expecting("scarce", partial(neighbourhood, _SCARCE)),
        "village": _expecting("village", partial(neighbourhood, _VILLAGE)),
    }
)
"""Generators by scenario name."""


def bundled_text(name: str) -> str:
    """Return the text of a bundled scenario's file, generated afresh."""
    scenario = SCENARIOS[name]()
    if name == "street":
        return scenario_yaml(scenario, preface=PREFACE, notes=NOTES)
    return scenario_yaml(scenario, preface=_GENERATED_PREFACE.format(description=scenario.description), notes={})


def write_bundled(folder: Path = FOLDER) -> list[Path]:
    """Write the files of all bundled scenarios into a folder and return their paths."""
    written = []
    for name in SCENARIOS:
        path = folder / f"{name}.yaml"
        path.write_text(bundled_text(name), encoding="utf-8", newline="\n")
        written.append(path)
    return written
