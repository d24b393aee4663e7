"""Keys of prices and of the energy community; part of the YAML format (`scenarios.files.model`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Strict, Tag

from scenarios.files.entries import ColumnsEntry, FileEntry, Finite, Id, Time

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
PricePoint = Annotated[tuple[Time, Finite], Strict(strict=False)]
PriceUnit = Literal["EUR/kWh", "ct/kWh", "EUR/MWh"]


class BandEntry(FileEntry):
    """A price at certain times of the clock; the first entry that a time belongs to holds."""

    days: list[Weekday] | None = Field(None, min_length=1, description="Days on which it begins; default: every day")
    begin: str = Field("00:00", description="Clock time HH:MM in the scenario's zone; default: 00:00")
    end: str = Field("24:00", description="Clock time HH:MM, on the next day if not after `begin`; default: 24:00")
    eur_per_kwh: Finite = Field(description="The price")


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
    start: Time | None = Field(None, description="When the first step of eur_per_kwh begins")
    step_s: int | None = Field(None, ge=60, le=86_400 * 366, description="Length of each step of eur_per_kwh, seconds")
    eur_per_kwh: list[Finite] | None = Field(None, min_length=1, description="Price of each step")


def _form(value: Any) -> str:  # noqa: ANN401 - whatever YAML held
    return "varying" if isinstance(value, dict | VaryingPriceEntry) else "constant"


PriceEntry = Annotated[
    Annotated[Finite, Tag("constant")] | Annotated[VaryingPriceEntry, Tag("varying")], Discriminator(_form)
]
PRICE_FORMS = frozenset({"constant", "varying"})
"""How pydantic marks the forms of a price in the location of an error."""
Fee = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class CommunityEntry(FileEntry):
    """An energy community: how energy is allocated to its members, and their fees in addition to the tariff."""

    key: Literal["static", "proportional", "hierarchical", "negotiated"] = Field(
        "hierarchical",
        description="static: fixed shares of all production; proportional: to consumption; hierarchical: own roof, "
        "then neighbours; negotiated: as contracts say",
    )
    interval_s: Literal[300, 600, 900, 1800, 3600] = Field(900, description="Length of a settlement interval, seconds")
    coefficients: dict[Id, Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]] | None = Field(
        None, description="Key static: share of each house, 0 to 1, at most 1 together; default: all alike"
    )
    grid_fee_eur_per_kwh: PriceEntry = Field(0.0, description="Grid fee of energy from the grid, added to its price")
    local_grid_fee_eur_per_kwh: PriceEntry | None = Field(
        None, description="Grid fee of energy from other houses; default: not reduced"
    )
    supplier_fee_eur_per_year: Fee = Field(0.0, description="Fixed fee of each house, with and without the community")
    community_fee_eur_per_year: Fee = Field(0.0, description="Fixed fee of each house for running the community")
    vat_percent: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = Field(
        0.0, description="Value added tax, per cent"
    )
    vat_on: list[Literal["import", "grid_fee", "fixed_fee", "local"]] = Field(
        ["import", "grid_fee", "fixed_fee"], description="What the tax applies to; local: the price among neighbours"
    )
