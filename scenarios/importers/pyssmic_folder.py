"""Imports a PySSMic input folder.

`consumer_event.csv` has one job per line, `producer_event.csv` one forecast per line; they refer to files in `loads/`
and `predictions/`. An id `[57]:[222]:[3]` means house 57, device 222 and a mode; a producer `pv_producer[57]:[220]`
belongs to house 57, and one without a house gets its own. For the time before a forecast's first row see
`scenarios.importers.forecast`. The run starts with the first registration or issue. Files that no line refers to are
not read, and a note names them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from agents import LoadProfile, Prediction
from broker import canonical, first_few
from scenarios.errors import Problem, ScenarioError
from scenarios.files import (
    MAX_TIME_S,
    VERSION,
    check_inside,
    format_after_start,
    format_iso,
    lines_of,
    natural_order,
    producer_entry,
    profile_entries,
    read_points,
    read_series,
    read_text,
)
from scenarios.importers.assumptions import (
    SEED,
    ImportedScenario,
    InputPlaces,
    finish,
    scenario_name,
    time_gap_problems,
)
from scenarios.importers.forecast import Forecast, fewest_rows, forecast_notes, make_forecast, problem_of_single_row

CONSUMER_EVENTS = "consumer_event.csv"
PRODUCER_EVENTS = "producer_event.csv"
LOADS = "loads"
PREDICTIONS = "predictions"

_WORDS = {"earliest_start": "earliest start", "latest_start": "latest start", "issued": "time of issue"}
"""Names of columns in these files."""

_UNREADABLE = LoadProfile(times_s=(0, 1), cumulative_wh=(0, 0))
"""Stand-in for a load profile that could not be read, so that the rest can be checked."""
_HOUSE = re.compile(r"\[([^\[\]]+)\]")

_Event = TypeVar("_Event")
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class _JobLine:
    where: str
    registered_s: int
    earliest_start_s: int
    latest_start_s: int
    source_id: str
    house: str
    device: str
    profile: str


@dataclass(frozen=True, slots=True)
class _ForecastLine:
    where: str
    issued_s: int
    producer: str
    file: str
    forecast: Forecast


@dataclass(slots=True)
class _FolderReader:
    folder: Path
    problems: list[Problem] = field(default_factory=list)
    profiles: dict[str, LoadProfile | None] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    """Files that a line names, relative to the folder."""
    issued: dict[tuple[str, int], str] = field(default_factory=dict)
    """Place of each forecast in the input, by producer and time of issue."""

    def read(
        self, name: str, columns: tuple[str, ...], parse: Callable[[str, list[str]], _Event | None]
    ) -> list[_Event]:
        """Return each valid line as `parse` reads it."""
        events = []
        for where, line in self._lines(name):
            values = [value.strip() for value in line.split(";")]
            if len(values) != len(columns):
                what = f"{len(columns)} columns are expected ({'; '.join(columns)}), there are {len(values)}"
                self._tell(where, what)
                continue
            known_problems = len(self.problems)
            event = parse(where, values)
            if event is not None and len(self.problems) == known_problems:
                events.append(event)
        return events

    def _tell(self, where: str, what: str) -> None:
        self.problems.append(Problem(where, what))

    def _lines(self, name: str) -> Iterator[tuple[str, str]]:
        path = self.folder / name
        try:
            check_inside(path, self.folder, str(path))
            text = read_text(path, str(path))
        except ScenarioError as error:
            self.problems.extend(error.problems)
            return
        for number, line in enumerate(lines_of(text), start=1):
            if line.strip():
                yield f"{path}:{number}", line

    def job(self, where: str, values: list[str]) -> _JobLine | None:
        """Return the job that a line describes; None after telling all that is wrong with it."""
        registered_s, earliest_s, latest_s = (
            self._time(where, name, value)
            for name, value in zip(("registered", "earliest start", "latest start"), values, strict=False)
        )
        if latest_s is not None and earliest_s is not None and latest_s < earliest_s:
            what = f"the latest start {_show(latest_s)} is before the earliest start {_show(earliest_s)}"
            self._tell(where, what)
        elif latest_s is not None and registered_s is not None and latest_s < registered_s:
            what = f"the latest start {_show(latest_s)} is before the job is registered {_show(registered_s)}"
            self._tell(where, what)
        source_id, file = values[3:]
        profile = canonical(file.removesuffix(".csv"))
        if profile not in self.profiles:
            self.profiles[profile] = self._series(
                where, LOADS, file, lambda path: read_series(path, str(path), LoadProfile)
            )
        try:
            house, device = parse_consumer_id(source_id)
        except ValueError as error:
            self._tell(where, str(error))
            return None
        if registered_s is None or earliest_s is None or latest_s is None:
            return None
        return _JobLine(where, registered_s, earliest_s, latest_s, source_id, house, device, profile)

    def forecast(self, where: str, values: list[str]) -> _ForecastLine | None:
        """Return the forecast that a line describes; None after telling all that is wrong with it."""
        issued_s = self._time(where, "time of issue", values[0])
        producer, file = canonical(values[1]), values[2]
        if not producer:
            self._tell(where, "the producer's id is empty")
        elif issued_s is not None and (other := self.issued.setdefault((producer, issued_s), where)) != where:
            what = f"another forecast of {producer!r} is issued at {_show(issued_s)} ({other})"
            self._tell(where, what)
        forecast = self._series(where, PREDICTIONS, file, lambda path: _read_forecast(path, issued_s))
        return (
            None if issued_s is None or forecast is None else _ForecastLine(where, issued_s, producer, file, forecast)
        )

    def _time(self, where: str, name: str, text: str) -> int | None:
        if re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) and int(text) <= MAX_TIME_S:
            return int(text)
        self._tell(where, f"{name}: UNIX seconds are expected, not {text[:40]!r}")
        return None

    def _series(self, where: str, folder: str, file: str, read: Callable[[Path], _Read]) -> _Read | None:
        if not file or Path(file).name != file:
            self._tell(where, f"the name of a file in {folder}/ is expected, not {file!r}")
            return None
        path = self.folder / folder / file
        self.named.add(f"{folder}/{file}")
        if not path.parent.is_dir():
            missing = Problem(str(path.parent), "there is no such folder")
            if missing not in self.problems:
                self.problems.append(missing)
            return None
        try:
            check_inside(path, self.folder, str(path))
            return read(path)
        except ScenarioError as error:
            self.problems.extend(
                replace(problem, where=f"{where}: {problem.where}", path=()) for problem in error.problems
            )
            return None

    def left_out(self) -> list[str]:
        """Return the files in the folder that no line names."""
        files = (path for folder in (LOADS, PREDICTIONS) for path in (self.folder / folder).glob("*") if path.is_file())
        names = (path.relative_to(self.folder).as_posix() for path in files)
        return sorted((name for name in names if name not in self.named), key=natural_order)


def _read_forecast(path: Path, issued_s: int | None) -> Forecast:
    """Return the forecast in a file; without a time of issue, only its problems are of interest."""
    fewest = partial(fewest_rows, issued_s=issued_s)
    times_s, energies_wh = read_points(path, str(path), from_zero=False, fewest=fewest)
    if len(times_s) == 1 and issued_s is not None:
        problem = problem_of_single_row(times_s[0], energies_wh[0], issued_s)
        if problem:
            raise ScenarioError([Problem(str(path), problem)])
    return make_forecast(times_s, energies_wh, times_s[0] if issued_s is None else issued_s)


def import_folder(folder: Path) -> ImportedScenario:
    """Return the scenario in a PySSMic input folder.

    Raises:
        ScenarioError: It cannot be used; carries the problems of all its files.
    """
    if not any((folder / name).exists() for name in (CONSUMER_EVENTS, PRODUCER_EVENTS)):
        what = (
            f"is no input folder: {CONSUMER_EVENTS} and {PRODUCER_EVENTS} of PySSMic, or xml/neighborhood.xml of "
            "GreenCharge, are expected in it"
        )
        raise ScenarioError([Problem(str(folder), what)])
    reader = _FolderReader(folder)
    job_columns = ("registered", "earliest start", "latest start", "id", "load profile file")
    jobs = reader.read(CONSUMER_EVENTS, job_columns, reader.job)
    forecasts = reader.read(PRODUCER_EVENTS, ("time of issue", "producer id", "prediction file"), reader.forecast)
    if not jobs and not forecasts and not reader.problems:
        reader.problems.append(Problem(str(folder), "holds neither a job nor a forecast"))
    apart = time_gap_problems(
        [(job.registered_s, job.where) for job in jobs],
        [(forecast.issued_s, forecast.where) for forecast in forecasts],
    )
    if apart:
        raise ScenarioError([*reader.problems, *apart])
    times_s = [*(job.registered_s for job in jobs), *(forecast.issued_s for forecast in forecasts)]
    start_s = min(times_s, default=0)
    name = folder.resolve().name
    places = InputPlaces(str(folder), _WORDS)
    content = {
        "version": VERSION,
        "name": scenario_name(name),
        "description": f"Imported from the PySSMic folder {name}",
        "start": format_iso(start_s),
        "seed": SEED,
        "load_profiles": profile_entries({n: profile or _UNREADABLE for n, profile in reader.profiles.items()}),
        "houses": _houses(jobs, forecasts, start_s, places),
        "jobs": _jobs(jobs, start_s, places),
    }
    for profile in reader.profiles:
        first = next((job.where for job in jobs if job.profile == profile), str(folder))
        places.add(("load_profiles", profile), first)
    if not reader.problems:
        return finish(content, places, _notes(reader, forecasts))
    if times_s:
        try:
            finish(content, places)
        except ScenarioError as error:
            reader.problems.extend(error.problems)
    raise ScenarioError(reader.problems)


def parse_consumer_id(source_id: str) -> tuple[str, str]:
    """Return house and device of `[house]:[device]:[mode]`, `[house]:device` or `device`, which is its own house."""
    parts = [canonical(part.strip().removeprefix("[").removesuffix("]")) for part in source_id.split(":")]
    if not all(parts):
        raise ValueError(f"an id [house]:[device]:[mode] is expected, not {source_id!r}")
    return (parts[0], parts[1]) if len(parts) > 1 else (parts[0], parts[0])


def parse_producer_house(producer: str) -> str:
    """Return the house of `pv_producer[house]:[device]`; an id without a house is its own house."""
    house = _HOUSE.search(producer)
    return house[1].strip() or producer if house else producer


def _notes(reader: _FolderReader, forecasts: list[_ForecastLine]) -> list[str]:
    """Return the assumptions and omissions."""
    notes = forecast_notes((f"{PREDICTIONS}/{line.file}", line.forecast) for line in forecasts)
    homeless = [line.producer for line in forecasts if _HOUSE.search(line.producer) is None]
    if homeless:
        notes.append(f"a producer that names no house has a house of its own: {first_few(homeless)}")
    left_out = reader.left_out()
    if left_out:
        notes.append(f"files that no line refers to were left out: {first_few(left_out)}")
    return notes


def _houses(
    jobs: list[_JobLine], forecasts: list[_ForecastLine], start_s: int, places: InputPlaces
) -> list[dict[str, Any]]:
    used: dict[str, dict[str, list[_JobLine]]] = {}
    for job in jobs:
        used.setdefault(job.house, {}).setdefault(job.device, []).append(job)
    panels: dict[str, dict[str, list[_ForecastLine]]] = {}
    for forecast in sorted(forecasts, key=lambda forecast: forecast.issued_s):
        of_house = panels.setdefault(parse_producer_house(forecast.producer), {})
        of_house.setdefault(forecast.producer, []).append(forecast)
    first: dict[str, str] = {}
    """The line that names a house first."""
    for house, where in [
        *((job.house, job.where) for job in jobs),
        *((parse_producer_house(forecast.producer), forecast.where) for forecast in forecasts),
    ]:
        first.setdefault(house, where)
    houses: list[dict[str, Any]] = []
    for house in sorted(first, key=natural_order):
        path = ("houses", len(houses))
        places.add(path, first[house])
        devices: list[dict[str, Any]] = []
        for device, of_device in sorted(used.get(house, {}).items(), key=lambda item: natural_order(item[0])):
            places.add((*path, "devices", len(devices)), of_device[0].where)
            devices.append(_consumer(device, {job.profile for job in of_device}))
        for producer, lines in sorted(panels.get(house, {}).items(), key=lambda item: natural_order(item[0])):
            device_path = (*path, "devices", len(devices))
            places.add(device_path, lines[0].where)
            for k, line in enumerate(lines):
                places.add((*device_path, "predictions", k), line.where)
            predictions = [Prediction(issued_s=line.issued_s, production=line.forecast.production) for line in lines]
            devices.append(producer_entry(producer, "Solar panels", "pv", predictions, start_s=start_s, zone=None))
        houses.append({"id": house, "name": f"House {house}", "devices": devices})
    return houses


def _consumer(device: str, profiles: set[str]) -> dict[str, Any]:
    background = all("back" in profile for profile in profiles)
    only = next(iter(profiles)) if len(profiles) == 1 else None
    name = f"Device {device}" if device.isdigit() else device.replace("_", " ").capitalize()
    return {
        "id": device,
        "type": "consumer",
        "name": "Background load" if background else name,
        "template": "background" if background else only or "",
        "load_profile": only,
    }


def _jobs(jobs: list[_JobLine], start_s: int, places: InputPlaces) -> list[dict[str, Any]]:
    for index, job in enumerate(jobs):
        places.add(("jobs", index), job.where)
    profiles: dict[tuple[str, str], set[str]] = {}
    for job in jobs:
        profiles.setdefault((job.house, job.device), set()).add(job.profile)
    return [
        {
            "house": job.house,
            "device": job.device,
            "id": job.source_id,
            "load_profile": job.profile if len(profiles[job.house, job.device]) > 1 else None,
            "registered": format_after_start(job.registered_s, start_s, None),
            "earliest_start": format_after_start(job.earliest_start_s, start_s, None),
            "latest_start": format_after_start(job.latest_start_s, start_s, None),
        }
        for job in jobs
    ]


def _show(time_s: int) -> str:
    return f"{time_s} ({format_iso(time_s)})"
