"""Options that the processes of a deployed run share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from broker.identifiers import canonical, identifier_problem, shown


def parse_id(value: str) -> str:
    """Return an id from the command line in its one form.

    Raises:
        typer.BadParameter: It cannot be an id.
    """
    problem = identifier_problem(value)
    if problem is not None:
        raise typer.BadParameter(f"{shown(value)} {problem}")
    return canonical(value)


Broker = Annotated[
    str,
    typer.Option(
        metavar="URL", help="mqtt[s]://[user:password@]host[:port] of the broker that all share.", envvar="SSMIC_BROKER"
    ),
]
Run = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="ID",
        help="The run's id, the same for all. [default: the scenario's name]",
        envvar="SSMIC_RUN",
        parser=parse_id,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, help="The run's seed, the same for all. [default: the scenario's]", envvar="SSMIC_SEED"),
]
Impatient = Annotated[
    bool,
    typer.Option(
        "--impatient", help="A job that no producer can serve takes grid power at once.", envvar="SSMIC_IMPATIENT"
    ),
]
Journal = Annotated[
    Path,
    typer.Option(
        metavar="FOLDER",
        help="Where the process keeps what it needs to come back after a crash.",
        envvar="SSMIC_JOURNAL",
    ),
]
Limit = Annotated[
    float,
    typer.Option(
        "--limit",
        min=0.1,
        metavar="S",
        help="Seconds without contact to a household or to the broker before the run gives up.",
        envvar="SSMIC_LIMIT",
    ),
]
DEFAULT_JOURNAL = Path("journal")
DEFAULT_LIMIT_WALL_S = 300.0
