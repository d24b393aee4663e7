"""Scores: which producer is asked first."""

from __future__ import annotations

from agents.scores import NEW_PRODUCER, Scores


def test_a_new_producer_starts_in_the_middle_and_the_lowest_score_is_asked_first() -> None:
    """Ties go by id."""
    scores = Scores({"old": NEW_PRODUCER - 1})
    for producer in ("b", "a", "old"):
        scores.add(producer)
    assert scores.ranking() == ["old", "a", "b"]


def test_accepting_lowers_a_score_and_declining_raises_it() -> None:
    """By one each."""
    scores = Scores({})
    scores.add("roof")
    scores.accepted("roof")
    scores.accepted("roof")
    scores.declined("roof")
    assert scores.by_producer() == {"roof": NEW_PRODUCER - 1}


def test_a_producer_that_does_not_take_part_keeps_its_score_and_is_not_asked() -> None:
    """What is said about it meanwhile does not count."""
    scores = Scores({"away": 3})
    scores.accepted("away")
    scores.declined("away")
    assert scores.ranking() == []
    assert scores.by_producer() == {"away": 3}


def test_a_producer_that_is_lost_is_not_asked_again() -> None:
    """Its score is kept for the next simulation."""
    scores = Scores({})
    scores.add("roof")
    scores.accepted("roof")
    scores.remove({"roof"})
    assert scores.ranking() == []
    assert scores.by_producer() == {"roof": NEW_PRODUCER - 1}
