"""Refusals of devices that get no place in a run, and the problems that were already answered to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from broker import printable_line
from scenarios.devices.message_limits import MAX_STRANGERS

MAX_ANSWERS_TO_STRANGER = 20
"""How many different errors an unknown device gets."""
MAX_TEXT_SHOWN = 500
"""Characters of a problem, or of an expectation, that an error shows; a list of 10,000 houses would be too long."""
SHOWN_BYTES = 200
"""Bytes of a faulty payload that an error shows."""


@dataclass(frozen=True, slots=True)
class PlaceRefusal:
    """Why a device gets no place, and what is expected of it."""

    problem: str
    expected: str
    """What would be accepted, as the answer to the device says it."""

    @property
    def in_words(self) -> dict[str, str]:
        """The problem and the expectation as they are shown and logged, by name."""
        return {"problem": plain_text(self.problem), "expected": plain_text(self.expected)}

    def as_error(self, part: str, payload: bytes, now_s: int) -> dict[str, Any]:
        """Return the content of the `error` that is published to the device.

        Args:
            part: Last level of the topic of its message.
            payload: The message.
            now_s: Virtual time, UNIX seconds.
        """
        return {"topic": part, **self.in_words, "payload": shown_payload(payload), "time": now_s}


class AnsweredStrangers:
    """Problems that were answered to unknown devices; each is answered once, because devices repeat their messages."""

    def __init__(self) -> None:
        self._answered: dict[str, set[str]] = {}
        """By device, or by the level of a topic that should be its id."""

    def is_news(self, device: str, problem: str) -> bool:
        """Return whether a problem is to be answered to an unknown device, and note that it is answered."""
        if device not in self._answered and len(self._answered) >= MAX_STRANGERS:
            return False
        answered, shown = self._answered.setdefault(device, set()), problem[:MAX_TEXT_SHOWN]
        if shown in answered or len(answered) >= MAX_ANSWERS_TO_STRANGER:
            return False
        answered.add(shown)
        return True

    def forget(self) -> None:
        """Forget all answers, so that each problem is answered again."""
        self._answered.clear()


def plain_text(text: str) -> str:
    """Return a text that may contain a device's own words as one that can be recorded and shown."""
    return printable_line(text[:MAX_TEXT_SHOWN])[:MAX_TEXT_SHOWN]


def shown_payload(payload: bytes) -> str:
    """Return the beginning of a message as an error shows it."""
    text = payload[:SHOWN_BYTES].decode(errors="replace")
    return text + ("..." if len(payload) > SHOWN_BYTES else "")
