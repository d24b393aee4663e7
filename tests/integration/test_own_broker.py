"""The broker that `ssmic run` starts for itself, as other processes of the machine meet it (attacks 72 to 74)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from broker.errors import BrokerUnreachableError
from broker.protocol import topics
from broker.protocol.wire import Control
from broker.servers.mosquitto import find_mosquitto
from broker.servers.own_broker import own_brokers
from broker.transport import MqttBroker
from broker.transport.endpoint import BrokerUrl
from tests.patience import PATIENCE_WALL_S

kinds = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            "mosquitto", marks=pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
        ),
        pytest.param("embedded", marks=pytest.mark.long),
    ],
)


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `ssmic` in a separate folder."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "XDG_STATE_HOME": str(folder / "state"),
    }
    command = [sys.executable, "-m", "tui", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


async def until_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> BrokerUrl:
    """Wait for the broker of a run in a folder; return it with its login."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    async with asyncio.timeout(PATIENCE_WALL_S):
        while not (found := own_brokers()):
            await asyncio.sleep(0.02)
    return found[0]


@kinds
async def test_strangers_cannot_touch_a_run_and_its_user_can_watch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A client without the login is refused, one with it receives the run; the password appears nowhere."""
    with running(
        tmp_path, "run", "street", "--broker", kind, "--pace", "600x", "--json", "--log-level", "debug"
    ) as run:
        url = await until_there(tmp_path, monkeypatch)
        for user, password in ((None, None), ("ssmic", "guess")):
            with pytest.raises(BrokerUnreachableError, match="refused the login"):
                async with MqttBroker(BrokerUrl(url.host, url.port, user, password)).connect("stranger") as bus:
                    await bus.publish(topics.control("street-1"), Control(command="stop").encoded(), qos=1)
        commands = " ".join(
            word
            for process in (psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True))
            for word in (*process.cmdline(), *process.environ().values())
        )
        assert url.password is not None
        assert url.password not in commands
        async with MqttBroker(url).connect("watch") as bus:
            await bus.subscribe(topics.times())
            async with asyncio.timeout(PATIENCE_WALL_S):
                report = await anext(bus.messages())
            run_id = re.split("/", report.topic)[1]  # type: ignore[union-attr]  # the report has come
            await bus.publish(topics.control(run_id), Control(command="pace", pace="max").encoded(), qos=1)
            await bus.flush()
        out, err = await asyncio.to_thread(run.communicate)
    assert run.returncode == 0, err
    assert json.loads(out)["runs"][0]["state"] == "done"
    written = "".join(
        path.read_bytes().decode("latin-1") for path in (tmp_path / "results").iterdir() if path.is_file()
    )
    assert url.password not in out + err + written
    assert not list((tmp_path / "state" / "ssmic" / "brokers").iterdir())
    assert stat.S_IMODE((tmp_path / "results").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "results").iterdir()} == {0o600}


async def test_watch_without_a_run_says_what_is_expected(tmp_path: Path) -> None:
    """The error is one line, and the exit code that of wrong usage."""
    with running(tmp_path, "watch") as watch:
        _, err = await asyncio.to_thread(watch.communicate)
    assert watch.returncode == 2
    assert "expected the URL of a broker: no run of yours has one on this machine" in " ".join(err.split())
