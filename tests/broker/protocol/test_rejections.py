"""Dropped messages are logged with their sender, and a flood of them in a few lines."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter
from structlog.testing import capture_logs

from broker.clock.clock import Clock
from broker.clock.settings import ClockSettings
from broker.errors import MalformedError, ProtocolError
from broker.hosts.agent import Agent
from broker.hosts.host import Host
from broker.protocol import topics
from broker.protocol.decoding import decode
from broker.protocol.rejections import _MOST_SENDERS, LOG_INTERVAL_WALL_S, LOGGED_AT_ONCE, RejectedMessages
from broker.protocol.retry_timeouts import Timeouts
from broker.protocol.wire import Announcement, Control
from broker.transport.memory import MemoryBroker
from tests.broker.hosts.test_sessions import quickly


def test_a_flood_is_logged_in_few_lines_that_count_all_messages() -> None:
    """The first messages are logged in full, then a line per second.

    The rest follow when the reader leaves; other senders are unaffected.
    """

    async def main() -> None:
        rejected = RejectedMessages("clock")
        for _ in range(5):
            for n in range(1000):
                rejected.reject(topics.done("r", "brandt"), ProtocolError(f"nonsense {n}"))
            await asyncio.sleep(LOG_INTERVAL_WALL_S)
        rejected.reject(topics.done("r", "adler"), ProtocolError("once"))
        rejected.reject("something/else", ProtocolError("no topic of ours"))
        rejected.log_suppressed()
        assert rejected.count == 5002

    with capture_logs() as logs:
        quickly(main())
    flood = [entry for entry in logs if entry["topic"] == topics.done("r", "brandt")]
    assert len(flood) <= LOGGED_AT_ONCE + 5
    assert len(flood) + sum(entry.get("more", 0) for entry in flood) == 5000
    assert [entry["reason"] for entry in logs if entry not in flood] == ["once", "no topic of ours"]


@pytest.mark.parametrize(("model", "version"), [(Announcement, "6"), (Control, "2, 3, 4, 5 or 6")])
def test_a_message_of_another_version_is_named_as_such(model: type[BaseModel], version: str) -> None:
    """A host of a newer release, whose messages may have further fields, is told what to do about it."""
    with pytest.raises(MalformedError) as caught:
        decode(model, b'{"v": 99, "a_new_field": true}')
    wanted = f"is of version 99 of the protocol, and this release has {version}: install the same release everywhere"
    assert str(caught.value) == wanted


@pytest.mark.parametrize("version", ['"9"', "true", "-1", "1e3", "[9]", "9999"])
def test_a_version_that_no_release_has_is_not_repeated(version: str) -> None:
    """The sender chose it, and it goes into a log."""
    with pytest.raises(MalformedError, match="is of version unknown of the protocol, and this release has 6:"):
        decode(Announcement, b'{"v": %s}' % version.encode())


@pytest.mark.looptime
async def test_a_sender_that_changes_its_name_for_each_message_is_limited_too() -> None:
    """At a broker without logins, anyone can write under any name: neither memory nor log may grow without a limit."""
    rejected = RejectedMessages("clock")
    with capture_logs() as logs:
        for n in range(_MOST_SENDERS + 1_000):
            rejected.reject(topics.done("r", f"h{n}"), ProtocolError("nonsense"))
        rejected.log_suppressed()
    assert rejected.count == _MOST_SENDERS + 1_000
    assert len(logs) <= _MOST_SENDERS + LOGGED_AT_ONCE + 1
    assert sum(1 + entry.get("more", 0) for entry in logs) == rejected.count


@pytest.mark.looptime
async def test_what_was_not_logged_one_by_one_is_counted_also_if_the_run_fails() -> None:
    """The clock misses a host and gives up, and the other host leaves: a flood may be the reason."""
    broker = MemoryBroker()
    settings = ClockSettings("r", {"adler": ("a",), "absent": ("b",)}, 0, timeouts=Timeouts(limit_wall_s=5))
    host = Host("adler", "r", [Agent("a")], TypeAdapter(dict[str, str]), seed=1)
    with capture_logs() as logs:
        async with asyncio.TaskGroup() as tasks, broker.connect("mallory") as mallory:
            running = tasks.create_task(_fails(host.run(broker)))
            keeping = tasks.create_task(_fails(Clock(settings).run(broker)))
            await asyncio.sleep(1)
            for _ in range(LOGGED_AT_ONCE + 7):
                await mallory.publish(topics.control("r"), b"?")
                await mallory.publish(topics.inbox("r", "adler", "absent"), b"?")
            await asyncio.wait({running, keeping})
    for reader in ("clock", "adler"):
        dropped = [entry for entry in logs if entry["event"] == "dropped" and entry["host"] == reader]
        assert [entry["more"] for entry in dropped if "more" in entry] == [6], reader


async def _fails(running: Coroutine[Any, Any, None]) -> None:
    with pytest.raises(ExceptionGroup):
        await running
