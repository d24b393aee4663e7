"""A producer as a monitor sees it: its forecast, its promises, and the remaining energy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from agents import FloatArray, LoadProfile, Outlook, Prediction, Share

PAST_KEPT_S = 7 * 86_400
"""How much of a forecast's past is kept: enough for the day on screen, whenever on that day a forecast is issued."""
_KEPT_SIGNED = 100_000

ContractSide = Literal["producer", "consumer"]
"""Who reports a contract to the manager."""


@dataclass(frozen=True, slots=True)
class EnergyBins:
    """Energy of a producer in equal bins of time, Wh, shape (bins,) each."""

    edges_s: FloatArray
    """Beginning of each bin and end of the last, UNIX seconds, shape (bins + 1,)."""
    forecast_wh: FloatArray
    """What it expects to have left after serving the base load of its own house, as it publishes it."""
    committed_wh: FloatArray
    """What its standing contracts draw."""
    unknown: int
    """Number of contracts whose load profile was never observed; not in `committed_wh`."""

    @property
    def remaining_wh(self) -> FloatArray:
        """Forecast energy that is not promised yet, Wh, shape (bins,)."""
        return np.maximum(self.forecast_wh - self.committed_wh, 0.0)


@dataclass(slots=True)
class ObservedProducer:
    """The observed state of a producer."""

    id: str
    house: str = ""
    """Id of its house; empty: not known yet."""
    first_score: int = 0
    """Its score before anything was observed."""
    forecast: Outlook | None = None
    """The forecast so far, newer predictions in place of older ones; the distant past is dropped."""
    issued_s: int | None = None
    """When its newest prediction was issued, UNIX seconds; None: none was observed."""
    accepted: int = 0
    """How many contracts with it were agreed."""
    declined: int = 0
    """How often it declined a job."""
    left_out: int = 0
    """How often it was scored as if it had declined, because a short list left it out."""
    contracts: dict[str, int] = field(default_factory=dict)
    """Start (UNIX seconds) of each standing contract, by job id."""
    shares: dict[str, LoadProfile] = field(default_factory=dict)
    """What it gives from the minute in which the job starts, by job id, where several supply the job."""

    @property
    def score(self) -> int:
        """Its score according to the observed messages, computed as the manager does; the lowest is asked first."""
        return self.first_score + self.declined + self.left_out - self.accepted

    @property
    def is_score_known(self) -> bool:
        """Whether all its contracts have been observed; those from before the monitor joined changed its score too."""
        return len(self.contracts) <= self.accepted

    def learn(self, prediction: Prediction) -> None:
        """Add a new prediction; one that is known already changes nothing."""
        if self.issued_s is not None and prediction.issued_s <= self.issued_s:
            return
        newer = prediction.production
        known = Outlook.of(newer) if self.forecast is None else self.forecast.continued_by(newer)
        self.forecast = known.since(prediction.issued_s - PAST_KEPT_S)
        self.issued_s = prediction.issued_s

    def day(
        self,
        start_s: int,
        end_s: int,
        bins: int,
        profiles: Iterable[tuple[int, LoadProfile | None]],
    ) -> EnergyBins:
        """Return forecast and commitments between two times.

        Args:
            start_s: Beginning of the first bin, UNIX seconds.
            end_s: End of the last bin, UNIX seconds.
            bins: Number of bins.
            profiles: Start (UNIX seconds) and load profile of each standing contract; None if the profile is not
                known.
        """
        edges_s = np.linspace(start_s, end_s, bins + 1)
        forecast_wh = np.zeros(bins) if self.forecast is None else self.forecast.energy_per_bin_wh(edges_s)
        committed_wh = np.zeros(bins)
        unknown = 0
        for job_start_s, profile in profiles:
            if profile is None:
                unknown += 1
            elif job_start_s < end_s and job_start_s + profile.duration_s > start_s:
                committed_wh += profile.energy_per_bin_wh(edges_s - job_start_s)
        return EnergyBins(edges_s, forecast_wh, committed_wh, unknown)


def profile_of(share: Share) -> LoadProfile:
    """Return a share's energy from the minute in which its job starts, as if it were a job's load."""
    minutes, mwh = np.array(share.minutes_mwh, dtype=np.float64).T
    return LoadProfile(
        times_s=(0, *(int(end_s) for end_s in np.cumsum(minutes) * 60)),
        cumulative_wh=(0.0, *(float(wh) for wh in np.cumsum(minutes * mwh) / 1_000)),
    )


class SignedContracts:
    """Which contracts both sides have reported, as the manager counts them."""

    def __init__(self) -> None:
        self._sides: dict[tuple[str, str], ContractSide | Literal["both"]] = {}
        """By producer and job."""

    def sign(self, producer_id: str, job_id: str, side: ContractSide) -> bool:
        """Record that one side reports a contract.

        Args:
            producer_id: The producer.
            job_id: The job.
            side: Who reports it.

        Returns:
            Whether both sides have reported it now, for the first time.
        """
        if len(self._sides) >= _KEPT_SIGNED:
            self._sides.clear()
        before = self._sides.setdefault((producer_id, job_id), side)
        if before in {side, "both"}:
            return False
        self._sides[producer_id, job_id] = "both"
        return True
