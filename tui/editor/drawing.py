"""From a part of a neighbourhood to its chart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from agents.energy import CumulativeSeries, FloatArray, LoadProfile, Production
from scenarios.files.findings import Findings, locate_in
from scenarios.files.model import LoadProfileEntry, ProductionEntry
from scenarios.files.series import SeriesReader
from tui.editor import outline
from tui.editor.moments import Origin, seconds
from tui.editor.outline import Ref, Tree, at, text
from tui.widgets.chart import Series, Span

STEPS = 288
_NO_SPAN = Span(0, 1)
_DAY_S = 86_400
_EntryT = TypeVar("_EntryT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Picture:
    """What a chart shows, and what is to be said about it."""

    title: str
    series: tuple[Series, ...] = ()
    span: Span = _NO_SPAN
    said: str = ""
    """In a few words, under the title."""


@dataclass(frozen=True, slots=True)
class Artist:
    """Draws parts of a neighbourhood; may read files."""

    tree: Tree
    folder: Path | None

    def picture(self, ref: Ref) -> Picture:
        """Return the picture that belongs to a part."""
        match outline.kind_of(ref):
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
                return self.day(None)

    def load_profile(self, name: str) -> Picture:
        """Draw a load profile."""
        if not name:
            return Picture("No load profile chosen yet")
        return load_picture(name, self.profile(name))

    def profile(self, name: str) -> LoadProfile | None:
        """Return a load profile; None where it is missing or wrong."""
        entry = _parsed(LoadProfileEntry, outline.profiles(self.tree).get(name))
        return self._reader().load_profile(entry, ()) if entry else None

    def production(self, entry: object) -> Production | None:
        """Return what an entry for a prediction or for actual production describes."""
        known = {k: v for k, v in entry.items() if k != "issued"} if isinstance(entry, dict) else None
        parsed = _parsed(ProductionEntry, known)
        return self._reader().production(parsed, ()) if parsed else None

    def producer(self, device: dict[str, Any]) -> Picture:
        """Draw what a producer expects, forecast by forecast, and what it gives."""
        found = [self.production(entry) for _, entry in outline.items(device.get("predictions"))]
        productions = [production for production in found if production is not None]
        actual = self.production(device.get("actual")) if device.get("actual") else None
        everything = [*productions, *([actual] if actual else [])]
        if not everything:
            return Picture("No forecast yet")
        start_s, end_s = min(p.start_s for p in everything), max(p.end_s for p in everything)
        span = Span(start_s, end_s, self._label(end_s - start_s))
        series = [
            Series("forecast" if i == 0 else f"forecast {i + 1}", power_w(production, start_s, end_s), *look)
            for i, (production, look) in enumerate(zip(productions, _LOOKS, strict=False))
        ]
        if actual:
            series.append(Series("actual", power_w(actual, start_s, end_s), "line", "success"))
        said = ", ".join(f"{production.energy_wh / 1000:.1f} kWh" for production in productions[:6])
        return Picture("Forecasts" if len(productions) > 1 else "Forecast", tuple(series), span, said)

    def job(self, job: dict[str, Any]) -> Picture:
        """Draw a job at both ends of its window, before the sun that the neighbourhood expects."""
        origin = Origin.of(self.tree.get("start"))
        earliest_s, latest_s = (seconds(job.get(key), origin) for key in ("earliest_start", "latest_start"))
        name = text(job.get("load_profile")) or self._profile_of_device(job)
        profile = self.profile(name) if name else None
        if earliest_s is None or latest_s is None or profile is None:
            return Picture("The job is shown here when it has a window and a load profile")
        first_s, last_s = min(earliest_s, latest_s), max(earliest_s, latest_s) + profile.duration_s
        margin_s = max(1800, (last_s - first_s) // 8)
        start_s, end_s = first_s - margin_s, last_s + margin_s
        sun_w = self._sun_w(start_s, end_s)
        peak_w = float(_load_w(profile, earliest_s, start_s, end_s).max())
        # A neighbourhood's sun would press one job down to a line.
        parts = next((n for n in (1, 2, 5, 10, 20, 50) if sun_w.max() <= 4 * peak_w * n), 100)
        series = [Series("sun" if parts == 1 else f"sun / {parts}", sun_w / parts, "dots", "forecast")]
        series.append(Series("earliest", _load_w(profile, earliest_s, start_s, end_s), "area", "committed"))
        series.append(Series("latest", _load_w(profile, latest_s, start_s, end_s), "line", "accent"))
        said = f"{profile.energy_wh / 1000:.2f} kWh in {_duration(profile.duration_s)}"
        if latest_s >= earliest_s:
            said += f", may start within {_duration(latest_s - earliest_s)}"
        return Picture(name, tuple(series), Span(start_s, end_s, self._label(end_s - start_s)), said)

    def day(self, house: str | None) -> Picture:
        """Draw the sun and the jobs of a house, or of all, each where it may start at the earliest."""
        origin = Origin.of(self.tree.get("start"))
        if origin.start_s is None:
            return Picture("The day is shown here when the start has a date")
        loads: list[tuple[int, LoadProfile]] = []
        known: dict[str, LoadProfile | None] = {}
        defaults = self._profiles_of_devices()
        for _, job in outline.jobs(self.tree):
            earliest_s = seconds(job.get("earliest_start"), origin)
            name = text(job.get("load_profile")) or defaults.get(outline.key_of_job(job), "")
            if name not in known:
                known[name] = self.profile(name) if name else None
            profile = known[name]
            if profile and earliest_s is not None and house in (None, text(job.get("house"))):
                loads.append((earliest_s, profile))
        days = self.tree.get("days")
        end_s = origin.start_s + _DAY_S * (min(days, 31) if isinstance(days, int) and days > 0 else 1)
        span = Span(origin.start_s, end_s, self._label(end_s - origin.start_s))
        sun_w = self._sun_w(origin.start_s, end_s, house)
        load_w = np.zeros(STEPS)
        for earliest_s, profile in loads:
            load_w += _load_w(profile, earliest_s, origin.start_s, end_s)
        if not load_w.any() and not sun_w.any():
            return Picture("The day")
        series = (Series("sun", sun_w, "dots", "forecast"), Series("jobs at their earliest start", load_w, "area"))
        energy = sum(profile.energy_wh for _, profile in loads) / 1000
        sun = float(sun_w.mean()) * (end_s - origin.start_s) / 3_600_000
        return Picture("The day", series, span, f"{sun:.1f} kWh of sun, jobs for {energy:.1f} kWh")

    def _sun_w(self, start_s: int, end_s: int, house: str | None = None) -> FloatArray:
        total = np.zeros(STEPS)
        for _, found in outline.houses(self.tree):
            if house not in (None, text(found.get("id"))):
                continue
            for _, device in outline.devices(found):
                entries = [entry for _, entry in outline.items(device.get("predictions"))]
                first = self.production(entries[0]) if entries else None
                if first is not None:
                    total += power_w(first, start_s, end_s)
        return total

    def _profiles_of_devices(self) -> dict[tuple[str, str], str]:
        return {
            (text(house.get("id")), text(device.get("id"))): text(device.get("load_profile"))
            for _, house in outline.houses(self.tree)
            for _, device in outline.devices(house)
        }

    def _profile_of_device(self, job: dict[str, Any]) -> str:
        return self._profiles_of_devices().get(outline.key_of_job(job), "")

    def _label(self, length_s: int) -> Callable[[float], str]:
        zone = Origin.of(self.tree.get("start")).zone
        return zone.hours if length_s <= 2 * _DAY_S else zone.day

    def _reader(self) -> SeriesReader:
        start_s = Origin.of(self.tree.get("start")).start_s
        return SeriesReader(Findings(locate_in("")), self.folder, start_s or 0)


_Look = Literal["area", "dots", "line"]
_LOOKS: tuple[tuple[_Look, str], ...] = (
    ("dots", "forecast"),
    ("line", "secondary"),
    ("line", "accent"),
    ("line", "grid-power"),
)


def load_picture(name: str, profile: LoadProfile | None) -> Picture:
    """Draw a load profile that was read."""
    if profile is None:
        return Picture(f"{name}: cannot be drawn")
    values = power_w(profile, 0, profile.duration_s)
    peak_w = float((np.diff(profile.cumulative_array) / np.diff(profile.times_array)).max() * 3600)
    said = f"{profile.energy_wh / 1000:.2f} kWh in {_duration(profile.duration_s)}, at most {_watts(peak_w)}"
    return Picture(name, (Series("power", values),), Span(0, profile.duration_s, _minutes), said)


def power_w(series: CumulativeSeries, start_s: int, end_s: int) -> FloatArray:
    """Return average power in equal steps."""
    edges_s = np.linspace(start_s, max(end_s, start_s + 1), STEPS + 1)
    return series.energy_per_bin_wh(edges_s) / np.diff(edges_s) * 3600


def _load_w(profile: LoadProfile, at_s: int, start_s: int, end_s: int) -> FloatArray:
    return power_w(profile, start_s - at_s, end_s - at_s)


def _parsed(model: type[_EntryT], entry: object) -> _EntryT | None:
    try:
        return model.model_validate(entry)
    except ValidationError:
        return None


def _watts(power_w: float) -> str:
    return f"{power_w / 1000:.2f} kW" if power_w >= 1000 else f"{power_w:.0f} W"


def _minutes(time_s: float) -> str:
    minutes = round(time_s / 60)
    return f"{minutes // 60}:{minutes % 60:02}"


def _duration(length_s: int) -> str:
    if length_s < 60:
        return f"{length_s} s"
    minutes = round(length_s / 60)
    hours = f"{minutes // 60} h" if minutes >= 60 else ""
    rest = f"{minutes % 60} min" if minutes % 60 or not hours else ""
    return f"{hours} {rest}".strip()
