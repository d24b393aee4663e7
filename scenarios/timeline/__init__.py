"""What happens to a scenario during a run: carried out on agents and links, and its effect on the world."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
