"""`ssmic devices`: real devices at a broker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from broker import plural
from tui.cli.options import AsJson, LoginOptions, given, refuse_without, takes_groups
from tui.log_level import LogLevel
from tui.safe_output import echo

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_EXAMPLES = """
\b
Examples:
  ssmic devices scan --broker mqtt://broker.example
  ssmic devices scan --broker mqtt://broker.example --for 10 --to devices.yaml

Exit codes: 0 done, 2 wrong usage, 4 broker unreachable or lost,
6 broker refuses the login or is not trusted.
"""


@app.callback(short_help="List the real devices at a broker.")
def devices() -> None:
    """List the real devices at a broker."""


@app.command(epilog=_EXAMPLES, short_help="List the devices that announce themselves at a broker.")
@takes_groups
def scan(
    ctx: typer.Context,
    broker: Annotated[
        str,
        typer.Option(metavar="URL", help="mqtt://[user:password@]host[:port]", envvar="SSMIC_BROKER"),
    ],
    *,
    wall_s: Annotated[
        float, typer.Option("--for", min=0.1, max=3600, metavar="S", help="How long to listen, seconds.")
    ] = 5.0,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the devices to this file, as YAML for a scenario file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="With --to: overwrite the file.")] = False,
    login: LoginOptions,
    as_json: AsJson = False,
    log_level: LogLevel = None,
) -> None:
    """List the devices that announce themselves at a broker, as YAML for a scenario file.

    Finds Tasmota, Shelly (generation 2 and later), Zigbee2MQTT, OpenDTU, AhoyDTU, and devices that use ssmic's own
    topics. Paste the entries that you want below a house's `devices:`.
    """
    from scenarios.devices import entries_of, scan_broker
    from scenarios.files import block_lines, write_text
    from scenarios.results import refuse_existing
    from tui.cli.broker_access import deployed_broker
    from tui.cli.output import notes
    from tui.cli.simulate import print_json
    from tui.logs import configure_logs
    from tui.signals import run_until_interrupted

    refuse_without(ctx, "force", "--to FILE", is_there=to is not None)
    configure_logs(log_level or ctx.obj)
    if to is not None:
        refuse_existing(to, overwrite=force)
    connection = deployed_broker(
        broker,
        login.access,
        lost_after_wall_s=wall_s,
        on_command_line=given(ctx, "broker"),
    )
    found = run_until_interrupted(scan_broker(connection, wall_s))
    entries = entries_of(found)
    notes().print(f"{plural(len(found), 'device')} found at {connection.url}", soft_wrap=True)
    if as_json:
        print_json({"devices": entries})
    text = "\n".join(block_lines({"devices": entries}, 0)) + "\n"
    if to is not None:
        write_text(text, to)
        notes().print(f"Written: {to}", soft_wrap=True)
    elif not as_json and entries:
        echo(text, nl=False)


def refuse_what_devices_cannot(bus: str, runs: int, pace: str) -> None:
    """Refuse settings of a run that real devices cannot follow.

    Args:
        bus: `memory` or `mqtt`.
        runs: How many runs there are.
        pace: As on the command line.

    Raises:
        typer.BadParameter: The bus is not MQTT, there are several runs, or the pace is `max`.
    """
    if bus == "memory":
        raise typer.BadParameter("real devices need MQTT; use --bus mqtt", param_hint="--bus")
    if runs > 1:
        raise typer.BadParameter("real devices take part in one run at a time", param_hint="--runs")
    if pace == "max":
        raise typer.BadParameter("real devices need a pace, such as 1x or 60x", param_hint="--pace")
