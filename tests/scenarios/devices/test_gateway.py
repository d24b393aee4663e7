"""A real device on our own topics, from its announcement to the end of its job, and everything that can go wrong."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from agents import Announced, DeviceNotice, DeviceSaid, Left, Rejected
from broker.hosts import Incoming, Instruction
from broker.protocol import MAX_BUFFERED_BYTES
from broker.protocol.wire import Control
from broker.servers.mosquitto import find_mosquitto
from broker.transport import Bus, Delivery
from broker.transport.memory import MemoryBroker
from scenarios.devices.link import DeviceLink
from scenarios.files.scenario_from_text import load_text
from scenarios.results.reader import ResultsReader
from scenarios.results.summary import simulation_json
from scenarios.simulation.replay import read_recording
from scenarios.simulation.simulation import open_simulation
from scenarios.zone import Zone
from tests.patience import PATIENCE_WALL_S
from tests.scenarios.devices.session import RUN, STREET, Device, session

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")

NOW_S = 1_782_021_600
WASHER = f"ssmic/{RUN}/devices/washer"


def ask(device: Device, **more: Any) -> None:
    """Announce the washer, and ask for a job of it."""
    device.say(f"{WASHER}/announce", {"type": "consumer", "house": "adler", "name": "Miele"}, retain=True)
    device.say(f"{WASHER}/availability", "online", retain=True)
    device.say(f"{WASHER}/request", {"id": "wash-1", "profile": "eco40", "ready_by": "in 20 h", **more})


async def run_washer(device: Device) -> None:
    """Answer the command to start, with a counter, and end."""
    await device.until(lambda: device.on("set"))
    device.say(f"{WASHER}/report", {"id": "wash-1", "state": "EXECUTING", "power_w": 2000, "energy_wh": 1000})
    await device.until(lambda: job_state(device) == "EXECUTING")
    device.say(f"{WASHER}/report", {"id": "wash-1", "state": "FINISHED", "power_w": 0, "energy_wh": 1400})
    await device.until(lambda: job_state(device) == "FINISHED")


def has_errors(device: Device, number: int) -> bool:
    """Return whether a number of errors have arrived."""
    return len(device.on("error")) >= number


def link_of(broker: MemoryBroker, text: str = STREET, *, is_of_guests: bool = False) -> DeviceLink:
    """Return the link of a street's household, which has all its real devices, or only room for consuming guests."""
    gateways = list(load_text(text, "test", None).gateways.values())
    guests = [gateway for gateway in gateways if not gateway.id and gateway.type == "consumer"]
    return DeviceLink(RUN, broker, {"adler": guests if is_of_guests else gateways}, {}, Zone(0))


async def next_error(bus: Bus) -> dict[str, Any]:
    """Return the next error that is published to a device."""
    async with asyncio.timeout(PATIENCE_WALL_S):
        event = await anext(bus.messages())
    assert isinstance(event, Delivery)
    error: dict[str, Any] = json.loads(event.payload)
    return error


def job_state(device: Device) -> str:
    """Return the state of the job that changed last."""
    jobs = device.on("job")
    return jobs[-1]["state"] if jobs else ""


async def test_a_washer_requests_gets_a_supplier_starts_and_ends(tmp_path: Path) -> None:
    """Every state occurs once, in order; the command comes at the contract's start, and measurements are settled."""
    async with session(tmp_path) as run, run.device(f"{WASHER}/#") as device:
        ask(device)
        await run_washer(device)
        states = [job["state"] for job in device.on("job")]
        assert list(dict.fromkeys(states)) == ["NOT_SCHEDULED", "SCHEDULED", "EXECUTING", "FINISHED"]
        last, command = device.on("job")[-1], device.on("set")[0]
        assert last["suppliers"] == [{"producer": "pv", "house": "adler", "share": 1.0}]
        assert (last["outcome"], last["measured_wh"], last["price_eur"]) == ("on_time", 400.0, 0.0)
        assert command == {"v": 1, "command": "start", "id": "wash-1", "time": last["start"]}
        outcome = await run.stop()
    entry = next(entry for entry in outcome.ledger if entry.contract.job_id == "adler/washer/wash-1")
    assert [(event.what, event.reason) for event in entry.history] == [
        ("agreed", ""),
        ("started", "on_time"),
        ("finished", "on_time"),
    ]
    with ResultsReader(run.results) as results:
        settled = results.settlement(1)
        drawn_wh = dict(zip((job.job_id for job in settled.jobs), settled.job_consumed_wh.tolist(), strict=True))
    assert drawn_wh["adler/washer/wash-1"] == pytest.approx(400.0)
    assert drawn_wh["brandt/dryer"] == pytest.approx(375.0)


_WASHER = ("- id: washer", "  type: consumer", "  load_profile: eco40", "  gateway: {answer_s: 3600}")
"""As the street has it."""


@pytest.mark.long
async def test_a_changed_tariff_changes_the_price_of_a_job(tmp_path: Path) -> None:
    """The neighbour's new price applies from then on, until the job has run."""
    washer = "".join(f"      {line}\n" for line in _WASHER)
    brandt = "  - id: brandt\n    devices:\n"
    text = STREET.replace(washer, "").replace(brandt, brandt + washer)
    text = text.replace("    guests: 1\n", "").replace(
        "jobs:\n",
        "jobs:\n"
        '  - {house: brandt, device: washer, registered: "00:01", earliest_start: "03:00", latest_start: "03:30"}\n',
    )
    text += 'timeline:\n  - {at: "06:20", do: tariff, neighbour_eur_per_kwh: 0.25}\n'
    async with session(tmp_path, text) as run, run.device(f"{WASHER}/#") as device:
        await device.until(lambda: {0.05625, 0.09375} <= {job["price_eur"] for job in device.on("job")})
        prices = [job["price_eur"] for job in device.on("job") if job["price_eur"] is not None]
        assert prices == sorted(prices)
        await run.stop()


async def test_a_session_replays_to_the_same_ledger_and_to_the_same_recording(tmp_path: Path) -> None:
    """It replays without the devices, on other hosts, from the results file and from a separate file."""
    async with session(tmp_path) as run, run.device(f"{WASHER}/#") as device:
        ask(device)
        await run_washer(device)
        outcome = await run.stop()
    recording = read_recording(run.results)
    assert recording.ledger_sha256 == outcome.ledger_sha256
    recording.save(tmp_path / "first.jsonl")
    for number, hosts in enumerate((None, 2)):
        again = read_recording(tmp_path / "first.jsonl")
        plan = again.plan(bus="memory", out=tmp_path / f"{number}.sqlite", hosts=hosts)
        async with open_simulation(plan) as repeated:
            assert (await repeated.run())[0].ledger_sha256 == outcome.ledger_sha256
        read_recording(tmp_path / f"{number}.sqlite").save(tmp_path / "second.jsonl")
        assert (tmp_path / "second.jsonl").read_bytes() == (tmp_path / "first.jsonl").read_bytes()


async def test_a_session_that_is_interrupted_replays_to_the_same_ledger(tmp_path: Path) -> None:
    """By Ctrl-C or SIGTERM, which is how a session without an end ends; a job that runs is `run_ended`."""
    async with session(tmp_path) as run, run.device(f"{WASHER}/#") as device:
        ask(device)
        await device.until(lambda: device.on("set"))
        device.say(f"{WASHER}/report", {"id": "wash-1", "state": "EXECUTING", "power_w": 2000, "energy_wh": 1000})
        await device.until(lambda: job_state(device) == "EXECUTING")
        run.outcome.cancel()
        await asyncio.wait({run.outcome})
    assert device.on("job")[-1]["outcome"] == "run_ended"
    recording = read_recording(run.results)
    async with open_simulation(recording.plan(bus="memory", out=tmp_path / "again.sqlite")) as repeated:
        assert (await repeated.run())[0].ledger_sha256 == recording.ledger_sha256


async def test_a_session_whose_end_is_cut_off_has_no_ledger_to_compare_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that is too busy to end it in time, the record says so instead of blaming its version."""
    monkeypatch.setattr("scenarios.simulation.run._STOP_WALL_S", 0.0)
    async with session(tmp_path) as run:
        run.outcome.cancel()
        await asyncio.wait({run.outcome})
    assert read_recording(run.results).ledger_sha256 is None


@pytest.mark.long
async def test_the_next_job_is_planned_with_what_the_last_one_drew(tmp_path: Path) -> None:
    """The profile of a programme is learned from the device's own readings."""
    async with session(tmp_path) as run, run.device(f"{WASHER}/#") as device:
        ask(device)
        await run_washer(device)
        device.say(f"{WASHER}/request", {"id": "wash-2", "profile": "eco40", "ready_by": "in 20 h"})
        await device.until(lambda: device.on("job")[-1]["id"] == "wash-2")
        assert device.on("job")[-1]["energy_wh"] == 400.0


async def test_all_commands_of_a_second_leave_before_what_is_said_about_the_devices(tmp_path: Path) -> None:
    """Five washers of a house start in the same second; no `state` and no `job` delays the command of another one."""
    washers = [f"w{number}" for number in range(5)]
    devices = "".join(f"      - {{id: {one}, type: consumer, load_profile: eco40, gateway: {{}}}}\n" for one in washers)
    jobs = "".join(
        f'  - {{house: adler, device: {one}, registered: "00:00", earliest_start: "02:00", latest_start: "02:00"}}\n'
        for one in washers
    )
    text = STREET.replace("      - id: pv\n", f"{devices}      - id: pv\n").replace("tariff:", f"{jobs}tariff:")
    async with session(tmp_path, text, pace=1.0) as run, run.device(f"ssmic/{RUN}/devices/+/+") as watcher:
        watcher.say(f"ssmic/{RUN}/control", Control(command="pace", pace="36000x", by="test").encoded())
        await watcher.until(lambda: len({command["id"] for command in watcher.on("set")}) == len(washers))
        start_s = watcher.on("set")[0]["time"]
        await watcher.until(lambda: [state for state in watcher.on("state") if state["time"] > start_s])
        await run.stop()
    said = [
        (topic, json.loads(payload)) for topic, payload, is_retained in watcher.heard if payload and not is_retained
    ]
    parts = [topic.rsplit("/", 1)[1] for topic, content in said if content["time"] == start_s]
    assert parts[: len(washers)] == ["set"] * len(washers), parts
    assert parts.count("state") == len(washers)


@pytest.mark.long
async def test_a_job_is_withdrawn_before_its_start(tmp_path: Path) -> None:
    """Its contract is cancelled, and the ledger has no other one; the run still agrees with itself."""
    async with session(tmp_path) as run, run.device(f"{WASHER}/#") as device:
        ask(device, earliest_start="in 15 h")
        await device.until(lambda: job_state(device) == "SCHEDULED")
        device.say(f"{WASHER}/withdraw", {"id": "wash-1"})
        await device.until(lambda: job_state(device) == "ABORTED")
        assert device.on("job")[-1]["outcome"] == "withdrawn"
        outcome = await run.stop()
    states = {entry.contract.job_id: entry.state for entry in outcome.ledger}
    assert states["adler/washer/wash-1"] == "cancelled"


@pytest.mark.long
async def test_a_device_that_never_answers_is_commanded_three_times_and_the_contract_says_so(tmp_path: Path) -> None:
    """Its job is aborted, and drew nothing."""
    text = STREET.replace("answer_s: 3600", "answer_s: 60")
    async with session(tmp_path, text) as run, run.device(f"{WASHER}/#") as device:
        ask(device)
        await device.until(lambda: job_state(device) == "ABORTED")
        assert len(device.on("set")) == 3
        assert (device.on("job")[-1]["outcome"], device.on("job")[-1]["measured_wh"]) == ("no_answer", 0.0)
        outcome = await run.stop()
    entry = next(entry for entry in outcome.ledger if entry.contract.job_id == "adler/washer/wash-1")
    assert (entry.history[-1].what, entry.history[-1].reason) == ("aborted", "no_answer")


@pytest.mark.long
async def test_a_guest_joins_and_gives_its_place_to_another(tmp_path: Path) -> None:
    """A device outside the scenario announces itself with its own profile; a second one finds no room."""
    fridge, oven = (f"ssmic/{RUN}/devices/{name}" for name in ("fridge", "oven"))
    profiles = {"cool": {"energy_wh": 100, "duration_s": 600}}
    async with session(tmp_path) as run, run.device(f"ssmic/{RUN}/devices/+/+") as device:
        device.say(f"{fridge}/announce", {"type": "consumer", "house": "adler", "profiles": profiles}, retain=True)
        device.say(f"{fridge}/request", {"id": "1", "ready_by": "in 20 h"})
        await device.until(lambda: [job for job in device.on("job") if job["state"] == "SCHEDULED"])
        device.say(f"{oven}/announce", {"type": "consumer", "house": "adler"})
        error = (await device.until(lambda: device.on("error")))[0]
        assert error["problem"] == "house 'adler' has no room for another consumer"
        device.say(f"{fridge}/announce", "", retain=True)
        await device.until(
            lambda: [s for s in device.on("state") if (s["device"], s["available"]) == ("fridge", False)]
        )
        device.say(f"{oven}/announce", {"type": "consumer", "house": "adler"})
        await device.until(lambda: [state for state in device.on("state") if state["device"] == "oven"])
        await run.stop()


@pytest.mark.long
async def test_a_device_that_left_and_comes_back_is_there_again(tmp_path: Path) -> None:
    """It counted as offline for good if it uses no `availability`, and so as vanished when its job took longer."""
    async with session(tmp_path) as run, run.device(f"{WASHER}/#") as device:
        device.say(f"{WASHER}/announce", "")
        await device.until(lambda: device.on("state")[-1]["available"] is False)
        device.say(f"{WASHER}/announce", {"type": "consumer", "house": "adler"})
        await device.until(lambda: device.on("state")[-1]["available"] is None)
        device.say(f"{WASHER}/report", {"power_w": 5})
        await device.until(lambda: device.on("state")[-1]["available"] is True)
        await run.stop()


@pytest.mark.long
async def test_a_producer_joins_forecasts_and_what_it_gave_is_settled(tmp_path: Path) -> None:
    """Its forecast serves a job; its meter says less, and the settlement goes by the meter."""
    text = STREET.replace('          - {issued: "00:00", points: [["00:00", 0], ["200:00", 2000000]]}\n', "").replace(
        "        predictions:\n", "        gateway: {}\n"
    )
    pv = f"ssmic/{RUN}/devices/pv"
    async with session(tmp_path, text) as run, run.device(f"ssmic/{RUN}/devices/+/+") as device:
        device.say(f"{pv}/announce", {"type": "producer", "house": "adler"}, retain=True)
        start = device.on("state")[-1]["time"] if device.on("state") else 1782021600
        device.say(f"{pv}/forecast", {"start": start, "step_s": 86_400, "power_w": [5000, 5000, 5000]})
        device.say(f"{pv}/report", {"energy_wh": 0})
        ask(device)
        job = await device.until(lambda: [job for job in device.on("job") if job["state"] == "SCHEDULED"])
        assert job[-1]["suppliers"][0]["producer"] == "pv"
        device.say(f"{pv}/report", {"energy_wh": 7})
        await device.until(lambda: device.on("state")[-1]["energy_wh"] == 7.0)
        await run.stop()
    with ResultsReader(run.results) as results:
        actual = results.realised(1).scenario.producers["pv"].actual
    assert actual is not None
    assert any(wh == pytest.approx(7.0) for wh in actual.cumulative_wh)


async def test_results_list_a_guest_that_gave_nothing_but_no_place_that_nobody_took(tmp_path: Path) -> None:
    """A roof without a forecast is a member of the run all the same."""
    text = STREET.replace("guests: 1", "guests: 2")
    pv = f"ssmic/{RUN}/devices/balcony"
    async with session(tmp_path, text) as run, run.device(f"{pv}/#") as device:
        device.say(f"{pv}/announce", {"type": "producer", "house": "adler"}, retain=True)
        await device.until(lambda: device.on("state"))
        await run.stop()

    with ResultsReader(run.results) as results:
        (of_run,) = simulation_json(results)["runs"]

    assert list(of_run["by_producer"]) == ["pv", "adler/guest-1/out"]
    assert of_run["by_producer"]["adler/guest-1/out"]["produced_wh"] == 0


HOSTILE: list[tuple[str, Any, bool, str]] = [
    ("request", "}{ garbage", False, "a JSON object"),
    ("request", "x" * 70_000, False, "at most 65536"),
    ("request", {"id": "a", "profile": "eco60", "ready_by": "in 9 h"}, False, "one of: eco40"),
    ("request", {"id": "b", "profile": "eco40", "ready_by": "1970-01-01T00:00:00Z"}, False, "latest_start or ready_by"),
    ("request", {"id": "c", "profile": "eco40", "ready_by": "soon"}, False, "ISO 8601"),
    ("request", {"id": "d", "profile": "eco40"}, False, "latest_start or ready_by"),
    ("report", {"power_w": 5, "time": 12}, False, "no time"),
    ("report", {"energy_wh": 990, "power_w": 5}, False, "rise"),
    ("report", {"id": "nobody", "state": "FINISHED"}, False, "none is open now"),
    ("announce", {"type": "consumer", "house": "brandt"}, False, "'adler'"),
    ("announce", {"type": "producer", "house": "adler"}, False, "'consumer'"),
    ("availability", "perhaps", False, "online or offline"),
    ("forecast", {"start": "in 1 h", "step_s": 60, "power_w": [1]}, False, "only of producers"),
    ("withdraw", {"id": "nobody"}, False, "none is open now"),
]


async def test_problems_of_a_message_are_reported_on_the_error_topic(tmp_path: Path) -> None:
    """Each kind of error states what was expected, and no contract changes."""
    async with session(tmp_path) as run, run.device(f"{WASHER}/#") as device:
        device.say(f"{WASHER}/report", {"energy_wh": 1000})
        await device.until(lambda: device.on("state") and device.on("state")[-1]["last_heard"])
        for number, (part, payload, retain, expected) in enumerate(HOSTILE, start=1):
            device.say(f"{WASHER}/{part}", payload, retain=retain)
            await device.until(partial(has_errors, device, number))
            error = device.on("error")[-1]
            assert (error["topic"], expected in error["expected"]) == (part, True), error
        await device.until(lambda: device.on("state")[-1]["errors"] == len(HOSTILE))
        guest = f"ssmic/{RUN}/devices/{'g' * 200}"
        async with run.device(f"{guest}/#") as other:
            other.say(f"{guest}/announce", {"type": "consumer", "house": "adler"})
            other.say(f"{guest}/request", {"id": "j" * 200, "profile": "eco40", "ready_by": "in 9 h"})
            error = (await other.until(lambda: other.on("error")))[0]
            assert error["problem"] == "the ids of house, device and job have 407 characters together"
        outcome = await run.stop()
    assert {entry.contract.job_id: entry.state for entry in outcome.ledger} == {"brandt/dryer": "standing"}


@pytest.mark.long
async def test_a_flood_is_cut_short_and_leftovers_are_refused(tmp_path: Path) -> None:
    """A thousand announcements and goodbyes in a burst cost some of them, and neither a request nor a contract."""
    async with session(tmp_path, pace=1.0) as run, run.device(f"{WASHER}/#") as device:
        for _ in range(500):
            device.say(f"{WASHER}/announce", {"type": "consumer", "house": "adler"})
            device.say(f"{WASHER}/announce", "")
        await device.until(lambda: [error for error in device.on("error") if "at once" in error["problem"]])
        ask(device)
        await device.until(lambda: job_state(device) in {"SCHEDULED", "NOT_SCHEDULED"})
        await run.stop()


async def test_an_unknown_device_gets_one_error_for_each_mistake() -> None:
    """Who builds a device corrects one mistake and makes another; a device that repeats one is not answered again."""
    broker = MemoryBroker()
    link = link_of(broker, is_of_guests=True)
    said = [
        {"type": "consumer"},
        {"type": "consumer", "house": "x"},
        {"type": "consumer", "house": "x"},
        {"type": "toaster"},
    ]
    async with broker.connect("device") as bus:
        await bus.subscribe(f"ssmic/{RUN}/devices/kettle/error")
        async with link.connected():
            for payload in said:
                await bus.publish(f"ssmic/{RUN}/devices/kettle/announce", json.dumps(payload).encode(), qos=1)
        errors = [(await next_error(bus))["problem"] for _ in range(3)]
    assert errors == [
        "the announcement names no house",
        "house 'x' takes no guests",
        "type: 'consumer' or 'producer' is expected",
    ]


@pytest.mark.parametrize(
    ("part", "device", "said", "problem", "expected"),
    [
        (
            "announce",
            "kettle",
            {"type": "consumer", "house": "adler"},
            "the device is not in the scenario, and no house takes guests; known: washer",
            "an id of the scenario; or `guests` of a house, or --guests",
        ),
        (
            "announce",
            "wascher",
            {"type": "consumer"},
            "the device is not in the scenario, and no house takes guests; did you mean 'washer'?",
            "an id of the scenario; or `guests` of a house, or --guests",
        ),
        (
            "request",
            "wascher",
            {"ready_by": "in 8 h"},
            "the device has not announced itself",
            "its announcement first; did you mean 'washer'?",
        ),
    ],
)
async def test_a_device_that_a_run_without_guests_does_not_know_is_answered(
    part: str, device: str, said: dict[str, str], problem: str, expected: str
) -> None:
    """A device whose id was misspelt, or for which `--guests` was forgotten, got no answer."""
    broker = MemoryBroker()
    link = link_of(broker, STREET.replace("    guests: 1\n", ""))
    async with broker.connect("device") as bus:
        await bus.subscribe(f"ssmic/{RUN}/devices/{device}/error")
        async with link.connected():
            await bus.publish(f"ssmic/{RUN}/devices/{device}/{part}", json.dumps(said).encode(), qos=1)
        error = await next_error(bus)
    assert (error["problem"], error["expected"]) == (problem, expected)


@pytest.mark.parametrize("device", ["washer", "kettle"])
@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ("anounce", "there is no topic 'anounce'; did you mean 'announce'?"),
        ("Requests", "there is no topic 'Requests'; did you mean 'request'?"),
        ("report/", "there is no topic 'report/'; did you mean 'report'?"),
        ("report/json", "there is no topic 'report/json'; did you mean 'report'?"),
        ("xyz", "there is no topic 'xyz'"),
    ],
)
async def test_a_device_that_writes_to_an_unknown_topic_is_answered_once(device: str, part: str, problem: str) -> None:
    """It announced itself and got no answer at all; what the gateway itself publishes is not answered."""
    broker = MemoryBroker()
    link = link_of(broker)
    own, port = f"ssmic/{RUN}/devices/{device}", link.port("adler")
    assert port is not None
    async with broker.connect("device") as bus, broker.connect("reader") as reader:
        await reader.subscribe(f"{own}/error", f"ssmic/{RUN}/devices/my car/error")
        async with link.connected():
            for topic in (f"{own}/state", f"{own}/job", f"{own}/set", f"ssmic/{RUN}/devices/my car/state"):
                await bus.publish(topic, b"{}", qos=1)
            await bus.publish(f"{own}/xy", b"", qos=1)
            for _ in range(2):
                await bus.publish(f"{own}/{part}", b'{"type": "consumer"}', qos=1, retain=True)
            await bus.publish(f"{own}/yz", b"{}", qos=1)
        async with asyncio.timeout(PATIENCE_WALL_S):
            first, second = [await anext(reader.messages()) for _ in range(2)]
    assert isinstance(first, Delivery)
    assert isinstance(second, Delivery)
    error = json.loads(first.payload)
    assert (first.topic, error["topic"], error["problem"]) == (f"{own}/error", part, problem)
    assert error["expected"] == "one of: announce, availability, request, withdraw, report, forecast"
    assert json.loads(second.payload)["topic"] == "yz"
    assert not port.take(NOW_S)


@pytest.mark.parametrize(
    ("device", "house", "answers"),
    [("washer", "adler", 1), ("washer", "", 1), ("kettle", "brandt", 1), ("kettle", "adler", 0), ("kettle", "", 0)],
)
async def test_a_misspelt_topic_is_answered_by_the_household_that_it_concerns(
    device: str, house: str, answers: int
) -> None:
    """In a deployment it got no answer; it still gets none if its device and house concern no household with guests."""
    broker = MemoryBroker()
    lane = STREET.replace("    guests: 1\n", "").replace("id: brandt\n", "id: brandt\n    guests: 1\n")
    gateways = load_text(lane, "test", None).gateways.values()
    adler, brandt = (
        DeviceLink(RUN, broker, {one: [g for g in gateways if g.house == one]}, {}, Zone(0), has_all_devices=False)
        for one in ("adler", "brandt")
    )
    own = f"ssmic/{RUN}/devices/{device}"
    async with broker.connect("device") as bus, broker.connect("reader") as reader:
        await reader.subscribe(f"{own}/error")
        async with adler.connected(), brandt.connected():
            for part in ("announce/", "state"):
                payload = json.dumps({"type": "consumer", "house": house}).encode()
                await bus.publish(f"{own}/{part}", payload, qos=1, retain=True)
        await bus.publish(f"{own}/error", b'{"problem": "the end"}', qos=1)
        problems: list[str] = []
        while not problems or problems[-1] != "the end":
            problems.append((await next_error(reader))["problem"])
    assert problems[:-1] == answers * ["there is no topic 'announce/'; did you mean 'announce'?"]


async def test_a_device_that_the_scenario_simulates_does_not_join_beside_itself(tmp_path: Path) -> None:
    """A roof for which `gateway` was forgotten took the place of a guest, and the run had both."""
    roof = f"ssmic/{RUN}/devices/pv"
    async with session(tmp_path, pace=1.0) as run, run.device(f"{roof}/#") as device:
        device.say(f"{roof}/announce", {"type": "producer", "house": "adler"}, retain=True)
        await device.until(lambda: device.on("error"))
        await run.stop()
    (error,) = device.on("error")
    assert error["problem"] == "device 'pv' of house 'adler' is simulated"
    assert error["expected"] == "`gateway: {}` in the device's entry in the scenario; or another id, for a guest"
    assert not device.on("state")


async def test_nothing_of_a_device_is_retained_when_the_run_has_ended() -> None:
    """A request that a device had retained by mistake caused an error in every later run."""
    broker = MemoryBroker()
    link = link_of(broker)
    async with broker.connect("device") as bus:
        async with link.connected():
            for part in ("announce", "availability", "request", "withdraw", "report"):
                await bus.publish(f"{WASHER}/{part}", b"{}", qos=1, retain=True)
        await bus.subscribe(f"ssmic/{RUN}/devices/#")
        await bus.publish(f"{WASHER}/job", b"last", qos=1)
        event = await anext(bus.messages())
    assert isinstance(event, Delivery)
    assert event.payload == b"last"


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("my car", "'my%20car' in its place"),
        ("Küche", "'K%C3%BCche' in its place"),
        ("%zz", "'%25zz' in its place"),
        ("wash%2der", "'wash-er' in its place"),
        ("a%00b", "an id of visible characters, percent-encoded as UTF-8"),
    ],
)
async def test_a_device_whose_id_is_not_encoded_in_its_topics_is_told_how_it_is_written(
    level: str, expected: str
) -> None:
    """It announced itself and got no answer at all."""
    broker = MemoryBroker()
    link = link_of(broker, is_of_guests=True)
    async with broker.connect("device") as bus:
        await bus.subscribe(f"ssmic/{RUN}/devices/{level}/error")
        async with link.connected():
            for _ in range(2):
                await bus.publish(f"ssmic/{RUN}/devices/{level}/announce", b'{"type": "consumer"}', qos=1)
        error = await next_error(bus)
    assert (error["topic"], error["expected"], error["payload"]) == ("announce", expected, '{"type": "consumer"}')


async def test_of_too_many_announcements_the_last_one_counts() -> None:
    """A guest that comes and goes a thousand times in one second has left, and another one has its place."""
    broker, here = MemoryBroker(), b'{"type": "consumer", "house": "adler"}'
    link = link_of(broker, is_of_guests=True)
    port = link.port("adler")
    assert port is not None
    async with link.connected(), broker.connect("device") as bus:

        async def say(device: str, *payloads: bytes) -> list[Any]:
            for payload in payloads:
                await bus.publish(f"ssmic/{RUN}/devices/{device}/announce", payload, qos=1)
            for _ in range(100):  # the broker is in this event loop: what was published arrives by turns
                await asyncio.sleep(0)
            taken = [one.message for one in port.take(NOW_S)]
            return [(said.device, said.said) for said in taken if isinstance(said, DeviceSaid)]

        said = await say("fridge", *[here, here, b""] * 1_000)
        assert ("fridge", Left()) in said
        flood = said[-1][1]
        assert isinstance(flood, Rejected)
        assert flood.problem == "3,000 messages at once, 2,967 of them dropped"
        assert [type(event) for device, event in await say("oven", here) if device == "oven"] == [Announced]


def guest_link(broker: MemoryBroker) -> tuple[DeviceLink, list[str]]:
    """Return the link of a household with two places for guests that are consumers, and their agents."""
    scenario = load_text(STREET.replace("guests: 1", "guests: 2"), "test", None)
    guests = [gateway for gateway in scenario.gateways.values() if not gateway.id and gateway.type == "consumer"]
    return DeviceLink(RUN, broker, {"adler": guests}, {}, Zone(0)), [guest.agent for guest in guests]


async def test_a_guest_that_leaves_and_comes_back_within_a_second_keeps_its_place() -> None:
    """It lost it, but its agent believed it; with each further announcement it got another one, and kept them all."""
    broker, here = MemoryBroker(), b'{"type": "consumer", "house": "adler"}'
    link, _ = guest_link(broker)
    port = link.port("adler")
    assert port is not None
    async with link.connected(), broker.connect("device") as bus:

        async def say(device: str, *parts: tuple[str, bytes]) -> list[tuple[str, str, type]]:
            for part, payload in parts:
                await bus.publish(f"ssmic/{RUN}/devices/{device}/{part}", payload, qos=1)
            for _ in range(100):  # the broker is in this event loop: what was published arrives by turns
                await asyncio.sleep(0)
            taken = [(one.agent, one.message) for one in port.take(NOW_S)]
            return [(agent, said.device, type(said.said)) for agent, said in taken if isinstance(said, DeviceSaid)]

        ((first, *_),) = await say("fridge", ("announce", here))
        back = await say("fridge", ("announce", b""), ("report", b'{"power_w": 5}'), ("announce", here))
        assert back == [(first, "fridge", said) for said in (Left, Rejected, Announced)]
        assert [agent for agent, *_ in await say("fridge", ("announce", here))] == [first]
        ((second, *_),) = await say("oven", ("announce", here))
        assert second != first
        assert await say("kettle", ("announce", here)) == []
        gone = await say("oven", ("announce", b""), ("availability", b"offline"))
        assert gone == [(second, "oven", Left)]  # no error, although it has left


async def test_a_guest_that_left_before_a_restart_leaves_its_place_to_others() -> None:
    """The new process counted the place as taken for good, and refused the guest that had it since."""
    broker, here = MemoryBroker(), b'{"type": "consumer", "house": "adler"}'
    (link, agents), said = guest_link(broker), Announced(type="consumer")
    port = link.port("adler")
    assert port is not None
    agent = agents[0]
    for device, event in (("fridge", said), ("fridge", Left()), ("oven", said)):
        port.restore([Incoming(agent, DeviceSaid(device=device, said=event))], [], NOW_S)
    async with link.connected(), broker.connect("device") as bus:
        await bus.publish(f"ssmic/{RUN}/devices/oven/announce", here, qos=1)
        await bus.publish(f"ssmic/{RUN}/devices/fridge/announce", here, qos=1)
        for _ in range(100):
            await asyncio.sleep(0)
        taken = port.take(NOW_S)
    assert [one.agent == agent for one in taken] == [True, False]


async def test_devices_that_say_much_at_once_do_not_fill_their_household_s_messages() -> None:
    """One guest could cause 30 MB in a second; for those of three, the clock that waited for them had no room."""
    broker, powers_w = MemoryBroker(), [7] * 7_400
    link, _ = guest_link(broker)
    port = link.port("adler")
    assert port is not None
    load = {"step_s": 60, "power_w": powers_w}
    here = {"type": "consumer", "house": "adler", "profiles": {"a": load, "b": load}}
    said = {"announce": here, "request": {**load, "ready_by": "in 400 h"}, "forecast": {**load, "start": NOW_S}}
    async with link.connected(), broker.connect("device") as bus:
        for number in range(12):
            for part, content in said.items():
                await bus.publish(f"ssmic/{RUN}/devices/fridge/{part}", json.dumps(content).encode(), qos=1)
            if number == 1:
                await bus.publish(f"ssmic/{RUN}/devices/fridge/report", b'{"power_w": 5}', qos=1)
        await bus.publish(f"ssmic/{RUN}/devices/oven/announce", b'{"type": "consumer", "house": "adler"}', qos=1)
        for _ in range(200):
            await asyncio.sleep(0)
        taken = [one.message for one in port.take(NOW_S)]
    assert sum(len(message.model_dump_json()) for message in taken) < MAX_BUFFERED_BYTES / 10
    problems = [said.said.problem for said in taken if isinstance(said, DeviceSaid) and isinstance(said.said, Rejected)]
    assert any("messages at once" in problem for problem in problems)
    others = [said.device for said in taken if isinstance(said, DeviceSaid) and said.device != "fridge"]
    assert others == ["oven"], "a device that says much takes no room of another"


async def test_after_a_lost_connection_the_newest_job_and_state_are_retained_again_and_no_error() -> None:
    """The broker may have lost what it retained; an error concerns one message, and is not repeated."""
    broker = MemoryBroker()
    link, agents = guest_link(broker)

    def notice(part: Literal["job", "state", "error"], number: int) -> Instruction:
        return Instruction(agents[0], DeviceNotice(part=part, device="fridge", content={"number": number}))

    async with link.connected(), broker.connect("watcher") as watcher:
        await watcher.subscribe(f"ssmic/{RUN}/devices/fridge/#")
        heard: list[tuple[str, int]] = []

        async def hear() -> None:
            async for event in watcher.messages():
                match event:
                    case Delivery(topic=topic, payload=payload) if payload:
                        heard.append((topic.rpartition("/")[2], json.loads(payload)["number"]))

        hearing = asyncio.create_task(hear())

        async def turns() -> list[tuple[str, int]]:
            for _ in range(100):  # the broker is in this event loop: what was published arrives by turns
                await asyncio.sleep(0)
            said = sorted(heard)
            heard.clear()
            return said

        link.carry_out([notice("job", 1), notice("job", 2), notice("state", 3), notice("error", 4)], NOW_S)
        assert await turns() == [("error", 4), ("job", 1), ("job", 2), ("state", 3)]
        (name,) = [name for name in broker._clients if name.startswith(f"{RUN}-devices-")]
        broker.interrupt(name)
        assert await turns() == [("job", 2), ("state", 3)]
        hearing.cancel()


@pytest.mark.parametrize(
    ("part", "payload", "is_taken"),
    [
        ("announce", b'{"type": "consumer", "house": "adler"}', True),
        ("availability", b"online", True),
        ("request", b'{"id": "old", "energy_wh": 1, "duration_s": 60, "ready_by": "in 2 h"}', False),
        ("withdraw", b'{"id": "old"}', False),
        ("report", b'{"power_w": 5}', False),
    ],
)
async def test_a_message_that_the_broker_kept_counts_only_where_devices_may_retain_it(
    part: str, payload: bytes, *, is_taken: bool
) -> None:
    """A broker sends it again with each new subscription: an old request would be made in every run."""
    broker = MemoryBroker()
    link, _ = guest_link(broker)
    port = link.port("adler")
    assert port is not None
    async with broker.connect("device") as bus:
        here = b'{"type": "consumer", "house": "adler"}'
        await bus.publish(f"ssmic/{RUN}/devices/fridge/announce", here, qos=1, retain=True)
        await bus.publish(f"ssmic/{RUN}/devices/fridge/{part}", payload, qos=1, retain=True)
        async with link.connected():
            for _ in range(100):  # the broker is in this event loop: what was published arrives by turns
                await asyncio.sleep(0)
            said = [one.message.said for one in port.take(NOW_S) if isinstance(one.message, DeviceSaid)]
    leftovers = [event.topic for event in said if isinstance(event, Rejected)]
    assert leftovers == ([] if is_taken else [part])
