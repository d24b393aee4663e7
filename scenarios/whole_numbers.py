"""Whole numbers as people type them and files hold them, in decimal digits."""

from __future__ import annotations

MOST_DIGITS = 18
"""Longer numbers exceed all limits, and Python refuses to read those of thousands of digits."""


def whole_number_of(text: str) -> int | None:
    """Return the number, 0 or more, that a text writes in digits; None if the text is anything else, or too long."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS else None
