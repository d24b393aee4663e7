"""Who supplies which job: what a producer has promised, both have signed, and a contract no longer includes."""

from __future__ import annotations

import pytest

from agents.job_register import JobRegister, RegisteredJob, digest_of
from agents.messages import AnyMessage, SharePromised, ShareVoid
from agents.model import GRID, MANAGER, SHARED, Contract
from agents.ranking import Scores
from agents.shares import MINUTE_S, Share, load_mwh, packed
from agents.sharing import EnergyBoard
from agents.sharing.signed_shares import Runs, SignedShares
from broker.hosts import Agent
from tests.scenarios.neighbourhoods import START_S, job, load

WASH = job("wash", "a", load((0, 0.0), (3600, 60.0)))
ALL = packed(load_mwh(WASH.load_profile, START_S))
HALF: Runs = ((60, 500),)
NOW_S = START_S


class Scene:
    """Two roofs that expect 1 Wh in each minute of an hour, and the shares of a job."""

    def __init__(self) -> None:
        self.manager: Agent[AnyMessage] = Agent(MANAGER)
        self.manager.prepare(seed=1, now_s=NOW_S)
        scores = Scores({"roof": 10, "shed": 10})
        self.board = EnergyBoard()
        self.numbers = scores.number_of
        for number in self.numbers.values():
            self.board.expect(number, START_S // MINUTE_S, ((60, 1_000),))
        self.shares = SignedShares(self.manager, scores, self.board)

    def promise(self, producer: str, runs: Runs, start_s: int = START_S, consumer: str = WASH.agent) -> str:
        """Let a producer promise a share; return the problem."""
        terms = {"job_id": "wash", "consumer": consumer, "start_s": start_s, "minutes_mwh": runs}
        return self.shares.promise(producer, wash(), SharePromised(digest=digest_of(WASH.as_sent), **terms))

    def sign(self, **runs: Runs) -> str:
        """Let the consumer report a contract with these producers; return the problem."""
        shares = tuple(Share(producer=producer, minutes_mwh=some) for producer, some in sorted(runs.items()))
        terms = {"contract_id": "wash/1", "job_id": "wash", "start_s": START_S, "agreed_s": NOW_S, "energy_wh": 60.0}
        supplier = SHARED if shares else GRID
        return self.shares.sign(Contract(producer=supplier, shares=shares, **terms), wash())

    def left_mwh(self, producer: str) -> int:
        """Return what the board shows as left in the hour, for a job other than this one."""
        left, _ = self.board.offer(self.numbers[producer], "other", START_S // MINUTE_S, 60, 10**9, None)
        return sum(minutes * mwh for minutes, mwh in left)

    def told_void(self) -> list[str]:
        """Return the producers that are told that their shares are void."""
        return [sent.to for sent in self.manager.collect()[0] if isinstance(sent.message, ShareVoid)]


def wash() -> RegisteredJob:
    """Return the job as the manager knows it."""
    registered = JobRegister([WASH]).get("wash")
    assert registered is not None
    return registered


@pytest.fixture
def scene() -> Scene:
    """Nobody has promised anything."""
    return Scene()


def test_a_promised_share_is_taken_on_the_board_and_supplies_nobody_yet(scene: Scene) -> None:
    """Other jobs must not read it as free; the consumer has not agreed to it."""
    assert scene.promise("roof", HALF) == ""
    assert scene.left_mwh("roof") == 30_000
    assert scene.shares.suppliers("wash") == ()
    assert scene.shares.covered_mwh("wash") == 0


def test_shares_are_signed_when_each_producer_has_promised_exactly_its_share(scene: Scene) -> None:
    """If one has not, no share is signed, and a later report may still confirm the others."""
    scene.promise("roof", HALF)
    assert "'shed' has not promised" in scene.sign(roof=HALF, shed=HALF)
    assert "'roof' has not promised" in scene.sign(roof=((30, 500),))
    assert scene.shares.suppliers("wash") == ()
    scene.promise("shed", HALF)
    assert scene.sign(roof=HALF, shed=HALF) == ""
    assert scene.shares.suppliers("wash") == ("roof", "shed")
    assert scene.shares.covered_mwh("wash") == 60_000


def test_shares_that_give_more_than_the_job_draws_are_not_signed(scene: Scene) -> None:
    """Together in any minute; or after its end."""
    scene.promise("roof", ALL)
    scene.promise("shed", HALF)
    assert "more than the job draws" in scene.sign(roof=ALL, shed=HALF)
    scene.promise("shed", ((61, 1),))
    assert "more than the job draws" in scene.sign(shed=((61, 1),))


def test_a_share_for_another_consumer_or_outside_the_window_is_no_promise(scene: Scene) -> None:
    """The board shows nothing of it."""
    assert "whose job it is not" in scene.promise("roof", HALF, consumer="stranger")
    assert "outside its window" in scene.promise("roof", HALF, start_s=START_S - 60)
    assert scene.left_mwh("roof") == 60_000
    assert scene.shares.first_s is None


def test_a_promise_in_no_contract_is_resolved_with_the_second(scene: Scene) -> None:
    """Each once, with the producer's latest statement."""
    scene.promise("roof", HALF)
    scene.promise("roof", ALL)
    assert scene.shares.first_s == NOW_S
    assert scene.shares.take_unconfirmed(NOW_S) == []
    (unconfirmed,) = scene.shares.take_unconfirmed(NOW_S + 1)
    assert (unconfirmed.producer, unconfirmed.statement.runs) == ("roof", ALL)
    assert scene.shares.take_unconfirmed(NOW_S + 1) == []


def test_a_producer_that_a_contract_leaves_out_is_told_at_the_end_of_the_second(scene: Scene) -> None:
    """Until then it may say itself that it gives nothing."""
    for producer in ("roof", "shed"):
        scene.promise(producer, HALF)
    scene.sign(roof=HALF, shed=HALF)
    scene.sign(roof=HALF)
    scene.shares.tell_of_dropped(NOW_S)
    assert scene.told_void() == []
    scene.shares.tell_of_dropped(NOW_S + 1)
    assert scene.told_void() == ["shed"]
    assert (scene.left_mwh("roof"), scene.left_mwh("shed")) == (30_000, 60_000)


def test_a_producer_that_says_itself_that_it_gives_nothing_is_not_told(scene: Scene) -> None:
    """Before the consumer's report, or after it."""
    for producer in ("roof", "shed"):
        scene.promise(producer, HALF)
    scene.sign(roof=HALF, shed=HALF)
    scene.promise("roof", ())
    scene.sign()
    scene.promise("shed", ())
    assert scene.shares.first_s is None
    scene.shares.tell_of_dropped(NOW_S + 1)
    assert scene.told_void() == []
    assert (scene.left_mwh("roof"), scene.left_mwh("shed")) == (60_000, 60_000)


@pytest.mark.parametrize("how", ["void", "dropped", "lost"])
def test_the_energy_of_a_contract_that_ends_is_free_again(scene: Scene, how: str) -> None:
    """A producer is told at once, at the end of the second, or not at all: it knows that its consumer is lost."""
    scene.promise("roof", ALL)
    scene.sign(roof=ALL)
    if how == "void":
        scene.shares.void("wash", "the ledger does not have it")
    elif how == "lost":
        scene.shares.lose({WASH.agent}, ["wash"])
    else:
        scene.shares.drop("wash")
        assert scene.left_mwh("roof") == 0
        scene.shares.tell_of_dropped(NOW_S + 1)
    assert scene.shares.suppliers("wash") == ()
    assert scene.left_mwh("roof") == 60_000
    assert scene.told_void() == ([] if how == "lost" else ["roof"])


def test_nothing_is_settled_with_a_lost_producer(scene: Scene) -> None:
    """Its contracts stand as long as their consumers want them."""
    for producer in ("roof", "shed"):
        scene.promise(producer, HALF)
    scene.sign(shed=HALF)
    scene.sign()
    scene.shares.lose({"roof", "shed"}, [])
    assert scene.shares.first_s is None


def test_a_signature_that_is_forgotten_frees_no_energy(scene: Scene) -> None:
    """The job has had it."""
    scene.promise("roof", ALL)
    scene.sign(roof=ALL)
    scene.shares.forget("wash")
    assert scene.shares.jobs() == ()
    assert scene.left_mwh("roof") == 0
