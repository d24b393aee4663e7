"""The error of a failed run is the clock's, which says why, not that of a host that leaves because of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from agents.model import MANAGER
from broker import HostsMissingError
from broker.protocol.retry_timeouts import Timeouts
from broker.transport.base import Broker, Bus, Will
from broker.transport.memory import MemoryBroker
from scenarios.load import load_scenario
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tests.broker.hosts.test_sessions import quickly


class SlowToDisconnect:
    """A broker that takes a second to close the clock's connection."""

    def __init__(self, broker: Broker) -> None:
        """Stand before a broker."""
        self._broker = broker

    def connect(self, client_id: str, will: Will | None = None) -> AbstractAsyncContextManager[Bus]:
        """See `broker.transport.Broker`."""
        return self._connect(client_id, will)

    @asynccontextmanager
    async def _connect(self, client_id: str, will: Will | None) -> AsyncIterator[Bus]:
        async with self._broker.connect(client_id, will) as bus:
            try:
                yield bus
            finally:
                if "clock" in client_id:
                    await asyncio.sleep(1.0)


def test_the_manager_that_leaves_first_does_not_hide_why_the_run_failed() -> None:
    """No household comes; the manager's host hears of that while the clock still disconnects."""
    settings = RunSettings(seed=1, run_id="r", patience=Timeouts(limit_wall_s=30.0))
    with pytest.raises(HostsMissingError, match="'adler'"):
        quickly(run_scenario(load_scenario("street"), settings, SlowToDisconnect(MemoryBroker()), [MANAGER]))
