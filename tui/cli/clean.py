"""`ssmic broker clean`: removes what runs have left at a broker."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tui.cli.access import CaFile, CertFile, KeyFile, PasswordFile, User
from tui.cli.options import LogLevel, given

if TYPE_CHECKING:
    from broker.servers.cleanup import Leftover
    from broker.transport.mqtt import MqttBroker

CLEAN_EXAMPLES = """
\b
Examples:
  ssmic broker clean --broker mqtt://broker.example
  ssmic broker clean --broker mqtt://broker.example --run street-insertion-1-c4690b4e
  ssmic broker clean --broker mqtts://broker.example --user clock --password-file clock.password --json

A run that goes on is left alone. Exit codes: 0 done, 1 a run goes on or the broker does not let go of it,
2 wrong usage, 4 broker unreachable or lost.
"""


def clean(
    ctx: typer.Context,
    broker: Annotated[
        str,
        typer.Option(
            metavar="URL", help="mqtt[s]://[user:password@]host[:port].", envvar="SSMIC_BROKER", show_envvar=False
        ),
    ],
    run: Annotated[
        str | None, typer.Option("--run", metavar="ID", help="This run only. [default: all that do not go on]")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --run: though processes of the run are connected.")
    ] = False,
    limit: Annotated[float, typer.Option(min=0.1, metavar="S", help="Seconds to try to reach the broker.")] = 60.0,
    user: User = None,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    cert_file: CertFile = None,
    key_file: KeyFile = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else there.")
    ] = False,
    log_level: LogLevel = None,
) -> None:
    """Remove the retained messages that dead runs have left at a broker.

    Runs that end, fail or are interrupted do that themselves; what is left is of processes that were killed, or of runs
    with --keep.
    """
    from broker.transport.endpoint import AccessOptions
    from broker.transport.mqtt import MqttBroker
    from tui.cli.access import chosen_access
    from tui.cli.errors import FAILED
    from tui.cli.interrupt import run_until_interrupted
    from tui.cli.logs import configure_logs
    from tui.cli.simulate import print_json

    configure_logs(log_level or ctx.obj)
    if force and run is None:
        raise typer.BadParameter("goes with --run ID only", param_hint="--force")
    options = AccessOptions(user, password_file, ca_file, cert_file, key_file)
    access = chosen_access(broker, options, on_command_line=given(ctx, "broker"))
    if access is None:
        raise typer.BadParameter("expected the URL of a broker", param_hint="--broker")
    connection = MqttBroker(access.url, tls=access.tls, lost_after_wall_s=limit)
    found, removed = run_until_interrupted(_clean(connection, run, force=force))
    alive = [leftover for leftover in found if leftover.run_id not in removed]
    if as_json:
        print_json(_as_json(found, removed))
    else:
        _say(found, removed, str(connection.url), run)
    if run is not None and alive:
        raise typer.Exit(FAILED)


async def _clean(broker: MqttBroker, run: str | None, *, force: bool) -> tuple[list[Leftover], set[str]]:
    """Return what was found, and the ids of the runs whose messages were removed."""
    from broker.servers.cleanup import find_leftovers, remove

    removed: set[str] = set()
    async with broker.connect(f"ssmic-clean-{secrets.token_hex(4)}") as bus:
        found = list((await find_leftovers(bus, run)).values())
    for leftover in found:
        if force or not leftover.is_alive:
            # A connection for each: one that has subscribed to a run hears of it as long as it stands.
            async with broker.connect(f"ssmic-clean-{secrets.token_hex(4)}") as bus:
                await remove(bus, leftover)
            removed.add(leftover.run_id)
    return found, removed


def _say(found: list[Leftover], removed: set[str], url: str, run: str | None) -> None:
    from tui.cli.errors import complain

    if not found:
        typer.echo(f"Nothing is left at {url}" + (f" of run {run!r}" if run is not None else ""))
    for leftover in found:
        if leftover.run_id in removed:
            typer.echo(f"{leftover.run_id}: {len(leftover.topics)} topics removed (it was {leftover.state})")
        else:
            who = f"hosts that are connected: {', '.join(sorted(leftover.hosts))}" if leftover.hosts else "it speaks"
            way_out = f"to remove it all the same: --run {leftover.run_id} --force"
            complain(
                f"{leftover.run_id}: {len(leftover.topics)} topics left alone, for the run goes on ({who}); {way_out}"
            )


def _as_json(found: list[Leftover], removed: set[str]) -> dict[str, Any]:
    return {
        "runs": [
            {
                "run_id": leftover.run_id,
                "state": leftover.state,
                "topics": len(leftover.topics),
                "alive": leftover.is_alive,
                "hosts": sorted(leftover.hosts),
                "removed": leftover.run_id in removed,
            }
            for leftover in found
        ],
        "topics_removed": sum(len(leftover.topics) for leftover in found if leftover.run_id in removed),
    }
