"""Statements that wait for consumers to confirm them."""

from __future__ import annotations

from agents.manager.unconfirmed_statements import MAX_UNCONFIRMED, Unconfirmed, UnconfirmedStatements


def statements(*made: tuple[int, str], job_id: str = "wash", producer: str = "roof") -> UnconfirmedStatements[str]:
    """Return what a producer has said of a job: times and statements."""
    said: UnconfirmedStatements[str] = UnconfirmedStatements()
    for said_s, statement in made:
        said.add(job_id, producer, said_s, statement)
    return said


def test_a_confirmed_statement_goes_with_all_earlier_ones() -> None:
    """The consumer has followed the moves up to that one; a later one is still on its way to it."""
    said = statements((5, "start at 8"), (5, "start at 9"), (5, "start at 10"))

    assert said.confirm("wash", "roof", "start at 9")
    assert not said.confirm("wash", "roof", "start at 8")
    assert said.confirm("wash", "roof", "start at 10")
    assert not said.has_any("wash", "roof")


def test_a_statement_that_was_not_made_confirms_nothing() -> None:
    """Neither of this producer and job, nor of another producer or job."""
    said = statements((5, "start at 8"))

    assert not said.confirm("wash", "roof", "start at 9")
    assert not said.confirm("wash", "other", "start at 8")
    assert not said.confirm("dry", "roof", "start at 8")
    assert said.has("wash", "roof", "start at 8")


def test_statements_that_have_waited_are_taken_once_with_the_last_one() -> None:
    """The last one is what the producer means now; those of the present second may still be confirmed."""
    said = statements((5, "start at 8"), (6, "start at 9"))
    said.add("dry", "roof", 6, "start at 7")

    assert said.first_s == 5
    assert said.take_older(6) == [Unconfirmed("wash", "roof", 6, "start at 9")]
    assert said.take_older(6) == []
    assert said.first_s == 6


def test_a_producer_cannot_fill_the_memory() -> None:
    """If it changes its mind too often within a second, the oldest statement goes: the last one is what it means."""
    said = statements(*((5, f"start at {n}") for n in range(MAX_UNCONFIRMED)))

    said.add("wash", "roof", 5, "once more")

    assert not said.has("wash", "roof", "start at 0")
    assert said.has("wash", "roof", "start at 1")
    assert said.take("wash", "roof") == "once more"
    assert said.take("wash", "roof") is None


def test_lost_producers_are_forgotten() -> None:
    """There is no one left for the manager to ask."""
    said = statements((5, "start at 8"))
    said.add("wash", "other", 7, "start at 8")

    said.forget({"roof"})

    assert said.first_s == 7
