"""Devices, and values of devices, of which nothing is heard."""

from __future__ import annotations

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from agents import Availability, Rejected, Reported
from broker.transport.memory import MemoryBroker
from scenarios.devices.adapters import adapter_for
from scenarios.devices.link import DeviceLink
from scenarios.devices.unheard_values import UnheardValues
from scenarios.gateways import Gateway
from scenarios.zone import Zone
from tests.scenarios.devices.session import RUN

OWN = {"id": "w", "house": "adler", "device": "w", "type": "consumer", "agent": "adler/w"}
GENERIC = {
    "switch": {"topic": "plug/data", "path": "on"},
    "power": {"topic": "plug/data", "path": "power.w", "unit": "W"},
    "energy": {"topic": "plug/total", "unit": "kWh"},
}


def gateway(adapter: str, options: dict[str, Any] | None = None) -> Gateway:
    """Return the gateway of a device."""
    return Gateway(**OWN, adapter=adapter, options=options or {})


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (gateway("ssmic"), ["messages on ssmic/r/devices/w/report"]),
        (
            gateway("tasmota", {"topic": "plug"}),
            ["measurements on tele/plug/SENSOR or stat/plug/STATUS8 or stat/plug/STATUS10"],
        ),
        (gateway("zigbee2mqtt", {"ieee_address": "0x0000000000000001"}), ["measurements on zigbee2mqtt/#"]),
        (
            gateway("generic", GENERIC),
            ["switch on plug/data at on", "power on plug/data at power.w", "energy on plug/total"],
        ),
    ],
)
def test_a_device_that_is_never_heard_is_named_with_its_topics(of: Gateway, expected: list[str]) -> None:
    """The operator had no hint at all that a topic was misspelt."""
    unheard = UnheardValues(RUN, [of])
    with capture_logs() as logs:
        unheard.report((), is_over=True)
    assert [(log["when"], log["of"], log["arrived"]) for log in logs] == [
        ("in the whole run", expected, "none of its messages")
    ]


def test_a_value_that_never_comes_is_named_although_others_do() -> None:
    """Its path is misspelt, so that each message seems to lack it."""
    unheard = UnheardValues(RUN, [gateway("generic", GENERIC)])
    unheard.note("w", [Reported(is_on=True, counter_wh=5.0)])
    unheard.note("w", [Rejected(topic="plug/data", problem="power 'x'", expected="a number")])
    assert unheard.silent("w") == ["power on plug/data at power.w"]
    unheard.note("w", [Reported(power_w=0.0)])
    assert not unheard.silent("w")


def test_a_plug_without_a_meter_has_sent_no_measurements() -> None:
    """It is online and switches, but what it draws is not known."""
    unheard = UnheardValues(RUN, [gateway("tasmota", {"topic": "plug"})])
    unheard.note("w", [Availability(online=True), Reported(is_on=True)])
    with capture_logs() as logs:
        unheard.report((), is_over=False)
        unheard.report({"w"}, is_over=True)
    assert [(log["when"], log["arrived"]) for log in logs] == [("so far", "other messages of the device")]


async def test_the_end_of_a_run_names_what_was_not_heard() -> None:
    """One device reports power, and never its energy."""
    broker, plug = MemoryBroker(), gateway("generic", GENERIC)
    link = DeviceLink(RUN, broker, {"adler": [plug]}, {"adler/w": adapter_for(plug)}, Zone(0))
    port = link.port("adler")
    assert port is not None
    with capture_logs() as logs:
        async with link.connected(), broker.connect("device") as bus:
            await bus.publish("plug/data", json.dumps({"on": "ON", "power": {"w": 5}}).encode(), qos=1)
            await port.waiting.wait()
            port.take(0)
            link.carry_out([], 0)
    assert [log["of"] for log in logs if log["event"] == "nothing was heard"] == [["energy on plug/total"]]
