"""Text from others is displayed without control characters and tricks; all other text is displayed unchanged."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given, strategies as st

from broker.plain_text import first_few, plural, printable, printable_json, printable_line


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]0;OWNED\x07", r"\x1b]0;OWNED\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\rb\x08c\x7f", r"a\x0db\x08c\x7f"),
        ("adler\u202erewolf", r"adler\u202erewolf"),
        ("pv-\u200badler", r"pv-\u200badler"),
        ("pv-adler\u2066\u2069\ufeff\u00ad", r"pv-adler\u2066\u2069\ufeff\xad"),
        ("a\U000e0041b", r"a\U000e0041b"),
        ("pv\u3164", r"pv\u3164"),
        ("pv\ufe0f", r"pv\ufe0f"),
        ("half \ud800", r"half \ud800"),
        ("a\u2028b", r"a\u2028b"),
        ("Z" + "\u0301" * 6, "Z" + "\u0301" * 4 + r"\u0301\u0301"),
    ],
)
def test_characters_that_command_or_hide_are_escaped(hostile: str, shown: str) -> None:
    """Escape sequences, bidirectional overrides, zero-width characters, tags, piles of marks."""
    assert printable(hostile) == shown


@pytest.mark.parametrize(
    "text", ["Häuser 1 und 2", "多摩", "Größe\tin kWh\nzweite Zeile", "☀️ roof", "C:\\new", "é", "e\u0301", "١٢", "שלום"]
)
def test_ordinary_text_is_unchanged(text: str) -> None:
    """This covers any language, tabs and line breaks, emoji, backslashes."""
    assert printable(text) == text


def test_a_line_stays_a_line() -> None:
    """A line break in a log event would forge a record."""
    assert printable_line("a\nssmic: all is well\t.") == r"a\nssmic: all is well\t."


@given(st.text(st.characters(), max_size=60))
def test_nothing_invisible_remains(text: str) -> None:
    """No control, format or separator character remains, and the result is stable."""
    shown = printable(text)
    assert printable(shown) == shown
    kinds = {unicodedata.category(character) for character in shown if character not in "\n\t"}
    assert kinds.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})


@given(st.text(st.characters(), max_size=60))
def test_json_means_the_same(text: str) -> None:
    """Escapes in JSON keep the value, and leave no control character."""
    written = printable_json(json.dumps({"said": text}, ensure_ascii=False))
    assert json.loads(written) == {"said": text}
    assert printable(written) == written


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
