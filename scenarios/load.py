"""Loads a scenario from a YAML file, a PySSMic input or a bundled name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, TypeGuard

import yaml

from broker import rare_collections
from scenarios.errors import Problem, ScenarioError
from scenarios.files import Document, load_text, plain_content, read_text, to_yaml
from scenarios.importers import import_source, needs_import
from scenarios.mistyped_names import suggest
from scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class LoadedScenario:
    """A scenario, and what was assumed to complete it."""

    scenario: Scenario
    notes: tuple[str, ...] = ()
    """What an import or a table of measurements made us assume or leave out, one sentence each."""


def load(
    source: str | Path,
    chosen: Mapping[str, str] | None = None,
    *,
    allow_outside: bool = False,
    is_read_again: bool = False,
) -> LoadedScenario:
    """Return the scenario that `source` names.

    Args:
        source: A YAML file, a PySSMic input (folder, neighbourhood XML or pickle), or the name of a bundled scenario.
            An existing file or folder takes precedence; anything that looks like a path is never taken for a name.
        chosen: Values of a YAML file's variables and keys that replace its own: `--set`.
        allow_outside: Whether a YAML file may refer to files outside its folder.
        is_read_again: Whether a pipe is refused: it is read only once, and reading one waits for its writer.

    Raises:
        ScenarioError: The scenario cannot be used; carries all problems found.
    """
    with rare_collections():
        return _load(source, chosen, allow_outside=allow_outside, any_kind=not is_read_again)


def _load(
    source: str | Path, chosen: Mapping[str, str] | None, *, allow_outside: bool, any_kind: bool
) -> LoadedScenario:
    path = Path(source)
    if needs_import(path):
        if chosen:
            name = next(iter(chosen))
            raise ScenarioError([Problem(f"--set {name}", f"{path} is PySSMic input and has no variables")])
        imported = import_source(path)
        return LoadedScenario(imported.scenario, imported.notes)
    if not _is_name(source):
        notes: list[str] = []
        text = read_text(path, str(path), any_kind=any_kind)
        scenario = load_text(text, str(path), path.parent, notes, chosen=chosen, allow_outside=allow_outside)
        return LoadedScenario(scenario, tuple(notes))
    return LoadedScenario(_load_bundled(source, chosen))


def load_scenario(
    source: str | Path, chosen: Mapping[str, str] | None = None, *, allow_outside: bool = False
) -> Scenario:
    """Return the scenario that `source` names; see `load` for `chosen` and `allow_outside`."""
    return load(source, chosen, allow_outside=allow_outside).scenario


@dataclass(frozen=True, slots=True)
class ScenarioContent:
    """A scenario's file as plain data, in which values can be replaced before it is built."""

    data: dict[str, Any]
    """By key of the file, as YAML has it."""
    where: str
    """Its name, for messages."""
    folder: Path | None
    """Folder that file names in it are relative to."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """Its `vars`, which have been inserted already."""


def load_content(
    source: str | Path, chosen: Mapping[str, object] | None = None, *, allow_outside: bool = False
) -> ScenarioContent:
    """Return the content of the file that `source` names; that of an import is what `ssmic import` writes.

    Args:
        source: As for `load`.
        chosen: Values of a YAML file's variables and keys that replace its own: `--set`.
        allow_outside: Whether a YAML file may include files outside its folder.

    Raises:
        ScenarioError: see `load`; the content of a YAML file need not be valid.
    """
    path = Path(source)
    if needs_import(path):
        return ScenarioContent(Document(to_yaml(import_source(path).scenario)).value(), str(path), path.parent)
    if not _is_name(source):
        text = read_text(path, str(path), any_kind=True)
        where, folder = str(path), path.parent
    else:
        _check_bundled(source)
        # Bundled scenarios refer to no files.
        text, where, folder = bundled_text(source), f"{source}.yaml", None
    data, variables = plain_content(text, where, folder, chosen, allow_outside=allow_outside)
    return ScenarioContent(data, where, folder, variables)


def _is_name(source: str | Path) -> TypeGuard[str]:
    """Return whether a source is read as the name of a bundled scenario, and not as a file."""
    path = Path(source)
    if isinstance(source, Path) or path.suffix or path.name != source:
        return False
    try:
        return not path.exists()
    except OSError:
        return False  # reading it says why


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


def _check_bundled(name: str) -> None:
    names = bundled_names()
    if name not in names:
        what = f"there is no such file or folder, and no bundled scenario of this name{suggest(name, names)}"
        raise ScenarioError([Problem(name or "''", what)])


def _load_bundled(name: str, chosen: Mapping[str, str] | None) -> Scenario:
    _check_bundled(name)
    with resources.as_file(resources.files("scenarios") / "bundled") as folder:
        return load_text(bundled_text(name), f"{name}.yaml", folder, chosen=chosen)


def bundled_text(name: str) -> str:
    """Return the text of a bundled scenario."""
    with resources.as_file(resources.files("scenarios") / "bundled") as folder:
        return read_text(folder / f"{name}.yaml", f"{name}.yaml")
