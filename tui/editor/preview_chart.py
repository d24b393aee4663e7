"""Preview charts of the parts of a neighbourhood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from agents import CumulativeSeries, FloatArray, LoadProfile, Prediction, Production
from broker import plural
from scenarios import DAY_S, MAX_DAYS, EventMark, ProducerSeries, Zone
from scenarios.files import (
    LoadProfileEntry,
    ProblemCollector,
    ProductionEntry,
    SeriesReader,
    duration_s,
    locate_in,
)
from scenarios.metrics import real_production_wh
from tui.editor import tree_model
from tui.editor.forms import RunStart, seconds
from tui.editor.scripts import condition_of, event_in_words, moment_s
from tui.editor.tree_model import Ref, Tree, at, text
from tui.formatting import hours_and_minutes, kwh
from tui.shell import Days
from tui.widgets import DEMAND, FORECAST, PRODUCTION, Series, TimeAxis, drawn

STEPS = 288
_NO_SPAN = TimeAxis(0, 1)
_MOST_SAID = 10
"""Events in the caption; the chart marks all of them."""
_HOUR_S = 3600
Kept = dict[int, tuple[object, object, Production | None]]
"""By `id()` of an entry: further cache key, the entry itself, its production."""
MOST_KEPT = 5_000
_EntryT = TypeVar("_EntryT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class PreviewContent:
    """Contents of a preview chart, with its caption."""

    title: str
    series: tuple[Series, ...] = ()
    span: TimeAxis = _NO_SPAN
    said: str = ""
    """Caption under the title."""
    days: Days | None = None
    """The days to choose from; None: not a chart of a day."""
    marks: tuple[EventMark, ...] = ()
    """Events, by their time."""


@dataclass(frozen=True, slots=True)
class PreviewArtist:
    """Draws previews of parts of a neighbourhood; may read files."""

    tree: Tree
    folder: Path | None
    day_index: int = 0
    """Index of the day drawn, from 0."""
    kept: Kept = field(default_factory=dict)
    """Cache of productions read for earlier previews: a year of minutes takes a while."""
    allow_outside: bool = False
    """Whether files may lie outside the folder."""

    def picture(self, ref: Ref) -> PreviewContent:
        """Return the preview of a part."""
        match tree_model.kind_of(ref):
            case "device" if at(self.tree, (*ref, "type")) == "producer":
                return self.producer(at(self.tree, ref))
            case "device":
                return self.load_profile(text(at(self.tree, (*ref, "load_profile"))))
            case "profile":
                return self.load_profile(str(ref[-1]))
            case "job":
                return self.job(at(self.tree, ref))
            case "house":
                return self.day(text(at(self.tree, (*ref, "id"))))
            case _:
                return self._day_of(ref)

    def load_profile(self, name: str) -> PreviewContent:
        """Draw a load profile of the file, or a bundled one, by its name."""
        if not name:
            return PreviewContent("No load profile chosen yet")
        return load_picture(name, self.profile(name))

    def profile(self, name: str) -> LoadProfile | None:
        """Return a load profile; None if missing or invalid."""
        entry = _parsed(LoadProfileEntry, tree_model.profiles(self.tree).get(name))
        return self._reader().load_profile(entry, ()) if entry else None

    def production(self, entry: object) -> Production | None:
        """Return the production described by an entry for a prediction or actual production."""
        written = self._as_written(entry)
        if id(entry) in self.kept and self.kept[id(entry)][0] == written:
            return self.kept[id(entry)][2]
        found = self._production(entry)
        if len(self.kept) >= MOST_KEPT:
            self.kept.clear()
        self.kept[id(entry)] = (written, entry, found)  # keeping the entry prevents reuse of its id
        return found

    def _as_written(self, entry: object) -> object:
        """Return what an entry's meaning depends on, apart from the entry itself, which never changes."""
        start = self.tree.get("start"), self.tree.get("zone")
        name = entry.get("file") if isinstance(entry, dict) else None
        if not isinstance(name, str) or self.folder is None:
            return start
        try:
            there = (self.folder / name).stat()
        except (OSError, ValueError):
            return start, name
        return start, name, there.st_mtime_ns, there.st_size

    def _production(self, entry: object) -> Production | None:
        known = {k: v for k, v in entry.items() if k != "issued"} if isinstance(entry, dict) else None
        parsed = _parsed(ProductionEntry, known)
        return self._reader().production(parsed, ()) if parsed else None

    def producer(self, device: dict[str, Any]) -> PreviewContent:
        """Draw a producer's forecasts and its production."""
        found = [self.production(entry) for _, entry in tree_model.items(device.get("predictions"))]
        productions = [production for production in found if production is not None]
        actual = self.production(device.get("actual")) if device.get("actual") else None
        everything = [*productions, *([actual] if actual else [])]
        if not everything:
            return PreviewContent("No forecast yet")
        start_s, end_s = min(p.start_s for p in everything), max(p.end_s for p in everything)
        days, title = None, "Forecasts" if len(productions) > 1 else "Forecast"
        if end_s - start_s > 2 * DAY_S:
            # A year of forecasts in one chart would be illegible.
            origin_s = self._run_start.start_s
            first_s = start_s if origin_s is None or origin_s >= end_s else origin_s
            days = Days(first_s, self._zone.full_days(first_s, end_s - 1) + 1, self._zone)
            start_s, end_s, title = self._chosen(days, title)
            productions = [p for p in productions if p.start_s < end_s and p.end_s > start_s][-len(_COLOURS) :]
        span = TimeAxis(start_s, end_s, self._zone)
        series = [
            drawn(FORECAST, power_w(production, start_s, end_s))
            if i == 0
            else Series(f"forecast {i + 1}", power_w(production, start_s, end_s), "line", colour, short_name=str(i + 1))
            for i, (production, colour) in enumerate(zip(productions, _COLOURS, strict=False))
        ]
        if actual:
            series.append(Series("actual", power_w(actual, start_s, end_s), "line", PRODUCTION.colour))
        edges_s = np.array([start_s, end_s], dtype=np.float64)
        energies_wh = [float(production.energy_per_bin_wh(edges_s)[0]) for production in productions[:6]]
        said = ", ".join(f"{wh / 1000:,.1f} kWh" for wh in energies_wh)
        return PreviewContent(title, tuple(series), span, said, days, self.marks(int(span.start_s), int(span.end_s)))

    def job(self, job: dict[str, Any]) -> PreviewContent:
        """Draw a job at both ends of its window, in front of the neighbourhood's production."""
        run_start = self._run_start
        earliest_s, latest_s = (seconds(job.get(key), run_start) for key in ("earliest_start", "latest_start"))
        name = text(job.get("load_profile")) or self._profile_of_device(job)
        profile = self.profile(name) if name else None
        if earliest_s is None or latest_s is None or profile is None:
            return PreviewContent("The chart appears once the job has a window and a load profile")
        first_s, last_s = min(earliest_s, latest_s), max(earliest_s, latest_s) + profile.duration_s
        margin_s = max(1800, (last_s - first_s) // 8)
        start_s, end_s = first_s - margin_s, last_s + margin_s
        sun_w = self._produced_w(start_s, end_s)
        peak_w = float(_load_w(profile, earliest_s, start_s, end_s).max())
        # At the scale of the neighbourhood's production, one job would be a line.
        parts = next((n for n in (1, 2, 5, 10, 20, 50) if sun_w.max() <= 4 * peak_w * n), 100)
        series = []
        if sun_w.any():
            series.append(drawn(FORECAST, sun_w / parts, "produced" if parts == 1 else f"produced / {parts}"))
        series.append(drawn(DEMAND, _load_w(profile, earliest_s, start_s, end_s), "earliest"))
        series.append(Series("latest", _load_w(profile, latest_s, start_s, end_s), "line", "accent"))
        said = f"{kwh(profile.energy_wh)} in {_duration(profile.duration_s)}"
        if latest_s >= earliest_s:
            said += f", may start within {_duration(latest_s - earliest_s)}"
        marks = self.marks(start_s, end_s)
        return PreviewContent(name, tuple(series), TimeAxis(start_s, end_s, self._zone), said, marks=marks)

    def day(self, house: str | None) -> PreviewContent:
        """Draw production and jobs of a house, or of all, each job at its earliest start."""
        run_start = self._run_start
        if run_start.start_s is None:
            return PreviewContent("The chart appears once the start has a date")
        loads: list[tuple[int, LoadProfile]] = []
        known: dict[str, LoadProfile | None] = {}
        defaults = self._profiles_of_devices()
        for _, job in tree_model.jobs(self.tree):
            earliest_s = seconds(job.get("earliest_start"), run_start)
            name = text(job.get("load_profile")) or defaults.get(tree_model.key_of_job(job), "")
            if name not in known:
                known[name] = self.profile(name) if name else None
            profile = known[name]
            if profile and earliest_s is not None and house in (None, text(job.get("house"))):
                loads.append((earliest_s, profile))
        days = Days(run_start.start_s, self._day_count(run_start.start_s, loads), self._zone)
        start_s, end_s, title = self._chosen(days, "The day")
        span = TimeAxis(start_s, end_s, self._zone)
        produced_w = self._produced_w(start_s, end_s, house)
        load_w = np.zeros(STEPS)
        for earliest_s, profile in loads:
            if earliest_s < end_s and earliest_s + profile.duration_s > start_s:
                load_w += _load_w(profile, earliest_s, start_s, end_s)
        base_w = self._base_load_w(start_s, end_s, house)
        load_w += base_w
        if not load_w.any() and not produced_w.any():
            return PreviewContent(title, days=days)
        series = (
            drawn(FORECAST, produced_w, "produced"),
            drawn(DEMAND, load_w, "demand")
            if base_w.any()
            else drawn(DEMAND, load_w, "jobs at their earliest start", short_name="jobs, earliest"),
        )
        energy = sum(profile.energy_wh for earliest_s, profile in loads if start_s <= earliest_s < end_s) / 1000
        produced = float(produced_w.mean()) * (end_s - start_s) / 3_600_000
        said = f"{produced:,.1f} kWh produced, jobs for {energy:,.1f} kWh{self._waiting()}"
        if base_w.any():
            said += f", base load {float(base_w.mean()) * (end_s - start_s) / 3_600_000:,.1f} kWh"
        marks = self.marks(start_s, end_s)
        if marks:
            said += "\n╎ " + ", ".join(
                f"{self._zone.exact_clock(int(mark.at_s))} {mark}" for mark in marks[:_MOST_SAID]
            )
        return PreviewContent(title, series, span, said, days, marks)

    def _day_count(self, start_s: int, loads: Sequence[tuple[int, LoadProfile]]) -> int:
        """Return the days of the run: from the file, else until the last job drawn."""
        days = self.tree.get("days")
        if isinstance(days, int) and days > 0:
            return days
        last_s = max((earliest_s for earliest_s, _ in loads), default=start_s)
        return max(1, min(MAX_DAYS, self._zone.full_days(start_s, last_s) + 1))

    def _chosen(self, days: Days, title: str) -> tuple[int, int, str]:
        """Return start and end of the chosen day, and the title, which names the day if there are several."""
        index = days.fitting(self.day_index)
        return days.begins_s(index), days.begins_s(index + 1), " · ".join(filter(None, (title, days.title(index))))

    def _day_of(self, ref: Ref) -> PreviewContent:
        """Draw the day of an event or an expectation; the chosen day of another part, or where it has no time."""
        entry = at(self.tree, ref) if tree_model.kind_of(ref) in {"event", "expectation"} else None
        at_s = moment_s(self.tree, entry.get("at")) if isinstance(entry, dict) else None
        start_s = self._run_start.start_s
        if at_s is None or start_s is None:
            return self.day(None)
        return replace(self, day_index=self._zone.full_days(start_s, at_s)).day(None)

    def marks(self, start_s: int, end_s: int) -> tuple[EventMark, ...]:
        """Return what is due in a period: the events whose time is known before the run, and timed expectations.

        Args:
            start_s: Beginning of the period, UNIX seconds.
            end_s: Its end.

        Returns:
            The marks in order of time. Repetitions within a step of the chart are one mark.
        """
        found: list[EventMark] = []
        for _, entry in tree_model.items(self.tree.get("timeline")):
            said = event_in_words(entry)
            found += [EventMark(at_s, said, count) for at_s, count in self._times_s(entry, start_s, end_s)]
        for _, entry in tree_model.items(self.tree.get("expect")):
            at_s = moment_s(self.tree, entry.get("at"))
            if at_s is not None and start_s <= at_s < end_s:
                found.append(EventMark(at_s, f"expected: {text(entry.get('name')) or condition_of(entry)}"))
        return tuple(sorted(found))

    def _times_s(self, entry: dict[str, Any], start_s: int, end_s: int) -> Iterator[tuple[int, int]]:
        """Yield the times of an event in a period: the first repetition of each step, and how many that step has."""
        first_s = moment_s(self.tree, entry.get("at"))
        if first_s is None:
            return
        repeat = entry.get("repeat")
        every_s = _span_s(repeat.get("every")) if isinstance(repeat, dict) else None
        if not isinstance(repeat, dict) or every_s is None or every_s < 1:
            if start_s <= first_s < end_s:
                yield first_s, 1
            return
        times, until_s = repeat.get("times"), moment_s(self.tree, repeat.get("until"))
        last_s = end_s - 1 if until_s is None else min(end_s - 1, until_s)
        at_once = max(1, (end_s - start_s) // STEPS // every_s)
        # Repetitions of whole days keep the time of day: clocks may have moved one into the period.
        moved_s = DAY_S if every_s >= _HOUR_S else 0
        n = max(0, -(-(start_s - moved_s - first_s) // every_s))
        while not isinstance(times, int) or n < times:
            days, rest_s = divmod(every_s * n, DAY_S)
            at_s = first_s + every_s * n if rest_s else self._zone.days_later_s(first_s, days)
            if at_s > last_s:
                return
            if at_s < start_s:
                n += 1
                continue
            count = min(at_once, (last_s - at_s) // every_s + 1)
            if isinstance(times, int):
                count = min(count, times - n)
            yield at_s, count
            n += count

    def _waiting(self) -> str:
        """Return how many events wait for a job, whose time is known only in the run."""
        waiting = sum("when" in entry for _, entry in tree_model.items(self.tree.get("timeline")))
        return f", {plural(waiting, 'event')} when a job allows" if waiting else ""

    @property
    def _run_start(self) -> RunStart:
        return RunStart.of_tree(self.tree)

    @property
    def _zone(self) -> Zone:
        return self._run_start.zone

    def _produced_w(self, start_s: int, end_s: int, house: str | None = None) -> FloatArray:
        """Return mean production power in W per step, by the rule used in results."""
        edges_s = np.linspace(start_s, max(end_s, start_s + 1), STEPS + 1)
        total = np.zeros(STEPS)
        for _, found in tree_model.houses(self.tree):
            if house not in (None, text(found.get("id"))):
                continue
            for _, device in tree_model.devices(found):
                if producer := self._producer(device):
                    total += real_production_wh(producer, edges_s) / np.diff(edges_s) * 3600
        return total

    def _base_load_w(self, start_s: int, end_s: int, house: str | None) -> FloatArray:
        """Return the mean power of base loads in W per step, of a house or of all."""
        total = np.zeros(STEPS)
        for _, found in tree_model.houses(self.tree):
            entry = found.get("base_load")
            if house not in (None, text(found.get("id"))) or not isinstance(entry, dict):
                continue
            if isinstance(entry.get("constant_w"), int | float):
                total += float(entry["constant_w"])
            elif (series := self.production(entry)) is not None:
                total += power_w(series, start_s, end_s)
        return total

    def _producer(self, device: dict[str, Any]) -> ProducerSeries | None:
        """Return a producer's readable forecasts and production; None if there are none."""
        run_start = self._run_start
        actual = self.production(device.get("actual")) if device.get("actual") else None
        if actual is not None:
            return ProducerSeries((), actual)
        predictions = []
        for _, entry in tree_model.items(device.get("predictions")):
            production, issued_s = self.production(entry), seconds(entry.get("issued"), run_start)
            if production is not None and issued_s is not None:
                predictions.append(Prediction(issued_s=issued_s, production=production))
        return ProducerSeries(tuple(sorted(predictions, key=lambda one: one.issued_s))) if predictions else None

    def _profiles_of_devices(self) -> dict[tuple[str, str], str]:
        return {
            (text(house.get("id")), text(device.get("id"))): text(device.get("load_profile"))
            for _, house in tree_model.houses(self.tree)
            for _, device in tree_model.devices(house)
        }

    def _profile_of_device(self, job: dict[str, Any]) -> str:
        return self._profiles_of_devices().get(tree_model.key_of_job(job), "")

    def _reader(self) -> SeriesReader:
        run_start = self._run_start
        return SeriesReader(
            ProblemCollector(locate_in("")),
            self.folder,
            run_start.start_s or 0,
            run_start.info,
            allow_outside=self.allow_outside,
        )


_COLOURS = (FORECAST.colour, "secondary", "accent", "error")
"""Colours of the first forecasts: an area, then lines."""


def load_picture(name: str, profile: LoadProfile | None) -> PreviewContent:
    """Draw a load profile that was read."""
    if profile is None:
        return PreviewContent(f"{name}: cannot be drawn")
    values = power_w(profile, 0, profile.duration_s)
    peak_w = float((np.diff(profile.cumulative_array) / np.diff(profile.times_array)).max() * 3600)
    said = f"{kwh(profile.energy_wh)} in {_duration(profile.duration_s)}, at most {_watts(peak_w)}"
    return PreviewContent(
        name, (drawn(DEMAND, values, "power"),), TimeAxis(0, profile.duration_s, hours_and_minutes), said
    )


def power_w(series: CumulativeSeries, start_s: int, end_s: int) -> FloatArray:
    """Return average power in W in `STEPS` equal steps, shape (STEPS,).

    Args:
        series: Cumulative energy, Wh.
        start_s: Start of the first step, in the time of the series, s.
        end_s: End of the last step, s.
    """
    edges_s = np.linspace(start_s, max(end_s, start_s + 1), STEPS + 1)
    return series.energy_per_bin_wh(edges_s) / np.diff(edges_s) * 3600


def _load_w(profile: LoadProfile, at_s: int, start_s: int, end_s: int) -> FloatArray:
    return power_w(profile, start_s - at_s, end_s - at_s)


def _span_s(value: object) -> int | None:
    """Return a duration in seconds; None if the value is not one."""
    if isinstance(value, bool):
        return None
    return value if isinstance(value, int) else duration_s(value) if isinstance(value, str) else None


def _parsed(model: type[_EntryT], entry: object) -> _EntryT | None:
    try:
        return model.model_validate(entry)
    except ValidationError:
        return None


def _watts(power_w: float) -> str:
    return f"{power_w / 1000:.2f} kW" if power_w >= 1000 else f"{power_w:.0f} W"


def _duration(length_s: int) -> str:
    if length_s < 60:
        return f"{length_s} s"
    minutes = round(length_s / 60)
    hours = f"{minutes // 60} h" if minutes >= 60 else ""
    rest = f"{minutes % 60} min" if minutes % 60 or not hours else ""
    return f"{hours} {rest}".strip()
