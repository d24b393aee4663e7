"""Buses that carry messages: in memory and over MQTT."""

from broker.transport.base import MAX_PAYLOAD_BYTES, Broker, Bus, Delivery, Will, leave_gracefully
from broker.transport.endpoint import Access, AccessOptions, BrokerUrl, Tls, access_to, parse_url
from broker.transport.filters import matches
from broker.transport.memory import MemoryBroker
from broker.transport.mqtt import LOST_AFTER_WALL_S, MqttBroker, MqttBus
from broker.transport.receive_queue import ReceiveQueue

__all__ = [
    "LOST_AFTER_WALL_S",
    "MAX_PAYLOAD_BYTES",
    "Access",
    "AccessOptions",
    "Broker",
    "BrokerUrl",
    "Bus",
    "Delivery",
    "MemoryBroker",
    "MqttBroker",
    "MqttBus",
    "ReceiveQueue",
    "Tls",
    "Will",
    "access_to",
    "leave_gracefully",
    "matches",
    "parse_url",
]
