"""The scenario in a results file: JSON, compressed where it is large.

The scenario of 10,000 houses has 270 MB, because each of its 50,000 jobs repeats one of a few load profiles.
"""

from __future__ import annotations

import zlib

COMPRESSED_FROM_CHARACTERS = 4_000_000
"""Shorter ones stay text, which any program that reads SQLite can show."""
_LEVEL = 1
"""Higher levels save little more of repeated profiles, and take several times as long."""


def stored(text: str) -> str | bytes:
    """Return a scenario's JSON as it is stored."""
    return text if len(text) < COMPRESSED_FROM_CHARACTERS else zlib.compress(text.encode(), _LEVEL)


def restored(kept: str | bytes) -> str:
    """Return a scenario's JSON from what was stored.

    Raises:
        ValueError: It is damaged.
    """
    if isinstance(kept, str):
        return kept
    try:
        return zlib.decompress(kept).decode()
    except zlib.error as error:
        raise ValueError(f"its scenario cannot be decompressed ({error})") from error
