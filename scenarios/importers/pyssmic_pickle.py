"""Imports a neighbourhood saved by PySSMic: a pickle of its classes, with load profiles and forecasts in pandas frames.

It is read by `scenarios.importers.safe_pickle`, so no code in it can run. A device's `events` are its jobs; a
producer's forecasts `weather_prediction1`, `2`, ... are issued at their first row. For the time before that row see
`scenarios.importers.forecast`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agents import LoadProfile, Prediction
from broker import MAX_CHARACTERS, canonical
from scenarios.errors import Problem, ScenarioError
from scenarios.files import MAX_TIME_S, cap_problems, known, problems_of_series, read_bytes
from scenarios.importers.assumptions import ImportedScenario, InputPlaces
from scenarios.importers.forecast import Forecast, forecast_notes, make_forecast
from scenarios.importers.input_neighbourhood import (
    InputDevice,
    InputHouse,
    InputJob,
    InputNeighbourhood,
    InputPrediction,
    assemble,
    window_problems,
)
from scenarios.importers.pickled_frame import FRAME_NAMES, NEWEST, frame_rows, number
from scenarios.importers.pyssmic_xml import jobs_in
from scenarios.importers.safe_pickle import ForeignNameError, Object, PickleError, read_pickle, short

_MODULE = "backend.neighbourhood"
_CLASSES = ("Neighbourhood", "House", "User", "Device", "Event")
_RECONSTRUCTORS = {"copyreg._reconstructor", "builtins.object", "copy_reg._reconstructor", "__builtin__.object"}
"""How Python 3 and Python 2 write the creation of an object."""
ALLOWED = FRAME_NAMES | {f"{_MODULE}.{name}" for name in _CLASSES} | _RECONSTRUCTORS
"""Names that may occur; they identify the type of a value and are never resolved."""

_PREDICTION = re.compile(r"weather_prediction[0-9]{1,4}")
_CUT = MAX_CHARACTERS + 1
"""Characters of a text that are read: one more than an id may have, so that longer ones are rejected, not truncated."""
_WORDS = {"registered": "timestamp", "earliest_start": "est", "latest_start": "lst"}
"""Names of an event's times."""

MAX_VALUES = 1_000_000
"""Maximum number of houses, users, devices, jobs and points of a neighbourhood."""


@dataclass(slots=True)
class _PickleContent:
    where: str
    houses: list[InputHouse] = field(default_factory=list)
    forecasts: list[tuple[str, Forecast]] = field(default_factory=list)
    devices: list[InputDevice] = field(default_factory=list)
    jobs: list[InputJob] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    values: int = 0

    def tell(self, place: str, what: str) -> None:
        """Record a problem and where it is, so that all are reported together."""
        self.problems.append(Problem(place, what))

    def count(self, values: int) -> None:
        """Count values that were read, as a small pickle can contain the same ones again and again."""
        self.values += values
        if self.values > MAX_VALUES:
            raise ScenarioError([Problem(self.where, f"holds more than {MAX_VALUES} values")])


def import_pickle(path: Path, *, jobs: Path | None = None, loads: Sequence[Path] = ()) -> ImportedScenario:
    """Return the scenario of a pickled neighbourhood.

    Args:
        path: The pickle.
        jobs: A jobs XML; its jobs are added to those in the pickle. None: no further jobs.
        loads: Folders with load profiles for devices that have none, in addition to `loads/` next to the file.

    Raises:
        ScenarioError: It cannot be used; carries all problems.
    """
    where = str(path)
    try:
        root = read_pickle(read_bytes(path, where), ALLOWED)
        found = _PickleContent(where)
        _read(root, found)
    except PickleError as error:
        raise ScenarioError([Problem(where, f"{error}{_hint(error)}")]) from None
    notes = forecast_notes(found.forecasts)
    if jobs is not None:
        found.jobs += jobs_in(jobs, found.problems, notes)
    what = f"the neighbourhood {path.name}" + (f" and the jobs {jobs.name}" if jobs else "")
    folders = [*loads, path.parent / "loads"]
    return assemble(
        InputNeighbourhood(path.stem, what, found.houses, found.devices, found.jobs),
        InputPlaces(where, _WORDS),
        loads=folders,
        problems=found.problems,
        notes=notes,
    )


def _hint(error: PickleError) -> str:
    """Return advice where a newer pandas may have written the pickle; else empty."""
    if not isinstance(error, ForeignNameError) or error.name.module.partition(".")[0] not in ("pandas", "pyarrow"):
        return ""
    return (
        f". If a pandas newer than {NEWEST} wrote it: save the neighbourhood again there with its tables as plain "
        "objects (frame.astype(object)), or with an older pandas"
    )


def _read(root: object, found: _PickleContent) -> None:
    if _class_of(root) != "Neighbourhood":
        raise PickleError("contains no PySSMic neighbourhood")
    for house in _members(root, "houses", "House", found):
        house_id = _id(house)
        found.houses.append(InputHouse(f"{found.where}: house {house_id}", house_id))
        for user in _members(house, "users", "User", found):
            user_id = _id(user)
            for device in _members(user, "devices", "Device", found):
                _read_device(device, house_id, user_id, found)


def _read_device(device: Object, house: str, user: str, found: _PickleContent) -> None:
    device_id = _id(device)
    place = f"{found.where}: house {house}, device {device_id}"
    state = _state(device)
    kind = state.get("type")
    if kind not in ("consumer", "producer"):
        found.tell(place, f"'consumer' or 'producer' is expected, not {short(kind)}")
    profile = _load_profile(state, place, found)
    predictions = _predictions(state, place, found)
    try:
        for event in _members(device, "events", "Event", found):
            _read_job(event, InputJob(place, house, user, device_id, "", 0, 0, 0), found)
    except PickleError as error:
        found.tell(place, str(error))
    found.devices.append(
        InputDevice(
            where=place,
            house=house,
            user=user,
            id=device_id,
            name=_text(state.get("name")),
            template=_text(state.get("template")),
            type="producer" if kind == "producer" else "consumer",
            load_profile=profile,
            predictions=predictions,
        )
    )


def _class_of(value: object) -> str:
    """Return the name of a value's PySSMic class; empty if it has none."""
    return value.kind.name if isinstance(value, Object) and value.kind.module == _MODULE else ""


def _state(value: Object) -> dict[Any, Any]:
    if not isinstance(value.state, dict):
        raise PickleError(f"a {_class_of(value)} without content")
    return value.state


def _members(value: object, attribute: str, kind: str, found: _PickleContent) -> Iterator[Object]:
    assert isinstance(value, Object)  # noqa: S101 - _class_of said so
    members = _state(value).get(attribute)
    if not isinstance(members, list):
        raise PickleError(f"a list of {attribute} is expected in each {_class_of(value)}")
    found.count(len(members))
    for member in members:
        if _class_of(member) != kind:
            raise PickleError(f"{attribute}: contains something other than a {kind}")
        yield member


def _id(value: Object) -> str:
    text = _text(_state(value).get("id"))
    if not text:
        raise PickleError(f"a {_class_of(value)} without an id")
    return text


def _text(value: object) -> str:
    if isinstance(value, Object):
        value = int(number(value))
    if isinstance(value, str):
        return canonical(value[:_CUT])
    return str(value) if isinstance(value, int) and abs(value) < 10**18 else ""


def _read_job(event: Object, job: InputJob, found: _PickleContent) -> None:
    """Add a job, given everything but its times."""
    state = _state(event)
    times = {name: _time(state, name, job.where, found) for name in ("timestamp", "est", "lst")}
    found.problems += window_problems(job.where, *times.values())
    registered_s, earliest_s, latest_s = (time_s or 0 for time_s in times.values())
    found.jobs.append(replace(job, registered_s=registered_s, earliest_start_s=earliest_s, latest_start_s=latest_s))


def _time(state: dict[Any, Any], name: str, place: str, found: _PickleContent) -> int | None:
    try:
        time_s = number(state.get(name))
    except PickleError as error:
        found.tell(place, f"{name}: {error}")
        return None
    if not time_s.is_integer() or not 0 <= time_s <= MAX_TIME_S:
        found.tell(place, f"{name}: UNIX seconds are expected, not {time_s:g}")
        return None
    return int(time_s)


def _load_profile(state: dict[Any, Any], place: str, found: _PickleContent) -> LoadProfile | None:
    frame = state.get("load_profile")
    points = None if frame is None else _points(frame, f"{place}: load_profile", found, from_zero=True)
    return None if points is None else LoadProfile(times_s=points[0], cumulative_wh=points[1])


def _predictions(state: dict[Any, Any], place: str, found: _PickleContent) -> tuple[InputPrediction, ...]:
    predictions: dict[int, InputPrediction] = {}
    for name, frame in state.items():
        if frame is None or not isinstance(name, str) or not _PREDICTION.fullmatch(name):
            continue
        points = _points(frame, f"{place}: {name}", found, from_zero=False)
        if points is None:
            continue
        issued_s = points[0][0]
        if issued_s in predictions:
            found.tell(place, f"{name}: another forecast begins at {issued_s} too")
        forecast = make_forecast(*points, issued_s)
        found.forecasts.append((f"{place.removeprefix(f'{found.where}: ')}: {name}", forecast))
        prediction = Prediction(issued_s=issued_s, production=forecast.production)
        predictions[issued_s] = InputPrediction(f"{place}: {name}", prediction)
    return tuple(predictions.values())


def _points(
    frame: object, place: str, found: _PickleContent, *, from_zero: bool
) -> tuple[tuple[int, ...], tuple[float, ...]] | None:
    """Return times (seconds) and cumulative energies (Wh) in a frame; None after telling all that is wrong with it."""
    try:
        rows = frame_rows(frame)
    except PickleError as error:
        found.tell(place, str(error))
        return None
    found.count(len(rows))
    if not rows:
        found.tell(place, "is empty")
        return None
    problems: list[Problem] = []
    times_s: list[int | None] = []
    energies_wh: list[float | None] = []
    for row, (time, wh) in enumerate(rows, start=1):
        time_s, energy_wh = (_number(value, f"{place}, row {row}", problems) for value in (time, wh))
        if time_s is not None and not time_s.is_integer():
            problems.append(Problem(f"{place}, row {row}", f"whole seconds are expected, not {time_s:g}"))
            time_s = None
        times_s.append(None if time_s is None else int(time_s))
        energies_wh.append(energy_wh)
    problems += [
        Problem(place if index is None else f"{place}, row {index + 1}", what)
        for index, what in problems_of_series(times_s, energies_wh, from_zero=from_zero)
    ]
    found.problems += cap_problems(problems, place)
    return None if problems else (known(times_s), known(energies_wh))


def _number(value: object, place: str, problems: list[Problem]) -> float | None:
    try:
        return number(value)
    except PickleError as error:
        problems.append(Problem(place, str(error)))
        return None
