"""All parties agree on each contract at the end of a run, in one process as in a deployment."""

from __future__ import annotations

import asyncio
import json

import pytest

from agents.model import GRID, MANAGER, Contract
from broker.errors import SsmicError
from broker.protocol import Envelopes
from broker.transport.base import Content
from broker.transport.memory import MemoryBroker
from scenarios.load import load_scenario
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import run_hosts, run_scenario
from scenarios.simulation.settings import RunSettings
from tests.virtual_time import new_virtual_loop

SETTINGS = RunSettings(seed=1, run_id="r")


class FalsifyingBroker(MemoryBroker):
    """Reports of one job's contract reach the manager with a start that is a second late."""

    def __init__(self, job_id: str | None = None, *, once: bool = False) -> None:
        super().__init__()
        self._job_id = job_id
        self._once = once

    def deliver(self, topic: str, payload: bytes | Content, *, retain: bool) -> None:
        """Deliver a batch, or a falsified one, as another process would have sent it."""
        if isinstance(payload, Envelopes) and any(e.kind == "ContractAgreed" for e in payload.envelopes):
            batch = json.loads(payload.encoded())
            for message in (message for round_ in batch["rounds"] for message in round_["messages"]):
                contract = message["body"].get("contract")
                if contract is not None and contract["job_id"] == self._job_id:
                    contract["start_s"] += 1
                    self._job_id = None if self._once else self._job_id
            payload = json.dumps(batch).encode()
        super().deliver(topic, payload, retain=retain)


async def run_in_one_process(street: Scenario, broker: MemoryBroker) -> RunOutcome:
    """Run all hosts in the clock's process."""
    return await run_scenario(street, SETTINGS, broker)


async def run_deployed(street: Scenario, broker: MemoryBroker) -> RunOutcome:
    """Run the clock with the manager, and each household for itself."""
    async with asyncio.TaskGroup() as tasks:
        for house in street.houses:
            tasks.create_task(run_hosts(street, SETTINGS, broker, [house.id]))
        return await run_scenario(street, SETTINGS, broker, [MANAGER])


def movable(street: Scenario, outcome: RunOutcome) -> Contract:
    """Return a contract that was not amended and that could start a second later."""
    latest_s = {job.job_id: job.latest_start_s for job in street.jobs}
    return next(
        entry.contract
        for entry in outcome.ledger
        if entry.state == "standing"
        and len(entry.history) == 1
        and entry.contract.producer != GRID
        and entry.contract.start_s < latest_s[entry.contract.job_id]
    )


@pytest.mark.parametrize("run", [run_in_one_process, run_deployed], ids=["in one process", "deployed"])
def test_a_contract_that_its_producer_has_not_promised_does_not_stand(run: object) -> None:
    """One report is falsified: the job finds another supplier, and all parties agree in the end."""
    assert callable(run)
    street = load_scenario("street")
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        calm = runner.run(run(street, MemoryBroker()))
        contract = movable(street, calm)
        outcome = runner.run(run(street, FalsifyingBroker(contract.job_id, once=True)))
    (found,) = [entry.contract for entry in outcome.ledger if entry.contract.job_id == contract.job_id]
    assert found.producer != contract.producer
    assert (calm.disputes, outcome.disputes) == ((), ())


def test_a_run_in_one_process_fails_if_consumer_and_ledger_differ() -> None:
    """Only this program can be at fault; the error names the job and both sides."""
    street = load_scenario("street")
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        contract = movable(street, runner.run(run_in_one_process(street, MemoryBroker())))
        with pytest.raises((SsmicError, ExceptionGroup)) as failed:
            runner.run(run_in_one_process(street, FalsifyingBroker(contract.job_id)))
    error = failed.value.exceptions[0] if isinstance(failed.value, ExceptionGroup) else failed.value
    assert f"job {contract.job_id!r}: its consumer " in str(error)
    assert "reports a contract with 'grid' from " in str(error)
    assert "the ledger has no contract" in str(error)


@pytest.mark.long
def test_a_deployed_run_ends_and_names_the_household_that_differs() -> None:
    """The household that reports wrong contracts has none, and no other household is concerned."""
    street = load_scenario("street")
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        calm = runner.run(run_deployed(street, MemoryBroker()))
        contract = movable(street, calm)
        outcome = runner.run(run_deployed(street, FalsifyingBroker(contract.job_id)))
    assert outcome.state == "done"
    agent = next(job.agent for job in street.jobs if job.job_id == contract.job_id)
    assert any(contract.job_id in dispute and agent in dispute for dispute in outcome.disputes)
    assert contract.job_id not in {entry.contract.job_id for entry in outcome.ledger}
