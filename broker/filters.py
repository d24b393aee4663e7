"""Topic filters as MQTT 3.1.1 defines them: `+` stands for one level, a final `#` for all that follows.

The tree finds the clients of a topic in the depth of the topic, not in the number of filters: a hundred hosts
hold several hundred filters, and every message asks.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

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
    """Whether `topic_filter` covers `topic`; a leading wildcard leaves out topics of the broker's own (`$SYS`)."""
    levels = topic.split("/")
    wanted = topic_filter.split("/")
    if topic.startswith("$") and wanted[0] in {"+", "#"}:
        return False
    if wanted[-1] == "#":
        wanted.pop()
        # `a/#` covers `a` too.
        levels = levels[: len(wanted)] if len(levels) >= len(wanted) else levels
    return len(levels) == len(wanted) and all(one in {"+", other} for one, other in zip(wanted, levels, strict=True))


class _Node(Generic[ClientT]):
    __slots__ = ("below", "clients")

    def __init__(self) -> None:
        self.below: dict[str, _Node[ClientT]] = {}
        self.clients: dict[ClientT, None] = {}
        """A dict for its order: clients are served in the order in which they subscribed."""


class FilterTree(Generic[ClientT]):
    """Who subscribed to what."""

    def __init__(self) -> None:
        self._root: _Node[ClientT] = _Node()

    def add(self, topic_filter: str, client: ClientT) -> None:
        """Let `client` be found for the topics that `topic_filter` covers."""
        node = self._root
        for level in topic_filter.split("/"):
            node = node.below.setdefault(level, _Node())
        node.clients[client] = None

    def remove(self, client: ClientT) -> None:
        """Forget all filters of `client`."""
        self._prune(self._root, client)

    def find(self, topic: str) -> tuple[ClientT, ...]:
        """Return who subscribed to `topic`, each once however many of its filters cover it."""
        found: dict[ClientT, None] = {}
        for node in self._nodes(self._root, topic.split("/"), 0):
            found.update(node.clients)
        return tuple(found)

    def _nodes(self, node: _Node[ClientT], levels: list[str], depth: int) -> Iterator[_Node[ClientT]]:
        wildcards = depth > 0 or not levels[0].startswith("$")
        if wildcards and "#" in node.below:
            yield node.below["#"]
        if depth == len(levels):
            yield node
            return
        if levels[depth] in node.below:
            yield from self._nodes(node.below[levels[depth]], levels, depth + 1)
        if wildcards and "+" in node.below:
            yield from self._nodes(node.below["+"], levels, depth + 1)

    def _prune(self, node: _Node[ClientT], client: ClientT) -> None:
        node.clients.pop(client, None)
        for level, child in list(node.below.items()):
            self._prune(child, client)
            if not child.below and not child.clients:
                del node.below[level]
