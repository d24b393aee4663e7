"""The rounds of a host: as the clock grants them, as they ran, and the answer to a grant."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from pydantic import ConfigDict, TypeAdapter, with_config
from pydantic_core import to_json
from typing_extensions import TypedDict

from broker.hosts.agent import Instruction, RetainedPublication
from broker.protocol import VERSION, Done, Envelope, Envelopes, Failure, Grant, ReadGrant, SendingMoment


class Round(NamedTuple):
    """A round that a host may run: granted by the clock, or following a granted round."""

    step: int
    """Number of the round within the run."""
    time: int
    """Virtual time, UNIX seconds."""
    round: int
    """Number of the round within this second."""
    granted_step: int
    """The step of the grant that it belongs to."""
    expected: dict[str, int] = {}  # noqa: RUF012 - it is never changed
    """By other host, how many messages it sent to this one in the previous step."""
    lost: tuple[str, ...] = ()
    """Agents that the run continues without from this round on."""
    phase: Literal["start", "run", "closing", "end"] = "run"
    """See `Grant.phase`."""
    lapse: bool = False
    """Whether requests that have not been answered lapse in this round."""
    alone: bool = False
    """See `Grant.alone`."""

    @classmethod
    def of(cls, grant: Grant | ReadGrant | None, host: str) -> Round | None:
        """Return the round that a grant lets a host run; None if the grant does not concern it."""
        if grant is None:
            return None
        values: Mapping[str, Any] = grant.__dict__ if isinstance(grant, Grant) else grant
        expected = values["expected"].get(host)
        if expected is None:
            return None
        step, get = values["step"], values.get
        return cls(
            step,
            values["time"],
            values["round"],
            step,
            expected,
            get("lost", ()),
            get("phase", "run"),
            get("lapse", False),
            get("alone", False),
        )

    @property
    def before(self) -> SendingMoment:
        """When the messages delivered in this round were sent: in the previous step, one round earlier."""
        return SendingMoment(self.step - 1, self.time, self.round - 1)

    @property
    def following(self) -> Round:
        """The next round of the same second, in which only messages between the host's own agents are delivered."""
        phase: Literal["run", "closing"] = "closing" if self.phase == "closing" else "run"
        return self._replace(step=self.step + 1, round=self.round + 1, phase=phase, expected={}, lost=(), lapse=False)

    def encoded(self) -> bytes:
        """Return the round as JSON, the form in which a journal stores it."""
        return to_json(self._asdict())

    @classmethod
    def decoded(cls, content: bytes) -> Round:
        """Return what `encoded` wrote.

        Raises:
            ValueError: The content was not written by it.
        """
        return Round(**_STORED.validate_json(content))


class RoundRecord(NamedTuple):
    """A round that ran. The same grants and deliveries since the start always lead to the same records."""

    grant: Round
    delivered: tuple[Envelope, ...]
    """In the order in which the agents received them."""
    sent: tuple[tuple[str, Envelope], ...]
    """(Receiving host, message), in the order of (agent, sequence number)."""
    publications: tuple[RetainedPublication, ...]
    next_s: int | None
    """The host's earliest timer, UNIX seconds of virtual time; None if no timer is set."""
    failure: Failure | None
    is_asking: bool = False
    """Whether an agent waits for an answer."""
    instructions: tuple[Instruction, ...] = ()
    """Instructions to the world outside the run."""
    next_step: int | None = None
    """The step in which an agent that skips rounds continues; None: there is none."""

    @property
    def digest(self) -> str:
        """SHA-256 of everything that left the host: a replay with the same digests is in the same state.

        Sessions are excluded, because a process that replays has a new session.
        """
        digest = hashlib.sha256()
        for host, envelope in self.sent:
            digest.update(host.encode() + b"\0" + envelope.unsigned() + b"\0")
        for item in self.publications:
            digest.update(f"{item.subject}\0{item.name}\0".encode() + item.content.model_dump_json().encode() + b"\0")
        for instruction in self.instructions:
            digest.update(f"{instruction.agent}\0{instruction.content.model_dump_json()}\0".encode())
        digest.update(repr(self.next_s).encode())
        if self.next_step is not None:
            digest.update(f"\0{self.next_step}".encode())
        return digest.hexdigest()


class RoundObserver(Protocol):
    """Called with every round of a host after it ran, before its results are published."""

    def round_ran(self, host_id: str, record: RoundRecord, *, is_replayed: bool) -> None:
        """Observe a round.

        Args:
            host_id: The host that ran it.
            record: The inputs and outputs of the host in the round.
            is_replayed: Whether an earlier process of the host has run it before.
        """
        ...


def answer_to_grant(
    record: RoundRecord,
    *,
    host_id: str,
    session: str,
    first_step: int,
    to_others: Mapping[str, Envelopes],
    local: Sequence[Envelope],
) -> Done:
    """Return a host's answer to a grant, which tells the clock what the granted round led to.

    Args:
        record: The last round that the host ran for this grant.
        host_id: The host.
        session: That of its process.
        first_step: The step that was granted; the host has run those after it, up to that of `record`, by itself.
        to_others: By receiving host, what the last round sent to it. Rounds before it sent nothing to other hosts.
        local: The messages between the host's own agents, of all these rounds.
    """
    more = record.grant.step - first_step
    return Done.of_own(
        {
            "v": VERSION,
            "session": session,
            "step": first_step,
            "time": record.grant.time,
            "round": record.grant.round - more,
            "sent": {host: len(batch.envelopes) for host, batch in to_others.items()},
            "next": record.next_s,
            "more": more,
            "local": len(local),
            "pending": any(host == host_id for host, _ in record.sent),
            "busy": False,
            "failure": record.failure,
            "asking": record.is_asking,
            "resume": record.next_step,
        }
    )


class Grants:
    """The clock's grants as one host takes them: the latest one, the one that runs, and whether more can come."""

    def __init__(self) -> None:
        self.latest: Round | None = None
        self.running_step: int | None = None
        """The step of the grant whose rounds are running."""
        self.last_step = -1
        """The last step that has run, in rounds without a grant too; -1: none."""
        self.has_ended = False
        """Whether the clock has ended the run."""
        self._waiter: asyncio.Future[None] | None = None

    def take(self, grant: Round) -> bool:
        """Take a grant of a step that has not begun; return False if it is of another one, and so repeated.

        A repeated grant of the latest step names fewer hosts if one was dropped, whose messages are not waited for.
        """
        if grant.step <= self.last_step or grant.step == self.running_step:
            return False
        if self.latest is None or grant.step >= self.latest.step:
            self.latest = grant
            self._wake()
        return True

    def end(self) -> None:
        """Record that the clock has ended the run."""
        self.has_ended = True
        self._wake()

    async def next(self) -> Round | None:
        """Wait for the grant of a step that has not run; return None if the run has ended."""
        while not self.has_ended:
            if self.latest is not None and self.latest.step > self.last_step:
                return self.latest
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


@with_config(ConfigDict(extra="forbid"))
class _Stored(TypedDict):
    step: int
    time: int
    round: int
    granted_step: int
    expected: dict[str, int]
    lost: tuple[str, ...]
    phase: Literal["start", "run", "closing", "end"]
    lapse: bool
    alone: bool


_STORED: TypeAdapter[_Stored] = TypeAdapter(_Stored)
