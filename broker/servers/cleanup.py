"""What runs have left at a broker: found by what is retained there, and removed where nobody needs it any more.

A run that ends, fails or is interrupted removes it by itself. What a process told that was killed, or a run that was
asked to keep it, stays.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from pydantic import ValidationError

from broker.errors import SsmicError
from broker.protocol import Announcement, TimeReport, topics
from broker.transport import Bus, Delivery

QUIET_WALL_S = 0.5
"""After so long without anything retained, the broker is taken to have sent all of it."""
_MOST_PASSES = 1_000


class NotRemovedError(SsmicError):
    """The broker still has what was to be removed."""


@dataclass(slots=True)
class Leftover:
    """What is retained of one run."""

    run_id: str
    topics: set[str] = field(default_factory=set)
    state: str = "unknown"
    """As its clock said last."""
    hosts: set[str] = field(default_factory=set)
    """Hosts whose processes are connected: a broker says for those that die that they have gone."""
    speaks: bool = False
    """Whether something was said in it while we listened."""

    @property
    def is_alive(self) -> bool:
        """Whether a process takes part in it now. The clock's process has a host too, the manager's."""
        return bool(self.hosts) or self.speaks


async def find_leftovers(bus: Bus, run_id: str | None = None) -> dict[str, Leftover]:
    """Return by run id what is retained under `ssmic/`.

    Args:
        bus: A connection that reads nothing else.
        run_id: Look at this run only.
    """
    found: dict[str, Leftover] = {}
    await bus.subscribe(topics.everything(run_id) if run_id is not None else topics.everything_of_all())
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
        _take(found.setdefault(run, Leftover(run)), item)


def _take(leftover: Leftover, delivery: Delivery) -> None:
    if not delivery.retain:
        leftover.speaks = True
        return
    leftover.topics.add(delivery.topic)
    address = topics.parse(delivery.topic)
    try:
        if address is not None and address.kind == "time":
            leftover.state = TimeReport.model_validate_json(delivery.payload).state
        elif address is not None and address.kind == "hosts":
            announcement = Announcement.model_validate_json(delivery.payload)
            if announcement.state == "there":
                leftover.hosts.add(announcement.host)
    except ValidationError:
        pass  # nothing that a process of ours said


async def remove(bus: Bus, leftover: Leftover) -> None:
    """Remove what is retained of a run, and look whether it is gone; a broker may send a part of it at a time.

    Raises:
        NotRemovedError: it is not: as a rule the login may not write there.
    """
    before: set[str] = set()
    left: Leftover | None = leftover
    for _ in range(_MOST_PASSES):
        if left is None:
            return
        if left.topics == before:
            break
        before = left.topics
        for topic in sorted(before):
            await bus.publish(topic, b"", qos=topics.QOS_FACTS, retain=True)
        await bus.flush()
        left = (await find_leftovers(bus, leftover.run_id)).get(leftover.run_id)
        leftover.topics |= set() if left is None else left.topics
    raise NotRemovedError(
        f"the broker still has {len(before)} messages of run {leftover.run_id!r}: this login may not remove them "
        "(at a guarded broker the login 'clock' may)"
    )
