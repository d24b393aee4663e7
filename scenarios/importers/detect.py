"""Detects the format of an input by its content and imports it: `ssmic import`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from scenarios.errors import Problem, ScenarioError
from scenarios.importers.assumptions import ImportedScenario
from scenarios.importers.greencharge_xml import import_greencharge, is_greencharge, neighbourhood_in
from scenarios.importers.pyssmic_folder import import_folder
from scenarios.importers.pyssmic_pickle import import_pickle
from scenarios.importers.pyssmic_xml import import_xml

_LOOK_AT = 256


def needs_import(path: Path) -> bool:
    """Return whether a path looks like a PySSMic input and not like a YAML scenario, judging by its beginning."""
    try:
        return path.is_dir() or (path.is_file() and _kind_of(path) is not None)
    except (ScenarioError, OSError):
        # The error is reported when the file is read.
        return False


def import_source(source: str | Path, *, jobs: Path | None = None, loads: Sequence[Path] = ()) -> ImportedScenario:
    """Return the scenario of a PySSMic folder, a neighbourhood XML, also GreenCharge's, or a neighbourhood pickle.

    Args:
        source: Folder or file; its content decides on the format, not its name.
        jobs: A jobs XML for a neighbourhood; None: no further jobs, or the loads next to a GreenCharge neighbourhood.
        loads: Folders with load profiles that a neighbourhood refers to.

    Raises:
        ScenarioError: It has no known format or cannot be used; carries all problems.
    """
    try:
        return _imported(Path(source), jobs, loads)
    except OSError as error:
        # A path that cannot even be looked up, such as one in a folder that only others may enter.
        where = source if error.filename is None else os.fsdecode(error.filename)
        raise ScenarioError([Problem(str(where), f"cannot be read: {error.strerror}")]) from None


def _imported(path: Path, jobs: Path | None, loads: Sequence[Path]) -> ImportedScenario:
    if path.is_dir() and (neighbourhood := neighbourhood_in(path)) is not None:
        path = neighbourhood
    if path.is_dir():
        if jobs is not None or loads:
            what = "an input folder holds its own jobs and load profiles; others cannot be added to it"
            raise ScenarioError([Problem(str(path), what)])
        return import_folder(path)
    missing = [folder for folder in loads if not folder.is_dir()]
    if missing:
        raise ScenarioError([Problem(str(folder), "there is no such folder") for folder in missing])
    kind = _kind_of(path)
    if kind == "xml" and is_greencharge(path):
        return import_greencharge(path, jobs=jobs, loads=loads)
    if kind is not None:
        return (import_xml if kind == "xml" else import_pickle)(path, jobs=jobs, loads=loads)
    what = "is no input of PySSMic or GreenCharge: a folder, a neighbourhood XML or a neighbourhood pickle is expected"
    if path.suffix.lower() in (".yaml", ".yml"):
        what += "; a YAML scenario needs no import"
    raise ScenarioError([Problem(str(path), what)])


def _kind_of(path: Path) -> Literal["xml", "pickle"] | None:
    begin = _begin(path)
    if begin.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or path.suffix.lower() == ".xml":
        return "xml"
    return "pickle" if begin.startswith(b"\x80") or path.suffix.lower() in (".pkl", ".pickle") else None


def _begin(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
            raise ScenarioError([Problem(str(path), "is a pipe, a device or a socket; a file is expected")])
        with path.open("rb") as file:
            return file.read(_LOOK_AT)
    except FileNotFoundError:
        raise ScenarioError([Problem(str(path), "there is no such file or folder")]) from None
    except OSError as error:
        raise ScenarioError([Problem(str(path), f"cannot be read: {error.strerror}")]) from None
