from .registry import (
    ADAPTERS as ADAPTERS,
    adapter_for as adapter_for,
    adapter_names as adapter_names,
    adapter_problems as adapter_problems,
    adapters_of as adapters_of,
    address_of as address_of,
    guest_of as guest_of,
    language_for as language_for,
    languages_of as languages_of,
    meter_of as meter_of,
    readings_of as readings_of,
    sources_of as sources_of,
    start_message_of as start_message_of,
    switching_messages_of as switching_messages_of,
)
from .values import MeterValue as MeterValue, SwitchingMessage as SwitchingMessage
from .zigbee2mqtt import MAX_LIST_BYTES as MAX_LIST_BYTES

__all__ = [
    "ADAPTERS",
    "MAX_LIST_BYTES",
    "MeterValue",
    "SwitchingMessage",
    "adapter_for",
    "adapter_names",
    "adapter_problems",
    "adapters_of",
    "address_of",
    "guest_of",
    "language_for",
    "languages_of",
    "meter_of",
    "readings_of",
    "sources_of",
    "start_message_of",
    "switching_messages_of",
]
