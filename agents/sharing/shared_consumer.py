"""A consumer with shared supply: its jobs compose their starts and shares from what producers offer.

Each job negotiates in a coroutine of its own (`agents.sharing.shared_job_negotiation`). The consumer knows the supply
of each (`agents.sharing.job_supply`), and represents it in its contract.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from agents.consumer import Consumer
from agents.energy import IntArray
from agents.job_negotiation import ConsumerJob, JobChanged, JobNegotiation
from agents.messages import (
    MAX_REASON_CHARACTERS,
    Accept,
    Amend,
    AnyMessage,
    Cancel,
    ChangePrices,
    ContractAgreed,
    ContractVoid,
    Offer,
    Offered,
    Opening,
    RoomNeeded,
    SharesAmended,
    SharesAnswered,
    Shrink,
    Withdraw,
)
from agents.model import MANAGER, Contract, Job
from agents.sequencing import Starts
from agents.shares import packed, unpacked
from agents.sharing.job_supply import JobSupply, KnownOffer, SupplyCriteria, supplier_of
from agents.sharing.pricing import PricesOfMinutes, PriceView
from agents.sharing.shared_job_negotiation import SharedJobNegotiation
from agents.sharing.supply_settings import SupplySettings
from broker.hosts import AgentLostError, Received


class SharedConsumer(Consumer):
    """The agent of one consumer device whose jobs are supplied by shares."""

    has_fixed_strategy = True

    def __init__(
        self,
        agent_id: str,
        jobs: Sequence[Job],
        *,
        patient: bool,
        supply: SupplySettings,
        own: frozenset[str] = frozenset(),
        prices: PricesOfMinutes | None = None,
        is_there: bool = True,
        evens_rounding: bool = True,
    ) -> None:
        """Create a consumer.

        Args:
            agent_id: See `agents.model.consumer_agent`.
            jobs: All jobs of the device; each becomes known at its registration.
            patient: Whether a job that no producer can supply waits until its latest start before it takes grid power.
            supply: The preferences of the jobs.
            own: Producers of the same house.
            prices: Energy prices of the house; None: there is no tariff.
            is_there: Whether the device is there from the start; otherwise its jobs wait for `Join`.
            evens_rounding: See `compose`.
        """
        super().__init__(agent_id, jobs, patient=patient, is_there=is_there)
        self._criteria = SupplyCriteria(supply, own, PriceView(prices), evens_rounding)
        self._supplies: dict[str, JobSupply] = {}
        self._signers: dict[str, set[str]] = {}
        """By contract id, the producers of all its versions."""

    def _negotiation_of(self, record: ConsumerJob) -> JobNegotiation:
        return SharedJobNegotiation(self, record)

    def supply_of(self, job_id: str) -> JobSupply:
        """Return what is known of a job's supply."""
        supply = self._supplies.get(job_id)
        if supply is None:
            supply = self._supplies[job_id] = JobSupply(self._jobs[job_id].job, self._criteria)
        return supply

    def forget_supply(self, job_id: str) -> None:
        """Forget what is known of the supply of a job that has ended; its contract stays."""
        self._supplies.pop(job_id, None)
        contract = self.contracts.get(job_id)
        if contract is not None:
            self._signers.pop(contract.contract_id, None)

    def _dispatch(self, received: Received[AnyMessage]) -> None:
        sender, message = received.sender, received.message
        match message:
            case Shrink(job_id=job_id) | RoomNeeded(job_id=job_id):
                if not self._has_asked(sender, job_id):
                    self.reject(sender, f"sends {message.kind} for job {job_id!r}, which it was never asked to supply")
                elif isinstance(message, Shrink):
                    self._take_shrink(sender, message)
                elif self._follows(sender, job_id):
                    self._jobs[job_id].channel.put(received)
            case Offered(job_id=job_id) if sender == MANAGER and job_id in self._jobs:
                self._jobs[job_id].channel.put(received)
            case SharesAnswered(job_id=job_id) if sender == MANAGER and job_id in self._jobs:
                self._take_answers(received, message)
            case Accept() | Amend() | Cancel() | Opening():
                self.reject(sender, f"sends a {message.kind}, and this neighbourhood shares its supply")
            case _:
                super()._dispatch(received)

    def _obey(self, received: Received[AnyMessage]) -> None:
        match received.message:
            case ChangePrices() as change:
                self._criteria.prices.replace(change.model_dump(exclude={"kind"}, exclude_none=True))
                if self.puts_cost_first:
                    for contract in self._calendar.unstarted(self.now_s):
                        self._jobs[contract.job_id].channel.put(JobChanged())
            case _:
                super()._obey(received)

    @property
    def puts_cost_first(self) -> bool:
        """Whether the cost of a job counts more than its coverage."""
        return self._criteria.puts_cost_first

    def take_offers(self, job_id: str, first_minute: int, offers: Sequence[Offer]) -> None:
        """Take what producers have left for a job, instead of what was known of them.

        Args:
            job_id: The job.
            first_minute: UNIX minute with which the offers begin.
            offers: One per producer. Those of producers that broke their word to the job are left out.
        """
        untrusted = self._jobs[job_id].untrusted
        self.supply_of(job_id).offers = {
            offer.producer: KnownOffer.of(first_minute, offer) for offer in offers if offer.producer not in untrusted
        }

    def _take_answers(self, received: Received[AnyMessage], answered: SharesAnswered) -> None:
        """Pass the answers of producers, which come by way of the manager, to the job that waits for them."""
        pending = self.supply_of(answered.job_id).pending
        if not pending.keys().isdisjoint(answered.declined):  # others were not asked
            self.take_offers(answered.job_id, answered.first_minute, answered.offers)
        for producer in (*answered.promised, *answered.declined):
            seq = pending.pop(producer, None)
            if seq is not None:
                self.deliver(Received(producer, received.seq, answered, received.step), re=seq)

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
        pending = {producer: self._seq + i for i, (producer, _) in enumerate(requests)}
        supply = self.supply_of(job_id)
        supply.pending = pending
        try:
            return await self.ask_all(requests)
        finally:
            supply.pending = {}

    def _take_shrink(self, producer: str, shrink: Shrink) -> None:
        """Take a smaller share, and let the job look for the rest elsewhere."""
        supply, series = self.supply_of(shrink.job_id), unpacked(shrink.minutes_mwh)
        reserved = supply.reserved.get(producer)
        if reserved is not None and (reserved[0], packed(reserved[1])) == (shrink.start_s, shrink.before_mwh):
            supply.reserved[producer] = (shrink.start_s, series)
        held = supply.held.get(producer)
        contract = self.contracts.get(shrink.job_id)
        is_held = held is not None and (supply.start_s, packed(held)) == (shrink.start_s, shrink.before_mwh)
        if contract is not None and is_held:
            del supply.held[producer]
            if len(series):
                supply.held[producer] = series
            reason = f"{producer} gives less: {shrink.reason}"[:MAX_REASON_CHARACTERS]
            if self.is_away and not supply.held and contract.start_s > self.now_s:
                self.end_contract(contract, reason)  # it looks for supply when its household is back
            else:
                self.amend(self._jobs[shrink.job_id].job, reason)
                self._jobs[shrink.job_id].channel.put(JobChanged())

    def _take_void(self, void: ContractVoid) -> None:
        contract = self.contracts.get(void.job_id)
        if contract is None or contract.start_s >= self.now_s:  # a running job keeps what stood before
            super()._take_void(void)
            if void.job_id not in self.contracts:
                self._signers.pop(void.contract_id, None)

    def signers_of(self, contract: Contract) -> Collection[str]:
        """Return a contract's producers; if the grid alone has come to supply it, those of its earlier versions.

        The ledger may lack the version that was reported first, and with it all others.
        """
        return contract.producers or sorted(self._signers.get(contract.contract_id, ()))

    # Contracts.

    def agree_shares(self, job: Job, start_s: int, held: Mapping[str, IntArray]) -> None:
        """Adopt and report a contract of `job` that starts at `start_s`, UNIX seconds, with the shares `held`."""
        supply = self.supply_of(job.job_id)
        supply.start_s, supply.held = start_s, dict(held)
        contract = self._contract(job, self.next_contract_id(job.job_id), self.now_s)
        self._affected |= {job.job_id, *self._calendar.near(job, self.now_s)}
        self.contracts[job.job_id] = contract
        self._calendar.place(contract, ((start_s, start_s),))
        self.send(MANAGER, ContractAgreed(contract=contract, reason=self._reason(contract)))

    def amend(self, job: Job, reason: str) -> None:
        """Report the new version of a contract, after its start or shares have changed."""
        before = self.contracts[job.job_id]
        contract = self._contract(job, before.contract_id, before.agreed_s)
        self.contracts[job.job_id] = contract
        if contract.start_s != before.start_s:
            self._affected |= {job.job_id, *self._calendar.near(job, self.now_s)}
            self._calendar.place(contract, ((contract.start_s, contract.start_s),))
        self.send(MANAGER, SharesAmended(contract=contract, reason=self._reason(contract) or reason))

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

    def _withdraw_from_suppliers(self, contract: Contract) -> None:
        supply = self.supply_of(contract.job_id)
        for producer in sorted(supply.held.keys() | supply.reserved.keys() | set(self.signers_of(contract))):
            self.send(producer, Withdraw(job_id=contract.job_id))
        supply.held, supply.reserved, supply.offers = {}, {}, {}

    def on_lost(self, agents: frozenset[str]) -> None:
        """Give up the shares of lost producers; their jobs look for others."""
        for job_id, supply in self._supplies.items():
            for producer in agents:
                supply.offers.pop(producer, None)
                supply.reserved.pop(producer, None)
            contract, lost = self.contracts.get(job_id), supply.held.keys() & agents
            if contract is not None and contract.start_s > self.now_s and lost:
                for producer in lost:
                    del supply.held[producer]
                self.amend(self._jobs[job_id].job, "the household of a producer is lost")
                self._jobs[job_id].channel.put(JobChanged())

    def release_held(self) -> None:
        """Inform jobs that the device has more time for them; no job is held, because producers move none."""
        self._calendar.forget_sequence(self._affected)
        if self._time_was_freed:
            for contract in self._calendar.unstarted(self.now_s):
                self._jobs[contract.job_id].channel.put(JobChanged(time_was_freed=True))
        self._affected, self._time_was_freed = set(), False

    def starts_of(self, job: Job) -> Starts:
        """Return the starts at which the device is free for a job that has a contract and has not started."""
        contract = self.contracts[job.job_id]
        movable = self._calendar.movable(job.job_id)
        self._calendar.free(job.job_id)
        starts, displaced = self._calendar.find_starts(job, self.now_s)
        self._calendar.place(contract, movable)
        return ((contract.start_s, contract.start_s),) if displaced else starts
