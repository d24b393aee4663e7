"""The keys of a scenario's `timeline` and `expect`; part of the YAML format (`scenarios.files.model`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PlainValidator, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from scenarios.files.entries import EurPerKwh, FileEntry, Id, KgCo2PerKwh, ProductionEntry, Time
from scenarios.files.problems import YamlValue
from scenarios.files.times import MAX_SPAN_S, MAX_TIME_S, duration_s
from scenarios.scenario import MAX_DAYS, MOST_SEED


def _duration(value: YamlValue) -> int:
    if type(value) is int and 0 <= value <= MAX_SPAN_S:
        return value
    if type(value) is int and value > MAX_SPAN_S:
        raise PydanticCustomError("duration", f"at most {MAX_DAYS} days ({MAX_SPAN_S} seconds) are expected")
    seconds = duration_s(value) if isinstance(value, str) else None
    if seconds is None:
        raise PydanticCustomError("duration", "a duration is expected, such as 30m, 1h30m, 2d or 90s")
    return seconds


def _duration_above_0(value: YamlValue) -> int:
    seconds = _duration(value)
    if not seconds:
        raise PydanticCustomError("duration", "a duration above 0 is expected, such as 30m, 1h30m, 2d or 90s")
    return seconds


def _moment(value: YamlValue) -> int | str:
    if type(value) is int or isinstance(value, str):
        return value
    raise PydanticCustomError("moment", "a time is expected, such as 12:00, +2h or an ISO time")


def _seconds(least_s: int) -> dict[str, Any]:
    """Return the JSON schema of a duration."""
    text = r"^ *(?=\d)(\d+ *d)? *(\d+ *h)? *(\d+ *m(in)?)? *(\d+ *s)? *$"
    seconds = {"type": "integer", "minimum": least_s, "maximum": MAX_SPAN_S}
    return {"anyOf": [seconds, {"type": "string", "pattern": text}]}


Duration = Annotated[int, PlainValidator(_duration), WithJsonSchema(_seconds(0))]
"""Seconds in the model; in the file also `1h30m`."""
SpanAbove0 = Annotated[int, PlainValidator(_duration_above_0), WithJsonSchema(_seconds(1))]
"""A `Duration` that is not 0: an effect that lasts no time is a mistake."""
EventTime = Annotated[
    int | str,
    PlainValidator(_moment),
    WithJsonSchema({"type": ["string", "integer"], "minimum": 0, "maximum": MAX_TIME_S}),
]


def _start_after(value: YamlValue) -> int | str:
    if isinstance(value, str) and duration_s(value) is None and ":" in value:
        return value
    return _duration(value)


EventStart = Annotated[
    int | str,
    PlainValidator(_start_after),
    WithJsonSchema({"type": ["string", "integer"], "minimum": 0, "maximum": MAX_SPAN_S}),
]
"""Seconds after the event; text that is a time (`18:00`) is for the builder to read."""
Proportion = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Factor = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]


class WhenEntry(FileEntry):
    """Something that happens to a job; the event takes place the first time that it does."""

    job: Id = Field(description="Id of the job")
    turn: Literal["agreed", "starts", "ends", "cancelled"] = Field("starts", description="Change of its state")
    after: Duration = Field(0, description="Delay after that")


class RepeatEntry(FileEntry):
    """How an event repeats."""

    every: SpanAbove0 = Field(description="Interval; whole days keep the clock time")
    times: int | None = Field(None, ge=1, le=10_000, description="Total number of times")
    until: EventTime | None = Field(None, description="No repetition after this time")


class _EventEntry(FileEntry):
    at: EventTime | None = Field(
        None, description="12:00 (clock time on the first day), 2d 12:00 (on the second), +2h after the start, or ISO"
    )
    when: WhenEntry | None = Field(None, description="Instead of a time: when something happens to a job")
    repeat: RepeatEntry | None = Field(None, description="How it repeats; default: it takes place once")


class CloudEntry(_EventEntry):
    """A cloud front passes over producers."""

    do: Literal["cloud"] = Field(description="What happens")
    producers: list[Id] | None = Field(None, min_length=1, description="In the order it reaches them; default: all")
    factor: Proportion = Field(description="Share of the production that remains: 0.3 leaves 30 %")
    duration: SpanAbove0 = Field(description="How long it is over one producer")
    ramp: Duration = Field(600, description="How long the production takes to fall, and to rise again")
    travel: Duration = Field(0, description="How much later it reaches the next producer")
    announced: bool = Field(
        default=True, description="Whether forecasts reflect it once it has arrived; false: promises are broken instead"
    )


class ForecastEntry(ProductionEntry, _EventEntry):
    """A producer gets a new forecast: a series, or `factor` times its present one."""

    do: Literal["forecast"] = Field(description="What happens")
    producer: Id = Field(description="Id of the producer")
    factor: Factor | None = Field(None, description="Factor by which its present forecast is multiplied, from then on")


class ForecastErrorEntry(_EventEntry):
    """Producers get forecasts derived from their actual production, with an error that grows with the horizon."""

    do: Literal["forecast_error"] = Field(description="What happens")
    producers: list[Id] | None = Field(None, min_length=1, description="Default: all")
    growth_per_h: Proportion = Field(0.03, description="Standard deviation of the relative error an hour ahead")
    most: Proportion = Field(0.6, description="Limit of the standard deviation")
    every: Annotated[Duration, WithJsonSchema(_seconds(60))] = Field(
        6 * 3600, description="How often a forecast is issued"
    )
    duration: SpanAbove0 | None = Field(None, description="For how long; default: to the end")
    seed: int | None = Field(None, ge=0, le=MOST_SEED, description="Default: the scenario's")


class JoinEntry(_EventEntry):
    """A device joins; until then it was absent."""

    do: Literal["join"] = Field(description="What happens")
    house: Id = Field(description="Id of its house")
    device: Id = Field(description="Id of the device")


class LeaveEntry(_EventEntry):
    """A device leaves."""

    do: Literal["leave"] = Field(description="What happens")
    house: Id = Field(description="Id of its house")
    device: Id = Field(description="Id of the device")


class AddJobEntry(_EventEntry):
    """A household wants one more job."""

    do: Literal["add_job"] = Field(description="What happens")
    house: Id = Field(description="Id of the device's house")
    device: Id = Field(description="Id of the device")
    id: Id | None = Field(None, description="Default: <house>/<device>")
    load_profile: Id | None = Field(None, description="Default: the device's")
    earliest_start: EventStart = Field(
        0, description="Not before: a duration after the event (2h), or a time on the event's day (14:00)"
    )
    latest_start: EventStart = Field(
        description="Not after: a duration after the event (4h), or a time on the event's day (18:00)"
    )


class WithdrawJobEntry(_EventEntry):
    """A household no longer wants a job; one that has started runs to its end."""

    do: Literal["withdraw_job"] = Field(description="What happens")
    job: Id = Field(description="Id of the job")


class OfflineEntry(_EventEntry):
    """A household cannot be reached, and returns."""

    do: Literal["offline"] = Field(description="What happens")
    house: Id = Field(description="Id of the house")
    duration: SpanAbove0 | None = Field(None, description="For how long; default: it does not return")


class LinkEntry(_EventEntry):
    """The link between a household and the broker is bad. It changes no contract."""

    do: Literal["link"] = Field(description="What happens")
    house: Id = Field(description="Id of the house")
    loss: Annotated[float, Field(ge=0, le=0.9)] = Field(0.0, description="Share of the messages that are lost")
    delay_ms: Annotated[int, Field(ge=0, le=10_000)] = Field(0, description="Longest delay, real milliseconds")
    duration: SpanAbove0 = Field(description="For how long")


class RestartBrokerEntry(_EventEntry):
    """The broker is restarted. It changes no contract."""

    do: Literal["restart_broker"] = Field(description="What happens")


class TariffChangeEntry(_EventEntry):
    """Other prices apply from now on; prices that are not given stay the same."""

    do: Literal["tariff"] = Field(description="What happens")
    import_eur_per_kwh: EurPerKwh | None = Field(None, description="Price of energy from the grid")
    feed_in_eur_per_kwh: EurPerKwh | None = Field(None, description="Price of energy sold to the grid")
    neighbour_eur_per_kwh: EurPerKwh | None = Field(None, description="Price of energy from another house")
    grid_kg_co2_per_kwh: KgCo2PerKwh | None = Field(None, description="Emissions of a kWh from the grid")


class AlgorithmEntry(_EventEntry):
    """Producers decide by another algorithm from now on."""

    do: Literal["algorithm"] = Field(description="What happens")
    producers: list[Id] | None = Field(None, min_length=1, description="Default: all")
    algorithm: str = Field(description="Its name")
    penalty: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(None, description="Of basin-hopping")
    node_limit: Annotated[int, Field(ge=1)] | None = Field(None, description="Of exact")


class PatienceEntry(_EventEntry):
    """Whether jobs wait from now on where no producer can supply them."""

    do: Literal["patience"] = Field(description="What happens")
    houses: list[Id] | None = Field(None, min_length=1, description="Default: all")
    patient: bool = Field(description="false: they take grid power at once")


class StrategyEntry(_EventEntry):
    """Consumers decide by another strategy from now on."""

    do: Literal["strategy"] = Field(description="What happens")
    houses: list[Id] | None = Field(None, min_length=1, description="Default: all")
    strategy: str = Field(description="Its name, from a plug-in; empty: the built-in one")


class NoteEntry(_EventEntry):
    """Adds a note to charts, the log and the results."""

    do: Literal["note"] = Field(description="What happens")
    text: str = Field(min_length=1, max_length=200, description="The text of the note")


EVENT_ENTRIES: dict[str, type[_EventEntry]] = {
    "cloud": CloudEntry,
    "forecast": ForecastEntry,
    "forecast_error": ForecastErrorEntry,
    "join": JoinEntry,
    "leave": LeaveEntry,
    "add_job": AddJobEntry,
    "withdraw_job": WithdrawJobEntry,
    "offline": OfflineEntry,
    "link": LinkEntry,
    "restart_broker": RestartBrokerEntry,
    "tariff": TariffChangeEntry,
    "algorithm": AlgorithmEntry,
    "patience": PatienceEntry,
    "strategy": StrategyEntry,
    "note": NoteEntry,
}
"""By what an entry says under `do`."""

TimelineEntry = Annotated[
    CloudEntry
    | ForecastEntry
    | ForecastErrorEntry
    | JoinEntry
    | LeaveEntry
    | AddJobEntry
    | WithdrawJobEntry
    | OfflineEntry
    | LinkEntry
    | RestartBrokerEntry
    | TariffChangeEntry
    | AlgorithmEntry
    | PatienceEntry
    | StrategyEntry
    | NoteEntry,
    Field(discriminator="do"),
]


class ConditionEntry(FileEntry):
    """A condition with a name or a time."""

    that: str = Field(min_length=1, max_length=1000, description="The condition: self_sufficiency >= 60 %")
    at: EventTime | None = Field(None, description="When it must hold; default: at the end")
    name: str = Field("", max_length=200, description="For reports")


ExpectEntry = Annotated[
    Annotated[str, Field(min_length=1, max_length=1000), Tag("text")] | Annotated[ConditionEntry, Tag("entry")],
    Discriminator(lambda value: "entry" if isinstance(value, dict | ConditionEntry) else "text"),
]

__all__ = ["EVENT_ENTRIES", "ConditionEntry", "ExpectEntry", "Time", "TimelineEntry"]
