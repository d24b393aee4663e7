"""Refuses files outside of a folder: a scenario from someone else must not read what lies elsewhere."""

from __future__ import annotations

from pathlib import Path

from scenarios.errors import Problem, ScenarioError


def check_inside(path: Path, folder: Path, where: str) -> None:
    """Raise `ScenarioError` if a file lies outside a folder, also where a symbolic link in the folder leads there.

    Args:
        path: The file.
        folder: The folder of the scenario that refers to it.
        where: Its name, for messages.
    """
    try:
        is_inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, or a name that no file has
        is_inside = False
    if not is_inside:
        what = "lies outside the scenario's folder: move it there, or give --allow-outside"
        raise ScenarioError([Problem(where, what)])
