"""MQTT brokers that run on this machine: Mosquitto as a child process, or amqtt inside this one."""

from broker.servers.choose import choose_broker
from broker.servers.cleanup import Leftover, find_leftovers, remove
from broker.servers.local import HEADROOM_BYTES
from broker.servers.mosquitto import find_mosquitto

__all__ = [
    "HEADROOM_BYTES",
    "Leftover",
    "choose_broker",
    "find_leftovers",
    "find_mosquitto",
    "remove",
]
