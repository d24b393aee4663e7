"""What a job reads on the board: which producers it is offered, and in which order."""

from __future__ import annotations

from agents.job_needs import JobNeeds
from agents.job_register import JobRegister, RegisteredJob, digest_of
from agents.messages import AnyMessage, SharePromised
from agents.model import MANAGER, Contract
from agents.ranking import Scores
from agents.shares import MINUTE_S
from agents.sharing import EnergyBoard
from agents.sharing.job_offers import MAX_TO_MAKE_ROOM, MOST_OFFERS, JobOffers
from agents.sharing.signed_shares import SignedShares
from broker.hosts import Agent
from tests.scenarios.neighbourhoods import START_S, job, load

WASH = job("wash", "a", load((0, 0.0), (3600, 60.0)))


class Scene:
    """Some roofs, each with what it expects in each minute of the next hour, mWh."""

    def __init__(self, expected_mwh: dict[str, int], house_of: dict[str, str] | None = None) -> None:
        manager: Agent[AnyMessage] = Agent(MANAGER)
        manager.prepare(seed=1, now_s=START_S)
        self.scores, board = Scores({}), EnergyBoard()
        for producer, mwh in expected_mwh.items():
            self.scores.add(producer)
            board.expect(self.scores.number_of[producer], START_S // MINUTE_S, ((60, mwh),))
        self.shares = SignedShares(manager, self.scores, board)
        self._offers = JobOffers(self.scores, board, self.shares, house_of or {})

    def offered(self, *but: str) -> list[str]:
        """Return the producers that the job is offered, in order."""
        need: JobNeeds = wash().need(None, None, START_S)
        first_minute, offers = self._offers.of(wash(), need, START_S, frozenset(but))
        assert first_minute == START_S // MINUTE_S
        return [offer.producer for offer in offers]


def wash() -> RegisteredJob:
    """Return the job as the manager knows it."""
    registered = JobRegister([WASH]).get("wash")
    assert registered is not None
    return registered


def test_a_job_is_offered_the_roofs_of_its_house_first_and_then_those_with_most_left() -> None:
    """The one of its house has less than the others."""
    scene = Scene({"big": 900, "own": 100, "bigger": 1_000}, {"own": "a", "big": "b"})
    assert scene.offered() == ["own", "bigger", "big"]


def test_a_job_is_not_offered_a_producer_that_it_does_not_trust() -> None:
    """Nor one with next to nothing, nor one that has left."""
    many = {f"roof-{n}": 900 for n in range(MAX_TO_MAKE_ROOM)}
    scene = Scene({**many, "faithless": 1_000, "dark": 1, "gone": 1_000})
    scene.scores.remove({"gone"})
    assert scene.offered("faithless") == sorted(many)


def test_in_a_large_neighbourhood_a_job_is_offered_a_dozen_and_those_that_supply_it() -> None:
    """The dozen with the most, and the one that has a share of it."""
    scene = Scene({f"roof-{n:02}": 900 + n for n in range(2 * MOST_OFFERS)})
    terms = {"job_id": "wash", "consumer": WASH.agent, "start_s": START_S, "digest": digest_of(WASH.as_sent)}
    promised = SharePromised(minutes_mwh=((60, 1_000),), **terms)
    assert scene.shares.promise("roof-00", wash(), promised) == ""
    contract = Contract(
        contract_id="wash/1", job_id="wash", producer="roof-00", start_s=START_S, agreed_s=START_S, energy_wh=60.0
    )
    assert scene.shares.sign(contract, wash()) == ""
    most = [f"roof-{n:02}" for n in range(2 * MOST_OFFERS - 1, MOST_OFFERS - 1, -1)]
    assert scene.offered() == ["roof-00", *most]


def test_where_few_roofs_share_a_job_also_sees_those_that_could_make_room() -> None:
    """The roof is taken by another job, which could move."""
    scene = Scene({"roof": 1_000})
    dry = job("dry", "b", load((0, 0.0), (3600, 60.0)))
    registered = JobRegister([dry]).get("dry")
    assert registered is not None
    terms = {"job_id": "dry", "consumer": dry.agent, "start_s": START_S + 60, "digest": digest_of(dry.as_sent)}
    assert scene.shares.promise("roof", registered, SharePromised(minutes_mwh=((59, 1_000),), **terms)) == ""
    need = wash().need(START_S + 60, START_S + 60, START_S)
    _, (offer,) = scene._offers.of(wash(), need, START_S)
    assert sum(minutes * mwh for minutes, mwh in offer.minutes_mwh) == 0
    assert sum(minutes * mwh for minutes, mwh in offer.movable_mwh) == 59_000
