"""Any other device: the scenario file defines its topics, JSON paths, units and templates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from agents import Availability, DeviceCommand, DeviceEvent, Reported
from broker.transport import MAX_PAYLOAD_BYTES
from scenarios.devices.adapter import MessageError, OutgoingMessage
from scenarios.devices.adapters.values import (
    EnergyUnit,
    JsonPath,
    MeterValue,
    PowerUnit,
    Topic,
    dig,
    either,
    number_of,
    text_of,
)
from scenarios.gateways import Gateway

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

MAX_TEMPLATE_CHARACTERS = 1_000
_NOTHING = frozenset({"", "none", "null", "unknown", "unavailable"})
"""What templates, and Home Assistant's states, say instead of a value that there is not; in any case of letters."""


@cache
def _templates() -> SandboxedEnvironment:
    from jinja2.sandbox import SandboxedEnvironment  # noqa: PLC0415 - heavy, and most scenarios have no template

    return SandboxedEnvironment()


def _renders(text: str) -> str:
    """Reject a template of a command that fails: otherwise it would fail when the device is to start."""
    try:
        _rendered(text, {"run_s": 60, "job": "job-1"})
    except Exception as error:  # noqa: BLE001 - a template can fail in any way
        raise ValueError(f"is not a valid template: {error}") from None
    return text


Template = Annotated[str, AfterValidator(_renders)]
"""A payload with `run_s` and `job` in it."""


class ValueSource(BaseModel):
    """The source of a value: a topic, and in JSON a path (`a.b[0]`) or a template (`{{ value_json.a * 10 }}`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: Topic
    path: JsonPath = ""
    """Where it is in a JSON payload; empty: in no place of its own, see `template`."""
    template: str = Field("", max_length=MAX_TEMPLATE_CHARACTERS)
    """If there is no path: computes it from the payload; empty: the payload is the value."""
    retained: bool = False
    """Whether retained messages count."""

    @field_validator("template")
    @classmethod
    def _is_a_template(cls, text: str) -> str:
        if not text:
            return text
        from jinja2 import TemplateError  # noqa: PLC0415 - as above

        try:
            _templates().parse(text)
        except TemplateError as error:
            raise ValueError(f"is not a valid template: {error}") from None
        return text

    def read(self, payload: bytes) -> Any:  # noqa: ANN401 - whatever is there
        """Return the value in a payload; None if there is none.

        Raises:
            MessageError: It cannot be read.
        """
        text = text_of(payload)
        if not self.path and not self.template:
            return text
        try:
            value = json.loads(payload)
        except (ValueError, RecursionError):
            value = None
        if self.path:
            if value is None:
                raise MessageError("no JSON", f"JSON with {self.path}")
            return dig(value, self.path)
        try:
            return _templates().from_string(self.template).render(value=text, value_json=value).strip()
        except Exception as error:  # noqa: BLE001 - a template can fail in any way
            raise MessageError(f"the template fails: {error}", self.template) from None


class NumberSource(ValueSource):
    """Where a reading is in the messages of a device, and its unit."""

    unit: PowerUnit | EnergyUnit

    @property
    def meter_value(self) -> MeterValue:
        """See `GenericOptions.meter`."""
        return MeterValue.at(self.topic, self.path)


class PowerSource(NumberSource):
    """Where a power is."""

    unit: PowerUnit


class EnergySource(NumberSource):
    """Where a counter's reading is."""

    unit: EnergyUnit


class SwitchSource(ValueSource):
    """The source of a switch's state."""

    on: str = "ON"
    off: str = "OFF"


class PresenceSource(ValueSource):
    """The source of a device's availability."""

    online: str = "online"
    offline: str = "offline"
    retained: bool = True

    def is_online(self, payload: bytes) -> bool:
        """Return whether a payload says that the device is online.

        Raises:
            MessageError: It says neither.
        """
        return either(self.read(payload), self.online, self.offline, "availability")


class CommandTarget(BaseModel):
    """Topic and payloads that start and stop the device; templates may use `run_s`, its longest run time, and `job`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: Topic
    on: Template = Field("ON", max_length=MAX_TEMPLATE_CHARACTERS)
    """The payload that starts the device."""
    off: Template = Field("OFF", max_length=MAX_TEMPLATE_CHARACTERS)
    """The payload that stops it."""


class InitialRequest(BaseModel):
    """A message published after connecting, which requests the device's state."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: Topic
    payload: Template = Field("", max_length=MAX_TEMPLATE_CHARACTERS)


class GenericOptions(BaseModel):
    """Keys of any other device in the scenario file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    switch: SwitchSource | None = None
    power: PowerSource | None = None
    """Its power; None: it does not report any."""
    energy: EnergySource | None = None
    """Reading of its energy counter; None: it has none."""
    availability: PresenceSource | None = None
    """None: it does not report it."""
    command: CommandTarget | None = None
    timer: InitialRequest | None = None
    """Published before it is switched on, and again while it runs, to set its own timer; a template as in `command`."""
    timer_max_s: int = Field(14 * 86_400, ge=60)
    """Longest time of that timer, or of the one in the command that switches it on."""
    ask: tuple[InitialRequest, ...] = ()
    """Messages that request its state, published after each connection."""

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if (self.switch or self.power or self.energy or self.command) is None:
            raise ValueError("'switch', 'power', 'energy' or 'command' is expected: where it is measured or switched")
        if self.timer is not None and self.command is None:
            raise ValueError("'timer' needs a 'command', before which it is published")
        written = [target.topic for target in (self.command, self.timer, *self.ask) if target is not None]
        if echoed := sorted({source.topic for source in self.sources} & set(written)):
            raise ValueError(
                f"{echoed[0]!r} is written and read: what is written would count as said by the device; expected the "
                "topics on which the device itself reports"
            )
        return self

    @property
    def sources(self) -> tuple[ValueSource, ...]:
        """Everything that is read."""
        return tuple(s for s in (self.switch, self.power, self.energy, self.availability) if s is not None)

    @property
    def meter(self) -> tuple[MeterValue, ...]:
        """See `TasmotaOptions.meter`; what a template computes may be any part of a payload."""
        return tuple(source.meter_value for source in (self.power, self.energy) if source is not None)

    @property
    def address(self) -> tuple[object, ...] | None:
        """See `TasmotaOptions.address`; None: it is only measured."""
        return None if self.command is None else (self.command.topic, self.command.on)


class Generic:
    """See `Adapter`."""

    is_switched = True
    largest_bytes = MAX_PAYLOAD_BYTES

    def __init__(self, gateway: Gateway, options: GenericOptions) -> None:
        """Create the adapter of a device."""
        self.is_switched = gateway.type == "consumer"
        self._is_told_how_long = options.command is not None and "run_s" in options.command.on
        has_timer = options.timer is not None or self._is_told_how_long
        self.longest_timer_s = options.timer_max_s if has_timer else None
        self._options = options
        self._must_be_asked = False
        """Whether it has come online since it was last asked for its state."""

    def filters(self) -> Sequence[str]:
        """See `Adapter.filters`."""
        return list(dict.fromkeys(source.topic for source in self._options.sources))

    def concerns(self, topic: str, payload: bytes) -> bool:
        """See `Adapter.concerns`."""
        presence = self._options.availability
        if presence is not None and topic == presence.topic:
            with suppress(MessageError):  # `take` says so
                self._must_be_asked |= presence.is_online(payload)
        return topic in self.filters()

    def writes(self) -> Sequence[str]:
        """See `Adapter.writes`."""
        options = self._options
        targets = [target.topic for target in (options.command, options.timer) if target is not None]
        return list(dict.fromkeys([*targets, *(ask.topic for ask in options.ask)]))

    def on_connect(self) -> Sequence[OutgoingMessage]:
        """See `Adapter.on_connect`."""
        self._must_be_asked = False
        return [OutgoingMessage(ask.topic, ask.payload.encode()) for ask in self._options.ask]

    def new_questions(self) -> Sequence[OutgoingMessage]:
        """See `Adapter.new_questions`; it may have changed while it was away."""
        return self.on_connect() if self._must_be_asked else []

    def take(self, topic: str, payload: bytes, *, retained: bool) -> Sequence[DeviceEvent]:
        """See `Adapter.take`."""
        options = self._options
        events: list[DeviceEvent] = []
        presence = options.availability
        if presence is not None and topic == presence.topic and (presence.retained or not retained):
            events.append(Availability(online=presence.is_online(payload)))
        report = Reported(
            is_on=self._switch(topic, payload, retained=retained),
            power_w=_number(options.power, topic, payload, "power", retained=retained),
            counter_wh=_number(options.energy, topic, payload, "energy", retained=retained),
        )
        return events if report == Reported() else [*events, report]

    def _switch(self, topic: str, payload: bytes, *, retained: bool) -> bool | None:
        source = self._options.switch
        if source is None or topic != source.topic or (retained and not source.retained):
            return None
        value = source.read(payload)
        says_nothing = value is None or (_is_nothing(value) and not {source.on, source.off} & {value})
        return None if says_nothing else either(value, source.on, source.off, "switch")

    def command(self, command: DeviceCommand) -> Sequence[OutgoingMessage]:
        """See `Adapter.command`."""
        options = self._options
        if options.command is None:
            return []
        known = {"run_s": min(command.run_s or 0, options.timer_max_s), "job": command.job}
        is_on = command.command != "stop"
        messages = []
        if is_on and options.timer is not None:
            messages.append(OutgoingMessage(options.timer.topic, _rendered(options.timer.payload, known)))
        if command.command != "renew" or self._is_told_how_long:
            text = options.command.on if is_on else options.command.off
            messages.append(OutgoingMessage(options.command.topic, _rendered(text, known)))
        return messages


def _rendered(text: str, known: dict[str, object]) -> bytes:
    if "{" not in text:
        return text.encode()
    return _templates().from_string(text).render(known).encode()


def _number(source: NumberSource | None, topic: str, payload: bytes, what: str, *, retained: bool) -> float | None:
    if source is None or topic != source.topic or (retained and not source.retained):
        return None
    value = source.read(payload)
    return None if _is_nothing(value) else number_of(value, source.unit, what)


def _is_nothing(value: object) -> bool:
    """Return whether a text says that there is no value."""
    return isinstance(value, str) and value.casefold() in _NOTHING
