"""Builds and parses all topics.

| topic under `ssmic/<run>`              | published by | read by  | QoS | retained |
| -------------------------------------- | ------------ | -------- | --- | -------- |
| `roster`                               | clock        | hosts    | 1   | yes      |
| `time`                                 | clock        | anyone   | 0   | yes      |
| `control`                              | anyone       | clock    | 1   | no       |
| `hosts/<host>`                         | host, will   | clock    | 1   | yes      |
| `grants`                               | clock        | hosts    | 0   | no       |
| `grant/<host>`                         | clock        | host     | 0   | no       |
| `done/<host>`                          | host         | clock    | 0   | no       |
| `inbox/<host>/<from-host>`             | host         | host     | 0   | no       |
| `local/<host>`                         | host         | anyone   | 0   | no       |
| `resend/<host>/<from-host>`            | host         | host     | 0   | no       |
| `ledger/<contract>`                    | manager      | anyone   | 1   | yes      |
| `forecast/<host>/<producer>`           | host         | anyone   | 1   | yes      |
| `wake/<host>`                          | host         | clock    | 0   | no       |
| `devices/<device>/<part>`              | device, host | both     | 0/1 | some     |
| `claims/<switch>`                      | host         | hosts    | 1   | yes      |

Grants, answers and the messages between agents use QoS 0: messages that a broken connection loses are detected by
counting and retransmitted by their sender. That takes half the packets of QoS 1, and works even if a restarted broker
has lost its sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import quote, unquote

from broker.identifiers import canonical, character_problem, shown

ROOT = "ssmic"

CLOCK = "clock"
"""Takes the place of a host's id when the clock requests a step's messages again; no host has this id."""

QOS_AT_MOST_ONCE = 0
"""MQTT QoS of messages whose loss the counted rounds detect and repair."""
QOS_AT_LEAST_ONCE = 1
"""MQTT QoS of messages that are published only once: announcements, the roster, the ledger, control."""

_LONGEST_CACHED_CHARACTERS = 500

Kind = Literal[
    "roster",
    "time",
    "control",
    "hosts",
    "grants",
    "grant",
    "done",
    "inbox",
    "local",
    "resend",
    "ledger",
    "forecast",
    "wake",
    "devices",
    "claims",
]

RETAINED: frozenset[Kind] = frozenset({"roster", "time", "hosts", "ledger", "forecast", "devices", "claims"})
"""Topics whose messages stay valid and may be retained by the broker. All others are valid only when they are
published: a retained message on them was planted, or is outdated.
"""

_LEVELS: dict[str, int] = {
    "roster": 0,
    "time": 0,
    "control": 0,
    "hosts": 1,
    "grants": 0,
    "grant": 1,
    "done": 1,
    "inbox": 2,
    "local": 1,
    "resend": 2,
    "ledger": 1,
    "forecast": 2,
    "wake": 1,
    "devices": 2,
    "claims": 1,
}


def encode(identifier: str) -> str:
    """Percent-encode an id for use as one topic level; inverse of `decode`.

    Raises:
        ValueError: The text is not a valid id (see `broker.identifiers`).
    """
    # Were long ones cached, a member could fill the memory of its readers with them.
    return _encode_cached(identifier) if len(identifier) <= _LONGEST_CACHED_CHARACTERS else _encode(identifier)


def _encode(identifier: str) -> str:
    if not identifier:
        raise ValueError("empty id: expected at least one character")
    problem = character_problem(identifier)
    if problem is not None:
        raise ValueError(f"the id {shown(identifier)} {problem}")
    return quote(canonical(identifier), safe="")


_encode_cached = lru_cache(maxsize=65_536)(_encode)


def decode(level: str) -> str:
    """Decode a topic level to the id.

    Raises:
        ValueError: The level is not the canonical encoding of an id. Accepting other encodings would allow clients to
            bypass the broker's access rules.
    """
    identifier = unquote(level, errors="strict")
    if encode(identifier) != level:
        raise ValueError(f"{level!r} is not the topic encoding of the id {identifier!r}")
    return identifier


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed topic: the run, the kind, and the decoded ids in their order."""

    run: str
    kind: Kind
    ids: tuple[str, ...] = ()


def parse(topic: str) -> Address | None:
    """Parse a topic; return None if it is not one of this protocol."""
    return _parse_cached(topic) if len(topic) <= _LONGEST_CACHED_CHARACTERS else _parse(topic)


def _parse(topic: str) -> Address | None:
    root, *rest = topic.split("/")
    if root != ROOT or len(rest) < 2 or not all(rest):
        return None
    run, kind, *levels = rest
    if _LEVELS.get(kind) != len(levels):
        return None
    try:
        return Address(decode(run), kind, tuple(decode(level) for level in levels))  # type: ignore[arg-type]  # checked above
    except ValueError:
        return None


_parse_cached = lru_cache(maxsize=65_536)(_parse)


@dataclass(frozen=True, slots=True)
class MisspeltDevice:
    """A topic of a device whose id is not written there as in topics."""

    level: str
    """The level that should be the id."""
    part: str
    """The last level."""
    error_topic: str
    """The topic `error` beside it."""
    problem: str
    expected: str


def misspelt_device(run: str, topic: str) -> MisspeltDevice | None:
    """Return how a device's id should be written in a topic that `parse` does not know; None: it is no device's."""
    beginning = _build(run, "devices", "")
    level, slash, part = topic.removeprefix(beginning).partition("/")
    if not topic.startswith(beginning) or not (level and slash and part) or "/" in part:
        return None
    identifier = unquote(level, errors="replace")
    problem = f"the device's id is not percent-encoded in the topic: {shown(level)}"
    try:
        expected = f"{shown(encode(identifier))} in its place"
    except ValueError as error:
        problem, expected = str(error), "an id of visible characters, percent-encoded as UTF-8"
    return MisspeltDevice(level, part, f"{beginning}{level}/error", problem, expected)


def too_deep(run: str, topic: str) -> tuple[str, str] | None:
    """Return the device's id and the levels below it, of a topic with more levels than topics of devices have.

    Returns:
        Both; None if it is no such topic.
    """
    beginning = _build(run, "devices", "")
    level, _, below = topic.removeprefix(beginning).partition("/")
    if not topic.startswith(beginning) or "/" not in below:
        return None
    try:
        return decode(level), below
    except ValueError:
        return None


def _build(run: str, *levels: str) -> str:
    return "/".join((ROOT, encode(run), *levels))


def everything(run: str) -> str:
    """Return the filter for all topics of a run."""
    return _build(run, "#")


def all_runs() -> str:
    """Return the filter for all topics of all runs."""
    return f"{ROOT}/+/#"


def run_of(topic: str) -> str | None:
    """Return the run that a topic belongs to, without checking its other levels; None if there is none."""
    root, _, below = topic.partition("/")
    run, _, rest = below.partition("/")
    if root != ROOT or not rest:
        return None
    try:
        return decode(run)
    except ValueError:
        return None


def roster(run: str) -> str:
    """Return the topic that says which agent lives on which host."""
    return _build(run, "roster")


def times() -> str:
    """Return the filter that finds every run at a broker."""
    return f"{ROOT}/+/time"


def time(run: str) -> str:
    """Return the topic of virtual time, round, pace and state."""
    return _build(run, "time")


def control(run: str) -> str:
    """Return the topic of commands: pause, resume, step, pace, stop."""
    return _build(run, "control")


def host(run: str, host_id: str) -> str:
    """Return the topic of a host's announcement and of its last will."""
    return _build(run, "hosts", encode(host_id))


def hosts(run: str) -> str:
    """Return the filter for all announcements."""
    return _build(run, "hosts", "+")


@lru_cache(maxsize=1024)
def grants(run: str) -> str:
    """Return the topic on which the clock grants a round to many hosts at once."""
    return _build(run, "grants")


@lru_cache(maxsize=65_536)
def grant(run: str, host_id: str) -> str:
    """Return the topic on which the clock grants rounds to one host."""
    return _build(run, "grant", encode(host_id))


def grants_to_one(run: str) -> str:
    """Return the filter for the grants of rounds to single hosts."""
    return _build(run, "grant", "+")


def done(run: str, host_id: str) -> str:
    """Return the topic on which a host answers grants."""
    return _build(run, "done", encode(host_id))


def dones(run: str) -> str:
    """Return the filter for the answers of all hosts."""
    return _build(run, "done", "+")


@lru_cache(maxsize=65_536)
def inbox(run: str, host_id: str, from_host: str) -> str:
    """Return the topic of messages from the agents of one host to those of another.

    Args:
        run: The run's id.
        host_id: The host that the receiving agents live on.
        from_host: The sending host.
    """
    return _build(run, "inbox", encode(host_id), encode(from_host))


def inboxes(run: str, host_id: str) -> str:
    """Return the filter for all messages to the agents of a host."""
    return _build(run, "inbox", encode(host_id), "+")


def inboxes_from(run: str, from_host: str) -> str:
    """Return the filter for all messages from the agents of a host to those of others."""
    return _build(run, "inbox", "+", encode(from_host))


def all_inboxes(run: str) -> str:
    """Return the filter for all messages between hosts."""
    return _build(run, "inbox", "+", "+")


def local(run: str, host_id: str) -> str:
    """Return the topic on which a host publishes what its own agents say to each other."""
    return _build(run, "local", encode(host_id))


def all_local(run: str) -> str:
    """Return the filter for what agents of the same host say to each other, at all hosts."""
    return _build(run, "local", "+")


def resend(run: str, host_id: str, from_host: str) -> str:
    """Return the topic on which one host requests a step's messages from another one again.

    Args:
        run: The run's id.
        host_id: The host that sent the messages.
        from_host: The host that requests them.
    """
    return _build(run, "resend", encode(host_id), encode(from_host))


def resends(run: str, host_id: str) -> str:
    """Return the filter for all such requests to a host."""
    return _build(run, "resend", encode(host_id), "+")


def all_resends(run: str) -> str:
    """Return the filter for all such requests, which the clock counts."""
    return _build(run, "resend", "+", "+")


def ledger(run: str, contract_id: str) -> str:
    """Return the topic on which the manager publishes a contract."""
    return _build(run, "ledger", encode(contract_id))


def forecast(run: str, host_id: str, producer: str) -> str:
    """Return the topic on which a host publishes the forecast of a producer.

    Args:
        run: The run's id.
        host_id: The host that the producer lives on.
        producer: The producer's id.
    """
    return _build(run, "forecast", encode(host_id), encode(producer))


def wake(run: str, host_id: str) -> str:
    """Return the topic on which a host asks the clock for a round, because something from outside waits for it."""
    return _build(run, "wake", encode(host_id))


def wakes(run: str) -> str:
    """Return the filter for these requests of all hosts."""
    return _build(run, "wake", "+")


def device(run: str, device_id: str, part: str) -> str:
    """Return one of a real device's topics.

    Args:
        run: The run's id.
        device_id: The device's gateway id, unique in the run.
        part: Last level, such as `request`; see `docs/devices.md`.
    """
    return _build(run, "devices", encode(device_id), encode(part))


def device_topics(run: str, device_id: str) -> str:
    """Return the filter for all topics of one real device, and for those with more levels than any of them has."""
    return _build(run, "devices", encode(device_id), "#")


def devices(run: str, part: str | None = None) -> str:
    """Return the filter for one topic of every real device, or for all of them, as `device_topics`."""
    return _build(run, "devices", "#") if part is None else _build(run, "devices", "+", encode(part))


def claim(run: str, switch: str) -> str:
    """Return the topic on which a run claims a switch of another maker, so that no other run commands it."""
    return _build(run, "claims", encode(switch))


def claims(switch: str) -> str:
    """Return the filter for the claims of all runs to one switch."""
    return f"{ROOT}/+/claims/{encode(switch)}"


def watched(run: str) -> tuple[str, ...]:
    """Return the filters for everything that people look at: all topics but the grants, answers and resend requests."""
    return (
        *(_build(run, kind) for kind in ("roster", "time", "control")),
        *(_build(run, kind, "#") for kind in ("hosts", "inbox", "local", "ledger", "forecast", "devices")),
    )
