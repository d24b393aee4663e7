"""Converts a neighbourhood of PySSMic (XML or pickle) or GreenCharge into the content of a scenario file.

Such a neighbourhood is often incomplete. It becomes a scenario anyway, with notes on what was assumed:

- A load profile given by name only (`template`, `profile`) is looked up as `<name>.csv` in folders of load profiles; if
  it is not there, the bundled appliance that matches the device's name replaces it.
- A producer without a forecast gets a clear sky over a roof of 5 kWp.
- A neighbourhood without jobs is imported without jobs.
- An id shared by devices of several users or houses is made unique: `<user>.<device>`, and for producers, whose ids are
  unique in the neighbourhood, `<house>.<device>`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from agents import LoadProfile, Prediction
from scenarios.appliances import APPLIANCES
from scenarios.errors import Problem, ScenarioError
from scenarios.files import (
    VERSION,
    check_inside,
    consumer_entry,
    format_after_start,
    format_iso,
    natural_order,
    producer_entry,
    profile_entries,
    read_series,
)
from scenarios.importers.assumptions import (
    ROOF_IN_WORDS,
    SEED,
    START_S,
    ImportedScenario,
    InputPlaces,
    appliance_for,
    clear_sky_forecast,
    finish,
    scenario_name,
    time_gap_problems,
)
from scenarios.mistyped_names import suggest
from scenarios.zone import DAY_S

MAX_DEVICES = 100_000
"""Maximum number of devices in a neighbourhood."""
_MAX_DAYS_OF_FORECAST = 366


@dataclass(frozen=True, slots=True)
class InputHouse:
    """A house in the input; the id is empty if it could not be read, which has been reported."""

    where: str
    """File and line, for messages; the same in the classes below."""
    id: str
    name: str = ""
    """Empty: it is named after its id."""
    base_load: tuple[tuple[int, float], ...] = ()
    """Consumption apart from its jobs: UNIX seconds and cumulative Wh; empty: none."""


@dataclass(frozen=True, slots=True)
class InputPrediction:
    """A producer's forecast in the input."""

    where: str
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class InputDevice:
    """A device in the input; house and id are empty if they could not be read, which has been reported."""

    where: str
    house: str
    user: str
    """Id of PySSMic's user within the house, whose devices have ids of their own; empty: it has none."""
    id: str
    name: str
    template: str
    """Name of its load profile or its kind; empty: it has none."""
    type: Literal["consumer", "producer"]
    load_profile: LoadProfile | None = None
    """The load profile, if the input contains it; None: it is only named."""
    predictions: tuple[InputPrediction, ...] = ()
    """Forecasts of a producer, in the order of the input."""


@dataclass(frozen=True, slots=True)
class InputJob:
    """A job in the input, times in UNIX seconds; house and device are empty if they could not be read."""

    where: str
    house: str
    user: str
    """Id of PySSMic's user within the house; empty: it has none."""
    device: str
    """Id of its device."""
    profile: str
    """Empty: that of the device."""
    registered_s: int
    earliest_start_s: int
    latest_start_s: int


@dataclass(frozen=True, slots=True)
class InputNeighbourhood:
    """A neighbourhood as an input has it."""

    name: str
    """Name of the resulting scenario."""
    what: str
    """What it was read from, in words."""
    houses: Sequence[InputHouse]
    """All houses; those without a device are left out with a note."""
    devices: Sequence[InputDevice]
    """In the order of the input, as are the jobs."""
    jobs: Sequence[InputJob]
    profiles: Mapping[str, LoadProfile] = field(default_factory=dict)
    """Load profiles by name that were read already."""
    day_s: int | None = None
    """Midnight of the only day that is run, UNIX seconds; None: from the first time on, until the last job."""

    @property
    def predictions(self) -> Iterator[InputPrediction]:
        """The forecasts of all producers."""
        return (prediction for device in self.devices for prediction in device.predictions)


def window_problems(
    where: str, registered_s: int | None, earliest_start_s: int | None, latest_start_s: int | None
) -> list[Problem]:
    """Return the problem of a job's time window, if any.

    Args:
        where: Location of the job.
        registered_s: Time of registration, UNIX seconds; None if it could not be read.
        earliest_start_s: Earliest start, UNIX seconds.
        latest_start_s: Latest start, UNIX seconds.
    """
    if latest_start_s is None:
        return []
    latest = f"the latest start {_show(latest_start_s)}"
    if earliest_start_s is not None and latest_start_s < earliest_start_s:
        return [Problem(where, f"{latest} is before the earliest start {_show(earliest_start_s)}")]
    if registered_s is not None and latest_start_s < registered_s:
        return [Problem(where, f"{latest} is before the job is registered {_show(registered_s)}")]
    return []


@dataclass(slots=True)
class _Assembly:
    """Gives devices ids and load profiles, and collects problems and notes."""

    given: InputNeighbourhood
    places: InputPlaces
    loads: Sequence[Path]
    problems: list[Problem]
    notes: list[str]
    ids: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """By house, user and device as the input has it."""
    by_house: dict[str, list[InputDevice]] = field(default_factory=dict)
    profiles: dict[str, LoadProfile] = field(init=False)
    """By name."""

    def __post_init__(self) -> None:
        self.profiles = dict(self.given.profiles)

    def name_empty_houses(self) -> None:
        """Note the houses that are left out because they have no devices."""
        full = {device.house for device in self.given.devices}
        for house in self.given.houses:
            if house.id and house.id not in full and not house.base_load:
                self.notes.append(f"house {house.id} has no device and was left out ({house.where})")

    def name_devices(self) -> None:
        """Assign an id to every device that is unique where it has to be."""
        in_house = Counter((device.house, device.id) for device in self.given.devices)
        producers = Counter(device.id for device in self.given.devices if device.type == "producer")
        for device in self.given.devices:
            self.by_house.setdefault(device.house, []).append(device)
            key = (device.house, device.user, device.id)
            if key in self.ids and device.house and device.id:
                self.problems.append(
                    Problem(device.where, f"house {device.house!r} already has a device {device.id!r}")
                )
                continue
            new = device.id
            if in_house[device.house, device.id] > 1:
                new = f"{device.user}.{new}"
            if device.type == "producer" and producers[device.id] > 1:
                new = f"{device.house}.{new}"
            if new != device.id:
                self.notes.append(f"device {device.id} of house {device.house}: the id is not unique; renamed to {new}")
            self.ids[key] = new

    def profile_of(self, device: InputDevice, name: str) -> str:
        """Return the name of the load profile that `name` refers to, and make sure that it exists."""
        if device.load_profile is not None:
            name = device.template or f"{device.house}-{device.id}"
            if self.profiles.setdefault(name, device.load_profile) != device.load_profile:
                name = f"{name} of {device.house}-{device.id}"
                self.profiles[name] = device.load_profile
            self.places.add(("load_profiles", name), device.where)
            return name
        if name in self.profiles:
            return name
        found = self._file(name)
        if found is not None:
            self.profiles[name] = found
            self.places.add(("load_profiles", name), device.where)
            return name
        if name in APPLIANCES:
            self.profiles[name] = APPLIANCES[name].load_profile
            return name
        appliance = appliance_for(device.name, device.template)
        self.profiles.setdefault(appliance.name, appliance.load_profile)
        missing = f"no load profile {name!r}" if name else "no load profile"
        note = f"device {device.id} ({device.name}) of house {device.house}: {missing}; the bundled {appliance.name!r}"
        self.notes.append(f"{note} takes its place")
        return appliance.name

    def check_profiles(self, targets: Sequence[InputDevice | None]) -> None:
        """Report problems in the files of load profiles that devices and jobs refer to.

        Args:
            targets: The device of each job; None if it was not found.
        """
        for device in self.given.devices:
            if device.type == "consumer":
                self.profile_of(device, device.template)
        for job, target in zip(self.given.jobs, targets, strict=True):
            if target is not None and job.profile:
                self.profile_of(target, job.profile)

    def _file(self, name: str) -> LoadProfile | None:
        for folder in self.loads:
            path = folder / f"{name}.csv"
            if not name or Path(name).name != name or not path.is_file():
                continue
            try:
                check_inside(path, folder, str(path))
                return read_series(path, str(path), LoadProfile)
            except ScenarioError as error:
                self.problems.extend(error.problems)
                return LoadProfile(times_s=(0, 1), cumulative_wh=(0, 0))
        return None

    def device_of(self, job: InputJob) -> InputDevice | None:
        """Return the consumer of a job; None after reporting a problem."""
        of_house = self.by_house.get(job.house, [])
        found = [device for device in of_house if device.id == job.device]
        of_user = [device for device in found if device.user == job.user]
        lost = {device.id for device in of_house} if of_house else self.by_house
        if not found and (not job.house or not job.device or "" in lost):
            return None
        if not of_house:
            what = f"there is no house {job.house!r}{suggest(job.house, self.by_house)}"
            self.problems.append(Problem(job.where, what))
        elif not found:
            known = {device.id for device in of_house if device.type == "consumer"}
            what = f"house {job.house!r} has no device {job.device!r}{suggest(job.device, known)}"
            self.problems.append(Problem(job.where, what))
        elif (of_user or found)[0].type == "producer":
            self.problems.append(Problem(job.where, f"device {job.device!r} is a producer; a job runs on a consumer"))
        else:
            return (of_user or found)[0]
        return None


def assemble(
    given: InputNeighbourhood,
    places: InputPlaces,
    *,
    loads: Sequence[Path],
    problems: Sequence[Problem] = (),
    notes: Sequence[str] = (),
) -> ImportedScenario:
    """Return the scenario of a neighbourhood.

    Args:
        given: The neighbourhood, as the input has it.
        places: Name of the input, for messages, and its names for the times of a job.
        loads: Folders with load profiles; the first match counts.
        problems: Problems found while reading; raised together with those found here.
        notes: Assumptions and omissions while reading.

    Raises:
        ScenarioError: The input has problems; carries all of them.
    """
    if not given.devices:
        raise ScenarioError(problems or [Problem(places.where, "contains no house with a device")])
    assembly = _Assembly(given, places, loads, [*problems], [*notes])
    assembly.name_empty_houses()
    assembly.name_devices()
    targets = [assembly.device_of(job) for job in given.jobs]
    if not assembly.problems:
        forecasts = [(found.prediction.issued_s, found.where) for found in given.predictions]
        assembly.problems += time_gap_problems([(job.registered_s, job.where) for job in given.jobs], forecasts)
    if assembly.problems:
        assembly.check_profiles(targets)
        raise ScenarioError(dict.fromkeys(assembly.problems))
    start_s = _start_s(given, assembly.notes)
    jobs = [(job, device) for job, device in zip(given.jobs, targets, strict=True) if device is not None]
    content = {
        "version": VERSION,
        "name": scenario_name(given.name),
        "description": f"Imported from {given.what}",
        "start": format_iso(start_s),
        "seed": SEED,
        **({} if given.day_s is None else {"days": 1}),
        "houses": _houses(assembly, start_s),
        "jobs": [_job(assembly, job, device, start_s) for job, device in jobs],
    }
    if assembly.problems:
        raise ScenarioError(dict.fromkeys(assembly.problems))
    content["load_profiles"] = profile_entries(assembly.profiles)
    for index, (job, _) in enumerate(jobs):
        places.add(("jobs", index), job.where)
    return finish(content, places, assembly.notes)


def _start_s(given: InputNeighbourhood, notes: list[str]) -> int:
    """Return the start of the run, UNIX seconds; an assumption about it is added to `notes`."""
    if given.day_s is not None:
        return given.day_s
    times_s = [job.registered_s for job in given.jobs]
    times_s += [found.prediction.issued_s for found in given.predictions]
    if times_s:
        return min(times_s)
    notes.append(f"it contains no times; the run starts at {format_iso(START_S)}")
    return START_S


def _job(assembly: _Assembly, job: InputJob, device: InputDevice, start_s: int) -> dict[str, Any]:
    has_own_profile = job.profile not in ("", device.template)
    return {
        "house": device.house,
        "device": assembly.ids[device.house, device.user, device.id],
        "load_profile": assembly.profile_of(device, job.profile) if has_own_profile else None,
        "registered": format_after_start(job.registered_s, start_s, None),
        "earliest_start": format_after_start(job.earliest_start_s, start_s, None),
        "latest_start": format_after_start(job.latest_start_s, start_s, None),
    }


def _houses(assembly: _Assembly, start_s: int) -> list[dict[str, Any]]:
    end_s = max((job.latest_start_s for job in assembly.given.jobs), default=start_s) + DAY_S
    clear_sky = clear_sky_forecast(start_s, min(end_s, start_s + _MAX_DAYS_OF_FORECAST * DAY_S))
    of_house: dict[str, list[tuple[InputDevice, dict[str, Any], list[str]]]] = {}
    for device in assembly.given.devices:
        device_id = assembly.ids[device.house, device.user, device.id]
        predictions: list[InputPrediction] = []
        if device.type == "consumer":
            profile = assembly.profile_of(device, device.template)
            entry = consumer_entry(device_id, device.name, device.template, profile)
        else:
            if not device.predictions:
                note = f"producer {device.id} ({device.name}) of house {device.house}: no prediction"
                assembly.notes.append(f"{note}; it is assumed to be that of a {ROOF_IN_WORDS}")
            known = device.predictions or (InputPrediction(device.where, clear_sky),)
            predictions = sorted(known, key=lambda found: found.prediction.issued_s)
            in_order = [found.prediction for found in predictions]
            entry = producer_entry(device_id, device.name, device.template, in_order, start_s=start_s, zone=None)
        of_house.setdefault(device.house, []).append((device, entry, [found.where for found in predictions]))
    of_input = {house.id: house.where for house in reversed(assembly.given.houses)}
    by_id = {house.id: house for house in reversed(assembly.given.houses)}
    for one in by_id.values():
        if one.base_load:
            of_house.setdefault(one.id, [])
    houses = []
    for i, house in enumerate(sorted(of_house, key=natural_order)):
        where = of_input[house] if house in of_input else of_house[house][0][0].where
        assembly.places.add(("houses", i), where)
        for j, (device, _, wheres) in enumerate(of_house[house]):
            assembly.places.add(("houses", i, "devices", j), device.where)
            for k, where in enumerate(wheres):
                assembly.places.add(("houses", i, "devices", j, "predictions", k), where)
        own = by_id.get(house, InputHouse(where, house))
        content: dict[str, Any] = {"id": house, "name": own.name or f"House {house}"}
        if own.base_load:
            content["base_load"] = {"points": [[time_s, energy_wh] for time_s, energy_wh in own.base_load]}
        houses.append({**content, "devices": [entry for _, entry, _ in of_house[house]]})
    return houses


def _show(time_s: int) -> str:
    return f"{time_s} ({format_iso(time_s)})"
