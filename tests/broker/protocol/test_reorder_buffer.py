"""The buffer of messages that wait for their round: in which order they leave it, and how much one host may fill."""

from __future__ import annotations

import pytest

from broker.errors import ContradictionError, ProtocolError
from broker.protocol import Envelope, ReorderBuffer, SendingMoment, in_order


def envelope(sender: str, seq: int, *, step: int = 3, n: int = 0) -> Envelope:
    """Return a message of a step."""
    body = {"kind": "Ping", "n": n}
    return Envelope(session="s", step=step, time=60, round=step, sender=sender, seq=seq, to="x", body=body)


def test_messages_are_delivered_by_sender_and_in_the_order_in_which_each_sent_them() -> None:
    """However the network has mixed them."""
    mixed = [envelope("b", 2), envelope("a", 10), envelope("b", 1), envelope("a", 9)]
    assert [(e.sender, e.seq) for e in in_order(mixed)] == [("a", 9), ("a", 10), ("b", 1), ("b", 2)]


def test_a_host_fills_its_own_part_of_the_buffer_only_by_messages_and_by_bytes() -> None:
    """The limit holds for what waits, so there is room again once a round has been taken."""
    buffer = ReorderBuffer(most_messages=3, most_bytes=100)
    buffer.add("large", envelope("l", 0), 60)
    with pytest.raises(ProtocolError, match="more than 3 messages or 100 bytes of host 'large'"):
        buffer.add("large", envelope("l", 1), 41)
    buffer.add("large", envelope("l", 2), 40)
    for seq in range(3):
        buffer.add("many", envelope("m", seq), 1)
    with pytest.raises(ProtocolError, match="of host 'many'"):
        buffer.add("many", envelope("m", 3), 1)
    taken = buffer.pop(SendingMoment(3, 60, 3), {"large": 1, "many": 3})
    assert [(e.sender, e.seq) for e in taken] == [("l", 0), ("m", 0), ("m", 1), ("m", 2)]
    assert buffer.add("large", envelope("l", 3, step=4), 100)


def test_one_number_stands_for_one_message() -> None:
    """The same message again is a duplicate; another one is a contradiction."""
    buffer = ReorderBuffer()
    assert buffer.add("a", envelope("a1", 0))
    assert not buffer.add("a", envelope("a1", 0))
    with pytest.raises(ContradictionError, match="has sent another message with number 0"):
        buffer.add("a", envelope("a1", 0, n=1))


def test_room_is_made_by_messages_of_earlier_steps_of_the_same_host() -> None:
    """Those of other hosts stay, and so do those of later steps."""
    buffer = ReorderBuffer(most_messages=2)
    for step in (3, 4):
        buffer.add("many", envelope("m", step, step=step))
        buffer.add("other", envelope("o", step, step=step))
    buffer.add("many", envelope("m", 5, step=5))
    buffer.add("many", envelope("m", 6, step=5))
    both = {"many": 2, "other": 1}
    assert buffer.missing(SendingMoment(3, 60, 3), both) == ["many"]
    assert buffer.missing(SendingMoment(4, 60, 4), both) == ["many"]
    assert buffer.missing(SendingMoment(5, 60, 5), both) == ["other"]
    with pytest.raises(ProtocolError, match="more than 2 messages"):
        buffer.add("many", envelope("m", 2, step=2))


def test_what_a_host_has_sent_for_later_steps_can_be_dropped() -> None:
    """Those of other hosts stay, and so do those of earlier steps."""
    buffer = ReorderBuffer()
    for step in (3, 4, 5):
        buffer.add("gone", envelope("g", step, step=step))
        if step < 5:
            buffer.add("other", envelope("o", step, step=step))
    buffer.drop_from(4, "gone")
    left = [buffer.pop(SendingMoment(step, 60, step), {"gone": 1, "other": 1}) for step in (3, 4, 5)]
    assert [[e.sender for e in messages] for messages in left] == [["g", "o"], ["o"], []]
