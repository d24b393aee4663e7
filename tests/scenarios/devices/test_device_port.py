"""The port of a host: how much of what a device sends it keeps until the next round, and what it says of the rest."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agents import DeviceEvent, DeviceSaid, Rejected
from broker.hosts import Incoming, Instruction
from scenarios.devices.device_port import (
    MAX_WAITING,
    MAX_WAITING_BYTES,
    MAX_WAITING_OF_DEVICE,
    DevicePort,
    WaitingMessage,
)
from scenarios.devices.payloads import MAX_BYTES
from scenarios.gateways import Gateway

WASHER = Gateway(agent="a/machine", house="a", device="machine", id="w1", type="consumer")


class Echo:
    """Understands any message as its own payload."""

    def translate(self, message: WaitingMessage, now_s: int) -> Sequence[DeviceEvent]:
        del now_s
        return [Rejected(topic=message.topic, problem=message.payload.decode()[:20], expected="")]

    def message_id(self, message: WaitingMessage) -> str:
        del message
        return ""

    def restore(self, taken: Sequence[Incoming], instructions: Sequence[Instruction], now_s: int) -> None:
        del taken, instructions, now_s

    def carry_out(self, instructions: Sequence[Instruction], now_s: int) -> None:
        del instructions, now_s


def put(port: DevicePort, topic: str, payload: str, *, is_ours: bool = True) -> None:
    """Let the washer send a message."""
    port.put(WaitingMessage(WASHER, "w1", topic, payload.encode(), is_ours=is_ours, retained=False))


def taken(port: DevicePort) -> list[tuple[str, str]]:
    """Take what waits: topic and text of each message."""
    said = [incoming.message for incoming in port.take(0)]
    return [
        (one.said.topic, one.said.problem)
        for one in said
        if isinstance(one, DeviceSaid) and isinstance(one.said, Rejected)
    ]


def test_a_flood_on_one_topic_leaves_room_for_another_and_is_reported_once() -> None:
    """The report counts all messages, and those that are dropped."""
    port = DevicePort(Echo())
    for number in range(MAX_WAITING + 5):
        put(port, "report", str(number))
    put(port, "request", "a job")

    *kept, request, flood = taken(port)

    assert kept == [("report", str(number)) for number in range(MAX_WAITING)]
    assert request == ("request", "a job")
    assert flood == ("report", f"{MAX_WAITING + 5} messages at once, of which 5 are dropped")


def test_a_round_begins_a_new_count() -> None:
    """What a device sent before does not matter."""
    port = DevicePort(Echo())
    for _ in range(2):
        for number in range(MAX_WAITING):
            put(port, "report", str(number))
        assert len(taken(port)) == MAX_WAITING
        assert not port.waiting.is_set()


@pytest.mark.parametrize("topic", ["announce", "availability"])
def test_of_too_many_messages_that_hold_until_the_next_one_the_last_is_kept(topic: str) -> None:
    """Otherwise a device that goes online and offline all the time would stay in a state that it has left."""
    port = DevicePort(Echo())
    for number in range(MAX_WAITING + 3):
        put(port, topic, str(number))

    *_, last, flood = taken(port)

    assert last == (topic, str(MAX_WAITING + 2))
    assert flood == (topic, f"{MAX_WAITING + 3} messages at once, of which 2 are dropped")


def test_all_topics_of_a_device_together_have_a_limit() -> None:
    """A device that invents topics gains nothing."""
    port = DevicePort(Echo())
    for number in range(MAX_WAITING_OF_DEVICE + 1):
        put(port, f"topic-{number}", "x", is_ours=False)

    messages = taken(port)

    assert len(messages) == MAX_WAITING_OF_DEVICE + 1
    assert messages[-1] == (f"topic-{MAX_WAITING_OF_DEVICE}", "1 messages at once, of which 1 are dropped")


def test_long_messages_on_our_topics_have_a_limit_in_bytes() -> None:
    """A makers' topic has none: its messages become short ones."""
    port = DevicePort(Echo())
    fitting = MAX_WAITING_BYTES // MAX_BYTES
    for _ in range(fitting + 1):
        put(port, "report", "x" * MAX_BYTES)
        put(port, "makers/topic", "x" * MAX_BYTES, is_ours=False)

    *kept, flood = taken(port)

    assert [topic for topic, _ in kept].count("makers/topic") == fitting + 1
    assert flood == ("report", f"{fitting + 1} messages at once, of which 1 are dropped")
