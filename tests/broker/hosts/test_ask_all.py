"""An agent that asks several others at once."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from broker.hosts.agent import Agent, AskLapsedError, Received
from tests.patience import PATIENCE_WALL_S


class Note(BaseModel):
    text: str


class Asker(Agent[Note]):
    answers: tuple[object, ...] = ()

    async def run(self) -> None:
        self.answers = tuple(await self.ask_all([(to, Note(text="?")) for to in ("near", "far", "silent")]))


async def test_an_agent_is_quiet_while_some_of_those_that_it_asked_have_not_answered() -> None:
    """Their answers may come in different rounds, and one may never come: its host must not wait for it forever."""
    agent = Asker("asker")
    agent.prepare(1, 0)
    living = asyncio.create_task(agent.live())
    async with asyncio.timeout(PATIENCE_WALL_S):
        await agent.coroutines.wait_all_blocked()
        sent, _ = agent.collect()
        for question in sent[1::-1]:  # the far one answers first
            agent.deliver(Received(question.to, 0, Note(text=question.to)), re=question.seq)
            await agent.coroutines.wait_all_blocked()
            assert agent.is_asking
            assert agent.answers == ()
        agent.lapse()
        await living
    near, far, silent = agent.answers
    assert (near, far) == (Note(text="near"), Note(text="far"))
    assert isinstance(silent, AskLapsedError)
