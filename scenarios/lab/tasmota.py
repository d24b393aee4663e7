"""A plug and a meter with the Tasmota firmware: commands, answers, telemetry and discovery follow its documentation.

Topics are `%prefix%/%topic%/` with the prefixes `cmnd`, `stat` and `tele`, and the topic `tasmota_XXXXXX`. Everything
is published at QoS 0, and nothing is retained except the last will, `Online`, and discovery.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from broker.transport import Will
from scenarios.lab.device import Publication, Publications, ReadOnlyMeter, mac_of, say, whole_number
from scenarios.lab.grid_meter import GridMeter
from scenarios.lab.plug import VOLTAGE_V, Plug, PowerOn
from scenarios.zone import Zone

DEFAULT_TELE_PERIOD_S = 300
_FIRST_TELEMETRY_S = 5
_FIRMWARE = "15.0.1"
_ON = frozenset({"1", "ON", "TRUE"})
_OFF = frozenset({"0", "OFF", "FALSE"})
_TOGGLE = frozenset({"2", "TOGGLE"})
_POWER_ON_STATES: dict[int, PowerOn] = {0: "off", 1: "on", 3: "last"}
_MOST_PULSE_TIME = 64_900
_MOST_PERIOD_S = 3600
_DISCOVERED_OPTIONS = ("4", "11", "13", "17", "20", "30", "68", "73", "82", "114", "117")


class TasmotaDevice(ABC):
    """Common behaviour of Tasmota devices: topics, discovery, telemetry, and administrative commands."""

    is_gateway = False
    hears_retained = True
    """A retained command switches it at every connection ("ghost switching")."""

    def __init__(self, mac: str, name: str, model: str, start_s: int, zone: Zone, tele_period_s: int) -> None:
        """Create a device that has just booted.

        Args:
            mac: MAC address, twelve hexadecimal digits.
            name: As in its settings.
            model: As its firmware names it.
            start_s: When it booted, virtual time in UNIX seconds.
            zone: Of the times that it shows.
            tele_period_s: Interval of its telemetry, virtual seconds.
        """
        self.mac, self.name, self.model, self.zone = mac, name, model, zone
        self.topic = f"tasmota_{mac[-6:]}"
        self.tele_period_s = tele_period_s
        self._booted_s = start_s
        self._is_new = True
        """Whether it has not been connected since its start."""
        self._telemetry_s = start_s
        self._is_first_telemetry = True
        self._options = dict.fromkeys(_DISCOVERED_OPTIONS, 0)
        self._options |= {"26": 0, "90": 0}

    @property
    def client_id(self) -> str:
        """`DVES_` and the end of its MAC address."""
        return f"DVES_{self.mac[-6:]}"

    @property
    def will(self) -> Will:
        """`Offline`, retained."""
        return Will(f"tele/{self.topic}/LWT", b"Offline")

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Its own commands, its group's, and its fallback topic."""
        return (f"cmnd/{self.topic}/#", "cmnd/tasmotas/#", f"cmnd/{self.client_id}_fb/#")

    def connected(self, now_s: int) -> Publications:
        """Announce itself."""
        del now_s
        said = [say(f"tele/{self.topic}/LWT", "Online", retain=True)]
        if not self._options["90"]:
            said.append(say(f"cmnd/{self.topic}/POWER", ""))
        return said

    def subscribed(self, now_s: int) -> Publications:
        """Publish discovery and, the first time after a start, its information and state."""
        said: list[Publication] = []
        if self._is_new:
            self._is_new = False
            self._telemetry_s = now_s + _FIRST_TELEMETRY_S
            said += [
                self._tele(
                    "INFO1",
                    {
                        "Info1": {
                            "Module": self.model,
                            "Version": f"{_FIRMWARE}(lab)",
                            "FallbackTopic": f"cmnd/{self.client_id}_fb/",
                            "GroupTopic": "cmnd/tasmotas/",
                        }
                    },
                ),
                self._tele(
                    "INFO2",
                    {"Info2": {"WebServerMode": "Admin", "Hostname": self._hostname, "IPAddress": self._address}},
                ),
                self._tele("INFO3", {"Info3": {"RestartReason": "Power On", "BootCount": 1}}),
                *self.relay_states(),
            ]
        discovery = f"tasmota/discovery/{self.mac}"
        return [
            *said,
            say(f"{discovery}/config", self._discovery(), retain=True),
            say(f"{discovery}/sensors", {"sn": self.sensors(now_s), "ver": 1}, retain=True),
        ]

    def leaving(self, now_s: int) -> Publications:
        """Clear the retained messages."""
        del now_s
        topics = (
            f"tele/{self.topic}/LWT",
            f"tasmota/discovery/{self.mac}/config",
            f"tasmota/discovery/{self.mac}/sensors",
        )
        return [say(topic, "", retain=True) for topic in topics]

    def received(self, topic: str, payload: bytes, now_s: int) -> Publications:
        """See `EmulatedDevice.received` for `topic`, `payload` and `now_s`.

        It obeys a command; an unknown one is answered with `{"Command":"Unknown"}`.
        """
        text = payload.decode(errors="replace").strip()
        return self._command(topic.rsplit("/", 1)[1].upper(), text, now_s)

    def next_due_s(self) -> int | None:
        """Return when the next telemetry is due, UNIX seconds; None: never, as its period is 0."""
        return self._telemetry_s if self.tele_period_s else None

    def due(self, now_s: int) -> Publications:
        """Publish telemetry."""
        if not self.tele_period_s or now_s < self._telemetry_s:
            return []
        # Devices were not switched on in the same second: after its first telemetry, each has its own phase.
        phase_s = 1 + int(self.mac, 16) % self.tele_period_s if self._is_first_telemetry else self.tele_period_s
        self._is_first_telemetry = False
        self._telemetry_s = now_s + phase_s
        return [self._tele("STATE", self.state(now_s)), self._tele("SENSOR", self.sensors(now_s, period=True))]

    def restarted(self, now_s: int) -> None:
        """Begin as after a power cut."""
        self._booted_s = now_s
        self._is_new = True

    def relay_states(self) -> list[Publication]:
        """Return the messages that say how the relays stand; none without relays."""
        return []

    @abstractmethod
    def sensors(self, now_s: int, *, period: bool = False) -> dict[str, Any]:
        """Return the content of `SENSOR`; `period`: with what is counted since the last one."""

    def relay_command(self, command: str, text: str, now_s: int) -> Publications | None:
        """Obey a relay `command` with the argument `text` at `now_s`, UNIX seconds; None: it is not a relay command."""
        del command, text, now_s
        return None

    def state(self, now_s: int) -> dict[str, Any]:
        """Return the content of `STATE`."""
        uptime_s = now_s - self._booted_s
        hours, rest_s = divmod(uptime_s % 86_400, 3600)
        return {
            "Time": self.local(now_s),
            "Uptime": f"{uptime_s // 86_400}T{hours:02d}:{rest_s // 60:02d}:{rest_s % 60:02d}",
            "UptimeSec": uptime_s,
            "Heap": 25,
            "SleepMode": "Dynamic",
            "Sleep": 50,
            "LoadAvg": 19,
            "MqttCount": 1,
            **self.power_state(),
            "Wifi": {"AP": 1, "SSId": "lab", "BSSId": "02:00:00:00:00:01", "Channel": 1, "Mode": "11n", "RSSI": 100,
                     "Signal": -50, "LinkCount": 1, "Downtime": "0T00:00:03"},
        }  # fmt: skip

    def power_state(self) -> dict[str, str]:
        """Return the relays' part of `STATE`."""
        return {}

    def relays(self) -> int:
        """Return how many relays it has."""
        return 0

    def local(self, now_s: int) -> str:
        """Return local time without zone, as Tasmota writes it."""
        return f"{self.zone.at(now_s):%Y-%m-%dT%H:%M:%S}"

    def result(self, content: dict[str, Any]) -> Publication:
        """Return the answer to a command."""
        return say(f"stat/{self.topic}/RESULT", content)

    def _tele(self, what: str, content: dict[str, Any]) -> Publication:
        return say(f"tele/{self.topic}/{what}", content)

    @property
    def _hostname(self) -> str:
        return f"tasmota-{self.mac[-6:]}-{int(self.mac[-4:], 16) % 8192:04d}"

    @property
    def _address(self) -> str:
        return f"192.0.2.{int(self.mac[-2:], 16) % 254 + 1}"

    def _discovery(self) -> dict[str, Any]:
        return {
            "ip": self._address, "dn": self.name, "fn": [self.name, *[None] * 7], "hn": self._hostname,
            "mac": self.mac, "md": self.model, "ty": 0, "if": 0, "ofln": "Offline", "onln": "Online",
            "state": ["OFF", "ON", "TOGGLE", "HOLD"], "sw": _FIRMWARE, "t": self.topic, "ft": "%prefix%/%topic%/",
            "tp": ["cmnd", "stat", "tele"], "rl": [1] * self.relays() + [0] * (32 - self.relays()),
            "swc": [-1] * 28, "swn": [None] * 28, "btn": [0] * 32,
            "so": {option: self._options[option] for option in _DISCOVERED_OPTIONS},
            "lk": 0, "lt_st": 0, "bat": 0, "dslp": 0, "sho": [], "sht": [], "ver": 1,
        }  # fmt: skip

    def _command(self, command: str, text: str, now_s: int) -> Publications:
        if command == "BACKLOG":
            said: list[Publication] = []
            for one in filter(None, (part.strip() for part in text.split(";"))):
                name, _, rest = one.partition(" ")
                if name.upper() == command:
                    said.append(self.result({"Command": "Unknown"}))
                else:
                    said += self._command(name.upper(), rest.strip(), now_s)
            return said
        found = self.relay_command(command, text, now_s)
        if found is not None:
            return found
        name = command.rstrip("0123456789")
        answers: dict[str, Callable[[], Publications]] = {
            "STATUS": lambda: self._status(command.removeprefix("STATUS") or text, now_s),
            "STATE": lambda: [self.result(self.state(now_s))],
            "TELEPERIOD": lambda: self._tele_period(text, now_s),
            "SETOPTION": lambda: self._set_option(command.removeprefix("SETOPTION"), text),
            "TIME": lambda: [self.result({"Time": self.local(now_s)})],
        }
        answer = answers.get(name)
        return [self.result({"Command": "Unknown"})] if answer is None else answer()

    def _tele_period(self, text: str, now_s: int) -> Publications:
        period_s = whole_number(text)
        if period_s is not None:
            if period_s == 1:
                period_s = DEFAULT_TELE_PERIOD_S
            self.tele_period_s = 0 if not period_s else min(max(10, period_s), _MOST_PERIOD_S)
            self._telemetry_s = now_s + self.tele_period_s
        return [self.result({"TelePeriod": self.tele_period_s})]

    def _set_option(self, option: str, text: str) -> Publications:
        if text.upper() in _ON | _OFF:
            self._options[option] = int(text.upper() in _ON)
        return [self.result({f"SetOption{option}": "ON" if self._options.get(option) else "OFF"})]

    def _status(self, which: str, now_s: int) -> Publications:
        contents: dict[str, tuple[str, dict[str, Any]]] = {
            "": ("STATUS", {"Status": {"Module": 0, "DeviceName": self.name, "FriendlyName": [self.name],
                                       "Topic": self.topic, "ButtonTopic": "0", **self._power_bits(),
                                       "PowerOnState": 3, "LedState": 1, "SaveData": 1, "SaveState": 1}}),
            "1": ("STATUS1", {"StatusPRM": {"Baudrate": 115200, "GroupTopic": "tasmotas",
                                            "StartupUTC": f"{Zone().at(self._booted_s):%Y-%m-%dT%H:%M:%S}",
                                            "Sleep": 50, "BootCount": 1}}),
            "2": ("STATUS2", {"StatusFWR": {"Version": f"{_FIRMWARE}(lab)", "Hardware": self.model}}),
            "3": ("STATUS3", {"StatusLOG": {"TelePeriod": self.tele_period_s, "SetOption": []}}),
            "5": ("STATUS5", {"StatusNET": {"Hostname": self._hostname, "IPAddress": self._address,
                                            "Mac": ":".join(self.mac[i : i + 2] for i in range(0, 12, 2))}}),
            "6": ("STATUS6", {"StatusMQT": {"MqttClient": self.client_id, "MqttCount": 1}}),
            "7": ("STATUS7", {"StatusTIM": {"UTC": Zone().iso(now_s), "Local": self.local(now_s)}}),
            "8": ("STATUS8", {"StatusSNS": self.sensors(now_s)}),
            "10": ("STATUS10", {"StatusSNS": self.sensors(now_s)}),
            "11": ("STATUS11", {"StatusSTS": self.state(now_s)}),
        }  # fmt: skip
        if which == "0":
            chosen = [contents[one] for one in contents if one != "8"]
        else:
            chosen = [contents.get(which, contents[""])]
        return [say(f"stat/{self.topic}/{name}", content) for name, content in chosen]

    def _power_bits(self) -> dict[str, str]:
        states = list(self.power_state().values())
        return {"Power": "1" if states and states[0] == "ON" else "0"} if states else {}


class TasmotaPlug(TasmotaDevice):
    """A plug with a relay and an energy meter."""

    def __init__(self, plug: Plug, *, tele_period_s: int) -> None:
        """Make a plug.

        Args:
            plug: The relay, the meter, and the load.
            tele_period_s: Interval of telemetry, seconds of virtual time: 10 to 3600.
        """
        super().__init__(plug.mac, plug.name, "Nous A1T", plug.start_s, plug.zone, tele_period_s)
        self.plug = plug
        self._period_from_wh = 0.0
        self._power_delta = 0
        self._reported_w = 0.0

    @property
    def keys(self) -> tuple[str, ...]:
        """House and device."""
        return (self.plug.key,)

    def relays(self) -> int:
        """Return 1: a Nous A1T switches a single socket."""
        return 1

    def relay_states(self) -> list[Publication]:
        """Return `RESULT` and the plain state."""
        word = "ON" if self.plug.is_on else "OFF"
        key = "POWER1" if self._options["26"] else "POWER"
        if self._options["4"]:
            return [say(f"stat/{self.topic}/{key}", {key: word})]
        said = [self.result({key: word})]
        if not self._options["90"]:
            said.append(say(f"stat/{self.topic}/{key}", word))
        return said

    def power_state(self) -> dict[str, str]:
        """Return the relay's state."""
        return {"POWER1" if self._options["26"] else "POWER": "ON" if self.plug.is_on else "OFF"}

    def sensors(self, now_s: int, *, period: bool = False) -> dict[str, Any]:
        """Return time and `ENERGY`."""
        read = self.plug.reading(now_s)
        energy = {
            "TotalStartTime": self.local(self.plug.start_s),
            "Total": round(read.energy_wh / 1000, 3),
            "Yesterday": round(read.yesterday_wh / 1000, 3),
            "Today": round(read.today_wh / 1000, 3),
        }
        if period:
            energy["Period"] = round(read.energy_wh - self._period_from_wh)
            self._period_from_wh = read.energy_wh
        voltage_v = round(VOLTAGE_V) if self.plug.is_on else 0
        return {
            "Time": self.local(now_s),
            "ENERGY": energy | {
                "Power": round(read.power_w), "ApparentPower": round(read.power_w), "ReactivePower": 0,
                "Factor": 1.0 if read.power_w else 0.0, "Voltage": voltage_v, "Current": round(read.current_a, 3),
            },
        }  # fmt: skip

    def relay_command(self, command: str, text: str, now_s: int) -> Publications | None:  # noqa: PLR0911 - one a command
        """See `TasmotaDevice.relay_command` for `command`, `text` and `now_s`.

        It obeys `Power`, `PulseTime`, `PowerOnState`, `PowerDelta`, `EnergyReset` and `Restart`.
        """
        match command:
            case "POWER" | "POWER1" | "POWER0":
                return self._power(text.upper(), now_s)
            case "PULSETIME" | "PULSETIME1":
                return self._pulse_time(text, now_s)
            case "POWERONSTATE":
                return self._power_on_state(text)
            case "POWERDELTA" | "POWERDELTA1":
                delta = whole_number(text)
                self._power_delta = self._power_delta if delta is None else delta
                return [self.result({"PowerDelta1": self._power_delta})]
            case "ENERGYRESET" | "ENERGYTOTAL":
                if text == "0":
                    self.plug.forget_counters(now_s)
                    self._period_from_wh = 0.0
                read = self.plug.reading(now_s)
                return [self.result({"EnergyTotal": {"Total": round(read.energy_wh / 1000, 3)}})]
            case "RESTART":
                self.plug.lose_power(now_s)
                self.power(self.plug.key, now_s, on=True)
                return [self.result({"Restart": "Restarting"}), *self.subscribed(now_s)]
        return None

    def next_due_s(self) -> int | None:
        """Return when telemetry is due, or the relay or the load changes, UNIX seconds; None: never."""
        times_s = (self.plug.next_event_s(), super().next_due_s())
        return min((time_s for time_s in times_s if time_s is not None), default=None)

    def due(self, now_s: int) -> Publications:
        """Publish telemetry, and a change of the relay that its timer made."""
        said = self.relay_states() if self.plug.advance(now_s) else []
        said += super().due(now_s)
        power_w = self.plug.appliance.power_w(now_s)
        if self._exceeds_delta(power_w):
            said.append(self._tele("SENSOR", self.sensors(now_s)))
            self._reported_w = power_w
        return said

    def power(self, key: str, now_s: int, *, on: bool) -> Publications:
        """See `EmulatedDevice.power` for `key`, `now_s` and `on`: cut or restore its power."""
        del key
        if on:
            self.plug.get_power(now_s)
            self.restarted(now_s)
        else:
            self.plug.lose_power(now_s)
        return []

    def forget(self, key: str, now_s: int) -> Publications:
        """Restart with counters at 0, without timer, the relay in its power-on state."""
        self.plug.lose_power(now_s)
        self.plug.forget_counters(now_s)
        self.plug.timer_s = None
        self._period_from_wh = 0.0
        return self.power(key, now_s, on=True)

    def pressed(self, key: str, now_s: int, *, on: bool) -> Publications:
        """See `EmulatedDevice.pressed` for `key`, `now_s` and `on`: a person presses its button."""
        del key
        self.plug.switch(now_s, on=on, by="hand")
        return self.relay_states()

    def _power(self, text: str, now_s: int) -> Publications:
        if text in _ON | _OFF | _TOGGLE:
            self.plug.switch(now_s, on=not self.plug.is_on if text in _TOGGLE else text in _ON)
        return self.relay_states()

    def _pulse_time(self, text: str, now_s: int) -> Publications:
        wanted = whole_number(text)
        if wanted is not None:
            value = min(wanted, _MOST_PULSE_TIME)
            # 1 to 111 are tenths of a second; more are seconds, and 100 added.
            self.plug.timer_s = None if not value else max(1, round(value / 10)) if value < 112 else value - 100
            self.plug.switches_back_s = (
                now_s + self.plug.timer_s if self.plug.timer_s is not None and self.plug.is_on else None
            )
        left_s = 0 if self.plug.switches_back_s is None else self.plug.switches_back_s - now_s
        encoded = [0 if seconds is None or not seconds else seconds + 100 for seconds in (self.plug.timer_s, left_s)]
        return [self.result({"PulseTime1": {"Set": encoded[0], "Remaining": encoded[1]}})]

    def _power_on_state(self, text: str) -> Publications:
        wanted = whole_number(text)
        if wanted in _POWER_ON_STATES:
            self.plug.power_on = _POWER_ON_STATES[wanted]
        known = {state: number for number, state in _POWER_ON_STATES.items()}
        return [self.result({"PowerOnState": known[self.plug.power_on]})]

    def _exceeds_delta(self, power_w: float) -> bool:
        """Return whether the power changed by more than `PowerDelta`: 1 to 100 %, or W and 100 added."""
        if not self._power_delta or not self.plug.is_on:
            return False
        change_w = abs(power_w - self._reported_w)
        if self._power_delta > 100:
            return change_w >= self._power_delta - 100
        return change_w > 0 and change_w * 100 >= self._power_delta * max(self._reported_w, 1.0)


class TasmotaMeter(TasmotaDevice, ReadOnlyMeter):
    """A house's grid meter, read by a Tasmota infrared head (its SML driver)."""

    def __init__(self, meter: GridMeter, start_s: int, zone: Zone, *, tele_period_s: int) -> None:
        """Create a meter that has just booted.

        Args:
            meter: The house's grid connection.
            start_s: When it booted, virtual time in UNIX seconds.
            zone: Of the times that it shows.
            tele_period_s: Interval of its reports, virtual seconds.
        """
        mac = mac_of(meter.house, "grid meter")
        super().__init__(mac, f"{meter.house} grid meter", "Hichi IR", start_s, zone, tele_period_s)
        self.meter = meter

    @property
    def keys(self) -> tuple[str, ...]:
        """`house/meter`."""
        return (self.meter.key,)

    def sensors(self, now_s: int, *, period: bool = False) -> dict[str, Any]:
        """Return import and export, kWh, and the present power, W; negative: export."""
        del period
        read = self.meter.reading(now_s)
        return {
            "Time": self.local(now_s),
            "SML": {
                "Total_in": round(read.import_wh / 1000, 4),
                "Total_out": round(read.export_wh / 1000, 4),
                "Power_curr": round(read.power_w),
            },
        }
