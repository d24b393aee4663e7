"""A producer as a watcher sees it: what it expects of its sun, what it promised, and what remains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from agents import FloatArray, LoadProfile, Outlook, Prediction

PAST_KEPT_S = 7 * 86_400
"""How much of the past a watcher remembers of a forecast: enough for the day in sight, whenever in it one is issued."""


@dataclass(frozen=True, slots=True)
class EnergyBins:
    """Energy of a producer in equal bins of time, Wh each."""

    edges_s: FloatArray
    forecast_wh: FloatArray
    committed_wh: FloatArray
    unknown: int
    """Contracts whose load profile the watcher never saw; not in `committed_wh`."""

    @property
    def remaining_wh(self) -> FloatArray:
        """What it could still promise."""
        return np.maximum(self.forecast_wh - self.committed_wh, 0.0)


@dataclass(slots=True)
class ObservedProducer:
    """What is known of a producer."""

    id: str
    house: str = ""
    first_score: int = 0
    """What it had before anything was seen."""
    forecast: Outlook | None = None
    """As told so far, newer predictions in place of older ones; what is long past is forgotten."""
    issued_s: int | None = None
    forecasts: int = 0
    accepted: int = 0
    declined: int = 0
    contracts: dict[str, int] = field(default_factory=dict)
    """Those that stand: start in UNIX seconds by job id."""

    @property
    def score(self) -> int:
        """Its score by all that was seen, reckoned as the manager does; the lowest is asked first."""
        return self.first_score + self.declined - self.accepted

    def learn(self, prediction: Prediction) -> None:
        """Take a new prediction; one that was told before changes nothing."""
        if self.issued_s is not None and prediction.issued_s <= self.issued_s:
            return
        newer = prediction.production
        known = Outlook.of(newer) if self.forecast is None else self.forecast.continued_by(newer)
        self.forecast = known.since(prediction.issued_s - PAST_KEPT_S)
        self.issued_s = prediction.issued_s
        self.forecasts += 1

    def day(
        self, start_s: int, end_s: int, bins: int, profiles: Iterable[tuple[int, LoadProfile | None]]
    ) -> EnergyBins:
        """Return forecast and promises between two times.

        Args:
            start_s: From here, UNIX seconds.
            end_s: To here.
            bins: How many.
            profiles: Start and load profile of each standing contract; None where the profile is not known.
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
