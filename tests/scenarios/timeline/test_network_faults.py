"""Faults of the network that the timeline asks for."""

from __future__ import annotations

import asyncio
import os
import signal
from math import inf
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from broker.clock.pacing import Moment
from broker.protocol.retry_timeouts import Timeouts
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.transport import MqttBroker
from broker.transport.memory import MemoryBroker
from scenarios.simulation.run import RunCallbacks, run_scenario
from scenarios.simulation.settings import RunSettings
from scenarios.timeline.network_faults import DisturbedBroker, NetworkFaults
from tests.patience import PATIENCE_WALL_S
from tests.scenarios.timeline.two_roofs import scripted
from tests.virtual_time import new_virtual_loop


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
async def test_a_host_behind_a_disturbed_link_knows_when_the_broker_is_away() -> None:
    """Otherwise it would take a broker's outage for the silence of its clock, and give up."""
    async with managed_mosquitto() as running:
        broker = MqttBroker(running.url)
        disturbed = DisturbedBroker(broker, "a", NetworkFaults(broker, {"a": "a"}, seed=1, restart=None))
        async with disturbed.connect("a") as bus:
            assert bus.is_connected
            assert running.pid is not None
            os.kill(running.pid, signal.SIGKILL)
            async with asyncio.timeout(PATIENCE_WALL_S):
                while bus.is_connected:
                    await asyncio.sleep(0.01)


class CountingBroker(MemoryBroker):
    """Counts how often it is restarted."""

    restarts = 0

    def restart(self) -> None:
        self.restarts += 1
        super().restart()


def test_a_resumed_run_does_not_restart_the_broker_again(tmp_path: Path) -> None:
    """Its journal is replayed, and with it the events that have taken place; none acts, or is logged, a second time."""
    scenario = scripted("{at: '06:00', do: restart_broker}\n{at: '08:00', do: restart_broker}")
    settings = RunSettings(seed=1, run_id="r", journals=tmp_path, patience=Timeouts(limit_wall_s=1e6))
    broker = CountingBroker()

    async def run_until(time_s: float) -> None:
        def on_moment(moment: Moment) -> None:
            if moment.time_s >= time_s:
                running.cancel()

        of_process = run_scenario(scenario, settings, broker, callbacks=RunCallbacks(on_moment=on_moment))
        running = asyncio.create_task(of_process)
        await asyncio.wait([running])
        assert running.cancelled() is (time_s < inf)

    with capture_logs() as logs, asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        runner.run(run_until(scenario.start_s + 7 * 3600))
        assert broker.restarts == 1
        runner.run(run_until(inf))
        assert broker.restarts == 2
    assert [entry["n"] for entry in logs if entry["event"] == "event of the timeline"] == [1, 2]
