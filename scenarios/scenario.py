"""A scenario as it is run: checked, complete, and independent of the file format that it came from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from agents.energy import Prediction, Production
from agents.model import House, Job
from scenarios.zone import Zone

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Tariff:
    """What energy costs and what it emits."""

    import_eur_per_kwh: float
    """Bought from the grid."""
    feed_in_eur_per_kwh: float
    """Sold to the grid."""
    neighbour_eur_per_kwh: float
    """Paid by one house to another."""
    grid_kg_co2_per_kwh: float


@dataclass(frozen=True, slots=True)
class Producer:
    """A producer's sun: what it expects when, and what it really gets."""

    predictions: tuple[Prediction, ...]
    """At least one, in the order of issue."""
    actual: Production | None = None
    """What the panel really gave; None: the newest prediction for each moment."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A neighbourhood, its jobs and its sun."""

    name: str
    """Fit for a file name."""
    start_s: int
    """When the run starts, UNIX seconds."""
    seed: int
    """Used where the command line gives none."""
    houses: tuple[House, ...]
    jobs: tuple[Job, ...]
    """In the order of registration, then of job id."""
    producers: Mapping[str, Producer]
    """By the producer device's id; every producer device has an entry."""
    description: str = ""
    days: int | None = None
    """How many days to run; None: until the last job has run."""
    algorithm: str = "insertion"
    """Used where the command line names none."""
    tariff: Tariff | None = None
    utc_offset_s: int = 0
    """Of the start, as the file writes it: people are shown times so, nothing is reckoned with it."""

    @property
    def zone(self) -> Zone:
        """How times are shown."""
        return Zone(self.utc_offset_s)

    def part_of(self, house_ids: Collection[str]) -> Scenario:
        """Return what concerns these houses and nothing of the others; the name and the time stay."""
        houses = tuple(house for house in self.houses if house.id in house_ids)
        devices = {device.id for house in houses for device in house.devices if device.type == "producer"}
        return replace(
            self,
            houses=houses,
            jobs=tuple(job for job in self.jobs if job.house in house_ids),
            producers={producer: sun for producer, sun in self.producers.items() if producer in devices},
        )


def planned_end_s(scenario: Scenario, days: int | None) -> int:
    """Return when a run is over at the latest, UNIX seconds.

    Args:
        scenario: What is run.
        days: For how many days; None: as the scenario says, which may be until the last job has run.
    """
    days = scenario.days if days is None else days
    if days is not None:
        return scenario.start_s + days * DAY_S
    return max((job.latest_start_s + job.duration_s for job in scenario.jobs), default=scenario.start_s)
