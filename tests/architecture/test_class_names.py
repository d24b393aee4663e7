"""One public class name, one thing: whoever reads it knows which is meant, and no import needs an alias."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("agents", "broker", "scenarios", "ssmic", "tui")


def test_each_public_class_has_a_name_of_its_own() -> None:
    """Neither another class nor a type alias or constant of any package has it."""
    places: dict[str, list[str]] = defaultdict(list)
    classes = set()
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for name in names_defined_by(node):
                places[name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
                if isinstance(node, ast.ClassDef):
                    classes.add(name)

    assert {name: places[name] for name in sorted(classes) if len(places[name]) > 1} == {}


def names_defined_by(node: ast.stmt) -> Iterator[str]:
    """Yield the public names that a statement of a module gives to a class, a type or a constant."""
    match node:
        case ast.ClassDef(name=name):
            targets: list[ast.expr] = [ast.Name(name)]
        case ast.Assign(targets=several):
            targets = several
        case ast.AnnAssign(target=one):
            targets = [one]
        case _:
            return
    for target in targets:
        if isinstance(target, ast.Name) and not target.id.startswith("_"):
            yield target.id
