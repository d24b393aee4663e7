"""A simulation from the command line: progress during the run, then a table or one JSON object.

The scenario's expectations are printed, and written as JUnit XML.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from broker import SsmicError, printable_json
from scenarios.expectations import Verdict, judge_simulation, junit_xml
from scenarios.files.series import forget_tables
from scenarios.results import ResultsError, ResultsReader, simulation_json, whole_file
from scenarios.results.comparison import SimulationComparison, compare_simulations, comparison_json, write_comparison
from scenarios.simulation import Plan, RunOutcome, open_simulation
from tui.cli.outcome_tables import show_outcome
from tui.cli.output import notes, optimum_progress, output, own_output, progress_of
from tui.cli.results_tables import show_comparison
from tui.exit_codes import FAILED, INTERRUPTED, UNMET, code_for, complain, print_error
from tui.log_level import LogLevelName
from tui.logs import configure_logs, log_file_of, logs_in_workers
from tui.safe_output import plugins_on_stderr
from tui.signals import end_now, exit_code, run_until_interrupted, stopping_on_signals

if TYPE_CHECKING:
    from scenarios import Scenario
    from scenarios.optimum import SupplyRules

WIDTH = 80
"""Longer lines are broken."""


def report_verdicts(
    scenario: str, files: Sequence[Path], junit: Path | None, wall_s: float, failure: str, *, is_quiet: bool
) -> bool:
    """Print and write the verdicts on a scenario's expectations; return whether all hold.

    Args:
        scenario: Name of the scenario.
        files: Results files.
        junit: Where to write JUnit XML; None: nowhere.
        wall_s: How long all took, wall-clock seconds.
        failure: Why not all runs ended; empty: they did.
        is_quiet: Whether nothing is printed.

    Raises:
        ResultsError: A file cannot be read or written.
    """
    verdicts = verdicts_of(files)
    if junit is not None:
        write_junit(junit, scenario, verdicts, wall_s, failure)
    if not is_quiet:
        show_verdicts(verdicts)
    return all(verdict.holds for of in verdicts.values() for verdict in of)


def verdicts_of(files: Sequence[Path]) -> dict[str, tuple[Verdict, ...]]:
    """Return the verdicts in results files, by algorithm and run; only of runs that were judged."""
    found: dict[str, tuple[Verdict, ...]] = {}
    for file in files:
        with ResultsReader(file) as results:
            for run in results.runs():
                verdicts = tuple(Verdict(**verdict) for verdict in results.verdicts(run.run))
                if verdicts:
                    found[f"{results.info.algorithm} seed {run.seed}"] = verdicts
    return found


def show_verdicts(verdicts: Mapping[str, Sequence[Verdict]]) -> None:
    """Print each expectation with its value; of several runs, those that fail, and in how many runs all hold."""
    console = output()
    are_several = len(verdicts) > 1
    if are_several:
        good = sum(all(verdict.holds for verdict in of) for of in verdicts.values())
        where = f"all {len(verdicts)}" if good == len(verdicts) else f"{good} of {len(verdicts)}"
        console.print(f"All expectations hold in {where} runs", soft_wrap=True, markup=False, highlight=False)
    for run, of in verdicts.items():
        held = sum(verdict.holds for verdict in of)
        shown = [verdict for verdict in of if not (are_several and verdict.holds)]
        if not shown:
            continue
        console.print(f"Expectations, {run}: {held} of {len(of)} hold", soft_wrap=True, markup=False, highlight=False)
        for verdict in shown:
            line = f"  {verdict}"
            if len(line) <= WIDTH:
                lines = [line]
            else:
                mark = "holds" if verdict.holds else "FAILS"
                why = [verdict.error] if verdict.error else verdict.values.split(", ")
                lines = [f"  {mark}  {verdict.title}", *(f"         {value}" for value in why)]
            console.print("\n".join(lines), soft_wrap=True, markup=False, highlight=False)


def write_junit(
    path: Path, scenario: str, verdicts: Mapping[str, Sequence[Verdict]], wall_s: float, failure: str = ""
) -> None:
    """Write the verdicts on a scenario's expectations as JUnit XML.

    Args:
        path: The file.
        scenario: Name of the scenario.
        verdicts: By name of the run.
        wall_s: Duration of the test, wall-clock seconds.
        failure: Why there is no verdict on all runs; empty: there is.

    Raises:
        ResultsWriteError: The file cannot be written.
    """
    with whole_file(path) as draft:
        draft.write_bytes(junit_xml(scenario, verdicts, wall_s, failure))
    notes().print(f"Written: {path}", soft_wrap=True)


@contextmanager
def junit_of_failure(junit: Path | None, scenario: str) -> Iterator[None]:
    """If the block fails, write JUnit XML that says why, so that no report of an earlier run is taken for this one's.

    Args:
        junit: Where to write it; None: nowhere.
        scenario: The scenario as the user named it.

    Raises:
        ResultsWriteError: The file cannot be written.
    """
    try:
        yield
    except SsmicError as error:
        if junit is not None:
            write_junit(junit, scenario, {}, 0.0, str(error))
        raise


def simulate(
    plans: Sequence[Plan],
    level: LogLevelName | None,
    *,
    as_json: bool,
    compare_wall_s: float | None = None,
    compare_supply: SupplyRules | None = None,
    to: Sequence[Path] = (),
    overwrite: bool = False,
    record: Path | None = None,
    junit: Path | None = None,
) -> None:
    """Run one plan, or several in sequence and compare them; if one does not end, finished ones are still shown.

    Args:
        plans: The plans to run: the same scenario and seeds with different algorithms.
        level: The log level.
        as_json: Print one JSON object instead of a table.
        compare_wall_s: How long the clairvoyant optimum may be sought for each, real seconds; None: it is not.
        compare_supply: For which rules of supply the optimum is sought; None: that of the run.
        to: Files for the comparison.
        overwrite: Whether these may exist already.
        record: Where to record what real devices said; None: in the results file only.
        junit: Where the verdicts on the scenario's expectations are written as JUnit XML; None: nowhere.
    """
    began_wall_s = time.monotonic()
    with own_output():
        files: list[Path] = []
        failures: list[SsmicError] = []
        with plugins_on_stderr():
            code = _run_all(plans, level, files, failures, compare_wall_s, compare_supply)
        all_hold = True
        with after_failing(code, failures), junit_of_failure(junit, plans[0].scenario.name):
            comparison = _show(plans, files, as_json=as_json, record=record, is_compared=bool(to) and not code)
            if to and comparison is not None and not code:
                _write(comparison, to, overwrite=overwrite)
            elif to:
                complain(f"not written, because not all runs ended: {', '.join(map(str, to))}")
            all_hold = report_verdicts(
                plans[0].scenario.name,
                files,
                junit,
                time.monotonic() - began_wall_s,
                f"not all runs ended (exit code {code})" if code else "",
                is_quiet=as_json,
            )
        if not code and not all_hold:
            complain("an expectation of the scenario does not hold")
            code = UNMET
        if code:
            raise typer.Exit(code)


def _run_all(
    plans: Sequence[Plan],
    level: LogLevelName | None,
    files: list[Path],
    failures: list[SsmicError],
    compare_wall_s: float | None,
    compare_supply: SupplyRules | None,
) -> int:
    """Run the plans in sequence until one does not end, compare each with its optimum, and judge it.

    Args:
        plans: The plans.
        level: The log level.
        files: Receives the results file of each plan as soon as there is one.
        failures: Receives the errors that were reported.
        compare_wall_s: See `simulate`.
        compare_supply: See there.

    Returns:
        The exit code.
    """
    for number, plan in enumerate(plans, start=1):
        with reporting_interruption() as codes:  # one just before or after the run itself
            if len(plans) > 1:
                notes().print(f"Algorithm {number} of {len(plans)}: {plan.algorithm.name}", soft_wrap=True)
            # Here results are written, not read: that this fails is no fault of the input.
            with reporting_interruption(codes, results_error=FAILED, failures=failures):
                try:
                    codes.append(run_until_interrupted(_run_plan(plan, level, files)))
                    if compare_wall_s is not None:
                        _compare(files[-1], compare_wall_s, compare_supply)
                    judge_simulation(files[-1], plan.scenario)
                finally:
                    configure_logs(level)
        if code := next(filter(None, codes), 0):
            return code
    return 0


def _show(
    plans: Sequence[Plan], files: Sequence[Path], *, as_json: bool, record: Path | None, is_compared: bool
) -> SimulationComparison | None:
    """Print the results of one plan, or of several and how they compare; return the comparison.

    Args:
        plans: The plans.
        files: Their results, as far as there are any.
        as_json: Print one JSON object.
        record: Where to record what real devices said.
        is_compared: Whether a single plan is compared, too.
    """
    if len(plans) > 1:
        comparison = _comparison(files)
        _show_compared(plans[0].scenario.name, files, comparison, as_json=as_json)
        return comparison
    for file in files:
        show_results(file, as_json=as_json, record=record, scenario=plans[0].scenario)
    return _comparison(files) if is_compared else None


async def _run_plan(plan: Plan, level: LogLevelName | None, files: list[Path]) -> int:
    """Run a plan, add its results file to `files` as soon as there is one, and return the exit code."""
    forget_tables()
    async with open_simulation(plan) as simulation:
        files.append(simulation.results_file)
        log_file = log_file_of(simulation.results_file)
        configure_logs(level, log_file)
        notes().print(f"Broker: {simulation.broker.description}", soft_wrap=True)
        if plan.scenario.gateways and plan.replay is None and plan.has_private_broker:
            notes().print(
                "Real devices cannot connect to this private broker, only this user's `ssmic` commands, such as "
                "`ssmic lab`; --broker URL names the devices' broker",
                soft_wrap=True,
            )
        if plan.home_assistant and plan.has_private_broker:
            notes().print(
                "Home Assistant cannot connect to this private broker; --broker URL names the broker that it uses",
                soft_wrap=True,
            )
        if plan.has_open_end:
            notes().print("Real devices take part until the run is stopped (Ctrl-C); --days N ends it", soft_wrap=True)
        if scores := _scores_note(
            plan, has_earlier=any(planned.settings.scores for planned in simulation.planned_runs)
        ):
            notes().print(scores, soft_wrap=True)
        with progress_of(plan) as (on_progress, on_report):
            outcomes = await simulation.run(on_progress, logs_in_workers(level, log_file), on_report)
    return exit_code_of(outcomes)


def exit_code_of(outcomes: Sequence[RunOutcome]) -> int:
    """Return the exit code of runs that have ended; say so if a clock was asked to stop, over the broker."""
    if all(outcome.state == "done" for outcome in outcomes):
        return 0
    complain("stopped before the end")
    return INTERRUPTED


@contextmanager
def reporting_interruption(
    codes: list[int] | None = None,
    results_error: int | None = None,
    code_of: Callable[[SsmicError], int] = code_for,
    failures: list[SsmicError] | None = None,
) -> Iterator[list[int]]:
    """Run the block; if it is interrupted, report why, and continue after it.

    Args:
        codes: Where the exit code is added then; None: a new list.
        results_error: Exit code of a results file that cannot be used; None: that of invalid input.
        code_of: Returns the exit code of an error.
        failures: Receives the error that was reported.

    Yields:
        The list of exit codes.
    """
    codes = [] if codes is None else codes
    try:
        yield codes
    except KeyboardInterrupt:
        complain("interrupted")
        codes.append(exit_code())
    except SsmicError as error:
        print_error(error)
        if failures is not None:
            failures.append(error)
        codes.append(results_error if results_error is not None and type(error) is ResultsError else code_of(error))


def _scores_note(plan: Plan, *, has_earlier: bool) -> str:
    if plan.start_scores is None:
        kept = plan.kept_scores().path
        return f"Scores continue from earlier simulations in {kept}; --reset-scores starts fresh" if has_earlier else ""
    if plan.start_scores:
        return f"Scores: each run begins with those in {plan.scores_file}; the file is not changed"
    return "Scores: each run begins with fresh scores; those of earlier simulations are neither used nor changed"


@contextmanager
def after_failing(code: int, failures: Sequence[SsmicError]) -> Iterator[None]:
    """If the run has already failed, unreadable results are only reported, unless the same was said of writing them.

    Args:
        code: The exit code of the run.
        failures: The errors that were reported before.
    """
    try:
        yield
    except ResultsError as error:
        if not code:
            raise
        if not any(_is_same_damage(error, failure) for failure in failures):
            print_error(error)


def _is_same_damage(error: SsmicError, failure: SsmicError) -> bool:
    """Return whether a results file cannot be read because it is damaged, as an error of writing it said before."""
    # A full disk or a lock is an OperationalError, and leaves the file readable.
    was_damaged = isinstance(failure, ResultsError) and type(failure.__cause__) is sqlite3.DatabaseError
    return was_damaged and str(error).partition(": ")[0] == str(failure).partition(": ")[0]


def _compare(results_file: Path, time_limit_wall_s: float, supply: SupplyRules | None) -> None:
    from scenarios.optimum import compare

    with stopping_on_signals(end_now), optimum_progress(time_limit_wall_s) as progress:
        compare(results_file, time_limit_wall_s, progress, supply=supply)


def show_results(
    results_file: Path, *, as_json: bool, record: Path | None = None, scenario: Scenario | None = None
) -> None:
    """Print the content of `results_file`: a table, or one JSON object if `as_json`.

    If `record` is given, write the messages of real devices to that file. The file's `scenario` need not be read again
    if it is given.
    """
    if record is not None:
        save_recording(results_file, record)
    with ResultsReader(results_file, scenario) as results:
        summary = simulation_json(results, brief=not as_json)
    if as_json:
        print_json(summary)
        return
    console = output()
    show_outcome(console, summary)
    console.print(f"Results: {results_file}", soft_wrap=True)


def print_json(content: object) -> None:
    """Print a single JSON object on standard output."""
    sys.stdout.write(printable_json(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)) + "\n")
    sys.stdout.flush()


def _comparison(files: Sequence[Path]) -> SimulationComparison | None:
    """Compare the simulations that have a completed run; None if none has."""
    ended = []
    for file in files:
        with ResultsReader(file) as results:
            if any(run.state == "done" for run in results.runs()):
                ended.append(file)
    return compare_simulations(ended) if ended else None


def _write(comparison: SimulationComparison, to: Sequence[Path], *, overwrite: bool) -> None:
    write_comparison(comparison, to, overwrite=overwrite)
    for path in to:
        notes().print(f"Written: {path}", soft_wrap=True)


def _show_compared(
    scenario: str, files: Sequence[Path], comparison: SimulationComparison | None, *, as_json: bool
) -> None:
    if as_json:
        simulations = []
        for file in files:
            with ResultsReader(file) as results:
                simulations.append(simulation_json(results))
        compared = None if comparison is None else comparison_json(comparison)
        print_json({"scenario": scenario, "simulations": simulations, "comparison": compared})
        return
    console = output()
    if comparison is not None:
        show_comparison(console, comparison)
    counted = () if comparison is None else [one.path for one in comparison.simulations]
    for file in files:
        left_out = "" if file in counted else " (no finished run, so it is not compared)"
        console.print(f"Results: {file}{left_out}", soft_wrap=True)


def save_recording(results_file: Path, record: Path) -> None:
    """Write the session in a results file to a separate file.

    Raises:
        RecordingWriteError: The file cannot be written.
    """
    from scenarios.simulation import read_recording

    read_recording(results_file).save(record)
