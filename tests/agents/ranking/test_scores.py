"""Scores: which producer is asked first."""

from __future__ import annotations

from agents.ranking.scores import NEW_PRODUCER, Scores


def test_a_new_producer_starts_in_the_middle_and_the_lowest_score_is_asked_first() -> None:
    """Ties go by id."""
    scores = Scores({"old": NEW_PRODUCER - 1})
    for producer in ("b", "a", "old"):
        scores.add(producer)
    assert scores.ranking() == ["old", "a", "b"]


def test_accepting_lowers_a_score_and_declining_raises_it() -> None:
    """Each changes the score by one."""
    scores = Scores({})
    scores.add("roof")
    scores.accepted("roof", "wash")
    scores.accepted("roof", "dry")
    scores.declined("roof", "cook", 0)
    assert scores.by_producer() == {"roof": NEW_PRODUCER - 1}


def test_a_job_counts_once_however_often_it_is_accepted() -> None:
    """A declined job counts once per second."""
    scores = Scores({})
    scores.add("roof")
    scores.accepted("roof", "wash")
    scores.accepted("roof", "wash")
    assert [scores.declined("roof", "dry", at_s) for at_s in (0, 0, 1)] == [True, False, True]
    assert scores.by_producer() == {"roof": NEW_PRODUCER + 1}


def test_a_refusal_counts_in_the_ranking_once_its_consumer_has_received_it() -> None:
    """Jobs that ask before that are answered by the old scores."""
    scores = Scores({})
    scores.add("roof")
    scores.add("shed")
    scores.declined("roof", "wash", 0)
    assert scores.ranking() == ["roof", "shed"]
    scores.heard("roof")
    assert scores.ranking() == ["shed", "roof"]


def test_a_producer_that_does_not_take_part_keeps_its_score_and_is_not_asked() -> None:
    """Reports about it in the meantime have no effect."""
    scores = Scores({"away": 3})
    scores.accepted("away", "wash")
    scores.declined("away", "dry", 0)
    assert scores.ranking() == []
    assert scores.by_producer() == {"away": 3}


def test_a_producer_that_is_lost_is_not_asked_again() -> None:
    """Its score is kept for the next simulation."""
    scores = Scores({})
    scores.add("roof")
    scores.accepted("roof", "wash")
    scores.remove({"roof"})
    assert scores.ranking() == []
    assert scores.by_producer() == {"roof": NEW_PRODUCER - 1}
