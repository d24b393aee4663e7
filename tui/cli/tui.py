"""`ssmic tui`: the terminal application, here or in a browser."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

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


@app.command(epilog=_EXAMPLES, short_help="Open the terminal application: build, run, watch, read.")
def tui(
    scenario: Annotated[
        str | None,
        typer.Argument(
            metavar="[SCENARIO or RESULTS]",
            help="Open this one: a scenario (a file, a folder or a bundled name) or results (a .sqlite file, `latest`, "
            "`latest~1`, ...).",
        ),
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

    code = run_app(first_intent=None if scenario is None else first_intent(scenario))
    if code:
        raise typer.Exit(code)


def first_intent(named: str) -> Intent:
    """Return what opens what was named: results in *Results*, all else in *Neighbourhoods*.

    Raises:
        ResultsError: there are not so many results as `latest~N` names.
    """
    from scenarios.results import SUFFIX, named_results
    from tui.shell import EditScenario, OpenResults

    path = named_results(named)
    return OpenResults(path) if path.suffix == SUFFIX else EditScenario(named)


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
