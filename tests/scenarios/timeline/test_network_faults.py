"""A host whose link the timeline disturbs; with a real Mosquitto."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.transport import MqttBroker
from scenarios.timeline.network_faults import Disturbances, DisturbedBroker
from tests.patience import PATIENCE_WALL_S


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
async def test_a_host_behind_a_disturbed_link_knows_when_the_broker_is_away() -> None:
    """Otherwise it would take a broker's outage for the silence of its clock, and give up."""
    async with managed_mosquitto() as running:
        broker = MqttBroker(running.url)
        disturbed = DisturbedBroker(broker, "a", Disturbances(broker, {"a": "a"}, seed=1, restart=None))
        async with disturbed.connect("a") as bus:
            assert bus.is_connected
            assert running.pid is not None
            os.kill(running.pid, signal.SIGKILL)
            async with asyncio.timeout(PATIENCE_WALL_S):
                while bus.is_connected:
                    await asyncio.sleep(0.01)
