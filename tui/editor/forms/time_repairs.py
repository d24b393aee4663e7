"""Repairs for times that do not overlap: move the start, shift the forecasts, extend the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from agents import Production
from broker import plural
from scenarios import DAY_S
from scenarios.files import (
    KeyPath,
    MoveStart,
    Remedy,
    RunDays,
    ShiftForecasts,
    YamlValue,
    counts_from_start,
    format_after_start,
    parse_time,
    read_referred,
)
from tui.editor import tree_model
from tui.editor.edit_history import Change, Put, Remove, Step
from tui.editor.tree_model import Tree, at, text

_Read = Callable[[str], Production]
"""Reads the production that a file describes, by the file's name in the scenario."""


def label_of(remedy: Remedy, tree: Tree) -> str:
    """Return the button label of a repair."""
    match remedy:
        case MoveStart():
            day = shifted(at(tree, ("start",)), remedy.days, None)
            return f"Move the start to {str(day)[:10] if isinstance(day, str) else f'{remedy.days:+} days'}"
        case ShiftForecasts():
            return f"Shift the forecasts by {remedy.days:+} day{'' if abs(remedy.days) == 1 else 's'}"
        case RunDays():
            return f"Run {plural(remedy.days, 'day')}"


def is_possible(remedy: Remedy, tree: Tree) -> bool:
    """Return whether a repair is possible: the start must not pass jobs whose times are absolute."""
    if not isinstance(remedy, MoveStart):
        return True
    registered = (job.get("registered") for _, job in tree_model.items(tree.get("jobs")))
    times_s = [_time_s(time, None) for time in registered if not _moves_with_start(time)]
    return all(time_s is not None and time_s >= remedy.start_s for time_s in times_s)


def change_for(remedy: Remedy, tree: Tree, folder: Path, *, allow_outside: bool = False) -> Change | None:
    """Return the change that applies a repair; None if nothing changes. May read files.

    Args:
        remedy: The repair.
        tree: The open neighbourhood.
        folder: Base folder of relative file names.
        allow_outside: Whether files may lie outside it.

    Raises:
        ScenarioError: A forecast's file cannot be read.
    """
    match remedy:
        case MoveStart(days):
            put = Put(("start",), shifted(at(tree, ("start",)), days, None))
            return Change(label_of(remedy, tree).lower(), (put,), tree_model.WHOLE)
        case RunDays(days):
            return Change(f"run {plural(days, 'day')}", (Put(("days",), days),), tree_model.WHOLE)
        case ShiftForecasts(producers, days):
            start_s = _time_s(at(tree, ("start",)), None)
            read = partial(read_referred, folder, kind=Production, allow_outside=allow_outside)
            steps = [
                step
                for path, device in _producers(tree, frozenset(producers))
                for step in _sun_steps(path, device, days, start_s, read)
            ]
            return Change(label_of(remedy, tree).lower(), tuple(steps)) if steps else None


def _producers(tree: Tree, ids: frozenset[str]) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    for i, house in tree_model.houses(tree):
        for j, device in tree_model.devices(house):
            if device.get("type") == "producer" and text(device.get("id")) in ids:
                yield ("houses", i, "devices", j), device


def _sun_steps(path: KeyPath, device: dict[str, Any], days: int, start_s: int | None, read: _Read) -> Iterator[Step]:
    """Return the steps that shift a producer's forecasts, and its actual production if it belongs to them."""
    first_s: int | None = None
    for k, prediction in tree_model.items(device.get("predictions")):
        place = (*path, "predictions", k)
        first_s = _first_s(prediction, start_s, read) if first_s is None else first_s
        issued = prediction.get("issued")
        if _belongs(_time_s(issued, start_s), first_s, start_s):
            moved = shifted(issued, days, start_s)
            moved_s = _time_s(moved, start_s)
            is_early = start_s is not None and moved_s is not None and moved_s < start_s
            yield Put((*place, "issued"), "00:00" if is_early else moved)
        yield from _series_steps(place, prediction, days, start_s, read)
    actual = device.get("actual")
    if isinstance(actual, dict) and _belongs(_first_s(actual, start_s, read), first_s, start_s):
        yield from _series_steps((*path, "actual"), actual, days, start_s, read)


def _belongs(time_s: int | None, first_s: int | None, start_s: int | None) -> bool:
    """Say whether a time belongs to forecasts that begin at `first_s`, and not to the run's start."""
    if time_s is None or first_s is None or start_s is None:
        return False
    return abs(time_s - first_s) < abs(time_s - start_s)


def _series_steps(place: KeyPath, entry: dict[str, Any], days: int, start_s: int | None, read: _Read) -> Iterator[Step]:
    points = entry.get("points")
    if "start" in entry:
        yield Put((*place, "start"), shifted(entry["start"], days, start_s))
    elif isinstance(points, list):
        moved = [
            [shifted(point[0], days, start_s), *point[1:]] if isinstance(point, list) else point for point in points
        ]
        yield Put((*place, "points"), moved)
    elif isinstance(entry.get("file"), str):
        # The file is not changed: its data are copied into the neighbourhood at the new times.
        found = read(entry["file"])
        times = (_written(time_s + days * DAY_S, start_s) for time_s in found.times_s)
        yield Remove((*place, "file"))
        yield Put((*place, "points"), [list(point) for point in zip(times, found.cumulative_wh, strict=True)])


def _first_s(entry: dict[str, Any], start_s: int | None, read: _Read) -> int | None:
    """Return when a series begins."""
    points = entry.get("points")
    if "start" in entry:
        return _time_s(entry["start"], start_s)
    if isinstance(points, list) and points and isinstance(points[0], list):
        return _time_s(points[0][0], start_s)
    return read(entry["file"]).start_s if isinstance(entry.get("file"), str) else None


def shifted(value: YamlValue, days: int, start_s: int | None) -> YamlValue:
    """Return a time moved by whole days, in the same format; other values are unchanged.

    Args:
        value: The time as a YAML value.
        days: The shift; negative: earlier.
        start_s: The run's start, UNIX seconds; None: unknown.
    """
    time_s = _time_s(value, start_s)
    if time_s is None:
        return value
    if isinstance(value, int):
        return value + days * DAY_S
    if counts_from_start(value):
        return _written(time_s + days * DAY_S, start_s)
    moved = (datetime.fromisoformat(value) + timedelta(days=days)).isoformat()
    return moved.replace("+00:00", "Z") if value.endswith(("Z", "z")) else moved


def _written(time_s: int, start_s: int | None) -> int | str:
    return time_s if start_s is None else format_after_start(time_s, start_s)


def _time_s(value: YamlValue, start_s: int | None) -> int | None:
    try:
        return parse_time(value, start_s) if isinstance(value, str) or type(value) is int else None
    except ValueError:
        return None


def _moves_with_start(value: object) -> bool:
    return isinstance(value, str) and counts_from_start(value)
