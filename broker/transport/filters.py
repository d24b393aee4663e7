"""Topic filters as MQTT 3.1.1 defines them: `+` stands for one level, a final `#` for all that follows."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from paho.mqtt.matcher import MQTTMatcher

ClientT = TypeVar("ClientT", bound=Hashable)

MAX_TEXT_BYTES = 65_535
"""Of a topic, a filter or a client id: MQTT says their length in two bytes."""


def check_topic(topic: str) -> None:
    """Refuse what cannot be published to.

    Raises:
        ValueError: it is empty, longer than MQTT allows, or holds a wildcard or what no text of MQTT may hold.
    """
    if not topic or any(character in topic for character in "+#"):
        raise ValueError(f"{topic!r} is no topic to publish to: expected a name without '+', '#' and NUL")
    _check_text(topic, "topic to publish to")


def check_client_id(client_id: str) -> None:
    """Refuse a client id that a broker would refuse.

    Raises:
        ValueError: it is empty, longer than MQTT allows, or holds what no text of MQTT may hold.
    """
    if not client_id:
        raise ValueError("a client id is empty")
    _check_text(client_id, "client id")


def _check_text(text: str, what: str) -> None:
    for character in text:
        # A broker may close the connection for a control character, and must for a surrogate (MQTT 1.5.3).
        if character < " " or "\x7f" <= character <= "\x9f" or "\ud800" <= character <= "\udfff":
            raise ValueError(f"{text[:100]!r} is no {what}: it holds U+{ord(character):04X}, a control character")
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise ValueError(f"{text[:100]!r}... is no {what}: longer than {MAX_TEXT_BYTES} bytes")


def check_qos(qos: int) -> None:
    """Refuse a QoS that is not spoken here.

    Raises:
        ValueError: it is neither 0 nor 1.
    """
    if qos not in (0, 1):
        raise ValueError(f"QoS {qos!r} is not spoken here: expected 0 or 1")


def check_filter(topic_filter: str) -> None:
    """Refuse what cannot be subscribed to.

    Raises:
        ValueError: it is empty, holds a NUL, or a wildcard shares its level or is followed by one.
    """
    *before, last = topic_filter.split("/")
    alone = all(level == "+" or "+" not in level for level in (*before, last))
    at_the_end = all("#" not in level for level in before) and (last == "#" or "#" not in last)
    if not topic_filter or not alone or not at_the_end:
        raise ValueError(f"{topic_filter!r} is no topic filter: a wildcard stands alone in its level, '#' in the last")
    _check_text(topic_filter, "topic filter")


def matches(topic_filter: str, topic: str) -> bool:
    """Return whether `topic_filter` covers `topic`; a leading wildcard does not cover `$SYS` and its like."""
    matcher = MQTTMatcher()
    matcher[topic_filter] = True
    return any(matcher.iter_match(topic))


class Subscriptions(Generic[ClientT]):
    """The topic filters that clients subscribed to.

    The time to find a topic's clients grows with the levels of the topic, not with the number of filters: a hundred
    hosts hold several hundred filters, and each message is looked up.
    """

    def __init__(self) -> None:
        self._matcher = MQTTMatcher()
        self._clients: dict[str, dict[ClientT, None]] = {}
        """By filter; a dict keeps the order in which clients subscribed, and they are served in it."""

    def add(self, topic_filter: str, client: ClientT) -> None:
        """Subscribe `client` to `topic_filter`."""
        clients = self._clients.setdefault(topic_filter, {})
        clients[client] = None
        self._matcher[topic_filter] = clients

    def remove(self, client: ClientT) -> None:
        """Cancel all subscriptions of `client`."""
        for topic_filter, clients in list(self._clients.items()):
            clients.pop(client, None)
            if not clients:
                del self._clients[topic_filter]
                del self._matcher[topic_filter]

    def find(self, topic: str) -> tuple[ClientT, ...]:
        """Return the clients whose filters cover `topic`, each once."""
        found: dict[ClientT, None] = {}
        for clients in self._matcher.iter_match(topic):
            found.update(clients)
        return tuple(found)
