"""The messages between the application and the process that runs a simulation for it, sent in frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.clock import ClockReport
from broker.protocol import Control
from broker.transport import BrokerUrl, Tls
from scenarios.expectations import Verdict
from scenarios.simulation import Plan


@dataclass(frozen=True, slots=True)
class SimulationTask:
    """The task of the process."""

    plan: Plan
    optimum_wall_s: float | None
    """How long the clairvoyant optimum may be sought; None: it is not."""


@dataclass(frozen=True, slots=True)
class SimulationBegan:
    """The broker is there, the results file is made; the runs begin at `Go`."""

    results_file: Path
    broker: str
    """For people."""
    url: BrokerUrl | None
    """The URL that a watcher connects to; None: the runs use memory."""
    tls: Tls | None
    run_ids: tuple[str, ...]
    scores: tuple[Mapping[str, int], ...]
    """Initial scores of each run, by producer id."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run."""

    run: int
    time_s: int


@dataclass(frozen=True, slots=True)
class ClockReported:
    """The report of a run's clock."""

    run: int
    reported: ClockReport


@dataclass(frozen=True, slots=True)
class ExpectationsJudged:
    """The state of the expectations of a run in progress."""

    run: int
    verdicts: tuple[Verdict | None, ...]
    """In the order of the file; None: not judged yet."""


@dataclass(frozen=True, slots=True)
class OptimumSearch:
    """All runs are done; the clairvoyant optimum is sought."""

    best_wh: float | None = None
    """The best plan found so far; None: none yet."""
    bound_wh: float | None = None


@dataclass(frozen=True, slots=True)
class BusMessages:
    """The messages on the memory bus: topics and payloads."""

    deliveries: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The outcome of a run, in figures."""

    run: int
    seed: int
    state: str
    ledger_sha256: str
    messages: int
    negotiations: int
    wall_s: float
    kpis: dict[str, float | None]
    share_of_best: float | None = None
    """Share of the best plan known for the run's own rule of supply; None if it was not sought."""
    verdicts: tuple[Verdict, ...] = ()
    """On the scenario's expectations, in the order of the file."""


@dataclass(frozen=True, slots=True)
class SimulationEnded:
    """All runs are over."""

    runs: tuple[RunSummary, ...]
    problem: str = ""
    """Why it failed; empty if it did not."""
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Go:
    """To the process: begin."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """To the process: end all runs, keep all contracts."""


SimulationEvent = (
    SimulationBegan | Progress | ClockReported | ExpectationsJudged | OptimumSearch | BusMessages | SimulationEnded
)
Command = Go | Interrupt | Control
