"""A job as a monitor sees it: the messages about it, and the state of its negotiation."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from agents import GRID, Contract, LedgerEntry, LoadProfile
from scenarios.monitor.message_log import MessageSummary

KEPT_JOBS = 2_000
"""Number of jobs kept: those with the most recent messages."""
KEPT_STEPS = 2_000
"""Number of newest messages shown for one job."""

Step = MessageSummary
State = Literal["asking", "waiting", "agreed", "moved", "grid", "cancelled", "lost"]


@dataclass(slots=True)
class ObservedNegotiation:
    """The observed negotiation of a job."""

    job_id: str
    number: int = 0
    """Running number of jobs, in the order of their first message."""
    consumer: str = ""
    """Agent id; empty: not known yet, as house and device."""
    house: str = ""
    device: str = ""
    earliest_start_s: int | None = None
    """UNIX seconds; None: not known yet, as the next three."""
    latest_start_s: int | None = None
    energy_wh: float | None = None
    """By its newest contract; before the first one, as requested."""
    load_profile: LoadProfile | None = None
    """The load profile, as requested; times are seconds since its start."""
    state: State = "asking"
    producer: str = ""
    """Its supplier, where it has one; `shared` if several supply it."""
    producers: tuple[str, ...] = ()
    """The producers that supply it."""
    suppliers: tuple[str, ...] = ()
    """All suppliers; the grid is last if it supplies a part."""
    start_s: int | None = None
    """Start by its newest contract, UNIX seconds; None: it has had none."""
    contracts: int = 0
    """Number of its newest contract."""
    declines: int = 0
    """How often producers declined it."""
    steps: int = 0
    """Number of messages about it; the message log has them."""

    def add(self, step: Step) -> None:
        """Process the next message about the job."""
        self.steps += 1
        match step.kind:
            case "Decline":
                self.declines += 1
            case "ProducersFor" | "Request" | "Reserve" if self.state in {"waiting", "cancelled"}:
                self.state = "asking"
            case "Producers" if step.text == NOBODY and self.state == "asking":
                self.state = "waiting"

    def settle(self, entry: LedgerEntry) -> bool:
        """Process a ledger entry; return False if it belongs to an older contract than the known one."""
        contract = entry.contract
        number = contract_number(contract)
        if number < self.contracts:
            return False
        self.contracts = number
        self.producer, self.start_s, self.energy_wh = contract.producer, contract.start_s, contract.energy_wh
        self.producers, self.suppliers = contract.producers, contract.suppliers
        if entry.state == "standing":
            moved = any(event.what == "amended" for event in entry.history)
            self.state = "grid" if contract.producer == GRID else "moved" if moved else "agreed"
        else:
            self.state = entry.state
        return True


def contract_number(contract: Contract) -> int:
    """Return the number of a contract among those of its job, from 1."""
    return int(contract.contract_id.rpartition("/")[2])


NOBODY = "No producer left to ask"


class Negotiations:
    """The jobs with the most recent messages."""

    def __init__(self) -> None:
        self.total = 0
        """Number of jobs so far; a job that was dropped from memory and reappears counts twice."""
        self._jobs: OrderedDict[str, ObservedNegotiation] = OrderedDict()

    def of(self, job_id: str) -> ObservedNegotiation:
        """Return a job for updating; it is created if it is not known."""
        negotiation = self._jobs.get(job_id)
        if negotiation is None:
            negotiation = self._jobs[job_id] = ObservedNegotiation(job_id, self.total)
            self.total += 1
            if len(self._jobs) > KEPT_JOBS:
                self._jobs.popitem(last=False)
        else:
            self._jobs.move_to_end(job_id)
        return negotiation

    def get(self, job_id: str) -> ObservedNegotiation | None:
        """Return a job; None if it is not known."""
        return self._jobs.get(job_id)

    def all(self) -> list[ObservedNegotiation]:
        """Return the kept jobs in the order of their first message."""
        return sorted(self._jobs.values(), key=lambda job: job.number)

    def __len__(self) -> int:
        return len(self._jobs)
