"""`ssmic compose`: a Compose file for any scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tui.cli.options import ScenarioArgument, parse_id

app = typer.Typer(rich_markup_mode=None)

_EXAMPLES = """
\b
Examples:
  ssmic compose street > docker-compose.yml             everything on this machine
  ssmic compose my-street.yaml --secrets guard          with the logins that `ssmic broker init guard` wrote
  ssmic compose my-street.yaml --secrets guard --house adler --broker mqtts://broker.example:8883
                                                        one household, for a machine of its own
"""


@app.command(epilog=_EXAMPLES, short_help="Print a Compose file: a container for every household.")
def compose(
    scenario: ScenarioArgument,
    house: Annotated[
        list[str] | None,
        typer.Option(
            "--house",
            metavar="ID",
            help="Only this household's service; may be repeated. [default: all]",
            parser=parse_id,
        ),
    ] = None,
    central: Annotated[
        bool, typer.Option("--central", help="No household: broker and clock, for households on other machines.")
    ] = False,
    broker: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The broker, where it and the clock are on another machine.", show_default=False
        ),
    ] = None,
    secrets: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="What `ssmic broker init` wrote. [default: a service writes it into volumes]",
            show_default=False,
        ),
    ] = None,
    client_certificates: Annotated[
        bool, typer.Option("--client-certificates", help="Clients log in by certificate instead of by password.")
    ] = False,
    image: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="An image that is there. [default: built from ./Dockerfile]", show_default=False
        ),
    ] = None,
) -> None:
    """Print a Compose file: a guarded broker, the clock with the manager, and each household a container of its own."""
    from agents import MANAGER
    from broker.transport import parse_url
    from scenarios.deployment import ComposePlan, compose_text, place_of
    from scenarios.load import load_scenario
    from scenarios.simulation import homes_of

    if (broker is not None or central) and secrets is None:
        hint = "--broker" if broker is not None else "--central"
        raise typer.BadParameter(
            "needs --secrets: the logins of several machines are made in one place", param_hint=hint
        )
    if central and (house or broker is not None):
        raise typer.BadParameter("goes with neither --house nor --broker", param_hint="--central")
    if broker is not None and parse_url(broker).password is not None:
        raise typer.BadParameter("a password has no place in a Compose file", param_hint="--broker")
    loaded = load_scenario(scenario)
    households = [host for host in homes_of(loaded) if host != MANAGER]
    unknown = [name for name in house or () if name not in households]
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]!r} is no house with a device: {', '.join(households)}", param_hint="--house"
        )
    plan = ComposePlan(
        name=loaded.name,
        scenario=place_of(scenario),
        households=() if central else tuple(house or households),
        seed=loaded.seed,
        client_certificates=client_certificates,
        image=image,
        secrets=secrets,
        broker=broker,
    )
    typer.echo(compose_text(plan), nl=False)
