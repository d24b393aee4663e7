"""What a host may have to send again: messages of the last two steps, its last answer, its retained publications."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from broker.hosts.agent import RetainedPublication
from broker.hosts.journal import RoundRecord
from broker.protocol import Done, topics
from broker.transport import Bus


class Outbox:
    """The outgoing messages of one host."""

    def __init__(self, run: str, host_id: str, session: str) -> None:
        self.last: Done | None = None
        """The answer to the last round that ran."""
        self._run = run
        self._host_id = host_id
        self._session = session
        self._messages: dict[int, list[tuple[str, str, bytes]]] = {}
        """By step: (receiving host, topic, payload) of each message."""
        self._publications: dict[str, bytes] = {}
        self._new_publications: tuple[str, ...] = ()

    @property
    def last_step(self) -> int:
        """The last step that ran; -1 before the first one."""
        return -1 if self.last is None else self.last.step

    def add_round(self, record: RoundRecord) -> None:
        """Store everything that left a round."""
        grant = record.grant
        # Once this step is granted, no host waits for messages from two steps ago.
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
            asking=record.is_asking,
        )
        for fact in record.publications:
            self._publications[self._publication_topic(fact)] = fact.content.model_dump_json().encode()
        self._new_publications = tuple(dict.fromkeys(self._publication_topic(fact) for fact in record.publications))

    async def publish_last(self, bus: Bus) -> None:
        """Publish everything that left the last round, the answer last."""
        for _, topic, payload in self._messages.get(self.last_step, []):
            await bus.publish(topic, payload, qos=topics.QOS_AT_MOST_ONCE)
        for topic in self._new_publications:
            await bus.publish(topic, self._publications[topic], qos=topics.QOS_AT_LEAST_ONCE, retain=True)
        await self.answer(bus)

    async def publish_retained(self, bus: Bus) -> None:
        """Publish all retained publications again, because the broker may have lost them."""
        for topic, payload in self._publications.items():
            await bus.publish(topic, payload, qos=topics.QOS_AT_LEAST_ONCE, retain=True)

    async def clear_retained(self, bus: Bus) -> None:
        """Remove all retained publications from the broker."""
        for topic in self._publications:
            await bus.publish(topic, b"", qos=topics.QOS_AT_LEAST_ONCE, retain=True)

    async def resend(self, bus: Bus, step: int, to_host: str) -> None:
        """Publish a step's messages to one host again.

        Args:
            bus: The host's connection.
            step: The step.
            to_host: The receiving host; the clock's id: send it the messages to all hosts.
        """
        for topic, payload in self._kept(step, to_host):
            await bus.publish(topic, payload, qos=topics.QOS_AT_MOST_ONCE)

    async def answer(self, bus: Bus) -> None:
        """Publish the answer to the last round that ran, if there is one."""
        if self.last is not None:
            await self.publish_answer(bus, self.last)

    async def publish_answer(self, bus: Bus, done: Done) -> None:
        """Publish an answer."""
        await bus.publish(topics.done(self._run, self._host_id), done.encoded(), qos=topics.QOS_AT_MOST_ONCE)

    def _kept(self, step: int, to_host: str) -> Iterator[tuple[str, bytes]]:
        for host, topic, payload in self._messages.get(step, []):
            if to_host in {host, topics.CLOCK}:
                yield topic, payload

    def _publication_topic(self, fact: RetainedPublication) -> str:
        if fact.subject == "ledger":
            return topics.ledger(self._run, fact.name)
        return topics.forecast(self._run, self._host_id, fact.name)
