"""The agents of a host, run round by round. No I/O: what comes in decides what goes out, in a run and in a replay."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from pydantic import TypeAdapter, ValidationError

from broker.hosts.agent import Agent, Outgoing, Received, RetainedPublication
from broker.hosts.journal import RoundRecord
from broker.protocol import Envelope, Failure, Grant, first_problem

log = structlog.get_logger(__name__)


class AgentGroup:
    """Agents that live on one host."""

    def __init__(self, agents: Sequence[Agent[Any]], messages: TypeAdapter[Any], *, seed: int, session: str) -> None:
        """Make a group.

        Args:
            agents: Ids unique in the run.
            messages: Checks and builds what agents say to each other.
            seed: The run's seed.
            session: Of the host's process, for what they send.
        """
        self.ids = tuple(sorted(agent.id for agent in agents))
        self.dropped = 0
        """Messages with a body that no agent understands."""
        self._agents = {agent.id: agent for agent in sorted(agents, key=lambda agent: agent.id)}
        self._messages = messages
        self._seed = seed
        self._session = session
        self._lives: list[asyncio.Task[None]] = []

    async def run_round(
        self,
        grant: Grant,
        envelopes: tuple[Envelope, ...],
        homes: Mapping[str, str],
        tasks: asyncio.TaskGroup,
    ) -> RoundRecord:
        """Let the agents act until all of them wait.

        Args:
            grant: The round; the first one starts the agents.
            envelopes: The messages of the round, sorted by (sender, sequence number).
            homes: By agent id, the host that it lives on.
            tasks: Owns the agents' tasks.
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
                agent.lose(grant.lost)
        for envelope in envelopes:
            self._deliver(envelope)
        for agent in self._agents.values():
            await agent.settle()
        return self._collect(grant, envelopes, homes)

    def _collect(self, grant: Grant, envelopes: tuple[Envelope, ...], homes: Mapping[str, str]) -> RoundRecord:
        sent: list[tuple[str, Envelope]] = []
        facts: list[RetainedPublication] = []
        failures: list[Failure] = []
        for agent in self._agents.values():
            if agent.failure is not None:
                failures.append(Failure(agent=agent.id, traceback=agent.failure))
            outgoing, told = agent.collect()
            facts += told
            for message in outgoing:
                home = homes.get(message.to)
                if home is None:
                    failures.append(Failure(agent=agent.id, traceback=f"sends to {message.to!r}: no such agent"))
                else:
                    sent.append((home, self._envelope(grant, agent.id, message)))
        timers_s = [timer_s for agent in self._agents.values() if (timer_s := agent.next_timer_s) is not None]
        return RoundRecord(
            grant=grant,
            delivered=envelopes,
            sent=tuple(sent),
            facts=tuple(facts),
            next_s=min(timers_s, default=None),
            failure=failures[0] if failures else None,
        )

    def stop(self) -> None:
        """End the agents' tasks."""
        for life in self._lives:
            life.cancel()

    def _deliver(self, envelope: Envelope) -> None:
        try:
            message = self._messages.validate_python(envelope.body)
        except ValidationError as error:
            self.dropped += 1
            log.warning("dropped", sender=envelope.sender, to=envelope.to, why=first_problem(error))
            return
        self._agents[envelope.to].deliver(Received(envelope.sender, envelope.seq, message), envelope.re)

    def _envelope(self, grant: Grant, sender: str, message: Outgoing) -> Envelope:
        return Envelope(
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
