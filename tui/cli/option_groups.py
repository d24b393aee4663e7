"""Groups of options that several commands share: a command takes each group as one parameter."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from agents.ranking import ABOUT_RANKING, MAX_AT_ONCE
from agents.scheduling import MAX_STEP_S, AlgorithmSettings
from agents.sharing import ABOUT_PREFERENCE, ABOUT_SUPPLY, SupplyRule

if TYPE_CHECKING:
    from broker.transport import AccessOptions


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
