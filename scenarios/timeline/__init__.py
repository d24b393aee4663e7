"""The events of a scenario during a run: their execution on agents and links, and their effect on the world."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
