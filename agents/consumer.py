"""A consumer device: has suppliers found for each of its jobs, and represents the jobs in their contracts.

Each job has a coroutine of its own (`agents.job_lifecycle`). How suppliers are found, and what they may do to a
contract, depends on the consumer's supply (`agents.consumer_supply`), which it is given: whole or shared.

The consumer reports to the manager everything that happens to a contract before its job starts, in chronological order.
The producers report the same. If the manager finds that they did not, it declares the contract void (`ContractVoid`),
and the job looks for another supplier.

Messages of other agents are accepted only within their roles: only suppliers may change a contract, only producers
that were asked may make offers, and only the manager may say what others offer. Everything else is rejected.

A device runs one job at a time. Its jobs look for suppliers in turn, each among the starts at which the device is free
(`agents.device_calendar`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, ClassVar

import structlog
from typing_extensions import override

from agents.consumer_supply import ConsumerSupply
from agents.counts_per_second import CountsPerSecond
from agents.device_calendar import Calendar, FreeTime
from agents.job_lifecycle import (
    ConsumerJob,
    DeviceReturned,
    JobChanged,
    JobDropped,
    JobLifecycle,
    RealDevice,
    RunEnds,
)
from agents.messages import (
    MAX_STRETCHES,
    AddJob,
    AnyMessage,
    ChangePatience,
    ChangePrices,
    ChangeStrategy,
    ContractAgreed,
    ContractCancelled,
    ContractVoid,
    DropJob,
    Join,
    Leave,
)
from agents.model import MANAGER, TIMELINE, TOGETHER, Contract, Job, Starts
from agents.plugins import AGENTS, calling, failure_of, load_plugin, plugin_of, wrong_result
from agents.ranking import RANKED, NegotiationSettings
from agents.whole_supply import WholeConsumerSupply
from broker import CoroutineCancelledError, PluginError, UnknownCoroutineError
from broker.hosts import Agent, Channel, Received

log = structlog.get_logger(__name__)

MAX_OPENINGS = 20
"""Offers of one producer for one job in one second that the consumer follows; honest producers send one or two."""


MakeConsumerSupply = Callable[["Consumer"], ConsumerSupply]
"""Makes the supply of the consumer that it is given."""


class Consumer(Agent[AnyMessage]):
    """The agent of one consumer device; its `supply` has suppliers found for its jobs."""

    wakes_every_s: ClassVar[int] = 1
    """For plug-ins: the shortest interval at which a consumer sets timers in addition to those of its jobs, seconds.
    The clock of a deployed run quarantines a household that sets more timers than this allows; the longer the interval,
    the sooner it notices a dishonest household. By default a plug-in may wake up in every second."""

    def __init__(
        self,
        agent_id: str,
        jobs: Sequence[Job],
        *,
        patient: bool,
        is_there: bool = True,
        supply: MakeConsumerSupply = WholeConsumerSupply,
    ) -> None:
        """Create a consumer.

        Args:
            agent_id: See `agents.model.consumer_agent`.
            jobs: All jobs of the device; each becomes known at its registration.
            patient: Whether a job that no producer can supply waits until its latest start before it takes grid power.
            is_there: Whether the device is present from the start; otherwise its jobs wait for `Join`.
            supply: Makes what has suppliers found for the jobs.
        """
        super().__init__(agent_id)
        self.records = {job.job_id: ConsumerJob(job, self.channel()) for job in jobs}
        """All jobs of the device, by id, in the order in which they became known."""
        self.contracts: dict[str, Contract] = {}
        """The current contract of each job, by job id: the consumer's side of the ledger."""
        self.asks_twice = False
        """Whether promises are late, so that a job that all producers have declined asks them again."""
        self.patient = patient
        """Whether jobs that ask from now on wait where no producer can supply them."""
        self.negotiating = NegotiationSettings(RANKED)
        """How jobs find a supplier; at first, they ask all producers in order."""
        self.is_away = not is_there
        """Whether the device takes no part in negotiations at present."""
        self.is_gone = not is_there
        """Whether the device is absent altogether, so that its jobs cannot run."""
        self._why_gone = ""
        """Why it has left."""
        self.calendar = Calendar(self.jobs)
        """The device's time."""
        self._turns = _TurnLock(self)
        self._offers = CountsPerSecond()
        """By job and producer."""
        self.supply: ConsumerSupply = supply(self)
        self.real_device: RealDevice | None = None
        """Runs the jobs; None: a job only lasts as long as its load profile, and a plug-in can replace the strategy."""

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All jobs of the device, in the order in which they became known."""
        return tuple(record.job for record in self.records.values())

    async def run(self) -> None:
        """Start all jobs, and pass each message to the job that it concerns."""
        for record in self.records.values():
            self._serve(record)
        self.spawn(self._end_jobs(), "end")
        while True:
            received = await self.receive()
            self._dispatch(received)

    def _dispatch(self, received: Received[AnyMessage]) -> None:
        """Pass a message to whom it concerns, if the sender is entitled to send it."""
        if received.sender == TIMELINE:
            self._obey(received)
        elif not self.supply.take(received):
            self.take_other(received)

    def take_other(self, received: Received[AnyMessage]) -> None:
        """Handle a message that is not about a job; a subclass that expects such messages overrides this."""
        kind = received.message.kind
        self.reject(received.sender, f"sends {kind}, which {self.id!r} does not accept from it")

    def hears(self, producer: str, kind: str, job_id: str) -> bool:
        """Return whether a job has ever asked a producer, so that this may send messages about it; reject others.

        Args:
            producer: Who sends a message.
            kind: Its kind.
            job_id: The job that it is about, which may not exist.
        """
        record = self.records.get(job_id)
        was_asked = record is not None and producer in record.asked
        if not was_asked:
            self.reject(producer, f"sends {kind} for job {job_id!r}, which it was never asked to supply")
        return was_asked

    def follows(self, producer: str, job_id: str) -> bool:
        """Return whether to pass on a producer's offer: a producer must not keep a job busy for ever.

        A job that has started, or was dropped, no longer reads its channel: offers would fill it.
        """
        contract = self.contracts.get(job_id)
        if self.records[job_id].is_dropped or (contract is not None and contract.start_s <= self.now_s):
            return False
        count = self._offers.add((job_id, producer), self.now_s)
        if count > MAX_OPENINGS:
            self.reject(producer, f"sends more than {MAX_OPENINGS} openings for job {job_id!r} in one second")
        return count <= MAX_OPENINGS

    def contract_changed(self, job_id: str) -> None:
        """Called when a job got, moved or lost its contract; a subclass that acts on it overrides this."""

    def rank(self, job: Job, producers: Sequence[str]) -> Sequence[str]:
        """Return the order in which a job asks producers; a plug-in overrides this with its own strategy.

        Args:
            job: The job.
            producers: Ids of all producers that the job may ask, in the order of the manager's ranking; there may be
                none. Those that cannot serve it are left out, as the settings of the negotiation say.

        Returns:
            The same ids, each of them once.
        """
        del job
        return producers

    @property
    def has_own_order(self) -> bool:
        """Whether a subclass orders the producers, so that each job has to know all of them before it asks one."""
        return type(self).rank is not Consumer.rank

    def ranked(self, job: Job, producers: Sequence[str]) -> Sequence[str]:
        """Return what `rank` does.

        Raises:
            PluginError: A plug-in's `rank` fails, or does not return the same producers. A job that asked only some of
                them would be informed of the others again and again.
        """
        plugin = plugin_of(type(self))
        if plugin is None:
            return self.rank(job, producers)
        producers = tuple(producers)  # which a plug-in cannot change
        with calling(plugin, "rank"):
            ranked: object = self.rank(job, producers)
            if not isinstance(ranked, Sequence) or not _are_same(ranked, producers):
                what = f"{ranked!r:.80}: expected the ids that it was given, each of them once, in any order"
                raise wrong_result(plugin, "rank", what)
        return tuple(ranked)

    @override
    def live(self) -> Coroutine[Any, Any, None]:
        """See `Agent.live`; what a plug-in's `run` does instead of returning a coroutine is a failure of the agent."""
        plugin = plugin_of(type(self))
        return super().live() if plugin is None else self.coroutines.live(self._run_plugin(plugin))

    async def _run_plugin(self, plugin: str) -> None:
        run: object = self.run()
        if not asyncio.iscoroutine(run):
            raise wrong_result(plugin, "run", f"{run!r:.40}: expected a coroutine, as an `async def` does")
        await run

    @override
    def describe_failure(self, error: BaseException) -> str:
        """See `Agent.describe_failure`."""
        plugin = plugin_of(type(self))
        # Any coroutine of the agent may meet these, also one that runs no code of the plug-in.
        met_by_any = UnknownCoroutineError | CoroutineCancelledError
        if plugin is not None and isinstance(error, met_by_any):
            return f"{plugin}: {error}"
        return (plugin is not None and failure_of(plugin, type(self), error)) or super().describe_failure(error)

    def add_job(self, job: Job) -> None:
        """Take on a job that was not known at the beginning."""
        record = self.records[job.job_id] = ConsumerJob(job, self.channel())
        self.calendar.add(job)
        self._serve(record)

    def _serve(self, record: ConsumerJob) -> None:
        lifecycle = JobLifecycle(self, record, self.supply.negotiation_of(record))
        self.spawn(lifecycle.serve(), record.job.job_id)

    def _obey(self, received: Received[AnyMessage]) -> None:
        """Carry out an event of the scenario's timeline."""
        match received.message:
            case AddJob(job=job) if job.job_id not in self.records and job.agent == self.id:
                self.add_job(job)
            case DropJob(job_id=job_id) if job_id in self.records:
                self.drop(job_id)
            case ChangePatience(patient=patient):
                self.patient = patient
            case ChangeStrategy(strategy=strategy):
                if self.supply.follows_strategy and self.real_device is None:
                    self._change_strategy(load_plugin(AGENTS, strategy) if strategy else Consumer)
            case Leave(reason=reason, is_gone=is_gone):
                self._leave(reason, is_gone=is_gone)
            case Join():
                self._join()
            case ChangePrices() as prices:
                self.change_prices(prices)
            case message:
                self.reject(received.sender, f"sends {message.kind}, which is not for {self.id!r}")

    def _leave(self, reason: str, *, is_gone: bool) -> None:
        self.is_away, self.is_gone, self._why_gone = True, is_gone, reason
        for contract in self.calendar.unstarted(self.now_s) if is_gone else ():
            self.end_contract(contract, reason)

    def _join(self) -> None:
        self.is_away = self.is_gone = False
        for record in self.records.values():
            record.channel.put(DeviceReturned())

    def _change_strategy(self, strategy: type[Consumer]) -> None:
        """Decide by another strategy: with its methods, and with its own attributes as they are at a run's beginning.

        What every consumer has (jobs, contracts, waiting coroutines) stays as it is. The class of this object changes,
        because a strategy is a subclass that may override anything, and the coroutines of the jobs hold this object.
        """
        before, jobs = vars(self).copy(), self.jobs
        common = vars(Consumer(self.id, jobs, patient=self.patient)).keys()
        vars(self).clear()
        self.__class__ = strategy
        with _making(strategy):
            strategy.__init__(self, before["id"], jobs, patient=before["patient"], is_there=not before["is_gone"])
        vars(self).update({name: before[name] for name in common})

    def change_prices(self, prices: ChangePrices) -> None:
        """Take other prices from now on; a subclass that publishes what jobs cost overrides this."""
        self.supply.change_prices(prices)

    def promise_late(self) -> None:
        """Take promises to be provisional until shortly before the start."""
        self.asks_twice = True

    def drop(self, job_id: str) -> None:
        """End a job without running it, unless it has started."""
        contract, record = self.contracts.get(job_id), self.records[job_id]
        if not record.is_dropped and (contract is None or contract.start_s > self.now_s):
            record.is_dropped = True
            record.channel.put(JobDropped())

    def end_contract(self, contract: Contract, reason: str) -> None:
        """Cancel a contract of a job that has not started, of the consumer's own accord."""
        self.supply.withdraw(contract)
        self.cancel(contract, reason)

    def on_lost(self, agents: frozenset[str]) -> None:
        """See `Agent.on_lost`: jobs look for other suppliers than lost ones."""
        self.supply.forget_producers(agents)

    async def _end_jobs(self) -> None:
        await self.closing()
        for record in self.records.values():
            record.channel.put(RunEnds())

    # Contracts.

    def agree(self, job: Job, contract: Contract, movable: Starts) -> None:
        """Adopt a contract.

        Args:
            job: The job.
            contract: Its supplier and start.
            movable: The starts among which the producer may move it.
        """
        self.calendar.affect(job, self.now_s)
        self.contracts[job.job_id] = contract
        self.calendar.place(contract, movable)
        self.send(MANAGER, ContractAgreed(contract=contract, reason=self.remark_on(contract)))
        self.contract_changed(job.job_id)
        if self.is_gone and contract.start_s > self.now_s:  # it left while the job looked for a supplier
            self.end_contract(contract, self._why_gone)

    def take_void(self, void: ContractVoid) -> None:
        """Give up a contract that the ledger does not have, and inform its producer; the job looks for another one."""
        contract, record = self.contracts.get(void.job_id), self.records.get(void.job_id)
        if record is None:
            return
        if contract is None:  # it has cancelled it, as its producer is lost
            record.contracts_made = void.contracts
            return
        if contract.contract_id != void.contract_id:
            return
        job, signers = record.job, self.supply.signers_of(contract)
        if not signers:  # the grid's word is not needed, but the ledger has fewer contracts than were counted
            if contract.contract_id != f"{job.job_id}/{void.contracts + 1}" and contract.start_s >= self.now_s:
                record.contracts_made = void.contracts
                self.supply.take_grid_power(job, contract.start_s)
            return
        log.warning("contract void", agent=self.id, contract=void.contract_id, reason=void.reason)
        if contract.start_s + job.duration_s <= self.now_s:
            return  # it has run
        is_running = contract.start_s <= self.now_s and self.real_device is not None
        record.contracts_made = void.contracts
        record.untrusted.update(signers)
        self.supply.withdraw(contract)
        self._free(contract)
        if is_running:  # its device already draws power, now from the grid
            self.supply.take_grid_power(job, self.now_s)

    def cancel(self, contract: Contract, reason: str) -> None:
        """Report that a contract has ended; its job looks for another one.

        Args:
            contract: The contract.
            reason: Why, in words.
        """
        self.send(MANAGER, ContractCancelled(contract_id=contract.contract_id, reason=reason))
        self._free(contract)

    def _free(self, contract: Contract) -> None:
        del self.contracts[contract.job_id]
        self.calendar.free(contract.job_id)
        self.records[contract.job_id].channel.put(JobChanged())
        self.contract_changed(contract.job_id)

    def remark_on(self, contract: Contract) -> str:
        """Return what the ledger says of a contract's start; empty: nothing."""
        return TOGETHER if self.calendar.meets_another(contract, self.now_s) else ""

    # The device's time.

    def free_time_for(self, job: Job) -> FreeTime:
        """Return the starts at which the device is free for a job; producers must not move its other jobs meanwhile.

        Jobs that are displaced lose their contracts, and look for a supplier again when it is their turn.
        """
        starts, displaced = self.calendar.find_starts(job, self.now_s)
        for job_id in displaced:
            self.end_contract(self.contracts[job_id], "its device needs the time for another job")
        self.calendar.affect(job, self.now_s)
        return FreeTime(starts[:MAX_STRETCHES], held=bool(self.calendar.near(job, self.now_s)))

    @property
    def turns(self) -> _TurnLock:
        """The lock that a job of the device holds while it looks for a supplier."""
        return self._turns


class _TurnLock:
    """A fair lock: it is handed on in the order in which it was requested."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._taken = False
        self._queue: list[Channel[None]] = []

    async def __aenter__(self) -> None:
        if self._taken:
            channel: Channel[None] = self._consumer.channel()
            self._queue.append(channel)
            await channel.get()
        self._taken = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._queue:
            self._queue.pop(0).put(None)
            return
        self._taken = False
        if kind is None:
            self._consumer.supply.divide_time()


def make_consumer(
    strategy: type[Consumer], agent_id: str, jobs: Sequence[Job], *, patient: bool, is_there: bool
) -> Consumer:
    """Return a consumer with a strategy; see `Consumer.__init__` for the rest.

    Raises:
        PluginError: The strategy is a plug-in that cannot be made.
    """
    with _making(strategy):
        made = strategy(agent_id, jobs, patient=patient, is_there=is_there)
    if not hasattr(made, "supply"):
        raise PluginError(f"{plugin_of(strategy)}: its __init__ does not call that of agents.Consumer")
    return made


def _are_same(ranked: Sequence[object], producers: Sequence[str]) -> bool:
    try:
        return Counter(ranked) == Counter(producers)
    except TypeError:  # an unhashable value is not an id
        return False


def _making(strategy: type[Consumer]) -> AbstractContextManager[None]:
    plugin = plugin_of(strategy)
    return nullcontext() if plugin is None else calling(plugin, "__init__")
