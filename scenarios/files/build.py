"""Builds a scenario from the file model, with all checks that span several values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import available_timezones

from agents import CumulativeSeries, Device, House, Job, LoadProfile, Prediction
from agents.scheduling import known_algorithms
from agents.sharing import PREFERENCES
from scenarios.devices import guest_devices, guest_gateway, nothing_yet
from scenarios.devices.adapters import adapter_problems
from scenarios.events import TimelineEvent
from scenarios.files.duplicate_devices import DuplicateDevices
from scenarios.files.error_recovery import UnresolvedNames
from scenarios.files.lab_faults import build_faults
from scenarios.files.model import ConsumerEntry, GatewayEntry, JobEntry, ProducerEntry, ScenarioFile
from scenarios.files.prices import build_community, build_tariff
from scenarios.files.problems import UNKNOWN, KeyPath, ProblemCollector, is_unknown
from scenarios.files.series import SeriesReader
from scenarios.files.timeline import EventTargets, build_expectations, build_timeline, strategy_problem
from scenarios.files.times import format_iso, offset_of, parse_start, reads_as_clock_time
from scenarios.gateways import Gateway, mistakable_houses, mistakable_problem
from scenarios.mistyped_names import suggest
from scenarios.scenario import MAX_DAYS, RESERVED, Expectation, Fault, ProducerSeries, Scenario, sharing_problems
from scenarios.zone import Zone, zone_info


def build_scenario(
    file: ScenarioFile,
    collector: ProblemCollector,
    *,
    folder: Path | None = None,
    allow_outside: bool = False,
    unresolved: UnresolvedNames | None = None,
) -> Scenario:
    """Return the scenario that a file describes.

    Args:
        file: The file's content.
        collector: Problems found so far; raised together with those found here.
        folder: Folder that file names in it are relative to.
        allow_outside: Whether it may refer to files outside the folder.
        unresolved: Names that the file defines but that could not be read; references to them are not problems.

    Raises:
        ScenarioError: The file has problems; carries all of them.
    """
    start_s = None
    zone = None if file.zone is None else zone_info(file.zone)
    if file.zone is not None and zone is None:
        hint = suggest(file.zone, available_timezones(), otherwise="; expected for example Europe/Berlin or UTC")
        collector.at(("zone",), f"there is no time zone {file.zone!r}{hint}")
        zone = zone_info("UTC")  # a stand-in, so that the rest is checked too
    try:
        if file.start != UNKNOWN:
            start_s = parse_start(file.start, zone)
    except ValueError as error:
        collector.at(("start",), str(error))
    series = SeriesReader(collector, folder, start_s, zone, allow_outside=allow_outside)
    scenario = _ScenarioBuilder(file, collector, series, unresolved or UnresolvedNames()).build()
    collector.raise_if_any()
    return scenario


class JobIds:
    """Assigns unique job ids: a job keeps its source id if it is the first, the next ones get `#2`, `#3`, ..."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}

    def next_for(self, source_id: str) -> str:
        """Return the id that the next job with this source id will get."""
        if source_id not in self._taken:
            return source_id
        count = self._counts.get(source_id, 1) + 1
        while f"{source_id}#{count}" in self._taken:
            count += 1
        return f"{source_id}#{count}"

    def take(self, source_id: str) -> str:
        """Return the id for the next job with this source id, and mark it as taken."""
        job_id = self.next_for(source_id)
        self._taken.add(job_id)
        if job_id != source_id:
            self._counts[source_id] = int(job_id.rpartition("#")[2])
        return job_id


@dataclass(slots=True)
class _ScenarioBuilder:
    file: ScenarioFile
    collector: ProblemCollector
    series: SeriesReader
    unresolved: UnresolvedNames
    profiles: dict[str, LoadProfile] = field(default_factory=dict)
    consumers: dict[tuple[str, str], ConsumerEntry] = field(default_factory=dict)
    producers: dict[str, ProducerSeries] = field(default_factory=dict)
    devices: dict[tuple[str, str], KeyPath] = field(default_factory=dict)
    """By house and device."""
    agents: dict[str, KeyPath] = field(default_factory=dict)
    houses: dict[str, House] = field(default_factory=dict)
    base_loads: dict[str, CumulativeSeries] = field(default_factory=dict)
    gateways: dict[str, Gateway] = field(default_factory=dict)
    """By agent id."""
    gateway_ids: dict[str, KeyPath] = field(default_factory=dict)
    local_start: datetime | None = None
    """When the run starts, in its zone, until a note says what that means for times; None: at midnight."""
    duplicates: DuplicateDevices = field(init=False)

    def __post_init__(self) -> None:
        self.duplicates = DuplicateDevices(self.collector)
        start_s, zone = self.series.start_s, self._zone()
        if start_s is not None and start_s != zone.midnight_s(start_s):
            self.local_start = zone.at(start_s)

    def build(self) -> Scenario:
        file = self.file
        for name, entry in file.load_profiles.items():
            profile = self.series.load_profile(entry, ("load_profiles", name))
            if profile is None:
                self.unresolved.profiles.add(name)
            else:
                self.profiles[name] = profile
        self._check_plugins()
        self._check_preferences()
        for i in range(len(file.houses)):
            self._house(i)
        self._check_house_ids()
        self._check_sharing()
        jobs = self._jobs()
        zone = self._zone()
        events, expectations = self._events_and_expectations(jobs, zone)
        return Scenario(
            name=file.name,
            start_s=self.series.start_s or 0,  # if it could not be read, this scenario is never returned
            seed=file.seed,
            houses=tuple(self.houses.values()),
            jobs=tuple(sorted(jobs, key=lambda job: (job.registered_s, job.job_id))),
            producers=self.producers,
            base_loads=self.base_loads,
            description=file.description,
            days=file.days,
            algorithm=file.algorithm,
            promise=file.promise,
            strategy=file.strategy,
            supply=file.supply,
            prefer=tuple(file.prefer or PREFERENCES),
            forecast=file.forecast,
            tariff=build_tariff(file.tariff, self.series),
            community=build_community(
                file.community,
                self.series,
                self.houses,
                has_tariff=file.tariff is not None,
                complete=not (self.unresolved.every_house or self.unresolved.houses),
            ),
            utc_offset_s=zone.offset_s,
            zone_name=zone.key,
            gateways=self.gateways,
            load_profiles=self.profiles if self.gateways else {},
            timeline=events,
            expectations=expectations,
            faults=self._faults(),
        )

    def _check_preferences(self) -> None:
        prefer = self.file.prefer or ()
        for name in sorted({name for name in prefer if prefer.count(name) > 1}):
            self.collector.at(("prefer",), f"{name!r} is given twice")

    def _check_sharing(self) -> None:
        """Report settings that shared supply excludes."""
        if self.file.supply == "shared":
            for key, problem in sharing_problems(self.file.promise, self.file.strategy).items():
                self.collector.at((key,), problem)

    def _check_house_ids(self) -> None:
        """Report houses whose ids can be mistaken for those of others' devices."""
        numbers = {entry.id: i for i, entry in enumerate(self.file.houses)}
        for shorter, longer in mistakable_houses(self.houses, self.gateways.values()):
            self.collector.at(("houses", numbers[longer], "id"), mistakable_problem(shorter, longer))

    def _zone(self) -> Zone:
        """Return the zone in which times are shown, with its UTC offset at the run's start."""
        zone = Zone(offset_of(self.file.start), "" if self.series.zone is None else self.series.zone.key)
        start_s = self.series.start_s
        if not zone.key or start_s is None:
            return zone
        return Zone(int((zone.at(start_s).utcoffset() or timedelta()).total_seconds()), zone.key)

    def _events_and_expectations(
        self, jobs: Sequence[Job], zone: Zone
    ) -> tuple[tuple[TimelineEvent, ...], tuple[Expectation, ...]]:
        file, start_s = self.file, self.series.start_s
        if not file.timeline and not file.expect:
            return (), ()
        known = EventTargets(
            self.houses,
            {key: (entry.load_profile, self.profiles) for key, entry in self.consumers.items()},
            tuple(self.producers),
            jobs,
            zone,
            start_s or 0,
            seed=file.seed,
            has_tariff=file.tariff is not None,
            days=file.days,
            unresolved=self.unresolved,
            is_start_lost=start_s is None,
        )
        events, added = build_timeline(file.timeline, known, self.series)
        names = [*(job.job_id for job in jobs), *added]
        return events, build_expectations(file.expect, known, names, self.collector)

    def _faults(self) -> tuple[Fault, ...]:
        known = {f"{house.id}/{device.id}" for house in self.houses.values() for device in house.devices}
        known |= {f"{house}/meter" for house in self.houses}
        entries = [(("faults", i), entry) for i, entry in enumerate(self.file.faults)]
        lost = self.unresolved.every_house or bool(self.unresolved.houses) or bool(self.unresolved.devices)
        return build_faults(entries, self._moment, self.series.start_s, self.collector, None if lost else known)

    def _moment(self, value: int | str, path: KeyPath) -> int | None:
        """Return the time of an event in the run, UNIX seconds; None after reporting a problem."""
        time_s = self.series.time(path, value)
        start_s = self.series.start_s
        if time_s is None or start_s is None:
            return time_s
        if time_s <= start_s + MAX_DAYS * 86_400:
            self._note_start(value, path, time_s)
            return time_s
        what = f"{format_iso(time_s)} is more than {MAX_DAYS} days after the run starts"
        self.collector.at(path, f"{what} ({format_iso(start_s)})")
        return None

    def _note_start(self, value: int | str, path: KeyPath, time_s: int) -> None:
        """Say once what a time such as `06:05` means if the run does not start at midnight."""
        start = self.local_start
        if start is not None and reads_as_clock_time(value, start):
            self.local_start = None
            meant = self._zone().at(time_s).strftime("%H:%M on %d %B %Y")
            what = f'"{value}" counts from the start of the run, which is at {start:%H:%M}, so it means {meant}'
            self.collector.notes.append(f"{self.collector.locate(path)}: {what}")

    def _house(self, index: int) -> None:
        entry = self.file.houses[index]
        path: KeyPath = ("houses", index)
        if entry.id in RESERVED:
            self.collector.at((*path, "id"), f"{entry.id!r} is reserved; give the house another id")
        if entry.id in self.houses:
            self.collector.at((*path, "id"), f"house {entry.id!r} already exists")
        devices = []
        for i, device_entry in enumerate(entry.devices):
            device_path = (*path, "devices", i)
            device = Device(
                id=device_entry.id,
                house=entry.id,
                type=device_entry.type,
                name=device_entry.name,
                template=device_entry.template,
            )
            self._unique(device, device_path)
            devices.append(device)
            if isinstance(device_entry, ProducerEntry):
                self._producer(device_entry, device_path)
            else:
                self._consumer(entry.id, device_entry, device_path)
            if device_entry.gateway is not None:
                self._gateway(device, device_entry, device_entry.gateway, (*device_path, "gateway"))
        if entry.base_load is not None:
            base_load = self.series.base_load(entry.base_load, (*path, "base_load"))
            if base_load is not None:
                self.base_loads.setdefault(entry.id, base_load)
        devices += self._guests(entry.id, entry.guests, path)
        self.houses.setdefault(entry.id, House(id=entry.id, name=entry.name, devices=tuple(devices)))

    def _gateway(
        self, device: Device, entry: ConsumerEntry | ProducerEntry, gateway: GatewayEntry, path: KeyPath
    ) -> None:
        """Record that a device is real."""
        gateway_id = gateway.id or device.id
        if gateway_id in self.gateway_ids:
            other = self.collector.locate(self.gateway_ids[gateway_id])
            what = f"{gateway_id!r} is the id of another real device ({other}); give one of them an id of its own"
            self.collector.at((*path, "id"), what)
        self.gateway_ids.setdefault(gateway_id, path)
        if gateway.waiting is not None and gateway.waiting.below_w <= gateway.waiting.above_w:
            self.collector.at((*path, "waiting", "below_w"), "more than above_w is expected: no power is between them")
        if gateway.waiting is not None and isinstance(entry, ProducerEntry):
            self.collector.at((*path, "waiting"), "a producer has no programme")
        elif gateway.waiting is not None and gateway.waiting.load_profile:
            self._profile(gateway.waiting.load_profile, (*path, "waiting", "load_profile"))
        made = Gateway(
            id=gateway_id,
            house=device.house,
            device=device.id,
            type=device.type,
            agent=device.agent,
            name=device.name,
            adapter=gateway.adapter,
            options=gateway.model_extra or {},
            load_profile=entry.load_profile or "" if isinstance(entry, ConsumerEntry) else "",
            answer_s=gateway.answer_s,
            tries=gateway.tries,
            idle_w=gateway.idle_w,
            learn=gateway.learn,
            waiting=gateway.waiting,
        )
        problems = adapter_problems(made)
        for where, what in problems:
            self.collector.at((*path, *where), what)
        if not problems:
            self.duplicates.add(made, path)
        self.gateways[device.agent] = made

    def _guests(self, house: str, guests: int, path: KeyPath) -> list[Device]:
        """Return the places that a house has for real devices that join during a run."""
        places = guest_devices(house, 1, guests)
        for device in places:
            self._unique(device, (*path, "guests"))
            self.gateways[device.agent] = guest_gateway(device)
            if device.type == "producer":
                self.producers.setdefault(device.id, ProducerSeries((nothing_yet(self.series.start_s or 0),)))
        return places

    def _unique(self, device: Device, path: KeyPath) -> None:
        kind = device.type
        if kind == "producer" and device.id in RESERVED:
            self.collector.at((*path, "id"), f"{device.id!r} is reserved; give the producer another id")
        if (device.house, device.id) in self.devices:
            house = "the house" if is_unknown(device.house) else f"house {device.house!r}"
            self.collector.at((*path, "id"), f"{house} already has a device {device.id!r}")
        elif kind == "producer" and device.id in self.producers:
            what = f"producer {device.id!r} already exists; a producer's id is unique in the neighbourhood"
            self.collector.at((*path, "id"), what)
        elif device.agent in self.agents:
            other = self.collector.locate(self.agents[device.agent])
            what = f"{device.id!r} is the agent's id of another device ({other})"
            self.collector.at((*path, "id"), what)
        self.devices.setdefault((device.house, device.id), path)
        self.agents.setdefault(device.agent, path)

    def _consumer(self, house: str, entry: ConsumerEntry, path: KeyPath) -> None:
        self.consumers.setdefault((house, entry.id), entry)
        if entry.load_profile is not None:
            self._profile(entry.load_profile, (*path, "load_profile"))

    def _profile(self, name: str, path: KeyPath) -> LoadProfile | None:
        profile = self.profiles.get(name)
        if profile is None and not (
            name == UNKNOWN or self.unresolved.every_profile or name in self.unresolved.profiles
        ):
            known = {*self.profiles, *self.unresolved.profiles}
            self.collector.at(path, f"there is no load profile {name!r}{suggest(name, known)}")
        return profile

    def _producer(self, entry: ProducerEntry, path: KeyPath) -> None:
        predictions: dict[int, Prediction] = {}
        start_s = self.series.start_s
        for i, prediction_entry in enumerate(entry.predictions or []):
            place = (*path, "predictions", i)
            issued_s = self._moment(prediction_entry.issued, (*place, "issued"))
            production = self.series.production(prediction_entry, place)
            if issued_s is None:
                continue
            if issued_s in predictions:
                what = f"another prediction is issued at this time ({format_iso(issued_s)})"
                self.collector.at((*place, "issued"), what)
            elif start_s is not None and issued_s < start_s:
                what = f"{format_iso(issued_s)} is before the run starts ({format_iso(start_s)}); what is known"
                self.collector.at((*place, "issued"), f'{what} from the beginning is issued at "00:00"')
            elif production is not None:
                predictions[issued_s] = Prediction(issued_s=issued_s, production=production)
        if entry.predictions is None and entry.gateway is None:
            self.collector.at((*path, "predictions"), "required (its expected production)")
        elif entry.predictions is None:
            nothing = nothing_yet(self.series.start_s or 0)
            predictions[nothing.issued_s] = nothing
        actual = self.series.production(entry.actual, (*path, "actual")) if entry.actual else None
        in_order = tuple(predictions[issued_s] for issued_s in sorted(predictions))
        self.producers.setdefault(entry.id, ProducerSeries(in_order, actual))

    def _check_plugins(self) -> None:
        """Report an algorithm or strategy that is not installed."""
        algorithm, algorithms = self.file.algorithm, known_algorithms()
        if algorithm not in algorithms:
            self.collector.at(("algorithm",), f"there is no algorithm {algorithm!r}{suggest(algorithm, algorithms)}")
        if self.file.supply != "shared" and (problem := strategy_problem(self.file.strategy)):
            self.collector.at(("strategy",), problem)

    def _jobs(self) -> list[Job]:
        job_ids = JobIds()
        ids = [job_ids.take(entry.id or f"{entry.house}/{entry.device}") for entry in self.file.jobs]
        jobs = [self._job(entry, ("jobs", i), ids[i]) for i, entry in enumerate(self.file.jobs)]
        self.unresolved.every_job |= any(
            entry.id is None and UNKNOWN in (entry.house, entry.device) for entry in self.file.jobs
        )
        self.unresolved.jobs.update(job_id for job_id, job in zip(ids, jobs, strict=True) if job is None)
        return [job for job in jobs if job is not None]

    def _job(self, entry: JobEntry, path: KeyPath, job_id: str) -> Job | None:
        consumer = self._device_of(entry, path)
        name = entry.load_profile or (consumer.load_profile if consumer else None)
        profile = None
        if entry.load_profile is not None:
            profile = self._profile(entry.load_profile, (*path, "load_profile"))
        elif name is not None:
            profile = self.profiles.get(name)
        elif consumer is not None:
            what = f"required; neither the job nor device {entry.device!r} names one"
            self.collector.at((*path, "load_profile"), what)
        times = self._times(entry, path)
        if consumer is None or name is None or profile is None or times is None:
            return None
        registered_s, earliest_start_s, latest_start_s = times
        return Job(
            job_id=job_id,
            source_id=entry.id or f"{entry.house}/{entry.device}",
            house=entry.house,
            device=entry.device,
            profile=name,
            load_profile=profile,
            registered_s=registered_s,
            earliest_start_s=earliest_start_s,
            latest_start_s=latest_start_s,
        )

    def _device_of(self, entry: JobEntry, path: KeyPath) -> ConsumerEntry | None:
        key = (entry.house, entry.device)
        if key in self.consumers or entry.house in self.unresolved.houses or key in self.unresolved.devices:
            return self.consumers.get(key)
        if entry.house == UNKNOWN or (entry.house not in self.houses and self.unresolved.every_house):
            return None
        if entry.house not in self.houses:
            what = f"there is no house {entry.house!r}{suggest(entry.house, self.houses)}"
            self.collector.at((*path, "house"), what)
        elif entry.device == UNKNOWN:
            pass
        elif key in self.devices:
            self.collector.at((*path, "device"), f"{entry.device!r} is a producer; a job runs on a consumer")
        else:
            known = [device for house, device in self.consumers if house == entry.house]
            what = f"house {entry.house!r} has no device {entry.device!r}{suggest(entry.device, known)}"
            self.collector.at((*path, "device"), what)
        return None

    def _times(self, entry: JobEntry, path: KeyPath) -> tuple[int, int, int] | None:
        registered_s = self._moment(entry.registered, (*path, "registered"))
        earliest_s = self._moment(entry.earliest_start, (*path, "earliest_start"))
        latest_s = self._moment(entry.latest_start, (*path, "latest_start"))
        start_s = self.series.start_s
        if registered_s is not None and start_s is not None and registered_s < start_s:
            what = f"{format_iso(registered_s)} is before the run starts ({format_iso(start_s)})"
            self.collector.at((*path, "registered"), what)
        latest_path = (*path, "latest_start")
        if latest_s is not None and earliest_s is not None and latest_s < earliest_s:
            what = f"{_shown(entry.latest_start)} is before the earliest start {_shown(entry.earliest_start)}"
            self.collector.at(latest_path, what)
            return None
        if latest_s is not None and registered_s is not None and latest_s < registered_s:
            what = f"{_shown(entry.latest_start)} is before the job is registered ({_shown(entry.registered)})"
            self.collector.at(latest_path, what)
            return None
        if registered_s is None or earliest_s is None or latest_s is None:
            return None
        return registered_s, earliest_s, latest_s


def _shown(time: int | str) -> str:
    return f"{time} ({format_iso(time)})" if isinstance(time, int) and 0 <= time <= 253_402_300_799 else str(time)
