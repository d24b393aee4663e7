"""The interfaces of those that observe, and record, each step of a run."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from broker.clock.pacing import Moment
from broker.protocol import Envelope


class StepObserver(Protocol):
    """Called with every step's complete, ordered messages before the next step is granted."""

    def step_ran(self, moment: Moment, sent: tuple[Envelope, ...]) -> None:
        """Observe a step. After a restart of the clock the last step may be reported again.

        Args:
            moment: The step's virtual time, round and number.
            sent: Its messages, sorted by (sender, sequence number).
        """
        ...


@runtime_checkable
class StepKeeper(Protocol):
    """An observer that stores the messages that it observes, and may have to wait for storage."""

    def keep(self) -> bool:
        """Store the observed messages durably; return False if another process has locked the storage."""
        ...
