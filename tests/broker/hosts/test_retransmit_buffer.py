"""What a host publishes after a round, and what it may publish again."""

from __future__ import annotations

from pydantic import BaseModel

from broker.hosts.agent import RetainedPublication
from broker.hosts.retransmit_buffer import MOST_REPEATED_BYTES, MOST_REPEATS, RetransmitBuffer
from broker.hosts.rounds import Round, RoundRecord
from broker.protocol import Envelope, topics
from broker.transport.memory import MemoryBroker, MemoryBus


class Fact(BaseModel):
    """Something that an agent publishes."""

    n: int


def record(step: int, *, size_bytes: int = 10, facts: tuple[str, ...] = ()) -> RoundRecord:
    """Return a round in which an agent has sent another host a message, and published facts."""
    body = {"kind": "Ping", "text": "x" * size_bytes}
    sent = Envelope(session="s", step=step, time=0, round=step, sender="a", seq=step, to="b", body=body)
    return RoundRecord(
        grant=Round(step=step, time=0, round=step, granted_step=step),
        delivered=(),
        sent=(("other", sent),),
        publications=tuple(RetainedPublication(fact, Fact(n=step)) for fact in facts),
        next_s=None,
        failure=None,
    )


async def published(bus: MemoryBus) -> list[str]:
    """Return the topics on which something was published since the last call."""
    found: list[str] = []
    await bus.publish("end", b"")
    async for delivery in bus.messages():
        topic = getattr(delivery, "topic", "")
        if topic == "end":
            break
        found.append(topic)
    return found


async def test_a_fact_is_published_with_the_round_that_it_is_of_and_all_again_after_a_reconnection() -> None:
    """A broker that was restarted may have lost what it had retained."""
    broker, buffer = MemoryBroker(), RetransmitBuffer("r", "adler", "s")
    async with broker.connect("all") as bus:
        await bus.subscribe("#")
        for step, facts in ((0, ("one", "two")), (1, ("three",)), (2, ())):
            buffer.add_round(record(step, facts=facts))
            await buffer.publish_last(bus)
            ledger = [topics.ledger("r", fact) for fact in facts]
            assert await published(bus) == [
                topics.inbox("r", "other", "adler"),
                *ledger,
                topics.done("r", "adler"),
            ]
        await buffer.publish_retained(bus)
        assert await published(bus) == [topics.ledger("r", fact) for fact in ("one", "two", "three")]


async def test_the_messages_of_the_last_two_answers_can_be_had_again() -> None:
    """A host may wait for those of the answer before the last one until the clock grants the next step."""
    broker, buffer = MemoryBroker(), RetransmitBuffer("r", "adler", "s")
    async with broker.connect("all") as bus:
        await bus.subscribe("#")
        for step in range(4):
            buffer.add_round(record(step))
        assert [buffer.may_repeat(step, "other") for step in range(5)] == [False, False, True, True, False]
        await buffer.resend(bus, 2, "other")
        assert await published(bus) == [topics.inbox("r", "other", "adler")]
        await buffer.resend(bus, 2, "stranger")
        await buffer.resend(bus, 1, "other")
        assert await published(bus) == []


async def test_a_host_that_asks_without_an_end_gets_large_messages_less_often() -> None:
    """Its questions are short, and would multiply what the asked host has to send."""
    size_bytes = MOST_REPEATED_BYTES // 10
    for step, size, expected in ((0, 10, MOST_REPEATS), (1, size_bytes, 10)):
        broker, buffer = MemoryBroker(), RetransmitBuffer("r", "adler", "s")
        async with broker.connect("all") as bus:
            await bus.subscribe("#")
            buffer.add_round(record(step, size_bytes=size))
            for _ in range(MOST_REPEATS + 10):
                await buffer.resend(bus, step, "other")
            assert len(await published(bus)) == expected
