"""A message between agents with its address, and the batches in which hosts exchange them.

Within a process, an envelope holds the agent's message itself, which was validated when its sender created it: it is
neither encoded as JSON nor validated again. An envelope from another process is validated once, on receipt
(`broker.protocol.decoding`); the model of the agents' messages validates its body on delivery.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_json

from broker.protocol.bounds import MAX_PAYLOAD_BYTES, VERSION, Session
from broker.protocol.wire import Batch, RoundMessages


class Envelope:
    """A message from one agent to another. Immutable."""

    __slots__ = ("_body", "message", "re", "round", "sender", "seq", "session", "step", "time", "to")

    def __init__(
        self,
        *,
        session: str,
        step: int,
        time: int,
        round: int,  # noqa: A002 - the protocol's name
        sender: str,
        seq: int,
        to: str,
        re: int | None = None,
        body: dict[str, Any] | None = None,
        message: BaseModel | None = None,
    ) -> None:
        """Create an envelope, without validation.

        Args:
            session: The sending host's session.
            step: The step in which it is sent; it is delivered in the next one.
            time: Virtual time of sending, UNIX seconds.
            round: Round of sending within the second.
            sender: The sending agent.
            seq: Sequence number of the sender in this run.
            to: The receiving agent.
            re: `seq` of the recipient's message that this one answers; None: it is not an answer.
            body: The message as JSON values, if it comes from another process.
            message: The message itself, if an agent of this process sends it.
        """
        self.session = session
        self.step = step
        self.time = time
        self.round = round
        self.sender = sender
        self.seq = seq
        self.to = to
        self.re = re
        self.message = message
        self._body = body

    @property
    def body(self) -> dict[str, Any]:
        """The message as JSON values; `body["kind"]` is its type."""
        if self._body is None:
            self._body = {} if self.message is None else self.message.model_dump(mode="json")
        return self._body

    @property
    def kind(self) -> object:
        """The type of the message, a text if it is one that an agent understands."""
        return self.body.get("kind") if self.message is None else getattr(self.message, "kind", None)

    def encoded(self) -> bytes:
        """Return the message with its address and session as JSON."""
        return to_json(
            {"session": self.session, "step": self.step, "time": self.time, "round": self.round} | self._item
        )

    def unsigned(self) -> bytes:
        """Return everything but the session as JSON: the same whichever process of the host sends it."""
        return to_json({"step": self.step, "time": self.time, "round": self.round} | self._item)

    @property
    def _item(self) -> dict[str, Any]:
        body = self._body if self.message is None else self.message
        return {"sender": self.sender, "seq": self.seq, "to": self.to, "re": self.re, "body": body}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Envelope) and self.encoded() == other.encoded()

    def __hash__(self) -> int:
        return hash((self.sender, self.seq))

    def __repr__(self) -> str:
        return f"Envelope({self.encoded().decode()})"


class Envelopes:
    """A batch of messages of one host, on its way: the content of one or, if it is large, several payloads."""

    __slots__ = ("_encoded", "envelopes")

    def __init__(self, envelopes: Sequence[Envelope]) -> None:
        """Create a batch.

        Args:
            envelopes: At least one, all of the same session, in the order of their steps.
        """
        self.envelopes = tuple(envelopes)
        self._encoded: bytes | None = None

    def encoded(self) -> bytes:
        """Return the payload, see `Batch`."""
        if self._encoded is None:
            rounds: list[dict[str, Any]] = []
            step: int | None = None
            for e in self.envelopes:
                if e.step != step:
                    step = e.step
                    messages: list[dict[str, Any]] = []
                    rounds.append({"step": step, "time": e.time, "round": e.round, "messages": messages})
                messages.append(e._item)  # noqa: SLF001 - of this module
            self._encoded = to_json({"v": VERSION, "session": self.envelopes[0].session, "rounds": rounds})
        return self._encoded

    def payloads(self) -> tuple[bytes, ...]:
        """Return the payloads to publish, as many as are needed to keep each within its limit."""
        payload = self.encoded()
        middle = len(self.envelopes) // 2
        if len(payload) <= MAX_PAYLOAD_BYTES or not middle:
            return (payload,)
        return (*Envelopes(self.envelopes[:middle]).payloads(), *Envelopes(self.envelopes[middle:]).payloads())


def envelopes_of(batch: Batch) -> tuple[Envelope, ...]:
    """Return the messages of a batch from another process, in its order."""
    return envelopes_in(batch.session, batch.rounds)


def envelopes_in(session: str, rounds: Iterable[RoundMessages]) -> tuple[Envelope, ...]:
    """Return the messages of some rounds from another process.

    Args:
        session: The sending host's session.
        rounds: As in a `Batch`.
    """
    return tuple(
        Envelope(
            session=session,
            step=sent["step"],
            time=sent["time"],
            round=sent["round"],
            sender=item["sender"],
            seq=item["seq"],
            to=item["to"],
            re=item["re"],
            body=item["body"],
        )
        for sent in rounds
        for item in sent["messages"]
    )


class _Signed(RoundMessages):
    session: Session


_SIGNED: TypeAdapter[list[_Signed]] = TypeAdapter(list[_Signed])


def encode_journaled(envelopes: Iterable[Envelope]) -> bytes:
    """Return messages as JSON, each with its session: the form in which a journal keeps them."""
    return to_json(
        [
            {
                "session": e.session,
                "step": e.step,
                "time": e.time,
                "round": e.round,
                "messages": [e._item],  # noqa: SLF001 - of this module
            }
            for e in envelopes
        ]
    )


def decode_journaled(content: bytes) -> tuple[Envelope, ...]:
    """Return the messages that `encode_journaled` wrote.

    Raises:
        ValueError: The content was not written by it.
    """
    return tuple(
        Envelope(
            session=signed["session"], step=signed["step"], time=signed["time"], round=signed["round"], **signed_item
        )
        for signed in _SIGNED.validate_json(content)
        for signed_item in signed["messages"]
    )
