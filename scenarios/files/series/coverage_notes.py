"""Notes on parts of a scenario that do not overlap in time, such as forecasts outside the run.

These are not errors: the scenario runs, but may deliver 0.00 kWh. So the notes say beforehand which part covers which
time, and suggest remedies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from agents import Job, Production
from broker import first_few, plural
from scenarios.files.problems import KeyPath
from scenarios.files.series.measured_series import resolutions_s
from scenarios.prices import PriceSeries
from scenarios.scenario import ProducerSeries, Scenario
from scenarios.zone import DAY_S, Zone

_YEAR_S = 365 * DAY_S
_PRICES_OF_TABLE = 24
"""A series of at least this many prices is a table for a certain period, such as a day."""
_NAMED = 3
"""Most producers that a remedy names."""


@dataclass(frozen=True, slots=True)
class MoveStart:
    """Remedy: start the run on another day."""

    start_s: int
    """The new start, UNIX seconds; the time of day is kept."""


@dataclass(frozen=True, slots=True)
class ShiftForecasts:
    """Remedy: shift forecasts and actual production of some producers to other days."""

    producers: tuple[str, ...]
    """Their ids."""
    days: int
    """Number of days to shift by; negative: earlier."""


@dataclass(frozen=True, slots=True)
class RunDays:
    """Remedy: run the scenario for more days."""

    days: int
    """Total number of days."""


Remedy = MoveStart | ShiftForecasts | RunDays


@dataclass(frozen=True, slots=True)
class ScenarioNote:
    """Something that is probably unintended, though the scenario runs."""

    what: str
    """One or two sentences, including the remedies."""
    path: KeyPath = ()
    """The part of the scenario file that it is about."""
    remedies: tuple[Remedy, ...] = ()
    """Changes of the file, any of which would do."""


def coverage_notes(scenario: Scenario, days: int | None = None) -> tuple[ScenarioNote, ...]:
    """Return notes on what does not meet in time.

    Args:
        scenario: The scenario to run.
        days: Duration in days; None: the scenario's, or until the last job has run.
    """
    return _Coverage(scenario, scenario.days if days is None else days).notes()


class _Coverage:
    """One check of a scenario."""

    def __init__(self, scenario: Scenario, days: int | None) -> None:
        self._scenario = scenario
        self._days = days
        self._zone = scenario.zone
        self._start_s = scenario.start_s
        self._end_s = _end_s(scenario, days)

    def notes(self) -> tuple[ScenarioNote, ...]:
        series, covered = self._production()
        return (
            *self._start(),
            *series,
            *self._base_loads(),
            *self._prices(),
            *self._late_jobs(),
            *(self._dark_jobs() if covered else ()),
        )

    def _start(self) -> Iterable[ScenarioNote]:
        """Note a run that starts long before anything happens, or near the UNIX epoch."""
        scenario = self._scenario
        if self._start_s < _YEAR_S:
            what = f"the run starts at {self._moment(self._start_s)}: were seconds of a day meant as UNIX seconds?"
            yield ScenarioNote(f"{what} Times are expected in seconds since 1970, or as dates", ("start",))
            return
        times_s = [job.registered_s for job in scenario.jobs]
        times_s += [_span(producer)[0] for producer in scenario.producers.values()]
        first_s = min(times_s, default=self._start_s)
        days = self._zone.full_days(self._start_s, first_s)
        if days > 1 and (not scenario.jobs or min(job.registered_s for job in scenario.jobs) >= first_s):
            remedy = self._move(days)
            early = plural(days, "day")
            what = f"the run starts at {self._moment(self._start_s)}, {early} before its first job or forecast"
            yield ScenarioNote(f"{what} ({self._moment(first_s)}); {self._in_words([remedy])}", ("start",), (remedy,))

    def _production(self) -> tuple[list[ScenarioNote], bool]:
        """Note forecasts and actual production outside the run; also return whether any forecast is within it."""
        producers = self._scenario.producers
        if self._end_s is None or not producers:
            return [], False
        missing = {id_: series for id_, series in producers.items() if not self._reaches(series)}
        notes = []
        if missing:
            notes.append(self._missing_production(missing, is_all=len(missing) == len(producers)))
        for id_, series in producers.items():
            actual = series.actual
            if actual is not None and id_ not in missing and not self._overlaps(actual.start_s, actual.end_s):
                what = f"the actual production of {id_} is {self._span(actual.start_s, actual.end_s)}"
                notes.append(ScenarioNote(f"{what}, and {self._run()}: it counts as 0", self._path_of(id_)))
        return notes, len(missing) < len(producers)

    def _missing_production(self, missing: dict[str, ProducerSeries], *, is_all: bool) -> ScenarioNote:
        spans = [_span(series) for series in missing.values()]
        first_s, last_s = min(start for start, _ in spans), max(end for _, end in spans)
        days = self._days_to(first_s)
        remedies: list[Remedy] = [ShiftForecasts(tuple(missing), -days)]
        if is_all:
            remedies.insert(0, self._move(days))
        whose = "" if is_all else f" of {first_few(missing)}"
        span = self._span(first_s, last_s)
        late = self._overlaps(first_s, last_s)
        covers = f"are issued after its end, or are for before and after it ({span})" if late else f"are {span}"
        what = f"no forecast{whose} reaches into the run: {self._run()}, the forecasts {covers}"
        remedies = [] if late else remedies
        rest = f"; {self._in_words(remedies)}" if remedies else ""
        return ScenarioNote(f"{what}{rest}", self._path_of(next(iter(missing))), tuple(remedies))

    def _base_loads(self) -> Iterable[ScenarioNote]:
        """Note base loads that do not cover the run: outside its series, a house has no base load."""
        end_s, loads = self._end_s, self._scenario.base_loads
        if end_s is None:
            return
        short = [house for house, load in loads.items() if load.start_s > self._start_s or load.end_s < end_s]
        if short:
            first = loads[short[0]]
            span = self._span(first.start_s, first.end_s)
            what = f"the base load of {first_few(short)} does not cover the run: it is {span}, and {self._run()}"
            houses = [house.id for house in self._scenario.houses]
            yield ScenarioNote(f"{what}; outside it counts as 0", ("houses", houses.index(short[0]), "base_load"))

    def _prices(self) -> Iterable[ScenarioNote]:
        """Note tables of prices that end before the run. The last one of only a few prices may be meant to stay."""
        tariff, community = self._scenario.tariff, self._scenario.community
        for of, part in (("tariff", tariff), ("community", community)):
            for key in () if part is None else (field.name for field in fields(part)):
                price = getattr(part, key)
                if self._end_s is None or not isinstance(price, PriceSeries) or len(price.times_s) < _PRICES_OF_TABLE:
                    continue
                end_s = price.times_s[-1] + resolutions_s(price.times_s)[-1]
                if end_s < self._end_s:
                    span = self._span(price.times_s[0], end_s)
                    what = f"{of}.{key} does not cover the run: its prices are {span}, and {self._run()}"
                    yield ScenarioNote(f"{what}; the last price still applies", (of, key))

    def _late_jobs(self) -> Iterable[ScenarioNote]:
        """Note jobs that start after the run is over."""
        end_s = self._end_s
        if self._days is None or end_s is None:
            return
        late = [job for job in self._scenario.jobs if _first_s(job) >= end_s]
        if late:
            last_s = max(job.latest_start_s + job.duration_s for job in late)
            remedy = RunDays(self._zone.full_days(self._start_s, last_s - 1) + 1)
            what = f"{self._jobs(late)} only when the run is over: {self._run()}"
            remedies: tuple[Remedy, ...] = (remedy,) if remedy.days <= _YEAR_S // DAY_S else ()
            rest = f"; {self._in_words(remedies)}" if remedies else ""
            yield ScenarioNote(f"{what}{rest}", self._path_of_job(late[0]), remedies)

    def _dark_jobs(self) -> Iterable[ScenarioNote]:
        """Note jobs with a window on days without any forecast; a night belongs to the adjacent days."""
        spans = _merged(
            self._whole_days(prediction.production)
            for series in self._scenario.producers.values()
            for prediction in series.predictions
        )
        dark = [job for job in self._scenario.jobs if not _meets(job, spans)]
        if dark:
            shown = self._span(spans[0][0], spans[-1][1] - 60)
            gaps = "" if len(spans) == 1 else ", with gaps"
            what = f"{self._jobs(dark)} only on days without a forecast, so on grid power: forecasts are {shown}{gaps}"
            yield ScenarioNote(what, self._path_of_job(dark[0]))

    def _whole_days(self, production: Production) -> tuple[int, int]:
        """Return the local days that a series is about; at midnight, the one before has ended."""
        last_s = self._zone.midnight_s(production.end_s - 1)
        return self._zone.midnight_s(production.start_s), self._zone.days_later_s(last_s, 1)

    def _reaches(self, series: ProducerSeries) -> bool:
        end_s = self._end_s
        return any(
            self._overlaps(prediction.production.start_s, prediction.production.end_s)
            and (end_s is None or prediction.issued_s <= end_s)
            for prediction in series.predictions
        )

    def _overlaps(self, start_s: int, end_s: int) -> bool:
        return self._end_s is not None and start_s < self._end_s and end_s > self._start_s

    def _days_to(self, time_s: int) -> int:
        """Return the number of days between the first job's day (without jobs: the first day) and a time."""
        first_s = min((_first_s(job) for job in self._scenario.jobs), default=self._start_s)
        return self._zone.full_days(self._start_s, time_s) - self._zone.full_days(self._start_s, first_s)

    def _move(self, days: int) -> MoveStart:
        return MoveStart(self._zone.days_later_s(self._start_s, days))

    def _in_words(self, remedies: Sequence[Remedy]) -> str:
        return ", or ".join(remedy_text(remedy, self._zone) for remedy in remedies)

    def _run(self) -> str:
        return f"the run is {self._span(self._start_s, self._end_s or self._start_s)}"

    def _span(self, start_s: int, end_s: int) -> str:
        zone = self._zone
        is_one_day = zone.at(start_s).date() == zone.at(end_s).date()
        last = zone.exact_clock(end_s) if is_one_day else zone.exact_date(end_s)
        return f"from {zone.exact_date(start_s)} to {last} ({zone.name})"

    def _moment(self, time_s: int) -> str:
        return f"{self._zone.exact_date(time_s)} ({self._zone.name})"

    def _jobs(self, jobs: Sequence[Job]) -> str:
        count = len(self._scenario.jobs)
        what = "the only job" if count == 1 else f"{len(jobs)} of {count} jobs"
        return f"{what} ({first_few(job.job_id for job in jobs)}) can run"

    def _path_of(self, producer: str) -> KeyPath:
        for i, house in enumerate(self._scenario.houses):
            for j, device in enumerate(house.devices):
                if device.id == producer and device.type == "producer":
                    return ("houses", i, "devices", j)
        return ()

    def _path_of_job(self, job: Job) -> KeyPath:
        for i, house in enumerate(self._scenario.houses):
            for j, device in enumerate(house.devices):
                if device.agent == job.agent:
                    return ("houses", i, "devices", j)
        return ()


def remedy_text(remedy: Remedy, zone: Zone) -> str:
    """Return a remedy as an instruction."""
    match remedy:
        case MoveStart(start_s):
            return f"move the start to {zone.iso(start_s)} (times written as HH:MM move with it)"
        case ShiftForecasts(producers, days):
            whose = f" of {first_few(producers)}" if len(producers) <= _NAMED else ""
            return f"shift the forecasts{whose} by {days:+} day{'' if abs(days) == 1 else 's'}"
        case RunDays(days):
            return f"run {plural(days, 'day')}"


def _end_s(scenario: Scenario, days: int | None) -> int | None:
    """Return the end of the run, UNIX seconds; None where neither days nor jobs determine it."""
    if days is not None:
        return scenario.end_s(days)
    return max((job.latest_start_s + job.duration_s for job in scenario.jobs), default=None)


def _span(producer: ProducerSeries) -> tuple[int, int]:
    """Return first and last time covered by a producer's forecasts, UNIX seconds."""
    series: list[Production] = [prediction.production for prediction in producer.predictions]
    return min(one.start_s for one in series), max(one.end_s for one in series)


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return time spans in order, with touching ones merged."""
    merged: list[tuple[int, int]] = []
    for start_s, end_s in sorted(spans):
        if merged and start_s <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end_s))
        else:
            merged.append((start_s, end_s))
    return merged


def _meets(job: Job, spans: Sequence[tuple[int, int]]) -> bool:
    last_s = job.latest_start_s + job.duration_s
    return any(start_s < last_s and _first_s(job) < end_s for start_s, end_s in spans)


def _first_s(job: Job) -> int:
    """Return the first possible start of a job, UNIX seconds."""
    return max(job.earliest_start_s, job.registered_s)
