"""The application under test: driven by keys and mouse, real runs, real files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.patience import PATIENCE_WALL_S
from tests.tui.driving import idle
from tui.app import SsmicApp

Opened = Callable[..., AbstractAsyncContextManager[Pilot[Any]]]
SMALL = (80, 24)


@pytest.fixture(autouse=True)
def _home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test its own preferences, logs and results."""
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _terminal_with_all_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the same in every terminal in which the tests run."""
    for variable, value in (("TERM", "xterm-256color"), ("COLORTERM", "truecolor")):
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture(autouse=True)
def _waits_until_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """After each key, wait until the application is idle, however busy the machine is."""
    for module in ("textual.app", "textual.pilot"):
        monkeypatch.setattr(f"{module}.wait_for_idle", idle)
    monkeypatch.setattr("textual.screen.UPDATE_PERIOD", 0.004)  # each key waits until the screen is drawn


@pytest.fixture(autouse=True)
def _patient_pilot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after each key Textual waits until all widgets are idle, for 30 s; on a busy machine that is short."""
    monkeypatch.setattr(Pilot._wait_for_screen, "__defaults__", (PATIENCE_WALL_S,))


@pytest.fixture(autouse=True)
def _patient_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """After two seconds, a key no longer waits for what the one before has asked for; a busy machine takes longer."""
    monkeypatch.setattr("tui.shell.key_queue.LONGEST_WAIT_WALL_S", PATIENCE_WALL_S)


def without_asyncio_debug() -> None:
    """Textual makes thousands of tasks, and the loop's debugging takes a picture of the stack for each."""
    asyncio.get_running_loop().set_debug(False)


@pytest.fixture
def opened() -> Opened:
    """Open the application; at the end, assert that no unexpected error was shown.

    Also after a failure, child processes have ended before the loop does: else the next test is blamed for them.
    """

    @asynccontextmanager
    async def run(*, size: tuple[int, int] = SMALL, **options: Any) -> AsyncIterator[Pilot[Any]]:
        without_asyncio_debug()
        app = SsmicApp(**options)
        app.animation_level = "none"  # a picture taken half way through is another picture
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            try:
                yield pilot
            finally:
                app.workers.cancel_all()
                await asyncio.gather(*(worker.wait() for worker in list(app.workers)), return_exceptions=True)
        assert app.unexpected == []

    return run


@pytest.fixture
def pyssmic_folder(tmp_path: Path) -> Path:
    """An input folder of PySSMic: a consumer's job and a producer."""
    folder = tmp_path / "input"
    for name in ("loads", "predictions"):
        (folder / name).mkdir(parents=True)
    job = "1460246602;1460250000;1460260000;[57]:[222]:[3];1.csv\n"
    (folder / "consumer_event.csv").write_text(job, encoding="utf-8")
    (folder / "producer_event.csv").write_text("1460246400;pv_producer[57]:[220];p.csv\n", encoding="utf-8")
    (folder / "loads" / "1.csv").write_text("0 0\n3600 900\n", encoding="utf-8")
    (folder / "predictions" / "p.csv").write_text("1460246400 0\n1460280000 20000\n", encoding="utf-8")
    return folder
