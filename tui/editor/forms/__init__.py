"""Forms for houses, devices, jobs and the community, and the fields that they have."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
