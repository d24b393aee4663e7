"""`ssmic check`: everything that is wrong with a scenario, at once."""

from __future__ import annotations

from typing import Annotated

import typer

from tui.cli.errors import INVALID, complain, complain_about
from tui.cli.options import Scenario

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog="Example: ssmic check my-street.yaml")
def check(
    scenario: Scenario,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Say all that is wrong with a scenario.

    Exit code 3 if anything is. Notes name jobs that must run at the same time as another job of their device.
    """
    from scenarios.errors import Problem, ScenarioError
    from scenarios.files import load_scenario
    from scenarios.files.device_notes import device_notes

    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    try:
        loaded = load_scenario(scenario)
    except ScenarioError as error:
        problems = error.problems
        if not as_json:
            complain_about(error)
    else:
        notes = device_notes(scenario, loaded)
        producers, jobs = len(loaded.producers), len(loaded.jobs)
        if not as_json:
            for note in notes:
                complain(f"note: {note}")
            typer.echo(f"{scenario}: nothing is wrong: {len(loaded.houses)} houses, {producers} producers, {jobs} jobs")
    if as_json:
        from tui.cli.simulate import print_json

        print_json(
            {
                "scenario": scenario,
                "problems": [{"where": p.where, "what": p.what} for p in problems],
                "notes": list(notes),
            }
        )
    if problems:
        raise typer.Exit(INVALID)
