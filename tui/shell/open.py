"""The neighbourhood that is open in *Neighbourhoods*, as the other areas know it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class OpenNeighbourhood:
    """What is open, at one moment."""

    work: object
    """Which one it is: another one is another object."""
    state: object
    """What it contains: after a change this is another object."""
    title: str
    source: str | None
    """What a run reads: a file, or a bundled name; None: it has never been saved."""
    is_saved: bool
    """Whether `source` is what is open."""
    load: Callable[[], Scenario]
    """Builds the scenario as it is open, saved or not; raises ScenarioError where it has problems."""
    save: Callable[[], Awaitable[str | None]]
    """Asks to save it where it is not saved; returns what a run reads, None where the user went back."""

    def is_as(self, other: OpenNeighbourhood | None) -> bool:
        """Return whether nothing has happened to it since another moment."""
        return (
            other is not None
            and (self.work is other.work and self.state is other.state)
            and (self.source, self.is_saved) == (other.source, other.is_saved)
        )
