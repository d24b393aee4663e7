"""Where the files of disturbed runs lie: in memory, where there is some.

A killed process loses what it had not written, not what the disk had not stored yet: that takes a power cut, which
nothing here makes. So waiting for a disk at every step of thousands of runs would show nothing.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - each run has a folder of its own in it


def folder_for_a_run() -> tempfile.TemporaryDirectory[str]:
    """Return a folder that is removed with the context that it is."""
    usable = _SHARED_MEMORY.is_dir() and os.access(_SHARED_MEMORY, os.W_OK)
    return tempfile.TemporaryDirectory(prefix="ssmic-faults-", dir=_SHARED_MEMORY if usable else None)
