"""Error recovery: repairs a broken file so that the rest of it can be checked in the same pass.

A part that nothing else needs is removed; a required part is replaced by a stand-in, which later checks ignore. The
names of what was lost are kept, so that references to them are not reported as problems.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from scenarios.files.model import VERSION, TariffEntry
from scenarios.files.problems import UNKNOWN, KeyPath, ProblemCollector
from scenarios.files.series import MAX_TOLD, series_problems
from scenarios.files.timeline import MAX_SPAN_S
from scenarios.files.times import parse_time
from scenarios.files.yaml_nodes import Mapping, Sequence

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
_GATEWAY: KeyPath = ("houses", "*", "devices", "*", "gateway")


@dataclass(slots=True)
class UnresolvedNames:
    """Names that were lost with removed parts; references to them are not problems."""

    houses: set[str] = field(default_factory=set)
    devices: set[tuple[str, str]] = field(default_factory=set)
    profiles: set[str] = field(default_factory=set)
    jobs: set[str] = field(default_factory=set)
    every_house: bool = False
    """Houses with unknown names were lost."""
    every_profile: bool = False
    """Load profiles with unknown names were lost."""
    every_job: bool = False
    """Jobs with unknown ids were lost."""


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


def replace_or_take_out(
    tree: Mapping, path: KeyPath, unresolved: UnresolvedNames, *, is_unknown_key: bool = False
) -> None:
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
    if isinstance(parent, Sequence) and isinstance(last, int):
        parent.without(last)
    else:
        del parent[last]


def tell_of_points(tree: Mapping, paths: Iterable[KeyPath], collector: ProblemCollector) -> None:
    """Report further problems in the points of series that will be removed, as far as they can be read.

    Args:
        tree: The file's content.
        paths: Key paths of the parts that will be removed.
        collector: Receives the problems.
    """
    for path in paths:
        _tell_of_points(tree, path, collector)


def _tell_of_points(tree: Mapping, path: KeyPath, collector: ProblemCollector) -> None:
    if not any(_fits(pattern, path) for pattern in _SERIES):
        return
    entry: Any = tree
    for part in path:
        entry = entry[part]
    points = entry.get("points") if isinstance(entry, dict) else None
    if not isinstance(points, list):
        return
    is_load = path[0] == "load_profiles"
    start_s = None if is_load else _time(tree.get("start"), None)
    times_s: list[int | None] = []
    energies_wh: list[float | None] = []
    for point in points:
        time, wh = point if isinstance(point, list) and len(point) == 2 else (None, None)
        times_s.append(time if type(time) is int else None if is_load else _time(time, start_s))
        energies_wh.append(float(wh) if isinstance(wh, int | float) and math.isfinite(wh) else None)
    for index, what in series_problems(times_s, energies_wh, from_zero=is_load)[:MAX_TOLD]:
        collector.at((*path, "points") if index is None else (*path, "points", index), what)


def _remember(tree: Mapping, path: KeyPath, gone: object, unresolved: UnresolvedNames) -> None:
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


def _time(value: object, start_s: int | None) -> int | None:
    try:
        return parse_time(value, start_s) if isinstance(value, str) or type(value) is int else None
    except ValueError:
        return None
