"""A member whose packets wait for a reader at the broker in such numbers that the broker would drop some is put out."""

from __future__ import annotations

from typing import Any

import pytest

from broker.clock.flood_limits import MOST_BYTES, MOST_PACKETS
from broker.protocol import MAX_PAYLOAD_BYTES, topics
from broker.protocol.wire import Grant
from tests.broker.clock.test_quarantine import HONEST, RUN, Member, once, run_with


@pytest.mark.parametrize("topic", [topics.wake(RUN, "b"), topics.resend(RUN, "a", "b")])
def test_a_member_that_floods_a_reader_is_quarantined(topic: str) -> None:
    """Whether the clock is the only reader or another household is; the other households notice nothing."""

    async def what(member: Member, _grant: Grant) -> dict[str, Any]:
        for _ in range(MOST_PACKETS + 100):
            await member.bus.publish(topic, b"")
        return {}

    outcome = run_with(once(0, what), on_loss="wait")
    assert outcome.asker.notes == HONEST
    assert "packets" in outcome.without["b"]


def test_a_member_that_sends_as_much_over_many_rounds_is_not() -> None:
    """Its readers have read what it sent before."""

    async def lie(member: Member, grant: Grant) -> dict[str, Any]:
        unknown = member.message(grant, session="earlier")
        for _ in range(MOST_PACKETS // 5):
            await member.send("b", unknown)
        return {"next": grant.time + 1} if grant.time < 5 else {}

    outcome = run_with(lie)
    assert outcome.without == {}
    assert outcome.asker.notes == HONEST


def test_large_packets_are_bounded_by_their_size() -> None:
    """The broker's memory is limited, too."""
    most = MOST_BYTES // (2 * MAX_PAYLOAD_BYTES) + 1

    async def what(member: Member, _grant: Grant) -> dict[str, Any]:
        for _ in range(most):
            await member.bus.publish(topics.resend(RUN, "a", "b"), b" " * MAX_PAYLOAD_BYTES)
        return {}

    outcome = run_with(once(0, what), on_loss="wait")
    assert outcome.asker.notes == HONEST
    assert "MiB" in outcome.without["b"]
