"""The tables of households and their contracts, of a house or of all: `ssmic results show`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich.cells import cell_len
from rich.console import Console

from agents import SHARED
from scenarios import Zone
from scenarios.results import (
    ContractRow,
    HouseholdRow,
    HouseView,
    NeighbourhoodView,
    household_rows,
    household_total,
)
from tui.cli.figure_tables import GAP, new_table, show_figures
from tui.cli.outcome_tables import figures_table
from tui.formatting import fit, kwh, number_kwh, percent, ratio, unfinished
from tui.street_groups import streets_of

MIN_JOB_WIDTH, MIN_TEXT_WIDTH, MIN_SUPPLIER_WIDTH = 20, 10, 12
"""Minimum widths of text columns, in cells."""


def show_neighbourhood(console: Console, view: NeighbourhoodView, zone: Zone) -> None:
    """Print the households' energy and bills, and all contracts.

    Args:
        console: The console to print on.
        view: The results to print.
        zone: Display zone of times.
    """
    _show_households(console, "Households", household_rows(view))
    _show_contracts(console, "Contracts", view.contracts, zone)


def show_streets(console: Console, households: Sequence[HouseholdRow], houses: Sequence[tuple[str, str]]) -> None:
    """Print a large run's households street by street.

    Args:
        console: The console to print on.
        households: Their figures.
        houses: Ids and names of all houses.
    """
    streets = streets_of(houses)
    members: dict[str, list[HouseholdRow]] = {}
    for row in households:
        members.setdefault(streets[row.house], []).append(row)
    _show_households(
        console, "Streets", [household_total(name, rows) for name, rows in members.items()], ("sold", "without")
    )
    console.print(
        f"{len(households):,} households. --house ID shows one with its contracts, `ssmic results export` writes all "
        "contracts, and the terminal application finds them.",
        soft_wrap=True,
    )


def _show_households(console: Console, what: str, rows: Sequence[HouseholdRow], left_out: Sequence[str] = ()) -> None:
    has_bills = any(row.bill is not None for row in rows)
    both = "" if "without" in left_out else " with and without the neighbourhood"
    in_eur = f", bills in EUR{both}" if has_bills else ""
    titles = ["consumed", "own", "neighbours", "grid", "produced", "sold"]
    titles += ["bill", "without"] if has_bills else []
    shown = [i for i, title in enumerate(titles) if title not in left_out]
    shown_titles = [titles[i] for i in shown]
    show_figures(
        console,
        f"{what}; energy in kWh{in_eur}",
        "house",
        shown_titles,
        [(row.house, [_household_cells(row)[i] for i in shown]) for row in rows],
        second_group=shown_titles.index("bill") if "bill" in shown_titles else None,
    )


def _household_cells(row: HouseholdRow) -> list[str]:
    split = row.breakdown
    energies_wh = (
        split.consumed_wh,
        split.own_wh,
        split.neighbours_wh,
        split.grid_wh,
        row.produced_wh,
        row.sold_wh,
    )
    cells = [number_kwh(wh) for wh in energies_wh]
    if row.bill is not None:
        cells += [f"{row.bill.with_eur:z,.2f}", f"{row.bill.without_eur:z,.2f}"]
    return cells


def show_house(console: Console, view: HouseView, zone: Zone) -> None:
    """Print a household's figures and contracts.

    Args:
        console: The console to print on.
        view: The results to print.
        zone: Display zone of times.
    """
    name = f'"{view.name}" (id {view.house})' if view.name and view.name != view.house else view.house
    how = unfinished(view.run.state, view.covered_share)
    table = figures_table(f"House {name}, run {view.run.run}, seed {view.run.seed}{f', {how}' if how else ''}")
    split = view.breakdown
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
        table.add_row("Bill", f"{view.bill.with_eur:z,.2f} EUR")
        for title, eur in view.member.named_lines() if view.member else ():
            table.add_row(f"  {title}", f"{eur:z,.2f} EUR")
        table.add_row("Bill without neighbourhood", f"{view.bill.without_eur:z,.2f} EUR")
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
        **asdict(view.breakdown),
        "produced_wh": view.produced_wh,
        "sold_wh": view.sold_wh,
        "self_sufficiency": view.self_sufficiency,
        "consumption_peak_to_average": view.consumption_peak_to_average,
        "production_peak_to_average": view.production_peak_to_average,
        "load_factor": view.load_factor,
        "bill": None if view.bill is None else {**asdict(view.bill), "saving_eur": view.bill.saving_eur},
        "community": None if view.member is None else view.member.as_dict(),
        "contracts": [_contract_json(row) for row in view.contracts],
        "supplied": [_contract_json(row) for row in view.supplied],
    }


def _contract_json(row: ContractRow) -> dict[str, Any]:
    """Return a contract fit for JSON, with the energy that each supplier gives by it, the grid among them."""
    suppliers = [{"producer": producer, "energy_wh": wh} for producer, wh in row.energy_by_supplier]
    return {**asdict(row), "suppliers": suppliers}


def _show_contracts(console: Console, title: str, rows: Sequence[ContractRow], zone: Zone) -> None:
    dates = {zone.at(row.start_s).date() for row in rows}
    on = f" on {dates.pop()}" if len(dates) == 1 else ""
    starts = [zone.exact_clock(row.start_s) if on else _moment(zone, row.start_s) for row in rows]
    figures = [
        ("start", starts),
        ("kWh", [number_kwh(row.energy_wh) for row in rows]),
        ("panels", [percent(row.delivered_wh / row.energy_wh if row.energy_wh else None) for row in rows]),
    ]
    if any(row.producer == SHARED for row in rows):
        given = [[number_kwh(wh) for _, wh in row.energy_by_supplier] for row in rows]
        figures.insert(0, ("gives", ["\n".join(each) for each in given]))
    room = console.width - sum(_width([name, *cells]) + GAP for name, cells in figures)
    suppliers = [[name for name, _ in row.energy_by_supplier] for row in rows]
    texts = {
        "job": [row.job_id for row in rows],
        "profile": [row.profile for row in rows],
        "supplier": ["\n".join(each) for each in suppliers],
    }
    least = {"job": MIN_JOB_WIDTH, "profile": MIN_TEXT_WIDTH, "supplier": MIN_SUPPLIER_WIDTH}
    wanted = {name: _width([name, *cells]) for name, cells in texts.items()}
    if sum(min(least[name], width) + GAP for name, width in wanted.items()) > room + 1:
        del wanted["profile"]  # the least important column; otherwise figures and suppliers would be cut
    shared = shared_widths(list(wanted.values()), [least[name] for name in wanted], room - GAP * len(wanted) + 1)
    widths = dict(zip(wanted, shared, strict=True))
    table = new_table(f"{title}; start times {zone.name}{on}")
    # Ids wrap, so that they can be copied; other columns stay on one line for each supplier.
    table.add_column("job", overflow="fold", width=widths["job"])
    if "profile" in widths:
        table.add_column("profile", no_wrap=True, width=widths["profile"])
    table.add_column("supplier", no_wrap=True, width=widths["supplier"])
    for name, _ in figures:
        table.add_column(name, justify="right", no_wrap=True)
    for row, names, *cells in zip(rows, suppliers, *(cells for _, cells in figures), strict=True):
        profile = [fit(row.profile, widths["profile"], is_id=True).rstrip()] if "profile" in widths else []
        supplier = "\n".join(fit(name, widths["supplier"], is_id=True).rstrip() for name in names)
        table.add_row(row.job_id, *profile, supplier, *cells)
    console.print(table)


def _width(cells: Iterable[str]) -> int:
    """Return the width of the widest line of some cells."""
    return max(cell_len(line) for cell in cells for line in cell.split("\n"))


def shared_widths(wanted: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Divide a width among columns: as wide as wanted, else the widest ones shrink first.

    Args:
        wanted: Preferred widths, in cells.
        least: Minimum widths, in cells; returned (unless less is wanted) even if they exceed `room`.
        room: Total width, in cells.
    """
    widths = list(wanted)
    while sum(widths) > room:
        spare = [width - min(low, want) for width, low, want in zip(widths, least, wanted, strict=True)]
        widest = max(range(len(widths)), key=lambda i: (spare[i], -i))
        if spare[widest] <= 0:
            break
        widths[widest] -= 1
    return widths


def _moment(zone: Zone, time_s: int) -> str:
    return f"{zone.at(time_s):%Y-%m-%d} {zone.exact_clock(time_s)}"
