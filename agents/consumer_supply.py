"""The interface between a consumer and its supply, which finds suppliers for its jobs: what each needs of the other.

`agents.whole_supply.WholeConsumerSupply`: one producer, or the grid, supplies a whole job.
`agents.sharing.SharedConsumerSupply`: several producers share a job, and the grid supplies the rest.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from agents.job_lifecycle import ConsumerJob, JobNegotiation, JobOwner
from agents.messages import AnyMessage, ChangePrices, ContractVoid
from agents.model import Contract, Job, Starts
from broker.hosts import Received


class ConsumerSupply(Protocol):
    """How the jobs of a consumer are supplied.

    The consumer tells it what happens. It finds the suppliers of the jobs, keeps the contracts up to date, and reports
    to the manager what happens to them.
    """

    @property
    def follows_strategy(self) -> bool:
        """Whether the consumer's strategy, which a plug-in can replace, decides which producers a job asks first."""
        ...

    def negotiation_of(self, record: ConsumerJob) -> JobNegotiation:
        """Return a new negotiation, which finds the suppliers of a job."""
        ...

    def take(self, received: Received[AnyMessage]) -> bool:
        """Take a message about jobs; return False if it is not one."""
        ...

    def change_prices(self, prices: ChangePrices) -> None:
        """Use other prices from now on, if costs are compared."""
        ...

    def job_begun(self, job: Job) -> None:
        """Called when a real device has said that it runs a job."""
        ...

    def divide_time(self) -> None:
        """Divide the device's time among its jobs again: none of them looks for a supplier any more."""
        ...

    def take_grid_power(self, job: Job, start_s: int) -> None:
        """Adopt a contract by which the grid supplies a job, from a start in UNIX seconds on."""
        ...

    def signers_of(self, contract: Contract) -> Collection[str]:
        """Return the producers on whose promises a contract rests."""
        ...

    def withdraw(self, contract: Contract) -> None:
        """Inform the suppliers of a contract that it ends."""
        ...

    def forget_producers(self, producers: frozenset[str]) -> None:
        """Give up what lost producers have promised to jobs that have not started."""
        ...


class SupplyOwner(JobOwner, Protocol):
    """What the supply needs of its consumer, whichever it is; see `agents.consumer.Consumer`."""

    records: dict[str, ConsumerJob]

    # Contracts.

    def agree(self, job: Job, contract: Contract, movable: Starts) -> None:
        """Adopt and report a contract of `job`; its producer may move it among the starts `movable`."""
        ...

    def contract_changed(self, job_id: str) -> None:
        """Called when a job got, moved or lost its contract."""
        ...

    def remark_on(self, contract: Contract) -> str:
        """Return what the ledger says of a contract's start; empty: nothing."""
        ...

    def take_void(self, void: ContractVoid) -> None:
        """Give up a contract that the ledger does not have."""
        ...

    # Messages.

    def hears(self, producer: str, kind: str, job_id: str) -> bool:
        """Return whether a producer may send messages of a `kind` about the job `job_id`; reject others."""
        ...

    def follows(self, producer: str, job_id: str) -> bool:
        """Return whether to pass a producer's offer on to a job."""
        ...

    def reject(self, sender: str, why: str) -> None:
        """Refuse a message of a sender that was not entitled to send it."""
        ...
