"""`ssmic watch`: the live view of a run on a broker."""

from __future__ import annotations

from typing import Annotated

import typer

from tui.cli.commands.tui import has_terminal
from tui.cli.options import (
    AllowOutside,
    LoginOptions,
    SetVariables,
    announce_pipe,
    chosen_values,
    given,
    parse_id,
    refuse_without,
    takes_groups,
)
from tui.exit_codes import USAGE, complain

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_EXAMPLES = """
\b
Examples:
  ssmic watch                                       your own run on this machine, in another terminal
  ssmic watch --broker mqtt://localhost:1883
  ssmic watch --broker mqtts://broker.example --user me --password-file secret --run street-1
  ssmic watch --broker mqtt://localhost --run street --scenario street
  ssmic watch --broker mqtt://localhost --run street --control

Watching is read-only. With --control, or after the key C, which asks, keys pause, step, pace and stop the run for
everyone. Leave with Ctrl+Q and come back at any time; if the broker goes away, watch reconnects.
"""


@app.command(epilog=_EXAMPLES)
@takes_groups
def watch(
    ctx: typer.Context,
    *,
    broker: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="mqtt://[user:password@]host[:port], or mqtts://. "
            "[default: the broker of your newest run on this machine]",
            envvar="SSMIC_BROKER",
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Run id. [default: choose from a list]", parser=parse_id),
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            metavar="SCENARIO",
            help="The running scenario: adds names, and load profiles of jobs agreed before you joined.",
            callback=announce_pipe,
        ),
    ] = None,
    set_: SetVariables = None,
    allow_outside: AllowOutside = False,
    control: Annotated[
        bool, typer.Option("--control", help="Let keys pause, step, pace and stop the run. [default: read-only]")
    ] = False,
    login: LoginOptions,
) -> None:
    """Watch the negotiations of a run on a broker."""
    from tui.cli.broker_access import chosen_access

    chosen = chosen_values(set_)
    for option in ("set_", "allow_outside"):
        refuse_without(ctx, option, "--scenario", is_there=scenario is not None)
    if broker is None:
        broker = _own_broker()
    access = chosen_access(broker, login.access, on_command_line=given(ctx, "broker"))
    if access is None:
        raise typer.BadParameter("expected the URL of a broker", param_hint="--broker")
    scenario_context = None
    if scenario is not None:
        from scenarios import planned_end_s
        from scenarios.load import load_scenario
        from scenarios.monitor import context_of_scenario

        loaded = load_scenario(scenario, chosen, allow_outside=allow_outside)
        scenario_context = context_of_scenario(loaded, planned_end_s(loaded, None))
    if not has_terminal():
        complain("watching needs a terminal")
        raise typer.Exit(USAGE)
    from tui.app import run_app
    from tui.shell import WatchBroker

    code = run_app("negotiations", WatchBroker(access, run, scenario_context, control=control))
    if code:
        raise typer.Exit(code)


def _own_broker() -> str:
    """Return the URL, without the login, of the broker that this user started last on this machine."""
    from broker.servers import own_brokers
    from broker.transport import BrokerUrl

    brokers = own_brokers()
    if not brokers:
        raise typer.BadParameter(
            "expected the URL of a broker: no run of yours has one on this machine", param_hint="--broker"
        )
    return str(BrokerUrl(brokers[0].host, brokers[0].port))
