"""What a results file says of a simulation, of its runs, and of their messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

RunState = Literal["running", "done", "interrupted", "failed"]


@dataclass(frozen=True, slots=True)
class SimulationInfo:
    """What was simulated."""

    scenario: str
    algorithm: str
    settings: dict[str, Any]
    broker: str
    hosts: int | None
    """None: one a household."""
    seeds: tuple[int, ...]
    """Of the runs that were planned."""
    versions: dict[str, str]
    created_utc: str
    """ISO 8601."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One run."""

    run: int
    """Counts from 1."""
    run_id: str
    seed: int
    state: RunState
    """`running` also after a crash: see `written_utc`."""
    start_s: int
    end_s: int
    """How far virtual time came, UNIX seconds."""
    ledger_sha256: str | None
    """None while running."""
    messages: int
    negotiations: int
    wall_s: float | None
    not_registered: tuple[str, ...]
    """Ids of the jobs that the run ended too early for."""
    error: str
    comparison: dict[str, Any]
    """What it was compared with; empty if nothing."""
    written_utc: str
    """When something was last written; ISO 8601."""

    @property
    def is_complete(self) -> bool:
        """Whether it came to its end. Figures of a run that did not cover a part of it only, and enter no mean."""
        return self.state == "done"


@dataclass(frozen=True, slots=True)
class RecordedMessage:
    """A message between agents."""

    n: int
    """Counts the run's messages from 1."""
    time_s: int
    """Virtual time of sending, UNIX seconds."""
    round: int
    sender: str
    seq: int
    recipient: str
    kind: str
    job_id: str | None
    """Which job it is about, where it is about one."""
    body: dict[str, Any]
    """A request leaves out the load profile where it is the scenario's."""
