"""A scenario as it is run: validated, complete, and independent of the file format it came from."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter

from agents import (
    GRID,
    MANAGER,
    MAX_DURATION_S,
    MAX_WH,
    SHARED,
    TIMELINE,
    CumulativeSeries,
    House,
    Job,
    LoadProfile,
    Prediction,
    Production,
    Promise,
    SettingsError,
)
from agents.scheduling import AlgorithmSettings
from agents.sharing import DEFAULT_FORECAST, PREFERENCES, ForecastUse, Preference, SupplyRule, SupplySettings
from broker import MAX_CHARACTERS, shown
from broker.protocol import MAX_TIME_S
from scenarios.events import (
    AddJobs,
    ChangeTariff,
    CloudFront,
    ForecastError,
    GiveForecast,
    GoOffline,
    SwitchAlgorithm,
    SwitchStrategy,
    TimelineEvent,
)
from scenarios.gateways import Gateway
from scenarios.prices import Community, Price, Tariff, TariffChange, price_problem
from scenarios.zone import DAY_S, Zone

ItemT = TypeVar("ItemT")

NO_PUSHES_WITH_SHARES = (
    "'early' is expected, not 'late', with supply 'shared': no job is pushed out, because jobs share the production"
)
NO_STRATEGY_WITH_SHARES = "none is expected with supply 'shared', whose consumers have their own strategy"
RESERVED = frozenset({MANAGER, GRID, SHARED, TIMELINE, "clock"})
"""Ids that neither a house nor a producer can have, as agents, hosts and contracts use them."""
MAX_NAME_LENGTH = 100
"""Maximum length of a scenario's name, characters."""
MAX_DAYS = 3660
"""The longest run, days. Nothing can happen later after its start: a larger value is a typing error in a date."""
MAX_KG_CO2_PER_KWH = 1e6
"""Highest emissions of energy from the grid."""
MAX_EUR_PER_YEAR = 1e9
"""Highest fixed fee of a house."""
MAX_VAT_PERCENT = 100
MAX_SUM_OF_SHARES = 1 + 1e-9
"""Limit of the sum of all houses' coefficients, with room for rounding."""
INTERVALS_S = (300, 600, 900, 1800, 3600)
"""Possible lengths of a community's settlement interval, seconds."""
MOST_SEED = 2**63 - 1
"""The largest integer of SQLite, in which results are stored."""


def free_id(taken: Iterable[str], wish: str) -> str:
    """Return an id that is neither taken nor reserved: the wish itself, or with a number appended.

    Args:
        taken: Ids that exist.
        wish: The wish; empty: any id.
    """
    used = {*taken, *RESERVED}
    if wish and wish not in used:
        return wish
    number = 2 if wish else 1
    while (id_ := _numbered(wish, number)) in used:
        number += 1
    return id_


def _numbered(wish: str, number: int) -> str:
    if not wish:
        return str(number)
    suffix = f"-{number}"
    return wish[: MAX_CHARACTERS - len(suffix)].rstrip() + suffix


@dataclass(frozen=True, slots=True)
class Expectation:
    """A condition that a run must meet; see `scenarios.expectations`."""

    text: str
    """The condition, as the file has it."""
    at_s: int | None = None
    """When it must hold, UNIX seconds; None: at the end of the run."""
    name: str = ""
    """Its name in reports; empty: the condition itself."""

    @property
    def title(self) -> str:
        """The name of the expectation in reports: its `name`, else its condition."""
        return self.name or self.text


@dataclass(frozen=True, slots=True)
class ProducerSeries:
    """Energy series of a producer: its predictions and its actual production."""

    predictions: tuple[Prediction, ...]
    """At least one, in the order of issue."""
    actual: Production | None = None
    """Actual production; None: the newest prediction for each moment stands in for it."""


FaultKind = Literal["dead", "late", "lies", "forgets", "broker"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of an emulated device, or a restart of the broker, in a lab. Times in UNIX seconds."""

    kind: FaultKind
    """`dead`: without power; `late`: obeys after a delay; `lies`: reports what is not so; `forgets`: restarts, without
    counters and timers; `broker`: the broker restarts."""
    at_s: int
    """When it begins."""
    until_s: int | None = None
    """When it is over; None: at the end of the lab."""
    device: str = ""
    """`house/device`, where `*` matches anything, and `house/meter` for the grid meter."""
    delay_s: int = 0
    """`late`: seconds of virtual time until it obeys."""
    factor: float = 1.0
    """`lies`: what reported powers and counters are multiplied by."""
    power_w: float | None = None
    """`lies`: the power that it reports, W."""
    obeys: bool = True
    """`lies`: false: it answers commands and does nothing."""
    down_s: int = 0
    """`broker`: how long it is away, seconds of virtual time."""
    keeps_retained: bool = False
    """`broker`: whether it knows its retained messages when it is back."""


def sharing_problems(promise: Promise, strategy: str) -> Mapping[str, str]:
    """Return by key of a scenario's file what does not go with shared supply.

    Args:
        promise: When producers' promises are firm.
        strategy: The plug-in that makes the consumers; empty: none.
    """
    return {
        **({"promise": NO_PUSHES_WITH_SHARES} if promise == "late" else {}),
        **({"strategy": NO_STRATEGY_WITH_SHARES} if strategy else {}),
    }


@dataclass(frozen=True, slots=True)
class Scenario:
    """A neighbourhood, its jobs and its production."""

    name: str
    """Valid as part of a file name."""
    start_s: int
    """Start of the run, UNIX seconds."""
    seed: int
    """Used unless the command line specifies one."""
    houses: tuple[House, ...]
    """In the order of the file, which rankings and displays use."""
    jobs: tuple[Job, ...]
    """Ordered by registration, then job id."""
    producers: Mapping[str, ProducerSeries]
    """By producer id; every producer has an entry."""
    description: str = ""
    days: int | None = None
    """Duration in days; None: until the last job has run."""
    algorithm: str = "insertion"
    """Used unless the command line names one."""
    promise: Promise = "early"
    """When producers' promises are firm: with their yes, or shortly before the job starts."""
    strategy: str = ""
    """The plug-in that the consumers are made by; empty: our own."""
    supply: SupplyRule = "whole"
    """Used unless the command line says otherwise."""
    prefer: tuple[Preference, ...] = PREFERENCES
    """What consumers prefer with shared supply, unless the command line says otherwise."""
    forecast: ForecastUse = DEFAULT_FORECAST
    """Whether producers with shared supply correct their forecasts, unless the command line says otherwise."""
    tariff: Tariff | None = None
    """Prices at the start; None: no bills are made out."""
    utc_offset_s: int = 0
    """UTC offset of `start`. Display only; never used in calculations."""
    gateways: Mapping[str, Gateway] = field(default_factory=dict)
    """The devices that are real, by agent id."""
    load_profiles: Mapping[str, LoadProfile] = field(default_factory=dict)
    """Stored load profiles, by name; only for real devices, which ask for jobs by it."""
    zone_name: str = ""
    """IANA time zone; empty: the fixed offset of `start`."""
    timeline: tuple[TimelineEvent, ...] = ()
    """The events during the run."""
    expectations: tuple[Expectation, ...] = ()
    """Conditions that the run must meet."""
    tariff_changes: tuple[TariffChange, ...] = ()
    """In the order of time; set by `scenarios.timeline.as_happened` from the events of a run."""
    faults: tuple[Fault, ...] = ()
    """Faults in a lab; runs ignore them."""
    base_loads: Mapping[str, CumulativeSeries] = field(default_factory=dict)
    """By house id, its consumption apart from its jobs, which cannot be shifted, at UNIX seconds; houses without one
    are omitted."""
    community: Community | None = None
    """How bills are settled; None: minute by minute, as negotiated, by the tariff only."""

    @property
    def supply_settings(self) -> SupplySettings:
        """How jobs are supplied, what consumers prefer, and how producers use forecasts."""
        return self.supplied()

    def supplied(
        self,
        rule: SupplyRule | None = None,
        prefer: tuple[Preference, ...] | None = None,
        forecast: ForecastUse | None = None,
    ) -> SupplySettings:
        """Return the settings of the supply.

        Args:
            rule: Whether one or several producers supply a job; None: as the scenario says, as the next ones.
            prefer: What consumers prefer, most important first.
            forecast: Whether producers use forecasts as issued, or corrected.

        Raises:
            SettingsError: Values are invalid, or do not go with the scenario's promise or strategy.
        """
        chosen = SupplySettings(
            rule or self.supply, self.prefer if prefer is None else prefer, forecast or self.forecast
        )
        problems = sharing_problems(self.promise, self.strategy)
        if chosen.is_shared and problems:
            raise SettingsError(tuple(f"{key}: {problem}" for key, problem in problems.items()))
        return chosen

    @property
    def expected(self) -> tuple[tuple[int, str], ...]:
        """The expectations that have a time, as charts mark them: UNIX seconds, in words."""
        return tuple((one.at_s, f"expected: {one.title}") for one in self.expectations if one.at_s is not None)

    @property
    def strategies(self) -> tuple[str, ...]:
        """The plug-ins that consumers are made by, at the beginning or by an event; not our own."""
        switches = (event.action.strategy for event in self.timeline if isinstance(event.action, SwitchStrategy))
        return tuple(dict.fromkeys(name for name in (self.strategy, *switches) if name))

    @property
    def switched_algorithms(self) -> tuple[AlgorithmSettings, ...]:
        """The algorithms that events change to."""
        switches = (event.action.algorithm for event in self.timeline if isinstance(event.action, SwitchAlgorithm))
        return tuple(dict.fromkeys(switches))

    @property
    def zone(self) -> Zone:
        """Display zone of times."""
        return Zone(self.utc_offset_s, self.zone_name)

    def end_s(self, days: int) -> int:
        """Return the end of a run of a number of local days, UNIX seconds."""
        return self.zone.days_later_s(self.start_s, days)

    def part_of(self, house_ids: Collection[str]) -> Scenario:
        """Return the part of the scenario that concerns these houses; name and times are kept."""
        return self.parts_of({"": house_ids})[""]

    def parts_of(self, groups: Mapping[str, Collection[str]]) -> dict[str, Scenario]:
        """Return the parts of the scenario that concern groups of houses, by group; each house is in one at most.

        Each item is examined once, regardless of the number of groups.
        """
        group_of = {house: group for group, houses in groups.items() for house in houses}
        house_of = {d.id: house.id for house in self.houses for d in house.devices if d.type == "producer"}
        houses = _grouped(((house.id, house) for house in self.houses), group_of)
        jobs = _grouped(((job.house, job) for job in self.jobs), group_of)
        loads = _grouped(((house, (house, load)) for house, load in self.base_loads.items()), group_of)
        producers = _grouped(((house_of.get(of[0], ""), of) for of in self.producers.items()), group_of)
        gateways = _grouped(((gateway.house, (agent, gateway)) for agent, gateway in self.gateways.items()), group_of)
        return {
            group: replace(
                self,
                houses=tuple(houses.get(group, ())),
                jobs=tuple(jobs.get(group, ())),
                base_loads=dict(loads.get(group, ())),
                producers=dict(producers.get(group, ())),
                gateways=dict(gateways.get(group, ())),
            )
            for group in groups
        }


def _grouped(items: Iterable[tuple[str, ItemT]], group_of: Mapping[str, str]) -> dict[str, list[ItemT]]:
    """Return items, each given with its house, by the group of the house; those of no group are left out."""
    found: dict[str, list[ItemT]] = {}
    for house, item in items:
        if house in group_of:
            found.setdefault(group_of[house], []).append(item)
    return found


def planned_end_s(scenario: Scenario, days: int | None) -> int:
    """Return the latest end of a run, UNIX seconds.

    Args:
        scenario: The scenario to run.
        days: Duration in days; None: the scenario's, or until the last job has run.
    """
    days = scenario.days if days is None else days
    if days is not None:
        return scenario.end_s(days)
    return max((job.latest_start_s + job.duration_s for job in scenario.jobs), default=scenario.start_s)


def latest_s(scenario: Scenario, end_s: int | None) -> int:
    """Return a time after which nothing can happen in a run, UNIX seconds; no agent waits for a later one.

    Args:
        scenario: The scenario to run.
        end_s: End of the run; None: it lasts until the last job has run.
    """
    if scenario.gateways:
        return MAX_TIME_S  # a device may ask for a job at any time
    series = [prediction for of in scenario.producers.values() for prediction in of.predictions]
    times_s = [
        end_s or 0,
        *(prediction.issued_s for prediction in series),
        *(prediction.production.end_s for prediction in series),
    ]
    later_s = sum(event.after_s + _reach_s(event) for event in scenario.timeline if event.at_s is None)
    return max(max(times_s) + later_s, jobs_end_s(scenario, scenario.jobs)) + DAY_S


def jobs_end_s(scenario: Scenario, jobs: Iterable[Job]) -> int:
    """Return a time after which none of these jobs can run, nor any that the timeline adds, UNIX seconds.

    Args:
        scenario: The scenario to run.
        jobs: Some of its jobs.
    """
    times_s = [scenario.start_s, *(job.latest_start_s + job.duration_s for job in jobs)]
    times_s += [event.at_s + _reach_s(event) for event in scenario.timeline if event.at_s is not None]
    # What waits for a contract of a job comes after it, and an event that it causes may be waited for in turn.
    return max(times_s) + sum(event.after_s + _reach_s(event) for event in scenario.timeline if event.at_s is None)


def _reach_s(event: TimelineEvent) -> int:
    """Return how long after an event something that it causes can happen at most, seconds."""
    match event.action:
        case AddJobs(latest_after_s=latest_after_s, load_profile=load_profile):
            return latest_after_s + load_profile.duration_s
        case CloudFront(producers=producers, travel_s=travel_s, duration_s=duration_s):
            return len(producers) * travel_s + duration_s
        case GoOffline(duration_s=int(duration_s)) | ForecastError(duration_s=int(duration_s)):
            return duration_s
    return 0


SCENARIO: TypeAdapter[Scenario] = TypeAdapter(Scenario)
"""Converts scenarios to and from JSON."""


_SERIES = re.compile(r'"(load_profile|production|actual)":(\{"times_s":\[[^\]]*\],"cumulative_wh":\[[^\]]*\]\})')
"""Matches energy series in that JSON. No id or name can look like one, as quotes within a text are escaped."""


def scenario_of(text: str) -> Scenario:
    """Return the scenario that JSON describes.

    Series are parsed one after another so that other threads get their turn, as a year of minutes is a hundred
    megabytes. Jobs with the same load profile share one object.

    Raises:
        ValidationError: The JSON does not describe a scenario.
    """
    series: list[CumulativeSeries] = []
    known: dict[tuple[str, str], CumulativeSeries] = {}
    pieces: list[str] = []
    end = 0
    try:
        for found in _SERIES.finditer(text):
            key, described = found.groups()
            if (key, described) not in known:
                kind = LoadProfile if key == "load_profile" else Production
                known[key, described] = kind.model_validate_json(described)
            pieces += (text[end : found.start()], f'"{key}":{len(series)}')
            series.append(known[key, described])
            end = found.end()
        return SCENARIO.validate_python(_put_back(json.loads("".join((*pieces, text[end:]))), series))
    except (ValueError, LookupError, TypeError, AttributeError):
        # Validate the whole text, so that the error locates the problem in it.
        return SCENARIO.validate_json(text)


def contradiction(scenario: Scenario) -> str | None:
    """Return the first thing in a scenario from JSON that contradicts the rest of it; None: all of it fits together.

    A scenario file is checked as a whole when it is read; what a recording or a results file says of a scenario may
    have been changed since.
    """
    checks = (
        _impossible_times,
        _impossible_series,
        _impossible_prices,
        _impossible_settlement,
        _wrong_devices,
        _wrong_references,
    )
    return next(chain.from_iterable(check(scenario) for check in checks), None)


def _impossible_times(scenario: Scenario) -> Iterator[str]:
    if not 0 <= scenario.start_s <= MAX_TIME_S:
        yield f"start_s {scenario.start_s:,}: 0 to {MAX_TIME_S:,} is expected"
    if abs(scenario.utc_offset_s) >= DAY_S:
        yield f"utc_offset_s {scenario.utc_offset_s:,}: less than a day is expected"
    if scenario.days is not None and not 1 <= scenario.days <= MAX_DAYS:
        yield f"days {scenario.days:,}: 1 to {MAX_DAYS:,} is expected"
    for producer, of in scenario.producers.items():
        for prediction in of.predictions:
            if abs(prediction.issued_s) > MAX_TIME_S:
                issued = "a forecast is issued at a time"
                yield f"producer {shown(producer)}: {issued} that no run reaches; at most {MAX_TIME_S:,} is expected"
    for job in scenario.jobs:
        last_s = MAX_TIME_S - MAX_DURATION_S
        if (
            job.load_profile.duration_s > MAX_DURATION_S
            or not 0 <= min(job.registered_s, job.earliest_start_s) <= job.latest_start_s <= last_s
        ):
            yield f"job {shown(job.job_id)}: starts from 0 to {last_s:,} are expected, and at most {MAX_DURATION_S:,} s"


def _impossible_series(scenario: Scenario) -> Iterator[str]:
    seen: set[int] = set()
    for owner, id_, what, series in _series_of(scenario):
        if id(series) in seen:  # the jobs of a large neighbourhood share a few load profiles
            continue
        seen.add(id(series))
        named = f"{owner} {shown(str(id_))}{what and ': '}{what}"
        if not -MAX_TIME_S <= series.start_s < series.end_s <= MAX_TIME_S:
            yield f"{named} from {series.start_s:,} to {series.end_s:,} s; times up to {MAX_TIME_S:,} are expected"
        first_wh, last_wh = series.cumulative_wh[0], series.cumulative_wh[-1]
        if not max(abs(first_wh), abs(last_wh), series.energy_wh) <= MAX_WH:
            yield f"{named} of {series.energy_wh:g} Wh; at most {MAX_WH:g} Wh are expected"


def _series_of(scenario: Scenario) -> Iterator[tuple[str, str | int, str, CumulativeSeries]]:
    """Yield the series of a scenario: kind and id of the owner, kind of the series, and the series."""
    for name, profile in scenario.load_profiles.items():
        yield "load profile", name, "", profile
    for job in scenario.jobs:
        yield "job", job.job_id, "a load profile", job.load_profile
    for house, load in scenario.base_loads.items():
        yield "house", house, "a base load", load
    for producer, of in scenario.producers.items():
        for prediction in of.predictions:
            yield "producer", producer, "a forecast", prediction.production
        if of.actual is not None:
            yield "producer", producer, "an actual production", of.actual
    for number, event in enumerate(scenario.timeline, start=1):
        match event.action:
            case AddJobs(load_profile=profile):
                yield "event", number, "a load profile", profile
            case GiveForecast(production=Production() as production):
                yield "event", number, "a forecast", production


def _impossible_prices(scenario: Scenario) -> Iterator[str]:
    changes = [event.action for event in scenario.timeline if isinstance(event.action, ChangeTariff)]
    tariffs = [each.tariff for each in scenario.tariff_changes] + ([scenario.tariff] if scenario.tariff else [])
    prices: list[Price | None] = []
    emissions: list[float | None] = []
    for tariff in tariffs:
        prices += (tariff.import_eur_per_kwh, tariff.feed_in_eur_per_kwh, tariff.neighbour_eur_per_kwh)
        emissions.append(tariff.grid_kg_co2_per_kwh)
    for change in changes:
        prices += (change.import_eur_per_kwh, change.feed_in_eur_per_kwh, change.neighbour_eur_per_kwh)
        emissions.append(change.grid_kg_co2_per_kwh)
    if scenario.community is not None:
        prices += (scenario.community.grid_fee_eur_per_kwh, scenario.community.local_grid_fee_eur_per_kwh)
    for price in prices:
        if price is not None and (problem := price_problem(price)) is not None:
            yield problem
    for kg_per_kwh in emissions:
        if kg_per_kwh is not None and not 0 <= kg_per_kwh <= MAX_KG_CO2_PER_KWH:
            yield f"{kg_per_kwh:g} kg CO2/kWh: 0 to {MAX_KG_CO2_PER_KWH:,.0f} is expected"


def _impossible_settlement(scenario: Scenario) -> Iterator[str]:
    community = scenario.community
    if community is None:
        return
    if community.interval_s not in INTERVALS_S:
        yield f"interval_s {community.interval_s:,}: one of {', '.join(map(str, INTERVALS_S))} is expected"
    for eur in (community.supplier_fee_eur_per_year, community.community_fee_eur_per_year):
        if not 0 <= eur <= MAX_EUR_PER_YEAR:
            yield f"a fee of {eur:g} EUR/year: 0 to {MAX_EUR_PER_YEAR:,.0f} is expected"
    if not 0 <= community.vat_percent <= MAX_VAT_PERCENT:
        yield f"vat_percent {community.vat_percent:g}: 0 to {MAX_VAT_PERCENT} is expected"
    shares = (community.coefficients or {}).values()
    if not all(0 <= share <= 1 for share in shares) or not math.fsum(shares) <= MAX_SUM_OF_SHARES:
        yield "coefficients: 0 to 1 is expected for each house, and at most 1 together"


def _wrong_devices(scenario: Scenario) -> Iterator[str]:
    agents = (device.agent for house in scenario.houses for device in house.devices)
    for what, ids in (("house", (house.id for house in scenario.houses)), ("agent", agents)):
        for one, times in Counter(ids).items():
            if times > 1:
                yield f"{what} {shown(one)} occurs {times} times; once is expected"
    for house in scenario.houses:
        for device in house.devices:
            if not house.id or not device.id or device.house != house.id:
                whose = f"device {shown(device.id)} of house {shown(device.house)}"
                yield f"house {shown(house.id)} has {whose}; devices of its own are expected, and ids"


def _wrong_references(scenario: Scenario) -> Iterator[str]:
    devices = {device.agent: device for house in scenario.houses for device in house.devices}
    producers = {device.id for device in devices.values() if device.type == "producer"}
    for producer in sorted(producers ^ scenario.producers.keys()):
        missing = "has no series" if producer in producers else "has series, but is no device"
        yield f"producer {shown(producer)} {missing}; both are expected"
    for job in scenario.jobs:
        if job.agent not in devices or devices[job.agent].type != "consumer":
            device = f"device {shown(job.device)} of house {shown(job.house)}"
            yield f"job {shown(job.job_id)} is of {device}; a consumer of the scenario is expected"
    for agent, gateway in scenario.gateways.items():
        known = devices.get(agent)
        described = (gateway.agent, gateway.house, gateway.device, gateway.type)
        if known is None or (agent, known.house, known.id, known.type) != described:
            yield f"real device {shown(agent)} is no device of its house; one is expected"
    for house_id in sorted(scenario.base_loads.keys() - {house.id for house in scenario.houses}):
        yield f"base load of house {shown(house_id)}: a house of the scenario is expected"


def scenario_digest(text: str, without: Collection[str] = ()) -> str:
    """Return a digest of the scenario that JSON describes, without building it: that of 10,000 houses takes long.

    Equal digests mean equal scenarios; the same scenario, written by another version, may have another digest.

    Args:
        text: The JSON.
        without: Keys of the scenario that do not count.
    """
    # Series make up most of the text; a digest in the place of each is enough.
    known: dict[str, str] = {}

    def digest(found: re.Match[str]) -> str:
        key, described = found.groups()
        if described not in known:
            known[described] = hashlib.sha256(described.encode()).hexdigest()
        return f'"{key}":"{known[described]}"'

    content = json.loads(_SERIES.sub(digest, text))
    kept = {key: value for key, value in content.items() if key not in without}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _put_back(scenario: Any, series: Sequence[CumulativeSeries]) -> Any:  # noqa: ANN401 - JSON of any shape
    for job in scenario["jobs"]:
        job["load_profile"] = series[job["load_profile"]]
    for producer in scenario["producers"].values():
        for prediction in producer["predictions"]:
            prediction["production"] = series[prediction["production"]]
        if producer["actual"] is not None:
            producer["actual"] = series[producer["actual"]]
    for event in scenario.get("timeline", ()):
        for key in ("load_profile", "production"):
            if event["action"].get(key) is not None:
                event["action"][key] = series[event["action"][key]]
    return scenario


def _unhashed_fields(scenario: Scenario) -> set[str]:
    """Return the fields that a hash leaves out: what no run depends on, and what is as it always was."""
    return {"faults", "promise"} if scenario.promise == "early" else {"faults"}


def fingerprint(scenario: Scenario, *chosen: object) -> str:
    """Return a hash of a scenario and further choices, which are hashed by their `repr`."""
    content = SCENARIO.dump_json(scenario, exclude={"supply", "prefer", "forecast"} | _unhashed_fields(scenario))
    return hashlib.sha256(content + b"\0" + repr(chosen).encode()).hexdigest()[:32]
