"""One run with all its households, and one household, as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from scenarios.results.views import ContractRow, HouseholdRow, HouseView, NeighbourhoodView, household_rows
from scenarios.scenario import Zone
from tui.cli.figures import kwh, percent, ratio, unfinished
from tui.widgets.columns import fit

MIN_JOB_WIDTH, MIN_TEXT_WIDTH, MIN_SUPPLIER_WIDTH = 20, 10, 12
"""What columns of text keep where a line is short."""
_GAP = 2
"""Cells between two columns."""


def show_neighbourhood(console: Console, view: NeighbourhoodView, zone: Zone) -> None:
    """Print the households' energy and bills, and all contracts.

    Args:
        console: Where to.
        view: What happened.
        zone: How times are shown.
    """
    in_eur = ", bills in EUR with and without the neighbourhood" if view.bills else ""
    houses = [row.house for row in household_rows(view)]
    titles = ["consumed", "own sun", "neighbours", "grid", "produced", "sold"]
    titles += ["bill", "without"] if view.bills else []
    rows = list(household_rows(view))
    cells = [_household_cells(row) for row in rows]
    room = console.width - sum(
        max(len(title), *(len(row[i]) for row in cells), 0) + _GAP for i, title in enumerate(titles)
    )
    longest = max((cell_len(house) for house in houses), default=0)
    table = _table(f"Households; energy in kWh{in_eur}")
    table.add_column("house", overflow="fold", width=max(len("house"), min(longest, room)))
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    for row, figures in zip(rows, cells, strict=True):
        table.add_row(row.house, *figures)
    console.print(table)
    _show_contracts(console, "Contracts", view.contracts, zone)


def _household_cells(row: HouseholdRow) -> list[str]:
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
    return cells


def show_house(console: Console, view: HouseView, zone: Zone) -> None:
    """Print a household's figures and contracts.

    Args:
        console: Where to.
        view: What happened.
        zone: How times are shown.
    """
    name = f'"{view.name}" (id {view.house})' if view.name and view.name != view.house else view.house
    how = unfinished(view.run.state, view.covered_share)
    table = Table(
        title=f"House {name}, run {view.run.run}, seed {view.run.seed}{f', {how}' if how else ''}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_header=False,
    )
    table.add_column("figure", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    split = view.split
    for title, wh in (
        ("Energy consumed", split.consumed_wh),
        ("  from own panels", split.own_wh),
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
        table.add_row("Bill without neighbourhood", f"{view.bill.without_eur:.2f} EUR")
    console.print(table)
    _show_contracts(console, "Jobs of this house", view.contracts, zone)
    if view.supplied:
        _show_contracts(console, "Jobs of other houses that it supplies", view.supplied, zone)


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


def _show_contracts(console: Console, title: str, rows: Sequence[ContractRow], zone: Zone) -> None:
    dates = {zone.at(row.start_s).date() for row in rows}
    on = f" on {dates.pop()}" if len(dates) == 1 else ""
    starts = [_clock(zone, row.start_s) if on else _moment(zone, row.start_s) for row in rows]
    figures = [
        ("start", starts),
        ("kWh", [_number(row.energy_wh) for row in rows]),
        ("by sun", [percent(row.delivered_wh / row.energy_wh if row.energy_wh else None) for row in rows]),
    ]
    room = console.width - sum(max(map(len, (name, *cells))) + _GAP for name, cells in figures)
    texts = {
        "job": [row.job_id for row in rows],
        "profile": [row.profile for row in rows],
        "supplier": [row.producer for row in rows],
    }
    wanted = [max(cell_len(cell) for cell in (name, *cells)) for name, cells in texts.items()]
    widths = shared_widths(wanted, (MIN_JOB_WIDTH, MIN_TEXT_WIDTH, MIN_SUPPLIER_WIDTH), room - _GAP * len(texts) + 1)
    table = _table(f"{title}; start times {zone.name}{on}")
    # Ids are there to be copied: they wrap where they must; the others stay on one line.
    table.add_column("job", overflow="fold", width=widths[0])
    table.add_column("profile", no_wrap=True, width=widths[1])
    table.add_column("supplier", no_wrap=True, width=widths[2])
    for name, _ in figures:
        table.add_column(name, justify="right", no_wrap=True)
    for row, *cells in zip(rows, *(cells for _, cells in figures), strict=True):
        profile, supplier = fit(row.profile, widths[1], is_id=True), fit(row.producer, widths[2], is_id=True)
        table.add_row(row.job_id, profile.rstrip(), supplier.rstrip(), *cells)
    console.print(table)


def shared_widths(wanted: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Return how wide columns are that share some room: as wide as they want, else the widest ones narrower.

    Args:
        wanted: What each would take.
        least: What each keeps, as far as it wants it; the sum of these is returned where there is less room.
        room: In cells, for all of them.
    """
    widths = list(wanted)
    while sum(widths) > room:
        spare = [width - min(low, want) for width, low, want in zip(widths, least, wanted, strict=True)]
        widest = max(range(len(widths)), key=lambda i: (spare[i], -i))
        if spare[widest] <= 0:
            break
        widths[widest] -= 1
    return widths


def _table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False
    )


def _number(wh: float) -> str:
    return f"{wh / 1000:,.2f}"


def _clock(zone: Zone, time_s: int) -> str:
    at = zone.at(time_s)
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"


def _moment(zone: Zone, time_s: int) -> str:
    return f"{zone.at(time_s):%Y-%m-%d} {_clock(zone, time_s)}"
