"""Publishes what leaves a host's rounds, with its answer to the clock, and keeps what it may have to retransmit.

Kept are the messages of its last two answers, its last answer, and retained publications. `broker.hosts.host` requests
missing messages from other hosts, and answers such requests from here. How long it waits before it asks again is in
`broker.protocol.retry_timeouts`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from broker.hosts.agent import RetainedPublication, Shortenable
from broker.hosts.rounds import RoundRecord, answer_to_grant
from broker.protocol import MAX_BUFFERED_BYTES, MAX_PAYLOAD_BYTES, Done, Envelope, Envelopes, topics
from broker.transport import Bus, Content

log = structlog.get_logger(__name__)

MOST_PUBLISHED_BYTES = 100_000
"""Longer publications are shortened, because a publication is sent again whenever it changes."""
MOST_REPEATS = 100
"""How often another host gets the messages of one answer again: far more often than a network loses them. A host that
asks without an end would otherwise keep this one busy, and make it publish more than the clock allows
(`broker.clock.flood_limits`)."""
MOST_REPEATED_BYTES = MAX_BUFFERED_BYTES // 2
"""After this many bytes of payload, the other host does not get them again either."""


class _Repeated(NamedTuple):
    """How often the messages of an answer were sent to a host again, and their bytes of payload in all."""

    times: int = 0
    size_bytes: int = 0


@dataclass(slots=True)
class _Answer:
    """The messages of the rounds that one answer covers."""

    first_step: int
    last_step: int
    to_others: dict[str, Envelopes]
    """By receiving host, what was sent to it in the last round."""
    local: list[Envelope] = field(default_factory=list)
    """Messages between the host's own agents."""
    repeated: dict[str, _Repeated] = field(default_factory=dict)
    """By receiving host that has asked for them again."""


class RetransmitBuffer:
    """The outgoing messages of one host, and its answers to the clock's grants."""

    def __init__(self, run: str, host_id: str, session: str) -> None:
        """Create a buffer that contains nothing.

        Args:
            run: The run's id.
            host_id: The host.
            session: That of its process, which its messages carry.
        """
        self._last: tuple[RoundRecord, _Answer] | None = None
        """The last round that ran."""
        self._done: Done | None = None
        """The resulting answer; None: it has not been requested yet."""
        self._run = run
        self._host_id = host_id
        self._session = session
        self._done_topic, self._local_topic = topics.done(run, host_id), topics.local(run, host_id)
        self._answers: list[_Answer] = []
        """The last two."""
        self._publications: dict[str, Content] = {}
        self._new_publications: dict[str, None] = {}

    @property
    def last(self) -> Done | None:
        """The answer to the last grant whose rounds ran."""
        if self._done is None and self._last is not None:
            record, answer = self._last
            self._done = answer_to_grant(
                record,
                host_id=self._host_id,
                session=self._session,
                first_step=answer.first_step,
                to_others=answer.to_others,
                local=answer.local,
            )
        return self._done

    def add_round(self, record: RoundRecord) -> None:
        """Store everything that left a round."""
        grant = record.grant
        local: list[Envelope] = []
        to_others: dict[str, Envelopes] = {}
        if record.sent:
            by_host: dict[str, list[Envelope]] = {}
            for host, envelope in record.sent:
                by_host.setdefault(host, []).append(envelope)
            local = by_host.pop(self._host_id, local)
            to_others = {host: Envelopes(envelopes) for host, envelopes in by_host.items()}
        if grant.step == grant.granted_step:
            # Once this step is granted, no host waits for messages of the answer before the last one.
            self._answers = [*self._answers[-1:], _Answer(grant.step, grant.step, to_others, local)]
            self._new_publications = {}
        else:
            answer = self._answers[-1]
            answer.last_step, answer.to_others = grant.step, to_others
            answer.local += local
        self._last, self._done = (record, self._answers[-1]), None
        for fact in record.publications:
            topic = self._publication_topic(fact)
            self._publications[topic] = _Fact(fact)
            self._new_publications[topic] = None

    async def publish_last(self, bus: Bus) -> None:
        """Publish everything that left the rounds of the last answer, the answer last."""
        answer = self._answers[-1] if self._answers else None
        if answer is not None and (answer.local or answer.to_others):
            await self._publish_messages(bus, answer, topics.CLOCK)
        for topic in self._new_publications:
            await bus.publish(topic, self._publications[topic], qos=topics.QOS_AT_LEAST_ONCE, retain=True)
        if (last := self.last) is not None:
            await bus.publish(self._done_topic, last)

    async def publish_retained(self, bus: Bus) -> None:
        """Publish all retained publications again, because the broker may have lost them."""
        for topic, content in self._publications.items():
            await bus.publish(topic, content, qos=topics.QOS_AT_LEAST_ONCE, retain=True)

    async def clear_retained(self, bus: Bus) -> None:
        """Remove all retained publications from the broker."""
        for topic in self._publications:
            await bus.publish(topic, b"", qos=topics.QOS_AT_LEAST_ONCE, retain=True)

    def may_repeat(self, step: int, to_host: str) -> bool:
        """Return whether `resend` would publish something.

        Args:
            step: As for `resend`.
            to_host: As for `resend`.
        """
        answer = self._answer_with(step)
        if answer is None:
            return False
        if to_host == topics.CLOCK:
            return True
        repeated = answer.repeated.get(to_host, _Repeated())
        is_bounded = repeated.times < MOST_REPEATS and repeated.size_bytes < MOST_REPEATED_BYTES
        return is_bounded and to_host in answer.to_others

    def _answer_with(self, step: int) -> _Answer | None:
        return next((answer for answer in self._answers if answer.first_step <= step <= answer.last_step), None)

    async def resend(self, bus: Bus, step: int, to_host: str) -> None:
        """Publish a step's messages to one host again, unless it has asked for them too often.

        Args:
            bus: The host's connection.
            step: The step.
            to_host: The receiving host; the clock's id: send the messages of all rounds of the answer, to all hosts.
        """
        answer = self._answer_with(step)
        if answer is None or not self.may_repeat(step, to_host):
            return
        if to_host != topics.CLOCK:
            times, size_bytes = answer.repeated.get(to_host, _Repeated())
            more_bytes = len(answer.to_others[to_host].encoded())
            answer.repeated[to_host] = _Repeated(times + 1, size_bytes + more_bytes)
        await self._publish_messages(bus, answer, to_host)

    async def answer(self, bus: Bus) -> None:
        """Publish the answer to the last grant whose rounds ran, if there is one."""
        if (last := self.last) is not None:
            await self.publish_answer(bus, last)

    async def publish_answer(self, bus: Bus, done: Done) -> None:
        """Publish an answer at QoS 0: the clock repeats its grant if it does not arrive."""
        await bus.publish(self._done_topic, done, qos=topics.QOS_AT_MOST_ONCE)

    async def _publish_messages(self, bus: Bus, answer: _Answer, to_host: str) -> None:
        if answer.local and to_host == topics.CLOCK:
            local = Envelopes(answer.local)
            await bus.publish(self._local_topic, local, qos=topics.QOS_AT_MOST_ONCE)
        for host, batch in answer.to_others.items():
            if to_host in {host, topics.CLOCK}:
                topic = topics.inbox(self._run, host, self._host_id)
                await bus.publish(topic, batch, qos=topics.QOS_AT_MOST_ONCE)

    def _publication_topic(self, fact: RetainedPublication) -> str:
        if fact.subject == "ledger":
            return topics.ledger(self._run, fact.name)
        return topics.forecast(self._run, self._host_id, fact.name)


class _Fact:
    """The payload of a retained publication, encoded when it leaves the process."""

    __slots__ = ("_fact",)

    def __init__(self, fact: RetainedPublication) -> None:
        self._fact = fact

    def encoded(self) -> bytes:
        """Return it as JSON, shortened if that is too large."""
        content = self._fact.content
        if isinstance(content, Shortenable):
            content = content.shortened(MOST_PUBLISHED_BYTES)
        return content.model_dump_json().encode()

    def payloads(self) -> tuple[bytes, ...]:
        """Return what is published: never so large that a broker would refuse it and close the connection."""
        payload = self.encoded()
        if len(payload) > MAX_PAYLOAD_BYTES:
            log.error("too large to be published", name=self._fact.name, size_bytes=len(payload))
            return ()
        return (payload,)
