"""Whole numbers that people type: what is not one, or too long, is no internal error."""

from __future__ import annotations

import pytest

from scenarios.devices.adapters.values import dig
from scenarios.whole_numbers import MOST_DIGITS, whole_number_of

LONG = "9" * 5_000
"""Python refuses to read it."""


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.5", "x", "²", "٣", " 1", "1_0", LONG])
def test_what_is_not_a_whole_number_is_none(text: str) -> None:
    """Superscripts and digits of other scripts count as digits in Python."""
    assert whole_number_of(text) is None


def test_whole_numbers_are_read() -> None:
    """Up to the length that all limits need."""
    assert [whole_number_of(text) for text in ("0", "007", "9" * MOST_DIGITS)] == [0, 7, 10**MOST_DIGITS - 1]


@pytest.mark.parametrize("path", [f"a[{LONG}]", "a[²]", "a[--1]", "a[-4]"])
def test_a_position_that_is_none_finds_nothing(path: str) -> None:
    """In a message of a device, at any time of a run."""
    assert dig({"a": [1, 2, 3]}, path) is None
    assert dig({"a": [1, 2, 3]}, "a[-1]") == 3
