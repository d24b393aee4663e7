"""A Zigbee2MQTT bridge with its plugs: its topics and payloads as version 2 has them.

One client represents all plugs. A dead plug does not answer: a command to it ends in an error on `bridge/logging`.
State is not retained; availability is, and stays `online` when the bridge stops.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker import may_be_topic
from broker.transport import Will
from scenarios.lab.device import (
    MOST_SECONDS,
    Publication,
    Publications,
    json_object,
    mac_of,
    say,
    whole_number,
    whole_seconds,
)
from scenarios.lab.plug import VOLTAGE_V, Plug, PowerOn

_POWER_ON: Mapping[str, PowerOn] = {"off": "off", "on": "on", "previous": "last"}
_STATES = {"ON": True, "OFF": False}
_VERSION = "2.14.1"
_COMMAND = re.compile(r"(?P<name>.+?)/(?P<verb>set|get)(?:/(?P<key>[a-z_]+))?")


@dataclass(slots=True)
class _Paired:
    """A plug, and what the bridge knows about it."""

    plug: Plug
    name: str
    is_there: bool = True
    due_s: int = 0
    reported: tuple[bool, float] = (False, 0.0)
    """State and power, as they were when it reported last."""

    @property
    def ieee_address(self) -> str:
        """Address of the radio."""
        return f"0x0015{self.plug.mac.lower()}"


class Zigbee2MqttBridge:
    """A bridge, and its plugs."""

    is_gateway = True
    hears_retained = True

    def __init__(self, base: str, plugs: Sequence[Plug], start_s: int, *, period_s: int) -> None:
        """Make a bridge.

        Args:
            base: Base topic.
            plugs: Its plugs; a plug's name is its friendly name.
            start_s: Start of the lab.
            period_s: How often a plug reports, seconds of virtual time; changes are reported at once.
        """
        self.base, self.period_s = base, period_s
        self._paired = [_Paired(plug, plug.name.replace("+", "-").replace("#", "-")) for plug in plugs]
        for place, paired in enumerate(self._paired):
            # Radios do not report in the same second.
            paired.due_s = start_s + 1 + place * period_s // max(1, len(self._paired))

    @property
    def keys(self) -> tuple[str, ...]:
        """House and device of each plug."""
        return tuple(paired.plug.key for paired in self._paired)

    def names(self) -> dict[str, str]:
        """Return the friendly name of each plug, by house and device."""
        return {paired.plug.key: paired.name for paired in self._paired}

    @property
    def client_id(self) -> str:
        """Unique by the base topic."""
        return f"mqttjs_{mac_of(self.base)[-8:].lower()}"

    @property
    def will(self) -> Will:
        """`offline`, retained."""
        return Will(f"{self.base}/bridge/state", b'{"state":"offline"}')

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Requests, and commands to plugs, whose names may have several levels."""
        names = ("+", "+/+", "+/+/+")
        verbs = [f"{self.base}/{name}/{verb}/#" for name in names for verb in ("set", "get")]
        return (f"{self.base}/bridge/request/#", *verbs)

    def connected(self, now_s: int) -> Publications:
        """Say that the bridge is online."""
        del now_s
        return [say(f"{self.base}/bridge/state", {"state": "online"}, qos=1, retain=True)]

    def subscribed(self, now_s: int) -> Publications:
        """Publish the retained messages: the bridge, its devices, their availability."""
        del now_s
        return [
            say(f"{self.base}/bridge/info", self._info(), retain=True),
            self._devices(),
            say(f"{self.base}/bridge/groups", [], retain=True),
            *(self._availability(paired) for paired in self._paired),
        ]

    def leaving(self, now_s: int) -> Publications:
        """Clear the retained messages."""
        del now_s
        topics = [f"{self.base}/bridge/{what}" for what in ("state", "info", "devices", "groups")]
        topics += [f"{self.base}/{paired.name}/availability" for paired in self._paired]
        return [say(topic, "", retain=True) for topic in topics]

    def next_due_s(self) -> int | None:
        """Return when a plug reports, or a relay or a load changes, UNIX seconds; None: no plug is there."""
        times_s = [paired.due_s for paired in self._paired if paired.is_there]
        times_s += [event for p in self._paired if p.is_there and (event := p.plug.next_event_s()) is not None]
        return min(times_s, default=None)

    def due(self, now_s: int) -> Publications:
        """Publish due reports and changes."""
        said: list[Publication] = []
        for paired in self._paired:
            if not paired.is_there:
                continue
            paired.plug.advance(now_s)
            stands = (paired.plug.is_on, paired.plug.appliance.power_w(now_s))
            if stands != paired.reported or paired.due_s <= now_s:
                paired.due_s = now_s + self.period_s
                said.append(self._state(paired, now_s))
        return said

    def received(self, topic: str, payload: bytes, now_s: int) -> Publications:
        """See `EmulatedDevice.received` for `topic`, `payload` and `now_s`.

        It obeys `<name>/set`, and answers `<name>/get` and `bridge/request/...`.
        """
        rest = topic.removeprefix(f"{self.base}/")
        if rest.startswith("bridge/"):
            return self._request(rest, payload) if rest.startswith("bridge/request/") else []
        found = _COMMAND.fullmatch(rest)
        paired = found and next((p for p in self._paired if found["name"] in {p.name, p.ieee_address}), None)
        if found is None or paired is None:
            return []
        if found["verb"] == "get":
            if not paired.is_there:
                return [self._error(paired, "get", found["key"] or "state", "Delivery failed for '4660'")]
            return [self._state(paired, now_s)]
        wanted = json_object(payload)
        if wanted is None or found["key"]:
            text = payload.decode(errors="replace").strip()
            number = whole_number(text)
            wanted = {found["key"] or "state": text if number is None else number}
        return self._set(paired, wanted, now_s)

    def power(self, key: str, now_s: int, *, on: bool) -> Publications:
        """See `EmulatedDevice.power` for `key`, `now_s` and `on`; the messages returned are the bridge's."""
        paired = next(p for p in self._paired if p.plug.key == key)
        paired.is_there = on
        if on:
            paired.due_s = now_s + self.period_s  # reports that it missed do not follow
            paired.plug.get_power(now_s)
            return [self._availability(paired), self._state(paired, now_s)]
        paired.plug.lose_power(now_s)
        return [self._availability(paired)]

    def forget(self, key: str, now_s: int) -> Publications:
        """Restart a plug with its counter at 0, the relay in its power-on state; return what it reports then."""
        paired = next(p for p in self._paired if p.plug.key == key)
        paired.plug.lose_power(now_s)
        paired.plug.forget_counters(now_s)
        paired.plug.get_power(now_s)
        return [self._state(paired, now_s)]

    def pressed(self, key: str, now_s: int, *, on: bool) -> Publications:
        """See `EmulatedDevice.pressed` (`key`, `now_s`, `on`): press a plug's button."""
        paired = next(p for p in self._paired if p.plug.key == key)
        if not paired.is_there:
            return []
        paired.plug.switch(now_s, on=on, by="hand")
        return [self._state(paired, now_s)]

    def _set(self, paired: _Paired, wanted: dict[str, Any], now_s: int) -> Publications:
        said: list[Publication] = []
        has_changed = False
        for key, value in wanted.items():
            if key in {"on_time", "off_wait_time"}:
                continue
            if not paired.is_there:
                said.append(self._error(paired, "set", key, "Delivery failed for '4660'"))
            elif key == "state" and isinstance(value, str) and value.upper() in {*_STATES, "TOGGLE"}:
                on = not paired.plug.is_on if value.upper() == "TOGGLE" else _STATES[value.upper()]
                paired.plug.switch(now_s, on=on, for_s=whole_seconds(wanted.get("on_time")) if on else None)
                has_changed = True
            elif key == "power_on_behavior" and isinstance(value, str) and value in _POWER_ON:
                paired.plug.power_on = _POWER_ON[value]
                has_changed = True
            elif key == "countdown" and isinstance(value, int) and 0 <= value <= MOST_SECONDS:
                paired.plug.switches_back_s = now_s + value if value and paired.plug.is_on else None
                has_changed = True
            elif key in {"state", "power_on_behavior", "countdown"}:
                said.append(self._error(paired, "set", key, f"Invalid value {value!r}"))
            else:
                said.append(self._log(f"No converter available for 'set' {key!r} on '{paired.name}'"))
        if has_changed:
            said.append(self._state(paired, now_s))
        return said

    def _request(self, rest: str, payload: bytes) -> Publications:
        what = rest.removeprefix("bridge/request/")
        asked = json_object(payload) or {}
        if what == "device/rename":
            return self._rename(asked)
        answers: dict[str, Any] = {"health_check": {"healthy": True}, "restart": {}, "permit_join": {"time": 0}}
        if what in answers:
            return [self._response(what, asked, data=answers[what])]
        return []

    def _rename(self, asked: dict[str, Any]) -> Publications:
        old, new = asked.get("from"), asked.get("to")
        paired = next((p for p in self._paired if old in (p.name, p.ieee_address)), None)
        if paired is None or not isinstance(new, str) or not may_be_topic(new):
            error = f"Device '{old}' does not exist" if paired is None else "Invalid payload"
            return [self._response("device/rename", asked, error=error)]
        if any(p.name == new for p in self._paired):
            return [self._response("device/rename", asked, error=f"friendly_name '{new}' is already in use")]
        before = paired.name
        paired.name = new
        data = {"from": before, "to": new, "homeassistant_rename": False}
        return [
            say(f"{self.base}/{before}/availability", "", retain=True),
            self._devices(),
            self._availability(paired),
            self._response("device/rename", asked, data=data),
        ]

    def _response(self, what: str, asked: dict[str, Any], *, data: object = None, error: str = "") -> Publication:
        content: dict[str, Any] = {"data": data if data is not None else {}, "status": "error" if error else "ok"}
        if error:
            content["error"] = error
        if "transaction" in asked:
            content["transaction"] = asked["transaction"]
        return say(f"{self.base}/bridge/response/{what}", content)

    def _state(self, paired: _Paired, now_s: int) -> Publication:
        read = paired.plug.reading(now_s)
        paired.reported = (paired.plug.is_on, paired.plug.appliance.power_w(now_s))
        left_s = paired.plug.switches_back_s
        content = {
            "countdown": 0 if left_s is None else left_s - now_s,
            "current": round(read.current_a, 2),
            "energy": round(read.energy_wh / 1000, 3),
            "linkquality": 120,
            "power": round(read.power_w),
            "power_on_behavior": {"off": "off", "on": "on", "last": "previous"}[paired.plug.power_on],
            "state": "ON" if paired.plug.is_on else "OFF",
            "voltage": round(VOLTAGE_V),
        }
        return say(f"{self.base}/{paired.name}", content)

    def _availability(self, paired: _Paired) -> Publication:
        state = {"state": "online" if paired.is_there else "offline"}
        return say(f"{self.base}/{paired.name}/availability", state, qos=1, retain=True)

    def _error(self, paired: _Paired, verb: str, key: str, why: str) -> Publication:
        return self._log(f"Publish '{verb}' '{key}' to '{paired.name}' failed: 'Error: {why}'")

    def _log(self, message: str) -> Publication:
        return say(f"{self.base}/bridge/logging", {"level": "error", "message": f"z2m: {message}", "namespace": "z2m"})

    def _info(self) -> dict[str, Any]:
        return {
            "version": _VERSION,
            "commit": "unknown",
            "coordinator": {"ieee_address": "0x0000000000000001", "type": "lab", "meta": {"revision": 0}},
            "network": {"channel": 11, "pan_id": 6754, "extended_pan_id": "0xdddddddddddddddd"},
            "log_level": "info",
            "permit_join": False,
            "config": {"mqtt": {"base_topic": self.base}, "availability": {"enabled": True}},
        }

    def _devices(self) -> Publication:
        coordinator = {
            "ieee_address": "0x0000000000000001",
            "type": "Coordinator",
            "network_address": 0,
            "supported": True,
            "disabled": False,
            "friendly_name": "Coordinator",
            "endpoints": {},
            "interview_completed": True,
        }
        found = [coordinator, *(self._device(place, paired) for place, paired in enumerate(self._paired))]
        return say(f"{self.base}/bridge/devices", found, retain=True)

    def _device(self, place: int, paired: _Paired) -> dict[str, Any]:
        def numeric(name: str, unit: str, access: int = 5) -> dict[str, Any]:
            return {"type": "numeric", "name": name, "label": name.capitalize(), "property": name, "access": access,
                    "unit": unit}  # fmt: skip

        state = {"type": "binary", "name": "state", "label": "State", "property": "state", "access": 7,
                 "value_on": "ON", "value_off": "OFF", "value_toggle": "TOGGLE"}  # fmt: skip
        power_on = {"type": "enum", "name": "power_on_behavior", "label": "Power-on behavior",
                    "property": "power_on_behavior", "access": 7, "values": ["off", "on", "previous"]}  # fmt: skip
        countdown = numeric("countdown", "s", 3) | {"value_min": 0, "value_max": 43_200}
        measured = [numeric("power", "W"), numeric("current", "A"), numeric("voltage", "V"), numeric("energy", "kWh")]
        return {
            "ieee_address": paired.ieee_address,
            "type": "Router",
            "network_address": 4660 + place,
            "supported": True,
            "disabled": False,
            "friendly_name": paired.name,
            "power_source": "Mains (single phase)",
            "model_id": "SP 240",
            "manufacturer": "innr",
            "interview_completed": True,
            "interview_state": "SUCCESSFUL",
            "software_build_id": "1.9.28",
            "date_code": "20230101",
            "endpoints": {"1": {"bindings": [], "configured_reportings": [], "clusters": {"input": [], "output": []}}},
            "definition": {
                "model": "SP 240",
                "vendor": "Innr",
                "description": "Smart plug",
                "source": "native",
                "supports_ota": True,
                "options": [],
                "exposes": [{"type": "switch", "features": [state]}, power_on, countdown, *measured],
            },
        }
