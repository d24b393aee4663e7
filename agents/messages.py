"""What agents say to each other, named for what is asked or what happened.

consumer -> manager    ProducersFor, ContractAgreed, ContractAmended, ContractCancelled, Declined, Withdraw
manager -> consumer    Producers: the answer to ProducersFor; later on, producers that joined since
producer -> manager    ProducerJoined
consumer -> producer   Request, Withdraw
producer -> consumer   Accept, Decline, Amend, Cancel, Opening
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agents.model import Contract, Job


class Message(BaseModel):
    """Checked where it comes in, trusted from there on."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ProducerJoined(Message):
    """A producer has its first prediction and takes requests from now on."""

    kind: Literal["ProducerJoined"] = "ProducerJoined"
    producer: str


class ProducersFor(Message):
    """Which producers should the job ask, best first? Where none is left, the job may wait for one that joins."""

    kind: Literal["ProducersFor"] = "ProducersFor"
    job_id: str
    asked: tuple[str, ...] = ()
    """Those that it has asked already and does not want to hear of again."""


class Producers(Message):
    """Whom a job can ask, best first; empty when nobody is left. Comes unasked when a producer joins a waiting job."""

    kind: Literal["Producers"] = "Producers"
    job_id: str
    producers: tuple[str, ...]


class Request(Message):
    """Can you supply this job?"""

    kind: Literal["Request"] = "Request"
    job: Job
    patient: bool
    """Whether a producer that declines should say `Opening` when it could accept later."""


class Accept(Message):
    """Yes, from this start on."""

    kind: Literal["Accept"] = "Accept"
    job_id: str
    start_s: int


class Decline(Message):
    """No, and why."""

    kind: Literal["Decline"] = "Decline"
    job_id: str
    reason: str


class Withdraw(Message):
    """The job needs nothing any more: it found another supplier, or its time is up."""

    kind: Literal["Withdraw"] = "Withdraw"
    job_id: str


class Opening(Message):
    """Something changed: a job that was declined would be accepted now."""

    kind: Literal["Opening"] = "Opening"
    job_id: str


class Amend(Message):
    """The job's start moved inside its window."""

    kind: Literal["Amend"] = "Amend"
    job_id: str
    start_s: int


class Cancel(Message):
    """The producer cannot keep its promise to a job that has not started."""

    kind: Literal["Cancel"] = "Cancel"
    job_id: str
    reason: str


class ContractAgreed(Message):
    """For the ledger: the job has a supplier."""

    kind: Literal["ContractAgreed"] = "ContractAgreed"
    contract: Contract


class ContractAmended(Message):
    """For the ledger: the start of a contract moved."""

    kind: Literal["ContractAmended"] = "ContractAmended"
    contract_id: str
    start_s: int


class ContractCancelled(Message):
    """For the ledger: a contract does not stand any more."""

    kind: Literal["ContractCancelled"] = "ContractCancelled"
    contract_id: str
    reason: str


class Declined(Message):
    """For the scores: the producer declined the job."""

    kind: Literal["Declined"] = "Declined"
    job_id: str
    producer: str


AnyMessage = Annotated[
    ProducerJoined
    | ProducersFor
    | Producers
    | Request
    | Accept
    | Decline
    | Withdraw
    | Opening
    | Amend
    | Cancel
    | ContractAgreed
    | ContractAmended
    | ContractCancelled
    | Declined,
    Field(discriminator="kind"),
]

MESSAGES: TypeAdapter[AnyMessage] = TypeAdapter(AnyMessage)
"""Checks and builds any message from what came over the network."""
