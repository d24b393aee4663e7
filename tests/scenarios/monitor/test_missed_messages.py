"""A monitor notices by the sequence numbers of each sender which messages it missed, and which came twice."""

from __future__ import annotations

from scenarios.monitor.missed_messages import Deduplicator


def test_a_message_that_comes_twice_is_new_only_once() -> None:
    """A host sends messages again if their answer was lost."""
    heard = Deduplicator()
    assert [heard.is_new("adler/dish", seq) for seq in (7, 8, 7, 8, 9)] == [True, True, False, False, True]
    assert heard.missing == 0


def test_messages_that_arrive_late_are_no_longer_missing() -> None:
    """A gap closes, in any order."""
    heard = Deduplicator()
    for seq in (0, 3):
        assert heard.is_new("adler/dish", seq)
    assert heard.missing == 2
    assert heard.is_new("adler/dish", 2)
    assert heard.is_new("adler/dish", 1)
    assert heard.missing == 0


def test_earlier_messages_are_missing_only_to_who_was_there_from_the_start() -> None:
    """Who joins late does not miss what was said before."""
    late, early = Deduplicator(), Deduplicator(from_the_start=True)
    for heard in (late, early):
        assert heard.is_new("adler/dish", 5)
    assert (late.missing, early.missing) == (0, 5)


def test_the_agents_of_ten_thousand_households_are_told_apart() -> None:
    """The largest neighbourhood has about 50,000 agents; the limit is for forged ones."""
    heard = Deduplicator()
    assert all(heard.is_new(f"h{i}/car", 0) for i in range(50_000))
