"""`ssmic broker init`: what a guarded broker needs, and a login for everybody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.deployed import parse_id
from tui.cli.options import complete_scenario

if TYPE_CHECKING:
    from broker.security.provision import Written
    from broker.security.secret_files import Owner

INIT_EXAMPLES = """
\b
Examples:
  ssmic broker init guard street --name broker.example --name 192.0.2.7
  ssmic broker init guard --house adler --house brandt --client-certificates
  ssmic broker init guard --house celik                 one more; all others stay as they are
"""


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; made if it is not there.")],
    scenario: Annotated[
        str | None,
        typer.Argument(
            metavar="SCENARIO",
            help="Its houses get a login each.",
            autocompletion=complete_scenario,
            show_default=False,
        ),
    ] = None,
    house: Annotated[
        list[str] | None,
        typer.Option("--house", metavar="ID", help="A household that gets a login; may be repeated.", parser=parse_id),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="A host name or address of the broker, for its certificate; may be repeated. "
            "[default: those it has, else localhost, 127.0.0.1 and ::1]",
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Where the broker listens. [default: as it was, else 8883]")
    ] = None,
    client_certificates: Annotated[
        bool | None,
        typer.Option(
            "--client-certificates/--passwords",
            help="How clients log in. [default: as it was, else by password]",
            show_default=False,
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long new certificates are valid.")] = 825,
    owner: Annotated[
        str | None,
        typer.Option(
            metavar="UID[:GID]", help="Whose the files are to be, as numbers; for root only.", show_default=False
        ),
    ] = None,
) -> None:
    """Write what a guarded Mosquitto needs: an authority, certificates, logins with random passwords, and who may what.

    Run again it adds what is new and keeps what is there. The logins are the households, and clock, watcher, operator.
    """
    from agents.model import MANAGER
    from broker.security.provision import Guard, write_guard
    from scenarios.load import load_scenario

    houses = list(house or ())
    if scenario is not None:
        houses += [known.id for known in load_scenario(scenario).houses]
    written = write_guard(
        folder,
        Guard(
            hosts=tuple(dict.fromkeys(houses)),
            clock_hosts=(MANAGER,),
            names=tuple(name or ()),
            port=port,
            client_certificates=client_certificates,
            days=days,
            owner=None if owner is None else _owner(owner),
        ),
    )
    typer.echo(_summary(folder, written))


def _owner(text: str) -> Owner:
    from broker.security.secret_files import Owner

    user, _, group = text.partition(":")
    try:
        return Owner(int(user), int(group or user))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not UID or UID:GID, two numbers", param_hint="--owner") from None


def _summary(folder: Path, written: Written) -> str:
    from broker.security.mosquitto_conf import HOST_FILE

    lines = [
        f"Mosquitto: mount {folder}/broker at /mosquitto/config, or run mosquitto -c {folder}/broker/{HOST_FILE}",
        f"Logins, each with its password and certificate in {folder}/logins: {_listed(_typed(written.logins))}",
        f"Keep to yourself what signs certificates: {folder}/authority",
    ]
    if written.new_logins and written.new_logins != written.logins:
        lines.append(f"New logins: {_listed(_typed(written.new_logins))}")
    if written.new_certificates:
        lines.append(f"New certificates: {_listed(_typed(written.new_certificates))}")
    lines.append(f"Clients reach the broker at mqtts://{_host(written.names[0])}:{written.port}")
    lines.append(f"The rest stands in {folder}/README.md.")
    return "\n".join(lines)


def _typed(logins: tuple[str, ...]) -> tuple[str, ...]:
    """Return logins as they have to be typed; where that is not the household's id, the id too."""
    from broker.protocol.topics import encode

    typed = ((login, encode(login)) for login in logins)
    return tuple(name if name == login else f"{name} (household {login!r})" for login, name in typed)


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _listed(names: tuple[str, ...], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
