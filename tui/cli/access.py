"""The options that say which broker a command talks to, and as whom; the same in every command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from broker.transport.endpoint import Access, AccessOptions

User = Annotated[str | None, typer.Option("--user", help="Login at the broker. [default: the URL's, else SSMIC_USER]")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="A file with the password. [default: the URL's, else SSMIC_PASSWORD_FILE or SSMIC_PASSWORD]",
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option("--ca-file", metavar="FILE", help="CA certificate for mqtts. [default: SSMIC_CA_FILE]"),
]
CertFile = Annotated[
    Path | None,
    typer.Option("--cert-file", metavar="FILE", help="Client certificate for mqtts. [default: SSMIC_CERT_FILE]"),
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", help="Key of the client certificate. [default: SSMIC_KEY_FILE]"),
]


def chosen_access(broker: str | None, options: AccessOptions, *, on_command_line: bool) -> Access | None:
    """Return how to reach the broker that is wanted; None where the command is to start one of its own.

    Args:
        broker: A URL; None, `mosquitto` or `embedded` for one of our own.
        options: What else the command line says.
        on_command_line: Whether `broker` stands there, for all users of the machine to read.

    Raises:
        BrokerUrlError: see `broker.transport.endpoint.access_to`.
    """
    from broker.transport.endpoint import access_to

    if broker in {None, "mosquitto", "embedded"}:
        if options.given:
            raise typer.BadParameter("goes with --broker URL only", param_hint=", ".join(options.given))
        return None
    access = access_to(broker, options, os.environ)
    if on_command_line and "@" in broker and access.url.password is not None and options.password_file is None:
        typer.echo(
            "ssmic: a password on the command line can be read by every user of this machine: "
            "better SSMIC_BROKER, or --user with --password-file",
            err=True,
        )
    return access
