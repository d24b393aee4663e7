"""The bundled scenarios, written to their files as readable YAML: with comments, blank lines, and power in steps."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

from agents import CumulativeSeries, Device, House, Job
from scenarios.appliances import APPLIANCES
from scenarios.generate.bundled_roofs import utc_offset_s
from scenarios.generate.one_day_neighbourhood import NeighbourhoodSpec, neighbourhood
from scenarios.generate.street import NOTES, PREFACE, street
from scenarios.scenario import Expectation, ProducerSeries, Scenario

_WIDTH = 118
FOLDER = Path(__file__).resolve().parent.parent / "bundled"
"""Folder of the files."""


_SCARCE = NeighbourhoodSpec(
    name="scarce",
    seed=1,
    houses=12,
    roofs=2,
    jobs=70,
    demand_per_production=1.2,
    date=date(2026, 9, 12),
    weather="fair",
    description="Twelve houses, two roofs with panels, a September day with clouds: not enough sun for all.",
)
_VILLAGE = NeighbourhoodSpec(
    name="village",
    seed=1,
    houses=100,
    roofs=40,
    jobs=360,
    demand_per_production=0.3,
    date=date(2026, 6, 20),
    weather="fair",
    description="A hundred houses, forty roofs with panels, a day in June with some clouds.",
)
_GENERATED_PREFACE = """\
{description}
Houses, roofs, jobs, clouds and forecasts are generated from a seed: this file is written by `python -m
scenarios.generate`. Energy is in Wh, power in W."""


_EXPECTED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "street": ("jobs_lost == 0", "delivered_wh + shortfall_wh == contracted_wh"),
        "scarce": ("jobs_lost == 0", "jobs_on_grid >= 1"),
        "village": ("jobs_lost == 0", "delivered_wh + shortfall_wh == contracted_wh"),
    }
)
"""The expected results of each scenario, with any algorithm and seed."""


def scenario_yaml(scenario: Scenario, *, preface: str, notes: Mapping[str, str]) -> str:
    """Return a generated scenario as YAML of format version 1.

    Args:
        scenario: It starts at local midnight, less than twelve hours from UTC; all series have even steps, and every
            consumer has a job.
        preface: Comment at the top of the file.
        notes: Comments for houses, by house id.
    """
    return "\n".join(_lines(scenario, preface, notes)) + "\n"


def _lines(scenario: Scenario, preface: str, notes: Mapping[str, str]) -> Iterator[str]:
    yield from (f"# {line}".rstrip() for line in preface.splitlines())
    yield ""
    yield "version: 1"
    yield f"name: {scenario.name}"
    yield "description: >-"
    yield from textwrap.wrap(scenario.description, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield f"start: {_midnight(scenario.start_s)}"
    if scenario.days is not None:
        yield f"days: {scenario.days}"
    yield f"seed: {scenario.seed}"
    yield f"algorithm: {scenario.algorithm}"
    if scenario.tariff is not None:
        tariff = scenario.tariff
        yield "tariff:"
        yield f"  import_eur_per_kwh: {tariff.import_eur_per_kwh}  # bought from the grid"
        yield f"  feed_in_eur_per_kwh: {tariff.feed_in_eur_per_kwh}  # sold to the grid"
        yield f"  neighbour_eur_per_kwh: {tariff.neighbour_eur_per_kwh}  # paid by one house to another"
        yield f"  grid_kg_co2_per_kwh: {tariff.grid_kg_co2_per_kwh}"
    default_profiles = _default_profiles(scenario)
    yield ""
    yield from _comment(
        "The jobs, and when each may start: hours and minutes after `start`. A job is registered when its household "
        "decides on it, which may be after its earliest start. Background loads (a compressor) have windows of seconds."
    )
    yield "jobs:"
    for house in scenario.houses:
        jobs = sorted(
            (job for job in scenario.jobs if job.house == house.id), key=lambda j: (j.earliest_start_s, j.job_id)
        )
        if jobs:
            note = notes.get(house.id, "")
            yield from _comment(f"{house.name}. {note}" if note else house.name, "  ")
        for job in jobs:
            yield "  - " + _job(job, scenario.start_s, default_profiles)
    yield ""
    yield from _comment(
        "The households and their devices. Forecasts for the panels are issued four times a day; each replaces "
        "the one before it from its own start on. `actual` is the actual production. Power is in W, one value per step."
    )
    yield "houses:"
    for house in scenario.houses:
        yield from _house(house, scenario, default_profiles)
    yield ""
    yield "# The load of one run of each device, in W."
    yield "load_profiles:"
    profiles = {job.profile: job.load_profile for job in scenario.jobs}
    for name in sorted(profiles):
        appliance = APPLIANCES[name]
        yield f"  {name}:  # {appliance.title}: {appliance.description} ({_kwh(appliance.energy_wh)})"
        yield from _steps(profiles[name], "    ")
    if scenario.expectations:
        yield ""
        yield "# Expected results; the exit code of `ssmic run` is 5 if one of them is not met."
        yield "expect:"
        yield from (f"  - {expectation.text}" for expectation in scenario.expectations)


def _house(house: House, scenario: Scenario, default_profiles: Mapping[tuple[str, str], str]) -> Iterator[str]:
    yield f"  - id: {house.id}"
    yield f"    name: {house.name}"
    if not house.devices:
        yield "    devices: []"
        return
    yield "    devices:"
    for device in house.devices:
        if device.type == "producer":
            yield from _producer(device, scenario.producers[device.id], scenario.start_s)
        else:
            profile = default_profiles[house.id, device.id]
            yield (
                f"      - {{id: {device.id}, type: consumer, name: {json.dumps(device.name, ensure_ascii=False)}, "
                f"template: {device.template}, load_profile: {profile}}}"
            )


def _producer(device: Device, producer: ProducerSeries, start_s: int) -> Iterator[str]:
    yield f"      - id: {device.id}"
    yield "        type: producer"
    yield f"        name: {json.dumps(device.name, ensure_ascii=False)}"
    yield f"        template: {device.template}"
    yield "        predictions:"
    for prediction in producer.predictions:
        series = prediction.production
        yield f'          - issued: "{_clock(prediction.issued_s - start_s)}"  # expects {_kwh(series.energy_wh)}'
        yield f'            start: "{_clock(series.start_s - start_s)}"'
        yield from _steps(series, "            ")
    if producer.actual is not None:
        yield f"        actual:  # {_kwh(producer.actual.energy_wh)}"
        yield f'          start: "{_clock(producer.actual.start_s - start_s)}"'
        yield from _steps(producer.actual, "          ")


def _default_profiles(scenario: Scenario) -> dict[tuple[str, str], str]:
    """Return the load profile of most jobs of each consumer, by house and device id."""
    used: dict[tuple[str, str], dict[str, int]] = {}
    for job in scenario.jobs:
        counts = used.setdefault((job.house, job.device), {})
        counts[job.profile] = counts.get(job.profile, 0) + 1
    return {device: max(sorted(counts), key=lambda name: counts[name]) for device, counts in used.items()}


def _job(job: Job, start_s: int, default_profiles: Mapping[tuple[str, str], str]) -> str:
    fields = [f"house: {job.house}", f"device: {job.device}", f"id: {job.source_id}"]
    if default_profiles[job.house, job.device] != job.profile:
        fields.append(f"load_profile: {job.profile}")
    times = {"registered": job.registered_s, "earliest_start": job.earliest_start_s, "latest_start": job.latest_start_s}
    fields += [f'{key}: "{_clock(time_s - start_s)}"' for key, time_s in times.items()]
    return "{" + ", ".join(fields) + "}"


def _steps(series: CumulativeSeries, indent: str) -> Iterator[str]:
    step_s = series.times_s[1] - series.times_s[0]
    if any(after - before != step_s for before, after in pairwise(series.times_s)):
        raise ValueError("a generated series has even steps")
    powers = [f"{(after - before) * 3600 / step_s:.0f}" for before, after in pairwise(series.cumulative_wh)]
    yield f"{indent}step_s: {step_s}"
    yield from _flow(f"{indent}power_w: ", powers, indent + "  ")


def _flow(head: str, items: Sequence[str], indent: str) -> list[str]:
    text = ", ".join(items)
    if len(head) + len(text) + 2 <= _WIDTH:
        return [f"{head}[{text}]"]
    return [head.rstrip() + " [", *(indent + line for line in textwrap.wrap(text + "]", _WIDTH - len(indent)))]


def _comment(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


def _midnight(start_s: int) -> str:
    """Return the start with the UTC offset at which it is midnight."""
    return datetime.fromtimestamp(start_s, tz=timezone(timedelta(seconds=utc_offset_s(start_s)))).isoformat()


def _clock(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, second = divmod(rest, 60)
    return f"{hours:02}:{minutes:02}" + (f":{second:02}" if second else "")


def _kwh(energy_wh: float) -> str:
    return f"{energy_wh / 1000:.1f} kWh" if energy_wh >= 100 else f"{energy_wh:.0f} Wh"


def _expecting(name: str, make: Callable[[], Scenario]) -> Callable[[], Scenario]:
    return lambda: replace(make(), expectations=tuple(Expectation(text) for text in _EXPECTED[name]))


SCENARIOS: Mapping[str, Callable[[], Scenario]] = MappingProxyType(
    {
        "street": _expecting("street", street),
        "scarce": _expecting("scarce", partial(neighbourhood, _SCARCE)),
        "village": _expecting("village", partial(neighbourhood, _VILLAGE)),
    }
)
"""Generators by scenario name."""


def bundled_text(name: str) -> str:
    """Return the text of a bundled scenario's file, generated afresh."""
    scenario = SCENARIOS[name]()
    if name == "street":
        return scenario_yaml(scenario, preface=PREFACE, notes=NOTES)
    return scenario_yaml(scenario, preface=_GENERATED_PREFACE.format(description=scenario.description), notes={})


def write_bundled() -> list[Path]:
    """Write the files of all bundled scenarios and return their paths."""
    written = []
    for name in SCENARIOS:
        path = FOLDER / f"{name}.yaml"
        path.write_text(bundled_text(name), encoding="utf-8", newline="\n")
        written.append(path)
    return written
