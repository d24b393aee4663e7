"""Access to an edited neighbourhood as plain YAML data, which may be malformed anywhere.

A part of it (a house, a device, a job) is named by its key path, a *reference*: `("houses", 0, "devices", 2)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias

from broker import plural
from scenarios.files import KeyPath, YamlValue

Tree: TypeAlias = dict[str, Any]
"""The whole file as plain data. Never changed in place."""
Ref: TypeAlias = KeyPath
Kind: TypeAlias = Literal[
    "neighbourhood",
    "house",
    "device",
    "jobs",
    "job",
    "profiles",
    "profile",
    "events",
    "event",
    "expectations",
    "expectation",
    "community",
]

WHOLE: Ref = ()
JOBS: Ref = ("jobs",)
PROFILES: Ref = ("load_profiles",)
EVENTS: Ref = ("timeline",)
EXPECTATIONS: Ref = ("expect",)
COMMUNITY: Ref = ("community",)

_KINDS: dict[tuple[str, int], Kind] = {
    ("houses", 2): "house",
    ("houses", 4): "device",
    ("jobs", 1): "jobs",
    ("jobs", 2): "job",
    ("load_profiles", 1): "profiles",
    ("load_profiles", 2): "profile",
    ("timeline", 1): "events",
    ("timeline", 2): "event",
    ("expect", 1): "expectations",
    ("expect", 2): "expectation",
    ("community", 1): "community",
}


def kind_of(ref: Ref) -> Kind:
    """Return the kind of part that a reference denotes."""
    return _KINDS[str(ref[0]), len(ref)] if ref else "neighbourhood"


def at(tree: Tree, path: KeyPath) -> YamlValue:
    """Return the value at a path; None if missing."""
    node: Any = tree
    for part in path:
        if isinstance(node, dict) and isinstance(part, str):
            node = node.get(part)
        elif isinstance(node, list) and isinstance(part, int) and 0 <= part < len(node):
            node = node[part]
        else:
            return None
    return node


def text(value: object) -> str:
    """Format a value for a field; numbers as in ids."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ""


def items(node: object) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield index and item for the mappings in a list."""
    if isinstance(node, list):
        yield from ((index, item) for index, item in enumerate(node) if isinstance(item, dict))


def houses(tree: Tree) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each house with its index in the file; entries that are not mappings are skipped."""
    return items(tree.get("houses"))


def devices(house: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the devices of a house."""
    return items(house.get("devices"))


def jobs(tree: Tree) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each job with its index in the file; as above."""
    return items(tree.get("jobs"))


def profiles(tree: Tree) -> dict[str, Any]:
    """Return the load profiles by name."""
    found = tree.get("load_profiles")
    return found if isinstance(found, dict) else {}


def key_of_job(job: dict[str, Any]) -> tuple[str, str]:
    """Return ids of house and device of a job."""
    return text(job.get("house")), text(job.get("device"))


def jobs_by_device(tree: Tree) -> dict[tuple[str, str], list[int]]:
    """Return the indexes of the jobs of each device, by ids of house and device."""
    found: dict[tuple[str, str], list[int]] = {}
    for index, job in jobs(tree):
        found.setdefault(key_of_job(job), []).append(index)
    return found


def ids_of(tree: Tree, ref: Ref) -> tuple[str, str]:
    """Return ids of house and device of a reference to a device."""
    return text(at(tree, (*ref[:2], "id"))), text(at(tree, (*ref, "id")))


def exists(tree: Tree, ref: Ref) -> bool:
    """Return whether a reference denotes an existing part."""
    if ref in {WHOLE, JOBS, PROFILES, EVENTS, EXPECTATIONS, COMMUNITY}:
        return True
    # An expectation may consist of only its condition.
    return isinstance(at(tree, ref), dict | str if kind_of(ref) == "expectation" else dict)


_LENGTHS_OF_REFS = {
    "houses": (4, 2),
    "community": (1,),
    **dict.fromkeys(("jobs", "load_profiles", "timeline", "expect"), (2, 1)),
}
"""By first key, the possible lengths of a part's reference, longest first."""


def owner_of(tree: Tree, path: KeyPath) -> Ref:
    """Return the part whose form shows the value at a path."""
    lengths = _LENGTHS_OF_REFS.get(str(path[0]), ()) if path else ()
    for length in lengths:
        ref = path[:length]
        is_device = length < 4 or path[2:3] == ("devices",)
        if len(path) >= length and is_device and exists(tree, ref):
            return ref
    return WHOLE


def device_title(device: dict[str, Any]) -> str:
    """Return a device's name, else its id."""
    return text(device.get("name")) or text(device.get("id")) or "(no id)"


def house_title(house: dict[str, Any]) -> str:
    """Return a house's name, with the id unless the name contains it."""
    name, id_ = text(house.get("name")), text(house.get("id"))
    return f"{name} ({id_})" if name and id_ not in name.split() else name or id_ or "(no id)"


def job_device_title(tree: Tree, job: dict[str, Any]) -> str:
    """Return the device of a job, in words."""
    house_id, device_id = key_of_job(job)
    for _, house in houses(tree):
        if text(house.get("id")) == house_id:
            for _, device in devices(house):
                if text(device.get("id")) == device_id:
                    return f"{text(house.get('name')) or house_id} / {device_title(device)}"
    return f"{house_id or '?'} / {device_id or '?'}"


def job_device_titles(tree: Tree) -> dict[tuple[str, str], str]:
    """Return the devices in words, by ids of house and device; as `job_device_title`, for all at once."""
    found: dict[tuple[str, str], str] = {}
    for _, house in houses(tree):
        house_id = text(house.get("id"))
        owner = text(house.get("name")) or house_id
        for _, device in devices(house):
            found.setdefault((house_id, text(device.get("id"))), f"{owner} / {device_title(device)}")
    return found


def title_of(tree: Tree, ref: Ref) -> str:
    """Return the title of a part."""
    found = at(tree, ref)
    part = found if isinstance(found, dict) else {}
    titles: dict[Kind, Callable[[], str]] = {
        "neighbourhood": lambda: text(tree.get("name")) or "Neighbourhood",
        "house": lambda: house_title(part),
        "device": lambda: device_title(part),
        "jobs": lambda: "Jobs",
        "job": lambda: f"Job of {job_device_title(tree, part)}",
        "profiles": lambda: "Load profiles",
        "profile": lambda: f"Load profile {ref[-1]}",
        "events": lambda: "Events",
        "event": lambda: f"Event {int(ref[-1]) + 1}",
        "expectations": lambda: "Expectations",
        "community": lambda: "Community",
        "expectation": lambda: f"Expectation {int(ref[-1]) + 1}",
    }
    return titles[kind_of(ref)]()


def parent_of(tree: Tree, ref: Ref) -> Ref:
    """Return the parent of a part in the tree."""
    match kind_of(ref):
        case "device":
            return ref[:2]
        case "job":
            job = at(tree, ref)
            return device_ref(tree, *key_of_job(job)) or JOBS if isinstance(job, dict) else JOBS
        case "profile":
            return PROFILES
        case "event":
            return EVENTS
        case "expectation":
            return EXPECTATIONS
        case _:
            return WHOLE


def house_ref(tree: Tree, house_id: str) -> Ref | None:
    """Return the house with an id; None if there is none."""
    return next((("houses", i) for i, house in houses(tree) if text(house.get("id")) == house_id), None)


def device_ref(tree: Tree, house_id: str, device_id: str) -> Ref | None:
    """Return the reference to a device by ids; None if missing.

    Args:
        tree: The neighbourhood as plain data.
        house_id: Id of the house.
        device_id: Id of the device in that house.
    """
    for i, house in houses(tree):
        if text(house.get("id")) == house_id:
            for j, device in devices(house):
                if text(device.get("id")) == device_id:
                    return ("houses", i, "devices", j)
    return None


def described(entry: object) -> str:
    """Return a short description of the source of a series."""
    if not isinstance(entry, dict):
        return text(entry)
    if entry.get("file") is not None:
        return f"file {text(entry.get('file'))}"
    power_w, points, step_s = entry.get("power_w"), entry.get("points"), entry.get("step_s")
    if isinstance(power_w, list):
        every = f" of {step_s // 60} min" if isinstance(step_s, int) and step_s % 60 == 0 and step_s else ""
        return f"{plural(len(power_w), 'step')}{every}"
    return plural(len(points), "point") if isinstance(points, list) else ""
