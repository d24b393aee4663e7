"""The range of every value on the wire: types for the fields of payloads, and the rules behind them.

Input from the network is untrusted. A value within these ranges fits into SQLite, JSON, NumPy, a date and a topic, so
no payload can make a reader fail later. Every payload also states the version of the protocol as `v`
(`docs/protocol.md`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from broker.identifiers import MAX_CHARACTERS, character_problem, shown

MAX_PAYLOAD_BYTES = 512 * 1024
"""Largest payload. The longest series in a message (10,000 points) takes 300 kB. Brokers accept a little more, so that
the receiver knows the sender of an oversized payload."""
MAX_INTEGER = 2**53 - 1
"""Largest integer that every reader of JSON represents exactly; SQLite and NumPy hold it."""
MAX_TIME_S = 2**38
"""Latest time, UNIX seconds: in the year 10680, so that a run that starts in the year 9999 can end."""
MAX_SESSION_CHARACTERS = 64
MAX_AGENT_CHARACTERS = 2 * 12 * MAX_CHARACTERS + 1
"""Longest agent id: a house and a device, each percent-encoded, and a slash."""
MAX_MEMBERS = 10_000
"""Limit on the hosts of a run."""
MAX_MESSAGES = 100_000
"""Limit on the messages of one round in a batch; a payload holds fewer."""
MAX_AGENTS = 100_000
"""Limit on the agents of a host, and on the agents that are lost at once: 10,000 houses have some 45,000."""
MAX_TEXT_CHARACTERS = 1_000
"""Longest text for display: a reason or a command's pace."""
MAX_TRACEBACK_CHARACTERS = 20_000
MAX_KIND_CHARACTERS = 64
MAX_BODY_DEPTH = 32
"""Maximum nesting depth of lists and mappings in an agent's message."""
Version = Literal[6]
VERSION: Version = 6
"""Increase it when a clock or host of the previous version would misread a payload. Validation then rejects payloads of
other versions, so that members of different versions do not run together."""
ControlVersion = Literal[2, 3, 4, 5, 6]
"""Versions in which a controller may write: a command has not changed since version 2."""


def _is_id(identifier: str) -> str:
    # Were long ones cached, a member could fill the memory of its readers with them.
    return _checked_id(identifier) if len(identifier) <= MAX_CHARACTERS else _check_id(identifier)


def _check_id(identifier: str) -> str:
    problem = character_problem(identifier)
    if problem is not None:
        raise ValueError(f"the id {shown(identifier)} {problem}")
    return identifier


_checked_id = lru_cache(maxsize=65_536)(_check_id)
"""A run has few ids, and each message several of them."""


@lru_cache(maxsize=4096)
def _is_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has characters that cannot be printed")
    return text


Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Time = Annotated[int, Field(ge=0, le=MAX_TIME_S)]
"""UNIX seconds of virtual time."""
Session = Annotated[str, Field(min_length=1, max_length=MAX_SESSION_CHARACTERS), AfterValidator(_is_printable)]
"""Drawn at random by each process that takes part."""
HostId = Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS), AfterValidator(_checked_id)]
AgentId = Annotated[str, Field(min_length=1, max_length=MAX_AGENT_CHARACTERS), AfterValidator(_is_id)]
AgentIds = Annotated[tuple[AgentId, ...], Field(max_length=MAX_AGENTS)]
MAX_PASSED_ROUNDS = 20_000
"""Rounds of one second that an agent may skip at once: two for each of 10,000 producers."""
Counts = Annotated[dict[HostId, Count], Field(max_length=MAX_MEMBERS)]
"""By host, a number of messages."""
WallS = Annotated[float, Field(ge=0, le=MAX_TIME_S, allow_inf_nan=False)]
"""A duration on the wall clock, seconds."""
Text = Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS)]


def check_body(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of an agent's message if it can be stored and shown; its receiver validates the rest.

    Raises:
        ValueError: It has no `kind`, a number is out of range, or it is nested too deep.
    """
    kind = body.get("kind")
    if not isinstance(kind, str) or not 0 < len(kind) <= MAX_KIND_CHARACTERS or not kind.isidentifier():
        raise ValueError(f"the body needs a kind: a name of at most {MAX_KIND_CHARACTERS} letters, digits and _")
    level: list[Any] = [body]
    for _ in range(MAX_BODY_DEPTH):
        if not level:
            return body
        level = _inner(level)
    raise ValueError(f"the body is nested more than {MAX_BODY_DEPTH} deep")


def _inner(containers: list[Any]) -> list[Any]:
    """Check the values in these lists and mappings; return the lists and mappings among them."""
    inner: list[Any] = []
    for container in containers:
        if isinstance(container, dict):
            values = container.values()
        elif _are_small_numbers(container):
            continue
        else:
            values = container
        for value in values:
            kind = type(value)
            if kind is str:
                continue
            if isinstance(value, _CONTAINERS):
                inner.append(value)
            elif isinstance(value, _NUMBERS):
                _check_number(value)
    return inner


_CONTAINERS, _NUMBERS = (dict, list, tuple), (int, float)


def _are_small_numbers(values: Sequence[Any]) -> bool:
    """Return whether all values are numbers that need no closer look; fast, for long series."""
    try:
        # In this range, the sum is finite unless one of them is not a number.
        return bool(min(values) >= -MAX_INTEGER and max(values) <= MAX_INTEGER and math.isfinite(sum(values)))
    except (TypeError, ValueError):  # not all are numbers, or there are none
        return False


def _check_number(value: float) -> None:
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise ValueError(f"an integer in the body is beyond {MAX_INTEGER}")
    elif not math.isfinite(value):
        raise ValueError("a number in the body is not finite")


def clipped(text: str, most: int = MAX_TEXT_CHARACTERS) -> str:
    """Return a text for display, clipped to the limit of its field."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


Body = Annotated[dict[str, Any], AfterValidator(check_body)]
"""An agent's message; `body["kind"]` is its type."""
