"""Writes a scenario as readable YAML: one job per line, points in rows, times quoted."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from agents import CumulativeSeries, Device, Job, LoadProfile, Prediction, Production
from agents.sharing import DEFAULT_FORECAST, PREFERENCES
from broker import atomic_write, missing_folders
from scenarios.devices import GUEST
from scenarios.errors import Problem, ScenarioError, ScenarioWriteError
from scenarios.events import AddJobs
from scenarios.files.build import JobIds
from scenarios.files.lab_faults import fault_entry
from scenarios.files.model import VERSION, ScenarioFile
from scenarios.files.prices import community_entry, tariff_entry
from scenarios.files.problems import locate_in
from scenarios.files.series import constant_w
from scenarios.files.timeline import expect_entries, timeline_entries
from scenarios.files.times import format_after_start
from scenarios.files.validation import make_file
from scenarios.files.yaml_nodes import resolve
from scenarios.scenario import Scenario
from scenarios.zone import zone_info


def file_model_of(scenario: Scenario) -> ScenarioFile:
    """Return the file model from which `scenario` would be built.

    Raises:
        ScenarioError: No file produces this scenario: two load profiles share a name, job ids do not follow from source
            ids, or a producer has no prediction.
    """
    where = f"scenario {scenario.name!r}"
    profiles: dict[str, LoadProfile] = {}
    added = [event.action for event in scenario.timeline if isinstance(event.action, AddJobs)]
    of_all: list[Job | AddJobs] = [*scenario.jobs, *added]
    for job in of_all:
        if profiles.setdefault(job.profile, job.load_profile) != job.load_profile:
            raise ScenarioError([Problem(where, f"two load profiles are called {job.profile!r}")])
    shared = _shared_profiles(scenario.jobs)
    start_s = scenario.start_s
    zone = zone_info(scenario.zone_name) if scenario.zone_name else None
    content = {
        "version": VERSION,
        "name": scenario.name,
        "description": scenario.description,
        "start": scenario.zone.iso(start_s),
        "days": scenario.days,
        "seed": scenario.seed,
        "algorithm": scenario.algorithm,
        **({"promise": scenario.promise} if scenario.promise != "early" else {}),
        "strategy": scenario.strategy,
        **({"supply": scenario.supply} if scenario.supply != "whole" else {}),
        **({"prefer": list(scenario.prefer)} if scenario.prefer != PREFERENCES else {}),
        **({"forecast": scenario.forecast} if scenario.forecast != DEFAULT_FORECAST else {}),
        "load_profiles": profile_entries({**scenario.load_profiles, **profiles}),
        "houses": [
            {
                "id": house.id,
                "name": house.name,
                "guests": sum(
                    g.house == house.id and not g.id and g.type == "consumer" for g in scenario.gateways.values()
                ),
                "devices": [
                    _with_gateway(scenario, device, zone)
                    if device.agent in scenario.gateways
                    else consumer_entry(device.id, device.name, device.template, shared.get((house.id, device.id)))
                    if device.type == "consumer"
                    else producer_entry(
                        device.id,
                        device.name,
                        device.template,
                        scenario.producers[device.id].predictions,
                        start_s=start_s,
                        zone=zone,
                        actual=scenario.producers[device.id].actual,
                    )
                    for device in house.devices
                    if device.template != GUEST or device.agent not in scenario.gateways
                ],
                "base_load": base_load_entry(scenario.base_loads[house.id], start_s, zone)
                if house.id in scenario.base_loads
                else None,
            }
            for house in scenario.houses
        ],
        "jobs": [_job(job, start_s, shared, zone) for job in _in_id_order(scenario.jobs, where)],
        "tariff": tariff_entry(scenario.tariff, start_s, zone) if scenario.tariff else None,
        "community": community_entry(scenario.community, start_s, zone) if scenario.community else None,
        "zone": scenario.zone_name or None,
        "timeline": timeline_entries(scenario),
        "expect": expect_entries(scenario),
        "faults": [fault_entry(fault, start_s, zone) for fault in scenario.faults],
    }
    return make_file(content, locate_in(where))


def _with_gateway(scenario: Scenario, device: Device, zone: ZoneInfo | None) -> dict[str, Any]:
    """Return a real device as a file entry."""
    gateway = scenario.gateways[device.agent]
    said = gateway.model_dump(
        exclude_defaults=True, include={"adapter", "answer_s", "tries", "idle_w", "learn", "waiting"}
    )
    content = {**said, **gateway.options, **({} if gateway.id == device.id else {"id": gateway.id})}
    if device.type == "consumer":
        entry = consumer_entry(device.id, device.name, device.template, gateway.load_profile or None)
    else:
        series = scenario.producers[device.id]
        entry = producer_entry(
            device.id,
            device.name,
            device.template,
            series.predictions,
            start_s=scenario.start_s,
            zone=zone,
            actual=series.actual,
        )
        if not any(prediction.production.energy_wh for prediction in series.predictions):
            entry["predictions"] = None
    return {**entry, "gateway": content}


def profile_entries(profiles: Mapping[str, LoadProfile]) -> dict[str, Any]:
    """Return load profiles as file entries, by name."""
    return {
        name: {"points": list(zip(profiles[name].times_s, profiles[name].cumulative_wh, strict=True))}
        for name in sorted(profiles, key=natural_order)
    }


def consumer_entry(device: str, name: str, template: str, profile: str | None) -> dict[str, Any]:
    """Return a consumer as a file entry.

    Args:
        device: Id of the device.
        name: Display name.
        template: Kind of appliance.
        profile: Name of the default load profile of its jobs; None: each job names its own.
    """
    return {"id": device, "type": "consumer", "name": name, "template": template, "load_profile": profile}


def producer_entry(
    device: str,
    name: str,
    template: str,
    predictions: Sequence[Prediction],
    *,
    start_s: int,
    zone: ZoneInfo | None,
    actual: Production | None = None,
) -> dict[str, Any]:
    """Return a producer as a file entry.

    Args:
        device: Id of the device.
        name: Display name.
        template: Kind of panel.
        predictions: Its predictions, in the order of issue.
        start_s: Start of the run, UNIX seconds; times are written relative to it.
        zone: The scenario's IANA time zone; None: it has none.
        actual: Its actual production; None: not known.
    """
    return {
        "id": device,
        "type": "producer",
        "name": name,
        "template": template,
        "predictions": [
            {
                "issued": format_after_start(prediction.issued_s, start_s, zone),
                "points": _points(prediction.production, start_s, zone),
            }
            for prediction in predictions
        ],
        "actual": {"points": _points(actual, start_s, zone)} if actual else None,
    }


def base_load_entry(base_load: CumulativeSeries, start_s: int, zone: ZoneInfo | None) -> dict[str, Any]:
    """Return a house's base load as a file entry; see `producer_entry` for `start_s` and `zone`."""
    power_w = constant_w(base_load, start_s)
    return {"points": _points(base_load, start_s, zone)} if power_w is None else {"constant_w": power_w}


def _points(production: CumulativeSeries, start_s: int, zone: ZoneInfo | None) -> list[tuple[str, float]]:
    times = (format_after_start(time_s, start_s, zone) for time_s in production.times_s)
    return list(zip(times, production.cumulative_wh, strict=True))


def _shared_profiles(jobs: Sequence[Job]) -> dict[tuple[str, str], str]:
    """Return the load profile of each device whose jobs all have the same one."""
    names: dict[tuple[str, str], set[str]] = {}
    for job in jobs:
        names.setdefault((job.house, job.device), set()).add(job.profile)
    return {device: next(iter(profiles)) for device, profiles in names.items() if len(profiles) == 1}


def _job(job: Job, start_s: int, shared: Mapping[tuple[str, str], str], zone: ZoneInfo | None) -> dict[str, Any]:
    return {
        "house": job.house,
        "device": job.device,
        "id": job.source_id if job.source_id != f"{job.house}/{job.device}" else None,
        "load_profile": None if (job.house, job.device) in shared else job.profile,
        "registered": format_after_start(job.registered_s, start_s, zone),
        "earliest_start": format_after_start(job.earliest_start_s, start_s, zone),
        "latest_start": format_after_start(job.latest_start_s, start_s, zone),
    }


def _in_id_order(jobs: Sequence[Job], where: str) -> list[Job]:
    """Return the jobs in their order, except that each follows those its id counts from."""
    ids = JobIds()
    ordered: list[Job] = []
    pending = list(jobs)
    while pending:
        left = []
        for job in pending:
            if ids.next_for(job.source_id) == job.job_id:
                ids.take(job.source_id)
                ordered.append(job)
            else:
                left.append(job)
        if len(left) == len(pending):
            what = f"the job id {left[0].job_id!r} does not follow from the source id {left[0].source_id!r}"
            raise ScenarioError([Problem(where, what)])
        pending = left
    return ordered


def natural_order(text: str) -> tuple[tuple[bool, int, str, str], ...]:
    """Return a sort key that places `9` before `10`; numbers of any length are compared by their digits."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    digits = (part.lstrip("0") if part[0] in "0123456789" else None for part in parts)
    return tuple(
        (True, 0, part, "") if number is None else (False, len(number), number, part)
        for part, number in zip(parts, digits, strict=True)
    )


WIDTH = 120
"""Width of a line of points."""
WIDTH_OF_ENTRY = 200
"""Width of a line with a whole job or device."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./()+-]*(?: [A-Za-z0-9_./()+-]+)*", re.ASCII)
_NOT_PLAIN = frozenset({"y", "n", "yes", "no", "on", "off"})
"""Words that YAML 1.1 reads as booleans."""
_UNPRINTABLE = re.compile(
    '[^\\x20-\\x7e\\xa0-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]|["\\\\\\u2028\\u2029]'
)
_SECTIONS = frozenset({"load_profiles", "houses", "jobs", "tariff", "community", "timeline", "expect", "faults"})


def save_scenario(scenario: Scenario | ScenarioFile, path: Path) -> None:
    """Write a scenario to a YAML file atomically; missing folders are created.

    Args:
        scenario: The scenario.
        path: The file.

    Raises:
        ScenarioError: No file produces this scenario, or the file cannot be written.
    """
    write_text(to_yaml(scenario), path)


def write_text(text: str, path: Path) -> os.stat_result:
    """Write a text to a file atomically; missing folders are created.

    Returns:
        The state of the file as it was written. It may be another one already, if another program writes the file too.

    Raises:
        ScenarioError: The file cannot be written.
    """
    try:
        with missing_folders(path), atomic_write(path) as draft:
            draft.write_text(text, encoding="utf-8", newline="\n")
            written = draft.stat()
    except OSError as error:
        raise ScenarioWriteError([Problem(str(path), f"cannot be written: {error.strerror}")]) from None
    return written


def to_yaml(scenario: Scenario | ScenarioFile) -> str:
    """Return YAML text from which `load_text` builds the same scenario."""
    file = file_model_of(scenario) if isinstance(scenario, Scenario) else scenario
    lines: list[str] = []
    content = file.model_dump(exclude_none=True, exclude_defaults=True)
    for key, value in content.items():
        if key in _SECTIONS:
            lines.append("")
        lines += block_lines({key: value}, 0)
    return "\n".join(lines) + "\n"


def block_lines(value: dict[str, Any] | list[Any], indent: int) -> list[str]:
    """Return a mapping or a list as lines in block style."""
    lines = []
    items = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for key, item in items:
        start = " " * indent + ("-" if key is None else f"{scalar(key)}:")
        if _is_flat(item):
            one_line = f"{start} {flow_text(item)}"
            width = WIDTH_OF_ENTRY if isinstance(item, dict) and key is None else WIDTH
            if not isinstance(item, dict | list) or not item or len(one_line) <= width:
                lines.append(one_line)
                continue
            if isinstance(item, list):
                lines += [start, *_rows(item, indent + 2)]
                continue
        below = block_lines(item, indent + 2)
        if key is None:
            below[0] = f"{start} {below[0].lstrip()}"
        else:
            lines.append(start)
        lines += below
    return lines


def _is_flat(value: object) -> bool:
    """Return whether a value reads well on one line: it contains no nested mapping."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return not any(isinstance(item, dict) or not _is_flat(item) for item in inner)


def _rows(items: list[Any], indent: int) -> list[str]:
    """Return a list of numbers or points, broken into lines."""
    lines = []
    line = " " * indent + "["
    for i, item in enumerate(items):
        text = flow_text(item) + ("]" if i == len(items) - 1 else ",")
        if len(line) + 1 + len(text) > WIDTH:
            lines.append(line)
            line = " " * (indent + 1) + text
        else:
            line += text if line.endswith(" [") else f" {text}"
    return [*lines, line]


def flow_text(value: object) -> str:
    """Return any value in flow style, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {flow_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow_text, value)) + "]"
    return scalar(value)


def scalar(value: object) -> str:
    """Return a scalar that YAML 1.1 and 1.2 read in the same way."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        if not math.isfinite(value):
            return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        text = repr(value)
        return text if "." in text or "e" not in text else text.replace("e", ".0e")
    if isinstance(value, int):
        return str(value)
    text = str(value)
    plain = _PLAIN.fullmatch(text) and text.lower() not in _NOT_PLAIN and isinstance(resolve(text), str)
    return text if plain else '"' + _UNPRINTABLE.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in '"\\':
        return f"\\{char}"
    if char == "\n":
        return "\\n"
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
