"""A single agent, driven like by its host: messages and virtual time in, messages out."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import BaseModel

from agents.messages import AnyMessage
from broker.hosts.agent import Agent, Outgoing, Received

T = TypeVar("T")


class Stage:
    """The agent's host: all messages sent to it here are delivered in one round."""

    def __init__(self, agent: Agent[AnyMessage], now_s: int) -> None:
        self.agent = agent
        self._runner = asyncio.Runner()
        self._seq = 0
        agent.prepare(seed=1, now_s=now_s)
        self._life = self._run(self._begin())
        self.first = self._sent()

    def say(self, *said: tuple[str, AnyMessage], re: Outgoing | None = None, sent_in: int = 0) -> list[Outgoing]:
        """Deliver messages, each with its sender, in one round; return what the agent sends in it.

        Args:
            said: Senders and messages.
            re: The question that those among them answer which come from whom it was sent to.
            sent_in: The step in which they were sent.
        """
        for sender, message in said:
            self._seq += 1
            received = Received(sender=sender, seq=self._seq, message=message, step=sent_in)
            self.agent.deliver(received, None if re is None else re.seq)
        return self._sent()

    def wait_until(self, time_s: int, step: int = 0) -> list[Outgoing]:
        """Advance virtual time to a moment, and to a step of the run; return what the agent sends then."""
        self.agent.advance(time_s, step)
        return self._sent()

    def close(self) -> list[Outgoing]:
        """Reach the run's end; return what the agent sends."""
        self.agent.close()
        return self._sent()

    def lose(self, *agents: str) -> list[Outgoing]:
        """Report other agents as lost for good; return what the agent sends."""
        self.agent.mark_lost(agents)
        return self._sent()

    def lapse(self) -> list[Outgoing]:
        """Let the agent's unanswered requests lapse; return what it sends."""
        self.agent.lapse()
        return self._sent()

    def leave(self) -> None:
        """End the agent's life."""
        self._life.cancel()
        self._runner.close()

    async def _begin(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.agent.live())

    def _sent(self) -> list[Outgoing]:
        self._run(self.agent.coroutines.wait_all_blocked())
        assert self.agent.coroutines.failure is None, self.agent.coroutines.failure
        return self.agent.collect()[0]

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)


@contextmanager
def on_stage(agent: Agent[AnyMessage], now_s: int) -> Iterator[Stage]:
    """Let an agent live as long as the context."""
    stage = Stage(agent, now_s)
    try:
        yield stage
    finally:
        stage.leave()


def to(who: str, sent: list[Outgoing]) -> list[BaseModel]:
    """Return the messages sent to an agent, in order."""
    return [outgoing.message for outgoing in sent if outgoing.to == who]


def only(sent: list[Outgoing]) -> Outgoing:
    """Return the only message that was sent."""
    (outgoing,) = sent
    return outgoing
