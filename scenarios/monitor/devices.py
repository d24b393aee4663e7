"""Real devices as a monitor sees them: their state, and the raw messages on their topics."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from scenarios.devices import DeviceState

KEPT_MESSAGES = 200
"""Raw messages kept of each device."""
KEPT_DEVICE_MESSAGES = 40_000
"""Raw messages of all devices together; of each, the newest ones."""
MOST_DEVICES = 2_000
_SHOWN = 2_000


@dataclass(frozen=True, slots=True)
class DeviceMessage:
    """A message on one of a device's topics."""

    number: int
    """Counts the device's messages."""
    time_s: int | None
    """Virtual time of its receipt, UNIX seconds; None: not known yet."""
    part: str
    """Last level of the topic."""
    text: str
    """Its payload."""


@dataclass(slots=True)
class ObservedDevice:
    """The observed state of a real device."""

    id: str
    """Its gateway id, as in topics."""
    state: dict[str, Any] = field(default_factory=dict)
    """The newest `state` whose values are in range, see `docs/devices.md`."""
    messages: deque[DeviceMessage] = field(default_factory=lambda: deque(maxlen=KEPT_MESSAGES))
    """Its newest messages, oldest first."""
    heard: int = 0
    """How many messages of it were received, including those no longer kept."""

    def shorten(self, most: int) -> None:
        """Forget the oldest messages but `most`."""
        while len(self.messages) > most:
            self.messages.popleft()

    def take(self, part: str, payload: bytes, time_s: int | None) -> None:
        """Record a message on `part`, received at `time_s`, UNIX seconds; keep a `payload` other than JSON as text."""
        self.heard += 1
        text = payload[:_SHOWN].decode(errors="replace")
        self.messages.append(DeviceMessage(self.heard, time_s, part, text))
        if part == "state":
            self.state = DeviceState.model_validate_json(payload).model_dump(exclude_unset=True)


class ObservedDevices(Mapping[str, ObservedDevice]):
    """The real devices of a run, by gateway id: no more of them, and of their messages, than memory allows."""

    def __init__(self) -> None:
        self._devices: dict[str, ObservedDevice] = {}
        self._kept = 0
        """How many messages are kept at most."""

    def __getitem__(self, device_id: str) -> ObservedDevice:
        return self._devices[device_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._devices)

    def __len__(self) -> int:
        return len(self._devices)

    def take(self, device_id: str, part: str, payload: bytes, time_s: int | None) -> None:
        """Record a message of a device; see `ObservedDevice.take`.

        Args:
            device_id: The device.
            part: Last level of the topic.
            payload: The message.
            time_s: Virtual time when it was received, UNIX seconds; None: not known.
        """
        if device_id not in self._devices and len(self._devices) >= MOST_DEVICES:
            return
        device = self._devices.setdefault(device_id, ObservedDevice(device_id))
        self._kept += 1
        if self._kept > KEPT_DEVICE_MESSAGES:
            for kept in self._devices.values():
                kept.shorten(KEPT_DEVICE_MESSAGES // 2 // len(self._devices))
            self._kept = sum(len(kept.messages) for kept in self._devices.values())
        device.take(part, payload, time_s)
