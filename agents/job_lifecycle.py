"""The life of a job, from its registration to its end: a coroutine finds suppliers for it until it has run.

How a job finds a supplier, and what happens while it runs, is the business of its `JobNegotiation`, of which each
supply has its own (`agents.consumer_supply`). A job that loses its contract before its start begins again.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from agents.device_calendar import Calendar
from agents.messages import AnyMessage, Withdraw
from agents.model import MANAGER, Contract, Job
from broker.hosts import Channel, Received, TimedOut

WITHDRAWN = "its household no longer wants it"
"""Reason, in the ledger, of the cancelled contract of a job that was withdrawn."""


class RunEnds:
    """Put into every job's channel when the run's end is reached."""


@dataclass(frozen=True, slots=True)
class JobChanged:
    """Put into a job's channel when its contract was amended or cancelled, or when another one may be better now.

    Another one may be better after its device's time was divided again, prices have changed, or the device was started
    by hand.
    """

    time_was_freed: bool = False
    """Whether a contract was cancelled, so that the device may have more time for the job."""


class JobDropped:
    """Put into a job's channel when its household no longer wants it."""


class DeviceReturned:
    """Put into every job's channel when the device takes part in negotiations again."""


QuestionPart = Literal["first", "next", "last"]
"""See `ProducersFor.part`."""
JobEvent = Received[AnyMessage] | RunEnds | JobChanged | JobDropped | DeviceReturned


@dataclass(slots=True, eq=False)
class ConsumerJob:
    """What a consumer knows of one of its jobs."""

    job: Job
    channel: Channel[JobEvent]
    """Wakes the job's coroutine."""
    is_patient: bool = False
    """Whether it waits if no producer can supply it: the consumer's setting when it last looked for a supplier."""
    contracts_made: int = 0
    """How many contracts it has had."""
    asking: frozenset[str] = frozenset()
    """The producers whose answers are awaited."""
    asked: set[str] = field(default_factory=set)
    """The producers that it has ever asked."""
    untrusted: set[str] = field(default_factory=set)
    """The producers that broke a promise in the second in which they made it: they are not asked again."""
    premature: list[Received[AnyMessage]] = field(default_factory=list)
    """Changes to a contract that an answer of this round may be about to establish."""
    is_provisional: bool = False
    """Whether its contract was accepted provisionally."""
    is_dropped: bool = False
    """Whether it was dropped, so that it will not run."""
    run_ends: bool = False
    """Whether its coroutine knows that the run's end is reached."""

    def next_contract_id(self) -> str:
        """Return the id of its next contract, and count it."""
        self.contracts_made += 1
        return f"{self.job.job_id}/{self.contracts_made}"


class RealDevice(Protocol):
    """A real device, as the agents see it: it runs jobs from the starts of their contracts on, as long as it needs."""

    async def execute(self, job: Job) -> None:
        """Run a job whose contract starts; return when the device needs no more for it."""
        ...

    def is_under_way(self, job: Job) -> bool:
        """Return whether the device has begun a job, or was commanded to."""
        ...

    def started_s(self, job: Job) -> int | None:
        """Return when the device began the job that it runs, UNIX seconds; None: it does not run it."""
        ...


class JobOwner(Protocol):
    """What every job needs of the consumer that it belongs to, see `agents.consumer.Consumer`.

    The negotiations need more, each as its supply does (`WholeJobOwner`, `SharedJobOwner`), and so do the supplies
    (`agents.consumer_supply.SupplyOwner`).
    """

    patient: bool
    contracts: dict[str, Contract]
    calendar: Calendar
    is_away: bool
    is_gone: bool
    now_s: int
    real_device: RealDevice | None
    """Runs the jobs; None: a job only lasts as long as its load profile."""

    @property
    def turns(self) -> AbstractAsyncContextManager[None]:
        """The lock that a job of the device holds while it looks for a supplier."""
        ...

    # Its end.

    def end_contract(self, contract: Contract, reason: str) -> None:
        """Cancel a contract of a job that has not started, of the consumer's own accord."""
        ...

    def drop(self, job_id: str) -> None:
        """End a job without running it, unless it has started."""
        ...

    # See `broker.hosts.Agent`.

    async def until(self, time_s: int) -> None:
        """Wait until a virtual time, UNIX seconds."""
        ...

    async def ask(self, to: str, message: AnyMessage) -> AnyMessage:
        """Send a message and return the answer."""
        ...

    def send(self, to: str, message: AnyMessage) -> int:
        """Send a message."""
        ...


class JobNegotiation(Protocol):
    """How one job finds suppliers; made by the supply of its consumer (`ConsumerSupply.negotiation_of`)."""

    async def find_supplier(self) -> None:
        """Find a supplier for the job, whose device takes part; if there is none, the grid supplies it."""
        ...

    async def has_run(self) -> bool:
        """Wait until the job has run; return False if its contract ends or it is dropped before."""
        ...

    def take_grid_power(self, start_s: int) -> None:
        """Have the grid supply the job, from a start in UNIX seconds on."""
        ...

    def withdraw(self) -> None:
        """Inform the agents that may supply the job that it needs no supply."""
        ...

    def end(self) -> None:
        """Called when the job has run, or is not to run."""
        ...


class JobLifecycle:
    """The course of one job, whatever its supply is."""

    __slots__ = ("_consumer", "_negotiation", "_record")

    def __init__(self, consumer: JobOwner, record: ConsumerJob, negotiation: JobNegotiation) -> None:
        """Begin with a job that need not be registered yet.

        Args:
            consumer: The consumer that the job belongs to.
            record: The job.
            negotiation: Finds its suppliers.
        """
        self._consumer = consumer
        self._record = record
        self._negotiation = negotiation
        record.is_patient = consumer.patient

    async def serve(self) -> None:
        """Find a supplier, and another one whenever it is lost, until the job starts; then wait until it has run."""
        await self._consumer.until(self._record.job.registered_s)
        while True:
            if await self._takes_part():
                self._record.is_patient = self._consumer.patient
                await self._negotiation.find_supplier()
            if await self._negotiation.has_run():
                break
            if self._record.is_dropped:
                await self._end_without_running()
                break
        self._negotiation.end()

    async def _takes_part(self) -> bool:
        """Wait until the device takes part; return False if the job is dropped, or takes grid power, before."""
        consumer, record = self._consumer, self._record
        while consumer.is_away and not record.is_dropped:
            event = RunEnds() if record.run_ends else await record.channel.get(until_s=record.job.latest_start_s)
            if not isinstance(event, TimedOut | RunEnds):
                continue
            record.run_ends |= isinstance(event, RunEnds)
            if consumer.is_gone:
                consumer.drop(record.job.job_id)
                return False
            async with consumer.turns:
                self._negotiation.take_grid_power(consumer.calendar.deadline_s(record.job, consumer.now_s))
            return False
        return not record.is_dropped

    async def _end_without_running(self) -> None:
        consumer, job_id = self._consumer, self._record.job.job_id
        async with consumer.turns:
            contract = consumer.contracts.get(job_id)
            if contract is not None:
                consumer.end_contract(contract, WITHDRAWN)
            self._negotiation.withdraw()
            if self._record.is_patient:
                consumer.send(MANAGER, Withdraw(job_id=job_id))
            consumer.calendar.drop(job_id)


def start_s_of(consumer: JobOwner, record: ConsumerJob) -> int | None:
    """Return the start of a job's contract, UNIX seconds; None if there is none, or the job was dropped before it."""
    contract = consumer.contracts.get(record.job.job_id)
    if contract is None or (record.is_dropped and contract.start_s > consumer.now_s):
        return None
    return contract.start_s
