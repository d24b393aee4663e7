"""Schedulers, consumers and rankings from other packages, as entry points `ssmic.schedulers` and the like."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import TracebackType
from typing import Any

from agents.errors import SettingsError
from broker import PluginError, printable_line

SCHEDULERS = "ssmic.schedulers"
AGENTS = "ssmic.agents"
_CONSUMER = ("agents.consumer", "Consumer")
"""Module and name of what a plug-in of `AGENTS` extends; the module imports this one."""
_MOST_CHARACTERS = 300
"""How much of the text of a plug-in's exception is shown."""

_named: dict[type, str] = {}
"""Loaded consumers, and how messages name them."""


@cache
def plugins(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    """Return the plug-ins of a group that are installed, by name; several where packages use the same name.

    Args:
        group: `SCHEDULERS`, `AGENTS` or `RANKINGS`.
    """
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
        found[point.name] = (*found.get(point.name, ()), point)
    return found


def known_strategies() -> tuple[str, ...]:
    """Return the names of the consumer strategies that are installed."""
    return tuple(plugins(AGENTS))


def is_installed(group: str, name: str) -> bool:
    """Return whether there is a plug-in of this name."""
    return name in plugins(group)


def plugin_name(group: str, name: str) -> str:
    """Return how messages name an installed plug-in."""
    return f"plug-in {name!r} ({plugins(group)[name][0].value})"


def load_plugin(group: str, name: str) -> Any:  # noqa: ANN401 - what another package made
    """Return the object that a plug-in's entry point names: a class, or a factory function.

    Raises:
        SettingsError: There is no such plug-in, several packages have one of this name, or it cannot be loaded.
    """
    points = plugins(group).get(name)
    if points is None:
        known = ", ".join(plugins(group)) or "none is installed"
        raise SettingsError((f"there is no plug-in {name!r} of {group}: {known}",))
    if len(points) > 1:
        named = "; ".join(f"{point.value} of package {point.dist.name if point.dist else '?'}" for point in points)
        raise SettingsError((f"there are {len(points)} plug-ins {name!r} of {group}: {named}; uninstall all but one",))
    plugin = plugin_name(group, name)
    with refusing(f"{plugin} cannot be loaded"):
        loaded = points[0].load()
    if group != AGENTS:
        return loaded
    if _CONSUMER not in {(base.__module__, base.__qualname__) for base in getattr(loaded, "__mro__", ())}:
        raise SettingsError((f"{plugin}: expected a subclass of agents.Consumer",))
    every_s = getattr(loaded, "wakes_every_s", 1)
    if not isinstance(every_s, int) or every_s < 1:
        raise SettingsError((f"{plugin}: wakes_every_s: expected a whole number of at least 1",))
    _named[loaded] = plugin
    return loaded


def make_from_plugin(group: str, name: str, kind: str, methods: Sequence[str]) -> Any:  # noqa: ANN401 - of another package
    """Return what an installed plug-in makes when it is called without arguments.

    Args:
        group: `SCHEDULERS` or `RANKINGS`.
        name: The plug-in.
        kind: What it should make, for messages.
        methods: Those that this must have.

    Raises:
        SettingsError: The plug-in cannot be loaded, fails, or makes something else.
    """
    make, plugin = load_plugin(group, name), plugin_name(group, name)
    with refusing(f"{plugin} cannot make a {kind}", "a class or function without arguments"):
        made = make()
    for method in methods:
        with refusing(f"{plugin} failed in {method}"):
            found = getattr(made, method, None)
        if not callable(found):
            raise SettingsError((f"{plugin}: expected a {kind}, with the method {method!r}",))
    return made


@contextmanager
def refusing(problem: str, expected: str = "") -> Iterator[None]:
    """Load or make a plug-in before the run: its exceptions become a `SettingsError`.

    Args:
        problem: What is wrong with the plug-in if it raises one.
        expected: What was expected of it; empty: that it raises none.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        more = f"; expected {expected}" if expected else ""
        raise SettingsError((f"{problem}: {error_line(error)}{more}",)) from error


def plugin_of(kind: type) -> str | None:
    """Return how messages name the plug-in that a consumer's class is; None: it is one of our own."""
    return _named.get(kind)


@contextmanager
def calling(plugin: str, what: str) -> Iterator[None]:
    """Call a plug-in: its exceptions become a `PluginError` that names it.

    Args:
        plugin: The plug-in, as messages name it.
        what: What is called.
    """
    try:
        yield
    except (PluginError, KeyboardInterrupt):
        raise
    except BaseException as error:  # also what would be taken for the end of an agent, such as CancelledError
        frames = _frames(error.__traceback__)[2:]  # after this function, and its caller
        raise PluginError(f"{plugin} failed in {what}: {error_line(error, frames[0][0] if frames else '')}") from error


def wrong_result(plugin: str, method: str, what: str) -> PluginError:
    """Return the error for what a plug-in's method returned.

    Args:
        plugin: The plug-in, as messages name it.
        method: Its method.
        what: What that returned, and what was expected.
    """
    return PluginError(printable_line(f"{plugin}: {method} returned {what}"))


def failure_of(plugin: str, kind: type, error: BaseException) -> str | None:
    """Return the message for an exception of an agent that a plug-in made.

    Args:
        plugin: The plug-in, as messages name it.
        kind: The agent's class, which the plug-in defines.
        error: The exception.

    Returns:
        The message; None if no code of the plug-in was running.
    """
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, StopIteration):
        error = error.__cause__  # Python replaces a StopIteration that a coroutine raises
    module = sys.modules.get(kind.__module__)
    file = getattr(module, "__file__", None) or ""
    if file not in {name for name, _ in _frames(error.__traceback__)}:
        return None
    return f"{plugin} failed: {error_line(error, file)}"


def error_line(error: BaseException, file: str = "") -> str:
    """Return a plug-in's exception in one line.

    Args:
        error: The exception.
        file: The plug-in's file; the last line of it that was running is added.
    """
    try:
        said = str(error)
    except Exception as failure:  # noqa: BLE001 - whatever a plug-in's own exception raises
        said = f"its text cannot be shown ({type(failure).__name__})"
    text = printable_line(f"{type(error).__name__}: {said}")
    shown = text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
    lines = [line for name, line in _frames(error.__traceback__) if name == file]
    return f"{shown} ({Path(file).name}, line {lines[-1]})" if lines else shown


def _frames(found: TracebackType | None) -> list[tuple[str, int]]:
    """Return the file and the line of each frame of a traceback, the innermost last."""
    return [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(found)]
