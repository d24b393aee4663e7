"""The domain: energy, jobs, contracts, and the agents that negotiate them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
