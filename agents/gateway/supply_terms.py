"""What a device learns about the supply of its jobs: the suppliers, the share of each, and the price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from agents.energy import IntArray
from agents.gateway.gateway_settings import GatewaySettings, PriceChange
from agents.model import GRID, SHARED, Contract, Job
from agents.shares import load_mwh, unpacked


class SupplyTerms(Protocol):
    """Describes to a device who supplies its jobs, and at what price."""

    def suppliers(self, job: Job, contract: Contract) -> list[dict[str, Any]]:
        """Return the suppliers of a job as they are listed on the topic `job`."""
        ...

    def names(self, job: Job, contract: Contract) -> str:
        """Return the names of all suppliers, as on the topic `state`."""
        ...

    def price_eur(self, job: Job, contract: Contract, changes: Sequence[PriceChange]) -> float | None:
        """Return what a job costs, EUR; None if there are no prices.

        Args:
            job: The job.
            contract: Its contract.
            changes: How prices have changed since the run's start, in order of time.
        """
        ...


@dataclass(frozen=True, slots=True)
class WholeJobTerms:
    """The terms of jobs that one producer, or the grid, supplies alone."""

    gateway: GatewaySettings

    def suppliers(self, job: Job, contract: Contract) -> list[dict[str, Any]]:
        """See `SupplyTerms.suppliers`: the only one, with all of the job."""
        del job
        house = self.gateway.producer_houses.get(contract.producer, "")
        return [{"producer": contract.producer, "house": house, "share": 1.0}]

    def names(self, job: Job, contract: Contract) -> str:
        """See `SupplyTerms.names`."""
        del job
        return contract.producer

    def price_eur(self, job: Job, contract: Contract, changes: Sequence[PriceChange]) -> float | None:
        """See `SupplyTerms.price_eur` for the arguments."""
        return self.gateway.price_eur(contract.producer, job.load_profile, contract.start_s, changes)


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
