"""The negotiation of one job with shared supply: composes its start and shares from what producers offer.

A job that becomes known asks the manager's board what producers have left, composes start and shares
(`agents.sharing.compose`), and reserves each share with its producer. If a producer has less left by then, the manager,
which passes the answers on, adds what is left now, and the job composes again, a bounded number of times. The rest
comes from the grid.

Until it starts, a job composes again whenever something changes: a producer has more or joins, a share shrinks, its
device has more time. It moves only if that pays. A running job keeps its start, but fills the gaps in its shares.

If a real device runs the job and needs no more energy, because it has ended early, did not answer or was stopped, the
rest is given back to the producers from the next minute on. If it is started by hand within the job's window, the
contract moves to that start, with the producers' uncommitted production from then on. Outside its window the shares
stay where they are, and the rest of its draw comes from the grid.

**Why moving ends.** Let C be the energy that is covered in the whole neighbourhood. A job takes only energy that is
free, so no move lowers what another job has. A move without a request raises C by at least `LEAST_GAIN` of the job's
energy. A move to make room lowers nothing, and takes place only on request; a job requests room at most `MAX_WISHES`
times in all. C never exceeds the energy of all jobs. So between two events that lower C (a forecast falls, a producer
or a job leaves), of which there are finitely many, there are finitely many moves. If consumers prefer low cost to
coverage, C is the total saving of all jobs instead; it is bounded too, and prices change finitely often. The
minutes of a job, rounded to mWh, add up to a little more at some starts than at others; in C, a job that is covered
entirely counts the same at each of them, and so does the energy that it pays for.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from agents.device_calendar import FreeTime
from agents.energy import IntArray
from agents.job_lifecycle import (
    ConsumerJob,
    JobChanged,
    JobEvent,
    JobOwner,
    QuestionPart,
    RealDevice,
    RunEnds,
    start_s_of,
)
from agents.messages import (
    AnyMessage,
    Conclude,
    Offer,
    Offered,
    ProducersFor,
    Reserve,
    RoomNeeded,
    RoomWanted,
    SharesAnswered,
    Withdraw,
)
from agents.model import MANAGER, Job, Starts
from agents.shares import MINUTE_S, packed, shares_of, unpacked
from agents.sharing.job_supply import NOTHING_MWH, JobSupply, KnownOffer
from broker.hosts import AgentLostError, Received, TimedOut

MAX_ROUNDS = 4
"""How often a job composes if producers have less than they offered; the shares reserved by then stand."""
MAX_ROUNDS_OF_MOVE = 2
"""The same limit if the job already has a contract: other jobs that were informed compete for the same energy."""
MAX_ROOMS = 3
"""How many producers at most must make room for one wish."""
WISH_EVERY_S = 60
"""How long a job waits for the effect of a wish before it asks again, seconds."""
STARTED_BY_HAND = "its device was started by hand"
"""Reason, in the ledger, of a move to the second in which the device was started by hand."""
ENDED_EARLY = "its device needs no more"
"""Reason, in the ledger, of shares that end with the job on its device."""


class SharedJobOwner(JobOwner, Protocol):
    """What the negotiation of shares needs of its consumer besides; see `agents.consumer.Consumer`."""

    def free_time_for(self, job: Job) -> FreeTime:
        """Return the starts at which the device is free for a job, and end the contracts of jobs that it displaces."""
        ...

    def spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        """Start another coroutine of the consumer; see `broker.hosts.Agent`."""
        ...


class SuppliesShares(Protocol):
    """What the negotiation of shares needs of its consumer's supply; see `SharedConsumerSupply`."""

    @property
    def puts_cost_first(self) -> bool:
        """Whether the cost of a job counts more than its coverage."""
        ...

    def supply_of(self, job_id: str) -> JobSupply:
        """Return what is known of a job's supply."""
        ...

    def take_offers(self, job_id: str, first_minute: int, offers: Sequence[Offer]) -> None:
        """Take the `offers` for the job `job_id` in place of earlier ones; they begin with the UNIX `first_minute`."""
        ...

    def forget_supply(self, job_id: str) -> None:
        """Forget what is known of the supply of a job that has ended."""
        ...

    async def ask_for_shares(
        self, job_id: str, requests: Sequence[tuple[str, AnyMessage]]
    ) -> list[AnyMessage | AgentLostError]:
        """Reserve with several producers in the same round, and return all answers."""
        ...

    def is_started_by_hand(self, job: Job) -> bool:
        """Return whether a job's device has begun it now, before its contract's start, within the job's window."""
        ...

    def agree_shares(self, job: Job, start_s: int, held: Mapping[str, IntArray]) -> None:
        """Adopt and report a contract of `job` that starts at `start_s`, UNIX seconds, with the shares `held`."""
        ...

    def take_grid_power(self, job: Job, start_s: int) -> None:
        """Adopt and report a contract without shares, from a start in UNIX seconds on."""
        ...

    def amend(self, job: Job, reason: str) -> None:
        """Report the new version of a contract, after its start or shares have changed."""
        ...


class SharedJobNegotiation:
    """How a job finds producers that share it; see `agents.job_lifecycle.JobNegotiation`."""

    def __init__(self, consumer: SharedJobOwner, record: ConsumerJob, shares: SuppliesShares) -> None:
        """Begin with a job that has no offers.

        Args:
            consumer: The consumer that the job belongs to.
            record: The job.
            shares: The supply of the consumer, which knows that of the job.
        """
        self._consumer = consumer
        self._record = record
        self._shares = shares
        self._job = record.job
        self._channel = record.channel
        self._is_executed = False
        """Whether a device was commanded to run the job."""
        self._was_executed = False
        """Whether the device needs no more for it."""

    @property
    def _supply(self) -> JobSupply:
        return self._shares.supply_of(self._job.job_id)

    def end(self) -> None:
        """See `JobNegotiation.end`: what is known of the job's supply is forgotten."""
        self._shares.forget_supply(self._job.job_id)

    # The first contract.

    async def find_supplier(self) -> None:
        """See `JobNegotiation.find_supplier`; what no producer gives comes from the grid."""
        async with self._consumer.turns:
            starts = self._consumer.free_time_for(self._job).starts
            await self._ask_for_offers(starts, part="first")
            reserved = await self._reserve(starts)
            start_s, held = reserved or (self._supply.start_on_grid(starts, late=self._record.is_patient), {})
            self._conclude(start_s, held)
            self._shares.agree_shares(self._job, start_s, held)
            self._wish_for_room()

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
        answer = await self._consumer.ask(MANAGER, question)
        if isinstance(answer, Offered):
            self._shares.take_offers(self._job.job_id, answer.first_minute, answer.offers)

    # Composing and reserving.

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
        composition = supply.compose(starts, self._consumer.now_s)
        sent = 0
        has_contract = self._job.job_id in self._consumer.contracts
        rounds = MAX_ROUNDS_OF_MOVE if has_contract else MAX_ROUNDS
        is_grid_of_use = has_contract and self._shares.puts_cost_first
        for left in reversed(range(rounds)):
            start_s, wanted = composition.start_s, composition.minutes_mwh
            worth = supply.worth(start_s, wanted)
            if worth < least_worth or not (wanted or is_grid_of_use):
                break
            if is_for_others and not supply.costs_no_more(start_s, wanted):
                break
            sent += sum(not supply.is_held(p, start_s, series) for p, series in wanted.items())
            refused = await self._ask_to_reserve(start_s, wanted)
            # A running job's shares hold what has passed: all of them change, or none.
            is_running = starts[0][0] < self._consumer.now_s
            if not refused or not (left or is_running):
                held = {p: supply.reserved_by(p) for p in wanted if p not in refused}
                held = {p: series for p, series in held.items() if series.any()}
                is_worth_it = supply.worth(start_s, held) >= least_worth
                is_fair = not is_for_others or supply.costs_no_more(start_s, held)
                if (held or is_grid_of_use) and is_worth_it and is_fair:
                    return start_s, held
                break
            # Another start would need other reservations everywhere: it must be worth that.
            again = supply.compose(((start_s, start_s),), self._consumer.now_s)
            keeps_start = bool(again.minutes_mwh) and supply.worth(start_s, again.minutes_mwh) >= max(
                least_worth, worth
            )
            composition = again if keeps_start else supply.compose(starts, self._consumer.now_s)
        for producer in list(supply.reserved):
            self._undo(producer)
        supply.in_vain += sent if has_contract else 0
        return None

    async def _ask_to_reserve(self, start_s: int, wanted: Mapping[str, IntArray]) -> frozenset[str]:
        """Reserve the shares that are not reserved yet; return the producers that refused."""
        supply = self._supply
        changed = {p: series for p, series in wanted.items() if not supply.is_held(p, start_s, series)}
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
        answers = dict(zip(changed, await self._shares.ask_for_shares(self._job.job_id, requests), strict=True))
        promised = frozenset(
            p for p, answer in answers.items() if isinstance(answer, SharesAnswered) and p in answer.promised
        )
        supply.described |= promised
        for producer, answer in answers.items():
            if producer in promised:
                continue
            if isinstance(answer, SharesAnswered):
                supply.take_refusal(producer, start_s, changed[producer])
            else:  # lost, or silent
                supply.offers.pop(producer, None)
            if producer in earlier or not isinstance(answer, SharesAnswered):
                self._undo(producer)
            else:
                supply.reserved.pop(producer, None)
        return frozenset(changed) - promised

    def _undo(self, producer: str) -> None:
        """Release what a producer has reserved for a new version that does not come about."""
        supply, job_id = self._supply, self._job.job_id
        if producer not in supply.reserved:
            return  # its household was lost meanwhile
        start_s, _ = supply.reserved.pop(producer)
        if producer in supply.held:
            self._consumer.send(producer, Conclude(job_id=job_id, is_agreed=False))
        else:
            nothing = Reserve(job_id=job_id, start_s=start_s, minutes_mwh=(), keeps_earlier=False)
            self._consumer.send(producer, nothing)

    def _conclude(self, start_s: int, held: Mapping[str, IntArray]) -> None:
        """Release what the new version of the contract no longer needs, and confirm what it does."""
        supply, job_id = self._supply, self._job.job_id
        for producer in sorted(supply.held.keys() | supply.reserved.keys()):
            if producer not in held:
                nothing = Reserve(job_id=job_id, start_s=start_s, minutes_mwh=(), keeps_earlier=False)
                self._consumer.send(producer, nothing)
            elif producer in supply.reserved and producer in supply.held:
                self._consumer.send(producer, Conclude(job_id=job_id, is_agreed=True))
        supply.reserved = {}
        supply.start_s, supply.held = start_s, dict(held)

    # Moves.

    async def has_run(self) -> bool:
        """See `JobNegotiation.has_run`; the job composes again when something changes.

        If a device runs it, the gaps in its shares are filled as long as its load profile lasts; then what the device
        does not need any more is given back.
        """
        device = self._consumer.real_device
        while True:
            start_s = start_s_of(self._consumer, self._record)
            if start_s is None:
                return False
            if device is not None and start_s <= self._consumer.now_s and not self._is_executed:
                self._is_executed = True
                self._consumer.spawn(self._execute_on(device), f"{self._job.job_id} on its device")
            if self._was_executed:
                await self._give_back()
                return True
            event = await self._channel.get(until_s=self._wakes_s(start_s))
            if isinstance(event, RunEnds):
                self._record.run_ends = True
            elif isinstance(event, TimedOut):
                wish_s = self._supply.next_wish_s
                if wish_s is not None and wish_s <= self._consumer.now_s:
                    self._wish_for_room()
                elif device is None and self._consumer.now_s >= start_s + self._job.duration_s:
                    return True
            elif not (self._record.run_ends or self._consumer.is_away or self._was_executed):
                await self._follow([event, *self._channel.take_all()])

    def _wakes_s(self, start_s: int) -> int | None:
        """Return when the job acts next, if nothing happens before, UNIX seconds; None: its device decides."""
        wish_s = self._supply.next_wish_s
        if self._is_executed:
            return wish_s
        until_s = start_s if self._consumer.now_s < start_s else start_s + self._job.duration_s
        return until_s if wish_s is None else min(until_s, wish_s)

    async def _execute_on(self, device: RealDevice) -> None:
        await device.execute(self._job)
        self._was_executed = True
        self._channel.put(JobChanged())

    async def _follow(self, events: Sequence[JobEvent]) -> None:
        """Compose again after these events, which came at the same time."""
        if self._shares.is_started_by_hand(self._job):
            async with self._consumer.turns:
                await self._start_now()
        self._record.run_ends |= any(isinstance(event, RunEnds) for event in events)
        async with self._consumer.turns:
            for event in events:
                match event:
                    case Received(message=Offered() as offered):
                        self._shares.take_offers(self._job.job_id, offered.first_minute, offered.offers)
                    case Received(message=RoomNeeded() as needed) if not self._supply.has_given_up:
                        await self._make_room(event.sender, needed)
                    case _:
                        pass
            if any(isinstance(event, JobChanged) for event in events):
                await self._make_up()
            elif not self._supply.has_given_up:
                await self._improve()

    async def _make_up(self) -> None:
        """If the job is not content, ask what is left now, and change the contract if that is worth more."""
        starts = self._starts()
        if self._record.is_dropped or not starts or self._supply.is_content(starts):
            return
        await self._ask_for_offers(starts, part="last")
        await self._improve()

    def _starts(self) -> Starts:
        """Return where the job may start: where its device is free, or where it has begun."""
        contract = self._consumer.contracts.get(self._job.job_id)
        if contract is None:
            return ()
        device = self._consumer.real_device
        has_begun = device is not None and device.is_under_way(self._job)
        if has_begun or contract.start_s <= self._consumer.now_s:
            return ((contract.start_s, contract.start_s),)
        return self._consumer.calendar.starts_of(contract, self._consumer.now_s)

    async def _improve(self) -> None:
        """Change the contract if that is worth more."""
        if self._record.is_dropped or (self._supply.is_nearly_covered and not self._shares.puts_cost_first):
            return
        starts = self._starts()
        if not starts or self._supply.is_content(starts):
            return
        reason = "it costs less" if self._shares.puts_cost_first else "more of it is covered"
        await self._change(starts, self._supply.worth_now + self._supply.least_gain(starts), reason)
        self._wait_without_sun()

    def _wait_without_sun(self) -> None:
        """Move a job that has lost all panel supply to its start without any; new supply may come until then."""
        contract = self._consumer.contracts.get(self._job.job_id)
        if contract is None or contract.start_s <= self._consumer.now_s or self._supply.held:
            return
        start_s = self._supply.start_on_grid(self._starts(), late=self._record.is_patient)
        if start_s > contract.start_s:
            self._supply.start_s = start_s
            self._shares.amend(self._job, "none of it is covered")

    async def _change(self, starts: Starts, least_worth: float, reason: str, *, is_for_others: bool = False) -> None:
        reserved = await self._reserve(starts, least_worth, is_for_others=is_for_others)
        has_ended = self._job.job_id not in self._consumer.contracts
        if has_ended or reserved is None or self._supply.is_as_before(*reserved):
            for producer in list(self._supply.reserved):
                self._undo(producer)
            return
        self._conclude(*reserved)
        self._shares.amend(self._job, reason)

    async def _make_room(self, producer: str, needed: RoomNeeded) -> None:
        """Give up shares that another job wants, if this job is covered as well elsewhere, at no higher cost."""
        supply, contract = self._supply, self._consumer.contracts.get(self._job.job_id)
        if contract is None or contract.start_s <= self._consumer.now_s or producer not in supply.offers:
            return
        newest = KnownOffer(needed.first_minute, unpacked(needed.minutes_mwh), supply.offers[producer].movable_mwh)
        supply.offers[producer] = newest
        known = dict(supply.offers)
        for share in needed.shares:
            if share.producer in supply.offers:
                offered = supply.offers[share.producer]
                supply.offers[share.producer] = offered.without(needed.start_s // MINUTE_S, share.minutes())
        left = dict(supply.offers)
        reason = "another job is covered better for it"
        await self._change(self._starts(), self._supply.worth_now, reason, is_for_others=True)
        for name, offered in left.items():
            if supply.offers.get(name) is offered:  # no newer one has come
                supply.offers[name] = known[name]

    def _wish_for_room(self) -> None:
        """Ask producers for shares of other jobs that could move, if those would cover more of this one."""
        supply = self._supply
        supply.next_wish_s = None
        if not supply.may_wish or self._record.run_ends or self._consumer.is_away:
            return
        if supply.is_nearly_covered and not self._shares.puts_cost_first:
            return
        starts = self._starts()
        if not starts or starts[0][0] < self._consumer.now_s or supply.is_content(starts):
            return
        wish = supply.compose(starts, self._consumer.now_s, with_movable=True)
        if supply.worth(wish.start_s, wish.minutes_mwh) < supply.worth_now + supply.least_gain(starts):
            return
        supply.wishes.append(wish.start_s)
        shares = shares_of(wish.minutes_mwh)
        lacking = [share.producer for share in shares if supply.lacks(wish.start_s, share)]
        if len(lacking) > MAX_ROOMS:
            return
        supply.next_wish_s = self._consumer.now_s + WISH_EVERY_S
        for producer in lacking:
            self._consumer.send(producer, RoomWanted(job_id=self._job.job_id, start_s=wish.start_s, shares=shares))

    # A job that a device runs.

    async def _start_now(self) -> None:
        """Move the contract to the present second, with what producers can give from now on."""
        now_s = self._consumer.now_s
        reserved = await self._reserve(((now_s, now_s),))
        contract = self._consumer.contracts.get(self._job.job_id)
        if contract is None or contract.start_s <= now_s:
            for producer in list(self._supply.reserved):
                self._undo(producer)
            return
        self._conclude(*(reserved or (now_s, {})))
        self._shares.amend(self._job, STARTED_BY_HAND)

    async def _give_back(self) -> None:
        """Release what the shares still hold from the next minute on: the device needs no more of it."""
        if self._record.run_ends:
            return
        async with self._consumer.turns:
            supply, now_s = self._supply, self._consumer.now_s
            contract = self._consumer.contracts.get(self._job.job_id)
            if contract is None or contract.start_s > now_s:
                return
            minutes = -(-now_s // MINUTE_S) - contract.start_s // MINUTE_S
            kept = {p: series[:minutes] for p, series in supply.held.items() if series[:minutes].any()}
            supply.reserved = {}
            refused = await self._ask_to_reserve(contract.start_s, kept)
            if self._job.job_id not in self._consumer.contracts:
                return
            held = {p: supply.held.get(p, NOTHING_MWH) if p in refused else self._supply.reserved_by(p) for p in kept}
            if not self._supply.is_as_before(contract.start_s, held):
                self._conclude(contract.start_s, held)
                self._shares.amend(self._job, ENDED_EARLY)

    # Without shares.

    def take_grid_power(self, start_s: int) -> None:
        """See `JobNegotiation.take_grid_power`."""
        self._shares.take_grid_power(self._job, start_s)

    def withdraw(self) -> None:
        """See `JobNegotiation.withdraw`: those that hold energy for it are informed, and the manager's board."""
        for listener in (*sorted(self._supply.held.keys() | self._supply.reserved.keys()), MANAGER):
            self._consumer.send(listener, Withdraw(job_id=self._job.job_id))
