"""A run over several brokers that are bridged by district: counted as over one, so the ledger is the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agents.model import MANAGER
from broker.clock import Moment
from broker.protocol import Timeouts
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.servers.own_broker import RunningBroker
from broker.transport import Delivery, MemoryBroker, MqttBroker
from scenarios.load import load_scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import RunCallbacks, run_hosts, run_scenario
from scenarios.simulation.settings import RunSettings
from tests.patience import PATIENCE_WALL_S

STREET = load_scenario("street")
SETTINGS = RunSettings(seed=1, run_id="r", patience=Timeouts(resend_wall_s=0.2, limit_wall_s=PATIENCE_WALL_S))
BRIDGE = """\
connection centre
address 127.0.0.1:{port}
topic ssmic/# both 1
bridge_protocol_version mqttv311
notifications false
restart_timeout 1
"""

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(find_mosquitto() is None, reason="Mosquitto is not installed"),
]


@asynccontextmanager
async def bridged_mosquittos() -> AsyncIterator[tuple[RunningBroker, RunningBroker]]:
    """Have two brokers, the second one bridged to the first."""
    async with managed_mosquitto() as centre:
        port = centre.url.port
        async with managed_mosquitto(extra_configuration=BRIDGE.format(port=port), restart=True) as district:
            yield centre, district


async def run_over(centre: RunningBroker, district: RunningBroker, *, restart_at_step: int | None = None) -> RunOutcome:
    """Run the clock, the manager and half of the houses at the centre, and the other houses in the district."""
    houses = [house.id for house in STREET.houses]

    def note(moment: Moment) -> None:
        if restart_at_step is not None and moment.step == restart_at_step and district.restart is not None:
            district.restart()

    async with asyncio.TaskGroup() as tasks:
        for broker, here in ((centre, houses[::2]), (district, houses[1::2])):
            tasks.create_task(run_hosts(STREET, SETTINGS, MqttBroker(broker.url), here))
        return await run_scenario(
            STREET, SETTINGS, MqttBroker(centre.url), [MANAGER], callbacks=RunCallbacks(on_moment=note)
        )


async def undisturbed_ledger() -> str:
    """Return the hash of the ledger of a run in memory."""
    return (await run_scenario(STREET, SETTINGS, MemoryBroker())).ledger_sha256


async def test_a_run_over_two_bridged_brokers_has_the_same_ledger() -> None:
    """Watchers at either broker see the run."""
    async with bridged_mosquittos() as (centre, district), MqttBroker(district.url).connect("watcher") as watcher:
        await watcher.subscribe("ssmic/r/ledger/+")
        outcome = await run_over(centre, district)
        async with asyncio.timeout(PATIENCE_WALL_S):
            event = await anext(watcher.messages())
    assert isinstance(event, Delivery)
    assert outcome.state == "done"
    assert outcome.ledger_sha256 == await undisturbed_ledger()


async def test_a_district_whose_broker_is_restarted_changes_nothing() -> None:
    """Messages lost on the bridge are requested again."""
    async with bridged_mosquittos() as (centre, district):
        outcome = await run_over(centre, district, restart_at_step=40)
    assert outcome.state == "done"
    assert outcome.ledger_sha256 == await undisturbed_ledger()
