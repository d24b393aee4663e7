"""An AsyncAPI 3 document of all MQTT messages, generated from the models that validate them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
