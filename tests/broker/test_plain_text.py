"""Text from others is displayed without control characters and tricks; all other text is displayed unchanged."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given, strategies as st

from broker.plain_text import first_few, plural, printable, printable_json, printable_line, without_passwords
from broker.transport.endpoint import parse_url

_JOINED = re.compile(
    r"(?<=[\u2190-\u27ff\u2900-\u2bff\U0001f000-\U0001faff\ufe0f])\u200d(?=[\u2190-\u27ff\u2900-\u2bff\U0001f000-\U0001faff])"
    r"|(?<=[\u094d\u09cd\u0dca\u0d4d])\u200d|(?<=\u09b0)\u200d(?=\u09cd)"
    r"|(?<=[\u094d\u09cd])\u200c(?=[\u0900-\u0dff])|(?<=[\u06cc\u062e])\u200c(?=[\u0620-\u06d3])"
)
"""Joiners at places where they are seen, among the characters of these tests."""


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
        ("pv\u200dadler", r"pv\u200dadler"),
        ("pv\u200cadler\u200c", r"pv\u200cadler\u200c"),
        ("👨\u200d", r"👨\u200d"),
        ("👨\u200d\u200d👩", r"👨\u200d\u200d👩"),
        ("a\ufe0f\u200d👩", r"a\ufe0f\u200d👩"),
        ("⠀\u200d👩", r"\u2800\u200d👩"),
        ("क्\u200c", r"क्\u200c"),
        ("क\u200dष", r"क\u200dष"),
        ("در\u200cدر", r"در\u200cدر"),
        ("می\u200c", r"می\u200c"),
        ("می\u202eکن", r"می\u202eکن"),
        ("Z" + "\u0301" * 6, "Z" + "\u0301" * 4 + r"\u0301\u0301"),
    ],
)
def test_characters_that_command_or_hide_are_escaped(hostile: str, shown: str) -> None:
    """Escape sequences, bidirectional overrides, zero-width characters, tags, piles of marks."""
    assert printable(hostile) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Häuser 1 und 2",
        "多摩",
        "Größe\tin kWh\nzweite Zeile",
        "☀️ roof",
        "C:\\new",
        "é",
        "e\u0301",
        "١٢",
        "שלום",
        "👨\u200d👩\u200d👧 family",
        "❤️\u200d🔥",
        "👩🏽\u200d🔧",
        "🏳️\u200d🌈",
        "क्\u200dष",
        "क्\u200cष",
        "ශ්\u200dරී",
        "അവന്\u200d",
        "র\u200d্যাব",
        "می\u200cکن",
    ],
)
def test_ordinary_text_is_unchanged(text: str) -> None:
    """This covers any language, tabs and line breaks, emoji, backslashes, and joiners that change what is seen."""
    assert printable(text) == text


def test_a_line_stays_a_line() -> None:
    """A line break in a log event would forge a record."""
    assert printable_line("a\nssmic: all is well\t.") == r"a\nssmic: all is well\t."


@given(st.text(st.characters(), max_size=60))
def test_nothing_invisible_remains(text: str) -> None:
    """No control, format or separator character remains, and the result is stable."""
    shown = printable(text)
    assert printable(shown) == shown
    kinds = {unicodedata.category(character) for character in _JOINED.sub("", shown) if character not in "\n\t"}
    assert kinds.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})


@given(st.text(st.sampled_from("a 👨👩❤\ufe0f\u200c\u200d\u202eकष\u094dر\u06ccخ\u2800\u09b0\u09cd"), max_size=12))
def test_a_joiner_remains_only_where_something_is_joined(text: str) -> None:
    """Between symbols, at a virama, or after a letter that would join the next."""
    shown = printable(text)
    assert printable(shown) == shown
    assert not set(_JOINED.sub("", shown)) & set("\u200c\u200d\u202e")
    written = printable_json(json.dumps(text, ensure_ascii=False))
    assert json.loads(written) == text
    assert printable(written) == written


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


@pytest.mark.parametrize("password", ["hunter2", "hunter@2", "a:b@c@d"])
def test_no_part_of_a_password_is_logged(password: str) -> None:
    """A URL ends the login at its last @, as `parse_url` does."""
    url = f"mqtts://adler:{password}@broker.example:8883"
    assert parse_url(url).password == password
    event = without_passwords(
        None, "", {"event": "lost", "broker": f"no answer of {url} @ 12:00", "password": password}
    )
    assert event == {
        "event": "lost",
        "broker": "no answer of mqtts://adler:***@broker.example:8883 @ 12:00",
        "password": "***",
    }
