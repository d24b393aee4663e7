"""Changes to a neighbourhood: steps applied immediately to the plain data, and later to the YAML text.

Changing the plain data is fast, so that the screen follows every key; changing the text of a large file takes a
good part of a second, in another thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from scenarios.files import Document, KeyPath
from tui.editor.tree_model import Ref, Tree, at


@dataclass(frozen=True, slots=True)
class Put:
    """Set the value at a path, adding the key if missing."""

    path: KeyPath
    value: Any


@dataclass(frozen=True, slots=True)
class Insert:
    """Insert items into the list at a path, before `index`; creates the list if missing."""

    path: KeyPath
    index: int
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the value at a path, with its key; no-op if missing."""

    path: KeyPath


Step: TypeAlias = Put | Insert | Remove


@dataclass(frozen=True, slots=True)
class Change:
    """A unit of undo and redo."""

    label: str
    """Short description, shown after "Undo:"."""
    steps: tuple[Step, ...]
    select: Ref | None = None
    """Selection afterwards; None: unchanged."""


def changed(tree: Tree, step: Step) -> Tree:
    """Return the data after a step; untouched parts are shared with the old data."""
    if isinstance(step, Remove) and not _is_there(tree, step.path):
        return tree
    if isinstance(step, Insert):
        found = at(tree, step.path)
        old = found if isinstance(found, list) else []
        index = max(0, min(step.index, len(old)))
        after = _with(tree, step.path, [*old[:index], *step.values, *old[index:]])
    else:
        after = _with(tree, step.path, step.value) if isinstance(step, Put) else _without(tree, step.path)
    return cast("Tree", after)


def written(document: Document, tree: Tree, step: Step) -> Document:
    """Return the document after a step.

    Args:
        document: The one before.
        tree: Its content as plain data.
        step: The step to apply.

    Raises:
        ScenarioError: The text cannot be changed: the value is an alias of one elsewhere.
    """
    match step:
        case Put(path, value):
            return document.with_value(path, value)
        case Remove(path):
            return document.without(path) if _is_there(tree, path) else document
        case Insert(path, index, values):
            found = at(tree, path)
            if not isinstance(found, list) or not found:
                return document.with_value(path, list(values))
            for offset, value in enumerate(values):
                document = document.with_item(path, index + offset, value)
            return document


def _is_there(tree: Tree, path: KeyPath) -> bool:
    parent = at(tree, path[:-1])
    key = path[-1]
    if isinstance(parent, dict):
        return key in parent
    return isinstance(parent, list) and isinstance(key, int) and 0 <= key < len(parent)


def _with(node: Any, path: KeyPath, value: Any) -> Any:  # noqa: ANN401 - any YAML value
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(node, list) and isinstance(key, int):
        return [_with(item, rest, value) if index == key else item for index, item in enumerate(node)]
    if isinstance(node, dict) and isinstance(key, str):
        return {**node, key: _with(node.get(key), rest, value)}
    raise KeyError(key)


def _without(node: Any, path: KeyPath) -> Any:  # noqa: ANN401 - any YAML value
    key, rest = path[0], path[1:]
    if isinstance(node, list):
        if not rest:
            return [item for index, item in enumerate(node) if index != key]
        return [_without(item, rest) if index == key else item for index, item in enumerate(node)]
    if not rest:
        return {k: v for k, v in node.items() if k != key}
    return {k: _without(v, rest) if k == key else v for k, v in node.items()}
