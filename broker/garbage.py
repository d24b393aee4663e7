"""Python's garbage collection, for processes with many objects that live as long as the process works.

A full collection looks at every object. With the 45,000 agents of 10,000 houses it takes most of a second, and Python
starts one whenever a quarter has been added: a quarter of the processor time until such a run has begun.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG: Final = 50_000
"""New objects after which the youngest are looked at."""
_MIDDLE, _OLD = 20, 50
"""Collections of the next younger generation before the middle and the oldest are looked at."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect rarely for the time of the context, which may be entered several times over.

    Garbage that refers to itself waits until some million objects have been made. Settings that are rarer already, as
    where somebody has turned collection off, are kept.
    """
    before = gc.get_threshold()
    if 0 < before[0] < YOUNG:
        gc.set_threshold(YOUNG, _MIDDLE, _OLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def long_lived_objects() -> Iterator[None]:
    """Leave all objects that exist now out of collections, for the time of the context, and collect rarely."""
    is_outermost = gc.get_freeze_count() == 0
    if is_outermost:
        gc.freeze()
    try:
        with rare_collections():
            yield
    finally:
        if is_outermost:
            gc.unfreeze()
