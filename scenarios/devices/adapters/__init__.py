"""Adapters for devices that use their maker's topics, one module each, by name."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
