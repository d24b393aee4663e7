"""Front doors: each name that a package offers is there."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(
    ".".join(stub.parent.relative_to(ROOT).parts)
    for floor in ("agents", "broker", "scenarios", "tui")
    for stub in (ROOT / floor).rglob("__init__.pyi")
)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_in_the_front_door_is_behind_it(package: str) -> None:
    """Names are looked up when they are used first, so a stale one would show late."""
    door = import_module(package)
    assert door.__all__
    for name in door.__all__:
        assert getattr(door, name) is not None, name
