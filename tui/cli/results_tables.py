"""The tables of `ssmic results list` and `ssmic results compare`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from scenarios.results.comparison import SimulationComparison, blocks, tables_of

if TYPE_CHECKING:
    from tui.results import IndexEntry

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
"""By state of a `IndexEntry`, in words."""
_TITLES = ("", "date (UTC)", "scenario", "algorithm", "runs", "state", "self-suff.")
_RIGHT = {4, 6}
_GAP = "  "


def show_listed(console: Console, books: Sequence[IndexEntry]) -> None:
    """Print the results files with the name of each, and the file's path if there is room."""
    rows = [_row(n, book) for n, book in _numbered(books)]
    widths = [max(len(row[i]) for row in (_TITLES, *rows)) for i in range(len(_TITLES))]
    files = [_file(book) for book in books]
    is_wide = sum(widths) + len(_GAP) * len(widths) + max(map(len, files)) <= console.width
    print_line = _line_printer(console)
    print_line(_line(_TITLES, widths) + (_GAP + "file" if is_wide else ""))
    for row, file in zip(rows, files, strict=True):
        if is_wide:
            print_line(_line(row, widths) + _GAP + file)
        else:
            print_line(_line(row, widths))
            print_line(" " * (widths[0] + len(_GAP)) + file)


def _line_printer(console: Console) -> Any:  # noqa: ANN401 - a function of Rich's
    def print_line(text: str) -> None:
        console.print(text.rstrip(), soft_wrap=True)

    return print_line


def _numbered(books: Sequence[IndexEntry]) -> list[tuple[str, IndexEntry]]:
    """Return the books with the names that other commands accept."""
    found, count = [], 0
    for book in books:
        if book.listed.problem:
            found.append(("", book))
        else:
            found.append((f"latest~{count}" if count else "latest", book))
            count += 1
    return found


def _row(name: str, book: IndexEntry) -> tuple[str, ...]:
    listed = book.listed
    date = f"{datetime.fromtimestamp(book.made_wall_s, UTC):%Y-%m-%d %H:%M}"
    if listed.problem:
        return (name, date, "", "", "", _STATES[book.state], "")
    share = "-" if listed.self_sufficiency is None else f"{100 * listed.self_sufficiency:.1f} %"
    is_complete = listed.done_runs == listed.planned_runs
    runs = str(listed.planned_runs) if is_complete else f"{listed.done_runs} of {listed.planned_runs}"
    return (name, date, listed.scenario, listed.algorithm, runs, _STATES[book.state], share)


def _file(book: IndexEntry) -> str:
    return f"{book.path}: {book.listed.problem}" if book.listed.problem else str(book.path)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell.rjust(width) if i in _RIGHT else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return _GAP.join(padded)


def listed_json(book: IndexEntry) -> dict[str, Any]:
    """Return a results file at a glance, fit for JSON."""
    listed = book.listed
    about = {"file": str(listed.path), "size_bytes": listed.size_bytes, "state": _STATES[book.state]}
    if listed.problem:
        return {**about, "problem": listed.problem}
    return {
        **about,
        "created": listed.created_utc,
        "scenario": listed.scenario,
        "algorithm": listed.algorithm,
        "broker": listed.broker,
        "planned_runs": listed.planned_runs,
        "states": dict(listed.states),
        "self_sufficiency": listed.self_sufficiency,
    }


def show_comparison(console: Console, comparison: SimulationComparison) -> None:
    """Print the means with their intervals, the differences on the same seeds, and what limits the comparison."""
    for table in tables_of(comparison):
        for part in blocks(table, console.width):
            console.print(part.title, soft_wrap=True)
            shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
            shown.add_column("", no_wrap=True)
            for column in part.columns:
                shown.add_column(column, justify="right", no_wrap=True)
            for row in part.rows:
                shown.add_row(*row)
            console.print(shown)
        console.print()
    console.print("In parentheses: the number of runs. Intervals are by Student's t.", soft_wrap=True)
    for warning in comparison.warnings:
        console.print(f"Note: {warning}", soft_wrap=True)
