"""A consumer with shared supply: composes each job's start and shares from what producers offer.

A job that becomes known asks the manager's board what producers have left, composes start and shares
(`agents.sharing.compose`), and reserves each share with its producer. If a producer has less left by then, the manager,
which passes the answers on, adds what is left now, and the job composes again, a bounded number of times. The rest
comes from the grid.

Until it starts, a job composes again whenever something changes: a producer has more or joins, a share shrinks, its
device has more time. It moves only if that pays. A running job keeps its start, but fills the gaps in its shares.

**Why moving ends.** Let C be the energy that is covered in the whole neighbourhood. A job takes only energy that is
free, so no move lowers what another job has. A move without a request raises C by at least `LEAST_GAIN` of the job's
energy. A move to make room lowers nothing, and takes place only on request; a job requests room at most `MAX_WISHES`
times in all. C never exceeds the energy of all jobs. So between two events that lower C (a forecast falls, a producer
or a job leaves), of which there are finitely many, there are finitely many moves. If consumers prefer low cost to
coverage, C is the total saving of all jobs instead; it is bounded too, and prices change finitely often.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from agents.consumer import Consumer
from agents.energy import IntArray
from agents.job_negotiation import ConsumerJob, JobChanged, JobEvent, JobNegotiation, QuestionPart, RunEnds
from agents.messages import (
    MAX_REASON_CHARACTERS,
    Accept,
    Amend,
    AnyMessage,
    Cancel,
    ChangePrices,
    Conclude,
    ContractAgreed,
    ContractVoid,
    Offer,
    Offered,
    Opening,
    ProducersFor,
    Reserve,
    RoomNeeded,
    RoomWanted,
    SharesAmended,
    SharesAnswered,
    Shrink,
    Withdraw,
)
from agents.model import GRID, MANAGER, SHARED, Contract, Job
from agents.sequencing import Starts
from agents.shares import MINUTE_S, Share, add_at, is_same, load_mwh, packed, shares_of, unpacked
from agents.sharing import (
    Composition,
    EnergyPrices,
    Offers,
    PricesOfMinutes,
    PriceView,
    SupplySettings,
    comes_first,
    compose,
    cost_of,
    start_without_sun,
)
from agents.sharing.shared_manager import NEARLY_COVERED
from broker.hosts import AgentLostError, Received, TimeUp

MAX_ROUNDS = 4
"""How often a job composes if producers have less than they offered; the shares reserved by then stand."""
MAX_ROUNDS_OF_MOVE = 2
"""The same limit if the job already has a contract: other jobs that were informed compete for the same energy."""
LEAST_GAIN = 0.02
"""A job moves only if this covers at least this additional share of its energy, or lowers its cost by at least this
share of the cost of its energy at the highest price."""
MAX_WISHES = 3
"""How often a job asks for room, each time for another start."""
MAX_ROOMS = 3
"""How many producers at most must make room for one wish."""
MAX_IN_VAIN = 12
"""Number of failed reservations after which a job no longer moves for others, or for unsolicited offers.

With few roofs, a job has fewer. If many roofs share their supply, a move needs many reservations, and most fail."""
WISH_EVERY_S = 60
"""How long a job waits for the effect of a wish before it asks again, seconds."""


@dataclass(frozen=True, slots=True)
class _Offered:
    """An offer, in a form fit for calculations."""

    first_minute: int
    free_mwh: IntArray
    movable_mwh: IntArray

    @classmethod
    def of(cls, first_minute: int, offer: Offer) -> _Offered:
        """Return an offer that begins with some UNIX minute."""
        return cls(first_minute, unpacked(offer.minutes_mwh), unpacked(offer.movable_mwh))

    def without(self, first_minute: int, taken_mwh: IntArray) -> _Offered:
        """Return the offer without what is taken of it from some minute on."""
        free_mwh = self.free_mwh.copy()
        add_at(free_mwh, -taken_mwh, first_minute - self.first_minute)
        return replace(self, free_mwh=np.maximum(free_mwh, 0))


NOTHING_MWH: IntArray = np.zeros(0, dtype=np.int64)


@dataclass(slots=True)
class _Supply:
    """The state of a job's supply, as its consumer knows it."""

    offers: dict[str, _Offered] = field(default_factory=dict)
    """By producer, its newest offer."""
    described: set[str] = field(default_factory=set)
    """Producers that know the job."""
    pending: dict[str, int] = field(default_factory=dict)
    """By producer that has not answered a reservation yet, the sequence number of that."""
    held: dict[str, IntArray] = field(default_factory=dict)
    """By producer, the shares of the contract: mWh in each minute from the one in which the job starts."""
    start_s: int = 0
    """The start for which the shares are held, UNIX seconds."""
    reserved: dict[str, tuple[int, IntArray]] = field(default_factory=dict)
    """By producer, start and energy of the reservations that are being made for a new contract or version of it."""
    wishes: list[int] = field(default_factory=list)
    """The starts for which the job has asked for room, UNIX seconds."""
    next_wish_s: int | None = None
    """When it asks next, UNIX seconds."""
    in_vain: int = 0
    """Reservations of moves that came to nothing."""


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
        """
        super().__init__(agent_id, jobs, patient=patient, is_there=is_there)
        self.supply = supply
        self.own = own
        self.prices = PriceView(prices)
        self._supplies: dict[str, _Supply] = {}
        self._signers: dict[str, set[str]] = {}
        """By contract id, the producers of all its versions."""

    def _negotiation_of(self, record: ConsumerJob) -> JobNegotiation:
        return SharedJobNegotiation(self, record)

    def supply_of(self, job_id: str) -> _Supply:
        """Return what is known of a job's supply."""
        return self._supplies.setdefault(job_id, _Supply())

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
                self.prices.replace(change.model_dump(exclude={"kind"}, exclude_none=True))
                if self.puts_cost_first:
                    for contract in self._calendar.unstarted(self.now_s):
                        self._jobs[contract.job_id].channel.put(JobChanged())
            case _:
                super()._obey(received)

    @property
    def puts_cost_first(self) -> bool:
        """Whether the cost of a job counts more than its coverage."""
        return self.supply.puts_cost_first and self.prices.are_known

    def take_offers(self, job_id: str, first_minute: int, offers: Sequence[Offer]) -> None:
        """Take what producers have left for a job, instead of what was known of them.

        Args:
            job_id: The job.
            first_minute: UNIX minute with which the offers begin.
            offers: One per producer. Those of producers that broke their word to the job are left out.
        """
        untrusted = self._jobs[job_id].untrusted
        self.supply_of(job_id).offers = {
            offer.producer: _Offered.of(first_minute, offer) for offer in offers if offer.producer not in untrusted
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


def supplier_of(job: Job, start_s: int, held: Mapping[str, IntArray]) -> tuple[str, tuple[Share, ...]]:
    """Return the producer and shares of a contract of `job` that starts at `start_s` with the reservations `held`.

    There are no shares if one producer, or the grid, supplies everything.
    """
    shares = shares_of(held)
    if not shares:
        return GRID, ()
    if len(shares) == 1 and shares[0].minutes_mwh == packed(load_mwh(job.as_sent.load_profile, start_s)):
        return shares[0].producer, ()
    return SHARED, shares


def _of_own(held: Mapping[str, IntArray], own: Collection[str]) -> int:
    """Return how much energy comes from producers of the household, mWh."""
    return sum(int(series.sum()) for producer, series in held.items() if producer in own)


class SharedJobNegotiation(JobNegotiation):
    """A job with shared supply, from its registration to its end."""

    _agent: SharedConsumer

    def __init__(self, agent: SharedConsumer, record: ConsumerJob) -> None:
        super().__init__(agent, record)
        self._load = record.job.as_sent.load_profile
        self._energy_mwh = int(load_mwh(self._load, 0).sum())

    @property
    def _supply(self) -> _Supply:
        return self._agent.supply_of(self._job.job_id)

    # The first contract.

    async def _find_supplier(self) -> None:
        if not await self._wait_for_return():
            return
        self._patient = self._agent.patient
        async with self._agent.turns:
            self._reservation = await self._agent.reserve_time(self._job)
            starts = self._reservation.starts
            await self._ask_for_offers(starts, part="first")
            start_s, held = await self._reserve(starts) or (self._start_without_sun(starts), {})
            self._agent.agree_shares(self._job, start_s, held)
            self._wish_for_room()

    def _start_without_sun(self, starts: Starts) -> int:
        """Return when the job starts if the grid gives all: when that is cheapest; as late as possible if patient."""
        prices = self._prices(*self._minutes(starts)) if "cheapest" in self._agent.supply.prefer else None
        if prices is None:
            return starts[-1][1] if self._patient else starts[0][0]
        first_minute, _ = self._minutes(starts)
        return start_without_sun(self._load, starts, first_minute, prices, late=self._patient)

    async def _ask_for_offers(self, starts: Starts, part: QuestionPart) -> None:
        """Ask the manager what producers have left between the first and the last start."""
        question = ProducersFor(
            job_id=self._job.job_id,
            asked=tuple(sorted(self._record.untrusted)),
            part=part,
            first_start_s=starts[0][0],
            last_start_s=starts[-1][1],
            job=self._job.as_sent if part == "first" else None,
        )
        answer = await self._agent.ask(MANAGER, question)
        if isinstance(answer, Offered):
            self._agent.take_offers(self._job.job_id, answer.first_minute, answer.offers)

    # Composing and reserving.

    def _compose(self, starts: Starts, *, with_movable: bool = False) -> Composition:
        """Return the best start and shares by what is known of the producers.

        Args:
            starts: The starts at which the device is free, or the job's own if it runs.
            with_movable: As if other jobs gave up what they could give up.
        """
        supply, now = self._supply, self._agent.now_s // MINUTE_S
        first, minutes = self._minutes(starts)
        producers = sorted(supply.offers.keys() | supply.held.keys() if first < now else supply.offers.keys())
        free_mwh = np.zeros((len(producers), minutes), dtype=np.int64)
        for row, producer in enumerate(producers):
            offered = supply.offers.get(producer)
            if offered is not None:
                add_at(free_mwh[row], offered.free_mwh, offered.first_minute - first)
                if with_movable:
                    movable_mwh = np.zeros(minutes, dtype=np.int64)
                    add_at(movable_mwh, offered.movable_mwh, offered.first_minute - first)
                    for wish_s in supply.wishes:  # these jobs have been asked
                        begin = max(0, wish_s // MINUTE_S - first)
                        movable_mwh[begin : begin + len(load_mwh(self._load, wish_s))] = 0
                    free_mwh[row] += movable_mwh
            passed = max(0, now - first)
            free_mwh[row, :passed] = 0
            if passed and producer in supply.held:
                add_at(free_mwh[row, :passed], supply.held[producer], 0)
        offers = Offers(first, tuple(producers), free_mwh)
        return self._composed(starts, offers)

    def _composed(self, starts: Starts, offers: Offers) -> Composition:
        prefer = self._agent.supply.prefer
        prices = self._prices(offers.first_minute, offers.free_mwh.shape[1]) if "cheapest" in prefer else None
        if prices is not None and prices.are_constant and not comes_first("cheapest", "own-roof", prefer):
            prices = prices if self._agent.puts_cost_first else None  # starts that tie on both cost the same
        return compose(self._load, starts, offers, prefer, self._agent.own, prices)

    def _minutes(self, starts: Starts) -> tuple[int, int]:
        """Return the first UNIX minute in which the job could run, and how many there are."""
        first = starts[0][0] // MINUTE_S
        return first, starts[-1][1] // MINUTE_S - first + len(load_mwh(self._load, starts[-1][1])) + 1

    def _prices(self, first_minute: int, minutes: int) -> EnergyPrices | None:
        return self._agent.prices.of_minutes(first_minute, minutes)

    # What a composition is worth: the energy that it covers, mWh, or what it costs, if that comes first.

    def _worth(self, start_s: int, held: Mapping[str, IntArray]) -> float:
        """Return how good a start with these shares is: the more, the better."""
        if not self._agent.puts_cost_first:
            return float(sum(series.sum() for series in held.values()))
        first, minutes = self._minutes(((start_s, start_s),))
        prices = self._prices(first, minutes)
        assert prices is not None  # noqa: S101 - cost comes first only where there is a tariff
        return -cost_of(self._load, start_s, held, self._agent.own, first, prices)

    def _costs_no_more(self, start_s: int, held: Mapping[str, IntArray]) -> bool:
        """Return whether the household would get no less from its own roof, and pay no more, than by the contract.

        Only its preferences count: a household that prefers neither its own roof nor low cost does not lose by giving
            them up.
        """
        supply, own, prefer = self._supply, self._agent.own, self._agent.supply.prefer
        if "own-roof" in prefer and _of_own(held, own) < _of_own(supply.held, own):
            return False
        first, minutes = self._minutes(tuple(sorted(((start_s, start_s), (supply.start_s, supply.start_s)))))
        prices = self._prices(first, minutes) if "cheapest" in prefer else None
        if prices is None:
            return True
        after = cost_of(self._load, start_s, held, own, first, prices)
        return after <= cost_of(self._load, supply.start_s, supply.held, own, first, prices)

    @property
    def _worth_now(self) -> float:
        """The value of the present contract."""
        return self._worth(self._supply.start_s, self._supply.held)

    def _least_gain(self, starts: Starts) -> float:
        """Return by how much a move must increase the value of the present contract."""
        if not self._agent.puts_cost_first:
            return float(max(1, int(LEAST_GAIN * self._energy_mwh)))
        prices = self._prices(*self._minutes(starts))
        assert prices is not None  # noqa: S101 - as above
        micro = prices.rounded()
        dearest = max(float(np.abs(price).max()) for price in (micro.own, micro.neighbour, micro.grid))
        return max(1.0, LEAST_GAIN * self._energy_mwh * dearest)

    @property
    def _is_covered(self) -> bool:
        """Whether hardly any of the job is grid power."""
        covered_mwh = sum(int(series.sum()) for series in self._supply.held.values())
        return covered_mwh >= NEARLY_COVERED * self._energy_mwh

    def _is_content(self, starts: Starts, worth: float) -> bool:
        """Return whether other producers could hardly make a start and shares worth more."""
        if not self._agent.puts_cost_first:
            return worth >= NEARLY_COVERED * self._energy_mwh
        first, minutes = self._minutes(starts)
        plenty = np.full((1, minutes), self._energy_mwh, dtype=np.int64)
        own = {producer: offer for producer, offer in self._supply.offers.items() if producer in self._agent.own}
        free_mwh = np.zeros((len(own), minutes), dtype=np.int64)
        for row, offer in enumerate(own.values()):
            add_at(free_mwh[row], offer.free_mwh, offer.first_minute - first)
        ideal = self._composed(starts, Offers(first, ("", *own), np.concatenate([plenty, free_mwh])))
        return worth >= self._worth(ideal.start_s, ideal.minutes_mwh) - self._least_gain(starts)

    def _is_held(self, producer: str, start_s: int, series: IntArray) -> bool:
        """Return whether a producer has reserved exactly this, for the contract or for its new version."""
        supply = self._supply
        known = supply.reserved.get(producer)
        if known is None and producer in supply.held:
            known = (supply.start_s, supply.held[producer])
        return known is not None and known[0] == start_s and is_same(known[1], series)

    async def _reserve(
        self, starts: Starts, least_worth: float = -np.inf, *, is_for_others: bool = False
    ) -> tuple[int, dict[str, IntArray]] | None:
        """Compose, and reserve each share; compose again where a producer has less.

        Args:
            starts: Where the job may start.
            least_worth: Minimum value of a start and its shares. Some energy must be covered, unless the job has a
                contract and cost comes first: then the grid alone may be best.
            is_for_others: Whether other jobs gain by the move: its household must not lose by it.

        Returns:
            Start and shares, all of them reserved; None: nothing of use, and nothing has changed.
        """
        supply = self._supply
        supply.reserved = {}
        composition = self._compose(starts)
        sent = 0
        has_contract = self._job.job_id in self._agent.contracts
        rounds = MAX_ROUNDS_OF_MOVE if has_contract else MAX_ROUNDS
        is_grid_of_use = has_contract and self._agent.puts_cost_first
        for left in reversed(range(rounds)):
            start_s, wanted = composition.start_s, composition.minutes_mwh
            worth = self._worth(start_s, wanted)
            if worth < least_worth or not (wanted or is_grid_of_use):
                break
            if is_for_others and not self._costs_no_more(start_s, wanted):
                break
            sent += sum(not self._is_held(p, start_s, series) for p, series in wanted.items())
            refused = await self._ask_to_reserve(start_s, wanted)
            # A running job's shares hold what has passed: all of them change, or none.
            is_running = starts[0][0] < self._agent.now_s
            if not refused or not (left or is_running):
                held = {p: self._reserved_by(p) for p in wanted if p not in refused}
                held = {p: series for p, series in held.items() if series.any()}
                is_worth_it = self._worth(start_s, held) >= least_worth
                is_fair = not is_for_others or self._costs_no_more(start_s, held)
                if (held or is_grid_of_use) and is_worth_it and is_fair:
                    return start_s, held
                break
            # Another start would need other reservations everywhere: it must be worth that.
            again = self._compose(((start_s, start_s),))
            keeps_start = bool(again.minutes_mwh) and self._worth(start_s, again.minutes_mwh) >= max(least_worth, worth)
            composition = again if keeps_start else self._compose(starts)
        for producer in list(supply.reserved):
            self._undo(producer)
        supply.in_vain += sent if has_contract else 0
        return None

    async def _ask_to_reserve(self, start_s: int, wanted: Mapping[str, IntArray]) -> frozenset[str]:
        """Reserve the shares that are not reserved yet; return the producers that refused."""
        supply = self._supply
        changed = {p: series for p, series in wanted.items() if not self._is_held(p, start_s, series)}
        earlier = supply.reserved.keys() & changed.keys()
        requests: list[tuple[str, AnyMessage]] = []
        for producer, series in changed.items():
            reserve = Reserve(
                job_id=self._job.job_id,
                start_s=start_s,
                minutes_mwh=packed(series),
                keeps_earlier=producer in supply.held,
                job=None if producer in supply.described else self._job.as_sent,
            )
            requests.append((producer, reserve))
            supply.reserved[producer] = (start_s, series)
        self._record.asked.update(changed)
        answers = dict(zip(changed, await self._agent.ask_for_shares(self._job.job_id, requests), strict=True))
        promised = frozenset(
            p for p, answer in answers.items() if isinstance(answer, SharesAnswered) and p in answer.promised
        )
        supply.described |= promised
        for producer, answer in answers.items():
            if producer in promised:
                continue
            if not isinstance(answer, SharesAnswered):  # lost, or silent
                supply.offers.pop(producer, None)
            if producer in earlier or not isinstance(answer, SharesAnswered):
                self._undo(producer)
            else:
                supply.reserved.pop(producer, None)
        return frozenset(changed) - promised

    def _reserved_by(self, producer: str) -> IntArray:
        """Return what a producer has reserved, which may be less than was asked by now."""
        supply = self._supply
        if producer in supply.reserved:
            return supply.reserved[producer][1]
        return supply.held.get(producer, NOTHING_MWH)

    def _undo(self, producer: str) -> None:
        """Release what a producer has reserved for a new version that does not come about."""
        supply, job_id = self._supply, self._job.job_id
        if producer not in supply.reserved:
            return  # its household was lost meanwhile
        start_s, _ = supply.reserved.pop(producer)
        if producer in supply.held:
            self._agent.send(producer, Conclude(job_id=job_id, is_agreed=False))
        else:
            nothing = Reserve(job_id=job_id, start_s=start_s, minutes_mwh=(), keeps_earlier=False)
            self._agent.send(producer, nothing)

    def _conclude(self, start_s: int, held: Mapping[str, IntArray]) -> None:
        """Release what the new version of the contract no longer needs, and confirm what it does."""
        supply, job_id = self._supply, self._job.job_id
        for producer in sorted(supply.held.keys() | supply.reserved.keys()):
            if producer not in held:
                nothing = Reserve(job_id=job_id, start_s=start_s, minutes_mwh=(), keeps_earlier=False)
                self._agent.send(producer, nothing)
            elif producer in supply.reserved and producer in supply.held:
                self._agent.send(producer, Conclude(job_id=job_id, is_agreed=True))
        supply.reserved = {}
        supply.start_s, supply.held = start_s, dict(held)

    # Moves.

    async def _has_run(self) -> bool:
        """Wait until the job has run, and compose again when something changes; False if its contract ends before."""
        while True:
            contract = self._agent.contracts.get(self._job.job_id)
            if contract is None or (self._record.is_dropped and contract.start_s > self._agent.now_s):
                return False
            start_s = contract.start_s
            until_s = start_s if self._agent.now_s < start_s else start_s + self._job.duration_s
            event = await self._channel.get(until_s=min(until_s, self._supply.next_wish_s or until_s))
            if isinstance(event, RunEnds):
                self._run_ends = True
            elif isinstance(event, TimeUp):
                wish_s = self._supply.next_wish_s
                if wish_s is not None and wish_s <= self._agent.now_s:
                    self._wish_for_room()
                elif self._agent.now_s >= start_s + self._job.duration_s:
                    return True
            elif not self._run_ends and not self._agent.is_away:
                await self._follow([event, *self._channel.take_all()])

    async def _follow(self, events: Sequence[JobEvent]) -> None:
        """Compose again after these events, which came at the same time."""
        self._run_ends |= any(isinstance(event, RunEnds) for event in events)
        async with self._agent.turns:
            for event in events:
                match event:
                    case Received(message=Offered() as offered):
                        self._agent.take_offers(self._job.job_id, offered.first_minute, offered.offers)
                    case Received(message=RoomNeeded() as needed) if not self._has_given_up:
                        await self._make_room(event.sender, needed)
                    case _:
                        pass
            if any(isinstance(event, JobChanged) for event in events):
                await self._make_up()
            elif not self._has_given_up:
                await self._improve()

    @property
    def _has_given_up(self) -> bool:
        """Whether moves have come to nothing too often, so that the job only makes up for what it loses."""
        return self._supply.in_vain >= MAX_IN_VAIN

    async def _make_up(self) -> None:
        """If the job is not content, ask what is left now, and change the contract if that is worth more."""
        starts = self._starts()
        if self._record.is_dropped or not starts or self._is_content(starts, self._worth_now):
            return
        await self._ask_for_offers(starts, part="last")
        await self._improve()

    def _starts(self) -> Starts:
        """Return where the job may start: where its device is free, or where it has started."""
        contract = self._agent.contracts.get(self._job.job_id)
        if contract is None:
            return ()
        if contract.start_s <= self._agent.now_s:
            return ((contract.start_s, contract.start_s),)
        return self._agent.starts_of(self._job)

    async def _improve(self) -> None:
        """Change the contract if that is worth more."""
        if self._record.is_dropped or (self._is_covered and not self._agent.puts_cost_first):
            return
        starts = self._starts()
        if not starts or self._is_content(starts, self._worth_now):
            return
        reason = "it costs less" if self._agent.puts_cost_first else "more of it is covered"
        await self._change(starts, self._worth_now + self._least_gain(starts), reason)
        self._wait_without_sun()

    def _wait_without_sun(self) -> None:
        """Move a job that has lost all panel supply to its start without any; new supply may come until then."""
        contract = self._agent.contracts.get(self._job.job_id)
        if contract is None or contract.start_s <= self._agent.now_s or self._supply.held:
            return
        start_s = self._start_without_sun(self._starts())
        if start_s > contract.start_s:
            self._supply.start_s = start_s
            self._agent.amend(self._job, "none of it is covered")

    async def _change(self, starts: Starts, least_worth: float, reason: str, *, is_for_others: bool = False) -> None:
        reserved = await self._reserve(starts, least_worth, is_for_others=is_for_others)
        has_ended = self._job.job_id not in self._agent.contracts
        if has_ended or reserved is None or self._is_as_before(*reserved):
            for producer in list(self._supply.reserved):
                self._undo(producer)
            return
        self._conclude(*reserved)
        self._agent.amend(self._job, reason)

    def _is_as_before(self, start_s: int, held: Mapping[str, IntArray]) -> bool:
        return start_s == self._supply.start_s and shares_of(held) == shares_of(self._supply.held)

    async def _make_room(self, producer: str, needed: RoomNeeded) -> None:
        """Give up shares that another job wants, if this job is covered as well elsewhere, at no higher cost."""
        supply, contract = self._supply, self._agent.contracts.get(self._job.job_id)
        if contract is None or contract.start_s <= self._agent.now_s or producer not in supply.offers:
            return
        newest = _Offered(needed.first_minute, unpacked(needed.minutes_mwh), supply.offers[producer].movable_mwh)
        supply.offers[producer] = newest
        known = dict(supply.offers)
        for share in needed.shares:
            if share.producer in supply.offers:
                offered = supply.offers[share.producer]
                supply.offers[share.producer] = offered.without(needed.start_s // MINUTE_S, share.minutes())
        left = dict(supply.offers)
        reason = "another job is covered better for it"
        await self._change(self._starts(), self._worth_now, reason, is_for_others=True)
        for name, offered in left.items():
            if supply.offers.get(name) is offered:  # no newer one has come
                supply.offers[name] = known[name]

    def _wish_for_room(self) -> None:
        """Ask producers for shares of other jobs that could move, if those would cover more of this one."""
        supply = self._supply
        supply.next_wish_s = None
        can_move = any(len(offered.movable_mwh) for offered in supply.offers.values())
        if len(supply.wishes) >= MAX_WISHES or self._has_given_up or not can_move:
            return
        if self._run_ends or self._agent.is_away:
            return
        if self._is_covered and not self._agent.puts_cost_first:
            return
        starts = self._starts()
        if not starts or starts[0][0] < self._agent.now_s or self._is_content(starts, self._worth_now):
            return
        wish = self._compose(starts, with_movable=True)
        if self._worth(wish.start_s, wish.minutes_mwh) < self._worth_now + self._least_gain(starts):
            return
        supply.wishes.append(wish.start_s)
        shares = shares_of(wish.minutes_mwh)
        lacking = [share.producer for share in shares if self._lacks(wish.start_s, share)]
        if len(lacking) > MAX_ROOMS:
            return
        supply.next_wish_s = self._agent.now_s + WISH_EVERY_S
        for producer in lacking:
            self._agent.send(producer, RoomWanted(job_id=self._job.job_id, start_s=wish.start_s, shares=shares))

    def _lacks(self, start_s: int, share: Share) -> bool:
        """Return whether a producer has less than a share by what is known of it, so that it must make room for it."""
        offered, wanted_mwh = self._supply.offers[share.producer], share.minutes()
        free_mwh = np.zeros(len(wanted_mwh), dtype=np.int64)
        add_at(free_mwh, offered.free_mwh, offered.first_minute - start_s // MINUTE_S)
        return bool((wanted_mwh > free_mwh).any())

    def _take_grid_power(self, start_s: int) -> None:
        self._agent.agree_shares(self._job, start_s, {})

    def _withdraw(self, but: str | None = None) -> None:  # noqa: ARG002 - all are informed
        """Inform the agents that hold energy for the job that it needs no supply."""
        for listener in (*sorted(self._supply.held.keys() | self._supply.reserved.keys()), MANAGER):
            self._agent.send(listener, Withdraw(job_id=self._job.job_id))
