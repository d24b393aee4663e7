"""A file's name made of any text: one name, on every system, never a path."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath
from urllib.parse import unquote

import pytest
from hypothesis import given, strategies as st

from broker.files import MAX_BYTES, file_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("street", "street"),
        ("run-1.b", "run-1.b"),
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        (".hidden", "%2Ehidden"),
        ("a.", "a%2E"),
        ("CON", "%43ON"),
        ("nul.yaml", "%6Eul.yaml"),
        ("com1", "%63om1"),
        ("console", "console"),
        ("a\nb", "a%0Ab"),
        ("C:\\x", "C%3A%5Cx"),
        ("M\u00fcller", "M%C3%BCller"),
        ("", "%"),
    ],
)
def test_names_of_texts(text: str, name: str) -> None:
    """Plain words stay; what would be a folder, hidden, a device or unreadable does not."""
    assert file_name(text) == name


@given(st.text(st.characters()))
def test_every_text_has_one_short_name(text: str) -> None:
    """A single part of a path, on any system, of bounded length."""
    name = file_name(text)
    assert Path(name).name == PureWindowsPath(name).name == name
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert not name.startswith(".")
    assert not name.endswith(".")
    assert not PureWindowsPath(name).is_reserved()


@given(st.text(), st.text())
def test_different_texts_have_different_names(one: str, other: str) -> None:
    """No run writes into another's file."""
    assert (file_name(one) == file_name(other)) == (one == other)


@given(st.text(max_size=20))
def test_short_names_can_be_read_back(text: str) -> None:
    """Percent-decoding restores them."""
    assert unquote(file_name(text), errors="surrogatepass") == text or not text


def test_long_texts_keep_their_beginning() -> None:
    """They end in a hash of the whole text."""
    one, other = file_name("x" * 300), file_name("x" * 301)
    assert one != other
    assert len(one) == MAX_BYTES
    assert one.startswith("xxx")


def test_parts_without_dots_can_be_joined_by_dots() -> None:
    """`a.b` and `c` never give the name of `a` and `b.c`."""
    assert file_name("a.b", dots=False) == "a%2Eb"
