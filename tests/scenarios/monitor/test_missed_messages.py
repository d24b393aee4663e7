"""A monitor notices by the sequence numbers of each sender which messages it missed, and which came twice."""

from __future__ import annotations

from scenarios.monitor.missed_messages import Deduplicator

ROUND_BEFORE, ROUND, NEXT_ROUND = ((1_782_000_000, number) for number in (1, 2, 3))


def test_a_message_that_comes_twice_is_new_only_once() -> None:
    """A host sends messages again if their answer was lost."""
    heard = Deduplicator()
    assert [heard.is_new("adler/dish", seq, ROUND) for seq in (7, 8, 7, 8, 9)] == [True, True, False, False, True]
    assert heard.missing == 0


def test_messages_that_arrive_late_are_no_longer_missing() -> None:
    """A gap closes, in any order."""
    heard = Deduplicator(from_the_start=True)
    assert heard.is_new("adler/dish", 0, ROUND)
    assert heard.is_new("adler/dish", 3, NEXT_ROUND)
    assert heard.missing == 2
    assert heard.is_new("adler/dish", 2, NEXT_ROUND)
    assert heard.is_new("adler/dish", 1, NEXT_ROUND)
    assert heard.missing == 0


def test_who_joins_in_the_middle_of_a_round_misses_nothing_of_it() -> None:
    """A host sends the messages of a round to one host after the other, and its internal messages even later."""
    heard = Deduplicator()
    heard.joined(ROUND)
    for seq in (15, 17, 19):
        assert heard.is_new("adler/dish", seq, ROUND)
    assert heard.missing == 0
    assert heard.is_new("adler/dish", 22, NEXT_ROUND)
    assert heard.missing == 0
    assert heard.is_new("adler/dish", 25, NEXT_ROUND)
    assert heard.missing == 2
    assert heard.is_new("adler/dish", 14, ROUND_BEFORE)
    assert heard.is_new("adler/dish", 16, ROUND)
    assert not heard.is_new("adler/dish", 16, ROUND)
    for seq in range(26, 600):
        assert heard.is_new("adler/dish", seq, NEXT_ROUND)
    assert heard.missing == 2


def test_earlier_messages_are_missing_only_to_who_was_there_from_the_start() -> None:
    """Who joins late does not miss what was said before."""
    late, early = Deduplicator(), Deduplicator(from_the_start=True)
    for heard in (late, early):
        assert heard.is_new("adler/dish", 5, ROUND)
    assert (late.missing, early.missing) == (0, 5)


def test_the_agents_of_ten_thousand_households_are_told_apart() -> None:
    """The largest neighbourhood has about 50,000 agents; the limit is for forged ones."""
    heard = Deduplicator()
    assert all(heard.is_new(f"h{i}/car", 0, ROUND) for i in range(50_000))
