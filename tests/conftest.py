"""Fixtures that several test folders share."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import sys
import tempfile
import traceback
from asyncio import constants
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

_EVERYWHERE: Any = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("repeatable", derandomize=True, **_EVERYWHERE)
settings.register_profile("exploring", **_EVERYWHERE)
# The same examples in each run, so that a run repeats; others with `--hypothesis-profile exploring`.
settings.load_profile("repeatable")
# By default, a logged exception is drawn with all local variables, which takes seconds for each.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture(scope="session")
def pyssmic_inputs() -> Path:
    """Inputs in PySSMic's formats, which are not part of the project: next to it, or in SSMIC_SHARED."""
    shared = os.environ.get("SSMIC_SHARED") or Path(__file__).resolve().parents[2] / "shared"
    folder = Path(shared) / "pyssmic"
    if not folder.is_dir():
        pytest.skip(f"no PySSMic inputs in {folder}")
    return folder


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Begin half as many workers again as there are cores: many tests wait for processes that they have begun.

    The long ones wait for half of their time, for brokers, limits and paced runs: twice as many as there are cores.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 2 * cores if config.option.markexpr == "long" else cores + (cores + 1) // 2


_STATE: list[str] = []
"""The state folder of this process and of those that its tests start."""


def pytest_configure() -> None:
    """Keep tests out of the user's recent files and brokers, and let processes be interrupted, however tests are begun.

    Also declare that there is no event loop yet: on request, Python 3.11 creates one that is never closed.
    """
    _STATE.append(tempfile.mkdtemp(prefix="ssmic-tests-"))
    os.environ["XDG_STATE_HOME"] = _STATE[0]
    asyncio.set_event_loop(None)
    # A shell's background job ignores Ctrl-C, and so would each process that a test starts in order to interrupt it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Python's own thresholds cost a tenth of the time of screens' tests, and a full collection goes through all modules
    # and thousands of tests.
    gc.set_threshold(10_000, 20, 100)
    if not sys.flags.dev_mode:
        _keep_debug_mode_cheap()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import only files with long tests for `-m long`: two thirds have none, and each worker imports all of them."""
    if config.option.markexpr != "long" or not _is_test_file(collection_path):
        return None
    return True if not _names_long(collection_path) else None


@pytest.hookimpl(tryfirst=True)  # before those that `-m` leaves out are gone
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a long test whose file `-m long` would leave out."""
    for path in {item.path for item in items if item.get_closest_marker("long")}:
        if not _names_long(path):
            raise pytest.UsageError(f"{path}: a long test is marked with {_LONG} in its own file")


_LONG = "mark.long"


def _is_test_file(path: Path) -> bool:
    return path.suffix == ".py" and path.name.startswith("test_")


def _names_long(path: Path) -> bool:
    return _LONG in path.read_text(encoding="utf-8")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Run no garbage collection while tests are collected: all of them stay, and looking at them takes a second."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def _keep_debug_mode_cheap() -> None:
    """Keep the checks of asyncio's debug mode, without the stack of each future, task and callback.

    The stacks take half of the processor time of a run and are read only after a failure: `python -X dev -m pytest` has
    them. Futures and tasks are made in C, which calls `traceback.extract_stack` without arguments.
    """
    constants.DEBUG_STACK_DEPTH = 0  # type: ignore[misc]  # a constant of asyncio's own
    traceback.extract_stack.__defaults__ = (None, 0)


def pytest_unconfigure() -> None:
    """Remove the state folder."""
    while _STATE:
        shutil.rmtree(_STATE.pop(), ignore_errors=True)
