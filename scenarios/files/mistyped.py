"""Corrects mistyped keys, kinds of events and types of devices, so that their content is checked.

The validation reports each of them as a problem. The correction only prevents one mistake from hiding others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pydantic import BaseModel

from scenarios.files.keys import models_at
from scenarios.files.model import ConsumerEntry, ProducerEntry
from scenarios.files.problems import KeyPath, YamlValue
from scenarios.files.timeline import EVENT_ENTRIES
from scenarios.files.yaml_nodes import Mapping as YamlMapping
from scenarios.suggestions import nearest

KeyedModels: TypeAlias = Mapping[str, type[BaseModel]]
_DEVICES: KeyedModels = {"consumer": ConsumerEntry, "producer": ProducerEntry}


def rename_key(tree: YamlMapping, path: KeyPath) -> KeyPath | None:
    """Rename an unknown key to the nearest one that the format has and its mapping lacks, in place.

    Args:
        tree: The file's content.
        path: Key path of the unknown key.

    Returns:
        The key path that its value has now; None: there is no such key.
    """
    parent, key = _value_at(tree, path[:-1]), str(path[-1])
    models = models_at(tree, path[:-1])
    if not isinstance(parent, YamlMapping) or key not in parent or not models:
        return None
    near = nearest(key, models[0].model_fields)
    if near is None or near in parent:
        return None
    parent[near] = parent.pop(key)
    parent.lines[near] = parent.lines.pop(key, parent.line)
    return (*path[:-1], near)


def name_kind(tree: YamlMapping, path: KeyPath) -> bool:
    """Give a device without a valid `type`, or an event without a valid `do`, the one that its keys fit, in place.

    Args:
        tree: The file's content.
        path: Key path of the device or the event.

    Returns:
        Whether there is one.
    """
    entry = _value_at(tree, path)
    if not isinstance(entry, YamlMapping):
        return False
    tag = "do" if path[0] == "timeline" else "type"
    kinds: KeyedModels = EVENT_ENTRIES if tag == "do" else _DEVICES
    written = entry.get(tag)
    kind = (nearest(written, kinds) if isinstance(written, str) else None) or _fitting(entry, tag, kinds)
    if kind is None:
        return False
    entry[tag] = kind
    entry.lines.setdefault(tag, entry.line)
    return True


def depends_on_kind(path: KeyPath, *, is_missing: bool) -> bool:
    """Return whether a key is unknown, or missing, only in some kinds of devices or events.

    Args:
        path: Its key path.
        is_missing: Whether it is missing; otherwise it is unknown.
    """
    kinds: KeyedModels = EVENT_ENTRIES if path[0] == "timeline" else _DEVICES
    found = [kind.model_fields.get(str(path[-1])) for kind in kinds.values()]
    if is_missing:
        return not all(field is not None and field.is_required() for field in found)
    return any(field is not None for field in found)


def _fitting(entry: YamlMapping, tag: str, kinds: KeyedModels) -> str | None:
    """Return the kind that has most keys of an entry, less those that it needs and lacks; None if it has no key."""
    keys = set(entry) - {tag}

    def fit(kind: str) -> int:
        fields = kinds[kind].model_fields
        needed = {name for name, field in fields.items() if field.is_required()} - {tag}
        return len(keys & set(fields)) - len(needed - keys)

    return max(kinds, key=fit) if keys else None


def _value_at(tree: YamlMapping, path: KeyPath) -> YamlValue:
    node: YamlValue = tree
    for part in path:
        node = node[part]
    return node
