"""What came of a run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from agents.ledger import LedgerEntry, ledger_sha256
from agents.manager import Manager
from agents.scores import NEW_PRODUCER
from broker.clock.clock import Clock
from scenarios.recording import Watch
from scenarios.scenario import Scenario

RunState = Literal["done", "interrupted", "failed"]


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What came of a run."""

    seed: int
    run_id: str
    state: RunState
    ledger: tuple[LedgerEntry, ...]
    """In the order of agreement."""
    start_s: int
    end_s: int
    """Where virtual time stood at the end; the end that `days` gives where there is one."""
    not_registered: tuple[str, ...]
    """Jobs that the run ended before; they have no contract."""
    scores: Mapping[str, int]
    messages: int
    """That agents sent to each other."""
    negotiations: int
    """How often a job went looking for a supplier."""
    rounds: int
    wall_s: float

    def scores_since(self, begun_with: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Return each producer's score at the beginning and at the end, by id.

        Args:
            begun_with: The scores that the run began with; a producer that is not among them was new.
        """
        return {producer: (begun_with.get(producer, NEW_PRODUCER), after) for producer, after in self.scores.items()}

    @property
    def ledger_sha256(self) -> str:
        """Equal ledgers, equal hash."""
        return ledger_sha256(self.ledger)


def outcome_of(
    scenario: Scenario,
    run_id: str,
    seed: int,
    clock: Clock,
    manager: Manager,
    watch: Watch,
    started_wall_s: float,
    state: RunState,
) -> RunOutcome:
    """Return what has come of a run so far.

    Args:
        scenario: What is run.
        run_id: As the broker knows it.
        seed: The run's.
        clock: Where it stands.
        manager: Keeps its ledger.
        watch: Counted its messages.
        started_wall_s: When it started, by `time.perf_counter`.
        state: How it ended.
    """
    return RunOutcome(
        seed=seed,
        run_id=run_id,
        state=state,
        ledger=tuple(manager.ledger.values()),
        start_s=scenario.start_s,
        end_s=clock.now.time_s,
        not_registered=tuple(job.job_id for job in scenario.jobs if job.registered_s > clock.acted_until_s),
        scores=manager.scores.by_producer(),
        messages=watch.messages,
        negotiations=watch.negotiations,
        rounds=clock.now.step + 1,
        wall_s=time.perf_counter() - started_wall_s,
    )
