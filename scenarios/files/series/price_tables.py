"""Reads prices that vary over time from tables, as exchanges and suppliers export them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from scenarios.errors import Problem, ScenarioError
from scenarios.files.series.measured_series import GAP_STEPS, begins_of, gaps_note, resolutions_s
from scenarios.files.series.table_columns import Labels, find_time_column, find_value_column, unit_beside
from scenarios.files.series.table_rows import RowTimes, parsed_rows, zone_of_times
from scenarios.files.series.table_times import zone_of
from scenarios.files.series.tables import read_table
from scenarios.prices import PriceSeries, price_problem

PRICE_UNITS: Final[dict[str, float]] = {"EUR/kWh": 1.0, "ct/kWh": 0.01, "EUR/MWh": 0.001}
"""By unit, the factor to EUR/kWh."""
_PRICE_UNIT = re.compile(r"(EUR|€|ct|cent)s?[ _]*(?:/|per)[ _]*(kWh|MWh)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices that were read from a table; each holds from its time until the next one."""

    times_s: tuple[int, ...]
    """UNIX seconds, ascending."""
    eur_per_kwh: tuple[float, ...]
    notes: tuple[str, ...]
    """What was guessed, one sentence each."""


def read_prices(
    path: Path,
    where: str,
    time: str | int | None,
    value: str | int | None,
    unit: str | None,
    zone_name: str | None,
    labels: Labels | None,
    *,
    scenario_zone: str | None,
) -> PriceTable:
    """Return the prices in a table.

    Args:
        path: CSV, gzip or Parquet.
        where: Its name, for messages.
        time: Name or number of the column of times; None: to be guessed.
        value: Name or number of the column of prices; None: to be guessed.
        unit: One of `PRICE_UNITS`; None: as the column's name says.
        zone_name: IANA name or offset, for times that say none; None: as the header says, else the scenario's.
        labels: Whether times are the starts or the ends of intervals; None: to be found out.
        scenario_zone: See `read_measured`.

    Raises:
        ScenarioError: It cannot be used; carries all problems, each with its line.
    """
    table = read_table(path, where)
    notes = list(table.notes)
    time_column = find_time_column(table, time, is_run=False)
    value_column = find_value_column(table, value, time_column, notes)
    zone_name = zone_name or zone_of_times(table, time_column, scenario_zone, notes)
    zone = None if zone_name is None else zone_of(zone_name, where)
    named = unit or _price_unit(table.columns[value_column]) or _price_unit(table.units[value_column])
    if named is None and (beside := unit_beside(table, _PRICE_UNIT)) is not None:
        notes.append(f"the unit {beside[0]} is taken from column {beside[1]!r}.")
        named = _price_unit(beside[0])
    if named is None:
        units = ", ".join(PRICE_UNITS)
        what = f"column {table.columns[value_column]!r} does not say the unit of its prices; add unit: one of {units}"
        raise ScenarioError([Problem(where, what)])
    of_time = RowTimes(table, time_column, zone, is_run=False, labels=labels)
    times, values, _ = parsed_rows(table, of_time, value_column, None, notes)
    if (note := of_time.labels_note(times)) != "":
        notes.append(note)
    if of_time.are_ends:
        times = begins_of(times)
    gaps, are_regular = _gaps(times)
    if gaps and are_regular:  # otherwise prices are given when they change
        notes.append(gaps_note(gaps, "the price before a gap still applies"))
    prices = tuple(round(price * PRICE_UNITS[named], 9) for price in values)
    if (problem := price_problem(PriceSeries(tuple(times), prices))) is not None:
        raise ScenarioError([Problem(where, f"has {problem}")])
    return PriceTable(tuple(times), prices, tuple(f"{where}: {note}" for note in notes))


def _gaps(times_s: Sequence[int]) -> tuple[list[tuple[int, int]], bool]:
    """Return where gaps begin and how long they are, seconds, and whether most prices hold for a step of the table."""
    rows = list(zip(pairwise(times_s), resolutions_s(times_s), strict=False))
    gaps = [
        (time_s + step_s, next_s - time_s - step_s)
        for (time_s, next_s), step_s in rows
        if next_s - time_s > step_s * GAP_STEPS
    ]
    return gaps, sum(next_s - time_s == step_s for (time_s, next_s), step_s in rows) > len(rows) / 2


def _price_unit(column: str) -> str | None:
    found = _PRICE_UNIT.search(column)
    if found is None:
        return None
    money = "EUR" if found[1].upper() in {"EUR", "€"} else "ct"
    unit = f"{money}/{'MWh' if found[2].upper() == 'MWH' else 'kWh'}"
    return unit if unit in PRICE_UNITS else None
