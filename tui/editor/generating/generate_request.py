"""The request for a generated neighbourhood: the fields of the form, as in `ssmic generate`."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from scenarios import ScenarioError
from scenarios.files import zone_of
from scenarios.generate import GeneratorSpec, Site, clear_irradiance, pvlib_irradiance, usual_zone


@dataclass(frozen=True, slots=True)
class GenerateField:
    """A field of the form."""

    id: str
    label: str
    default: str
    """Its value at the beginning; empty: the field is optional."""
    help: str
    """One line shown while focused; the command line's option is its id."""
    options: tuple[str, ...] = ()
    """The options of a choice field."""


FIELDS: tuple[tuple[GenerateField, ...], ...] = (
    (
        GenerateField("houses", "Houses", "20", "Number of houses, 1 to 10,000."),
        GenerateField("days", "Days", "1", "Number of days, 1 to 366."),
        GenerateField("date", "First day", "2026-06-22", "The first day, YYYY-MM-DD."),
        GenerateField("seed", "Seed", "1", "A whole number, 0 or more. The same seed gives the same file."),
    ),
    (
        GenerateField("place", "Place", "50.1,8.7", "Latitude and longitude in degrees; north and east are positive."),
        GenerateField(
            "zone",
            "Zone",
            "",
            "Europe/Oslo, +02:00. Default: German time in and around Germany, else the sun's.",
        ),
        GenerateField("holiday", "Holidays", "", "Further days off, YYYY-MM-DD with spaces between. Optional."),
    ),
    (
        GenerateField(
            "weather",
            "Weather",
            "mixed",
            "Clouds: the same kind on all days, or mixed, which changes from day to day.",
            ("mixed", "clear", "fair", "changeable"),
        ),
        GenerateField("flexibility", "Flexibility", "1", "How long jobs can wait, times the usual, 0 to 10; 0: 5 min."),
        GenerateField(
            "sun",
            "Sun",
            "built-in",
            "Computes the clear sky; pvlib needs pip install 'ssmic[pv]'. They agree within 5 % a day.",
            ("built-in", "pvlib"),
        ),
    ),
    (
        GenerateField("roofs", "Roofs", "0.4", "Share of houses with panels, 0 to 1."),
        GenerateField("cars", "Cars", "0.25", "Share of houses with an electric car, 0 to 1."),
        GenerateField("heat_pumps", "Heat pumps", "0.2", "Share of houses with a heat pump, 0 to 1."),
        GenerateField(
            "series",
            "Series",
            "auto",
            "Production in the YAML, or in tables beside it; auto: beside it for more than 60 roofs times days.",
            ("auto", "inline", "csv", "parquet"),
        ),
    ),
    (GenerateField("name", "Name", "", "Name of the scenario: letters, digits, - and _. Default: houses and seed."),),
)
ALL_FIELDS = tuple(field for row in FIELDS for field in row)
DEFAULTS: Mapping[str, str] = {field.id: field.default for field in ALL_FIELDS}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_FIELD_OF = {"latitude": "place", "longitude": "place", "heat pumps": "heat_pumps"}
"""By the name in a message of `GeneratorSpec`, the field."""


def spec_of(values: Mapping[str, str]) -> tuple[GeneratorSpec | None, dict[str, str]]:
    """Return what is to be generated, and the problems by id of field; None where there are any.

    Args:
        values: Texts by id of field.
    """
    problems: dict[str, str] = {}

    def read(id_: str, parse: Callable[[str], Any], expected: str) -> Any:  # noqa: ANN401 - any type of field
        text = values.get(id_, "").strip()
        try:
            return parse(text)
        except ValueError:
            problems[id_] = f"{text!r}: {expected}"
            return parse(DEFAULTS[id_])

    numbers = {id_: read(id_, int, "a whole number is expected") for id_ in ("houses", "days", "seed")}
    shares = {id_: read(id_, float, "a number is expected") for id_ in ("roofs", "cars", "heat_pumps", "flexibility")}
    place = read("place", _place, "two numbers are expected, for example 50.1,8.7")
    first_day = read("date", date.fromisoformat, "a day is expected, YYYY-MM-DD")
    days_off = read("holiday", _days, "days are expected, YYYY-MM-DD with spaces between")
    name = read("name", _name, "letters, digits, - and _ are expected")
    zone = usual_zone(place)
    zone_name = values.get("zone", "").strip()
    if zone_name:
        try:
            zone = zone_of(zone_name, "zone")
        except ScenarioError as error:
            problems["zone"] = error.problems[0].what
    if values.get("sun") == "pvlib" and importlib.util.find_spec("pvlib") is None:
        problems["sun"] = "pvlib is not installed: pip install 'ssmic[pv]'"
    if values.get("series") == "parquet" and importlib.util.find_spec("pyarrow") is None:
        problems["series"] = "Parquet needs pyarrow: pip install 'ssmic[parquet]'"
    try:
        spec = GeneratorSpec(
            **numbers,
            **shares,
            site=place,
            first_day=first_day,
            zone=zone,
            weather=values.get("weather", "mixed"),
            days_off=days_off,
            name=name,
            sun=pvlib_irradiance if values.get("sun") == "pvlib" and "sun" not in problems else clear_irradiance,
        )
    except ValueError as error:
        for what in str(error).split("; "):
            about, _, expected = what.partition(": ")
            problems.setdefault(_FIELD_OF.get(about, about), expected)
        return None, problems
    return (None if problems else spec), problems


def _place(text: str) -> Site:
    latitude, longitude = (float(part) for part in text.split(","))
    return Site(latitude, longitude)


def _days(text: str) -> frozenset[date]:
    return frozenset(date.fromisoformat(day) for day in text.replace(",", " ").split())


def _name(text: str) -> str:
    if text and not _NAME.fullmatch(text):
        raise ValueError(text)
    return text


def proposed_name(values: Mapping[str, str]) -> str:
    """Return the name of a file to propose."""
    houses, seed = values.get("houses", "").strip(), values.get("seed", "").strip()
    return f"{values.get('name', '').strip() or f'generated-{houses}-houses-seed-{seed}'}.yaml"
