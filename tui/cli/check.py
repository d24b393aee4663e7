"""`ssmic check`: everything that is wrong with a scenario, at once."""

from __future__ import annotations

from typing import Annotated

import typer

from tui.cli.errors import INVALID, complain_about
from tui.cli.options import Scenario

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog="Example: ssmic check my-street.yaml")
def check(
    scenario: Scenario,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Validate a scenario: list all its problems at once.

    Exit code 3 if there are any.
    """
    from scenarios.errors import Problem, ScenarioError
    from scenarios.files import load_scenario

    problems: tuple[Problem, ...] = ()
    try:
        loaded = load_scenario(scenario)
    except ScenarioError as error:
        problems = error.problems
        if not as_json:
            complain_about(error)
    else:
        producers, jobs = len(loaded.producers), len(loaded.jobs)
        if not as_json:
            typer.echo(f"{scenario}: no problems: {len(loaded.houses)} houses, {producers} producers, {jobs} jobs")
    if as_json:
        from tui.cli.simulate import print_json

        print_json({"scenario": scenario, "problems": [{"where": p.where, "what": p.what} for p in problems]})
    if problems:
        raise typer.Exit(INVALID)
