"""From the options of a deployed process to its settings and its broker."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agents.errors import SettingsError
from agents.scheduling.settings import ABOUT_ALGORITHM, ALGORITHMS, ALGORITHMS_WITH, MAX_STEP_S, AlgorithmSettings
from broker.clock.clock import OnLoss
from broker.clock.pacing import Pace
from broker.identifiers import canonical, identifier_problem, shown
from broker.protocol.timeouts import Timeouts
from broker.transport.endpoint import AccessOptions
from broker.transport.mqtt import MqttBroker
from scenarios.deployment.settings import DeploymentSettings
from scenarios.scenario import Scenario

_BY_DEFAULT = AlgorithmSettings()

LogLevelName = Literal["debug", "info", "warning", "error"]

LogLevel = Annotated[
    LogLevelName | None,
    typer.Option(
        help="What is logged, on standard error and in the file beside the results. "
        "[default: warning on standard error, info in the file]",
        envvar="SSMIC_LOG_LEVEL",
        show_default=False,
        show_envvar=False,
    ),
]


def complete_scenario(incomplete: str) -> list[str]:
    """Return the bundled scenarios' names for the shell; it completes files by itself."""
    from scenarios.load import bundled_names

    return [name for name in bundled_names() if name.startswith(incomplete)]


ScenarioArgument = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO",
        help="A YAML file, an input of PySSMic (folder, neighbourhood XML or pickle), or a bundled scenario's name.",
        autocompletion=complete_scenario,
    ),
]


def complete_algorithm(incomplete: str) -> list[str]:
    """Return the algorithms' names for the shell; after a comma, the names that may follow."""
    before, comma, begun = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in ALGORITHMS if name.casefold().startswith(begun.casefold())]


Algorithm = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="How producers schedule. "
        + "; ".join(f"{name} {about}" for name, about in ABOUT_ALGORITHM.items())
        + ". [default: the scenario's, which is insertion if it names none]",
        autocompletion=complete_algorithm,
        envvar="SSMIC_ALGORITHM",
        show_envvar=False,
    ),
]
Algorithms = Annotated[
    str | None,
    typer.Option(
        "--algorithm",
        metavar="NAME[,NAME...]",
        help=f"How producers schedule: {', '.join(ALGORITHMS)}. Several, separated by commas, run one after another on "
        "the same seeds, each from fresh producer scores, and are compared. "
        "[default: the scenario's, which is insertion if it names none]",
        autocompletion=complete_algorithm,
        envvar="SSMIC_ALGORITHM",
        show_envvar=False,
    ),
]
Penalty = Annotated[
    float | None,
    typer.Option(
        help=f"L-BFGS-B, SLSQP, TNC: what a Wh beyond the sun counts; above 0. [default: {_BY_DEFAULT.penalty:g}]",
        envvar="SSMIC_PENALTY",
        show_envvar=False,
    ),
]
StepSize = Annotated[
    float | None,
    typer.Option(
        help="L-BFGS-B, SLSQP, TNC: over how many seconds the objective's slope is taken (PySSMic: eps); "
        f"above 0, at most {MAX_STEP_S:g}. [default: {_BY_DEFAULT.step_size:g}]",
        envvar="SSMIC_STEP_SIZE",
        show_envvar=False,
    ),
]
Tolerance = Annotated[
    float | None,
    typer.Option(
        help="L-BFGS-B, SLSQP, TNC: a search ends when steps gain less than this (PySSMic: tol); above 0. "
        f"[default: {_BY_DEFAULT.tolerance:g}]",
        envvar="SSMIC_TOLERANCE",
        show_envvar=False,
    ),
]
Keep = Annotated[
    bool,
    typer.Option(
        "--keep",
        help="Leave what is retained at the broker when the run has ended, for watchers that come later; "
        "`ssmic broker clean` removes it.",
        envvar="SSMIC_KEEP",
        show_envvar=False,
    ),
]
NodeLimit = Annotated[
    int | None,
    typer.Option(
        help=f"exact: nodes it may look at for one decision; 1 or more. [default: {_BY_DEFAULT.node_limit}]",
        envvar="SSMIC_NODE_LIMIT",
        show_envvar=False,
    ),
]

CompareTo = Annotated[
    list[Path] | None,
    typer.Option(
        "--to",
        metavar="FILE",
        help="Write the comparison there, too; the ending decides: .csv, .tex, .md (table), .svg, .png (figure; .png "
        "needs pip install 'ssmic[figures]'). May be given several times.",
    ),
]


def given(ctx: typer.Context, parameter: str) -> bool:
    """Say whether a parameter was given on the command line, not by the environment."""
    source = ctx.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


_BY_FOLDED_NAME = {name.casefold(): name for name in ALGORITHMS}


def algorithm_settings(
    name: str | None,
    penalty: float | None = None,
    step_size: float | None = None,
    tolerance: float | None = None,
    node_limit: int | None = None,
) -> AlgorithmSettings:
    """Return the settings; what is None stays as it is by default, and names may be written in any case.

    Raises:
        SettingsError: something is not allowed; says all of it, and what is.
    """
    wanted: dict[str, Any] = {
        "name": None if name is None else _BY_FOLDED_NAME.get(name.casefold(), name),
        "penalty": penalty,
        "step_size": step_size,
        "tolerance": tolerance,
        "node_limit": node_limit,
    }
    return replace(AlgorithmSettings(), **{key: value for key, value in wanted.items() if value is not None})


def algorithm_names(text: str | None) -> tuple[str | None, ...]:
    """Return the names of one or several algorithms, separated by commas; None alone stands for the scenario's.

    Raises:
        SettingsError: a name is missing, or is there twice.
    """
    if text is None:
        return (None,)
    names = tuple(_BY_FOLDED_NAME.get(name.strip().casefold(), name.strip()) for name in text.split(","))
    if len(names) > 1:
        twice = sorted({name for name in names if names.count(name) > 1 and name})
        problems = [f"algorithm {name!r} is there twice: name each once" for name in twice]
        if "" in names:
            problems.append(f"{text!r}: a name is missing before or after a comma")
        if problems:
            raise SettingsError(tuple(problems))
    return names


def scenario_algorithms(
    scenario: Scenario, names: Sequence[str | None], settings: Mapping[str, float | None]
) -> tuple[AlgorithmSettings, ...]:
    """Return the settings of each algorithm; of several, each takes the settings that belong to it.

    Raises:
        SettingsError: see `algorithm_settings`.
    """
    if len(names) == 1:
        return (scenario_algorithm(scenario, names[0], **settings),)  # type: ignore[arg-type]  # each has its type
    own = {name: {k: v for k, v in settings.items() if name in ALGORITHMS_WITH[k]} for name in names}
    return tuple(scenario_algorithm(scenario, name, **own[name]) for name in names)  # type: ignore[arg-type]  # as above


def scenario_algorithm(
    scenario: Scenario,
    name: str | None,
    penalty: float | None = None,
    step_size: float | None = None,
    tolerance: float | None = None,
    node_limit: int | None = None,
) -> AlgorithmSettings:
    """Return the settings, of the scenario's algorithm where none is named.

    Raises:
        SettingsError: see `algorithm_settings`.
    """
    chosen = algorithm_settings(name, penalty, step_size, tolerance, node_limit)
    return chosen if name is not None else replace(chosen, name=scenario.algorithm)


def refuse_foreign_settings(ctx: typer.Context, *algorithms: str) -> None:
    """Refuse settings on the command line that belong to none of the algorithms that run.

    Those of the environment are for whatever runs there, and are left alone.

    Raises:
        SettingsError: there are some; names all of them, and the algorithms that they belong to.
    """
    foreign = [
        f"--{setting.replace('_', '-')} belongs to {_listed(owners)}, and {' and '.join(algorithms)} "
        f"{'has' if len(algorithms) == 1 else 'have'} no such setting"
        for setting, owners in ALGORITHMS_WITH.items()
        if given(ctx, setting) and not set(owners) & set(algorithms)
    ]
    if foreign:
        raise SettingsError(tuple(foreign))


def _listed(names: tuple[str, ...]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


if TYPE_CHECKING:
    from broker.transport.endpoint import Access, AccessOptions

User = Annotated[str | None, typer.Option("--user", help="Login at the broker. [default: the URL's, else SSMIC_USER]")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="A file with the password. [default: the URL's, else SSMIC_PASSWORD_FILE or SSMIC_PASSWORD]",
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option("--ca-file", metavar="FILE", help="CA certificate for mqtts. [default: SSMIC_CA_FILE]"),
]
CertFile = Annotated[
    Path | None,
    typer.Option("--cert-file", metavar="FILE", help="Client certificate for mqtts. [default: SSMIC_CERT_FILE]"),
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", help="Key of the client certificate. [default: SSMIC_KEY_FILE]"),
]


def chosen_access(broker: str | None, options: AccessOptions, *, on_command_line: bool) -> Access | None:
    """Return how to reach the broker that is wanted; None where the command is to start one of its own.

    Args:
        broker: A URL; None, `mosquitto` or `embedded` for one of our own.
        options: What else the command line says.
        on_command_line: Whether `broker` stands there, for all users of the machine to read.

    Raises:
        BrokerUrlError: see `broker.transport.endpoint.access_to`.
    """
    from broker.transport.endpoint import access_to

    if broker in {None, "mosquitto", "embedded"}:
        if options.given:
            raise typer.BadParameter("goes with --broker URL only", param_hint=", ".join(options.given))
        return None
    access = access_to(broker, options, os.environ)
    if on_command_line and "@" in broker and access.url.password is not None and options.password_file is None:
        typer.echo(
            "ssmic: a password on the command line can be read by every user of this machine: "
            "better SSMIC_BROKER, or --user with --password-file",
            err=True,
        )
    return access


def parse_id(value: str) -> str:
    """Return an id from the command line in its one form.

    Raises:
        typer.BadParameter: It cannot be an id.
    """
    problem = identifier_problem(value)
    if problem is not None:
        raise typer.BadParameter(f"{shown(value)} {problem}")
    return canonical(value)


Broker = Annotated[
    str,
    typer.Option(
        metavar="URL", help="mqtt[s]://[user:password@]host[:port] of the broker that all share.", envvar="SSMIC_BROKER"
    ),
]
Run = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="ID",
        help="The run's id, the same for all. [default: the scenario's name]",
        envvar="SSMIC_RUN",
        parser=parse_id,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, help="The run's seed, the same for all. [default: the scenario's]", envvar="SSMIC_SEED"),
]
Impatient = Annotated[
    bool,
    typer.Option(
        "--impatient", help="A job that no producer can serve takes grid power at once.", envvar="SSMIC_IMPATIENT"
    ),
]
Journal = Annotated[
    Path,
    typer.Option(
        metavar="FOLDER",
        help="Where the process keeps what it needs to come back after a crash.",
        envvar="SSMIC_JOURNAL",
    ),
]
Limit = Annotated[
    float,
    typer.Option(
        "--limit",
        min=0.1,
        metavar="S",
        help="Seconds without contact to a household or to the broker before the run gives up.",
        envvar="SSMIC_LIMIT",
    ),
]
DEFAULT_JOURNAL = Path("journal")
DEFAULT_LIMIT_WALL_S = 300.0


def deployment_settings(
    scenario: Scenario,
    run: str | None,
    seed: int | None,
    algorithm: AlgorithmSettings,
    *,
    impatient: bool,
    limit_wall_s: float,
    journal: Path,
    days: int | None = None,
    pace: Pace | None = None,
    on_loss: OnLoss = "wait",
) -> DeploymentSettings:
    """Return how a deployed run goes; what is None is as the scenario says."""
    return DeploymentSettings(
        run_id=scenario.name if run is None else run,
        seed=scenario.seed if seed is None else seed,
        algorithm=algorithm,
        patient=not impatient,
        patience=Timeouts(limit_wall_s=limit_wall_s),
        journals=journal,
        days=days,
        pace=pace or Pace(),
        on_loss=on_loss,
    )


def deployed_broker(
    broker: str,
    options: AccessOptions,
    *,
    lost_after_wall_s: float,
    on_command_line: bool,
) -> MqttBroker:
    """Return the broker that all processes of a run share.

    Raises:
        BrokerUrlError: see `broker.transport.endpoint.access_to`.
    """
    access = chosen_access(broker, options, on_command_line=on_command_line)
    if access is None:
        raise typer.BadParameter("expected the URL of a broker that all processes share", param_hint="--broker")
    return MqttBroker(access.url, tls=access.tls, lost_after_wall_s=lost_after_wall_s)
