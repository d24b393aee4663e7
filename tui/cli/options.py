"""Arguments and options shared by several commands."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from agents.scheduling import ABOUT_ALGORITHM, known_algorithms
from broker import canonical, identifier_problem, shown
from tui.exit_codes import print_notes


def complete_scenario(incomplete: str) -> list[str]:
    """Complete bundled scenario names; the shell completes files itself."""
    from scenarios.load import bundled_names

    return [name for name in bundled_names() if name.startswith(incomplete)]


def announce_pipe(source: str | None) -> str | None:
    """Return a scenario's source; say before it is read if it is a named pipe, as reading waits for a writer."""
    with suppress(OSError):  # reading it says why
        # What a shell's <(...) provides has a writer.
        if source and not source.startswith(("/dev/fd/", "/proc/")) and Path(source).is_fifo():
            print_notes([f"{source}: is a named pipe; waiting for a program to write to it"])
    return source


AsJson = Annotated[bool, typer.Option("--json", help="Print a single JSON object on standard output.")]

AllowOutside = Annotated[
    bool,
    typer.Option(
        "--allow-outside", help="Let the scenario refer to files outside its folder.", envvar="SSMIC_ALLOW_OUTSIDE"
    ),
]

ScenarioArgument = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO",
        help="A YAML file, an input of PySSMic or GreenCharge (folder, neighbourhood XML or pickle), or a bundled "
        "scenario's name.",
        autocompletion=complete_scenario,
        callback=announce_pipe,
    ),
]


def complete_algorithm(incomplete: str) -> list[str]:
    """Complete algorithm names; after a comma, the remaining ones."""
    before, comma, begun = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in known_algorithms() if name.casefold().startswith(begun.casefold())]


_HOW_PRODUCERS_SCHEDULE = "; ".join(f"{name} {about}" for name, about in ABOUT_ALGORITHM.items())
Algorithm = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=f"Scheduling algorithm of the producers. {_HOW_PRODUCERS_SCHEDULE}. "
        "[default: from the scenario, else insertion]",
        autocompletion=complete_algorithm,
        envvar="SSMIC_ALGORITHM",
    ),
]

Algorithms = Annotated[
    str | None,
    typer.Option(
        "--algorithm",
        metavar="NAME[,NAME...]",
        help=f"Scheduling algorithm of the producers. {_HOW_PRODUCERS_SCHEDULE}. Several, separated by commas, "
        "run one after another on the same seeds, each from fresh producer scores, and are compared. "
        "[default: from the scenario, else insertion]",
        autocompletion=complete_algorithm,
        envvar="SSMIC_ALGORITHM",
    ),
]

Strategy = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Strategy of the consumers, from a plug-in (docs/plugins.md). "
        "[default: from the scenario, else the built-in one]",
        envvar="SSMIC_STRATEGY",
    ),
]

Keep = Annotated[
    bool,
    typer.Option(
        "--keep",
        help="Keep the run's retained messages at the broker after it has ended, for later watchers; "
        "`ssmic broker clean` removes them.",
        envvar="SSMIC_KEEP",
    ),
]

HomeAssistant = Annotated[
    bool,
    typer.Option(
        "--home-assistant",
        help="Show every agent in a Home Assistant that is connected to the broker, by MQTT discovery; the entities "
        "are removed at the end.",
        envvar="SSMIC_HOME_ASSISTANT",
    ),
]

CompareTo = Annotated[
    list[Path] | None,
    typer.Option(
        "--to",
        metavar="FILE",
        help="Also write the comparison to this file; the extension decides the format: .csv, .tex, .md (table), "
        ".svg, .png (figure; .png needs pip install 'ssmic[figures]'). Repeatable.",
    ),
]


def given(ctx: typer.Context, parameter: str) -> bool:
    """Return whether a parameter was given on the command line, not by the environment."""
    source = ctx.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def refuse_without(ctx: typer.Context, parameter: str, needed: str, *, is_there: bool) -> None:
    """Refuse an option that does nothing without another one.

    Options from the environment are not checked: they are meant for all commands.

    Args:
        ctx: The command.
        parameter: Name of the option's parameter.
        needed: What the option requires, as the user writes it.
        is_there: Whether that is given.

    Raises:
        typer.BadParameter: The option is on the command line, and what it requires is not given.
    """
    if not is_there and given(ctx, parameter):
        option = next(known.opts[0] for known in ctx.command.params if known.name == parameter)
        raise typer.BadParameter(f"requires {needed}", param_hint=option)


def refuse_before_subcommand(ctx: typer.Context) -> None:
    """Refuse options of a group of commands before one of its commands, which does not know them.

    Raises:
        typer.BadParameter: There are some.
    """
    before = [option.opts[0] for option in ctx.command.params if option.name and given(ctx, option.name)]
    if before:
        what = f"belongs to `{ctx.command_path}` itself, not to `{ctx.command_path} {ctx.invoked_subcommand}`"
        raise typer.BadParameter(what, param_hint=", ".join(before))


def parse_id(value: str) -> str:
    """Return an id from the command line in canonical form (NFC).

    Raises:
        typer.BadParameter: It cannot be an id.
    """
    problem = identifier_problem(value)
    if problem is not None:
        raise typer.BadParameter(f"{shown(value)} {problem}")
    return canonical(value)


BrokerOption = Annotated[
    str,
    typer.Option(
        metavar="URL",
        help="mqtt[s]://[user:password@]host[:port] of the broker shared by all processes.",
        envvar="SSMIC_BROKER",
    ),
]

RunOption = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="ID",
        help="Run id, the same for all processes. [default: the scenario's name]",
        envvar="SSMIC_RUN",
        parser=parse_id,
    ),
]

Seed = Annotated[
    int | None,
    typer.Option(min=0, help="Seed, the same for all processes. [default: from the scenario]", envvar="SSMIC_SEED"),
]

Impatient = Annotated[
    bool,
    typer.Option(
        "--impatient",
        help="A job that no producer can supply takes grid power at once, as in PySSMic.",
        envvar="SSMIC_IMPATIENT",
    ),
]

PromiseOption = Annotated[
    Literal["early", "late"] | None,
    typer.Option(
        "--promise",
        help="When a producer's promise is firm: early, on acceptance; late, one minute before the job starts. Until "
        "then, other jobs that use the production better may push the job out, which then looks for another producer. "
        "Not with shared supply. [default: from the scenario, else early]",
        envvar="SSMIC_PROMISE",
        show_default=False,
    ),
]

AnyBroker = Annotated[
    str | None,
    typer.Option(
        "--broker",
        metavar="URL",
        help="mqtt://[user:password@]host[:port]; or 'mosquitto' or 'embedded' to force one of these. "
        "[default: a private Mosquitto if installed, else the embedded broker]",
        envvar="SSMIC_BROKER",
    ),
]

Journal = Annotated[
    Path,
    typer.Option(
        metavar="FOLDER",
        help="Journal folder, for resuming after a crash.",
        envvar="SSMIC_JOURNAL",
    ),
]

Limit = Annotated[
    float,
    typer.Option(
        "--limit",
        min=0.1,
        metavar="S",
        help="Seconds without contact with the broker, the clock or a household before this process gives up.",
        envvar="SSMIC_LIMIT",
    ),
]

DEFAULT_JOURNAL = Path("journal")

DEFAULT_LIMIT_WALL_S = 300.0

SetVariables = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        envvar="SSMIC_SET",
        help="Replace a variable of the scenario's vars, or any key of the file: days=2, community.key=static. "
        "Repeatable.",
    ),
]


def chosen_values(assignments: Sequence[str] | None) -> dict[str, str]:
    """Return the values of variables that `--set key=value` chooses.

    Raises:
        typer.BadParameter: One has no key or no value, or a key is given twice.
    """
    chosen: dict[str, str] = {}
    for assignment in assignments or ():
        key, equals, value = assignment.partition("=")
        if not key.strip() or not equals:
            raise typer.BadParameter(f"{assignment!r}: expected key=value", param_hint="--set")
        if key.strip() in chosen:
            raise typer.BadParameter(f"{key.strip()!r} is given twice", param_hint="--set")
        chosen[key.strip()] = value
    return chosen
