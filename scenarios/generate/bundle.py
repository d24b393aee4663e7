"""The scenarios that ship with the package, as the text of their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from scenarios.generate.street import NOTES, PREFACE, street
from scenarios.generate.writing import scenario_yaml

FOLDER = Path(__file__).resolve().parent.parent / "bundled"
"""Where the files are."""


def _street() -> str:
    return scenario_yaml(street(), preface=PREFACE, notes=NOTES)


TEXTS: Mapping[str, Callable[[], str]] = MappingProxyType({"street": _street})
"""By the scenario's name: what its file says."""


def write_bundled(folder: Path = FOLDER) -> list[Path]:
    """Write the files of all bundled scenarios into the folder and return them."""
    written = []
    for name, text in TEXTS.items():
        path = folder / f"{name}.yaml"
        path.write_text(text(), encoding="utf-8", newline="\n")
        written.append(path)
    return written
