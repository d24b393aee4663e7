"""The clock and the receiving host accept the same messages of a liar; else the clock would drop an honest host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from broker.errors import ProtocolError
from broker.protocol import ReorderBuffer, topics, weight_bytes
from broker.protocol.envelope import Envelope, Envelopes
from broker.protocol.reorder_buffer import SendingMoment
from broker.protocol.wire import Announcement, Grant
from tests.broker.clock.test_clock import Ping
from tests.broker.clock.test_quarantine import HONEST, RUN, Member, once, run_with


def recorded(outcome: Any) -> list[dict[str, Any]]:
    """Return the bodies of all messages of the liar that the observer received."""
    return [envelope.body for envelope in outcome.wire.sent if envelope.sender == "bee"]


def test_a_message_after_the_answer_quarantines_its_sender() -> None:
    """The answer does not report it, so its receiver does not read it, whether an agent understands it or not."""

    async def what(member: Member, grant: Grant) -> dict[str, Any]:
        await member.bus.publish(topics.done(RUN, "b"), member.answer(grant))
        for body in ({"kind": "Nonsense"}, Ping(n=1).model_dump()):
            await member.send("a", member.message(grant, body=body))
        return {}

    outcome = run_with(once(0, what))
    assert outcome.asker.notes == HONEST
    assert recorded(outcome) == []


@pytest.mark.parametrize("others", [0, 1])
def test_a_surplus_message_quarantines_its_sender_at_once(others: int) -> None:
    """If the receiver missed the first one, while its connection was broken, it would take the second."""

    async def what(member: Member, grant: Grant) -> dict[str, Any]:
        for n in (55, 77):
            await member.send("c", member.message(grant, to="echo", body=Ping(n=n).model_dump()))
        if others:
            await member.send("a", member.message(grant))
        return {"sent": {"c": 1} | ({"a": 1} if others else {})}

    outcome = run_with(once(0, what), on_loss="wait")
    assert outcome.asker.notes == HONEST
    assert "more messages" in outcome.without["b"]
    assert recorded(outcome) == []
    assert [envelope.body["n"] for envelope in outcome.wire.sent if envelope.to == "bee"] == []


def test_a_number_that_is_used_twice_quarantines_its_sender_at_once() -> None:
    """The clock learns of both messages, each of the two receivers of only one."""

    async def what(member: Member, grant: Grant) -> dict[str, Any]:
        await member.send("a", member.message(grant))
        member.seq -= 1
        for n in (77, 55):
            await member.send("c", member.message(grant, to="echo", body=Ping(n=n).model_dump()))
        return {"sent": {"a": 1, "c": 1}}

    outcome = run_with(once(0, what), on_loss="wait")
    assert "another message with number" in outcome.without["b"]
    assert recorded(outcome) == []
    assert [envelope.body["n"] for envelope in outcome.wire.sent if envelope.to == "bee"] == []


@pytest.mark.parametrize("wrong", [{"round": 1}, {"time": 4}], ids=str)
def test_a_message_of_another_moment_is_neither_delivered_nor_recorded(wrong: dict[str, int]) -> None:
    """Not even if a second message satisfies the count."""

    async def what(member: Member, grant: Grant) -> dict[str, Any]:
        await member.send("c", member.message(grant, to="echo", body=Ping(n=77).model_dump(), **wrong))
        await member.send("c", member.message(grant, to="echo", body=Ping(n=55).model_dump()))
        return {"sent": {"c": 1}}

    outcome = run_with(once(0, what))
    assert outcome.without == {}
    answers = [envelope.body["n"] for envelope in outcome.wire.sent if envelope.to == "bee"]
    assert answers == [56]


@pytest.mark.parametrize("ahead", [1, 2, 300])
def test_a_message_of_a_later_round_quarantines_its_sender_at_once(ahead: int) -> None:
    """Its receiver could take it for a message of that round when the round comes."""

    async def what(member: Member, grant: Grant) -> dict[str, Any]:
        early = {"step": grant.step + ahead, "round": grant.round + ahead}
        await member.send("c", member.message(grant, to="echo", body=Ping(n=77).model_dump(), **early))
        return {"next": 1}

    outcome = run_with(once(0, what), on_loss="wait")
    assert set(outcome.without) == {"b"}
    assert recorded(outcome) == []


def test_a_host_alone_that_sends_after_its_last_round_is_quarantined() -> None:
    """It may run further rounds without a grant, but reports that it has not."""

    async def lie(member: Member, grant: Grant) -> dict[str, Any]:
        if grant.time != 3:
            return {"next": 3} if grant.time < 3 else {}
        early = {"step": grant.step + 1, "round": grant.round + 1}
        await member.send("c", member.message(grant, to="echo", body=Ping(n=77).model_dump(), **early))
        return {}

    outcome = run_with(lie, on_loss="wait")
    assert outcome.asker.notes == HONEST
    assert "the last one that was run" in outcome.without["b"]
    assert recorded(outcome) == []


def test_a_process_speaks_only_once_all_hosts_can_know_it() -> None:
    """The clock must not count a message that its receiver rejects, because the roster has not reached it."""

    async def what(member: Member, grant: Grant) -> None:
        for session, state, agents in (("b's", "gone", ()), ("new", "there", ("bee",))):
            announced = Announcement(host="b", session=session, agents=agents, state=state)
            await member.bus.publish(topics.host(RUN, "b"), announced.encoded())
        await member.send("a", member.message(grant, session="new"))
        await member.bus.publish(topics.done(RUN, "b"), member.answer(grant, session="new", sent={"a": 1}))

    outcome = run_with(once(0, what))  # type: ignore[arg-type]  # a member that says something else
    assert outcome.asker.notes == HONEST
    assert set(outcome.without) == {"b"}


@pytest.mark.long
def test_old_messages_leave_room_for_those_that_count() -> None:
    """Those of past steps, which the clock ignores as late duplicates, do not displace one that the clock counts."""

    async def lie(member: Member, grant: Grant) -> dict[str, Any]:
        if grant.time not in {20, 21}:
            return {"next": 20} if grant.time < 20 else {}
        for _ in range(140):
            body = Ping(n=1).model_dump() | {"x": "y" * 500_000}
            await member.send("a", member.message(grant, body=body, step=grant.step - 1))
        if grant.time == 20:
            return {"next": 21}
        await member.send("a", member.message(grant))
        return {"sent": {"a": 1}}

    outcome = run_with(lie)
    assert outcome.without == {}


def waiting(step: int, seq: int, sender: str = "bee", time_s: int = 0) -> Envelope:
    """Return a message that a host may receive."""
    return Envelope(session="s", step=step, time=time_s, round=step, sender=sender, seq=seq, to="x", body={"kind": "x"})


def test_a_full_buffer_drops_the_earliest_steps_of_the_same_host() -> None:
    """Other hosts lose nothing, and the host no more than what makes room."""
    buffer = ReorderBuffer(3, 1_000)
    buffer.add("c", waiting(0, 1, "cat"))
    for seq in range(3):
        buffer.add("b", waiting(seq, seq), 10)
    buffer.add("b", waiting(5, 9), 10)
    moments = [SendingMoment(step, 0, step) for step in (0, 1, 2, 5)]
    assert [buffer.missing(moment, {"b": 1, "c": 1})[:1] for moment in moments] == [["b"], ["c"], ["c"], ["c"]]
    assert buffer.missing(moments[0], {"c": 1}) == []


class _LookedAt(dict[Any, Any]):
    """Counts how many of its keys are gone through."""

    gone_through = 0

    def __iter__(self) -> Iterator[Any]:
        for key in super().__iter__():
            self.gone_through += 1
            yield key

    def __missing__(self, _: Any) -> int:
        return 0


def test_messages_that_find_no_room_are_not_searched_room_for() -> None:
    """Attack 113: each message to a full buffer cost 10 ms: 65 s for a packet, in which the host did nothing else."""
    buffer, by_moment, arrived = ReorderBuffer(1_000, 10**9), _LookedAt(), _LookedAt()
    buffer._by_moment, buffer._arrived = by_moment, arrived
    for n in range(1_000):
        buffer.add("b", waiting(5, n, time_s=n))
    for n in range(1_000, 2_000):
        with pytest.raises(ProtocolError):
            buffer.add("b", waiting(5, n, time_s=n))
    assert by_moment.gone_through + arrived.gone_through <= 2_000


def test_what_a_quarantined_host_sent_for_later_rounds_is_forgotten() -> None:
    """It would be gone through in each of them; what the latest grant names stays."""
    buffer = ReorderBuffer()
    for step in range(4):
        buffer.add("b", waiting(step, step))
        buffer.add("c", waiting(step, step, "cat"))
    buffer.drop_from(2, "b")
    missing = [buffer.missing(SendingMoment(step, 0, step), {"b": 1, "c": 1}) for step in range(4)]
    assert missing == [[], [], ["b"], ["b"]]


def test_a_payload_counts_what_it_becomes_in_memory() -> None:
    """Attack 114: 128 MiB of empty lists would take 3 GB of a household's memory."""
    lists = b'{"kind":"x","a":[' + b"[]," * 100_000 + b"[]]}"
    assert weight_bytes(lists) > 10 * len(lists)
    usual = Envelopes([waiting(1, number) for number in range(100)]).encoded()
    assert weight_bytes(usual) < 2 * len(usual)
