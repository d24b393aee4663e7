"""`ssmic results`: what there is, what came out, and other forms of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from tui.cli.errors import complain

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="List, show, export and report what simulations came to.",
)

ResultsFile = Annotated[Path, typer.Argument(metavar="FILE", help="A results file of a simulation.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Interval = Annotated[
    int, typer.Option(min=1, metavar="MINUTES", help="Peaks are those of powers averaged over so many minutes.")
]

Utc = Annotated[bool, typer.Option("--utc", help="Show times in UTC. [default: at the scenario's own offset]")]


@app.command("list", epilog="Example: ssmic results list")
def list_(
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the results lie.")] = Path("results"),
    as_json: Json = False,
) -> None:
    """List the results there are, oldest first."""
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
    house: Annotated[str | None, typer.Option(help="One household, by its id; of run 1 unless --run says.")] = None,
    interval: Interval = 15,
    as_json: Json = False,
) -> None:
    """Show all runs, one run with all households, or one household."""
    from scenarios.results.reader import ResultsReader
    from scenarios.results.summary import simulation_json
    from scenarios.results.views import view_house, view_neighbourhood
    from tui.cli.console import output
    from tui.cli.outcome import show_outcome
    from tui.cli.simulate import print_json
    from tui.cli.views import house_json, show_house, show_neighbourhood

    interval_s = 60 * interval
    with ResultsReader(file) as results:
        if house is not None:
            view = view_house(results, run or 1, house, interval_s)
            if as_json:
                print_json(house_json(view))
            else:
                show_house(output(), view)
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
            show_neighbourhood(output(), view_neighbourhood(results, summary["runs"][0]["run"], interval_s))


@app.command("export", epilog="Example: ssmic results export results/FILE.sqlite --format csv --to street-csv")
def export(
    file: ResultsFile,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Made if it is not there.")],
    format_: Annotated[Literal["csv", "json", "parquet"], typer.Option("--format", help="Of the tables.")] = "csv",
    force: Annotated[bool, typer.Option("--force", help="Write over files of the same names.")] = False,
) -> None:
    """Write the results as tables for other programs, one file a table."""
    from scenarios.results.export import export_results
    from scenarios.results.reader import ResultsReader

    with ResultsReader(file) as results:
        export_results(results, format_, to, overwrite=force, wrote=typer.echo)


@app.command(
    "report",
    epilog="Examples: ssmic results report results/FILE.sqlite --to report.html, "
    "or with several simulations: ssmic results report A.sqlite B.sqlite --to report.html",
)
def report(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Results files, one or several.")],
    to: Annotated[Path, typer.Option(metavar="PAGE", help="The page to make; its folder is made if it is not there.")],
    interval: Interval = 15,
    utc: Utc = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a page of that name.")] = False,
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
