"""`ssmic check`: all problems of a scenario at once, with notes on likely mistakes."""

from __future__ import annotations

import typer

from broker import plural
from tui.cli.options import AllowOutside, AsJson, ScenarioArgument, SetVariables, chosen_values
from tui.exit_codes import INVALID, print_error, print_notes
from tui.formatting import size_of
from tui.safe_output import echo

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog="Example: ssmic check my-street.yaml")
def check(
    scenario: ScenarioArgument,
    set_: SetVariables = None,
    allow_outside: AllowOutside = False,
    as_json: AsJson = False,
) -> None:
    """Validate a scenario: list all its problems at once.

    The exit code is 3 if there are any. Notes list assumptions, series and jobs whose times do not overlap, jobs
    that must run at the same time as another job of their device, job ids used more than once, and settings without
    effect.
    """
    from scenarios import Problem, ScenarioError, overlap_notes, repeated_id_notes, run_notes
    from scenarios.load import load

    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    try:
        loaded = load(scenario, chosen_values(set_), allow_outside=allow_outside)
    except ScenarioError as error:
        problems = error.problems
        if not as_json:
            print_error(error)
    else:
        found = loaded.scenario
        notes = (
            *loaded.notes,
            *(note.what for note in run_notes(found)),
            *overlap_notes(scenario, found),
            *repeated_id_notes(found),
        )
        if not as_json:
            print_notes(notes)
            said = f", {plural(len(notes), 'note')}" if notes else ""
            echo(f"{scenario}: no problems{said}: {size_of(found)}")
    if as_json:
        from tui.cli.simulate import print_json

        found_wrong = [{"where": problem.where, "what": problem.what} for problem in problems]
        print_json({"scenario": scenario, "problems": found_wrong, "notes": list(notes)})
    if problems:
        raise typer.Exit(INVALID)
