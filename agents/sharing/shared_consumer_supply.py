"""A consumer with shared supply: its jobs compose their starts and shares from what producers offer.

Each job has a negotiation of its own (`agents.sharing.shared_job_negotiation`). The consumer's supply knows what each
job is given (`agents.sharing.job_supply`), and represents it in its contract.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from agents.consumer_supply import SupplyOwner
from agents.energy import IntArray
from agents.job_lifecycle import ConsumerJob, JobChanged, JobNegotiation
from agents.messages import (
    MAX_REASON_CHARACTERS,
    Accept,
    Amend,
    AnyMessage,
    Cancel,
    ChangePrices,
    ContractVoid,
    Offer,
    Offered,
    Opening,
    Producers,
    PushOut,
    RoomNeeded,
    SharesAmended,
    SharesAnswered,
    Shrink,
    Withdraw,
)
from agents.model import MANAGER, Contract, Job
from agents.shares import packed, unpacked
from agents.sharing.energy_prices import PricesOfMinutes, PriceView
from agents.sharing.job_supply import JobSupply, KnownOffer, SupplyCriteria, supplier_of
from agents.sharing.shared_job_negotiation import SharedJobNegotiation, SharedJobOwner
from agents.sharing.supply_settings import SupplySettings
from broker.hosts import AgentLostError, Received


class SharedSupplyOwner(SupplyOwner, SharedJobOwner, Protocol):
    """What shared supply needs of its consumer; see `agents.consumer.Consumer`."""

    # See `broker.hosts.Agent`.

    @property
    def next_seq(self) -> int:
        """Sequence number of the next message."""
        ...

    async def ask_all(self, questions: Sequence[tuple[str, AnyMessage]]) -> list[AnyMessage | AgentLostError]:
        """Ask several agents in the same round, and return all answers."""
        ...

    def deliver(self, received: Received[AnyMessage], re: int | None) -> None:
        """Deliver a message that another agent has passed on."""
        ...


class SharedConsumerSupply:
    """The supply of a consumer whose jobs are supplied by shares; see `agents.consumer_supply.ConsumerSupply`."""

    __slots__ = ("_consumer", "_criteria", "_signers", "_supplies")

    def __init__(
        self,
        consumer: SharedSupplyOwner,
        settings: SupplySettings,
        own: frozenset[str] = frozenset(),
        prices: PricesOfMinutes | None = None,
        *,
        evens_rounding: bool = True,
    ) -> None:
        """Begin without shares.

        Args:
            consumer: The consumer, which sends the messages.
            settings: The preferences of the jobs.
            own: Producers of the same house.
            prices: Energy prices of the house; None: there is no tariff.
            evens_rounding: See `compose`.
        """
        self._consumer = consumer
        self._criteria = SupplyCriteria(settings, own, PriceView(prices), evens_rounding)
        self._supplies: dict[str, JobSupply] = {}
        self._signers: dict[str, set[str]] = {}
        """By contract id, the producers of all its versions."""

    @property
    def follows_strategy(self) -> bool:
        """See `ConsumerSupply.follows_strategy`: jobs compose what all producers offer."""
        return False

    def negotiation_of(self, record: ConsumerJob) -> JobNegotiation:
        """See `ConsumerSupply.negotiation_of`."""
        return SharedJobNegotiation(self._consumer, record, self)

    def supply_of(self, job_id: str) -> JobSupply:
        """Return what is known of a job's supply."""
        supply = self._supplies.get(job_id)
        if supply is None:
            supply = self._supplies[job_id] = JobSupply(self._consumer.records[job_id].job, self._criteria)
        return supply

    def forget_supply(self, job_id: str) -> None:
        """Forget what is known of the supply of a job that has ended; its contract stays."""
        self._supplies.pop(job_id, None)
        contract = self._consumer.contracts.get(job_id)
        if contract is not None:
            self._signers.pop(contract.contract_id, None)

    # Messages.

    def take(self, received: Received[AnyMessage]) -> bool:
        """See `ConsumerSupply.take`."""
        sender, message, consumer = received.sender, received.message, self._consumer
        match message:
            case Shrink(job_id=job_id):
                if consumer.hears(sender, message.kind, job_id):
                    self._take_shrink(sender, message)
            case RoomNeeded(job_id=job_id):
                if consumer.hears(sender, message.kind, job_id) and consumer.follows(sender, job_id):
                    consumer.records[job_id].channel.put(received)
            case Offered(job_id=job_id) if sender == MANAGER and job_id in consumer.records:
                consumer.records[job_id].channel.put(received)
            case SharesAnswered(job_id=job_id) if sender == MANAGER and job_id in consumer.records:
                self._take_answers(received, message)
            case ContractVoid() if sender == MANAGER:
                self._take_void(message)
            case Accept() | Amend() | Cancel() | PushOut() | Opening() | Producers():
                consumer.reject(sender, f"sends {message.kind}, and this neighbourhood shares its supply")
            case _:
                return False
        return True

    def _take_answers(self, received: Received[AnyMessage], answered: SharesAnswered) -> None:
        """Pass the answers of producers, which come by way of the manager, to the job that waits for them."""
        pending = self.supply_of(answered.job_id).pending
        if not pending.keys().isdisjoint(answered.declined):  # others were not asked
            self.take_offers(answered.job_id, answered.first_minute, answered.offers)
        for producer in (*answered.promised, *answered.declined):
            seq = pending.pop(producer, None)
            if seq is not None:
                self._consumer.deliver(Received(producer, received.seq, answered, received.step), re=seq)

    def _take_shrink(self, producer: str, shrink: Shrink) -> None:
        """Take a smaller share, and let the job look for the rest elsewhere."""
        supply, series = self.supply_of(shrink.job_id), unpacked(shrink.minutes_mwh)
        reserved = supply.reserved.get(producer)
        if reserved is not None and (reserved[0], packed(reserved[1])) == (shrink.start_s, shrink.before_mwh):
            supply.reserved[producer] = (shrink.start_s, series)
        held = supply.held.get(producer)
        contract = self._consumer.contracts.get(shrink.job_id)
        is_held = held is not None and (supply.start_s, packed(held)) == (shrink.start_s, shrink.before_mwh)
        if contract is not None and is_held:
            del supply.held[producer]
            if len(series):
                supply.held[producer] = series
            reason = f"{producer} gives less: {shrink.reason}"[:MAX_REASON_CHARACTERS]
            if self._consumer.is_away and not supply.held and contract.start_s > self._consumer.now_s:
                self._consumer.end_contract(contract, reason)  # it looks for supply when its household is back
            else:
                self.amend(self._consumer.records[shrink.job_id].job, reason)
                self._wake(shrink.job_id)

    def _take_void(self, void: ContractVoid) -> None:
        contract = self._consumer.contracts.get(void.job_id)
        if contract is None or contract.start_s >= self._consumer.now_s:  # a running job keeps what stood before
            self._consumer.take_void(void)

    # What jobs are offered.

    @property
    def puts_cost_first(self) -> bool:
        """Whether the cost of a job counts more than its coverage."""
        return self._criteria.puts_cost_first

    def change_prices(self, prices: ChangePrices) -> None:
        """See `ConsumerSupply.change_prices`; if cost comes first, jobs compose again."""
        self._criteria.prices.replace(prices.model_dump(exclude={"kind"}, exclude_none=True))
        if self.puts_cost_first:
            for contract in self._consumer.calendar.unstarted(self._consumer.now_s):
                self._wake(contract.job_id)

    def take_offers(self, job_id: str, first_minute: int, offers: Sequence[Offer]) -> None:
        """Take what producers have left for a job, instead of what was known of them.

        Args:
            job_id: The job.
            first_minute: UNIX minute with which the offers begin.
            offers: One per producer. Those of producers that broke their word to the job are left out.
        """
        untrusted = self._consumer.records[job_id].untrusted
        self.supply_of(job_id).offers = {
            offer.producer: KnownOffer.of(first_minute, offer) for offer in offers if offer.producer not in untrusted
        }

    async def ask_for_shares(
        self, job_id: str, requests: Sequence[tuple[str, AnyMessage]]
    ) -> list[AnyMessage | AgentLostError]:
        """Reserve with several producers in the same round; see `Agent.ask_all`.

        Args:
            job_id: The job.
            requests: Ids of producers, each with its `Reserve`.

        Returns:
            For each `SharesAnswered`, which contains the producer, or the error if it is lost or silent.
        """
        # `ask_all` numbers its messages from the agent's next number on; the manager passes answers on without them.
        pending = {producer: self._consumer.next_seq + i for i, (producer, _) in enumerate(requests)}
        supply = self.supply_of(job_id)
        supply.pending = pending
        try:
            return await self._consumer.ask_all(requests)
        finally:
            supply.pending = {}

    # Contracts.

    def agree_shares(self, job: Job, start_s: int, held: Mapping[str, IntArray]) -> None:
        """Adopt and report a contract of `job` that starts at `start_s`, UNIX seconds, with the shares `held`."""
        supply = self.supply_of(job.job_id)
        supply.start_s, supply.held, supply.reserved = start_s, dict(held), {}
        contract_id = self._consumer.records[job.job_id].next_contract_id()
        contract = self._contract(job, contract_id, self._consumer.now_s)
        self._consumer.agree(job, contract, ((start_s, start_s),))

    def take_grid_power(self, job: Job, start_s: int) -> None:
        """See `ConsumerSupply.take_grid_power`."""
        self.agree_shares(job, start_s, {})

    def amend(self, job: Job, reason: str) -> None:
        """Report the new version of a contract, after its start or shares have changed."""
        consumer = self._consumer
        before = consumer.contracts[job.job_id]
        contract = self._contract(job, before.contract_id, before.agreed_s)
        consumer.contracts[job.job_id] = contract
        if contract.start_s != before.start_s:
            consumer.calendar.affect(job, consumer.now_s)
            consumer.calendar.place(contract, ((contract.start_s, contract.start_s),))
        elif contract.start_s > consumer.now_s:  # the calendar may know no more of a job that runs
            consumer.calendar.replace(contract)
        consumer.send(MANAGER, SharesAmended(contract=contract, reason=consumer.remark_on(contract) or reason))
        consumer.contract_changed(job.job_id)

    def _contract(self, job: Job, contract_id: str, agreed_s: int) -> Contract:
        supply = self.supply_of(job.job_id)
        producer, shares = supplier_of(job, supply.start_s, supply.held)
        contract = Contract(
            contract_id=contract_id,
            job_id=job.job_id,
            producer=producer,
            start_s=supply.start_s,
            agreed_s=agreed_s,
            energy_wh=job.energy_wh,
            shares=shares,
        )
        self._signers.setdefault(contract_id, set()).update(contract.producers)
        return contract

    def signers_of(self, contract: Contract) -> Collection[str]:
        """See `ConsumerSupply.signers_of`; if the grid alone has come to supply it, those of its earlier versions.

        The ledger may lack the version that was reported first, and with it all others.
        """
        return contract.producers or sorted(self._signers.get(contract.contract_id, ()))

    def withdraw(self, contract: Contract) -> None:
        """See `ConsumerSupply.withdraw`; all that hold or reserve energy for the job are informed."""
        supply = self.supply_of(contract.job_id)
        for producer in sorted(supply.held.keys() | supply.reserved.keys() | set(self.signers_of(contract))):
            self._consumer.send(producer, Withdraw(job_id=contract.job_id))
        supply.held, supply.reserved, supply.offers = {}, {}, {}
        self._signers.pop(contract.contract_id, None)

    def forget_producers(self, producers: frozenset[str]) -> None:
        """See `ConsumerSupply.forget_producers`; the jobs look for other shares."""
        for job_id, supply in self._supplies.items():
            for producer in producers:
                supply.offers.pop(producer, None)
                supply.reserved.pop(producer, None)
            contract, lost = self._consumer.contracts.get(job_id), supply.held.keys() & producers
            if contract is not None and contract.start_s > self._consumer.now_s and lost:
                for producer in lost:
                    del supply.held[producer]
                self.amend(self._consumer.records[job_id].job, "the household of a producer is lost")
                self._wake(job_id)

    # The device.

    def divide_time(self) -> None:
        """Inform jobs that the device has more time for them; no job is held, because producers move none."""
        _, was_freed = self._consumer.calendar.take_changes()
        if was_freed:
            for contract in self._consumer.calendar.unstarted(self._consumer.now_s):
                self._wake(contract.job_id, time_was_freed=True)

    def job_begun(self, job: Job) -> None:
        """See `ConsumerSupply.job_begun`; the contract of a job that was started by hand moves to the present."""
        if self.is_started_by_hand(job):
            self._wake(job.job_id)

    def is_started_by_hand(self, job: Job) -> bool:
        """Return whether a job's device has begun it now, before its contract's start, within the job's window."""
        contract, now_s = self._consumer.contracts.get(job.job_id), self._consumer.now_s
        device = self._consumer.real_device
        if device is None or contract is None or contract.start_s <= now_s:
            return False
        return device.started_s(job) == now_s >= job.earliest_start_s

    def _wake(self, job_id: str, *, time_was_freed: bool = False) -> None:
        self._consumer.records[job_id].channel.put(JobChanged(time_was_freed))
