"""The available adapters, and how an adapter is created from the scenario file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from scenarios.devices.adapter import (
    Adapter,
    Guest,
    Language,
    MissingLibraryError,
    UnknownLanguageError,
)
from scenarios.devices.adapters.generic import Generic, GenericOptions
from scenarios.devices.adapters.inverters import AhoyDtuOptions, Inverter, OpenDtuOptions
from scenarios.devices.adapters.shelly import Shelly, ShellyOptions
from scenarios.devices.adapters.tasmota import Tasmota, TasmotaOptions
from scenarios.devices.adapters.values import MeterValue, SwitchingMessage
from scenarios.devices.adapters.zigbee2mqtt import Zigbee2Mqtt, Zigbee2MqttOptions
from scenarios.devices.payloads import announcement, is_s2, problem_in_words
from scenarios.gateways import S2, SSMIC, Gateway
from scenarios.mistyped_names import suggest


@dataclass(frozen=True, slots=True)
class AdapterKind:
    """A kind of adapter: its options and its constructor."""

    options: type[BaseModel]
    """Its options in the scenario file."""
    make: Callable[[Gateway, Any], Adapter]
    """Returns the adapter of a gateway with these options."""
    types: frozenset[str] = frozenset({"consumer", "producer"})
    """Types of devices that it is for."""


ADAPTERS: Mapping[str, AdapterKind] = {
    "tasmota": AdapterKind(TasmotaOptions, Tasmota),
    "shelly": AdapterKind(ShellyOptions, Shelly),
    "zigbee2mqtt": AdapterKind(Zigbee2MqttOptions, Zigbee2Mqtt),
    "opendtu": AdapterKind(OpenDtuOptions, Inverter.open_dtu, frozenset({"producer"})),
    "ahoydtu": AdapterKind(AhoyDtuOptions, Inverter.ahoy_dtu, frozenset({"producer"})),
    "generic": AdapterKind(GenericOptions, Generic),
}
"""By the name in the scenario file."""


def adapter_names(type_: str) -> tuple[str, ...]:
    """Return the names of the adapters for a type of device, ours first."""
    return (SSMIC, *(name for name, kind in ADAPTERS.items() if type_ in kind.types), *sorted(LANGUAGES))


LANGUAGES = frozenset({S2})
"""Names in the scenario file of the payload formats on our own topics; they have no options."""


def language_for(gateway: Gateway) -> Language:
    """Return the payload format of a device that uses our own topics.

    Raises:
        MissingLibraryError: Its library is not installed.
    """
    try:
        from scenarios.devices.s2 import S2Language  # noqa: PLC0415 - s2-python is an extra
    except ModuleNotFoundError:
        problem = f"device {gateway.id!r} speaks S2, which needs s2-python: pip install 'ssmic[s2]'"
        raise MissingLibraryError(problem) from None
    return S2Language(gateway)


def guest_of(device: str, payload: bytes) -> Guest:
    """Return the content of the announcement of a device that is not in the scenario.

    Args:
        device: Its id in topics.
        payload: The announcement, in our form or in another language.

    Raises:
        MessageError: It is not as it should be.
        UnknownLanguageError: It is in a language whose library is not installed.
    """
    if not is_s2(payload):
        said = announcement(payload)
        return Guest(said.house or "", said.type, SSMIC)
    try:
        from scenarios.devices.s2 import guest  # noqa: PLC0415 - as above
    except ModuleNotFoundError:
        expected = "an announcement in ssmic's own form: ssmic[s2] is not installed here"
        raise UnknownLanguageError(f"device {device!r} speaks S2", expected) from None
    return guest(payload)


def adapter_for(gateway: Gateway) -> Adapter:
    """Return the adapter of a device that does not use our topics; its options must be valid."""
    kind = ADAPTERS[gateway.adapter]
    return kind.make(gateway, kind.options.model_validate(gateway.options))


def adapters_of(gateways: Iterable[Gateway]) -> dict[str, Adapter]:
    """Return the adapters of devices that do not use our topics, by agent id."""
    return {gateway.agent: adapter_for(gateway) for gateway in gateways if gateway.adapter not in {SSMIC, *LANGUAGES}}


def languages_of(gateways: Iterable[Gateway]) -> dict[str, Language]:
    """Return the payload formats of devices that use our topics with other payloads than ours, by agent id.

    Raises:
        MissingLibraryError: The library of one of them is not installed.
    """
    return {gateway.agent: language_for(gateway) for gateway in gateways if gateway.adapter in LANGUAGES}


def address_of(gateway: Gateway) -> tuple[object, ...] | None:
    """Return the switch and meter that a device represents, unlike any other device; None: not known.

    Its options must be valid.
    """
    kind = ADAPTERS.get(gateway.adapter)
    address = None if kind is None else kind.options.model_validate(gateway.options).address  # type: ignore[attr-defined]  # each has one
    return None if address is None else (gateway.adapter, *address)


def readings_of(gateway: Gateway) -> list[tuple[str, ...]]:
    """Return where the meter of a device with a generic adapter is read: others have an address instead.

    Its options must be valid.
    """
    if ADAPTERS.get(gateway.adapter) is not ADAPTERS["generic"]:
        return []
    options = GenericOptions.model_validate(gateway.options)
    return [(s.topic, s.path, s.template) for s in (options.power, options.energy) if s is not None]


def meter_of(gateway: Gateway) -> tuple[MeterValue, ...]:
    """Return where the meter of a device with an adapter is read, as far as that is known before the run.

    Its options must be valid.
    """
    kind = ADAPTERS.get(gateway.adapter)
    return () if kind is None else kind.options.model_validate(gateway.options).meter  # type: ignore[attr-defined]  # each has one


def sources_of(gateway: Gateway) -> dict[str, str]:
    """Return where a device with an adapter publishes what it reports, by the name of what is reported.

    A generic device has an entry for each of its values, any other one a single entry for all measurements. Without an
    adapter there is none. The adapter's options must be valid.
    """
    kind = ADAPTERS.get(gateway.adapter)
    if kind is None:
        return {}
    if kind is not ADAPTERS["generic"]:
        on = dict.fromkeys(value.topic for value in meter_of(gateway)) or adapter_for(gateway).filters()
        return {"measurements": " or ".join(on)}
    options = GenericOptions.model_validate(gateway.options)
    named = {
        "switch": options.switch,
        "power": options.power,
        "energy": options.energy,
        "availability": options.availability,
    }
    return {
        name: f"{source.topic} at {source.path}" if source.path else source.topic
        for name, source in named.items()
        if source is not None
    }


def switching_messages_of(gateway: Gateway) -> tuple[SwitchingMessage, ...]:
    """Return the messages that switch a device on its maker's topics, as far as they are known before the run.

    Its options must be valid.
    """
    kind = ADAPTERS.get(gateway.adapter)
    if kind is None or kind is ADAPTERS["generic"]:
        return ()
    return kind.options.model_validate(gateway.options).switching_messages  # type: ignore[attr-defined,no-any-return]  # each has them


def start_message_of(gateway: Gateway) -> tuple[str, str] | None:
    """Return topic and payload with which a device with a generic adapter is started; None: there is none.

    Its options must be valid.
    """
    if ADAPTERS.get(gateway.adapter) is not ADAPTERS["generic"]:
        return None
    command = GenericOptions.model_validate(gateway.options).command
    return None if command is None else (command.topic, command.on)


def adapter_problems(gateway: Gateway) -> list[tuple[Sequence[str | int], str]]:
    """Return the problems of a device's adapter options in the scenario file: key path and problem."""
    if gateway.adapter in {SSMIC, *LANGUAGES}:
        return [((key,), "unknown key; devices on ssmic's own topics have no options") for key in gateway.options]
    kind = ADAPTERS.get(gateway.adapter)
    if kind is None:
        known = (SSMIC, *ADAPTERS, *sorted(LANGUAGES))
        hint = suggest(gateway.adapter, known, f"; expected one of {', '.join(known)}")
        return [(("adapter",), f"there is no adapter {gateway.adapter!r}{hint}")]
    if gateway.type not in kind.types:
        return [(("adapter",), f"{gateway.adapter!r} is for a {' or '.join(sorted(kind.types))}, not a {gateway.type}")]
    try:
        kind.options.model_validate(gateway.options)
    except ValidationError as error:
        return [(tuple(problem["loc"]), problem_in_words(problem)) for problem in error.errors()]
    return []
