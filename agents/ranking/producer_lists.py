"""The manager's answers to jobs that look for a supplier: which producers each may ask, and in which order.

When a job looks for a supplier, the manager ranks all producers that take part, and leaves out those that cannot serve
the job according to their view (`agents.headroom`): the others are its short list. A job first gets a portion of it,
then the next ones, where the job is, then those that now have more to offer. If none are left, it waits, and is
informed of producers that have more to offer. A producer gets the digest of each job that it is named to, so that it
knows which jobs may request its energy.

The job behaves as if it asked all producers:

- It asks each producer in the same round as without short lists: the list states how many producers were left out
  before each one, and the job skips two rounds for each of them. Rounds in which no agent acts cost nothing, and each
  producer receives the requests of one second in the same order.
- A producer that was left out is scored as if it had declined, from the round in which the job would have received the
  refusal, and only if the job got that far.

Two things differ, because only producers that were asked know a job. If a producer that was left out has more to offer
later, the manager informs waiting jobs; this happens later in the same second than if the producer did it itself. And
refusals that follow are not scored, because without an opening the job would not have asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from agents.energy import IntArray
from agents.headroom import View
from agents.job_register import JobRegister, RegisteredJob
from agents.messages import AnyMessage, JobsRegistered, Producers, ProducersFor
from agents.ranking.headroom_board import MAX_LOOK, HeadroomBoard
from agents.ranking.negotiation_settings import NegotiationSettings
from agents.ranking.rankings import Places, Question, ranking_for
from agents.ranking.scores import BoolArray, Scores
from agents.ranking.waiting_jobs import WaitingJobs
from broker.hosts import Agent, Received

FIRST_PORTION = 2
"""Size of the first portion of a list; each further portion is as large as all before together."""
MAX_PORTION = 64
ROUNDS_TO_ASK = 2
"""Rounds from one request of a job to its next one: for the request and for the answer."""
ROUNDS_TO_HEAR = 4
"""Rounds from a job's question to the manager until it receives the first producer's answer."""
FIRST_LOOK = 8
"""How many producers are first checked slot by slot; most jobs need no more."""


@dataclass(frozen=True, slots=True)
class Portion:
    """The next producers that a job may ask."""

    producers: tuple[int, ...]
    left_out: tuple[int, ...]
    """How many were left out before each of them, and after the last one if no more follow."""


@dataclass(slots=True)
class Negotiation:
    """A job that looks for a supplier, from its question to the manager until it has a contract or waits."""

    job_id: str
    consumer: str
    at_s: int
    step: int
    """The step in which it asked the manager."""
    order: IntArray
    """All producers that it would ask, in order."""
    is_listed: BoolArray
    """Which of them are listed; a later check of their slots may show that they cannot serve the job."""
    considered: IntArray
    """All producers that it would have asked by its end, those of earlier lists included."""
    portion: int
    """Size of the next portion."""
    look: Callable[[IntArray], BoolArray] | None = None
    """Tells which producers have enough in each slot; None: all. It is called only as far as the job gets in the
    list."""
    _looked: int = 0
    """Up to which place it has been asked."""
    _scored: int = 0
    """Up to which place those that were left out have been scored."""
    _told: int = 0
    """The place up to which they have been named."""
    _named: int = 0
    """How many have been named."""

    def next_portion(self) -> Portion:
        """Return the next producers to ask."""
        self._look_for(self.portion + 1)
        places = np.flatnonzero(self.is_listed[self._told :])[: self.portion] + self._told
        before = np.concatenate([[self._told - 1], places[:-1]]) if len(places) else places
        left_out = (places - before - 1).tolist()
        self._told = int(places[-1]) + 1 if len(places) else self._told
        if not self.is_listed[self._told :].any():
            left_out.append(len(self.order) - self._told)
            self._told = len(self.order)
        self._named += len(places)
        self.portion = min(MAX_PORTION, max(self.portion, self._named))
        return Portion(tuple(self.order[places].tolist()), tuple(left_out))

    def _look_for(self, count: int) -> None:
        """Check producers until this many more that may serve the job are found, or all have been checked."""
        step = FIRST_LOOK
        while self.look is not None and self._looked < len(self.order):
            if np.count_nonzero(self.is_listed[self._told : self._looked]) >= count:
                return
            listed = np.flatnonzero(self.is_listed[self._looked :])[:step] + self._looked
            self._look_until(int(listed[-1]) + 1 if len(listed) == step else len(self.order))
            step = min(4 * step, MAX_LOOK)

    def _look_until(self, end: int) -> None:
        """Look at all producers before a place in the order."""
        if self.look is not None and end > self._looked:
            listed = np.flatnonzero(self.is_listed[self._looked : end]) + self._looked
            self.is_listed[listed] = self.look(self.order[listed])
            self._looked = end

    def score_until(self, step: int, sender: str, scores: Scores) -> None:
        """Score those left out whose refusal the job would have received before a message of another agent was sent.

        Args:
            step: The step in which that message was sent.
            sender: The other agent.
            scores: The producers' scores.
        """
        reached = (step - self.step - ROUNDS_TO_HEAR) // ROUNDS_TO_ASK + 1
        at_place_step = self.step + ROUNDS_TO_HEAR + ROUNDS_TO_ASK * (reached - 1)
        if at_place_step == step and self.consumer > sender:
            reached -= 1
        self.score_places(reached, scores)

    def score_places(self, end: int, scores: Scores) -> None:
        """Score those left out before a place in the order."""
        end = min(end, len(self.order))
        if end <= self._scored:
            return
        self._look_until(end)
        places = slice(self._scored, end)
        scores.would_have_declined(self.order[places][~self.is_listed[places]], self.job_id, self.at_s)
        self._scored = end

    def place_of(self, number: int) -> int:
        """Return a producer's place in the order; the end if it is not in it."""
        found = np.flatnonzero(self.order == number)
        return int(found[0]) if len(found) else len(self.order)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A producer's refusal of a job that its consumer has not received yet."""

    step: int
    """The step in which the consumer receives it."""
    consumer: str
    producer: str


class ProducerLists:
    """Names producers to jobs, on behalf of the manager, and scores those that were left out."""

    __slots__ = (
        "_board",
        "_informed",
        "_manager",
        "_named",
        "_negotiating",
        "_negotiations",
        "_ranking",
        "_refusals",
        "_register",
        "_risen",
        "_scores",
        "_waiting",
        "places",
    )

    def __init__(
        self,
        manager: Agent[AnyMessage],
        register: JobRegister,
        scores: Scores,
        negotiating: NegotiationSettings,
        places: Places,
    ) -> None:
        """Create the lists of a run that has not begun.

        Args:
            manager: The agent that sends and receives the messages.
            register: The jobs and producers of the neighbourhood.
            scores: The producers' scores, which the manager keeps.
            negotiating: How jobs find a supplier.
            places: Where consumers and producers are.
        """
        self._manager = manager
        self._register = register
        self._scores = scores
        self._negotiating = negotiating
        self._ranking = ranking_for(negotiating.ranking)
        self.places = places
        """Where consumers and producers are, and the prices between them."""
        self._board = HeadroomBoard()
        self._negotiations: dict[str, Negotiation] = {}
        """By job that looks for a supplier in this second."""
        self._waiting = WaitingJobs()
        self._informed: dict[str, set[int]] = {}
        """By job, the producers that have its digest."""
        self._named: dict[str, list[str]] = {}
        """By producer, the jobs that it was named to in this round."""
        self._risen: set[int] = set()
        """Producers that have published a view in this round."""
        self._refusals: list[_Refusal] = []

    def add_producer(self, producer: str) -> None:
        """Name a producer that has joined to all waiting jobs."""
        number = self._scores.number_of[producer]
        waiting = list(self._waiting)
        for digests in self._register.digests([job_id for job_id, _ in waiting]):
            self._manager.send(producer, JobsRegistered(digests=digests))
        self._waiting.learn_of(number)
        for job_id, consumer in waiting:
            self._informed.setdefault(job_id, set()).add(number)
            self._manager.send(consumer, Producers(job_id=job_id, producers=(producer,)))

    def remove_consumers(self, agents: frozenset[str]) -> None:
        """Forget the jobs of lost consumers."""
        self._waiting.remove_of(agents)
        self._negotiations = {job_id: n for job_id, n in self._negotiations.items() if n.consumer not in agents}

    def stop_waiting(self, job_id: str) -> None:
        """Forget a job that no longer waits for producers, because it has a contract or was withdrawn."""
        self._waiting.remove(job_id)

    def take_view(self, producer: str, view: View) -> None:
        """Take the headroom that a producer has published."""
        number = self._scores.number_of[producer]
        self._board.put(number, view)
        self._risen.add(number)

    def learn(self, consumer: str, producer: str) -> None:
        """Let the ranking learn that a consumer has a contract with a producer."""
        self._ranking.learn(consumer, producer)

    def replace_prices(self, prices: Mapping[str, int | float]) -> None:
        """Rank by other prices from now on, EUR/kWh, by the tariff's keys."""
        self.places = replace(self.places, replaced={**self.places.replaced, **prices})

    def settle(self, before_s: int) -> None:
        """End negotiations that began before a time, UNIX seconds; all producers that were left out are scored."""
        for job_id, begun in list(self._negotiations.items()):
            if begun.at_s < before_s:
                begun.score_places(len(begun.order), self._scores)
                del self._negotiations[job_id]

    def name_producers(self, received: Received[AnyMessage], question: ProducersFor) -> None:
        """Reply to a job's question with the producers that it may ask next.

        Args:
            received: The message of the job's consumer.
            question: Its content.
        """
        known = self._negotiations.get(question.job_id)
        if question.part != "next":
            self._hear_refusals(received)
            known = self._begin_negotiation(received, question, known)
        if known is None:
            self._manager.reply(received, Producers(job_id=question.job_id, producers=()))
            return
        portion = known.next_portion()
        self._inform(question.job_id, portion.producers)
        producers = tuple(self._scores.ids[number] for number in portion.producers)
        self._manager.reply(received, Producers(job_id=question.job_id, producers=producers, left_out=portion.left_out))

    def _begin_negotiation(
        self, received: Received[AnyMessage], question: ProducersFor, known: Negotiation | None
    ) -> Negotiation | None:
        """Rank the producers that a job may ask; return None, and let it wait, if there are none."""
        job = self._register.get(question.job_id)
        assert job is not None  # noqa: S101 - the sender owns it
        need = job.need(question.first_start_s, question.last_start_s, self._manager.now_s)
        asked = [self._scores.number_of[p] for p in question.asked if p in self._scores.number_of]
        ids = self._scores.ids
        keys = self._ranking.keys(
            Question(received.sender, job.house, need.begin_s, ids, self.places, self._manager.rng)
        )
        order = self._scores.ranked(keys)
        may_serve = np.ones(len(order), dtype=np.bool_)
        if self._negotiating.leaves_out:
            may_serve = self._board.may_serve(need, order)
        is_new = ~self._scores.are_among(asked, order) if asked else np.ones(len(order), dtype=np.bool_)
        # If no producers are left out, a job that asks again starts over.
        is_once_more = question.part == "last" and known is not None and self._negotiating.leaves_out
        if is_once_more and known is not None:
            known.score_places(len(known.order), self._scores)
            # Those that were left out are asked if they have more to offer since.
            was_left_out = self._scores.are_among(known.considered, order)
            has_risen = np.flatnonzero(is_new & was_left_out & may_serve)
            may_serve[has_risen] = self._board.may_run(need, order[has_risen])
            is_new &= may_serve | ~was_left_out
        if not is_new.any():
            self._negotiations.pop(question.job_id, None)
            self._waiting.add(question.job_id, received.sender, need, asked)
            return None
        considered = order[is_new]
        if is_once_more and known is not None:
            considered = np.concatenate([known.considered, considered])
        begun = Negotiation(
            question.job_id,
            received.sender,
            self._manager.now_s,
            received.step,
            order[is_new],
            may_serve[is_new],
            considered,
            max(FIRST_PORTION, self._negotiating.ask_at_once),
            partial(self._board.may_run, need) if self._negotiating.leaves_out else None,
        )
        self._negotiations[question.job_id] = begun
        return begun

    def _inform(self, job_id: str, producers: Iterable[int]) -> None:
        """Give producers a job's digest at the end of the round, unless they have it."""
        informed = self._informed.setdefault(job_id, set())
        for number in producers:
            if number not in informed:
                informed.add(number)
                self._named.setdefault(self._scores.ids[number], []).append(job_id)

    def send_digests(self) -> None:
        """Send each producer the digests of all jobs that it was named to in this round.

        In a large neighbourhood many jobs become known at once and get the same list. Jobs receive their lists, and
        producers the digests, in the next round, so each digest arrives before the job's request.
        """
        for producer, job_ids in self._named.items():
            for digests in self._register.digests(job_ids):
                self._manager.send(producer, JobsRegistered(digests=digests))
        self._named.clear()

    def tell_of_risen(self) -> None:
        """Inform waiting jobs of producers that have more to offer, in the order in which openings would arrive."""
        risen = sorted(self._risen, key=self._scores.ids.__getitem__)
        self._risen.clear()
        there = [number for number in risen if self._scores.takes_part(self._scores.ids[number])]
        for job_id, consumer, number in self._waiting.to_tell(there, self._board, self._manager.now_s):
            self._tell_of(job_id, consumer, number)

    def _tell_of(self, job_id: str, consumer: str, number: int) -> None:
        self._inform(job_id, (number,))
        self._manager.send(consumer, Producers(job_id=job_id, producers=(self._scores.ids[number],)))

    def take_refusal(self, received: Received[AnyMessage], job: RegisteredJob, job_id: str) -> None:
        """Score a producer that has declined a job; a job that was informed of it is informed of the next one.

        Args:
            received: The producer's message.
            job: The job that it declined.
            job_id: The job's id.
        """
        producer = received.sender
        number = self._scores.number_of[producer]
        if self._waiting.was_told(job_id, number, self._manager.now_s):
            order = self._scores.taking_part()
            if (told := self._waiting.tell_next(job_id, order, self._board, self._manager.now_s)) is not None:
                self._tell_of(*told)
        elif self._scores.declined(producer, job_id, self._manager.now_s):
            self._refusals.append(_Refusal(received.step + 1, job.agent, producer))

    def end_negotiation(self, job_id: str, producer: str) -> None:
        """Score the producers left out that the job would have asked before it came to a contract."""
        ended = self._negotiations.pop(job_id, None)
        if ended is not None:
            number = self._scores.number_of.get(producer, -1)
            ended.score_places(ended.place_of(number), self._scores)

    def _hear_refusals(self, received: Received[AnyMessage]) -> None:
        """Apply the refusals that consumers had received before a message was sent.

        A producer reports a refusal in the step in which it answers; the consumer receives the refusal in the next
        step. If an agent asks the manager in that step, and its message precedes the consumer's in the order of
        messages, the old scores decide.
        """
        for begun in self._negotiations.values():
            begun.score_until(received.step, received.sender, self._scores)
        still: list[_Refusal] = []
        for refusal in self._refusals:
            if (refusal.step, refusal.consumer) <= (received.step, received.sender):
                self._scores.heard(refusal.producer)
            else:
                still.append(refusal)
        self._refusals = still
