"""Whole supply: one producer, or the grid, supplies a whole job; its consumers, producers and manager."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
