"""`ssmic import`: convert input of PySSMic or GreenCharge to a YAML scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tui.exit_codes import print_notes
from tui.formatting import size_of
from tui.safe_output import echo

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_EXAMPLES = """
\b
Examples:
  ssmic import pyssmic/test my-test.yaml
  ssmic import neighbourhood.xml --jobs jobs.xml my-street.yaml
  ssmic import neighbourhood.pkl my-street.yaml
  ssmic import Simulations/pilot pilot.yaml                         a simulation's folder of GreenCharge
  ssmic import neighborhood.xml --jobs loads.xml --loads Inputs pilot.yaml
"""


@app.command(epilog=_EXAMPLES)
def import_(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", help="An input folder of PySSMic or GreenCharge, a neighbourhood XML or pickle."
        ),
    ],
    target: Annotated[
        Path, typer.Argument(metavar="TARGET.yaml", help="Scenario file to write; missing folders are created.")
    ],
    jobs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="PySSMic's jobs or GreenCharge's loads for the neighbourhood, XML. [default: none for PySSMic; for "
            "GreenCharge those beside it]",
        ),
    ] = None,
    loads: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER", help="Folder with the load profiles that the neighbourhood refers to; repeatable."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite TARGET if it exists.")] = False,
) -> None:
    """Convert PySSMic or GreenCharge input to a scenario, and list what was assumed or left out.

    The input is a folder, a neighbourhood XML with or without a jobs XML, or a neighbourhood pickle. Nothing in a
    pickle is executed.
    """
    from scenarios.files import coverage_notes, save_scenario
    from scenarios.importers import import_source
    from scenarios.results import refuse_existing

    if target.suffix not in {".yaml", ".yml"}:
        raise typer.BadParameter(f"{target}: expected a name that ends in .yaml", param_hint="TARGET.yaml")
    refuse_existing(target, overwrite=force)
    imported = import_source(source, jobs=jobs, loads=loads or ())
    save_scenario(imported.file, target)
    scenario = imported.scenario
    notes = [*imported.notes, *(note.what for note in coverage_notes(scenario))]
    if not scenario.jobs:
        notes.append("there are no jobs, so its run ends at once; --jobs FILE adds jobs from an XML file")
    print_notes(notes)
    echo(f"{target}: {size_of(scenario)}")
