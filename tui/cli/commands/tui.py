"""`ssmic tui`: the terminal application, in the terminal or a browser."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.options import AllowOutside, refuse_without
from tui.exit_codes import FAILED, USAGE, complain

if TYPE_CHECKING:
    from tui.shell import Intent

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_EXAMPLES = """
\b
Examples:
  ssmic tui
  ssmic tui my-street.yaml
  ssmic tui latest
  ssmic tui --serve --port 8000
"""


@app.command(epilog=_EXAMPLES, short_help="Open the terminal application: build, run, watch, read results.")
def tui(
    ctx: typer.Context,
    scenario: Annotated[
        str | None,
        typer.Argument(
            metavar="[SCENARIO or RESULTS]",
            help="Scenario to open (a file, a folder or a bundled name), or results (a .sqlite file, `latest`, "
            "`latest~1`, ...).",
        ),
    ] = None,
    allow_outside: AllowOutside = False,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the application to a browser instead.")] = False,
    host: Annotated[str, typer.Option(help="With --serve: address to listen on.")] = "localhost",
    port: Annotated[int, typer.Option(min=1, max=65535, help="With --serve: port.")] = 8000,
) -> None:
    """Build a neighbourhood, run it, watch it negotiate, read the results."""
    for option in ("host", "port"):
        refuse_without(ctx, option, "--serve", is_there=serve)
    if serve:
        _serve(scenario, host, port, allow_outside=allow_outside)
        return
    if not has_terminal():
        complain("the terminal application needs a terminal; `ssmic run` and `ssmic results` work without one")
        raise typer.Exit(USAGE)
    from tui.app import run_app

    intent = None if scenario is None else first_intent(scenario)
    code = run_app(first_intent=intent, allow_outside=allow_outside)
    if code:
        raise typer.Exit(code)


def first_intent(named: str) -> Intent:
    """Return the intent that opens a name: results in *Results*, anything else in *Neighbourhoods*.

    Raises:
        ResultsError: There are fewer results than `latest~N` requires.
    """
    from scenarios.results import SUFFIX, named_results
    from tui.shell import EditScenario, OpenResults

    path = named_results(named)
    return OpenResults(path) if path.suffix == SUFFIX else EditScenario(named)


def has_terminal() -> bool:
    """Return whether there is a terminal, or a browser through `--serve`."""
    return "TEXTUAL_DRIVER" in os.environ or (sys.stdin.isatty() and sys.stdout.isatty())


def _serve(scenario: str | None, host: str, port: int, *, allow_outside: bool) -> None:
    try:
        from textual_serve.server import Server
    except ImportError:
        complain("--serve needs textual-serve, an extra: pip install 'ssmic[serve]'")
        raise typer.Exit(USAGE) from None
    import asyncio
    import shlex

    options = ["--allow-outside"] if allow_outside else []
    command = [sys.executable, "-m", "tui", "tui", *options, *([] if scenario is None else [scenario])]
    try:
        asyncio.run(_try_to_listen(host, port))  # the server prints its banner before it listens
        if host not in {"localhost", "127.0.0.1", "::1"}:
            complain(f"warning: anyone who can reach {host}:{port} can act on this machine as you; there is no login")
        Server(shlex.join(command), host=host, port=port, title="ssmic").serve()
    except OSError as error:
        complain(f"cannot listen on {host}:{port}: {error.strerror or error}")
        raise typer.Exit(FAILED) from None


async def _try_to_listen(host: str, port: int) -> None:
    """Listen for a moment where the server is to listen.

    Raises:
        OSError: The port is taken, or the address is not one of this machine.
    """
    import asyncio

    listening = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port)
    listening.close()
    await listening.wait_closed()
