"""The generator in the editor: dialog, request, and the process that generates."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
