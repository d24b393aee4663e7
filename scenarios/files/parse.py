"""Parses the text of a scenario file into a scenario, or all of its problems."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from scenarios.errors import Problem, ScenarioError
from scenarios.files.build import build_scenario
from scenarios.files.problems import ProblemCollector, in_words
from scenarios.files.validation import validate
from scenarios.files.yaml_nodes import line_of, origin, parse_yaml
from scenarios.scenario import Scenario


def load_text(text: str, where: str, folder: Path | None, *, allow_outside: bool = False) -> Scenario:
    """Return the scenario that a YAML text describes.

    Args:
        text: Content of the file.
        where: Name of the file, for messages.
        folder: Folder that file names in it are relative to; None: it cannot refer to files.
        allow_outside: Whether it may refer to files outside the folder.

    Raises:
        ScenarioError: It cannot be used; carries all problems.
    """
    tree = parse_yaml(text, where)
    collector = ProblemCollector(
        lambda path: f"{where}:{line_of(tree, path)}: {in_words(origin(tree, path))}", partial(origin, tree)
    )
    try:
        file, unresolved = validate(tree, collector)
        if file is not None:
            return build_scenario(file, collector, folder=folder, allow_outside=allow_outside, unresolved=unresolved)
    except ScenarioError:
        # The collector already holds the problems that it carries.
        pass
    raise ScenarioError(sorted(dict.fromkeys(collector.problems), key=partial(_line, where)))


def _line(where: str, problem: Problem) -> int:
    found = re.match(r":(\d+)", problem.where.removeprefix(where))
    return int(found[1]) if found else 0
