"""What goes through an agent's hands: messages that it gets and leaves, and facts that it tells everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel

MessageT = TypeVar("MessageT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Received(Generic[MessageT]):
    """A message as an agent gets it."""

    sender: str
    seq: int
    message: MessageT


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as an agent leaves it to its host."""

    seq: int
    to: str
    message: BaseModel
    re: int | None


FactSubject = Literal["ledger", "forecast"]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something an agent tells everybody, kept at the broker until it changes."""

    name: str
    content: BaseModel
    subject: FactSubject = "ledger"
    """Decides on the topic; see `broker.topics`."""
