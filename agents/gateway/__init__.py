"""Gateway agents: each represents a real device, for which a run never waits."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
