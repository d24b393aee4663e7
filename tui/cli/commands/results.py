"""`ssmic results`: list, show, compare, export and report results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tui.cli.options import AsJson, CompareTo, refuse_shared_files, refuse_without
from tui.exit_codes import complain, print_notes
from tui.safe_output import echo

if TYPE_CHECKING:
    from scenarios import Zone
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
DEFAULT_INTERVAL_MIN = 15
Interval = Annotated[
    int, typer.Option(min=1, metavar="MINUTES", help="Peak power is the highest mean over this many minutes.")
]

Utc = Annotated[bool, typer.Option("--utc", help="Show times in UTC. [default: at the scenario's own offset]")]


@app.command("list", epilog="Example: ssmic results list")
def list_(
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder with results files.")] = Path("results"),
    as_json: AsJson = False,
) -> None:
    """List the results files, newest first.

    Each is listed with its scenario, algorithm, state and date.
    """
    from scenarios.results import sweep_files
    from tui.cli.output import output
    from tui.cli.results_tables import listed_json, show_listed
    from tui.cli.simulate import print_json
    from tui.results import ResultsFolder

    entries = ResultsFolder(folder).look()
    sweeps = _sweeps_json(sweep_files(folder))
    if as_json:
        more = {"sweeps": sweeps} if sweeps else {}
        print_json({"folder": str(folder), "results": [listed_json(entry) for entry in entries], **more})
        return
    if entries:
        show_listed(output(), entries)
    for found in sweeps:
        said = found.get("problem") or f"{found['scenario']}, {found['done_runs']} of {found['planned_runs']} runs"
        output().print(f"sweep  {said}  {found['file']}", soft_wrap=True)
    if not entries and not sweeps:
        complain(f"no results in {folder}; `ssmic run street` creates some")


def _sweeps_json(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return sweeps at a glance, fit for JSON."""
    if not paths:
        return []
    from scenarios.results import ResultsError
    from scenarios.sweep import read_sweep

    found: list[dict[str, Any]] = []
    for path in paths:
        try:
            results = read_sweep(path)
        except ResultsError as error:
            found.append({"file": str(path), "problem": str(error).removeprefix(f"{path}: ")})
            continue
        info = results.info
        found.append(
            {
                "file": str(path),
                "scenario": info.scenario,
                "keys": list(info.keys),
                "created": info.created_utc,
                "planned_runs": info.planned,
                "done_runs": results.done_runs,
            }
        )
    return found


@app.command("show", epilog="Example: ssmic results show latest --run 1 --house adler")
def show(
    file: ResultsFile,
    run: Annotated[
        int | None, typer.Option(min=1, help="One run of several, counted from 1. [default: all of them]")
    ] = None,
    house: Annotated[str | None, typer.Option(help="One household, by its id; run 1 unless --run is given.")] = None,
    interval: Interval = DEFAULT_INTERVAL_MIN,
    utc: Utc = False,
    as_json: AsJson = False,
) -> None:
    """Show all runs, one run with all households, or one household."""
    from scenarios import Zone
    from scenarios.results import (
        ResultsReader,
        is_sweep_file,
        named_results,
        view_house,
    )
    from tui.cli.household_tables import house_json, show_house
    from tui.cli.outcome_tables import show_outcome
    from tui.cli.output import output
    from tui.cli.simulate import print_json

    interval_s = 60 * interval
    path = named_results(file)
    if is_sweep_file(path):
        if run is not None or house is not None:
            raise typer.BadParameter(f"{path} holds a sweep, which keeps the figures of each run only; use --json")
        _refuse_for_sweep(path, interval, utc=utc)
        _show_sweep(path, as_json=as_json)
        return
    if utc and as_json:
        print_notes(["--utc has no effect: --json prints UNIX seconds, which are the same in every zone"])
    with ResultsReader(path) as results:
        zone = Zone() if utc else results.zone
        if house is not None:
            view = view_house(results, run or 1, house, interval_s)
            if as_json:
                print_json(house_json(view))
            else:
                _say_zone(results, utc=utc)
                show_house(output(), view, zone)
            return
        summary = _summary(results, run, interval_s, brief=not as_json)
        if as_json:
            print_json(summary)
            return
        if utc and len(summary["runs"]) > 1:
            print_notes(["--utc has no effect: several runs are listed without times; --run N shows one"])
        show_outcome(output(), summary)
        if len(summary["runs"]) == 1:
            _say_zone(results, utc=utc)
            _show_all_households(results, summary["runs"][0]["run"], interval_s, zone)


def _summary(results: ResultsReader, run: int | None, interval_s: int, *, brief: bool) -> dict[str, Any]:
    """Return a simulation as JSON, with one run or, without a number, with all of them."""
    from scenarios.results import simulation_json

    if run is not None:
        results.run(run)  # the error lists the existing runs
    summary = simulation_json(results, interval_s, brief=brief)
    if run is not None:
        summary["runs"] = [one for one in summary["runs"] if one["run"] == run]
    return summary


def _show_sweep(path: Path, *, as_json: bool) -> None:
    from scenarios.sweep import read_sweep, sweep_json
    from tui.cli.output import output
    from tui.cli.simulate import print_json
    from tui.cli.sweep_tables import show_sweep

    sweep = read_sweep(path)
    if as_json:
        print_json(sweep_json(sweep))
    else:
        show_sweep(output(), sweep)


def _refuse_for_sweep(path: Path, interval: int, *, utc: bool) -> None:
    """Refuse options that change nothing about a sweep.

    Raises:
        typer.BadParameter: One of them is given.
    """
    if interval != DEFAULT_INTERVAL_MIN:
        what = f"{path} holds a sweep, whose peaks are always means over {DEFAULT_INTERVAL_MIN} minutes"
        raise typer.BadParameter(what, param_hint="--interval")
    if utc:
        raise typer.BadParameter(f"{path} holds a sweep, which shows no times", param_hint="--utc")


def _show_all_households(results: ResultsReader, run: int, interval_s: int, zone: Zone) -> None:
    from scenarios.results import view_neighbourhood
    from tui.cli.household_tables import show_neighbourhood, show_streets
    from tui.cli.output import output

    if results.is_large(run):
        show_streets(output(), results.households(run), results.houses)
    else:
        show_neighbourhood(output(), view_neighbourhood(results, run, interval_s), zone)


def _say_zone(results: ResultsReader, *, utc: bool) -> None:
    """Explain why times are in UTC although `--utc` was not given."""
    if not utc and not results.knows_offset:
        complain(f"{results.path}: has no UTC offset (written by an older ssmic); times are shown in UTC")


_BILLS_EXAMPLES = """
\b
Examples:
  ssmic results bills latest
  ssmic results bills latest --key proportional --json
  ssmic results bills latest --house adler                 one bill, without those of other houses
  ssmic results bills latest --to bills                    a CSV file for each house, to hand to its members
"""


@app.command(
    "bills", epilog=_BILLS_EXAMPLES, short_help="Show what each house pays, with and without the neighbourhood."
)
def bills(
    ctx: typer.Context,
    file: ResultsFile,
    run: Annotated[int, typer.Option(min=1, help="Run of the simulation, counted from 1.")] = 1,
    key: Annotated[
        Literal["static", "proportional", "hierarchical", "negotiated"] | None,
        typer.Option(
            help="Settle by another key. static: fixed shares of all production; proportional: in proportion to "
            "consumption; hierarchical: own roof, then neighbours; negotiated: by contract. "
            "[default: from the scenario]"
        ),
    ] = None,
    house: Annotated[
        str | None, typer.Option(help="Only the bill of this house, by its id. [default: all]", show_default=False)
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write a CSV file for each house into this folder.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="With --to: overwrite files of the same names.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what each house pays with and without the neighbourhood, and what is saved.

    The scenario's `community` defines how bills are settled. Without one, they are settled by contract, minute by
    minute.
    """
    from scenarios.results import (
        ResultsError,
        ResultsReader,
        community_with_key,
        export_bills,
        is_sweep_file,
        named_results,
    )
    from tui.cli.output import output
    from tui.cli.results_tables import bills_json, show_bills
    from tui.cli.simulate import print_json
    from tui.formatting import unfinished

    refuse_without(ctx, "force", "--to FOLDER", is_there=to is not None)
    if to is not None and as_json:
        raise typer.BadParameter("cannot be combined with --json", param_hint="--to")
    path = named_results(file)
    if is_sweep_file(path):
        raise typer.BadParameter(f"{path} holds a sweep, which keeps no bills", param_hint="FILE")
    with ResultsReader(path) as results:
        info, scenario = results.run(run), results.scenario
        community = scenario.community if key is None else community_with_key(scenario, key)
        account = results.account(run, community)
        rows = results.bills(run, community)
        if not rows:
            raise ResultsError(f"{path}: its scenario {scenario.name!r} has no tariff, so there are no bills")
        if house is not None:
            results.check_house(house)
            rows = tuple(row for row in rows if row.house == house)
        if to is not None:
            export_bills(info.run, rows, to, overwrite=force, wrote=echo)
            return
        if as_json:
            # The community's account contains the bills of all its members.
            more = {"community": None if account is None else account.as_dict()} if house is None else {}
            print_json({"run": info.run, "seed": info.seed, "complete": info.is_complete, **more, **bills_json(rows)})
            return
        how = (
            "by contract and minute, then own surplus"
            if community is None
            else f"{community.key} key, {community.interval_s // 60} min"
        )
        part = "" if info.is_complete else f", {unfinished(info.state, results.covered_share(info))}"
        show_bills(output(), rows, f"Bills of {scenario.name}, run {info.run}{part}: {how}")


_COMPARE_EXAMPLES = """
\b
Examples:
  ssmic results compare latest~2 latest~1 latest
  ssmic results compare A.sqlite B.sqlite C.sqlite --to table.tex --to figure.svg
"""


@app.command(
    "compare",
    epilog=_COMPARE_EXAMPLES,
    short_help="Compare simulations: means, intervals, paired differences.",
)
def compare(
    ctx: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE FILE...",
            help="Two or more results files, or `latest`, `latest~1`, ...; differences are relative to the first.",
        ),
    ],
    to: CompareTo = None,
    force: Annotated[bool, typer.Option("--force", help="With --to: overwrite files of the same names.")] = False,
    interval: Interval = DEFAULT_INTERVAL_MIN,
    as_json: AsJson = False,
) -> None:
    """Compare simulations: means with 95 % intervals over seeds, and differences on the same seeds.

    Only finished runs count. Differences are paired by seed if the scenario is the same.
    """
    from scenarios.results import named_results
    from scenarios.results.comparison import check_files, compare_simulations, comparison_json, write_comparison
    from tui.cli.output import notes, output
    from tui.cli.results_tables import show_comparison
    from tui.cli.simulate import print_json

    if len(files) < 2:
        raise typer.BadParameter("name two or more simulations to compare", param_hint="FILE")
    targets = to or []
    refuse_without(ctx, "force", "--to FILE", is_there=bool(targets))
    check_files(targets, overwrite=force)
    paths = [named_results(file) for file in files]
    refuse_shared_files(read=paths, written=[("--to", target) for target in targets])
    comparison = compare_simulations(paths, 60 * interval)
    if as_json:
        print_json(comparison_json(comparison))
    else:
        show_comparison(output(), comparison)
    write_comparison(comparison, targets, overwrite=force)
    for path in targets:
        notes().print(f"Written: {path}", soft_wrap=True)


@app.command("scenario", epilog="Example: ssmic results scenario latest again.yaml")
def scenario_of_results(
    file: ResultsFile,
    target: Annotated[
        Path, typer.Argument(metavar="TARGET.yaml", help="The scenario file to write; missing folders are created.")
    ],
    force: Annotated[bool, typer.Option("--force", help="Overwrite TARGET if it exists.")] = False,
) -> None:
    """Write the scenario that was run, as a file to run again.

    The file contains all series, and needs no other file.
    """
    from scenarios.files import save_scenario
    from scenarios.results import ResultsReader, is_sweep_file, named_results, refuse_existing

    path = named_results(file)
    if is_sweep_file(path):
        raise typer.BadParameter(f"{path} holds a sweep, which keeps no scenario", param_hint="FILE")
    refuse_shared_files(read=(path,), written=(("TARGET.yaml", target),))
    refuse_existing(target, overwrite=force)
    with ResultsReader(path) as results:
        save_scenario(results.scenario, target)
    echo(str(target))


@app.command("export", epilog="Example: ssmic results export latest --format csv --to street-csv")
def export(
    file: ResultsFile,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder for the tables; created if missing.")],
    format_: Annotated[
        Literal["csv", "json", "parquet"], typer.Option("--format", help="Format of the tables.")
    ] = "csv",
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
) -> None:
    """Write the results as tables, one file per table.

    Other programs can read them: CSV, JSON or Parquet.
    """
    from scenarios.results import ResultsReader, export_results, is_sweep_file, named_results

    path = named_results(file)
    if is_sweep_file(path):
        from scenarios.sweep import export_sweep, read_sweep

        export_sweep(read_sweep(path), format_, to, overwrite=force, wrote=echo)
        return
    with ResultsReader(path) as results:
        export_results(results, format_, to, overwrite=force, wrote=echo)


_REPORT_EXAMPLES = """
\b
Examples:
  ssmic results report latest --to report.html
  ssmic results report A.sqlite B.sqlite --to report.html    several simulations, compared
"""


@app.command(
    "report",
    epilog=_REPORT_EXAMPLES,
    short_help="Write an HTML page with charts and tables.",
)
def report(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Results files, one or several; `latest` for the newest one.")
    ],
    to: Annotated[Path, typer.Option(metavar="PAGE", help="The HTML file to write; its folder is created if missing.")],
    interval: Interval = DEFAULT_INTERVAL_MIN,
    utc: Utc = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write one or several simulations, or a sweep, as a self-contained HTML page with charts and tables.

    Each chart can be saved from the page, as SVG or PNG.
    """
    from contextlib import ExitStack

    from scenarios.results import ResultsReader, is_sweep_file, named_results
    from scenarios.results.report import write_report

    paths = list(dict.fromkeys(named_results(file) for file in files))
    refuse_shared_files(read=paths, written=(("--to", to),))
    if any(is_sweep_file(path) for path in paths):
        if len(paths) > 1:
            raise typer.BadParameter("a sweep has a report of its own; name one file", param_hint="FILE")
        _refuse_for_sweep(paths[0], interval, utc=utc)
        from scenarios.sweep import read_sweep, write_sweep_report

        write_sweep_report(read_sweep(paths[0]), to, overwrite=force)
        echo(to)
        return
    with ExitStack() as opened:
        simulations = [opened.enter_context(ResultsReader(path)) for path in paths]
        write_report(simulations, to, interval_s=60 * interval, utc=utc, overwrite=force)
    echo(to)


_FIGURE_EXAMPLES = """
\b
Examples:
  ssmic results figure latest --to day.pdf
  ssmic results figure latest --kind gantt --run 2 --to contracts.svg
  ssmic results figure A.sqlite B.sqlite --to comparison.png
"""


@app.command("figure", epilog=_FIGURE_EXAMPLES, short_help="Draw a figure for a paper, as PDF, SVG or PNG.")
def figure(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Results files, one or several, or a sweep; or `latest`.")
    ],
    to: Annotated[
        Path,
        typer.Option(metavar="FIGURE", help="The file to write; its extension decides the format: .pdf, .svg, .png."),
    ],
    kind: Annotated[
        Literal["day", "gantt", "comparison"] | None,
        typer.Option(
            help="day: power over the day; gantt: windows and contracts; comparison: means with 95 % intervals. "
            "[default: day for one simulation, comparison for several and for a sweep]"
        ),
    ] = None,
    run: Annotated[int, typer.Option(min=1, help="Run of a simulation, counted from 1.")] = 1,
    day: Annotated[int, typer.Option(min=1, help="Day of a run of more than two days, counted from 1.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Draw a figure for a paper: the day's profile, contracts as a Gantt chart, or a comparison.

    It needs matplotlib: pip install 'ssmic[figures]'.
    """
    from scenarios import FigureKindError, write_figure
    from scenarios.results import is_sweep_file, named_results

    paths = [named_results(file) for file in files]
    refuse_shared_files(read=paths, written=(("--to", to),))
    compares = kind == "comparison" or (kind is None and (len(set(paths)) > 1 or is_sweep_file(paths[0])))
    for option, number in (("--run", run), ("--day", day)):
        if number != 1 and (compares or (option == "--day" and kind == "gantt")):
            shown = "a comparison shows all runs" if compares else "a Gantt chart shows all days"
            raise typer.BadParameter(shown, param_hint=option)
    try:
        warnings = write_figure(paths, to, kind=kind, run=run, day=day, overwrite=force)
    except FigureKindError as error:
        raise typer.BadParameter(str(error), param_hint="--kind") from None
    print_notes(warnings)
    echo(to)
