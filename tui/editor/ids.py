"""Ids of houses and devices: which ones are taken, which one is free, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from broker.identifiers import canonical, identifier_problem, shown
from scenarios.files.build import RESERVED
from scenarios.files.problems import KeyPath
from tui.editor import outline
from tui.editor.outline import Tree, at, text


def free_id(taken: Iterable[str], wish: str) -> str:
    """Return an id that nothing has yet: as wished, or with a number behind it."""
    used = {*taken, *RESERVED}
    if wish and wish not in used:
        return wish
    stem = f"{wish}-" if wish else ""
    number = 2 if wish else 1
    while f"{stem}{number}" in used:
        number += 1
    return f"{stem}{number}"


def house_ids(tree: Tree) -> set[str]:
    """Return the ids of all houses."""
    return {_id_of(house) for _, house in outline.houses(tree)}


def device_ids(tree: Tree, house: dict[str, Any]) -> set[str]:
    """Return the ids that a new device of a house cannot have: its own, and those of all producers."""
    own = {_id_of(device) for _, device in outline.devices(house)}
    return own | {
        _id_of(device)
        for _, other in outline.houses(tree)
        for _, device in outline.devices(other)
        if device.get("type") == "producer"
    }


def _id_of(part: dict[str, Any]) -> str:
    return canonical(text(part.get("id")))


def next_number(ids: Iterable[str]) -> str:
    """Return the number after the largest one among some ids."""
    numbers = [int(id_) for id_ in ids if id_.isascii() and id_.isdigit()]
    return str(max(numbers, default=0) + 1)


def id_problem(tree: Tree, path: KeyPath) -> str | None:
    """Return why an id of a house or a device cannot be as it is; told at once, before the whole file is checked."""
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
    others = [_id_of(house) for i, house in outline.houses(tree) if i != path[1]]
    return f"there is a house {id_!r} already" if id_ in others else None


def _device_id_problem(tree: Tree, path: KeyPath, id_: str) -> str | None:
    house = at(tree, path[:2])
    own = [_id_of(device) for j, device in outline.devices(house) if j != path[3]]
    if id_ in own:
        return f"house {text(house.get('id'))!r} has a device {id_!r} already"
    if at(tree, (*path[:-1], "type")) != "producer":
        return None
    if id_ in RESERVED:
        return f"{id_!r} is reserved; give the producer another id"
    producers = [
        _id_of(device)
        for i, other in outline.houses(tree)
        for j, device in outline.devices(other)
        if device.get("type") == "producer" and (i, j) != (path[1], path[3])
    ]
    what = f"there is a producer {id_!r} already; a producer's id is unique in the neighbourhood"
    return what if id_ in producers else None
