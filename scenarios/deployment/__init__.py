"""Runs a scenario as separate processes: the clock, one household each, a Compose file."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
