"""Devices on their makers' topics: from discovery to the end of a job, and what was metered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker.identifiers import MAX_CHARACTERS
from broker.protocol.wire import Control
from broker.security import Guard, write_guard
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from scenarios.devices.device_access import device_access_of
from scenarios.devices.scan import entries_of, found_in
from scenarios.errors import ScenarioError
from scenarios.files.dump import block_lines, to_yaml
from scenarios.files.scenario_from_text import load_text
from tests.scenarios.devices.session import RUN, STREET, Device, Session, session
from tests.scenarios.devices.test_gateway import WASHER, job_state

needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")

Say = Callable[..., None]
"""Publishes a topic and a payload; with `retain=True`, retained."""


@dataclass(frozen=True)
class Plug:
    """An emulated plug: its messages at power-on, on switching, and of its meter."""

    gateway: str
    filters: tuple[str, ...]
    hello: Callable[[Say], None]
    on_message: Callable[[Say, str, str], bool | None]
    """Answers a message; returns whether the plug is on from now on, None: as it was."""
    meter: Callable[..., None]
    """Says power in W, the counter in Wh, and whether it is on."""
    goodbye: tuple[str, Any]
    """Topic and payload that announce that it is offline."""


def tasmota() -> Plug:
    """A Tasmota plug."""

    def hello(say: Say) -> None:
        say("tele/tasmota_A1B2C3/LWT", "Online", retain=True)

    def on_message(say: Say, topic: str, payload: str) -> bool | None:
        command = topic.rpartition("/")[2].upper()
        if command == "PULSETIME1":
            say("stat/tasmota_A1B2C3/RESULT", {"PulseTime1": {"Set": int(payload), "Remaining": 0}})
        if command != "POWER" or not payload:
            return None
        say("stat/tasmota_A1B2C3/RESULT", {"POWER": payload})
        say("stat/tasmota_A1B2C3/POWER", payload)
        return payload == "ON"

    def meter(say: Say, power_w: float, counter_wh: float, *, is_on: bool) -> None:
        energy = {"TotalStartTime": "2026-01-01T00:00:00", "Total": counter_wh / 1000, "Power": power_w, "Voltage": 230}
        say("tele/tasmota_A1B2C3/STATE", {"UptimeSec": 5, "POWER": "ON" if is_on else "OFF"})
        say("tele/tasmota_A1B2C3/SENSOR", {"Time": "2026-11-26T02:50:00", "ENERGY": energy})

    gone = ("tele/tasmota_A1B2C3/LWT", "Offline")
    return Plug(
        "{adapter: tasmota, topic: tasmota_A1B2C3, answer_s: 3600}", ("cmnd/#",), hello, on_message, meter, gone
    )


def shelly() -> Plug:
    """A Shelly Plug M of generation 3."""
    prefix = "shellyplugmg3-aabbccddeeff"

    def hello(say: Say) -> None:
        say(f"{prefix}/online", "true")

    def on_message(say: Say, topic: str, payload: str) -> bool | None:
        if not topic.endswith("/rpc"):
            return None
        call = json.loads(payload)
        answer = {"id": call["id"], "src": prefix, "dst": call["src"]}
        if call["method"] != "Switch.Set":
            say(f"{call['src']}/rpc", {**answer, "result": {"id": 0, "output": False, "apower": 0.0}})
            return None
        assert call["params"]["id"] == 0
        assert not call["params"]["on"] or call["params"]["toggle_after"] > 1800
        say(f"{call['src']}/rpc", {**answer, "result": {"was_on": not call["params"]["on"]}})
        return bool(call["params"]["on"])

    def meter(say: Say, power_w: float, counter_wh: float, *, is_on: bool) -> None:
        changed = {
            "id": 0,
            "output": is_on,
            "apower": power_w,
            "aenergy": {"total": counter_wh, "by_minute": [0, 0, 0]},
        }
        notice = {
            "src": prefix,
            "dst": f"{prefix}/events",
            "method": "NotifyStatus",
            "params": {"ts": 1, "switch:0": changed},
        }
        say(f"{prefix}/events/rpc", notice)

    gateway = f"{{adapter: shelly, prefix: {prefix}, answer_s: 3600}}"
    return Plug(
        gateway, (f"{prefix}/rpc", f"{prefix}/command"), hello, on_message, meter, (f"{prefix}/online", "false")
    )


def zigbee() -> Plug:
    """A plug behind Zigbee2MQTT, with a slash in its name."""
    name, address = "wash/er", "0x00158d0001020304"

    def hello(say: Say) -> None:
        device = {"ieee_address": address, "friendly_name": name, "type": "Router", "definition": None}
        say("zigbee2mqtt/bridge/state", {"state": "online"}, retain=True)
        say("zigbee2mqtt/bridge/devices", [device], retain=True)
        say(f"zigbee2mqtt/{name}/availability", {"state": "online"}, retain=True)

    def on_message(say: Say, topic: str, payload: str) -> bool | None:
        if topic != f"zigbee2mqtt/{name}/set":
            return None
        is_on = bool(json.loads(payload)["state"] == "ON")
        state = {"state": "ON" if is_on else "OFF", "power": None, "energy": None, "linkquality": 120}
        say(f"zigbee2mqtt/{name}", state)
        return is_on

    def meter(say: Say, power_w: float, counter_wh: float, *, is_on: bool) -> None:
        state = {"state": "ON" if is_on else "OFF", "power": power_w, "energy": counter_wh / 1000}
        say(f"zigbee2mqtt/{name}", state)

    gone = (f"zigbee2mqtt/{name}/availability", {"state": "offline"})
    gateway = f'{{adapter: zigbee2mqtt, ieee_address: "{address}", answer_s: 3600}}'
    return Plug(gateway, (f"zigbee2mqtt/{name}/set",), hello, on_message, meter, gone)


def generic() -> Plug:
    """A home-made plug."""

    def hello(say: Say) -> None:
        say("my/plug/alive", "yes", retain=True)

    def on_message(_say: Say, topic: str, payload: str) -> bool | None:
        if topic != "my/plug/cmd":
            return None
        assert payload in {"off", "on"} or payload.startswith("on for ")
        return payload != "off"

    def meter(say: Say, power_w: float, counter_wh: float, *, is_on: bool) -> None:
        said = {"meters": [{"p": power_w * 10, "e": counter_wh / 1000}], "on": is_on}
        say("my/plug/data", said)

    gateway = (
        "{adapter: generic, answer_s: 3600, switch: {topic: my/plug/data, path: on, on: 'true', off: 'false'}, "
        "power: {topic: my/plug/data, path: 'meters[0].p', unit: 0.1 W}, "
        "energy: {topic: my/plug/data, template: '{{ value_json.meters[0].e * 1000 }}', unit: Wh}, "
        "availability: {topic: my/plug/alive, online: 'yes', offline: 'no'}, "
        "command: {topic: my/plug/cmd, on: 'on for {{ run_s }}', off: 'off'}}"
    )
    return Plug(gateway, ("my/plug/cmd",), hello, on_message, meter, ("my/plug/alive", "no"))


@needs_mosquitto
@pytest.mark.long
@pytest.mark.parametrize("make", [tasmota, shelly, zigbee, generic])
async def test_a_plug_is_switched_on_at_the_start_metered_and_switched_off_when_its_programme_is_over(
    make: Callable[[], Plug], tmp_path: Path
) -> None:
    """Topics, units and answers are its maker's; its own timer is set; the job ends when it draws no more."""
    plug = make()
    text = STREET.replace("gateway: {answer_s: 3600}", f"gateway: {plug.gateway}")
    async with session(tmp_path, text) as run, run.device(f"{WASHER}/#", *plug.filters) as device:
        is_on = [False]

        def say(topic: str, payload: Any, *, retain: bool = False) -> None:
            device.say(topic, payload, retain=retain)

        def answer(topic: str, payload: str) -> None:
            switched = None if topic.startswith("ssmic") else plug.on_message(say, topic, payload)
            if switched is not None and switched != is_on[0]:
                is_on[0] = switched
                plug.meter(say, 2000.0 if switched else 0.0, 5000.0 if switched else 5410.0, is_on=switched)

        device.answers.append(answer)
        plug.hello(say)
        await device.until(lambda: device.on("state") and device.on("state")[-1]["available"] is True)
        device.say(f"{WASHER}/request", {"id": "wash-1", "ready_by": "in 20 h"})
        await device.until(lambda: job_state(device) == "EXECUTING" and device.on("state")[-1]["power_w"] == 2000.0)
        plug.meter(say, 1.0, 5410.0, is_on=True)
        await device.until(lambda: job_state(device) == "FINISHED" and not is_on[0])
        last = device.on("job")[-1]
        assert (last["outcome"], last["measured_wh"]) == ("on_time", pytest.approx(410.0))
        outcome = await run.stop()
    entry = next(entry for entry in outcome.ledger if entry.contract.job_id == "adler/washer/wash-1")
    assert [event.what for event in entry.history] == ["agreed", "started", "finished"]


@needs_mosquitto
@pytest.mark.long
async def test_a_counter_that_follows_the_power_counts_all_that_a_programme_drew(tmp_path: Path) -> None:
    """A Zigbee plug reports each on its own: the power has fallen before the counter has the last of the energy."""
    async with plugged_in(zigbee, tmp_path, pace=600.0) as (run, device, plug):
        device.say(f"{WASHER}/request", {"id": "wash-1", "ready_by": "in 20 h"})
        await device.until(lambda: job_state(device) == "EXECUTING" and device.on("state")[-1]["power_w"] == 2000.0)
        plug.meter(device.say, 0.0, 5000.0, is_on=True)
        await device.until(lambda: device.on("state")[-1]["power_w"] == 0.0)
        plug.meter(device.say, 0.0, 5410.0, is_on=True)
        await device.until(lambda: job_state(device) == "FINISHED")
        assert device.on("job")[-1]["measured_wh"] == pytest.approx(410.0)
        await run.stop()


@asynccontextmanager
async def plugged_in(
    make: Callable[[], Plug], folder: Path, *, pace: float = 60.0, is_dead: bool = False, text: str = STREET
) -> AsyncIterator[tuple[Session, Device, Plug]]:
    """Have a washer behind a plug that is there, switched off; a dead one answers nothing."""
    plug = make()
    gateway = plug.gateway.replace("answer_s: 3600", "answer_s: 60") if is_dead else plug.gateway
    text = text.replace("gateway: {answer_s: 3600}", f"gateway: {gateway}")
    async with session(folder, text, pace=pace) as run, run.device(f"{WASHER}/#", *plug.filters) as device:

        def answer(topic: str, payload: str) -> None:
            switched = None if topic.startswith("ssmic") or is_dead else plug.on_message(device.say, topic, payload)
            if switched is not None:
                plug.meter(device.say, 2000.0 if switched else 0.0, 5000.0, is_on=switched)

        plug.hello(device.say)
        plug.meter(device.say, 0.0, 5000.0, is_on=False)
        await device.until(lambda: device.on("state") and device.on("state")[-1]["power_w"] == 0.0)
        await device.until(lambda: device.on("state")[-1]["available"] is True)
        device.answers.append(answer)
        yield run, device, plug


@needs_mosquitto
async def test_a_zigbee_plug_is_asked_for_its_state_once_its_bridge_has_named_it(tmp_path: Path) -> None:
    """Its state is not retained, and its name is known only from the list of the bridge, which comes later."""
    plug = zigbee()
    text = STREET.replace("gateway: {answer_s: 3600}", f"gateway: {plug.gateway}")
    async with session(tmp_path, text) as run, run.device(f"{WASHER}/#", "zigbee2mqtt/+/+/get") as device:
        for _ in range(2):
            plug.hello(device.say)
        device.say("zigbee2mqtt/wash/er", {"state": "OFF", "power": 7})
        await device.until(lambda: device.on("state") and device.on("state")[-1]["power_w"] == 7)
        await device.until(lambda: device.on("get"))
        assert device.on("get") == [{"state": "", "power": ""}]
        await run.stop()


@needs_mosquitto
async def test_a_zigbee_plug_is_found_in_a_list_of_a_hundred_devices(tmp_path: Path) -> None:
    """Lists above 512 KiB were dropped: the plug was never found, and none of its jobs ran."""
    plug = zigbee()
    text = STREET.replace("gateway: {answer_s: 3600}", f"gateway: {plug.gateway}")
    devices = [
        {"ieee_address": f"0x{i:016}", "friendly_name": f"plug-{i}", "definition": "x" * 7_000} for i in range(99)
    ]
    async with (
        managed_mosquitto(extra_configuration="message_size_limit 0\n") as broker,
        session(tmp_path, text, broker=broker.url) as run,
        run.device(f"{WASHER}/#", "zigbee2mqtt/+/+/get") as device,
    ):
        named = {"ieee_address": "0x00158d0001020304", "friendly_name": "wash/er"}
        device.say("zigbee2mqtt/bridge/devices", [*devices, named], retain=True)
        await device.until(lambda: device.on("get"))
        await run.stop()


def test_a_guarded_broker_passes_on_the_list_of_a_zigbee_bridge(tmp_path: Path) -> None:
    """It disconnected the bridge, whose list of a hundred devices is larger than any message between households."""
    for gateway, expected in ((tasmota().gateway, 576 * 1024), (zigbee().gateway, 8 * 1024 * 1024 + 64 * 1024)):
        scenario = load_text(STREET.replace("gateway: {answer_s: 3600}", f"gateway: {gateway}"), "f", None)
        write_guard(tmp_path, Guard(("adler", "brandt"), devices=device_access_of(scenario)))
        configuration = (tmp_path / "broker" / "mosquitto-host.conf").read_text()
        assert f"\nmax_packet_size {expected}\n" in configuration


PLUGS = pytest.mark.parametrize("make", [tasmota, shelly, zigbee, generic])


@needs_mosquitto
@pytest.mark.long
@PLUGS
async def test_switching_a_plug_by_hand_is_recorded_in_its_contract(make: Callable[[], Plug], tmp_path: Path) -> None:
    """On before its time, off in the middle, and on again: each is a state of the job, and no command is sent."""
    async with plugged_in(make, tmp_path) as (run, device, plug):
        device.say(f"{WASHER}/request", {"id": "wash-1", "earliest_start": "in 10 h", "ready_by": "in 20 h"})
        await device.until(lambda: job_state(device) == "SCHEDULED")
        heard = len(device.heard)
        plug.meter(device.say, 2000.0, 5010.0, is_on=True)
        await device.until(lambda: job_state(device) == "EXECUTING")
        assert device.on("job")[-1]["outcome"] == "started_by_hand"
        plug.meter(device.say, 0.0, 5020.0, is_on=False)
        await device.until(lambda: job_state(device) == "INTERRUPTED")
        assert device.on("job")[-1]["outcome"] == "stopped_by_hand"
        plug.meter(device.say, 2000.0, 5020.0, is_on=True)
        await device.until(lambda: job_state(device) == "EXECUTING")
        assert not [topic for topic, _, _ in device.heard[heard:] if not topic.startswith("ssmic")]
        outcome = await run.stop()
    entry = next(entry for entry in outcome.ledger if entry.contract.job_id == "adler/washer/wash-1")
    assert ("interrupted", "stopped_by_hand") in [(event.what, event.reason) for event in entry.history]


@needs_mosquitto
@pytest.mark.long
async def test_a_programme_started_by_hand_ends_when_it_is_over_and_not_at_its_contract(tmp_path: Path) -> None:
    """The job counted as running until its contract's start, hours later, and held up the device's next job."""
    async with plugged_in(tasmota, tmp_path) as (run, device, plug):
        device.say(f"{WASHER}/request", {"id": "wash-1", "earliest_start": "in 10 h", "ready_by": "in 20 h"})
        await device.until(lambda: job_state(device) == "SCHEDULED")
        plug.meter(device.say, 2000.0, 5010.0, is_on=True)
        await device.until(lambda: job_state(device) == "EXECUTING")
        device.say(f"ssmic/{RUN}/control", Control(command="pace", pace="1200x", by="test").encoded())
        plug.meter(device.say, 0.0, 5410.0, is_on=True)
        await device.until(lambda: job_state(device) == "FINISHED")
        last = device.on("job")[-1]
        assert (last["outcome"], last["measured_wh"]) == ("started_by_hand", pytest.approx(400.0))
        assert last["time"] < last["start"]
        device.say(f"{WASHER}/request", {"id": "wash-2", "ready_by": "in 2 h"})
        await device.until(lambda: (device.on("job")[-1]["id"], job_state(device)) == ("wash-2", "EXECUTING"))
        assert device.on("job")[-1]["time"] < last["start"]
        outcome = await run.stop()
    entry = next(entry for entry in outcome.ledger if entry.contract.job_id == "adler/washer/wash-1")
    assert [event.what for event in entry.history] == ["agreed", "started", "finished"]


@needs_mosquitto
@pytest.mark.long
async def test_the_timer_of_a_plug_is_set_again_while_its_programme_runs(tmp_path: Path) -> None:
    """A programme of hours is longer than a Zigbee radio can count: the plug stays on, and safe without us.

    It draws nothing more long before the end of its load profile: a plug that is silent for an hour after that has
    vanished, and an hour is a second here.
    """
    hours = STREET.replace("{step_s: 600, power_w: [100, 2000, 150]}", "{step_s: 57600, power_w: [1000]}")
    async with plugged_in(zigbee, tmp_path, text=hours) as (run, device, plug):

        def switched(to: str) -> list[dict[str, Any]]:
            sent = [json.loads(payload) for topic, payload, _ in device.heard if topic in plug.filters]
            return [one for one in sent if one["state"] == to]

        device.say(f"{WASHER}/request", {"id": "wash-1", "ready_by": "in 20 h"})
        await device.until(lambda: job_state(device) == "EXECUTING")
        device.say(f"ssmic/{RUN}/control", Control(command="pace", pace="3600x", by="test").encoded())
        await device.until(lambda: len(switched("ON")) >= 5)  # at least every 6,553 / 2 s
        device.answers.clear()  # from now on it says that it draws nothing
        plug.meter(device.say, 0.0, 5410.0, is_on=True)
        await device.until(lambda: job_state(device) == "FINISHED" and switched("OFF"))
        assert {one["on_time"] for one in switched("ON")} == {6_553}
        assert len(switched("OFF")) == 1
        await run.stop()


@needs_mosquitto
@pytest.mark.long
@PLUGS
async def test_a_plug_that_vanishes_is_recorded_in_its_contract(make: Callable[[], Plug], tmp_path: Path) -> None:
    """The gateway waits for some time after the end of its programme."""
    async with plugged_in(make, tmp_path) as (run, device, plug):
        device.say(f"{WASHER}/request", {"id": "wash-1", "ready_by": "in 20 h"})
        await device.until(lambda: job_state(device) == "EXECUTING")
        device.say(*plug.goodbye)
        await device.until(lambda: device.on("state")[-1]["available"] is False)
        device.say(f"ssmic/{RUN}/control", Control(command="pace", pace="6000x", by="test").encoded())
        await device.until(lambda: job_state(device) == "ABORTED")
        assert device.on("job")[-1]["outcome"] == "vanished"
        outcome = await run.stop()
    entry = next(entry for entry in outcome.ledger if entry.contract.job_id == "adler/washer/wash-1")
    assert (entry.history[-1].what, entry.history[-1].reason) == ("aborted", "vanished: its device is offline")


@needs_mosquitto
@pytest.mark.long
@PLUGS
async def test_a_dead_plug_is_commanded_three_times(make: Callable[[], Plug], tmp_path: Path) -> None:
    """It is online, but never answers; its job is aborted and drew nothing."""
    async with plugged_in(make, tmp_path, pace=600.0, is_dead=True) as (run, device, plug):
        device.say(f"{WASHER}/request", {"id": "wash-1", "ready_by": "in 20 h"})
        await device.until(lambda: job_state(device) == "ABORTED")
        last = device.on("job")[-1]
        assert (last["outcome"], last["measured_wh"]) == ("no_answer", 0.0)
        on: list[bool] = []
        for topic, payload, _ in device.heard:
            switched = None if topic.startswith("ssmic") else plug.on_message(lambda *_, **__: None, topic, payload)
            on += [switched] if switched is not None else []
        assert on.count(True) == 3
        await run.stop()


@needs_mosquitto
@pytest.mark.long
async def test_a_plug_that_loses_power_is_switched_on_again_and_its_contract_says_so(tmp_path: Path) -> None:
    """Its last will, its return with the switch open, and a counter that starts again at 0."""
    plug = tasmota()
    text = STREET.replace("gateway: {answer_s: 3600}", f"gateway: {plug.gateway}")
    async with session(tmp_path, text) as run, run.device(f"{WASHER}/#", *plug.filters) as device:
        commands: list[str] = []

        def say(topic: str, payload: Any, *, retain: bool = False) -> None:
            device.say(topic, payload, retain=retain)

        def answer(topic: str, payload: str) -> None:
            if not topic.startswith("ssmic") and plug.on_message(say, topic, payload):
                commands.append(payload)
                plug.meter(say, 2000.0, 100.0 * len(commands), is_on=True)

        device.answers.append(answer)
        plug.hello(say)
        await device.until(lambda: device.on("state") and device.on("state")[-1]["available"] is True)
        device.say(f"{WASHER}/request", {"id": "wash-1", "ready_by": "in 20 h"})
        await device.until(lambda: job_state(device) == "EXECUTING")
        say("tele/tasmota_A1B2C3/LWT", "Offline", retain=True)
        await device.until(lambda: device.on("state")[-1]["available"] is False)
        say("tele/tasmota_A1B2C3/LWT", "Online", retain=True)
        say("tele/tasmota_A1B2C3/STATE", {"UptimeSec": 1, "POWER": "OFF"})
        await device.until(lambda: [job for job in device.on("job") if job["outcome"] == "power_lost"])
        await device.until(lambda: len(commands) == 2 and job_state(device) == "EXECUTING")
        outcome = await run.stop()
    entry = next(entry for entry in outcome.ledger if entry.contract.job_id == "adler/washer/wash-1")
    assert ("interrupted", "power_lost") in [(event.what, event.reason) for event in entry.history]


@needs_mosquitto
@pytest.mark.long
async def test_a_plug_shows_that_its_appliance_waits_and_a_job_begins(tmp_path: Path) -> None:
    """A few watts for a while: the plug is switched off, and on again when the contract starts."""
    plug = tasmota()
    waiting = "waiting: {above_w: 1, below_w: 9, for_s: 0, within_s: 72000}, answer_s"
    text = STREET.replace("gateway: {answer_s: 3600}", f"gateway: {plug.gateway}".replace("answer_s", waiting))
    async with session(tmp_path, text) as run, run.device(f"{WASHER}/#", *plug.filters) as device:

        def say(topic: str, payload: Any, *, retain: bool = False) -> None:
            device.say(topic, payload, retain=retain)

        def answer(topic: str, payload: str) -> None:
            if topic.startswith("cmnd"):
                plug.on_message(say, topic, payload)

        device.answers.append(answer)
        plug.hello(say)
        plug.meter(say, 3.0, 100.0, is_on=True)
        await device.until(lambda: job_state(device) == "EXECUTING")
        powers = [payload for topic, payload, _ in device.heard if topic == "cmnd/tasmota_A1B2C3/POWER" and payload]
        assert powers == ["OFF", "ON"]


@needs_mosquitto
@pytest.mark.parametrize(
    ("message", "reason"),
    [("x" * 150_000, f"-103: {'x' * 494}"), ("a\x00\ud800\n", r"-103: a\x00\ud800\n")],
    ids=["long", "no Unicode"],
)
async def test_no_text_with_which_a_plug_refuses_a_command_ends_the_run(
    message: str, reason: str, tmp_path: Path
) -> None:
    """The agent, or the results file, failed on a text that is long or no Unicode, and with it the run for all."""
    async with plugged_in(shelly, tmp_path, pace=600.0) as (run, device, _):

        def refuse(topic: str, payload: str) -> None:
            call = {} if topic.startswith("ssmic") else json.loads(payload)
            if call.get("method") == "Switch.Set":
                device.say(f"{call['src']}/rpc", {"id": call["id"], "error": {"code": -103, "message": message}})

        device.answers[:] = [refuse]
        device.say(f"{WASHER}/request", {"id": "wash-1", "ready_by": "in 20 h"})
        await device.until(lambda: job_state(device) == "ABORTED")
        last = device.on("job")[-1]
        assert (last["outcome"], last["reason"]) == ("refused", reason)
        # A refusal is an answer: the device can be reached, and said no.
        await device.until(lambda: device.on("state")[-1]["commands_answered"] == 1)
        assert device.on("state")[-1]["commands_sent"] == 1
        outcome = await run.stop()
    entry = next(entry for entry in outcome.ledger if entry.contract.job_id == "adler/washer/wash-1")
    assert (entry.history[-1].what, entry.history[-1].reason[:7]) == ("aborted", "refused")


@needs_mosquitto
async def test_a_wrong_counter_of_a_plug_is_reported_with_the_topic_that_it_came_on(tmp_path: Path) -> None:
    """The error named `report`, on which the plug has never sent anything."""
    async with plugged_in(tasmota, tmp_path) as (run, device, plug):
        plug.meter(device.say, 0.0, 4990.0, is_on=False)
        error = (await device.until(lambda: device.on("error")))[0]
        assert error["problem"] == "counter falls from 5000 to 4990 Wh"
        assert error["topic"] == "tele/tasmota_A1B2C3/SENSOR"
        await run.stop()


INVERTERS = {
    "{adapter: opendtu, serial: '116180'}": (
        "solar/116180/status/reachable",
        "solar/116180/0/power",
        "solar/116180/0/yieldday",
    ),
    "{adapter: ahoydtu, name: roof}": (
        "inverter/roof/available",
        "inverter/roof/ch0/P_AC",
        "inverter/roof/ch0/YieldDay",
    ),
}


@needs_mosquitto
@pytest.mark.parametrize("gateway", INVERTERS)
async def test_a_wrong_counter_of_an_inverter_is_reported_with_the_topic_that_it_came_on(
    gateway: str, tmp_path: Path
) -> None:
    """As for a plug."""
    _, _, counter = INVERTERS[gateway]
    text = STREET.replace("        predictions:\n", f"        gateway: {gateway}\n        predictions:\n")
    pv = f"ssmic/{RUN}/devices/pv"
    async with session(tmp_path, text) as run, run.device(f"{pv}/state", f"{pv}/error") as device:
        device.say(counter, "1000", retain=True)
        await device.until(lambda: device.on("state") and device.on("state")[-1]["last_heard"])
        device.say(counter, "990", retain=True)
        error = (await device.until(lambda: device.on("error")))[0]
        assert (error["topic"], error["problem"]) == (counter, "counter falls from 1000 to 990 Wh")
        await run.stop()


@needs_mosquitto
async def test_a_long_topic_is_visibly_cut_in_an_error(tmp_path: Path) -> None:
    """Cut without a mark, it would name a topic that does not exist."""
    roof = "roof-" * 24
    text = STREET.replace(
        "        predictions:\n", f"        gateway: {{adapter: ahoydtu, name: {roof}}}\n        predictions:\n"
    )
    pv, counter = f"ssmic/{RUN}/devices/pv", f"inverter/{roof}/ch0/YieldDay"
    async with session(tmp_path, text) as run, run.device(f"{pv}/state", f"{pv}/error") as device:
        device.say(counter, "1000", retain=True)
        await device.until(lambda: device.on("state") and device.on("state")[-1]["last_heard"])
        device.say(counter, "990", retain=True)
        error = (await device.until(lambda: device.on("error")))[0]
        assert error["topic"] == f"{counter[:99]}…"
        device.say(counter, "much", retain=True)
        error = (await device.until(lambda: device.on("error")[1:]))[0]
        assert error["topic"] == counter
        await run.stop()


@needs_mosquitto
@pytest.mark.long
@pytest.mark.parametrize("gateway", INVERTERS)
async def test_an_inverter_is_metered_over_the_restart_of_its_counter_at_midnight(gateway: str, tmp_path: Path) -> None:
    """It reports power, and the energy continues when the day's counter restarts."""
    reachable, power, counter = INVERTERS[gateway]
    text = STREET.replace("        predictions:\n", f"        gateway: {gateway}\n        predictions:\n")
    pv = f"ssmic/{RUN}/devices/pv"
    async with session(tmp_path, text) as run, run.device(f"{pv}/state") as device:
        device.say(reachable, "1", retain=True)
        device.say(power, "512.3")
        for reading in ("900", "1000", "5"):
            device.say(counter, reading)
        await device.until(lambda: device.on("state") and device.on("state")[-1]["energy_wh"] == 105.0)
        last = device.on("state")[-1]
        assert (last["available"], last["power_w"], last["type"]) == (True, 512.3, "producer")


TASMOTA_CONFIG = {
    "ip": "192.0.2.7", "dn": "Washer", "fn": ["Miele", None], "hn": "tasmota-A1B2C3", "mac": "AABBCCA1B2C3",
    "t": "tasmota_A1B2C3", "ft": "%prefix%/%topic%/", "tp": ["cmnd", "stat", "tele"], "rl": [1, 0, 0], "ver": 1,
}  # fmt: skip


@pytest.mark.parametrize("types", [("producer", "producer"), ("consumer", "consumer"), ("producer", "consumer")])
def test_no_meter_is_read_for_two_devices(types: tuple[str, str]) -> None:
    """Each kWh of it was settled twice: as the production of two roofs, or as the draw of two jobs at once."""
    devices = [
        "energy: {topic: roof, path: e, unit: kWh}, power: {topic: roof, path: p, unit: W}",
        "energy: {topic: roof, path: e, unit: kWh}",
        "energy: {topic: roof, path: e2, unit: kWh}",
    ]
    entries = "".join(
        f"      - {{id: pv{i}, type: {types[i % 2]}, gateway: {{adapter: generic, {options}}}}}\n"
        for i, options in enumerate(devices)
    )
    with pytest.raises(ScenarioError) as raised:
        load_text(
            f"version: 1\nname: n\nstart: 2026-06-21T06:00:00Z\nseed: 1\nhouses:\n  - id: a\n    devices:\n{entries}",
            "f",
            None,
        )
    (problem,) = raised.value.problems
    assert "devices[1].gateway: 'roof' is read as the meter of another device already" in str(problem)


@pytest.mark.parametrize(
    ("declared", "read", "is_refused"),
    [
        ("tasmota, topic: plug", "{topic: tele/plug/SENSOR, path: ENERGY.Power, unit: W}", True),
        ("tasmota, topic: plug", "{topic: stat/plug/STATUS10, path: StatusSNS.ENERGY.Power, unit: W}", True),
        ("tasmota, topic: plug", "{topic: tele/plug/SENSOR, path: SML.Power, unit: W}", False),
        ("tasmota, topic: plug", "{topic: tele/plug/SENSOR, template: '{{ value_json.a }}', unit: W}", True),
        ("tasmota, topic: plug, relay: 1", "{topic: tele/plug/SENSOR, path: 'ENERGY.Power[0]', unit: W}", True),
        ("tasmota, topic: plug, relay: 1", "{topic: tele/plug/SENSOR, path: 'ENERGY.Power[1]', unit: W}", False),
        ("tasmota, topic: plug, relay: 1", "{topic: tele/plug/SENSOR, path: ENERGY.Power, unit: W}", True),
        ("shelly, prefix: plug", "{topic: 'plug/status/switch:0', path: apower, unit: W}", True),
        ("shelly, prefix: plug", "{topic: 'plug/events/rpc', path: 'params.switch:0.apower', unit: W}", True),
        ("shelly, prefix: plug, channel: 1", "{topic: 'plug/status/switch:0', path: apower, unit: W}", False),
        ("zigbee2mqtt, name: plug", "{topic: zigbee2mqtt/plug, path: power, unit: W}", True),
        ("zigbee2mqtt, name: plug, endpoint: l1", "{topic: zigbee2mqtt/plug, path: power_l2, unit: W}", False),
        ("opendtu, serial: '1161'", "{topic: solar/1161/0/power, unit: W}", True),
        ("opendtu, serial: '1161'", "{topic: solar/1161/1/power, unit: W}", False),
        ("ahoydtu, name: roof", "{topic: inverter/roof/ch0, path: P_AC, unit: W}", True),
        ("ahoydtu, name: roof", "{topic: inverter/roof/ch1, path: P_DC, unit: W}", False),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_device_of_any_kind_does_not_read_the_meter_of_another_one(
    declared: str, read: str, *, is_refused: bool, is_first: bool
) -> None:
    """Each kWh was settled twice, as with two devices of any kind, because the topics of adapters were not compared."""
    gateways = (f"adapter: {declared}", f"adapter: generic, power: {read}")
    problems = _problems_of("producer", gateways if is_first else gateways[::-1])
    assert len(problems) == is_refused
    for problem in problems:
        assert "is read as the meter of another device already (" in problem
        assert problem.endswith("; its energy would count twice")


def _problems_of(kind: str, gateways: Sequence[str]) -> list[str]:
    """Return the problems of a scenario that has a house with these real devices."""
    devices = "".join(
        f"      - {{id: d{number}, type: {kind}, gateway: {{{gateway}}}}}\n" for number, gateway in enumerate(gateways)
    )
    head = "version: 1\nname: n\nstart: 2026-06-21T06:00:00Z\nseed: 1\nhouses:\n  - id: a\n    devices:\n"
    try:
        load_text(head + devices, "f", None)
    except ScenarioError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    "address", ["00158d", "0x00158d", "00158d0001a2b3c4", "00:15:8d:00:01:a2:b3:c4", "0x" + "g" * 16]
)
def test_an_address_that_no_zigbee_device_has_is_refused(address: str) -> None:
    """`ssmic check` passed it, and the device was never found at its bridge."""
    (problem,) = _problems_of("consumer", [f"adapter: zigbee2mqtt, ieee_address: '{address}'"])
    assert problem.endswith(
        f"devices[0].gateway.ieee_address: {address!r} is not the address of a Zigbee device; expected 0x and 16 "
        "hexadecimal digits, such as 0x00158d0001a2b3c4"
    )


@pytest.mark.parametrize(
    ("declared", "command", "is_refused"),
    [
        ("tasmota, topic: plug", "{topic: cmnd/plug/POWER}", True),
        ("tasmota, topic: plug", "{topic: cmnd/plug/Power1, on: '1'}", True),
        ("tasmota, topic: plug", "{topic: cmnd/plug/power2}", False),
        ("tasmota, topic: plug", "{topic: cmnd/Plug/POWER}", False),
        ("tasmota, topic: plug", "{topic: cmnd/plug/Backlog, on: 'PulseTime1 700; Power1 ON'}", True),
        ("tasmota, topic: plug", "{topic: cmnd/plug/Backlog, on: 'Var1 1', off: 'Var1 0'}", False),
        ("tasmota, topic: plug, relay: 2", "{topic: cmnd/plug/POWER}", False),
        ("tasmota, topic: plug, relay: 2", "{topic: cmnd/plug/POWER0}", True),
        ("tasmota, topic: plug, full_topic: '%topic%/%prefix%'", "{topic: plug/cmnd/POWER}", True),
        ("shelly, prefix: plug", "{topic: 'plug/command/switch:0', on: 'on,{{ run_s }}'}", True),
        ("shelly, prefix: plug, channel: 1", "{topic: 'plug/command/switch:0', on: 'on'}", False),
        ("shelly, prefix: plug", """{topic: plug/rpc, on: '{"id":1,"src":"x","params":{"id":0,"on":true}}'}""", True),
        ("shelly, prefix: plug", """{topic: plug/rpc, on: '{"id":0,"src":"x","params":{"id":1,"on":true}}'}""", False),
        ("zigbee2mqtt, name: plug", "{topic: zigbee2mqtt/plug/set}", True),
        ("zigbee2mqtt, name: plug", "{topic: zigbee2mqtt/plug/set/state}", True),
        ("zigbee2mqtt, name: plug, endpoint: l1", """{topic: zigbee2mqtt/plug/set, on: '{"state_l1":"ON"}'}""", True),
        ("zigbee2mqtt, name: plug, endpoint: l1", """{topic: zigbee2mqtt/plug/set, on: '{"state_l2":"ON"}'}""", False),
        ("zigbee2mqtt, name: plug, endpoint: l1", "{topic: zigbee2mqtt/plug/l1/set}", True),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_device_of_any_kind_does_not_command_the_switch_of_another_one(
    declared: str, command: str, *, is_refused: bool, is_first: bool
) -> None:
    """Both were commanded: one job switched the appliance of the other on, and off in the middle of its programme."""
    gateways = (f"adapter: {declared}", f"adapter: generic, command: {command}")
    problems = _problems_of("consumer", gateways if is_first else gateways[::-1])
    assert len(problems) == is_refused
    for problem in problems:
        assert "devices[1].gateway: " in problem
        assert " switches another device, too (" in problem


def test_a_scan_finds_what_devices_announce_and_writes_it_as_a_scenario_has_it() -> None:
    """Every kind of discovery, once each; nonsense is passed over; the YAML can be read back."""
    zigbee = [
        {"ieee_address": "0x0000000000000001", "friend": 1},
        {
            "ieee_address": "0x0000000000000002",
            "friendly_name": "wash/er",
            "definition": {"exposes": [{"type": "switch"}]},
        },
        {
            "ieee_address": "0x0000000000000003",
            "friendly_name": "sensor",
            "definition": {"exposes": [{"name": "temperature"}]},
        },
    ]
    heard = {
        "tasmota/discovery/AABBCCA1B2C3/config": json.dumps(TASMOTA_CONFIG).encode(),
        "tasmota/discovery/FF/config": b"garbage",
        "home/zigbee/bridge/devices": json.dumps(zigbee).encode(),
        "shellyplugmg3-aabb/online": b"true",
        "shellypro3em-ccdd/online": b"true",
        "shellyplusht-eeff/announce": b'{"id": "shellyplusht-eeff", "gen": 2}',
        "home/solar/116180/status/reachable": b"1",
        "inverter/roof/ch0/P_AC": b"12.5",
        "inverter/roof/ch0": b'{"P_AC": 12.5, "YieldDay": 8}',
        "inverter/shed/ch0": b'{"P_AC": 0, "YieldDay": 0}',
        "my/other/ch0": b'{"temperature": 12.5}',
        "ssmic/r/devices/heater/announce": b'{"type": "consumer", "house": "adler", "name": "Heater"}',
    }
    found = found_in(heard)
    assert [(device.adapter, device.id) for device in found] == [
        ("ahoydtu", "pv-roof"),
        ("ahoydtu", "pv-shed"),
        ("opendtu", "pv-116180"),
        ("shelly", "shellyplugmg3-aabb"),
        ("ssmic", "heater"),
        ("tasmota", "tasmota_A1B2C3"),
        ("zigbee2mqtt", "wash-er"),
    ]
    assert {device.gateway["base"] for device in found if "base" in device.gateway} == {
        "home/zigbee",
        "home/solar",
        "inverter",
    }
    devices = "\n".join(block_lines({"devices": entries_of(found)}, 4))
    scenario = load_text(
        f"version: 1\nname: s\nstart: 2026-06-21T00:00:00Z\nseed: 1\nhouses:\n  - id: adler\n{devices}\n", "scan", None
    )
    assert {gateway.adapter for gateway in scenario.gateways.values()} == {device.adapter for device in found}
    assert load_text(to_yaml(scenario), "again", None).gateways == scenario.gateways


def test_devices_of_the_same_name_get_ids_that_differ() -> None:
    """Two bridges may have a plug of the same name; ssmic's own topics contain the id that the device chose."""
    switch = {"exposes": [{"type": "switch"}]}
    plug = [{"ieee_address": "0x0000000000000001", "friendly_name": "washer", "definition": switch}]
    found = found_in(
        {
            "zigbee2mqtt/bridge/devices": json.dumps(plug).encode(),
            "cellar/bridge/devices": json.dumps([{**plug[0], "ieee_address": "0x0000000000000002"}]).encode(),
            "ssmic/r/devices/washer/announce": b'{"type": "consumer", "house": "adler"}',
        }
    )
    devices = "\n".join(block_lines({"devices": entries_of(found, {"washer"})}, 4))
    scenario = load_text(
        f"version: 1\nname: s\nstart: 2026-06-21T00:00:00Z\nseed: 1\nhouses:\n  - id: adler\n{devices}\n", "scan", None
    )
    known = {device: (gateway.adapter, gateway.id) for device, gateway in scenario.gateways.items()}
    assert known == {
        "adler/washer-2": ("ssmic", "washer"),
        "adler/washer-3": ("zigbee2mqtt", "washer-3"),
        "adler/washer-4": ("zigbee2mqtt", "washer-4"),
    }


LONG = MAX_CHARACTERS * "w"


def test_devices_get_ids_that_a_scenario_takes() -> None:
    """A producer cannot have the id of the grid, and an id does not become too long by an appended number."""
    found = found_in(
        {f"ssmic/r/devices/{name}/announce": b'{"type": "producer", "house": "adler"}' for name in ("grid", LONG)}
    )
    devices = "\n".join(block_lines({"devices": entries_of(found, {LONG})}, 4))
    scenario = load_text(
        f"version: 1\nname: s\nstart: 2026-06-21T00:00:00Z\nseed: 1\nhouses:\n  - id: adler\n{devices}\n", "scan", None
    )
    known = {device: gateway.id for device, gateway in scenario.gateways.items()}
    assert known == {"grid-2": "grid", f"{LONG[:-2]}-2": LONG}


def test_a_scan_finds_every_switch_of_a_device_that_has_several() -> None:
    """A job switches one of them: a Shelly answers what it has, Zigbee2MQTT lists endpoints, Tasmota relays."""
    double = {
        "exposes": [{"type": "switch", "endpoint": "l1"}, {"type": "switch", "endpoint": "l2"}, {"name": "power"}]
    }
    single = {"exposes": [{"type": "switch", "endpoint": "l1"}]}
    zigbee = [
        {"ieee_address": "0x0000000000000001", "friendly_name": "double", "definition": double},
        {"ieee_address": "0x0000000000000002", "friendly_name": "single", "definition": single},
    ]
    heard = {
        "zigbee2mqtt/bridge/devices": json.dumps(zigbee).encode(),
        "tasmota/discovery/1/config": b'{"t": "dual", "rl": [1, 1, 0]}',
        "shellyplus2pm-1/announce": b'{"id": "shellyplus2pm-1", "gen": 2}',
        "shellyplus2pm-1/rpc": b'{"id": 1, "result": {"switch:0": {}, "switch:1": {}, "input:0": {}}}',
        "shellypmminig3-2/online": b"true",
        "shellypmminig3-2/rpc": b'{"id": 2, "result": {"pm1:0": {}}}',
        "shellyplus1-3/online": b"true",
        "shellyplus1-3/rpc": b'{"id": 3, "error": {"code": 401, "message": "{}"}}',
    }
    gateways = {device.id: dict(device.gateway) for device in found_in(heard)}
    assert gateways == {
        "double-l1": {"ieee_address": "0x0000000000000001", "endpoint": "l1"},
        "double-l2": {"ieee_address": "0x0000000000000001", "endpoint": "l2"},
        "single": {"ieee_address": "0x0000000000000002", "endpoint": "l1"},
        "dual-1": {"topic": "dual", "relay": 1},
        "dual-2": {"topic": "dual", "relay": 2},
        "shellyplus2pm-1-0": {"prefix": "shellyplus2pm-1"},
        "shellyplus2pm-1-1": {"prefix": "shellyplus2pm-1", "channel": 1},
        "shellyplus1-3": {"prefix": "shellyplus1-3"},
    }


def test_a_scan_writes_the_topics_of_a_tasmota_as_they_are() -> None:
    """The tokens for its name and address are unknown to a scenario file."""
    said = {"t": "plug", "rl": [1], "ft": "%hostname%/%id%/%prefix%/", "hn": "plug-1234", "mac": "A1B2C3D4E5F6"}
    (found,) = found_in({"tasmota/discovery/A1B2C3D4E5F6/config": json.dumps(said).encode()})
    assert found.gateway == {"topic": "plug", "full_topic": "plug-1234/A1B2C3D4E5F6/%prefix%/"}


def test_a_scan_names_a_shelly_by_the_prefix_of_its_topics() -> None:
    """Not by its id, to which nothing is published if the owner chose another prefix."""
    said = b'{"id": "shellyplugsg3-1", "gen": 3, "name": null, "model": "S3PL-00112EU"}'
    heard = {
        f"shellies/announce\0{said!r}": said,
        "home/washer/announce": said,
        'shellies/announce\0"other"': b'{"id": "shellyplugsg3-2", "gen": 3}',
        'shellies/announce\0"hostile"': b'{"id": "a/#", "gen": 3}',
    }
    found = found_in(heard)
    assert [(device.id, device.gateway["prefix"]) for device in found] == [
        ("home-washer", "home/washer"),
        ("shellyplugsg3-2", "shellyplugsg3-2"),
    ]


def test_a_mistake_in_a_gateway_is_named_with_its_key() -> None:
    """An adapter that does not exist, a key that it does not have, a key that is missing."""
    for gateway, where in (
        ("{adapter: tasmoda, topic: x}", "gateway.adapter"),
        ("{adapter: tasmota}", "gateway.topic"),
        ("{adapter: shelly, prefix: x, chanel: 1}", "gateway.chanel"),
        ("{topic: x}", "gateway.topic"),
        ("{adapter: opendtu, serial: '1'}", "gateway.adapter"),
    ):
        text = STREET.replace("gateway: {answer_s: 3600}", f"gateway: {gateway}")
        with pytest.raises(Exception, match=where):
            load_text(text, "test", None)


def test_what_would_fail_or_be_switched_twice_is_named_before_the_run() -> None:
    """A plug that two devices use, a topic that nobody can publish to, a template of a command that fails."""
    plug = "gateway: {{adapter: tasmota, topic: {}}}"
    devices = [
        plug.format("kitchen"),
        plug.format("kitchen"),
        plug.format("kitchen, relay: 2"),
        plug.format('"kitchen/+"'),
        'gateway: {adapter: generic, command: {topic: "x/#"}}',
        'gateway: {adapter: generic, command: {topic: x, on: "on {{ run_s / 0 }}"}}',
        'gateway: {adapter: generic, command: {topic: x, on: "{{ oops"}}',
        "gateway: {adapter: zigbee2mqtt, name: plug}",
        "gateway: {adapter: zigbee2mqtt, name: plug, endpoint: l2}",
        "gateway: {adapter: generic, switch: {topic: x}, command: {topic: x}}",
        "gateway: {adapter: generic, power: {topic: x, unit: W}, ask: [{topic: x}]}",
        plug.format("bath, full_topic: '%id%/%prefix%'"),
        plug.format("bath, prefixes: [cmnd, stat, stat]"),
    ]
    lines = "".join(f"      - {{id: d{i}, type: consumer, {gateway}}}\n" for i, gateway in enumerate(devices))
    with pytest.raises(ScenarioError) as raised:
        load_text(
            f"version: 1\nname: n\nstart: 2026-06-21T06:00:00Z\nseed: 1\nhouses:\n  - id: a\n    devices:\n{lines}",
            "f",
            None,
        )
    problems = [str(problem) for problem in raised.value.problems]
    assert len(problems) == 9
    for problem, device, words in zip(
        problems,
        (1, 3, 4, 5, 6, 9, 10, 11, 12),
        (
            "another device",
            "+ and #",
            "+ and #",
            "not a valid template",
            "not a valid template",
            "'x' is written and read",
            "'x' is written and read",
            "has %id%",
            "all three are different",
        ),
        strict=True,
    ):
        assert f"devices[{device}]" in problem
        assert words in problem
