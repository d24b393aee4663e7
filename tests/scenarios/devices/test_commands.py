"""Commands of adapters that start a device: its own timer ends a run if no command does, and never too early."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

import pytest

from agents import Availability, DeviceCommand, Reported
from scenarios.devices.adapter import Adapter, MessageError
from scenarios.devices.adapters import adapter_for
from scenarios.gateways import Gateway

HOUR_S = 3600
OWN = {"id": "d", "house": "adler", "device": "d", "type": "consumer", "agent": "adler/d"}


def commanded(adapter: str, run_s: int, what: Literal["start", "renew"] = "start", **options: Any) -> dict[str, str]:
    """Return what is sent to a device that may run for so long, by topic."""
    gateway = Gateway(
        id="d", house="adler", device="d", type="consumer", agent="adler/d", adapter=adapter, options=options
    )
    made = adapter_for(gateway)
    if adapter == "zigbee2mqtt":
        made.take(
            "zigbee2mqtt/bridge/devices",
            b'[{"ieee_address": "0x0000000000000001", "friendly_name": "plug"}]',
            retained=True,
        )
    sent = made.command(DeviceCommand(command=what, device="d", job="wash-1", time_s=0, run_s=run_s))
    return {message.topic: message.payload.decode() for message in sent}


@pytest.mark.parametrize(
    ("run_s", "pulse"), [(7_200, "7300"), (30 * HOUR_S, str(18 * HOUR_S + 100)), (48 * HOUR_S, str(18 * HOUR_S + 100))]
)
def test_the_timer_of_a_tasmota_plug_is_set_for_as_long_as_it_can_last(run_s: int, pulse: str) -> None:
    """Seconds and 100, 18 hours at most; while the programme runs, only the timer is set again."""
    assert commanded("tasmota", run_s, topic="plug") == {"cmnd/plug/PulseTime1": pulse, "cmnd/plug/POWER": "ON"}
    assert commanded("tasmota", run_s, "renew", topic="plug") == {"cmnd/plug/PulseTime1": pulse}


def test_the_timer_of_a_shelly_goes_with_its_command() -> None:
    """Whatever else switches it later sets it aside."""
    (payload,) = commanded("shelly", 7_200, prefix="shelly-1").values()
    call = json.loads(payload)
    assert (call["method"], call["params"]) == ("Switch.Set", {"id": 0, "on": True, "toggle_after": 7_200})


def test_shellys_of_runs_whose_devices_have_the_same_id_answer_on_different_topics() -> None:
    """The answer to the command of one run counted as that to the other's, so a job ran whose plug was off."""
    sources = [json.loads(*commanded("shelly", 60, prefix=prefix).values())["src"] for prefix in ("s-1", "s-2")]
    assert len(set(sources)) == 2


@pytest.mark.parametrize(
    ("run_s", "timer"),
    [
        (5_400, {"on_time": 5_400, "off_wait_time": 0}),
        (7_200, {"on_time": 6_553, "off_wait_time": 0}),
        (14_400, {"on_time": 6_553, "off_wait_time": 0}),
    ],
)
def test_the_timer_of_a_zigbee_plug_is_set_for_as_long_as_it_can_last(run_s: int, timer: dict[str, int]) -> None:
    """The radio counts tenths of seconds, 65,535 at most."""
    (payload,) = commanded("zigbee2mqtt", run_s, ieee_address="0x0000000000000001").values()
    assert json.loads(payload) == {"state": "ON", **timer}


def test_a_command_to_a_device_with_our_topics_says_how_long_it_may_run() -> None:
    """By a template, again while it runs; one with a message for its timer gets only that again."""
    power = {"topic": "p", "unit": "W"}
    command = {"topic": "my/plug", "on": "on for {{ run_s }} s ({{ job }})", "off": "off"}
    assert commanded("generic", 7_200, power=power, command=command) == {"my/plug": "on for 7200 s (wash-1)"}
    assert commanded("generic", 7_200, "renew", power=power, command=command) == {"my/plug": "on for 7200 s (wash-1)"}
    options = {
        "power": power,
        "command": {"topic": "my/plug"},
        "timer": {"topic": "my/timer", "payload": "{{ run_s }}"},
    }
    assert commanded("generic", 7_200, "renew", **options, timer_max_s=3_600) == {"my/timer": "3600"}


@pytest.mark.parametrize(
    ("unit", "expected_wh"), [("Wh", 12.0), ("kWh", 12_000.0), ("mWh", 0.012), ("0.1 kWh", 1_200.0), ("J", 12 / 3600)]
)
def test_a_counter_counts_in_its_unit(unit: str, expected_wh: float) -> None:
    """As the scenario file says."""
    options = {"energy": {"topic": "e", "unit": unit}, "command": {"topic": "c"}}
    gateway = Gateway(
        id="d", house="adler", device="d", type="consumer", agent="adler/d", adapter="generic", options=options
    )
    (event,) = adapter_for(gateway).take("e", b"12", retained=False)
    assert getattr(event, "counter_wh", None) == pytest.approx(expected_wh)


def metered(adapter: Adapter, topic: str, **said: Any) -> tuple[float | None, float | None]:
    """Return the power in W and the counter in Wh that an adapter reads in a message."""
    events = adapter.take(topic, json.dumps(said).encode(), retained=False)
    (report,) = [event for event in events if isinstance(event, Reported)]
    return report.power_w, report.counter_wh


def test_a_tasmota_with_several_relays_is_metered_at_each() -> None:
    """As a Sonoff Dual R3 says it: the power of each relay, and unless SetOption129 splits it, a counter of both."""

    def plug(relay: int | None) -> Adapter:
        options = {"topic": "dual", **({} if relay is None else {"relay": relay})}
        return adapter_for(
            Gateway(
                id="d", house="adler", device="d", type="consumer", agent="adler/d", adapter="tasmota", options=options
            )
        )

    both = {"TotalStartTime": "2024-03-15T00:00:00", "Total": 0.031, "Power": [114, 25], "Voltage": 234}
    assert metered(plug(1), "tele/dual/SENSOR", ENERGY=both) == (114.0, None)
    assert metered(plug(2), "tele/dual/SENSOR", ENERGY=both) == (25.0, None)
    assert metered(plug(2), "tele/dual/SENSOR", ENERGY=both | {"Total": [0.02, 0.011]}) == pytest.approx((25.0, 11.0))
    assert metered(plug(2), "tele/dual/SENSOR", ENERGY={"Total": 0.031, "Power": 139}) == pytest.approx((139.0, 31.0))
    assert metered(plug(None), "tele/dual/SENSOR", ENERGY=both) == pytest.approx((139.0, 31.0))  # phases of one load


def test_a_tasmota_behind_a_roof_reports_what_it_returns() -> None:
    """A meter of both directions says it as negative power, with a counter of its own; `Total` may run backwards."""
    roof = Gateway(
        id="pv", house="adler", device="pv", type="producer", agent="pv", adapter="tasmota", options={"topic": "t"}
    )
    adapter = adapter_for(roof)
    assert metered(adapter, "tele/t/SENSOR", ENERGY={"Total": 1.5, "Power": 310}) == (310.0, 1500.0)
    night = {"Total": 0.006, "ExportActive": [0.5, 0.0, 0.25], "Power": [1.5, 0.0, 0.5]}
    assert metered(adapter, "tele/t/SENSOR", ENERGY=night) == (0.0, 750.0)
    assert metered(adapter, "tele/t/SENSOR", ENERGY=night | {"Power": [-210, 0, -100]}) == (310.0, 750.0)


def test_an_ahoydtu_that_publishes_json_is_read() -> None:
    """One object for each channel, instead of a topic for each value (setting "JSON Payload", from 0.8.123 on)."""
    roof = Gateway(
        id="pv", house="adler", device="pv", type="producer", agent="pv", adapter="ahoydtu", options={"name": "roof"}
    )
    adapter = adapter_for(roof)
    said = {"U_AC": 233.1, "P_AC": 310.5, "YieldDay": 1204, "YieldTotal": 812.4}
    assert "inverter/roof/ch0" in adapter.filters()
    assert metered(adapter, "inverter/roof/ch0", **said) == (310.5, 1204.0)
    assert adapter.take("inverter/roof/ch0", json.dumps(said).encode(), retained=True) == []


def test_an_ahoydtu_whose_connection_has_ended_is_offline() -> None:
    """Its last will is on a topic of its own; what it has kept on the others stays as it was."""
    roof = Gateway(
        id="pv", house="adler", device="pv", type="producer", agent="pv", adapter="ahoydtu", options={"name": "roof"}
    )
    adapter = adapter_for(roof)
    assert "inverter/mqtt" in adapter.filters()
    said = [
        event
        for topic, payload in (
            ("inverter/mqtt", b"connected"),
            ("inverter/status", b"2"),
            ("inverter/roof/available", b"2"),
            ("inverter/mqtt", b"not connected"),
            ("inverter/mqtt", b"connected"),
        )
        for event in adapter.take(topic, payload, retained=False)
    ]
    assert said == [Availability(online=online) for online in (True, False, True)]


@pytest.mark.parametrize("nothing", [b"unavailable", b"unknown", b"None", b"null", b""])
def test_a_state_of_home_assistant_without_a_value_is_no_reading(nothing: bytes) -> None:
    """Each was an error, three for every plug that had lost its Wi-Fi; a template makes null `None`."""
    options = {
        "switch": {"topic": "ha/switch", "on": "on", "off": "off"},
        "power": {"topic": "ha/power", "unit": "W"},
        "energy": {"topic": "ha/energy", "template": "{{ value }}", "unit": "kWh"},
    }
    plug = Gateway(id="d", house="a", device="d", type="consumer", agent="a/d", adapter="generic", options=options)
    adapter = adapter_for(plug)
    for topic in ("ha/switch", "ha/power", "ha/energy"):
        assert adapter.take(topic, nothing, retained=False) == []
    off = {"switch": {"topic": "ha/switch", "off": "unavailable"}}
    adapter = adapter_for(plug.model_copy(update={"options": off}))
    assert adapter.take("ha/switch", b"unavailable", retained=False) == [Reported(is_on=False)]


def test_a_shelly_behind_a_roof_reports_what_it_returns() -> None:
    """As negative power and on a counter of its own; what the inverter draws at night is not production."""
    roof = Gateway(
        id="pv", house="adler", device="pv", type="producer", agent="pv", adapter="shelly", options={"prefix": "s"}
    )
    adapter = adapter_for(roof)

    def says(**status: Any) -> tuple[float | None, float | None]:
        (event,) = adapter.take("s/status/switch:0", json.dumps({"id": 0, **status}).encode(), retained=False)
        assert isinstance(event, Reported)
        return event.power_w, event.counter_wh

    assert says(apower=2.5, aenergy={"total": 12.0}, ret_aenergy={"total": 8000.0}) == (0.0, 8000.0)
    assert says(apower=-310.0, aenergy={"total": 12.5}, ret_aenergy={"total": 8005.0}) == (310.0, 8005.0)
    assert says(apower=-320.0) == (320.0, None)


@pytest.mark.parametrize(
    ("adapter", "options", "topic", "payload"),
    [
        ("opendtu", {"serial": "1"}, "solar/1/0/yieldday", b"5000"),
        ("opendtu", {"serial": "1"}, "solar/1/0/power", b"400"),
        ("ahoydtu", {"name": "roof"}, "inverter/roof/ch0/YieldDay", b"5000"),
        ("ahoydtu", {"name": "roof"}, "inverter/roof/ch0", b'{"P_AC": 400, "YieldDay": 5000}'),
        ("zigbee2mqtt", {"name": "plug"}, "zigbee2mqtt/plug", b'{"state": "ON", "power": 400, "energy": 5}'),
        ("tasmota", {"topic": "plug"}, "tele/plug/SENSOR", b'{"ENERGY": {"Power": 400, "Total": 5}}'),
        ("shelly", {"prefix": "s"}, "s/status/switch:0", b'{"apower": 400, "aenergy": {"total": 5000}}'),
    ],
)
def test_no_reading_that_the_broker_has_kept_is_metered(
    adapter: str, options: dict[str, Any], topic: str, payload: bytes
) -> None:
    """A counter of yesterday became the first reading, and what was counted since then was settled in a minute."""
    gateway = Gateway(id="d", house="a", device="d", type="producer", agent="d", adapter=adapter, options=options)
    assert adapter_for(gateway).take(topic, payload, retained=True) == []
    assert len(adapter_for(gateway).take(topic, payload, retained=False)) == 1


@pytest.mark.parametrize("options", [{"ieee_address": "0x0000000000000001"}, {"name": "plug"}])
def test_a_zigbee_device_that_was_removed_from_its_bridge_and_joins_again_is_available(options: dict[str, str]) -> None:
    """It stayed unavailable for the rest of the run, so that its jobs vanished."""
    gateway = Gateway(
        id="d", house="a", device="d", type="consumer", agent="a/d", adapter="zigbee2mqtt", options=options
    )
    made, listed = adapter_for(gateway), b'[{"ieee_address": "0x0000000000000001", "friendly_name": "plug"}]'
    said = [
        event
        for devices in (listed, b"[]", b"[]", listed, listed)
        for event in made.take("zigbee2mqtt/bridge/devices", devices, retained=False)
    ]
    assert said == [Availability(online=False), Availability(online=True)]
    assert made.take("zigbee2mqtt/bridge/state", b"offline", retained=False) == [Availability(online=False)]


@pytest.mark.parametrize(
    ("full_topic", "command", "report"),
    [
        ("%prefix%/%topic%/", "cmnd/plug", "tele/plug"),
        ("home/%topic%/%prefix%", "home/plug/cmnd", "home/plug/tele"),
        ("home/%topic%/", "home/plug/cmnd", "home/plug"),
        ("%topic%", "plug/cmnd", "plug"),
    ],
)
def test_a_tasmota_is_commanded_where_its_firmware_listens(full_topic: str, command: str, report: str) -> None:
    """Commands without %prefix% were published where the plug reports, and counted as its answer without any plug."""
    gateway = Gateway(
        id="d",
        house="a",
        device="d",
        type="consumer",
        agent="a/d",
        adapter="tasmota",
        options={"topic": "plug", "full_topic": full_topic},
    )
    made = adapter_for(gateway)
    sent = made.command(DeviceCommand(command="start", device="d", job="wash-1", time_s=0, run_s=60))
    assert [message.topic for message in sent] == [f"{command}/PulseTime1", f"{command}/POWER"]
    assert not {message.topic for message in (*sent, *made.on_connect())} & set(made.filters())
    assert f"{report}/SENSOR" in made.filters()


@pytest.mark.parametrize(
    ("adapter", "options", "presence", "offline", "online", "asked"),
    [
        (
            "tasmota",
            {"topic": "plug"},
            "tele/plug/LWT",
            "Offline",
            "Online",
            ["cmnd/plug/TelePeriod", "cmnd/plug/STATE", "cmnd/plug/STATUS"],
        ),
        ("shelly", {"prefix": "plug"}, "plug/online", "false", "true", ["plug/rpc", "plug/command"]),
        (
            "zigbee2mqtt",
            {"name": "plug"},
            "zigbee2mqtt/plug/availability",
            '{"state": "offline"}',
            '{"state": "online"}',
            ["zigbee2mqtt/plug/get"],
        ),
        ("zigbee2mqtt", {"name": "plug"}, "zigbee2mqtt/bridge/state", "offline", "online", ["zigbee2mqtt/plug/get"]),
        (
            "generic",
            {
                "power": {"topic": "plug/power", "unit": "W"},
                "availability": {"topic": "plug/alive", "online": "1", "offline": "0"},
                "ask": [{"topic": "plug/get"}],
            },
            "plug/alive",
            "0",
            "1",
            ["plug/get"],
        ),
    ],
)
def test_a_device_that_comes_online_is_asked_for_its_state_once(
    adapter: str, options: dict[str, Any], presence: str, offline: str, online: str, asked: list[str]
) -> None:
    """It was asked only when the run connected: one that was off then reported every 300 s, or what changes later."""
    gateway = Gateway(id="d", house="a", device="d", type="consumer", agent="a/d", adapter=adapter, options=options)
    made = adapter_for(gateway)
    made.on_connect()
    for payload in (offline, "nonsense", ""):
        made.concerns(presence, payload.encode())
        assert list(made.new_questions()) == []
    made.concerns(presence, online.encode())
    assert [message.topic for message in made.new_questions()] == asked
    assert list(made.new_questions()) == []


def shelly_message(sender: str, counter_wh: float) -> tuple[str, dict[str, Any]]:
    """Return topic and payload of what a Shelly reports."""
    status = {"id": 0, "apower": 0.0, "aenergy": {"total": counter_wh}}
    return "plug/events/rpc", {"src": sender, "method": "NotifyStatus", "params": {"switch:0": status}}


def tasmota_message(sender: str, counter_wh: float) -> tuple[str, dict[str, Any]]:
    """Return topic and payload of what a Tasmota reports, whose counter began at a time of its own."""
    energy = {"TotalStartTime": sender, "Total": counter_wh / 1000, "Power": 0}
    return "tele/plug/SENSOR", {"Time": "2026-11-28T10:00:00", "ENERGY": energy}


SENDERS = [("shelly", {"prefix": "plug"}, shelly_message), ("tasmota", {"topic": "plug"}, tasmota_message)]


@pytest.mark.parametrize(("kind", "options", "message"), SENDERS)
@pytest.mark.parametrize(
    ("senders", "counted"),
    [
        ("abababab", "a-a-a-a-"),
        ("aabbaabb", "aa--aa--"),
        ("aabbbbb", "aa--bbb"),  # it was exchanged, or its counter was reset
        ("ab" + "a" * 3 + "b" * 21, "a-" + "a" * 3 + "-" * 19 + "bb"),  # the first one has left
        ("bbaba", "bb-b-"),
    ],
)
def test_only_the_first_of_two_plugs_on_one_topic_counts(
    kind: str, options: dict[str, str], message: Callable[[str, float], tuple[str, Any]], senders: str, counted: str
) -> None:
    """Their counters are so close to each other that nothing else tells them apart."""
    adapter, taken = adapter_for(Gateway(**OWN, adapter=kind, options=options)), ""
    for number, sender in enumerate(senders):
        topic, payload = message(sender, 5000.0 + number)
        try:
            adapter.take(topic, json.dumps(payload).encode(), retained=False)
        except MessageError:
            taken += "-"
        else:
            taken += sender
    assert taken == counted


def tasmota_telemetry(time: str, counter_kwh: float) -> bytes:
    """Return what a Tasmota measures."""
    energy = {"TotalStartTime": "2025-01-01T00:00:00", "Total": counter_kwh, "Power": 100}
    return json.dumps({"Time": time, "ENERGY": energy}).encode()


@pytest.mark.parametrize(
    ("times", "taken"),
    [
        (("10:00:00", "10:00:10", "10:00:05", "10:00:20"), "++-+"),
        (("10:00:00", "10:00:10", "10:00:10", "10:00:09"), "++++"),  # repeated, and at the same time
        (("02:59:50", "02:00:00", "02:00:10"), "+++"),  # summer time ends
        (("10:00:00", *["09:55:00"] * 21), "+" + "-" * 20 + "+"),  # the clock was set back
        (("", "10:00:00", "x", "10:00:10"), "++++"),
    ],
)
def test_what_a_tasmota_has_measured_before_is_not_taken_after_newer_values(times: tuple[str, ...], taken: str) -> None:
    """A small counter fell as after a reset, and added what it had counted again."""
    adapter, found = adapter_for(Gateway(**OWN, adapter="tasmota", options={"topic": "plug"})), ""
    for time in times:
        try:
            adapter.take("tele/plug/SENSOR", tasmota_telemetry(f"2026-10-25T{time}", 0.1), retained=False)
        except MessageError:
            found += "-"
        else:
            found += "+"
    assert found == taken
    state = b'{"Time": "2026-10-25T09:59:00", "POWER": "ON"}'
    assert adapter.take("tele/plug/STATE", state, retained=False) == [Reported(is_on=True)]  # the newest of its kind


@pytest.mark.parametrize("period_s", [10, 600, 900, 1_800, 3_600])
def test_a_tasmota_is_read_on_when_summer_time_ends_however_seldom_it_reports(period_s: int) -> None:
    """At 10 minutes and more, all that it reported in the next hour seemed to be late."""
    options = {"topic": "plug", "tele_period_s": period_s}
    adapter = adapter_for(Gateway(**OWN, adapter="tasmota", options=options))
    ends_s = 3 * 3_600  # on the clock of before
    for after_s in range(-period_s - 5, 2 * 3_600, period_s):
        shown_s = ends_s + after_s - (3_600 if after_s >= 0 else 0)
        time = f"{shown_s // 3_600:02}:{shown_s // 60 % 60:02}:{shown_s % 60:02}"
        kwh = 0.1 + after_s / 100_000
        said = adapter.take("tele/plug/SENSOR", tasmota_telemetry(f"2026-10-25T{time}", kwh), retained=False)
        assert said == [Reported(power_w=100.0, counter_wh=1000 * kwh)]


def test_what_a_shelly_notifies_late_counts_only_where_nothing_newer_is_known() -> None:
    """Notifications contain only what has changed."""
    adapter = adapter_for(Gateway(**OWN, adapter="shelly", options={"prefix": "plug"}))

    def take(at_s: float | None, **status: Any) -> Sequence[Any]:
        payload = {"src": "s", "method": "NotifyStatus", "params": {"ts": at_s, "switch:0": {"id": 0, **status}}}
        return adapter.take("plug/events/rpc", json.dumps(payload).encode(), retained=False)

    assert take(1_782_021_660.0, aenergy={"total": 50.0}, output=True) == [Reported(is_on=True, counter_wh=50.0)]
    late = {"apower": 7.0, "aenergy": {"total": 40.0}, "output": False}
    assert take(1_782_021_600.5, **late) == [Reported(power_w=7.0)]
    with pytest.raises(MessageError, match="a message that is 59 s older than the one before it"):
        take(1_782_021_601.0, output=False)
    assert take(None, output=False) == [Reported(is_on=False)]
    assert take(5.2, output=True) == [Reported(is_on=True)]  # it has restarted, and does not know the time yet


def test_a_tasmota_whose_counter_was_reset_is_not_another_one() -> None:
    """Its counter began after the last message, so it cannot be that of a second plug."""
    adapter = adapter_for(Gateway(**OWN, adapter="tasmota", options={"topic": "plug"}))
    for time, since, kwh in (("10:00:00", "2025-01-01T00:00:00", 5.0), ("10:05:00", "2026-10-25T10:02:00", 0.01)):
        energy = {"TotalStartTime": since, "Total": kwh, "Power": 100}
        payload = json.dumps({"Time": f"2026-10-25T{time}", "ENERGY": energy}).encode()
        assert adapter.take("tele/plug/SENSOR", payload, retained=False) == [
            Reported(power_w=100.0, counter_wh=1000 * kwh)
        ]
