"""Finds the devices at a broker by their announcements, and writes them as entries of a scenario file."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import ValidationError

from broker import character_problem
from broker.protocol import topics
from broker.transport import Broker, Delivery
from scenarios.devices.adapters import ADAPTERS, MAX_LIST_BYTES
from scenarios.scenario import free_id

FILTERS = (
    "tasmota/discovery/+/config",
    "+/bridge/devices",
    "+/+/bridge/devices",
    "shellies/announce",
    "+/announce",
    "+/+/announce",
    "+/online",
    "+/+/status/reachable",
    "+/+/+/status/reachable",
    "+/+/ch0/P_AC",
    "+/+/+/ch0/P_AC",
    "+/+/ch0",
    "+/+/+/ch0",
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
"""Beginnings of the ids of meters, sensors and gateways, in front of which no appliance can be, where they do not
answer what they have."""
_SHELLYS = "shellies/announce"
"""All Shellys announce themselves on it, besides the topic under their own prefix."""
_SWITCH = "switch:"
_CHANNEL = re.compile(r"\d{1,3}", re.ASCII)
"""Beginning of the keys of a Shelly's switches in its status; the rest is the channel."""
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """A device at a broker."""

    adapter: str
    """Name of the adapter that understands it."""
    type: Literal["consumer", "producer"]
    id: str
    """As proposed for the scenario file."""
    name: str
    """As the device calls itself; empty: it does not say."""
    gateway: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the adapter."""

    def entry(self, id_: str) -> dict[str, Any]:
        """Return the device as a scenario file has it, with an id of its own there."""
        gateway = {} if self.adapter == "ssmic" else {"adapter": self.adapter, **self.gateway}
        if id_ != self.id and not self.gateway:
            gateway["id"] = self.id  # its topics contain it
        return {"id": id_, "type": self.type, **({"name": self.name} if self.name else {}), "gateway": gateway}


def entries_of(found: Iterable[FoundDevice], taken: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return devices as a house of a scenario file has them, with ids that differ.

    Args:
        found: The devices. Two bridges may have plugs of the same name.
        taken: Ids that exist.
    """
    used = set(taken)
    entries = []
    for device in found:
        id_ = free_id(used, device.id)
        used.add(id_)
        entries.append(device.entry(id_))
    return entries


async def scan_broker(broker: Broker, wall_s: float) -> tuple[FoundDevice, ...]:
    """Listen at a broker for a while, ask devices that answer, and return what is there.

    Args:
        broker: The broker.
        wall_s: How long, wall-clock seconds.

    Raises:
        BrokerUnreachableError, BrokerLostError: See `broker.transport`.
    """
    heard: dict[str, bytes] = {}
    asked: list[str] = []
    us = f"ssmic-scan-{secrets.token_hex(4)}"
    async with broker.connect(us) as bus:
        bus.largest_bytes = MAX_LIST_BYTES
        await bus.subscribe(*FILTERS, f"{us}/rpc", qos=1)
        await bus.publish("shellies/command", b"announce", qos=1)
        try:
            async with asyncio.timeout(wall_s):
                async for event in bus.messages():
                    if not isinstance(event, Delivery) or not event.payload or len(heard) >= _MOST:
                        continue
                    heard[_key(event, f"{us}/rpc", asked)] = event.payload
                    for device in _understood(event.topic, event.payload):
                        prefix = str(device.gateway.get("prefix", ""))
                        if device.adapter == "shelly" and prefix not in asked:
                            asked.append(prefix)
                            call = {"id": len(asked), "src": us, "method": "Shelly.GetStatus"}
                            await bus.publish(f"{prefix}/rpc", json.dumps(call).encode(), qos=1)
        except TimeoutError:
            pass
    return found_in(heard)


def _key(event: Delivery, answers: str, asked: Sequence[str]) -> str:
    """Return under what a message is kept.

    Args:
        event: The message.
        answers: Topic of what Shellys answer.
        asked: Their prefixes, in the order of the calls.
    """
    if event.topic == _SHELLYS:
        return f"{event.topic}\0{event.payload!r}"
    number = _object(event.payload).get("id") if event.topic == answers else None
    return f"{asked[number - 1]}/rpc" if isinstance(number, int) and 0 < number <= len(asked) else event.topic


def found_in(heard: Mapping[str, bytes]) -> tuple[FoundDevice, ...]:
    """Return the devices that announce themselves in these messages, each once and sorted.

    Args:
        heard: By topic; what a Shelly answers to `Shelly.GetStatus` is at `<prefix>/rpc`.
    """
    found: dict[tuple[str, str], FoundDevice] = {}
    moved = _moved_shellys(heard)
    for key, payload in heard.items():
        topic = key.partition("\0")[0]
        for device in _understood(topic, payload):
            prefix = device.gateway.get("prefix")
            if topic == _SHELLYS and prefix in moved:
                continue
            for each in _switches(device, heard[f"{prefix}/rpc"]) if f"{prefix}/rpc" in heard else (device,):
                found.setdefault((each.adapter, json.dumps(dict(each.gateway), sort_keys=True) + each.id), each)
    return tuple(sorted(found.values(), key=lambda device: (device.adapter, device.id)))


def _moved_shellys(heard: Mapping[str, bytes]) -> set[str]:
    """Return the ids of Shellys whose prefix is another one, under which they announce themselves too."""
    own = {
        topic.removesuffix("/announce"): _object(payload).get("id")
        for topic, payload in heard.items()
        if topic.endswith("/announce")
    }
    return {id_ for prefix, id_ in own.items() if isinstance(id_, str) and id_ != prefix}


def _switches(device: FoundDevice, answer: bytes) -> list[FoundDevice]:
    """Return an entry for each switch of a Shelly, as its answer lists them."""
    status = _object(answer).get("result")
    if not isinstance(status, dict):
        return [device]
    numbers = [key.removeprefix(_SWITCH) for key in status if key.startswith(_SWITCH)]
    channels = sorted(int(number) for number in numbers if _CHANNEL.fullmatch(number))
    if len(channels) == 1:
        return [replace(device, gateway=_channel(device, channels[0]))]
    return [replace(device, id=f"{device.id}-{n}", gateway=_channel(device, n)) for n in channels]


def _channel(device: FoundDevice, channel: int) -> dict[str, Any]:
    return {**device.gateway, **({"channel": channel} if channel else {})}


def _understood(topic: str, payload: bytes) -> list[FoundDevice]:
    """Return the devices that a message announces and a scenario file may declare; none if it announces none."""
    try:
        found = list(_devices_in(topic, payload))
    except (TypeError, AttributeError, LookupError, ValueError):
        return []
    named = [device if character_problem(device.name) is None else replace(device, name="") for device in found]
    return [device for device in named if _may_be_declared(device)]


def _may_be_declared(device: FoundDevice) -> bool:
    if character_problem(device.id) is not None:
        return False
    kind = ADAPTERS.get(device.adapter)
    try:
        return kind is None or bool(kind.options.model_validate(dict(device.gateway)))
    except ValidationError:
        return False


def _devices_in(topic: str, payload: bytes) -> Iterator[FoundDevice]:
    levels = topic.split("/")
    match levels:
        case ["tasmota", "discovery", _, "config"]:
            yield from _tasmota(_object(payload))
        case [*base, "bridge", "devices"]:
            yield from _zigbee("/".join(base), payload)
        case [*prefix, "announce"] if levels[0] != "ssmic":
            said = _object(payload)
            if isinstance(id_ := said.get("id"), str) and said.get("gen", 2) != 1:
                own = id_ if topic == _SHELLYS else "/".join(prefix)
                yield from _shelly(own, str(said.get("name") or said.get("model") or ""), id_)
        case [prefix, "online"] if prefix.startswith("shelly"):
            yield from _shelly(prefix, "", prefix)
        case [*base, serial, "status", "reachable"]:
            yield FoundDevice("opendtu", "producer", f"pv-{serial}", "", {"base": "/".join(base), "serial": serial})
        case [*base, name, "ch0"] if "P_AC" not in _object(payload):
            pass
        case [*base, name, "ch0", "P_AC"] | [*base, name, "ch0"]:
            yield FoundDevice("ahoydtu", "producer", f"pv-{name}", name, {"base": "/".join(base), "name": name})
        case _:
            yield from _ours(topic, payload)


def _tasmota(said: dict[str, Any]) -> Iterator[FoundDevice]:
    if not isinstance(topic := said.get("t"), str):
        return
    names, relays = said.get("fn") or [], said.get("rl") or [1]
    switches = [number for number, kind in enumerate(relays, start=1) if kind == 1]
    for number in switches:
        name = names[number - 1] if number <= len(names) and names[number - 1] else said.get("dn") or topic
        gateway: dict[str, Any] = {"topic": topic}
        if said.get("ft") not in {None, "%prefix%/%topic%/"}:
            gateway["full_topic"] = said["ft"]
            for token, key in (("%hostname%", "hn"), ("%id%", "mac")):
                if isinstance(said["ft"], str) and isinstance(own := said.get(key), str):
                    gateway["full_topic"] = gateway["full_topic"].replace(token, own)
        if said.get("tp") not in (None, ["cmnd", "stat", "tele"]):
            gateway["prefixes"] = said["tp"]
        if len(switches) > 1:
            gateway["relay"] = number
        yield FoundDevice(
            "tasmota", "consumer", topic if len(switches) == 1 else f"{topic}-{number}", str(name), gateway
        )


def _zigbee(base: str, payload: bytes) -> Iterator[FoundDevice]:
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
        # A switch without an endpoint is the only one, and has no suffix in its topics.
        endpoints = {item.get("endpoint") or "" for item in exposes if item.get("type") == "switch"}
        for endpoint in sorted(endpoints):
            id_, of_endpoint = name.replace("/", "-"), {"endpoint": endpoint} if endpoint else {}
            id_ = f"{id_}-{endpoint}" if len(endpoints) > 1 else id_
            yield FoundDevice("zigbee2mqtt", "consumer", id_, name, gateway | of_endpoint)


def _shelly(prefix: str, name: str, id_: str) -> Iterator[FoundDevice]:
    if id_.lower().startswith(_SHELLYS_WITHOUT_SWITCH) or not prefix or set(prefix) & set("+#\0"):
        return
    proposed = prefix.replace("/", "-")
    yield FoundDevice("shelly", "consumer", proposed, name if name != prefix else "", {"prefix": prefix})


def _ours(topic: str, payload: bytes) -> Iterator[FoundDevice]:
    address = topics.parse(topic)
    if address is None or address.kind != "devices" or address.ids[1] != "announce":
        return
    said = _object(payload)
    if isinstance(message := said.get("message"), dict):
        roles = {role["role"] for role in message["roles"]}
        kind: Literal["consumer", "producer"] = "producer" if "ENERGY_PRODUCER" in roles else "consumer"
        yield FoundDevice("s2", kind, address.ids[0], str(message.get("name") or ""))
    elif said.get("type") in {"consumer", "producer"}:
        yield FoundDevice("ssmic", said["type"], address.ids[0], str(said.get("name") or ""))


def _object(payload: bytes) -> dict[str, Any]:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
