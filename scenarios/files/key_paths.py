"""Keys of a scenario file as people write them: `community.key`, `houses[adler].name`, `jobs[*].latest_start`.

A key names a value by the path to it. Items of a list are named by their number, by their id or, all of them, by `*`.
A key that the file does not have is looked up in the format (`scenarios.files.model`), so that it can be set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel

from scenarios.files.model import ScenarioFile
from scenarios.files.problems import KeyPath, YamlValue, path_in_words
from scenarios.mistyped_names import suggest
from scenarios.whole_numbers import whole_number_of

_PART = re.compile(r"\.?([^.\[\]]+)|\[([^\[\]]+)\]")


class UnknownKeyError(ValueError):
    """A key names no value; the message says why, and names the nearest key."""


def plain_value(content: YamlValue, path: KeyPath) -> YamlValue:
    """Return the value at a path of plain data; None if there is none."""
    for part in path:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return None
    return content


def known_keys(content: Mapping[str, Any], path: KeyPath) -> tuple[str, ...]:
    """Return the keys that the format has in the mapping at a path, also where the file has no such mapping."""
    return tuple(dict.fromkeys(name for model in models_at(content, path) for name in model.model_fields))


def models_at(content: Mapping[str, Any], path: KeyPath) -> list[type[BaseModel]]:
    """Return the models that a mapping at a path can be of; those that its `type` or `do` names are first."""
    models: list[type[BaseModel]] = [kind for kind in _kinds_at(content, path) if _is_model(kind)]
    node = plain_value(content, path)
    return sorted(models, key=lambda model: not _is_tagged_so(model, node))


def paths_of(key: str, content: Mapping[str, Any], more: Sequence[str]) -> tuple[KeyPath, ...]:
    """Return the paths of the values that a key names; a value that the file does not have is one the format has.

    Args:
        key: As a user writes it.
        content: The file, as plain data.
        more: Further valid keys, for suggestions.

    Raises:
        UnknownKeyError: Neither has it.
    """
    found = list(_PART.finditer(key))
    parts = [one[1] or one[2] for one in found]
    if "".join(one[0] for one in found) != key or not parts:
        raise UnknownKeyError(f"{key!r} is not a key; expected for example days or jobs[adler-car].latest_start")
    paths: list[KeyPath] = [()]
    for part in parts:
        below = [inner for path in paths for inner in _below(content, path, part)]
        if not below:
            raise UnknownKeyError(_unknown(key, part, paths[0], content, more))
        paths = below
    return tuple(paths)


def put(content: dict[str, Any], path: KeyPath, value: object) -> None:
    """Set the value at a path of plain data, in place; mappings above it that are missing are made.

    Args:
        content: The file, as plain data.
        path: One of `paths_of`.
        value: Plain data.
    """
    node: Any = content
    for part in path[:-1]:
        if isinstance(node, dict) and node.get(part) is None:
            node[part] = {}
        node = node[part]
    node[path[-1]] = value


def takes_single_value(content: Mapping[str, Any], path: KeyPath) -> bool:
    """Return whether the format allows a text, a number, or yes and no at a path."""
    return any(kind in {str, int, float, bool} or get_origin(kind) is Literal for kind in _kinds_at(content, path))


def _below(content: Mapping[str, Any], path: KeyPath, part: str) -> Iterator[KeyPath]:
    node = plain_value(content, path)
    if isinstance(node, list):
        if part == "*":
            yield from ((*path, i) for i in range(len(node)))
        elif part in (ids := _ids(node)):
            yield (*path, ids.index(part))
        elif (index := whole_number_of(part)) is not None and index < len(node):
            yield (*path, index)
    elif isinstance(node, Mapping) and part == "*":
        yield from ((*path, key) for key in node)
    elif isinstance(node, Mapping | None) and (part in (node or ()) or _allows(content, path, part)):
        yield (*path, part)


def _ids(items: Sequence[Any]) -> list[str]:
    return [_id_of(item) if isinstance(item, Mapping) else "" for item in items]


def _id_of(item: Mapping[str, Any]) -> str:
    """Return the id of an item of a list, of a job also its default one; empty: it has none."""
    is_job = "do" not in item and "house" in item and "device" in item
    return str(item.get("id") or (f"{item['house']}/{item['device']}" if is_job else ""))


def _allows(content: Mapping[str, Any], path: KeyPath, part: str) -> bool:
    """Return whether the format has a key at a path: one of a model, or any where names are free."""
    return any(
        part in kind.model_fields or kind.model_config.get("extra") == "allow"
        if _is_model(kind)
        else get_origin(kind) is dict
        for kind in _kinds_at(content, path)
    )


def keys_inside(content: Mapping[str, Any], path: KeyPath) -> list[str]:
    """Return what can be named within the value at a path, for messages."""
    node = plain_value(content, path)
    if isinstance(node, list):
        return [name for name in _ids(node) if name] or [str(i) for i in range(len(node))]
    own = list(node) if isinstance(node, Mapping) else []
    return list(dict.fromkeys([*own, *known_keys(content, path)]))


def _unknown(key: str, part: str, path: KeyPath, content: Mapping[str, Any], more: Sequence[str]) -> str:
    known = keys_inside(content, path)
    if not path:
        known = [*more, *known]
    where = f" in {path_in_words(path)}" if path else ""
    if not known:
        is_missing = plain_value(content, path) is None
        problem = f"there is no {path_in_words(path)}" if is_missing else f"{path_in_words(path)} is a single value"
        return f"unknown key {key!r}: {problem}"
    what = f"unknown key {key!r}" if key == part else f"unknown key {key!r}: there is no {part!r}{where}"
    return f"{what}{suggest(part, known)}"


def _is_model(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _kinds_at(content: Mapping[str, Any], path: KeyPath) -> list[Any]:
    """Return the types that the format allows at a path, unions taken apart."""
    kinds: list[Any] = [ScenarioFile]
    for i, part in enumerate(path):
        node = plain_value(content, path[:i])
        inner = [found for kind in kinds for found in _inner(kind, part, node)]
        kinds = [one for annotation in inner for one in _alternatives(annotation)]
    return kinds


def _inner(kind: object, part: str | int, node: object) -> Iterator[object]:
    """Yield the annotation of the value below a type."""
    if _is_model(kind):
        if part in kind.model_fields and _is_tagged_so(kind, node):
            yield kind.model_fields[part].annotation
    elif get_origin(kind) is list and isinstance(part, int):
        yield get_args(kind)[0]
    elif get_origin(kind) is tuple and isinstance(part, int):
        yield from get_args(kind)[part : part + 1]
    elif get_origin(kind) is dict:
        yield get_args(kind)[1]


def _is_tagged_so(model: type[BaseModel], node: object) -> bool:
    """Return whether a mapping can be of a model: a device's `type` and an event's `do` say which it is."""
    if not isinstance(node, Mapping):
        return True
    tags = ((name, model.model_fields[name].annotation) for name in ("type", "do") if name in model.model_fields)
    return all(node.get(name) in get_args(tag) for name, tag in tags if get_origin(tag) is Literal)


def _alternatives(annotation: object) -> Iterator[object]:
    if get_origin(annotation) is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, UnionType}:
        for one in get_args(annotation):
            yield from _alternatives(one)
    elif annotation is not NoneType:
        yield annotation
