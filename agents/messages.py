"""The messages between agents, named after the request or the event.

consumer -> manager    ProducersFor, ContractAgreed, ContractAmended, ContractCancelled, Withdraw
manager -> consumer    Producers: the answer to ProducersFor; later on, producers that joined, or have more to offer
                       since; ContractVoid
consumer -> producer   Request, Withdraw, Hold, Release
producer -> consumer   Accept, AcceptProvisionally, Decline, Amend, Cancel, PushOut, Opening
producer -> manager    ProducerJoined, ProducerLeft, Headroom, Promised, PromiseWithdrawn, Declined
manager -> producer    JobsRegistered, PromiseVoid
manager -> itself      Scored
gateway -> manager     DeviceSaid, AddJob, JobWithdrawn, JobExecuted, ProductionMeasured: what its real device did
timeline -> manager    Happened, Follow, AddJob
manager -> timeline    Followed
timeline -> producer   NewForecast, ProductionChanged, Leave, Join, ChangeAlgorithm
timeline -> consumer   AddJob, DropJob, Leave, Join, ChangePatience, ChangeStrategy, ChangePrices

With shared supply, instead of Request, Accept, Promised, Headroom and what follows from them:

consumer -> manager    ContractAgreed, SharesAmended, ContractCancelled
manager -> consumer    Offered: the answer to ProducersFor; later on, when more is left; SharesAnswered: the answers of
                       producers to Reserve
consumer -> producer   Reserve, Conclude, RoomWanted, Withdraw
producer -> consumer   Shrink, RoomNeeded
producer -> manager    ProductionExpected, SharePromised, ShareDeclined
manager -> producer    ShareVoid

The timeline's agent carries out what a scenario's `timeline` says; agents obey these messages from no other sender.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from agents.device_events import DeviceEvent, ExecutionOutcome, JobState
from agents.energy import MAX_DURATION_S, MAX_SENT_POINTS, MAX_WH, CumulativeSeries, LoadProfile, Production
from agents.headroom import View
from agents.job_register import DIGEST_CHARACTERS, MAX_DIGESTS
from agents.model import AgentId, Contract, ContractId, Id, Job, Starts, TimeS
from agents.scheduling import AlgorithmSettings
from agents.shares import MAX_SHARES, Runs, Share
from broker.protocol import MAX_AGENT_CHARACTERS, MAX_TIME_S

MAX_STRETCHES = 1_000
"""Limit on intervals of starts in one message."""
MAX_PRODUCERS = 10_000
"""Limit on producers in one message."""
MAX_OFFERS = 100
"""Limit on offers in one message."""
MAX_REFUSED = 100
"""Limit on jobs whose refusal one message reports."""
MAX_REASON_CHARACTERS = 1_000

Reason = Annotated[str, Field(max_length=MAX_REASON_CHARACTERS)]
EnergyWh = Annotated[float, Field(allow_inf_nan=False)]
EurPerKwh = Annotated[float, Field(allow_inf_nan=False)]
LeftOut = Annotated[int, Field(ge=0, le=MAX_PRODUCERS)]
"""A number of producers that were left out of a list."""
Digest = Annotated[str, Field(min_length=DIGEST_CHARACTERS, max_length=DIGEST_CHARACTERS)]


def _are_in_order(starts: Starts) -> Starts:
    if any(last_s < first_s for first_s, last_s in starts):
        raise ValueError("an interval of starts ends before it begins")
    if any(following[0] <= before[1] for before, following in pairwise(starts)):
        raise ValueError("intervals of starts overlap or are not in ascending order")
    return starts


def _is_load_within_limits(load: LoadProfile) -> LoadProfile:
    """Check that a load is within the limits of scenarios, because readers calculate with every minute of it."""
    if load.duration_s > MAX_DURATION_S:
        raise ValueError(f"the load profile lasts {load.duration_s} s: at most {MAX_DURATION_S} are possible")
    _check_size(load, "load profile")
    return load


def _is_production_within_limits(production: Production) -> Production:
    """Return a measured production that a message can hold."""
    _check_size(production, "production")
    return production


def _check_size(series: CumulativeSeries, what: str) -> None:
    """Raise `ValueError` if a series has more points or energy than a message may hold."""
    if len(series.times_s) > MAX_SENT_POINTS:
        raise ValueError(f"the {what} has {len(series.times_s)} points: at most {MAX_SENT_POINTS} are sent")
    if max(abs(series.cumulative_wh[0]), abs(series.cumulative_wh[-1])) > MAX_WH:
        raise ValueError(f"the {what} reaches an energy beyond {MAX_WH:g} Wh")


def _is_within_limits(job: Job) -> Job:
    """Return a job that no scenario's limits exclude."""
    _is_load_within_limits(job.load_profile)
    if not 0 <= min(job.registered_s, job.earliest_start_s) <= job.latest_start_s <= MAX_TIME_S - MAX_DURATION_S:
        raise ValueError(f"the times of the job are not within 0 and {MAX_TIME_S} s")
    texts = {"house": job.house, "device": job.device, "profile": job.profile, "source id": job.source_id}
    for what, text in {"job id": job.job_id, **texts}.items():
        if len(text) > MAX_AGENT_CHARACTERS:
            raise ValueError(f"the {what} has {len(text)} characters: at most {MAX_AGENT_CHARACTERS} are possible")
    return job


SentJob = Annotated[Job, AfterValidator(_is_within_limits)]
"""A job of another household, checked against the limits of scenarios."""
OpenStarts = Annotated[
    tuple[tuple[TimeS, TimeS], ...], Field(min_length=1, max_length=MAX_STRETCHES), AfterValidator(_are_in_order)
]
"""Allowed starts: intervals of a first and a last second, both inclusive, ascending and disjoint."""


class Message(BaseModel):
    """Base of all messages: validated on receipt, trusted from then on."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ProducerJoined(Message):
    """A producer has its first forecast and accepts requests from now on."""

    kind: Literal["ProducerJoined"] = "ProducerJoined"
    producer: AgentId


class Headroom(Message):
    """An upper bound of uncommitted production. Sent when it rises, and when a job was declined because it fell."""

    kind: Literal["Headroom"] = "Headroom"
    view: View


class ProducersFor(Message):
    """Request: which producers should the job ask, best first? Without any, the job may wait for one that joins."""

    kind: Literal["ProducersFor"] = "ProducersFor"
    job_id: Id
    asked: tuple[AgentId, ...] = Field(default=(), max_length=MAX_PRODUCERS)
    """Producers that it has asked already, which are left out of the answer."""
    part: Literal["first", "next", "last"] = "first"
    """`first`: the job begins to look for a supplier; `next`: the last producer named is about to answer, and the job
    wants more of the same list; `last`: the job has asked all of them, and wants those that have become available
    since."""
    first_start_s: TimeS | None = None
    """The earliest start for which its device has time, UNIX seconds; None: that of its window."""
    last_start_s: TimeS | None = None
    """The latest such start."""
    job: SentJob | None = None
    """The job, for watchers, with `last` if no producer was sent a request for it."""


class Producers(Message):
    """Producers that a job can ask, best first; possibly none.

    Also sent when a producer joins, or has more to offer, while the job waits.
    """

    kind: Literal["Producers"] = "Producers"
    job_id: Id
    producers: tuple[AgentId, ...] = Field(max_length=MAX_PRODUCERS)
    left_out: tuple[LeftOut, ...] = Field(default=(), max_length=MAX_PRODUCERS + 1)
    """How many producers were left out before each of these, because they cannot serve the job; and, if the list ends
    with this message, after the last one. The job skips two rounds for each, as if it had asked. Empty: none."""


class Request(Message):
    """Can you supply this job?"""

    kind: Literal["Request"] = "Request"
    job: SentJob
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
    job_id: Id


class Release(Message):
    """The job may move from now on, among these starts, which include its current one."""

    kind: Literal["Release"] = "Release"
    job_id: Id
    starts: OpenStarts


class Accept(Message):
    """The request is accepted, with this start."""

    kind: Literal["Accept"] = "Accept"
    job_id: Id
    start_s: TimeS


class AcceptProvisionally(Message):
    """The request is accepted, with this start, until the producer pushes the job out.

    It does so for jobs that use its production better, until a minute before the start
    (`agents.whole_supply.provisional_promises`).
    """

    kind: Literal["AcceptProvisionally"] = "AcceptProvisionally"
    job_id: Id
    start_s: TimeS


class PushOut(Message):
    """Other jobs use the production better than this one, which was accepted provisionally: it looks elsewhere."""

    kind: Literal["PushOut"] = "PushOut"
    job_id: Id
    reason: Reason


class Decline(Message):
    """The request is declined, for this reason."""

    kind: Literal["Decline"] = "Decline"
    job_id: Id
    reason: Reason


class Withdraw(Message):
    """The job no longer needs a supplier: it found another one, or its window is over."""

    kind: Literal["Withdraw"] = "Withdraw"
    job_id: Id


class Opening(Message):
    """A job that was declined would be accepted now."""

    kind: Literal["Opening"] = "Opening"
    job_id: Id


class Amend(Message):
    """The job's start moved to another one at which its device is free."""

    kind: Literal["Amend"] = "Amend"
    job_id: Id
    start_s: TimeS


class Cancel(Message):
    """The producer cannot keep its promise to a job that has not started."""

    kind: Literal["Cancel"] = "Cancel"
    job_id: Id
    reason: Reason


class ContractAgreed(Message):
    """For the ledger: the job has a supplier. It stands if the supplier has `Promised` the same to the manager."""

    kind: Literal["ContractAgreed"] = "ContractAgreed"
    contract: Contract
    reason: Reason = ""
    """`TOGETHER` if the device runs another job at the same time, because the windows leave no other way."""


class ContractAmended(Message):
    """For the ledger: the start of a contract moved. Valid if the supplier has `Promised` the same start."""

    kind: Literal["ContractAmended"] = "ContractAmended"
    contract_id: ContractId
    start_s: TimeS
    reason: Reason = ""
    """As in `ContractAgreed`."""


class ContractCancelled(Message):
    """For the ledger: a contract is void."""

    kind: Literal["ContractCancelled"] = "ContractCancelled"
    contract_id: ContractId
    reason: Reason


class ContractVoid(Message):
    """The ledger does not contain this contract, or no longer does: the job needs another supplier."""

    kind: Literal["ContractVoid"] = "ContractVoid"
    job_id: Id
    contract_id: ContractId
    contracts: Annotated[int, Field(ge=0)]
    """How many contracts of the job the ledger has; the next one's number is one more."""
    reason: Reason


class Promised(Message):
    """For the ledger: the producer supplies the job from this start; sent with each `Accept` and `Amend`."""

    kind: Literal["Promised"] = "Promised"
    job_id: Id
    consumer: AgentId
    start_s: TimeS
    energy_wh: EnergyWh


class PromiseWithdrawn(Message):
    """For the ledger: the producer no longer supplies the job, which has not started."""

    kind: Literal["PromiseWithdrawn"] = "PromiseWithdrawn"
    job_id: Id
    reason: Reason


class PromiseVoid(Message):
    """The consumer has not confirmed the promise, or has ended the contract: the producer is no longer bound."""

    kind: Literal["PromiseVoid"] = "PromiseVoid"
    job_id: Id
    start_s: TimeS
    """The start that was promised; a promise of another start is not meant."""
    reason: Reason


class JobsRegistered(Message):
    """Jobs whose consumers are about to send a request to this producer; adds to the jobs named before."""

    kind: Literal["JobsRegistered"] = "JobsRegistered"
    digests: tuple[Digest, ...] = Field(max_length=MAX_DIGESTS)
    """See `agents.job_register.digest_of`."""


class Declined(Message):
    """For the scores: what the sending producer declined in a round."""

    kind: Literal["Declined"] = "Declined"
    job_id: Id
    """The first job that it declined."""
    producer: AgentId
    others: Annotated[tuple[Id, ...], Field(max_length=MAX_REFUSED - 1)] = ()
    """Further jobs that it declined in the same round, in this order."""

    @property
    def job_ids(self) -> tuple[str, ...]:
        """All jobs that it declined."""
        return (self.job_id, *self.others)


class Scored(Message):
    """For the record, from the manager to itself: score changes of producers that were left out."""

    kind: Literal["Scored"] = "Scored"
    left_out: Annotated[dict[AgentId, Annotated[int, Field(ge=1)]], Field(max_length=MAX_PRODUCERS)]
    """By producer, how often, since the last such message: by so much its score rose."""


class DeviceSaid(Message):
    """A real device said something: taken by its gateway agent, and passed on for the record."""

    kind: Literal["DeviceSaid"] = "DeviceSaid"
    device: Id
    """Its gateway id."""
    said: DeviceEvent
    message_id: Annotated[str, Field(max_length=100)] = ""
    """What an answer to the device's message names it by: its id, if the device's language has ids; its topic, if it is
    one of the maker's; otherwise empty."""


class JobWithdrawn(Message):
    """For the record: the job of a real device was withdrawn before its start."""

    kind: Literal["JobWithdrawn"] = "JobWithdrawn"
    job_id: Id


class JobExecuted(Message):
    """For the ledger: how a real device executed a job."""

    kind: Literal["JobExecuted"] = "JobExecuted"
    contract_id: ContractId
    job_id: Id
    state: JobState
    outcome: ExecutionOutcome
    reason: Reason = ""
    """An explanation in words; empty: the outcome suffices."""
    started_s: TimeS
    """When the device started, UNIX seconds; if it did not, when it was to start."""
    measured: Annotated[LoadProfile, AfterValidator(_is_load_within_limits)] | None = None
    """The measured load since then; None: not measured, or not ended."""


class ProductionMeasured(Message):
    """For the record: the measured production of a real producer since the last point of the previous message."""

    kind: Literal["ProductionMeasured"] = "ProductionMeasured"
    producer: AgentId
    production: Annotated[Production, AfterValidator(_is_production_within_limits)]


class ProducerLeft(Message):
    """The producer accepts no requests from now on; it may join again."""

    kind: Literal["ProducerLeft"] = "ProducerLeft"
    producer: AgentId


class Happened(Message):
    """For the record: an event of the scenario's timeline, or of a script, takes place now."""

    kind: Literal["Happened"] = "Happened"
    n: int
    """Counts the run's events from 1."""
    event: dict[str, Any]
    """See `scenarios.events.Action`."""
    is_scripted: bool = False
    """Whether a script caused it; the scenario's timeline does not contain it."""


class Follow(Message):
    """Send `Followed` whenever a contract of one of these jobs changes."""

    kind: Literal["Follow"] = "Follow"
    job_ids: tuple[Id, ...]


class Followed(Message):
    """A contract of a job that the timeline waits for was agreed, amended, cancelled or lost."""

    kind: Literal["Followed"] = "Followed"
    job_id: Id
    state: Literal["standing", "cancelled", "lost"]
    start_s: TimeS


class NewForecast(Message):
    """The producer's forecast from now on."""

    kind: Literal["NewForecast"] = "NewForecast"
    production: Production
    replaces_later: bool = False
    """Whether the producer's own forecasts that are still to come become void."""


class ProductionChanged(Message):
    """An event that was not known before the run changes what a roof produces from now on: its counter follows it.

    Only producers that correct their forecasts by their counters are informed.
    """

    kind: Literal["ProductionChanged"] = "ProductionChanged"
    event: dict[str, Any]
    """See `scenarios.events.Action`."""


class Leave(Message):
    """The device takes no part in negotiations until it joins (again)."""

    kind: Literal["Leave"] = "Leave"
    reason: Reason
    """Reason of the contracts that are cancelled for it."""
    is_gone: bool
    """Whether the device is absent, so that its jobs do not run. Otherwise it is only offline: jobs with a contract
    keep it, and a job that can wait no longer takes grid power."""


class Join(Message):
    """The device takes part in negotiations from now on."""

    kind: Literal["Join"] = "Join"


class ChangeAlgorithm(Message):
    """The producer decides by another algorithm from now on."""

    kind: Literal["ChangeAlgorithm"] = "ChangeAlgorithm"
    algorithm: AlgorithmSettings


class ChangePatience(Message):
    """Whether the consumer's jobs wait from now on if no producer can supply them."""

    kind: Literal["ChangePatience"] = "ChangePatience"
    patient: bool


class ChangeStrategy(Message):
    """The consumer decides by another strategy from now on."""

    kind: Literal["ChangeStrategy"] = "ChangeStrategy"
    strategy: Annotated[str, Field(max_length=MAX_AGENT_CHARACTERS)]
    """Name of the plug-in; empty: the built-in strategy."""


class ChangePrices(Message):
    """These prices of the tariff hold from now on; for consumers that compare costs. None: the price stays."""

    kind: Literal["ChangePrices"] = "ChangePrices"
    import_eur_per_kwh: EurPerKwh | None = None
    feed_in_eur_per_kwh: EurPerKwh | None = None
    neighbour_eur_per_kwh: EurPerKwh | None = None


class AddJob(Message):
    """The device has one more job, registered now: the timeline adds it, or the gateway of the real device itself."""

    kind: Literal["AddJob"] = "AddJob"
    job: SentJob


class DropJob(Message):
    """The household no longer wants the job. One that has started runs to its end."""

    kind: Literal["DropJob"] = "DropJob"
    job_id: Id


Minute = Annotated[int, Field(ge=0, le=MAX_TIME_S // 60)]
"""A UNIX minute."""


class ProductionExpected(Message):
    """For the manager's board: what the producer expects to produce from some minute on, by its newest forecast.

    It replaces what was expected from that minute on. A long forecast takes several messages, in order.
    """

    kind: Literal["ProductionExpected"] = "ProductionExpected"
    first_minute: Minute
    """The minute with which `minutes_mwh` begins, in UNIX minutes."""
    minutes_mwh: Runs
    """Energy by the minute, mWh, run-length encoded; after the last run, nothing."""


class Offer(BaseModel):
    """What a producer has left for a job, by the manager's board, including the job's present share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    producer: AgentId
    minutes_mwh: Runs
    """Energy left in each minute, mWh, run-length encoded."""
    movable_mwh: Runs = ()
    """Energy reserved by other jobs that have not started and could move."""


class Offered(Message):
    """What producers have left in a job's window. The manager's answer to `ProducersFor` with shared supply.

    Also sent unsolicited to a job that is not covered, when more is left. It replaces earlier offers.
    """

    kind: Literal["Offered"] = "Offered"
    job_id: Id
    first_minute: Minute
    """The minute with which all offers begin, in UNIX minutes."""
    offers: Annotated[tuple[Offer, ...], Field(max_length=MAX_OFFERS)]
    """Best first; possibly none."""


class Reserve(Message):
    """Request: reserve a share. The manager passes the answer on (`SharesAnswered`); an empty share is not answered."""

    kind: Literal["Reserve"] = "Reserve"
    job_id: Id
    start_s: TimeS
    """The job's start."""
    minutes_mwh: Runs
    """Energy by the minute, from the minute of the start, mWh, run-length encoded. Empty: none."""
    keeps_earlier: bool
    """Whether an earlier reservation for the job holds as well, until `Conclude` says which of the two remains."""
    job: SentJob | None = None
    """The job, if it reserves with this producer for the first time."""

    @model_validator(mode="after")
    def _is_of_one_job(self) -> Self:
        if self.job is not None and self.job.job_id != self.job_id:
            raise ValueError(f"reserves for job {self.job_id!r} and describes job {self.job.job_id!r}")
        return self


class Conclude(Message):
    """One of the job's two reservations remains: the newer one if it is agreed, else the earlier one."""

    kind: Literal["Conclude"] = "Conclude"
    job_id: Id
    is_agreed: bool


class Shrink(Message):
    """The producer can give the job only this from now on, because its forecast fell or it leaves."""

    kind: Literal["Shrink"] = "Shrink"
    job_id: Id
    start_s: TimeS
    """The job's start, as it was reserved."""
    before_mwh: Runs
    """The present reservation, as in `Reserve`; it identifies the reservation that shrinks."""
    minutes_mwh: Runs
    """As in `Reserve`."""
    reason: Reason


class SharePromised(Message):
    """For the ledger: the producer's share of the job; sent when it reserves, shrinks or releases a share."""

    kind: Literal["SharePromised"] = "SharePromised"
    job_id: Id
    consumer: AgentId
    start_s: TimeS
    minutes_mwh: Runs
    """As in `Reserve`; empty: none."""
    digest: Digest
    """Of the job that was described to the producer: the promise is void if that is not the registered one."""
    is_answer: bool = False
    """Whether it answers `Reserve`, so that the manager informs the job's consumer."""


class ShareDeclined(Message):
    """The producer does not reserve a share as requested, usually because it has less left; the answer to `Reserve`."""

    kind: Literal["ShareDeclined"] = "ShareDeclined"
    job_id: Id
    consumer: AgentId
    """Who asked."""
    reason: Reason


class SharesAnswered(Message):
    """All answers of producers to a job's `Reserve` that arrived in the same round."""

    kind: Literal["SharesAnswered"] = "SharesAnswered"
    job_id: Id
    promised: Annotated[tuple[AgentId, ...], Field(max_length=MAX_SHARES)] = ()
    """Producers that reserved the share as requested, and have reported that for the ledger."""
    declined: Annotated[tuple[AgentId, ...], Field(max_length=MAX_SHARES)] = ()
    """Producers that did not."""
    first_minute: Minute = 0
    """See `Offered`."""
    offers: Annotated[tuple[Offer, ...], Field(max_length=MAX_OFFERS)] = ()
    """What producers have left now, if any declined."""


class SharesAmended(Message):
    """For the ledger: the contract's start or shares have changed. Valid if each producer has promised its share.

    Once a job has started, its start and the minutes that have passed stay.
    """

    kind: Literal["SharesAmended"] = "SharesAmended"
    contract: Contract
    reason: Reason


NOT_REGISTERED = "the job is not registered as it was described"
"""Reason of `ShareVoid` if a producer has reserved for a job that its consumer has invented."""


class ShareVoid(Message):
    """The ledger has no contract with this share: the producer is no longer bound."""

    kind: Literal["ShareVoid"] = "ShareVoid"
    job_id: Id
    reason: Reason


Shares = Annotated[tuple[Share, ...], Field(min_length=1, max_length=MAX_SHARES)]


class RoomWanted(Message):
    """The job would be covered better with these shares, parts of which producers give to other jobs."""

    kind: Literal["RoomWanted"] = "RoomWanted"
    job_id: Id
    start_s: TimeS
    """The start that the job would have."""
    shares: Shares
    """The shares of all producers, including the receiver's."""


class RoomNeeded(Message):
    """Another job would be covered better with shares that this unstarted job has reserved in part.

    Its consumer composes again without them, and changes its contract if the job is covered no less.
    """

    kind: Literal["RoomNeeded"] = "RoomNeeded"
    job_id: Id
    first_minute: Minute
    minutes_mwh: Runs
    """What would remain for this job, including its present share, as in `Offered`."""
    start_s: TimeS
    """The start that the other job would have."""
    shares: Shares
    """What the other job wants, from its start on."""


AnyMessage = Annotated[
    ProducerJoined
    | Headroom
    | ProducersFor
    | Producers
    | Request
    | Accept
    | AcceptProvisionally
    | PushOut
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
    | ProducerLeft
    | Happened
    | Follow
    | Followed
    | NewForecast
    | ProductionChanged
    | Leave
    | Join
    | ChangeAlgorithm
    | ChangePatience
    | ChangeStrategy
    | ChangePrices
    | AddJob
    | DropJob
    | ContractVoid
    | Promised
    | PromiseWithdrawn
    | PromiseVoid
    | JobsRegistered
    | Declined
    | Scored
    | DeviceSaid
    | JobWithdrawn
    | JobExecuted
    | ProductionMeasured
    | ProductionExpected
    | Offered
    | Reserve
    | Conclude
    | Shrink
    | SharePromised
    | ShareDeclined
    | SharesAnswered
    | SharesAmended
    | ShareVoid
    | RoomWanted
    | RoomNeeded,
    Field(discriminator="kind"),
]

MESSAGES: TypeAdapter[AnyMessage] = TypeAdapter(AnyMessage)
"""Validates and builds any message from JSON."""

MESSAGE_KINDS: tuple[str, ...] = tuple(
    sorted(kind.model_fields["kind"].default for kind in get_args(get_args(AnyMessage)[0]))
)
"""Names of the kinds of messages, in alphabetical order."""
