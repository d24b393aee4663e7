"""The manager: takes the messages of a neighbourhood, knows who takes part, and keeps the ledger.

- `JoinedProducers` knows who takes part, and the producers' scores.
- `Ledger` has the contracts.
- `ManagerSupply` is how jobs find producers, and producers confirm contracts: `agents.whole_supply.WholeManagerSupply`,
  or `agents.sharing.SharedManagerSupply`.

A contract stands when its consumer and its producers have reported the same. The producers report first, and the
consumer's report confirms theirs. Either party may end a contract that has not started.

The exchange ends with the second of virtual time. Statements of a producer that the consumer has not confirmed by then
are resolved. A consumer's report without the producer's statement is rejected immediately, because the statement would
have arrived first. Both parties are informed, so that they can look for another partner.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import structlog

from agents.job_register import JobRegister
from agents.manager.ledger import Ledger, LedgerEntry
from agents.messages import (
    AddJob,
    AnyMessage,
    ContractAgreed,
    ContractCancelled,
    DeviceSaid,
    Follow,
    Happened,
    Headroom,
    JobExecuted,
    JobWithdrawn,
    ProducerJoined,
    ProducerLeft,
    ProducersFor,
    ProductionExpected,
    ProductionMeasured,
    Promised,
    PromiseWithdrawn,
    Scored,
    ShareDeclined,
    SharePromised,
    Withdraw,
)
from agents.model import MANAGER, TIMELINE, Contract, Job
from agents.ranking import Scores
from broker.hosts import Agent, Received

log = structlog.get_logger(__name__)

REPORT_SCORES_EVERY_S = 3_600
"""Interval at which score changes that no other message shows are reported to watchers, virtual seconds; they are also
reported at the end of the run."""
_NOT_ITS_JOB = "speaks for a job that is not its own"


class JoinedProducers:
    """Producers that have joined and are not lost; those that have left may still have to end promises."""

    __slots__ = ("_joined", "_known", "scores")

    def __init__(self, known: Collection[str], scores: Mapping[str, int]) -> None:
        """Begin with none.

        Args:
            known: The producers of the neighbourhood: only these may join.
            scores: Scores from earlier simulations, by producer id.
        """
        self.scores = Scores(scores)
        """The scores of all that have ever joined, or have earlier scores; they tell who takes part at present."""
        self._known = known
        self._joined: set[str] = set()

    def __contains__(self, agent: str) -> bool:
        """Return whether an agent may report as a producer."""
        return agent in self._joined

    def may_join(self, sender: str, producer: str) -> bool:
        """Return whether a message may announce a producer: each announces itself, and is part of the neighbourhood."""
        return producer == sender and producer in self._known

    def add(self, producer: str) -> bool:
        """Let a producer take part, for the first time or again; return False if it already does."""
        if self.scores.takes_part(producer):
            return False
        self.scores.add(producer)
        self._joined.add(producer)
        return True

    def leave(self, producer: str) -> None:
        """Ask a producer no more; what it reports on its promises still counts."""
        self.scores.remove({producer})

    def lose(self, agents: Collection[str]) -> None:
        """Remove producers that are lost: they report no more."""
        self.scores.remove(agents)
        self._joined.difference_update(agents)


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


class Manager(Agent[AnyMessage]):
    """The agent that introduces producers to consumers, and keeps the ledger."""

    def __init__(
        self,
        register: JobRegister,
        supply: MakeManagerSupply,
        scores: Mapping[str, int] | None = None,
    ) -> None:
        """Create a manager.

        Args:
            register: The jobs and producers of the neighbourhood.
            supply: Makes the part in which whole and shared supply differ.
            scores: Scores from earlier simulations, by producer id.
        """
        super().__init__(MANAGER)
        self._register = register
        self._producers = JoinedProducers(register.producers, scores or {})
        self._ledger = Ledger(self, register)
        self._supply = supply(self, register, self._producers, self._ledger)
        self._scores_reported_s = 0

    @property
    def scores(self) -> Scores:
        """The producers' scores."""
        return self._producers.scores

    @property
    def ledger(self) -> Mapping[str, LedgerEntry]:
        """By contract id, in the order of agreement: contracts that both sides have reported."""
        return self._ledger.entries

    async def run(self) -> None:
        """Process the messages of each round; producers join and leave first, so that answers reflect it."""
        self.spawn(self._settle_at_the_end(), "end")
        while True:
            batch = await self.receive_round(until_s=self._supply.next_settlement_s())
            self._supply.settle(self.now_s)
            for received in sorted(batch, key=lambda r: _rank(r.message)):
                self._take(received)
            self._supply.end_round()
            if self.now_s >= self._scores_reported_s + REPORT_SCORES_EVERY_S:
                self._report_scores()

    async def _settle_at_the_end(self) -> None:
        await self.closing()
        self._supply.settle(self.now_s + 1)
        self._report_scores()

    def on_lost(self, agents: frozenset[str]) -> None:
        """Remove lost producers; mark the open contracts of lost consumers as lost."""
        self._producers.lose(agents)
        self._supply.lose(agents, self._ledger.lose(agents))

    def _take(self, received: Received[AnyMessage]) -> None:  # noqa: C901 - one case for each message
        sender = received.sender
        match received.message:
            case ProducerJoined(producer=producer):
                self._join(sender, producer)
            case ProducerLeft(producer=producer):
                self._leave(sender, producer)
            case AddJob() | Follow() | Happened() as event:
                self._take_event(sender, event)
            case ProducersFor(job_id=job_id) | Withdraw(job_id=job_id) if not self._register.owns(sender, job_id):
                self.reject(sender, _NOT_ITS_JOB)
            case ProducersFor() as question:
                self._supply.answer(received, question)
            case Withdraw(job_id=job_id):
                self._supply.stop_waiting(job_id)
            case ContractAgreed() as report:
                self._take_agreement(sender, report)
            case ContractCancelled() as report:
                self._take_cancellation(sender, report)
            case Scored() if sender == MANAGER:
                pass
            case DeviceSaid() | JobWithdrawn() | JobExecuted() | ProductionMeasured() as report:
                self._take_gateway(sender, report)
            case message:
                if not self._supply.take(received):
                    self.reject(sender, f"sends the manager {message.kind}, which is not for it")

    # Who takes part.

    def _join(self, sender: str, producer: str) -> None:
        if not self._producers.may_join(sender, producer):
            self.reject(sender, f"joins as producer {producer!r}, which it is not")
        elif self._producers.add(producer):
            self._supply.add_producer(producer)

    def _leave(self, sender: str, producer: str) -> None:
        if producer == sender:
            self._producers.leave(producer)
            self._supply.remove_producer(producer)
        else:
            self.reject(sender, f"says that {producer!r} leaves; each producer speaks for itself")

    # The scenario's timeline, and gateways of real devices.

    def _take_event(self, sender: str, message: AddJob | Follow | Happened) -> None:
        """Handle a message of the scenario's timeline; gateways of real devices may also add jobs."""
        match message:
            case AddJob(job=job):
                self._add_job(sender, job)
            case Follow(job_ids=job_ids) if sender == TIMELINE:
                self._ledger.follow(job_ids)
            case Happened(event=event) if sender == TIMELINE:
                if event.get("do") == "tariff":
                    prices = {name: price for name, price in event.items() if isinstance(price, int | float)}
                    self._supply.replace_prices(prices)
            case _:
                self.reject(sender, f"sends the manager {message.kind}, which only the timeline may")

    def _add_job(self, sender: str, job: Job) -> None:
        """Register a job that the timeline or a real device adds."""
        problem = self._register.add(sender, job, self.now_s)
        if problem:
            self.reject(sender, problem)

    def _take_gateway(self, sender: str, report: DeviceSaid | JobWithdrawn | JobExecuted | ProductionMeasured) -> None:
        if not self._register.is_gateway(sender):
            self.reject(sender, f"sends {report.kind}, but is not the gateway of a real device")
            return
        match report:
            case JobWithdrawn(job_id=job_id):
                if not self._register.owns(sender, job_id):
                    self.reject(sender, _NOT_ITS_JOB)
            case JobExecuted():
                self._ledger.record_execution(sender, report)
            case ProductionMeasured(producer=producer):
                if producer != sender:
                    self.reject(sender, f"says what {producer!r} measured; each gateway speaks for its own device")
            case DeviceSaid():
                pass  # for the record only

    # Contracts.

    def _take_agreement(self, consumer: str, report: ContractAgreed) -> None:
        contract = report.contract
        job = self._register.get(contract.job_id)
        if job is None or job.agent != consumer:
            self.reject(consumer, _NOT_ITS_JOB)
        elif problem := self._ledger.problem_with(contract, job):
            self.reject(consumer, problem)
            self._ledger.tell_void(contract, problem)
        elif reason := self._supply.sign(contract):
            log.warning("contract not confirmed", contract=contract.contract_id, consumer=consumer, reason=reason)
            self._ledger.refuse(contract, reason)
        else:
            self._ledger.agree(contract, report.reason)

    def _take_cancellation(self, consumer: str, report: ContractCancelled) -> None:
        entry = self._ledger.changeable_of(consumer, report.contract_id)
        if entry is None:
            return
        if self._supply.confirm_end(entry.contract):
            self._ledger.end(entry, report.reason)
        elif self._ledger.may_cancel(entry.contract):
            self._ledger.end(entry, report.reason)
            self._supply.release(entry.contract, report.reason)

    # Scores.

    def _report_scores(self) -> None:
        """Report to watchers the score changes of producers that were left out: no other message shows them."""
        self._scores_reported_s = self.now_s
        if left_out := self.scores.take_left_out():
            self.send(MANAGER, Scored(left_out=left_out))


_SAID_FIRST = AddJob | Headroom | ProductionExpected | Promised | PromiseWithdrawn | SharePromised | ShareDeclined


def _rank(message: AnyMessage) -> int:
    """Return a message's place in a round: joining and leaving, added jobs and producers' statements come first."""
    if isinstance(message, ProducerJoined | ProducerLeft):
        return 0
    return 1 if isinstance(message, _SAID_FIRST) else 2
