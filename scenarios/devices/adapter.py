"""The interface of adapters, which translate between a device's own topics and the events of its gateway agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from agents import DeviceCommand, DeviceEvent
from broker import SsmicError
from scenarios.gateways import SSMIC

S2_HOUSE_KEY = "metadata.house"
"""Where an announcement in S2 names the house."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message to a device."""

    topic: str
    """The whole topic."""
    payload: bytes
    qos: int = 1


class MessageError(Exception):
    """A device's message is not as it should be."""

    def __init__(self, problem: str, expected: str) -> None:
        super().__init__(f"{problem}; expected: {expected}")
        self.problem = problem
        self.expected = expected


class UnknownLanguageError(MessageError):
    """A message is in a language whose library is not installed."""


class MissingLibraryError(SsmicError):
    """The library of an adapter is not installed; the message says how to install it."""


class Language(Protocol):
    """A payload format other than ssmic's own that a device uses on ssmic's topics."""

    def speaks(self, payload: bytes) -> bool:
        """Return whether a payload is in this format; others are in ssmic's own."""
        ...

    def events_of(self, part: str, payload: bytes, now_s: int) -> Sequence[DeviceEvent]:
        """Return what a message says.

        Args:
            part: Last level of the topic.
            payload: Its content.
            now_s: Virtual time, UNIX seconds.

        Raises:
            MessageError: It is not as it should be.
        """
        ...

    def message_id(self, payload: bytes) -> str:
        """Return the id of a message; empty: it has none."""
        ...

    def answer(self, message_id: str, error: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the `error` about a message contains in addition to the keys of ssmic's own form.

        Args:
            message_id: The message's.
            error: The content in ssmic's own form.
        """
        ...

    def commands(self, command: DeviceCommand) -> Sequence[bytes]:
        """Return the messages to the device on `set`; empty: it receives the command in ssmic's own form."""
        ...


@dataclass(frozen=True, slots=True)
class Guest:
    """The announcement of a device that is not in the scenario."""

    house: str
    """Its house; empty: it does not say."""
    type: Literal["consumer", "producer"]
    adapter: str
    """The name of its adapter."""

    @property
    def house_key(self) -> str:
        """Where an announcement in its form names the house."""
        return "house" if self.adapter == SSMIC else S2_HOUSE_KEY


class Adapter(Protocol):
    """The adapter of one device. It knows no agent and no clock; commands are never retained."""

    is_switched: bool
    """Whether it is a switch in front of the device, whose power shows what the device does."""
    largest_bytes: int
    """The largest payload on the topics that it reads."""
    longest_timer_s: int | None
    """Longest time of the device's own timer, which switches it off if no command does; None: it has none."""

    def filters(self) -> Sequence[str]:
        """Return the topics that it reads."""
        ...

    def concerns(self, topic: str, payload: bytes) -> bool:
        """Return whether a message on a topic that `filters` match is about this device.

        Is asked about each message when it arrives, before `take` is given those that concern the device.
        """
        ...

    def writes(self) -> Sequence[str]:
        """Return filters for the topics that it writes."""
        ...

    def on_connect(self) -> Sequence[OutgoingMessage]:
        """Return the messages that request the device's state, because most of it is not retained."""
        ...

    def new_questions(self) -> Sequence[OutgoingMessage]:
        """Return the messages that request the device's state, if it can be asked only now, by what `concerns` heard.

        That is so when a device has come online, or its name has become known. They are returned once.
        """
        ...

    def take(self, topic: str, payload: bytes, *, retained: bool) -> Sequence[DeviceEvent]:
        """Return what a message says.

        Args:
            topic: One that `filters` match.
            payload: Its content.
            retained: Whether the broker had kept it.

        Raises:
            MessageError: It is not as it should be.
        """
        ...

    def command(self, command: DeviceCommand) -> Sequence[OutgoingMessage]:
        """Return the messages that carry out an instruction on the device."""
        ...
