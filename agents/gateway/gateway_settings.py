"""The settings of a gateway agent: the real device that it represents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from agents.energy import FloatArray, LoadProfile
from agents.gateway.device_rules import DEVICE_RULES
from agents.gateway.waiting_appliance import WaitingDetection
from agents.model import GRID

WH_PER_KWH = 1000.0
MINUTE_S = 60


PricesAt = Callable[[npt.NDArray[np.int64]], FloatArray]
"""Returns prices at times: from UNIX seconds, shape (times,), to EUR per kWh, shape (times,)."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of energy; energy of a house's own panels is free."""

    grid: PricesAt
    neighbour: PricesAt


@dataclass(frozen=True, slots=True)
class PriceChange:
    """Other prices hold from a time on; None: as before."""

    from_s: int
    """UNIX seconds."""
    grid_eur_per_kwh: float | None
    neighbour_eur_per_kwh: float | None


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """A real device, as its gateway agent is started with."""

    id: str
    """Its id in topics; empty: a place for a guest, which brings its own."""
    house: str
    device: str
    """Its id in the scenario."""
    name: str = ""
    adapter: str = "ssmic"
    has_own_topics: bool = False
    """Whether it uses its maker's topics, instead of ours."""
    is_switched: bool = False
    """Whether a switch in front of the device starts it, so that its power says what it does."""
    longest_timer_s: int | None = None
    """Longest time of the device's own timer, which switches it off if no command does; None: it has none."""
    profiles: Mapping[str, LoadProfile] = field(default_factory=dict)
    """Stored load profiles, by name."""
    profile: str = ""
    """Name of its own load profile; empty: none."""
    answer_s: int = 60
    """How long it may take to answer a command, virtual seconds."""
    tries: int = 3
    """How often it is commanded."""
    idle_w: float = 5.0
    """It draws at most so much when its programme is over."""
    idle_s: int = 300
    """For so long, before that counts."""
    resume_s: int = 3600
    """How long a programme that was interrupted may rest."""
    learns: bool = True
    """Whether what it measured replaces the load profile of the next job, and lowers the forecast of a roof."""
    rules: int = DEVICE_RULES
    """The rules by which it answers its device."""
    waiting: WaitingDetection | None = None
    prices: Prices | None = None
    producer_houses: Mapping[str, str] = field(default_factory=dict)
    """The house of each producer, by producer id."""

    def price_eur(
        self, producer: str, load: LoadProfile, start_s: int, changes: Sequence[PriceChange] = ()
    ) -> float | None:
        """Return what a job costs, EUR; None if there are no prices.

        Args:
            producer: Its supplier.
            load: Its load.
            start_s: When it starts, UNIX seconds.
            changes: How prices have changed since the run's start, in order of time.
        """
        return self.shared_price_eur({producer: load.per_minute_wh(start_s % MINUTE_S)}, start_s, changes)

    def shared_price_eur(
        self, given_wh: Mapping[str, FloatArray], start_s: int, changes: Sequence[PriceChange]
    ) -> float | None:
        """Return what a job costs that several suppliers share, EUR; None if there are no prices.

        Args:
            given_wh: By supplier, what it gives in each minute from the one in which the job starts, Wh.
            start_s: When it starts, UNIX seconds.
            changes: How prices have changed since the run's start, in order of time.
        """
        if self.prices is None:
            return None
        return sum(
            self._cost_eur(supplier, minutes_wh, start_s, changes)
            for supplier, minutes_wh in given_wh.items()
            if self.producer_houses.get(supplier) != self.house
        )

    def _cost_eur(self, supplier: str, minutes_wh: FloatArray, start_s: int, changes: Sequence[PriceChange]) -> float:
        """Return what the energy of another house, or of the grid, costs, EUR."""
        assert self.prices is not None  # noqa: S101 - asked only where there are some
        times_s = start_s // MINUTE_S * MINUTE_S + MINUTE_S * np.arange(len(minutes_wh), dtype=np.int64)
        is_grid = supplier == GRID
        eur_per_kwh = (self.prices.grid if is_grid else self.prices.neighbour)(times_s)
        for change in changes:
            changed = change.grid_eur_per_kwh if is_grid else change.neighbour_eur_per_kwh
            if changed is not None:
                eur_per_kwh = np.where(times_s >= change.from_s // MINUTE_S * MINUTE_S, changed, eur_per_kwh)
        return float(minutes_wh @ eur_per_kwh) / WH_PER_KWH
