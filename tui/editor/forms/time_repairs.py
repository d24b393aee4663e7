"""Repairs for times that do not overlap: move the start, shift the forecasts, extend the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agents import Production
from broker import plural
from scenarios.files import (
    KEYS_OF_TABLE,
    KeyPath,
    MoveStart,
    ProblemCollector,
    ProductionEntry,
    Remedy,
    RunDays,
    SeriesReader,
    ShiftForecasts,
    YamlValue,
    counts_from_start,
    format_after_start,
    path_in_words,
)
from tui.editor import tree_model
from tui.editor.edit_history import Change, Put, Remove, Step
from tui.editor.forms.time_fields import RunStart, in_form_of, seconds
from tui.editor.tree_model import Tree, at, text

_Read = Callable[[KeyPath, dict[str, Any]], Production | None]
"""Reads the production that the entry at a path of the scenario describes; None: it has no valid form."""


def label_of(remedy: Remedy, tree: Tree) -> str:
    """Return the button label of a repair."""
    match remedy:
        case MoveStart(start_s):
            return f"Move the start to {RunStart.of_tree(tree).zone.at(start_s):%Y-%m-%d}"
        case ShiftForecasts():
            return f"Shift the forecasts by {remedy.days:+} day{'' if abs(remedy.days) == 1 else 's'}"
        case RunDays():
            return f"Run {plural(remedy.days, 'day')}"


def is_possible(remedy: Remedy, tree: Tree) -> bool:
    """Return whether a repair is possible: the start must not pass jobs whose times are absolute."""
    if not isinstance(remedy, MoveStart):
        return True
    run_start = RunStart.of_tree(tree)
    registered = (job.get("registered") for _, job in tree_model.items(tree.get("jobs")))
    times_s = [seconds(time, run_start) for time in registered if not _moves_with_start(time)]
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
    run_start = RunStart.of_tree(tree)
    match remedy:
        case MoveStart(start_s):
            put = Put(("start",), in_form_of(start_s, run_start, at(tree, ("start",))))
            return Change(label_of(remedy, tree).lower(), (put,), tree_model.WHOLE)
        case RunDays(days):
            return Change(f"run {plural(days, 'day')}", (Put(("days",), days),), tree_model.WHOLE)
        case ShiftForecasts(producers, days):
            read = _reader(run_start, folder, allow_outside=allow_outside)
            steps = [
                step
                for path, device in _producers(tree, frozenset(producers))
                for step in _sun_steps(path, device, days, run_start, read)
            ]
            return Change(label_of(remedy, tree).lower(), tuple(steps)) if steps else None


def _reader(run_start: RunStart, folder: Path, *, allow_outside: bool) -> _Read:
    """Return the function that reads the production that an entry describes, also where that is in a file."""
    collector = ProblemCollector(path_in_words)
    reader = SeriesReader(collector, folder, run_start.start_s, run_start.info, allow_outside=allow_outside)

    def read(place: KeyPath, entry: dict[str, Any]) -> Production | None:
        try:
            described = ProductionEntry.model_validate({k: value for k, value in entry.items() if k != "issued"})
        except ValidationError:
            return None
        found = reader.production(described, place)
        collector.raise_if_any()
        return found

    return read


def _producers(tree: Tree, ids: frozenset[str]) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    for i, house in tree_model.houses(tree):
        for j, device in tree_model.devices(house):
            if device.get("type") == "producer" and text(device.get("id")) in ids:
                yield ("houses", i, "devices", j), device


def _sun_steps(path: KeyPath, device: dict[str, Any], days: int, run_start: RunStart, read: _Read) -> Iterator[Step]:
    """Return the steps that shift a producer's forecasts, and its actual production if it belongs to them."""
    first_s: int | None = None
    for k, prediction in tree_model.items(device.get("predictions")):
        place = (*path, "predictions", k)
        first_s = _first_s(place, prediction, read) if first_s is None else first_s
        issued_s = seconds(prediction.get("issued"), run_start)
        if issued_s is not None and _belongs(issued_s, first_s, run_start.start_s):
            moved_s = run_start.zone.days_later_s(issued_s, days)
            is_early = run_start.start_s is not None and moved_s < run_start.start_s
            yield Put((*place, "issued"), "00:00" if is_early else in_form_of(moved_s, run_start, prediction["issued"]))
        yield from _series_steps(place, prediction, days, run_start, read)
    actual = device.get("actual")
    if isinstance(actual, dict) and _belongs(_first_s((*path, "actual"), actual, read), first_s, run_start.start_s):
        yield from _series_steps((*path, "actual"), actual, days, run_start, read)


def _belongs(time_s: int | None, first_s: int | None, start_s: int | None) -> bool:
    """Say whether a time belongs to forecasts that begin at `first_s`, and not to the run's start."""
    if time_s is None or first_s is None or start_s is None:
        return False
    return abs(time_s - first_s) < abs(time_s - start_s)


def _series_steps(place: KeyPath, entry: dict[str, Any], days: int, run_start: RunStart, read: _Read) -> Iterator[Step]:
    found = read(place, entry)
    if found is None:
        return
    # All points move by the same time, also where clocks change between them: steps keep their length.
    by_s = run_start.zone.days_later_s(found.start_s, days) - found.start_s
    points = entry.get("points")
    if "start" in entry:
        yield Put((*place, "start"), in_form_of(found.start_s + by_s, run_start, entry["start"]))
    elif isinstance(points, list):
        moved = [
            [_moved(point[0], by_s, run_start), *point[1:]] if isinstance(point, list) else point for point in points
        ]
        yield Put((*place, "points"), moved)
    else:
        # The file is not changed: its data are copied into the neighbourhood at the new times.
        times = (_written(time_s + by_s, run_start) for time_s in found.times_s)
        yield from (Remove((*place, key)) for key in ("file", *KEYS_OF_TABLE) if key in entry)
        yield Put((*place, "points"), [list(point) for point in zip(times, found.cumulative_wh, strict=True)])


def _first_s(place: KeyPath, entry: dict[str, Any], read: _Read) -> int | None:
    """Return when a series begins."""
    found = read(place, entry)
    return None if found is None else found.start_s


def _moved(value: YamlValue, by_s: int, run_start: RunStart) -> YamlValue:
    """Return a time moved by some seconds, in the same format; other values are unchanged."""
    time_s = seconds(value, run_start)
    return value if time_s is None else in_form_of(time_s + by_s, run_start, value)


def _written(time_s: int, run_start: RunStart) -> int | str:
    return time_s if run_start.start_s is None else format_after_start(time_s, run_start.start_s, run_start.info)


def _moves_with_start(value: object) -> bool:
    return isinstance(value, str) and counts_from_start(value)
