"""Forecasts and measurements from files: the dialog, and what it reads."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
