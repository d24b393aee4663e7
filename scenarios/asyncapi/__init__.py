"""An AsyncAPI 3 document of everything that is said over MQTT, generated from the models that validate it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
