"""What a gateway agent knows of the real device that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agents.energy import LoadProfile
from agents.model import GRID

WH_PER_KWH = 1000.0


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of energy, EUR per kWh; energy of a house's own panels is free."""

    grid: float
    neighbour: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """How a plug shows that its appliance waits for its programme, and what is asked for then."""

    above_w: float
    below_w: float
    """It draws more than `above_w` and less than `below_w` ..."""
    for_s: int
    """... for so long."""
    within_s: int
    """The job must have ended so long after that."""
    profile: str = ""
    """Name of its load profile; empty: the device's own."""


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
    is_switched: bool = False
    """Whether a switch in front of the device starts it, so that its power says what it does."""
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
    """Whether what it measured replaces the load profile of the next job."""
    waiting: Waiting | None = None
    prices: Prices | None = None
    producer_houses: Mapping[str, str] = field(default_factory=dict)
    """The house of each producer, by producer id."""
    utc_offset_s: int = 0

    def price_eur(self, producer: str, energy_wh: float) -> float | None:
        """Return what energy costs from a supplier, EUR; None where there are no prices."""
        if self.prices is None:
            return None
        if producer == GRID:
            return self.prices.grid * energy_wh / WH_PER_KWH
        is_own = self.producer_houses.get(producer) == self.house
        return 0.0 if is_own else self.prices.neighbour * energy_wh / WH_PER_KWH
