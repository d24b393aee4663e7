"""The sign of life that a container's health check looks at."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.patience import PATIENCE_WALL_S
from tui.heartbeat import heartbeat
from tui.signals import run_until_interrupted


def test_the_file_is_touched_while_the_loop_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is touched repeatedly during the command, and not afterwards."""
    file = tmp_path / "alive"
    monkeypatch.setenv("SSMIC_ALIVE_FILE", str(file))
    monkeypatch.setattr("tui.heartbeat.EVERY_WALL_S", 0.01)

    async def wait_for_signs() -> None:
        for _ in range(3):
            async with asyncio.timeout(PATIENCE_WALL_S):
                while not file.exists():
                    await asyncio.sleep(0.001)
            file.unlink()

    run_until_interrupted(wait_for_signs())
    file.unlink(missing_ok=True)

    async def stop_and_go_on() -> None:
        with heartbeat():
            file.unlink()
        await asyncio.sleep(0.05)

    asyncio.run(stop_and_go_on())
    assert not file.exists()


def test_no_file_is_created_without_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary run needs no such file."""
    monkeypatch.delenv("SSMIC_ALIVE_FILE", raising=False)
    monkeypatch.chdir(tmp_path)
    run_until_interrupted(asyncio.sleep(0))
    assert not list(tmp_path.iterdir())


def test_a_touch_that_fails_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The folder is missing at first, then present, then missing for a while: each change is logged once."""
    file = tmp_path / "run" / "alive"
    monkeypatch.setenv("SSMIC_ALIVE_FILE", str(file))
    monkeypatch.setattr("tui.heartbeat.EVERY_WALL_S", 0.01)

    async def until_touched() -> None:
        async with asyncio.timeout(PATIENCE_WALL_S):
            while not file.exists():
                await asyncio.sleep(0.001)

    async def work() -> None:
        await asyncio.sleep(0.05)
        for _ in range(2):
            file.parent.mkdir()
            await until_touched()
            file.parent.rename(tmp_path / f"gone {_}")
            await asyncio.sleep(0.05)

    run_until_interrupted(work())
    said = capfd.readouterr().err.splitlines()
    assert [line.count("cannot be touched (No such file or directory)") for line in said] == [1, 0, 1, 0, 1]


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is on Linux only")
def test_systemd_is_notified_that_the_process_is_ready_and_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is notified repeatedly, and at the end that the process stops."""
    monkeypatch.setattr("tui.heartbeat.EVERY_WALL_S", 0.01)
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        async def work() -> None:
            heard.extend([await asyncio.to_thread(systemd.recv, 100) for _ in range(3)])

        run_until_interrupted(work())
        systemd.settimeout(0)
        with suppress(BlockingIOError):
            while True:
                heard.append(systemd.recv(100))
    assert set(heard[:3]) == {b"READY=1\nWATCHDOG=1"}
    assert heard[-1] == b"STOPPING=1\nEXTEND_TIMEOUT_USEC=300000000"
