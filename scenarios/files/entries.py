"""Types of values that several parts of the YAML format share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    Strict,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from agents import MAX_DURATION_S, MAX_WH
from broker import MAX_CHARACTERS, canonical, character_problem
from scenarios.files.problems import UNKNOWN, YamlValue, is_unknown
from scenarios.files.times import MAX_TIME_S
from scenarios.prices import MAX_EUR_PER_KWH
from scenarios.scenario import MAX_KG_CO2_PER_KWH

STAND_INS = "stand_ins"
"""Key in a validation's context: stand-ins are allowed. In a user's own file `UNKNOWN` is an error like any other."""


def _may_stand_in(value: object, info: ValidationInfo) -> bool:
    context = info.context or {}
    return isinstance(value, str) and is_unknown(value) and bool(context.get(STAND_INS))


def _id(value: YamlValue, info: ValidationInfo) -> YamlValue:
    if type(value) is int:
        return str(value)
    if not isinstance(value, str) or _may_stand_in(value, info):
        return value
    problem = character_problem(value)
    if problem is not None:
        raise PydanticCustomError("identifier", "{problem}", {"problem": problem})
    return canonical(value)


def _time(value: YamlValue, info: ValidationInfo) -> int | str:
    if type(value) is int or (isinstance(value, str) and (value != UNKNOWN or _may_stand_in(value, info))):
        return value
    raise PydanticCustomError("time_type", "a time is expected")


Id = Annotated[
    str,
    Field(min_length=1, max_length=MAX_CHARACTERS),
    BeforeValidator(_id),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1, "maxLength": MAX_CHARACTERS}, {"type": "integer"}]}),
]
ProfileName = Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS), BeforeValidator(_id)]
Time = Annotated[
    int | str,
    PlainValidator(_time),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": MAX_TIME_S, "description": "UNIX seconds"},
                {
                    "type": "string",
                    "pattern": (
                        r"^((\d{1,4}d +)?\d{1,5}:[0-5]\d(:[0-5]\d)?|\+ *[0-9 dhmins]+"
                        r"|\d{4}-\d\d-\d\d([T ]\d\d:?\d\d.*)?)$"
                    ),
                    "description": (
                        "ISO 8601, with an offset unless the file has a zone; HH:MM[:SS] after the start (hours may "
                        "pass 24); 2d HH:MM on the second day; +2h30m after the start"
                    ),
                },
            ],
        },
    ),
]
Finite = Annotated[float, Field(allow_inf_nan=False)]
EurPerKwh = Annotated[float, Field(ge=-MAX_EUR_PER_KWH, le=MAX_EUR_PER_KWH, allow_inf_nan=False)]
KgCo2PerKwh = Annotated[float, Field(ge=0, le=MAX_KG_CO2_PER_KWH, allow_inf_nan=False)]
_EnergyWh = Annotated[float, Field(allow_inf_nan=False, json_schema_extra={"minimum": -MAX_WH, "maximum": MAX_WH})]
"""Cumulative energy of a point. Its bounds are checked with the rest of the series."""
_TimeOfLoad = Annotated[int, Field(json_schema_extra={"minimum": 0, "maximum": MAX_DURATION_S})]
LoadPoint = Annotated[tuple[_TimeOfLoad, _EnergyWh], Strict(strict=False)]
ProductionPoint = Annotated[tuple[Time, _EnergyWh], Strict(strict=False)]
Power = Annotated[float, Field(ge=0, allow_inf_nan=False)]
MAX_CONSTANT_W = 1e7
"""Highest constant load: in any run, its energy is less than `MAX_WH`."""


class FileEntry(BaseModel):
    """A mapping in the file: unknown keys are refused, values are never guessed from others (no text for numbers)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _or_stand_in(value: YamlValue, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> YamlValue:
    return value if _may_stand_in(value, info) else handler(value)


def _column(value: YamlValue) -> int | str:
    if isinstance(value, str) or (type(value) is int and value >= 1):
        return value
    raise PydanticCustomError("column", "the name of a column, or its number from 1, is expected")


_Column = Annotated[
    int | str,
    PlainValidator(_column),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 1}]}),
]


class ColumnsEntry(FileEntry):
    """The columns of a table to read."""

    time: _Column | None = Field(None, description="Name of the column of times, or its number from 1")
    value: _Column | None = Field(None, description="Name of the column of values, or its number from 1")


Columns = Annotated[ColumnsEntry | None, Field(description="Columns of the table")]
Unit = Annotated[
    Literal["W", "kW", "MW", "Wh", "kWh", "MWh"] | None,
    WrapValidator(_or_stand_in),
    Field(description="Unit of its values"),
]
Reading = Annotated[
    Literal["power", "interval", "counter"] | None,
    WrapValidator(_or_stand_in),
    Field(description="Kind of the values: average power, energy of an interval, or reading of a counter"),
]
ZoneOfTimes = Annotated[
    str | None, Field(min_length=1, description="Zone of times without an offset: Europe/Berlin, UTC or +02:00")
]

LabelsOfTimes = Annotated[
    Literal["start", "end"] | None,
    WrapValidator(_or_stand_in),
    Field(
        description="Whether the times are the starts or the ends of the intervals of the values; default: start, "
        "unless the table shows ends"
    ),
]


KEYS_OF_TABLE = ("columns", "unit", "reading", "labels", "zone")
"""Keys of a series that describe the table of measurements in its `file`."""


class ProductionEntry(FileEntry):
    """Energy that a panel gives, in exactly one of three forms: `points`, `file`, or `start`, `step_s`, `power_w`."""

    points: list[ProductionPoint] | None = Field(None, description="[time, cumulative Wh]; only differences count")
    file: str | None = Field(
        None,
        min_length=1,
        description="A file, relative to this one: one 'UNIX-seconds Wh' pair per line, cumulative; or a table of "
        "measurements (CSV, .csv.gz, .parquet), described by the next keys where it does not describe itself",
    )
    columns: Columns = None
    unit: Unit = None
    reading: Reading = None
    zone: ZoneOfTimes = None
    labels: LabelsOfTimes = None
    start: Time | None = Field(None, description="When the first step of power_w begins")
    step_s: int | None = Field(None, ge=1, le=86_400 * 366, description="Length of each step of power_w, seconds")
    power_w: list[Power] | None = Field(None, min_length=1, description="Average power of each step, W")


class BaseLoadEntry(ProductionEntry):
    """A house's consumption apart from its jobs: `constant_w`, or a series in one of the forms of `actual`."""

    constant_w: Annotated[float, Field(ge=0, le=MAX_CONSTANT_W, allow_inf_nan=False)] | None = Field(
        None, description="The same power at all times, W"
    )
