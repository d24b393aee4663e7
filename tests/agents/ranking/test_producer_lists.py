"""The list of producers that a job may ask, and the scores of those that it leaves out."""

from __future__ import annotations

import numpy as np

from agents.ranking.producer_lists import Negotiation
from agents.ranking.scores import Scores


def test_producers_left_out_are_scored_when_the_job_would_have_received_their_refusal() -> None:
    """They are scored in the round of their place in the list, but not after the producer that accepts."""
    scores = Scores({})
    for producer in ("a", "b", "c", "d"):
        scores.add(producer)
    is_listed = np.array([False, True, False, False])
    begun = Negotiation("job", "m", 0, 10, scores.ranked(), is_listed, scores.ranked(), 2)
    assert begun.next_portion().left_out == (1, 2)
    begun.score_until(13, "z", scores)
    assert scores.by_producer()["a"] == 10
    begun.score_until(14, "z", scores)
    assert scores.by_producer() == {"a": 11, "b": 10, "c": 10, "d": 10}
    begun.score_places(begun.place_of(1), scores)
    assert scores.by_producer() == {"a": 11, "b": 10, "c": 10, "d": 10}
