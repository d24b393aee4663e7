"""No message of a device can do harm: each is understood, or rejected with what was expected."""

from __future__ import annotations

import codecs
import json
import math
from datetime import datetime
from typing import Any

import pytest

from agents import DeviceSaid, LoadProfile
from agents.device_events import Announced, Availability, DeviceNotice, Forecasted, JobAsked, Reported
from agents.gateway.gateway_consumer import GatewayConsumer
from agents.gateway.gateway_settings import GatewaySettings
from broker.hosts import Received
from broker.protocol import MAX_PAYLOAD_BYTES
from scenarios.devices.adapter import MessageError
from scenarios.devices.adapters.registry import adapter_for, adapter_problems
from scenarios.devices.adapters.values import Unit, dig, json_of, number_of, text_of
from scenarios.devices.device_times import moment_of
from scenarios.devices.payloads import event_of
from scenarios.devices.scan import found_in
from scenarios.gateways import Gateway
from scenarios.zone import Zone

NOW_S = 1_782_021_600
DEEP = b"[" * 900 + b"1" + b"]" * 900
NONSENSE = [
    b"",
    b"\xff\xfe\x00",
    b"}{",
    b"null",
    b"[]",
    b"-1e999",
    b"NaN",
    b'"\\u0000"',
    b"9" * 400,
    DEEP,
    b'{"a":' * 5000,
]
VALUES: list[Any] = [None, [], {}, "x", True, [[[[1]]]], 10**400, -(10**400), math.nan, math.inf, [1e308, 1e308, 1e308]]


def gateway(adapter: str, **options: Any) -> Gateway:
    """Return a plug, or an inverter."""
    kind: Any = "producer" if adapter in {"opendtu", "ahoydtu"} else "consumer"
    return Gateway(
        id="d", house="adler", device="d", type=kind, agent="adler/d", adapter=adapter, options=options, load_profile=""
    )


DEVICES = {
    "tasmota": (gateway("tasmota", topic="t"), ["ENERGY", "POWER", "StatusSNS", "StatusSTS", "UptimeSec"]),
    "shelly": (gateway("shelly", prefix="s"), ["id", "result", "error", "params", "apower", "aenergy", "output"]),
    "zigbee2mqtt": (gateway("zigbee2mqtt", name="z"), ["state", "power", "energy", "level", "message"]),
    "opendtu": (gateway("opendtu", serial="1"), ["v"]),
    "ahoydtu": (gateway("ahoydtu", name="n"), ["v"]),
    "generic": (
        gateway(
            "generic",
            switch={"topic": "g/s", "path": "a.b[0]"},
            power={"topic": "g/p", "path": "power", "unit": "W"},
            energy={"topic": "g/e", "template": "{{ value_json.power * 10 }}", "unit": "Wh"},
            availability={"topic": "g/a"},
        ),
        ["a", "power"],
    ),
}


def payloads(keys: list[str]) -> list[bytes]:
    """Return nonsense, and objects that hold wrong things where the adapter looks."""
    objects: list[dict[str, Any]] = [{key: value} for key in keys for value in VALUES]
    objects += [{outer: {inner: value}} for outer in keys for inner in keys for value in VALUES]
    objects += [{"ENERGY": {"Power": value, "Total": value}} for value in VALUES]
    objects += [{"params": {"switch:0": {"apower": value, "aenergy": {"total": value}}}} for value in VALUES]
    return NONSENSE + [json.dumps(content).encode() for content in objects]


@pytest.mark.parametrize("name", DEVICES)
def test_an_adapter_reads_or_rejects_any_payload(name: str) -> None:
    """No payload on any of its topics raises another exception, and no number is infinite or NaN."""
    device, keys = DEVICES[name]
    adapter = adapter_for(device)
    adapter.on_connect()
    for topic in adapter.filters():
        for payload in payloads(keys):
            for retained in (False, True):
                try:
                    events = adapter.take(topic, payload, retained=retained)
                except MessageError:
                    continue
                numbers = [n for e in events if isinstance(e, Reported) for n in (e.power_w, e.counter_wh)]
                assert all(number is None or math.isfinite(number) for number in numbers), (topic, payload)


NEITHER = {
    "tasmota": [
        ("tele/t/LWT", b"garbage", "Online or Offline"),
        ("tele/t/STATE", b'{"POWER": "MAYBE"}', "ON or OFF"),
        ("stat/t/POWER", b"TOGGLE", "ON or OFF"),
    ],
    "shelly": [
        ("s/online", b"maybe", "true or false"),
        ("s/events/rpc", b'{"params": {"switch:0": {"output": "on"}}}', "true or false"),
        ("s/status/switch:0", b'{"aenergy": 5}', "an object with total, Wh"),
    ],
    "zigbee2mqtt": [
        ("zigbee2mqtt/z/availability", b"5", "online or offline"),
        ("zigbee2mqtt/bridge/state", b'{"state": "on"}', "online or offline"),
        ("zigbee2mqtt/bridge/devices", b"{}", "a JSON list"),
        ("zigbee2mqtt/z", b'{"state": ["ON"]}', "ON or OFF"),
    ],
    "opendtu": [("solar/1/status/reachable", b"true", "0, 1, offline, online")],
    "ahoydtu": [("inverter/n/available", b"9", "0, 1, 2, 3, 4, connected, not connected, offline, online")],
    "generic": [("g/a", b"dunno", "online or offline")],
}
"""By adapter, a topic that says one of two things, what it says instead, and what is expected."""


@pytest.mark.parametrize("name", NEITHER)
def test_a_state_other_than_on_and_off_is_refused(name: str) -> None:
    """It was taken for off, or for offline, which interrupts a job; an empty message says nothing."""
    adapter = adapter_for(DEVICES[name][0])
    for topic, payload, expected in NEITHER[name]:
        with pytest.raises(MessageError) as refused:
            adapter.take(topic, payload, retained=False)
        assert expected in refused.value.expected
        assert not refused.value.problem.startswith("'"), "it does not say what is wrong"
        if name != "generic" and "rpc" not in topic and b"{" not in payload:
            assert adapter.take(topic, b"", retained=False) == []


def test_problems_of_a_device_in_the_scenario_are_in_plain_words() -> None:
    """No type of a library, and the likely adapter."""
    (problem,) = adapter_problems(gateway("zigbee2mqtt", name="a/+/b"))
    assert problem == (("name",), "'a/+/b' is not a topic; expected characters other than + and #")
    (problem,) = adapter_problems(gateway("shely", prefix="x"))
    assert problem == (("adapter",), "there is no adapter 'shely'; did you mean 'shelly'?")
    (problem,) = adapter_problems(gateway("modbus"))
    assert problem[1].startswith("there is no adapter 'modbus'; expected one of ssmic, tasmota, ")


@pytest.mark.parametrize("path", ["a[", "a]", "a[0", "a[]", "a[[0]]", "a..b", "a.", ".", "a['b']"])
def test_a_path_in_json_with_an_open_bracket_or_an_empty_part_is_refused(path: str) -> None:
    """It would be read as another path, or find nothing in every message."""
    (problem,) = adapter_problems(gateway("generic", power={"topic": "p", "unit": "W", "path": path}))
    expected = "is not a path in JSON; expected keys and positions, such as a.b[0].c"
    assert problem == (("power", "path"), f"{path!r} {expected}")


@pytest.mark.parametrize("path", ["", "a", "a.b[0].c", "[1][-1].power L1", "a[b-c]", ".a.0", "é:1"])
def test_a_path_in_json_has_keys_and_positions(path: str) -> None:
    """With any characters in a key but dots and brackets."""
    assert adapter_problems(gateway("generic", power={"topic": "p", "unit": "W", "path": path})) == []


def test_a_device_that_is_neither_measured_nor_switched_is_refused() -> None:
    """Availability alone is neither, and a timer is only published before a command."""
    expected = "'switch', 'power', 'energy' or 'command' is expected: where it is measured or switched"
    assert adapter_problems(gateway("generic")) == [((), expected)]
    assert adapter_problems(gateway("generic", availability={"topic": "a"}, ask=[{"topic": "b"}])) == [((), expected)]
    timer = {"topic": "t", "payload": "{{ run_s }}"}
    (problem,) = adapter_problems(gateway("generic", power={"topic": "p", "unit": "W"}, timer=timer))
    assert problem == ((), "'timer' needs a 'command', before which it is published")
    for one in ("switch", "command"):
        assert adapter_problems(gateway("generic", **{one: {"topic": "p"}})) == []


@pytest.mark.parametrize(
    ("reading", "unit", "expected"),
    [
        ("power", "kWh", "'W', 'kW', 'mW' or '0.1 W' is expected"),
        ("energy", "W", "'Wh', 'kWh', 'mWh', '0.1 kWh', 'J' or 'MJ' is expected"),
    ],
)
def test_a_power_has_no_unit_of_energy_nor_an_energy_one_of_power(reading: str, unit: str, expected: str) -> None:
    """With the two mixed up, the counter was silently taken for the power."""
    problems = adapter_problems(gateway("generic", **{reading: {"topic": "p", "unit": unit}}))
    assert problems == [((reading, "unit"), expected)]


@pytest.mark.parametrize("name", ["+", "a/#", "x\0y", "x\x01y", "\ud800", "n" * 300, "", ["z"]])
def test_a_bridge_cannot_rename_a_device_to_an_invalid_topic(name: Any) -> None:
    """A command would be published to a name that no broker takes, and end the connection of all devices."""
    adapter = adapter_for(gateway("zigbee2mqtt", ieee_address="0x0000000000000001"))
    listed = json.dumps([{"ieee_address": "0x0000000000000001", "friendly_name": name}]).encode()
    with pytest.raises(MessageError):
        adapter.take("zigbee2mqtt/bridge/devices", listed, retained=True)
    assert not adapter.on_connect()


def test_the_address_of_a_zigbee_device_may_be_in_any_case_of_letters() -> None:
    """Zigbee2MQTT lists it in small letters, so that one in capitals was never found."""
    adapter = adapter_for(gateway("zigbee2mqtt", ieee_address="0x00158D0001A2B3C4"))
    for listed in ("0x00158d0001a2b3c4", "0x00158D0001A2B3C4"):
        devices = json.dumps([{"ieee_address": listed, "friendly_name": f"plug {listed}"}]).encode()
        assert adapter.concerns("zigbee2mqtt/bridge/devices", devices)
        assert adapter.concerns(f"zigbee2mqtt/plug {listed}", b"{}")


@pytest.mark.parametrize(
    ("part", "content", "expected"),
    [
        ("request", {"energy_wh": 1, "duration_s": 60, "ready_by": "in " + "9" * 190 + " h"}, "in 2 h"),
        ("request", {"energy_wh": 1, "duration_s": 60, "ready_by": 253402300799}, "at most 31 days"),
        ("request", {"energy_wh": 1, "duration_s": 60, "latest_start": "9999-12-31T00:00:00Z"}, "at most 31 days"),
        ("request", {"points": [[0, 0], [10**11, 5]], "ready_by": "in 2 h"}, "longer than 604800 s"),
        ("request", {"points": [[0, 0], [10**40, 5]], "ready_by": "in 2 h"}, "power_w with step_s"),
        (
            "announce",
            {"type": "consumer", "profiles": {"p": {"points": [[0, 0], [10**11, 5]]}}},
            "longer than 604800 s",
        ),
        ("report", '{"power_w": 5, "time": NaN}', "a JSON object"),
        ("report", '{"power_w": 5, "time": 1e308}', "no time"),
        ("forecast", {"points": [[0, 0], [86400, 500]]}, "at most 31 days"),
        ("forecast", {"points": [[NOW_S, 0], ["9999-12-31T00:00:00Z", 500]]}, "at most 366 days"),
        ("forecast", {"points": [[NOW_S - 7200, 0], [NOW_S - 3600, 500]]}, "after now"),
        ("forecast", {"start": 12, "step_s": 900, "power_w": [1, 2]}, "at most 31 days"),
        ("forecast", {"start": NOW_S, "step_s": 86400, "power_w": [1] * 400}, "at most 366 days"),
        ("forecast", {"points": [[NOW_S + 60, 0], [NOW_S, 5]]}, "points"),
    ],
)
def test_a_time_that_no_device_can_mean_is_refused(part: str, content: Any, expected: str) -> None:
    """A clock in 1970, the year 9999, a programme of a thousand years: the run calculates with every minute."""
    payload = (content if isinstance(content, str) else json.dumps(content)).encode()
    with pytest.raises(MessageError) as refused:
        event_of(part, payload, NOW_S, Zone(0))
    assert expected in str(refused.value)


def test_what_a_device_says_fits_into_a_message() -> None:
    """The broker cut its household off for each larger message: 60 kB of profiles became 739 kB of points."""

    def announcement_of(profiles: int) -> bytes:
        loads = {f"p{number}": {"step_s": 60, "power_w": [7] * 7_400} for number in range(profiles)}
        return json.dumps({"type": "consumer", "profiles": loads}, separators=(",", ":")).encode()

    event = event_of("announce", announcement_of(2), NOW_S, Zone(0))
    assert len(DeviceSaid(device="d" * 200, said=event).model_dump_json()) < MAX_PAYLOAD_BYTES
    with pytest.raises(MessageError) as refused:
        event_of("announce", announcement_of(4), NOW_S, Zone(0))
    assert str(refused.value) == "the profiles have 29,604 points together; expected: at most 15,000"


def test_an_error_is_short_however_many_profiles_a_device_has() -> None:
    """A refused request named all of them: 800 kB, more than the broker takes, which ended its household's process."""
    gateway = GatewaySettings(id="washer", house="adler", device="washer")
    agent = GatewayConsumer("adler/washer", (), patient=True, gateway=gateway)
    load = LoadProfile(times_s=(0, 60), cumulative_wh=(0.0, 1.0))
    profiles = {"\U0001f600" * 196 + f"{number:04}": load for number in range(1_000)}
    for said in (Announced(type="consumer", profiles=profiles), JobAsked(id="1", profile="none")):
        agent.take_other(Received(agent.id, 1, DeviceSaid(device="washer", said=said)))
    notices = [sent.content for sent in agent.take_instructions() if isinstance(sent.content, DeviceNotice)]
    (error,) = [notice.content for notice in notices if notice.part == "error"]
    assert error["problem"] == "profile 'none' is not known"
    size_bytes = len(json.dumps(error, ensure_ascii=False).encode())
    assert size_bytes < 5_000


def test_values_at_the_limits_are_accepted() -> None:
    """A month ahead, and a forecast of a year."""
    month = {"energy_wh": 1, "duration_s": 60, "latest_start": NOW_S + 31 * 86_400}
    assert isinstance(event_of("request", json.dumps(month).encode(), NOW_S, Zone(0)), JobAsked)
    year = {"points": [[NOW_S - 3600, 0], [NOW_S + 366 * 86_400, 500]]}
    assert isinstance(event_of("forecast", json.dumps(year).encode(), NOW_S, Zone(0)), Forecasted)


@pytest.mark.parametrize(
    ("part", "content", "problem"),
    [
        ("request", {"energy_wh": 1, "duration_s": 60, "latest_start": NOW_S + 31 * 86_400 + 1}, "31 days ahead"),
        ("request", {"step_s": 86_400, "power_w": [1] * 8}, "the load lasts longer than 604800 s"),
        ("request", {"points": [[0, 0], [604_801, 1]]}, "the load lasts longer than 604800 s"),
        ("forecast", {"points": [[NOW_S - 3600, 0], [NOW_S + 366 * 86_400 + 1, 500]]}, "366 days from now"),
        ("forecast", {"points": [[NOW_S - 3600, 0], [NOW_S, 500]]}, "the forecast ends at"),
        ("forecast", {"points": [[NOW_S - 31 * 86_400 - 1, 0], [NOW_S + 60, 500]]}, "31 days away from now"),
    ],
)
def test_values_beyond_the_limits_are_refused(part: str, content: Any, problem: str) -> None:
    """By a second."""
    with pytest.raises(MessageError, match=problem):
        event_of(part, json.dumps(content).encode(), NOW_S, Zone(0))


def test_a_scan_skips_invalid_announcements() -> None:
    """A valid one is still found."""
    keys = ["t", "fn", "rl", "ft", "tp", "id", "ieee_address", "definition"]
    wrong = [json.dumps({"t": "x", "id": "x", key: value}).encode() for key in keys for value in VALUES]
    listed = [b"[" + payload + b"]" for payload in wrong]
    announced = ("tasmota/discovery/1/config", "zigbee2mqtt/bridge/devices", "x/announce", "ssmic/r/devices/d/announce")
    for payload in [*NONSENSE, *wrong, *listed]:
        found_in(dict.fromkeys(announced, payload))
    whole = {"tasmota/discovery/1/config": b"[1]", "tasmota/discovery/2/config": b'{"t": "plug", "rl": [1]}'}
    assert [device.id for device in found_in(whole)] == ["plug"]


def test_a_scan_finds_nothing_that_a_scenario_file_may_not_declare() -> None:
    """It wrote a topic with a wildcard, and an id with half a surrogate pair, into a file that was then refused."""
    switch = {"exposes": [{"type": "switch"}]}
    heard = {
        "tasmota/discovery/1/config": {"t": "a/#", "rl": [1]},
        "tasmota/discovery/2/config": {"t": "b", "rl": [1], "tp": ["cmnd", "stat"]},
        "tasmota/discovery/3/config": {"t": "plug", "rl": [1], "fn": ["\x1b[31m"]},
        "zigbee2mqtt/bridge/devices": [
            {"ieee_address": "0x0000000000000001", "friendly_name": "\ud800", "definition": switch}
        ],
        "x\x07/announce": {"id": "y", "gen": 2},
    }
    found = found_in({topic: json.dumps(said).encode() for topic, said in heard.items()})
    assert [(device.id, device.name) for device in found] == [("plug", "")]


def test_an_unknown_key_of_a_profile_is_answered_with_the_keys_of_a_load() -> None:
    """The answer listed the keys of the announcement around it."""
    said = b'{"type": "consumer", "profiles": {"eco": {"step_s": 600, "power_kw": [2]}}}'
    with pytest.raises(MessageError) as raised:
        event_of("announce", said, NOW_S, Zone(0))
    assert raised.value.problem == "profiles.eco.power_kw: unknown key"
    assert raised.value.expected == "power_w with step_s, points, or energy_wh with duration_s"


@pytest.mark.parametrize(
    ("part", "payload", "problem"),
    [
        (
            "request",
            '{"id": 5, "energy_wh": true, "duration_s": 1.5, "energy_kwh": 1, "ready_by": {}}',
            "energy_wh: a number is expected; duration_s: a whole number is expected; id: a text is expected",
        ),
        ("request", '{"energy_wh": NaN, "duration_s": 60}', "energy_wh: a finite number is expected"),
        (
            "request",
            '{"step_s": 60, "power_w": [5, -1, 1e9]}',
            "power_w[1]: at least 0 is expected; power_w[2]: at most 10,000,000 is expected",
        ),
        ("report", '{"power_w": -3}', "power_w: at least 0 is expected"),
        ("announce", '{"type": "consumer", "profiles": {"": {}}}', "profiles.'': at least 1 character is expected"),
        ("announce", '{"type": "consumer", "profiles": {"a": {}}}', "profile 'a': the load is missing"),
        (
            "announce",
            '{"type": "consumer", "profiles": {"a": {"energy_wh": 9e9, "duration_s": 60}}}',
            "profile 'a': the energy amounts to a power of 5.4e+11 W; at most 10,000,000 W is expected",
        ),
        ("announce", '{"type": "consumer", "name": "a\\u202eb"}', "name 'a\\u202eb' contains an invisible character"),
        ("request", '{"points": [[0, 0], [60, 1e12]]}', "the energy amounts to a power of 6e+13 W"),
        ("forecast", '{"points": [["in 1 h", 0], ["in 2 h", 1e12]]}', "the energy amounts to a power of 1e+12 W"),
        (
            "forecast",
            '{"start": "in 1 h", "step_s": 60, "power_w": [1], "points": [["in 1 h", 0], ["in 2 h", 1]]}',
            "the forecast is given in two forms",
        ),
        ("withdraw", "[]", "an object is expected"),
        ("report", "", "the message is empty"),
        ("availability", "true", "availability 'true'"),
        (
            "request",
            f'{{"ready_by": "{"1" * 301}"}}',
            "ready_by: a time is expected, not 301 characters: UNIX seconds, ",
        ),
        ("request", '{"ready_by": true}', "ready_by: a time is expected: UNIX seconds, ISO 8601"),
        ("request", '{"ready_by": -1}', "ready_by: at least 0 is expected"),
        ("forecast", '{"points": [[[], 0], ["in 2 h", 1]]}', "points[0][0]: a time is expected: UNIX seconds, "),
    ],
)
def test_all_problems_of_a_payload_are_named_with_their_keys(part: str, payload: str, problem: str) -> None:
    """In plain words; a flag is not a number."""
    with pytest.raises(MessageError) as raised:
        event_of(part, payload.encode(), NOW_S, Zone(0))
    assert raised.value.problem.startswith(problem)


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_a_byte_order_mark_is_no_part_of_a_payload(mark: bytes) -> None:
    """Some editors and shells write one before a text; `not JSON (expected value ...)` was all that was said."""
    assert event_of("report", mark + b'{"power_w": 5}', NOW_S, Zone(0)) == Reported(power_w=5.0)
    assert event_of("availability", mark + b"online", NOW_S, Zone(0)) == Availability(online=True)
    assert json_of(mark + b'{"power_w": 5}') == {"power_w": 5}
    assert number_of(text_of(mark + b"5"), "W", "power") == 5.0


@pytest.mark.parametrize(
    ("now", "clock", "expected"),
    [
        ("2026-03-28T20:00:00+01:00", "07:30", "2026-03-29T07:30:00+02:00"),
        ("2026-03-28T20:00:00+01:00", "02:30", "2026-03-30T02:30:00+02:00"),  # skipped in the night between
        ("2026-10-24T20:00:00+02:00", "07:30", "2026-10-25T07:30:00+01:00"),
        ("2026-10-24T20:00:00+02:00", "02:30", "2026-10-25T02:30:00+02:00"),
        ("2026-10-25T02:45:00+02:00", "02:30", "2026-10-25T02:30:00+01:00"),
        ("2026-12-01T12:00:00+01:00", "12:00", "2026-12-01T12:00:00+01:00"),
    ],
)
def test_ready_by_is_a_time_of_the_clock_on_every_day(now: str, clock: str, expected: str) -> None:
    """A run that began in summer counts on in winter."""
    now_s = int(datetime.fromisoformat(now).timestamp())
    zone = Zone(7200, "Europe/Berlin")
    assert zone.iso(moment_of(clock, now_s, zone)) == expected


def test_a_time_without_an_offset_is_refused_for_that() -> None:
    """A device's zone may be another one than the run's."""
    payload = b'{"energy_wh": 5, "duration_s": 60, "ready_by": "2026-06-21T14:00:00"}'
    with pytest.raises(MessageError, match="ready_by: '2026-06-21T14:00:00' has no offset from UTC"):
        event_of("request", payload, NOW_S, Zone(7200, "Europe/Berlin"))


@pytest.mark.parametrize("key", ["earliest_start", "latest_start", "ready_by"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("18.30", "18.30, in UNIX seconds, is in the year 1970; a time of day is written with a colon: '18:30'"),
        (18.3, "18.3, in UNIX seconds, is in the year 1970; a time of day is written with a colon: '18:30'"),
        (" 7.05 ", "7.05, in UNIX seconds, is in the year 1970; a time of day is written with a colon: '7:05'"),
        (18, "18, in UNIX seconds, is in the year 1970; a time of day is written with a colon: '18:00'"),
        (1830, "1830, in UNIX seconds, is in the year 1970; a time of day is written with a colon: 'HH:MM'"),
        ("99999999", "99999999, in UNIX seconds, is in the year 1973; a time of day is written with a colon: 'HH:MM'"),
    ],
)
def test_a_number_that_is_no_time_of_a_job_is_refused(key: str, value: object, problem: str) -> None:
    """As an earliest start it counted as now, and as another time it was said to be in 1970."""
    payload = json.dumps({"energy_wh": 5, "duration_s": 60, key: value}).encode()
    with pytest.raises(MessageError) as refused:
        event_of("request", payload, NOW_S, Zone(0))
    assert refused.value.problem == f"{key}: {problem}"
    assert refused.value.expected.startswith("UNIX seconds, ISO 8601 with an offset, HH:MM")


def test_an_earliest_start_of_zero_is_now_and_a_run_may_be_early() -> None:
    """Neither is a mistake."""
    payload = b'{"energy_wh": 5, "duration_s": 60, "earliest_start": 0}'
    assert event_of("request", payload, NOW_S, Zone(0)) == event_of("request", payload, 60, Zone(0))
    early = event_of("request", b'{"energy_wh": 5, "duration_s": 60, "ready_by": 7200}', 60, Zone(0))
    assert isinstance(early, JobAsked)
    assert early.ready_by_s == 7200


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (2, "W", 2),
        (2, "kW", 2000),
        (2, "mW", 0.002),
        (2, "0.1 W", 0.2),
        (2, "kWh", 2000),
        (2, "mWh", 0.002),
        (2, "0.1 kWh", 200),
        (7200, "J", 2),
        (7.2, "MJ", 2000),
        ([1, 2, None, "4"], "W", 7),  # phases
    ],
)
def test_numbers_of_any_unit_are_power_in_w_or_energy_in_wh(value: object, unit: Unit, expected: float) -> None:
    """Manufacturers count in tenths, thousandths and joules."""
    assert number_of(value, unit, "x") == pytest.approx(expected)


@pytest.mark.parametrize("value", [None, "", [], [None, None]], ids=str)
def test_phases_of_which_nothing_is_known_are_no_reading_of_0(value: object) -> None:
    """A counter at 0 is a reset, and a power of 0 W the end of a programme."""
    assert number_of(value, "kWh", "x") is None


def test_a_path_in_json_may_count_from_the_end() -> None:
    """A position beyond either end finds nothing."""
    phases = {"a": [1, 2, 3]}
    assert [dig(phases, path) for path in ("a[0]", "a[-1]", "a[-3]", "a[-4]", "a[3]", "a.b")] == [
        1,
        3,
        1,
        None,
        None,
        None,
    ]
