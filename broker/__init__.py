"""Messages and virtual time: MQTT transports, brokers, hosts and the clock. Independent of what the agents do."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
