"""The agents of a host, run round by round. No I/O: the output depends only on the input, in a run and in a replay.

Only agents with a message, a due timer or a request that lapses take time in a round.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from pydantic import TypeAdapter

from broker.hosts.agent import Agent, Instruction, MessageRejection, Outgoing, Received, RetainedPublication
from broker.hosts.rounds import Round, RoundRecord
from broker.protocol import MAX_TRACEBACK_CHARACTERS, Envelope, Failure, first_problem, shortened

log = structlog.get_logger(__name__)


class AgentGroup:
    """The agents of one host."""

    def __init__(self, agents: Sequence[Agent[Any]], messages: TypeAdapter[Any], *, seed: int, session: str) -> None:
        """Create a group.

        Args:
            agents: The agents; their ids are unique in the run.
            messages: Validates and builds the messages between agents.
            seed: The run's seed.
            session: Session of the host's process, for outgoing messages.
        """
        self.ids = tuple(sorted(agent.id for agent in agents))
        self._agents = {agent.id: agent for agent in sorted(agents, key=lambda agent: agent.id)}
        self._validate = messages.validator.validate_python
        self._seed = seed
        self._session = session
        self._lives: list[asyncio.Task[None]] = []
        self._timer_of: dict[str, int | None] = {}
        """By agent, its earliest timer, UNIX seconds."""
        self._timers: list[int] = []
        """A heap of the keys of `_agents_at`."""
        self._agents_at: dict[int, list[str]] = {}
        """By time, UNIX seconds, the agents with a timer; outdated for those with another one in `_timer_of`. Many
        agents of a large neighbourhood have the same one."""
        self._asking: set[str] = set()
        """Agents with an unanswered request."""
        self._resuming: dict[str, int] = {}
        """By agent that skips rounds, the step in which it continues."""
        self._resumptions: list[tuple[int, str]] = []
        """A heap of these steps, by agent; those that differ from `_resuming` are outdated."""
        self._failed: dict[str, Failure] = {}
        self._rejections: list[MessageRejection] = []
        self._is_closing = False

    def __contains__(self, agent: str) -> bool:
        return agent in self._agents

    async def run_round(
        self,
        grant: Round,
        envelopes: tuple[Envelope, ...],
        host_by_agent: Mapping[str, str],
        tasks: asyncio.TaskGroup,
        *,
        next_s: int | None = None,
    ) -> RoundRecord:
        """Deliver a round's messages and let the agents act until all of them are blocked.

        Args:
            grant: The round; the first one starts the agents.
            envelopes: Its messages, sorted by (sender, sequence number).
            host_by_agent: By agent id, the host that it lives on.
            tasks: Owns the agents' tasks.
            next_s: When input from outside the run is due, UNIX seconds; None: there is none.

        Returns:
            The inputs and outputs of the host in the round.
        """
        acting = self._wake(grant, envelopes, tasks)
        sent: list[tuple[str, Envelope]] = []
        publications: list[RetainedPublication] = []
        instructions: list[Instruction] = []
        for agent in acting:
            await agent.coroutines.wait_all_blocked()
            outgoing, published = agent.collect()
            if outgoing:
                if not all(message.to in host_by_agent for message in outgoing):
                    outgoing, published = await self._without_undeliverable(agent, outgoing, published, host_by_agent)
                sent += [(host_by_agent[message.to], self._envelope(grant, agent.id, message)) for message in outgoing]
            publications += published
            instructions += agent.take_instructions()
            self._rejections += agent.take_rejections()
            self._note_state(agent)
        return RoundRecord(
            grant=grant,
            delivered=envelopes,
            sent=tuple(sent),
            publications=tuple(publications),
            next_s=self._next_s(next_s),
            failure=self._failed[min(self._failed)] if self._failed else None,
            is_asking=bool(self._asking),
            instructions=tuple(instructions),
            next_step=self._next_step(),
        )

    def _wake(self, grant: Round, envelopes: tuple[Envelope, ...], tasks: asyncio.TaskGroup) -> list[Agent[Any]]:
        """Deliver everything that a round brings; return the agents that it concerns, in the order of their ids."""
        agents = self._agents
        acting: Iterable[Agent[Any]]
        is_closing = grant.phase == "closing" and not self._is_closing
        if grant.lost or is_closing or grant.phase == "start":
            self._is_closing |= is_closing
            acting = agents.values()
        else:
            ids = self._due(grant, {envelope.to for envelope in envelopes})
            acting = [agents[agent_id] for agent_id in (sorted(ids) if len(ids) > 1 else ids)]
        for agent in acting:
            if grant.phase == "start":
                agent.prepare(self._seed, grant.time)
                self._lives.append(tasks.create_task(agent.live(), name=f"agent[{agent.id}]"))
            elif self._is_closing:
                agent.close()
            agent.advance(grant.time, grant.step)
            if grant.lost:
                agent.mark_lost(grant.lost)
            if grant.lapse:
                agent.lapse()
        for envelope in envelopes:
            self._deliver(envelope)
        return list(acting)

    def _due(self, grant: Round, ids: set[str]) -> set[str]:
        """Return the agents that a round concerns: those with a message, `ids`, or with anything that ends in it."""
        timers = self._timers
        while timers and timers[0] <= grant.time and not self._is_closing:
            ids.update(self._agents_at.pop(heapq.heappop(timers)))
        if grant.lapse:
            ids |= self._asking
        resumptions = self._resumptions
        while resumptions and resumptions[0][0] <= grant.step:
            step, agent_id = heapq.heappop(resumptions)
            if self._resuming.get(agent_id) == step:
                ids.add(agent_id)
        return ids

    def _note_state(self, agent: Agent[Any]) -> None:
        """Record what an agent waits for after it has acted."""
        coroutines = agent.coroutines
        agent_id, timer_s, next_step = agent.id, coroutines.next_timer_s, coroutines.next_step
        if timer_s != self._timer_of.get(agent_id):
            self._timer_of[agent_id] = timer_s
            if timer_s is not None:
                if timer_s in self._agents_at:
                    self._agents_at[timer_s].append(agent_id)
                else:
                    self._agents_at[timer_s] = [agent_id]
                    heapq.heappush(self._timers, timer_s)
        if next_step is not None:
            if self._resuming.get(agent_id) != next_step:
                self._resuming[agent_id] = next_step
                heapq.heappush(self._resumptions, (next_step, agent_id))
        elif self._resuming:
            self._resuming.pop(agent_id, None)
        if agent.is_asking:
            self._asking.add(agent_id)
        else:
            self._asking.discard(agent_id)
        if coroutines.failure is not None and agent_id not in self._failed:
            # The end of a traceback names the error.
            what = agent.describe_failure(coroutines.failure)
            self._failed[agent_id] = Failure(agent=agent_id, traceback=what[-MAX_TRACEBACK_CHARACTERS:])

    def _next_s(self, outside_s: int | None) -> int | None:
        """Return the earliest timer of all agents, or of the world outside if that is earlier, UNIX seconds."""
        timers, timer_of = self._timers, self._timer_of
        while timers:
            first_s = timers[0]
            agents = self._agents_at[first_s]
            while agents and timer_of[agents[-1]] != first_s:
                agents.pop()
            if agents:
                return first_s if outside_s is None else min(first_s, outside_s)
            del self._agents_at[heapq.heappop(timers)]
        return outside_s

    def _next_step(self) -> int | None:
        """Return the earliest step in which an agent that skips rounds continues; None: there is none."""
        resumptions = self._resumptions
        while resumptions and self._resuming.get(resumptions[0][1]) != resumptions[0][0]:
            heapq.heappop(resumptions)
        return resumptions[0][0] if resumptions else None

    @staticmethod
    async def _without_undeliverable(
        agent: Agent[Any],
        outgoing: list[Outgoing],
        publications: list[RetainedPublication],
        host_by_agent: Mapping[str, str],
    ) -> tuple[list[Outgoing], list[RetainedPublication]]:
        """Discard messages to agents that do not exist (an id may come from another agent's message).

        Requests among them lapse immediately, and the agent continues. Returns all its messages and publications.
        """
        sent, publications = [], list(publications)
        while True:
            sent += [message for message in outgoing if message.to in host_by_agent]
            undeliverable = [message for message in outgoing if message.to not in host_by_agent]
            if not undeliverable:
                return sent, publications
            for message in undeliverable:
                log.warning("dropped", sender=agent.id, to=shortened(message.to), reason="there is no such agent")
            agent.lapse({message.seq for message in undeliverable})
            await agent.coroutines.wait_all_blocked()
            outgoing, published = agent.collect()
            publications += published

    def take_rejections(self) -> list[MessageRejection]:
        """Remove and return the messages since the last call that the agents rejected, or could not understand."""
        rejections, self._rejections = self._rejections, []
        return rejections

    def stop(self) -> None:
        """Cancel the tasks of all agents, because the host leaves."""
        for life in self._lives:
            life.cancel()

    def _deliver(self, envelope: Envelope) -> None:
        message: Any = envelope.message
        if message is None:
            try:
                message = self._validate(envelope.body)
            except Exception as error:  # noqa: BLE001 - parsing has no effects: whatever it raises is due to the message
                why = f"sends a message that no agent understands: {first_problem(error)}"
                self._rejections.append(MessageRejection(envelope.to, envelope.sender, why))
                return
        self._agents[envelope.to].deliver(Received(envelope.sender, envelope.seq, message, envelope.step), envelope.re)

    def _envelope(self, grant: Round, sender: str, message: Outgoing) -> Envelope:
        return Envelope(
            session=self._session,
            step=grant.step,
            time=grant.time,
            round=grant.round,
            sender=sender,
            seq=message.seq,
            to=message.to,
            re=message.re,
            message=message.message,
        )
