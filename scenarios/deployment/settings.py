"""What the processes of one run must agree on, and its fingerprint, by which they find out whether they do."""

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
"""Name of the clock's journal among those of the hosts."""
_MAX_BYTES_OF_PART = 100
"""Of a run's or a process's part in a journal's name."""


@dataclass(frozen=True, slots=True)
class DeploymentSettings:
    """How a deployed run goes. `seed`, `algorithm` and `patient` must be the same for all of its processes."""

    run_id: str
    seed: int
    algorithm: AlgorithmSettings = field(default_factory=AlgorithmSettings)
    patient: bool = True
    patience: Timeouts = field(default_factory=Timeouts)
    journals: Path | None = None
    """Folder of the journals; None: a process that dies does not come back."""
    days: int | None = None
    """Clock only. None: as the scenario says, else until the last job has run."""
    pace: Pace = field(default_factory=Pace)
    """Clock only."""
    on_loss: OnLoss = "wait"
    """Clock only: what happens when a household stays away."""
    keep: bool = False
    """Clock only: whether what is retained stays at the broker when the run has ended."""
    scores: Mapping[str, int] = field(default_factory=dict)
    """Clock only: what producers earned before, by id."""

    def fingerprint(self, scenario: Scenario, house_ids: Collection[str]) -> str:
        """Return what a household's process was started with, as a short hash.

        Args:
            scenario: Of which the household's part counts.
            house_ids: The houses of the process.
        """
        return fingerprint(scenario.part_of(house_ids), self.seed, astuple(self.algorithm), self.patient)

    def fingerprint_of_all(self, scenario: Scenario) -> str:
        """Return what the clock's process was started with, as a short hash."""
        return self.fingerprint(scenario, [house.id for house in scenario.houses])

    def clock_journal(self, fingerprint: str) -> ClockJournal | None:
        """Open the clock's journal; None if no journals are kept.

        Raises:
            JournalError: It belongs to another run, or cannot be used.
        """
        if self.journals is None:
            return None
        return ClockJournal(self.journal_file(CLOCK_JOURNAL), self._journal_identity(CLOCK_JOURNAL, fingerprint))

    def host_journal(self, host_id: str, fingerprint: str) -> HostJournal | None:
        """Open a host's journal; None if no journals are kept.

        Raises:
            JournalError: It belongs to another run, or cannot be used.
        """
        if self.journals is None:
            return None
        return HostJournal(self.journal_file(host_id), self._journal_identity(host_id, fingerprint))

    def _journal_identity(self, name: str, fingerprint: str) -> dict[str, str]:
        return {"run": self.run_id, "name": name, "fingerprint": fingerprint, "protocol": str(VERSION)}

    def journal_file(self, name: str) -> Path:
        """Return where a process's journal is, or would be."""
        folder = self.journals or Path()
        run, process = (file_name(text, dots=False, most_bytes=_MAX_BYTES_OF_PART) for text in (self.run_id, name))
        return folder / f"{run}.{process}.journal.sqlite"

    def described(self) -> dict[str, Any]:
        """Return what was chosen, fit for JSON."""
        algorithm = asdict(self.algorithm)
        del algorithm["name"]
        chosen = {**algorithm, "bus": "mqtt", "days": self.days, "pace": str(self.pace), "patient": self.patient}
        if self.scores:
            chosen["scores"] = {str(self.seed): dict(self.scores)}
        return chosen
