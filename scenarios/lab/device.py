"""The interface of an emulated device: it publishes, receives, and acts at certain times.

Devices hold no connection: what they publish is returned, so that they can be tested without a broker. Virtual time is
in whole UNIX seconds.
"""

from __future__ import annotations

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from broker.transport import Will

MOST_SECONDS = 2**31 - 1
"""Longest time, and largest number, that a command can contain: devices count in 32 bits."""
_LONGEST_NUMBER = 9
"""A number of more decimal digits is taken for the largest one."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A message that a device publishes."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


Publications = Sequence[Publication]


def say(topic: str, content: object, *, qos: int = 0, retain: bool = False) -> Publication:
    """Return a message on `topic` with `qos` and `retain`: `content` as it is if text, otherwise as compact JSON."""
    text = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return Publication(topic, text.encode(errors="replace"), qos, retain)


def json_object(payload: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a payload holds, its numbers finite; None if it holds none."""
    try:
        content = json.loads(payload, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def whole_number(text: str) -> int | None:
    """Return the number that decimal digits express, at most `MOST_SECONDS`; None if the text is anything else."""
    if not (text.isascii() and text.isdecimal()):
        return None
    return int(text) if len(text) <= _LONGEST_NUMBER else MOST_SECONDS


def whole_seconds(value: object) -> int | None:
    """Return a duration as whole seconds, from 1 to `MOST_SECONDS`; None if it is not a positive number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    return max(1, round(min(value, MOST_SECONDS)))


def mac_of(*names: str) -> str:
    """Return a locally administered MAC address that the names always give, as 12 capital hexadecimal digits."""
    digest = hashlib.sha256("/".join(names).encode()).hexdigest()
    return f"02{digest[:10]}".upper()


@dataclass(frozen=True, slots=True)
class ReportDistortion:
    """How a device's reports differ from the truth."""

    factor: float = 1.0
    """By which powers and counters that it reports are multiplied."""
    power_w: float | None = None
    """The power that it always reports; None: the true one, times `factor`."""
    obeys: bool = True
    """False: it answers a command as if it had obeyed, and does nothing."""

    def power(self, power_w: float) -> float:
        """Return the power that is reported."""
        return power_w * self.factor if self.power_w is None else self.power_w


UNDISTORTED = ReportDistortion()


class EmulatedDevice(Protocol):
    """One MQTT client of the lab: a plug, a meter, an inverter's gateway, or a bridge with several devices."""

    @property
    def keys(self) -> tuple[str, ...]:
        """`house/device` of the scenario's devices behind it, as fault scripts name them."""
        ...

    @property
    def client_id(self) -> str:
        """Client id at the broker, as the real device has it."""
        ...

    @property
    def is_gateway(self) -> bool:
        """Whether it stays connected when a device behind it has no power."""
        ...

    @property
    def hears_retained(self) -> bool:
        """Whether it obeys retained commands."""
        ...

    @property
    def will(self) -> Will:
        """The message that the broker publishes when it vanishes, on the topic that says whether it is online."""
        ...

    @property
    def subscriptions(self) -> Sequence[str]:
        """Topic filters that it subscribes to."""
        ...

    def connected(self, now_s: int) -> Publications:
        """Return the messages to publish after connecting, before it subscribes."""
        ...

    def subscribed(self, now_s: int) -> Publications:
        """Return the messages to publish once it is connected and subscribed."""
        ...

    def received(self, topic: str, payload: bytes, now_s: int) -> Publications:
        """Process a message on `topic` at `now_s`, UNIX seconds; return the messages published then."""
        ...

    def next_due_s(self) -> int | None:
        """Return the time of its next own action, UNIX seconds; None: it has none in sight."""
        ...

    def due(self, now_s: int) -> Publications:
        """Carry out what is due; return the resulting messages."""
        ...

    def leaving(self, now_s: int) -> Publications:
        """Return the messages that clear its retained topics at the end of the lab."""
        ...

    def power(self, key: str, now_s: int, *, on: bool) -> Publications:
        """Cut or restore the power of the device `key` at `now_s`, UNIX seconds; return its gateway's messages."""
        ...

    def forget(self, key: str, now_s: int) -> Publications:
        """Restart a device with counters at 0, timers gone and the relay in its power-on state."""
        ...

    def pressed(self, key: str, now_s: int, *, on: bool) -> Publications:
        """Press the button of the plug `key` at `now_s`, UNIX seconds, to switch it `on` or off."""
        ...


class ReadOnlyMeter(ABC):
    """A meter without a relay, which keeps its counters while it has no power."""

    @abstractmethod
    def restarted(self, now_s: int) -> None:
        """Start again at `now_s`, UNIX seconds, as after a power cut."""

    def power(self, key: str, now_s: int, *, on: bool) -> Publications:
        """See `EmulatedDevice.power` for `key`, `now_s` and `on`: cut or restore its power."""
        del key
        if on:
            self.restarted(now_s)
        return []

    def forget(self, key: str, now_s: int) -> Publications:
        """See `EmulatedDevice.forget` for `key` and `now_s`: restart; the counters are in a memory that stays."""
        return self.power(key, now_s, on=True)

    def pressed(self, key: str, now_s: int, *, on: bool) -> Publications:
        """See `EmulatedDevice.pressed`: it has nothing to switch, so `key`, `now_s` and `on` are ignored."""
        del key, now_s, on
        return []
