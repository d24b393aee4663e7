"""Arguments and options that several commands share; a command takes a group of them as one parameter."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from agents.ranking import ABOUT_RANKING, MAX_AT_ONCE
from agents.scheduling import ABOUT_ALGORITHM, MAX_STEP_S, AlgorithmSettings, known_algorithms
from agents.sharing import ABOUT_PREFERENCE, ABOUT_SUPPLY, SupplyRule
from broker import canonical, identifier_problem, shown
from tui.exit_codes import print_notes

if TYPE_CHECKING:
    from broker.transport import AccessOptions


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


def refuse_shared_files(*, read: Sequence[str | Path], written: Sequence[tuple[str, Path | None]]) -> None:
    """Refuse to write a file that the command reads, or that it also writes for another option: one would be lost.

    Args:
        read: The files that the command reads; names that are not files are ignored.
        written: Options or arguments with the files that they name; None: not given.

    Raises:
        typer.BadParameter: Two of them are the same file.
    """
    places = (_place_of(Path(name)) for name in read)
    named = {place: "is read by this command" for place in places if place is not None and place.exists()}
    for option, file in written:
        place = None if file is None else _place_of(file)
        if place is None:
            continue
        if place in named:
            raise typer.BadParameter(f"{file} {named[place]}; name another file", param_hint=option)
        named[place] = f"is also the file of {option}"


def _place_of(file: Path) -> Path | None:
    """Return where a file is, or will be, links resolved; None: nothing that is there can be lost."""
    try:
        # Devices, such as /dev/null, keep nothing.
        return None if file.exists() and not file.is_file() else file.resolve()
    except (OSError, RuntimeError):  # no such file can exist, as of links in a circle: it is refused where it is opened
        return None


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
        help="Id of the run at the broker, the same in all of its processes. [default: the scenario's name]",
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
        typer.BadParameter: An assignment has no key or no `=`, or a key is given twice. A value may be empty.
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


_User = Annotated[str | None, typer.Option("--user", help="Login at the broker. [default: the URL's, else SSMIC_USER]")]

_PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="A file that contains the password. [default: the URL's, else SSMIC_PASSWORD_FILE or SSMIC_PASSWORD]",
    ),
]

_CaFile = Annotated[
    Path | None,
    typer.Option("--ca-file", metavar="FILE", help="CA certificate for mqtts. [default: SSMIC_CA_FILE]"),
]

_CertFile = Annotated[
    Path | None,
    typer.Option("--cert-file", metavar="FILE", help="Client certificate for mqtts. [default: SSMIC_CERT_FILE]"),
]

_KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", help="Key of the client certificate. [default: SSMIC_KEY_FILE]"),
]


@dataclass(frozen=True, slots=True)
class LoginOptions:
    """The login at a broker, and the certificates."""

    user: _User = None
    password_file: _PasswordFile = None
    ca_file: _CaFile = None
    cert_file: _CertFile = None
    key_file: _KeyFile = None

    @property
    def access(self) -> AccessOptions:
        """The same, as the transport takes it."""
        from broker.transport import AccessOptions

        return AccessOptions(self.user, self.password_file, self.ca_file, self.cert_file, self.key_file)


_BY_DEFAULT = AlgorithmSettings()

_Penalty = Annotated[
    float | None,
    typer.Option(
        help="L-BFGS-B, SLSQP, TNC: penalty per Wh of demand above the forecast; a positive number. "
        f"[default: {_BY_DEFAULT.penalty:g}]",
        envvar="SSMIC_PENALTY",
    ),
]

_StepSize = Annotated[
    float | None,
    typer.Option(
        help="L-BFGS-B, SLSQP, TNC: step of the numerical gradient, seconds (PySSMic: eps); "
        f"positive, at most {MAX_STEP_S:g}. [default: {_BY_DEFAULT.step_size:g}]",
        envvar="SSMIC_STEP_SIZE",
    ),
]

_Tolerance = Annotated[
    float | None,
    typer.Option(
        help="L-BFGS-B, SLSQP, TNC: convergence tolerance of the local search (PySSMic: tol); a positive number. "
        f"[default: {_BY_DEFAULT.tolerance:g}]",
        envvar="SSMIC_TOLERANCE",
    ),
]

_NodeLimit = Annotated[
    int | None,
    typer.Option(
        help=f"exact: search-tree nodes per decision; 1 or more. [default: {_BY_DEFAULT.node_limit}]",
        envvar="SSMIC_NODE_LIMIT",
    ),
]


@dataclass(frozen=True, slots=True)
class AlgorithmOptions:
    """Settings of scheduling algorithms, named as in `agents.scheduling.AlgorithmSettings`; None: the default."""

    penalty: _Penalty = None
    step_size: _StepSize = None
    tolerance: _Tolerance = None
    node_limit: _NodeLimit = None


_Supply = Annotated[
    SupplyRule | None,
    typer.Option(
        help=f"How jobs are supplied. {'; '.join(f'{name}: {about}' for name, about in ABOUT_SUPPLY.items())}. "
        "[default: from the scenario, else whole]",
        envvar="SSMIC_SUPPLY",
    ),
]

_Prefer = Annotated[
    str | None,
    typer.Option(
        metavar="NAME[,NAME...]",
        help="With shared supply: what consumers prefer, most important first: "
        f"{'; '.join(f'{name}: {about}' for name, about in ABOUT_PREFERENCE.items())}. "
        f"[default: from the scenario, else {','.join(ABOUT_PREFERENCE)}]",
        envvar="SSMIC_PREFER",
    ),
]

_Forecast = Annotated[
    Literal["issued", "corrected"] | None,
    typer.Option(
        "--forecast",
        help="With shared supply: whether producers use forecasts as issued, or correct them by what their roof has "
        "produced in the last two hours, if that differs by 10 % or more. [default: from the scenario, else "
        "corrected]",
        envvar="SSMIC_FORECAST",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class SupplyOptions:
    """How jobs are supplied; None: as the scenario says."""

    supply: _Supply = None
    prefer: _Prefer = None
    forecast: _Forecast = None


_Negotiation = Annotated[
    Literal["short-list", "ranked"] | None,
    typer.Option(
        "--negotiation",
        help="Which producers jobs ask: short-list leaves out producers that have too little left; ranked asks all "
        "in order, as in PySSMic. [default: short-list]",
        envvar="SSMIC_NEGOTIATION",
        show_default=False,
    ),
]

_AskAtOnce = Annotated[
    int | None,
    typer.Option(
        "--ask-at-once",
        metavar="N",
        help="Number of producers that a job asks at the same time; the best-ranked one that accepts supplies it. "
        f"From 1 to {MAX_AT_ONCE}. [default: 1]",
        envvar="SSMIC_ASK_AT_ONCE",
        show_default=False,
    ),
]

_RankingName = Annotated[
    str | None,
    typer.Option(
        "--ranking",
        metavar="NAME",
        help="Order in which jobs ask producers. "
        + "; ".join(f"{name}: {about}" for name, about in ABOUT_RANKING.items())
        + "; or a plug-in's. [default: scores]",
        envvar="SSMIC_RANKING",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class NegotiationOptions:
    """How jobs find a supplier, named as in `agents.ranking.NegotiationSettings`; None: the default."""

    negotiation: _Negotiation = None
    ask_at_once: _AskAtOnce = None
    ranking: _RankingName = None


def chosen_options(group: AlgorithmOptions | NegotiationOptions) -> dict[str, Any]:
    """Return the options of a group that were given, by name."""
    values = {field.name: getattr(group, field.name) for field in fields(group)}
    return {name: value for name, value in values.items() if value is not None}


def takes_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take groups of options: Typer sees their fields in the place of the parameter."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        hint = hints[name]
        if not (isinstance(hint, type) and is_dataclass(hint)):
            parameters.append(parameter.replace(annotation=hint, kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        groups[name] = hint
        of_fields = get_type_hints(hint, include_extras=True)
        parameters += [
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=of_fields[field.name]
            )
            for field in fields(hint)
        ]

    @wraps(command)
    def grouped(**values: Any) -> None:  # noqa: ANN401 - each option has its type
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    grouped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # which `inspect` reads
    grouped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return grouped
