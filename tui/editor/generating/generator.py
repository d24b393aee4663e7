"""Generates neighbourhoods in a separate process, so that keys stay fast and a large one can be cancelled.

A request has the fields of the form, as in `ssmic generate`.
"""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from agents import FloatArray
from broker import SsmicError
from scenarios import ScenarioError, Zone
from scenarios.files import write_text, zone_of
from scenarios.generate import (
    GeneratedNeighbourhood,
    GeneratorSpec,
    Site,
    clear_irradiance,
    generate,
    generated_yaml,
    needs_tables,
    pvlib_irradiance,
    usual_zone,
    write_series,
)
from tui.child_process import ChildServer

STEP_S = 300
"""Length of the steps of demand, s."""


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
            "Europe/Oslo, +02:00. Default: German time in and around Germany, else solar time.",
        ),
        GenerateField("country", "Country", "DE", "Of weekends and holidays: NO, AU-NSW. Needs 'ssmic[holidays]'."),
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
        GenerateField(
            "flexibility",
            "Flexibility",
            "1",
            "How long jobs can wait, as a multiple of the usual time, 0 to 10; 0: 5 min.",
        ),
        GenerateField(
            "sun",
            "Sun",
            "built-in",
            "Model of the clear sky; pvlib needs pip install 'ssmic[pv]'. Both agree within 5 % a day.",
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
            "Series in the YAML, or in tables beside it; auto: in tables if there are many roofs, houses or days.",
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
    """Return what is to be generated, and the problems by id of field; None if there are any.

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
    place = read("place", Site.parse, "two numbers are expected, for example 50.1,8.7")
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
            country=values.get("country", "").strip() or DEFAULTS["country"],
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


def _days(text: str) -> frozenset[date]:
    return frozenset(date.fromisoformat(day) for day in text.replace(",", " ").split())


def _name(text: str) -> str:
    if text and not _NAME.fullmatch(text):
        raise ValueError(text)
    return text


def proposed_name(spec: GeneratorSpec) -> str:
    """Return the name of a file to propose."""
    return f"{spec.name or f'generated-{spec.houses}-houses-seed-{spec.seed}'}.yaml"


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """To the process: generate a neighbourhood."""

    values: Mapping[str, str]
    """Texts by id of field."""
    file: Path | None = None
    """Where to write it; None: only a preview is wanted."""


@dataclass(frozen=True, slots=True)
class GenerateResult:
    """From the process: the generated neighbourhood."""

    houses: int
    roofs: int
    devices: int
    jobs: int
    cars: int
    heat_pumps: int
    start_s: int
    zone: Zone
    produced_w: FloatArray
    """Production of all roofs, W, in equal steps over all days, shape (steps,)."""
    demand_w: FloatArray
    """Demand of all jobs at their earliest start, in the same form."""
    written: tuple[Path, ...] = ()
    """The file and its tables; empty for a preview."""

    @property
    def produced_wh(self) -> float:
        """Energy that is produced, Wh."""
        return float(self.produced_w.mean()) * self.hours

    @property
    def demand_wh(self) -> float:
        """Energy of all jobs within the days, Wh."""
        return float(self.demand_w.mean()) * self.hours

    @property
    def hours(self) -> float:
        """Length of all days."""
        return len(self.demand_w) * STEP_S / 3600


@dataclass(frozen=True, slots=True)
class GenerateFailure:
    """From the process: why nothing was generated."""

    problem: str


def made_of(generated: GeneratedNeighbourhood, written: tuple[Path, ...]) -> GenerateResult:
    """Return the figures of a neighbourhood."""
    spec = generated.spec
    owned = Counter(device for house in generated.houses for device in house.devices)
    roofs = list(generated.producers())
    produced_w = np.zeros(spec.days * 96)
    for _, roof in roofs:
        produced_w += generated.actual_w(roof)[: len(produced_w)]
    offset = datetime.fromtimestamp(spec.start_s, spec.zone).utcoffset()
    return GenerateResult(
        houses=len(generated.houses),
        roofs=len(roofs),
        devices=sum(owned.values()) + len(roofs),
        jobs=sum(len(house.jobs) for house in generated.houses),
        cars=owned["car"],
        heat_pumps=owned["hot-water"],
        start_s=spec.start_s,
        zone=Zone(0 if offset is None else int(offset.total_seconds())),
        produced_w=produced_w,
        demand_w=_demand_w(generated),
        written=written,
    )


def _demand_w(generated: GeneratedNeighbourhood) -> FloatArray:
    total = np.zeros(generated.spec.days * 86_400 // STEP_S)
    profiles = {name: _in_steps(step_s, power_w) for name, (step_s, power_w) in generated.profiles.items()}
    for house in generated.houses:
        for job in house.jobs:
            first, power_w = job.earliest_s // STEP_S, profiles[job.profile]
            count = min(len(power_w), len(total) - first)
            total[first : first + count] += power_w[:count]
    return total


def _in_steps(step_s: int, power_w: tuple[float, ...]) -> FloatArray:
    """Return a load profile as mean power of each of our steps."""
    edges_s = np.arange(len(power_w) + 1) * step_s
    cumulative = np.concatenate(([0.0], np.cumsum(power_w))) * step_s
    ends_s = np.arange(0, edges_s[-1] + STEP_S, STEP_S)
    power: FloatArray = np.diff(np.interp(ends_s, edges_s, cumulative)) / STEP_S
    return power


def generate_requested(wanted: GenerateRequest) -> GenerateResult | GenerateFailure:
    """Generate a neighbourhood, and write it where that is wanted."""
    spec, problems = spec_of(wanted.values)
    if spec is None:
        return GenerateFailure("; ".join(f"{id_}: {what}" for id_, what in problems.items()))
    try:
        generated = generate(spec)
        written = () if wanted.file is None else _written(generated, wanted.file, wanted.values.get("series", "auto"))
        return made_of(generated, written)
    except (SsmicError, OSError, ValueError, MemoryError) as error:
        return GenerateFailure(str(error) or type(error).__name__)


def _written(generated: GeneratedNeighbourhood, file: Path, series: str) -> tuple[Path, ...]:
    if series == "auto":
        series = "csv" if needs_tables(generated) else "inline"
    if series == "inline":
        write_text(generated_yaml(generated), file)
        return (file,)
    kind: Literal["csv", "parquet"] = "parquet" if series == "parquet" else "csv"
    with write_series(generated, file.parent, file.stem, kind) as tables:
        write_text(generated_yaml(generated, file.stem, kind), file)
    return (file, *tables)


class Generator:
    """The process, as the application sees it; a request that is cancelled ends it."""

    def __init__(self) -> None:
        self._server = ChildServer(generate_requested)

    async def make(self, wanted: GenerateRequest) -> GenerateResult | GenerateFailure:
        """Generate a neighbourhood."""
        try:
            found: GenerateResult | GenerateFailure | None = await self._server.ask(wanted)
        except OSError as error:
            return GenerateFailure(f"the generator's process failed: {error}")
        except BaseException:
            await self.close()
            raise
        return GenerateFailure("the generator's process ended") if found is None else found

    async def close(self) -> None:
        """End the process, even while it is working."""
        await self._server.close()
