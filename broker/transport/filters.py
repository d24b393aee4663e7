"""Topic filters as MQTT 3.1.1 defines them: `+` matches one level, a final `#` all remaining ones."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Generic, TypeVar

ClientT = TypeVar("ClientT", bound=Hashable)

MAX_TEXT_BYTES = 65_535
"""Longest topic, filter or client id: MQTT encodes the length in two bytes."""


@lru_cache(maxsize=65_536)  # a run has few topics, and publishes to each many times
def check_topic(topic: str) -> None:
    """Check that a topic can be published to.

    Raises:
        ValueError: It is empty, too long, or contains a wildcard or a character that MQTT forbids.
    """
    if not topic or any(character in topic for character in "+#"):
        raise ValueError(f"{topic!r} is not a topic to publish to: expected a name without '+', '#' and NUL")
    _check_text(topic, "topic to publish to")


def check_client_id(client_id: str) -> None:
    """Check that a broker would accept a client id.

    Raises:
        ValueError: It is empty, too long, or contains a character that MQTT forbids.
    """
    if not client_id:
        raise ValueError("empty client id")
    _check_text(client_id, "client id")


def _check_text(text: str, what: str) -> None:
    for character in text:
        # A broker may close the connection for a control character, and must for a surrogate (MQTT 1.5.3).
        if character < " " or "\x7f" <= character <= "\x9f" or "\ud800" <= character <= "\udfff":
            raise ValueError(
                f"{text[:100]!r} is not a valid {what}: it contains U+{ord(character):04X}, a control character"
            )
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise ValueError(f"{text[:100]!r}... is not a valid {what}: longer than {MAX_TEXT_BYTES} bytes")


def check_qos(qos: int) -> None:
    """Check that a QoS is supported.

    Raises:
        ValueError: It is neither 0 nor 1.
    """
    if qos not in (0, 1):
        raise ValueError(f"QoS {qos!r} is not supported: expected 0 or 1")


def check_filter(topic_filter: str) -> None:
    """Check that a filter can be subscribed to.

    Raises:
        ValueError: It is empty or too long, contains a character that MQTT forbids, or has a wildcard that shares its
            level or is followed by another level.
    """
    *before, last = topic_filter.split("/")
    alone = all(level == "+" or "+" not in level for level in (*before, last))
    at_the_end = all("#" not in level for level in before) and (last == "#" or "#" not in last)
    if not topic_filter or not alone or not at_the_end:
        raise ValueError(
            f"{topic_filter!r} is not a topic filter: a wildcard must be alone in its level, '#' in the last one"
        )
    _check_text(topic_filter, "topic filter")


def matches(topic_filter: str, topic: str) -> bool:
    """Return whether a filter covers a topic; a leading wildcard does not cover `$SYS` and similar topics."""
    subscriptions: Subscriptions[str] = Subscriptions()
    subscriptions.add(topic_filter, topic_filter)
    return bool(subscriptions.find(topic))


class _Level(Generic[ClientT]):
    """A level of topic filters: what they have in common up to here."""

    __slots__ = ("clients", "further")

    def __init__(self) -> None:
        self.clients: dict[ClientT, None] = {}
        """The clients that have subscribed to the filter that ends here, in the order of subscription."""
        self.further: dict[str, _Level[ClientT]] = {}
        """How filters continue, by their next level."""


class Subscriptions(Generic[ClientT]):
    """The topic filters that clients have subscribed to.

    Lookup time grows with the number of levels of a topic, not with the number of filters: a hundred hosts hold several
    hundred filters, and every message is looked up.
    """

    def __init__(self) -> None:
        self._root: _Level[ClientT] = _Level()
        self._filters_of: dict[ClientT, dict[str, None]] = {}

    def add(self, topic_filter: str, client: ClientT) -> None:
        """Subscribe a client to a filter."""
        level = self._root
        for name in topic_filter.split("/"):
            level = level.further.setdefault(name, _Level())
        level.clients[client] = None
        self._filters_of.setdefault(client, {})[topic_filter] = None

    def remove(self, client: ClientT) -> None:
        """Cancel all subscriptions of a client."""
        for topic_filter in self._filters_of.pop(client, {}):
            path = [self._root]
            names = topic_filter.split("/")
            for name in names:
                path.append(path[-1].further[name])
            del path[-1].clients[client]
            for before, name in zip(reversed(path[:-1]), reversed(names), strict=True):
                if before.further[name].clients or before.further[name].further:
                    break
                del before.further[name]

    def find(self, topic: str) -> tuple[ClientT, ...]:
        """Return the clients whose filters cover a topic, each once."""
        found: dict[ClientT, None] = {}
        _find(self._root, topic.split("/"), 0, found, may_be_wildcard=not topic.startswith("$"))
        return tuple(found)


def _find(
    level: _Level[ClientT], names: Sequence[str], at: int, found: dict[ClientT, None], *, may_be_wildcard: bool
) -> None:
    """Find the clients whose filters begin as a level does, and cover a topic from one of its levels on.

    Literal levels come first, then `+`, then `#`; clients are served in this order.

    Args:
        level: Where the filters are the same as the topic, or cover it.
        names: The levels of the topic.
        at: How many of them are covered.
        found: The clients that have been found; extended.
        may_be_wildcard: Whether a wildcard covers the next level.
    """
    if at == len(names):
        found.update(level.clients)
    else:
        if (literal := level.further.get(names[at])) is not None:
            _find(literal, names, at + 1, found, may_be_wildcard=True)
        if may_be_wildcard and (any_one := level.further.get("+")) is not None:
            _find(any_one, names, at + 1, found, may_be_wildcard=True)
    if may_be_wildcard and (all_more := level.further.get("#")) is not None:
        found.update(all_more.clients)
