"""The order in which jobs ask producers."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from agents.errors import SettingsError
from agents.job_register import JobRegister
from agents.manager import Manager
from agents.messages import ProducerJoined, Producers, ProducersFor
from agents.model import MANAGER
from agents.ranking import NegotiationSettings, known_rankings
from agents.ranking.rankings import Places, Question, ranking_for
from agents.whole_supply import WholeManagerSupply
from scenarios.results import ResultsReader
from tests.agents.correspondence import Correspondent, correspond
from tests.scenarios.neighbourhoods import job, load
from tests.scenarios.timeline.two_roofs import run, scripted
from tui.cli.app import app

WASH = job("wash", "b", load((0, 0.0), (3600, 800.0)))
PLACES = Places({"a": 0, "b": 1, "c": 2, "d": 3}, {"on-a": "a", "on-b": "b", "on-c": "c", "on-d": "d"})
ROOFS = ("on-a", "on-b", "on-c", "on-d")
SCORES = {"on-a": 12, "on-b": 13, "on-c": 11, "on-d": 10}


async def asked(ranking: str, places: Places = PLACES) -> list[str]:
    """Return the order in which the manager names all producers to the job of house b."""
    supply = partial(WholeManagerSupply, negotiating=NegotiationSettings("ranked", ranking=ranking), places=places)
    keeper = Manager(JobRegister((WASH,), ROOFS), supply, SCORES)
    first, more = ProducersFor(job_id="wash"), ProducersFor(job_id="wash", asked=("x",), part="next")
    consumer = Correspondent(WASH.agent, (5, MANAGER, first), (5, MANAGER, more))
    joining = [Correspondent(roof, (0, MANAGER, ProducerJoined(producer=roof))) for roof in ROOFS]
    await correspond([keeper, consumer, *joining])
    return [producer for m in consumer.messages() if isinstance(m, Producers) for producer in m.producers]


@pytest.mark.parametrize(
    ("ranking", "order"),
    [
        ("scores", ["on-d", "on-c", "on-a", "on-b"]),
        ("own-roof", ["on-b", "on-d", "on-c", "on-a"]),
        ("nearest", ["on-b", "on-c", "on-a", "on-d"]),
    ],
)
async def test_a_ranking_decides_which_producer_a_job_asks_first(ranking: str, order: list[str]) -> None:
    """Where it makes no difference between producers, the score decides."""
    assert await asked(ranking) == order


@pytest.mark.parametrize(("own", "first"), [(0.08, "on-b"), (0.3, "on-d")])
async def test_the_cheapest_supplier_comes_first(own: float, first: str) -> None:
    """A house that gets more for its power than its neighbours ask buys from them."""
    places = Places(PLACES.houses, PLACES.house_of, lambda _time_s: (own, 0.2))
    assert (await asked("price", places))[0] == first


def test_after_a_tariff_event_the_cheapest_supplier_is_another_one() -> None:
    """Until the event each house takes its own roof, which costs it less; then it sells that power dearer."""
    settings = NegotiationSettings("ranked", ranking="price")
    without = {entry.contract.job_id: entry.contract.producer for entry in run(scripted(), negotiating=settings).ledger}
    assert without == {"wash-a": "pv-a", "wash-b": "pv-b"}
    dearer = scripted('{at: "05:00", do: tariff, feed_in_eur_per_kwh: 0.3}')
    after = {entry.contract.job_id: entry.contract.producer for entry in run(dearer, negotiating=settings).ledger}
    assert after == {"wash-a": "pv-b", "wash-b": "pv-a"}


def test_a_learning_automaton_learns_to_prefer_producers_that_accept() -> None:
    """At first each producer is equally likely to be first."""
    ranking, random = ranking_for("learning"), Random(1)
    question = Question("b/washer", "b", 0, ROOFS, PLACES, random)

    def firsts() -> list[str]:
        keys = [ranking.keys(question) for _ in range(200)]
        return [ROOFS[int(each.argmin())] for each in keys if each is not None]

    assert all(30 <= firsts().count(roof) <= 70 for roof in ROOFS)
    for _ in range(20):
        ranking.learn("b/washer", "on-c")
    assert firsts().count("on-c") > 140


def test_an_unknown_ranking_is_refused_with_the_known_ones() -> None:
    """The command line reports the same error."""
    with pytest.raises(SettingsError, match="unknown ranking 'best': expected one of scores, own-roof"):
        NegotiationSettings(ranking="best")
    refused = CliRunner().invoke(app, ["run", "sunny", "--ranking", "best"])
    assert refused.exit_code == 2
    assert known_rankings()[:5] == ("scores", "own-roof", "price", "nearest", "learning")


def test_several_asked_at_once_leave_no_promise_behind(tmp_path: Path) -> None:
    """The best one that accepts gets the job, and the ledger agrees with both sides."""
    out = tmp_path / "run.sqlite"
    arguments = ["run", "street", "--bus", "memory", "--reset-scores", "--ask-at-once", "3", "--ranking", "own-roof"]
    outcome = CliRunner().invoke(app, [*arguments, "--out", str(out)])
    assert outcome.exit_code == 0, outcome.output
    with ResultsReader(out) as results:
        kinds = [message.kind for message in results.messages(1)]
        assert kinds.count("PromiseWithdrawn") > 0
        assert results.info.settings["ask_at_once"] == 3
        assert results.info.settings["ranking"] == "own-roof"
