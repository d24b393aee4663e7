"""`ssmic results`: list, show, compare, export and report results."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from scenarios.results.comparison import Comparison, blocks, tables_of
from tui.cli.options import CompareTo
from tui.exit_codes import complain
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
    """Print the results files with their short names (`latest~1`), and their paths if there is room."""
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
    """Return the entries with the short names that other commands accept."""
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
    """Return a summary of a results file, fit for JSON."""
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


def show_comparison(console: Console, comparison: Comparison) -> None:
    """Print the means with intervals, the paired differences, and the warnings."""
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


if TYPE_CHECKING:
    from scenarios.results import ResultsReader

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="List, show, export and report simulation results.",
)

ResultsFile = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="A results file; or `latest` for the newest one in results/, `latest~1` for the one before, and so on.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print a single JSON object on standard output.")]
Interval = Annotated[
    int, typer.Option(min=1, metavar="MINUTES", help="Peak powers are averages over this many minutes.")
]

Utc = Annotated[bool, typer.Option("--utc", help="Show times in UTC. [default: at the scenario's own offset]")]


@app.command("list", epilog="Example: ssmic results list")
def list_(
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder with results files.")] = Path("results"),
    as_json: Json = False,
) -> None:
    """List the results files with scenario, algorithm, state and date, newest first."""
    from tui.cli.simulate import print_json
    from tui.console import output
    from tui.results import ResultsIndex

    books = ResultsIndex(folder).look()
    if as_json:
        print_json({"folder": str(folder), "results": [listed_json(book) for book in books]})
    elif books:
        show_listed(output(), books)
    else:
        complain(f"no results in {folder}; `ssmic run street` creates some")


@app.command("show", epilog="Example: ssmic results show latest --run 1 --house adler")
def show(
    file: ResultsFile,
    run: Annotated[
        int | None, typer.Option(min=1, help="One run of several, counted from 1. [default: all of them]")
    ] = None,
    house: Annotated[str | None, typer.Option(help="One household, by its id; run 1 unless --run is given.")] = None,
    interval: Interval = 15,
    utc: Utc = False,
    as_json: Json = False,
) -> None:
    """Show all runs, one run with all households, or one household."""
    from scenarios import Zone
    from scenarios.results import ResultsReader, named_results, simulation_json, view_house, view_neighbourhood
    from tui.cli.simulate import print_json
    from tui.cli.tables import house_json, show_house, show_neighbourhood, show_outcome
    from tui.console import output

    interval_s = 60 * interval
    with ResultsReader(named_results(file)) as results:
        zone = Zone() if utc else results.scenario.zone
        if house is not None:
            view = view_house(results, run or 1, house, interval_s)
            if as_json:
                print_json(house_json(view))
            else:
                _say_zone(results, utc=utc)
                show_house(output(), view, zone)
            return
        if run is not None:
            results.run(run)  # the error lists the existing runs
        summary = simulation_json(results, interval_s)
        if run is not None:
            summary["runs"] = [one for one in summary["runs"] if one["run"] == run]
        if as_json:
            print_json(summary)
            return
        show_outcome(output(), summary)
        if len(summary["runs"]) == 1:
            _say_zone(results, utc=utc)
            show_neighbourhood(output(), view_neighbourhood(results, summary["runs"][0]["run"], interval_s), zone)


def _say_zone(results: ResultsReader, *, utc: bool) -> None:
    """Explain why times are in UTC although `--utc` was not given."""
    if not utc and not results.knows_offset:
        complain(f"{results.path}: has no UTC offset (written by an older ssmic); times are shown in UTC")


_COMPARE_EXAMPLES = """
\b
Examples:
  ssmic results compare latest~2 latest~1 latest
  ssmic results compare A.sqlite B.sqlite C.sqlite --to table.tex --to figure.svg
"""


@app.command("compare", epilog=_COMPARE_EXAMPLES)
def compare(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE FILE...",
            help="Two or more results files, or `latest`, `latest~1`, ...; differences are those from the first.",
        ),
    ],
    to: CompareTo = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files of the same names.")] = False,
    interval: Interval = 15,
    as_json: Json = False,
) -> None:
    """Compare simulations: means with 95 % intervals over seeds, and differences on the same seeds.

    Only finished runs count. Differences are paired by seed if the scenario is the same.
    """
    from scenarios.results import named_results
    from scenarios.results.comparison import check_files, compare_simulations, comparison_json, write_comparison
    from tui.cli.simulate import print_json
    from tui.console import notes, output

    if len(files) < 2:
        raise typer.BadParameter("name two or more simulations to compare", param_hint="FILE")
    targets = to or []
    check_files(targets, overwrite=force)
    comparison = compare_simulations([named_results(file) for file in files], 60 * interval)
    if as_json:
        print_json(comparison_json(comparison))
    else:
        show_comparison(output(), comparison)
    write_comparison(comparison, targets, overwrite=force)
    for path in targets:
        notes().print(f"Written: {path}", soft_wrap=True)


@app.command("export", epilog="Example: ssmic results export latest --format csv --to street-csv")
def export(
    file: ResultsFile,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder for the tables; created if missing.")],
    format_: Annotated[
        Literal["csv", "json", "parquet"], typer.Option("--format", help="Format of the tables.")
    ] = "csv",
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
) -> None:
    """Write the results as tables for other programs, one file per table."""
    from scenarios.results import ResultsReader, export_results, named_results

    with ResultsReader(named_results(file)) as results:
        export_results(results, format_, to, overwrite=force, wrote=typer.echo)


@app.command(
    "report",
    epilog="Example: ssmic results report latest --to report.html; "
    "several simulations: ssmic results report A.sqlite B.sqlite --to report.html",
)
def report(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Results files, one or several; `latest` for the newest one.")
    ],
    to: Annotated[Path, typer.Option(metavar="PAGE", help="The HTML file to write; its folder is created if missing.")],
    interval: Interval = 15,
    utc: Utc = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write one or several simulations as a self-contained HTML page with charts and tables.

    Each chart can be saved from the page, as SVG or PNG.
    """
    from contextlib import ExitStack

    from scenarios.results import ResultsReader, named_results
    from scenarios.results.report import write_report

    paths = dict.fromkeys(named_results(file) for file in files)
    with ExitStack() as opened:
        simulations = [opened.enter_context(ResultsReader(path)) for path in paths]
        write_report(simulations, to, interval_s=60 * interval, utc=utc, overwrite=force)
    typer.echo(to)
