"""The examples run as they stand in the docs, over a real Mosquitto."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from broker.protocol import TimeReport
from broker.servers import find_mosquitto, managed_mosquitto
from broker.transport import BrokerUrl, MqttBroker
from tests.examples.stand_in import START_S, StandIn
from tests.patience import PATIENCE_WALL_S

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = PROJECT / "examples"
RUN = "lane"

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")


@asynccontextmanager
async def gateway() -> AsyncIterator[tuple[StandIn, BrokerUrl]]:
    """Have a broker with a stand-in for the gateway."""
    async with managed_mosquitto() as running, MqttBroker(running.url).connect("gateway") as bus:
        stand_in = StandIn(bus, RUN)
        await bus.subscribe(f"ssmic/{RUN}/devices/+/+", qos=1)
        serving = asyncio.create_task(stand_in.serve())
        try:
            yield stand_in, running.url
        finally:
            serving.cancel()


async def finish(command: list[str], url: BrokerUrl, **more: str) -> str:
    """Run an example to its end and return what it printed."""
    environment = {**os.environ, "MQTT_HOST": url.host, "MQTT_PORT": str(url.port), "SSMIC_RUN": RUN, **more}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        async with asyncio.timeout(PATIENCE_WALL_S):
            out, _ = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, out.decode()
    return out.decode()


def _command(name: str, folder: Path) -> list[str]:
    if name.endswith(".py"):
        return [sys.executable, str(EXAMPLES / name)]
    if name.endswith(".sh"):
        if shutil.which("mosquitto_sub") is None:
            pytest.skip("mosquitto_sub is not installed (Debian: mosquitto-clients)")
        return ["sh", str(EXAMPLES / name)]
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    program = folder / "washer"
    built = subprocess.run(  # noqa: S603 - our own example
        [compiler, "-Wall", "-Wextra", "-Werror", str(EXAMPLES / name), "-lmosquitto", "-o", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "mosquitto.h" in built.stderr:
        pytest.skip("libmosquitto-dev is not installed")
    assert built.returncode == 0, built.stderr
    return [str(program)]


@pytest.mark.parametrize("name", ["washer_aiomqtt.py", "washer_threads.py", "washer.sh", "washer.c"])
async def test_a_washer_announces_itself_asks_for_a_job_and_runs_it_once(name: str, tmp_path: Path) -> None:
    """From announcement to FINISHED, although the command comes twice."""
    command = _command(name, tmp_path)
    async with gateway() as (stand_in, url):
        await finish(command, url, PACE="6000")
        async with asyncio.timeout(PATIENCE_WALL_S):
            while [content for what, content, _ in stand_in.heard if what == "availability"][-1:] != ["offline"]:
                stand_in.changed.clear()
                await stand_in.changed.wait()
    said = [what for what, _, _ in stand_in.heard]
    assert said.index("announce") < said.index("request")
    announcement = next(content for what, content, _ in stand_in.heard if what == "announce")
    assert (announcement["type"], announcement["house"]) == ("consumer", "adler")
    reports = [content for what, content, _ in stand_in.heard if what == "report"]
    assert [report["power_w"] for report in reports] == [100, 2000, 150, 0]
    assert stand_in.states == ["SCHEDULED", "EXECUTING", "FINISHED"]


async def test_an_inverter_forecasts_the_day_and_reports_what_it_gives() -> None:
    """It follows the run's time."""
    async with gateway() as (stand_in, url):
        running = asyncio.create_task(finish(_command("pv_inverter.py", EXAMPLES), url, REPORTS="2"))
        time_s = START_S
        while not running.done():
            report = TimeReport(time=time_s, round=0, step=0, pace="60x", lag_wall_s=0.0, state="running")
            await stand_in.bus.publish(f"ssmic/{RUN}/time", report.encoded(), retain=True)
            stand_in.changed.clear()
            try:
                async with asyncio.timeout(0.2):  # the run's own interval between two reports
                    await stand_in.changed.wait()
            except TimeoutError:
                pass
            time_s += 60
        await running
    forecast = next(content for what, content, _ in stand_in.heard if what == "forecast")
    assert forecast["points"][0][1] == 0
    assert forecast["points"][-1][1] == pytest.approx(2 * 4000 * 12 * 2 / 3.14159, rel=0.01)
    reports = [content for what, content, _ in stand_in.heard if what == "report"]
    assert len(reports) == 2
    assert reports[1]["energy_wh"] > reports[0]["energy_wh"] > 0


def test_the_documentation_has_the_examples_as_they_are() -> None:
    """To the letter."""
    text = (PROJECT / "docs" / "examples.md").read_text(encoding="utf-8")
    for file in sorted(file for file in EXAMPLES.iterdir() if file.suffix in {".c", ".py", ".sh"}):
        assert file.read_text(encoding="utf-8") in text, file.name
