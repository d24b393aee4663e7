"""Real devices as a monitor sees them: their state, and the raw messages on their topics."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from scenarios.device_state import DeviceState

KEPT_MESSAGES = 200
"""Raw messages kept of each device."""
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
    state: dict[str, Any] = field(default_factory=dict)
    """The newest `state` whose values are in range, see `docs/devices.md`."""
    messages: deque[DeviceMessage] = field(default_factory=lambda: deque(maxlen=KEPT_MESSAGES))
    heard: int = 0

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
