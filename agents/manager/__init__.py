"""The manager: who takes part, which producers a job may ask, and the ledger of contracts."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
