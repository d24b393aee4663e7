"""Parses the text of a scenario file into a scenario, or all of its problems."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from scenarios.errors import Problem, ScenarioError
from scenarios.files.build import build_scenario
from scenarios.files.problems import KeyPath, ProblemCollector, YamlValue, locate_in, path_in_words
from scenarios.files.validation import make_file, validate
from scenarios.files.variables import resolve_all
from scenarios.files.yaml_nodes import line_of, origin, parse_yaml
from scenarios.scenario import Scenario


def load_text(
    text: str,
    where: str,
    folder: Path | None,
    notes: list[str] | None = None,
    *,
    chosen: Mapping[str, str] | None = None,
    allow_outside: bool = False,
) -> Scenario:
    """Return the scenario that a YAML text describes.

    Args:
        text: Content of the file.
        where: Name of the file, for messages.
        folder: Folder that file names in it are relative to; None: it cannot refer to files.
        notes: Receives what was assumed of files that it refers to, one sentence each.
        chosen: Values of variables and keys that replace those of the file: `--set`.
        allow_outside: Whether it may refer to files outside the folder, and include them.

    Raises:
        ScenarioError: It cannot be used; carries all problems.
    """
    tree = parse_yaml(text, where)
    included, of_variables = resolve_all(tree, where, folder, chosen or {}, allow_outside=allow_outside)

    def locate(path: KeyPath) -> str:
        chosen_key = included.chosen_at(origin(tree, path))
        if chosen_key is not None:
            return f"--set {chosen_key}"
        place = included.find(origin(tree, path))
        if place is None:
            return f"{where}:{line_of(tree, path)}: {path_in_words(origin(tree, path))}"
        file, part, own = place
        return f"{file}:{line_of(part, own)}: {path_in_words(own)}"

    collector = ProblemCollector(locate, partial(origin, tree), [*of_variables])
    try:
        collector.stop_if_too_many()
        file, unresolved = validate(tree, collector)
        if file is not None:
            scenario = build_scenario(
                file, collector, folder=folder, allow_outside=allow_outside, unresolved=unresolved
            )
            if notes is not None:
                notes += collector.notes
            return scenario
    except ScenarioError:
        # The collector already holds the problems that it carries.
        pass
    # What is not replaced, because there is no such variable, is wrong for no other reason.
    unfilled = {problem.path for problem in of_variables if problem.path}
    reported = (problem for problem in collector.problems if problem in of_variables or problem.path not in unfilled)
    raise ScenarioError(sorted(dict.fromkeys(reported), key=partial(_line, where)))


def plain_content(
    text: str,
    where: str,
    folder: Path | None,
    chosen: Mapping[str, object] | None,
    *,
    allow_outside: bool,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the content of a YAML text as plain data, with its variables and included files put in; and the variables.

    Args:
        text: Content of the file.
        where: Name of the file, for messages.
        folder: Folder that file names in it are relative to; None: it cannot refer to files.
        chosen: Values of variables and keys that replace those of the file; text as `--set` has it.
        allow_outside: Whether it may include files outside the folder.

    Raises:
        ScenarioError: Its text, a variable or an included file cannot be used; the content need not be valid.
    """
    tree = parse_yaml(text, where)
    included, problems = resolve_all(tree, where, folder, chosen or {}, allow_outside=allow_outside)
    if problems:
        raise ScenarioError(problems)
    return _plain(tree), _plain(included.variables)


def _plain(node: YamlValue) -> YamlValue:
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    return [_plain(value) for value in node] if isinstance(node, list) else node


def parse_content(content: dict[str, Any], where: str, folder: Path | None, *, allow_outside: bool) -> Scenario:
    """Return the scenario that plain data describes, as a YAML text holds them.

    Args:
        content: Content of a file.
        where: Where it comes from, for messages.
        folder: Folder that file names in it are relative to; None: it cannot refer to files.
        allow_outside: Whether it may refer to files outside the folder.

    Raises:
        ScenarioError: It cannot be used; carries all problems.
    """
    locate = locate_in(where)
    file = make_file(content, locate)
    return build_scenario(file, ProblemCollector(locate), folder=folder, allow_outside=allow_outside)


def _line(where: str, problem: Problem) -> int:
    found = re.match(r":(\d+)", problem.where.removeprefix(where))
    return int(found[1]) if found else 0
