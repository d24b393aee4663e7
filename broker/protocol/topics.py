"""Every topic, built and parsed here and nowhere else.

| topic under `ssmic/<run>`              | published by | read by  | QoS | retained |
| -------------------------------------- | ------------ | -------- | --- | -------- |
| `roster`                               | clock        | hosts    | 1   | yes      |
| `time`                                 | clock        | anyone   | 0   | yes      |
| `control`                              | anyone       | clock    | 1   | no       |
| `hosts/<host>`                         | host, will   | clock    | 1   | yes      |
| `grant/<host>`                         | clock        | host     | 0   | no       |
| `done/<host>`                          | host         | clock    | 0   | no       |
| `inbox/<host>/<agent>/<from-host>`     | host         | host     | 0   | no       |
| `resend/<host>/<from-host>`            | host         | host     | 0   | no       |
| `ledger/<contract>`                    | manager      | anyone   | 1   | yes      |
| `forecast/<host>/<producer>`           | host         | anyone   | 1   | yes      |

Grants, answers and the messages between agents go at QoS 0: what a broken connection loses is found by counting and
sent again by its sender, which costs half the packets of QoS 1 and holds across a broker that forgot its sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import quote, unquote

from broker.identifiers import canonical, character_problem, shown

ROOT = "ssmic"

CLOCK = "clock"
"""Stands where a host's id does when the clock asks for a step's messages; no host has this id."""

QOS_ROUNDS = 0
"""For what the counted rounds make good for themselves."""
QOS_FACTS = 1
"""For what is told once: announcements, the roster, the ledger, control."""

Kind = Literal["roster", "time", "control", "hosts", "grant", "done", "inbox", "resend", "ledger", "forecast"]

RETAINED: frozenset[Kind] = frozenset({"roster", "time", "hosts", "ledger", "forecast"})
"""What holds until further notice, and may be stored at the broker. All else counts at the moment it is said: stored,
it was planted, or is of long ago."""

_LEVELS: dict[str, int] = {
    "roster": 0,
    "time": 0,
    "control": 0,
    "hosts": 1,
    "grant": 1,
    "done": 1,
    "inbox": 3,
    "resend": 2,
    "ledger": 1,
    "forecast": 2,
}


@lru_cache(maxsize=65_536)
def encode(identifier: str) -> str:
    """Make an id fit for one topic level; the inverse of `decode`.

    Raises:
        ValueError: it can be no id: it is empty, or holds what no id may hold (`broker.identifiers`).
    """
    if not identifier:
        raise ValueError("an id is empty: expected at least one character")
    problem = character_problem(identifier)
    if problem is not None:
        raise ValueError(f"the id {shown(identifier)} {problem}")
    return quote(canonical(identifier), safe="")


def decode(level: str) -> str:
    """Return the id that `encode` made a topic level of.

    Raises:
        ValueError: it made no such level. An id has one spelling, or a broker's rules could be got round.
    """
    identifier = unquote(level, errors="strict")
    if encode(identifier) != level:
        raise ValueError(f"{level!r} is not how the id {identifier!r} is written in a topic")
    return identifier


@dataclass(frozen=True, slots=True)
class Address:
    """What a topic says: which run, what kind, and the ids in the topic, decoded and in order."""

    run: str
    kind: Kind
    ids: tuple[str, ...] = ()


@lru_cache(maxsize=65_536)
def parse(topic: str) -> Address | None:
    """Return what `topic` says, or None where it is none of ours."""
    root, *rest = topic.split("/")
    if root != ROOT or len(rest) < 2 or not all(rest):
        return None
    run, kind, *levels = rest
    if _LEVELS.get(kind) != len(levels):
        return None
    try:
        return Address(decode(run), kind, tuple(decode(level) for level in levels))  # type: ignore[arg-type]
    except ValueError:
        return None


def _build(run: str, *levels: str) -> str:
    return "/".join((ROOT, encode(run), *levels))


def everything(run: str) -> str:
    """Return the filter under which a watcher sees the whole run."""
    return _build(run, "#")


def everything_of_all() -> str:
    """Return the filter under which all runs are seen."""
    return f"{ROOT}/+/#"


def run_of(topic: str) -> str | None:
    """Return the run that a topic belongs to, whatever comes after; None where it is not a run's."""
    root, _, below = topic.partition("/")
    run, _, rest = below.partition("/")
    if root != ROOT or not rest:
        return None
    try:
        return decode(run)
    except ValueError:
        return None


def roster(run: str) -> str:
    """Which agent lives on which host."""
    return _build(run, "roster")


def times() -> str:
    """Return the filter that finds every run on a broker."""
    return f"{ROOT}/+/time"


def time(run: str) -> str:
    """Virtual time, round, pace, state."""
    return _build(run, "time")


def control(run: str) -> str:
    """Pause, step, pace, stop."""
    return _build(run, "control")


def host(run: str, host_id: str) -> str:
    """Return where a host announces itself, and where its last will says that it is gone."""
    return _build(run, "hosts", encode(host_id))


def hosts(run: str) -> str:
    """Return the filter for all announcements."""
    return _build(run, "hosts", "+")


def grant(run: str, host_id: str) -> str:
    """Return where the clock grants a round to a host."""
    return _build(run, "grant", encode(host_id))


def done(run: str, host_id: str) -> str:
    """Return where a host answers a grant."""
    return _build(run, "done", encode(host_id))


def dones(run: str) -> str:
    """Return the filter for all answers."""
    return _build(run, "done", "+")


def inbox(run: str, host_id: str, agent: str, from_host: str) -> str:
    """Return where `from_host` publishes messages for an agent on `host_id`."""
    return _build(run, "inbox", encode(host_id), encode(agent), encode(from_host))


def inboxes(run: str, host_id: str) -> str:
    """Return the filter for all that comes in for a host's agents."""
    return _build(run, "inbox", encode(host_id), "+", "+")


def all_inboxes(run: str) -> str:
    """Return the filter for all that agents say to each other."""
    return _build(run, "inbox", "+", "+", "+")


def resend(run: str, host_id: str, from_host: str) -> str:
    """Return where `from_host` asks `host_id` to send a round's messages again."""
    return _build(run, "resend", encode(host_id), encode(from_host))


def resends(run: str, host_id: str) -> str:
    """Return the filter for all requests to `host_id` to send again."""
    return _build(run, "resend", encode(host_id), "+")


def ledger(run: str, contract_id: str) -> str:
    """Return where the manager keeps a contract."""
    return _build(run, "ledger", encode(contract_id))


def ledgers(run: str) -> str:
    """Return the filter for all contracts."""
    return _build(run, "ledger", "+")


def forecast(run: str, host_id: str, producer: str) -> str:
    """Return where a host says what one of its producers expects from its sun."""
    return _build(run, "forecast", encode(host_id), encode(producer))


def watched(run: str) -> tuple[str, ...]:
    """Return the filters for what people look at: all but the clockwork of the rounds."""
    return (
        *(_build(run, kind) for kind in ("roster", "time", "control")),
        *(_build(run, kind, "#") for kind in ("hosts", "inbox", "ledger", "forecast")),
    )
