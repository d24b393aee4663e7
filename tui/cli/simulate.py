"""A simulation from the command line: progress while it goes on, then a table or one JSON object."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from broker.errors import SsmicError
from scenarios.results.errors import ResultsError
from scenarios.results.reader import ResultsReader
from scenarios.results.summary import simulation_json
from scenarios.simulation import Plan, open_simulation
from tui.cli.console import notes, output
from tui.cli.errors import FAILED, INTERRUPTED, code_for, complain, complain_about
from tui.cli.interrupt import end_now, exit_code, run_until_interrupted, signals_heard
from tui.cli.logs import configure_logs, log_file_of, logs_in_workers
from tui.cli.options import LogLevelName
from tui.cli.outcome import show_outcome
from tui.cli.own_output import own_output
from tui.cli.progress import optimum_progress, progress_of


def simulate(plan: Plan, level: LogLevelName | None, *, as_json: bool, compare_wall_s: float | None = None) -> None:
    """Run a plan and say what came of it; what is done is shown too when it fails or is interrupted.

    Args:
        plan: What to run.
        level: What is logged.
        as_json: Print one JSON object instead of a table.
        compare_wall_s: How long the clairvoyant optimum may be sought, real seconds; None: it is not.
    """
    with own_output():
        _simulate(plan, level, as_json=as_json, compare_wall_s=compare_wall_s)


def _simulate(plan: Plan, level: LogLevelName | None, *, as_json: bool, compare_wall_s: float | None) -> None:
    results_file: Path | None = None
    code = 0

    async def run() -> bool:
        nonlocal results_file
        async with open_simulation(plan) as simulation:
            results_file = simulation.results_file
            log_file = log_file_of(results_file)
            configure_logs(level, log_file)
            notes().print(f"Broker: {simulation.broker.description}", soft_wrap=True)
            if any(order.settings.scores for order in simulation.orders):
                kept = f"Scores: as earlier simulations left them in {plan.kept_scores().path} (--reset-scores forgets)"
                notes().print(kept, soft_wrap=True)
            with progress_of(plan) as (on_progress, on_report):
                outcomes = await simulation.run(on_progress, logs_in_workers(level, log_file), on_report)
            return all(outcome.state == "done" for outcome in outcomes)

    try:
        if not run_until_interrupted(run()):
            # Somebody asked the clock to stop, over the broker.
            complain("stopped before the end")
            code = INTERRUPTED
        if results_file is not None and compare_wall_s is not None:
            _compare(results_file, compare_wall_s)
    except KeyboardInterrupt:
        complain("interrupted")
        code = exit_code()
    except SsmicError as error:
        complain_about(error)
        # Here results are written, not read: that this fails is no fault of the input.
        code = FAILED if type(error) is ResultsError else code_for(error)
    finally:
        configure_logs(level)
    if results_file is not None:
        with _after_failing(code):
            show_results(results_file, as_json=as_json)
    if code:
        raise typer.Exit(code)


@contextmanager
def _after_failing(code: int) -> Iterator[None]:
    """Where the run has failed already, that its results cannot be read either is said and changes nothing."""
    try:
        yield
    except ResultsError as error:
        if not code:
            raise
        complain_about(error)


def _compare(results_file: Path, time_limit_wall_s: float) -> None:
    from scenarios.comparison import compare

    with signals_heard(end_now), optimum_progress(time_limit_wall_s) as progress:
        compare(results_file, time_limit_wall_s, progress)


def show_results(results_file: Path, *, as_json: bool) -> None:
    """Print what is in a results file: a table, or one JSON object."""
    with ResultsReader(results_file) as results:
        summary = simulation_json(results)
    if as_json:
        print_json(summary)
        return
    console = output()
    show_outcome(console, summary)
    console.print(f"Results: {results_file}", soft_wrap=True)


def print_json(content: Any) -> None:  # noqa: ANN401 - whatever is fit for JSON
    """Print one JSON object on standard output."""
    sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()
