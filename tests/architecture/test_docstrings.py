"""Public functions with several parameters, or an array, describe them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("agents", "broker", "scenarios", "ssmic", "tui")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@pytest.mark.parametrize("package", PACKAGES)
def test_nine_in_ten_public_functions_describe_their_parameters(package: str) -> None:
    """Those with three or more parameters, or an array: meaning, unit, shape."""
    found = [
        (f"{path.relative_to(ROOT)}:{function.lineno} {function.name}", describes(function))
        for path in sorted((ROOT / package).rglob("*.py"))
        for function in public_functions(ast.parse(path.read_text(encoding="utf-8")))
        if len(parameters(function)) >= 3 or has_array(function)
    ]
    missing = [name for name, is_described in found if not is_described]

    assert len(missing) <= len(found) / 10, missing


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
