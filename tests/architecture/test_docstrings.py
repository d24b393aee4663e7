"""Docstrings: they describe parameters, and say more than the name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("agents", "broker", "scenarios", "ssmic", "tui")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules(package: str) -> list[tuple[Path, ast.Module]]:
    """Return the modules of a package, parsed."""
    paths = sorted((ROOT / package).rglob("*.py"))
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


@pytest.mark.parametrize("package", PACKAGES)
def test_nine_in_ten_public_functions_describe_their_parameters(package: str) -> None:
    """Those with three or more parameters, or an array: meaning, unit, shape."""
    found = [
        (f"{path.relative_to(ROOT)}:{function.lineno} {function.name}", describes(function))
        for path, module in modules(package)
        for function in public_functions(module)
        if len(parameters(function)) >= 3 or has_array(function)
    ]
    missing = [name for name, is_described in found if not is_described]

    assert len(missing) <= len(found) / 10, missing


@pytest.mark.parametrize("package", PACKAGES)
def test_no_short_docstring_only_repeats_its_name(package: str) -> None:
    """One of at most four words has one that is neither in the name of its function nor in that of its class."""
    repeating = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {text}"
        for path, module in modules(package)
        for node, outer in named(module)
        if (text := ast.get_docstring(node)) and len(text.split()) <= 4
        if not words_of(text) - EMPTY_WORDS - words_of(f"{node.name} {outer}")
    ]

    assert repeating == []


EMPTY_WORDS = frozenset(
    [
        "a",
        "all",
        "an",
        "draw",
        "for",
        "from",
        "in",
        "it",
        "its",
        "new",
        "of",
        "on",
        "one",
        "other",
        "return",
        "show",
        "the",
        "these",
        "thi",
        "to",
        "yield",
    ]
)
"""They say nothing by themselves."""


def named(node: ast.AST, outer: str = "") -> Iterator[tuple[Function | ast.ClassDef, str]]:
    """Yield functions and classes, each with the name of the class around it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef):
            yield child, outer
        yield from named(child, child.name if isinstance(child, ast.ClassDef) else outer)


def words_of(text: str) -> set[str]:
    """Return the words of a text or name in small letters, without a plural's or a verb's s."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower()
    return {word.removesuffix("s") for word in re.findall("[a-z]+", apart)}


def public_functions(node: ast.AST) -> Iterator[Function]:
    """Yield the functions and methods with a docstring; commands describe their parameters in `--help`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from public_functions(child)
        elif isinstance(child, Function) and (child.name == "__init__" or not child.name.startswith("_")):
            is_command = any("command" in ast.unparse(decorator) for decorator in child.decorator_list)
            if ast.get_docstring(child) and not is_command:
                yield child


def parameters(function: Function) -> list[str]:
    """Return the names of a function's parameters, `self` and `cls` excluded."""
    of = function.args
    return [one.arg for one in (*of.posonlyargs, *of.args, *of.kwonlyargs) if one.arg not in {"self", "cls"}]


def has_array(function: Function) -> bool:
    """Return whether a parameter or the result is an array."""
    of = function.args
    annotations = [function.returns, *(one.annotation for one in (*of.posonlyargs, *of.args, *of.kwonlyargs))]
    return any("Array" in ast.unparse(one) for one in annotations if one is not None)


def describes(function: Function) -> bool:
    """Return whether the docstring has a section on the parameters, names them, or refers to another one."""
    text = ast.get_docstring(function) or ""
    names = parameters(function)
    return (
        "Args:" in text
        or "See `" in text
        or "see `" in text
        or (len(names) < 3 and "shape" in text)
        or (len(names) >= 3 and sum(f"`{name}`" in text for name in names) >= len(names) - 1)
    )
