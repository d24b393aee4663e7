"""`ssmic lab` as users run it: a real broker, and a real controller in a separate process."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
import xml.etree.ElementTree as ET
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import psutil
import pytest

from broker.servers import find_mosquitto, managed_mosquitto
from broker.transport import Bus, Delivery, MqttBroker
from tests.ended import Ssmic
from tests.patience import PATIENCE_WALL_S
from tests.scenarios.lab.neighbourhood import START_S, TEXT

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")

CONTROLLER = """
import json, os, sys
import paho.mqtt.client as mqtt
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.connect(os.environ["MQTT_HOST"], int(os.environ["MQTT_PORT"]))
client.subscribe("ssmic/+/lab/jobs/#", qos=1)
def on_message(client, userdata, message):
    if message.payload:
        job = json.loads(message.payload)
        if job["state"] in ("loaded", "done"):
            client.publish(job["plug"]["topic"], job["plug"]["on" if job["state"] == "loaded" else "off"], qos=1)
client.on_message = on_message
client.publish("ssmic/lane/control", '{"v": 2, "command": "resume"}', qos=1)
client.loop_forever()
"""
"""Switches on when an appliance is loaded, and off when it is done."""


@pytest.fixture
def lane_file(tmp_path: Path) -> Path:
    """A small neighbourhood with a controller."""
    (tmp_path / "controller.py").write_text(CONTROLLER)
    file = tmp_path / "lane.yaml"
    file.write_text(TEXT)
    return file


@pytest.mark.long
@pytest.mark.parametrize("kind", ["tasmota", "shelly", "zigbee2mqtt"])
def test_a_controller_switches_the_street_and_gets_a_verdict(
    ssmic: Ssmic, lane_file: Path, tmp_path: Path, kind: str
) -> None:
    """The same controller works with every kind of plug, because the lab publishes the commands."""
    junit = tmp_path / "verdict.xml"
    command = f"{sys.executable} controller.py"
    ended = ssmic(
        "lab", lane_file, "--as", kind, "--pace", "600x", "--paused", "--controller", command, "--junit", junit,
        "--expect", "jobs_by_controller == 2", "--time-limit", "5", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["lab"]["jobs_by_controller"] == 2
    assert not [case for case in found["verdict"] if case["failure"]]
    contracts = {c["job_id"]: c for c in found["results"]["runs"][0]["contracts"]}
    assert contracts["cool-1"]["start"] == START_S + 1800
    assert START_S + 600 <= contracts["wash-1"]["start"] <= START_S + 7200
    assert found["results"]["runs"][0]["kpis"]["consumed_wh"] == pytest.approx(375 + 375 + 5)
    assert found["negotiated"]["runs"][0]["kpis"]["consumed_wh"] == pytest.approx(375 + 375 + 5)
    assert found["results"]["runs"][0]["optimum"]["best_wh"] > 0
    suite = ET.parse(junit).getroot().find("testsuite")  # noqa: S314 - our own file
    assert suite is not None
    assert suite.get("failures") == "0"
    assert {case.get("name") for case in suite.iter("testcase")} == {"wash-1", "dry-1", "jobs_by_controller == 2"}


def test_without_a_controller_the_jobs_are_started_by_hand_and_the_verdict_is_negative(
    ssmic: Ssmic, lane_file: Path, tmp_path: Path
) -> None:
    """The household gets its laundry, and the exit code says that the controller failed."""
    junit = tmp_path / "verdict.xml"
    ended = ssmic("lab", lane_file, "--pace", "7200x", "--no-compare", "--junit", junit)
    assert ended.code == 1
    assert "was started by hand at 10:00, because the controller had not" in ended.out
    assert "Verdict: 0 passed, 2 failed" in ended.out


@pytest.mark.parametrize("end", [("--until", "03:30"), ("--days", "1")])
@pytest.mark.long
def test_the_lab_and_the_negotiated_run_end_at_the_same_time(
    ssmic: Ssmic, lane_file: Path, end: tuple[str, str]
) -> None:
    """The negotiated run went on to its last job or forecast, so its production and bills covered another time."""
    later = "{issued: '20:00', start: '20:00', step_s: 3600, power_w: [9]}"
    issued = '          - {issued: "00:00", start:'
    lane_file.write_text(TEXT.replace(issued, f"          - {later}\n{issued}"), encoding="utf-8")
    ended = ssmic("lab", lane_file, "--pace", "36000x", "--time-limit", "1", "--json", *end)
    found = json.loads(ended.out)
    ran, negotiated = (found[one]["runs"][0] for one in ("results", "negotiated"))
    assert ran["end"] == negotiated["end"]
    assert ran["kpis"]["produced_wh"] == pytest.approx(negotiated["kpis"]["produced_wh"])
    assert "ended at different times" not in ended.err


@pytest.mark.long
def test_a_lab_and_a_run_with_shared_supply_have_the_optima_in_common(ssmic: Ssmic, lane_file: Path) -> None:
    """The lab had the share of whole jobs only, the run that of shared supply only, so nothing compared them.

    Shares are rounded, hence the tolerance.
    """
    lane_file.write_text(f"supply: shared\n{TEXT}", encoding="utf-8")
    ended = ssmic("lab", lane_file, "--pace", "7200x", "--time-limit", "2", "--json")
    found = json.loads(ended.out)
    ran, negotiated = (found[one]["runs"][0] for one in ("results", "negotiated"))
    for name in ("optimum", "shared_optimum"):
        assert 0 <= ran[name]["share"] <= negotiated[name]["share"] + 1e-9


@pytest.mark.long
@pytest.mark.parametrize("kind", ["tasmota", pytest.param("zigbee2mqtt", marks=pytest.mark.long)])
def test_jobs_that_cannot_start_at_their_latest_start_are_started_by_hand_later(
    ssmic: Ssmic, lane_file: Path, kind: str
) -> None:
    """The appliance runs an earlier job then, has been left on after one, or its plug is dead."""
    lane_file.write_text(
        TEXT + "  - {house: adler, device: washer, id: wash-2, registered: '00:00', earliest_start: '00:15', "
        "latest_start: '02:10'}\n"
        "  - {house: adler, device: washer, id: wash-3, registered: '00:00', earliest_start: '00:20', "
        "latest_start: '03:05'}\n"
        "faults:\n"
        "  - {device: berg/dryer, fault: dead, at: '02:20', until: '02:40'}\n"
    )
    ended = ssmic("lab", lane_file, "--as", kind, "--pace", "7200x", "--no-compare", "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["lab"]["jobs_by_hand"] == 4
    starts = {c["job_id"]: c["start"] - START_S for c in found["results"]["runs"][0]["contracts"]}
    assert starts["wash-1"] == 120 * 60
    assert 150 * 60 <= starts["wash-2"] <= 151 * 60
    assert starts["wash-3"] == 185 * 60
    assert 160 * 60 <= starts["dry-1"] <= 161 * 60


@pytest.mark.long
@pytest.mark.parametrize(
    "kind", ["tasmota", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("shelly", "zigbee2mqtt"))]
)
def test_a_plug_that_does_not_carry_out_commands_is_switched_by_hand(ssmic: Ssmic, lane_file: Path, kind: str) -> None:
    """The button works, even if the plug reports that it is on because of a command."""
    lane_file.write_text(TEXT + "faults:\n  - {device: '*', fault: lies, obeys: false}\n")
    ended = ssmic(
        "lab", lane_file, "--as", kind, "--pace", "1200x", "--paused", "--no-compare", "--json",
        "--controller", f"{sys.executable} controller.py",
    )  # fmt: skip
    found = json.loads(ended.out)
    assert found["lab"]["jobs_by_controller"] == 0
    assert found["lab"]["jobs_by_hand"] == 2
    assert found["lab"]["jobs_not_started"] == 0
    starts = {c["job_id"]: c["start"] - START_S for c in found["results"]["runs"][0]["contracts"]}
    assert starts["wash-1"] == 120 * 60


@pytest.mark.long
def test_a_controller_that_fails_before_time_begins_ends_the_lab(ssmic: Ssmic, lane_file: Path) -> None:
    """Without the controller, time would never begin."""
    ended = ssmic("lab", lane_file, "--paused", "--no-compare", "--controller", f"{sys.executable} no-such-file.py")
    assert ended.code == 1
    assert "stopped before the end by the controller, which ended with exit code 2" in ended.err


@pytest.mark.long
@pytest.mark.parametrize(
    ("program", "paused", "told"),
    [
        ("exit 3", (), (b"controller ended early", b"with exit code 3", b"the lab goes on without it")),
        ("kill -9 $$", (), (b"controller ended early", b"by signal 9", b"the lab goes on without it")),
        ("exit 0", ("--paused",), (b"controller ended early", b"with exit code 0", b"time begins when something")),
    ],
)
async def test_a_controller_that_ends_early_is_reported_at_once(
    lane_file: Path, program: str, paused: tuple[str, ...], told: tuple[bytes, ...]
) -> None:
    """At the lab's pace, the run would take hours."""
    command = ("-m", "tui", "lab", str(lane_file), "--pace", "1x", *paused, "--controller", f"sh -c '{program}'")
    lab = await asyncio.create_subprocess_exec(
        sys.executable, *command, "--no-compare", cwd=lane_file.parent, stdout=PIPE, stderr=PIPE
    )
    assert lab.stderr is not None
    async with asyncio.timeout(PATIENCE_WALL_S):
        line = b""
        while not all(part in line for part in told):
            line = await lab.stderr.readline()
            assert line
        lab.send_signal(signal.SIGINT)
        out, _ = await lab.communicate()
    assert lab.returncode == 130
    assert (b"controller.runs to the end: ended early" in out) is (program != "exit 0")


@pytest.mark.long
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="only Linux ends a process with its parent")
async def test_a_controller_does_not_outlive_a_lab_that_is_killed(lane_file: Path) -> None:
    """It would go on to switch what it finds at the broker."""
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(10_000)"
    command = ("-m", "tui", "lab", str(lane_file), "--no-compare", "--controller", f'{sys.executable} -c "{program}"')
    lab = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=lane_file.parent, stdout=DEVNULL, stderr=PIPE
    )
    assert lab.stderr is not None  # where the lab sends what its controller prints
    async with asyncio.timeout(PATIENCE_WALL_S):
        while not (line := (await lab.stderr.readline()).strip()).isdigit():
            assert line
        controller = psutil.Process(int(line))
        lab.kill()
        await lab.wait()
        while controller.is_running() and controller.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.01)


@pytest.mark.long
def test_faults_of_a_script_reach_devices_and_broker(ssmic: Ssmic, lane_file: Path, tmp_path: Path) -> None:
    """A controller that repeats nothing still gets its jobs done, only later."""
    faults = tmp_path / "faults.yaml"
    faults.write_text(
        "faults:\n"
        '  - {device: adler/washer, fault: dead, at: "00:05", until: "00:45"}\n'
        "  - {device: berg/dryer, fault: late, delay_s: 120}\n"
        "  - {device: adler/pv, fault: lies, factor: 0.5}\n"
        '  - {broker: restart, at: "00:50", down_s: 60}\n'
        '  - {device: berg/dryer, fault: forgets, at: "01:50"}\n'
    )
    command = f"{sys.executable} controller.py"
    ended = ssmic(
        "lab",
        lane_file,
        "--pace",
        "600x",
        "--paused",
        "--no-compare",
        "--controller",
        command,
        "--faults",
        faults,
        "--json",
    )
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    starts = {c["job_id"]: c["start"] - START_S for c in found["results"]["runs"][0]["contracts"]}
    assert starts["wash-1"] >= 45 * 60
    assert starts["dry-1"] >= 30 * 60 + 120
    assert found["results"]["settings"]["lab"]["faults"][-1]["kind"] == "forgets"


@pytest.mark.long
async def test_a_second_lab_is_refused_and_an_interrupted_one_leaves_nothing(lane_file: Path) -> None:
    """The second lab says whose devices they are, and writes no results; Ctrl-C takes back what the first announced."""
    folder = lane_file.parent
    async with managed_mosquitto() as broker, MqttBroker(broker.url).connect("looker") as bus:
        await bus.subscribe("ssmic/first/time")

        async def begin(run: str) -> asyncio.subprocess.Process:
            kinds = ("--as", "tasmota,zigbee2mqtt,ahoydtu")
            command = ("-m", "tui", "lab", str(lane_file), "--run", run, "--paused", "--no-compare", *kinds)
            place = ("--broker", str(broker.url))
            return await asyncio.create_subprocess_exec(
                sys.executable, *command, *place, cwd=folder, stdout=PIPE, stderr=PIPE
            )

        async with asyncio.timeout(PATIENCE_WALL_S):
            first = await begin("first")
            async for event in bus.messages():
                if isinstance(event, Delivery) and b'"paused"' in event.payload:
                    break
            second = await begin("second")
            _, told = await second.communicate()
            assert second.returncode == 1
            assert b"lab 'first' at this broker already emulates" in told
            run = ("run", str(lane_file), "--run", "first", "--broker", str(broker.url), "--pace", "60x")
            beside = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tui", *run, cwd=folder, stdout=PIPE, stderr=PIPE
            )
            _, told = await beside.communicate()
            assert beside.returncode == 1
            assert b"run or lab 'first' is already active at this broker (paused): end it first" in told
            assert not (folder / "results").exists()
            first.send_signal(signal.SIGINT)
            await first.communicate()
        assert first.returncode == 130
        assert not await retained(bus)


async def retained(bus: Bus) -> list[str]:
    """Return the topics of retained messages at the broker; what is published after them is the last of them."""
    await bus.subscribe("#")
    await bus.publish("over", b"")
    found = []
    async for event in bus.messages():
        if isinstance(event, Delivery) and event.topic == "over":
            break
        if isinstance(event, Delivery) and event.retain:
            found.append(event.topic)
    return found


def test_all_wrong_faults_are_refused_at_once_with_their_places(ssmic: Ssmic, lane_file: Path, tmp_path: Path) -> None:
    """File, line, key, and what was expected."""
    faults = (
        "{device: adler/wascher, fault: dead}",
        "{device: adler/washer, fault: late}",
        "{device: adler/washer, fault: dead, factor: 2}",
        '{device: adler/washer, fault: dead, at: "02:00", until: "01:00"}',
        "{broker: restart, device: adler/washer}",
    )
    (tmp_path / "faults.yaml").write_text("faults:\n" + "".join(f"  - {fault}\n" for fault in faults))
    ended = ssmic("lab", lane_file, "--faults", "faults.yaml")
    assert ended.code == 3
    told = ended.err.splitlines()
    assert told[0] == (
        "faults.yaml:2: faults[0].device: there is no device 'adler/wascher'; did you mean 'adler/washer'?"
    )
    assert told[1] == "faults.yaml:3: faults[1]: needs 'delay_s': after how many seconds the device obeys"
    assert told[2] == "faults.yaml:4: faults[2].factor: does not go with 'dead'"
    assert told[3] == "faults.yaml:5: faults[3].until: is not after the beginning of the fault"
    assert "faults.yaml:6: faults[4].device: does not go with 'broker'" in told[4]
    (tmp_path / "faults.yaml").write_text("faults:\n  - {device: adler/washer, fault: broken}\n")
    ended = ssmic("lab", lane_file, "--faults", "faults.yaml")
    assert "faults.yaml:2: faults[0].fault: 'dead', 'late', 'lies' or 'forgets' is expected" in ended.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--as", "tuya"], "--as tuya: expected one or several of tasmota, shelly, zigbee2mqtt, opendtu, ahoydtu"),
        pytest.param(["--pace", "max"], "a lab follows the wall clock", marks=pytest.mark.long),
        pytest.param(["--expect", "self_suficiency>1"], "did you mean 'self_sufficiency'?", marks=pytest.mark.long),
        pytest.param(["--expect", "nonsense"], "expected a figure and its limit", marks=pytest.mark.long),
        pytest.param(["--controller", "no-such-program-here"], "no-such-program-here", marks=pytest.mark.long),
    ],
)
def test_wrong_usage_is_refused(ssmic: Ssmic, lane_file: Path, arguments: list[str], problem: str) -> None:
    """Before anything is started, and with what was expected."""
    ended = ssmic("lab", lane_file, *arguments)
    assert ended.code == 2
    assert problem in ended.err
