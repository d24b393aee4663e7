"""What a host has sent and may have to send again: its messages of the last two steps, its last answer, its facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from broker.hosts.agent import RetainedPublication
from broker.hosts.journal import RoundRecord
from broker.protocol import Done, topics
from broker.transport import Bus


class Outbox:
    """One host's."""

    def __init__(self, run: str, host_id: str, session: str) -> None:
        self.last: Done | None = None
        """The answer to the last round that ran."""
        self._run = run
        self._host_id = host_id
        self._session = session
        self._messages: dict[int, list[tuple[str, str, bytes]]] = {}
        """By step: receiving host, topic, payload."""
        self._facts: dict[str, bytes] = {}
        self._new_facts: tuple[str, ...] = ()

    @property
    def last_step(self) -> int:
        """The last step that ran; before the first one, -1."""
        return -1 if self.last is None else self.last.step

    def put(self, record: RoundRecord) -> None:
        """Take in all that left a round, to be published, again if need be."""
        grant = record.grant
        # Granted this step, nobody waits for what was sent two steps ago.
        self._messages = {step: kept for step, kept in self._messages.items() if step >= grant.step - 1}
        self._messages[grant.step] = [
            (host, topics.inbox(self._run, host, envelope.to, self._host_id), envelope.encoded())
            for host, envelope in record.sent
        ]
        self.last = Done(
            session=self._session,
            step=grant.step,
            time=grant.time,
            round=grant.round,
            sent=Counter(host for host, _ in record.sent),
            next=record.next_s,
            failure=record.failure,
        )
        for fact in record.facts:
            self._facts[self._fact_topic(fact)] = fact.content.model_dump_json().encode()
        self._new_facts = tuple(dict.fromkeys(self._fact_topic(fact) for fact in record.facts))

    async def publish_last(self, bus: Bus) -> None:
        """Publish what left the last round; the answer comes last."""
        for _, topic, payload in self._messages.get(self.last_step, []):
            await bus.publish(topic, payload, qos=topics.QOS_ROUNDS)
        for topic in self._new_facts:
            await bus.publish(topic, self._facts[topic], qos=topics.QOS_FACTS, retain=True)
        await self.answer(bus)

    async def publish_facts(self, bus: Bus) -> None:
        """Publish all facts again, to a broker that may have forgotten them."""
        for topic, payload in self._facts.items():
            await bus.publish(topic, payload, qos=topics.QOS_FACTS, retain=True)

    async def clear_facts(self, bus: Bus) -> None:
        """Remove all facts from the broker."""
        for topic in self._facts:
            await bus.publish(topic, b"", qos=topics.QOS_FACTS, retain=True)

    async def publish_again(self, bus: Bus, step: int, to_host: str) -> None:
        """Publish a step's messages to a host again; the clock is sent all of them."""
        for topic, payload in self._kept(step, to_host):
            await bus.publish(topic, payload, qos=topics.QOS_ROUNDS)

    async def answer(self, bus: Bus) -> None:
        """Answer the last round that ran, if there is one."""
        if self.last is not None:
            await self.publish_answer(bus, self.last)

    async def publish_answer(self, bus: Bus, done: Done) -> None:
        """Publish an answer."""
        await bus.publish(topics.done(self._run, self._host_id), done.encoded(), qos=topics.QOS_ROUNDS)

    def _kept(self, step: int, to_host: str) -> Iterator[tuple[str, bytes]]:
        for host, topic, payload in self._messages.get(step, []):
            if to_host in {host, topics.CLOCK}:
                yield topic, payload

    def _fact_topic(self, fact: RetainedPublication) -> str:
        if fact.subject == "ledger":
            return topics.ledger(self._run, fact.name)
        return topics.forecast(self._run, self._host_id, fact.name)
