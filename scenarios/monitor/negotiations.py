"""One job as a watcher sees it: what was said about it, step by step, and where it stands."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from agents import GRID, LedgerEntry, LoadProfile
from scenarios.monitor.message_log import MessageSummary

KEPT_JOBS = 2_000
"""Jobs that were talked about most recently."""
KEPT_STEPS = 2_000
"""Of one job: its newest ones are shown."""

Step = MessageSummary
State = Literal["asking", "waiting", "agreed", "moved", "grid", "cancelled", "lost"]


@dataclass(slots=True)
class Negotiation:
    """What is known of a job."""

    job_id: str
    number: int = 0
    """Counts the jobs as they were heard of."""
    consumer: str = ""
    house: str = ""
    device: str = ""
    earliest_start_s: int | None = None
    latest_start_s: int | None = None
    energy_wh: float | None = None
    load_profile: LoadProfile | None = None
    state: State = "asking"
    producer: str = ""
    """Who supplies it, where somebody does."""
    start_s: int | None = None
    contracts: int = 0
    """Number of its newest contract."""
    declines: int = 0
    steps: int = 0
    """How many messages were about it; the stream has them."""

    def add(self, step: Step) -> None:
        """Take what was said next."""
        self.steps += 1
        match step.kind:
            case "Decline":
                self.declines += 1
            case "ProducersFor" | "Request" if self.state in {"waiting", "cancelled"}:
                self.state = "asking"
            case "Producers" if step.text == NOBODY and self.state == "asking":
                self.state = "waiting"

    def settle(self, entry: LedgerEntry) -> bool:
        """Take what the ledger says; return False where it is of an older contract than the one known."""
        contract = entry.contract
        number = int(contract.contract_id.rpartition("/")[2])
        if number < self.contracts:
            return False
        self.contracts = number
        self.producer, self.start_s, self.energy_wh = contract.producer, contract.start_s, contract.energy_wh
        if entry.state == "standing":
            moved = any(event.what == "amended" for event in entry.history)
            self.state = "grid" if contract.producer == GRID else "moved" if moved else "agreed"
        else:
            self.state = entry.state
        return True


NOBODY = "No producer left to ask"


class Negotiations:
    """The jobs that were talked about most recently."""

    def __init__(self, kept: int = KEPT_JOBS) -> None:
        self.total = 0
        """Jobs there ever were; one that was forgotten and comes up again counts twice."""
        self._jobs: OrderedDict[str, Negotiation] = OrderedDict()
        self._kept = kept

    def of(self, job_id: str) -> Negotiation:
        """Return what is known of a job, for more to be added."""
        negotiation = self._jobs.get(job_id)
        if negotiation is None:
            negotiation = self._jobs[job_id] = Negotiation(job_id, self.total)
            self.total += 1
            if len(self._jobs) > self._kept:
                self._jobs.popitem(last=False)
        else:
            self._jobs.move_to_end(job_id)
        return negotiation

    def get(self, job_id: str) -> Negotiation | None:
        """Return what is known of a job, None where nothing is."""
        return self._jobs.get(job_id)

    def all(self) -> list[Negotiation]:
        """Return the kept ones, as they were heard of."""
        return sorted(self._jobs.values(), key=lambda job: job.number)

    def __len__(self) -> int:
        return len(self._jobs)
