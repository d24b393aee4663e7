"""A host with many agents sends more messages than a small one may."""

from __future__ import annotations

import pytest

from broker.hosts.agent import Agent
from broker.protocol import MAX_BUFFERED_MESSAGES
from broker.transport.memory import MemoryBroker
from tests.broker.clock.test_clock import Echo, Ping, run

BURSTS = 5


class Loud(Agent[Ping]):
    """Sends bursts of messages within one second, and waits for the echo of each."""

    def __init__(self, burst: int, bursts: int) -> None:
        super().__init__("loud")
        self.burst = burst
        self.bursts = bursts
        self.echoes = 0

    async def run(self) -> None:
        """Begin at second 5."""
        await self.until(5)
        for _ in range(self.bursts):
            for n in range(self.burst):
                self.send("silent-0", Ping(n=n))
            await self.ask("echo", Ping(n=0))
            self.echoes += 1


class Silent(Agent[Ping]):
    """Receives and ignores messages."""

    async def run(self) -> None:
        """Receive them."""
        while True:
            await self.receive()


@pytest.mark.long
@pytest.mark.parametrize(
    ("burst", "bursts", "silent"),
    [(MAX_BUFFERED_MESSAGES // BURSTS + 1, BURSTS, 1), (MAX_BUFFERED_MESSAGES, 1, 10_001)],
)
async def test_a_host_alone_sends_as_many_messages_as_its_agents_need(burst: int, bursts: int, silent: int) -> None:
    """In the rounds of one second together, whatever its size; a large one also in one round."""
    loud = Loud(burst, bursts)
    quiet = [Silent(f"silent-{number}") for number in range(silent)]
    await run(MemoryBroker(), {"a": [loud, Echo("echo"), *quiet]})
    assert loud.echoes == bursts
