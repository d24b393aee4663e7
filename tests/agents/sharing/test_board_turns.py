"""When a job reads the board: one after another, in turn; and again when there is more than it knows of."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from agents.job_register import JobRegister, digest_of
from agents.manager import Manager
from agents.messages import (
    AnyMessage,
    Offered,
    ProducerJoined,
    ProducersFor,
    ProductionExpected,
    ShareDeclined,
    SharePromised,
    SharesAnswered,
    Withdraw,
)
from agents.model import Job
from agents.sharing import SharedManagerSupply
from agents.sharing.board_turns import ROUNDS_OF_TURN
from agents.sharing.undersupplied_jobs import MAX_NEWS
from tests.agents.stage import Stage, on_stage
from tests.scenarios.neighbourhoods import START_S, job, load

WASH, DRY, CAR = (job(name, name, load((0, 0.0), (3600, 600.0))) for name in ("wash", "dry", "car"))
JOBS = (WASH, DRY, CAR)
FIRST_MINUTE = START_S // 60
MANY_ROUNDS = 6 * ROUNDS_OF_TURN


class Turns:
    """A manager on stage, whose rounds pass one by one."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._step = 0

    def round(self, *said: tuple[str, AnyMessage]) -> list[str]:
        """Let a round pass, in which some messages arrive; return the jobs that read the board in it."""
        self._step += 1
        self._stage.agent.advance(START_S, step=self._step)
        sent = self._stage.say(*said)
        return [outgoing.message.job_id for outgoing in sent if isinstance(outgoing.message, Offered)]

    def know(self, said: tuple[str, AnyMessage]) -> None:
        """Let a message arrive, and all jobs that wait read what it changes."""
        self.round(said)
        self.rounds(MANY_ROUNDS)

    def rounds(self, count: int) -> list[str]:
        """Let rounds pass without messages; return the jobs that read the board."""
        return [job_id for _ in range(count) for job_id in self.round()]


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A manager with one roof that expects nothing yet."""
    with on_stage(Manager(JobRegister(JOBS, ["roof"]), supply=SharedManagerSupply), START_S) as on:
        on.say(("roof", ProducerJoined(producer="roof")))
        yield on


def sun(mwh: int) -> tuple[str, AnyMessage]:
    """Return the roof's forecast: so much in each of the next 120 minutes."""
    return "roof", ProductionExpected(first_minute=FIRST_MINUTE, minutes_mwh=((120, mwh),))


def asks(of: Job) -> tuple[str, AnyMessage]:
    """Return a job's question."""
    return of.agent, ProducersFor(job_id=of.job_id)


def test_jobs_that_ask_at_once_read_the_board_one_after_another(stage: Stage) -> None:
    """Each waits until the reservations of the one before are on the board."""
    turns = Turns(stage)
    read = [turns.round(sun(9_000), asks(WASH), asks(DRY), asks(CAR))]
    read += [turns.round() for _ in range(2 * ROUNDS_OF_TURN + 2)]
    assert [job_id for jobs in read for job_id in jobs] == ["wash", "dry", "car"]
    at = [number for number, jobs in enumerate(read) if jobs]
    assert all(later - earlier >= ROUNDS_OF_TURN for earlier, later in pairwise(at))


def test_a_job_is_informed_of_more_energy_than_it_knows_of_and_of_less_it_is_not(stage: Stage) -> None:
    """Until its consumer withdraws it."""
    turns = Turns(stage)
    turns.know(sun(1_000))
    assert turns.round(asks(WASH)) + turns.rounds(MANY_ROUNDS) == ["wash"]
    assert turns.round(sun(500)) + turns.rounds(MANY_ROUNDS) == []
    assert turns.round(sun(5_000)) + turns.rounds(MANY_ROUNDS) == ["wash"]
    turns.round((WASH.agent, Withdraw(job_id="wash")))
    assert turns.round(sun(9_000)) + turns.rounds(MANY_ROUNDS) == []


def test_jobs_whose_household_is_lost_before_their_turn_take_none_from_others(stage: Stage) -> None:
    """They counted as informed, and as those that would use the energy: no other job learned of it."""
    turns = Turns(stage)
    turns.know(sun(1_000))
    assert turns.round(asks(WASH), asks(DRY), asks(CAR)) == ["wash"]
    stage.lose(DRY.agent, CAR.agent)
    assert turns.rounds(MANY_ROUNDS) == []
    assert turns.round(sun(2_000)) + turns.rounds(MANY_ROUNDS) == ["wash"]


def freed(times: int, turns: Turns) -> int:
    """Let the roof promise a share and take it back a number of times; return how often a job reads the board."""
    terms = {"job_id": "dry", "consumer": DRY.agent, "digest": digest_of(DRY.as_sent), "start_s": START_S}
    read = 0
    for _ in range(times):
        for runs in (((60, 5_000),), ()):
            read += len(turns.round(("roof", SharePromised(minutes_mwh=runs, **terms))))
            read += len(turns.rounds(ROUNDS_OF_TURN + 2))
    return read


def test_a_new_forecast_lets_a_job_be_informed_again_however_often_it_was(stage: Stage) -> None:
    """Between two forecasts it is informed ten times at most, as what others free comes and goes."""
    turns = Turns(stage)
    turns.know(sun(9_000))
    turns.round(asks(WASH))
    assert freed(MAX_NEWS + 3, turns) == MAX_NEWS
    assert freed(2, turns) == 0
    turns.know(sun(9_000))
    assert freed(2, turns) == 2


def test_answers_of_a_round_come_in_one_message_with_new_offers_if_any_declined(stage: Stage) -> None:
    """A job whose reservations were all promised needs no other offers."""
    turns = Turns(stage)
    turns.know(sun(9_000))
    turns.round(asks(WASH))
    terms = {"job_id": "wash", "consumer": WASH.agent, "digest": digest_of(WASH.as_sent), "is_answer": True}
    promised = SharePromised(start_s=START_S, minutes_mwh=((60, 5_000),), **terms)
    declined = ShareDeclined(job_id="wash", consumer=WASH.agent, reason="clouds")
    for answer, is_offered in ((promised, False), (declined, True)):
        sent = stage.say(("roof", answer))
        (passed_on,) = [one.message for one in sent if isinstance(one.message, SharesAnswered)]
        assert (passed_on.promised, passed_on.declined) == ((), ("roof",)) if is_offered else (("roof",), ())
        assert bool(passed_on.offers) is is_offered
