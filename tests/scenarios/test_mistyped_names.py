"""The end of an error message about an unknown name: the one that was probably meant, or the known ones."""

from __future__ import annotations

from scenarios.mistyped_names import MAX_LISTED, suggest


def test_a_similar_name_is_suggested_whatever_its_case() -> None:
    """It is spelt as it must be written."""
    assert suggest("adlr", ["Adler", "Brandt"]) == "; did you mean 'Adler'?"


def test_without_a_similar_name_the_first_known_names_are_listed() -> None:
    """As many as fit on a line, in order; none if none are known."""
    assert suggest("zz", ["b", "a"]) == "; known: a, b"
    assert suggest("zz", map(str, range(10, 10 + MAX_LISTED + 1))).endswith("20, 21, ...")
    assert suggest("zz", []) == ""


def test_another_end_is_used_only_without_a_similar_name() -> None:
    """Hundreds of time zones are not listed."""
    assert suggest("zz", ["Europe/Berlin"], otherwise="; see the manual") == "; see the manual"
    assert suggest("europe/berlim", ["Europe/Berlin"], otherwise="") == "; did you mean 'Europe/Berlin'?"


def test_what_stands_in_for_an_unreadable_name_is_not_suggested() -> None:
    """No user has written it."""
    assert suggest("unknown", ["\0unknown"]) == ""
