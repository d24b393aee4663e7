"""Resolves `vars`, `--set` and `include` in a scenario's text before its keys are read.

`${name}` anywhere in a value is replaced by a variable of `vars`. `include` names files whose content is merged below
that of the file itself: mappings are merged, lists are concatenated (included ones first), and the including file's
other values take precedence. Resolved values keep their lines, so that problems name them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from scenarios.errors import Problem, ScenarioError
from scenarios.files.file_reading import MAX_BYTES, check_inside, read_text
from scenarios.files.key_paths import UnknownKeyError, paths_of
from scenarios.files.problems import MOST_PROBLEMS, KeyPath, YamlValue, path_in_words
from scenarios.files.yaml_nodes import MAX_NODES, YamlMapping, YamlSequence, copied, parse_yaml, resolve
from scenarios.mistyped_names import suggest

VARS, INCLUDE = "vars", "include"
MAX_INCLUDED = 50
"""Files that one scenario may include, directly and by included files."""
MAX_NESTED = 50
"""Variables that refer to one another in a row."""
_USE = re.compile(r"\$\{([^}]*)\}")


class IncludedFiles:
    """The origin of the parts from included files, by key path in the merged tree."""

    def __init__(self) -> None:
        self.places: dict[tuple[str | int, ...], tuple[str, Any, tuple[str | int, ...]]] = {}
        """By key path: name of the file, its tree, and the key path there."""
        self.files = 0
        """How many files have been included."""
        self.size = 0
        """Their characters."""
        self.filled = 0
        """Characters and values that variables have been replaced by."""
        self.variables: dict[str, Any] = {}
        """The values of all variables, chosen ones included."""
        self.copies: dict[int, Any] = {}
        """By `id`, the lists and mappings that were copied as a value in them was chosen."""
        self.chosen: dict[KeyPath, str] = {}
        """By path of a value that was chosen instead of the file's, the key as it was written: `--set`."""

    def read(self, path: Path, where: str, root: Path | None) -> YamlMapping:
        """Return the content of a file to be included.

        Args:
            path: The file.
            where: Its name, for messages.
            root: Folder that it must not lie outside of; None: it may be anywhere.

        Raises:
            ScenarioError: It cannot be used.
        """
        if root is not None:
            check_inside(path, root, where)
        text = read_text(path, where)
        self.size += len(text)
        if self.size > MAX_BYTES:
            raise ScenarioError([Problem(where, f"included files are larger than {MAX_BYTES // 2**20} MB in all")])
        return parse_yaml(text, where)

    def fill(self, value: object) -> bool:
        """Count what a variable is replaced by; return whether the file stays within its size limit."""
        self.filled += len(value) if isinstance(value, str) else 20 * _count(value)
        return self.filled <= 20 * MAX_NODES

    def chosen_at(self, path: KeyPath) -> str | None:
        """Return the key of `--set` that the value at a path comes from; None: it comes from a file."""
        above = (path[:length] for length in range(len(path), 0, -1))
        return next((self.chosen[one] for one in above if one in self.chosen), None)

    def find(self, path: tuple[str | int, ...]) -> tuple[str, Any, tuple[str | int, ...]] | None:
        """Return the file of a value, its tree, and the key path in it; None: it stands in the file itself."""
        for length in range(len(path), 0, -1):
            if (place := self.places.get(path[:length])) is not None:
                where, tree, own = place
                return where, tree, (*own, *path[length:])
        return None


def resolve_all(
    tree: YamlMapping, where: str, folder: Path | None, chosen: Mapping[str, object], *, allow_outside: bool
) -> tuple[IncludedFiles, list[Problem]]:
    """Put included files and variables into a file's tree, in place.

    Args:
        tree: Content of the file.
        where: Its name, for messages.
        folder: Folder that included files are relative to; None: it cannot include files.
        chosen: Values of variables and keys that replace those of the file; text means what YAML takes it for: `--set`.
        allow_outside: Whether included files may lie outside the folder.

    Returns:
        Where included values stand, and the problems.
    """
    problems: list[Problem] = []
    included = IncludedFiles()
    if INCLUDE in chosen:
        tree[INCLUDE] = _chosen_value(INCLUDE, chosen[INCLUDE], problems)
        tree.lines.setdefault(INCLUDE, tree.line)
    seen = () if folder is None else (Path(os.path.realpath(where)),)
    _include(tree, where, folder, included, problems, seen, root=None if allow_outside else folder)
    line = tree.lines.get(VARS, tree.line)
    variables = tree.pop(VARS, {})
    if not isinstance(variables, dict):
        problems.append(Problem(f"{where}:{line}: {VARS}", "keys and their values are expected", (VARS,)))
        variables = {}
    values = dict(variables)
    lines = dict(variables.lines) if isinstance(variables, YamlMapping) else {}
    for key, written in chosen.items():
        if key == INCLUDE:
            continue
        value = _chosen_value(key, written, problems)
        name = key.removeprefix(f"{VARS}.")
        if name in variables:
            values[name] = value
            lines.pop(name, None)
            continue
        try:
            paths = paths_of(key, tree, tuple(variables))
        except UnknownKeyError as error:
            what = str(error).replace(f"unknown key {key!r}", f"{where} has no variable or key {key!r}", 1)
            problems.append(Problem(f"--set {key}", what))
            continue
        for path in paths:
            _choose(tree, path, value, key, included)
    places = {}
    for name in values:
        found = included.find((VARS, name))
        file = where if found is None else found[0]
        places[name] = f"{file}:{lines[name]}: {VARS}.{name}" if name in lines else f"--set {name}"
    values = _Variables(values, places, problems, included).resolved()
    included.variables = values
    _substitute(tree, values, where, (), problems, included)
    return included, problems


class _Variables:
    """Replaces variables within the values of variables."""

    def __init__(
        self, values: Mapping[str, Any], places: Mapping[str, str], problems: list[Problem], included: IncludedFiles
    ) -> None:
        self._values = values
        self._places = places
        self._problems = problems
        self._included = included
        self._resolved: dict[str, Any] = {}
        self._open: list[str] = []

    def resolved(self) -> dict[str, Any]:
        """Return the final value of each variable; problems are reported."""
        for name in self._values:
            self._resolve(name)
        return {name: self._resolved[name] for name in self._values}

    def _resolve(self, name: str) -> None:
        if name in self._resolved:
            return
        value = self._values[name]
        used = dict.fromkeys(_names_in(value))
        self._open.append(name)
        for other in used:
            if other in self._open:
                circle = " -> ".join((*self._open[self._open.index(other) :], other))
                self._problem(name, f"the variable refers to itself: {circle}")
                used = {}
            elif other in self._values and len(self._open) > MAX_NESTED:
                self._problem(name, f"variables are nested more than {MAX_NESTED} deep")
                used = {}
            elif other in self._values:
                self._resolve(other)
        self._open.pop()
        if used:
            value = self._replaced(value, name, {**self._values, **self._resolved})
            if not self._included.fill(value):
                self._problem(name, "the variables make the file too large")
                value = self._values[name]
        # A variable of a circle has got its value where the circle was found.
        self._resolved.setdefault(name, value)

    def _replaced(self, value: YamlValue, name: str, known: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any YAML value
        if isinstance(value, str):
            return _filled(value, known, self._places[name], (VARS, name), self._problems)
        if isinstance(value, YamlMapping | YamlSequence):
            value = copied(value)
            for key, inner in value.items() if isinstance(value, YamlMapping) else enumerate(value):
                value[key] = self._replaced(inner, name, known)
        return value

    def _problem(self, name: str, what: str) -> None:
        self._problems.append(Problem(self._places[name], what, (VARS, name)))


def _names_in(value: YamlValue) -> Iterator[str]:
    """Yield the names of the variables that a value uses, also those within a list or mapping."""
    if isinstance(value, str):
        yield from _USE.findall(value)
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _names_in(inner)


def meaning(written: str, key: str) -> YamlValue:
    """Return what the text of `--set` means in YAML: a scalar, text in quotes, or a list or mapping in brackets.

    Args:
        written: The text.
        key: The key that it is for, for messages.

    Raises:
        ScenarioError: It is not valid YAML.
    """
    text = written.strip()
    is_quoted = len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]
    if not is_quoted and not text.startswith(("[", "{")):
        return resolve(written)
    return parse_yaml(f"value: {written}", f"--set {key}")["value"]


def _chosen_value(key: str, written: object, problems: list[Problem]) -> YamlValue:
    if not isinstance(written, str):
        return written
    try:
        return meaning(written, key)
    except ScenarioError as error:
        problems += [replace(problem, where=f"--set {key}", path=()) for problem in error.problems]
        return None


def _choose(tree: YamlMapping, path: KeyPath, value: YamlValue, key: str, included: IncludedFiles) -> None:
    """Put a chosen value into a file's tree; mappings above it that the file does not have are made."""
    node: Any = tree
    for i, part in enumerate(path[:-1], start=1):
        if isinstance(node, YamlMapping) and node.get(str(part)) is None:
            node[str(part)] = YamlMapping(node.line)
            node.lines[str(part)] = node.line
            included.chosen[path[:i]] = key
        elif id(node[part]) not in included.copies:
            # An alias stands for the same object in several places, of which only this one changes.
            node[part] = copied(node[part])
            included.copies[id(node[part])] = node[part]
        node = node[part]
    node[path[-1]] = value
    if isinstance(node, YamlMapping):
        node.lines.setdefault(str(path[-1]), node.line)
    included.chosen[path] = key


def _include(
    tree: YamlMapping,
    where: str,
    folder: Path | None,
    included: IncludedFiles,
    problems: list[Problem],
    seen: tuple[Path, ...],
    *,
    root: Path | None,
) -> None:
    if INCLUDE not in tree:
        return
    line = tree.lines.get(INCLUDE, tree.line)
    names = tree.pop(INCLUDE)
    for name in names if isinstance(names, list) else [names]:
        place = f"{where}:{line}: {INCLUDE}"
        if not isinstance(name, str) or not name:
            problems.append(Problem(place, "the name of a file is expected, or a list of them", (INCLUDE,)))
            continue
        if folder is None:
            problems.append(Problem(place, "a file cannot be referred to here", (INCLUDE,)))
            continue
        path = Path(os.path.realpath(folder / name))  # also of a loop of links, which reading refuses
        if path in seen:
            problems.append(Problem(place, f"{name!r} includes itself", (INCLUDE,)))
            continue
        included.files += 1
        if included.files > MAX_INCLUDED or len(problems) >= MOST_PROBLEMS:
            if included.files == MAX_INCLUDED + 1:
                problems.append(Problem(place, f"more than {MAX_INCLUDED} files are included", (INCLUDE,)))
            return
        # Without links resolved, as the user has named the folder.
        shown = str(folder / name)
        try:
            part = included.read(path, shown, root)
        except ScenarioError as error:
            problems += [
                replace(problem, where=f"{place}: {problem.where}", path=(INCLUDE,)) for problem in error.problems
            ]
            continue
        _include(part, shown, (folder / name).parent, included, problems, (*seen, path), root=root)
        _join(tree, part, shown, included)


def _join(tree: YamlMapping, part: YamlMapping, where: str, included: IncludedFiles) -> None:
    """Put an included file's content into a tree, where the tree does not say otherwise."""
    for key, value in part.items():
        mine = tree.get(key)
        if key not in tree:
            tree[key] = value
            tree.lines[key] = part.lines[key]
            included.places[key,] = (where, part, (key,))
        elif isinstance(mine, YamlMapping) and isinstance(value, YamlMapping):
            for name, inner in value.items():
                if name not in mine:
                    mine[name] = inner
                    mine.lines[name] = value.lines[name]
                    included.places[key, name] = (where, part, (key, name))
        elif isinstance(mine, YamlSequence) and isinstance(value, YamlSequence):
            count = len(value)
            included.places = {
                (key, at[1] + count) if at[0] == key and len(at) == 2 and isinstance(at[1], int) else at: place
                for at, place in included.places.items()
            }
            mine[:0] = list(value)
            mine.lines[:0] = list(value.lines)
            for index in range(count):
                included.places[key, index] = (where, part, (key, index))


def _substitute(
    node: YamlValue,
    values: Mapping[str, Any],
    where: str,
    path: tuple[str | int, ...],
    problems: list[Problem],
    included: IncludedFiles,
) -> None:
    pairs = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    for key, value in pairs:
        if isinstance(value, str) and "${" in value:
            line = node.lines[key]
            place = included.find((*path, key))
            file = where if place is None else place[0]
            is_within = included.filled <= 20 * MAX_NODES
            filled = _filled(value, values, f"{file}:{line}: {path_in_words((*path, key))}", (*path, key), problems)
            if included.fill(filled):
                node[key] = filled
            elif is_within:
                what = "the variables make the file too large; the rest of them is not replaced"
                problems.append(Problem(f"{file}:{line}: {path_in_words((*path, key))}", what, (*path, key)))
        elif isinstance(value, dict | list):
            _substitute(value, values, where, (*path, key), problems, included)


def _count(value: object) -> int:
    """Return of how many values a value consists."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_count, inner))


def _filled(
    text: str, values: Mapping[str, Any], place: str, path: tuple[str | int, ...], problems: list[Problem]
) -> YamlValue:
    whole = _USE.fullmatch(text)
    unknown = [name for name in _USE.findall(text) if name not in values]
    problems += [Problem(place, f"there is no variable {name!r}{suggest(name, values)}", path) for name in unknown]
    if unknown:
        return text
    if whole is not None:
        return values[whole[1]]
    return _USE.sub(lambda found: str(values[found[1]]), text)
