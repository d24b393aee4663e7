"""Error recovery: repairs a broken file so that the rest of it can be checked in the same pass.

The validation reports each mistake; here it is only kept from hiding others. Mistyped keys, kinds of events and types
of devices are corrected, so that their content is checked. An invalid part that nothing else needs is removed; a
required one is replaced by a stand-in, which later checks ignore. The names of what was lost are kept, so that
references to them are not reported as problems.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from scenarios.files.key_paths import models_at
from scenarios.files.model import VERSION, ConsumerEntry, ProducerEntry, TariffEntry
from scenarios.files.problems import UNKNOWN, KeyPath, ProblemCollector, YamlValue
from scenarios.files.series import MAX_TOLD, problems_of_series
from scenarios.files.timeline import EVENT_ENTRIES
from scenarios.files.times import MAX_SPAN_S, parse_time
from scenarios.files.yaml_nodes import YamlMapping, YamlSequence
from scenarios.mistyped_names import nearest
from scenarios.zone import zone_info

_REMOVABLE: tuple[KeyPath, ...] = (
    ("houses", "*", "devices", "*", "gateway", "*"),
    ("houses", "*", "devices", "*", "predictions", "*"),
    ("houses", "*", "devices", "*", "actual"),
    ("houses", "*", "devices", "*", "name"),
    ("houses", "*", "devices", "*", "template"),
    ("houses", "*", "devices", "*"),
    ("houses", "*", "base_load"),
    ("houses", "*", "guests"),
    ("houses", "*", "name"),
    ("houses", "*"),
    ("jobs", "*", "id"),
    ("jobs", "*"),
    ("jobs",),
    ("load_profiles", "*"),
    ("load_profiles",),
    *(
        ("timeline", "*", key)
        for key in (
            "ramp",
            "travel",
            "announced",
            "growth_per_h",
            "most",
            "every",
            "seed",
            "loss",
            "delay_ms",
            "repeat",
            "penalty",
            "node_limit",
            "id",
            "producers",
            "houses",
        )
    ),
    ("timeline", "*", "when", "after"),
    ("timeline", "*"),
    ("timeline",),
    ("expect", "*", "name"),
    ("expect", "*"),
    ("expect",),
    ("tariff",),
    ("community", "*"),
    ("community",),
    ("faults", "*"),
    ("faults",),
    ("description",),
    ("days",),
    ("algorithm",),
    ("supply",),
    ("prefer",),
    ("forecast",),
    ("promise",),
)
"""Parts that can be removed so that the rest still makes sense, innermost first."""

_SERIES: tuple[KeyPath, ...] = (
    ("load_profiles", "*"),
    ("houses", "*", "devices", "*", "predictions", "*"),
    ("houses", "*", "devices", "*", "actual"),
    ("houses", "*", "base_load"),
    ("timeline", "*"),
)
_OF_SERIES: dict[KeyPath, Any] = {
    ("file",): UNKNOWN,
    ("columns",): {"time": UNKNOWN, "value": UNKNOWN},
    ("columns", "time"): UNKNOWN,
    ("columns", "value"): UNKNOWN,
    ("unit",): UNKNOWN,
    ("reading",): UNKNOWN,
    ("zone",): UNKNOWN,
    ("labels",): UNKNOWN,
    ("start",): UNKNOWN,
    ("step_s",): 3600,
    ("power_w",): [1.0],
    ("constant_w",): 0.0,
}
_STAND_INS: dict[KeyPath, Any] = {
    ("name",): "unnamed",
    ("seed",): 0,
    ("version",): VERSION,
    ("start",): UNKNOWN,
    ("zone",): "UTC",
    ("houses",): [{"id": UNKNOWN}],
    **dict.fromkeys((("tariff", name) for name in TariffEntry.model_fields), 0.0),
    ("houses", "*", "id"): UNKNOWN,
    ("houses", "*", "devices", "*", "id"): UNKNOWN,
    ("houses", "*", "devices", "*", "load_profile"): UNKNOWN,
    ("houses", "*", "devices", "*", "gateway"): {},
    ("houses", "*", "devices", "*", "predictions", "*", "issued"): UNKNOWN,
    **{(*part, *key): value for part in _SERIES for key, value in _OF_SERIES.items()},
    **dict.fromkeys(
        (("timeline", "*", key) for key in ("at", "house", "device", "job", "producer", "algorithm")), UNKNOWN
    ),
    ("timeline", "*", "factor"): 1.0,
    ("timeline", "*", "duration"): 3600,
    ("timeline", "*", "earliest_start"): 0,
    ("timeline", "*", "latest_start"): MAX_SPAN_S,
    ("timeline", "*", "text"): "unknown",
    ("timeline", "*", "patient"): True,
    ("timeline", "*", "strategy"): "",
    ("timeline", "*", "when"): {"job": UNKNOWN},
    ("timeline", "*", "when", "job"): UNKNOWN,
    ("timeline", "*", "when", "turn"): "starts",
    ("expect", "*", "that"): UNKNOWN,
    ("expect", "*", "at"): UNKNOWN,
    **dict.fromkeys(
        (
            ("jobs", "*", key)
            for key in ("house", "device", "load_profile", "registered", "earliest_start", "latest_start")
        ),
        UNKNOWN,
    ),
}
"""Stand-ins for values that others depend on, or that must not be missing."""
KeyedModels: TypeAlias = Mapping[str, type[BaseModel]]
_DEVICES: KeyedModels = {"consumer": ConsumerEntry, "producer": ProducerEntry}
_GATEWAY: KeyPath = ("houses", "*", "devices", "*", "gateway")


@dataclass(slots=True)
class UnresolvedNames:
    """Names that were lost with removed parts; references to them are not problems."""

    houses: set[str] = field(default_factory=set)
    """Ids of houses."""
    devices: set[tuple[str, str]] = field(default_factory=set)
    """House and id of devices."""
    profiles: set[str] = field(default_factory=set)
    """Names of load profiles."""
    jobs: set[str] = field(default_factory=set)
    """Ids of jobs."""
    every_house: bool = False
    """Houses with unknown names were lost."""
    every_profile: bool = False
    """Load profiles with unknown names were lost."""
    every_job: bool = False
    """Jobs with unknown ids were lost."""


def rename_key(tree: YamlMapping, path: KeyPath) -> KeyPath | None:
    """Rename an unknown key to the nearest one that the format has and its mapping lacks, in place.

    Args:
        tree: The file's content.
        path: Key path of the unknown key.

    Returns:
        The key path that its value has now; None: there is no such key.
    """
    parent, key = _value_at(tree, path[:-1]), str(path[-1])
    models = models_at(tree, path[:-1])
    if not isinstance(parent, YamlMapping) or key not in parent or not models:
        return None
    near = nearest(key, models[0].model_fields)
    if near is None or near in parent:
        return None
    parent[near] = parent.pop(key)
    parent.lines[near] = parent.lines.pop(key, parent.line)
    return (*path[:-1], near)


def name_kind(tree: YamlMapping, path: KeyPath) -> bool:
    """Give a device without a valid `type`, or an event without a valid `do`, the one that its keys fit, in place.

    Args:
        tree: The file's content.
        path: Key path of the device or the event.

    Returns:
        Whether there is one.
    """
    entry = _value_at(tree, path)
    if not isinstance(entry, YamlMapping):
        return False
    tag = "do" if path[0] == "timeline" else "type"
    kinds: KeyedModels = EVENT_ENTRIES if tag == "do" else _DEVICES
    written = entry.get(tag)
    kind = (nearest(written, kinds) if isinstance(written, str) else None) or _fitting(entry, tag, kinds)
    if kind is None:
        return False
    entry[tag] = kind
    entry.lines.setdefault(tag, entry.line)
    return True


def depends_on_kind(path: KeyPath, *, is_missing: bool) -> bool:
    """Return whether a key is unknown, or missing, only in some kinds of devices or events.

    Args:
        path: Its key path.
        is_missing: Whether it is missing; otherwise it is unknown.
    """
    kinds: KeyedModels = EVENT_ENTRIES if path[0] == "timeline" else _DEVICES
    found = [kind.model_fields.get(str(path[-1])) for kind in kinds.values()]
    if is_missing:
        return not all(field is not None and field.is_required() for field in found)
    return any(field is not None for field in found)


def _fitting(entry: YamlMapping, tag: str, kinds: KeyedModels) -> str | None:
    """Return the kind that has most keys of an entry, less those that it needs and lacks; None if it has no key."""
    keys = set(entry) - {tag}

    def fit(kind: str) -> int:
        fields = kinds[kind].model_fields
        needed = {name for name, field in fields.items() if field.is_required()} - {tag}
        return len(keys & set(fields)) - len(needed - keys)

    return max(kinds, key=fit) if keys else None


def _value_at(tree: YamlMapping, path: KeyPath) -> YamlValue:
    node: YamlValue = tree
    for part in path:
        node = node[part]
    return node


def replaceable(path: KeyPath, *, is_unknown_key: bool) -> KeyPath | None:
    """Return the path of the part to remove or replace because of a problem at `path`; None: there is none.

    Args:
        path: Key path of the problem.
        is_unknown_key: Whether the problem is a key that the format does not have.
    """
    if is_unknown_key or _pattern_of(path, _STAND_INS) is not None:
        return path
    for length in range(1, len(path)):
        inner = path[:length]
        if inner[-1] == "power_w" and _pattern_of(inner, _STAND_INS) is not None:
            return inner  # an item of a list that is replaced as a whole
    if _fits((*_GATEWAY, "adapter"), path):
        return path[:-1]  # the other keys are those of the adapter
    if path[:1] == ("tariff",) and _pattern_of(path[:2], _STAND_INS) is not None:
        return path[:2]  # within a price that varies
    for pattern in _REMOVABLE:
        if len(path) >= len(pattern) and _fits(pattern, path[: len(pattern)]):
            return path[: len(pattern)]
    return None


def replace_or_take_out(tree: YamlMapping, path: KeyPath, unresolved: UnresolvedNames, *, is_unknown_key: bool) -> None:
    """Repair the tree at a path, in place.

    Args:
        tree: The file's content.
        path: Key path of the part to remove or replace, from `replaceable`.
        unresolved: Receives the names that are lost.
        is_unknown_key: Whether it is a key that the format does not have there, and is removed.
    """
    *outer, last = path
    parent: Any = tree
    for part in outer:
        parent = parent[part]
    pattern = None if is_unknown_key else _pattern_of(path, _STAND_INS)
    if pattern is not None:
        is_id = path[0] == "houses" and last == "id"
        if is_id:
            _remember(tree, path[:-1], parent, unresolved)
        # Each house and device has an id of its own, so that none seems to be there twice.
        parent[last] = f"{UNKNOWN} {path[-2]}" if is_id else deepcopy(_STAND_INS[pattern])
        parent.lines.setdefault(last, parent.line)
        unresolved.every_house |= path == ("houses",)
        return
    _remember(tree, path, parent[last], unresolved)
    if isinstance(parent, YamlSequence) and isinstance(last, int):
        parent.without(last)
    else:
        del parent[last]


def report_point_problems(tree: YamlMapping, paths: Iterable[KeyPath], collector: ProblemCollector) -> None:
    """Report further problems in the points of series that will be removed, as far as they can be read.

    Args:
        tree: The file's content.
        paths: Key paths of the parts that will be removed.
        collector: Receives the problems.
    """
    for path in paths:
        _tell_of_points(tree, path, collector)


def _tell_of_points(tree: YamlMapping, path: KeyPath, collector: ProblemCollector) -> None:
    if not any(_fits(pattern, path) for pattern in _SERIES):
        return
    entry: Any = tree
    for part in path:
        entry = entry[part]
    points = entry.get("points") if isinstance(entry, dict) else None
    if not isinstance(points, list):
        return
    is_load = path[0] == "load_profiles"
    zone_name = tree.get("zone")
    zone = zone_info(zone_name) if isinstance(zone_name, str) else None
    start_s = None if is_load else _time(tree.get("start"), None, zone)
    times_s: list[int | None] = []
    energies_wh: list[float | None] = []
    for point in points:
        time, wh = point if isinstance(point, list) and len(point) == 2 else (None, None)
        times_s.append(time if type(time) is int else None if is_load else _time(time, start_s, zone))
        energies_wh.append(float(wh) if isinstance(wh, int | float) and math.isfinite(wh) else None)
    for index, what in problems_of_series(times_s, energies_wh, from_zero=is_load)[:MAX_TOLD]:
        collector.at((*path, "points") if index is None else (*path, "points", index), what)


def _remember(tree: YamlMapping, path: KeyPath, gone: object, unresolved: UnresolvedNames) -> None:
    if path[0] == "jobs":
        _remember_job(path, gone, unresolved)
    elif path[0] == "timeline" and len(path) == 2 and isinstance(gone, dict) and gone.get("do") == "add_job":
        _remember_job(("jobs", 0), gone, unresolved)
    elif path == ("load_profiles",):
        unresolved.every_profile = True
    elif path[0] == "load_profiles" and len(path) == 2:
        unresolved.profiles.add(str(path[1]))
    elif path[0] == "houses" and len(path) in (2, 4):
        name = _id_of(gone)
        house = name if len(path) == 2 else _id_of(tree["houses"][path[1]])
        if house is None:
            unresolved.every_house = True
        elif len(path) == 2 or name is None:
            unresolved.houses.add(house)
        else:
            unresolved.devices.add((house, name))


def _id_of(entry: object) -> str | None:
    """Return the id that an entry has in the file; None if it has none that a reference could repeat."""
    id_ = entry.get("id") if isinstance(entry, dict) else None
    return str(id_) if isinstance(id_, str) or type(id_) is int else None


def _remember_job(path: KeyPath, gone: object, unresolved: UnresolvedNames) -> None:
    """Remember the id of a job; a job without an id gets one from house and device."""
    if len(path) != 2 or not isinstance(gone, dict):
        unresolved.every_job = True
    elif gone.get("id") is not None:
        unresolved.jobs.add(str(gone["id"]))
    elif "house" in gone and "device" in gone:
        unresolved.jobs.add(f"{gone['house']}/{gone['device']}")
    else:
        unresolved.every_job = True


def _pattern_of(path: KeyPath, patterns: dict[KeyPath, Any]) -> KeyPath | None:
    return next((pattern for pattern in patterns if _fits(pattern, path)), None)


def _fits(pattern: KeyPath, path: KeyPath) -> bool:
    return len(pattern) == len(path) and all(p in ("*", part) for p, part in zip(pattern, path, strict=True))


def _time(value: object, start_s: int | None, zone: ZoneInfo | None) -> int | None:
    try:
        return parse_time(value, start_s, zone) if isinstance(value, str) or type(value) is int else None
    except ValueError:
        return None
