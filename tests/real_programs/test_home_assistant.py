"""A real Home Assistant: a run shown in it, and a street of emulated plugs that it controls. `make lab-test`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from broker.servers import find_mosquitto
from broker.servers.own_broker import free_port
from scenarios.results import ResultsReader
from tests.integration.conftest import environment
from tests.patience import PATIENCE_WALL_S
from tests.real_programs.home_assistant import HomeAssistant, home_assistant, until
from tests.scenarios.devices.session import STREET
from tests.scenarios.lab.neighbourhood import START_S, TEXT

PROGRAMS = Path(os.environ.get("REAL_PROGRAMS", "") or "/nowhere")

pytestmark = [
    pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed"),
    pytest.mark.skipif(
        not (PROGRAMS / "ha" / ".installed").exists(), reason="Home Assistant is not installed: make lab-test does it"
    ),
]


@pytest.fixture
def mqtt_port() -> Iterator[int]:
    """Have a Mosquitto, and return its port."""
    port = free_port()
    program = find_mosquitto()
    process = subprocess.Popen([str(program), "-p", str(port)], stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def ssmic(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `ssmic` for the time of the context."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tui", *arguments],
        cwd=folder,
        env=environment(TZ="UTC"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@contextmanager
def washing_machine(port: int, topic: str) -> Iterator[mqtt.Client]:
    """Have a machine that starts when it is commanded; the caller ends its programme."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)

    def on_message(_client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        job = json.loads(message.payload)["id"]
        report = {"id": job, "state": "EXECUTING", "power_w": 2000, "energy_wh": 1000}
        client.publish(f"{topic}/report", json.dumps(report), qos=1)

    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.subscribe(f"{topic}/set", 1)
    client.loop_start()
    try:
        yield client
    finally:
        client.loop_stop()
        client.disconnect()


def control(port: int, run: str, command: dict[str, object]) -> None:
    """Publish a command to a run or a lab."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(f"ssmic/{run}/control", json.dumps({"v": 2, **command}), qos=1).wait_for_publish(60)
    client.loop_stop()
    client.disconnect()


def until_job_runs(port: int, topic: str) -> None:
    """Wait until a lab says of a job that it runs."""
    runs = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)

    def on_message(_client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.payload and json.loads(message.payload)["state"] == "running":
            runs.set()

    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.subscribe(topic, 1)
    client.loop_start()
    assert runs.wait(PATIENCE_WALL_S), f"waited in vain for {topic} to run"
    client.loop_stop()
    client.disconnect()


def starts(process: subprocess.Popen[str]) -> dict[str, int]:
    """Return the starts of a lab's jobs, seconds after its beginning, when it has ended."""
    out, err = process.communicate(timeout=PATIENCE_WALL_S)
    assert process.returncode == 0, err
    found = json.loads(out)
    assert found["lab"]["jobs_by_controller"] >= 1, found["verdict"]
    return {c["job_id"]: c["start"] - START_S for c in found["results"]["runs"][0]["contracts"]}


def test_a_run_is_discovered_its_energy_is_accepted_and_its_entities_vanish(tmp_path: Path, mqtt_port: int) -> None:
    """A street of ours, in the energy dashboard."""
    port, folder = free_port(), tmp_path / "ha"
    with home_assistant(PROGRAMS, folder, port) as home:
        home.set_up(mqtt_port)
    # Home Assistant compiles statistics every five minutes, which the check of the energy dashboard looks at.
    soon = f"@{datetime.now(UTC):%Y-%m-%d %H:%M:%S} x60" if shutil.which("faketime") else ""
    with home_assistant(PROGRAMS, folder, port, home.token, faketime=soon) as home:
        url = f"mqtt://127.0.0.1:{mqtt_port}"
        with ssmic(tmp_path, "run", "street", "--broker", url, "--pace", "60x", "--home-assistant") as run:

            def ours() -> dict[str, Any]:
                mine = ("sensor.adler", "sensor.brandt", "sensor.ssmic")
                return {entity: state for entity, state in home.states().items() if entity.startswith(mine)}

            until(lambda: len(ours()) > 40, "the street's entities")
            energy = [e for e, s in ours().items() if s["attributes"].get("device_class") == "energy"]
            solar = next(e for e in energy if e.startswith("sensor.ssmic") and e.endswith("produced"))
            device = next(e for e in energy if e.startswith("sensor.adler_dishwasher"))
            until(lambda: ours()[solar]["state"] not in {"unknown", "unavailable"}, "a first value")
            sources = [{"type": "solar", "stat_energy_from": solar, "config_entry_solar_forecast": None}]
            consumption = [{"stat_consumption": device}]
            home.command("energy/save_prefs", energy_sources=sources, device_consumption=consumption)
            content: dict[str, list[list[Any]]] = {"energy_sources": [[]], "device_consumption": [[]]}
            until(lambda: home.command("energy/validate") == content, "the check of the energy dashboard to be content")
            run.terminate()
            run.communicate()
            until(lambda: not ours(), "the end of the entities")


def test_jobs_requested_in_it_are_executed_and_withdrawn(tmp_path: Path, mqtt_port: int) -> None:
    """Entities set the deadline, request and withdraw jobs and show their states; a thousand entities come and go."""
    (tmp_path / "real.yaml").write_text(STREET)
    common = ("--broker", f"mqtt://127.0.0.1:{mqtt_port}", "--pace", "60x", "--home-assistant", "--json")
    with home_assistant(PROGRAMS, tmp_path / "ha", free_port()) as home:
        home.set_up(mqtt_port)
        with (
            ssmic(tmp_path, "run", "real.yaml", "--run", "r", *common) as run,
            washing_machine(mqtt_port, "ssmic/r/devices/washer") as machine,
        ):
            request_job(home, "in 20 h")
            until(lambda: washer_shown(home, "state") == "EXECUTING", "the start")
            assert washer_shown(home, "supplier") == "pv"
            until(lambda: float(washer_shown(home, "power")) == 2000, "its power")
            report = {"state": "FINISHED", "power_w": 0, "energy_wh": 1400}
            machine.publish("ssmic/r/devices/washer/report", json.dumps(report), qos=1)
            until(lambda: washer_shown(home, "state") == "FINISHED", "the end")
            until(lambda: float(washer_shown(home, "energy")) == 0.4, "what it metered")
            control(mqtt_port, "r", {"command": "stop"})
            out, err = run.communicate(timeout=PATIENCE_WALL_S)
            assert out, err
        with ResultsReader(next((tmp_path / "results").glob("*.sqlite"))) as results:
            ledger = results.ledger(1)
        (entry,) = [entry for entry in ledger if entry.contract.job_id.startswith("adler/washer/ha-")]
        assert entry.contract.producer == "pv"
        assert [event.what for event in entry.history] == ["agreed", "started", "finished"]
        withdraw_job(home, tmp_path / "later", mqtt_port)
        others = home.states().keys()

        def ours() -> set[str]:
            return home.states().keys() - others

        with ssmic(tmp_path, "run", "village", *common) as run:
            until(lambda: len(ours()) >= 1_000, "a thousand entities")
            run.terminate()
            run.communicate()
            until(lambda: not ours(), "their end")


def request_job(home: HomeAssistant, ready_by: str) -> None:
    """Ask for a job of the washer, as a person does."""
    text, button = "text.adler_washer_ready_by", "button.adler_washer_request_a_job"
    until(lambda: home.states()[text]["state"] == "in 8 h", "what a job is requested with")
    until(lambda: home.states()[button]["state"] != "unavailable", "the button")
    home.ask("/api/services/text/set_value", {"entity_id": text, "value": ready_by})
    until(lambda: home.states()[text]["state"] == ready_by, "the time")
    home.ask("/api/services/button/press", {"entity_id": button})


def withdraw_job(home: HomeAssistant, folder: Path, mqtt_port: int) -> None:
    """Request a job that waits for production in the evening, and withdraw it there before its start."""
    folder.mkdir()
    later = STREET.replace('[["00:00", 0], ["200:00", 2000000]]', '[["10:00", 0], ["200:00", 2000000]]')
    (folder / "later.yaml").write_text(later)
    common = ("--broker", f"mqtt://127.0.0.1:{mqtt_port}", "--pace", "60x", "--home-assistant", "--json")
    with ssmic(folder, "run", "later.yaml", "--run", "later", *common) as run:
        request_job(home, "in 20 h")
        until(lambda: washer_shown(home, "state") == "SCHEDULED", "its contract")
        home.ask("/api/services/button/press", {"entity_id": "button.adler_washer_withdraw_the_job"})
        until(lambda: washer_shown(home, "state") == "ABORTED", "its withdrawal")
        control(mqtt_port, "later", {"command": "stop"})
        out, err = run.communicate(timeout=PATIENCE_WALL_S)
        assert out, err
    with ResultsReader(next((folder / "results").glob("*.sqlite"))) as results:
        (entry,) = [entry for entry in results.ledger(1) if entry.contract.job_id.startswith("adler/washer/ha-")]
    assert [(event.what, event.reason) for event in entry.history] == [
        ("agreed", ""),
        ("cancelled", "its household no longer wants it"),
    ]


def washer_shown(home: HomeAssistant, what: str) -> str:
    """Return what it shows of the washer."""
    return str(home.states()[f"sensor.adler_washer_{what}"]["state"])


def test_its_switch_and_its_automation_start_washers_of_an_emulated_street(tmp_path: Path, mqtt_port: int) -> None:
    """Through its own Tasmota integration; at 60x, at 07:00 of the lab."""
    (tmp_path / "lane.yaml").write_text(TEXT)
    url = f"mqtt://127.0.0.1:{mqtt_port}"
    common = ("--broker", url, "--pace", "60x", "--no-compare", "--json")
    port, folder = free_port(), tmp_path / "ha"
    with home_assistant(PROGRAMS, folder, port) as home:
        home.set_up(mqtt_port)
        with ssmic(tmp_path, "lab", "lane.yaml", *common) as lab:
            home.confirm("tasmota")
            switch = until(lambda: "switch.adler_washer" in home.states() and "switch.adler_washer", "the plug")
            until(lambda: home.states()[switch]["state"] == "off", "its state")
            home.ask("/api/services/switch/turn_on", {"entity_id": switch})
            until(lambda: home.states()[switch]["state"] == "on", "the plug's answer")
            until(lambda: float(home.states()["sensor.adler_washer_energy_power"]["state"]) > 0, "the washer's power")
            control(mqtt_port, "lane", {"command": "pace", "pace": "1200x"})
            assert starts(lab)["wash-1"] < 120 * 60
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed")
    automation = (
        "- {id: wash, alias: wash, trigger: [{platform: time, at: '07:00:00'}], "
        "action: [{service: switch.turn_on, target: {entity_id: switch.adler_washer}}]}\n"
    )
    (folder / "automations.yaml").write_text(automation)
    lab_file = TEXT.replace("2026-06-21T08:00:00+02:00", "2026-06-21T06:20:00Z")
    (tmp_path / "lane.yaml").write_text(lab_file)
    began_s = START_S + 20 * 60
    with ssmic(tmp_path, "lab", "lane.yaml", *common) as lab:
        listener = [
            str(shutil.which("mosquitto_sub")),
            "-p",
            str(mqtt_port),
            "-C",
            "1",
            "-t",
            "ssmic/lane/lab/faketime",
        ]
        at = subprocess.run(listener, capture_output=True, text=True, check=True, timeout=PATIENCE_WALL_S)
        # In June its token of today is not valid yet: only the automation acts.
        with home_assistant(PROGRAMS, folder, port, faketime=at.stdout.strip()):
            until_job_runs(mqtt_port, "ssmic/lane/lab/jobs/adler/washer/wash-1")
            control(mqtt_port, "lane", {"command": "pace", "pace": "1200x"})
            after_s = starts(lab)["wash-1"] + START_S - began_s
    assert 39 * 60 <= after_s <= 45 * 60
