"""Detects whether another distribution's package hides one of ssmic's: `openai-agents` also installs `agents`."""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_MARKS = {"agents": "job_sequencing", "broker": "identifiers", "scenarios": "scenario", "tui": "exit_codes"}
"""By package of ssmic, a module that it contains."""


class ShadowedError(ImportError):
    """Another distribution's package hides one of ssmic's packages."""


@cache
def check_own_packages() -> None:
    """Check that the imported packages belong to this distribution.

    Raises:
        ShadowedError: A package is another distribution's; the message states the remedy.
    """
    for package, mark in _MARKS.items():
        problem = _problem(package, mark)
        if problem:
            raise ShadowedError(problem)


def _problem(package: str, mark: str) -> str:
    try:
        spec = find_spec(package)
        # Searched next to the package: an editable installation finds our modules even below another's package.
        folders = () if spec is None else spec.submodule_search_locations or ()
        is_ours = any((Path(folder) / f"{mark}.py").is_file() for folder in folders)
    except Exception:  # noqa: BLE001 - a package of others may fail in any way when it is imported
        spec, is_ours = None, False
    if is_ours:
        return ""
    where = f" (at {spec.origin})" if spec is not None and spec.origin else ""
    return (
        f"another distribution's package {package!r}{where} hides the one of ssmic (openai-agents installs such an "
        "'agents'): install ssmic in a virtual environment of its own, as `make run` does in a clone of its repository"
    )


def main() -> None:
    """Run the command `ssmic`, or state in one line why it cannot run."""
    try:
        check_own_packages()
    except ShadowedError as error:
        sys.stderr.write(f"ssmic: {error}\n")
        raise SystemExit(1) from None
    from importlib import import_module  # noqa: PLC0415 - the command's own modules come after the check

    import_module("tui.__main__").main()
