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


@pytest.mark.parametrize("seed", range(20))
def test_the_order_that_jobs_share_is_that_of_the_latest_scores(seed: int) -> None:
    """The order is kept until scores change, or producers come or go."""
    random = Random(seed)
    names = [f"p{number}" for number in range(8)]
    scores, there, unheard = Scores({"p9": 4}), set[str](), dict.fromkeys(names, 0)
    for step in range(60):
        producer, job_id = random.choice(names), f"job-{random.randint(0, 5)}"
        match random.choice(("add", "remove", "accepted", "declined", "heard", "left out")):
            case "add":
                scores.add(producer)
                there.add(producer)
            case "remove":
                scores.remove({producer})
                there.discard(producer)
            case "accepted":
                scores.accepted(producer, job_id)
            case "declined":
                unheard[producer] += scores.declined(producer, job_id, step // 20)
            case "heard" if unheard[producer]:
                scores.heard(producer)
                unheard[producer] -= 1
            case "left out" if there:
                scores.would_have_declined(scores.ranked()[: random.randint(0, 3)], job_id, step // 20)
        known = scores.by_producer()
        heard = {producer: known[producer] - unheard[producer] for producer in there}
        assert scores.ranking() == sorted(there, key=lambda producer: (heard[producer], producer))


def test_a_producer_that_was_left_out_counts_once_a_second_with_its_own_refusals() -> None:
    """Also if further producers become known in that second."""
    scores = Scores({})
    scores.add("roof")
    everyone = scores.ranked()
    scores.would_have_declined(everyone, "wash", 0)
    scores.add("shed")
    scores.would_have_declined(scores.ranked(), "wash", 0)
    assert not scores.declined("roof", "wash", 0)
    assert scores.by_producer() == {"roof": NEW_PRODUCER + 1, "shed": NEW_PRODUCER + 1}
    scores.would_have_declined(everyone, "wash", 1)
    assert scores.by_producer() == {"roof": NEW_PRODUCER + 2, "shed": NEW_PRODUCER + 1}


def test_producers_of_an_order_are_found_among_others() -> None:
    """By their numbers, in any order."""
    scores = Scores({f"p{number}": 10 for number in range(4)})
    for number in range(4):
        scores.add(f"p{number}")
    assert scores.are_among([3, 0], scores.ranked()).tolist() == [True, False, False, True]
    assert scores.are_among([], scores.ranked()).tolist() == [False] * 4
