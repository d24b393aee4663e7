"""How the setups of two processes of a run differ; a setup is what a process was started with, part by part.

Parts are separated by blanks, each as `name:value`. A value that begins with `#` is a hash: it can only be compared.
Processes of a run compare their setups, and can say what differs.
"""

from __future__ import annotations

from collections.abc import Mapping


def setup_parts(setup: str) -> dict[str, str]:
    """Return the parts of a setup: value by name."""
    parts = (part.partition(":") for part in setup.split())
    return {name: value for name, _, value in parts}


def setup_differences(found: Mapping[str, str], expected: Mapping[str, str]) -> tuple[str, ...]:
    """Return how two setups differ, one phrase for each part: `seed '1', not '2'`, or `other jobs`.

    Args:
        found: Value by name of the part.
        expected: The parts of the clock's setup, in the same form.
    """
    phrases = []
    for name in sorted(found.keys() | expected.keys()):
        is_hash = any(parts.get(name, "#").startswith("#") for parts in (found, expected))
        if found.get(name) != expected.get(name):
            phrases.append(f"other {name}" if is_hash else f"{name} {found.get(name)!r}, not {expected.get(name)!r}")
    return tuple(phrases)
