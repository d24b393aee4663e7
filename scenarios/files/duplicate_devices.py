"""Real devices that a scenario declares twice: no switch and no meter may belong to two of its devices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from scenarios.devices.adapters import (
    MeterValue,
    SwitchingMessage,
    address_of,
    meter_of,
    readings_of,
    start_message_of,
    switching_messages_of,
)
from scenarios.files.problems import KeyPath, ProblemCollector
from scenarios.gateways import Gateway


class _KnownMeter(NamedTuple):
    """A value that is read as the meter of a real device."""

    value: MeterValue
    path: KeyPath
    """Place of the device in the file."""
    is_generic: bool
    """Whether the device is of any kind, with topics that the file gives."""


class _KnownSwitch(NamedTuple):
    """A message that switches a real device whose maker's topics are known."""

    message: SwitchingMessage
    path: KeyPath


class _KnownStart(NamedTuple):
    """The command that starts a device of any kind."""

    topic: str
    payload: str
    path: KeyPath


@dataclass(slots=True)
class DuplicateDevices:
    """Finds duplicates among real devices, by what each of them switches and measures."""

    collector: ProblemCollector
    _addresses: dict[tuple[object, ...], KeyPath] = field(default_factory=dict)
    """By what a real device switches and measures, the first one that does."""
    _readings: dict[tuple[str, ...], KeyPath] = field(default_factory=dict)
    """By topic and key from which a meter is read, the first device that is metered there."""
    _meters: dict[str, list[_KnownMeter]] = field(default_factory=dict)
    """By topic, where meters are read, of devices of any kind and of others."""
    _switches: dict[str, list[_KnownSwitch]] = field(default_factory=dict)
    """By topic, the messages that switch the others."""
    _starts: dict[str, list[_KnownStart]] = field(default_factory=dict)
    """By topic, the commands that start devices of any kind."""

    def add(self, gateway: Gateway, path: KeyPath) -> None:
        """Add a device, whose options are valid, or the problem that another one is the same.

        Args:
            gateway: The device.
            path: Its place in the file.
        """
        address = address_of(gateway)
        if address is not None:
            other_path = self._addresses.setdefault(address, path)
            if other_path != path:
                other = self.collector.locate(other_path)
                self.collector.at((*path, "adapter"), f"another device ({other}) already represents the same one")
                return
        if not self._is_switched_twice(gateway, path):
            self._add_meter(gateway, path)

    def _is_switched_twice(self, gateway: Gateway, path: KeyPath) -> bool:
        """Return whether a device of any kind switches the plug of another one: both would command it."""
        others: list[KeyPath] = []
        topic = ""
        for message in switching_messages_of(gateway):
            key = _key(message.topic)
            found = [start for start in self._starts.get(key, ()) if message.is_like(start.topic, start.payload)]
            others += [start.path for start in found]
            topic = next((start.topic for start in found), topic)
            self._switches.setdefault(key, []).append(_KnownSwitch(message, path))
        if (start := start_message_of(gateway)) is not None:
            known = self._switches.get(_key(start[0]), ())
            others += [switch.path for switch in known if switch.message.is_like(*start)]
            topic = topic or start[0]
            self._starts.setdefault(_key(start[0]), []).append(_KnownStart(*start, path))
        if others:
            other = self.collector.locate(others[0])
            self.collector.at(path, f"{topic!r} switches another device, too ({other}); only one may command it")
        return bool(others)

    def _add_meter(self, gateway: Gateway, path: KeyPath) -> None:
        readings, values = readings_of(gateway), meter_of(gateway)
        is_generic = bool(readings)
        same = [(reading[0], self._readings.setdefault(reading, path)) for reading in readings]
        # Two devices with the same adapter have different addresses, so each of them has values of its own.
        same += [
            (value.topic, known.path)
            for value in values
            for known in self._meters.get(value.topic, ())
            if known.is_generic != is_generic and known.value.overlaps(value)
        ]
        for value in values:
            self._meters.setdefault(value.topic, []).append(_KnownMeter(value, path, is_generic=is_generic))
        for topic, other_path in same:
            if other_path != path:
                what = f"{topic!r} is read as the meter of another device already"
                self.collector.at(path, f"{what} ({self.collector.locate(other_path)}); its energy would count twice")
                return


def _key(topic: str) -> str:
    """Return a topic with its last level in small letters: that of a command may be in any."""
    levels, slash, last = topic.rpartition("/")
    return f"{levels}{slash}{last.casefold()}"
