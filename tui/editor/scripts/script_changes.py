"""Changes of events and expectations: functions from a neighbourhood's data to a `Change`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scenarios import whole_number_of
from scenarios.files import KeyPath, ProductionEntry, YamlValue
from tui.editor import tree_model
from tui.editor.edit_history import Change, Insert, Put, Remove, Step
from tui.editor.scripts import script_model as script
from tui.editor.tree_model import Ref, Tree, at, text

SERIES_KEYS = tuple(ProductionEntry.model_fields)


def add_event(tree: Tree, kind: str, about: Ref) -> Change:
    """Append an event.

    Args:
        tree: The neighbourhood as plain data.
        kind: The kind of event.
        about: The selected part, which it is about if it can be.
    """
    return _added(tree, tree_model.EVENTS, script.new_event(tree, kind, about), f"add event {script.KINDS[kind]}")


def add_expectation(tree: Tree, kind: str) -> Change:
    """Append an expectation, with a condition of a kind to begin with."""
    return _added(tree, tree_model.EXPECTATIONS, {"that": script.new_condition(tree, kind)}, "add expectation")


def _added(tree: Tree, path: KeyPath, entry: object, label: str) -> Change:
    found = at(tree, path)
    count = len(found) if isinstance(found, list) else 0
    return Change(label, (Insert(path, count, (entry,)),), (*path, count))


def remove_entry(tree: Tree, ref: Ref) -> Change:
    """Remove an event or an expectation; the last one with its list."""
    count = len(at(tree, ref[:1]))
    select = (ref[0], min(int(ref[1]), count - 2)) if count > 1 else ref[:1]
    what = "event" if ref[:1] == tree_model.EVENTS else "expectation"
    return Change(f"remove {what} {said_of(tree, ref)}", (Remove(ref if count > 1 else ref[:1]),), select)


def duplicate_entry(tree: Tree, ref: Ref) -> Change:
    """Insert a copy of an event or an expectation after it; the copy of an added job gets a new id."""
    entry = at(tree, ref)
    copy = {key: value for key, value in entry.items() if key != "id"} if isinstance(entry, dict) else entry
    behind = int(ref[1]) + 1
    return Change(f"duplicate {said_of(tree, ref)}", (Insert(ref[:1], behind, (copy,)),), (ref[0], behind))


def said_of(tree: Tree, ref: Ref) -> str:
    """Return an event or an expectation in a line."""
    entry = at(tree, ref)
    if ref[:1] == tree_model.EXPECTATIONS:
        return script.expectation_in_words(entry)
    return f"{script.when_in_words(entry)} {script.event_in_words(entry)}"


def set_script_value(tree: Tree, path: KeyPath, value: YamlValue) -> Change | None:
    """Set a field of an event or an expectation.

    Args:
        tree: The neighbourhood as plain data.
        path: Key path of the value; a last key with `*` stands for a part of it.
        value: The new value; None or an empty text clears the field.
    """
    ref, keys = path[:2], path[2:]
    if ref[:1] == tree_model.EXPECTATIONS:
        return _set_expectation(tree, ref, keys, value)
    match keys:
        case ("do",):
            return _set_kind(tree, ref, text(value))
        case ("*when",):
            return _set_turn(tree, ref, text(value))
        case ("repeat" | "when" as outer, inner):
            return _set_inner(tree, (*ref, outer), str(inner), value)
    key = str(keys[-1])
    label = f"change {key}".replace("_", " ")
    if value in (None, "", []) and not _must_be_there(tree, ref, key):
        return Change(label, (Remove(path),))
    if key in script.FLAGS:
        value = {"yes": True, "no": False}.get(text(value), value)
    return Change(label, (Put(path, _time(value) if key == "at" else value),))


def _must_be_there(tree: Tree, ref: Ref, key: str) -> bool:
    return script.is_required(text(at(tree, (*ref, "do"))), key)


def _time(value: YamlValue) -> YamlValue:
    """Return a typed time; a plain number means UNIX seconds."""
    number = whole_number_of(value.strip()) if isinstance(value, str) else None
    return value if number is None else number


def _set_kind(tree: Tree, ref: Ref, kind: str) -> Change | None:
    """Change what an event does: keys that the new kind has too stay, the others go, missing ones are filled in."""
    entry = at(tree, ref)
    if text(entry.get("do")) == kind:
        return None
    keys = {*script.COMMON, *script.keys_of(kind)}
    beginning = script.beginning(tree, kind, ref)
    steps: list[Step] = [Remove((*ref, key)) for key in entry if key not in keys]
    steps.append(Put((*ref, "do"), kind))
    steps += [Put((*ref, key), value) for key, value in beginning.items() if key not in entry]
    return Change(f"make it {script.KINDS.get(kind, kind)}", tuple(steps))


def _set_turn(tree: Tree, ref: Ref, said: str) -> Change | None:
    """Change when an event takes place: at a time, or when something happens to a job."""
    entry = at(tree, ref)
    turn = next((turn for turn, words in script.TURNS.items() if words == said), None)
    if turn is None:
        steps: list[Step] = [Remove((*ref, "when"))]
        if "at" not in entry:
            steps.append(Put((*ref, "at"), script.new_event(tree, "note", ref)["at"]))
    elif isinstance(entry.get("when"), dict):
        steps = [Put((*ref, "when", "turn"), turn)]
    else:
        job = next(iter(script.job_ids(tree)), "")
        steps = [Put((*ref, "when"), {"job": job, "turn": turn}), Remove((*ref, "at")), Remove((*ref, "repeat"))]
    return Change("change when it takes place", tuple(steps))


def _set_inner(tree: Tree, outer: KeyPath, key: str, value: YamlValue) -> Change:
    """Set a key of `when` or `repeat`, which appears with its first key and goes with its last one."""
    label, now = f"change {key}", at(tree, outer)
    is_empty = value in (None, "")
    value = _time(value) if key == "until" else value
    if not isinstance(now, dict):
        return Change(label, () if is_empty else (Put(outer, {key: value}),))
    if is_empty and set(now) <= {key}:
        return Change(label, (Remove(outer),))
    return Change(label, (Remove((*outer, key)) if is_empty else Put((*outer, key), value),))


def _set_expectation(tree: Tree, ref: Ref, keys: KeyPath, value: YamlValue) -> Change | None:
    entry = at(tree, ref)
    is_mapping = isinstance(entry, dict)
    condition = script.condition_of(entry)
    key = str(keys[-1]) if keys else "that"
    if key in {"at", "name"}:
        value = _time(value) if key == "at" else value
        if value in (None, ""):
            return Change(f"change {key}", (Remove((*ref, key)),) if is_mapping else ())
        if is_mapping:
            return Change(f"change {key}", (Put((*ref, key), value),))
        return Change(f"change {key}", (Put(ref, {"that": condition, key: value}),))
    parts = script.parts_of(condition)
    if key.startswith("*"):
        if parts is None:
            return None
        value = str(_with_part(parts, key, text(value)))
    return Change("change the condition", (Put((*ref, "that") if is_mapping else ref, value),))


def _with_part(parts: script.FigureComparison, key: str, value: str) -> script.FigureComparison:
    if key == "*figure":
        return replace(parts, field=value) if parts.field is not None else replace(parts, word=value)
    if key == "*of":
        return replace(parts, of=value)
    return replace(parts, sign=value) if key == "*sign" else replace(parts, value=value)


def set_series(ref: Ref, entry: dict[str, Any] | None, tree: Tree) -> Change:
    """Give a forecast's event a series instead of a factor.

    Args:
        ref: The event.
        entry: The series as a YAML entry; None: a factor in place of a series.
        tree: The neighbourhood as plain data.
    """
    event = at(tree, ref)
    steps: list[Step] = [Remove((*ref, key)) for key in SERIES_KEYS if key in event and key not in (entry or {})]
    if entry is None:
        steps += [] if "factor" in event else [Put((*ref, "factor"), 0.5)]
    else:
        steps += [Put((*ref, key), value) for key, value in entry.items()]
        steps.append(Remove((*ref, "factor")))
    return Change("change the series", tuple(steps))
