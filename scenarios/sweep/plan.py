"""The plan of a sweep: its points, the seeds for each of them, and the resulting runs.

Points are every combination of the parameters' values, or a Latin hypercube sample of them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

from agents import SettingsError
from agents.ranking import NegotiationSettings
from agents.scheduling import ALGORITHMS_WITH, AlgorithmSettings
from agents.sharing import SupplySettings
from scenarios.files import KeyPath, parse_content, put
from scenarios.load import ScenarioContent, load, load_content
from scenarios.mistyped_names import suggest
from scenarios.notes import keys_without_effect, without_effect
from scenarios.results import DEFAULT_FOLDER, SUFFIX
from scenarios.scenario import MAX_DAYS, MOST_SEED, SCENARIO, Scenario
from scenarios.simulation import MOST_HOSTS, RunSettings
from scenarios.sweep.one_run import FIGURES, SweepRun
from scenarios.sweep.parameters import Parameter, ParameterError, Value, find_targets, parse_parameter, plain


def grid(parameters: Sequence[Parameter], together: Sequence[Sequence[int]] = ()) -> list[tuple[Value, ...]]:
    """Return every combination; the last parameter changes fastest. Without parameters there is one point.

    Args:
        parameters: The varied parameters.
        together: Groups of indices of parameters that take their first values together, then their second, and so on.
    """
    groups = _groups(len(parameters), together)
    rows = product(*(range(len(parameters[group[0]].values)) for group in groups))
    return [_values(parameters, groups, row) for row in rows]


def sample(
    parameters: Sequence[Parameter], count: int, seed: int, together: Sequence[Sequence[int]] = ()
) -> list[tuple[Value, ...]]:
    """Return points that cover the parameters' values evenly, each parameter for itself (a Latin hypercube).

    Args:
        parameters: Ranges are drawn from continuously; of listed values, each is taken about equally often.
        count: Number of points.
        seed: The same seed draws the same points.
        together: As for `grid`; each group is one dimension.
    """
    if not parameters:
        return [()] * min(count, 1)
    from scipy.stats import qmc  # noqa: PLC0415 - takes half a second, and a grid does not need it

    groups = _groups(len(parameters), together)
    points = []
    for row in qmc.LatinHypercube(d=len(groups), rng=seed).random(count):
        chosen: dict[int, Value] = {}
        for group, share in zip(groups, row.tolist(), strict=True):
            first = parameters[group[0]]
            if len(group) == 1:
                chosen[group[0]] = _at(first, share)
            else:
                place = math.floor(share * len(first.values))
                chosen |= {index: parameters[index].values[place] for index in group}
        points.append(tuple(chosen[index] for index in range(len(parameters))))
    return list(dict.fromkeys(points))


def _groups(count: int, together: Sequence[Sequence[int]]) -> list[Sequence[int]]:
    """Return indices of parameters by dimension, in the order of each dimension's first parameter."""
    taken = {index for group in together for index in group}
    return sorted([*together, *([index] for index in range(count) if index not in taken)], key=min)


def _values(
    parameters: Sequence[Parameter], groups: Sequence[Sequence[int]], places: Sequence[int]
) -> tuple[Value, ...]:
    chosen = {
        index: parameters[index].values[place] for group, place in zip(groups, places, strict=True) for index in group
    }
    return tuple(chosen[index] for index in range(len(parameters)))


def _at(parameter: Parameter, share: float) -> Value:
    reach = parameter.range
    if reach is None:
        return parameter.values[math.floor(share * len(parameter.values))]
    if reach.is_whole and not reach.is_log:
        return int(reach.low) + math.floor(share * (reach.high - reach.low + 1))
    drawn = reach.at(share)
    return float(f"{drawn:.6g}") if isinstance(drawn, float) else drawn  # more digits would say nothing


MAX_RUNS = 1_000_000
"""A sweep of more runs is a typing error."""
OTHER_COLUMNS = frozenset(
    {
        *("run", "point", "label", "seed", "state", *FIGURES, "ledger_sha256", "error"),
        *("figure", "runs", "mean", "standard_deviation", "low_95", "high_95", "minimum", "maximum"),
    }
)
"""Names of the columns of a sweep's tables that are not those of parameters; SQLite ignores their case."""


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """A request for a sweep, as on the command line."""

    source: str
    """A YAML file, an input of PySSMic or the name of a bundled scenario."""
    vary: tuple[str, ...] = ()
    """`KEY=VALUE,...` or `KEY=LOW:HIGH:COUNT`, one a parameter."""
    fixed: tuple[str, ...] = ()
    """`KEY=VALUE`, the same in all runs."""
    seeds: int = 10
    """Runs of each point, each with its own seed; the seeds of all points are the same."""
    first_seed: int | None = None
    """Further seeds follow it; None: the scenario's."""
    sample: int | None = None
    """Points of a Latin hypercube sample; None: every combination."""
    sample_seed: int = 1
    """Of the random numbers of that sample."""
    allow_outside: bool = False
    """Whether a YAML file may refer to files outside its folder."""
    together: tuple[str, ...] = ()
    """`KEY,KEY,...`: these parameters take their first values together, then their second, and so on."""


@dataclass(frozen=True, slots=True)
class ParameterPoint:
    """A combination of the parameters' values."""

    number: int
    """Counts from 1."""
    values: tuple[Value, ...]
    """In the order of the plan's keys."""
    variant: int
    """Index of the scenario that it runs."""
    settings: Mapping[str, Value]
    """Run settings, by name; all others have their defaults."""


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """A sweep before it begins: checked, and with all its scenarios built."""

    request: SweepRequest
    scenario: str
    """Name of the scenario."""
    keys: tuple[str, ...]
    """The varied parameters."""
    points: tuple[ParameterPoint, ...]
    """In the order of their numbers, which begin with 1."""
    seeds: tuple[int, ...]
    """Of the runs of each point."""
    variants: tuple[Scenario, ...]
    """Different scenarios; points refer to them by index."""
    notes: tuple[str, ...] = ()
    """What the user should know before it runs, one sentence each."""

    def runs(self) -> Iterator[SweepRun]:
        """Yield all runs, numbered point by point.

        They come seed by seed, so that a sweep that was stopped has about as many runs of each point.
        """
        for k, seed in enumerate(self.seeds):
            for point in self.points:
                run = (point.number - 1) * len(self.seeds) + k + 1
                yield SweepRun(
                    run,
                    point.number,
                    point.variant,
                    _run_settings(run, seed, point.settings, self.variants[point.variant]),
                )

    @property
    def count(self) -> int:
        """Number of runs."""
        return len(self.points) * len(self.seeds)

    def label(self, point: ParameterPoint) -> str:
        """Return a point in words: `algorithm=exact, penalty=0.5`."""
        return ", ".join(f"{key}={shown(value)}" for key, value in zip(self.keys, point.values, strict=True)) or "all"

    def fingerprint(self) -> str:
        """Return a hash of everything that the results follow from; the same sweep has the same one."""
        digest = hashlib.sha256(_FIGURES_VERSION)
        for scenario in self.variants:
            digest.update(SCENARIO.dump_json(scenario) + b"\0")
        points = [(point.number, point.values, point.variant, dict(point.settings)) for point in self.points]
        digest.update(json.dumps([self.keys, points, self.seeds], sort_keys=True).encode())
        return digest.hexdigest()[:32]


_FIGURES_VERSION = b"2\0"
"""Keeps apart the sweeps of earlier versions, whose rows have other figures; to be changed whenever figures are."""


def shown(value: Value) -> str:
    """Return a value as it is written on the command line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def plan_sweep(request: SweepRequest) -> SweepPlan:
    """Check a request and return the plan of the sweep.

    Raises:
        SettingsError: Keys are unknown, or values are invalid; carries all of these problems.
        ScenarioError: The scenario cannot be used, or is invalid with the values of a point.
    """
    loaded = load(request.source, allow_outside=request.allow_outside, is_read_again=True)
    content = load_content(request.source, allow_outside=request.allow_outside)
    vary, fixed = _parameters(request, content)
    together = _together(request, vary)
    if request.sample is None:
        rows = grid(vary, together)
    else:
        rows = sample(vary, request.sample, request.sample_seed, together)
    if len(rows) * request.seeds > MAX_RUNS:
        raise SettingsError((f"{len(rows)} points with {request.seeds} seeds are more than {MAX_RUNS:,} runs",))
    variants = _Variants(request, loaded.scenario, content)
    points: list[ParameterPoint] = []
    problems: list[str] = []
    chosen = [(parameter, parameter.values[0]) for parameter in fixed]
    for number, row in enumerate(rows, start=1):
        values = [*chosen, *zip(vary, row, strict=True)]
        settings = {parameter.key: value for parameter, value in values if parameter.is_setting}
        variant = variants.index(values)
        settings.setdefault("algorithm", variants.scenarios[variant].algorithm)
        if variants.scenarios[variant].supply != "whole":
            settings.setdefault("supply", variants.scenarios[variant].supply)
        problems += _setting_problems(settings, variants.scenarios[variant])
        points.append(ParameterPoint(number, row, variant, settings))
    if problems:
        raise SettingsError(tuple(dict.fromkeys(problems)))
    first = variants.scenarios[0].seed if request.first_seed is None else request.first_seed
    if first + request.seeds - 1 > MOST_SEED:
        raise SettingsError((f"{request.seeds} seeds from {first} on: the last one has to be at most 2^63 - 1",))
    return SweepPlan(
        request=request,
        scenario=loaded.scenario.name,
        keys=tuple(_column(parameter) for parameter in vary),
        points=tuple(points),
        seeds=tuple(range(first, first + request.seeds)),
        variants=tuple(variants.scenarios),
        notes=(
            *loaded.notes,
            *_without_effect(vary, fixed, points),
            *_without_effect_by_supply(vary, fixed, variants.scenarios, points),
        ),
    )


def _column(parameter: Parameter) -> str:
    """Return the name of a parameter in tables; a variable may have a name that another column has."""
    return f"vars.{parameter.key}" if parameter.key.casefold() in OTHER_COLUMNS else parameter.key


def _parameters(request: SweepRequest, content: ScenarioContent) -> tuple[list[Parameter], list[Parameter]]:
    problems: list[str] = []
    found: list[list[Parameter]] = [[], []]
    is_sampled = request.sample is not None
    for parameters, texts, is_set in ((found[0], request.vary, False), (found[1], request.fixed, True)):
        sampled = is_sampled and not is_set
        for text in texts:
            try:
                parameters.append(
                    parse_parameter(text, content.data, content.variables, is_sampled=sampled, is_set=is_set)
                )
            except ParameterError as error:
                problems.append(str(error))
    vary, fixed = found
    problems += [
        f"--set {parameter.key}: takes one value; --vary takes several"
        for parameter in fixed
        if len(parameter.values) != 1
    ]
    setters: dict[object, Parameter] = {}
    for parameter in (*vary, *fixed):
        others = [setters.setdefault(target, parameter) for target in parameter.targets or (parameter.key,)]
        if other := next((other for other in others if other is not parameter), None):
            as_well = "" if other.key == parameter.key else f", by {other.key} as well"
            problems.append(f"{parameter.key}: is varied or set twice{as_well}")
    if problems:
        raise SettingsError(tuple(dict.fromkeys(problems)))
    return vary, fixed


def _together(request: SweepRequest, vary: Sequence[Parameter]) -> list[list[int]]:
    """Return the groups of parameters that are varied together, as indices.

    Raises:
        SettingsError: A key is not varied, or the numbers of values differ.
    """
    places = {parameter.key: index for index, parameter in enumerate(vary)}
    problems, groups = [], []
    seen: set[str] = set()
    for text in request.together:
        names = [name.strip().removeprefix("vars.") for name in text.split(",")]
        keys = [name if name in places else name.replace("-", "_") for name in names]
        unknown = [key for key in keys if key not in places]
        problems += [f"--zip {text}: {key} is not varied{suggest(key, places)}" for key in unknown]
        if len(keys) < 2:
            problems.append(f"--zip {text}: name at least two keys that are varied, for example penalty,step_size")
        problems += [f"--zip {text}: {key} is named twice" for key in keys if key in seen or keys.count(key) > 1]
        seen |= set(keys)
        if not unknown:
            counts = [len(vary[places[key]].values) for key in keys]
            if len(set(counts)) > 1 or 0 in counts:
                said = ", ".join(f"{key} has {count}" for key, count in zip(keys, counts, strict=True))
                problems.append(f"--zip {text}: each needs the same number of values, and {said}")
            groups.append([places[key] for key in keys])
    if problems:
        raise SettingsError(tuple(dict.fromkeys(problems)))
    return groups


class _Variants:
    """The scenarios of a sweep: one for each combination of values of the file."""

    def __init__(self, request: SweepRequest, scenario: Scenario, content: ScenarioContent) -> None:
        self._request = request
        self._base = scenario
        self._content = content
        self._known: dict[tuple[tuple[str, Value], ...], int] = {}
        self.scenarios: list[Scenario] = []

    def index(self, values: Sequence[tuple[Parameter, Value]]) -> int:
        """Return the index of the scenario with these values.

        Raises:
            ScenarioError: It is not valid with them.
        """
        changes = tuple((parameter.key, value) for parameter, value in values if not parameter.is_setting)
        if changes not in self._known:
            self.scenarios.append(self._built(values) if changes else self._base)
            self._known[changes] = len(self.scenarios) - 1
        return self._known[changes]

    def _built(self, values: Sequence[tuple[Parameter, Value]]) -> Scenario:
        variables = {parameter.key: value for parameter, value in values if parameter.is_variable}
        content = self._content
        if variables:
            content = load_content(self._request.source, variables, allow_outside=self._request.allow_outside)
        data = deepcopy(content.data)
        changes = []
        for parameter, value in values:
            for path in self._targets(parameter, content):
                put(data, path, plain(parameter, value))
            if not parameter.is_setting:
                changes.append(f"{parameter.key}={shown(value)}")
        where = f"{self._content.where} with {', '.join(changes)}"
        return parse_content(data, where, self._content.folder, allow_outside=self._request.allow_outside)

    def _targets(self, parameter: Parameter, content: ScenarioContent) -> tuple[KeyPath, ...]:
        """Return what a parameter sets in the content of the file with other variables."""
        if content is self._content or not parameter.targets:
            return parameter.targets
        try:
            return find_targets(parameter.key, content.data, content.variables, is_structured=True)
        except ParameterError as error:
            raise SettingsError((str(error),)) from None


def _setting_problems(settings: Mapping[str, Value], scenario: Scenario) -> list[str]:
    most = {"days": MAX_DAYS, "hosts": MOST_HOSTS}
    problems = [
        f"{key}={shown(value)}: a whole number from 1 to {most[key]} is expected"
        for key, value in settings.items()
        if key in most and isinstance(value, int) and not 1 <= value <= most[key]
    ]
    if scenario.gateways:
        problems.append("the scenario has real devices, which take part in one run at a time, and not in a sweep")

    def supplied(settings: Mapping[str, Value]) -> SupplySettings:
        return scenario.supplied(_supply_settings(settings).rule)

    for chosen in (_negotiation_settings, _algorithm_settings, supplied):
        try:
            chosen(settings)
        except SettingsError as error:
            problems += error.problems
    return problems


def _algorithm_settings(settings: Mapping[str, Value]) -> AlgorithmSettings:
    chosen: dict[str, Any] = {key: settings[key] for key in ALGORITHMS_WITH if key in settings}
    return AlgorithmSettings(str(settings["algorithm"]), **chosen)


def _negotiation_settings(settings: Mapping[str, Value]) -> NegotiationSettings:
    names = [field.name for field in fields(NegotiationSettings)]
    chosen: dict[str, Any] = {name: settings[name] for name in names if name in settings}
    return NegotiationSettings(**chosen)


def _supply_settings(settings: Mapping[str, Value]) -> SupplySettings:
    rule: Any = str(settings.get("supply", "whole"))
    return SupplySettings(rule)


def _run_settings(run: int, seed: int, settings: Mapping[str, Value], scenario: Scenario) -> RunSettings:
    days, hosts = settings.get("days"), settings.get("hosts")
    return RunSettings(
        seed=seed,
        run_id=f"sweep-{run}",
        algorithm=_algorithm_settings(settings),
        negotiating=_negotiation_settings(settings),
        supply=replace(_supply_settings(settings), prefer=scenario.prefer, forecast=scenario.forecast),
        patient=bool(settings.get("patient", True)),
        hosts=None if hosts is None else int(hosts),
        days=None if days is None else int(days),
    )


def _without_effect(
    vary: Sequence[Parameter], fixed: Sequence[Parameter], points: Sequence[ParameterPoint]
) -> Iterator[str]:
    """Say which settings belong to none, or only to some, of the algorithms that are run."""
    algorithms = list(dict.fromkeys(str(point.settings["algorithm"]) for point in points))
    for parameter in (*vary, *fixed):
        owners = ALGORITHMS_WITH.get(parameter.key)
        if not parameter.is_setting or owners is None:
            continue
        others = [name for name in algorithms if name not in owners]
        if others:
            have = "has" if len(others) == 1 else "have"
            yield (
                f"{parameter.key} belongs to {', '.join(owners)}; {' and '.join(others)} {have} no such setting, "
                f"so its value changes nothing there"
            )


def _without_effect_by_supply(
    vary: Sequence[Parameter],
    fixed: Sequence[Parameter],
    scenarios: Sequence[Scenario],
    points: Sequence[ParameterPoint],
) -> Iterator[str]:
    """Say which parameters decide nothing under a rule by which jobs are supplied in some of the runs."""
    chosen = [parameter.key for parameter in (*vary, *fixed)]
    rules = {_run_settings(0, 0, point.settings, scenarios[point.variant]).supply.rule for point in points}
    for supply in map(SupplySettings, sorted(rules)):
        unused = [key for key in chosen if key in keys_without_effect(supply)]
        if unused:
            yield without_effect(unused, supply)


def default_file(plan: SweepPlan) -> Path:
    """Return the results file of a sweep for which none is named: the same sweep has the same one."""
    return DEFAULT_FOLDER / f"sweep_{plan.scenario}_{plan.fingerprint()[:8]}{SUFFIX}"


def request_json(request: SweepRequest) -> dict[str, Any]:
    """Return a request as a JSON object."""
    return asdict(request)
