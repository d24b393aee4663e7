"""A neighbourhood as PySSMic saves it: a pickle of its classes, load profiles and forecasts in pandas frames.

It is read by `inert_pickle`, so no code in it can run. A device's `events` are its jobs; a producer's forecasts
`weather_prediction1`, `2`, ... are issued at their first row, and count from an hour before it, as in a PySSMic folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from agents.energy import LoadProfile, Prediction, Production
from scenarios.errors import Problem, ScenarioError
from scenarios.files.series import series_problems
from scenarios.files.times import MAX_TIME_S
from scenarios.files.yaml_tree import MAX_BYTES
from scenarios.importers.folder import FIRST_HOUR_S
from scenarios.importers.imported import Imported
from scenarios.importers.inert_pickle import Object, PickleError, read_pickle, short
from scenarios.importers.neighbourhood import InputDevice, InputJob, assemble
from scenarios.importers.neighbourhood_xml import read_jobs
from scenarios.importers.pickled_frame import FRAME_NAMES, frame_rows, number

_MODULE = "backend.neighbourhood"
_CLASSES = ("Neighbourhood", "House", "User", "Device", "Event")
ALLOWED = FRAME_NAMES | {f"{_MODULE}.{name}" for name in _CLASSES} | {"copyreg._reconstructor", "builtins.object"}
ALLOWED |= {"copy_reg._reconstructor", "__builtin__.object"}
"""Every name that may occur; it says what a value is, and is never looked up."""

_PREDICTION = re.compile(r"weather_prediction[0-9]{1,4}")
_MAX_ID = 200

MAX_VALUES = 1_000_000
"""Houses, users, devices, jobs and points of one neighbourhood."""


@dataclass(slots=True)
class _Found:
    where: str
    devices: list[InputDevice] = field(default_factory=list)
    jobs: list[InputJob] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    values: int = 0

    def count(self, values: int) -> None:
        """Count what was read; a small pickle can hold the same things again and again."""
        self.values += values
        if self.values > MAX_VALUES:
            raise ScenarioError([Problem(self.where, f"holds more than {MAX_VALUES} values")])


def import_pickle(path: Path, *, jobs: Path | None = None, loads: Sequence[Path] = ()) -> Imported:
    """Return the scenario of a pickled neighbourhood.

    Args:
        path: The pickle.
        jobs: A jobs XML; its jobs come after those in the pickle.
        loads: Folders of load profiles for devices that hold none, beside `loads/` next to the file.

    Raises:
        ScenarioError: It cannot be used; carries everything that is wrong with it.
    """
    where = str(path)
    try:
        root = read_pickle(_content(path), ALLOWED)
        found = _Found(where)
        _read(root, found)
    except PickleError as error:
        raise ScenarioError([Problem(where, str(error))]) from None
    if jobs is not None:
        try:
            found.jobs += read_jobs(jobs)
        except ScenarioError as error:
            found.problems.extend(error.problems)
    if found.problems:
        raise ScenarioError(found.problems)
    what = f"the neighbourhood {path.name}" + (f" and the jobs {jobs.name}" if jobs else "")
    return assemble(where, path.stem, found.devices, found.jobs, loads=[*loads, path.parent / "loads"], what=what)


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PickleError(f"larger than {MAX_BYTES // 2**20} MB")
        return path.read_bytes()
    except FileNotFoundError:
        raise PickleError("there is no such file") from None
    except OSError as error:
        raise PickleError(f"cannot be read: {error.strerror}") from None


def _read(root: object, found: _Found) -> None:
    if _class_of(root) != "Neighbourhood":
        raise PickleError("holds no neighbourhood of PySSMic")
    for house in _members(root, "houses", "House", found):
        house_id = _id(house)
        for user in _members(house, "users", "User", found):
            user_id = _id(user)
            for device in _members(user, "devices", "Device", found):
                _read_device(device, house_id, user_id, found)


def _read_device(device: Object, house: str, user: str, found: _Found) -> None:
    device_id = _id(device)
    place = f"{found.where}: house {house}, device {device_id}"
    state = _state(device)
    kind = state.get("type")
    if kind not in ("consumer", "producer"):
        found.problems.append(Problem(place, f"'consumer' or 'producer' is expected, not {short(kind)}"))
        return
    try:
        profile = None if state.get("load_profile") is None else _load_profile(state["load_profile"], found)
        predictions = _predictions(state, found)
        jobs = [_job(event, place, house, user, device_id) for event in _members(device, "events", "Event", found)]
    except PickleError as error:
        found.problems.append(Problem(place, str(error)))
        return
    found.jobs.extend(jobs)
    found.devices.append(
        InputDevice(
            where=place,
            house=house,
            user=user,
            id=device_id,
            name=_text(state.get("name")),
            template=_text(state.get("template")),
            type=cast("Literal['consumer', 'producer']", kind),
            load_profile=profile,
            predictions=predictions,
        )
    )


def _class_of(value: object) -> str:
    """Return the name of the PySSMic class that a value is of; empty where it is of none."""
    return value.kind.name if isinstance(value, Object) and value.kind.module == _MODULE else ""


def _state(value: Object) -> dict[Any, Any]:
    if not isinstance(value.state, dict):
        raise PickleError(f"a {_class_of(value)} without content")
    return value.state


def _members(value: object, attribute: str, kind: str, found: _Found) -> Iterator[Object]:
    assert isinstance(value, Object)  # noqa: S101 - _class_of said so
    members = _state(value).get(attribute)
    if not isinstance(members, list):
        raise PickleError(f"a list of {attribute} is expected in each {_class_of(value)}")
    found.count(len(members))
    for member in members:
        if _class_of(member) != kind:
            raise PickleError(f"{attribute}: something is there that is no {kind}")
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
        return value[:_MAX_ID]
    return str(value) if isinstance(value, int) and abs(value) < 10**18 else ""


def _time(state: dict[Any, Any], name: str) -> int:
    try:
        time_s = number(state.get(name))
    except PickleError as error:
        raise PickleError(f"{name}: {error}") from None
    if not time_s.is_integer() or not 0 <= time_s <= MAX_TIME_S:
        raise PickleError(f"{name}: UNIX seconds are expected, not {time_s:g}")
    return int(time_s)


def _job(event: Object, place: str, house: str, user: str, device: str) -> InputJob:
    state = _state(event)
    return InputJob(
        where=place,
        house=house,
        user=user,
        device=device,
        profile="",
        registered_s=_time(state, "timestamp"),
        earliest_start_s=_time(state, "est"),
        latest_start_s=_time(state, "lst"),
    )


def _load_profile(frame: object, found: _Found) -> LoadProfile:
    times_s, energies_wh = _series("load_profile", frame, found)
    _check("load_profile", times_s, energies_wh, from_zero=True)
    return LoadProfile(times_s=times_s, cumulative_wh=energies_wh)


def _predictions(state: dict[Any, Any], found: _Found) -> tuple[Prediction, ...]:
    predictions: dict[int, Prediction] = {}
    for name, frame in state.items():
        if frame is None or not isinstance(name, str) or not _PREDICTION.fullmatch(name):
            continue
        times_s, energies_wh = _series(name, frame, found)
        times_s, energies_wh = (times_s[0] - FIRST_HOUR_S, *times_s), (0.0, *energies_wh)
        _check(name, times_s, energies_wh, from_zero=False)
        issued_s = times_s[1]
        if issued_s in predictions:
            raise PickleError(f"{name}: another forecast begins at {issued_s} too")
        production = Production(times_s=times_s, cumulative_wh=energies_wh)
        predictions[issued_s] = Prediction(issued_s=issued_s, production=production)
    return tuple(predictions.values())


def _series(name: str, frame: object, found: _Found) -> tuple[tuple[int, ...], tuple[float, ...]]:
    try:
        rows = frame_rows(frame)
    except PickleError as error:
        raise PickleError(f"{name}: {error}") from None
    found.count(len(rows))
    if not rows:
        raise PickleError(f"{name}: is empty")
    for time, _ in rows:
        if not time.is_integer():
            raise PickleError(f"{name}: whole seconds are expected, not {time:g}")
    return tuple(int(time) for time, _ in rows), tuple(wh for _, wh in rows)


def _check(name: str, times_s: tuple[int, ...], energies_wh: tuple[float, ...], *, from_zero: bool) -> None:
    for index, what in series_problems(times_s, energies_wh, from_zero=from_zero)[:1]:
        raise PickleError(f"{name}: {what}" if index is None else f"{name}, row {index + from_zero}: {what}")
