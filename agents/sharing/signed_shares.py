"""The shares of jobs that producers have promised, and that consumers have signed with their contracts.

The producer reports first (`SharePromised`); a share is signed when the job's consumer includes it in its contract. The
end of the second resolves what only one of them has said: a share that no contract includes is void, and a producer
whose share a contract no longer includes is informed, unless it reported that itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from agents.energy import IntArray
from agents.job_register import RegisteredJob
from agents.manager import Unconfirmed, UnconfirmedStatements
from agents.messages import MAX_REASON_CHARACTERS, AnyMessage, SharePromised, ShareVoid
from agents.model import GRID, SHARED, Contract
from agents.ranking import Scores
from agents.shares import load_mwh, packed, unpacked
from agents.sharing.board import EnergyBoard
from broker.hosts import Agent

Runs = tuple[tuple[int, int], ...]
"""Energy by the minute, mWh, run-length encoded."""


@dataclass(frozen=True, slots=True)
class SignedShare:
    """A producer's share of a job, as it states it and a consumer confirms it."""

    start_s: int
    """The job's start, UNIX seconds."""
    runs: Runs
    """Energy by the minute, mWh, run-length encoded; empty: none."""


class SignedShares:
    """Who supplies which job: shares that producers have promised, that both have signed, and that are dropped."""

    def __init__(self, manager: Agent[AnyMessage], scores: Scores, board: EnergyBoard) -> None:
        """Begin without shares.

        Args:
            manager: The agent that informs producers.
            scores: The numbers of the producers.
            board: Shows promised shares as taken.
        """
        self._manager = manager
        self._scores = scores
        self._board = board
        self._promised: UnconfirmedStatements[SignedShare] = UnconfirmedStatements()
        self._signed: dict[str, dict[str, SignedShare]] = {}
        """By job and producer, the share that both have signed."""
        self._dropped: dict[tuple[str, str], int] = {}
        """By job and producer, when a consumer took a share out of its contract and its producer had not said so."""

    # Who supplies a job.

    def suppliers(self, job_id: str) -> tuple[str, ...]:
        """Return the producers that have signed for a job, in the order of its contract."""
        return tuple(self._signed.get(job_id, ()))

    def signed_by(self, job_id: str, producer: str) -> SignedShare | None:
        """Return the share of a job that a producer has signed; None: it has signed none."""
        return self._signed.get(job_id, {}).get(producer)

    def covered_mwh(self, job_id: str) -> int:
        """Return how much of a job its signed shares cover, mWh."""
        shares = self._signed.get(job_id, {}).values()
        return sum(minutes * mwh for share in shares for minutes, mwh in share.runs)

    # What producers promise, and consumers sign.

    def promise(self, producer: str, job: RegisteredJob, promise: SharePromised) -> str:
        """Take a producer's statement; return its problem, empty if it is valid.

        Args:
            producer: The sender.
            job: The job that it names.
            promise: Its share from now on; without minutes: it has none.
        """
        key = promise.job_id, producer
        if promise.consumer != job.agent:
            return f"promises job {promise.job_id!r} to {promise.consumer!r}, whose job it is not"
        if not promise.minutes_mwh:
            self._dropped.pop(key, None)
            if not self._promised.has_any(*key) and self.signed_by(*key) is None:
                self._free(producer, promise.job_id)  # its contract has done without the share before
                return ""
        elif not job.earliest_start_s <= promise.start_s <= job.latest_start_s:
            return f"promises job {promise.job_id!r} a start at {promise.start_s}, outside its window"
        self._promised.add(*key, self._manager.now_s, SignedShare(promise.start_s, promise.minutes_mwh))
        self._board.promise(self._scores.number_of[producer], promise.job_id, promise.start_s, promise.minutes_mwh)
        return ""

    def sign(self, contract: Contract, job: RegisteredJob) -> str:
        """Sign the shares of a contract, instead of earlier ones; return why this is impossible, or an empty text.

        Args:
            contract: The contract from now on.
            job: Its job.
        """
        shares = shares_by_producer(contract, job)
        drawn = load_mwh(job.sent.load_profile, contract.start_s)
        given = sum((unpacked(runs, len(drawn)) for runs in shares.values()), start=drawn * 0)
        if any(len(unpacked(runs)) > len(drawn) for runs in shares.values()) or (given > drawn).any():
            return "its shares give more than the job draws"
        job_id, signed = contract.job_id, self._signed.get(contract.job_id, {})
        wanted = {producer: SignedShare(contract.start_s, runs) for producer, runs in shares.items()}
        for producer, share in wanted.items():
            if signed.get(producer) != share and not self._promised.has(job_id, producer, share):
                return f"{producer!r} has not promised its share"
        for producer in [one for one in signed if one not in wanted]:  # in order: a set's depends on the process
            self._drop(job_id, producer)
        for producer, share in wanted.items():
            self._promised.confirm(job_id, producer, share)
        self._signed[job_id] = wanted
        return ""

    # The end of a contract.

    def drop(self, job_id: str) -> None:
        """Note that a consumer has ended a contract; its producers are informed at the end of the second."""
        for producer in self._signed.pop(job_id, {}):
            self._drop(job_id, producer)

    def _drop(self, job_id: str, producer: str) -> None:
        """Record that a share is no longer in a contract, and inform its producer unless it reported that itself."""
        last = self._promised.take(job_id, producer)
        if last is None or last.runs:
            self._dropped[job_id, producer] = self._manager.now_s

    def void(self, job_id: str, reason: str) -> None:
        """End the shares of a contract that has ended, and inform their producers.

        Args:
            job_id: The job.
            reason: Why.
        """
        for producer in self._signed.pop(job_id, {}):
            self.tell_void(producer, job_id, reason)

    def lose(self, agents: Collection[str], job_ids: Iterable[str]) -> None:
        """Forget lost producers, and the shares of lost consumers, whose producers know it.

        Args:
            agents: The ids of lost agents.
            job_ids: The jobs whose contracts have ended with their consumers.
        """
        for job_id in job_ids:
            for producer in self._signed.pop(job_id, {}):
                self._free(producer, job_id)
        self._promised.forget(agents)
        self._dropped = {key: at_s for key, at_s in self._dropped.items() if key[1] not in agents}

    def forget(self, job_id: str) -> None:
        """Forget who signed for a job that has ended: the ledger has the shares."""
        self._signed.pop(job_id, None)

    def jobs(self) -> tuple[str, ...]:
        """Return the jobs whose contracts are signed, also those that only the grid supplies."""
        return tuple(self._signed)

    # The end of a second.

    @property
    def first_s(self) -> int | None:
        """When the oldest thing was said that the end of a second resolves, UNIX seconds; None: there is none."""
        first_s = min(self._dropped.values(), default=None)
        if self._promised.first_s is not None:
            first_s = self._promised.first_s if first_s is None else min(first_s, self._promised.first_s)
        return first_s

    def take_unconfirmed(self, before_s: int) -> list[Unconfirmed[SignedShare]]:
        """Remove and return the promises that are older than a time, UNIX seconds, and in no contract."""
        return self._promised.take_older(before_s)

    def tell_of_dropped(self, before_s: int) -> None:
        """Inform producers whose shares were dropped before a time, UNIX seconds."""
        for (job_id, producer), at_s in list(self._dropped.items()):
            if at_s < before_s:
                del self._dropped[job_id, producer]
                self.tell_void(producer, job_id, "its consumer no longer needs the share")

    def tell_void(self, producer: str, job_id: str, reason: str) -> None:
        """Inform a producer that its share is void: the energy is free again.

        Args:
            producer: The producer.
            job_id: The job.
            reason: Why.
        """
        self._free(producer, job_id)
        self._manager.send(producer, ShareVoid(job_id=job_id, reason=reason[:MAX_REASON_CHARACTERS]))

    def _free(self, producer: str, job_id: str) -> None:
        """Show on the board that a producer's share of a job is free again."""
        if producer in self._scores.number_of:
            self._board.promise(self._scores.number_of[producer], job_id, 0, ())


def shares_by_producer(contract: Contract, job: RegisteredJob) -> Mapping[str, Runs]:
    """Return what each producer gives by a contract, in runs."""
    if contract.producer == SHARED:
        return {share.producer: share.minutes_mwh for share in contract.shares}
    if contract.producer == GRID:
        return {}
    everything: IntArray = load_mwh(job.sent.load_profile, contract.start_s)
    return {contract.producer: packed(everything)}
