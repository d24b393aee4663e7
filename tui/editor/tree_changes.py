"""Changes of a neighbourhood: functions from its data to a `Change` that adds, removes, renames or imports parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from broker import canonical, identifier_problem, plural, shown
from scenarios import APPLIANCES, RESERVED, Appliance, free_id, whole_number_of
from scenarios.files import KeyPath, YamlValue, format_after_start, format_iso
from scenarios.importers import InputJob
from tui.editor import tree_model
from tui.editor.edit_history import Change, Insert, Put, Remove, RemoveItems, Step
from tui.editor.forms import RunStart, rename_in_community, set_community_value
from tui.editor.scripts import duplicate_entry, set_script_value
from tui.editor.tree_model import Ref, Tree, at, text


def house_ids(tree: Tree) -> set[str]:
    """Return the ids of all houses."""
    return {_id_of(house) for _, house in tree_model.houses(tree)}


def device_ids(tree: Tree, house: dict[str, Any]) -> set[str]:
    """Return the ids taken for a new device of a house: those of its devices and of all producers."""
    own = {_id_of(device) for _, device in tree_model.devices(house)}
    return own | {_id_of(device) for device in _all_devices(tree) if device.get("type") == "producer"}


def gateway_ids(tree: Tree) -> set[str]:
    """Return the ids that real devices have in topics; each must be unique in the run."""
    real = ((device, device.get("gateway")) for device in _all_devices(tree))
    return {text(gateway.get("id")) or _id_of(device) for device, gateway in real if isinstance(gateway, dict)}


def _all_devices(tree: Tree) -> Iterator[dict[str, Any]]:
    return (device for _, house in tree_model.houses(tree) for _, device in tree_model.devices(house))


def _id_of(part: dict[str, Any]) -> str:
    return canonical(text(part.get("id")))


def next_number(ids: Iterable[str]) -> str:
    """Return one more than the largest number among some ids."""
    numbers = [number for id_ in ids if (number := whole_number_of(id_)) is not None]
    return str(max(numbers, default=0) + 1)


def id_problem(tree: Tree, path: KeyPath) -> str | None:
    """Return the problem of a house's or device's id, without validating the whole file; None if it is valid."""
    if path[-1:] != ("id",) or path[:1] != ("houses",):
        return None
    id_ = text(at(tree, path))
    if not id_:
        return "is empty"
    problem = identifier_problem(id_)
    if problem is not None:
        return f"{shown(id_)} {problem}"
    id_ = canonical(id_)
    return _house_id_problem(tree, path, id_) if len(path) == 3 else _device_id_problem(tree, path, id_)


def _house_id_problem(tree: Tree, path: KeyPath, id_: str) -> str | None:
    if id_ in RESERVED:
        return f"{id_!r} is reserved; give the house another id"
    others = [_id_of(house) for i, house in tree_model.houses(tree) if i != path[1]]
    return f"house {id_!r} already exists" if id_ in others else None


def _device_id_problem(tree: Tree, path: KeyPath, id_: str) -> str | None:
    house = at(tree, path[:2])
    own = [_id_of(device) for j, device in tree_model.devices(house) if j != path[3]]
    if id_ in own:
        return f"house {text(house.get('id'))!r} already has a device {id_!r}"
    if at(tree, (*path[:-1], "type")) != "producer":
        return None
    if id_ in RESERVED:
        return f"{id_!r} is reserved; give the producer another id"
    producers = [
        _id_of(device)
        for i, other in tree_model.houses(tree)
        for j, device in tree_model.devices(other)
        if device.get("type") == "producer" and (i, j) != (path[1], path[3])
    ]
    what = f"producer {id_!r} already exists; a producer's id is unique in the neighbourhood"
    return what if id_ in producers else None


NEW_TEXT = """\
# A neighbourhood for ssmic: houses with their devices, and the jobs that the devices have to run.
version: 1
name: {name}
start: 2026-06-21T00:00:00Z
days: 1
seed: 1

houses: []

jobs: []
"""

OPTIONAL = frozenset(
    {"name", "description", "template", "id", "days", "algorithm", "load_profile", "actual", *("tariff",)}
)
"""Keys omitted when their field is empty; some only in certain places, see `set_field`."""


# Houses.


def add_house(tree: Tree) -> Change:
    """Append a house; its id is the next free number."""
    count = len(at(tree, ("houses",)) or [])
    taken = house_ids(tree)
    id_ = free_id(taken, next_number(taken) if count else "")
    house = {"id": id_, "name": f"House {id_}", "devices": []}
    return Change(f"add house {id_}", (Insert(("houses",), count, (house,)),), ("houses", count))


def remove_house(tree: Tree, ref: Ref) -> Change:
    """Remove a house with its devices and their jobs."""
    house = at(tree, ref)
    id_ = text(house.get("id"))
    only = sum(text(other.get("id")) == id_ for _, other in tree_model.houses(tree)) == 1
    gone = [i for i, job in tree_model.jobs(tree) if only and text(job.get("house")) == id_]
    steps: list[Step] = [RemoveItems(tree_model.JOBS, tuple(gone))] if gone else []
    steps.append(Remove(ref))
    title = tree_model.house_title(house) if house.get("name") else f"house {id_}"
    label = f"remove {title}" + (f" and {plural(len(gone), 'job')}" if gone else "")
    return Change(label, tuple(steps), _beside(tree, ref))


# Devices.


def consumer_of(appliance: Appliance | None, taken: set[str]) -> dict[str, Any]:
    """Return a new consumer for an appliance."""
    if appliance is None:
        return {"id": free_id(taken, "device"), "type": "consumer"}
    title = appliance.title.partition(",")[0]
    return {
        "id": free_id(taken, appliance.device),
        "type": "consumer",
        "name": title,
        "template": appliance.device,
        "load_profile": appliance.name,
    }


def add_consumer(tree: Tree, house_ref: Ref, appliance: Appliance | None) -> Change:
    """Add a consumer to a house, and its load profile to the file if missing.

    Args:
        tree: The neighbourhood as plain data.
        house_ref: The house.
        appliance: The appliance to add; None: a consumer without a load profile.
    """
    house = at(tree, house_ref)
    device = consumer_of(appliance, device_ids(tree, house))
    steps = [] if appliance is None else profile_steps(tree, appliance.name, profile_entry(appliance))
    return _add_device(tree, house_ref, device, steps)


def add_producer(tree: Tree, house_ref: Ref, predictions: list[Any]) -> Change:
    """Add a producer to a house.

    Args:
        tree: The neighbourhood as plain data.
        house_ref: The house.
        predictions: YAML entries of its forecasts.
    """
    house = at(tree, house_ref)
    wish = f"pv-{text(house.get('id'))}"
    device = {"id": free_id(device_ids(tree, house), wish), "type": "producer", "name": "Panels"}
    return _add_device(tree, house_ref, {**device, "template": "pv", "predictions": predictions}, [])


def _add_device(tree: Tree, house_ref: Ref, device: dict[str, Any], steps: list[Step]) -> Change:
    count = len(at(tree, (*house_ref, "devices")) or [])
    insert = Insert((*house_ref, "devices"), count, (device,))
    return Change(f"add device {device['id']}", (*steps, insert), (*house_ref, "devices", count))


def remove_device(tree: Tree, ref: Ref) -> Change:
    """Remove a device with its jobs."""
    house_id, device_id = tree_model.ids_of(tree, ref)
    devices_called_so = sum(text(d.get("id")) == device_id for _, d in tree_model.devices(at(tree, ref[:2])))
    gone = tree_model.jobs_by_device(tree).get((house_id, device_id), []) if devices_called_so == 1 else []
    steps: list[Step] = [RemoveItems(tree_model.JOBS, tuple(gone))] if gone else []
    steps.append(Remove(ref))
    device = at(tree, ref)
    label = f"remove {tree_model.device_title(device) if device.get('name') else f'device {device_id}'}"
    return Change(label + (f" and {plural(len(gone), 'job')}" if gone else ""), tuple(steps), _beside(tree, ref))


def duplicate(tree: Tree, ref: Ref) -> Change | None:
    """Insert a copy of a house, device, job, event or expectation after it, with new ids."""
    part = at(tree, ref)
    behind = (*ref[:-1], int(ref[-1]) + 1)
    match tree_model.kind_of(ref):
        case "device":
            taken = device_ids(tree, at(tree, ref[:2]))
            copy = {**part, "id": free_id(taken, text(part.get("id")))}
        case "job":
            copy = part
        case "house":
            houses = house_ids(tree)
            id_ = free_id(houses, next_number(houses))
            taken = {_id_of(device) for device in _all_devices(tree)}
            devices = [
                {**d, "id": free_id(taken, text(d.get("id")))} if d.get("type") == "producer" else d
                for _, d in tree_model.devices(part)
            ]
            copy = {**part, "id": id_, "name": f"House {id_}", "devices": devices}
        case "event" | "expectation":
            return duplicate_entry(tree, ref)
        case _:
            return None
    return Change(f"duplicate {tree_model.title_of(tree, ref)}", (Insert(ref[:-1], int(behind[-1]), (copy,)),), behind)


def set_type(tree: Tree, ref: Ref, kind: str, predictions: list[Any]) -> Change | None:
    """Change a device's type; keys of the old type only are removed.

    Args:
        tree: The neighbourhood as plain data.
        ref: The device.
        kind: `consumer` or `producer`.
        predictions: YAML entries of the forecasts of a new producer.
    """
    device = at(tree, ref)
    if device.get("type") == kind:
        return None
    steps: list[Step] = [Put((*ref, "type"), kind)]
    if kind == "producer":
        steps.append(Remove((*ref, "load_profile")))
        if not device.get("predictions"):
            steps.append(Put((*ref, "predictions"), predictions))
    else:
        steps += [Remove((*ref, "predictions")), Remove((*ref, "actual"))]
    return Change(f"make {tree_model.device_title(device)} a {kind}", tuple(steps))


# Load profiles.


def profile_entry(appliance: Appliance) -> dict[str, Any]:
    """Return the YAML entry of an appliance's load profile."""
    return {"step_s": 60, "power_w": list(appliance.power_w)}


def profile_steps(tree: Tree, name: str, entry: dict[str, Any]) -> list[Step]:
    """Return the steps that add a load profile to the file; none if the name exists.

    Args:
        tree: The neighbourhood as plain data.
        name: Name of the load profile.
        entry: Its YAML entry.
    """
    if name in tree_model.profiles(tree):
        return []
    if not isinstance(tree.get("load_profiles"), dict):
        return [Put(("load_profiles",), {name: entry})]
    return [Put(("load_profiles", name), entry)]


def choose_profile(tree: Tree, path: KeyPath, name: str, entry: dict[str, Any] | None = None) -> Change:
    """Assign a load profile to a device or job: one of the file, a bundled one, or a given entry.

    Args:
        tree: The neighbourhood as plain data.
        path: Key path of the device's or job's `load_profile`.
        name: Name of the load profile.
        entry: Its YAML entry, added if the name is new; None: an existing or bundled profile.
    """
    if entry is None and name in APPLIANCES:
        entry = profile_entry(APPLIANCES[name])
    steps = profile_steps(tree, name, entry) if entry is not None else []
    return Change(f"load profile {name}", (*steps, Put(path, name)))


def remove_profile(tree: Tree, ref: Ref) -> Change:
    """Remove a load profile from the file."""
    return Change(f"remove load profile {ref[-1]}", (Remove(ref),), _beside(tree, ref))


def rename_profile(tree: Tree, ref: Ref, name: str) -> Change | None:
    """Rename a load profile and all references to it.

    Args:
        tree: The neighbourhood as plain data.
        ref: The load profile.
        name: Its new name.
    """
    old = str(ref[-1])
    if name == old or not name or name in tree_model.profiles(tree):
        return None
    steps: list[Step] = [Put(("load_profiles", name), at(tree, ref)), Remove(ref)]
    steps += [Put((*path, "load_profile"), name) for path in users_of(tree, old)]
    return Change(f"rename load profile {old}", tuple(steps), ("load_profiles", name))


def users_of(tree: Tree, profile: str) -> list[Ref]:
    """Return the devices and jobs that refer to a load profile."""
    found: list[Ref] = []
    for i, house in tree_model.houses(tree):
        for j, device in tree_model.devices(house):
            if text(device.get("load_profile")) == profile:
                found.append(("houses", i, "devices", j))
    return found + [("jobs", i) for i, job in tree_model.jobs(tree) if text(job.get("load_profile")) == profile]


# Jobs.


def add_job(tree: Tree, house_id: str, device_id: str) -> Change:
    """Add a job to a device, registered at the run's start, with the working day as its window.

    Args:
        tree: The neighbourhood as plain data.
        house_id: Id of the house.
        device_id: Id of the consumer in that house.
    """
    count = len(at(tree, ("jobs",)) or [])
    job = {
        "house": house_id,
        "device": device_id,
        "registered": "00:00",
        "earliest_start": "08:00",
        "latest_start": "16:00",
    }
    return Change(f"add job of {device_id}", (Insert(("jobs",), count, (job,)),), ("jobs", count))


def remove_job(tree: Tree, ref: Ref) -> Change:
    """Return the change that removes a job and selects its device."""
    select = tree_model.parent_of(tree, ref)
    return Change(f"remove {tree_model.title_of(tree, ref).lower()}", (Remove(ref),), select)


def move_job(tree: Tree, ref: Ref, house_id: str, device_id: str) -> Change:
    """Move a job to another device.

    Args:
        tree: The neighbourhood as plain data.
        ref: The job.
        house_id: Id of the new house.
        device_id: Id of the new device in that house.
    """
    del tree
    return Change(f"job of {device_id}", (Put((*ref, "house"), house_id), Put((*ref, "device"), device_id)))


# Fields.


def set_field(tree: Tree, path: KeyPath, value: YamlValue) -> Change | None:
    """Set a field's value; changed ids are updated wherever they are used.

    Args:
        tree: The neighbourhood as plain data.
        path: Key path of the value.
        value: The new value; None or an empty text clears the field.
    """
    if path[:1] in {tree_model.EVENTS, tree_model.EXPECTATIONS}:
        return set_script_value(tree, path, value)
    if path[:1] == tree_model.COMMUNITY:
        return set_community_value(tree, path, value)
    label = f"change {path[-1]}".replace("_", " ")
    if path[-2:] == ("base_load", "constant_w"):
        return _set_base_load(tree, path[:-1], value)
    if value in (None, "") and _may_be_empty(path):
        steps: list[Step] = [Remove(path)]
        if path[0] == "tariff" and len(at(tree, ("tariff",)) or {}) <= 1:
            steps = [Remove(("tariff",))]
        return Change(label, tuple(steps))
    if path[0] == "tariff" and not isinstance(tree.get("tariff"), dict):
        return Change(label, (Put(("tariff",), {str(path[-1]): value}),))
    return Change(label, (*_followers(tree, path, value), Put(path, value)))


def _set_base_load(tree: Tree, path: KeyPath, value: YamlValue) -> Change | None:
    """Set the constant base load of a house, which replaces a series; an empty field clears a constant one only."""
    label, load = "change base load", at(tree, path)
    if value not in (None, ""):
        return Change(label, (Put(path, {"constant_w": value}),))
    return Change(label, (Remove(path),)) if isinstance(load, dict) and "constant_w" in load else None


def _may_be_empty(path: KeyPath) -> bool:
    if path[0] == "tariff":
        return True
    if path in {("name",), ("start",), ("seed",)}:
        return False
    return path[-1] in OPTIONAL and (path[-1] != "id" or path[0] == "jobs" or path[-2] == "gateway")


def _followers(tree: Tree, path: KeyPath, value: YamlValue) -> list[Step]:
    """Return the steps that update jobs to a new id of a house or device, unless the old id is ambiguous."""
    if path[-1] != "id" or path[0] != "houses" or path[-2] == "gateway" or not value:
        return []
    old = text(at(tree, path))
    if len(path) == 3:
        if sum(text(house.get("id")) == old for _, house in tree_model.houses(tree)) > 1:
            return []
        of_jobs: list[Step] = [
            Put(("jobs", i, "house"), value)
            for i, job in tree_model.jobs(tree)
            if tree_model.text(job.get("house")) == old
        ]
        return of_jobs + rename_in_community(tree, old, text(value))
    house = at(tree, path[:2])
    if sum(text(device.get("id")) == old for _, device in tree_model.devices(house)) > 1:
        return []
    key = (text(house.get("id")), old)
    return [Put(("jobs", i, "device"), value) for i in tree_model.jobs_by_device(tree).get(key, [])]


def number_or_text(value: str) -> int | float | str:
    """Return typed text as a number if it is one, else unchanged."""
    for kind in (int, float):
        try:
            return kind(value.strip())
        except ValueError:
            continue
    return value


def _beside(tree: Tree, ref: Ref) -> Ref:
    """Return what to select after a removal: the neighbouring part, else the parent."""
    parent = ref[:-1]
    found = at(tree, parent)
    if isinstance(found, list) and len(found) > 1:
        index = int(ref[-1])
        return (*parent, min(index, len(found) - 2))
    if isinstance(found, dict):
        return tree_model.PROFILES
    return ref[:2] if len(ref) == 4 else tree_model.WHOLE


@dataclass(frozen=True, slots=True)
class AddedJobs:
    """Result of adding jobs from a file."""

    change: Change | None
    """No job matches a device of this neighbourhood."""
    count: int
    notes: tuple[str, ...]
    """Values left out or assumed:"""


def add_input_jobs(tree: Tree, jobs: Sequence[InputJob], where: str) -> AddedJobs:
    """Return the change that adds jobs to the devices they refer to.

    Args:
        tree: The neighbourhood as plain data.
        jobs: Jobs read from a file.
        where: The file's name, for the undo history.
    """
    run_start = RunStart.of_tree(tree)
    known = tree_model.profiles(tree)
    entries: list[dict[str, Any]] = []
    notes: list[str] = []
    steps: dict[str, list[Step]] = {}
    early = 0
    for job in jobs:
        ref = tree_model.device_ref(tree, job.house, job.device)
        ref = ref or tree_model.device_ref(tree, job.house, f"{job.user}.{job.device}")
        if ref is None or at(tree, (*ref, "type")) == "producer":
            why = "is a producer" if ref else "is not in this neighbourhood"
            notes.append(f"device {job.device!r} of house {job.house!r} {why}: its job was left out")
            continue
        device = at(tree, ref)
        entry = {"house": job.house, "device": text(device.get("id"))}
        profile = job.profile
        if profile and profile not in (text(device.get("template")), text(device.get("load_profile"))):
            if profile in known or profile in APPLIANCES:
                entry["load_profile"] = profile
                if profile not in known:
                    appliance = profile_entry(APPLIANCES[profile])
                    steps[profile] = profile_steps(tree, profile, appliance)
            else:
                notes.append(f"job of {job.house}/{job.device}: no load profile {profile!r} here; the device's is used")
        for key, time_s in (
            ("registered", job.registered_s),
            ("earliest_start", job.earliest_start_s),
            ("latest_start", job.latest_start_s),
        ):
            entry[key] = (
                format_iso(time_s)
                if run_start.start_s is None
                else format_after_start(time_s, run_start.start_s, run_start.info)
            )
        early += run_start.start_s is not None and job.registered_s < run_start.start_s
        entries.append(entry)
    if early:
        notes.append(f"{early} jobs are registered before the run starts: change the start, or their times")
    if not entries:
        return AddedJobs(None, 0, tuple(dict.fromkeys(notes)))
    count = len(at(tree, tree_model.JOBS) or [])
    insert = Insert(tree_model.JOBS, count, tuple(entries))
    of_profiles = [step for found in steps.values() for step in found]
    label = f"add {plural(len(entries), 'job')} from {where}"
    return AddedJobs(Change(label, (*of_profiles, insert), tree_model.JOBS), len(entries), tuple(dict.fromkeys(notes)))
