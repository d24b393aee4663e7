"""A lab: the devices of a scenario, emulated on MQTT for an external controller, and the results of its control."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
