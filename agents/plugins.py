"""Schedulers and consumers from other packages, as entry points `ssmic.schedulers` and `ssmic.agents`."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from agents.errors import SettingsError

SCHEDULERS = "ssmic.schedulers"
AGENTS = "ssmic.agents"
_CONSUMER = ("agents.consumer", "Consumer")
"""Module and name of what a plug-in of `AGENTS` extends; the module imports this one."""


@cache
def plugins(group: str) -> dict[str, EntryPoint]:
    """Return the plug-ins of a group that are installed, by name.

    Args:
        group: `SCHEDULERS` or `AGENTS`.
    """
    return {point.name: point for point in sorted(entry_points(group=group), key=lambda point: point.name)}


def known_strategies() -> tuple[str, ...]:
    """Return the names of the consumer strategies that are installed."""
    return tuple(plugins(AGENTS))


def load_plugin(group: str, name: str) -> Any:  # noqa: ANN401 - what another package made
    """Return the object that a plug-in's entry point names: a class, or a factory function.

    Raises:
        SettingsError: There is no such plug-in, or it cannot be loaded.
    """
    point = plugins(group).get(name)
    if point is None:
        known = ", ".join(plugins(group)) or "none is installed"
        raise SettingsError((f"there is no plug-in {name!r} of {group}: {known}",))
    try:
        loaded = point.load()
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise SettingsError((f"plug-in {name!r} ({point.value}) cannot be loaded: {what}",)) from error
    if group == AGENTS and _CONSUMER not in {
        (base.__module__, base.__qualname__) for base in getattr(loaded, "__mro__", ())
    }:
        raise SettingsError((f"plug-in {name!r} ({point.value}): expected a subclass of agents.Consumer",))
    every_s = getattr(loaded, "wakes_every_s", 1)
    if group == AGENTS and (not isinstance(every_s, int) or every_s < 1):
        raise SettingsError((f"plug-in {name!r} ({point.value}): wakes_every_s: expected a whole number from 1 on",))
    return loaded
