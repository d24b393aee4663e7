"""What agents say to each other, named for what is asked or what happened.

consumer -> manager    ProducersFor, ContractAgreed, ContractAmended, ContractCancelled, Declined, Withdraw
gateway -> manager     DeviceSaid, JobAdded, JobWithdrawn, JobExecuted, ProductionMeasured: what its real device did
manager -> consumer    Producers: the answer to ProducersFor; later on, producers that joined since
producer -> manager    ProducerJoined
consumer -> producer   Request, Withdraw, Hold, Release
producer -> consumer   Accept, Decline, Amend, Cancel, Opening
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from agents.device_events import DeviceEvent, JobState, Outcome
from agents.energy import LoadProfile, Production
from agents.model import Contract, Job
from agents.sequencing import Starts

MAX_STRETCHES = 1_000
"""Limit on intervals of starts in one message."""


def _are_in_order(starts: Starts) -> Starts:
    if any(last_s < first_s for first_s, last_s in starts):
        raise ValueError("a stretch of starts ends before it begins")
    if any(following[0] <= before[1] for before, following in pairwise(starts)):
        raise ValueError("stretches of starts overlap or do not rise")
    return starts


OpenStarts = Annotated[Starts, Field(min_length=1, max_length=MAX_STRETCHES), AfterValidator(_are_in_order)]
"""Allowed starts: intervals of a first and a last second, both inclusive, ascending and disjoint."""


class Message(BaseModel):
    """Base of all messages: validated on receipt, trusted from then on."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ProducerJoined(Message):
    """A producer has its first forecast and accepts requests from now on."""

    kind: Literal["ProducerJoined"] = "ProducerJoined"
    producer: str


class ProducersFor(Message):
    """Which producers should the job ask, best first? If there are none, the job may wait for one that joins."""

    kind: Literal["ProducersFor"] = "ProducersFor"
    job_id: str
    asked: tuple[str, ...] = ()
    """Producers that it has asked already, which are left out of the answer."""


class Producers(Message):
    """Producers that a job can ask, best first; possibly none. Also sent when a producer joins while the job waits."""

    kind: Literal["Producers"] = "Producers"
    job_id: str
    producers: tuple[str, ...]


class Request(Message):
    """Can you supply this job?"""

    kind: Literal["Request"] = "Request"
    job: Job
    patient: bool
    """Whether a producer that declines should send `Opening` when it could accept later."""
    starts: OpenStarts
    """Starts at which the device is free, within the job's window: an accepted start must be one of them."""
    held: bool
    """Whether the start is fixed once accepted, until `Release` allows moves."""

    @model_validator(mode="after")
    def _starts_are_in_the_window(self) -> Self:
        if self.starts[0][0] < self.job.earliest_start_s or self.starts[-1][1] > self.job.latest_start_s:
            raise ValueError(f"starts of job {self.job.job_id!r} lie outside its window")
        return self


class Hold(Message):
    """Fix the job at its start: its device plans another job.

    The answer is `Accept` with the start, or `Decline` if the job is running or has no contract.
    """

    kind: Literal["Hold"] = "Hold"
    job_id: str


class Release(Message):
    """The job may move from now on, among these starts, which include its current one."""

    kind: Literal["Release"] = "Release"
    job_id: str
    starts: OpenStarts


class Accept(Message):
    """The request is accepted, with this start."""

    kind: Literal["Accept"] = "Accept"
    job_id: str
    start_s: int


class Decline(Message):
    """The request is declined, for this reason."""

    kind: Literal["Decline"] = "Decline"
    job_id: str
    reason: str


class Withdraw(Message):
    """The job no longer needs a supplier: it found another one, or its window is over."""

    kind: Literal["Withdraw"] = "Withdraw"
    job_id: str


class Opening(Message):
    """A job that was declined would be accepted now."""

    kind: Literal["Opening"] = "Opening"
    job_id: str


class Amend(Message):
    """The job's start moved to another one at which its device is free."""

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
    """`TOGETHER` if the device runs another job at the same time, because the windows leave no other way."""


class ContractAmended(Message):
    """For the ledger: the start of a contract moved."""

    kind: Literal["ContractAmended"] = "ContractAmended"
    contract_id: str
    start_s: int
    reason: str = ""
    """As in `ContractAgreed`."""


class ContractCancelled(Message):
    """For the ledger: a contract is void."""

    kind: Literal["ContractCancelled"] = "ContractCancelled"
    contract_id: str
    reason: str


class Declined(Message):
    """For the scores: the producer declined the job."""

    kind: Literal["Declined"] = "Declined"
    job_id: str
    producer: str


class DeviceSaid(Message):
    """A real device said something: taken by its gateway agent, and passed on for the record."""

    kind: Literal["DeviceSaid"] = "DeviceSaid"
    device: str
    """Its gateway id."""
    said: DeviceEvent


class JobAdded(Message):
    """For the record: a real device asked for a job."""

    kind: Literal["JobAdded"] = "JobAdded"
    job: Job


class JobWithdrawn(Message):
    """For the record: the job of a real device was withdrawn before its start."""

    kind: Literal["JobWithdrawn"] = "JobWithdrawn"
    job_id: str


class JobExecuted(Message):
    """For the ledger: what a real device did of a job."""

    kind: Literal["JobExecuted"] = "JobExecuted"
    contract_id: str
    job_id: str
    state: JobState
    outcome: Outcome
    reason: str = ""
    """In words, for people; empty: the outcome says it all."""
    started_s: int
    """When the device started, UNIX seconds; if it did not, when it was to start."""
    measured: LoadProfile | None = None
    """What it drew since then; None: not measured, or not ended."""


class ProductionMeasured(Message):
    """For the record: what a real producer gave, from the last point of the message before."""

    kind: Literal["ProductionMeasured"] = "ProductionMeasured"
    producer: str
    production: Production


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
    | Declined
    | DeviceSaid
    | JobAdded
    | JobWithdrawn
    | JobExecuted
    | ProductionMeasured,
    Field(discriminator="kind"),
]

MESSAGES: TypeAdapter[AnyMessage] = TypeAdapter(AnyMessage)
"""Validates and builds any message from JSON."""
