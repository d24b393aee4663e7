"""Each emulated device sends exactly what the real one does."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from agents import CumulativeSeries
from scenarios.lab import DeviceKinds, EmulatedDevices, LabKindError
from scenarios.lab.device import (
    MOST_SECONDS,
    EmulatedDevice,
    Publications,
    ReportDistortion,
    whole_number,
    whole_seconds,
)
from scenarios.lab.dtu import AhoyDtu, OpenDtu
from scenarios.lab.plug import Plug
from scenarios.lab.shelly import ShellyMeter, ShellyPlug
from scenarios.lab.tasmota import TasmotaMeter, TasmotaPlug
from scenarios.lab.zigbee2mqtt import Zigbee2MqttBridge
from tests.scenarios.lab.neighbourhood import START_S, lane

END_S = START_S + 4 * 3600
WASHER = "adler/washer"


def street(*kinds: str) -> EmulatedDevices:
    """Return the lane, emulated as these kinds."""
    return EmulatedDevices(lane(), DeviceKinds.parse(kinds), END_S)


def device(found: EmulatedDevices, kind: type[Any], key: str) -> Any:
    """Return the emulated device of a kind that has a key."""
    return next(d for d in found.devices if isinstance(d, kind) and key in d.keys)


def by_topic(publications: Publications) -> dict[str, Any]:
    """Return what was published, by topic; JSON decoded."""
    found: dict[str, Any] = {}
    for one in publications:
        text = one.payload.decode()
        found[one.topic] = json.loads(text) if text[:1] in {"{", "["} else text
    return found


def test_kinds_are_chosen_by_name_and_an_unknown_one_is_refused_with_the_known_ones() -> None:
    """One option may name several, for plugs and for inverters."""
    assert DeviceKinds.parse(["shelly,zigbee2mqtt", "ahoydtu"]) == DeviceKinds(("shelly", "zigbee2mqtt"), ("ahoydtu",))
    assert DeviceKinds.parse([]) == DeviceKinds(("tasmota",), ("opendtu",))
    with pytest.raises(LabKindError, match="--as tuya: expected one or several of tasmota, shelly"):
        DeviceKinds.parse(["tuya"])
    for nothing in ("", ", "):
        with pytest.raises(LabKindError, match=f"--as '{nothing}': expected one or several of tasmota, shelly"):
            DeviceKinds.parse(["shelly", nothing])


class TestTasmota:
    def plug(self) -> TasmotaPlug:
        plug: TasmotaPlug = device(street(), TasmotaPlug, WASHER)
        return plug

    def test_it_connects_as_the_firmware_does(self) -> None:
        plug = self.plug()
        t = plug.topic
        assert t.startswith("tasmota_")
        assert plug.will.topic == f"tele/{t}/LWT"
        assert (plug.will.payload, plug.will.retain) == (b"Offline", True)
        first, second = plug.connected(START_S)
        assert (first.topic, first.payload, first.retain) == (f"tele/{t}/LWT", b"Online", True)
        assert (second.topic, second.payload, second.retain) == (f"cmnd/{t}/POWER", b"", False)
        assert set(plug.subscriptions) == {f"cmnd/{t}/#", "cmnd/tasmotas/#", f"cmnd/DVES_{t[-6:]}_fb/#"}
        said = plug.subscribed(START_S)
        assert {p.topic for p in said if p.retain} == {
            f"tasmota/discovery/{plug.mac}/config",
            f"tasmota/discovery/{plug.mac}/sensors",
        }
        found = by_topic(said)
        assert {f"tele/{t}/INFO1", f"tele/{t}/INFO2", f"tele/{t}/INFO3", f"stat/{t}/RESULT"} <= found.keys()
        config = found[f"tasmota/discovery/{plug.mac}/config"]
        assert (config["mac"], config["t"], config["ft"]) == (plug.mac, t, "%prefix%/%topic%/")
        assert config["tp"] == ["cmnd", "stat", "tele"]
        assert config["rl"][:2] == [1, 0]
        assert config["ver"] == 1
        assert "ENERGY" in found[f"tasmota/discovery/{plug.mac}/sensors"]["sn"]

    def test_information_comes_at_the_first_connection_only(self) -> None:
        plug = self.plug()
        plug.subscribed(START_S)
        assert not [p for p in plug.subscribed(START_S + 60) if "INFO" in p.topic]

    @pytest.mark.parametrize("command", ["POWER", "Power", "Power1", "power"])
    @pytest.mark.parametrize("word", ["ON", "on", "1"])
    def test_a_command_in_any_form_switches_it_on(self, command: str, word: str) -> None:
        plug = self.plug()
        found = by_topic(plug.received(f"cmnd/{plug.topic}/{command}", word.encode(), START_S + 1200))
        assert found == {f"stat/{plug.topic}/RESULT": {"POWER": "ON"}, f"stat/{plug.topic}/POWER": "ON"}

    def test_an_empty_command_asks(self) -> None:
        plug = self.plug()
        found = by_topic(plug.received(f"cmnd/{plug.topic}/POWER", b"", START_S))
        assert found[f"stat/{plug.topic}/RESULT"] == {"POWER": "OFF"}

    def test_the_load_draws_its_profile_and_the_meter_counts(self) -> None:
        plug = self.plug()
        plug.received(f"cmnd/{plug.topic}/POWER", b"ON", START_S + 600)
        found = by_topic(plug.due(START_S + 1300))
        energy = found[f"tele/{plug.topic}/SENSOR"]["ENERGY"]
        assert energy["Power"] == 2000
        assert energy["Total"] == pytest.approx((100 * 600 + 2000 * 100) / 3.6e6, abs=0.001)
        assert (energy["Voltage"], energy["Current"], energy["Factor"]) == (230, 8.696, 1.0)
        assert found[f"tele/{plug.topic}/SENSOR"]["Time"] == "2026-06-21T08:21:40"
        assert found[f"tele/{plug.topic}/STATE"]["POWER"] == "ON"
        done = by_topic(plug.received(f"cmnd/{plug.topic}/Status", b"10", START_S + 4000))
        status = done[f"stat/{plug.topic}/STATUS10"]["StatusSNS"]["ENERGY"]
        assert (status["Power"], status["Total"]) == (0, 0.375)
        assert "Period" not in status

    def test_home_assistants_questions_are_answered(self) -> None:
        plug, t = self.plug(), self.plug().topic
        found: dict[str, Any] = {}
        for command, payload in (("STATUS", b"1"), ("STATUS", b"11"), ("STATUS", b"10"), ("STATE", b"")):
            found |= by_topic(plug.received(f"cmnd/{t}/{command}", payload, START_S))
        assert {f"stat/{t}/STATUS1", f"stat/{t}/STATUS10", f"stat/{t}/STATUS11", f"stat/{t}/RESULT"} <= found.keys()
        assert found[f"stat/{t}/STATUS11"]["StatusSTS"]["POWER"] == "OFF"

    def test_pulse_time_is_its_own_dead_mans_timer(self) -> None:
        plug = self.plug()
        answer = by_topic(plug.received(f"cmnd/{plug.topic}/PulseTime", b"700", START_S))
        assert answer[f"stat/{plug.topic}/RESULT"] == {"PulseTime1": {"Set": 700, "Remaining": 0}}
        plug.received(f"cmnd/{plug.topic}/POWER", b"ON", START_S + 600)
        due_s = plug.next_due_s()
        assert due_s is not None
        assert due_s <= START_S + 1200
        found = by_topic(plug.due(START_S + 1200))
        assert found[f"stat/{plug.topic}/POWER"] == "OFF"
        assert plug.plug.appliance.power_w(START_S + 1200) == 0

    def test_an_unknown_command_is_answered_so(self) -> None:
        plug = self.plug()
        found = by_topic(plug.received(f"cmnd/{plug.topic}/Dance", b"", START_S))
        assert found == {f"stat/{plug.topic}/RESULT": {"Command": "Unknown"}}

    def test_a_backlog_runs_its_commands_in_order(self) -> None:
        plug = self.plug()
        said = plug.received(f"cmnd/{plug.topic}/Backlog", b"TelePeriod 10; Power ON", START_S)
        assert [p.payload for p in said] == [b'{"TelePeriod":10}', b'{"POWER":"ON"}', b"ON"]

    def test_its_meter_counts_import_and_export(self) -> None:
        found = street()
        meter = device(found, TasmotaMeter, "adler/meter")
        sml = meter.sensors(START_S + 3600)["SML"]
        assert sml == {"Total_in": 0.0, "Total_out": 0.995, "Power_curr": -3000}

    def test_leaving_removes_retained_messages(self) -> None:
        plug = self.plug()
        retained = {p.topic for p in [*plug.connected(START_S), *plug.subscribed(START_S)] if p.retain}
        assert {p.topic for p in plug.leaving(START_S)} == retained
        assert all(p.retain and not p.payload for p in plug.leaving(START_S))


class TestShelly:
    def plug(self) -> ShellyPlug:
        plug: ShellyPlug = device(street("shelly"), ShellyPlug, WASHER)
        return plug

    def call(self, plug: ShellyPlug, method: str, now_s: int, **params: object) -> dict[str, Any]:
        request = json.dumps({"id": 7, "src": "me/x", "method": method, "params": params}).encode()
        self.said = by_topic(plug.received(f"{plug.device_id}/rpc", request, now_s))
        answer: dict[str, Any] = self.said["me/x/rpc"]
        assert (answer["id"], answer["src"], answer["dst"]) == (7, plug.device_id, "me/x")
        return answer

    def test_a_call_switches_it_and_what_changed_is_notified(self) -> None:
        plug = self.plug()
        plug.subscribed(START_S)
        answer = self.call(plug, "Switch.Set", START_S + 600, id=0, on=True, toggle_after=3600)
        assert answer["result"] == {"was_on": False}
        event = self.said[f"{plug.device_id}/events/rpc"]
        assert event["method"] == "NotifyStatus"
        changed = event["params"]["switch:0"]
        assert (changed["output"], changed["apower"], changed["timer_duration"]) == (True, 100.0, 3600.0)
        assert "voltage" not in changed
        assert self.said[f"{plug.device_id}/status/switch:0"]["voltage"] == 230.0

    @pytest.mark.parametrize(
        ("method", "params", "code"),
        [("Switch.Fly", {}, 404), ("Switch.Set", {"on": True}, -103), ("Switch.Set", {"id": 3, "on": True}, -105)],
    )
    def test_a_wrong_call_is_answered_with_an_error(self, method: str, params: dict[str, Any], code: int) -> None:
        assert self.call(self.plug(), method, START_S, **params)["error"]["code"] == code

    def test_control_topics_switch_it_for_a_while(self) -> None:
        plug = self.plug()
        plug.subscribed(START_S)
        said = by_topic(plug.received(f"{plug.device_id}/command/switch:0", b"on,600", START_S + 600))
        assert said[f"{plug.device_id}/status/switch:0"]["output"] is True
        later = by_topic(plug.due(START_S + 1200))
        assert later[f"{plug.device_id}/events/rpc"]["params"]["switch:0"]["output"] is False

    def test_its_counter_is_in_wh_and_minutes_in_mwh(self) -> None:
        plug = self.plug()
        plug.received(f"{plug.device_id}/command/switch:0", b"on", START_S + 600)
        plug.due(START_S + 1200)
        status = plug.components(START_S + 1260)["switch:0"]
        assert status["aenergy"]["total"] == pytest.approx(100 / 6 + 2000 / 60, abs=0.001)
        assert status["aenergy"]["by_minute"][0] == pytest.approx(2000 / 60 * 1000, abs=0.01)
        assert status["aenergy"]["minute_ts"] == START_S + 1260

    def test_all_devices_are_asked_to_announce_themselves(self) -> None:
        plug = self.plug()
        found = by_topic(plug.received("shellies/command", b"announce", START_S))
        assert found["shellies/announce"]["id"] == plug.device_id

    def test_the_grid_meter_is_a_three_phase_one(self) -> None:
        meter = device(street("shelly"), ShellyMeter, "adler/meter")
        found = by_topic(meter.subscribed(START_S + 3600))
        assert found[f"{meter.device_id}/status/em:0"]["total_act_power"] == -3000.0
        assert found[f"{meter.device_id}/status/emdata:0"]["total_act_ret"] == 995.0


class TestZigbee2Mqtt:
    def bridge(self) -> Zigbee2MqttBridge:
        bridge: Zigbee2MqttBridge = device(street("zigbee2mqtt"), Zigbee2MqttBridge, WASHER)
        return bridge

    def test_devices_are_announced_with_what_they_expose(self) -> None:
        bridge = self.bridge()
        assert bridge.will.topic == "zigbee2mqtt/bridge/state"
        found = by_topic(bridge.subscribed(START_S))
        washer = next(d for d in found["zigbee2mqtt/bridge/devices"] if d["friendly_name"] == "adler washer")
        state = washer["definition"]["exposes"][0]["features"][0]
        assert (state["property"], state["value_on"], state["value_off"], state["access"]) == ("state", "ON", "OFF", 7)
        assert {"power": "W", "energy": "kWh"}.items() <= {
            e["name"]: e.get("unit") for e in washer["definition"]["exposes"] if "name" in e
        }.items()
        assert found["zigbee2mqtt/adler washer/availability"] == {"state": "online"}

    def test_a_command_is_answered_by_the_new_state_only(self) -> None:
        bridge = self.bridge()
        found = by_topic(bridge.received("zigbee2mqtt/adler washer/set", b'{"state":"ON"}', START_S + 600))
        assert found.keys() == {"zigbee2mqtt/adler washer"}
        assert found["zigbee2mqtt/adler washer"]["state"] == "ON"
        assert found["zigbee2mqtt/adler washer"]["power"] == 100

    def test_a_plain_word_is_a_command_too(self) -> None:
        bridge = self.bridge()
        assert by_topic(bridge.received("zigbee2mqtt/adler washer/set", b"ON", START_S))
        assert (
            by_topic(bridge.received("zigbee2mqtt/adler washer/set/state", b"OFF", START_S))[
                "zigbee2mqtt/adler washer"
            ]["state"]
            == "OFF"
        )

    def test_a_dead_plug_answers_nothing_and_the_bridge_logs_an_error(self) -> None:
        bridge = self.bridge()
        assert by_topic(bridge.power(WASHER, START_S, on=False)) == {
            "zigbee2mqtt/adler washer/availability": {"state": "offline"}
        }
        found = by_topic(bridge.received("zigbee2mqtt/adler washer/set", b'{"state":"ON"}', START_S))
        assert found.keys() == {"zigbee2mqtt/bridge/logging"}
        assert "Publish 'set' 'state' to 'adler washer' failed" in found["zigbee2mqtt/bridge/logging"]["message"]

    def test_a_plug_that_has_power_again_does_not_report_what_it_missed(self) -> None:
        """Its reports of the past had the counter of then, below 0 after a restart of its programme."""
        bridge = self.bridge()
        bridge.power(WASHER, START_S, on=False)
        bridge.power(WASHER, START_S + 3600, on=True)
        reports = [one for at_s in range(START_S, START_S + 3600, 60) for one in bridge.due(at_s)]
        assert "zigbee2mqtt/adler washer" not in {report.topic for report in reports}
        assert "zigbee2mqtt/adler washer" in {report.topic for report in bridge.due(START_S + 7200)}

    def test_a_plug_is_renamed_with_its_topics(self) -> None:
        bridge = self.bridge()
        asked = json.dumps({"from": "adler washer", "to": "wash/er", "transaction": "t1"}).encode()
        found = by_topic(bridge.received("zigbee2mqtt/bridge/request/device/rename", asked, START_S))
        answer = found["zigbee2mqtt/bridge/response/device/rename"]
        assert (answer["status"], answer["transaction"], answer["data"]["to"]) == ("ok", "t1", "wash/er")
        assert found["zigbee2mqtt/adler washer/availability"] == ""
        assert found["zigbee2mqtt/wash/er/availability"] == {"state": "online"}
        assert by_topic(bridge.received("zigbee2mqtt/wash/er/get", b'{"state":""}', START_S))

    def test_on_time_switches_it_back(self) -> None:
        bridge = self.bridge()
        bridge.received("zigbee2mqtt/adler washer/set", b'{"state":"ON","on_time":300}', START_S + 600)
        found = by_topic(bridge.due(START_S + 900))
        assert found["zigbee2mqtt/adler washer"]["state"] == "OFF"


class TestInverters:
    def test_open_dtu_publishes_the_real_production(self) -> None:
        dtu: OpenDtu = device(street(), OpenDtu, "adler/pv")
        serial = dtu.inverters[0].serial
        assert (dtu.will.topic, dtu.will.payload) == ("solar/dtu/status", b"offline")
        found = by_topic(dtu.due(START_S + 5400))
        assert found[f"solar/{serial}/0/power"] == "3000.0"
        assert found[f"solar/{serial}/0/yieldday"] == "2500"
        assert found[f"solar/{serial}/0/yieldtotal"] == "2.500"
        assert found[f"solar/{serial}/status/producing"] == "1"
        assert found["solar/ac/power"] == "3000.0"

    def test_open_dtu_limits_and_ignores_retained_commands(self) -> None:
        dtu: OpenDtu = device(street(), OpenDtu, "adler/pv")
        serial = dtu.inverters[0].serial
        topic = f"solar/{serial}/cmd/limit_nonpersistent_absolute"
        found = by_topic(dtu.received(topic, b"800", START_S + 3600))
        assert found[f"solar/{serial}/0/power"] == "800.0"
        assert dtu.inverters[0].curtailed_wh(START_S + 7200) == pytest.approx(2200)
        assert not dtu.hears_retained

    def test_ahoy_dtu_takes_watts_and_percent(self) -> None:
        dtu: AhoyDtu = device(street("ahoydtu"), AhoyDtu, "adler/pv")
        assert (
            by_topic(dtu.received("inverter/ctrl/limit/0", b"600W", START_S + 3600))["inverter/pv/ch0/P_AC"] == "600.0"
        )
        assert (
            by_topic(dtu.received("inverter/ctrl/limit/0", b"50", START_S + 3600))["inverter/pv/ch0/P_AC"] == "1500.0"
        )
        found = by_topic(dtu.received("inverter/ctrl/power/0", b"0", START_S + 3600))
        assert (found["inverter/pv/ch0/P_AC"], found["inverter/pv/available"]) == ("0.0", "1")

    def test_a_lying_inverter_reports_what_it_does_not_give(self) -> None:
        dtu: OpenDtu = device(street(), OpenDtu, "adler/pv")
        dtu.inverters[0].distortion = ReportDistortion(factor=2.0)
        found = by_topic(dtu.due(START_S + 3600))
        assert found[f"solar/{dtu.inverters[0].serial}/0/power"] == "6000.0"
        assert dtu.inverters[0].power_w(START_S + 3600) == 3000


def test_a_power_cut_stops_the_load_and_the_programme_continues_afterwards() -> None:
    """The measured load includes the pause."""
    plug = street().plugs[WASHER]
    plug.switch(START_S + 600, on=True)
    plug.lose_power(START_S + 900)
    assert plug.appliance.power_w(START_S + 900) == 0
    plug.get_power(START_S + 1500)
    plug.advance(END_S)
    run = plug.appliance.runs[0]
    assert (run.is_done, run.interruptions) == (True, 1)
    measured = run.measured_profile(END_S)
    assert measured.duration_s == 1800 + 600
    assert measured.energy_wh == pytest.approx(375)
    assert measured.energy_until_wh([300, 900, 1200]).tolist() == pytest.approx([100 / 12, 100 / 12, 100 / 6])


def test_a_plugs_meter_counts_by_the_days_of_its_house() -> None:
    """It is eight o'clock in the house when the lab starts; the wash takes 375 Wh in the morning."""
    plug, seldom = (street().plugs[WASHER] for _ in range(2))
    for each in (plug, seldom):
        each.switch(START_S, on=True)
        each.advance(START_S + 2 * 3600)
    midnight_s = START_S + 16 * 3600

    def counted(of: Plug, now_s: int) -> tuple[float, float, float]:
        found = of.reading(now_s)
        return found.energy_wh, found.today_wh, found.yesterday_wh

    assert counted(plug, midnight_s - 1) == pytest.approx((375, 375, 0))
    assert counted(plug, midnight_s) == pytest.approx((375, 0, 375))
    assert counted(seldom, midnight_s + 24 * 3600) == pytest.approx((375, 0, 0))  # it had no power yesterday
    plug.forget_counters(midnight_s + 60)
    assert counted(plug, midnight_s + 60) == pytest.approx((0, 0, 0))


def test_a_plugs_timer_begins_when_it_is_switched_on_and_ends_with_its_power() -> None:
    """Switching it off starts no timer, and switching it to the state that it is in does not count."""
    plug = street().plugs[WASHER]
    plug.timer_s = 600
    assert plug.switch(START_S, on=True)
    assert not plug.switch(START_S + 60, on=True)
    assert plug.switched == 1
    plug.advance(START_S + 659)
    assert plug.is_on
    plug.advance(START_S + 660)
    assert not plug.is_on
    plug.switch(START_S + 700, on=True)
    plug.switch(START_S + 710, on=False)
    plug.advance(START_S + 3600)
    assert not plug.is_on
    plug.switch(START_S + 3600, on=True)
    plug.lose_power(START_S + 3700)
    plug.get_power(START_S + 3800)
    plug.advance(END_S)
    assert plug.is_on


def test_numbers_that_a_device_is_told_are_within_its_32_bits() -> None:
    """And a duration is at least a second."""
    assert [whole_number(text) for text in ("7", "999999999", "1000000000", "-1", "\u0663")] == [
        7,
        999_999_999,
        MOST_SECONDS,
        None,
        None,
    ]
    assert [whole_seconds(value) for value in (0.3, 2.6, 1e30, 0, True)] == [1, 3, MOST_SECONDS, None, None]


def test_an_uninterrupted_job_draws_exactly_its_own_profile() -> None:
    """It begins when the appliance is loaded, because the plug is already on."""
    plug = street().plugs[WASHER]
    plug.switch(START_S, on=True)
    plug.advance(END_S)
    run = plug.appliance.runs[0]
    assert run.start_s == START_S + 600
    assert run.measured_profile(END_S) is run.job.load_profile
    assert plug.energy_wh(END_S) == pytest.approx(run.job.energy_wh)


def test_a_device_that_is_not_controllable_runs_by_itself() -> None:
    """Its windows are too short for a controller."""
    found = street()
    assert found.fixed == {"adler/fridge"}
    fridge = found.plugs["adler/fridge"]
    fridge.advance(END_S)
    assert fridge.appliance.runs[0].start_s == START_S + 1800


def test_every_device_is_an_emulated_device() -> None:
    """The type checker holds them to the protocol."""
    devices: list[EmulatedDevice] = [
        *street().devices,
        *street("shelly", "ahoydtu").devices,
        *street("zigbee2mqtt").devices,
    ]
    assert all(d.client_id and d.keys and d.subscriptions for d in devices)


def test_the_grid_meter_of_a_house_contains_its_base_load() -> None:
    """It counts base load and appliances, minus the production of the panels."""
    scenario = lane()
    times_s = (START_S, START_S + 900, END_S)
    loads = {h: CumulativeSeries(times_s=times_s, cumulative_wh=(0.0, 50.0, 1550.0)) for h in ("adler", "berg")}
    quarters = range(START_S, END_S + 1, 900)
    found = EmulatedDevices(replace(scenario, base_loads=loads), DeviceKinds(), END_S)
    readings = {now_s: {key: meter.reading(now_s) for key, meter in found.meters.items()} for now_s in quarters}
    berg = [readings[now_s]["berg/meter"] for now_s in quarters]
    assert [one.power_w for one in berg[:3]] == pytest.approx([200, 400, 400])
    assert berg[-1].import_wh == pytest.approx(loads["berg"].energy_wh)
    adler = readings[quarters[-1]]["adler/meter"]
    drawn_wh = sum(found.plugs[key].appliance.energy_wh(END_S) for key in (WASHER, "adler/fridge"))
    given_wh = found.inverters["adler/pv"].energy_wh(END_S)
    assert adler.import_wh - adler.export_wh == pytest.approx(loads["adler"].energy_wh + drawn_wh - given_wh)
    assert loads["adler"].energy_wh > 0
