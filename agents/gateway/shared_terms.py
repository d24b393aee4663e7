"""What a device is informed of with shared supply: who supplies its job, how much of it each, and at what price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.energy import IntArray
from agents.gateway.gateway_settings import GatewaySettings, PriceChange
from agents.model import GRID, SHARED, Contract, Job
from agents.shares import load_mwh, unpacked


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
