"""The central guarantee: the same scenario and seed give the same ledger, on any hosts, with any losses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import given, settings, strategies as st

from agents.scheduling.settings import AlgorithmSettings
from broker.protocol.retry_timeouts import Timeouts
from broker.servers.embedded import embedded_broker
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.transport import MqttBroker
from broker.transport.base import Broker
from broker.transport.memory import MemoryBroker
from scenarios.generate.bundle import SCENARIOS
from scenarios.load import load_scenario
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tests.faults.network import Faults, FaultyBroker
from tests.virtual_time import new_virtual_loop


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
        patience=Timeouts(limit_wall_s=1e6),
    )
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        return runner.run(run_scenario(scenario, run_settings, broker or MemoryBroker()))


@pytest.fixture(scope="module")
def street() -> Scenario:
    """The bundled street."""
    return load_scenario("street")


LARGE = 50
"""Houses."""
SOURCES = ["test", *SCENARIOS]
"""PySSMic's larger input, and all bundled ones that are generated; for the others see `test_gallery.py`."""


BAD_NETWORK = Faults(drop=0.05, double=0.1, delay_most_wall_s=1.0, reconnect=0.005)
LESS_BAD_NETWORK = Faults(drop=0.003, double=0.03, delay_most_wall_s=0.4, reconnect=0.0005)
"""For a large neighbourhood: a thousand faults are enough, and what is lost takes processor time to be sent again."""


async def ledgers_everywhere(scenario: Scenario, seed: int, algorithm: str) -> dict[str, str]:
    """Run on every kind of bus and with every spread of agents; return the ledgers' hashes.

    A large neighbourhood runs once on each kind of bus, with another spread on each: all of both, in a minute.
    """
    is_large = len(scenario.houses) >= LARGE
    found: dict[str, str] = {}

    async def add(name: str, broker: Broker, *hosts: int | None) -> None:
        for count in hosts[:1] if is_large else hosts:
            run_id = f"{name}-{count}"
            settings = RunSettings(seed=seed, run_id=run_id, hosts=count, algorithm=AlgorithmSettings(algorithm))
            found[run_id] = (await run_scenario(scenario, settings, broker)).ledger_sha256

    await add("memory", MemoryBroker(), 1, 3, None)
    if find_mosquitto() is not None:
        async with managed_mosquitto() as mosquitto:
            await add("Mosquitto", MqttBroker(mosquitto.url), None)
    async with embedded_broker() as embedded:
        await add("embedded", MqttBroker(embedded.url), 3)
    return found


def cases() -> Iterator[object]:
    """Every scenario, algorithm and seed; but of the village one seed, for its size is the only thing new about it."""
    for source in SOURCES:
        for algorithm, seeds in (("insertion", (1,)), ("fifty_fifty", (1,) if source == "village" else range(1, 6))):
            for seed in seeds:
                marks = () if (source, algorithm) == ("street", "insertion") else pytest.mark.long
                yield pytest.param(source, algorithm, seed, marks=marks, id=f"{source}-{algorithm}-{seed}")


@pytest.mark.timeout(3600)  # bounds a hang: the village takes a minute on an idle machine
@pytest.mark.parametrize(("source", "algorithm", "seed"), cases())
def test_hosts_and_transport_change_no_ledger(
    source: str, algorithm: str, seed: int, request: pytest.FixtureRequest
) -> None:
    """One host, three, one per household; memory, embedded, Mosquitto, a bad network: one ledger for every seed."""
    scenario = load_scenario(request.getfixturevalue("pyssmic_inputs") / source if source == "test" else source)
    with asyncio.Runner() as runner:  # without asyncio's debug mode, which takes most of the time
        runner.get_loop().set_debug(False)
        found = runner.run(ledgers_everywhere(scenario, seed, algorithm))
    faults = LESS_BAD_NETWORK if len(scenario.houses) >= LARGE else BAD_NETWORK
    broker, hosts = FaultyBroker(MemoryBroker(), faults, seed), (None, 1, 3)[seed % 3]
    found["bad network"] = run(scenario, broker, seed=seed, hosts=hosts, algorithm=algorithm).ledger_sha256
    assert len(set(found.values())) == 1, found


@pytest.mark.parametrize(
    "source", [source if source == "street" else pytest.param(source, marks=pytest.mark.long) for source in SOURCES]
)
def test_insertion_draws_no_random_numbers(source: str, request: pytest.FixtureRequest) -> None:
    """So results for its first seed hold for all seeds."""
    scenario = load_scenario(request.getfixturevalue("pyssmic_inputs") / source if source == "test" else source)
    seeds = (1, 2) if len(scenario.houses) >= LARGE else range(1, 6)
    assert len({run(scenario, seed=seed).ledger_sha256 for seed in seeds}) == 1


def test_chance_comes_from_the_seed(street: Scenario) -> None:
    """Another seed gives another ledger where an algorithm draws lots."""
    assert len({run(street, seed=seed, algorithm="fifty_fifty").ledger_sha256 for seed in range(5)}) > 1


@pytest.mark.long
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
    scenario, undisturbed_sha256 = _undisturbed_street()
    disturbed = run(scenario, FaultyBroker(MemoryBroker(), faults, seed), hosts=hosts)
    assert disturbed.ledger_sha256 == undisturbed_sha256


@cache
def _undisturbed_street() -> tuple[Scenario, str]:
    """Return the street and its ledger's hash on one host, once for all examples: a fixture is not for them."""
    scenario = load_scenario("street")
    return scenario, run(scenario, hosts=1).ledger_sha256
