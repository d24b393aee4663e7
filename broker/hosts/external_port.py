"""The port of a host: what connects its agents with the world outside the run.

All other inputs of a host are grants and messages, so a run is reproducible. Input from outside is taken in the first
round of a second, delivered like messages, and journaled with them. A port that provides the same input at the same
seconds leads to the same run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, TypeAdapter

from broker.hosts.agent import Instruction
from broker.hosts.rounds import Round, RoundRecord
from broker.protocol import Backoff, Envelope, Wake, topics
from broker.transport import Bus


@dataclass(frozen=True, slots=True)
class Incoming:
    """Something from outside the run for an agent."""

    agent: str
    message: BaseModel
    """One of the messages between agents; the agent receives it as if it had sent it to itself."""


class Port(Protocol):
    """Connects a host's agents with the world outside the run."""

    @property
    def waiting(self) -> asyncio.Event:
        """Set while something from outside waits for a round."""
        ...

    @property
    def next_s(self) -> int | None:
        """When the port will have input without a prior wake-up, UNIX seconds; None: not known."""
        ...

    def take(self, now_s: int) -> Sequence[Incoming]:
        """Return the input from outside since the last call, in the order of arrival.

        Args:
            now_s: Virtual time, UNIX seconds.
        """
        ...

    def restore(self, taken: Sequence[Incoming], instructions: Sequence[Instruction], now_s: int) -> None:
        """Restore the state after a round that ran before the host's process was restarted.

        Args:
            taken: Input from outside in that round.
            instructions: Instructions of its agents to the world outside; not to be carried out again.
            now_s: Virtual time of the round, UNIX seconds.
        """
        ...

    async def carry_out(self, instructions: Sequence[Instruction], now_s: int) -> None:
        """Carry out instructions of agents; must return quickly, because a round waits for it.

        Args:
            instructions: In the order in which the agents gave them.
            now_s: Virtual time, UNIX seconds.
        """
        ...


class ExternalInput:
    """The input of a host from outside the run: what waits for a round, and what a round has taken."""

    def __init__(self, port: Port, session: str, messages: TypeAdapter[Any]) -> None:
        """Create it.

        Args:
            port: Connects the host's agents with the world outside the run.
            session: The session of the host's process.
            messages: Validates and builds the messages between agents.
        """
        self.port = port
        self._session = session
        self._messages = messages
        self._taken = asyncio.Event()
        """Set when the waiting input was taken."""
        self._taken_step = -1

    def take(self, grant: Round) -> tuple[Envelope, ...]:
        """Return the waiting input for a round as messages; none if the round does not take any.

        Each has its recipient as sender: no other agent sends those.
        """
        if not _takes_input(grant):
            return ()
        taken = self.port.take(grant.time)
        self._taken_step = grant.step
        self._taken.set()
        return tuple(
            Envelope(
                session=self._session,
                step=max(0, grant.step - 1),
                time=grant.time,
                round=grant.round,
                sender=incoming.agent,
                seq=number,
                to=incoming.agent,
                message=incoming.message,
            )
            for number, incoming in enumerate(taken)
        )

    def restore(self, record: RoundRecord) -> None:
        """Restore the state of the port, and of requests for rounds, after a round that ran before a restart."""
        if _takes_input(record.grant):
            self._taken_step = record.grant.step
        ours = [envelope for envelope in record.delivered if envelope.sender == envelope.to]
        taken = [Incoming(envelope.to, self._messages.validate_python(envelope.body)) for envelope in ours]
        self.port.restore(taken, record.instructions, record.grant.time)

    async def keep_waking(self, bus: Bus, topic: str, backoff: Backoff) -> None:
        """Ask the clock for a round whenever input is waiting, until it has been taken; until cancelled.

        Args:
            bus: The connection.
            topic: Where the clock reads such requests.
            backoff: How long to wait before asking again.
        """
        while True:
            await self.port.waiting.wait()
            self._taken.clear()
            wake = Wake(session=self._session, taken=self._taken_step)
            await bus.publish(topic, wake, qos=topics.QOS_AT_MOST_ONCE)
            try:
                async with asyncio.timeout(backoff.pause_wall_s):
                    await self._taken.wait()
                backoff.reset()
            except TimeoutError:  # the request was lost, or the run is paused
                backoff.double()


def _takes_input(grant: Round) -> bool:
    """Return whether input from outside is taken in a round: only in the first one of a second."""
    return grant.phase == "run" and grant.round == 0
