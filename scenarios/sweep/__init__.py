"""Sweeps: hundreds of runs of a scenario with varied settings and values, on all cores or on a cluster, resumable."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
