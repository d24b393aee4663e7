"""No input from outside ends the tools beside a run: the lab's devices, `devices scan`, and `broker clean`."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import example, given, settings, strategies as st
from pydantic import RootModel

from broker.protocol import topics
from broker.protocol.wire import Announcement, TimeReport
from broker.servers import find_leftovers
from broker.transport.memory import MemoryBroker
from scenarios.devices.scan import found_in
from scenarios.lab.emulated_devices import DeviceKinds, EmulatedDevices
from tests.integration.test_fuzzed_entrances import ANY, payloads
from tests.scenarios.lab.neighbourhood import START_S, lane

KINDS = [["tasmota", "opendtu"], ["shelly", "ahoydtu"], ["zigbee2mqtt", "opendtu"]]
WORDS = ["Power", "PulseTime1", "TelePeriod", "PowerDelta", "Backlog", "Status", "SetOption4", "0", "power", "rpc", "x"]
COMMANDS = [
    RootModel[Any](command)
    for command in (
        {"id": 1, "src": "x", "method": "Switch.Set", "params": {"id": 0, "on": True, "toggle_after": 60}},
        {"id": 1, "src": "x", "method": "Switch.SetConfig", "params": {"id": 0, "config": {"initial_state": "on"}}},
        {"id": 1, "src": "x", "method": "Switch.ResetCounters", "params": {"id": 0, "type": ["aenergy"]}},
        {"state": "ON", "on_time": 60, "off_wait_time": 5, "power_on_behavior": "on"},
        {"from": "adler_washer", "to": "washer", "homeassistant_rename": False, "transaction": "1"},
        {"val": 100},
    )
]
TEXTS = st.sampled_from(
    [b"ON", b"toggle", b"61", b"1e309", b"9" * 5_000, b"nan", b"-1", b"\xff", b"on,\xc2\xb2", b"Backlog " * 2_000]
)


@settings(max_examples=60)
@given(
    st.sampled_from(KINDS),
    st.lists(st.tuples(st.integers(0, 50), st.sampled_from(WORDS), st.one_of(TEXTS, payloads(*COMMANDS))), max_size=8),
)
def test_no_command_ends_an_emulated_device(kinds: list[str], sent: list[tuple[int, str, bytes]]) -> None:
    """It answers as the device that it poses as, or not at all, and goes on to report."""
    devices = EmulatedDevices(lane(), DeviceKinds.parse(kinds), START_S + 86_400).devices
    places = [(device, pattern) for device in devices for pattern in device.subscriptions]
    now_s = START_S
    for number, word, payload in sent:
        device, pattern = places[number % len(places)]
        now_s += 30
        for answer in device.received(pattern.replace("+", word).replace("#", word), payload, now_s):
            assert len(answer.topic.encode()) < 65_536
            assert not set(answer.topic) & set("+#\0")
    for device in devices:
        device.due(now_s + 7_200)
        device.leaving(now_s + 7_200)


DISCOVERED = [
    RootModel[Any](said)
    for said in (
        {"t": "tasmota_1", "ft": "%prefix%/%topic%/", "tp": ["cmnd", "stat", "tele"], "rl": [1, 1], "fn": ["x", "y"]},
        {"id": "shellyplugsg3-1", "model": "S3PL", "gen": 3, "mac": "x"},
        {"id": 1, "src": "shelly-1", "result": {"switch:0": {"id": 0, "apower": 1.0}, "switch:1": {"id": 1}}},
        [
            {
                "friendly_name": "x",
                "ieee_address": "0x0000000000000001",
                "definition": {"exposes": [{"type": "switch", "features": []}]},
            }
        ],
        {"type": "consumer", "house": "adler", "name": "x"},
    )
]
DISCOVERY = [
    "tasmota/discovery/A/config",
    "shellies/announce",
    "shellyplug-1/online",
    "shellyplug-1/rpc",
    "zigbee2mqtt/bridge/devices",
    "solar/1164/0/power",
    "inverter/roof/ch0/P_AC",
    "ssmic/street/devices/washer/announce",
]


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(DISCOVERY), st.one_of(TEXTS, payloads(*DISCOVERED)), max_size=8))
@example({"shellyplug-1/online": b"true", "shellyplug-1/rpc": b'{"result": {"switch:' + b"9" * 5_000 + b'": {}}}'})
def test_nothing_that_devices_announce_ends_a_scan(heard: dict[str, bytes]) -> None:
    """What is found can be written as YAML."""
    for found in found_in(heard):
        assert found.entry(found.id)["id"]


REPORT = TimeReport(time=START_S, round=1, step=1, pace="max", lag_wall_s=0.0, state="gone")
THERE = Announcement(host="b", session="b's", agents=("bee",), state="there")


@settings(max_examples=3)
@given(
    st.lists(
        st.tuples(payloads(REPORT), payloads(THERE), ANY.map(lambda value: str(value)[:100].encode())),
        min_size=10,
        max_size=40,
    )
)
def test_nothing_that_is_left_at_a_broker_ends_its_cleaning(runs: list[tuple[bytes, bytes, bytes]]) -> None:
    """The topics are found, whatever is retained on them."""

    async def main() -> int:
        async with MemoryBroker().connect("cleaner") as bus:
            for number, (report, there, other) in enumerate(runs):
                run = f"old-{number}"
                left = {topics.time(run): report, topics.host(run, "b"): there, topics.roster(run): other}
                for topic, payload in left.items():
                    await bus.publish(topic, payload or b"x", qos=1, retain=True)
            return sum(len(leftover.topics) for leftover in (await find_leftovers(bus)).values())

    assert asyncio.run(main()) == 3 * len(runs)
