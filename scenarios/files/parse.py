"""Parses the text of a scenario file into a scenario, or all of its problems."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from scenarios.errors import Problem, ScenarioError
from scenarios.files.build import build_scenario
from scenarios.files.problems import KeyPath, ProblemCollector, in_words
from scenarios.files.validation import validate
from scenarios.files.variables import resolve_all
from scenarios.files.yaml_nodes import line_of, origin, parse_yaml
from scenarios.scenario import Scenario


def load_text(text: str, where: str, folder: Path | None, chosen: Mapping[str, str] | None = None) -> Scenario:
    """Return the scenario that a YAML text describes.

    Args:
        text: Content of the file.
        where: Name of the file, for messages.
        folder: Folder that file names in it are relative to; None: it cannot refer to files.
        chosen: Values of variables and keys that replace those of the file: `--set`.

    Raises:
        ScenarioError: It cannot be used; carries all problems.
    """
    tree = parse_yaml(text, where)
    included, problems = resolve_all(tree, where, folder, chosen or {})

    def locate(path: KeyPath) -> str:
        place = included.find(origin(tree, path))
        if place is None:
            return f"{where}:{line_of(tree, path)}: {in_words(origin(tree, path))}"
        file, part, own = place
        return f"{file}:{line_of(part, own)}: {in_words(own)}"

    collector = ProblemCollector(locate, partial(origin, tree), problems)
    file, unresolved = validate(tree, collector)
    try:
        if file is not None:
            return build_scenario(file, collector, folder=folder, unresolved=unresolved)
    except ScenarioError:
        # The collector already holds the problems that it carries.
        pass
    raise ScenarioError(sorted(dict.fromkeys(collector.problems), key=partial(_line, where)))


def _line(where: str, problem: Problem) -> int:
    found = re.match(r":(\d+)", problem.where.removeprefix(where))
    return int(found[1]) if found else 0
