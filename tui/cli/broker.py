"""`ssmic broker`: a broker to run against, until Ctrl-C."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from tui.cli.clean import CLEAN_EXAMPLES, clean
from tui.cli.guard import INIT_EXAMPLES, init
from tui.cli.options import LogLevel

app = typer.Typer(rich_markup_mode=None, add_completion=False)
app.command(epilog=INIT_EXAMPLES)(init)
app.command(epilog=CLEAN_EXAMPLES)(clean)

_EXAMPLES = """
\b
Examples:
  ssmic broker --port 1883
  ssmic broker --engine embedded
then, elsewhere: ssmic run street --broker mqtt://127.0.0.1:1883
For a guarded one, with TLS and logins: ssmic broker init --help
To remove what dead runs left at one: ssmic broker clean --help
"""


@app.callback(invoke_without_command=True, epilog=_EXAMPLES)
def broker(
    ctx: typer.Context,
    engine: Annotated[
        Literal["mosquitto", "embedded"] | None,
        typer.Option(help="Which one. [default: mosquitto where it is installed, else embedded]", show_default=False),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Where it listens on the loopback. [default: any free one]")
    ] = None,
    log_level: LogLevel = None,
) -> None:
    """Run a broker on this machine until Ctrl-C.

    Its URL is printed on standard output.
    """
    if ctx.invoked_subcommand is not None:
        return
    import asyncio

    from broker.servers.choose import choose_broker
    from tui.cli.errors import complain
    from tui.cli.interrupt import run_until_interrupted, settled
    from tui.cli.logs import configure_logs

    configure_logs(log_level or ctx.obj)

    async def serve() -> None:
        async with choose_broker(engine, port=port) as chosen:
            complain(f"{chosen.description}; Ctrl-C ends it")
            typer.echo(str(chosen.url))
            sys.stdout.flush()  # whoever started it waits for this line
            await asyncio.get_running_loop().create_future()

    try:
        run_until_interrupted(serve())
    except KeyboardInterrupt:
        settled()  # this is how it is meant to end
        complain("ended")
