"""The common cause of repeated disconnections."""

from __future__ import annotations

from broker.transport.disconnect_reasons import (
    PROMPT_WALL_S,
    SAME_DISCONNECTS,
    Disconnect,
    DisconnectHistory,
    SentPacket,
    describe,
)


def cut_after(topic: str, packet_bytes: int, wall_s: float = 0.0) -> Disconnect:
    """Return a connection that ended some time after its largest packet."""
    return Disconnect(SentPacket(topic, packet_bytes, 100.0), 100.0 + wall_s)


def test_the_same_packet_again_and_again_is_the_reason() -> None:
    """It is blamed only after enough repetitions to exclude chance."""
    cuts = DisconnectHistory()
    found = [cuts.add(cut_after("inbox/a", 4_000)) for _ in range(SAME_DISCONNECTS)]
    assert found[:-1] == [None] * (SAME_DISCONNECTS - 1)
    assert found[-1] is not None
    assert "4,000 bytes on inbox/a" in describe(found[-1])


def test_different_packets_are_an_accident_of_the_network() -> None:
    """A link that breaks often breaks after this and that."""
    cuts = DisconnectHistory()
    assert not any(cuts.add(cut_after("inbox/a", 4_000 + number)) for number in range(3 * SAME_DISCONNECTS))


def test_a_packet_that_has_passed_is_not_the_reason() -> None:
    """A packet of that size was sent long before a disconnection."""
    cuts = DisconnectHistory()
    cuts.add(cut_after("inbox/a", 4_000, PROMPT_WALL_S + 1))
    assert not any(cuts.add(cut_after("inbox/a", 4_000)) for _ in range(3 * SAME_DISCONNECTS))


def test_small_packets_are_not_refused_for_their_size() -> None:
    """A client that announces itself on each connection says the same each time."""
    cuts = DisconnectHistory()
    assert not any(cuts.add(cut_after("hosts/a", 300)) for _ in range(3 * SAME_DISCONNECTS))


def test_connections_over_which_nothing_was_sent() -> None:
    """They are no evidence about packets."""
    cuts = DisconnectHistory()
    assert not any(cuts.add(Disconnect(None, 100.0)) for _ in range(3 * SAME_DISCONNECTS))
