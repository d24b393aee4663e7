"""The payloads exchanged between clock and hosts, as pydantic models (`docs/protocol.md`).

The body of an agent's message is opaque to this package.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, with_config
from pydantic_core import to_json
from typing_extensions import TypedDict, override

from broker.errors import SsmicError
from broker.protocol.bounds import (
    MAX_INTEGER,
    MAX_MEMBERS,
    MAX_MESSAGES,
    MAX_PAYLOAD_BYTES,
    MAX_TEXT_CHARACTERS,
    MAX_TRACEBACK_CHARACTERS,
    VERSION,
    AgentId,
    AgentIds,
    Body,
    ControlVersion,
    Count,
    Counts,
    HostId,
    Session,
    Text,
    Time,
    Version,
    WallS,
    clipped,
)

RunPhase = Literal["waiting", "running", "paused", "ended", "failed", "gone"]

MOST_ROUNDS_A_GRANT = 200
"""How many rounds a host runs at most on one grant."""
MOST_NAMED = 100
"""How many hosts a report on `time` names; the others are only counted."""
MOST_CHARACTERS = 80
"""Longest name in `time` and `control`."""


def shortened(name: str) -> str:
    """Return a name as `time` and `control` carry it: shortened, and without characters that a terminal interprets."""
    name = name if name.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return name if len(name) <= MOST_CHARACTERS else f"{name[: MOST_CHARACTERS - 1]}…"


Who = Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS), AfterValidator(shortened)]
"""Who sent a command, by their own account, such as `anna@laptop`; empty: unknown."""


_set = object.__setattr__


class WirePayload(BaseModel):
    """Base of all payloads: validated on receipt; unknown keys and values out of range are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)

    is_last: ClassVar[bool] = False
    """Whether its sender has nothing to publish right after it; see `broker.transport.base.Content`."""

    _names: ClassVar[set[str]] = set()

    v: Version = VERSION

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401 - pydantic's
        """Keep the names of all fields."""
        super().__pydantic_init_subclass__(**kwargs)
        cls._names = set(cls.model_fields)

    @classmethod
    def of_own(cls, values: dict[str, Any]) -> Self:
        """Return a payload of values that this process has computed, without validating them: four times as fast.

        Args:
            values: All fields in their order, `v` included.
        """
        payload = object.__new__(cls)
        # What pydantic's own `model_construct` sets, without a look at each field.
        _set(payload, "__dict__", values)
        _set(payload, "__pydantic_fields_set__", cls._names)
        _set(payload, "__pydantic_extra__", None)
        _set(payload, "__pydantic_private__", None)
        return payload

    def encoded(self) -> bytes:
        """Return the payload as JSON, keys in the order of the model."""
        return self.model_dump_json(by_alias=True).encode()

    def payloads(self) -> tuple[bytes, ...]:
        """Return the payloads to publish."""
        return (self.encoded(),)


@with_config(ConfigDict(extra="forbid", allow_inf_nan=False))
class SentMessage(TypedDict):
    """A message from one agent to another; (sender, seq) identifies it within a run."""

    sender: AgentId
    """An agent's id."""
    seq: Count
    """Sequence number of the sender in this run."""
    to: AgentId
    """An agent's id."""
    re: Count | None
    """`seq` of the recipient's message that this one answers; null: it is not an answer."""
    body: Body
    """The message itself; `body["kind"]` is its type."""


@with_config(ConfigDict(extra="forbid"))
class RoundMessages(TypedDict):
    """Messages that were sent in the same round."""

    step: Count
    """The step in which they were sent; they are delivered in the next one."""
    time: Time
    """Virtual time of sending, UNIX seconds."""
    round: Count
    messages: Annotated[list[SentMessage], Field(min_length=1, max_length=MAX_MESSAGES)]
    """Sorted by sender and sequence number."""


Rounds = Annotated[list[RoundMessages], Field(min_length=1, max_length=MOST_ROUNDS_A_GRANT)]
"""In the order of steps; between hosts, a single one."""


class Batch(WirePayload):
    """Messages between agents: from host to host, on `inbox/<host>/<from-host>`, or within one, on `local/<host>`.

    A host sends another host one batch per round, unless that would be too large. Messages between its own agents are
    published for watchers and recorders; the host itself does not wait for them.
    """

    session: Session
    """The sending host's session, as in the roster: messages from other processes of that host are void."""
    rounds: Rounds
    """In the order of steps; between hosts, a single one."""


Phase = Literal["start", "run", "closing", "end"]


class Grant(WirePayload):
    """The clock grants hosts one round: on `grants` if it concerns many of them, on `grant/<host>` if few."""

    is_last = True

    step: Count
    """Number of the round within the run."""
    time: Time
    """Virtual time, UNIX seconds."""
    round: Count
    """Number of the round within this second."""
    expected: Annotated[dict[HostId, Counts], Field(max_length=MAX_MEMBERS)]
    """By host that runs the round, by sending host, how many messages it sent to this host in the previous step."""
    lost: AgentIds = ()
    """Agents that the run continues without from this round on."""
    phase: Phase = "run"
    """`start`: agents start; `run`; `closing`: the run's end is reached, agents finish what is open; `end`: hosts
    leave."""
    lapse: bool = False
    """Whether requests that have not been answered lapse in this round: nothing that could answer them is in flight
    any longer, and time is about to move. Omitted from the payload if false."""
    alone: bool = False
    """Whether the host is the only one that runs this round and no message to another one is in flight: it then runs
    the following rounds of the second too, as long as its agents send messages to each other only. Omitted from the
    payload if false."""

    def encoded(self) -> bytes:
        """Return the payload without flags that are false."""
        said = self.__dict__.copy()
        for name in _UNSAID_OF_GRANT:
            if not said[name]:
                del said[name]
        return to_json(said)


class FollowedGrant(Grant):
    """A grant that the clock publishes right before others."""

    is_last = False


class Failure(WirePayload):
    """An agent raised an exception."""

    agent: AgentId
    """An agent of the host that reports it."""
    traceback: Annotated[str, Field(max_length=MAX_TRACEBACK_CHARACTERS)]


class Done(WirePayload):
    """A host has run its round, on `done/<host>`. Fields with their default value are omitted from the payload."""

    is_last = True

    session: Session
    """The host's session, as in the roster."""
    step: Count
    """The step that was granted."""
    time: Time
    round: Count
    sent: Counts
    """By receiving host, the number of messages sent to it. Only the last round of an answer has such messages."""
    next: Time | None
    """The host's earliest timer, UNIX seconds of virtual time, after the present moment; None: no timer."""
    more: Annotated[int, Field(ge=0, lt=MOST_ROUNDS_A_GRANT)] = 0
    """How many further rounds the host has run alone; their steps follow the granted one."""
    local: Count = 0
    """Number of messages between the host's own agents in all these rounds, for recorders."""
    pending: bool = False
    """Whether messages between its own agents wait for the next round."""
    busy: bool = False
    """True in answer to a repeated grant while the round is still running: a sign of life; other fields are void."""
    failure: Failure | None = None
    asking: bool = False
    """Whether an agent waits for an answer to a request."""
    resume: Count | None = None
    """The later step in which an agent of the host continues, after skipping rounds of this second; None: there is no
    such agent."""

    @property
    def last_step(self) -> int:
        """The last step that it covers."""
        return self.step + self.more

    def encoded(self) -> bytes:
        """Return the payload without fields that have their default value."""
        said = self.__dict__.copy()
        for name, usual in _UNSAID_OF_DONE.items():
            if said[name] == usual:
                del said[name]
        return to_json(said)


_UNSAID_OF_GRANT = frozenset({"lapse", "alone"})
_UNSAID_OF_DONE = {
    "more": 0,
    "local": 0,
    "pending": False,
    "busy": False,
    "failure": None,
    "asking": False,
    "resume": None,
}


class Announcement(WirePayload):
    """A host is present, or gone, on `hosts/<host>`."""

    host: HostId
    session: Session
    """Drawn at random by each process: distinguishes processes that claim to be the same host, and earlier runs."""
    agents: AgentIds
    setup: Text = ""
    """Fingerprint of the settings that the host was started with; must equal the clock's."""
    ran: Annotated[int, Field(ge=-1, le=MAX_INTEGER)] = -1
    """The last step that the host ran; -1: none. A process that has lost its host's journal cannot continue."""
    state: Literal["there", "gone"]

    def payloads(self) -> tuple[bytes, ...]:
        """See `WirePayload.payloads`.

        Raises:
            SsmicError: The host has more agents than fit into a message.
        """
        payload = self.encoded()
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise SsmicError(
                f"host {self.host!r} is too large: its announcement of {len(self.agents)} agents takes {len(payload)} "
                f"bytes, but a message has at most {MAX_PAYLOAD_BYTES}; spread them over more hosts, or run all in one "
                "process over the memory bus, which has no such limit (--bus memory)"
            )
        return (payload,)


_SHORT = 60
"""Characters of the reason for a failure in a roster that has room for no more."""
CLOCK_IS_BEHIND = "the clock's journal is missing or older"
"""Part of a roster's reason for refusing a host that has run steps unknown to the clock. The host may take part again
once the clock has its journal back."""


class Member(BaseModel):
    """A host in the roster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session: Session | Literal[""]
    """The process that takes part; empty: none, or two claim to be this host. A process that takes part and does not
    find its own session here announces itself again."""
    agents: AgentIds


class Roster(WirePayload):
    """Which agent lives on which host, on `roster`."""

    hosts: Annotated[dict[HostId, Member], Field(max_length=MAX_MEMBERS)]
    refused: Annotated[
        dict[Session, Annotated[dict[HostId, Text], Field(max_length=MAX_MEMBERS)]], Field(max_length=MAX_MEMBERS)
    ] = {}
    """By session, by host: processes that may not take part as that host, with the reason. A process obeys only what
    names its own host too, since any host can announce itself under a session that it has read elsewhere."""
    quarantined: Annotated[dict[HostId, Text], Field(max_length=MAX_MEMBERS)] = {}
    """Hosts that were quarantined because they broke the protocol, with the reason. Omitted from the payload if
    empty, for older peers."""
    ended: bool = False
    """The run is over; a host that returns only now has missed nothing."""
    keep: bool = False
    """Whether retained messages stay at the broker when the run has ended."""
    failed: Text = ""
    """Why the clock ended the run because of a failure; hosts leave. Ignored in a retained roster, since a clock may
    resume."""
    may_resume: bool = False
    """With `failed`: whether the run is only suspended, so that the clock may be started again. Omitted if False."""
    utc_offset_s: Annotated[int, Field(gt=-86_400, lt=86_400)] = 0
    """Offset from UTC at which the run's times are displayed. Omitted from the payload if 0, so that older peers, which
    do not know the key, can read the roster of a run in UTC."""
    zone: Text = ""
    """IANA time zone at which they are displayed, as its offset changes during the year. Omitted if empty."""

    @cached_property
    def host_by_agent(self) -> Mapping[str, str]:
        """By agent id, the host that it lives on."""
        return {agent: host for host, member in self.hosts.items() for agent in member.agents}

    @cached_property
    def host_by_agent_json(self) -> str:
        """The same as JSON."""
        return json.dumps(self.host_by_agent)

    @cached_property
    def sessions(self) -> Mapping[str, str]:
        """By host id, the process that takes part; hosts without one are left out."""
        return {host: member.session for host, member in self.hosts.items() if member.session}

    @override
    def encoded(self) -> bytes:
        unsaid = {name for name in ("may_resume", "quarantined", "utc_offset_s", "zone") if not getattr(self, name)}
        return self.model_dump_json(by_alias=True, exclude=unsaid).encode()

    def payloads(self) -> tuple[bytes, ...]:
        """See `WirePayload.payloads`. If it is too large, it is sent without `refused`, then without reasons.

        Raises:
            SsmicError: The run has more hosts and agents than fit into a message.
        """
        payload = self.encoded()
        if len(payload) > MAX_PAYLOAD_BYTES:
            payload = self.model_copy(update={"refused": {}}).encoded()
        if len(payload) > MAX_PAYLOAD_BYTES:
            reasons = {"quarantined": dict.fromkeys(self.quarantined, ""), "failed": clipped(self.failed, _SHORT)}
            payload = self.model_copy(update={"refused": {}, **reasons}).encoded()
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise SsmicError(
                f"this run is too large for a broker: its roster of {len(self.host_by_agent)} agents takes "
                f"{len(payload)} bytes, but a message has at most {MAX_PAYLOAD_BYTES}; --bus memory has no such limit"
            )
        return (payload,)


REPORTS_MISSED = 2.5
"""After this many of its intervals without a report, a run has ended."""
LONGEST_VALID_WALL_S = 60.0
"""Longest time for which a report is valid, whatever interval it states, wall-clock seconds: a retained report that was
left behind must not make anyone wait for ever."""


class TimeReport(WirePayload):
    """The run's status, on `time`.

    Fields with their default value are omitted from the payload, and readers ignore unknown keys, so that older and
    newer readers understand each other.
    """

    model_config = ConfigDict(extra="ignore")

    time: Time
    round: Count
    step: Count
    pace: Text
    """`max`, or a factor such as `60x`: virtual seconds per wall-clock second."""
    lag_wall_s: WallS
    """How far virtual time lags behind the pace, wall-clock seconds: overdue time, and time still to be made up for
    because a participant was away."""
    state: RunPhase
    """`waiting`: for hosts, before the run begins; `gone`: the clock disappeared, and this is its last will."""
    waiting_for: Annotated[tuple[Who, ...], Field(max_length=MOST_NAMED)] = ()
    """Hosts that the clock is waiting for."""
    busy: Annotated[tuple[Who, ...], Field(max_length=MOST_NAMED)] = ()
    """The hosts among them that report that they are still working."""
    waiting_more: Count = 0
    """How many further hosts there are beyond those named."""
    waiting_wall_s: WallS = 0.0
    """How long the clock has waited for the first of them, wall-clock seconds."""
    paused_by: Who = ""
    """Name of the user who paused the run."""
    stopped_by: Who = ""
    """Name of the user who ended the run early."""
    every_wall_s: WallS = 0.0
    """Longest interval between two reports, wall-clock seconds; 0: not guaranteed."""
    reached: Time = 0
    """Virtual time reached at the pace, UNIX seconds, between `time` and the next event; 0: not known."""

    @property
    def now_s(self) -> int:
        """Virtual time as far as it is known, UNIX seconds: at a pace, it passes between events too."""
        return max(self.time, self.reached)

    @property
    def is_under_way(self) -> bool:
        """Whether a run takes place, or is about to."""
        return self.state in {"waiting", "running", "paused"}

    @property
    def valid_wall_s(self) -> float:
        """How long a run that sends no further report may still be there, wall-clock seconds."""
        return min(REPORTS_MISSED * self.every_wall_s, LONGEST_VALID_WALL_S)

    def encoded(self) -> bytes:
        """Return the payload without fields that have their default value."""
        return self.model_dump_json(exclude={name for name in _LATER if not getattr(self, name)}).encode()


_LATER = ("reached", "waiting_for", "busy", "waiting_more", "waiting_wall_s", "paused_by", "stopped_by", "every_wall_s")
"""Keys added after the first release of version 2."""


class Control(WirePayload):
    """A person's command to the clock, on `control`."""

    v: ControlVersion = VERSION  # type: ignore[assignment]  # wider than the base's
    command: Literal["pause", "resume", "step", "pace", "stop"]
    pace: Text | None = None
    """For `pace`: the new pace."""
    until: Literal["round", "event", "hour"] | None = None
    """For `step`: how far to run before pausing again."""
    by: Who = ""

    def encoded(self) -> bytes:
        """Return the payload, without an empty `by`, for clocks that do not know the key."""
        return self.model_dump_json(exclude=None if self.by else {"by"}).encode()


class Wake(WirePayload):
    """A host has input from outside the run for its agents, and asks for a round, on `wake/<host>`."""

    session: Session
    """The host's session, as in the roster."""
    taken: Annotated[int, Field(ge=-1, le=MAX_INTEGER)]
    """The last step in which it took input from outside; -1: none. A later such step fulfils the request."""


class ResendRequest(WirePayload):
    """A host is missing messages that were sent to it in a step, on `resend/<host>/<from-host>`."""

    step: Count
