"""The promise that all stands on: same scenario, same seed, same ledger, wherever agents live, whatever is lost."""

from __future__ import annotations

import asyncio

import looptime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.scheduling.settings import AlgorithmSettings
from broker.bus import Broker
from broker.memory import MemoryBroker
from broker.patience import Patience
from scenarios.files import load_scenario
from scenarios.outcome import RunOutcome
from scenarios.runner import RunSettings, run_once
from scenarios.scenario import Scenario
from tests.faults.network import Faults, FaultyBroker


def run(
    scenario: Scenario,
    broker: Broker | None = None,
    *,
    seed: int = 1,
    hosts: int | None = 1,
    algorithm: str = "insertion",
) -> RunOutcome:
    """Run in an event loop whose wall clock jumps when nothing happens: waiting for what is lost costs nothing."""
    run_settings = RunSettings(
        seed=seed,
        run_id="run",
        hosts=hosts,
        algorithm=AlgorithmSettings(algorithm),
        patience=Patience(limit_wall_s=1e6),
    )
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        return runner.run(run_once(scenario, run_settings, broker or MemoryBroker()))


@pytest.fixture(scope="module")
def street() -> Scenario:
    """The bundled street."""
    return load_scenario("street")


@pytest.mark.parametrize("algorithm", ["insertion", "fifty_fifty"])
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_the_number_of_hosts_changes_nothing(street: Scenario, seed: int, algorithm: str) -> None:
    """One host, three, one a household: the same ledger."""
    ledgers = {run(street, seed=seed, hosts=hosts, algorithm=algorithm).ledger_sha256 for hosts in (1, 3, None)}
    assert len(ledgers) == 1


def test_chance_comes_from_the_seed(street: Scenario) -> None:
    """Another seed gives another ledger where an algorithm draws lots."""
    assert len({run(street, seed=seed, algorithm="fifty_fifty").ledger_sha256 for seed in range(5)}) > 1


@settings(max_examples=15, deadline=None)
@given(
    faults=st.builds(
        Faults,
        drop=st.floats(0, 0.3),
        double=st.floats(0, 0.3),
        delay_most_wall_s=st.floats(0, 3),
        reconnect=st.floats(0, 0.02),
    ),
    seed=st.integers(0, 2**32),
    hosts=st.sampled_from([1, 3, None]),
)
def test_a_network_that_misbehaves_changes_nothing(faults: Faults, seed: int, hosts: int | None) -> None:
    """Delay, loss, duplicates, reordering, broken connections: the same ledger, only later."""
    scenario = _street()
    undisturbed = run(scenario, hosts=1)
    disturbed = run(scenario, FaultyBroker(MemoryBroker(), faults, seed), hosts=hosts)
    assert disturbed.ledger_sha256 == undisturbed.ledger_sha256


_STREET: list[Scenario] = []


def _street() -> Scenario:
    if not _STREET:
        _STREET.append(load_scenario("street"))
    return _STREET[0]
