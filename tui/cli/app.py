"""The command `ssmic`: its subcommands, and the options and error handling they share."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from keyword import iskeyword
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from broker import shown
from tui.exit_codes import exit_codes
from tui.log_level import LogLevel
from tui.safe_output import echo

_MOST = 3


def likely(typed: str, known: Iterable[str]) -> list[str]:
    """Return the known words closest to what was typed, best match first."""
    folded = {word.casefold(): word for word in known}
    return [folded[match] for match in get_close_matches(typed.casefold(), folded, n=_MOST)]


def likely_command(typed: str, commands: Sequence[str], below: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the commands most likely meant.

    Args:
        typed: The mistyped command.
        commands: The existing commands.
        below: Subcommands by command: `show` may mean `results show`.
    """
    nested = {name: f"{group} {name}" for group, names in below.items() for name in names}
    if typed in nested:
        return [nested[typed]]
    return likely(typed, commands) or [nested[name] for name in likely(typed, nested)]


def did_you_mean(words: Sequence[str]) -> str:
    """Return ` Did you mean ...?`, with a leading space; empty without suggestions."""
    return f" Did you mean {' or '.join(repr(word) for word in words)}?" if words else ""


@contextmanager
def explaining_usage() -> Iterator[None]:
    """Suggest similar options for an unknown one, and say what is expected in place of an invalid value."""
    try:
        yield
    except Exception as error:
        # Typer vendors click, whose classes are not public: recognize them by their attributes.
        if hasattr(error, "option_name") and hasattr(error, "possibilities"):
            _suggest(error)
        elif hasattr(error, "param") and hasattr(error.__cause__, "errors"):
            _explain(error)
        raise


def _suggest(error: Any) -> None:  # noqa: ANN401 - see above
    known = [] if error.ctx is None else [name for param in error.ctx.command.params for name in param.opts]
    options = [name for name in known if name.startswith("--")]
    error.message = f"No such option: {error.option_name}.{did_you_mean(likely(error.option_name, options))}"
    error.possibilities = None


def _explain(error: Any) -> None:  # noqa: ANN401 - see above
    """Replace the words of pydantic, which checks values for Typer."""
    problem = error.__cause__.errors(include_url=False)[0]
    kind, value, limits = problem["type"], str(problem["input"]), (error.param.min, error.param.max)
    if kind.startswith(("int_", "float_")):
        error.message = f"{_number_expected(kind.startswith('int_'), *limits)} is expected, not {shown(value)}"
    elif kind in {"greater_than_equal", "less_than_equal"}:
        is_whole = not isinstance(next(iter(problem["ctx"].values())), float)
        error.message = f"{_number_expected(is_whole, *limits)} is expected, not {shown(value)}"
    elif kind == "bool_parsing":
        error.message = f"true or false is expected, not {shown(value)}"
    else:
        error.message = error.message.removeprefix("Value error, ")


def _number_expected(is_whole: bool, least: float | None, most: float | None) -> str:
    number = "a whole number" if is_whole else "a number"
    if most is None:
        return number if least is None else f"{number} of at least {least:,}"
    return f"{number} from {least:,} to {most:,}" if least is not None else f"{number} of at most {most:,}"


if TYPE_CHECKING:
    from typer.core import TyperCommand


COMMANDS = {
    "tui": "Open the terminal application: build, run, watch, read results.",
    "watch": "Watch the negotiations of a run on a broker.",
    "run": "Run a neighbourhood on a virtual clock and print the results.",
    "replay": "Repeat a recorded session without its real devices or its script.",
    "sweep": "Run a scenario many times with varied settings and values, and compare.",
    "check": "Validate a scenario: list all its problems at once.",
    "import": "Convert PySSMic or GreenCharge input to a scenario, and list what was assumed or left out.",
    "generate": "Generate a neighbourhood: houses, appliances, cars, roofs, weather, forecasts.",
    "scenarios": "List, show and copy the bundled scenarios.",
    "lab": "Emulate the devices of a scenario on MQTT, for an external controller.",
    "optimum": "Compute the best plan possible with perfect foresight.",
    "results": "List, show, export and report simulation results.",
    "devices": "List the real devices at a broker.",
    "broker": "Run a broker on this machine until Ctrl-C.",
    "clock": "Run the clock of a deployment whose households are separate processes.",
    "host": "Run the agents of a household until the run ends.",
    "asyncapi": "Print an AsyncAPI 3 document of all topics and payloads.",
    "compose": "Print a Docker Compose file with one container per household.",
}
"""Summaries by name, in help order: listing imports no command. Each is the first line of the command's own help."""


def application_of(command: str) -> typer.Typer:
    """Import the module of a command, and return its application."""
    module = f"{command}_" if iskeyword(command) else command
    return import_module(f"tui.cli.commands.{module}").app  # type: ignore[no-any-return]  # click has no types here


class Commands(TyperGroup):
    """Imports a command's module when it is called, and turns errors into messages and exit codes."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # click's own class
        """Return the names of all commands."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> TyperCommand | TyperGroup | None:  # type: ignore[override]  # as in `list_commands`
        """Return a command, whose module is imported only now; None if there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: Any = typer.main.get_command(application_of(cmd_name))
        command.name = cmd_name
        return command  # type: ignore[no-any-return]  # click has no types here

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ANN401 - as in `list_commands`
        """List the commands."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def make_context(self, *args: Any, **more: Any) -> Any:  # noqa: ANN401 - as click has it
        """Parse the options before the command; `--help` and `--version` print here."""
        with exit_codes(), explaining_usage():
            return super().make_context(*args, **more)

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]  # noqa: ANN401 - as in `list_commands`
        """Find the command; suggest similar ones for an unknown name."""
        try:
            return super().resolve_command(ctx, args)
        except Exception as error:
            if hasattr(error, "message") and args and args[0] not in COMMANDS:
                error.message = f"No such command {args[0]!r}.{self._suggestion(ctx, args[0])}"
            raise

    def _suggestion(self, ctx: typer.Context, typed: str) -> str:
        from pathlib import Path

        from broker import inode_of
        from scenarios.load import bundled_names
        from scenarios.results import SUFFIX

        if inode_of(Path(typed)) is not None and Path(typed).suffix == SUFFIX:
            return did_you_mean([f"tui {typed}", f"results show {typed}"])
        if typed in bundled_names() or inode_of(Path(typed)) is not None:
            return did_you_mean([f"run {typed}"])
        groups = [(name, self.get_command(ctx, name)) for name in COMMANDS]
        below = {name: list(group.commands) for name, group in groups if isinstance(group, TyperGroup)}
        return did_you_mean(likely_command(typed, list(COMMANDS), below))

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # noqa: ANN401 - as click has it
        """Call the command."""
        with exit_codes(), explaining_usage():
            return super().invoke(ctx)


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,  # rich takes longer to import than everything else that `--help` needs
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            echo(f"ssmic {version('ssmic')}")
        except PackageNotFoundError:
            echo("ssmic (from a folder, not installed)")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def ssmic(
    ctx: typer.Context,
    log_level: LogLevel = None,
    version: Annotated[  # noqa: ARG001 - Typer's way: its callback does it
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Emulate an energy-smart neighbourhood: agents that negotiate over MQTT on a virtual clock.

    \b
    Examples:
      ssmic                                the terminal application, as `ssmic tui`
      ssmic run street                     a bundled neighbourhood, one summer day
      ssmic run street --runs 10 --json    ten seeds, one JSON object
      ssmic check my-street.yaml           all problems of a scenario, with their lines
      ssmic results show latest            the outcome of the newest simulation
    """  # noqa: D301 - \b is click's, and no escape of ours
    ctx.obj = log_level
    if ctx.invoked_subcommand is None:
        if _opens_terminal_ui():
            application_of("tui")([], prog_name="ssmic tui", standalone_mode=False)
        else:
            echo(ctx.get_help())


def _opens_terminal_ui() -> bool:
    """Return whether `ssmic` without arguments opens the TUI: interactive terminal, Textual installed."""
    return "tui" in COMMANDS and sys.stdin.isatty() and sys.stdout.isatty() and find_spec("textual") is not None
