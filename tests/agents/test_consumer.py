"""A consumer, message by message: its jobs take turns, and its device runs one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agents.consumer import MAX_OPENINGS, Consumer
from agents.messages import (
    Accept,
    Amend,
    Cancel,
    ContractAgreed,
    ContractAmended,
    ContractCancelled,
    ContractVoid,
    Decline,
    DropJob,
    Hold,
    Opening,
    Producers,
    ProducersFor,
    Release,
    Request,
    Withdraw,
)
from agents.model import GRID, MANAGER, TIMELINE, TOGETHER, Job
from broker.hosts.agent import Outgoing
from broker.hosts.coroutines import MAX_WAITING_MESSAGES
from tests.agents.stage import Stage, on_stage, only, to
from tests.scenarios.neighbourhoods import START_S, job, load

HOUR_S = 3600
WASH = load((0, 0.0), (2 * HOUR_S, 1000.0))
"""Two hours."""


def at(hour: float) -> int:
    """Return a time some hours after the start."""
    return START_S + round(hour * HOUR_S)


def wash(job_id: str, first: float, last: float, registered: float = 0) -> Job:
    """Return a wash of two hours that may start between two hours."""
    of = job(job_id, "a", WASH, (round(first * HOUR_S), round(last * HOUR_S)))
    return of.model_copy(update={"registered_s": at(registered)})


@contextmanager
def machine(*jobs: Job, patient: bool = True) -> Iterator[Stage]:
    """Put a machine with these jobs on stage."""
    with on_stage(Consumer("a/machine", jobs, patient=patient), START_S) as stage:
        yield stage


def asked(stage: Stage, sent: list[Outgoing], *producers: str) -> list[Outgoing]:
    """Answer the question for producers; return what is sent then."""
    question = next(outgoing for outgoing in sent if isinstance(outgoing.message, ProducersFor))
    assert isinstance(question.message, ProducersFor)
    return stage.say((MANAGER, Producers(job_id=question.message.job_id, producers=producers)), re=question)


def request(outgoing: Outgoing) -> Request:
    """Return the request that was sent."""
    assert isinstance(outgoing.message, Request)
    return outgoing.message


def contract_of(sent: list[Outgoing]) -> tuple[str, str, float, str]:
    """Return job, producer, start in hours after the run's start, and reason of the contract that is reported."""
    agreed = next(message for message in to(MANAGER, sent) if isinstance(message, ContractAgreed))
    contract = agreed.contract
    return contract.job_id, contract.producer, (contract.start_s - START_S) / HOUR_S, agreed.reason


def test_the_only_job_of_a_device_may_start_anywhere_in_its_window_and_be_moved() -> None:
    """The consumer sends one request with the whole window, not held, and no further message."""
    with machine(wash("one", 6, 10)) as stage:
        asks = only(asked(stage, stage.first, "pv"))
        assert (asks.to, request(asks).starts, request(asks).held) == ("pv", ((at(6), at(10)),), False)
        sent = stage.say(("pv", Accept(job_id="one", start_s=at(7))), re=asks)
        assert contract_of(sent) == ("one", "pv", 7, "")
        moved = stage.say(("pv", Amend(job_id="one", start_s=at(9))))
        assert to(MANAGER, moved) == [ContractAmended(contract_id="one/1", start_s=at(9))]


def test_a_device_asks_for_one_job_after_the_other() -> None:
    """The second job's question comes when the first job has its contract, and leaves out the first job's time."""
    with machine(wash("one", 6, 10), wash("two", 6, 10)) as stage:
        assert [m.job_id for m in to(MANAGER, stage.first) if isinstance(m, ProducersFor)] == ["one"]
        first = only(asked(stage, stage.first, "pv"))
        assert request(first).starts == ((at(6), at(10)),)
        assert request(first).held
        sent = stage.say(("pv", Accept(job_id="one", start_s=at(6))), re=first)
        assert contract_of(sent) == ("one", "pv", 6, "")
        second = only(asked(stage, sent, "pv"))
        assert request(second).starts == ((at(8), at(10)),)
        assert request(second).held


def test_starts_are_left_out_that_leave_no_room_for_another_known_job() -> None:
    """Windows with room for 6, 8 and 10 o'clock only."""
    with machine(*(wash(name, 6, 10) for name in ("one", "two", "six"))) as stage:
        asks = only(asked(stage, stage.first, "pv"))
        assert request(asks).starts == tuple((at(hour), at(hour)) for hour in (6, 8, 10))


def test_jobs_stay_where_they_are_while_another_one_looks_for_a_supplier() -> None:
    """Hold before the new job asks; release afterwards, each into its own share of the time."""
    with machine(wash("one", 6, 14), wash("two", 6, 14, registered=1)) as stage:
        asks = only(asked(stage, stage.first, "pv-1"))
        stage.say(("pv-1", Accept(job_id="one", start_s=at(8))), re=asks)
        hold = only(stage.wait_until(at(1)))
        assert (hold.to, hold.message) == ("pv-1", Hold(job_id="one"))
        sent = stage.say(("pv-1", Accept(job_id="one", start_s=at(8))), re=hold)
        second = only(asked(stage, sent, "pv-2"))
        assert request(second).starts == ((at(6), at(6)), (at(10), at(14)))
        sent = stage.say(("pv-2", Accept(job_id="two", start_s=at(14))), re=second)
        assert to("pv-1", sent) == [Release(job_id="one", starts=((at(6), at(10)),))]
        assert to("pv-2", sent) == [Release(job_id="two", starts=((at(12), at(14)),))]


def test_a_move_that_crosses_with_a_hold_counts() -> None:
    """The producer moved the job in the same round: the consumer plans with the start that it has now."""
    with machine(wash("one", 6, 14), wash("two", 6, 14, registered=1)) as stage:
        asks = only(asked(stage, stage.first, "pv"))
        stage.say(("pv", Accept(job_id="one", start_s=at(8))), re=asks)
        hold = only(stage.wait_until(at(1)))
        stage.say(("pv", Amend(job_id="one", start_s=at(6))))
        sent = stage.say(("pv", Accept(job_id="one", start_s=at(6))), re=hold)
        assert request(only(asked(stage, sent, "pv"))).starts == ((at(8), at(14)),)


def test_a_move_that_comes_with_the_acceptance_is_not_lost() -> None:
    """If both arrive in one round, the contract is agreed, then amended."""
    with machine(wash("one", 6, 10)) as stage:
        asks = only(asked(stage, stage.first, "pv"))
        accepted, moved = Accept(job_id="one", start_s=at(6)), Amend(job_id="one", start_s=at(7))
        # A message from elsewhere has woken the consumer first, so that it looks at the move before the answer.
        sent = stage.say((MANAGER, Producers(job_id="one", producers=())), ("pv", accepted), ("pv", moved), re=asks)
        assert [type(message) for message in to(MANAGER, sent)] == [ContractAgreed, ContractAmended]


def test_a_job_in_the_only_room_of_another_gives_way_and_looks_again() -> None:
    """The later one can start at 6 o'clock only."""
    with machine(wash("early", 6, 12), wash("only", 6, 6, registered=5)) as stage:
        asks = only(asked(stage, stage.first, "pv"))
        stage.say(("pv", Accept(job_id="early", start_s=at(6))), re=asks)
        hold = only(stage.wait_until(at(5)))
        sent = stage.say(("pv", Accept(job_id="early", start_s=at(6))), re=hold)
        assert to("pv", sent) == [Withdraw(job_id="early")]
        reason = "its device needs the time for another job"
        assert ContractCancelled(contract_id="early/1", reason=reason) in to(MANAGER, sent)
        asks = only(asked(stage, sent, "pv"))
        assert request(asks).starts == ((at(6), at(6)),)
        sent = stage.say(("pv", Accept(job_id="only", start_s=at(6))), re=asks)
        again = only(asked(stage, sent, "pv"))
        assert (request(again).job.job_id, request(again).starts) == ("early", ((at(8), at(12)),))


def test_jobs_without_an_alternative_run_together_and_the_ledger_says_so() -> None:
    """Both jobs can start only at 6 o'clock, so they run together and the ledger gives the reason."""
    with machine(wash("one", 6, 6), wash("two", 6, 6)) as stage:
        asked(stage, asked(stage, stage.first))
        agreed = [m for m in to(MANAGER, stage.wait_until(at(6))) if isinstance(m, ContractAgreed)]
        assert [(m.contract.start_s, m.reason) for m in agreed] == [(at(6), ""), (at(6), TOGETHER)]
    with machine(wash("one", 6, 6), wash("two", 6, 6), patient=False) as stage:
        sent = asked(stage, stage.first)
        assert contract_of(sent) == ("one", GRID, 6, "")
        assert contract_of(asked(stage, sent)) == ("two", GRID, 6, TOGETHER)


def test_patient_jobs_take_grid_power_as_late_as_they_can_one_after_the_other() -> None:
    """Without a supplier, the first job must start at 8 o'clock, so that the other can start at 10."""
    with machine(wash("one", 6, 10), wash("two", 6, 10)) as stage:
        asked(stage, asked(stage, stage.first))
        assert stage.agent.coroutines.next_timer_s == at(8)
        _, producer, start, reason = contract_of(stage.wait_until(at(8)))
        assert (producer, start, reason) == (GRID, 8, "")
        _, producer, start, reason = contract_of(stage.wait_until(at(10)))
        assert (producer, start, reason) == (GRID, 10, "")


def test_a_job_waits_longer_once_the_other_one_has_its_contract() -> None:
    """The job had to start at 8 o'clock; once the following job is served at 6, it can wait until 10."""
    with machine(wash("one", 6, 10), wash("two", 6, 10)) as stage:
        first = asked(stage, stage.first, "pv")
        sent = stage.say(("pv", Decline(job_id="one", reason="no sun")), re=only(first))
        second = asked(stage, asked(stage, sent), "pv")
        asked(stage, stage.say(("pv", Decline(job_id="two", reason="no sun")), re=only(second)))
        assert stage.agent.coroutines.next_timer_s == at(8)
        asks = only(stage.say(("pv", Opening(job_id="two"))))
        agreed = stage.say(("pv", Accept(job_id="two", start_s=at(6))), re=asks)
        assert contract_of(agreed) == ("two", "pv", 6, "")
        assert not to(MANAGER, stage.wait_until(at(8)))
        assert contract_of(stage.wait_until(at(10))) == ("one", GRID, 10, "")


def test_at_the_end_of_the_run_waiting_jobs_get_starts_apart() -> None:
    """The run ends before either had to go."""
    with machine(wash("one", 6, 10), wash("two", 6, 10)) as stage:
        asked(stage, asked(stage, stage.first))
        agreed = [m.contract for m in to(MANAGER, stage.close()) if isinstance(m, ContractAgreed)]
        assert sorted(contract.start_s for contract in agreed) == [at(8), at(10)]


def test_a_waiting_job_asks_again_when_its_device_has_more_time() -> None:
    """The other job's contract is cancelled: its time is open to the one that waits, at a producer that declined."""
    with machine(wash("one", 6, 10), wash("two", 6, 10, registered=1)) as stage:
        asks = only(asked(stage, stage.first, "pv-1"))
        stage.say(("pv-1", Accept(job_id="one", start_s=at(6))), re=asks)
        hold = only(stage.wait_until(at(1)))
        sent = stage.say(("pv-1", Accept(job_id="one", start_s=at(6))), re=hold)
        asks = only(asked(stage, sent, "pv-2"))
        assert request(asks).starts == ((at(8), at(10)),)
        sent = stage.say(("pv-2", Decline(job_id="two", reason="no sun")), re=asks)
        sent = asked(stage, sent)
        cancelled = stage.say(("pv-1", Cancel(job_id="one", reason="a cloud")))
        assert ContractCancelled(contract_id="one/1", reason="a cloud") in to(MANAGER, cancelled)
        sent = asked(stage, asked(stage, cancelled), "pv-2")
        again = [outgoing for outgoing in sent if outgoing.to == "pv-2"]
        assert request(only(again)).starts[0][0] == at(6)


def test_a_request_after_an_opening_has_the_starts_of_that_moment() -> None:
    """The request after an opening leaves out the part of the window that has passed."""
    with machine(wash("one", 6, 10)) as stage:
        asks = only(asked(stage, stage.first, "pv"))
        sent = stage.say(("pv", Decline(job_id="one", reason="no sun")), re=asks)
        asked(stage, sent)
        stage.wait_until(at(7))
        again = only(stage.say(("pv", Opening(job_id="one"))))
        assert request(again).starts == ((at(7), at(10)),)


@pytest.mark.parametrize("start", [5.0, 8.5, 11.0])
def test_an_acceptance_for_another_start_is_turned_down(start: float) -> None:
    """The consumer rejects an accepted start at which its device is not free."""
    with machine(wash("one", 6, 10), wash("two", 8, 8)) as stage:
        asks = only(asked(stage, stage.first, "pv"))
        assert request(asks).starts == ((at(6), at(6)), (at(10), at(10)))
        sent = stage.say(("pv", Accept(job_id="one", start_s=at(start))), re=asks)
        assert Withdraw(job_id="one") in to("pv", sent)
        assert "one" not in stage.agent.contracts  # type: ignore[attr-defined]  # the stage's agent is a consumer


def test_the_loss_of_a_producer_frees_the_time_of_its_jobs() -> None:
    """The contract is cancelled, and the job asks the others."""
    with machine(wash("one", 6, 10)) as stage:
        asks = only(asked(stage, stage.first, "pv-1"))
        stage.say(("pv-1", Accept(job_id="one", start_s=at(6))), re=asks)
        sent = stage.lose("pv-1")
        assert ContractCancelled(contract_id="one/1", reason="its household is lost") in to(MANAGER, sent)
        assert request(only(asked(stage, sent, "pv-2"))).starts == ((at(6), at(10)),)


def test_a_producer_that_does_not_answer_counts_as_one_that_declined() -> None:
    """The job asks the next one in the same second, and the silent one is to forget it."""
    with machine(wash("one", 6, 10)) as stage:
        asks = only(asked(stage, stage.first, "silent", "pv"))
        assert asks.to == "silent"
        sent = stage.lapse()
        assert to("silent", sent) == [Withdraw(job_id="one")]
        next_question = next(outgoing for outgoing in sent if isinstance(outgoing.message, Request))
        assert next_question.to == "pv"
        agreed = stage.say(("pv", Accept(job_id="one", start_s=at(7))), re=next_question)
        assert contract_of(agreed)[:3] == ("one", "pv", 7)


# What others may say.


def rejected(stage: Stage) -> list[str]:
    """Return the senders of the messages that were refused."""
    return [rejection.sender for rejection in stage.agent.take_rejections()]


def test_a_void_contract_is_given_up_and_its_producer_is_not_asked_again() -> None:
    """The job looks for another supplier at once, also if it would have started in that very second."""
    with machine(wash("one", 0, 10)) as stage:
        asks = only(asked(stage, stage.first, "pv-1"))
        stage.say(("pv-1", Accept(job_id="one", start_s=at(0))), re=asks)
        void = ContractVoid(job_id="one", contract_id="one/1", contracts=0, reason="not promised")
        assert stage.say(("pv-2", void)) == []
        assert rejected(stage) == ["pv-2"]
        sent = stage.say((MANAGER, void))
        assert to("pv-1", sent) == [Withdraw(job_id="one")]
        assert [m.asked for m in to(MANAGER, sent) if isinstance(m, ProducersFor)] == [("pv-1",)]
        asks = only(asked(stage, sent, "pv-1", "pv-2"))
        assert asks.to == "pv-2"
        agreed = stage.say(("pv-2", Accept(job_id="one", start_s=at(1))), re=asks)
        (report,) = [message for message in to(MANAGER, agreed) if isinstance(message, ContractAgreed)]
        assert report.contract.contract_id == "one/1"


def test_a_contract_that_the_manager_has_entered_keeps_its_number_when_it_is_void() -> None:
    """The next one has the next number."""
    with machine(wash("one", 6, 10)) as stage:
        asks = only(asked(stage, stage.first, "pv-1"))
        stage.say(("pv-1", Accept(job_id="one", start_s=at(7))), re=asks)
        sent = stage.say((MANAGER, ContractVoid(job_id="one", contract_id="one/1", contracts=1, reason="moved")))
        asks = only(asked(stage, sent, "pv-2"))
        agreed = stage.say(("pv-2", Accept(job_id="one", start_s=at(8))), re=asks)
        (report,) = [message for message in to(MANAGER, agreed) if isinstance(message, ContractAgreed)]
        assert report.contract.contract_id == "one/2"


def test_a_contract_that_its_producer_was_lost_with_does_not_count() -> None:
    """It was never entered: the loss and the manager's answer to the report crossed."""
    with machine(wash("one", 0, 10)) as stage:
        asks = only(asked(stage, stage.first, "pv-1"))
        stage.say(("pv-1", Accept(job_id="one", start_s=at(5))), re=asks)
        sent = stage.lose("pv-1")
        stage.say((MANAGER, ContractVoid(job_id="one", contract_id="one/1", contracts=0, reason="not promised")))
        asks = only(asked(stage, sent, "pv-2"))
        agreed = stage.say(("pv-2", Accept(job_id="one", start_s=at(6))), re=asks)
        (report,) = [message for message in to(MANAGER, agreed) if isinstance(message, ContractAgreed)]
        assert report.contract.contract_id == "one/1"


def test_a_contract_with_the_grid_is_reported_again_under_the_number_that_the_manager_expects() -> None:
    """Its job would run without a contract; a void one whose number is right needs nothing."""
    with machine(wash("one", 0, 10), patient=False) as stage:
        asks = only(asked(stage, stage.first, "pv-1"))
        stage.say(("pv-1", Accept(job_id="one", start_s=at(5))), re=asks)
        sent = stage.lose("pv-1")
        (report,) = [m for m in to(MANAGER, asked(stage, sent)) if isinstance(m, ContractAgreed)]
        assert (report.contract.producer, report.contract.contract_id) == (GRID, "one/2")
        void = ContractVoid(job_id="one", contract_id="one/2", contracts=0, reason="the next one is number 1")
        (again,) = [m for m in to(MANAGER, stage.say((MANAGER, void))) if isinstance(m, ContractAgreed)]
        assert again.contract == report.contract.model_copy(update={"contract_id": "one/1"})
        assert stage.say((MANAGER, void)) == []


def test_only_the_manager_lists_producers_and_only_asked_producers_announce_openings() -> None:
    """No agent can direct a waiting job to an agent that never answers."""
    with machine(wash("one", 6, 10)) as stage:
        asks = only(asked(stage, stage.first, "pv-1"))
        asked(stage, stage.say(("pv-1", Decline(job_id="one", reason="no sun")), re=asks))
        assert stage.say(("pv-2", Producers(job_id="one", producers=("ghost",)))) == []
        assert stage.say(("b/machine", Opening(job_id="one")), ("pv-2", Amend(job_id="one", start_s=at(7)))) == []
        assert rejected(stage) == ["pv-2", "b/machine", "pv-2"]
        assert only(stage.say(("pv-1", Opening(job_id="one")))).to == "pv-1"


def test_a_producer_that_cancels_as_soon_as_it_has_accepted_is_asked_once() -> None:
    """Otherwise the two would continue forever in the same second."""
    with machine(wash("one", 6, 10)) as stage:
        asks = only(asked(stage, stage.first, "pv-1"))
        stage.say(("pv-1", Accept(job_id="one", start_s=at(7))), re=asks)
        sent = stage.say(("pv-1", Cancel(job_id="one", reason="spite")))
        assert ("pv-1",) in [m.asked for m in to(MANAGER, sent) if isinstance(m, ProducersFor)]


def test_openings_without_end_are_not_followed_without_end() -> None:
    """A job ignores a producer that repeatedly sends openings and declines, for the rest of the second."""
    with machine(wash("one", 6, 10)) as stage:
        asks = only(asked(stage, stage.first, "pv-1"))
        asked(stage, stage.say(("pv-1", Decline(job_id="one", reason="no sun")), re=asks))
        followed = 0
        while sent := stage.say(("pv-1", Opening(job_id="one"))):
            stage.say(("pv-1", Decline(job_id="one", reason="no sun")), re=only(sent))
            followed += 1
            assert followed <= MAX_OPENINGS
        assert rejected(stage) == ["pv-1"]


def test_openings_for_a_job_that_has_started_do_not_pile_up() -> None:
    """Nobody reads them any more, so a producer that sends them for hours would end the consumer."""
    with machine(wash("one", 0, 1)) as stage:
        asks = only(asked(stage, stage.first, "pv-1"))
        stage.say(("pv-1", Accept(job_id="one", start_s=at(1))), re=asks)
        for second in range(MAX_WAITING_MESSAGES // MAX_OPENINGS + 1):
            stage.wait_until(at(4) + second)
            assert stage.say(*[("pv-1", Opening(job_id="one"))] * MAX_OPENINGS) == []
        assert rejected(stage) == []


# The second in which a job starts or ends.


def test_in_the_second_of_its_start_a_job_neither_moves_nor_loses_its_contract() -> None:
    """Its device is switched on in that second; whatever its producer or its household says comes too late."""
    with machine(wash("one", 0, 10)) as stage:
        asks = only(asked(stage, stage.first, "pv"))
        stage.say(("pv", Accept(job_id="one", start_s=at(1))), re=asks)
        assert stage.wait_until(at(1)) == []
        assert stage.say(("pv", Amend(job_id="one", start_s=at(2)))) == []
        assert stage.say(("pv", Cancel(job_id="one", reason="too late"))) == []
        assert stage.say((TIMELINE, DropJob(job_id="one"))) == []
        assert stage.agent.contracts["one"].start_s == at(1)  # type: ignore[attr-defined]  # a consumer


def test_a_job_is_not_moved_into_the_past() -> None:
    """The starts among which its producer may move it include some that have passed."""
    with machine(wash("one", 0, 10)) as stage:
        asks = only(asked(stage, stage.first, "pv"))
        stage.say(("pv", Accept(job_id="one", start_s=at(9))), re=asks)
        stage.wait_until(at(5))
        assert stage.say(("pv", Amend(job_id="one", start_s=at(4)))) == []
        assert rejected(stage) == ["pv"]
        moved = ContractAmended(contract_id="one/1", start_s=at(5), reason="")
        assert to(MANAGER, stage.say(("pv", Amend(job_id="one", start_s=at(5))))) == [moved]


def test_a_void_contract_whose_job_has_just_ended_is_not_replaced() -> None:
    """The job has drawn its power; a second before, its rest still needs a supplier."""
    void = ContractVoid(job_id="one", contract_id="one/1", contracts=0, reason="not promised")
    for seconds_left in (0, 1):
        with machine(wash("one", 0, 10)) as stage:
            asks = only(asked(stage, stage.first, "pv"))
            stage.say(("pv", Accept(job_id="one", start_s=at(1))), re=asks)
            stage.wait_until(at(1))
            stage.wait_until(at(3) - seconds_left)
            assert bool(stage.say((MANAGER, void))) is bool(seconds_left)


def test_a_producer_that_cancels_later_because_of_its_forecast_is_asked_again() -> None:
    """Only one that cancels in the second of its promise has never meant it."""
    with machine(wash("one", 6, 10)) as stage:
        asks = only(asked(stage, stage.first, "pv"))
        stage.say(("pv", Accept(job_id="one", start_s=at(7))), re=asks)
        stage.wait_until(at(1))
        sent = stage.say(("pv", Cancel(job_id="one", reason="clouds")))
        assert [m.asked for m in to(MANAGER, sent) if isinstance(m, ProducersFor)] == [()]
