"""Which devices are at a broker, from what they announce, and how a scenario file would name them."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from broker.protocol import topics
from broker.transport import Broker, Delivery

FILTERS = (
    "tasmota/discovery/+/config",
    "+/bridge/devices",
    "+/+/bridge/devices",
    "shellies/announce",
    "+/announce",
    "+/online",
    "+/+/status/reachable",
    "+/+/+/status/reachable",
    "+/+/ch0/P_AC",
    "+/+/+/ch0/P_AC",
    topics.devices("+", "announce").replace("%2B", "+"),
)
"""What is listened to."""
_SHELLYS_WITHOUT_SWITCH = (
    "shellypro3em",
    "shelly3em63g3",
    "shellyplusht",
    "shellyhtg3",
    "shellyplussmoke",
    "shellyplusi4",
    "shellyi4g3",
    "shellyblugw",
)
"""Beginnings of the ids of meters, sensors and gateways, in front of which no appliance can be."""
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Found:
    """A device at a broker."""

    adapter: str
    type: Literal["consumer", "producer"]
    id: str
    """As proposed for the scenario file."""
    name: str
    gateway: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the adapter."""

    def entry(self) -> dict[str, Any]:
        """Return the device as a scenario file has it."""
        keys = {"adapter": self.adapter, **self.gateway}
        gateway = {} if self.adapter == "ssmic" else keys
        return {"id": self.id, "type": self.type, **({"name": self.name} if self.name else {}), "gateway": gateway}


async def scan_broker(broker: Broker, wall_s: float) -> tuple[Found, ...]:
    """Listen at a broker for a while, ask devices that answer, and return what is there.

    Args:
        broker: The broker.
        wall_s: How long, wall-clock seconds.

    Raises:
        BrokerUnreachableError, BrokerLostError: See `broker.transport`.
    """
    heard: dict[str, bytes] = {}
    async with broker.connect(f"ssmic-scan-{secrets.token_hex(4)}") as bus:
        await bus.subscribe(*FILTERS, qos=1)
        await bus.publish("shellies/command", b"announce", qos=1)
        try:
            async with asyncio.timeout(wall_s):
                async for event in bus.messages():
                    if isinstance(event, Delivery) and event.payload and len(heard) < _MOST:
                        heard[_key(event)] = event.payload
        except TimeoutError:
            pass
    return found_in(heard)


def _key(event: Delivery) -> str:
    """Return under what a message is kept: all Shellys announce themselves on one topic."""
    return f"{event.topic}\0{event.payload!r}" if event.topic == "shellies/announce" else event.topic


def found_in(heard: Mapping[str, bytes]) -> tuple[Found, ...]:
    """Return the devices that announce themselves in these messages, by topic, each once and sorted."""
    found: dict[tuple[str, str], Found] = {}
    for key, payload in heard.items():
        for device in _understood(key.partition("\0")[0], payload):
            found.setdefault((device.adapter, json.dumps(dict(device.gateway), sort_keys=True) + device.id), device)
    return tuple(sorted(found.values(), key=lambda device: (device.adapter, device.id)))


def _understood(topic: str, payload: bytes) -> list[Found]:
    """Return the devices that a message announces; none if it is not an announcement of such a device."""
    try:
        return list(_devices_in(topic, payload))
    except (TypeError, AttributeError, LookupError, ValueError):
        return []


def _devices_in(topic: str, payload: bytes) -> Iterator[Found]:
    levels = topic.split("/")
    match levels:
        case ["tasmota", "discovery", _, "config"]:
            yield from _tasmota(_object(payload))
        case [*base, "bridge", "devices"]:
            yield from _zigbee("/".join(base), payload)
        case [_, "announce"]:
            said = _object(payload)
            if isinstance(said.get("id"), str) and said.get("gen", 2) != 1:
                yield from _shelly(said["id"], str(said.get("name") or said.get("model") or ""))
        case [prefix, "online"] if prefix.startswith("shelly"):
            yield from _shelly(prefix, "")
        case [*base, serial, "status", "reachable"]:
            yield Found("opendtu", "producer", f"pv-{serial}", "", {"base": "/".join(base), "serial": serial})
        case [*base, name, "ch0", "P_AC"]:
            yield Found("ahoydtu", "producer", f"pv-{name}", name, {"base": "/".join(base), "name": name})
        case _:
            yield from _ours(topic, payload)


def _tasmota(said: dict[str, Any]) -> Iterator[Found]:
    if not isinstance(topic := said.get("t"), str):
        return
    names, relays = said.get("fn") or [], said.get("rl") or [1]
    switches = [number for number, kind in enumerate(relays, start=1) if kind == 1]
    for number in switches:
        name = names[number - 1] if number <= len(names) and names[number - 1] else said.get("dn") or topic
        gateway: dict[str, Any] = {"topic": topic}
        if said.get("ft") not in {None, "%prefix%/%topic%/"}:
            gateway["full_topic"] = said["ft"]
        if said.get("tp") not in (None, ["cmnd", "stat", "tele"]):
            gateway["prefixes"] = said["tp"]
        if len(switches) > 1:
            gateway["relay"] = number
        yield Found("tasmota", "consumer", topic if len(switches) == 1 else f"{topic}-{number}", str(name), gateway)


def _zigbee(base: str, payload: bytes) -> Iterator[Found]:
    try:
        devices = json.loads(payload)
    except (ValueError, RecursionError):
        return
    for device in devices if isinstance(devices, list) else []:
        if not isinstance(device, dict) or not isinstance(address := device.get("ieee_address"), str):
            continue
        exposes = (device.get("definition") or {}).get("exposes") or []
        kinds = {item.get("type") for item in exposes if isinstance(item, dict)}
        if device.get("disabled") or "switch" not in kinds:
            continue
        name = str(device.get("friendly_name") or address)
        gateway = {"ieee_address": address} | ({} if base == "zigbee2mqtt" else {"base": base})
        yield Found("zigbee2mqtt", "consumer", name.replace("/", "-"), name, gateway)


def _shelly(prefix: str, name: str) -> Iterator[Found]:
    if prefix.lower().startswith(_SHELLYS_WITHOUT_SWITCH):
        return
    yield Found("shelly", "consumer", prefix, name if name != prefix else "", {"prefix": prefix})


def _ours(topic: str, payload: bytes) -> Iterator[Found]:
    address = topics.parse(topic)
    if address is None or address.kind != "devices" or address.ids[1] != "announce":
        return
    said = _object(payload)
    if isinstance(message := said.get("message"), dict):
        roles = {role["role"] for role in message["roles"]}
        kind: Literal["consumer", "producer"] = "producer" if "ENERGY_PRODUCER" in roles else "consumer"
        yield Found("s2", kind, address.ids[0], str(message.get("name") or ""))
    elif said.get("type") in {"consumer", "producer"}:
        yield Found("ssmic", said["type"], address.ids[0], str(said.get("name") or ""))


def _object(payload: bytes) -> dict[str, Any]:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
