"""MQTT brokers that run on this machine: Mosquitto as a child process, or amqtt inside this one."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
