"""Translates between messages on devices' topics and the events and commands of their gateway agents.

A device speaks in ssmic's own form, in another language on ssmic's topics, or on its maker's topics, for which it has
an adapter. No message raises an exception here: what cannot be read becomes a `Rejected`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import structlog

from agents import CommandRefused, DeviceCommand, DeviceEvent, DeviceNotice, Left, Rejected
from broker.protocol import clipped
from scenarios.devices.adapter import Adapter, Language, MessageError, MissingLibraryError
from scenarios.devices.adapters import language_for
from scenarios.devices.device_places import DevicePlaces
from scenarios.devices.message_limits import MAX_TOPIC_SHOWN, WaitingMessage
from scenarios.devices.payloads import MAY_BE_RETAINED, announcement, event_of, is_s2, plain_text, shown_payload
from scenarios.gateways import S2, Gateway
from scenarios.zone import Zone

log = structlog.get_logger(__name__)

MAX_ID_CHARACTERS = 100
"""Characters of a topic that names a message (`DeviceSaid.message_id`); the rest of a longer one is left out."""


class DeviceTranslator:
    """Knows which language each device of a process speaks."""

    def __init__(
        self, devices: DevicePlaces, adapters: Mapping[str, Adapter], languages: Mapping[str, Language], zone: Zone
    ) -> None:
        """Create a translator.

        Args:
            devices: The devices, and guests that join and leave.
            adapters: By agent id, the adapter of each device that does not use our topics.
            languages: By agent id, the payload format of each device that uses our topics in another form than ours.
            zone: In which `HH:MM` counts.
        """
        self._devices = devices
        self._adapters = adapters
        self._languages = languages
        self._zone = zone

    def events_of(self, message: WaitingMessage, now_s: int) -> Sequence[DeviceEvent]:
        """Return what a message says, at the virtual time at which it is taken."""
        try:
            if message.is_ours:
                return self._ours(message, now_s)
            adapter = self._adapters[message.gateway.agent]
            said = adapter.take(message.topic, message.payload, retained=message.retained)
            return [_as_plain_text(event) if isinstance(event, CommandRefused) else event for event in said]
        except MessageError as error:
            problem, expected = plain_text(error.problem), plain_text(error.expected)
        except Exception as error:
            # No message of a device may end the run for others.
            log.exception("device message not understood", device=message.device, topic=message.topic)
            problem, expected = f"cannot be read ({type(error).__name__})", "a message as its maker's devices send it"
        topic = clipped(message.topic, MAX_TOPIC_SHOWN)
        return [Rejected(topic=topic, problem=problem, expected=expected, payload=shown_payload(message.payload))]

    def message_id(self, message: WaitingMessage) -> str:
        """Return what an answer to a message names it by; see `DeviceSaid.message_id`."""
        if not message.is_ours:
            return clipped(message.topic, MAX_ID_CHARACTERS)
        try:
            language = self._language_of(message)
            return "" if language is None else language.message_id(message.payload)
        except Exception:  # noqa: BLE001 - `events_of`, which is asked first, says so
            return ""

    def _language_of(self, message: WaitingMessage) -> Language | None:
        """Return the language of a message on one of our topics; None: it is in our own form."""
        gateway = message.gateway
        if not gateway.id and is_s2(message.payload):
            return self._language_of_guest(gateway, message.device)
        language = self._languages.get(gateway.agent)
        return language if language is not None and language.speaks(message.payload) else None

    def _language_of_guest(self, gateway: Gateway, device: str) -> Language:
        """Return the payload format of a guest that does not use ours.

        Raises:
            MessageError: Its library is not installed here.
        """
        try:
            return language_for(gateway.model_copy(update={"id": device, "adapter": S2}))
        except MissingLibraryError as error:
            raise MessageError(str(error), "a message in ssmic's own form") from None

    def _ours(self, message: WaitingMessage, now_s: int) -> Sequence[DeviceEvent]:
        if message.retained and message.topic not in MAY_BE_RETAINED:
            raise MessageError("a retained message (a leftover)", "a message that is not retained")
        gateway = message.gateway
        if self._devices.get(message.device) is not gateway:
            if message.topic == "availability":
                return []  # it has left in this second, and says that it is offline, or its last will does
            is_announced = message.topic == "announce" and bool(message.payload)
            self._devices.give_back(gateway, message.device, is_announced=is_announced)
        elif message.topic == "announce" and not message.payload and not gateway.id:
            self._devices.let_go(message.device)
            return [Left()]
        language = self._language_of(message)
        if language is not None:
            return language.events_of(message.topic, message.payload, now_s)
        event = event_of(message.topic, message.payload, now_s, self._zone)
        if message.topic == "announce" and message.payload:
            said = announcement(message.payload)
            if said.type != gateway.type:
                raise MessageError(f"type {said.type!r}", f"{gateway.type!r}, as it was declared")
            if said.house not in {None, gateway.house}:
                raise MessageError(f"house {said.house!r}", f"{gateway.house!r}, to which the device belongs")
        return [event]

    def answered(self, agent: str, notice: DeviceNotice) -> DeviceNotice:
        """Return a notice about a message in the device's own language with what that language answers by."""
        language = self._told_in(agent, notice.device) if notice.message_id else None
        if language is None:
            return notice
        answer = language.answer(notice.message_id, notice.content)
        return notice.model_copy(update={"content": {**notice.content, **answer}})

    def _told_in(self, agent: str, device: str) -> Language | None:
        """Return the payload format for messages to a device about its own messages and requests."""
        gateway = self._devices.get(device)
        if gateway is None or gateway.id:
            return self._languages.get(agent)
        try:
            return self._language_of_guest(gateway, device)
        except MessageError:
            return None

    def start_messages(self, agent: str, command: DeviceCommand) -> Sequence[bytes]:
        """Return the payloads on `set` that start a job of a device that uses our topics.

        Args:
            agent: Its agent.
            command: The command.
        """
        language = self._told_in(agent, command.device) if command.reference else None
        content = {"v": 1, "command": "start", "id": command.job, "time": command.time_s}
        ours = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        return (language.commands(command) if language is not None else ()) or (ours,)


def _as_plain_text(refusal: CommandRefused) -> CommandRefused:
    return CommandRefused(problem=plain_text(refusal.problem))
