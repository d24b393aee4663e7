"""Who takes part, and who may still report: a producer that has left does the second only, a lost one neither."""

from __future__ import annotations

from agents.manager import JoinedProducers


def test_a_producer_may_announce_itself_and_nobody_else() -> None:
    """And it must belong to the neighbourhood."""
    producers = JoinedProducers({"roof", "shed"}, {})
    assert producers.may_join("roof", "roof")
    assert not producers.may_join("roof", "shed")
    assert not producers.may_join("stranger", "stranger")


def test_a_producer_is_new_once_until_it_leaves() -> None:
    """Announcing it twice introduces it to nobody twice."""
    producers = JoinedProducers({"roof"}, {})
    assert producers.add("roof")
    assert not producers.add("roof")
    producers.leave("roof")
    assert producers.add("roof")


def test_a_producer_that_has_left_is_asked_no_more_and_still_reports_on_its_promises() -> None:
    """Its score is kept for its return."""
    producers = JoinedProducers({"roof"}, {"roof": 7})
    assert "roof" not in producers
    producers.add("roof")
    producers.leave("roof")
    assert "roof" in producers
    assert producers.scores.ranking() == []
    assert producers.scores.by_producer() == {"roof": 7}


def test_a_lost_producer_reports_no_more() -> None:
    """Whatever comes from it late is not its word."""
    producers = JoinedProducers({"roof", "shed"}, {})
    for producer in ("roof", "shed"):
        producers.add(producer)
    producers.lose({"roof", "a household's machine"})
    assert "roof" not in producers
    assert producers.scores.ranking() == ["shed"]
