"""The street: six families on a summer day. Households are written by hand, weather and production are generated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from agents import Device, House, Job
from scenarios.appliances import APPLIANCES
from scenarios.generate.bundled_roofs import SITE, TARIFF, WeatherDay, midnight_s, producer_of, utc_offset_s
from scenarios.generate.solar import Roof
from scenarios.generate.weather import WEATHERS, draw_cloud_cover
from scenarios.scenario import Scenario

_MIDNIGHT_S = midnight_s(date(2026, 6, 21))

PREFACE = """\
A street of six households on a sunny day in June: what `make run` runs. Four roofs have panels. Each household says
what it wants to run and when it may start, and the panels of the neighbourhood supply as much of it as they can.

Change anything in a copy of this file (`ssmic scenarios copy street`): remove a job, widen its window, add a roof. Then
`ssmic check FILE` lists problems, and `ssmic run FILE` runs it. This file itself is written by `python -m
scenarios.generate`. Energy is in Wh, power in W."""

DESCRIPTION = "Six families, four roofs with panels and a sunny day in June: enough sun for all but the night."

NOTES: Mapping[str, str] = MappingProxyType(
    {
        "adler": "A couple who work from home and charge their car at noon. Their roof faces south.",
        "brandt": "A family of five with much laundry. Their roof faces east: most sun in the morning.",
        "celik": "A heat pump makes the hot water. The roof faces west: sun until the evening.",
        "dahl": "A retired couple without panels. Lunch is at twelve, and cannot wait.",
        "ebert": "A shared flat without panels, which decides late what it wants to run.",
        "fuchs": "The largest roof of the street, a pool, and a car that comes home at two.",
    }
)

_ROOFS: Mapping[str, Roof] = MappingProxyType(
    {
        "pv-adler": Roof(tilt_deg=35, azimuth_deg=180, peak_kw=5.2),
        "pv-brandt": Roof(tilt_deg=40, azimuth_deg=95, peak_kw=3.6),
        "pv-celik": Roof(tilt_deg=38, azimuth_deg=260, peak_kw=4.0),
        "pv-fuchs": Roof(tilt_deg=30, azimuth_deg=195, peak_kw=6.8),
    }
)

_HOUSES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "adler": {"dishwasher": "Dishwasher", "car": "Car", "fridge": "Refrigerator", "vacuum": "Robot vacuum cleaner"},
        "brandt": {
            "washing-machine": "Washing machine",
            "tumble-dryer": "Tumble dryer",
            "dishwasher": "Dishwasher",
            "freezer": "Freezer",
        },
        "celik": {"hot-water": "Heat pump, hot water", "washing-machine": "Washing machine", "oven": "Oven"},
        "dahl": {
            "oven": "Oven",
            "washing-machine": "Washing machine",
            "fridge": "Refrigerator",
            "mower": "Robot mower",
        },
        "ebert": {"dishwasher": "Dishwasher", "ebike": "Electric bicycle", "washing-machine": "Washing machine"},
        "fuchs": {"pool-pump": "Pool pump", "car": "Car", "hot-water": "Heat pump, hot water", "freezer": "Freezer"},
    }
)
"""By family: consumers, id and name."""

_JOBS: tuple[tuple[str, str, str, str, str, str, str], ...] = (
    # house, device, id, load profile, registered, earliest start, latest start
    ("adler", "dishwasher", "adler-dishes-breakfast", "dishwasher-eco", "07:40", "08:00", "13:00"),
    ("adler", "dishwasher", "adler-dishes-lunch", "dishwasher-eco", "13:20", "13:20", "17:00"),
    ("adler", "car", "adler-car", "car-16a-10kwh", "06:00", "09:00", "14:30"),
    ("adler", "vacuum", "adler-vacuum", "vacuum-charge", "10:05", "10:05", "15:00"),
    ("adler", "fridge", "adler-fridge-1", "fridge-cycle", "09:31:20", "09:31:20", "09:31:40"),
    ("adler", "fridge", "adler-fridge-2", "fridge-cycle", "11:47:10", "11:47:10", "11:47:30"),
    ("adler", "fridge", "adler-fridge-3", "fridge-cycle", "14:02:45", "14:02:45", "14:03:05"),
    ("brandt", "washing-machine", "brandt-whites", "washing-60", "06:45", "07:00", "11:00"),
    ("brandt", "washing-machine", "brandt-colours", "washing-40", "06:50", "09:30", "13:00"),
    ("brandt", "washing-machine", "brandt-sports", "washing-40", "15:10", "15:15", "17:30"),
    ("brandt", "tumble-dryer", "brandt-dryer-whites", "dryer-heat-pump", "06:55", "11:30", "15:30"),
    ("brandt", "dishwasher", "brandt-dishes", "dishwasher-intensive", "12:50", "13:00", "16:00"),
    ("brandt", "freezer", "brandt-freezer-1", "freezer-cycle", "08:12:30", "08:12:30", "08:13:00"),
    ("brandt", "freezer", "brandt-freezer-2", "freezer-cycle", "12:40:15", "12:40:15", "12:40:45"),
    ("celik", "hot-water", "celik-water-morning", "hot-water", "05:30", "08:00", "12:00"),
    ("celik", "hot-water", "celik-water-evening", "hot-water", "05:30", "13:00", "18:00"),
    ("celik", "washing-machine", "celik-laundry", "washing-40", "09:10", "09:30", "15:00"),
    ("celik", "oven", "celik-dinner", "oven", "16:20", "17:00", "17:20"),
    ("dahl", "oven", "dahl-lunch", "oven", "10:30", "11:15", "11:25"),
    ("dahl", "washing-machine", "dahl-laundry", "washing-60", "08:00", "08:30", "12:30"),
    ("dahl", "fridge", "dahl-fridge-1", "fridge-cycle", "10:20:05", "10:20:05", "10:20:25"),
    ("dahl", "fridge", "dahl-fridge-2", "fridge-cycle", "15:36:40", "15:36:40", "15:37:00"),
    ("dahl", "fridge", "dahl-fridge-3", "fridge-cycle", "22:05:15", "22:05:15", "22:05:35"),
    ("dahl", "mower", "dahl-mower", "mower-charge", "09:00", "12:00", "16:00"),
    ("ebert", "dishwasher", "ebert-dishes", "dishwasher-eco", "11:25", "10:00", "15:00"),
    ("ebert", "dishwasher", "ebert-dishes-party", "dishwasher-intensive", "21:40", "21:40", "23:00"),
    ("ebert", "ebike", "ebert-bike", "ebike-charge", "08:50", "09:00", "13:00"),
    ("ebert", "washing-machine", "ebert-laundry", "washing-40", "13:05", "13:00", "16:30"),
    ("fuchs", "pool-pump", "fuchs-pool", "pool-pump", "00:00", "09:00", "15:00"),
    ("fuchs", "hot-water", "fuchs-water", "hot-water", "00:00", "09:00", "16:00"),
    ("fuchs", "car", "fuchs-car", "car-16a-5kwh", "13:55", "14:00", "17:00"),
    ("fuchs", "freezer", "fuchs-freezer", "freezer-cycle", "11:05:50", "11:05:50", "11:06:20"),
)


def street() -> Scenario:
    """Return the bundled scenario "street"."""
    day = WeatherDay(SITE, _MIDNIGHT_S, draw_cloud_cover(1, WEATHERS["clear"]))
    # Clouds drift along the street from one house to the next.
    producers = {roof_id: producer_of(day, roof, delay_min=i) for i, (roof_id, roof) in enumerate(_ROOFS.items())}
    jobs = (
        Job(
            job_id=job_id,
            source_id=job_id,
            house=house,
            device=device,
            profile=profile,
            load_profile=APPLIANCES[profile].load_profile,
            registered_s=_moment(registered),
            earliest_start_s=_moment(earliest),
            latest_start_s=_moment(latest),
        )
        for house, device, job_id, profile, registered, earliest, latest in _JOBS
    )
    return Scenario(
        name="street",
        description=DESCRIPTION,
        start_s=day.start_s,
        utc_offset_s=utc_offset_s(day.start_s),
        seed=1,
        houses=tuple(_house(house, consumers) for house, consumers in _HOUSES.items()),
        jobs=tuple(sorted(jobs, key=lambda job: (job.registered_s, job.job_id))),
        producers=producers,
        tariff=TARIFF,
    )


def _house(house: str, consumers: Mapping[str, str]) -> House:
    devices = [
        Device(id=device, house=house, type="consumer", name=name, template=device)
        for device, name in consumers.items()
    ]
    roof = _ROOFS.get(f"pv-{house}")
    if roof is not None:
        name = f"Panels, {roof.peak_kw} kWp"
        devices.append(Device(id=f"pv-{house}", house=house, type="producer", name=name, template="pv"))
    return House(id=house, name=house.capitalize(), devices=tuple(devices))


def _moment(clock: str) -> int:
    hours, minutes, *seconds = (int(part) for part in clock.split(":"))
    return _MIDNIGHT_S + hours * 3600 + minutes * 60 + sum(seconds)
