"""A guarded broker for each module of attacks."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator

import pytest

from broker.security.provision import Guard, write_guard
from broker.servers.mosquitto import find_mosquitto
from broker.servers.own_broker import free_port
from broker.transport.memory import MemoryBroker
from scenarios.load import load_scenario
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tests.deployment.guarded import GuardedBroker
from tests.patience import PATIENCE_WALL_S


@pytest.fixture(scope="session")
def street() -> Scenario:
    """The bundled street."""
    return load_scenario("street")


@pytest.fixture(scope="session")
def calm(street: Scenario) -> RunOutcome:
    """The outcome of the undisturbed street."""
    return asyncio.run(run_scenario(street, RunSettings(seed=1, run_id="calm"), MemoryBroker()))


@pytest.fixture(scope="module")
def guarded(street: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedBroker]:
    """A Mosquitto with the generated configuration and a login for each house of the street."""
    program = find_mosquitto()
    if program is None:
        pytest.skip("mosquitto is not installed")
    folder = tmp_path_factory.mktemp("guard")
    port = free_port()
    write_guard(folder, Guard(tuple(house.id for house in street.houses), ("manager",), port=port))
    configuration = folder / "broker" / "mosquitto-host.conf"
    if os.geteuid() == 0:
        # Else it becomes a user who may not read here.
        written = configuration.read_text(encoding="utf-8")
        configuration = folder / "as-root.conf"
        configuration.write_text(f"{written}user root\n", encoding="utf-8")
    log_file = folder / "log"
    with log_file.open("wb") as log:
        process = subprocess.Popen([program, "-c", configuration], stdout=log, stderr=log)
    running = GuardedBroker(folder, port, log_file, process.pid, by_certificate=False)
    give_up_wall_s = time.monotonic() + PATIENCE_WALL_S
    while " running" not in running.log:
        assert process.poll() is None, running.log
        assert time.monotonic() < give_up_wall_s, running.log
        time.sleep(0.01)
    try:
        yield running
    finally:
        process.kill()
        process.wait()
