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
    """Say all that is wrong with a scenario.

    Exit code 3 if anything is.
    """
    from scenarios.errors import ScenarioError
    from scenarios.files import check_scenario, load_scenario

    problems = check_scenario(scenario)
    if as_json:
        from tui.cli.simulate import print_json

        print_json({"scenario": scenario, "problems": [{"where": p.where, "what": p.what} for p in problems]})
    elif problems:
        complain_about(ScenarioError(problems))
    else:
        loaded = load_scenario(scenario)
        producers = len(loaded.producers)
        typer.echo(
            f"{scenario}: nothing is wrong: {len(loaded.houses)} houses, {producers} producers, {len(loaded.jobs)} jobs"
        )
    if problems:
        raise typer.Exit(INVALID)
