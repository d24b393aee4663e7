"""`ssmic results`: what there is, what came out, and other forms of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tui.cli.errors import complain

if TYPE_CHECKING:
    from scenarios.results.reader import ResultsReader

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="List, show, export and report simulation results.",
)

ResultsFile = Annotated[Path, typer.Argument(metavar="FILE", help="A results file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Interval = Annotated[
    int, typer.Option(min=1, metavar="MINUTES", help="Peak powers are averages over this many minutes.")
]

Utc = Annotated[bool, typer.Option("--utc", help="Show times in UTC. [default: at the scenario's own offset]")]


@app.command("list", epilog="Example: ssmic results list")
def list_(
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder with results files.")] = Path("results"),
    as_json: Json = False,
) -> None:
    """List the results files, oldest first."""
    from scenarios.results.listing import list_results
    from tui.cli.console import output
    from tui.cli.listing import listed_json, listed_table
    from tui.cli.simulate import print_json

    listed = list_results(folder)
    if as_json:
        print_json({"folder": str(folder), "results": [listed_json(one) for one in listed]})
    elif listed:
        output().print(listed_table(listed))
    else:
        complain(f"no results in {folder}; `ssmic run street` makes some")


@app.command("show", epilog="Example: ssmic results show results/FILE.sqlite --run 1 --house adler")
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
    from scenarios.results.reader import ResultsReader
    from scenarios.results.summary import simulation_json
    from scenarios.results.views import view_house, view_neighbourhood
    from scenarios.zone import Zone
    from tui.cli.console import output
    from tui.cli.outcome import show_outcome
    from tui.cli.simulate import print_json
    from tui.cli.views import house_json, show_house, show_neighbourhood

    interval_s = 60 * interval
    with ResultsReader(file) as results:
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
            results.run(run)  # an error names the runs there are
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
    """Say why times are in UTC where nobody asked for that."""
    if not utc and not results.knows_offset:
        complain(f"{results.path}: has no offset of its scenario (an older ssmic wrote it); times are shown in UTC")


@app.command("export", epilog="Example: ssmic results export results/FILE.sqlite --format csv --to street-csv")
def export(
    file: ResultsFile,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder for the tables; created if missing.")],
    format_: Annotated[
        Literal["csv", "json", "parquet"], typer.Option("--format", help="Format of the tables.")
    ] = "csv",
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
) -> None:
    """Write the results as tables for other programs, one file a table."""
    from scenarios.results.export import export_results
    from scenarios.results.reader import ResultsReader

    with ResultsReader(file) as results:
        export_results(results, format_, to, overwrite=force, wrote=typer.echo)


@app.command(
    "report",
    epilog="Example: ssmic results report results/FILE.sqlite --to report.html; "
    "several simulations: ssmic results report A.sqlite B.sqlite --to report.html",
)
def report(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Results files, one or several.")],
    to: Annotated[Path, typer.Option(metavar="PAGE", help="The HTML file to write; its folder is created if missing.")],
    interval: Interval = 15,
    utc: Utc = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write one or several simulations as one HTML page with charts and tables; it opens offline.

    Each chart can be saved from the page, as SVG or PNG.
    """
    from contextlib import ExitStack

    from scenarios.results.reader import ResultsReader
    from scenarios.results.report import write_report

    with ExitStack() as opened:
        simulations = [opened.enter_context(ResultsReader(file)) for file in dict.fromkeys(files)]
        write_report(simulations, to, interval_s=60 * interval, utc=utc, overwrite=force)
    typer.echo(to)
