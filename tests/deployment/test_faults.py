"""Processes killed, links cut, brokers restarted: the same ledger. A selection; all of it: `make faults`."""

from __future__ import annotations

import asyncio

import pytest

from broker.servers.mosquitto import find_mosquitto
from broker.transport.memory import MemoryBroker
from scenarios.load import load_scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tests.faults.processes import KINDS, Disturbance, Fault, prepare, run_disturbed

pytestmark = [
    pytest.mark.skipif(find_mosquitto() is None, reason="needs Mosquitto: apt-get install mosquitto"),
]
HOUSES = tuple(house.id for house in load_scenario("street").houses)


@pytest.fixture(scope="module")
def calm() -> RunOutcome:
    """The street in one process, in memory, undisturbed."""
    prepare()
    return asyncio.run(run_scenario(load_scenario("street"), RunSettings(seed=1, run_id="calm"), MemoryBroker()))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(len(KINDS)))
async def test_a_disturbance_changes_no_ledger(calm: RunOutcome, seed: int) -> None:
    """Faults of processes, links and the broker do not change the ledger or the record of a run."""
    result = await run_disturbed("street", HOUSES, Disturbance.draw(seed, HOUSES, calm.rounds), seed)
    assert not result.problems, "\n".join(result.problems)
    assert result.ledger_sha256 == calm.ledger_sha256
    assert result.messages == calm.messages


@pytest.mark.long
@pytest.mark.parametrize("on_loss", ["drop", "fail"])
async def test_a_household_that_never_comes_back(calm: RunOutcome, on_loss: str) -> None:
    """As `--on-loss` says, the run continues without it and loses its jobs, or fails and all leave."""
    lost = HOUSES[0]
    never = Disturbance((Fault("lose", lost, step=40, away_wall_s=0),))
    options = ("--on-loss", on_loss, "--limit", "60")  # all have to be there within it as well, on a busy machine too
    result = await run_disturbed("street", HOUSES, never, 1, options)
    others = {name: code for name, code in result.codes.items() if name != lost}
    log = "\n".join(result.problems)
    if on_loss == "drop":
        assert set(others.values()) == {0}, log
        assert result.came_out["state"] == "done"
        assert result.came_out["kpis"]["jobs_lost"] > 0
        assert result.ledger_sha256 != calm.ledger_sha256
    else:
        assert set(others.values()) == {1}, log
        assert result.came_out["state"] == "failed"
        assert lost in result.came_out["error"]
        assert log.count("leaves, the run has failed") == len(HOUSES) - 1


@pytest.mark.long
async def test_a_second_copy_of_a_household_is_refused(calm: RunOutcome) -> None:
    """It gets an error and leaves; the first one continues."""
    twice = Disturbance((Fault("second copy", HOUSES[0], step=6, away_wall_s=0), Fault("cut", HOUSES[1], 20, 1.5)))
    result = await run_disturbed("street", HOUSES, twice, 1)
    assert not result.problems, "\n".join(result.problems)
    assert result.refused == 1
    assert result.ledger_sha256 == calm.ledger_sha256
