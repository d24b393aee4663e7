"""What agents say to each other, named for what is asked or what happened.

consumer -> manager    ProducersFor, ContractAgreed, ContractAmended, ContractCancelled, Declined, Withdraw
manager -> consumer    Producers: the answer to ProducersFor; later on, producers that joined since
producer -> manager    ProducerJoined
consumer -> producer   Request, Withdraw, Hold, Release
producer -> consumer   Accept, Decline, Amend, Cancel, Opening
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from agents.model import Contract, Job
from agents.sequencing import Starts

MAX_STRETCHES = 1_000
"""Of the starts in one message."""


def _are_in_order(starts: Starts) -> Starts:
    if any(last_s < first_s for first_s, last_s in starts):
        raise ValueError("a stretch of starts ends before it begins")
    if any(following[0] <= before[1] for before, following in pairwise(starts)):
        raise ValueError("stretches of starts overlap or do not rise")
    return starts


OpenStarts = Annotated[Starts, Field(min_length=1, max_length=MAX_STRETCHES), AfterValidator(_are_in_order)]
"""Seconds at which a job may start: stretches from a first to a last second, both included, rising, apart."""


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
    starts: OpenStarts
    """When the device is free for the job, inside the job's window: an accepted start is one of these."""
    held: bool
    """Whether the producer must leave the start as it accepted it, until `Release` says where it may move."""

    @model_validator(mode="after")
    def _starts_are_in_the_window(self) -> Self:
        if self.starts[0][0] < self.job.earliest_start_s or self.starts[-1][1] > self.job.latest_start_s:
            raise ValueError(f"starts of job {self.job.job_id!r} lie outside its window")
        return self


class Hold(Message):
    """Leave the job where it is: its device plans another job.

    The answer is `Accept` with the start, or `Decline` if the job runs or has no contract.
    """

    kind: Literal["Hold"] = "Hold"
    job_id: str


class Release(Message):
    """The job may be moved from now on, among these starts; the one that it has is one of them."""

    kind: Literal["Release"] = "Release"
    job_id: str
    starts: OpenStarts


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
    """The job's start moved, to another one that its device is free for."""

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
    reason: str = ""
    """`TOGETHER` if the device runs another job at the same time, because it has no other time for this one."""


class ContractAmended(Message):
    """For the ledger: the start of a contract moved."""

    kind: Literal["ContractAmended"] = "ContractAmended"
    contract_id: str
    start_s: int
    reason: str = ""
    """As in `ContractAgreed`."""


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
    | Hold
    | Release
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
