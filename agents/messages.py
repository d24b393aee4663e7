"""What agents say to each other, named for what is asked or what happened.

consumer -> manager    ProducersFor, ContractAgreed, ContractAmended, ContractCancelled, Declined, Withdraw
manager -> consumer    Producers: the answer to ProducersFor; later on, producers that joined since
producer -> manager    ProducerJoined
consumer -> producer   Request, Withdraw, Hold, Release
producer -> consumer   Accept, Decline, Amend, Cancel, Opening
producer -> manager    ProducerLeft
timeline -> manager    Happened, Follow
manager -> timeline    Followed
timeline -> producer   NewForecast, Leave, Join, ChangeAlgorithm
timeline -> consumer   AddJob, DropJob, Leave, Join, ChangePatience

The timeline's agent carries out what a scenario's `timeline` says; agents obey these messages from no other sender.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from agents.energy import Production
from agents.model import Contract, Job
from agents.scheduling import AlgorithmSettings
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


class ProducerLeft(Message):
    """The producer accepts no requests from now on; it may join again."""

    kind: Literal["ProducerLeft"] = "ProducerLeft"
    producer: str


class Happened(Message):
    """For the record: an event of the scenario's timeline, or of a script, takes place now."""

    kind: Literal["Happened"] = "Happened"
    n: int
    """Counts the run's events from 1."""
    event: dict[str, Any]
    """See `scenarios.events.Action`."""


class Follow(Message):
    """Send `Followed` whenever a contract of one of these jobs changes."""

    kind: Literal["Follow"] = "Follow"
    job_ids: tuple[str, ...]


class Followed(Message):
    """A contract of a job that the timeline waits for was agreed, amended, cancelled or lost."""

    kind: Literal["Followed"] = "Followed"
    job_id: str
    state: Literal["standing", "cancelled", "lost"]
    start_s: int


class NewForecast(Message):
    """The producer's forecast from now on."""

    kind: Literal["NewForecast"] = "NewForecast"
    production: Production
    replaces_later: bool = False
    """Whether forecasts of the producer's own that are still to come are void."""


class Leave(Message):
    """The device takes no part in negotiations until it joins (again)."""

    kind: Literal["Leave"] = "Leave"
    reason: str
    """Of the contracts that are cancelled for it."""
    is_gone: bool
    """The device is not there: its jobs do not run. Otherwise it is only offline: jobs with a contract keep it, and
    one that can wait no longer takes grid power."""


class Join(Message):
    """The device takes part in negotiations from now on."""

    kind: Literal["Join"] = "Join"


class ChangeAlgorithm(Message):
    """The producer decides by another algorithm from now on."""

    kind: Literal["ChangeAlgorithm"] = "ChangeAlgorithm"
    algorithm: AlgorithmSettings


class ChangePatience(Message):
    """Whether the consumer's jobs wait from now on where no producer can supply them."""

    kind: Literal["ChangePatience"] = "ChangePatience"
    patient: bool


class AddJob(Message):
    """The device has one more job, registered now or later."""

    kind: Literal["AddJob"] = "AddJob"
    job: Job


class DropJob(Message):
    """The household no longer wants the job. One that has started runs to its end."""

    kind: Literal["DropJob"] = "DropJob"
    job_id: str


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
    | ProducerLeft
    | Happened
    | Follow
    | Followed
    | NewForecast
    | Leave
    | Join
    | ChangeAlgorithm
    | ChangePatience
    | AddJob
    | DropJob,
    Field(discriminator="kind"),
]

MESSAGES: TypeAdapter[AnyMessage] = TypeAdapter(AnyMessage)
"""Validates and builds any message from JSON."""
