"""A manager with shared supply: a contract stands when its consumer and each of its producers have signed.

Each share is signed by its producer (`SharePromised`) and, with the contract, by the consumer (`ContractAgreed`,
`SharesAmended`). As with whole jobs the producer reports first, and open statements are resolved at the end of the
second: a share that its consumer has not included in the contract is void, and a contract ends if its producer has
since reported another share.

The manager also keeps the board (`agents.sharing.board`), from which jobs learn what producers have left, and passes on
to a job's consumer what producers answer to its reservations: all answers of a round in one message. So a consumer
learns of a promise only after it has been reported for the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from agents.energy import IntArray
from agents.headroom import Need
from agents.job_register import JobRegister, RegisteredJob
from agents.manager import MAX_UNCONFIRMED, LedgerEntry, LedgerEvent, Manager, Party, UnconfirmedStatements, continued
from agents.messages import (
    MAX_OFFERS,
    MAX_REASON_CHARACTERS,
    NOT_REGISTERED,
    AnyMessage,
    ContractAmended,
    Headroom,
    Offer,
    Offered,
    ProducersFor,
    ProductionExpected,
    Promised,
    PromiseWithdrawn,
    ShareDeclined,
    SharePromised,
    SharesAmended,
    SharesAnswered,
    ShareVoid,
    Withdraw,
)
from agents.model import GRID, SHARED, Contract
from agents.ranking import Places
from agents.shares import MAX_MINUTES, MAX_SHARES, MINUTE_S, load_mwh, packed, unpacked
from agents.sharing.board import MAX_RUNS_OF_OFFER, PAST_KEPT_MINUTES, EnergyBoard, most_mwh
from agents.sharing.supply_preferences import SupplySettings
from agents.sharing.undersupplied_jobs import UndersuppliedJobs
from broker.hosts import Received

MOST_OFFERS = 12
"""Maximum number of producers in an offer, besides those of the job's household and those that supply it."""
MOST_RUNS_OF_OFFERS = MOST_OFFERS * MAX_RUNS_OF_OFFER
"""Maximum number of runs in all offers of a message: a job with a hundred suppliers sees less detail of each."""
ROUNDS_OF_TURN = 3
"""Rounds until a job's reservations are on the board: the job receives offers, reserves, and producers report."""
MAX_TO_MAKE_ROOM = 4
"""Jobs learn what others could give up only where at most this many producers take part. With more, several of them
would have to make room at the same time: on a hundred houses with forty roofs and a demand of 1.5 times the production,
a fifth of all messages were about room, without an effect on coverage."""
SUPPLY_EVENTS = frozenset({"agreed", "amended"})
"""Events of a contract's history that say who supplies the job from then on."""
LEAST_LEFT = 0.02
"""Other producers are named only if they have at least this share of the job's energy left in its window."""
NEARLY_COVERED = 0.99
"""A job of which this share is covered learns of no additional energy and does not move."""

log = structlog.get_logger(__name__)

Runs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _SignedShare:
    """A producer's share of a job, as it states it and a consumer confirms it."""

    start_s: int
    """The job's start, UNIX seconds."""
    runs: Runs
    """Energy by the minute, mWh, run-length encoded; empty: none."""


class _Answers:
    """What producers have answered to a job's reservations in a round: each once, its first answer."""

    def __init__(self) -> None:
        self._is_promised: dict[str, bool] = {}

    def add(self, producer: str, *, is_promised: bool) -> None:
        """Take a producer's answer; a job reserves with at most `MAX_SHARES` producers."""
        if len(self._is_promised) < MAX_SHARES:
            self._is_promised.setdefault(producer, is_promised)

    @property
    def promised(self) -> tuple[str, ...]:
        """Producers that have promised, in the order of their answers."""
        return tuple(producer for producer, is_promised in self._is_promised.items() if is_promised)

    @property
    def declined(self) -> tuple[str, ...]:
        """Producers that have declined, in the order of their answers."""
        return tuple(producer for producer, is_promised in self._is_promised.items() if not is_promised)


class SharedManager(Manager):
    """The manager of a neighbourhood that shares its supply."""

    def __init__(
        self,
        register: JobRegister,
        scores: Mapping[str, int] | None = None,
        places: Places | None = None,
        supply: SupplySettings | None = None,
    ) -> None:
        """Create a manager; see `Manager`.

        Args:
            register: The jobs and producers of the neighbourhood.
            scores: Scores from earlier simulations, by producer id.
            places: Where consumers and producers are; None: unknown.
            supply: The preferences of all jobs; None: the default.
        """
        super().__init__(register, scores, places=places)
        cost_first = supply is not None and supply.puts_cost_first
        self._least_lacking = -1.0 if cost_first else 1.0 - NEARLY_COVERED
        """Jobs that lack at most this share of their energy are not informed. If cost comes first, all jobs are
        informed, because covered jobs may still get cheaper energy."""
        self._energy = EnergyBoard()
        self._undersupplied = UndersuppliedJobs()
        self._own: dict[str, frozenset[int]] = {}
        """By house, the numbers of its producers."""
        self._answers: dict[str, _Answers] = {}
        """By job, the answers of this round."""
        self._questions: dict[str, tuple[Received[AnyMessage], ProducersFor]] = {}
        """Jobs that wait for their turn to read the board, each with its question, in the order of those."""
        self._next_turn = 0
        """The step from which on the next job may read the board."""
        self._is_informing = False
        """Whether any job has been informed of the present additional energy."""
        self._is_waking = False
        """Whether a coroutine waits for the next turn."""
        self._shares: UnconfirmedStatements[_SignedShare] = UnconfirmedStatements()
        self._signed: dict[str, dict[str, _SignedShare]] = {}
        """By job and producer, the share that both have signed."""
        self._dropped: dict[tuple[str, str], int] = {}
        """By job and producer, when a consumer took a share out of its contract and its producer had not said so."""

    def on_lost(self, agents: frozenset[str]) -> None:
        """See `Manager.on_lost`; nothing is settled with lost producers."""
        super().on_lost(agents)
        for producer in agents:
            if producer in self.scores.number_of:
                self._energy.forget(self.scores.number_of[producer])
        self._undersupplied.remove_of(agents)
        self._shares.forget(agents)
        self._dropped = {key: at_s for key, at_s in self._dropped.items() if key[1] not in agents}

    def _take(self, received: Received[AnyMessage]) -> None:
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
            case Withdraw(job_id=job_id) if self._register.owns(sender, job_id):
                self._undersupplied.remove(job_id)
            case Promised() | PromiseWithdrawn() | ContractAmended() | Headroom() as message:
                self.reject(sender, f"sends a {message.kind}, and this neighbourhood shares its supply")
            case _:
                super()._take(received)

    # The board.

    def _name_producers(self, received: Received[AnyMessage], question: ProducersFor) -> None:
        """Let a job read the board when it is its turn."""
        if question.job_id in self._questions:
            self.reject(received.sender, f"asks for job {question.job_id!r} again before it is answered")
        else:
            self._questions[question.job_id] = (received, question)

    def _offer_to(self, received: Received[AnyMessage], question: ProducersFor) -> None:
        job = self._register.get(question.job_id)
        assert job is not None  # noqa: S101 - the sender owns it
        need = job.need(question.first_start_s, question.last_start_s, self.now_s)
        self._undersupplied.add(question.job_id, received.sender, need)
        self._undersupplied.mark_informed(question.job_id)
        first_minute, offers = self._offers(question.job_id, job, need, frozenset(question.asked))
        self.reply(received, Offered(job_id=question.job_id, first_minute=first_minute, offers=offers))

    def _offers(
        self, job_id: str, job: RegisteredJob, need: Need, but: frozenset[str] = frozenset()
    ) -> tuple[int, tuple[Offer, ...]]:
        """Return the minute with which a job's offers begin, and the offers, best first.

        Args:
            job_id: The job.
            job: The same.
            need: When it can run.
            but: Producers that it does not trust.
        """
        number_of, ids = self.scores.number_of, self.scores.ids
        numbers = (
            [n for n in self.scores.ranked().tolist() if ids[n] not in but] if but else self.scores.ranked().tolist()
        )
        supplying = [number_of[p] for p in self._signed.get(job_id, {}) if p not in but]
        first = self._own_of(job) | frozenset(supplying)
        most = min(MOST_OFFERS + len(first), MAX_OFFERS)
        order = self._energy.ranked(numbers, need, first, LEAST_LEFT * job.sent_energy_wh, most)
        first_minute = need.begin_s // MINUTE_S
        minutes = max(1, -(-need.end_s // MINUTE_S) - first_minute)
        most_runs = min(MAX_RUNS_OF_OFFER, MOST_RUNS_OF_OFFERS // max(1, len(order)))
        in_minute_mwh = most_mwh(job.sent)
        movable_after_s = self.now_s if len(numbers) <= MAX_TO_MAKE_ROOM else None
        if movable_after_s is not None:  # those that have nothing left, too: others may make room there
            order += [n for n in numbers if n not in order and self._energy.knows(n)]
        offers = []
        for number in order:
            left, movable = self._energy.offer(
                number, job_id, first_minute, minutes, in_minute_mwh, movable_after_s, most_runs
            )
            if left or movable:
                offers.append(Offer(producer=ids[number], minutes_mwh=left, movable_mwh=movable))
        return first_minute, tuple(offers)

    def _own_of(self, job: RegisteredJob) -> frozenset[int]:
        """Return the numbers of the producers of a job's household."""
        own = self._own.get(job.house)
        if own is None:
            house_of = self._places.house_of
            own = frozenset(n for producer, n in self.scores.number_of.items() if house_of.get(producer) == job.house)
            self._own[job.house] = own
        return own

    def _note_contract(self, job_id: str) -> None:
        """Keep the job waiting: until it has run, there may be energy that covers more of it."""

    def _join(self, sender: str, producer: str) -> None:
        """Take a producer; jobs learn of it once it has said what it expects to produce."""
        if producer != sender or producer not in self._register.producers:
            self.reject(sender, f"joins as producer {producer!r}, which it is not")
        else:
            self.scores.add(producer)
            self._joined.add(producer)
            self._own.clear()

    def _leave(self, sender: str, producer: str) -> None:
        super()._leave(sender, producer)
        if producer == sender and producer in self.scores.number_of:
            self._energy.forget(self.scores.number_of[producer])

    def _take_forecast(self, sender: str, expected: ProductionExpected) -> None:
        now_minute = self.now_s // MINUTE_S
        minutes = sum(count for count, _ in expected.minutes_mwh)
        if sender not in self._joined:
            self.reject(sender, f"sends a {expected.kind}, but is not a producer that has joined")
        elif not now_minute <= expected.first_minute <= expected.first_minute + minutes <= now_minute + MAX_MINUTES:
            self.reject(sender, f"expects production from minute {expected.first_minute} on, outside of the next year")
        elif self.scores.takes_part(sender):
            self._energy.expect(self.scores.number_of[sender], expected.first_minute, expected.minutes_mwh)
            self._undersupplied.forget_news()

    def _tell_of_risen(self) -> None:
        """Pass on the answers of this round; then a job may read the board, or is informed of more energy."""
        for job_id, answers in self._answers.items():
            self._pass_on(job_id, answers)
        self._answers = {}
        self._give_turn()

    def _give_turn(self) -> None:
        """Let the next job read the board, one at a time: the next one sees what the first has left.

        Jobs that ask come first, in the order in which they asked; then, as long as there is more energy than jobs know
        of, those that could use it.
        """
        if self.step < self._next_turn:
            has_more = True
        else:
            has_more = self._let_next_read()
            if has_more:
                self._next_turn = self.step + ROUNDS_OF_TURN
        if has_more and not self._is_waking:
            self._is_waking = True
            self.spawn(self._wake_for_turns(), "turns")

    async def _wake_for_turns(self) -> None:
        """Give turns when a job has not reserved anything, so that no message brings the next one."""
        # One round later than the reports of what it reserved, which are read first.
        await self.pass_rounds(max(1, self._next_turn + 1 - self.step))
        self._is_waking = False
        self._give_turn()

    def _let_next_read(self) -> bool:
        """Let a job read the board; return whether there was any that wanted or needed to."""
        now_minute = self.now_s // MINUTE_S
        if self._energy.forget_past(now_minute):
            self._forget_signed((now_minute - PAST_KEPT_MINUTES) * MINUTE_S)
        if self._questions:
            self._offer_to(*self._questions.pop(next(iter(self._questions))))
            return True
        if self._energy.take_has_risen():
            self._undersupplied.inform_again()
        first_minute, more_mwh = self._energy.news()
        passed = max(0, now_minute - first_minute)
        if len(more_mwh) > passed:
            self._undersupplied.remove_ended(now_minute)
            informed = self._undersupplied.next_to_inform(first_minute + passed, more_mwh[passed:], self._least_lacking)
            if informed is not None:
                job_id, consumer = informed
                job = self._register.get(job_id)
                assert job is not None  # noqa: S101 - jobs that wait are registered
                first, offers = self._offers(job_id, job, self._need_of(job_id, job))
                self.send(consumer, Offered(job_id=job_id, first_minute=first, offers=offers))
                self._is_informing = True
                return True
            if self._is_informing or not self._undersupplied.lack_energy(self._least_lacking):
                self._is_informing = False
                self._energy.end_news()
        return False

    def _forget_signed(self, before_s: int) -> None:
        """Forget who signed for jobs that must have ended before a time, UNIX seconds: the ledger has the shares."""
        for job_id in list(self._signed):
            job = self._register.get(job_id)
            assert job is not None  # noqa: S101 - shares of registered jobs only are signed
            if job.latest_start_s + job.sent.duration_s < before_s:
                del self._signed[job_id]

    def _need_of(self, job_id: str, job: RegisteredJob) -> Need:
        """Return what a job needs from now on; if it runs, until it ends."""
        entry = self._standing(job_id)
        if entry is not None and entry.contract.start_s <= self.now_s:
            start_s = entry.contract.start_s
            need = job.need(start_s, start_s, start_s)
            return Need(self.now_s, max(need.end_s, self.now_s), need.energy_wh, need.peak_wh, need.load)
        return job.need(None, None, self.now_s)

    def _pass_on(self, job_id: str, answers: _Answers) -> None:
        """Inform a job's consumer of what producers have answered, and if any declined, of what there is instead."""
        job = self._register.get(job_id)
        assert job is not None  # noqa: S101 - checked when the answers came
        first_minute = 0
        offers: tuple[Offer, ...] = ()
        if answers.declined:
            first_minute, offers = self._offers(job_id, job, self._need_of(job_id, job))
        answered = SharesAnswered(
            job_id=job_id,
            promised=answers.promised,
            declined=answers.declined,
            first_minute=first_minute,
            offers=offers,
        )
        self.send(job.agent, answered)

    def _note_answer(self, job_id: str, producer: str, *, is_promised: bool) -> None:
        self._answers.setdefault(job_id, _Answers()).add(producer, is_promised=is_promised)

    def _covered_mwh(self, job_id: str) -> int:
        """Return how much of a job its signed shares cover."""
        shares = self._signed.get(job_id, {}).values()
        return sum(minutes * mwh for share in shares for minutes, mwh in share.runs)

    # Reports of producers.

    def _take_share(self, producer: str, promise: SharePromised) -> None:
        job = self._register.get(promise.job_id)
        if producer not in self._joined:
            self.reject(producer, f"sends a {promise.kind}, but is not a producer that has joined")
        elif job is None or promise.digest != self._register.digest(promise.job_id):
            # Its consumer has invented the job, or described it as it is not: that is not the producer's fault.
            self._tell_share_void(producer, promise.job_id, NOT_REGISTERED)
        else:
            problem = self._problem_with_share(producer, job, promise)
            if problem:
                self.reject(producer, problem)
                self._tell_share_void(producer, promise.job_id, problem)
            if promise.is_answer:
                self._note_answer(promise.job_id, producer, is_promised=not problem)

    def _take_decline(self, producer: str, decline: ShareDeclined) -> None:
        if producer not in self._joined:
            self.reject(producer, f"sends a {decline.kind}, but is not a producer that has joined")
        elif self._register.owns(decline.consumer, decline.job_id):
            self._note_answer(decline.job_id, producer, is_promised=False)

    def _problem_with_share(self, producer: str, job: RegisteredJob, promise: SharePromised) -> str:
        """Process a producer's statement; return its problem, empty if it is valid."""
        key = promise.job_id, producer
        if promise.consumer != job.agent:
            return f"promises job {promise.job_id!r} to {promise.consumer!r}, whose job it is not"
        if not promise.minutes_mwh:
            self._dropped.pop(key, None)
            if not self._shares.has_any(*key) and producer not in self._signed.get(promise.job_id, {}):
                self._free(producer, promise.job_id)  # its contract has done without the share before
                return ""
        elif not job.earliest_start_s <= promise.start_s <= job.latest_start_s:
            return f"promises job {promise.job_id!r} a start at {promise.start_s}, outside its window"
        if not self._shares.add(*key, self.now_s, _SignedShare(promise.start_s, promise.minutes_mwh)):
            return f"makes more than {MAX_UNCONFIRMED} promises for job {promise.job_id!r} in one second"
        self._energy.promise(self.scores.number_of[producer], promise.job_id, promise.start_s, promise.minutes_mwh)
        return ""

    # Reports of consumers.

    def _unsigned(self, contract: Contract) -> str:
        """See `Manager._unsigned`: the same for each share."""
        job = self._job_of(contract)
        shares = _shares_by_producer(contract, job)
        drawn = load_mwh(job.sent.load_profile, contract.start_s)
        given = sum((unpacked(runs, len(drawn)) for runs in shares.values()), start=drawn * 0)
        if any(len(unpacked(runs)) > len(drawn) for runs in shares.values()) or (given > drawn).any():
            return "its shares give more than the job draws"
        signed = self._signed.get(contract.job_id, {})
        wanted = {producer: _SignedShare(contract.start_s, runs) for producer, runs in shares.items()}
        for producer, share in wanted.items():
            if signed.get(producer) != share and not self._shares.has(contract.job_id, producer, share):
                return f"{producer!r} has not promised its share"
        for producer in [one for one in signed if one not in wanted]:  # in order: a set's depends on the process
            self._drop(contract.job_id, producer)
        for producer, share in wanted.items():
            self._shares.confirm(contract.job_id, producer, share)
        self._signed[contract.job_id] = wanted
        self._undersupplied.covered(contract.job_id, self._covered_mwh(contract.job_id))
        return ""

    def _drop(self, job_id: str, producer: str) -> None:
        """Record that a share is no longer in a contract, and inform its producer unless it reported that itself."""
        last = self._shares.take(job_id, producer)
        if last is None or last.runs:
            self._dropped[job_id, producer] = self.now_s

    def _take_amendment(self, sender: str, report: SharesAmended) -> None:
        contract = report.contract
        entry = self.ledger.get(contract.contract_id)
        if entry is None or self._job_of(entry.contract).agent != sender:
            self.reject(sender, f"reports on contract {contract.contract_id!r}, which is not its own")
        elif entry.state == "standing":
            problem = self._problem_with_amendment(entry.contract, contract)
            if problem:
                self.reject(sender, problem)
            problem = problem or self._unsigned(contract)
            if not problem:
                self._amend_shares(entry, report)
                return
            log.warning("amendment not confirmed", contract=contract.contract_id, consumer=sender, why=problem)
            if entry.contract.start_s > self.now_s:
                self._end(entry, problem, "consumer", "producer")

    def _problem_with_amendment(self, before: Contract, after: Contract) -> str:
        """Return the problem of an amendment that does not depend on its producers' statements; empty: none."""
        job = self._job_of(before)
        kept = {"start_s": after.start_s, "producer": after.producer, "shares": after.shares}
        if before.model_copy(update=kept) != after:
            return f"changes more than the start and the shares of contract {before.contract_id!r}"
        if before.start_s <= self.now_s:
            if after.start_s != before.start_s:
                return f"moves contract {before.contract_id!r}, whose job has started"
            passed = self.now_s // 60 - before.start_s // 60
            had, has = _shares_by_producer(before, job), _shares_by_producer(after, job)
            for producer in had.keys() | has.keys():
                if (unpacked(had.get(producer, ()), passed) != unpacked(has.get(producer, ()), passed)).any():
                    return f"changes minutes of contract {before.contract_id!r} that have passed"
        elif not job.may_start_at(after.start_s, self.now_s):
            return f"reports a start of job {after.job_id!r} at {after.start_s}, outside its window"
        return ""

    def _amend_shares(self, entry: LedgerEntry, report: SharesAmended) -> None:
        before, contract = entry.contract, report.contract
        history = entry.history
        has_changed = any(event.producer for event in history)
        if contract.producer != before.producer and not has_changed:
            has_changed = True
            history = tuple(
                event.model_copy(update={"producer": before.producer}) if event.what in SUPPLY_EVENTS else event
                for event in history
            )
        amended = LedgerEvent(
            at_s=self.now_s,
            what="amended",
            start_s=contract.start_s,
            reason=report.reason,
            producer=contract.producer if has_changed else "",
            shares=contract.shares,
        )
        for producer in contract.producers:
            self.scores.accepted(producer, contract.job_id)
        self._write(entry.model_copy(update={"contract": contract, "history": continued(history, amended)}))

    def _cancel_for_consumer(self, entry: LedgerEntry, reason: str) -> None:
        if self.may_cancel(entry.contract):
            for producer in list(self._signed.get(entry.contract.job_id, {})):
                self._drop(entry.contract.job_id, producer)
            self._end(entry, reason)

    # The end of the exchange.

    def _next_settlement_s(self) -> int | None:
        first_s = min(self._dropped.values(), default=None)
        if self._shares.first_s is not None:
            first_s = self._shares.first_s if first_s is None else min(first_s, self._shares.first_s)
        return None if first_s is None else first_s + 1

    def _settle(self, before_s: int) -> None:
        """See `Manager._settle`: the same for each share."""
        for unconfirmed in self._shares.take_older(before_s):
            job_id, producer, last = unconfirmed.job_id, unconfirmed.producer, unconfirmed.statement
            entry, signed = self._standing(job_id), self._signed.get(job_id, {}).get(producer)
            if entry is None or signed is None:
                if last.runs:
                    self._tell_share_void(producer, job_id, "its consumer has not confirmed it")
            elif last != signed and entry.contract.start_s > self.now_s:
                self._end(
                    entry, f"its consumer has not confirmed the new share of {producer!r}", "consumer", "producer"
                )
        for (job_id, producer), at_s in list(self._dropped.items()):
            if at_s < before_s:
                del self._dropped[job_id, producer]
                self._tell_share_void(producer, job_id, "its consumer no longer needs the share")

    def _end(self, entry: LedgerEntry, reason: str, *informed: Party) -> None:
        super()._end(entry, reason, *informed)
        self._signed.pop(entry.contract.job_id, None)
        self._undersupplied.covered(entry.contract.job_id, 0)

    def _write(self, entry: LedgerEntry) -> None:
        if entry.contract.shares and not entry.history[0].shares and len(entry.history) == 1:
            agreed = entry.history[0].model_copy(update={"shares": entry.contract.shares})
            entry = entry.model_copy(update={"history": (agreed,)})
        if entry.state == "lost":
            for producer in self._signed.pop(entry.contract.job_id, {}):
                self._free(producer, entry.contract.job_id)
        super()._write(entry)

    def _tell_producers_void(self, contract: Contract, reason: str) -> None:
        for producer in self._signed.get(contract.job_id, {}):
            self._tell_share_void(producer, contract.job_id, reason)

    def _tell_share_void(self, producer: str, job_id: str, reason: str) -> None:
        self._free(producer, job_id)
        self.send(producer, ShareVoid(job_id=job_id, reason=reason[:MAX_REASON_CHARACTERS]))

    def _free(self, producer: str, job_id: str) -> None:
        """Show on the board that a producer's share of a job is free again."""
        if producer in self.scores.number_of:
            self._energy.promise(self.scores.number_of[producer], job_id, 0, ())


def _shares_by_producer(contract: Contract, job: RegisteredJob) -> dict[str, Runs]:
    """Return what each producer gives by a contract, in runs."""
    if contract.producer == SHARED:
        return {share.producer: share.minutes_mwh for share in contract.shares}
    if contract.producer == GRID:
        return {}
    everything: IntArray = load_mwh(job.sent.load_profile, contract.start_s)
    return {contract.producer: packed(everything)}
