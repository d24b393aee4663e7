"""The agents of a host, run round by round. No I/O: the input alone determines the output, in a run and in a replay."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from pydantic import TypeAdapter

from broker.hosts.agent import Agent, Instruction, Outgoing, Received, Rejection, RetainedPublication
from broker.hosts.journal import RoundRecord
from broker.protocol import MAX_TRACEBACK_CHARACTERS, Envelope, Failure, Grant, first_problem, shown

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
        self.dropped = 0
        """Number of messages dropped because their body was invalid."""
        self._agents = {agent.id: agent for agent in sorted(agents, key=lambda agent: agent.id)}
        self._messages = messages
        self._seed = seed
        self._session = session
        self._lives: list[asyncio.Task[None]] = []

    async def run_round(
        self,
        grant: Grant,
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
            next_s: When something from outside the run is due, UNIX seconds; None: nothing is.

        Returns:
            What entered and left the host in the round.
        """
        if grant.phase == "start":
            for agent in self._agents.values():
                agent.prepare(self._seed, grant.time)
                self._lives.append(tasks.create_task(agent.live(), name=f"agent[{agent.id}]"))
        for agent in self._agents.values():
            if grant.phase == "closing":
                agent.close()
            agent.advance(grant.time)
            if grant.lost:
                agent.mark_lost(grant.lost)
            if grant.lapse:
                agent.lapse()
        for envelope in envelopes:
            self._deliver(envelope)
        sent: list[tuple[str, Envelope]] = []
        publications: list[RetainedPublication] = []
        instructions: list[Instruction] = []
        failures: list[Failure] = []
        for agent in self._agents.values():
            outgoing, published = await self._act(agent, host_by_agent)
            publications += published
            sent += [(host_by_agent[message.to], self._envelope(grant, agent.id, message)) for message in outgoing]
            instructions += agent.take_instructions()
            if agent.failure is not None:
                # The end of a traceback says what happened.
                failures.append(Failure(agent=agent.id, traceback=agent.failure[-MAX_TRACEBACK_CHARACTERS:]))
        timers_s = [] if next_s is None else [next_s]
        timers_s += [timer_s for agent in self._agents.values() if (timer_s := agent.next_timer_s) is not None]
        return RoundRecord(
            grant=grant,
            delivered=envelopes,
            sent=tuple(sent),
            publications=tuple(publications),
            next_s=min(timers_s, default=None),
            failure=failures[0] if failures else None,
            is_asking=any(agent.is_asking for agent in self._agents.values()),
            instructions=tuple(instructions),
        )

    @staticmethod
    async def _act(
        agent: Agent[Any], host_by_agent: Mapping[str, str]
    ) -> tuple[list[Outgoing], list[RetainedPublication]]:
        """Let an agent act until it is blocked; return its messages and publications.

        Messages to agents that do not exist, whose ids come from someone else's message, go nowhere; requests among
        them lapse at once.
        """
        sent: list[Outgoing] = []
        publications: list[RetainedPublication] = []
        while True:
            await agent.wait_all_blocked()
            outgoing, published = agent.collect()
            sent += [message for message in outgoing if message.to in host_by_agent]
            publications += published
            undeliverable = [message for message in outgoing if message.to not in host_by_agent]
            if not undeliverable:
                return sent, publications
            for message in undeliverable:
                log.warning("dropped", sender=agent.id, to=shown(message.to), why="there is no such agent")
            agent.lapse({message.seq for message in undeliverable})

    def take_rejections(self) -> list[Rejection]:
        """Remove and return the messages that the agents refused since the last call."""
        return [rejection for agent in self._agents.values() for rejection in agent.take_rejections()]

    def stop(self) -> None:
        """Cancel the agents' tasks."""
        for life in self._lives:
            life.cancel()

    def _deliver(self, envelope: Envelope) -> None:
        try:
            message = self._messages.validate_python(envelope.body)
        except Exception as error:  # noqa: BLE001 - parsing has no effects: whatever it raises is due to the message
            self.dropped += 1
            log.warning("dropped", sender=envelope.sender, to=envelope.to, why=first_problem(error))
            return
        self._agents[envelope.to].deliver(Received(envelope.sender, envelope.seq, message, envelope.step), envelope.re)

    def _envelope(self, grant: Grant, sender: str, message: Outgoing) -> Envelope:
        # Not validated: it is our own, and its receivers do so.
        return Envelope.model_construct(
            session=self._session,
            step=grant.step,
            time=grant.time,
            round=grant.round,
            sender=sender,
            seq=message.seq,
            to=message.to,
            re=message.re,
            body=message.message.model_dump(mode="json"),
        )
