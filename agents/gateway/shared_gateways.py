"""Gateway agents of real devices with shared supply: consumers whose jobs several producers supply, and producers.

A consumer negotiates as `SharedConsumer` does, and has the device run its jobs as `GatewayConsumer` does. While a job
runs on its device, the gaps in its shares are filled as long as its load profile lasts. If the device needs no more
energy, because it has ended early, did not answer or was stopped, the rest is given back to the producers from the next
minute on.

If a job is started by hand within its window, its contract moves to that start, with the producers' uncommitted
production from then on. Outside its window its shares stay where they are, and the rest of its draw comes from the
grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.energy import IntArray
from agents.gateway.gateway_consumer import GatewayConsumer
from agents.gateway.gateway_settings import GatewaySettings, PriceChange
from agents.job_negotiation import ConsumerJob, JobChanged, JobEvent, JobNegotiation, RunEnds
from agents.messages import AnyMessage, ChangePrices
from agents.model import GRID, SHARED, Contract, Job
from agents.sequencing import Starts
from agents.shares import MINUTE_S, load_mwh, unpacked
from agents.sharing import (
    NOTHING_MWH,
    PricesOfMinutes,
    SharedConsumer,
    SharedJobNegotiation,
    SupplySettings,
)
from broker.hosts import Received, TimeUp

STARTED_BY_HAND = "its device was started by hand"
"""Reason, in the ledger, of a move to the second in which the device was started by hand."""
ENDED_EARLY = "its device needs no more"
"""Reason, in the ledger, of shares that end with the job on its device."""


class SharedGatewayConsumer(GatewayConsumer, SharedConsumer):
    """Represents one real consumer device, or a guest that may join, where several producers supply a job."""

    def __init__(
        self,
        agent_id: str,
        jobs: Sequence[Job],
        *,
        patient: bool,
        gateway: GatewaySettings,
        supply: SupplySettings,
        own: frozenset[str] = frozenset(),
        prices: PricesOfMinutes | None = None,
        is_there: bool = True,
    ) -> None:
        """Create the agent.

        Args:
            agent_id: See `agents.model.consumer_agent`.
            jobs: Jobs of the device that the scenario names.
            patient: As for every consumer.
            gateway: The device.
            supply: The preferences of the jobs.
            own: Producers of the same house.
            prices: Energy prices of the house; None: there is no tariff.
            is_there: As for every consumer.
        """
        super().__init__(
            agent_id,
            jobs,
            patient=patient,
            gateway=gateway,
            is_there=is_there,
            terms=SharedTerms(gateway),
            supply=supply,
            own=own,
            prices=prices,
            evens_rounding=gateway.rules >= 9,
        )

    def _negotiation_of(self, record: ConsumerJob) -> JobNegotiation:
        return _SharedDeviceRun(self, record)

    def _obey(self, received: Received[AnyMessage]) -> None:
        if isinstance(received.message, ChangePrices):
            super(GatewayConsumer, self)._obey(received)  # as a consumer that compares costs
        super()._obey(received)

    # What the device and the job's supply have to say to each other.

    def agree_shares(self, job: Job, start_s: int, held: Mapping[str, IntArray]) -> None:
        """See `SharedConsumer.agree_shares` for `job`, `start_s` and `held`; the device is informed."""
        super().agree_shares(job, start_s, held)
        self.contract_changed(job.job_id)

    def amend(self, job: Job, reason: str) -> None:
        """See `SharedConsumer.amend`; the device is informed."""
        super().amend(job, reason)
        self.contract_changed(job.job_id)

    def agree(self, job: Job, contract: Contract, movable: Starts) -> None:
        """See `Consumer.agree`: of a job whose contract is void while its device draws power already."""
        supply = self.supply_of(job.job_id)
        supply.start_s, supply.held = contract.start_s, {}
        super().agree(job, contract, movable)

    def job_begun(self, job: Job) -> None:
        """See `GatewayConsumer.job_begun`; a job that was started by hand starts by its contract as well."""
        if self.is_started_by_hand(job):
            self._jobs[job.job_id].channel.put(JobChanged())

    def is_under_way(self, job: Job) -> bool:
        """Return whether a job's device has begun it, or has been commanded to, so that it no longer moves."""
        return self._courses.has_begun(self._courses[job.job_id], self.now_s)

    def is_started_by_hand(self, job: Job) -> bool:
        """Return whether a job's device has begun it before its contract's start, within the job's window."""
        contract, course = self.contracts.get(job.job_id), self._courses[job.job_id]
        is_early = contract is not None and contract.start_s > self.now_s
        return is_early and course.is_running and course.started_s == self.now_s >= job.earliest_start_s


@dataclass(frozen=True, slots=True)
class SharedTerms:
    """The terms of jobs that several producers supply, and the grid with what they do not give; see `SupplyTerms`."""

    gateway: GatewaySettings

    def suppliers(self, job: Job, contract: Contract) -> list[dict[str, Any]]:
        """Return who supplies a job, and how much each gives; the grid, which gives the rest, is the last one."""
        job_mwh = int(load_mwh(job.as_sent.load_profile, contract.start_s).sum())
        return [
            {
                "producer": supplier,
                "house": self.gateway.producer_houses.get(supplier, ""),
                "share": round(int(minutes_mwh.sum()) / job_mwh, 6) if job_mwh else 1.0,
                "energy_wh": int(minutes_mwh.sum()) / 1_000,
            }
            for supplier, minutes_mwh in _given(job, contract).items()
        ]

    def names(self, job: Job, contract: Contract) -> str:
        """See `SupplyTerms.names`."""
        return " + ".join(_given(job, contract))

    def price_eur(self, job: Job, contract: Contract, changes: Sequence[PriceChange]) -> float | None:
        """See `SupplyTerms.price_eur` for the arguments."""
        given_wh = {supplier: minutes_mwh / 1_000 for supplier, minutes_mwh in _given(job, contract).items()}
        return self.gateway.shared_price_eur(given_wh, contract.start_s, changes)


def _given(job: Job, contract: Contract) -> dict[str, IntArray]:
    """Return what each supplier of a job gives, the grid too if it gives anything, mWh in each minute."""
    drawn_mwh: IntArray = load_mwh(job.as_sent.load_profile, contract.start_s)
    if contract.producer != SHARED:
        return {contract.producer: drawn_mwh}
    given = {share.producer: unpacked(share.minutes_mwh, len(drawn_mwh)) for share in contract.shares}
    rest_mwh = drawn_mwh - np.sum(list(given.values()), axis=0)
    return {**given, GRID: rest_mwh} if rest_mwh.any() else given


class _SharedDeviceRun(SharedJobNegotiation):
    """A job of a real device with shared supply, from its registration to its end."""

    _agent: SharedGatewayConsumer

    def __init__(self, agent: SharedGatewayConsumer, record: ConsumerJob) -> None:
        super().__init__(agent, record)
        self._is_executed = False
        self._has_ended = False

    async def _has_run(self) -> bool:
        """See `JobNegotiation._has_run`: the device runs the job, and its shares follow what changes meanwhile."""
        while True:
            contract, now_s = self._agent.contracts.get(self._job.job_id), self._agent.now_s
            if contract is None or (self._record.is_dropped and contract.start_s > now_s):
                return False
            if contract.start_s <= now_s and not self._is_executed:
                self._is_executed = True
                self._agent.spawn(self._execute(), f"{self._job.job_id} on its device")
            if self._has_ended:
                await self._give_back()
                return True
            waits_until_s = [] if self._is_executed else [contract.start_s]
            if self._supply.next_wish_s is not None:
                waits_until_s.append(self._supply.next_wish_s)
            event = await self._channel.get(until_s=min(waits_until_s, default=None))
            if isinstance(event, RunEnds):
                self._run_ends = True
            elif isinstance(event, TimeUp):
                if self._supply.next_wish_s is not None and self._supply.next_wish_s <= self._agent.now_s:
                    self._wish_for_room()
            elif not self._run_ends and not self._agent.is_away and not self._has_ended:
                await self._follow([event, *self._channel.take_all()])

    async def _execute(self) -> None:
        await self._agent.execute(self._job)
        self._has_ended = True
        self._channel.put(JobChanged())

    async def _follow(self, events: Sequence[JobEvent]) -> None:
        if self._agent.is_started_by_hand(self._job):
            async with self._agent.turns:
                await self._start_now()
        await super()._follow(events)

    async def _start_now(self) -> None:
        """Move the contract to the present second, with what producers can give from now on."""
        now_s = self._agent.now_s
        reserved = await self._reserve(((now_s, now_s),))
        contract = self._agent.contracts.get(self._job.job_id)
        if contract is None or contract.start_s <= now_s:
            for producer in list(self._supply.reserved):
                self._undo(producer)
            return
        self._conclude(*(reserved or (now_s, {})))
        self._agent.amend(self._job, STARTED_BY_HAND)

    def _starts(self) -> Starts:
        """See `SharedJobNegotiation._starts`; what the device has begun does not move."""
        contract = self._agent.contracts.get(self._job.job_id)
        if contract is not None and self._agent.is_under_way(self._job):
            return ((contract.start_s, contract.start_s),)
        return super()._starts()

    async def _give_back(self) -> None:
        """Release what the shares still hold from the next minute on: the device needs no more of it."""
        if self._run_ends:
            return
        async with self._agent.turns:
            supply, now_s = self._supply, self._agent.now_s
            contract = self._agent.contracts.get(self._job.job_id)
            if contract is None or contract.start_s > now_s:
                return
            minutes = -(-now_s // MINUTE_S) - contract.start_s // MINUTE_S
            kept = {p: series[:minutes] for p, series in supply.held.items() if series[:minutes].any()}
            supply.reserved = {}
            refused = await self._ask_to_reserve(contract.start_s, kept)
            if self._job.job_id not in self._agent.contracts:
                return
            held = {p: supply.held.get(p, NOTHING_MWH) if p in refused else self._supply.reserved_by(p) for p in kept}
            if not self._supply.is_as_before(contract.start_s, held):
                self._conclude(contract.start_s, held)
                self._agent.amend(self._job, ENDED_EARLY)
