"""What an agent receives in a round: any number of messages, since other households decide about that."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest
from pydantic import BaseModel

from broker.errors import SsmicError
from broker.hosts import Agent, Received
from broker.hosts.coroutines import MAX_WAITING_MESSAGES


class Note(BaseModel):
    """A message."""

    kind: Literal["Note"] = "Note"


class Reader(Agent[Note]):
    """Counts what it receives, unless it is idle."""

    def __init__(self, *, reads: bool) -> None:
        super().__init__("reader")
        self._reads = reads
        self.received = 0

    async def run(self) -> None:
        while self._reads:
            self.received += len(await self.receive_round())
        await self.closing()


async def flood(reader: Reader) -> None:
    """Deliver more messages than may wait, in one round, and begin the next one."""
    reader.prepare(seed=1, now_s=0)
    life = asyncio.create_task(reader.live())
    try:
        await reader.coroutines.wait_all_blocked()
        for seq in range(MAX_WAITING_MESSAGES + 1):
            reader.deliver(Received("liar", seq, Note()), None)
        await reader.coroutines.wait_all_blocked()
        reader.advance(0, 1)
    finally:
        life.cancel()


@pytest.mark.long
def test_a_flood_of_messages_in_one_round_ends_no_agent() -> None:
    """Each is delivered, however many households send them."""
    reader = Reader(reads=True)
    asyncio.run(flood(reader))
    assert reader.received == MAX_WAITING_MESSAGES + 1


@pytest.mark.long
def test_an_agent_that_reads_nothing_fails() -> None:
    """That is a defect of the agent, not of those who write to it."""
    with pytest.raises(SsmicError, match="'reader' does not read its messages"):
        asyncio.run(flood(Reader(reads=False)))
