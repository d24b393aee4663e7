"""Values in devices' messages, and in the options of adapters: numbers in various units, switches, JSON, topics."""

from __future__ import annotations

import json
import math
import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field

from broker import MAX_CHARACTERS
from scenarios.devices.adapter import MessageError
from scenarios.whole_numbers import whole_number_of

PowerUnit = Literal["W", "kW", "mW", "0.1 W"]
EnergyUnit = Literal["Wh", "kWh", "mWh", "0.1 kWh", "J", "MJ"]
Unit = PowerUnit | EnergyUnit
SCALE: dict[Unit, float] = {
    "W": 1.0,
    "kW": 1000.0,
    "mW": 0.001,
    "0.1 W": 0.1,
    "Wh": 1.0,
    "kWh": 1000.0,
    "mWh": 0.001,
    "0.1 kWh": 100.0,
    "J": 1 / 3600,
    "MJ": 1e6 / 3600,
}
"""The factor of a unit to W or Wh."""
_JSON_PATH = re.compile(r"(\.?[^.\[\]]+|\[[\w-]+\])(\.[^.\[\]]+|\[[\w-]+\])*")


def text_of(payload: bytes) -> str:
    """Return a payload as text, without a byte order mark."""
    return payload.decode("utf-8-sig", errors="replace").strip()


def json_of(payload: bytes) -> dict[str, Any]:
    """Return a payload that is a JSON object.

    Raises:
        MessageError: It is not JSON.
    """
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        raise MessageError("no JSON", "a JSON object") from None
    if not isinstance(value, dict):
        raise MessageError(f"JSON {type(value).__name__}", "a JSON object")
    return value


def number_of(value: Any, unit: Unit, what: str) -> float | None:  # noqa: ANN401 - whatever a device sent
    """Return a `value` in `unit` as power in W or energy in Wh; None for null. Known phases are added up.

    Errors name it as `what`.

    Raises:
        MessageError: It is not a number.
    """
    if value is None or value == "":
        return None
    parts = value if isinstance(value, list) else [value]
    if all(part is None for part in parts):
        return None
    try:
        number = sum(float(part) for part in parts if part is not None) * SCALE[unit]
    except (TypeError, ValueError, OverflowError):
        raise MessageError(f"{what} {str(value)[:40]!r}", f"a number such as 12.5, in units of {unit}") from None
    if any(isinstance(part, bool) for part in parts) or not math.isfinite(number):
        raise MessageError(f"{what} {str(value)[:40]!r}", f"a number such as 12.5, in units of {unit}")
    return number


def either(value: object, yes: str, no: str, what: str) -> bool:
    """Return whether a value is the one of two texts (`yes`), and not the other; in any case of letters.

    Errors name it as `what`.

    Raises:
        MessageError: It is neither.
    """
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    if text.casefold() == yes.casefold():
        return True
    if text.casefold() == no.casefold():
        return False
    raise MessageError(f"{what} {text[:40]!r}", f"{yes} or {no}")


class MeterValue(NamedTuple):
    """Where a value of a meter is found: a topic, and a place in its payload."""

    topic: str
    parts: tuple[str, ...] = ()
    """The keys and positions that lead to it in JSON, and to all below it; empty: the whole payload."""

    @classmethod
    def at(cls, topic: str, path: str = "") -> MeterValue:
        """Return the value at a path such as `a.b[0].c`."""
        return cls(topic, path_parts(path))

    def overlaps(self, other: MeterValue) -> bool:
        """Return whether one of two values is the other, or a part of it."""
        common = min(len(self.parts), len(other.parts))
        return self.topic == other.topic and self.parts[:common] == other.parts[:common]


class SwitchingMessage(NamedTuple):
    """A message that switches a device."""

    topic: str
    payload: str = ""
    """A regular expression that is found in its payload; empty: it switches with any payload."""

    def is_like(self, topic: str, payload: str) -> bool:
        """Return whether another message switches the device, too; the command in its topic may be in any case."""
        return self.topic.casefold() == topic.casefold() and re.search(self.payload, payload, re.IGNORECASE) is not None


def path_parts(path: str) -> tuple[str, ...]:
    """Return the keys and positions of a path such as `a.b[0].c`."""
    return tuple(part for part in path.replace("[", ".").replace("]", "").split(".") if part)


def _position(part: str) -> int | None:
    """Return a position in a list; negative: from its end. None: it is a key."""
    number = whole_number_of(part.removeprefix("-"))
    return -number if number is not None and part.startswith("-") else number


def dig(value: Any, path: str) -> Any:  # noqa: ANN401 - JSON of any shape
    """Return what is at a path such as `a.b[0].c` in JSON; None if there is nothing."""
    for part in path_parts(path):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and (index := _position(part)) is not None and -len(value) <= index < len(value):
            value = value[index]
        else:
            return None
    return value


def _is_json_path(text: str) -> str:
    """Refuse a path with an open bracket or an empty part, for which `dig` would look elsewhere than is meant."""
    if text and not _JSON_PATH.fullmatch(text):
        raise ValueError(f"{text!r} is not a path in JSON; expected keys and positions, such as a.b[0].c")
    return text


def _is_topic(text: str) -> str:
    """Refuse a topic that cannot be published to: the client would raise in the middle of the run."""
    if set(text) & set("+#\0"):
        raise ValueError(f"{text!r} is not a topic; expected characters other than + and #")
    return text


Topic = Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS), AfterValidator(_is_topic)]
"""A topic, or a part of one, which has no wildcards."""
OptionalTopic = Annotated[str, Field(max_length=MAX_CHARACTERS), AfterValidator(_is_topic)]
"""The same, or empty."""
JsonPath = Annotated[str, Field(max_length=MAX_CHARACTERS), AfterValidator(_is_json_path)]
"""A path that `dig` understands, or empty."""
