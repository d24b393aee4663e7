"""Shared supply: its consumers, producers and manager, and how a start and shares are composed from offers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
