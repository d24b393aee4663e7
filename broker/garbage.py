"""How often Python looks for garbage in a process that runs agents."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_THRESHOLDS = (10_000, 20, 20)
"""Objects that must have been created and not removed before the youngest are looked through; Python's usual number is
700. The others: how often that must have happened before older ones are looked through too."""


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Look for garbage seldom for the time of the context, and never among the objects that exist already.

    A run creates many objects that stay, such as jobs, promises and contracts, and hardly any reference cycles. Looking
    through them time and again takes a tenth of the run.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
