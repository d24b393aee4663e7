"""The messages of devices in a run, second by second, from which the run can be repeated without them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agents import DeviceSaid
from broker.hosts import Incoming, Instruction


@dataclass(frozen=True, slots=True)
class RecordedDeviceMessage:
    """A message of a device, as its agent received it."""

    time_s: int
    """Virtual time, UNIX seconds."""
    agent: str
    """Id of the agent that received it."""
    message: DeviceSaid


class ReplayPort:
    """A port that gives out what was recorded (`broker.hosts.Port`)."""

    def __init__(self, recorded: Iterable[RecordedDeviceMessage]) -> None:
        """Create a port.

        Args:
            recorded: Messages to the agents of one host, in the order of delivery.
        """
        self.waiting = asyncio.Event()
        self._due: dict[int, list[Incoming]] = defaultdict(list)
        for each in recorded:
            self._due[each.time_s].append(Incoming(each.agent, each.message))
        self._times_s = sorted(self._due, reverse=True)

    @property
    def next_s(self) -> int | None:
        """See `Port.next_s`."""
        return self._times_s[-1] if self._times_s else None

    def take(self, now_s: int) -> Sequence[Incoming]:
        """See `Port.take`."""
        while self._times_s and self._times_s[-1] <= now_s:
            self._times_s.pop()
        return self._due.pop(now_s, [])

    def restore(self, taken: Sequence[Incoming], instructions: Sequence[Instruction], now_s: int) -> None:
        """See `Port.restore`."""
        del taken, instructions
        self.take(now_s)

    async def carry_out(self, instructions: Sequence[Instruction], now_s: int) -> None:
        """See `Port.carry_out`: there is no device to instruct."""
