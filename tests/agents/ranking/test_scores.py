"""Scores: which producer is asked first."""

from __future__ import annotations

from random import Random

import pytest

from agents.ranking.scores import LARGEST_NARROW, MANY_SCORES, NEW_PRODUCER, Scores


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


@pytest.mark.parametrize("highest", [40, LARGEST_NARROW, LARGEST_NARROW + 1])
def test_many_producers_are_ranked_by_score_and_then_by_id(highest: int) -> None:
    """Many scores are sorted in another way than few, unless some of them are too large for it."""
    random = Random(highest)
    scores = {f"p{number:03}": random.choice([-3, 7, 8, 10, 40]) for number in range(MANY_SCORES)}
    scores["p100"] = highest
    known = Scores(scores)
    for producer in scores:
        known.add(producer)
    assert known.ranking() == sorted(scores, key=lambda producer: (scores[producer], producer))
