"""Limits on what a device sends in a second of the run: what is kept, and what its agent learns of the rest."""

from __future__ import annotations

import pytest

from agents import DeviceSaid, Rejected
from scenarios.devices.message_limits import (
    MAX_WAITING,
    MAX_WAITING_BYTES,
    MAX_WAITING_OF_DEVICE,
    LimitedMessages,
    WaitingMessage,
)
from scenarios.devices.payloads import MAX_BYTES
from scenarios.gateways import Gateway

WASHER = Gateway(agent="a/machine", house="a", device="machine", id="w1", type="consumer")


def put(messages: LimitedMessages, topic: str, payload: str, *, is_ours: bool = True) -> None:
    """Let the washer send a message."""
    messages.put(WaitingMessage(WASHER, "w1", topic, payload.encode(), is_ours=is_ours, retained=False))


def taken(messages: LimitedMessages) -> list[tuple[str, str]]:
    """End a second: topic and text of each accepted message, then topic and problem of each flood."""
    accepted = [(message.topic, message.payload.decode()) for message in messages.take_accepted()]
    dropped = [incoming.message for incoming in messages.take_dropped()]
    return accepted + [
        (each.said.topic, each.said.problem)
        for each in dropped
        if isinstance(each, DeviceSaid) and isinstance(each.said, Rejected)
    ]


def test_a_flood_on_one_topic_leaves_room_for_another_and_is_reported_once() -> None:
    """The report counts all messages, and those that are dropped."""
    messages = LimitedMessages()
    for number in range(MAX_WAITING + 5):
        put(messages, "report", str(number))
    put(messages, "request", "a job")

    *kept, request, flood = taken(messages)

    assert kept == [("report", str(number)) for number in range(MAX_WAITING)]
    assert request == ("request", "a job")
    assert flood == ("report", f"{MAX_WAITING + 5} messages at once, 5 of them dropped")


def test_a_round_begins_a_new_count() -> None:
    """What a device sent before does not matter."""
    messages = LimitedMessages()
    for _ in range(2):
        for number in range(MAX_WAITING):
            put(messages, "report", str(number))
        assert len(taken(messages)) == MAX_WAITING


@pytest.mark.parametrize("topic", ["announce", "availability"])
def test_of_too_many_messages_that_hold_until_the_next_one_the_last_is_kept(topic: str) -> None:
    """Otherwise a device that goes online and offline all the time would stay in a state that it has left."""
    messages = LimitedMessages()
    for number in range(MAX_WAITING + 3):
        put(messages, topic, str(number))

    *_, last, flood = taken(messages)

    assert last == (topic, str(MAX_WAITING + 2))
    assert flood == (topic, f"{MAX_WAITING + 3} messages at once, 2 of them dropped")


def test_all_topics_of_a_device_together_have_a_limit() -> None:
    """A device that invents topics gains nothing."""
    messages = LimitedMessages()
    for number in range(MAX_WAITING_OF_DEVICE + 1):
        put(messages, f"topic-{number}", "x", is_ours=False)

    kept = taken(messages)

    assert len(kept) == MAX_WAITING_OF_DEVICE + 1
    assert kept[-1] == (f"topic-{MAX_WAITING_OF_DEVICE}", "1 message at once, 1 of them dropped")


def test_long_messages_on_our_topics_have_a_limit_in_bytes() -> None:
    """A maker's topic has none: its messages become short ones."""
    messages = LimitedMessages()
    fitting = MAX_WAITING_BYTES // MAX_BYTES
    for _ in range(fitting + 1):
        put(messages, "report", "x" * MAX_BYTES)
        put(messages, "makers/topic", "x" * MAX_BYTES, is_ours=False)

    *kept, flood = taken(messages)

    assert [topic for topic, _ in kept].count("makers/topic") == fitting + 1
    assert flood == ("report", f"{fitting + 1} messages at once, 1 of them dropped")
