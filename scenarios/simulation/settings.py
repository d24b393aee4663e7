"""How a run goes, and its fingerprint, by which the processes of a run find out whether they agree."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import Any

from agents.scheduling import AlgorithmSettings
from broker import file_name
from broker.clock import ClockJournal, OnLoss, Pace
from broker.hosts import HostJournal
from broker.protocol import VERSION, Timeouts
from scenarios.scenario import Scenario, fingerprint

CLOCK_JOURNAL = "clock"
"""Name of the clock's journal."""
_MAX_BYTES_OF_PART = 100
"""Of a run's or a process's part in a journal's name."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How a scenario is run once, in one process or in several.

    `seed`, `algorithm` and `patient` must be the same in all processes of a run. What is marked "clock only" does not
    concern a process that only runs households.
    """

    seed: int
    run_id: str
    """Names the run on the broker."""
    algorithm: AlgorithmSettings = field(default_factory=AlgorithmSettings)
    patient: bool = True
    """Whether jobs that no producer can serve wait for an opening."""
    patience: Timeouts = field(default_factory=Timeouts)
    hosts: int | None = None
    """Number of hosts that the agents are spread over; None: one for each household, and one for the manager."""
    journals: Path | None = None
    """Folder of the journals; None: a process that dies does not come back."""
    days: int | None = None
    """Clock only. None: as the scenario says, else until the last job has run."""
    pace: Pace = field(default_factory=Pace)
    """Clock only."""
    on_loss: OnLoss = "wait"
    """Clock only: what happens when a household stays away."""
    keep: bool = False
    """Clock only: whether retained messages stay at the broker after the run, for watchers that come later."""
    scores: Mapping[str, int] = field(default_factory=dict)
    """Clock only: the producers' scores from earlier simulations, by id."""

    def days_of(self, scenario: Scenario) -> int | None:
        """Return how many days the run lasts; None: until the last job has run."""
        return scenario.days if self.days is None else self.days

    def end_s(self, scenario: Scenario) -> int | None:
        """Return when the run ends, in UNIX seconds; None: when the last job has run."""
        days = self.days_of(scenario)
        return None if days is None else scenario.end_s(days)

    def fingerprint(self, scenario: Scenario, house_ids: Collection[str]) -> str:
        """Return a short hash of everything that a household's process was started with.

        Args:
            scenario: Only the households' part of it counts.
            house_ids: The houses of the process.
        """
        return fingerprint(scenario.part_of(house_ids), self.seed, astuple(self.algorithm), self.patient)

    def fingerprint_of_all(self, scenario: Scenario) -> str:
        """Return a short hash of everything that the clock's process was started with."""
        return self.fingerprint(scenario, [house.id for house in scenario.houses])

    def clock_journal(self, fingerprint: str) -> ClockJournal | None:
        """Open the clock's journal; return None if no journals are kept.

        Raises:
            JournalError: It belongs to another run, or cannot be used.
        """
        if self.journals is None:
            return None
        return ClockJournal(self.journal_file(CLOCK_JOURNAL), self._journal_identity(CLOCK_JOURNAL, fingerprint))

    def host_journal(self, host_id: str, fingerprint: str) -> HostJournal | None:
        """Open a host's journal; return None if no journals are kept.

        Raises:
            JournalError: It belongs to another run or host, or cannot be used.
        """
        if self.journals is None:
            return None
        return HostJournal(self.journal_file(host_id), self._journal_identity(host_id, fingerprint))

    def _journal_identity(self, name: str, fingerprint: str) -> dict[str, str]:
        return {"run": self.run_id, "name": name, "fingerprint": fingerprint, "protocol": str(VERSION)}

    def journal_file(self, name: str) -> Path:
        """Return the path of a process's journal, whether or not the file exists."""
        folder = self.journals or Path()
        run, process = (file_name(text, dots=False, most_bytes=_MAX_BYTES_OF_PART) for text in (self.run_id, name))
        return folder / f"{run}.{process}.journal.sqlite"


def described(
    settings: RunSettings, bus: str, days: int | None, scores: Mapping[int, Mapping[str, int]]
) -> dict[str, Any]:
    """Return the settings as a results file records them, fit for JSON.

    Args:
        settings: Of the run, or of all runs of a simulation.
        bus: `memory` or `mqtt`.
        days: As the results file is to say it; None: no end was set.
        scores: By seed, the producers' scores at the beginning of the run; left out if all are empty.
    """
    algorithm = asdict(settings.algorithm)
    del algorithm["name"]
    chosen = {**algorithm, "bus": bus, "days": days, "pace": str(settings.pace), "patient": settings.patient}
    if any(scores.values()):
        chosen["scores"] = {str(seed): dict(earlier) for seed, earlier in scores.items()}
    return chosen
