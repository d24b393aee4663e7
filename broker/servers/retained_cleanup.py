"""Finds and removes what runs have left at a broker, by its retained messages.

A run that ends, fails or is interrupted cleans up after itself. Messages of a process that was killed, and of a run
that was asked to keep them, remain.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from broker.errors import ProtocolError, SsmicError
from broker.plain_text import plural
from broker.protocol import Announcement, TimeReport, topics
from broker.transport import Bus, Delivery

QUIET_WALL_S = 0.5
"""The broker counts as having sent all retained messages once none has arrived for this long."""
_MOST_PASSES = 1_000


class NotRemovedError(SsmicError):
    """The broker still has messages that should have been removed."""


@dataclass(slots=True)
class RetainedMessages:
    """The retained messages of one run."""

    run_id: str
    topics: set[str] = field(default_factory=set)
    state: str = "unknown"
    """The last state that its clock published."""
    hosts: set[str] = field(default_factory=set)
    """Hosts whose processes are connected; for those that died, the broker has published the last will."""
    has_traffic: bool = False
    """Whether messages were published in the run while we listened."""

    @property
    def is_alive(self) -> bool:
        """Whether a process still takes part in the run. The clock's process has a host too, the manager's."""
        return bool(self.hosts) or self.has_traffic


async def find_leftovers(bus: Bus, run_id: str | None = None) -> dict[str, RetainedMessages]:
    """Find retained messages under `ssmic/`.

    Args:
        bus: A connection that is used for nothing else.
        run_id: Restrict the search to this run; None: all runs.

    Returns:
        The leftovers, by run id.
    """
    found: dict[str, RetainedMessages] = {}
    await bus.subscribe(topics.everything(run_id) if run_id is not None else topics.all_runs())
    items = bus.messages()
    loop = asyncio.get_running_loop()
    quiet_at_wall_s = loop.time() + QUIET_WALL_S
    while True:
        try:
            async with asyncio.timeout_at(quiet_at_wall_s):
                item = await anext(items)
        except TimeoutError:
            return {run: leftover for run, leftover in sorted(found.items()) if leftover.topics}
        if not isinstance(item, Delivery) or not item.payload:
            continue
        run = topics.run_of(item.topic)
        if run is None:
            continue
        if item.retain:
            quiet_at_wall_s = loop.time() + QUIET_WALL_S
        _take(found.setdefault(run, RetainedMessages(run)), item)


def _take(leftover: RetainedMessages, delivery: Delivery) -> None:
    if not delivery.retain:
        leftover.has_traffic = True
        return
    leftover.topics.add(delivery.topic)
    address = topics.parse(delivery.topic)
    try:
        if address is not None and address.kind == "time":
            leftover.state = delivery.read(TimeReport).state
        elif address is not None and address.kind == "hosts":
            announcement = delivery.read(Announcement)
            if announcement.state == "there":
                leftover.hosts.add(announcement.host)
    except ProtocolError:
        pass  # not published by ssmic


async def remove(bus: Bus, leftover: RetainedMessages) -> None:
    """Remove the retained messages of a run, and verify the removal; a broker may send them in several parts.

    Args:
        bus: Publishes the removals, and searches again.
        leftover: The run's retained messages; extended by those found on the way.

    Raises:
        NotRemovedError: Messages remain, usually because the login may not write there.
    """
    before: set[str] = set()
    left: RetainedMessages | None = leftover
    for _ in range(_MOST_PASSES):
        if left is None:
            return
        if left.topics == before:
            break
        before = left.topics
        for topic in sorted(before):
            await bus.publish(topic, b"", qos=topics.QOS_AT_LEAST_ONCE, retain=True)
        await bus.flush()
        left = (await find_leftovers(bus, leftover.run_id)).get(leftover.run_id)
        leftover.topics |= set() if left is None else left.topics
    raise NotRemovedError(
        f"the broker still has {plural(len(before), 'message')} of run {leftover.run_id!r}: this login may not remove "
        "them (at a guarded broker the login 'clock' may)"
    )
