"""`ssmic tui`: the terminal application, here or in a browser."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from tui.cli.errors import FAILED, USAGE, complain

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_EXAMPLES = """
\b
Examples:
  ssmic tui
  ssmic tui my-street.yaml
  ssmic tui --serve --port 8000
"""


@app.command(epilog=_EXAMPLES, short_help="Open the terminal application: build, run, watch, read.")
def tui(
    scenario: Annotated[
        str | None, typer.Argument(metavar="[SCENARIO]", help="Open this one: a file, a folder or a bundled name.")
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Serve it to a browser instead.")] = False,
    host: Annotated[str, typer.Option(help="With --serve: where to listen.")] = "localhost",
    port: Annotated[int, typer.Option(min=1, max=65535, help="With --serve: on which port.")] = 8000,
) -> None:
    """Build a neighbourhood, run it, watch it negotiate, read the results."""
    if serve:
        _serve(scenario, host, port)
        return
    if not has_terminal():
        complain("the terminal application needs a terminal; `ssmic run` and `ssmic results` do without")
        raise typer.Exit(USAGE)
    from tui.app import run_app
    from tui.shell.intents import EditScenario

    code = run_app(first_intent=None if scenario is None else EditScenario(scenario))
    if code:
        raise typer.Exit(code)


def has_terminal() -> bool:
    """Say whether there is something to draw on: a terminal, or the browser for which `--serve` started us."""
    return "TEXTUAL_DRIVER" in os.environ or (sys.stdin.isatty() and sys.stdout.isatty())


def _serve(scenario: str | None, host: str, port: int) -> None:
    try:
        from textual_serve.server import Server
    except ImportError:
        complain("--serve needs textual-serve, an extra: pip install 'ssmic[serve]'")
        raise typer.Exit(USAGE) from None
    import shlex

    command = [sys.executable, "-m", "tui", "tui", *([] if scenario is None else [scenario])]
    if host not in {"localhost", "127.0.0.1", "::1"}:
        complain(f"warning: anyone who can reach {host}:{port} can act on this machine as you; there is no login")
    try:
        Server(shlex.join(command), host=host, port=port, title="ssmic").serve()
    except OSError as error:
        complain(f"cannot listen on {host}:{port}: {error.strerror or error}")
        raise typer.Exit(FAILED) from None
