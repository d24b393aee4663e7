"""Shared supply: how a job's start and shares are composed from what producers offer; pure functions."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
