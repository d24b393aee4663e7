"""Notes on parts of a scenario that have no effect where jobs are supplied by shares."""

from __future__ import annotations

from agents.scheduling import INSERTION
from agents.sharing import SupplySettings
from scenarios.events import SwitchAlgorithm, SwitchStrategy
from scenarios.files.series import Note
from scenarios.scenario import Scenario

NO_STRATEGY = "with supply 'shared' consumers have a strategy of their own"
NO_SCHEDULER = "with supply 'shared' no producer schedules jobs: consumers compose start and shares themselves"


def supply_notes(scenario: Scenario, supply: SupplySettings | None = None) -> tuple[Note, ...]:
    """Return notes on algorithms that decide nothing.

    Args:
        scenario: The scenario to run.
        supply: How jobs are supplied; None: as the scenario says.
    """
    if not (supply or scenario.supply_settings).is_shared:
        return ()
    notes = []
    if scenario.algorithm != INSERTION:
        notes.append(Note(f"algorithm {scenario.algorithm} has no effect: {NO_SCHEDULER}", ("algorithm",)))
    if any(isinstance(event.action, SwitchAlgorithm) for event in scenario.timeline):
        notes.append(Note(f"events 'algorithm' of the timeline have no effect: {NO_SCHEDULER}", ("timeline",)))
    if any(isinstance(event.action, SwitchStrategy) for event in scenario.timeline):
        notes.append(Note(f"events 'strategy' of the timeline have no effect: {NO_STRATEGY}", ("timeline",)))
    return tuple(notes)
