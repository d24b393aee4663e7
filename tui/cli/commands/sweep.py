"""`ssmic sweep`: run a scenario with varied settings and values, on all cores or on a cluster, resumable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker import inode_of
from tui.cli.options import AllowOutside, AsJson, CompareTo, ScenarioArgument, refuse_shared_files, refuse_without
from tui.log_level import LogLevel

if TYPE_CHECKING:
    from scenarios.sweep import SweepPlan

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_EXAMPLES = """
\b
Examples:
  ssmic sweep street --vary algorithm=insertion,exact --seeds 20
  ssmic sweep street --vary penalty=0.5:2:4 --set algorithm=SLSQP --seeds 20 --workers 4 --out sweep.sqlite
  ssmic sweep street --vary 'jobs[*].latest_start=23:00,23:50' --seeds 5 --to table.csv --to figure.svg
  ssmic sweep street --vary algorithm=insertion,exact --vary node_limit=5:50 --sample 30 --dask local
  ssmic sweep street --vary algorithm=SLSQP,TNC --vary penalty=1,10 --zip algorithm,penalty
  ssmic sweep street --set supply=shared --vary 'prefer=[covered],[cheapest,own-roof]'
  ssmic results report sweep.sqlite --to report.html

\b
What can be varied or set: algorithm, penalty, step_size, tolerance, node_limit, negotiation, ask_at_once, ranking,
supply, days, patient, hosts; variables of the scenario's vars; and values of its file by their path, whose list items
are named by number, by id or by * for all:
  tariff.import_eur_per_kwh=0.2:0.4:3      houses[adler].devices[0].name=Car      jobs[adler-car].latest_start=13:00

Exit codes: 0 done, 1 a run failed, 2 wrong usage, 3 invalid scenario, 130 or 143 stopped by Ctrl-C or SIGTERM: the
same command continues with the missing runs.
"""


@app.command(epilog=_EXAMPLES)
def sweep(
    ctx: typer.Context,
    scenario: ScenarioArgument,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUES",
            help="Run with each of these values: A,B,C or LOW:HIGH:COUNT (:log at the end: even ratios). "
            "Repeatable: every combination is run.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Use this value in all runs; it may be a list or mapping as in YAML. Repeatable.",
        ),
    ] = None,
    zip_: Annotated[
        list[str] | None,
        typer.Option(
            "--zip",
            metavar="KEY,KEY",
            help="Combine the first values of these keys, then the second values, ..., instead of every combination. "
            "Repeatable.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each combination, each with its own seed.")] = 10,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The first seed; others follow it. [default: from the scenario]")
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Run N combinations only, a Latin hypercube sample; a range then needs no COUNT. "
            "[default: every combination]",
        ),
    ] = None,
    sample_seed: Annotated[int, typer.Option(min=0, help="With --sample: seed of the sample.")] = 1,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes. [default: one per core]")] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="URL|local",
            help="Run on a Dask cluster: the URL of its scheduler, tcp://host:8786, or local for workers on this "
            "machine. Needs pip install 'ssmic[dask]'.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The results file; if it holds the beginning of this sweep, the missing runs are added. "
            "[default: results/sweep_<scenario>_<hash of the sweep>.sqlite]",
        ),
    ] = None,
    to: CompareTo = None,
    force: Annotated[bool, typer.Option("--force", help="With --to: overwrite files of the same names.")] = False,
    allow_outside: AllowOutside = False,
    as_json: AsJson = False,
    log_level: LogLevel = None,
) -> None:
    """Run a scenario many times with varied settings and values, and compare.

    Each combination of values is run with the same seeds, and each run starts from fresh producer scores. Repeat
    the same command to resume a sweep that was stopped. Results do not depend on the number of workers, nor on how
    often the sweep was stopped.
    """
    from scenarios.results.comparison import check_files, write_comparison
    from scenarios.sweep import SweepRequest, compared_points, default_file, plan_sweep, read_sweep, sweep_json
    from tui.cli.output import notes, output, own_output
    from tui.cli.simulate import print_json
    from tui.cli.sweep_tables import show_sweep
    from tui.exit_codes import FAILED, complain, print_notes
    from tui.logs import configure_logs
    from tui.safe_output import plugins_on_stderr

    targets = to or []
    refuse_without(ctx, "force", "--to FILE", is_there=bool(targets))
    refuse_without(ctx, "sample", "--vary KEY=VALUES", is_there=bool(vary))
    refuse_without(ctx, "sample_seed", "--sample N", is_there=sample is not None)
    if workers is not None and dask not in {None, "local"}:
        raise typer.BadParameter("cannot be combined with --dask URL: the cluster has its own", param_hint="--workers")
    check_files(targets, overwrite=force)
    refuse_shared_files(read=(scenario,), written=(("--out", out), *(("--to", file) for file in targets)))
    configure_logs(log_level or ctx.obj)
    request = SweepRequest(
        scenario,
        tuple(vary or ()),
        tuple(set_ or ()),
        seeds,
        seed,
        sample,
        sample_seed,
        allow_outside,
        tuple(zip_ or ()),
    )
    with plugins_on_stderr():
        plan = plan_sweep(request)
    print_notes(plan.notes)
    path = out or default_file(plan)
    with own_output():
        with plugins_on_stderr():
            failed = _run(plan, path, workers=workers, dask=dask)
        results = read_sweep(path)
        if as_json:
            print_json(sweep_json(results))
        elif results.rows:
            show_sweep(output(), results)
            output().print(f"Results: {path}", soft_wrap=True)
        if targets and failed:
            complain(f"not written, because runs failed: {', '.join(map(str, targets))}")
        elif targets:
            write_comparison(compared_points(results), targets, overwrite=force)
            for target in targets:
                notes().print(f"Written: {target}", soft_wrap=True)
        if failed:
            complain(f"{failed} of {plan.count} runs failed; the same command tries them again")
            raise typer.Exit(FAILED)


def _run(plan: SweepPlan, path: Path, *, workers: int | None, dask: str | None) -> int:
    """Run what is missing of a sweep; return how many runs failed.

    Args:
        plan: The sweep.
        path: The results file.
        workers: Worker processes; None: one per core.
        dask: The cluster; None: there is none.

    Raises:
        typer.Exit: It was interrupted, or could not begin.
    """
    from scenarios.sweep import read_sweep, run_sweep
    from tui.cli.simulate import reporting_interruption
    from tui.cli.sweep_tables import sweep_progress
    from tui.exit_codes import USAGE, complain
    from tui.signals import run_until_interrupted

    failed = 0
    with reporting_interruption() as codes, sweep_progress(plan) as progress:
        outcome = run_until_interrupted(run_sweep(plan, path, workers=workers, dask=dask, on_progress=progress))
        failed = len(outcome.failed)
        for row in outcome.failed[:5]:
            complain(f"run {row.run} failed: {row.error}")
    if not codes:
        return failed
    if codes[0] != USAGE and inode_of(path) is not None:
        done = read_sweep(path).done_runs
        complain(f"{done} of {plan.count} runs are kept in {path}; the same command continues from there")
    raise typer.Exit(codes[0])
