"""`ssmic scenarios`: list the bundled scenarios."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog="Example: ssmic scenarios, then ssmic run street")
def scenarios(
    as_json: Annotated[bool, typer.Option("--json", help="Print a single JSON object on standard output.")] = False,
) -> None:
    """List the bundled scenarios."""
    from scenarios.load import bundled_names, load_scenario

    loaded = [load_scenario(name) for name in bundled_names()]
    if as_json:
        from tui.cli.simulate import print_json

        print_json(
            {
                "scenarios": [
                    {
                        "name": scenario.name,
                        "description": scenario.description,
                        "houses": len(scenario.houses),
                        "producers": len(scenario.producers),
                        "jobs": len(scenario.jobs),
                        "start": scenario.start_s,
                        "days": scenario.days,
                    }
                    for scenario in loaded
                ]
            }
        )
        return
    from rich import box
    from rich.table import Table

    from tui.console import output

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("name", no_wrap=True)
    for title in ("houses", "producers", "jobs"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("description")
    for scenario in loaded:
        counts = (len(scenario.houses), len(scenario.producers), len(scenario.jobs))
        table.add_row(scenario.name, *map(str, counts), scenario.description)
    output().print(table)
