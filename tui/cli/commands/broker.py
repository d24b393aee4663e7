"""`ssmic broker`: run a local broker, provision a secured one, clean up retained messages."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from broker import first_few, plural
from tui.cli.options import (
    AllowOutside,
    AsJson,
    LoginOptions,
    SetVariables,
    announce_pipe,
    chosen_values,
    complete_scenario,
    given,
    parse_id,
    refuse_before_subcommand,
    refuse_without,
    takes_groups,
)
from tui.log_level import LogLevel
from tui.safe_output import echo

if TYPE_CHECKING:
    from broker.security import DeviceAccess, Owner, WrittenGuard

_MOST_NAMED = 12
"""Logins that the summary of `ssmic broker init` names."""

INIT_EXAMPLES = """
\b
Examples:
  ssmic broker init guard street --name broker.example --name 192.0.2.7
  ssmic broker init guard --house adler --house brandt --client-certificates
  ssmic broker init guard --house celik                 one more; all others stay as they are
  ssmic broker init guard --device kettle@celik         a guest of that household
"""


def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to; created if missing.")],
    scenario: Annotated[
        str | None,
        typer.Argument(
            metavar="SCENARIO",
            help="Scenario whose houses each get a login.",
            autocompletion=complete_scenario,
            callback=announce_pipe,
            show_default=False,
        ),
    ] = None,
    house: Annotated[
        list[str] | None,
        typer.Option("--house", metavar="ID", help="Household that gets a login; repeatable.", parser=parse_id),
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            "--device",
            metavar="ID[@HOUSE]",
            help="Real device that joins as a guest, and gets a login; repeatable. If HOUSE is given, no other "
            "household may use the device's topics. The devices of SCENARIO get logins anyway.",
            parser=parse_id,
        ),
    ] = None,
    set_: SetVariables = None,
    allow_outside: AllowOutside = False,
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="A host name or address of the broker, for its certificate; may be repeated. "
            "[default: the current ones, else localhost, 127.0.0.1 and ::1]",
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the broker. [default: the current one, else 8883]")
    ] = None,
    client_certificates: Annotated[
        bool | None,
        typer.Option(
            "--client-certificates/--passwords",
            help="How clients log in. [default: unchanged in an existing folder, else by password]",
            show_default=False,
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, max=3650, help="Validity of new certificates, in days. [default: 825]", show_default=False),
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(
            metavar="UID[:GID]", help="Numeric owner of the files, UID or UID:GID; root only.", show_default=False
        ),
    ] = None,
) -> None:
    """Create the files of a secured Mosquitto: CA, certificates, logins with random passwords, access rules.

    Each household and each real device gets a login, and so do clock, watcher and operator. Running the command again
    adds new logins and keeps existing ones.
    """
    from agents import MANAGER
    from broker.security import VALID_DAYS, Guard, write_guard
    from scenarios.devices import device_access_of
    from scenarios.load import load_scenario

    chosen = chosen_values(set_)
    for option in ("set_", "allow_outside"):
        refuse_without(ctx, option, "a SCENARIO", is_there=scenario is not None)
    houses = list(house or ())
    devices = tuple(_guest(text) for text in device or ())
    if scenario is not None:
        loaded = load_scenario(scenario, chosen, allow_outside=allow_outside)
        houses += [known.id for known in loaded.houses]
        devices += device_access_of(loaded)
    written = write_guard(
        folder,
        Guard(
            hosts=tuple(dict.fromkeys(houses)),
            devices=devices,
            clock_hosts=(MANAGER,),
            names=tuple(name or ()),
            port=port,
            client_certificates=client_certificates,
            days=VALID_DAYS if days is None else days,
            owner=None if owner is None else _owner(owner),
        ),
    )
    echo(_summary(folder, written))


def _guest(text: str) -> DeviceAccess:
    """Return a guest that the command line names, with its household if it is known."""
    from broker.security import DeviceAccess

    guest, at, house = text.rpartition("@")
    if not at:
        return DeviceAccess("", text)
    if not guest or not house:
        raise typer.BadParameter(f"{text!r} is not ID or ID@HOUSE", param_hint="--device")
    return DeviceAccess(parse_id(house), parse_id(guest), is_guest=True)


def _owner(text: str) -> Owner:
    from broker.security import Owner

    user, _, group = text.partition(":")
    try:
        return Owner(int(user), int(group or user))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not UID or UID:GID, two numbers", param_hint="--owner") from None


def _summary(folder: Path, written: WrittenGuard) -> str:
    from broker.security import HOST_FILE

    lines = [
        f"Mosquitto: mount {folder}/broker at /mosquitto/config, or run mosquitto -c {folder}/broker/{HOST_FILE}",
        f"Logins, each with its password and certificate in {folder}/logins: {_typed(written.logins)}",
        f"Keep the certificate authority private: {folder}/authority",
    ]
    if written.new_logins and written.new_logins != written.logins:
        lines.append(f"New logins: {_typed(written.new_logins)}")
    if written.new_certificates:
        lines.append(f"New certificates: {_typed(written.new_certificates)}")
    if written.is_server_renewed:
        lines.append("New certificate of the broker: restart the broker, or it keeps the old one")
    lines.append(f"Clients reach the broker at mqtts://{_host(written.names[0])}:{written.port}")
    lines.append(f"See {folder}/README.md for the rest.")
    return "\n".join(lines)


def _typed(logins: tuple[str, ...]) -> str:
    """Return the first few logins as they must be typed, with the household's id if that differs."""
    from broker.protocol.topics import encode

    typed = ((login, encode(login)) for login in logins)
    return first_few((name if name == login else f"{name} (household {login!r})" for login, name in typed), _MOST_NAMED)


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else name


if TYPE_CHECKING:
    from broker.servers import RetainedMessages
    from broker.transport import MqttBroker

CLEAN_EXAMPLES = """
\b
Examples:
  ssmic broker clean --broker mqtt://broker.example
  ssmic broker clean --broker mqtt://broker.example --run street-insertion-1-c4690b4e
  ssmic broker clean --broker mqtts://broker.example --user clock --password-file clock.password --json

Active runs are left alone. Exit codes: 0 done, 1 a run is active or the broker refuses the removal,
2 wrong usage, 4 broker unreachable or lost, 6 broker refuses the login.
"""


@takes_groups
def clean(
    ctx: typer.Context,
    broker: Annotated[
        str,
        typer.Option(metavar="URL", help="mqtt[s]://[user:password@]host[:port].", envvar="SSMIC_BROKER"),
    ],
    *,
    run: Annotated[
        str | None, typer.Option("--run", metavar="ID", help="Only this run. [default: all runs that are not active]")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --run: even if processes of the run are still connected.")
    ] = False,
    limit: Annotated[
        float, typer.Option(min=0.1, metavar="S", help="Seconds to keep trying to reach the broker.")
    ] = 60.0,
    login: LoginOptions,
    as_json: AsJson = False,
    log_level: LogLevel = None,
) -> None:
    """Remove the retained messages that dead runs have left at a broker.

    Runs that end, fail or are interrupted remove their own. What is left comes from killed processes, or from runs
    with --keep.
    """
    from broker.transport import MqttBroker
    from tui.cli.broker_access import chosen_access
    from tui.cli.simulate import print_json
    from tui.exit_codes import FAILED
    from tui.logs import configure_logs
    from tui.signals import run_until_interrupted

    configure_logs(log_level or ctx.obj)
    refuse_without(ctx, "force", "--run ID", is_there=run is not None)
    access = chosen_access(broker, login.access, on_command_line=given(ctx, "broker"))
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


async def _clean(broker: MqttBroker, run: str | None, *, force: bool) -> tuple[list[RetainedMessages], set[str]]:
    """Return the leftovers found, and the ids of the runs whose messages were removed."""
    from broker.servers import find_leftovers, remove

    removed: set[str] = set()
    async with broker.connect(f"ssmic-clean-{secrets.token_hex(4)}") as bus:
        found = list((await find_leftovers(bus, run)).values())
    for leftover in found:
        if force or not leftover.is_alive:
            # One connection per run: a subscription stays until the connection closes.
            async with broker.connect(f"ssmic-clean-{secrets.token_hex(4)}") as bus:
                await remove(bus, leftover)
            removed.add(leftover.run_id)
    return found, removed


def _say(found: list[RetainedMessages], removed: set[str], url: str, run: str | None) -> None:
    from tui.exit_codes import complain

    if not found:
        echo(f"Nothing is left at {url}" + (f" of run {run!r}" if run is not None else ""))
    for leftover in found:
        if leftover.run_id in removed:
            echo(f"{leftover.run_id}: {plural(len(leftover.topics), 'topic')} removed (it was {leftover.state})")
        else:
            who = (
                f"connected hosts: {', '.join(sorted(leftover.hosts))}" if leftover.hosts else "its clock is publishing"
            )
            way_out = f"to remove it anyway: --run {leftover.run_id} --force"
            left = plural(len(leftover.topics), "topic")
            complain(f"{leftover.run_id}: {left} left alone: the run is active ({who}); {way_out}")


def _as_json(found: list[RetainedMessages], removed: set[str]) -> dict[str, Any]:
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


app = typer.Typer(rich_markup_mode=None, add_completion=False)
app.command(epilog=INIT_EXAMPLES, short_help="Create certificates, logins and rights for a secured Mosquitto.")(init)
app.command(epilog=CLEAN_EXAMPLES)(clean)

_EXAMPLES = """
\b
Examples:
  ssmic broker --port 1883
  ssmic broker --engine embedded --login
then, in another terminal: ssmic run street --broker mqtt://127.0.0.1:1883
For a broker with TLS and logins: ssmic broker init --help
To remove the retained messages of dead runs: ssmic broker clean --help
"""


@app.callback(invoke_without_command=True, epilog=_EXAMPLES)
def broker(
    ctx: typer.Context,
    engine: Annotated[
        Literal["mosquitto", "embedded"] | None,
        typer.Option(help="Broker engine. [default: mosquitto if installed, else embedded]", show_default=False),
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Loopback port. [default: any free port]")] = None,
    login: Annotated[
        bool,
        typer.Option(
            "--login",
            help="Admit only your own ssmic commands, by a random login that they find automatically. "
            "[default: every user of this machine can connect]",
        ),
    ] = False,
    log_level: LogLevel = None,
) -> None:
    """Run a broker on this machine until Ctrl-C.

    The broker's URL is printed on standard output. (A broker that a run starts for itself always has a login.)
    """
    if ctx.invoked_subcommand is not None:
        refuse_before_subcommand(ctx)
        return
    import asyncio

    from broker.servers import choose_broker
    from broker.transport import BrokerUrl
    from tui.exit_codes import complain
    from tui.logs import configure_logs
    from tui.signals import run_until_interrupted, settled

    configure_logs(log_level or ctx.obj)

    async def serve() -> None:
        async with choose_broker(engine, port=port, is_open=not login) as chosen:
            who = (
                "only your own ssmic commands can connect"
                if login
                else "every user of this machine can connect (see --login)"
            )
            complain(f"{chosen.description}; {who}; Ctrl-C ends it")
            echo(BrokerUrl(chosen.url.host, chosen.url.port))
            sys.stdout.flush()  # the parent process waits for this line
            await asyncio.get_running_loop().create_future()

    try:
        run_until_interrupted(serve())
    except KeyboardInterrupt:
        settled()  # the normal way to end
        complain("ended")
