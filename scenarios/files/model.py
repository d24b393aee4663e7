"""The YAML format, version 1: its keys and types. Checks that span several values are in `scenarios.files.build`.

The JSON schema next to this module is generated from it (`python -m scenarios.files.schema`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Strict, Tag

from agents import Promise
from agents.scheduling import ALGORITHMS, INSERTION
from agents.sharing import DEFAULT_FORECAST, PREFERENCES, ForecastUse, Preference, SupplyRule
from scenarios.files.entries import (
    BaseLoadEntry,
    Columns,
    ColumnsEntry,
    EurPerKwh,
    FileEntry,
    Finite,
    Id,
    KgCo2PerKwh,
    LabelsOfTimes,
    LoadPoint,
    Power,
    ProductionEntry,
    ProfileName,
    Reading,
    Time,
    Unit,
    ZoneOfTimes,
)
from scenarios.files.problems import YamlValue
from scenarios.files.timeline import ExpectEntry, TimelineEntry
from scenarios.gateways import WaitingEntry
from scenarios.scenario import MAX_DAYS, MAX_EUR_PER_YEAR, MAX_NAME_LENGTH, MAX_VAT_PERCENT, MOST_SEED

VERSION = 1
"""Version of the format; files of a higher version are rejected."""
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
PricePoint = Annotated[tuple[Time, EurPerKwh], Strict(strict=False)]
PriceUnit = Literal["EUR/kWh", "ct/kWh", "EUR/MWh"]


class LoadProfileEntry(FileEntry):
    """The load of one run of a device, in exactly one of three forms: `points`, `file`, or `step_s` with `power_w`."""

    points: list[LoadPoint] | None = Field(None, description="[seconds since the job's start, cumulative Wh], from 0 s")
    file: str | None = Field(
        None,
        min_length=1,
        description="A file, relative to this one: one 'seconds Wh' pair per line, cumulative; or a table of "
        "measurements (CSV, .csv.gz, .parquet), described by the next keys where it does not describe itself",
    )
    columns: Columns = None
    unit: Unit = None
    reading: Reading = None
    zone: ZoneOfTimes = None
    labels: LabelsOfTimes = None
    step_s: int | None = Field(None, ge=1, le=86_400 * 366, description="Length of each step of power_w, seconds")
    power_w: list[Power] | None = Field(None, min_length=1, description="Average power of each step, W")


class Issued(FileEntry):
    """A value that applies from its time of issue."""

    issued: Time = Field(description="When the producer receives it")


class PredictionEntry(ProductionEntry, Issued):  # in this order `issued` comes first
    """A forecast; it replaces older ones from its first point on."""


class GatewayEntry(FileEntry):
    """The interface of a real device; see docs/devices.md. All other keys belong to the adapter."""

    model_config = ConfigDict(extra="allow")

    adapter: str = Field("ssmic", description="The topics it uses: ssmic's own, or its maker's")
    id: Id | None = Field(None, description="Its id in topics, unique in the run; default: the device's id")
    answer_s: int = Field(60, ge=1, le=86_400, description="How long it may take to answer a command, virtual seconds")
    tries: int = Field(3, ge=1, le=100, description="Maximum number of times that a command is sent")
    idle_w: Power = Field(5.0, description="Its highest power when its programme is over, W")
    learn: bool = Field(
        default=True, description="Whether measurements replace the next job's load profile and lower a roof's forecast"
    )
    waiting: WaitingEntry | None = Field(None, description="How a plug detects that its appliance waits")


class ConsumerEntry(FileEntry):
    """A device that consumes energy."""

    id: Id = Field(description="Unique in its house")
    type: Literal["consumer"]
    name: str = Field("", description="For display")
    template: str = Field("", description="Kind of appliance")
    load_profile: Id | None = Field(
        None, description="Name of the load profile of its jobs, unless a job names another"
    )
    gateway: GatewayEntry | None = Field(None, description="Interface of the real device, if it is one")


class ProducerEntry(FileEntry):
    """A device that produces energy."""

    id: Id = Field(description="Unique in the neighbourhood")
    type: Literal["producer"]
    name: str = Field("", description="For display")
    template: str = Field("", description="Kind of panel")
    predictions: list[PredictionEntry] | None = Field(
        None, min_length=1, description="Its forecasts; only a real device may have none"
    )
    actual: ProductionEntry | None = Field(
        None, description="Its actual production; default: the newest prediction for each moment"
    )
    gateway: GatewayEntry | None = Field(None, description="Interface of the real device, if it is one")


DeviceEntry = Annotated[ConsumerEntry | ProducerEntry, Field(discriminator="type")]


class HouseEntry(FileEntry):
    """A household with its devices, base load and guests."""

    id: Id = Field(description="Unique in the neighbourhood")
    name: str = Field("", description="For display")
    guests: int = Field(0, ge=0, le=100, description="How many real devices of each type may join during a run")
    devices: list[DeviceEntry] = Field(default_factory=list, description="Its consumers and producers")
    base_load: BaseLoadEntry | None = Field(
        None, description="Consumption apart from its jobs, which cannot be shifted"
    )


class JobEntry(FileEntry):
    """One run of a consumer."""

    house: Id = Field(description="Id of the device's house")
    device: Id = Field(description="Id of the device")
    id: Id | None = Field(None, description="Default: <house>/<device>; jobs may share one")
    load_profile: Id | None = Field(None, description="Default: the device's")
    registered: Time = Field(description="When the job becomes known")
    earliest_start: Time = Field(description="It starts at this time or later")
    latest_start: Time = Field(description="It starts at this time or earlier")


_CLOCK: dict[str, Any] = {"pattern": r"^([01]?\d|2[0-4]):[0-5]\d$"}


class BandEntry(FileEntry):
    """A price at certain times of the clock; the first entry that a time belongs to holds."""

    days: list[Weekday] | None = Field(None, min_length=1, description="Days on which it begins; default: every day")
    begin: str = Field(
        "00:00", json_schema_extra=_CLOCK, description="Clock time HH:MM in the scenario's zone; default: 00:00"
    )
    end: str = Field(
        "24:00",
        json_schema_extra=_CLOCK,
        description="Clock time HH:MM, on the next day if not after `begin`; default: 24:00",
    )
    eur_per_kwh: EurPerKwh = Field(description="The price")


class VaryingPriceEntry(FileEntry):
    """A price that varies: `time_of_use`, `points`, `file`, or `start` and `step_s` with `eur_per_kwh`."""

    time_of_use: list[BandEntry] | None = Field(None, min_length=1, description="Prices by weekday and time of day")
    points: list[PricePoint] | None = Field(
        None, min_length=1, description="[time, EUR/kWh]; each applies until the next one"
    )
    file: str | None = Field(
        None, min_length=1, description="A table with a header (CSV, .csv.gz, .parquet), relative to this file"
    )
    columns: ColumnsEntry | None = Field(None, description="Columns of the table")
    unit: PriceUnit | None = Field(None, description="Unit of its values; default: as the column's name says")
    zone: str | None = Field(None, min_length=1, description="Zone of times without an offset")
    labels: LabelsOfTimes = None
    start: Time | None = Field(None, description="When the first step of eur_per_kwh begins")
    step_s: int | None = Field(None, ge=60, le=86_400 * 366, description="Length of each step of eur_per_kwh, seconds")
    eur_per_kwh: list[EurPerKwh] | None = Field(None, min_length=1, description="Price of each step")


def _form(value: YamlValue) -> str:
    return "varying" if isinstance(value, dict | VaryingPriceEntry) else "constant"


PriceEntry = Annotated[
    Annotated[EurPerKwh, Tag("constant")] | Annotated[VaryingPriceEntry, Tag("varying")], Discriminator(_form)
]
PRICE_FORMS = frozenset({"constant", "varying"})
"""How pydantic marks the forms of a price in the location of an error."""
Fee = Annotated[float, Field(ge=0, le=MAX_EUR_PER_YEAR, allow_inf_nan=False)]


class CommunityEntry(FileEntry):
    """An energy community: how energy is allocated to its members, and their fees in addition to the tariff."""

    key: Literal["static", "proportional", "hierarchical", "negotiated"] = Field(
        "hierarchical",
        description="static: fixed shares of all production; proportional: to consumption; hierarchical: own roof, "
        "then neighbours; negotiated: by contract",
    )
    interval_s: Literal[300, 600, 900, 1800, 3600] = Field(900, description="Length of a settlement interval, seconds")
    coefficients: dict[Id, Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]] | None = Field(
        None, description="Key static: share of each house, 0 to 1, at most 1 together; default: equal shares"
    )
    grid_fee_eur_per_kwh: PriceEntry = Field(0.0, description="Grid fee of energy from the grid, added to its price")
    local_grid_fee_eur_per_kwh: PriceEntry | None = Field(
        None, description="Grid fee of energy from other houses; default: not reduced"
    )
    supplier_fee_eur_per_year: Fee = Field(0.0, description="Fixed fee of each house, with and without the community")
    community_fee_eur_per_year: Fee = Field(0.0, description="Fixed fee of each house for running the community")
    vat_percent: Annotated[float, Field(ge=0, le=MAX_VAT_PERCENT, allow_inf_nan=False)] = Field(
        0.0, description="Value added tax, per cent"
    )
    vat_on: list[Literal["import", "grid_fee", "fixed_fee", "local"]] = Field(
        ["import", "grid_fee", "fixed_fee"], description="What the tax applies to; local: the price among neighbours"
    )


class TariffEntry(FileEntry):
    """Prices and emissions of energy; a price is a number, or varies over time."""

    import_eur_per_kwh: PriceEntry = Field(description="Price of energy from the grid")
    feed_in_eur_per_kwh: PriceEntry = Field(description="Price of energy sold to the grid")
    neighbour_eur_per_kwh: PriceEntry = Field(description="Price of energy from another house")
    grid_kg_co2_per_kwh: KgCo2PerKwh = Field(description="Emissions of a kWh from the grid")


class FaultEntry(FileEntry):
    """A fault in a lab: a device or the broker that fails, and when."""

    device: str | None = Field(None, min_length=1, description="<house>/<device> or <house>/meter; * matches anything")
    fault: Literal["dead", "late", "lies", "forgets"] | None = Field(None, description="The device's fault")
    broker: Literal["restart"] | None = Field(None, description="Instead of device and fault: the broker restarts")
    at: Time | None = Field(None, description="When it begins; default: at the start of the run")
    until: Time | None = Field(None, description="When it ends; default: at the end of the run")
    delay_s: int | None = Field(None, ge=1, description="late: seconds until it obeys")
    factor: Finite | None = Field(None, description="lies: multiplies the powers and counters that it reports")
    power_w: Finite | None = Field(
        None, description="lies: the power that it reports, W; `factor` then applies to counters only"
    )
    obeys: bool | None = Field(None, description="lies: if false, it answers commands but does not carry them out")
    down_s: int | None = Field(None, ge=1, description="broker: how long it is down, seconds; default: 10")
    keeps_retained: bool | None = Field(None, description="broker: whether it keeps its retained messages")


class ScenarioFile(FileEntry):
    """A scenario of ssmic: a neighbourhood, its jobs and its production."""

    version: Literal[1] = Field(description="Version of this format")
    name: str = Field(pattern=rf"^[A-Za-z0-9_-]{{1,{MAX_NAME_LENGTH}}}$", description="Letters, digits, - and _")
    description: str = Field("", description="For display")
    vars: dict[str, Any] | None = Field(
        None, description="Values that ${name} stands for; --set name=value replaces one"
    )
    include: str | list[str] | None = Field(None, description="Files to merge, relative to this one")
    start: Time = Field(description="Start of the run, with its date")
    zone: str | None = Field(None, description="IANA time zone (Europe/Berlin); default: the offset of start")
    days: int | None = Field(
        None, ge=1, le=MAX_DAYS, description="How many days to run; default: until the last job has run"
    )
    seed: int = Field(ge=0, le=MOST_SEED, description="Makes runs reproducible")
    algorithm: str = Field(
        INSERTION, description="The producers' scheduler", json_schema_extra={"examples": list(ALGORITHMS)}
    )
    promise: Promise = Field(
        "early",
        description="When promises become firm: early, on acceptance; late, shortly before the start, and better "
        "jobs may push a job out until then",
    )
    strategy: str = Field("", description="The consumers' strategy, from a plug-in; default: the built-in one")
    supply: SupplyRule = Field(
        "whole", description="whole: one producer supplies a job; shared: several do, minute by minute"
    )
    prefer: list[Preference] | None = Field(
        None,
        min_length=1,
        description=f"With shared supply: what consumers prefer, best first; default: {', '.join(PREFERENCES)}",
    )
    forecast: ForecastUse = Field(
        DEFAULT_FORECAST,
        description="With shared supply: use forecasts as issued, or correct them by what each roof has produced",
    )
    load_profiles: dict[ProfileName, LoadProfileEntry] = Field(
        default_factory=dict, description="Load profiles by name"
    )
    houses: list[HouseEntry] = Field(min_length=1, description="The households")
    jobs: list[JobEntry] = Field(default_factory=list, description="The jobs of all devices")
    tariff: TariffEntry | None = Field(
        None, description="Prices and emissions, for results and for consumers that compare costs"
    )
    community: CommunityEntry | None = Field(None, description="How bills are settled; default: by contract and minute")
    timeline: list[TimelineEntry] = Field(default_factory=list, description="Events during the run")
    expect: list[ExpectEntry] = Field(default_factory=list, description="Conditions that the run must meet")
    faults: list[FaultEntry] = Field(default_factory=list, description="Faults of emulated devices, for `ssmic lab`")
