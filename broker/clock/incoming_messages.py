"""The clock's incoming messages: validates each one, and hands it to the component that it concerns.

Whatever breaks the protocol is dropped, counted, and judged by `broker.clock.quarantine`. Most messages are taken as
they arrive, without waking a task.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import structlog
from pydantic import TypeAdapter

from broker.clock.barrier import RoundBarrier, check_answer, check_message
from broker.clock.flood_limits import SENT_BY_HOSTS, UnreadPackets
from broker.clock.membership import Admission, Membership
from broker.clock.next_round import ScheduledRound
from broker.clock.pacing import PaceError
from broker.clock.quarantine import Quarantine
from broker.clock.settings import ClockSettings
from broker.errors import MalformedError, ProtocolError
from broker.protocol import (
    Announcement,
    Control,
    Done,
    Envelope,
    RejectedMessages,
    ResendRequest,
    Roster,
    Wake,
    first_problem,
    too_large,
    topics,
    weight_bytes,
)
from broker.transport import Bus, Delivery

log = structlog.get_logger(__name__)


class IncomingMessages:
    """Reads what hosts, users and the clock itself publish on the run's topics."""

    def __init__(
        self,
        settings: ClockSettings,
        members: Membership,
        barrier: RoundBarrier,
        admission: Admission,
        quarantine: Quarantine,
        *,
        step: ScheduledRound,
        on_control: Callable[[Control], None],
        on_wake: Callable[[], None],
        messages: TypeAdapter[Any] | None,
        is_observed: bool,
    ) -> None:
        """Create it.

        Args:
            settings: The run.
            members: Its hosts; messages of other processes are rejected.
            barrier: Receives answers, and messages between agents.
            admission: Receives announcements.
            quarantine: Judges messages that break the protocol.
            step: The step that is granted next.
            on_control: Called with each command.
            on_wake: Called when a host asks for a round, because it has input from outside the run.
            messages: Validates the messages between agents; None: all are valid.
            is_observed: Whether messages between agents are read.
        """
        self._settings = settings
        self._members = members
        self._barrier = barrier
        self._admission = admission
        self._quarantine = quarantine
        self.step = step
        """The current step; the clock moves it on."""
        self._on_control = on_control
        self._on_wake = on_wake
        self._messages = messages
        self._is_observed = is_observed
        self._unread = UnreadPackets(settings.hosts, settings.hosts.keys() - settings.indispensable)
        self._rejected = RejectedMessages(topics.CLOCK)
        """Messages that violated the protocol."""
        self._void: set[tuple[str, int]] = set()
        """Messages of the step that have arrived but that no agent understands, by sender and sequence number."""
        self._taking: dict[str, int] = {}
        """By host, the last step in which it takes input from outside the run."""
        self.woken: set[str] = set()
        """Hosts that have input from outside the run and have not been granted a first round of a second since."""

    async def subscribe(self, bus: Bus) -> None:
        """Subscribe to the topics that `read` understands.

        Args:
            bus: The clock's connection.
        """
        bus.on_oversized = lambda topic, size_bytes: self._reject(topic, too_large(size_bytes))
        run = self._settings.run
        await bus.subscribe(topics.hosts(run), topics.control(run), topics.roster(run), qos=topics.QOS_AT_LEAST_ONCE)
        await bus.subscribe(topics.dones(run), topics.wakes(run))
        if self._is_observed:
            await bus.subscribe(topics.all_inboxes(run), topics.all_local(run))
        if self._unread.foreign:
            await bus.subscribe(topics.all_resends(run))

    async def read(self, bus: Bus) -> None:
        """Dispatch incoming messages until cancelled: most as they arrive, without waking this task.

        Args:
            bus: The clock's connection.
        """
        bus.on_delivery = self._take
        async for event in bus.messages():
            if not isinstance(event, Delivery):
                log.info("reconnected", host=topics.CLOCK)
                self._admission.republish(event.away_wall_s)
            else:
                self._take(event)

    async def keep_echoing(self, bus: Bus) -> None:
        """Publish an echo whenever unread packets require one, until cancelled.

        Args:
            bus: The clock's connection.
        """
        await self._unread.keep_echoing(bus, self._settings.run)

    def grant_input(self, hosts: Collection[str], step: int) -> None:
        """Record that hosts take their waiting input from outside the run.

        Args:
            hosts: Hosts that are granted the first round of a second.
            step: Its step. Requests for a round that a host made before it are out of date.
        """
        self.woken -= set(hosts)
        self._taking |= dict.fromkeys(hosts, step)

    def understood(self, sent: tuple[Envelope, ...]) -> tuple[Envelope, ...]:
        """Return the messages of a round without those that no agent understands.

        Args:
            sent: All messages of the round.
        """
        return tuple(e for e in sent if (e.sender, e.seq) not in self._void) if self._void else sent

    def end_step(self) -> None:
        """Forget which messages of the step were not understood."""
        self._void.clear()

    def log_suppressed(self) -> None:
        """Log how many rejected messages were not logged one by one."""
        self._rejected.log_suppressed()

    def _take(self, delivery: Delivery) -> bool:
        try:
            self._dispatch(delivery)
        except (ProtocolError, PaceError) as error:
            self._reject(delivery.topic, error, is_stored=delivery.retain)
        return True

    def _reject(self, topic: str, error: Exception, *, is_stored: bool = False) -> None:
        """Drop a message, and count it against its sender if only the sender can be at fault.

        Args:
            topic: The message's topic.
            error: Why it is dropped.
            is_stored: Whether the broker had retained it, perhaps since an earlier run.
        """
        self._rejected.reject(topic, error)
        address = topics.parse(topic)
        if address is None or address.kind not in {"hosts", "done", "inbox", "local", "wake"} or is_stored:
            return
        if isinstance(error, MalformedError):
            self._quarantine.record(address.ids[-1], error)

    def _dispatch(self, delivery: Delivery) -> None:  # noqa: C901, PLR0912 - one for each topic
        """Hand a message to the component that it concerns.

        Raises:
            ProtocolError, PaceError: The message violates the protocol.
        """
        address = topics.parse(delivery.topic)
        if address is None or address.run != self._settings.run:
            raise ProtocolError("not a topic of this run")
        if delivery.retain and address.kind not in topics.RETAINED:
            raise ProtocolError("retained message on a topic that must not be retained")
        if address.kind in SENT_BY_HOSTS and (host := address.ids[-1]) in self._unread.foreign:
            why = self._unread.count(address, delivery.size_bytes)
            if why is not None or host in self._quarantine.condemned or host in self._members.quarantined:
                self._refuse(host, why)
        if address.kind == "done":  # most are
            self._take_answer(address.ids[0], delivery.read(Done))
            return
        match address.kind, address.ids:
            case "hosts", (host,):
                self._take_announcement(host, delivery)
            case "inbox" | "local", (to_host, *_):  # `local` names one host, which is sender and receiver
                self._take_batch(to_host, address.ids[-1], delivery)
            case "roster", ():
                if not delivery.retain and not delivery.is_empty:
                    self._members.note_published(delivery.read(Roster))
            case "wake", (host,):
                self._take_wake(host, delivery.read(Wake))
            case "resend", ids:
                if ids == (topics.CLOCK, topics.CLOCK):
                    self._unread.take_echo(delivery.read(ResendRequest))
            case "control", ():
                self._on_control(delivery.read(Control))
            case _:
                raise ProtocolError("the clock does not read this topic")

    def _refuse(self, host: str, why: str | None) -> None:
        """Refuse a message of a host that was removed from the run, or whose packets may have filled a queue.

        Args:
            host: The host.
            why: Why the host is condemned now; None: it was removed from the run earlier.

        Raises:
            ProtocolError: Always.
        """
        if why is None:
            raise ProtocolError(f"host {host!r} was removed from the run")
        self._quarantine.condemn(host, why)
        self._barrier.alert()
        raise ProtocolError(why)

    def _take_answer(self, host: str, done: Done) -> None:
        if host not in self._members.expected:
            raise ProtocolError(f"host {host!r} is not expected in this run")
        self._members.check_session(host, done.session)
        check_answer(
            done,
            host,
            self.step,
            self._quarantine.known_hosts,
            self._settings.latest_s,
            is_alone=self._barrier.is_alone,
        )
        if self._barrier.record_answer(host, done):
            self._unread.clear(host)

    def _take_batch(self, to_host: str, from_host: str, delivery: Delivery) -> None:
        """Record messages between agents; each message that violates the protocol is rejected individually."""
        envelopes = delivery.envelopes
        if from_host not in self._quarantine.known_hosts:
            raise ProtocolError(f"host {from_host!r} is not expected in this run")
        self._members.check_session(from_host, envelopes[0].session)
        size_bytes = weight_bytes(delivery.payload) // len(envelopes) if delivery.size_bytes else 0
        step = self.step
        for envelope in envelopes:
            try:
                check_message(envelope, from_host, to_host, step, self._quarantine.known_hosts)
                if self._barrier.add_message(from_host, to_host, envelope, size_bytes):
                    self._quarantine.check_amount(from_host, envelope.sender, envelope.step - step.step + 1)
                    self._check_understood(envelope)
            except ProtocolError as error:
                self._reject(delivery.topic, error)

    def _check_understood(self, envelope: Envelope) -> None:
        """Reject a message that no agent understands. It still counts as arrived, so the clock does not wait for it.

        Raises:
            MalformedError: No agent understands it.
        """
        if self._messages is None or envelope.message is not None:
            return
        try:
            self._messages.validate_python(envelope.body)
        except Exception as error:  # noqa: BLE001 - parsing has no effects: whatever it raises is due to the message
            self._void.add((envelope.sender, envelope.seq))
            raise MalformedError(first_problem(error)) from None

    def _take_wake(self, host: str, wake: Wake) -> None:
        if host not in self._members.expected:
            raise ProtocolError(f"host {host!r} is not expected in this run")
        self._members.check_session(host, wake.session)
        if self._taking.get(host, -1) <= wake.taken:
            self.woken.add(host)
            self._on_wake()

    def _take_announcement(self, host: str, delivery: Delivery) -> None:
        if not delivery.is_empty:
            announcement = delivery.read(Announcement)
            self._admission.handle_announcement(host, announcement, is_stored=delivery.retain)
        elif self.step.phase == "end":
            # A host that has left cannot repeat its last answer; its departure counts as the answer.
            self._barrier.record_departure(host)
