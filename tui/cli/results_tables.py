"""The tables of `ssmic results list`, `ssmic results compare` and `ssmic results bills`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from scenarios.results import DEFAULT_FOLDER, BillRow, total_row
from scenarios.results.comparison import SimulationComparison, blocks, tables_of
from tui.cli.figure_tables import show_figures
from tui.formatting import number_kwh

if TYPE_CHECKING:
    from tui.results import ListedSimulation

_STATES = {
    "done": "done",
    "running": "running",
    "stale": "not ended",
    "interrupted": "interrupted",
    "failed": "failed",
    "beginning": "beginning",
    "broken": "unreadable",
    "none": "no run yet",
}
"""By state of a `ListedSimulation`, in words."""
_TITLES = ("", "date (UTC)", "scenario", "algorithm", "runs", "state", "self-suff.")
_RIGHT = {4, 6}
_GAP = "  "
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


def show_listed(console: Console, entries: Sequence[ListedSimulation]) -> None:
    """Print the results files with the name of each, and the file's path if there is room."""
    rows = [_row(n, entry) for n, entry in _numbered(entries)]
    widths = [max(len(row[i]) for row in (_TITLES, *rows)) for i in range(len(_TITLES))]
    files = [_file(entry) for entry in entries]
    is_wide = sum(widths) + len(_GAP) * len(widths) + max(map(len, files)) <= console.width
    print_line = _line_printer(console)
    print_line(_line(_TITLES, widths) + (_GAP + "file" if is_wide else ""))
    for row, file in zip(rows, files, strict=True):
        if is_wide:
            print_line(_line(row, widths) + _GAP + file)
        else:
            print_line(_line(row, widths))
            print_line(" " * (widths[0] + len(_GAP)) + file)


def _line_printer(console: Console) -> Callable[[str], None]:
    def print_line(text: str) -> None:
        console.print(text.rstrip(), soft_wrap=True)

    return print_line


def _numbered(entries: Sequence[ListedSimulation]) -> list[tuple[str, ListedSimulation]]:
    """Return the entries with the names that other commands accept, which find results in the default folder only."""
    found, count, default = [], 0, DEFAULT_FOLDER.resolve()
    for entry in entries:
        if entry.listed.problem or entry.path.parent.resolve() != default:
            found.append(("", entry))
        else:
            found.append((f"latest~{count}" if count else "latest", entry))
            count += 1
    return found


def _row(name: str, entry: ListedSimulation) -> tuple[str, ...]:
    listed = entry.listed
    date = f"{datetime.fromtimestamp(entry.made_wall_s, UTC):%Y-%m-%d %H:%M}"
    if listed.problem:
        return (name, date, "", "", "", _STATES[entry.state], "")
    share = "-" if listed.self_sufficiency is None else f"{100 * listed.self_sufficiency:.1f} %"
    is_complete = listed.done_runs == listed.planned_runs
    runs = str(listed.planned_runs) if is_complete else f"{listed.done_runs} of {listed.planned_runs}"
    return (name, date, listed.scenario, listed.algorithm_and_supply, runs, _STATES[entry.state], share)


def _file(entry: ListedSimulation) -> str:
    return f"{entry.path}: {entry.listed.problem}" if entry.listed.problem else str(entry.path)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell.rjust(width) if i in _RIGHT else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return _GAP.join(padded)


def listed_json(entry: ListedSimulation) -> dict[str, Any]:
    """Return a results file at a glance, fit for JSON."""
    listed = entry.listed
    about = {"file": str(listed.path), "size_bytes": listed.size_bytes, "state": _STATES[entry.state]}
    if listed.problem:
        return {**about, "problem": listed.problem}
    return {
        **about,
        "created": listed.created_utc,
        "scenario": listed.scenario,
        "algorithm": listed.algorithm,
        "supply": listed.supply,
        "broker": listed.broker,
        "planned_runs": listed.planned_runs,
        "states": dict(listed.states),
        "self_sufficiency": listed.self_sufficiency,
    }


def show_comparison(console: Console, comparison: SimulationComparison) -> None:
    """Print the means with their intervals, the differences on the same seeds, and what limits the comparison."""
    for table in tables_of(comparison):
        narrow = replace(table, columns=tuple(map(_in_two_lines, table.columns)))
        for part in blocks(narrow, console.width):
            console.print(part.title, soft_wrap=True)
            shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
            shown.add_column("", no_wrap=True)
            for column in part.columns:
                shown.add_column(column, justify="right", no_wrap=True)
            for row in part.rows:
                shown.add_row(*row)
            console.print(shown)
        console.print()
    console.print("The number of runs is in parentheses. Intervals are by Student's t.", soft_wrap=True)
    for warning in comparison.warnings:
        console.print(f"Note: {warning}", soft_wrap=True)


def _in_two_lines(title: str) -> str:
    """Return the title of a column in two lines if it has settings, as `SLSQP (supply shared) (20)` has."""
    return title.replace(" (", "\n(", 1) if title.count(" (") > 1 else title


def show_bills(console: Console, rows: Sequence[BillRow], title: str) -> None:
    """Print energies and bills of all houses with their sums, and the lines of the bills where they are known.

    Args:
        console: The console to print on.
        rows: One per house, at least one.
        title: The title of the table.
    """
    with_total = (*rows, total_row(rows)) if len(rows) > 1 else rows
    titles = [name for name, _ in (*_ENERGIES, *_AMOUNTS)]
    figures = [
        [
            *(number_kwh(getattr(row, name)) for _, name in _ENERGIES),
            *(_amount(row, name) for _, name in _AMOUNTS),
        ]
        for row in with_total
    ]
    _show(
        console,
        f"{title}; energy in kWh, bills in EUR with and without the neighbourhood",
        titles,
        rows,
        figures,
        second_group=len(_ENERGIES),
    )
    if rows[0].import_eur is None:
        return
    shown = [(title_, name) for title_, name in _LINES if any(getattr(row, name) for row in rows)]
    lines = [[_amount(row, name) for _, name in shown] for row in with_total]
    console.print()
    _show(
        console,
        "Lines of the bills, EUR; negative amounts are paid to the house",
        [title_ for title_, _ in shown],
        rows,
        lines,
    )


def bills_json(rows: Sequence[BillRow]) -> dict[str, Any]:
    """Return the bills of all houses and their sum, fit for JSON."""
    return {"bills": [asdict(row) for row in rows], "total": {**asdict(total_row(rows)), "house": None}}


def _show(
    console: Console,
    title: str,
    titles: Sequence[str],
    rows: Sequence[BillRow],
    figures: Sequence[Sequence[str]],
    *,
    second_group: int | None = None,
) -> None:
    """Print figures of all houses, and those of their sum where there are more figures than houses."""
    named = [(row.house, cells) for row, cells in zip(rows, figures, strict=False)]
    total = ("all", figures[len(rows)]) if len(figures) > len(rows) else None
    show_figures(console, title, "house", titles, named, total, second_group=second_group)


def _amount(row: BillRow, name: str) -> str:
    value = getattr(row, name)
    return "-" if value is None else f"{value:z,.2f}"
