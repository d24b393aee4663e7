"""The changes that a person makes to a neighbourhood: each function looks at the data and says what is to be done."""

from __future__ import annotations

from typing import Any

from scenarios.appliances import APPLIANCES, Appliance
from scenarios.files.problems import KeyPath
from tui.cli.figures import plural
from tui.editor import outline
from tui.editor.changes import Change, Insert, Put, Remove, Step
from tui.editor.ids import device_ids, free_id, house_ids, next_number
from tui.editor.outline import Ref, Tree, at, text

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
"""Keys that are left out where their field is empty; some only in some places, see `set_field`."""
_NUMBERS = frozenset({"days", "seed"})


# Houses.


def add_house(tree: Tree) -> Change:
    """Add a house behind the others; its id is the next free number."""
    count = len(at(tree, ("houses",)) or [])
    id_ = free_id(house_ids(tree), "") if count == 0 else free_id(house_ids(tree), next_number(house_ids(tree)))
    house = {"id": id_, "name": f"House {id_}", "devices": []}
    return Change(f"add house {id_}", (Insert(("houses",), count, (house,)),), ("houses", count))


def remove_house(tree: Tree, ref: Ref) -> Change:
    """Remove a house with its devices and their jobs."""
    house = at(tree, ref)
    id_ = text(house.get("id"))
    only = sum(text(other.get("id")) == id_ for _, other in outline.houses(tree)) == 1
    gone = [i for i, job in outline.jobs(tree) if only and text(job.get("house")) == id_]
    steps: list[Step] = [Remove(("jobs", index)) for index in reversed(gone)]
    steps.append(Remove(ref))
    title = outline.house_title(house) if house.get("name") else f"house {id_}"
    label = f"remove {title}" + (f" and {plural(len(gone), 'job')}" if gone else "")
    return Change(label, tuple(steps), _beside(tree, ref))


# Devices.


def consumer_of(appliance: Appliance | None, taken: set[str]) -> dict[str, Any]:
    """Return a new consumer, as the appliance makes it."""
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
    """Add a consumer to a house; its load profile comes into the file where it is not there yet."""
    house = at(tree, house_ref)
    device = consumer_of(appliance, device_ids(tree, house))
    steps = [] if appliance is None else profile_steps(tree, appliance.name, profile_entry(appliance))
    return _add_device(tree, house_ref, device, steps)


def add_producer(tree: Tree, house_ref: Ref, predictions: list[Any], name: str = "") -> Change:
    """Add a producer to a house."""
    house = at(tree, house_ref)
    wish = f"pv-{text(house.get('id'))}"
    device = {"id": free_id(device_ids(tree, house), wish), "type": "producer", "name": name or "Panels"}
    return _add_device(tree, house_ref, {**device, "template": "pv", "predictions": predictions}, [])


def _add_device(tree: Tree, house_ref: Ref, device: dict[str, Any], steps: list[Step]) -> Change:
    count = len(at(tree, (*house_ref, "devices")) or [])
    insert = Insert((*house_ref, "devices"), count, (device,))
    return Change(f"add device {device['id']}", (*steps, insert), (*house_ref, "devices", count))


def remove_device(tree: Tree, ref: Ref) -> Change:
    """Remove a device with its jobs."""
    house_id, device_id = outline.ids_of(tree, ref)
    devices_called_so = sum(text(d.get("id")) == device_id for _, d in outline.devices(at(tree, ref[:2])))
    gone = outline.jobs_by_device(tree).get((house_id, device_id), []) if devices_called_so == 1 else []
    steps: list[Step] = [Remove(("jobs", index)) for index in reversed(gone)]
    steps.append(Remove(ref))
    device = at(tree, ref)
    label = f"remove {outline.device_title(device) if device.get('name') else f'device {device_id}'}"
    return Change(label + (f" and {plural(len(gone), 'job')}" if gone else ""), tuple(steps), _beside(tree, ref))


def duplicate(tree: Tree, ref: Ref) -> Change | None:
    """Add another house, device or job like this one behind it, with ids of its own."""
    part = at(tree, ref)
    behind = (*ref[:-1], int(ref[-1]) + 1)
    match outline.kind_of(ref):
        case "device":
            taken = device_ids(tree, at(tree, ref[:2]))
            copy = {**part, "id": free_id(taken, text(part.get("id")))}
        case "job":
            copy = part
        case "house":
            id_ = free_id(house_ids(tree), next_number(house_ids(tree)))
            taken = set().union(*(device_ids(tree, house) for _, house in outline.houses(tree)))
            devices = [
                {**d, "id": free_id(taken, text(d.get("id")))} if d.get("type") == "producer" else d
                for _, d in outline.devices(part)
            ]
            copy = {**part, "id": id_, "name": f"House {id_}", "devices": devices}
        case _:
            return None
    return Change(f"duplicate {outline.title_of(tree, ref)}", (Insert(ref[:-1], int(behind[-1]), (copy,)),), behind)


def set_type(tree: Tree, ref: Ref, kind: str, predictions: list[Any]) -> Change | None:
    """Make a consumer a producer, or a producer a consumer; what only the old type has is taken out."""
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
    return Change(f"make {outline.device_title(device)} a {kind}", tuple(steps))


# Load profiles.


def profile_entry(appliance: Appliance) -> dict[str, Any]:
    """Return the load profile of an appliance as it stands in a file."""
    return {"step_s": 60, "power_w": list(appliance.power_w)}


def profile_steps(tree: Tree, name: str, entry: dict[str, Any]) -> list[Step]:
    """Return what brings a load profile into the file, unless one of this name is there."""
    if name in outline.profiles(tree):
        return []
    if not isinstance(tree.get("load_profiles"), dict):
        return [Put(("load_profiles",), {name: entry})]
    return [Put(("load_profiles", name), entry)]


def choose_profile(tree: Tree, path: KeyPath, name: str, entry: dict[str, Any] | None = None) -> Change:
    """Let a device or a job have a load profile: one of the file, a bundled one, or the one given."""
    if entry is None and name in APPLIANCES:
        entry = profile_entry(APPLIANCES[name])
    steps = profile_steps(tree, name, entry) if entry is not None else []
    return Change(f"load profile {name}", (*steps, Put(path, name)))


def remove_profile(tree: Tree, ref: Ref) -> Change:
    """Take a load profile out of the file."""
    return Change(f"remove load profile {ref[-1]}", (Remove(ref),), _beside(tree, ref))


def rename_profile(tree: Tree, ref: Ref, name: str) -> Change | None:
    """Give a load profile another name, wherever it is used."""
    old = str(ref[-1])
    if name == old or not name or name in outline.profiles(tree):
        return None
    steps: list[Step] = [Put(("load_profiles", name), at(tree, ref)), Remove(ref)]
    steps += [Put((*path, "load_profile"), name) for path in users_of(tree, old)]
    return Change(f"rename load profile {old}", tuple(steps), ("load_profiles", name))


def users_of(tree: Tree, profile: str) -> list[Ref]:
    """Return the devices and jobs that name a load profile."""
    found: list[Ref] = []
    for i, house in outline.houses(tree):
        for j, device in outline.devices(house):
            if text(device.get("load_profile")) == profile:
                found.append(("houses", i, "devices", j))
    return found + [("jobs", i) for i, job in outline.jobs(tree) if text(job.get("load_profile")) == profile]


# Jobs.


def add_job(tree: Tree, house_id: str, device_id: str) -> Change:
    """Add a job of a device: registered when the run starts, with the whole working day as its window."""
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
    """Remove a job."""
    select = outline.parent_of(tree, ref)
    return Change(f"remove {outline.title_of(tree, ref).lower()}", (Remove(ref),), select)


def move_job(tree: Tree, ref: Ref, house_id: str, device_id: str) -> Change:
    """Let another device run a job."""
    del tree
    return Change(f"job of {device_id}", (Put((*ref, "house"), house_id), Put((*ref, "device"), device_id)))


# Fields.


def set_field(tree: Tree, path: KeyPath, value: Any) -> Change | None:  # noqa: ANN401 - any YAML value
    """Set what stands in a field; ids are changed wherever they are used."""
    label = f"change {path[-1]}".replace("_", " ")
    if value in (None, "") and _may_be_empty(path):
        steps: list[Step] = [Remove(path)]
        if path[0] == "tariff" and len(at(tree, ("tariff",)) or {}) <= 1:
            steps = [Remove(("tariff",))]
        return Change(label, tuple(steps))
    if path[0] == "tariff" and not isinstance(tree.get("tariff"), dict):
        return Change(label, (Put(("tariff",), {str(path[-1]): value}),))
    return Change(label, (*_followers(tree, path, value), Put(path, value)))


def _may_be_empty(path: KeyPath) -> bool:
    if path[0] == "tariff":
        return True
    if path in {("name",), ("start",), ("seed",)}:
        return False
    return path[-1] in OPTIONAL and (path[-1] != "id" or path[0] == "jobs")


def _followers(tree: Tree, path: KeyPath, value: Any) -> list[Step]:  # noqa: ANN401 - any YAML value
    """Return what lets jobs follow the new id of a house or a device, where it is clear whose jobs they are."""
    if path[-1] != "id" or path[0] != "houses" or not value:
        return []
    old = text(at(tree, path))
    if len(path) == 3:
        if sum(text(house.get("id")) == old for _, house in outline.houses(tree)) > 1:
            return []
        return [
            Put(("jobs", i, "house"), value) for i, job in outline.jobs(tree) if outline.text(job.get("house")) == old
        ]
    house = at(tree, path[:2])
    if sum(text(device.get("id")) == old for _, device in outline.devices(house)) > 1:
        return []
    key = (text(house.get("id")), old)
    return [Put(("jobs", i, "device"), value) for i in outline.jobs_by_device(tree).get(key, [])]


def number_or_text(value: str) -> int | float | str:
    """Return what was typed as a number where it is one."""
    for kind in (int, float):
        try:
            return kind(value.strip())
        except ValueError:
            continue
    return value


def _beside(tree: Tree, ref: Ref) -> Ref:
    """Return what to show when a part is gone: its neighbour, else what it is in."""
    parent = ref[:-1]
    found = at(tree, parent)
    if isinstance(found, list) and len(found) > 1:
        index = int(ref[-1])
        return (*parent, min(index, len(found) - 2))
    if isinstance(found, dict):
        return outline.PROFILES
    return ref[:2] if len(ref) == 4 else outline.WHOLE
