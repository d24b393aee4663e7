"""`ssmic compose`: a Docker Compose file for any scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tui.cli.options import ScenarioArgument, SetVariables, chosen_values, parse_id
from tui.safe_output import echo

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_MOST_MISSING = 3
"""Missing files that a note names at most."""

_EXAMPLES = """
\b
Examples:
  ssmic compose street > docker-compose.yml             everything on this machine
  ssmic compose my-street.yaml --secrets guard          with the logins that `ssmic broker init guard` wrote
  ssmic compose my-street.yaml --secrets guard --house adler --broker mqtts://broker.example:8883
                                                        one household, for a machine of its own
  ssmic compose my-street.yaml --household-files households > docker-compose.yml
                                                        no household's container can read the others' data
"""


@app.command(epilog=_EXAMPLES, short_help="Print a Docker Compose file with one container per household.")
def compose(
    scenario: ScenarioArgument,
    house: Annotated[
        list[str] | None,
        typer.Option(
            "--house",
            metavar="ID",
            help="Only this household's service; repeatable. [default: all]",
            parser=parse_id,
        ),
    ] = None,
    central: Annotated[
        bool, typer.Option("--central", help="Broker and clock only, for households on other machines.")
    ] = False,
    broker: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="URL of the broker, if it and the clock run on another machine.", show_default=False
        ),
    ] = None,
    secrets: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            readable=False,  # it may already belong to the user in the containers
            help="The folder that `ssmic broker init` wrote. [default: a service writes it into volumes]",
            show_default=False,
        ),
    ] = None,
    client_certificates: Annotated[
        bool, typer.Option("--client-certificates", help="Clients log in by certificate instead of by password.")
    ] = False,
    image: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Existing image to use. [default: built from ./Dockerfile]", show_default=False
        ),
    ] = None,
    household_files: Annotated[
        Path | None,
        typer.Option(
            "--household-files",
            metavar="DIR",
            help="Write into this folder, for each household, a scenario file with only its own part, and mount that. "
            "[default: mount the whole scenario]",
            show_default=False,
        ),
    ] = None,
    set_: SetVariables = None,
) -> None:
    """Print a Docker Compose file: a secured broker, the clock with the manager, one container per household."""
    from agents import MANAGER
    from broker.transport import parse_url
    from scenarios.deployment import (
        ComposePlan,
        certificate_lacks_name,
        compose_text,
        missing_secrets,
        place_of,
        write_household_files,
    )
    from scenarios.load import load_scenario
    from scenarios.simulation import agents_by_host

    chosen = chosen_values(set_)
    if (broker is not None or central) and secrets is None:
        hint = "--broker" if broker is not None else "--central"
        raise typer.BadParameter(
            "needs --secrets: logins for several machines are created in one place", param_hint=hint
        )
    if central and (house or broker is not None):
        raise typer.BadParameter("cannot be combined with --house or --broker", param_hint="--central")
    if central and household_files is not None:
        raise typer.BadParameter("there are no households with --central", param_hint="--household-files")
    if broker is not None and parse_url(broker).password is not None:
        raise typer.BadParameter("a Compose file must not contain a password", param_hint="--broker")
    loaded = load_scenario(scenario, chosen)
    households = [host for host in agents_by_host(loaded) if host != MANAGER]
    unknown = [name for name in house or () if name not in households]
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]!r} is not a house with a device: expected one of {', '.join(households)}",
            param_hint="--house",
        )
    chosen_households = () if central else tuple(dict.fromkeys(house or households))
    own_files = {} if household_files is None else write_household_files(loaded, chosen_households, household_files)
    plan = ComposePlan(
        name=loaded.name,
        scenario=place_of(scenario),
        households=chosen_households,
        seed=loaded.seed,
        client_certificates=client_certificates,
        image=image,
        secrets=secrets,
        broker=broker,
        variables=chosen,
        household_files=own_files,
    )
    if plan.households and not own_files and plan.scenario.mount is not None:
        echo(
            "note: every household's container can read the whole scenario; "
            "--household-files DIR gives each its own part",
            err=True,
        )
    if missing := missing_secrets(plan):
        shown = ", ".join(map(str, missing[:_MOST_MISSING])) + (", ..." if len(missing) > _MOST_MISSING else "")
        echo(
            f"note: missing: {shown}; before `docker compose up`, create the logins with `ssmic broker init`, or copy "
            "them here",
            err=True,
        )
    if certificate_lacks_name(plan):
        echo(
            "note: the broker's certificate is not valid for the name `broker`, by which containers beside it connect; "
            f"before `docker compose up`: ssmic broker init {secrets} --name broker",
            err=True,
        )
    echo(compose_text(plan), nl=False)
