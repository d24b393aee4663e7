"""The interface between the manager and its supply, by which producers supply whole jobs, or shares of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from agents.job_register import JobRegister
from agents.manager.joined_producers import JoinedProducers
from agents.manager.ledger import Ledger
from agents.messages import AnyMessage, ProducersFor
from agents.model import Contract
from broker.hosts import Agent, Received


class ManagerSupply(Protocol):
    """How jobs find producers, and how producers confirm contracts.

    `WholeManagerSupply` (`agents.whole_supply`): a producer supplies a whole job. `SharedManagerSupply`
    (`agents.sharing`): several producers share a job.
    """

    # How jobs find producers.

    def take(self, received: Received[AnyMessage]) -> bool:
        """Process a message that not all kinds of supply have; return False if this one does not know it."""
        ...

    def add_producer(self, producer: str) -> None:
        """Let jobs find a producer that takes part from now on."""
        ...

    def remove_producer(self, producer: str) -> None:
        """Stop jobs from finding a producer: it has left. It may come back, and still reports on its promises."""
        ...

    def answer(self, received: Received[AnyMessage], question: ProducersFor) -> None:
        """Answer a job's question for producers, now or when it is its turn.

        Args:
            received: The message of the job's consumer.
            question: Its content.
        """
        ...

    def stop_waiting(self, job_id: str) -> None:
        """Inform a job no more of producers: its consumer has withdrawn it."""
        ...

    def replace_prices(self, prices: Mapping[str, int | float]) -> None:
        """Use other prices from now on, EUR/kWh, by the tariff's keys."""
        ...

    def end_round(self) -> None:
        """Send what depends on all messages of a round, which have been processed."""
        ...

    # How producers confirm contracts.

    def sign(self, contract: Contract) -> str:
        """Confirm what the producers of a new contract have stated; return why not, or an empty text.

        Args:
            contract: As its consumer reports it; it is what its job is.
        """
        ...

    def confirm_end(self, contract: Contract) -> bool:
        """Return whether the producer of a contract has withdrawn from it, as its consumer reports."""
        ...

    def release(self, contract: Contract, reason: str) -> None:
        """Inform the producers of a contract that its consumer has ended it on its own initiative.

        Args:
            contract: The contract, which has ended.
            reason: Why.
        """
        ...

    def lose(self, agents: frozenset[str], contracts: Sequence[Contract]) -> None:
        """Forget lost agents.

        Args:
            agents: Their ids.
            contracts: The contracts that have ended with them. Their producers know it.
        """
        ...

    # The end of a second.

    def next_settlement_s(self) -> int | None:
        """Return when there is something to settle, UNIX seconds; None: there is nothing."""
        ...

    def settle(self, before_s: int) -> None:
        """Resolve what producers stated before a time, UNIX seconds, and consumers have not confirmed."""
        ...


MakeManagerSupply = Callable[[Agent[AnyMessage], JobRegister, JoinedProducers, Ledger], ManagerSupply]
"""Makes the supply of a manager: the agent that sends and receives, and what it keeps."""
