"""Which producers a job may ask, and in which order: short lists, rankings, scores."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
