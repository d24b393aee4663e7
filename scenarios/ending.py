"""How a run ends that does not end well: what there is of it is kept, and the one error that says why is raised."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from broker.errors import AgentFailedError, BrokerLostError, BrokerUnreachableError, HostsMissingError, SsmicError
from scenarios.outcome import RunOutcome, RunState


@contextmanager
def telling_how_it_ended(
    outcome: Callable[[RunState], RunOutcome], on_outcome: Callable[[RunOutcome], None] | None
) -> Iterator[None]:
    """Run what is inside; if it is cancelled or fails, hand over what there is before the error goes on.

    Args:
        outcome: Makes an outcome of what there is.
        on_outcome: Is given it; None: nobody wants it.

    Raises:
        SsmicError: why it failed.
    """
    try:
        yield
    except asyncio.CancelledError:
        if on_outcome is not None:
            on_outcome(outcome("interrupted"))
        raise
    except ExceptionGroup as group:
        if on_outcome is not None:
            on_outcome(outcome("failed"))
        raise telling_error(group) from group


def promises_kept(problems: Sequence[str]) -> None:
    """Refuse a ledger that is not as it has to be.

    Raises:
        SsmicError: there are problems, which is a defect of ours.
    """
    if problems:
        raise SsmicError("the ledger broke a promise:\n" + "\n".join(problems))


def telling_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one error of a group that says why: the first failure, not what followed from it."""
    leaves: list[BaseException] = []
    pending: list[BaseException] = [group]
    while pending:
        error = pending.pop(0)
        if isinstance(error, BaseExceptionGroup):
            pending += error.exceptions
        else:
            leaves.append(error)
    # Hosts that cannot reach the broker are missing because of that.
    order = (AgentFailedError, BrokerUnreachableError, BrokerLostError, HostsMissingError)

    def rank(error: BaseException) -> int:
        if not isinstance(error, SsmicError):
            return -1  # a defect: never hide it behind what it caused
        return next((i for i, kind in enumerate(order) if isinstance(error, kind)), len(order))

    return min(leaves, key=rank)
