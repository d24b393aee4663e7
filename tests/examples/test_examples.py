"""The examples run exactly as in the docs, over a real Mosquitto."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import aiomqtt
import pytest

from agents.manager.ledger import canonical_bytes
from agents.model import MANAGER
from broker.protocol.retry_timeouts import Timeouts
from broker.servers import find_mosquitto, managed_mosquitto
from broker.transport import BrokerUrl, MqttBroker
from scenarios.files.scenario_from_text import load_text
from scenarios.simulation.run import run_hosts, run_scenario
from scenarios.simulation.settings import RunSettings
from tests.patience import PATIENCE_WALL_S
from tests.scenarios.devices.session import RUN, STREET, session

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = PROJECT / "examples"
LANE = STREET.replace("answer_s: 3600", "answer_s: 86400").replace(
    "  - id: brandt", "      - {id: roof, type: producer, gateway: {}}\n  - id: brandt"
)

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")


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
    built = subprocess.run(
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
    """From announcement to FINISHED in a run, although the command comes twice; the ledger says so."""
    command = _command(name, tmp_path)
    async with (
        managed_mosquitto() as running,
        session(tmp_path, LANE, pace=60.0, broker=running.url) as run,
        run.device(f"ssmic/{RUN}/devices/washer/#") as witness,
    ):

        def repeat(topic: str, payload: str) -> None:
            if topic.endswith("/set") and len(witness.on("set")) == 1:
                witness.say(topic, payload)

        witness.answers.append(repeat)
        await finish(command, running.url, PACE="6000")
        await witness.until(lambda: [p for t, p, _ in witness.heard if t.endswith("/availability")][-1] == "offline")
        outcome = await run.stop()
    states = list(dict.fromkeys(job["state"] for job in witness.on("job")))
    assert states == ["NOT_SCHEDULED", "SCHEDULED", "EXECUTING", "FINISHED"]
    assert [report["power_w"] for report in witness.on("report")] == [100, 2000, 150, 0]
    assert not witness.on("error")
    entry = next(entry for entry in outcome.ledger if entry.contract.job_id == "adler/washer/wash-1")
    assert [event.what for event in entry.history] == ["agreed", "started", "finished"]


@pytest.mark.parametrize(
    "name",
    [
        "washer_aiomqtt.py",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("washer_threads.py", "washer.sh", "washer.c")),
    ],
)
async def test_a_washer_that_is_started_before_the_run_waits_for_it(name: str, tmp_path: Path) -> None:
    """A request sent before the run is lost, so it is sent once the run is under way."""
    command = _command(name, tmp_path)
    async with managed_mosquitto() as running, aiomqtt.Client(running.url.host, running.url.port) as client:
        await client.subscribe(f"ssmic/{RUN}/devices/washer/announce")
        washing = asyncio.create_task(finish(command, running.url, PACE="6000"))
        await anext(aiter(client.messages))
        async with session(tmp_path, LANE, pace=60.0, broker=running.url) as run:
            await washing
            outcome = await run.stop()
    entry = next(entry for entry in outcome.ledger if entry.contract.job_id == "adler/washer/wash-1")
    assert [event.what for event in entry.history] == ["agreed", "started", "finished"]


@pytest.mark.long
async def test_a_washer_that_speaks_s2_runs_its_job_once(tmp_path: Path) -> None:
    """It is declared, and speaks in the messages of s2-python; a command that comes twice is obeyed once."""
    text = LANE.replace("gateway: {answer_s: 86400}", "gateway: {adapter: s2, answer_s: 86400}")
    async with (
        managed_mosquitto() as running,
        session(tmp_path, text, pace=60.0, broker=running.url) as run,
        run.device(f"ssmic/{RUN}/devices/washer/#") as witness,
    ):

        def repeat(topic: str, payload: str) -> None:
            if topic.endswith("/set") and len(witness.on("set")) == 1:
                witness.say(topic, payload)

        witness.answers.append(repeat)
        await finish(_command("washer_s2.py", EXAMPLES), running.url, PACE="6000")
        outcome = await run.stop()
    states = list(dict.fromkeys(job["state"] for job in witness.on("job")))
    assert states == ["NOT_SCHEDULED", "SCHEDULED", "EXECUTING", "FINISHED"]
    assert not witness.on("error")
    (entry,) = [entry for entry in outcome.ledger if entry.contract.job_id.startswith("adler/washer/")]
    assert [event.what for event in entry.history] == ["agreed", "started", "finished"]


@pytest.mark.long
async def test_an_inverter_forecasts_the_day_and_reports_what_it_gives(tmp_path: Path) -> None:
    """It follows the run's time, and is there until it says that it is not."""
    async with (
        managed_mosquitto() as running,
        session(tmp_path, LANE, pace=600.0, broker=running.url) as run,
        run.device(f"ssmic/{RUN}/devices/roof/#") as witness,
    ):
        await finish(_command("pv_inverter.py", EXAMPLES), running.url, REPORTS="4")
        metered = await witness.until(lambda: [state for state in witness.on("state") if state["energy_wh"] > 0])
        await witness.until(lambda: witness.on("state")[-1]["available"] is False)
        await run.stop()
    assert (metered[0]["type"], metered[0]["available"]) == ("producer", True)
    assert not witness.on("error")
    reports = witness.on("report")
    assert len(reports) == 4
    assert reports[1]["energy_wh"] > reports[0]["energy_wh"] > 0
    forecast = witness.on("forecast")[0]["points"]
    assert forecast[-1][1] == pytest.approx(2 * 4000 * 12 * 2 / 3.14159, rel=0.01)


@pytest.mark.long
async def test_a_household_in_another_language_gets_the_same_contracts() -> None:
    """It follows the pages alone; its job is declined, supplied, moved, cancelled and supplied again."""
    lane = load_text((EXAMPLES / "household" / "lane.yaml").read_text(encoding="utf-8"), "lane", None)
    ledgers = []
    for is_foreign in (False, True):
        settings = RunSettings(lane.seed, lane.name, patience=Timeouts(limit_wall_s=PATIENCE_WALL_S))
        async with asyncio.timeout(PATIENCE_WALL_S), managed_mosquitto() as running, asyncio.TaskGroup() as tasks:
            clock = tasks.create_task(run_scenario(lane, settings, MqttBroker(running.url), [MANAGER]))
            for house in lane.houses:
                if is_foreign and house.id == "adler":
                    command = [sys.executable, str(EXAMPLES / "household" / "household.py")]
                    tasks.create_task(finish(command, running.url, SSMIC_RUN=lane.name))
                    continue
                part = lane.part_of([house.id])
                tasks.create_task(run_hosts(part, settings, MqttBroker(running.url), [house.id]))
            outcome = await clock
        ledgers.append(canonical_bytes(outcome.ledger))
    assert ledgers[0] == ledgers[1]
    contracts = [entry for entry in outcome.ledger if entry.contract.job_id == "adler/washer"]
    history = [(entry.contract.producer, event.what) for entry in contracts for event in entry.history]
    expected = {"roof": ["agreed", "amended", "cancelled"], "pv": ["agreed", "amended"]}
    assert history == [(producer, what) for producer, events in expected.items() for what in events]


def test_the_documentation_has_the_examples_as_they_are() -> None:
    """The page contains each file literally."""
    text = (PROJECT / "docs" / "examples.md").read_text(encoding="utf-8")
    for file in sorted(file for file in EXAMPLES.iterdir() if file.suffix in {".c", ".py", ".sh"}):
        assert file.read_text(encoding="utf-8") in text, file.name
