"""What a watcher knows of a scenario beforehand: whoever starts a run, or is given its file, has more to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agents.energy import LoadProfile
from scenarios.scenario import Scenario
from scenarios.zone import Zone


@dataclass(frozen=True, slots=True)
class Backdrop:
    """Facts of a scenario that do not travel, or travelled before a watcher came."""

    name: str = ""
    start_s: int | None = None
    end_s: int | None = None
    """When the run is over at the latest, for the share that is done."""
    houses: Mapping[str, str] = field(default_factory=dict)
    """Names of houses by id."""
    house_of_producer: Mapping[str, str] = field(default_factory=dict)
    profiles: Mapping[str, LoadProfile] = field(default_factory=dict)
    """By job id."""
    scores: Mapping[str, int] = field(default_factory=dict)
    """What producers start with, by id; others with that of a new one."""
    zone: Zone | None = None
    """How times are shown; None: as the run's roster says."""


def backdrop_of(scenario: Scenario, end_s: int | None = None) -> Backdrop:
    """Return what a scenario tells a watcher.

    Args:
        scenario: The one that runs.
        end_s: When the run is over at the latest.
    """
    return Backdrop(
        name=scenario.name,
        start_s=scenario.start_s,
        end_s=end_s,
        houses={house.id: house.name for house in scenario.houses},
        house_of_producer={
            device.id: house.id for house in scenario.houses for device in house.devices if device.type == "producer"
        },
        profiles={job.job_id: job.load_profile for job in scenario.jobs},
        zone=scenario.zone,
    )
