"""What travels between clock and hosts, as pydantic models: version 2 of the protocol in `docs/protocol.md`.

What is inside an agent's message (`Envelope.body`) this floor does not know; it moves it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Version = Literal[2]
VERSION: Version = 2
Count = Annotated[int, Field(ge=0)]
RunPhase = Literal["waiting", "running", "paused", "ended", "failed"]

MOST_NAMED = 100
"""Hosts that a report of `time` names; of more it says how many."""
MOST_CHARACTERS = 80
"""Of a name in `time` and `control`."""


def shown(name: str) -> str:
    """Return a name as `time` and `control` carry it: short, and without characters that a terminal obeys."""
    name = name if name.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return name if len(name) <= MOST_CHARACTERS else f"{name[: MOST_CHARACTERS - 1]}…"


Who = Annotated[str, AfterValidator(shown)]
"""Who sent a command, as they say themselves, such as `anna@laptop`; empty: they do not say."""


class Wire(BaseModel):
    """Checked where it comes in; keys that nobody knows are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    v: Version = VERSION

    def encoded(self) -> bytes:
        """Return the payload, keys in the order of the model."""
        return self.model_dump_json(by_alias=True).encode()


class Envelope(Wire):
    """One agent's message to another, on `inbox/<host>/<agent>/<from-host>`."""

    session: str
    """The sending host's, as the roster names it: what another process said once in this host's name is void."""
    step: Count
    """The step in which it was sent; it is delivered in the next one."""
    time: int
    """Virtual time of sending, UNIX seconds."""
    round: Count
    sender: str
    """An agent's id."""
    seq: Count
    """Counts the sender's messages in this run; (sender, seq) names a message."""
    to: str
    """An agent's id."""
    re: Count | None = None
    """`seq` of the recipient's message that this one answers."""
    body: dict[str, Any]
    """The message; `body["kind"]` names it."""

    def unsigned(self) -> bytes:
        """Return what is said, whichever of its host's processes says it."""
        return self.model_dump_json(by_alias=True, exclude={"session"}).encode()


class Grant(Wire):
    """The clock lets a host run one round, on `grant/<host>`."""

    step: Count
    """Counts all rounds of the run, whatever their time."""
    time: int
    """Virtual time, UNIX seconds."""
    round: Count
    """Counts the rounds of this second."""
    expected: dict[str, Count]
    """By sending host: how many messages to this host were sent in the step before."""
    lost: tuple[str, ...] = ()
    """Agents that the run goes on without from this round on."""
    phase: Literal["start", "run", "closing", "end"] = "run"
    """`start`: agents begin; `closing`: the run's end is reached, agents settle what is open; `end`: leave."""


class Failure(Wire):
    """An agent raised."""

    agent: str
    traceback: str


class Done(Wire):
    """A host has run its round, on `done/<host>`."""

    session: str
    """The host's, as the roster names it."""
    step: Count
    time: int
    round: Count
    sent: dict[str, Count]
    """By receiving host: how many messages were sent to it."""
    next: int | None
    """Virtual time of the host's earliest timer; None where it has none."""
    busy: bool = False
    """True in answer to a repeated grant while the round still runs: the host lives, the rest is void."""
    failure: Failure | None = None


class Announcement(Wire):
    """A host is there, or gone, on `hosts/<host>`."""

    host: str
    session: str
    """Drawn anew by every process: tells apart two that claim to be the same host, and what an earlier run said."""
    agents: tuple[str, ...]
    setup: str = ""
    """Fingerprint of what the host was started with; hosts and clock must agree on it."""
    ran: int = -1
    """The last step that the host ran; -1: none. A process that cannot go on from where its host was has no journal."""
    state: Literal["there", "gone"]


class Member(BaseModel):
    """A host in the roster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session: str
    """The process that the clock talks to. Empty: none, or two say that they are this host. Whoever takes part and does
    not find its own session here announces itself again."""
    agents: tuple[str, ...]


class Roster(Wire):
    """Which agent lives on which host, on `roster`."""

    hosts: dict[str, Member]
    refused: dict[str, str] = {}
    """Sessions that may not take part, with the reason."""
    ended: bool = False
    """The run is over; a host that comes back only now has missed nothing."""
    keep: bool = False
    """Whether all that is retained stays at the broker when the run has ended."""
    failed: str = ""
    """Why the clock gave up; hosts leave. What is stored at the broker of it counts no more: a clock may come back."""
    utc_offset_s: Annotated[int, Field(gt=-86_400, lt=86_400)] = 0
    """Offset from UTC at which people are shown the run's times. Left out of the payload where it is 0, so that peers
    from before there was such a key read the roster of a run in UTC."""

    def encoded(self) -> bytes:
        """See `Wire.encoded`."""
        unsaid = None if self.utc_offset_s else {"utc_offset_s"}
        return self.model_dump_json(by_alias=True, exclude=unsaid).encode()


class TimeReport(Wire):
    """Where the run stands, on `time`.

    What has its default is left out of the payload, and readers ignore keys that they do not know: so older and newer
    readers understand each other.
    """

    model_config = ConfigDict(extra="ignore")

    time: int
    round: Count
    step: Count
    pace: str
    """`max`, or a factor of the wall clock such as `60x`."""
    lag_wall_s: float
    """How far virtual time is behind its pace."""
    state: RunPhase
    """`waiting`: for the hosts, before the run begins."""
    waiting_for: Annotated[tuple[Who, ...], Field(max_length=MOST_NAMED)] = ()
    """Hosts that the clock waits for and that answer nothing; one that answers that it still works is none of them."""
    waiting_more: Count = 0
    """How many more there are than are named."""
    waiting_wall_s: float = 0.0
    """How long it has waited for the first of them."""
    paused_by: Who = ""
    """Who paused the run."""
    stopped_by: Who = ""
    """Who ended it before its time."""
    every_wall_s: float = 0.0
    """So often the clock reports at least, whatever happens; 0: it makes no promise."""

    def encoded(self) -> bytes:
        """Return the payload."""
        return self.model_dump_json(exclude={name for name in _LATER if not getattr(self, name)}).encode()


_LATER = ("waiting_for", "waiting_more", "waiting_wall_s", "paused_by", "stopped_by", "every_wall_s")
"""Keys that version 2 did not have at first."""


class Control(Wire):
    """What a person asks of the clock, on `control`."""

    command: Literal["pause", "resume", "step", "pace", "stop"]
    pace: str | None = None
    """With `pace`: the new one."""
    until: Literal["round", "event", "hour"] | None = None
    """With `step`: how far to go before pausing again."""
    by: Who = ""

    def encoded(self) -> bytes:
        """Return the payload; without `by` where it is empty, for clocks that do not know it."""
        return self.model_dump_json(exclude=None if self.by else {"by"}).encode()


class ResendRequest(Wire):
    """A host misses messages that were sent to it in a step, on `resend/<host>/<from-host>`."""

    step: Count
