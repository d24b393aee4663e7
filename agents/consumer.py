"""A consumer device: finds a supplier for each of its jobs, and holds the job's side of the contract.

A job asks the producers in the order of their scores until one accepts. When none does, a patient job waits: the
producers that declined tell it when something changed, the manager tells it of producers that join. At its latest
start it runs on grid power. Whatever happens to a contract before its job starts, the consumer reports to the manager,
in the order in which it happened: so the ledger has one source for each job.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from agents.messages import (
    Accept,
    Amend,
    AnyMessage,
    Cancel,
    ContractAgreed,
    ContractAmended,
    ContractCancelled,
    Decline,
    Declined,
    Opening,
    Producers,
    ProducersFor,
    Request,
    Withdraw,
)
from agents.model import GRID, MANAGER, Contract, Job
from broker.agent import Agent, AgentLostError, Box, TimeUp
from broker.post import Received

log = structlog.get_logger(__name__)


class _RunEnds:
    """Left in every job's box when the run's end is reached."""


@dataclass(frozen=True, slots=True)
class _Lost:
    """Left in every job's box when agents are gone for good."""

    agents: frozenset[str]


Event = Received[AnyMessage] | _RunEnds | _Lost


class Consumer(Agent[AnyMessage]):
    """The agent of one consumer device."""

    def __init__(self, agent_id: str, jobs: Sequence[Job], *, patient: bool) -> None:
        """Make a consumer.

        Args:
            agent_id: See `agents.model.consumer_agent`.
            jobs: All jobs of the device; each is known to the neighbourhood from its registration on.
            patient: Whether a job that nobody can serve waits until its latest start before it takes grid power.
        """
        super().__init__(agent_id)
        self.jobs = tuple(jobs)
        self.contracts: dict[str, Contract] = {}
        """The contract that stands for each job, by job id: the consumer's side of the ledger."""
        self._patient = patient
        self._boxes: dict[str, Box[Event]] = {job.job_id: self.box() for job in jobs}

    async def run(self) -> None:
        """Serve each job; hand each message to the job that it is about."""
        for job in self.jobs:
            self.spawn(_JobRun(self, job, self._boxes[job.job_id], patient=self._patient).serve(), job.job_id)
        self.spawn(self._end_jobs(), "end")
        while True:
            received = await self.receive()
            match received.message:
                case Amend(job_id=job_id) | Cancel(job_id=job_id) | Opening(job_id=job_id) | Producers(job_id=job_id):
                    if job_id in self._boxes:
                        self._boxes[job_id].put(received)
                case _:
                    log.warning("not understood", agent=self.id, sender=received.sender, kind=received.message.kind)

    def lost(self, agents: frozenset[str]) -> None:
        """Let each job that has a contract with one of them look for another supplier."""
        for box in self._boxes.values():
            box.put(_Lost(agents))

    async def _end_jobs(self) -> None:
        await self.closing()
        for box in self._boxes.values():
            box.put(_RunEnds())


class _JobRun:
    """One job from its registration to its end."""

    def __init__(self, agent: Consumer, job: Job, box: Box[Event], *, patient: bool) -> None:
        self._agent = agent
        self._job = job
        self._box = box
        self._patient = patient
        self._contracts = 0
        self._asked: list[str] = []

    async def serve(self) -> None:
        """Find a supplier, again when it is lost, until the job starts; then let it run."""
        await self._agent.until(self._job.registered_s)
        contract = await self._find_supplier()
        while await self._is_lost_before_start(contract):
            contract = await self._find_supplier()
        await self._agent.until(self._agent.contracts[self._job.job_id].start_s + self._job.duration_s)

    async def _find_supplier(self) -> Contract:
        return await self._negotiate() or await self._wait_for_supplier() or self._take_grid_power()

    async def _negotiate(self) -> Contract | None:
        """Ask all producers there are, those that join meanwhile too."""
        self._asked = []
        while True:
            question = ProducersFor(job_id=self._job.job_id, asked=tuple(self._asked))
            answer = await self._agent.ask(MANAGER, question)
            if not isinstance(answer, Producers) or not answer.producers:
                return None
            contract = await self._ask_each(answer.producers)
            if contract is not None:
                return contract

    async def _ask_each(self, producers: Sequence[str]) -> Contract | None:
        job = self._job
        for producer in producers:
            if producer not in self._asked:
                self._asked.append(producer)
            match await self._answer_of(producer):
                case Accept(job_id=job.job_id, start_s=start_s) if self._is_possible(start_s):
                    self._withdraw(but=producer)
                    return self._agree(producer, start_s)
                case Decline():
                    pass
                case None:
                    continue
                case reply:
                    log.warning("reply breaks the protocol", agent=self._agent.id, sender=producer, reply=str(reply))
                    self._agent.send(producer, Withdraw(job_id=job.job_id))
            self._agent.send(MANAGER, Declined(job_id=job.job_id, producer=producer))
        return None

    async def _answer_of(self, producer: str) -> AnyMessage | None:
        try:
            return await self._agent.ask(producer, Request(job=self._job.as_sent, patient=self._patient))
        except AgentLostError:
            return None

    def _is_possible(self, start_s: int) -> bool:
        return max(self._job.earliest_start_s, self._agent.now_s) <= start_s <= self._job.latest_start_s

    async def _wait_for_supplier(self) -> Contract | None:
        """Wait for an opening until the latest start; an impatient job does not wait."""
        job = self._job
        while self._patient:
            event = await self._box.get(until_s=job.latest_start_s)
            if isinstance(event, TimeUp | _RunEnds):
                break
            if isinstance(event, _Lost):
                continue
            match event.message:
                case Opening():
                    contract = await self._ask_each((event.sender,))
                case Producers(producers=producers):
                    contract = await self._ask_each(producers)
                case _:
                    contract = None
            if contract is not None:
                return contract
        return None

    def _take_grid_power(self) -> Contract:
        self._withdraw()
        job = self._job
        return self._agree(GRID, job.latest_start_s if self._patient else max(job.earliest_start_s, self._agent.now_s))

    async def _is_lost_before_start(self, contract: Contract) -> bool:
        """Keep a contract until its job starts; return True when the producer cancels it before."""
        while True:
            event = await self._box.get(until_s=contract.start_s)
            if isinstance(event, TimeUp | _RunEnds):
                return False
            if isinstance(event, _Lost):
                if contract.producer in event.agents:
                    self._cancelled(contract, "its household is lost")
                    return True
                continue
            if event.sender != contract.producer:
                continue
            match event.message:
                case Amend(start_s=start_s) if self._is_possible(start_s):
                    contract = contract.model_copy(update={"start_s": start_s})
                    self._agent.contracts[self._job.job_id] = contract
                    self._agent.send(MANAGER, ContractAmended(contract_id=contract.contract_id, start_s=start_s))
                case Cancel(reason=reason):
                    self._cancelled(contract, reason)
                    return True

    def _cancelled(self, contract: Contract, reason: str) -> None:
        del self._agent.contracts[self._job.job_id]
        self._agent.send(MANAGER, ContractCancelled(contract_id=contract.contract_id, reason=reason))

    def _agree(self, producer: str, start_s: int) -> Contract:
        self._contracts += 1
        contract = Contract(
            contract_id=f"{self._job.job_id}/{self._contracts}",
            job_id=self._job.job_id,
            producer=producer,
            start_s=start_s,
            agreed_s=self._agent.now_s,
            energy_wh=self._job.energy_wh,
        )
        self._agent.contracts[self._job.job_id] = contract
        self._agent.send(MANAGER, ContractAgreed(contract=contract))
        return contract

    def _withdraw(self, but: str | None = None) -> None:
        """Tell those who keep the job in mind that it needs nothing any more."""
        if self._patient:
            for listener in (*self._asked, MANAGER):
                if listener != but:
                    self._agent.send(listener, Withdraw(job_id=self._job.job_id))
