"""`ssmic scenarios`: list, show and copy the bundled scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tui.cli.options import AsJson, complete_scenario, refuse_before_subcommand
from tui.safe_output import echo

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_EXAMPLES = """
\b
Examples:
  ssmic scenarios
  ssmic scenarios show cloud-front
  ssmic scenarios copy cloud-front my-front.yaml
"""


BundledName = Annotated[
    str, typer.Argument(metavar="NAME", help="A bundled scenario.", autocompletion=complete_scenario)
]


@app.callback(invoke_without_command=True, epilog=_EXAMPLES)
def scenarios(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List, show and copy the bundled scenarios."""
    if ctx.invoked_subcommand is not None:
        refuse_before_subcommand(ctx)
        return
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
                        "events": len(scenario.timeline),
                        "expectations": len(scenario.expectations),
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

    from tui.cli.output import output

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("name", no_wrap=True)
    for title in ("houses", "producers", "jobs"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("description")
    for scenario in loaded:
        counts = (len(scenario.houses), len(scenario.producers), len(scenario.jobs))
        table.add_row(scenario.name, *map(str, counts), scenario.description)
    output().print(table)


@app.command(epilog="Example: ssmic scenarios show cloud-front")
def show(name: BundledName) -> None:
    """Print the file of a bundled scenario.

    The comment at its top explains what it shows.
    """
    echo(_text(name), nl=False)


@app.command(epilog="Example: ssmic scenarios copy cloud-front my-front.yaml")
def copy(
    name: BundledName,
    target: Annotated[
        Path | None,
        typer.Argument(metavar="[TARGET.yaml]", help="The copy; missing folders are created. [default: NAME.yaml]"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite TARGET if it exists.")] = False,
) -> None:
    """Copy the file of a bundled scenario, to change it."""
    from scenarios.files import write_text
    from scenarios.results import refuse_existing

    text = _text(name)
    path = target or Path(f"{name}.yaml")
    if path.is_dir():
        path /= f"{name}.yaml"
    refuse_existing(path, overwrite=force)
    write_text(text, path)
    echo(str(path))


def _text(name: str) -> str:
    from scenarios.load import bundled_names, bundled_text
    from tui.cli.app import did_you_mean, likely

    names = bundled_names()
    if name not in names:
        known = did_you_mean(likely(name, names)) or f" Bundled are: {', '.join(names)}."
        raise typer.BadParameter(f"there is no bundled scenario {name!r}.{known}", param_hint="NAME")
    return bundled_text(name)
