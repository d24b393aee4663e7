"""Shelly devices of the second generation and later: a plug (Plug S Gen3) and a grid meter (Pro 3EM).

Their RPC, notifications, status and control topics are those of Shelly's API documentation. The prefix of all topics is
the device's id. Status topics are published because `status_ntf` is set here; `online` is the last will.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from broker import may_be_topic
from broker.transport import Will
from scenarios.lab.device import Publications, ReadOnlyMeter, json_object, mac_of, say, whole_number, whole_seconds
from scenarios.lab.grid_meter import GridMeter
from scenarios.lab.plug import VOLTAGE_V, Plug, PowerOn
from scenarios.zone import Zone

_MINUTE_S = 60
_INVALID_ARGUMENT = -103
_NOT_FOUND = -105
_NO_HANDLER = 404
_POWER_ON: Mapping[str, PowerOn] = {"off": "off", "on": "on", "restore_last": "last", "match_input": "last"}
_INITIAL_STATES = {"off": "off", "on": "on", "last": "restore_last"}


class _RpcError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ShellyDevice(ABC):
    """Common behaviour of Shelly devices: RPC, announcements, status on request and at intervals."""

    is_gateway = False
    hears_retained = True

    def __init__(
        self, mac: str, name: str, kind: tuple[str, str, str], start_s: int, zone: Zone, period_s: int
    ) -> None:
        """Create a device that has just booted.

        Args:
            mac: MAC address, twelve hexadecimal digits.
            name: As in the maker's app.
            kind: Family in the device id, model, and application, as the maker names them.
            start_s: When it booted, virtual time in UNIX seconds.
            zone: Of the times that it shows.
            period_s: Interval of its reports, virtual seconds.
        """
        self.mac, self.name, self.zone = mac, name, zone
        family, self._model, self._app = kind
        self.device_id = f"{family}-{mac.lower()}"
        self.period_s = period_s
        self._booted_s = start_s
        self._due_s = start_s
        self._said: dict[str, Any] = {}
        """What was last notified, by component."""

    @property
    def client_id(self) -> str:
        """Of MQTT; Shelly firmware uses the device's id."""
        return self.device_id

    @property
    def will(self) -> Will:
        """`false`, not retained."""
        return Will(f"{self.device_id}/online", b"false", retain=False)

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """RPC, and the control topics."""
        return (f"{self.device_id}/rpc", f"{self.device_id}/command/#", "shellies/command", f"{self.device_id}/command")

    def connected(self, now_s: int) -> Publications:
        """Say that it is online."""
        del now_s
        return [say(f"{self.device_id}/online", "true", qos=1)]

    def subscribed(self, now_s: int) -> Publications:
        """Publish the status of every component; later reports are staggered, as with real devices."""
        self._due_s = now_s + 1 + int(self.mac, 16) % self.period_s
        return self.statuses(now_s)

    def leaving(self, now_s: int) -> Publications:
        """Announce that it is offline; nothing is retained."""
        del now_s
        return [say(f"{self.device_id}/online", "false", qos=1)]

    def next_due_s(self) -> int:
        """Return when the status is due."""
        return self._due_s

    def due(self, now_s: int) -> Publications:
        """Publish the status when it is due."""
        if now_s < self._due_s:
            return []
        self._due_s = now_s + self.period_s
        return self.notified(now_s)

    def received(self, topic: str, payload: bytes, now_s: int) -> Publications:
        """See `EmulatedDevice.received` (`topic`, `payload`, `now_s`): answer an RPC or obey a control message."""
        if topic == f"{self.device_id}/rpc":
            return self._answer(payload, now_s)
        text = payload.decode(errors="replace").strip()
        if topic in {"shellies/command", f"{self.device_id}/command"}:
            match text:
                case "announce":
                    info = self._info()
                    return [say(f"{self.device_id}/announce", info), say("shellies/announce", info)]
                case "status_update":
                    return self.statuses(now_s)
            return [say(f"{self.device_id}/error", f"Unknown command {text!r}")]
        component = topic.removeprefix(f"{self.device_id}/command/")
        return self.control(component, text, now_s)

    def statuses(self, now_s: int) -> Publications:
        """Return the status messages of all components."""
        found = self.components(now_s)
        self._said = found
        return [say(f"{self.device_id}/status/{name}", status, qos=1) for name, status in found.items()]

    def notified(self, now_s: int, source: str = "") -> Publications:
        """Return a notification of what changed, and the status of these components."""
        found = self.components(now_s)
        changes: dict[str, Any] = {}
        for name, status in found.items():
            before = self._said.get(name, {})
            changed = {key: value for key, value in status.items() if before.get(key) != value}
            if changed:
                changes[name] = {"id": status["id"]} | changed | ({"source": source} if source else {})
        self._said = found
        if not changes:
            return []
        event = {
            "src": self.device_id,
            "dst": f"{self.device_id}/events",
            "method": "NotifyStatus",
            "params": {"ts": float(now_s), **changes},
        }
        return [
            say(f"{self.device_id}/events/rpc", event, qos=1),
            *(say(f"{self.device_id}/status/{name}", found[name], qos=1) for name in changes),
        ]

    @abstractmethod
    def components(self, now_s: int) -> dict[str, dict[str, Any]]:
        """Return the status of every component, by `name:id`."""

    def methods(self) -> Mapping[str, Callable[[dict[str, Any], int], dict[str, Any]]]:
        """Return its own RPC methods by name."""
        return {}

    def control(self, component: str, text: str, now_s: int) -> Publications:
        """Obey a command `text` on `command/<component>` at `now_s`, UNIX seconds."""
        del text, now_s
        return [say(f"{self.device_id}/error/{component}", f"No such component {component!r}")]

    def restarted(self, now_s: int) -> None:
        """Begin as after a power cut."""
        self._booted_s = now_s
        self._said = {}

    def _info(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "id": self.device_id,
            "mac": self.mac,
            "slot": 0,
            "model": self._model,
            "gen": 3,
            "fw_id": "20250924-062729/1.7.1-gd336f31",
            "ver": "1.7.1",
            "app": self._app,
            "auth_en": False,
            "auth_domain": None,
        }

    def _answer(self, payload: bytes, now_s: int) -> Publications:
        request = json_object(payload)
        if request is None or not isinstance(request.get("method"), str):
            return []
        source = request.get("src")
        if not may_be_topic(source):
            return []
        params = request.get("params")
        answer: dict[str, Any] = {"id": request.get("id"), "src": self.device_id, "dst": source}
        try:
            answer["result"] = self._call(request["method"], params if isinstance(params, dict) else {}, now_s)
        except _RpcError as error:
            answer["error"] = {"code": error.code, "message": str(error)}
        return [say(f"{source}/rpc", answer, qos=1), *self.notified(now_s, "MQTT")]

    def _call(self, method: str, params: dict[str, Any], now_s: int) -> dict[str, Any]:
        known: dict[str, Callable[[dict[str, Any], int], dict[str, Any]]] = {
            "Shelly.GetStatus": lambda _params, at_s: self._status(at_s),
            "Shelly.GetDeviceInfo": lambda _params, _at_s: self._info(),
            "Shelly.GetConfig": lambda _params, _at_s: {"sys": {"device": {"name": self.name}}, "mqtt": self._mqtt()},
            "Mqtt.GetConfig": lambda _params, _at_s: self._mqtt(),
            "Shelly.ListMethods": lambda _params, _at_s: {"methods": sorted({*known, *self.methods()})},
            **self.methods(),
        }
        called = {name.casefold(): name for name in known}.get(method.casefold())
        if called is None:
            raise _RpcError(_NO_HANDLER, f"No handler for {method}")
        return known[called](params, now_s)

    def _status(self, now_s: int) -> dict[str, Any]:
        return {
            "mqtt": {"connected": True},
            **self.components(now_s),
            "sys": {
                "mac": self.mac,
                "restart_required": False,
                "time": self.zone.hours(now_s),
                "unixtime": now_s,
                "uptime": now_s - self._booted_s,
            },
        }

    def _mqtt(self) -> dict[str, Any]:
        return {
            "enable": True,
            "topic_prefix": self.device_id,
            "rpc_ntf": True,
            "status_ntf": True,
            "enable_rpc": True,
            "enable_control": True,
        }


class ShellyPlug(ShellyDevice):
    """A plug with one switch and its meter."""

    def __init__(self, plug: Plug, *, period_s: int) -> None:
        """Make a plug.

        Args:
            plug: The relay, the meter, and the load.
            period_s: How often it says its status, seconds of virtual time; changes are said at once.
        """
        kind = ("shellyplugsg3", "S3PL-00112EU", "PlugSG3")
        super().__init__(plug.mac, plug.name, kind, plug.start_s, plug.zone, period_s)
        self.plug = plug
        self._auto_off = False
        self._source = "init"
        self._timer_from_s: int | None = None
        self._minutes_wh = [0.0, 0.0, 0.0]
        self._minute = plug.start_s // _MINUTE_S
        self._minute_from_wh = 0.0

    @property
    def keys(self) -> tuple[str, ...]:
        """House and device."""
        return (self.plug.key,)

    def next_due_s(self) -> int:
        """Return when the status is due, or the relay or the load changes."""
        event_s = self.plug.next_event_s()
        return super().next_due_s() if event_s is None else min(event_s, super().next_due_s())

    def due(self, now_s: int) -> Publications:
        """Publish what the relay's timer and the load have changed since, and the status when it is due."""
        if self.plug.advance(now_s):
            self._source, self._timer_from_s = "timer", None
            return self.notified(now_s, "timer")
        said = super().due(now_s)
        return said or self.notified(now_s)

    def components(self, now_s: int) -> dict[str, dict[str, Any]]:
        """Return the status of `switch:0`."""
        read = self.plug.reading(now_s)
        self._count_minutes(now_s)
        status: dict[str, Any] = {
            "id": 0,
            "source": self._source,
            "output": self.plug.is_on,
            "apower": round(read.power_w, 1),
            "voltage": VOLTAGE_V,
            "freq": 50.0,
            "current": round(read.current_a, 3),
            "aenergy": {
                "total": round(read.energy_wh, 3),
                "by_minute": [round(wh * 1000, 3) for wh in self._minutes_wh],
                "minute_ts": now_s // _MINUTE_S * _MINUTE_S,
            },
            "ret_aenergy": {"total": 0.0, "by_minute": [0.0, 0.0, 0.0], "minute_ts": now_s // _MINUTE_S * _MINUTE_S},
            "temperature": {"tC": 24.5, "tF": 76.1},
        }
        if self.plug.switches_back_s is not None and self._timer_from_s is not None:
            status["timer_started_at"] = float(self._timer_from_s)
            status["timer_duration"] = float(self.plug.switches_back_s - self._timer_from_s)
        return {"switch:0": status}

    def methods(self) -> Mapping[str, Callable[[dict[str, Any], int], dict[str, Any]]]:
        """Return the methods of its switch."""
        return {
            "Switch.Set": self._set,
            "Switch.Toggle": lambda params, now_s: self._set({**params, "on": not self.plug.is_on}, now_s),
            "Switch.GetStatus": lambda params, now_s: self._of(params, self.components(now_s)["switch:0"]),
            "Switch.GetConfig": lambda params, _now_s: self._of(params, self._config()),
            "Switch.SetConfig": self._set_config,
            "Switch.ResetCounters": self._reset,
        }

    def control(self, component: str, text: str, now_s: int) -> Publications:
        """See `ShellyDevice.control` for `component`, `text` and `now_s`.

        It obeys `on`, `off`, `toggle`, each also with `,SECONDS`, and `status_update`.
        """
        if component != "switch:0":
            return super().control(component, text, now_s)
        word, _, seconds = text.partition(",")
        if word == "status_update":
            return [say(f"{self.device_id}/status/switch:0", self.components(now_s)["switch:0"], qos=1)]
        if word not in {"on", "off", "toggle"} or (seconds and not whole_number(seconds)):
            return [say(f"{self.device_id}/error/switch:0", f"Invalid command {text!r}")]
        params: dict[str, Any] = {"on": not self.plug.is_on if word == "toggle" else word == "on"}
        if seconds:
            params["toggle_after"] = whole_number(seconds)
        self._set({"id": 0, **params}, now_s)
        return self.notified(now_s, "MQTT")

    def power(self, key: str, now_s: int, *, on: bool) -> Publications:
        """See `EmulatedDevice.power` for `key`, `now_s` and `on`: cut or restore its power."""
        del key
        if on:
            self.plug.get_power(now_s)
            self.restarted(now_s)
            self._source, self._timer_from_s = "init", None
        else:
            self.plug.lose_power(now_s)
        return []

    def forget(self, key: str, now_s: int) -> Publications:
        """Restart with counters at 0, without timer, the relay in its power-on state."""
        self.plug.lose_power(now_s)
        self.plug.forget_counters(now_s)
        self.plug.timer_s = None
        return self.power(key, now_s, on=True)

    def pressed(self, key: str, now_s: int, *, on: bool) -> Publications:
        """See `EmulatedDevice.pressed` for `key`, `now_s` and `on`: a person presses its button."""
        del key
        self.plug.switch(now_s, on=on, by="hand")
        self._source, self._timer_from_s = "button", None
        return self.notified(now_s, "button")

    def _of(self, params: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
        number = params.get("id")
        if number is None:
            raise _RpcError(_INVALID_ARGUMENT, "Missing required argument 'id'!")
        if number != 0:
            raise _RpcError(_NOT_FOUND, f"Argument 'id', value {number} not found!")
        return found

    def _set(self, params: dict[str, Any], now_s: int) -> dict[str, Any]:
        self._of(params, {})
        on, after = params.get("on"), params.get("toggle_after")
        after_s = whole_seconds(after)
        if not isinstance(on, bool):
            raise _RpcError(_INVALID_ARGUMENT, "Missing or bad argument 'on'!")
        if after is not None and after_s is None:
            raise _RpcError(_INVALID_ARGUMENT, "Argument 'toggle_after', bad value!")
        was_on = self.plug.is_on
        self.plug.switch(now_s, on=on, for_s=after_s)
        self._timer_from_s = None if self.plug.switches_back_s is None else now_s
        self._source = "MQTT"
        return {"was_on": was_on}

    def _config(self) -> dict[str, Any]:
        return {
            "id": 0,
            "name": self.name,
            "initial_state": _INITIAL_STATES[self.plug.power_on],
            "auto_on": False,
            "auto_on_delay": 60.0,
            "auto_off": self._auto_off,
            "auto_off_delay": float(self.plug.timer_s or 60),
            "power_limit": 2500,
            "voltage_limit": 280,
            "current_limit": 12.0,
        }

    def _set_config(self, params: dict[str, Any], now_s: int) -> dict[str, Any]:
        del now_s
        self._of(params, {})
        config = params.get("config")
        if not isinstance(config, dict):
            raise _RpcError(_INVALID_ARGUMENT, "Missing or bad argument 'config'!")
        state = config.get("initial_state", _INITIAL_STATES[self.plug.power_on])
        delay_s = whole_seconds(config.get("auto_off_delay", self.plug.timer_s or 60))
        if not isinstance(state, str) or state not in _POWER_ON or delay_s is None:
            raise _RpcError(_INVALID_ARGUMENT, "Argument 'config', bad value!")
        self.plug.power_on = _POWER_ON[state]
        self._auto_off = bool(config.get("auto_off", self._auto_off))
        self.plug.timer_s = delay_s if self._auto_off else None
        return {"restart_required": False}

    def _reset(self, params: dict[str, Any], now_s: int) -> dict[str, Any]:
        total_wh = self.plug.energy_wh(now_s)
        self._of(params, {})
        self.plug.forget_counters(now_s)
        return {"aenergy": {"total": round(total_wh, 3)}}

    def _count_minutes(self, now_s: int) -> None:
        minute, energy_wh = now_s // _MINUTE_S, self.plug.appliance.energy_wh(now_s)
        if minute > self._minute:
            passed = minute - self._minute
            mean_wh = (energy_wh - self._minute_from_wh) / passed
            self._minutes_wh = [*([mean_wh] * min(passed, 3)), *self._minutes_wh][:3]
            self._minute, self._minute_from_wh = minute, energy_wh


class ShellyMeter(ShellyDevice, ReadOnlyMeter):
    """A house's grid meter, a Pro 3EM; everything is on phase A."""

    def __init__(self, meter: GridMeter, start_s: int, zone: Zone, *, period_s: int) -> None:
        """Create a meter that has just booted.

        Args:
            meter: The house's grid connection.
            start_s: When it booted, virtual time in UNIX seconds.
            zone: Of the times that it shows.
            period_s: Interval of its reports, virtual seconds.
        """
        kind = ("shellypro3em", "SPEM-003CEBEU", "Pro3EM")
        super().__init__(mac_of(meter.house, "grid meter"), f"{meter.house} grid meter", kind, start_s, zone, period_s)
        self.meter = meter

    @property
    def keys(self) -> tuple[str, ...]:
        """`house/meter`."""
        return (self.meter.key,)

    def components(self, now_s: int) -> dict[str, dict[str, Any]]:
        """Return powers, `em:0`, and counters, `emdata:0`."""
        read = self.meter.reading(now_s)
        power_w, current_a = round(read.power_w, 1), round(abs(read.power_w) / VOLTAGE_V, 3)
        em: dict[str, Any] = {"id": 0}
        counters: dict[str, Any] = {"id": 0}
        for phase in "abc":
            is_used = phase == "a"
            em |= {
                f"{phase}_current": current_a if is_used else 0.0,
                f"{phase}_voltage": VOLTAGE_V,
                f"{phase}_act_power": power_w if is_used else 0.0,
                f"{phase}_aprt_power": abs(power_w) if is_used else 0.0,
                f"{phase}_pf": 1.0,
                f"{phase}_freq": 50.0,
            }
            counters |= {
                f"{phase}_total_act_energy": round(read.import_wh, 2) if is_used else 0.0,
                f"{phase}_total_act_ret_energy": round(read.export_wh, 2) if is_used else 0.0,
            }
        em |= {"n_current": None, "total_current": current_a, "total_act_power": power_w}
        em |= {"total_aprt_power": abs(power_w), "user_calibrated_phase": []}
        counters |= {"total_act": round(read.import_wh, 2), "total_act_ret": round(read.export_wh, 2)}
        return {"em:0": em, "emdata:0": counters}

    def methods(self) -> Mapping[str, Callable[[dict[str, Any], int], dict[str, Any]]]:
        """Return the methods that read it."""
        return {
            "EM.GetStatus": lambda _params, now_s: self.components(now_s)["em:0"],
            "EMData.GetStatus": lambda _params, now_s: self.components(now_s)["emdata:0"],
        }
