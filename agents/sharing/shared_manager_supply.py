"""Shared supply: a contract stands when its consumer and each of its producers have signed.

Each share is signed by its producer (`SharePromised`) and, with the contract, by the consumer (`ContractAgreed`,
`SharesAmended`). As with whole jobs the producer reports first, and open statements are resolved at the end of the
second: a share that its consumer has not included in the contract is void, and a contract ends if its producer has
since reported another share.

Jobs find producers on the board (`agents.sharing.board`), which shows what each has left; `BoardTurns` says when a job
reads it, and `SignedShares` knows who supplies which job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from agents.job_register import JobRegister
from agents.manager import JoinedProducers, Ledger, LedgerEntry
from agents.messages import (
    NOT_REGISTERED,
    AnyMessage,
    ContractAmended,
    Declined,
    Headroom,
    ProducersFor,
    ProductionExpected,
    Promised,
    PromiseWithdrawn,
    ShareDeclined,
    SharePromised,
    SharesAmended,
)
from agents.model import Contract
from agents.ranking import Places
from agents.shares import MAX_MINUTES, MINUTE_S, unpacked
from agents.sharing.board import EnergyBoard
from agents.sharing.board_turns import BoardTurns
from agents.sharing.job_offers import JobOffers
from agents.sharing.job_supply import NEARLY_COVERED
from agents.sharing.signed_shares import SignedShares, shares_by_producer
from agents.sharing.supply_settings import SupplySettings
from broker.hosts import Agent, Received

log = structlog.get_logger(__name__)


class SharedManagerSupply:
    """The manager's part where producers share jobs, minute by minute; see `agents.manager.ManagerSupply`."""

    def __init__(
        self,
        manager: Agent[AnyMessage],
        register: JobRegister,
        producers: JoinedProducers,
        ledger: Ledger,
        places: Places | None = None,
        supply: SupplySettings | None = None,
    ) -> None:
        """Begin a run.

        Args:
            manager: The agent that sends and receives the messages.
            register: The jobs of the neighbourhood.
            producers: Those that take part.
            ledger: The contracts.
            places: Where consumers and producers are; None: unknown.
            supply: The preferences of all jobs; None: the default.
        """
        self._manager = manager
        self._register = register
        self._producers = producers
        self._ledger = ledger
        self._board = EnergyBoard()
        self._shares = SignedShares(manager, producers.scores, self._board)
        self._offers = JobOffers(producers.scores, self._board, self._shares, (places or Places()).house_of)
        # If cost comes first, all jobs are informed, because covered jobs may still get cheaper energy.
        cost_first = supply is not None and supply.puts_cost_first
        least_lacking = -1.0 if cost_first else 1.0 - NEARLY_COVERED
        self._turns = BoardTurns(manager, register, ledger, self._board, self._shares, self._offers, least_lacking)

    # How jobs find producers.

    def take(self, received: Received[AnyMessage]) -> bool:
        """See `ManagerSupply.take`."""
        sender = received.sender
        match received.message:
            case SharePromised() as promise:
                self._take_share(sender, promise)
            case ShareDeclined() as decline:
                self._take_decline(sender, decline)
            case ProductionExpected() as expected:
                self._take_forecast(sender, expected)
            case SharesAmended() as report:
                self._take_amendment(sender, report)
            case (Promised() | PromiseWithdrawn() | Declined() | ContractAmended() | Headroom()) as message:
                self._manager.reject(sender, f"sends {message.kind}, and this neighbourhood shares its supply")
            case _:
                return False
        return True

    def add_producer(self, producer: str) -> None:  # noqa: ARG002 - jobs learn of it with its forecast
        """See `ManagerSupply.add_producer`; jobs find it once it has reported what it expects to produce."""
        self._offers.take_newcomer()

    def remove_producer(self, producer: str) -> None:
        """Remove the energy of a producer that has left from the board."""
        if producer in self._producers.scores.number_of:
            self._board.forget(self._producers.scores.number_of[producer])

    def answer(self, received: Received[AnyMessage], question: ProducersFor) -> None:
        """Let the job read the board when it is its turn; see `ManagerSupply.answer`."""
        self._turns.ask(received, question)

    def stop_waiting(self, job_id: str) -> None:
        """See `ManagerSupply.stop_waiting`."""
        self._turns.stop_waiting(job_id)

    def replace_prices(self, prices: Mapping[str, int | float]) -> None:
        """Nothing to do: consumers compare the prices of what they are offered."""

    def end_round(self) -> None:
        """Pass on the answers of this round, and let a job read the board."""
        self._turns.end_round()

    # What producers state.

    def _take_forecast(self, producer: str, expected: ProductionExpected) -> None:
        now_minute = self._manager.now_s // MINUTE_S
        first, end = expected.first_minute, expected.first_minute + sum(count for count, _ in expected.minutes_mwh)
        if producer not in self._producers:
            self._manager.reject(producer, f"sends {expected.kind}, but is not a producer that has joined")
        elif not now_minute <= first <= end <= now_minute + MAX_MINUTES:
            self._manager.reject(producer, f"expects production from minute {first} on, outside of the next year")
        elif self._producers.scores.takes_part(producer):
            self._board.expect(self._producers.scores.number_of[producer], first, expected.minutes_mwh)
            self._turns.take_forecast()

    def _take_share(self, producer: str, promise: SharePromised) -> None:
        job = self._register.get(promise.job_id)
        if producer not in self._producers:
            self._manager.reject(producer, f"sends {promise.kind}, but is not a producer that has joined")
        elif job is None or promise.digest != self._register.digest(promise.job_id):
            # Its consumer has invented the job, or described it as it is not: that is not the producer's fault.
            self._shares.tell_void(producer, promise.job_id, NOT_REGISTERED)
        else:
            problem = self._shares.promise(producer, job, promise)
            if problem:
                self._manager.reject(producer, problem)
                self._shares.tell_void(producer, promise.job_id, problem)
            if promise.is_answer:
                self._turns.take_answer(promise.job_id, producer, is_promised=not problem)

    def _take_decline(self, producer: str, decline: ShareDeclined) -> None:
        if producer not in self._producers:
            self._manager.reject(producer, f"sends {decline.kind}, but is not a producer that has joined")
        elif self._register.owns(decline.consumer, decline.job_id):
            self._turns.take_answer(decline.job_id, producer, is_promised=False)

    # What consumers confirm.

    def sign(self, contract: Contract) -> str:
        """See `ManagerSupply.sign`: each producer has promised its share."""
        problem = self._shares.sign(contract, self._ledger.job_of(contract))
        if not problem:
            self._turns.take_coverage(contract.job_id)
            for producer in contract.producers:
                self._producers.scores.accepted(producer, contract.job_id)
        return problem

    def _take_amendment(self, consumer: str, report: SharesAmended) -> None:
        contract = report.contract
        entry = self._ledger.standing_of(consumer, contract.contract_id)
        if entry is None:
            return
        problem = self._problem_with_amendment(entry.contract, contract)
        if problem:
            self._manager.reject(consumer, problem)
        problem = problem or self.sign(contract)
        if not problem:
            self._ledger.amend(entry, contract, report.reason)
            return
        log.warning("amendment not confirmed", contract=contract.contract_id, consumer=consumer, reason=problem)
        if entry.contract.start_s > self._manager.now_s:
            self._end(entry, problem)

    def _problem_with_amendment(self, before: Contract, after: Contract) -> str:
        """Return the problem of an amendment that does not depend on its producers' statements; empty: none."""
        job, now_s = self._ledger.job_of(before), self._manager.now_s
        kept = {"start_s": after.start_s, "producer": after.producer, "shares": after.shares}
        if before.model_copy(update=kept) != after:
            return f"changes more than the start and the shares of contract {before.contract_id!r}"
        if before.start_s <= now_s:
            if after.start_s != before.start_s:
                return f"moves contract {before.contract_id!r}, whose job has started"
            passed = now_s // 60 - before.start_s // 60
            had, has = shares_by_producer(before, job), shares_by_producer(after, job)
            for producer in had.keys() | has.keys():
                if (unpacked(had.get(producer, ()), passed) != unpacked(has.get(producer, ()), passed)).any():
                    return f"changes minutes of contract {before.contract_id!r} that have passed"
        elif not job.may_start_at(after.start_s, now_s):
            return f"reports a start of job {after.job_id!r} at {after.start_s}, outside its window"
        return ""

    def confirm_end(self, contract: Contract) -> bool:  # noqa: ARG002 - as for every contract
        """Return False: producers change their shares, and do not end contracts."""
        return False

    def release(self, contract: Contract, reason: str) -> None:  # noqa: ARG002 - they learn that it is not needed
        """Inform the producers at the end of the second, unless they report by then that they give nothing."""
        self._shares.drop(contract.job_id)
        self._turns.take_coverage(contract.job_id)

    def lose(self, agents: frozenset[str], contracts: Sequence[Contract]) -> None:
        """See `ManagerSupply.lose`; the energy of lost consumers is free again, and that of lost producers is gone."""
        self._shares.lose(agents, [contract.job_id for contract in contracts])
        for producer in agents:
            self.remove_producer(producer)
        self._turns.lose(agents)

    # The end of a second.

    def next_settlement_s(self) -> int | None:
        """See `ManagerSupply.next_settlement_s`."""
        first_s = self._shares.first_s
        return None if first_s is None else first_s + 1

    def settle(self, before_s: int) -> None:
        """See `ManagerSupply.settle`: a share in no contract is void; one that differs from its contract ends it."""
        for unconfirmed in self._shares.take_unconfirmed(before_s):
            job_id, producer, last = unconfirmed.job_id, unconfirmed.producer, unconfirmed.statement
            entry, signed = self._ledger.standing(job_id), self._shares.signed_by(job_id, producer)
            if entry is None or signed is None:
                if last.runs:
                    self._shares.tell_void(producer, job_id, "its consumer has not confirmed it")
            elif last != signed and entry.contract.start_s > self._manager.now_s:
                self._end(entry, f"its consumer has not confirmed the new share of {producer!r}")
        self._shares.tell_of_dropped(before_s)

    def _end(self, entry: LedgerEntry, reason: str) -> None:
        """Cancel a contract, and inform all its parties."""
        self._ledger.end(entry, reason)
        self._ledger.tell_void(entry.contract, reason)
        self._shares.void(entry.contract.job_id, reason)
        self._turns.take_coverage(entry.contract.job_id)
