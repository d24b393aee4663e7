"""The scenarios that ship with the package, as the text of their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from types import MappingProxyType

from scenarios.generate.neighbourhood import Plan, neighbourhood
from scenarios.generate.street import NOTES, PREFACE, street
from scenarios.generate.writing import scenario_yaml

FOLDER = Path(__file__).resolve().parent.parent / "bundled"
"""Where the files are."""


_SCARCE = Plan(
    name="scarce",
    seed=5,
    houses=12,
    roofs=2,
    jobs=70,
    demand_per_sun=1.2,
    date=date(2026, 9, 12),
    weather="fair",
    description="Twelve houses, two roofs with panels, a day in September with some clouds: too little sun for all who want it.",
)
_VILLAGE = Plan(
    name="village",
    seed=1,
    houses=100,
    roofs=40,
    jobs=360,
    demand_per_sun=0.3,
    date=date(2026, 6, 20),
    weather="fair",
    description="A hundred houses, forty roofs with panels, a day in June with some clouds.",
)
_GENERATED_PREFACE = """\
{description}
Houses, roofs, jobs, clouds and forecasts are generated from a seed: this file is written by `python -m
scenarios.generate`. Energy is in Wh, power in W."""


def _street() -> str:
    return scenario_yaml(street(), preface=PREFACE, notes=NOTES)


def _generated(plan: Plan) -> str:
    preface = _GENERATED_PREFACE.format(description=plan.description)
    return scenario_yaml(neighbourhood(plan), preface=preface, notes={})


TEXTS: Mapping[str, Callable[[], str]] = MappingProxyType(
    {"street": _street, "scarce": partial(_generated, _SCARCE), "village": partial(_generated, _VILLAGE)}
)
"""By the scenario's name: what its file says."""


def write_bundled(folder: Path = FOLDER) -> list[Path]:
    """Write the files of all bundled scenarios into the folder and return them."""
    written = []
    for name, text in TEXTS.items():
        path = folder / f"{name}.yaml"
        path.write_text(text(), encoding="utf-8", newline="\n")
        written.append(path)
    return written
