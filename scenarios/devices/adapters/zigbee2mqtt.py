"""Plugs behind Zigbee2MQTT: a device is up only while its bridge is up too, and may be renamed at any time."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from agents import Availability, DeviceCommand, DeviceEvent, Rejected, Reported
from broker import MAX_CHARACTERS, may_be_topic, shown
from scenarios.devices.adapter import MessageError, OutgoingMessage
from scenarios.devices.adapters.values import (
    MeterValue,
    OptionalTopic,
    SwitchingMessage,
    Topic,
    either,
    json_of,
    number_of,
    text_of,
)
from scenarios.gateways import Gateway

MAX_LIST_BYTES = 8 * 2**20
"""Largest list of a bridge's devices: some describe themselves in 20 kB, and a bridge may have hundreds."""
MAX_TIMER_S = 6_553
"""Longest time of a radio's own timer."""
_IEEE_ADDRESS = re.compile(r"0x[0-9a-f]{16}", re.IGNORECASE)


def _checked_address(text: str) -> str:
    """Return an address in lower case; refuse one that Zigbee2MQTT never lists, so the device would not be found."""
    if text and not _IEEE_ADDRESS.fullmatch(text):
        expected = "0x and 16 hexadecimal digits, such as 0x00158d0001a2b3c4"
        raise ValueError(f"{shown(text)} is not the address of a Zigbee device; expected {expected}")
    return text.lower()


class Zigbee2MqttOptions(BaseModel):
    """Keys of a Zigbee device in the scenario file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Topic = "zigbee2mqtt"
    """First levels of Zigbee2MQTT's topics."""
    ieee_address: Annotated[str, AfterValidator(_checked_address)] = ""
    """The permanent address of the device, by which its friendly name is found."""
    name: OptionalTopic = ""
    """Its friendly name, where there is no address."""
    endpoint: str = ""
    """Of a device with several switches: `l1` for `state_l1`."""
    timer: bool = True
    """Whether the radio's own timer is set, which some plugs do not have."""

    @property
    def address(self) -> tuple[object, ...]:
        """See `TasmotaOptions.address`."""
        return self.base, self.ieee_address or self.name, self.endpoint

    @property
    def meter(self) -> tuple[MeterValue, ...]:
        """See `TasmotaOptions.meter`; the topic of a device that is known by its address is found out in the run."""
        suffix = f"_{self.endpoint}" if self.endpoint else ""
        topic = f"{self.base}/{self.name}"
        return tuple(MeterValue(topic, (f"{value}{suffix}",)) for value in ("power", "energy") if self.name)

    @property
    def switching_messages(self) -> tuple[SwitchingMessage, ...]:
        """See `TasmotaOptions.switching_messages`, and `meter` for a device that is known by its address."""
        if not self.name:
            return ()
        own, key = f"{self.base}/{self.name}", f"state_{self.endpoint}" if self.endpoint else "state"
        with_value = SwitchingMessage(f"{own}/set", rf'"{key}"' if self.endpoint else "")
        to_endpoint = (SwitchingMessage(f"{own}/{self.endpoint}/set"),) if self.endpoint else ()
        return with_value, SwitchingMessage(f"{own}/set/{key}"), *to_endpoint

    @model_validator(mode="after")
    def _names_a_device(self) -> Self:
        if not self.ieee_address and not self.name:
            raise ValueError("ieee_address or name is required")
        return self


class Zigbee2Mqtt:
    """See `Adapter`."""

    is_switched = True
    largest_bytes = MAX_LIST_BYTES

    def __init__(self, gateway: Gateway, options: Zigbee2MqttOptions) -> None:
        """Create the adapter of a device."""
        self.is_switched = gateway.type == "consumer"
        self.longest_timer_s = MAX_TIMER_S if options.timer else None
        self._options = options
        self._base = options.base
        self._name = options.name
        self._name_before = ""
        self._must_be_asked = False
        """Whether it has been named, or it or its bridge has come back, since it was last asked for its state."""
        self._offline: set[str] = set()
        """Topics of availability on which it, or its bridge, was said to be offline last."""
        suffix = f"_{options.endpoint}" if options.endpoint else ""
        self._state, self._power, self._energy = f"state{suffix}", f"power{suffix}", f"energy{suffix}"
        self._is_bridge_online: bool | None = None
        self._is_device_online: bool | None = None
        self._is_listed = True
        """Whether the bridge has the device: one that was removed may join again."""
        self._was_online: bool | None = None

    def filters(self) -> Sequence[str]:
        """See `Adapter.filters`; a device that may be renamed can turn up on any topic of the bridge."""
        if self._options.ieee_address:
            return [f"{self._base}/#"]
        bridge = [f"{self._base}/bridge/{name}" for name in ("state", "devices", "logging")]
        return [*bridge, f"{self._base}/{self._name}", f"{self._base}/{self._name}/availability"]

    def writes(self) -> Sequence[str]:
        """See `Adapter.writes`."""
        return [f"{self._base}/#"] if self._options.ieee_address else [f"{self._base}/{self._name}/+"]

    def concerns(self, topic: str, payload: bytes) -> bool:
        """See `Adapter.concerns`; a new name applies to messages right after the list that contains it."""
        bridge = topic.removeprefix(f"{self._base}/bridge/")
        if bridge == "devices":
            self._learn_name(payload)
        own = [f"{self._base}/{name}" for name in self._names if name]
        if bridge == "state" or (topic not in own and topic.removesuffix("/availability") in own):
            if not _says_online(payload):
                self._offline.add(topic)
            elif topic in self._offline:
                self._offline.remove(topic)
                self._must_be_asked = True
        return bridge in {"state", "devices", "logging"} or topic.removesuffix("/availability") in own or topic in own

    @property
    def _names(self) -> tuple[str, str]:
        """Its present and its previous name: messages sent before a rename are processed after it."""
        return self._name, self._name_before

    def _learn_name(self, payload: bytes) -> None:
        try:
            name = _named(payload).get(self._options.ieee_address)
            if name is not None and _friendly(name) != self._name:
                self._name, self._name_before = _friendly(name), self._name
                self._must_be_asked = True
        except MessageError:
            pass  # `take` says so

    def on_connect(self) -> Sequence[OutgoingMessage]:
        """See `Adapter.on_connect`; a device that is known by its address is asked once the bridge has named it."""
        self._must_be_asked = False
        if not self._name:
            return []
        return [
            OutgoingMessage(f"{self._base}/{self._name}/get", json.dumps({self._state: "", self._power: ""}).encode())
        ]

    def new_questions(self) -> Sequence[OutgoingMessage]:
        """See `Adapter.new_questions`."""
        return self.on_connect() if self._must_be_asked else []

    def take(self, topic: str, payload: bytes, *, retained: bool) -> Sequence[DeviceEvent]:
        """See `Adapter.take`; the state that the broker kept may be old, the one asked for after connecting is not."""
        own = {f"{self._base}/{name}" for name in self._names if name}
        of_bridge = {"state": self._heard_bridge, "devices": self._found, "logging": self._logged}
        if not payload:
            return []  # what the broker kept was removed, as after a rename
        if (take := of_bridge.get(topic.removeprefix(f"{self._base}/bridge/"))) is not None:
            return take(payload)
        if topic not in own and topic.removesuffix("/availability") in own:
            self._is_device_online = _is_online(payload)
            return self._availability()
        if topic not in own or retained:
            return []
        said = json_of(payload)
        state = said.get(self._state)
        report = Reported(
            is_on=None if state is None else either(state, "ON", "OFF", self._state),
            power_w=number_of(said.get(self._power), "W", "power"),
            counter_wh=number_of(said.get(self._energy), "kWh", "energy"),
        )
        return [] if report == Reported() else [report]

    def _heard_bridge(self, payload: bytes) -> Sequence[DeviceEvent]:
        self._is_bridge_online = _is_online(payload)
        return self._availability()

    def _availability(self) -> Sequence[DeviceEvent]:
        is_online = self._is_listed and self._is_bridge_online is not False and self._is_device_online is not False
        if is_online == self._was_online:
            return []
        self._was_online = is_online
        return [Availability(online=is_online)]

    def _found(self, payload: bytes) -> Sequence[DeviceEvent]:
        named = _named(payload)
        wanted = self._options.ieee_address
        if wanted and wanted in named:
            _friendly(named[wanted])
            self._learn_name(payload)
        was_listed, self._is_listed = self._is_listed, wanted in named if wanted else self._name in named.values()
        return [] if was_listed == self._is_listed else self._availability()

    def _logged(self, payload: bytes) -> Sequence[DeviceEvent]:
        said = json_of(payload)
        text = str(said.get("message", ""))
        if said.get("level") != "error" or f"to '{self._name}' failed" not in text:
            return []
        return [Rejected(topic=f"{self._base}/bridge/logging", problem=text[:500], expected="the new state")]

    def command(self, command: DeviceCommand) -> Sequence[OutgoingMessage]:
        """See `Adapter.command`; the radio's own timer ends a run if no command does, and a later one prolongs it."""
        if not self._name:
            return []
        is_on = command.command != "stop"
        content: dict[str, Any] = {self._state: "ON" if is_on else "OFF"}
        if is_on and self._options.timer and command.run_s:
            content |= {"on_time": min(command.run_s, MAX_TIMER_S), "off_wait_time": 0}
        return [OutgoingMessage(f"{self._base}/{self._name}/set", json.dumps(content).encode())]


@lru_cache(maxsize=4)
def _named(payload: bytes) -> Mapping[str, object]:
    """Return the names of a bridge's devices, by address; all devices of a bridge read the same list.

    Raises:
        MessageError: It is not a list of devices.
    """
    try:
        devices = json.loads(payload)
        named = {str(device["ieee_address"]).lower(): device["friendly_name"] for device in devices}
    except (ValueError, TypeError, KeyError, RecursionError):
        named = None
    if named is None or not isinstance(devices, list):
        raise MessageError("no list of devices", "a JSON list with ieee_address and friendly_name")
    return named


def _friendly(name: object) -> str:
    """Return the name of a device that its topics begin with.

    Raises:
        MessageError: It makes no topic.
    """
    if not may_be_topic(name):
        expected = f"1 to {MAX_CHARACTERS} visible characters without + and #"
        raise MessageError(f"friendly_name {str(name)[:40]!r}", expected)
    return str(name)


def _says_online(payload: bytes) -> bool:
    """Return whether a message says that its sender is online; `take` complains of one that is wrong."""
    try:
        return _is_online(payload)
    except MessageError:
        return False


def _is_online(payload: bytes) -> bool:
    text = text_of(payload)
    return either(json_of(payload).get("state") if text.startswith("{") else text, "online", "offline", "availability")
