"""PUBLISH packets of MQTT 3.1.1 at QoS 0, which need no answer: nearly all that a run sends and receives."""

from __future__ import annotations

from functools import lru_cache

_PUBLISH = 0x30
_RETAIN = 0x01
_LENGTH_BITS = 7
_MORE = 1 << _LENGTH_BITS
"""Set in each byte of a packet's length but the last."""
_LONGEST_LENGTH = 4
"""Bytes."""
_SHORTEST_PACKET = 5
"""Bytes: the kind, a length of one byte, the topic's length of two, and a topic of one character."""


def encode_publish(topic: str, payload: bytes, *, retain: bool) -> bytes:
    """Return the packet that publishes `payload` on `topic` at QoS 0, with the flag `retain`."""
    name = _name(topic)
    remaining = len(name) + len(payload)
    head = bytearray((_PUBLISH | retain,))
    while remaining >= _MORE:
        head.append(remaining & (_MORE - 1) | _MORE)
        remaining >>= _LENGTH_BITS
    head.append(remaining)
    return b"".join((head, name, payload))


@lru_cache(maxsize=4096)
def _name(topic: str) -> bytes:
    """Return a topic with its length in front; a client publishes on few."""
    name = topic.encode()
    return len(name).to_bytes(2, "big") + name


def decode_publish(received: bytes, start: int) -> tuple[str, bytes, bool, int] | None:
    """Read the packet that begins at `start`.

    Returns:
        Topic, payload, whether the broker had retained it, and where the next packet begins; None if it is another
        kind of packet, incomplete or malformed. (A tuple without names is made faster.)
    """
    head, most = received[start], len(received)
    if head & ~_RETAIN != _PUBLISH or most - start < _SHORTEST_PACKET:
        return None
    length, byte, at = received[start + 1], received[start + 2], start + 2
    if length >= _MORE:
        length, at = length & (_MORE - 1) | (byte & (_MORE - 1)) << _LENGTH_BITS, at + 1
        shift = 2 * _LENGTH_BITS
        while byte >= _MORE:
            if at == most or shift == _LENGTH_BITS * _LONGEST_LENGTH:
                return None
            byte = received[at]
            length |= (byte & (_MORE - 1)) << shift
            at += 1
            shift += _LENGTH_BITS
    end, name_at = at + length, at + 2
    if end > most or name_at > end:
        return None
    payload_at = name_at + (received[at] << 8 | received[at + 1])
    if not name_at < payload_at <= end:
        return None
    try:
        topic = received[name_at:payload_at].decode()
    except UnicodeDecodeError:
        return None
    return topic, received[payload_at:end], head & _RETAIN != 0, end
