"""The port of a host: what connects its agents with the world outside the run.

All other inputs of a host are grants and messages, so a run is reproducible. Input from outside is taken in the first
round of a second, delivered like messages, and journaled with them. A port that provides the same input at the same
seconds leads to the same run.
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
