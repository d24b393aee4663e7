"""How a command reaches its broker: URL, login and certificates from its options, with warnings about unsafe ones.

Imported inside the commands, because its imports would slow down `--help`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import typer

from broker.protocol.topics import encode
from broker.servers import with_own_login
from broker.transport import Access, AccessOptions, MqttBroker, access_to
from tui.safe_output import echo, listed


def chosen_access(broker: str | None, options: AccessOptions, *, on_command_line: bool) -> Access | None:
    """Return how to reach the chosen broker; None if the command starts one itself.

    Args:
        broker: A URL; None, `mosquitto` or `embedded` to start one.
        options: The other access options of the command line.
        on_command_line: Whether `broker` was given there, visible to all users of the machine.

    Raises:
        BrokerUrlError: see `broker.transport.endpoint.access_to`.
    """
    if broker in {None, "mosquitto", "embedded"}:
        if options.given:
            raise typer.BadParameter("requires --broker URL", param_hint=", ".join(options.given))
        return None
    access = with_own_login(access_to(broker, options, os.environ))
    if on_command_line and "@" in broker and access.url.password is not None and options.password_file is None:
        echo(
            "ssmic: a password on the command line is visible to all users of this machine: "
            "use SSMIC_BROKER, or --user with --password-file",
            err=True,
        )
    return access


def _note_foreign_certificate(cert_file: Path | None, logins: Sequence[str]) -> None:
    """Warn of a certificate of another login: a guarded broker silently drops what that login may not send or read."""
    if cert_file is None or not logins:
        return
    from broker.security import common_name_of

    name = common_name_of(cert_file)
    others = [login for login in logins if encode(login) != name]
    if name is not None and others:
        echo(
            f"ssmic: the certificate {cert_file} is issued to {name!r}, not to {listed(others)}: "
            f"a broker configured by `ssmic broker init` permits only what {name!r} may do",
            err=True,
        )


def deployed_broker(
    broker: str,
    options: AccessOptions,
    *,
    lost_after_wall_s: float,
    on_command_line: bool,
    connections: int = 1,
    logins: Sequence[str] = (),
) -> MqttBroker:
    """Return the broker shared by all processes of a run.

    Args:
        broker: URL of the broker.
        options: The other access options of the command line.
        lost_after_wall_s: Seconds without a connection before the broker counts as lost.
        on_command_line: Whether `broker` was given on the command line, visible to all users of the machine.
        connections: How many this process will have.
        logins: The logins of this process, if known: the ids of its households, or the clock's login.

    Raises:
        BrokerUrlError: see `broker.transport.endpoint.access_to`.
    """
    access = chosen_access(broker, options, on_command_line=on_command_line)
    if access is None:
        raise typer.BadParameter("expected the URL of a broker shared by all processes", param_hint="--broker")
    _note_foreign_certificate(access.tls.cert_file, logins)
    return MqttBroker(
        access.url,
        tls=access.tls,
        lost_after_wall_s=lost_after_wall_s,
        access=lambda: access_to(broker, options, os.environ),
        connections=connections,
    )
