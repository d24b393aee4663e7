"""Builds events and expectations from the file model, with all checks that span several values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from agents import House, Job, LoadProfile, known_strategies
from agents.scheduling import AlgorithmSettings, known_algorithms
from scenarios.errors import ScenarioError
from scenarios.events import (
    Action,
    AddJobs,
    ChangeTariff,
    CloudFront,
    DisturbLink,
    ForecastError,
    GiveForecast,
    GoOffline,
    JoinDevice,
    LeaveDevice,
    Note,
    RestartBroker,
    SwitchAlgorithm,
    SwitchPatience,
    SwitchStrategy,
    TimelineEvent,
    WithdrawJob,
)
from scenarios.expectations import condition_notes, condition_problems
from scenarios.files.error_recovery import UnresolvedNames
from scenarios.files.problems import UNKNOWN, KeyPath, ProblemCollector, is_unknown, path_in_words
from scenarios.files.series import SeriesReader
from scenarios.files.timeline.timeline_model import (
    AddJobEntry,
    AlgorithmEntry,
    CloudEntry,
    ConditionEntry,
    ExpectEntry,
    ForecastEntry,
    ForecastErrorEntry,
    JoinEntry,
    LeaveEntry,
    LinkEntry,
    NoteEntry,
    OfflineEntry,
    PatienceEntry,
    RestartBrokerEntry,
    StrategyEntry,
    TariffChangeEntry,
    TimelineEntry,
    WithdrawJobEntry,
)
from scenarios.files.times import MAX_TIME_S, NOT_A_TIME, parse_moment
from scenarios.files.validation import report_errors
from scenarios.mistyped_names import suggest
from scenarios.scenario import Expectation, Scenario
from scenarios.timeline import as_planned, job_added
from scenarios.zone import DAY_S, Zone

_ENTRY: TypeAdapter[TimelineEntry] = TypeAdapter(TimelineEntry)
MAX_EVENTS = 100_000
"""Maximum number of events of a timeline, including repetitions."""


@dataclass(frozen=True, slots=True)
class EventTargets:
    """The parts of the file that events refer to."""

    houses: Mapping[str, House]
    """By house id."""
    consumers: Mapping[tuple[str, str], tuple[str | None, Mapping[str, LoadProfile]]]
    """By house and device: the name of its load profile, and all load profiles."""
    producers: tuple[str, ...]
    """Producer ids."""
    jobs: Sequence[Job]
    zone: Zone
    """Time zone of the run."""
    start_s: int
    """Start of the run, UNIX seconds."""
    seed: int
    has_tariff: bool
    """Whether there are prices to change."""
    days: int | None
    """Duration in days; None: until the last job has run."""
    unresolved: UnresolvedNames
    """Names that were lost, which events may refer to."""
    is_start_lost: bool = False
    """The start could not be read: times are not checked."""

    @property
    def end_s(self) -> int:
        """Latest end of the run, UNIX seconds."""
        if self.days is not None:
            return self.zone.days_later_s(self.start_s, self.days)
        return max((job.latest_start_s + job.duration_s for job in self.jobs), default=self.start_s)


def strategy_problem(strategy: str) -> str:
    """Return why consumers cannot have the strategy of this name; empty: they can. No name: the built-in one."""
    known = known_strategies()
    if not strategy or strategy in known:
        return ""
    installed = suggest(strategy, known) if known else "; no plug-in is installed that provides one"
    return f"there is no strategy {strategy!r}{installed}"


def build_timeline(
    entries: Sequence[TimelineEntry], known: EventTargets, series: SeriesReader
) -> tuple[tuple[TimelineEvent, ...], list[str]]:
    """Return the events of a timeline, repetitions included, and the ids of the jobs that it adds.

    Args:
        entries: The entries.
        known: The parts of the file that events refer to.
        series: Reads series; its collector receives the problems.
    """
    builder = _TimelineBuilder(known, series)
    events = [event for i, entry in enumerate(entries) for event in builder.events(entry, ("timeline", i))]
    return tuple(events), builder.added


def build_expectations(
    entries: Sequence[ExpectEntry], known: EventTargets, jobs: Sequence[str], collector: ProblemCollector
) -> tuple[Expectation, ...]:
    """Return the expectations of a file.

    Args:
        entries: The entries.
        known: The parts of the file that events refer to.
        jobs: Ids of all jobs, those of the timeline included.
        collector: Receives the problems.
    """
    found = []
    lost = known.unresolved
    names = {
        "job": None if lost.every_job else [*jobs, *lost.jobs],
        "house": None if lost.every_house else [id_ for id_ in (*known.houses, *lost.houses) if not is_unknown(id_)],
        "producer": None if lost.every_house or lost.houses else [*known.producers, *(id_ for _, id_ in lost.devices)],
        "algorithm": list(known_algorithms()),
    }
    for i, entry in enumerate(entries):
        path: KeyPath = ("expect", i)
        condition = entry if isinstance(entry, ConditionEntry) else ConditionEntry(that=entry)
        at_s = None
        if condition.at not in (None, UNKNOWN) and not known.is_start_lost:
            try:
                at_s = parse_moment(condition.at, known.start_s, known.zone)
            except ValueError as error:
                collector.at((*path, "at"), str(error))
            else:
                _note_too_late(at_s, known, (*path, "at"), collector)
        place = (*path, "that") if isinstance(entry, ConditionEntry) else path
        if condition.that == UNKNOWN:
            continue
        for what in condition_problems(condition.that, names):
            collector.at(place, what)
        collector.notes += [f"{collector.locate(place)}: {what}" for what in condition_notes(condition.that)]
        found.append(Expectation(condition.that, at_s, condition.name))
    return tuple(found)


def _note_too_late(time_s: int, known: EventTargets, path: KeyPath, collector: ProblemCollector) -> None:
    """Note a time after the end of a run whose length the file says."""
    if known.days is not None and time_s > known.end_s:
        what = f"{known.zone.iso(time_s)} is after the run ends ({known.zone.iso(known.end_s)}, days: {known.days})"
        collector.notes.append(f"{collector.locate(path)}: {what}")


class _TimelineBuilder:
    def __init__(self, known: EventTargets, series: SeriesReader) -> None:
        self._known = known
        self._series = series
        self._collector = series.collector
        self._jobs = {job.job_id for job in known.jobs} | known.unresolved.jobs
        self._count = 0
        self.added: list[str] = []

    def events(self, entry: TimelineEntry, path: KeyPath) -> Iterator[TimelineEvent]:
        """Yield the events of an entry; none after reporting problems."""
        before = len(self._collector.problems)
        if (entry.at is None) == (entry.when is None):
            self._collector.at(path, "one of 'at' and 'when' is expected, and not both")
        times_s = self._times(entry, path)
        moments: list[int | None] = [*times_s] or [None]
        actions: list[Action | None] = []
        for time_s in moments:
            actions.append(self._action(entry, path, time_s))
            if len(self._collector.problems) > before:
                return
        for time_s, action in zip(moments, actions, strict=True):
            if action is None:
                continue
            if entry.when is not None:
                when = entry.when
                yield TimelineEvent(at_s=None, job=when.job, turn=when.turn, after_s=when.after, action=action)
                continue
            yield TimelineEvent(at_s=time_s, action=action)

    # When.

    def _times(self, entry: TimelineEntry, path: KeyPath) -> list[int]:  # noqa: C901 - each rule in turn
        known = self._known
        if entry.when is not None:
            self._one_of(entry.when.job, self._jobs, "job", (*path, "when", "job"))
            if entry.repeat is not None:
                self._collector.at((*path, "repeat"), "an event that waits for a job takes place once")
            return []
        first_s = self._moment(entry.at, (*path, "at"))
        if first_s is None:
            return []
        if entry.repeat is None:
            return [first_s]
        until_s = known.end_s
        if entry.repeat.until is not None:
            until_s = self._moment(entry.repeat.until, (*path, "repeat", "until")) or first_s
            if until_s < first_s:
                self._collector.at((*path, "repeat", "until"), "is before the event itself")
        every_s = entry.repeat.every
        times_s = [first_s]
        while len(times_s) < (entry.repeat.times or MAX_EVENTS):
            days, rest_s = divmod(every_s * len(times_s), DAY_S)
            next_s = first_s + every_s * len(times_s) if rest_s else known.zone.days_later_s(first_s, days)
            if entry.repeat.times is None and next_s > until_s:
                break
            if (entry.repeat.until is not None and next_s > until_s) or next_s > MAX_TIME_S:
                break
            times_s.append(next_s)
        self._count += len(times_s)
        if self._count > MAX_EVENTS:
            self._collector.at((*path, "repeat"), f"more than {MAX_EVENTS} events in all")
        return times_s

    def _moment(self, value: int | str | None, path: KeyPath) -> int | None:
        if value is None or value == UNKNOWN:
            return None
        try:
            time_s = parse_moment(value, self._known.start_s, self._known.zone)
        except ValueError as error:
            if not self._known.is_start_lost or f"{NOT_A_TIME};" in str(error):
                self._collector.at(path, str(error))
            return None
        if self._known.is_start_lost:
            return None
        _note_too_late(time_s, self._known, path, self._collector)
        return time_s

    # What.

    def _action(self, entry: TimelineEntry, path: KeyPath, time_s: int | None) -> Action | None:  # noqa: C901, PLR0911, PLR0912 - one case for each kind of entry
        match entry:
            case CloudEntry():
                return CloudFront(
                    producers=self._producers(entry.producers, path),
                    factor=entry.factor,
                    ramp_s=entry.ramp,
                    duration_s=entry.duration,
                    travel_s=entry.travel,
                    announced=entry.announced,
                )
            case ForecastEntry():
                return self._forecast(entry, path)
            case ForecastErrorEntry():
                if entry.every < 60:
                    self._collector.at((*path, "every"), "at least a minute is expected")
                return ForecastError(
                    producers=self._producers(entry.producers, path),
                    growth_per_h=entry.growth_per_h,
                    most=entry.most,
                    every_s=entry.every,
                    duration_s=entry.duration,
                    seed=self._known.seed if entry.seed is None else entry.seed,
                )
            case JoinEntry():
                self._device(entry.house, entry.device, path)
                return JoinDevice(house=entry.house, device=entry.device)
            case LeaveEntry():
                self._device(entry.house, entry.device, path)
                return LeaveDevice(house=entry.house, device=entry.device)
            case AddJobEntry():
                return self._added_job(entry, path, time_s)
            case WithdrawJobEntry():
                self._one_of(entry.job, self._jobs, "job", (*path, "job"))
                return WithdrawJob(job=entry.job)
            case OfflineEntry():
                self._house(entry.house, (*path, "house"))
                return GoOffline(house=entry.house, duration_s=entry.duration)
            case LinkEntry():
                self._house(entry.house, (*path, "house"))
                return DisturbLink(
                    house=entry.house,
                    loss=entry.loss,
                    delay_wall_s=entry.delay_ms / 1000,
                    duration_s=entry.duration,
                )
            case RestartBrokerEntry():
                return RestartBroker()
            case TariffChangeEntry():
                if not self._known.has_tariff:
                    self._collector.at(path, "there is no 'tariff' to change")
                prices = ("import_eur_per_kwh", "feed_in_eur_per_kwh", "neighbour_eur_per_kwh", "grid_kg_co2_per_kwh")
                given = {name: getattr(entry, name) for name in prices}
                if all(value is None for value in given.values()):
                    self._collector.at(path, f"changes no price; one of {', '.join(prices)} is expected")
                return ChangeTariff(**given)
            case AlgorithmEntry():
                return self._algorithm(entry, path)
            case PatienceEntry():
                return SwitchPatience(houses=self._houses(entry.houses, path), patient=entry.patient)
            case StrategyEntry():
                return self._strategy(entry, path)
            case NoteEntry():
                return Note(text=entry.text)
        return None

    def _forecast(self, entry: ForecastEntry, path: KeyPath) -> Action | None:
        self._one_of(entry.producer, self._known.producers, "producer", (*path, "producer"))
        has_series = any(getattr(entry, key) is not None for key in ("points", "file", "power_w", "step_s", "start"))
        if has_series == (entry.factor is not None):
            self._collector.at(path, "one of 'factor' and a series is expected, and not both")
            return None
        if entry.factor is not None:
            return GiveForecast(producer=entry.producer, factor=entry.factor)
        production = self._series.production(entry, path)
        return None if production is None else GiveForecast(producer=entry.producer, production=production)

    def _added_job(self, entry: AddJobEntry, path: KeyPath, time_s: int | None) -> Action | None:
        source = entry.id or f"{entry.house}/{entry.device}"
        self._device(entry.house, entry.device, path)
        has_time = entry.at is not None
        earliest_s = self._after_event(entry.earliest_start, time_s, (*path, "earliest_start"), has_time=has_time)
        latest_s = self._after_event(entry.latest_start, time_s, (*path, "latest_start"), has_time=has_time)
        if latest_s is not None and earliest_s is not None and latest_s < earliest_s:
            self._collector.at((*path, "latest_start"), "is before the earliest start")
        found = self._profile_of_job(entry, path)
        if found is None or earliest_s is None or latest_s is None:
            self._known.unresolved.jobs.add(source)
            return None
        name, profile = found
        job_id, n = source, 1
        while job_id in self._jobs:
            n += 1
            job_id = f"{source}#{n}"
        self._jobs.add(job_id)
        self.added.append(job_id)
        return AddJobs(
            job_id=job_id,
            source_id=source,
            house=entry.house,
            device=entry.device,
            profile=name,
            load_profile=profile,
            earliest_after_s=earliest_s,
            latest_after_s=latest_s,
        )

    def _profile_of_job(self, entry: AddJobEntry, path: KeyPath) -> tuple[str, LoadProfile] | None:
        """Return the load profile of an added job and its name; None after reporting why there is none."""
        key = (entry.house, entry.device)
        if key not in self._known.consumers:
            if not self._is_lost(entry.house) and self._has(key):
                self._collector.at((*path, "device"), f"{entry.device!r} is a producer; a job runs on a consumer")
            if entry.load_profile is not None:
                every = next((profiles for _, profiles in self._known.consumers.values()), {})
                known = {*every, *self._known.unresolved.profiles}
                self._one_of(entry.load_profile, known, "load profile", (*path, "load_profile"))
            return None
        default, profiles = self._known.consumers[key]
        name = entry.load_profile or default
        if name is None:
            self._collector.at((*path, "load_profile"), f"required; device {entry.device!r} names none")
            return None
        profile = profiles.get(name)
        if profile is None:
            self._one_of(name, {*profiles, *self._known.unresolved.profiles}, "load profile", (*path, "load_profile"))
            return None
        return name, profile

    def _after_event(self, value: int | str, event_s: int | None, path: KeyPath, *, has_time: bool) -> int | None:
        """Return how long after the event a job may start, seconds; None after reporting a problem."""
        if isinstance(value, int):
            return value
        if event_s is None and has_time:
            return None  # it could not be read
        if event_s is None:
            self._collector.at(path, f"how long after the event is expected, such as 2h, not {value!r}, without 'at'")
            return None
        zone = self._known.zone
        try:
            # 14:00 is on the day of the event; other times say their day themselves.
            start_s = event_s if re.fullmatch(r"\s*\d{1,2}:\d\d(:\d\d)?\s*", value) else self._known.start_s
            time_s = parse_moment(value, min(start_s, event_s), zone)
        except ValueError as error:
            what = str(error)
            if " is in the past: " in what:
                what = f"{value!r} is before the event ({zone.iso(event_s)})"
            self._collector.at(path, what)
            return None
        if time_s < event_s:
            self._collector.at(path, f"{value!r} is before the event ({zone.iso(event_s)})")
            return None
        return time_s - event_s

    def _algorithm(self, entry: AlgorithmEntry, path: KeyPath) -> Action | None:
        if entry.algorithm == UNKNOWN:
            return None
        if entry.algorithm not in known_algorithms():
            what = f"there is no algorithm {entry.algorithm!r}{suggest(entry.algorithm, known_algorithms())}"
            self._collector.at((*path, "algorithm"), what)
            return None
        given = {"penalty": entry.penalty, "node_limit": entry.node_limit}
        settings = AlgorithmSettings(entry.algorithm, **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]  # each has its type
        return SwitchAlgorithm(producers=self._producers(entry.producers, path), algorithm=settings)

    def _strategy(self, entry: StrategyEntry, path: KeyPath) -> Action | None:
        if problem := strategy_problem(entry.strategy):
            self._collector.at((*path, "strategy"), problem)
            return None
        return SwitchStrategy(houses=self._houses(entry.houses, path), strategy=entry.strategy)

    # Who.

    def _houses(self, named: list[str] | None, path: KeyPath) -> tuple[str, ...]:
        for i, house in enumerate(named or ()):
            self._house(house, (*path, "houses", i))
        return tuple(self._known.houses) if named is None else tuple(dict.fromkeys(named))

    def _producers(self, named: list[str] | None, path: KeyPath) -> tuple[str, ...]:
        for i, producer in enumerate(named or ()):
            self._one_of(producer, self._known.producers, "producer", (*path, "producers", i))
        return self._known.producers if named is None else tuple(dict.fromkeys(named))

    def _house(self, house: str, path: KeyPath) -> None:
        self._one_of(house, self._known.houses, "house", path)

    def _has(self, key: tuple[str, str]) -> bool:
        house = self._known.houses.get(key[0])
        return house is not None and any(device.id == key[1] for device in house.devices)

    def _is_lost(self, house: str) -> bool:
        unresolved = self._known.unresolved
        return unresolved.every_house or house in unresolved.houses

    def _device(self, house: str, device: str, path: KeyPath) -> None:
        unresolved = self._known.unresolved
        if house not in self._known.houses:
            self._house(house, (*path, "house"))
        elif not self._has((house, device)) and not (
            device == UNKNOWN or house in unresolved.houses or (house, device) in unresolved.devices
        ):
            ids = [known.id for known in self._known.houses[house].devices]
            self._collector.at((*path, "device"), f"house {house!r} has no device {device!r}{suggest(device, ids)}")

    def _one_of(
        self, name: str, known: Iterable[str], kind: Literal["house", "producer", "job", "load profile"], path: KeyPath
    ) -> None:
        lost = self._known.unresolved
        match kind:
            case "house":
                is_lost = lost.every_house or name in lost.houses
            case "producer":
                is_lost = lost.every_house or bool(lost.houses) or name in {device for _, device in lost.devices}
            case "job":
                is_lost = lost.every_job or name in lost.jobs
            case "load profile":
                is_lost = lost.every_profile or name in lost.profiles
        if name not in set(known) and name != UNKNOWN and not is_lost:
            self._collector.at(path, f"there is no {kind} {name!r}{suggest(name, known)}")


def event_action(scenario: Scenario, entry: dict[str, Any], at_s: int) -> Action:
    """Return the action of an entry as in a scenario's timeline, without its time.

    Args:
        scenario: The scenario, with all events so far.
        entry: `do` and the keys that belong to it.
        at_s: When it takes place, UNIX seconds.

    Raises:
        ScenarioError: It is not valid; carries all problems.
    """
    collector = ProblemCollector(lambda path: path_in_words(path[2:]) or str(entry.get("do")))
    for key in ("at", "when", "repeat"):
        if key in entry:
            collector.at(("timeline", 0, key), "belongs to a file's timeline; this event takes place now, and once")
    tree: dict[str, Any] = {"timeline": [{**entry, "at": at_s, "when": None, "repeat": None}]}
    try:
        parsed = _ENTRY.validate_python(tree["timeline"][0])
    except ValidationError as error:
        report_errors(tree, error, ("timeline", 0), collector)
        raise ScenarioError(collector.problems) from None
    when_added = [
        job_added(event.action, at_s)
        for event in scenario.timeline
        if event.at_s is None and isinstance(event.action, AddJobs)
    ]
    profiles = {job.profile: job.load_profile for job in scenario.jobs}
    defaults = {(job.house, job.device): job.profile for job in scenario.jobs}
    consumers = {
        (house.id, device.id): (defaults.get((house.id, device.id)), profiles)
        for house in scenario.houses
        for device in house.devices
        if device.type == "consumer"
    }
    known = EventTargets(
        {house.id: house for house in scenario.houses},
        consumers,
        tuple(scenario.producers),
        (*as_planned(replace(scenario, timeline=_only_added(scenario))).jobs, *when_added),
        scenario.zone,
        scenario.start_s,
        seed=scenario.seed,
        has_tariff=scenario.tariff is not None,
        days=scenario.days,
        unresolved=UnresolvedNames(),
    )
    zone = scenario.zone.tzinfo
    series = SeriesReader(collector, None, scenario.start_s, zone if isinstance(zone, ZoneInfo) else None)
    events, _ = build_timeline([parsed], known, series)
    collector.raise_if_any()
    return events[0].action


def _only_added(scenario: Scenario) -> tuple[TimelineEvent, ...]:
    return tuple(event for event in scenario.timeline if isinstance(event.action, AddJobs))
