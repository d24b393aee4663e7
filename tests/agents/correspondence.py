"""Agents that a test writes the letters for: they send at given times and keep what they receive."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agents.messages import MESSAGES, AnyMessage
from broker.clock.clock import Clock
from broker.clock.settings import ClockSettings
from broker.hosts.agent import Agent
from broker.hosts.host import Host
from broker.transport.memory import MemoryBroker

Letter = tuple[int, str, AnyMessage]
"""Virtual time in seconds, receiver, message."""


class Correspondent(Agent[AnyMessage]):
    """Sends letters at given times, and answers nothing."""

    def __init__(self, agent_id: str, *letters: Letter) -> None:
        super().__init__(agent_id)
        self.letters = letters
        self.received: list[tuple[int, str, AnyMessage]] = []
        """Virtual time in seconds, sender and message, in the order of arrival."""

    async def run(self) -> None:
        self.spawn(self._write(), "write")
        while True:
            received = await self.receive()
            self.received.append((self.now_s, received.sender, received.message))

    async def _write(self) -> None:
        for time_s, to, message in self.letters:
            await self.until(time_s)
            self.send(to, message)

    def messages(self) -> list[AnyMessage]:
        """Return the received messages, without time and sender."""
        return [message for _, _, message in self.received]


async def correspond(agents: Sequence[Agent[AnyMessage]], *, end_s: int | None = None) -> None:
    """Run agents, each on its own host, until no messages or timers are left, or until the end."""
    broker = MemoryBroker()
    homes = {f"home of {agent.id}": (agent.id,) for agent in agents}
    async with asyncio.TaskGroup() as tasks:
        for agent in agents:
            tasks.create_task(Host(f"home of {agent.id}", "run", [agent], MESSAGES, seed=1).run(broker))
        await Clock(ClockSettings("run", homes, 0, end_s)).run(broker)
