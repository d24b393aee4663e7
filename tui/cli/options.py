"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from agents.scheduling.settings import ABOUT_ALGORITHM, ALGORITHMS, MAX_STEP_S, AlgorithmSettings

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


Scenario = Annotated[
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
