"""Shows a run in Home Assistant: its MQTT discovery for every agent, and what they do."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
