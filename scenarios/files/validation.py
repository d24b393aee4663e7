"""Validates YAML data against the file model: pydantic checks each part, and its errors become readable messages.

Broken parts are removed or replaced (`scenarios.files.error_recovery`), so that the rest can be checked as a whole and
all problems are reported at once.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from broker import canonical, shown
from scenarios.errors import ScenarioError
from scenarios.files.entries import STAND_INS
from scenarios.files.error_recovery import (
    UnresolvedNames,
    depends_on_kind,
    name_kind,
    rename_key,
    replace_or_take_out,
    replaceable,
    report_point_problems,
)
from scenarios.files.key_paths import models_at
from scenarios.files.model import (
    PRICE_FORMS,
    VERSION,
    ConsumerEntry,
    HouseEntry,
    JobEntry,
    LoadProfileEntry,
    ProducerEntry,
    ScenarioFile,
)
from scenarios.files.problems import MOST_PROBLEMS, TOO_MANY, KeyPath, Locate, ProblemCollector, YamlValue
from scenarios.files.timeline import EVENT_ENTRIES
from scenarios.files.yaml_nodes import YamlMapping, YamlSequence
from scenarios.mistyped_names import suggest
from scenarios.scenario import MAX_NAME_LENGTH

_MAX_ROUNDS = 10
_UNKNOWN_KEY = "extra_forbidden"
KeyPaths: TypeAlias = set[KeyPath]


def validate(tree: YamlMapping, collector: ProblemCollector) -> tuple[ScenarioFile | None, UnresolvedNames]:
    """Return the file model as far as it could be recovered, and the names that were lost.

    Args:
        tree: Content of the file.
        collector: Receives the problems.

    Returns:
        The model, None if nothing is left to check further; and the lost names.
    """
    unresolved = UnresolvedNames()
    if not _version_is_ours(tree, collector):
        return None, unresolved
    _tell_of_doubles(tree, collector)
    _stop_if_too_many(tree, collector)
    found = _errors_in(tree, collector)
    if isinstance(found, ScenarioFile):
        return found, unresolved
    # Taking an invalid part out can leave what is around it invalid, such as a list that must not be empty.
    for round_ in range(_MAX_ROUNDS):
        doomed = _invalid_parts(found)
        if doomed is None:
            break
        if round_ == 0:
            report_point_problems(tree, doomed, collector)
        # From the end, so that remaining indexes stay valid; an outer path comes after its inner ones.
        for path in sorted(doomed, key=lambda path: [(isinstance(part, str), part) for part in path], reverse=True):
            replace_or_take_out(tree, path, unresolved, is_unknown_key=doomed[path])
        try:
            return ScenarioFile.model_validate(tree, context={STAND_INS: True}), unresolved
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=True)
    return None, unresolved


def _invalid_parts(errors: list[ErrorDetails]) -> dict[KeyPath, bool] | None:
    """Return the parts that have to be replaced or taken out, and whether each is an unknown key.

    None: one of them can be neither replaced nor taken out, so nothing can be recovered.
    """
    doomed: dict[KeyPath, bool] = {}
    for details in errors:
        is_unknown_key = details["type"] == _UNKNOWN_KEY
        target = replaceable(_path_in(details["loc"]), is_unknown_key=is_unknown_key)
        if target is None:
            return None
        doomed[target] = is_unknown_key
    return doomed


def _errors_in(tree: YamlMapping, collector: ProblemCollector) -> ScenarioFile | list[ErrorDetails]:
    """Return the file model; or else report all errors, also those below mistyped keys and kinds, and return them."""
    opened: KeyPaths = {()}
    """Parts whose errors are not reported yet."""
    closed: KeyPaths = set()
    """Values whose own errors are not reported: their key is reported, as unknown."""
    guessed: KeyPaths = set()
    """Parts whose kind is a guess."""
    for _ in range(_MAX_ROUNDS):
        try:
            return ScenarioFile.model_validate(tree)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=True)
        found = []
        for details in errors:
            path, kind = _path_in(details["loc"]), details["type"]
            is_open = path not in closed and any(path[: len(part)] == part for part in opened)
            if is_open and not (path[:-1] in guessed and _is_of_the_guess(path, kind)):
                _report(tree, path, details, collector)
                found.append((path, kind))
        opened = set()
        for path, kind in found:
            if kind == _UNKNOWN_KEY and not _is_of_other_type(tree, path) and (renamed := rename_key(tree, path)):
                opened.add(renamed)
                closed.add(renamed)
            elif kind.startswith("union_tag") and name_kind(tree, path):
                opened.add(path)
                guessed.add(path)
        if not opened:
            break
    return errors


def _is_of_the_guess(path: KeyPath, kind: str) -> bool:
    """Return whether a part has this error only because of the kind that it was taken for."""
    return kind in ("missing", _UNKNOWN_KEY) and depends_on_kind(path, is_missing=kind == "missing")


def _stop_if_too_many(tree: YamlMapping, collector: ProblemCollector) -> None:
    """Raise `ScenarioError` with the first problems of a file that has more than are listed.

    pydantic collects all errors of a file, a kilobyte each, before any can be looked at. So the entries of a long file
    are tried one by one first.
    """
    entries = _entries(tree)
    if not any(map(_is_long, tree.values())):
        return
    found = 0
    for section, pairs in entries.items():
        for number, (_, entry) in enumerate(pairs, start=1):
            found += _errors_of(section, entry)
            if found >= MOST_PROBLEMS:
                _report_beginning(_beginning(tree, entries, section, number), collector)


def _beginning(
    tree: YamlMapping, entries: dict[str, list[tuple[str | int, Any]]], last_section: str, count: int
) -> YamlMapping:
    """Return a file up to an entry; long lists within entries are cut.

    Args:
        tree: The file's content.
        entries: See `_entries`.
        last_section: The last section of the part.
        count: How many of its entries belong to the part.
    """
    part = YamlMapping(tree.line)
    for section, value in tree.items():
        if section in entries:
            kept: Any = type(value)(value.line)
            kept.lines = value.lines
            for key, entry in entries[section][: count if section == last_section else None]:
                if isinstance(kept, YamlMapping):
                    kept[str(key)] = _cut(entry)
                else:
                    kept.append(_cut(entry))
        else:
            kept = _cut(value)
        part[section], part.lines[section] = kept, tree.lines[section]
        if section == last_section:
            break
    return part


def _report_beginning(tree: YamlMapping, collector: ProblemCollector) -> None:
    """Report the problems of the beginning of a file; always raises `ScenarioError`."""
    try:
        ScenarioFile.model_validate(tree)
    except ValidationError as error:
        for details in error.errors(include_url=False, include_context=True):
            path = _path_in(details["loc"])
            if details["type"] != "missing" or path[0] in tree:  # what follows the beginning is not missing
                _report(tree, path, details, collector)
    collector.at((), TOO_MANY)
    raise ScenarioError(collector.problems)


_FEW_ENTRIES = 1_000
"""A file with no longer list than this is checked as a whole."""
_LONG = 200
"""Length to which lists within an entry are cut once there are too many problems."""
_SECTIONS: dict[str, TypeAdapter[Any]] = {
    "load_profiles": TypeAdapter(LoadProfileEntry),
    "houses": TypeAdapter(HouseEntry),
    "jobs": TypeAdapter(JobEntry),
}


def _entries(tree: YamlMapping) -> dict[str, list[tuple[str | int, Any]]]:
    """Return the entries of each section that can be long, with their keys or indexes."""
    sections = {name: tree[name] for name in _SECTIONS if isinstance(tree.get(name), YamlMapping | YamlSequence)}
    return {
        name: list(value.items() if isinstance(value, YamlMapping) else enumerate(value))
        for name, value in sections.items()
        if isinstance(value, YamlMapping) == (name == "load_profiles")
    }


def _is_long(node: object) -> bool:
    """Return whether a list anywhere in the tree is longer than a file with few problems needs."""
    if isinstance(node, YamlSequence):
        return len(node) > _FEW_ENTRIES or any(map(_is_long, node))
    return isinstance(node, YamlMapping) and any(map(_is_long, node.values()))


def _errors_of(section: str, entry: object) -> int:
    try:
        _SECTIONS[section].validate_python(entry, context={STAND_INS: False})
    except ValidationError as error:
        return error.error_count()
    return 0


def _cut(node: YamlValue) -> YamlValue:
    """Return a value whose long lists are cut."""
    if isinstance(node, YamlMapping):
        whole = YamlMapping(node.line)
        whole.lines = node.lines
        whole.update({key: _cut(value) for key, value in node.items()})
        return whole
    if isinstance(node, YamlSequence):
        part = YamlSequence(node.line)
        part.lines = node.lines
        part.extend(_cut(value) for value in node[:_LONG])
        return part
    return node


def make_file(data: dict[str, Any], locate: Locate) -> ScenarioFile:
    """Return the file model of plain data that does not come from YAML.

    Args:
        data: Content of a file.
        locate: Describes where a value comes from.

    Raises:
        ScenarioError: It is not valid as the content of a file.
    """
    collector = ProblemCollector(locate)
    try:
        return ScenarioFile.model_validate(data)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            _report(data, _path_in(details["loc"]), details, collector)
    raise ScenarioError(collector.problems)


def report_errors(tree: dict[str, Any], error: ValidationError, path: KeyPath, collector: ProblemCollector) -> None:
    """Report the errors of a part that was validated separately.

    Args:
        tree: The file's content, as far as there is any.
        error: pydantic's error for the part.
        path: Key path of the part.
        collector: Receives the problems.
    """
    for details in error.errors(include_url=False, include_context=True):
        _report(tree, _path_in((*path, *details["loc"])), details, collector)


def report_all(tree: dict[str, Any], error: ValidationError, collector: ProblemCollector, top: type[BaseModel]) -> None:
    """Report all problems of data that is not a whole scenario file.

    Args:
        tree: The data.
        error: pydantic's error.
        collector: Receives the problems.
        top: The model of the whole.
    """
    for details in error.errors(include_url=False, include_context=True):
        path = _path_in(details["loc"])
        if details["type"] == _UNKNOWN_KEY and len(path) == 1:
            collector.at(path, f"unknown key{suggest(str(path[0]), top.model_fields)}")
        elif details["type"] == "missing" and len(path) == 1:
            collector.at((), f"the key {str(path[0])!r} is required")
        else:
            _report(tree, path, details, collector)


def _version_is_ours(tree: YamlMapping, collector: ProblemCollector) -> bool:
    version = tree.get("version")
    if type(version) is int and version > VERSION:
        what = f"written for a newer ssmic: format version {version}; this one reads version {VERSION}"
        collector.at(("version",), what)
        return False
    return True


def _tell_of_doubles(tree: YamlMapping, collector: ProblemCollector) -> None:
    """Report load profiles whose names are canonically equal; YAML has two keys, the scenario would have one."""
    profiles = tree.get("load_profiles")
    seen: dict[str, str] = {}
    for name in profiles if isinstance(profiles, dict) else ():
        first = seen.setdefault(canonical(name), name)
        if first != name:
            what = f"load profile {canonical(name)!r} already exists; the names differ only in Unicode form"
            collector.at(("load_profiles", name), what)


def _path_in(loc: tuple[str | int, ...]) -> KeyPath:
    """Return a pydantic location as a key path, without the names of union members."""
    path: list[str | int] = []
    for i, part in enumerate(loc):
        device = len(path) == 4 and path[0] == "houses" and path[2] == "devices"
        if device and part in ("consumer", "producer") and i == 4:
            continue
        if part == "[key]" and i == len(loc) - 1:
            # How pydantic marks an invalid key.
            continue
        if len(path) == 2 == i and path[0] in ("timeline", "expect") and part in _UNION_MEMBERS:
            continue
        if len(path) == 2 == i and path[0] in ("tariff", "community") and part in PRICE_FORMS:
            continue
        path.append(part)
    return tuple(path)


_UNION_MEMBERS = frozenset({*EVENT_ENTRIES, "text", "entry"})


def model_at(tree: dict[str, Any], path: KeyPath) -> type[BaseModel]:
    """Return the model of the mapping at `path`, the file's if there is no other."""
    return next(iter(models_at(tree, path)), ScenarioFile)


def _report(tree: dict[str, Any], path: KeyPath, details: ErrorDetails, collector: ProblemCollector) -> None:
    kind = details["type"]
    if kind == _UNKNOWN_KEY:
        if details["input"] is None and str(path[-1]).isdecimal():
            # YAML reads `{price: 0,35}` as `{price: 0, 35: null}`.
            collector.at(path, "unknown key; a number has a decimal point, not a comma")
        else:
            _report_unknown_key(tree, path, collector)
    elif kind == "missing" and isinstance(path[-1], int):
        collector.at(path[:-1], "a point is two numbers: [time, cumulative Wh]")
    elif kind == "missing":
        description = model_at(tree, path[:-1]).model_fields[str(path[-1])].description or ""
        collector.at(path, f"required ({description[0].lower()}{description[1:]})" if description else "required")
    else:
        collector.at(_device_type(path, kind), _in_words(path, details))


def _device_type(path: KeyPath, kind: str) -> KeyPath:
    if kind.startswith("union_tag"):
        return (*path, "do" if path[:1] == ("timeline",) else "type")
    return path


def _report_unknown_key(tree: dict[str, Any], path: KeyPath, collector: ProblemCollector) -> None:
    key = str(path[-1])
    model = model_at(tree, path[:-1])
    if not _is_of_other_type(tree, path):
        collector.at(path, f"unknown key{suggest(key, model.model_fields)}")
    elif model is ConsumerEntry:
        collector.at(path, "a consumer has no predictions; a panel is 'type: producer'")
    else:
        collector.at(path, "a producer has no load profile; a device that draws energy is 'type: consumer'")


def _is_of_other_type(tree: dict[str, Any], path: KeyPath) -> bool:
    """Return whether an unknown key of a device is one of a device of the other type."""
    model, key = model_at(tree, path[:-1]), path[-1]
    return (model is ConsumerEntry and key in ("predictions", "actual")) or (
        model is ProducerEntry and key == "load_profile"
    )


_WORDS = {
    "string_type": "text is expected",
    "int_type": "a whole number is expected",
    "int_from_float": "a whole number is expected",
    "float_type": "a number is expected",
    "finite_number": "a finite number is expected",
    "bool_type": "true or false is expected",
    "list_type": "a list is expected",
    "tuple_type": "a point is two numbers: [time, cumulative Wh]",
    "dict_type": "keys and their values are expected",
    "model_type": "keys and their values are expected",
    "model_attributes_type": "keys and their values are expected",
    "time_type": 'a time is expected: UNIX seconds, an ISO time with its offset, or "HH:MM" after the start',
    "union_tag_not_found": "required ('consumer' or 'producer')",
    "union_tag_invalid": "'consumer' or 'producer' is expected",
}


def _in_words(path: KeyPath, details: ErrorDetails) -> str:  # noqa: PLR0911 - one case for each kind
    kind, value, limits = details["type"], details["input"], details.get("ctx", {})
    if kind == "too_long" and path[-1:] != ("points",):
        return "a point is two numbers: [time, cumulative Wh]"
    if kind == "union_tag_not_found":
        return f"required (one of {', '.join(EVENT_ENTRIES)})" if path[:1] == ("timeline",) else _WORDS[kind]
    if kind == "union_tag_invalid" and path[:1] == ("timeline",):
        return f"there is no event {limits['tag']!r}{suggest(str(limits['tag']), EVENT_ENTRIES)}"
    if kind == "union_tag_invalid":
        return f"{_WORDS[kind]}, not {limits['tag']!r}{suggest(str(limits['tag']), ('consumer', 'producer'))}"
    if kind == "too_short" or (kind == "list_type" and value is None):
        return "is empty; at least one is needed"
    if kind == "string_too_short":
        return "is empty"
    words = _WORDS.get(kind)
    if kind in ("duration", "moment"):
        return f"{details['msg']}; not {_short(value)}"
    if kind == "identifier":
        message = f"{shown(str(value))} {limits['problem']}"
    else:
        message = f"{words or _limit_in_words(path, kind, limits) or details['msg']}, not {_short(value)}"
    return message


def _limit_in_words(path: KeyPath, kind: str, limits: dict[str, Any]) -> str:  # noqa: PLR0911 - one case for each kind
    match kind:
        case "greater_than_equal":
            return f"at least {limits['ge']:,.12g} is expected"
        case "greater_than":
            return f"a number above {limits['gt']:,.12g} is expected"
        case "less_than_equal":
            most = limits["le"]
            return f"at most {most if isinstance(most, int) else f'{most:,.12g}'} is expected"
        case "string_too_long":
            return f"at most {limits['max_length']} characters are expected"
        case "literal_error":
            return f"{limits['expected']} is expected"
        case "string_pattern_mismatch" if path == ("name",):
            return f"at most {MAX_NAME_LENGTH} letters, digits, - and _ are expected"
    return ""


def _short(value: object) -> str:
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
