"""Dropped messages are logged with their sender, and a flood of them in a few lines."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from broker.errors import ProtocolError
from broker.protocol import topics
from broker.protocol.rejections import LOG_INTERVAL_WALL_S, LOGGED_AT_ONCE, RejectedMessages
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
    assert [entry["why"] for entry in logs if entry not in flood] == ["once", "no topic of ours"]
