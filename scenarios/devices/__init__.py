"""Real devices: their MQTT messages, on ssmic's topics or their makers', and the link between them and their agents."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
