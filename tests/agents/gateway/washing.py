"""The job of the tests: a washing machine washes for an hour. Its contract, and the prices that its gateway knows."""

from __future__ import annotations

import numpy as np

from agents.energy import LoadProfile
from agents.gateway.gateway_settings import GatewaySettings, Prices
from agents.model import Contract, Job
from agents.shares import Share

START_S, HOUR_S = 1_782_021_600, 3600
GATEWAY = GatewaySettings(
    id="w",
    house="adler",
    device="washer",
    producer_houses={"pv": "adler", "roof": "brandt"},
    prices=Prices(grid=lambda at: np.full(len(at), 0.3), neighbour=lambda at: np.full(len(at), 0.1)),
)


def wash(*, energy_wh: float = 400.0, latest_start_s: int = START_S) -> Job:
    """Return the job, which draws constant power.

    Args:
        energy_wh: What it draws, Wh.
        latest_start_s: UNIX seconds.
    """
    return Job(
        job_id="adler/washer/wash-1",
        source_id="wash-1",
        house="adler",
        device="washer",
        profile="eco",
        load_profile=LoadProfile(times_s=(0, HOUR_S), cumulative_wh=(0.0, energy_wh)),
        registered_s=START_S,
        earliest_start_s=START_S,
        latest_start_s=latest_start_s,
    )


def contract(producer: str, *shares: Share) -> Contract:
    """Return a contract of the wash, of 600 Wh, which starts at once."""
    return Contract(
        contract_id="adler/washer/wash-1/1",
        job_id="adler/washer/wash-1",
        producer=producer,
        start_s=START_S,
        agreed_s=START_S,
        energy_wh=600.0,
        shares=shares,
    )
