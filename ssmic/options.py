"""Options of a run: those of `ssmic run`, by the same names, for `Emulation` and `run`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypedDict, cast

from agents import AGENTS, Promise, SettingsError, load_plugin
from agents.ranking import NegotiationSettings
from agents.scheduling import ALGORITHMS_WITH, AlgorithmSettings, algorithm_name, known_algorithms
from agents.sharing import FORECAST_USES, ForecastUse, SupplyRule, SupplySettings
from broker import canonical, identifier_problem
from broker.clock import Pace
from broker.protocol import LIMIT_WALL_S
from broker.servers import with_own_login
from broker.transport import AccessOptions, access_to
from scenarios import Scenario, suggest
from scenarios.devices import with_guests
from scenarios.load import load_scenario
from scenarios.results import ABOUT_KEPT, KeptMessages
from scenarios.simulation import Plan
from ssmic.arguments import RUN_OPTIONS, check_source, type_problems

_OWN_BROKERS = (None, "mosquitto", "embedded")
_NEGOTIATION = ("negotiation", "ask_at_once", "ranking")
_ACCESS = ("user", "password_file", "ca_file", "cert_file", "key_file")


class RunOptions(TypedDict, total=False):
    """Options of a run; options that are not given have their defaults."""

    variables: Mapping[str, object]
    """Replace variables and keys of the scenario's file, as `--set` does."""
    allow_outside: bool
    """Let the scenario's file refer to files outside its folder."""
    seed: int | None
    """None: the scenario's."""
    days: int | None
    """Days to simulate; None: from the scenario, else until the last job has run."""
    algorithm: str | AlgorithmSettings | None
    """None: the scenario's."""
    penalty: float | None
    """L-BFGS-B, SLSQP, TNC: penalty per Wh of demand above the forecast."""
    step_size: float | None
    """L-BFGS-B, SLSQP, TNC: step of the numerical gradient, seconds."""
    tolerance: float | None
    """L-BFGS-B, SLSQP, TNC: convergence tolerance of the local search."""
    node_limit: int | None
    """exact: search-tree nodes per decision."""
    strategy: str | None
    """Strategy of the consumers, from a plug-in; None: the scenario's, else the built-in one."""
    guests: int
    """Real devices of each type that may join each house during the run."""
    run_id: str | None
    """Id of the run at the broker, by which devices and watchers find it: `--run`; None: a generated one."""
    supply: SupplyRule | None
    """`whole`: one producer supplies a job; `shared`: several do, minute by minute; None: from the scenario."""
    prefer: Sequence[str] | None
    """With shared supply, what consumers prefer, most important first; None: from the scenario."""
    forecast: ForecastUse | None
    """With shared supply: `issued`, or `corrected` by what each roof has produced; None: from the scenario."""
    promise: Promise | None
    """When producers' promises are firm: `early`, on acceptance, or `late`, a minute before the start; None: from the
    scenario."""
    patient: bool
    """Whether jobs wait if no producer can supply them; False: `--impatient`."""
    negotiation: str
    """The producers that jobs ask: `short-list`, or `ranked` as in PySSMic."""
    ask_at_once: int
    """Producers that a job asks at the same time."""
    ranking: str
    """The order in which jobs ask producers: `scores`, `own-roof`, `price`, `nearest`, `learning`, or a plug-in's."""
    bus: Literal["memory", "mqtt"]
    """Default: `mqtt` if a broker is named, else `memory`."""
    broker: str | None
    """A URL, `mosquitto` or `embedded`; None: a private Mosquitto if installed, else the built-in one."""
    user: str | None
    password_file: str | Path | None
    ca_file: str | Path | None
    cert_file: str | Path | None
    key_file: str | Path | None
    keep: bool
    """Keep the run's retained messages at the broker after it has ended."""
    home_assistant: bool
    """Show every agent in a Home Assistant that is connected to the broker."""
    hosts: int | Literal["houses"] | None
    """Number of hosts, each with its own connection, over which the agents are spread; `houses`: one per household.
    None: one; for an `Emulation`, with a pace, with real devices and if the timeline disturbs links, one per
    household."""
    limit_wall_s: float
    """Real seconds without contact with the broker or a host before the run fails: `--limit`."""
    pace: str
    """`max`, or a factor of real time such as `60x`."""
    scores: Mapping[str, int] | str | Path | None
    """The producers' scores at the beginning, or the file that keeps them between runs; None: fresh ones."""
    reset_scores: bool
    """Begin with fresh scores, regardless of that file."""
    messages: KeptMessages
    """The messages that the results file keeps: `all`, `contracts` (those that make contracts) or `none`."""
    out: str | Path | None
    """The results file; None: a temporary one."""


def plan_of(scenario: str | Path | Scenario, options: RunOptions, out: Path) -> Plan:
    """Return the plan of a run.

    Args:
        scenario: A file, the name of a bundled scenario, or one that was loaded.
        options: The options of the run.
        out: The results file.

    Raises:
        TypeError: There is no such option.
        ScenarioError: The scenario cannot be used; carries all problems.
        SettingsError: An option has no such value, or does not go with another one.
        BrokerUrlError: The broker cannot be reached in this way.
    """
    for name in options:
        if name not in RunOptions.__annotations__:
            raise TypeError(f"there is no option {name!r} of a run{suggest(name, RunOptions.__annotations__)}")
    _check(options)
    loaded = _with_plugins(scenario if isinstance(scenario, Scenario) else _loaded(scenario, options), options)
    promise = options.get("promise")
    if promise is not None:
        loaded = replace(loaded, promise=promise)
    broker = options.get("broker")
    bus = options.get("bus", "memory" if broker is None else "mqtt")
    of_access = {name: options.get(name) for name in _ACCESS}
    paths = {
        name: value if value is None or name == "user" else Path(cast("str", value))
        for name, value in of_access.items()
    }
    access = None
    if broker is not None and broker not in _OWN_BROKERS:
        access = with_own_login(access_to(broker, AccessOptions(**cast("Any", paths)), os.environ))
    scores = options.get("scores")
    is_file = isinstance(scores, str | Path)
    seed = options.get("seed")
    return Plan(
        scenario=loaded,
        seeds=(loaded.seed if seed is None else seed,),
        algorithm=_algorithm(loaded, options),
        bus=bus,
        broker=broker if access is None else access.url,
        tls=None if access is None else access.tls,
        hosts=options.get("hosts"),
        days=options.get("days"),
        pace=_pace(loaded, bus, options),
        patient=options.get("patient", True),
        negotiating=_negotiating(options),
        supply=_supply(loaded, options),
        run_id=_run_id(options),
        limit_wall_s=options.get("limit_wall_s", LIMIT_WALL_S),
        keep=options.get("keep", False),
        home_assistant=options.get("home_assistant", False),
        scores_file=Path(cast("str", scores)) if is_file else None,
        reset_scores=options.get("reset_scores", False) and is_file,
        start_scores=None if is_file else dict(cast("Mapping[str, int] | None", scores) or {}),
        kept_messages=options.get("messages", "all"),
        has_script=True,
        out=out,
    )


def _check(options: RunOptions) -> None:
    """Check options by themselves and with each other.

    Raises:
        SettingsError: They are not valid; lists all problems.
    """
    values: dict[str, Any] = dict(options)
    problems = [*type_problems(values, RUN_OPTIONS)]
    for name, known in (
        ("messages", [*ABOUT_KEPT]),
        ("forecast", [*FORECAST_USES]),
        ("promise", ["early", "late"]),
        ("supply", ["whole", "shared"]),
    ):
        if values.get(name) is not None and values[name] not in known:
            problems.append(f"{name} {values[name]!r}: {' or '.join(map(repr, known))} is expected")
    bus = values.get("bus", "memory" if values.get("broker") is None else "mqtt")
    if bus not in ("memory", "mqtt"):  # it may not be hashable
        problems.append(f"bus {bus!r}: 'memory' or 'mqtt' is expected")
    problems += _broker_problems(values, bus)
    if problems:
        raise SettingsError(tuple(problems))


def _broker_problems(values: Mapping[str, Any], bus: object) -> list[str]:
    """Return which options do not go with the bus, or with the broker."""
    problems = []
    for name in ("broker", "keep", "home_assistant", *_ACCESS):
        if values.get(name) and bus == "memory":
            problems.append(f"{name} requires bus='mqtt'")
        elif values.get(name) and name in ("keep", *_ACCESS) and values.get("broker") in _OWN_BROKERS:
            problems.append(f"{name} requires the URL of a broker")
    return problems


def _loaded(source: str | Path, options: RunOptions) -> Scenario:
    check_source(source)
    chosen = {key: str(value) for key, value in options.get("variables", {}).items()}
    return load_scenario(source, chosen, allow_outside=options.get("allow_outside", False))


def _with_plugins(scenario: Scenario, options: RunOptions) -> Scenario:
    strategy = options.get("strategy")
    chosen = with_guests(
        scenario if strategy is None else replace(scenario, strategy=strategy), options.get("guests", 0)
    )
    for name in chosen.strategies:
        load_plugin(AGENTS, name)
    return chosen


def _run_id(options: RunOptions) -> str | None:
    run_id = options.get("run_id")
    problem = None if run_id is None else identifier_problem(run_id)
    if problem is not None:
        raise SettingsError((f"run_id {run_id!r} {problem}",))
    return None if run_id is None else canonical(run_id)


def _negotiating(options: RunOptions) -> NegotiationSettings:
    given: dict[str, Any] = {name: options[name] for name in _NEGOTIATION if options.get(name) is not None}  # type: ignore[literal-required]  # mypy does not see that they are
    return NegotiationSettings(**given)


def _supply(scenario: Scenario, options: RunOptions) -> SupplySettings:
    prefer: Any = options.get("prefer")
    return scenario.supplied(options.get("supply"), tuple(prefer) if prefer else None, options.get("forecast"))


def _pace(scenario: Scenario, bus: str, options: RunOptions) -> Pace:
    pace = options.get("pace")
    if not scenario.gateways:
        return Pace.parse(pace or "max")
    if bus == "memory":
        raise SettingsError(("real devices need MQTT: bus='mqtt'",))
    if pace == "max":
        raise SettingsError(("real devices need a pace, such as 1x or 60x",))
    return Pace.parse(pace or "1x")


def _algorithm(scenario: Scenario, options: RunOptions) -> AlgorithmSettings:
    algorithm = options.get("algorithm")
    given: dict[str, Any] = {name: options[name] for name in ALGORITHMS_WITH if options.get(name) is not None}  # type: ignore[literal-required]  # mypy does not see that they are
    if isinstance(algorithm, AlgorithmSettings):
        if given:
            raise SettingsError(tuple(f"{name} is already in the algorithm's settings" for name in given))
        return algorithm
    chosen = algorithm or scenario.algorithm
    name = algorithm_name(chosen) or chosen
    foreign = [
        f"{setting} belongs to {', '.join(ALGORITHMS_WITH[setting])}, and {name} has no such setting"
        for setting in given
        if name in known_algorithms() and name not in ALGORITHMS_WITH[setting]
    ]
    if foreign:
        raise SettingsError(tuple(foreign))
    return AlgorithmSettings(name, **given)
