"""One run with all its households, and one household, as tables for people. Times are in UTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from scenarios.results.views import ContractRow, HouseView, NeighbourhoodView, household_rows
from tui.cli.figures import kwh, percent, ratio, unfinished

MAX_ID_WIDTH = 36
MAX_HOUSE_WIDTH = 18
"""So that all columns beside it are whole where a line has 80."""


def show_neighbourhood(console: Console, view: NeighbourhoodView) -> None:
    """Print the households' energy and bills, and all contracts."""
    in_eur = ", bills in EUR" if view.bills else ""
    longest = min(max((len(row.house) for row in household_rows(view)), default=0), MAX_HOUSE_WIDTH)
    table = _table(f"Households; energy in kWh{in_eur}", "house", longest)
    for title in ("consumed", "own sun", "neighbours", "grid", "produced", "sold"):
        table.add_column(title, justify="right", no_wrap=True)
    if view.bills:
        for title in ("bill", "alone"):
            table.add_column(title, justify="right", no_wrap=True)
    for row in household_rows(view):
        split = row.split
        energies_wh = (
            split.consumed_wh,
            split.own_wh,
            split.neighbours_wh,
            split.grid_wh,
            row.produced_wh,
            row.sold_wh,
        )
        cells = [_number(wh) for wh in energies_wh]
        if row.bill is not None:
            cells += [f"{row.bill.with_eur:.2f}", f"{row.bill.without_eur:.2f}"]
        table.add_row(row.house, *cells)
    console.print(table)
    _show_contracts(console, "Contracts", view.contracts)


def show_house(console: Console, view: HouseView) -> None:
    """Print a household's figures and contracts."""
    name = f" ({view.name})" if view.name and view.name != view.house else ""
    how = unfinished(view.run.state, view.covered_share)
    table = Table(
        title=f"House {view.house}{name}, run {view.run.run}, seed {view.run.seed}{f', {how}' if how else ''}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_header=False,
    )
    table.add_column("figure", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    split = view.split
    for title, wh in (
        ("Energy consumed", split.consumed_wh),
        ("  from its own sun", split.own_wh),
        ("  from neighbours", split.neighbours_wh),
        ("  from the grid", split.grid_wh),
        ("Energy produced", view.produced_wh),
        ("  sold to neighbours", view.sold_wh),
    ):
        table.add_row(title, kwh(wh))
    table.add_row("Self-sufficiency", percent(view.self_sufficiency))
    table.add_row("Peak-to-average ratio of consumption", ratio(view.consumption_peak_to_average))
    table.add_row("Peak-to-average ratio of production", ratio(view.production_peak_to_average))
    table.add_row("Load factor", ratio(view.load_factor))
    if view.bill is not None:
        table.add_row("Bill", f"{view.bill.with_eur:.2f} EUR")
        table.add_row("Bill without the neighbourhood", f"{view.bill.without_eur:.2f} EUR")
    console.print(table)
    _show_contracts(console, "Its jobs", view.contracts)
    if view.supplied:
        _show_contracts(console, "Other houses' jobs on its sun", view.supplied)


def house_json(view: HouseView) -> dict[str, Any]:
    """Return a household's figures and contracts, fit for JSON; times are UNIX seconds."""
    return {
        "run": view.run.run,
        "seed": view.run.seed,
        "state": view.run.state,
        "complete": view.run.is_complete,
        "covered_share": view.covered_share,
        "house": view.house,
        "name": view.name,
        **asdict(view.split),
        "produced_wh": view.produced_wh,
        "sold_wh": view.sold_wh,
        "self_sufficiency": view.self_sufficiency,
        "consumption_peak_to_average": view.consumption_peak_to_average,
        "production_peak_to_average": view.production_peak_to_average,
        "load_factor": view.load_factor,
        "bill": None if view.bill is None else {**asdict(view.bill), "saving_eur": view.bill.saving_eur},
        "contracts": [asdict(row) for row in view.contracts],
        "supplied": [asdict(row) for row in view.supplied],
    }


def _show_contracts(console: Console, title: str, rows: Sequence[ContractRow]) -> None:
    dates = {_moment(row.start_s)[:10] for row in rows}
    on = f" on {dates.pop()}" if len(dates) == 1 else ""
    table = _table(f"{title}; starts in UTC{on}", "job", max((len(row.job_id) for row in rows), default=0))
    table.add_column("profile", overflow="fold")
    table.add_column("supplier", overflow="fold")
    for column in ("start", "kWh", "by sun"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        start = _moment(row.start_s)
        covered = row.delivered_wh / row.energy_wh if row.energy_wh else None
        table.add_row(
            row.job_id, row.profile, row.producer, start[11:] if on else start, _number(row.energy_wh), percent(covered)
        )
    console.print(table)


def _table(title: str, first: str, longest: int) -> Table:
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False
    )
    # Ids are there to be copied: other columns give way before they wrap.
    table.add_column(first, overflow="fold", width=max(len(first), min(longest, MAX_ID_WIDTH)))
    return table


def _number(wh: float) -> str:
    return f"{wh / 1000:,.2f}"


def _moment(time_s: int) -> str:
    moment = datetime.fromtimestamp(time_s, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment.second else f"{moment:%Y-%m-%d %H:%M}"
