"""Imports the XML of GreenCharge's simulator: a `<Neighborhood>`, and its loads in a second file.

Schedulable devices become consumers with jobs, charging sessions of cars too: a job whose window is the stay at the
charging point, with the energy from the state of charge at arrival to the target. Heaters, coolers and background loads
become the base load of their house. Profiles are files of lines `UNIX-seconds cumulative-Wh` in `Inputs/` next to the
XML's folder; only the time of day of all times is used, as in the simulator. Batteries, prices, the energy mix and
power limits are omitted. Notes list assumptions and omissions.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agents import Prediction, Production
from broker import canonical, first_few
from scenarios.errors import Problem, ScenarioError
from scenarios.files import format_iso, read_bytes
from scenarios.importers.assumptions import START_S, ImportedScenario, InputPlaces
from scenarios.importers.greencharge_loads import LEAST_WH_CAPACITY, EnergySeries, ProfileFiles, charge_of, unit_wh
from scenarios.importers.input_neighbourhood import (
    MAX_DEVICES,
    InputDevice,
    InputHouse,
    InputJob,
    InputNeighbourhood,
    InputPrediction,
    assemble,
    window_problems,
)
from scenarios.importers.xml_reader import Element, read_xml
from scenarios.mistyped_names import suggest
from scenarios.zone import DAY_S

ROOT = "Neighborhood"
_OWN = re.compile(
    rb"<(Neighborhood|ecar|battery|backgroundload|heatercooler|chargingStation|ChargingPoint|fleet|energyCost"
    rb"|energyMix)[\s/>]"
)
"""Elements that PySSMic's files do not have."""
_FIXED = {"backgroundload": "background load", "heatercooler": "heater or cooler"}
"""Devices whose consumption cannot be shifted."""
_LEFT_OUT = {
    "energyCost": "energy prices that vary",
    "energyMix": "the energy mix",
}
_LIMITS = ("peakLoad", "peakLoad2")
_STATE_OF_CAR = ("V2G", "priority")


def is_greencharge(path: Path) -> bool:
    """Return whether a file has the elements of GreenCharge's simulator."""
    try:
        return path.is_file() and _OWN.search(read_bytes(path, str(path))) is not None
    except (ScenarioError, OSError):
        return False  # the error is reported when the file is read


def neighbourhood_in(folder: Path) -> Path | None:
    """Return the neighbourhood in a simulation's folder of GreenCharge; None: it is no such folder."""
    for file in (folder / "xml" / "neighborhood.xml", folder / "neighborhood.xml"):
        if is_greencharge(file):
            return file
    return None


def import_greencharge(path: Path, *, jobs: Path | None, loads: Sequence[Path]) -> ImportedScenario:
    """Return the scenario of a neighbourhood of GreenCharge's simulator.

    Args:
        path: The neighbourhood.
        jobs: Its loads; None: those next to it, by the simulator's names, else no jobs.
        loads: Folders with profiles, in addition to `Inputs/` next to the folder of the XML.

    Raises:
        ScenarioError: A file cannot be used; carries the problems of both.
    """
    notes: list[str] = []
    found = jobs or _loads_beside(path)
    if jobs is None and found is not None:
        notes.append(f"the loads are those of {found.name} beside it")
    problems: list[Problem] = []
    root = read_xml(path, ROOT)
    if _has_times(root) and not any(element.value("type") not in {None, "load"} for element in _devices(root)):
        what = "is a file of loads: its devices have times but no type; give it beside its neighbourhood, with --jobs"
        raise ScenarioError([Problem(str(path), what)])
    load_root = None if found is None else read_xml(found, ROOT)
    folders = [*loads, *_folders_of(path), *([] if found is None else _folders_of(found))]
    profiles = ProfileFiles(list(dict.fromkeys(folders)), problems, notes)
    conversion = _Conversion(root, load_root, profiles, problems, notes)
    conversion.convert()
    return assemble(
        InputNeighbourhood(
            name=path.parent.parent.name if path.stem == "neighborhood" and path.parent.name == "xml" else path.stem,
            what=f"GreenCharge's {path.name}" + ("" if found is None else f" and {found.name}"),
            houses=conversion.houses,
            devices=conversion.devices,
            jobs=conversion.jobs,
            profiles=conversion.profiles.used,
            day_s=conversion.start_s,
        ),
        InputPlaces(str(path), {"registered": "creation_time", "earliest_start": "est", "latest_start": "lst"}),
        loads=[],
        problems=sorted(problems, key=_line),
        notes=notes,
    )


def _loads_beside(path: Path) -> Path | None:
    for old, new in (("eighborhood", "oad"), ("eighborhood", "oads")):
        begun = path.name.replace("N" + old, "L" + new).replace("n" + old, "l" + new)
        other = path.with_name(begun)
        if other != path and other.is_file():
            return other
    return None


def _folders_of(path: Path) -> Iterator[Path]:
    for folder in (path.parent, path.parent.parent):
        for name in ("Inputs", "inputs", "input", "loads"):
            if (folder / name).is_dir():
                yield folder / name
    yield path.parent


def _line(problem: Problem) -> int:
    line = problem.where.rpartition(":")[2]
    return int(line) if line.isdigit() else 0


def _homes(root: Element) -> Iterator[tuple[str, str, Element]]:
    """Yield the houses and charging stations, each with its id and its name."""
    houses = {house.value("id") for house in root.all("house")}
    for house in root.all("house"):
        yield canonical(house.value("id") or ""), "", house
    for station in root.all("chargingStation"):
        own = station.value("id") or ""
        yield canonical(f"station-{own}" if own in houses else own), f"Charging station {own}", station
    for fleet in root.all("fleet"):
        yield "fleet", "Fleet", fleet


def _places(home: Element) -> Iterator[tuple[str, Element, Element | None]]:
    """Yield all devices of a home, each with the id of its user and the charging point that it is at."""
    users = [("", home), *((canonical(user.value("id") or ""), user) for user in home.all("user"))]
    for user, element in users:
        for child in element.children:
            if child.tag == "ChargingPoint":
                for car in child.all("ecar"):
                    yield user, car, child
            elif child.tag in {"device", "ecar", "battery", *_FIXED}:
                yield user, child, None


def _devices(root: Element) -> Iterator[Element]:
    for _, _, home in _homes(root):
        for _, element, _ in _places(home):
            yield element


def _has_times(root: Element) -> bool:
    return any(element.value(tag) is not None for element in _devices(root) for tag in ("est", "pat", "creation_time"))


@dataclass(slots=True)
class _Conversion:
    root: Element
    loads: Element | None
    profiles: ProfileFiles
    problems: list[Problem]
    notes: list[str]
    houses: list[InputHouse] = field(default_factory=list)
    devices: list[InputDevice] = field(default_factory=list)
    jobs: list[InputJob] = field(default_factory=list)
    start_s: int = START_S
    _base: defaultdict[str, list[EnergySeries]] = field(default_factory=lambda: defaultdict(list))
    """By house, the loads that cannot be shifted."""
    _of: dict[tuple[str, str], list[Element]] = field(default_factory=dict)
    """By house and device, its entries in the loads."""

    def convert(self) -> None:
        """Fill houses, devices and jobs."""
        self._read_loads()
        self._choose_date()
        batteries: dict[str, str] = {}
        for home_id, name, home in _homes(self.root):
            if not home_id:
                self.problems.append(Problem(home.where, f"<{home.tag}>: 'id' is missing"))
            for user, element, point in _places(home):
                self._device(home_id, user, element, point, batteries)
            self.houses.append(InputHouse(home.where, home_id, name, self._base_load(home_id)))
            if len(self.devices) > MAX_DEVICES:
                raise ScenarioError([Problem(home.where, f"more than {MAX_DEVICES} devices")])
        self._say_what_is_left_out(batteries)
        self._say_unknown_loads()

    def _read_loads(self) -> None:
        if self.loads is None:
            return
        for home_id, _, home in _homes(self.loads):
            for _, element, _ in _places(home):
                self._of.setdefault((home_id, canonical(element.value("id") or "")), []).append(element)

    def _choose_date(self) -> None:
        """Run on the day of the first production: production depends on the season, and no other day is named."""
        names = [
            _profile_name(entry)
            for home_id, _, home in _homes(self.root)
            for _, element, _ in _places(home)
            if (element.value("type") or "").lower() == "producer"
            for entry in self._of.get((home_id, canonical(element.value("id") or "")), [])
        ]
        found = next((series for series in map(self.profiles.series, names) if series is not None), None)
        self.start_s = START_S if found is None else found.midnight_s
        why = "assumed" if found is None else "that of the first production profile"
        self.notes.append(f"times of day are taken as UTC, on {format_iso(self.start_s)[:10]} ({why})")

    def _device(self, home: str, user: str, element: Element, point: Element | None, batteries: dict[str, str]) -> None:
        own = canonical(element.required("id", self.problems))
        entries = self._of.get((home, own), [])
        name = element.value("name") or element.value("model") or ""
        if element.tag == "battery":
            batteries.setdefault(f"{own} of house {home} (capacity {element.value('capacity') or '?'})", element.where)
        elif element.tag == "ecar":
            self._car(home, user, element, point, entries)
        elif element.tag in _FIXED:
            self._fixed(home, element, entries)
        elif element.required("type", self.problems).lower() == "producer":
            device = InputDevice(element.where, home, user, own, name, "", "producer", None, self._forecasts(entries))
            self.devices.append(device)
        else:
            kind = element.value("type") or ""
            if kind and kind.lower() != "consumer":
                hint = suggest(kind.lower(), ("consumer", "producer"))
                what = f"<device>: 'Consumer' or 'Producer' is expected, not {kind!r}{hint}"
                self.problems.append(Problem(element.where, what))
            self._consumer(home, user, element, entries)

    def _forecasts(self, entries: Sequence[Element]) -> tuple[InputPrediction, ...]:
        found = []
        for entry in entries:
            series = self.profiles.series(_profile_name(entry))
            if series is not None:
                shift_s = self.start_s - series.midnight_s
                times_s = tuple(time_s + shift_s for time_s in series.times_s)
                first_wh = series.cumulative_wh[0]
                energies_wh = tuple(wh - first_wh for wh in series.cumulative_wh)
                production = Production(times_s=times_s, cumulative_wh=energies_wh)
                issued_s = self.start_s + (self._time_of_day(entry, "creation_time") or 0)
                found.append(InputPrediction(entry.where, Prediction(issued_s=issued_s, production=production)))
        return tuple(found)

    def _consumer(self, home: str, user: str, element: Element, entries: Sequence[Element]) -> None:
        own, first = canonical(element.value("id") or ""), ""
        for entry in entries:
            profile = self._stored(_profile_name(entry))
            first = first or profile
            registered_s, earliest_s, latest_s = (self._moment(entry, tag) for tag in ("creation_time", "est", "lst"))
            if latest_s is not None and earliest_s is not None and latest_s < earliest_s:
                latest_s += DAY_S
                self.notes.append(f"{entry.where}: 'lst' is before 'est', so it is assumed to be on the next day")
            self.problems += window_problems(entry.where, registered_s, earliest_s, latest_s)
            times_s = registered_s or 0, earliest_s or 0, latest_s or 0  # a missing one has been reported
            self.jobs.append(InputJob(entry.where, home, user, own, profile, *times_s))
        name = element.value("name") or ""
        self.devices.append(InputDevice(element.where, home, user, own, name, first, "consumer"))

    def _fixed(self, home: str, element: Element, entries: Sequence[Element]) -> None:
        own = canonical(element.value("id") or "")
        what = f"{_FIXED[element.tag]} {own} of house {home}"
        usable = [(entry, series) for entry in entries if (series := self.profiles.series(_profile_name(entry)))]
        if not usable:
            lost = ", ".join(dict.fromkeys(_profile_name(entry) for entry in entries))
            self.notes.append(f"{what} was left out: " + (f"there is no profile {lost}" if lost else "it has no load"))
            return
        self._base[home].extend(series for _, series in usable)
        self.notes.append(f"{what} is part of the house's base load")

    def _base_load(self, home: str) -> tuple[tuple[int, float], ...]:
        """Return what all loads of a house together draw that cannot be shifted, on the day of the run."""
        found = self._base[home]
        shifted = [
            ([time_s + self.start_s - series.midnight_s for time_s in series.times_s], series.cumulative_wh)
            for series in found
        ]
        times_s = sorted({time_s for of, _ in shifted for time_s in of})
        total_wh = sum(
            (np.interp(times_s, of, np.subtract(energies_wh, energies_wh[0])) for of, energies_wh in shifted),
            np.zeros(len(times_s)),
        )
        return tuple(zip(times_s, map(float, total_wh), strict=True))

    def _car(self, home: str, user: str, element: Element, point: Element | None, entries: Sequence[Element]) -> None:
        own, first = canonical(element.value("id") or ""), ""
        what = f"car {own} of house {home}"
        for number, entry in enumerate(entries, start=1):
            arrives_s, departs_s = self._moment(entry, "aat", "pat"), self._moment(entry, "adt", "pdt")
            booked_s = self._moment(entry, "creation_time")
            charge = charge_of(element, point, entry, self.problems)
            if arrives_s is None or departs_s is None or booked_s is None or charge is None:
                continue
            if departs_s <= arrives_s:
                departs_s += DAY_S
            if not charge.is_any:
                self.notes.append(f"a session of {what} was left out: {charge.why_none} ({entry.where})")
                continue
            load, is_whole = charge.profile(departs_s - arrives_s)
            if not is_whole:
                wh = load.cumulative_wh[-1]
                rest = f"its stay is too short for {charge.energy_wh:.0f} Wh, so it charges {wh:.0f} Wh"
                self.notes.append(f"{what}: {rest} ({entry.where})")
            profile = f"{home}-{own}-charge" + (f"-{number}" if number > 1 else "")
            self.profiles.used[profile] = load
            first = first or profile
            latest_s = departs_s - load.times_s[-1]
            begin_s = min(booked_s, latest_s)
            self.jobs.append(InputJob(entry.where, home, user, own, profile, begin_s, arrives_s, latest_s))
            self._say_of_a_session(what, entry)
        if not first:
            if not entries:
                self.notes.append(f"{what} was left out: it has no charging session")
            return
        name = element.value("name") or element.value("model") or "Electric car"
        self.devices.append(InputDevice(element.where, home, user, own, name, first, "consumer"))
        self._say_units(what, element, point)
        self.notes.append(f"{what}: it charges at full power, without a pause ({element.where})")

    def _say_units(self, what: str, car: Element, point: Element | None) -> None:
        """Note in which unit the numbers of a car are taken, each with its line: the file says none."""
        is_kwh = unit_wh(car) != 1
        energy, power = ("kWh", "kW") if is_kwh else ("Wh", "W")
        why = f"{'below' if is_kwh else 'not below'} {LEAST_WH_CAPACITY}"
        whole = f"capacity {car.value('capacity')} is {why}, so it is taken as {energy} ({car.where_of('capacity')})"
        self.notes.append(f"{what}: {whole}")
        powers = [(car, "maxchpowac"), (car, "maxchpowcc"), *([] if point is None else [(point, "peakLoad")])]
        for element, tag in powers:
            if element.value(tag):
                taken = f"{tag} {element.value(tag)} is taken as {power}, as its capacity as {energy}"
                self.notes.append(f"{what}: {taken} ({element.where_of(tag)})")

    def _say_of_a_session(self, what: str, entry: Element) -> None:
        planned = [(actual, plan) for actual, plan in (("aat", "pat"), ("adt", "pdt")) if entry.value(actual)]
        if any(entry.value(actual) != (entry.value(plan) or entry.value(actual)) for actual, plan in planned):
            self.notes.append(f"{what}: the actual times count, which differ from the planned ones ({entry.where})")
        ignored = [tag for tag in _STATE_OF_CAR if (entry.value(tag) or "0") not in ("0", "False", "false")]
        if ignored:
            self.notes.append(f"{what}: {' and '.join(ignored)} left out ({entry.where})")

    def _stored(self, file_name: str) -> str:
        """Return the name in the scenario of a file's profile; without such a file, just the name."""
        name, series = _stem(file_name), self.profiles.series(file_name)
        if series is not None:
            self.profiles.used.setdefault(name, series.load_profile())
        return name

    def _time_of_day(self, entry: Element, *tags: str) -> int | None:
        for tag in tags:
            if entry.value(tag):
                time_s = entry.time(tag, self.problems)
                return None if time_s is None else time_s % DAY_S
        entry.required(tags[0], self.problems)
        return None

    def _moment(self, entry: Element, *tags: str) -> int | None:
        time_s = self._time_of_day(entry, *tags)
        return None if time_s is None else self.start_s + time_s

    def _say_what_is_left_out(self, batteries: dict[str, str]) -> None:
        if batteries:
            self.notes.append(
                f"batteries were left out: {first_few(batteries, show=lambda one: f'{one}, {batteries[one]}')}"
            )
        limits = [self.root, *(home for _, _, home in _homes(self.root))]
        points = [child for _, _, home in _homes(self.root) for user in home.all("user") for child in user.children]
        limited = [one.where for one in (*limits, *points) if any(one.value(tag) for tag in _LIMITS)]
        if limited:
            what = "except that a charging point's limits its cars"
            self.notes.append(f"limits of power (peakLoad) were left out, {what} ({limited[0]})")
        for tag, what in _LEFT_OUT.items():
            for element in self.root.all(tag)[:1]:
                self.notes.append(f"{what} were left out: <{tag}> ({element.where})".replace("mix were", "mix was"))

    def _say_unknown_loads(self) -> None:
        known = {
            (home_id, canonical(element.value("id") or ""))
            for home_id, _, home in _homes(self.root)
            for _, element, _ in _places(home)
        }
        lost = {
            f"{device} of house {home}": entries[0].where
            for (home, device), entries in self._of.items()
            if (home, device) not in known
        }
        if lost:
            shown = first_few(lost, show=lambda one: f"{one} ({lost[one]})")
            self.notes.append(f"loads of devices that the neighbourhood does not have were left out: {shown}")


def _profile_name(entry: Element) -> str:
    return (entry.value("profile") or "").strip()


def _stem(file_name: str) -> str:
    return canonical(file_name.removesuffix(".csv"))
