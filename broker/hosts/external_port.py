"""The port of a host: what connects its agents with the world outside the run.

Everything else that enters a host is a grant or a message, so a run repeats. What comes from outside is taken in the
first round of a second, delivered like messages, and journaled with them: from then on it is an input of the run like
any other, and a port that gives out the same things at the same seconds leads to the same run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel

from broker.hosts.agent import Instruction


@dataclass(frozen=True, slots=True)
class Incoming:
    """Something from outside the run for an agent."""

    agent: str
    message: BaseModel
    """One of the messages between agents; the agent receives it as if it had sent it to itself."""


class Port(Protocol):
    """Where a host's agents meet the world outside."""

    @property
    def waiting(self) -> asyncio.Event:
        """Set while something from outside waits for a round."""
        ...

    @property
    def next_s(self) -> int | None:
        """When it has something to give out without being woken, UNIX seconds; None: it does not know."""
        ...

    def take(self, now_s: int) -> Sequence[Incoming]:
        """Return what has come from outside since the last call, in the order of arrival.

        Args:
            now_s: Virtual time, UNIX seconds.
        """
        ...

    def restore(self, taken: Sequence[Incoming], instructions: Sequence[Instruction], now_s: int) -> None:
        """Take note of a round that ran before the host's process was restarted.

        Args:
            taken: What came from outside in it.
            instructions: What its agents told the world outside; not to be carried out again.
            now_s: Virtual time of the round, UNIX seconds.
        """
        ...

    async def carry_out(self, instructions: Sequence[Instruction], now_s: int) -> None:
        """Carry out what agents tell the world outside; must return soon, as a round waits for it.

        Args:
            instructions: In the order in which the agents gave them.
            now_s: Virtual time, UNIX seconds.
        """
        ...
