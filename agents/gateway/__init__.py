"""Gateway agents: each stands for a real device, and is never waited for."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
