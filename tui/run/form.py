"""The *Run* form's values: the choices, and their validation, field by field, into plans."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from agents import Promise, SettingsError
from agents.scheduling import ABOUT_ALGORITHM, AlgorithmSettings, settings_of
from agents.sharing import PREFERENCES, ForecastUse, SupplyRule, SupplySettings
from broker import SsmicError
from broker.clock import Pace
from broker.servers import with_own_login
from broker.transport import AccessOptions, access_to
from scenarios import MAX_DAYS, Scenario, sharing_problems
from scenarios.load import bundled_names
from scenarios.simulation import MOST_HOSTS, Plan
from tui.widgets import LookedUp, looked_up, typed_path

SEARCH_WALL_S = 30.0
"""How long the optimum is sought unless the form says otherwise; as `ssmic run --time-limit` by default."""

_ABOUT = {
    "source": "A YAML file, an input of PySSMic or GreenCharge, or the name of a bundled neighbourhood.",
    "choices": "Fills the field next to it: the open neighbourhood, a recent one, one in this folder, or bundled.",
    "days": "Days to simulate. Default: from the scenario, else until the last job has run.",
    "seed": "A whole number for the first run; each further run has the next. Default: the scenario's.",
    "runs": "How many runs, each with a seed of its own (PySSMic: runs). Default: 1.",
    "workers": "Worker processes. Default: one per run, at most one per core.",
    "penalty": "Penalty per Wh of demand above the forecast; a positive number. Default: 100.",
    "step_size": "Step of the numerical gradient, seconds (PySSMic: eps). Default: 60.",
    "tolerance": "Convergence tolerance of the local search (PySSMic: tol). Default: 0.01.",
    "node_limit": "Search-tree nodes per decision, 1 or more. Default: 20.",
    "supply": "Whole: one producer, or the grid, supplies a job. Shared: several do, minute by minute.",
    "promise": "Early: acceptance is firm. Late: better jobs may push a job out until 1 min before its start.",
    "forecast": "Corrected: each roof compares forecast and own production of the last two hours, every 30 min.",
    "prefer": f"Most important first, of: {', '.join(PREFERENCES)}.",
    "bus": "How agents exchange messages. The results are the same on each.",
    "hosts": "Connections shared by the agents. Default: the fastest, which is one; at a pace, one per house.",
    "broker": "URL of an MQTT broker: mqtt://[user:password@]host[:port], or mqtts:// for TLS.",
    "pace": "Speed of virtual time: max, or a factor of real time such as 1x, 60x. Default: max.",
    "patient": "On: a job declined by all waits for a better offer. Off: it takes grid power at once, as in PySSMic.",
    "reset_scores": "On: all producers begin with score 0. Off: scores continue from earlier simulations.",
    "optimum": "On: each run is measured against the best plan possible, which takes time. Default: off.",
    "optimum_s": f"Seconds to search for the best plan of each run, above 0. Default: {SEARCH_WALL_S:g}.",
    "out": "Where the results are written. Default: a new file in results/, named by date and scenario.",
}
OPEN = "open"
"""The value for the neighbourhood open in *Neighbourhoods*; neither an absolute path nor a bundled name."""
_SUFFIXES = frozenset({".yaml", ".yml"})
_MOST_FILES = 200
_LOOKED_AT_BYTES = 1_000_000
_IS_SCENARIO = re.compile(rb"^houses\s*:", re.MULTILINE)

Choice = tuple[str, str]
"""Label and value: `OPEN`, a path, or a bundled name."""


def about(field: str, algorithm: str = "", supply: str = "") -> str:
    """Return a field's help line; empty if none.

    Args:
        field: Its id.
        algorithm: The chosen algorithm; empty: the scenario's.
        supply: The chosen supply; empty: the scenario's.
    """
    if field == "algorithm" and supply == "shared":
        return "No effect with shared supply: producers schedule no jobs, consumers choose start and shares."
    if field == "algorithm":
        chosen = ABOUT_ALGORITHM.get(algorithm)
        return f"{algorithm} {chosen}." if chosen else "How producers schedule jobs. Default: the scenario's algorithm."
    return _ABOUT.get(field, "")


Value = TypeVar("Value")
BusChoice = Literal["auto", "mosquitto", "embedded", "url", "memory"]

LEAST_SEARCH_WALL_S = 0.1
"""Minimum time limit for the optimum."""

SUPPLIES: tuple[tuple[str, SupplyRule], ...] = (("whole jobs", "whole"), ("shared by minute", "shared"))
FORECASTS: tuple[tuple[str, ForecastUse], ...] = (
    ("as issued", "issued"),
    ("corrected by own production", "corrected"),
)
PROMISES: tuple[tuple[str, Promise], ...] = (("early, on acceptance", "early"), ("late, before the start", "late"))
BUSES: tuple[tuple[str, BusChoice], ...] = (
    ("MQTT, Mosquitto if installed, else built-in", "auto"),
    ("MQTT, private Mosquitto", "mosquitto"),
    ("MQTT, built-in broker", "embedded"),
    ("MQTT, broker by URL", "url"),
    ("in memory (fastest)", "memory"),
)


@dataclass(frozen=True, slots=True)
class FormValues:
    """The fields' contents; an empty text is the default."""

    days: str = ""
    seed: str = ""
    runs: str = "1"
    workers: str = ""
    algorithm: str = ""
    others: tuple[str, ...] = ()
    """Further algorithms to compare."""
    penalty: str = ""
    step_size: str = ""
    tolerance: str = ""
    node_limit: str = ""
    supply: SupplyRule | None = None
    """None: the scenario's, as for the promise."""
    prefer: str = ""
    """Preferences with shared supply, separated by commas."""
    forecast: ForecastUse | None = None
    """With shared supply."""
    promise: Promise | None = None
    bus: BusChoice = "auto"
    broker: str = ""
    hosts: str = ""
    pace: str = "max"
    out: str = ""
    patient: bool = True
    reset_scores: bool = False
    optimum: bool = False
    """Whether to compute the clairvoyant optimum."""
    optimum_s: str = ""

    @property
    def optimum_wall_s(self) -> float | None:
        """Time limit for each optimum; None: not computed. Requires a form without problems."""
        return float(self.optimum_s.strip() or SEARCH_WALL_S) if self.optimum else None


def plans_of(
    form: FormValues, scenario: Scenario, environment: dict[str, str]
) -> tuple[tuple[Plan, ...], dict[str, str]]:
    """Return a plan per algorithm (none if there are problems), and the problems by field; see `plan_of`.

    Args:
        form: The fields' contents.
        scenario: The scenario to run.
        environment: Environment variables, for the broker login.
    """
    plan, problems = plan_of(form, scenario, environment)
    if form.others and form.out.strip():
        problems = {**problems, "out": "names one file, but each algorithm writes its own: leave it empty"}
    if plan is None or problems or not form.others:
        return (() if plan is None or problems else (plan,)), problems
    plans = [plan]
    for name in form.others:
        reader = _Reader()
        settings = _algorithm(replace(form, algorithm=name), scenario, reader)
        problems |= reader.problems
        if settings is not None:
            plans.append(replace(plan, algorithm=settings))
    return (() if problems else tuple(plans)), problems


def plan_of(form: FormValues, scenario: Scenario, environment: dict[str, str]) -> tuple[Plan | None, dict[str, str]]:
    """Return the plan (None if there are problems), and the problems by field.

    Args:
        form: The fields' contents.
        scenario: The scenario to run.
        environment: Environment variables, for the broker login.
    """
    reader = _Reader()
    scenario = scenario if form.promise is None else replace(scenario, promise=form.promise)
    supply = _supply(form, scenario, reader)
    days = reader.whole("days", form.days, at_least=1, at_most=MAX_DAYS)
    seed = reader.whole("seed", form.seed, at_least=0)
    runs = reader.whole("runs", form.runs, at_least=1) or 1
    workers = reader.whole("workers", form.workers, at_least=1)
    hosts = reader.whole("hosts", form.hosts, at_least=1, at_most=MOST_HOSTS)
    pace = reader.take("pace", lambda: Pace.parse(form.pace.strip() or "max"))
    algorithm = _algorithm(form, scenario, reader)
    url, tls = None, None
    if form.bus == "url" and not form.broker.strip():
        reader.problems["broker"] = "the URL of a broker, such as mqtt://broker.example"
    elif form.bus == "url":
        access = reader.take(
            "broker", lambda: with_own_login(access_to(form.broker.strip(), AccessOptions(), environment))
        )
        url, tls = (access.url, access.tls) if access is not None else (None, None)
    if scenario.gateways:
        _refuse_what_devices_cannot(form, runs, pace, reader)
    if form.optimum:
        _optimum_s(form, reader)
    out = typed_path(form.out.strip()) if form.out.strip() else None
    found = LookedUp() if out is None else looked_up(out)
    if found.is_there:
        reader.problems["out"] = f"{out} exists already; refusing to overwrite results"
    elif found.problem:
        reader.problems["out"] = found.problem
    if reader.problems or algorithm is None or pace is None:
        return None, reader.problems
    first = scenario.seed if seed is None else seed
    plan = Plan(
        scenario=scenario,
        seeds=tuple(range(first, first + runs)),
        algorithm=algorithm,
        bus="memory" if form.bus == "memory" else "mqtt",
        broker=url if form.bus == "url" else form.bus if form.bus in {"mosquitto", "embedded"} else None,
        tls=tls,
        hosts=hosts,
        days=days,
        pace=pace,
        supply=supply,
        patient=form.patient,
        workers=workers,
        reset_scores=form.reset_scores,
        out=out,
    )
    return plan, {}


class _Reader:
    """Parses fields and collects their problems."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}

    def whole(self, field: str, text: str, *, at_least: int, at_most: int | None = None) -> int | None:
        """Return a whole number; None if empty or invalid.

        Args:
            field: Name of the field, for its problem.
            text: Its contents.
            at_least: Smallest valid value.
            at_most: Largest valid value; None: any.
        """
        text = text.strip()
        if not text:
            return None
        if not re.fullmatch(r"\d{1,9}", text) or int(text) < at_least or (at_most is not None and int(text) > at_most):
            valid = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
            self.problems[field] = f"a whole number {valid}"
            return None
        return int(text)

    def number(self, field: str, text: str) -> float | None:
        """Return a number; None if empty or invalid."""
        if not text.strip():
            return None
        try:
            return float(text)
        except ValueError:
            self.problems[field] = "a number"
            return None

    def take(self, field: str, read: Callable[[], Value]) -> Value | None:
        """Return a function's result for a field; None if it raises."""
        try:
            return read()
        except SsmicError as error:
            self.problems[field] = str(error)
            return None


def _supply(form: FormValues, scenario: Scenario, reader: _Reader) -> SupplySettings | None:
    """Return how jobs are supplied; None after reporting problems."""
    rule = form.supply or scenario.supply
    names: Any = tuple(name.strip() for name in form.prefer.split(",")) if form.prefer.strip() else scenario.prefer
    if rule == "whole":
        return SupplySettings(rule)
    for key, problem in sharing_problems(scenario.promise, scenario.strategy).items():
        reader.problems["supply" if key == "strategy" else key] = f"{key}: {problem}" if key == "strategy" else problem
    return reader.take("prefer", lambda: SupplySettings(rule, names, form.forecast or scenario.forecast))


def _refuse_what_devices_cannot(form: FormValues, runs: int, pace: Pace | None, reader: _Reader) -> None:
    """Report settings that real devices cannot follow, as on the command line."""
    if pace is not None and pace.factor is None:
        reader.problems["pace"] = "real devices need a pace, such as 1x or 60x"
    if form.bus == "memory":
        reader.problems["bus"] = "real devices need MQTT"
    if runs > 1 or form.others:
        reader.problems["runs"] = "real devices take part in one run at a time"


def _optimum_s(form: FormValues, reader: _Reader) -> None:
    seconds = reader.number("optimum_s", form.optimum_s)
    if seconds is not None and not LEAST_SEARCH_WALL_S <= seconds < math.inf:
        reader.problems["optimum_s"] = f"a number of at least {LEAST_SEARCH_WALL_S:g} seconds"


def _algorithm(form: FormValues, scenario: Scenario, reader: _Reader) -> AlgorithmSettings | None:
    """Return algorithm and settings; settings are validated one by one, so that problems show at their field."""
    settings = AlgorithmSettings(name=form.algorithm or scenario.algorithm)
    for field in settings_of(settings.name):
        text: str = getattr(form, field)
        whole = field == "node_limit"
        value = reader.whole(field, text, at_least=1) if whole else reader.number(field, text)
        if value is None:
            continue
        try:
            settings = replace(settings, **{field: value})  # type: ignore[arg-type]  # each has the type that was read
        except SettingsError as error:
            reader.problems[field] = str(error)
    return settings


def choices(title: str | None, recent: Iterable[Path], folder: Path) -> list[Choice]:
    """Return the choices without duplicates, the most likely first.

    Args:
        title: Title of the open neighbourhood; None: none is open.
        recent: Recently opened neighbourhoods, newest first.
        folder: The folder whose scenario files are offered.
    """
    found: list[Choice] = [] if title is None else [(f"open: {title}", OPEN)]
    known: set[Path] = set()
    for label, paths in (("recent", recent), ("here", scenario_files(folder))):
        for path in paths:
            if looked_up(path).is_there and path not in known:
                known.add(path)
                name = path.name if label == "here" else f"{path.name} ({path.parent.name})"
                found.append((f"{label}: {name}", str(path)))
    return [*found, *((f"bundled: {name}", name) for name in bundled_names())]


def scenario_files(folder: Path) -> list[Path]:
    """Return the scenario files in a folder, sorted by name. Reads files; not for the event loop."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file())
    except OSError:
        return []
    return [path.absolute() for path in files[:_MOST_FILES] if _is_scenario(path)]


def _is_scenario(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _IS_SCENARIO.search(file.read(_LOOKED_AT_BYTES)) is not None
    except OSError:
        return False
