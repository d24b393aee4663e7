"""Counts and lists in messages."""

from __future__ import annotations

import pytest

from broker import first_few, plural


@pytest.mark.parametrize(("count", "expected"), [(0, "0 jobs"), (1, "1 job"), (2, "2 jobs"), (1234, "1,234 jobs")])
def test_a_noun_is_in_the_plural_unless_there_is_one(count: int, expected: str) -> None:
    """Thousands are separated."""
    assert plural(count, "job") == expected


def test_the_first_few_names_stand_for_many() -> None:
    """A name that comes again is neither repeated nor counted."""
    assert first_few(["b", "a", "b"]) == "b, a"
    assert first_few(["a", "a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert first_few("abc", 2, show=str.upper) == "A, B and 1 more"
    assert first_few(map(str, range(2_000)), 1) == "0 and 1,999 more"
