"""The tables of `ssmic results bills`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from scenarios.results import BillRow, total_row

_ENERGIES = (
    ("consumed", "consumed_wh"),
    ("own", "own_wh"),
    ("bought", "bought_wh"),
    ("grid", "imported_wh"),
    ("sold", "sold_wh"),
    ("fed in", "fed_in_wh"),
)
_AMOUNTS = (("bill", "with_eur"), ("without", "without_eur"), ("saved", "saving_eur"))
_LINES = (
    ("grid", "import_eur"),
    ("fed in", "feed_in_eur"),
    ("bought", "local_bought_eur"),
    ("sold", "local_sold_eur"),
    ("grid\nfee", "grid_fee_eur"),
    ("local\nfee", "local_grid_fee_eur"),
    ("fixed", "fixed_eur"),
    ("VAT", "vat_eur"),
    ("bill", "with_eur"),
)


def show_bills(console: Console, rows: Sequence[BillRow], title: str) -> None:
    """Print energies and bills of all houses with their sums, and the lines of the bills where they are known.

    Args:
        console: The console to print on.
        rows: One per house, at least one.
        title: The title of the table.
    """
    with_total = (*rows, total_row(rows))
    energies = _table(f"{title}; energy in kWh, bills in EUR with and without the neighbourhood")
    for name, _ in (*_ENERGIES, *_AMOUNTS):
        energies.add_column(name, justify="right", no_wrap=True)
    for row in with_total:
        cells = [f"{getattr(row, name) / 1000:,.2f}" for _, name in _ENERGIES]
        _add(energies, row, rows, [*cells, *(_amount(row, name) for _, name in _AMOUNTS)])
    console.print(energies)
    if rows[0].import_eur is None:
        return
    lines = _table("Lines of the bills, EUR; negative amounts are paid to the house")
    shown = [(title_, name) for title_, name in _LINES if any(getattr(row, name) for row in rows)]
    for title_, _ in shown:
        lines.add_column(title_, justify="right", no_wrap=True)
    for row in with_total:
        _add(lines, row, rows, [_amount(row, name) for _, name in shown])
    console.print(lines)


def bills_json(rows: Sequence[BillRow]) -> dict[str, Any]:
    """Return the bills of all houses and their sum, fit for JSON."""
    return {"bills": [asdict(row) for row in rows], "total": {**asdict(total_row(rows)), "house": None}}


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("house", overflow="fold", min_width=8)
    return table


def _add(table: Table, row: BillRow, rows: Sequence[BillRow], cells: Sequence[str]) -> None:
    if row not in rows:
        table.add_section()
    table.add_row(row.house or "all", *cells)


def _amount(row: BillRow, name: str) -> str:
    value = getattr(row, name)
    return "-" if value is None else f"{value:,.2f}"
