"""Loads a scenario from a YAML file, a PySSMic input or a bundled name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import yaml

from scenarios.errors import Problem, ScenarioError
from scenarios.files import load_text, read_text, suggest
from scenarios.importers import import_source, needs_import
from scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Loaded:
    """A scenario, and what was assumed to complete it."""

    scenario: Scenario
    notes: tuple[str, ...] = ()
    """What an import assumed or left out, one sentence each."""


def load(source: str | Path, chosen: Mapping[str, str] | None = None) -> Loaded:
    """Return the scenario that `source` names.

    Args:
        source: A YAML file, a PySSMic input (folder, neighbourhood XML or pickle), or the name of a bundled scenario.
            An existing file or folder takes precedence; anything that looks like a path is never taken for a name.
        chosen: Values of a YAML file's variables and keys that replace its own: `--set`.

    Raises:
        ScenarioError: The scenario cannot be used; carries all problems found.
    """
    path = Path(source)
    if needs_import(path):
        if chosen:
            name = next(iter(chosen))
            raise ScenarioError([Problem(f"--set {name}", f"{path} is PySSMic input and has no variables")])
        imported = import_source(path)
        return Loaded(imported.scenario, imported.notes)
    if path.exists() or isinstance(source, Path) or path.suffix or path.name != str(source):
        return Loaded(load_text(read_text(path, str(path)), str(path), path.parent, chosen))
    return Loaded(_load_bundled(source, chosen))


def load_scenario(source: str | Path, chosen: Mapping[str, str] | None = None) -> Scenario:
    """Return the scenario that `source` names; see `load`."""
    return load(source, chosen).scenario


def check_scenario(source: str | Path) -> list[Problem]:
    """Return all problems of a scenario; empty where there are none."""
    try:
        load_scenario(source)
    except ScenarioError as error:
        return list(error.problems)
    return []


def bundled_names() -> list[str]:
    """Return the names of the bundled scenarios, in alphabetical order."""
    folder = resources.files("scenarios") / "bundled"
    if not folder.is_dir():
        return []
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def bundled_description(name: str) -> str:
    """Return the description of a bundled scenario on one line, without parsing the rest of the file."""
    with (resources.files("scenarios") / "bundled" / f"{name}.yaml").open(encoding="utf-8") as file:
        depth, key = 0, None
        for event in yaml.parse(file, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth, key = depth + 1, None
            elif isinstance(event, yaml.CollectionEndEvent):
                depth, key = depth - 1, None
            elif depth == 1 and isinstance(event, yaml.ScalarEvent):
                if key == "description":
                    return " ".join(event.value.split())
                key = event.value if key is None else None
    return ""


def _load_bundled(name: str, chosen: Mapping[str, str] | None = None) -> Scenario:
    names = bundled_names()
    if name not in names:
        what = f"there is no such file or folder, and no bundled scenario of this name{suggest(name, names)}"
        raise ScenarioError([Problem(name or "''", what)])
    with resources.as_file(resources.files("scenarios") / "bundled") as folder:
        return load_text(bundled_text(name), f"{name}.yaml", folder, chosen)


def bundled_text(name: str) -> str:
    """Return the text of a bundled scenario."""
    with resources.as_file(resources.files("scenarios") / "bundled") as folder:
        return read_text(folder / f"{name}.yaml", f"{name}.yaml")
