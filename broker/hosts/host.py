"""A host: one connection to the broker, and the agents behind it.

It runs a round when the clock has granted it and all of its messages have arrived; then it publishes the agents'
messages and its answer. Messages between its own agents need no broker: the host delivers them in the next round, and
publishes them for watchers. While no other host acts, it runs such rounds without further grants. Lost messages are
detected by counting: the host asks the senders to retransmit, and keeps its own messages until their round is over.
With a journal, it resumes after a crash by replaying its inputs.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import structlog
from pydantic import TypeAdapter

from broker.errors import (
    MalformedError,
    ProtocolError,
)
from broker.hosts.agent import Agent, MessageRejection
from broker.hosts.agent_group import AgentGroup
from broker.hosts.clock_watch import HINT, NOT_HEARD, ClockLiveness, ClockWatch
from broker.hosts.coroutines import noting_tasks
from broker.hosts.directory import Directory, read_rosters
from broker.hosts.external_port import ExternalInput, Port
from broker.hosts.journal import HostJournal
from broker.hosts.retransmit_buffer import RetransmitBuffer
from broker.hosts.rounds import Grants, Round, RoundObserver, RoundRecord
from broker.journal_file import JournalError
from broker.process_memory import no_collections
from broker.protocol import (
    MAX_BUFFERED_BYTES,
    MAX_BUFFERED_MESSAGES,
    MOST_ROUNDS_A_GRANT,
    Announcement,
    Done,
    Envelope,
    RejectedMessages,
    ReorderBuffer,
    ResendRequest,
    Roster,
    Timeouts,
    in_order,
    too_large,
    topics,
    weight_bytes,
)
from broker.transport import Broker, Bus, Delivery, Will, leave_gracefully

log = structlog.get_logger(__name__)


SILENT_AFTER_WALL_S = 10.0
"""After how long a host logs that it waits for messages."""
_MOST_SENT_ALONE = MAX_BUFFERED_MESSAGES // 2
"""After this many messages, a host that runs alone waits for the next grant, so that the clock reads its answer."""
_GRANTS = frozenset({"grants", "grant"})


class Host:
    """Runs agents in counted rounds."""

    def __init__(
        self,
        host_id: str,
        run: str,
        agents: Sequence[Agent[Any]],
        messages: TypeAdapter[Any],
        *,
        seed: int,
        timeouts: Timeouts | None = None,
        observer: RoundObserver | None = None,
        journal: HostJournal | None = None,
        setup: str = "",
        port: Port | None = None,
        clock_limit_wall_s: float | None = None,
        clock_liveness: ClockLiveness | None = None,
    ) -> None:
        """Create a host.

        Args:
            host_id: Unique in the run.
            run: The run's id, the second level of its topics.
            agents: The agents that live here; their ids are unique in the run.
            messages: Validates and builds the messages between agents.
            seed: The run's seed.
            timeouts: Wall-clock limits.
            observer: Called with each round, including replayed ones.
            journal: Stores each round; if it contains rounds, they are replayed first.
            setup: Fingerprint of the settings that the host was started with, part by part, which the clock compares
                (`broker.journal_file`).
            port: Connects its agents with the world outside the run; None: they have no such connection.
            clock_limit_wall_s: How long the clock may give no sign before the host gives up, wall-clock seconds; None:
                it is in the same process.
            clock_liveness: The clock's signs of life, shared by the hosts of this process; None: the host has its own.
        """
        self.host_id = host_id
        self.run_id = run
        self.session = secrets.token_hex(8)
        self.rejected = RejectedMessages(host_id)
        """Messages that violated the protocol."""
        self._group = AgentGroup(agents, messages, seed=seed, session=self.session)
        self._timeouts = timeouts or Timeouts()
        self._observer = observer
        self._journal = journal
        self._setup = setup
        self._outside = None if port is None else ExternalInput(port, self.session, messages)
        self._directory = Directory(host_id, self.session, self._group.ids)
        self._outbox = RetransmitBuffer(run, host_id, self.session)
        # It has room for all that the clock counts, whatever else a host sends.
        self._buffer = ReorderBuffer(2 * MAX_BUFFERED_MESSAGES, 2 * MAX_BUFFERED_BYTES)
        self._arrived = asyncio.Event()
        self._grants = Grants()
        self._local: tuple[Envelope, ...] = ()
        """Messages between the host's own agents in the last round."""
        self._repeated_wall_s: tuple[float, float] | None = None
        """When the clock began to repeat the grant of the last step, and when it did so last, loop time; None: it has
        not."""
        self._reported_step = -1
        """The step of which a warning has said so."""
        self._clock_topics = frozenset({topics.roster(run), topics.grants(run), topics.grant(run, host_id)})
        self._clock_liveness = clock_liveness or ClockLiveness()
        self._clock_watch = None
        if clock_limit_wall_s is not None:
            self._clock_watch = ClockWatch(
                run,
                host_id,
                self._clock_liveness,
                clock_limit_wall_s,
                awaited_topic=self._awaited_topic,
                why_missing=self._why_clock_is_missing,
            )

    async def run(self, broker: Broker) -> None:
        """Take part in the run until the clock ends it.

        The host's retained messages are removed from the broker when the run ends, fails or is interrupted.

        Args:
            broker: The broker of the run.

        Raises:
            BrokerUnreachableError: See `broker.transport.base`.
            BrokerLostError: See `broker.transport.base`.
            HostRefusedError: The clock refused this host; the message says why.
            RunFailedError: The clock ended the run because of a failure.
            JournalError: The journal cannot be used or does not replay.
        """
        async with AsyncExitStack() as leaving, asyncio.TaskGroup() as tasks:
            leaving.enter_context(noting_tasks())
            replayed = await self._replay(tasks)
            # A broker ends a client's connection when another one takes its id, so the id must stay secret, unlike the
            # session, which is in the roster.
            client_id = f"{self.run_id}-{self.host_id}-{secrets.token_hex(8)}"
            will = Will(topics.host(self.run_id, self.host_id), self._gone.encoded())
            async with broker.connect(client_id, will) as bus, self._taking_part(broker, bus, tasks) as early:
                if replayed is not None:
                    await self._outbox.publish_retained(bus)  # they may have been removed when this host left
                if replayed is None or replayed.phase != "end":
                    await self._wait_for_roster()  # until then, messages of this process are rejected
                    await self._outbox.publish_last(bus)
                    with self._waking(bus, tasks):
                        await self._run_rounds(bus, tasks)
                # A host restarted after its last step has nothing to report: to the clock, its departure is the answer.
            leaving.enter_context(no_collections())  # until the agents' tasks have ended
            self._group.stop()
            for error in early:
                raise error

    @asynccontextmanager
    async def _taking_part(
        self, broker: Broker, bus: Bus, tasks: asyncio.TaskGroup
    ) -> AsyncIterator[list[BaseException]]:
        """Announce the host and read its messages for the duration of the context, then leave in order.

        Args:
            broker: The broker of the run.
            bus: The connection to it.
            tasks: For coroutines that run in the background.

        Returns:
            A list that receives the error that ended the context early; it is to be raised once the host has left.
        """
        await bus.subscribe(topics.roster(self.run_id), qos=topics.QOS_AT_LEAST_ONCE)
        await bus.subscribe(
            topics.inboxes(self.run_id, self.host_id),
            topics.resends(self.run_id, self.host_id),
            topics.grants(self.run_id),
            topics.grant(self.run_id, self.host_id),
        )
        await self._announce(bus)
        background = [tasks.create_task(self._read(bus), name=f"host[{self.host_id}].read")]
        if self._clock_watch is not None:
            watching = self._clock_watch.keep_watching(broker, bus)
            background.append(tasks.create_task(watching, name=f"host[{self.host_id}].watch"))
        early: list[BaseException] = []
        try:
            yield early
        except BaseException as error:
            _cancel(background)
            if not self._directory.represents_host or not await leave_gracefully(self._tidy_up(bus, self._gone)):
                raise  # so that the broker publishes the will
            early.append(error)
        else:
            _cancel(background)
            await self._tidy_up(bus)
        finally:
            self.rejected.log_suppressed()

    @contextmanager
    def _waking(self, bus: Bus, tasks: asyncio.TaskGroup) -> Iterator[None]:
        """Let input from outside wake the clock for the duration of the context."""
        waking = tasks.create_task(self._keep_waking(bus), name=f"host[{self.host_id}].wake")
        try:
            yield
        finally:
            waking.cancel()

    @property
    def _gone(self) -> Announcement:
        """What the host announces when it leaves a run that may continue."""
        return Announcement(host=self.host_id, session=self.session, agents=(), state="gone")

    async def _tidy_up(self, bus: Bus, gone: Announcement | None = None) -> None:
        """Remove the host's retained messages from the broker.

        Args:
            bus: The connection.
            gone: Published first if the host leaves a run that may continue.
        """
        topic = topics.host(self.run_id, self.host_id)
        if gone is not None:
            await bus.publish(topic, gone, qos=topics.QOS_AT_LEAST_ONCE)
        if not self._directory.keeps_retained:
            await self._outbox.clear_retained(bus)
        await bus.publish(topic, b"", qos=topics.QOS_AT_LEAST_ONCE, retain=True)
        await bus.flush()

    async def _wait_for_roster(self) -> None:
        """Wait until the roster lists this process; log if a round is granted, but no roster arrives."""
        while not self._directory.listed.is_set():
            try:
                async with asyncio.timeout(SILENT_AFTER_WALL_S):
                    await self._directory.listed.wait()
            except TimeoutError:
                if self._grants.latest is not None and not self._directory.has_roster:
                    log.warning(NOT_HEARD, host=self.host_id, topic=topics.roster(self.run_id), hint=HINT)
                    await self._directory.listed.wait()

    def _awaited_topic(self, step: int) -> str | None:
        """Return the topic on which this host or the clock waits for the other one.

        Args:
            step: The step for which the clock waits.

        Returns:
            None: This host is at work, or logs itself what it waits for.
        """
        grants, run, own = self._grants, self.run_id, self.host_id
        if not self._directory.listed.is_set():
            if self._directory.has_roster:
                return topics.host(run, own)
            return topics.roster(run) if grants.latest is None else None
        if grants.running_step is not None or (grants.latest is not None and grants.latest.step > grants.last_step):
            return None
        if grants.last_step < step:
            return topics.grant(run, own)
        return topics.inboxes_from(run, own) if self._repeated_wall_s is None else topics.done(run, own)

    def _why_clock_is_missing(self) -> str:
        """Return what is known about why there is no sign of the clock; empty: nothing."""
        if (problem := self.rejected.last_roster_problem) is not None:
            return f"; its last roster was dropped: {problem}"
        if self._directory.has_roster or self._grants.latest is not None:
            return ""
        where = topics.roster(self.run_id)
        return f" on {where}: does a clock with this run id use this broker, and may this login read that topic?"

    async def _announce(self, bus: Bus) -> None:
        there = Announcement(
            host=self.host_id,
            session=self.session,
            agents=self._group.ids,
            setup=self._setup,
            ran=self._grants.last_step,
            state="there",
        )
        topic = topics.host(self.run_id, self.host_id)
        await bus.publish(topic, there, qos=topics.QOS_AT_LEAST_ONCE, retain=True)

    # Incoming messages.

    async def _read(self, bus: Bus) -> None:
        bus.on_oversized = lambda topic, size_bytes: self.rejected.reject(topic, too_large(size_bytes))
        bus.on_delivery = self._take_at_once
        async for event in bus.messages():
            if not isinstance(event, Delivery):
                log.info("reconnected", host=self.host_id)
                await self._announce(bus)
                await self._outbox.publish_retained(bus)
                await self._request_missing(bus)
                continue
            if not self._take_at_once(event):
                try:
                    await self._take(bus, event)
                except ProtocolError as error:
                    self.rejected.reject(event.topic, error)

    def _take_at_once(self, delivery: Delivery) -> bool:
        """Take a message that needs no answer, as most do; return False if `_take` has to handle it."""
        topic = delivery.topic
        if topic in self._clock_topics and not delivery.retain:
            self._clock_liveness.last_wall_s = asyncio.get_running_loop().time()
        address = topics.parse(topic)
        if address is None or delivery.retain or address.run != self.run_id:
            return False
        try:
            if address.kind == "inbox":
                self._take_batch(address.ids[1], delivery)
                return True
            if address.kind == "resend":
                from_host = address.ids[1]
                # Until the roster lists this process, what it repeats is rejected.
                is_out = from_host in self._directory.quarantined or not self._directory.listed.is_set()
                return is_out or not self._outbox.may_repeat(delivery.read(ResendRequest).step, from_host)
            if address.kind in _GRANTS:
                granted = Round.of(delivery.grant_to(self.host_id), self.host_id)
                return granted is None or self._take_new_grant(granted)
        except ProtocolError as error:
            self.rejected.reject(topic, error)
            return True
        return False

    async def _take(self, bus: Bus, delivery: Delivery) -> None:
        address = topics.parse(delivery.topic)
        if address is None or address.run != self.run_id:
            raise ProtocolError("not a topic of this run")
        if delivery.retain and address.kind not in topics.RETAINED:
            raise ProtocolError("retained message on a topic that must not be retained")
        match address.kind, address.ids:
            case "roster", () if delivery.is_empty:
                pass  # the clock has left and removed it
            case "roster", ():
                if not self._take_roster(read_rosters.read(delivery), is_stored=delivery.retain):
                    await self._announce(bus)
            case ("grants", ()) | ("grant", (_,)):
                granted = Round.of(delivery.grant_to(self.host_id), self.host_id)
                if granted is not None and self._directory.listed.is_set():  # until then, answers are rejected
                    await self._answer_again(bus, granted)
            case "resend", (_, from_host):
                await self._outbox.resend(bus, delivery.read(ResendRequest).step, from_host)
            case _:
                raise ProtocolError("a host does not read this topic")

    def _take_roster(self, roster: Roster, *, is_stored: bool) -> bool:
        """Adopt a roster; return False if it does not list this process."""
        directory = self._directory
        was_listed, quarantined = directory.listed.is_set(), directory.quarantined
        is_listed = directory.take(roster, is_stored=is_stored)
        if roster.ended:
            self._grants.end()
            self._arrived.set()
            return True
        self._forget_messages_of(directory.quarantined.keys() - quarantined.keys())
        if is_listed and not was_listed and self._journal is not None:
            self._journal.save_host_by_agent(roster.host_by_agent_json)
        return is_listed

    def _forget_messages_of(self, quarantined: Iterable[str]) -> None:
        """Drop what newly quarantined hosts have sent for later rounds, because each round would have to search it."""
        for host in quarantined:
            # The latest grant may name them; no later one does.
            latest = self._grants.latest
            self._buffer.drop_from(0 if latest is None else latest.step, host)

    def _take_new_grant(self, grant: Round) -> bool:
        """Take a grant of a step that has not begun; return whether it is one."""
        is_new = self._grants.take(grant)
        if is_new:
            self._repeated_wall_s = None
            self._arrived.set()  # it may name fewer hosts to wait for
        return is_new

    async def _answer_again(self, bus: Bus, grant: Round) -> None:
        """Answer the repeated grant of a step that is running, or that has run."""
        if self._grants.running_step == grant.step:
            busy = Done(
                session=self.session,
                step=grant.step,
                time=grant.time,
                round=grant.round,
                sent={},
                next=None,
                busy=True,
            )
            await self._outbox.publish_answer(bus, busy)
        elif grant.step <= self._grants.last_step:
            last = self._outbox.last
            if last is not None and grant.step == last.step:
                self._note_repetition()
                await self._outbox.answer(bus)

    def _note_repetition(self) -> None:
        """Log if the clock keeps repeating the grant of a step that this host has answered."""
        now_wall_s = asyncio.get_running_loop().time()
        begun_wall_s, last_wall_s = self._repeated_wall_s or (now_wall_s, now_wall_s)
        if now_wall_s - last_wall_s > SILENT_AFTER_WALL_S:  # for another reason, such as a restart of the clock
            begun_wall_s = now_wall_s
        self._repeated_wall_s = begun_wall_s, now_wall_s
        if now_wall_s - begun_wall_s >= SILENT_AFTER_WALL_S and self._reported_step != self._grants.last_step:
            self._reported_step = self._grants.last_step
            log.warning(NOT_HEARD, host=self.host_id, topic=topics.done(self.run_id, self.host_id), hint=HINT)

    def _take_batch(self, from_host: str, delivery: Delivery) -> None:
        """Buffer another host's messages; each message that does not belong here is rejected individually.

        Raises:
            ProtocolError: That host was removed from the run.
        """
        if from_host in self._directory.quarantined:
            raise ProtocolError(f"host {from_host!r} was removed from the run")
        envelopes = delivery.envelopes
        size_bytes = weight_bytes(delivery.payload) // len(envelopes) if delivery.size_bytes else 0
        for envelope in envelopes:
            try:
                self._take_envelope(from_host, envelope, size_bytes)
            except ProtocolError as error:
                self.rejected.reject(delivery.topic, error)
        if not self._arrived.is_set():
            self._arrived.set()

    def _take_envelope(self, from_host: str, envelope: Envelope, size_bytes: int) -> None:
        if envelope.to not in self._group:
            raise MalformedError(f"agent {envelope.to!r} does not live on this host")
        self._directory.check(envelope, from_host)
        if envelope.step < self._grants.last_step:
            return  # a late duplicate
        self._buffer.add(from_host, envelope, size_bytes)

    # Rounds.

    async def _run_rounds(self, bus: Bus, tasks: asyncio.TaskGroup) -> None:
        grants = self._grants
        while (granted := await grants.next()) is not None:
            if granted.expected and self._missing():
                await self._wait_for_messages(bus, granted.step)
                if grants.has_ended:
                    return
                granted = grants.latest or granted
            grants.running_step = granted.step
            messages = self._buffer.pop(granted.before, granted.expected)
            if self._local:
                messages = in_order([*messages, *self._local]) if messages else self._local
            record = await self._run_round(granted, messages, tasks)
            sent = len(record.sent)
            for _ in range(MOST_ROUNDS_A_GRANT - 1 if granted.alone else 0):
                if sent > _MOST_SENT_ALONE or not self._may_run_on(record):
                    break
                record = await self._run_round(record.grant.following, self._local, tasks)
                sent += len(record.sent)
            await self._outbox.publish_last(bus)
            grants.running_step = None
            if granted.phase == "end":
                return

    async def _run_round(self, round_: Round, messages: tuple[Envelope, ...], tasks: asyncio.TaskGroup) -> RoundRecord:
        if self._outside is not None:
            messages += self._outside.take(round_)
        record = await self._group.run_round(
            round_, messages, self._directory.host_by_agent, tasks, next_s=self._next_outside_s
        )
        if rejections := self._group.take_rejections():
            self._count_rejections(rejections)
        if self._journal is not None:
            await self._journal.store(record)
        self._record_round(record)
        if self._outside is not None and record.instructions:
            await self._outside.port.carry_out(record.instructions, round_.time)
        return record

    def _may_run_on(self, record: RoundRecord) -> bool:
        """Return whether the host may run the next round without a grant: all messages are between its own agents."""
        return record.failure is None and bool(self._local) and len(self._local) == len(record.sent)

    def _count_rejections(self, rejections: Sequence[MessageRejection]) -> None:
        """Count messages that the agents rejected against the hosts that sent them."""
        for rejection in rejections:
            from_host = self._directory.host_by_agent.get(rejection.sender)
            # An agent may find out what another one did after that one's household has left the roster.
            topic = "" if from_host is None else topics.inbox(self.run_id, self.host_id, from_host)
            why = f"agent {rejection.sender!r} {rejection.why} (refused by agent {rejection.agent!r})"
            self.rejected.reject(topic, ProtocolError(why))

    @property
    def _next_outside_s(self) -> int | None:
        return None if self._outside is None else self._outside.port.next_s

    async def _keep_waking(self, bus: Bus) -> None:
        """Ask the clock for a round whenever input from outside is waiting, until it has been taken."""
        if self._outside is not None:
            topic = topics.wake(self.run_id, self.host_id)
            await self._outside.keep_waking(bus, topic, self._timeouts.backoff())

    async def _wait_for_messages(self, bus: Bus, step: int) -> None:
        """Wait until all messages of a granted step have arrived, or the run has ended without this host."""
        backoff = self._timeouts.backoff()
        loop = asyncio.get_running_loop()
        since_wall_s: float | None = loop.time()
        while not self._grants.has_ended and (missing := self._missing()):
            if not await backoff.wait(self._arrived):
                await self._request_missing(bus)
            if since_wall_s is not None and loop.time() - since_wall_s >= SILENT_AFTER_WALL_S:
                since_wall_s = None
                topic = topics.inbox(self.run_id, self.host_id, missing[0])
                log.warning("waiting for messages", host=self.host_id, sender_hosts=missing, step=step - 1, topic=topic)

    def _missing(self) -> list[str]:
        """Return the hosts whose messages of the granted step have not all arrived."""
        latest = self._grants.latest
        return [] if latest is None else self._buffer.missing(latest.before, latest.expected)

    async def _request_missing(self, bus: Bus) -> None:
        grant = self._grants.latest
        if self._grants.running_step is not None or not self._directory.listed.is_set():
            return  # the answer will follow; one for a part of the rounds must not reach the clock while others run
        if grant is None or self._grants.last_step >= grant.step:
            await self._outbox.answer(bus)  # it may be the message that was lost
            return
        step = grant.step - 1
        for host in self._missing():
            log.info("messages requested again", host=self.host_id, sender_host=host, step=step)
            request = ResendRequest(step=step)
            await bus.publish(topics.resend(self.run_id, host, self.host_id), request, qos=topics.QOS_AT_MOST_ONCE)

    async def _replay(self, tasks: asyncio.TaskGroup) -> Round | None:
        """Run the journal's rounds again; return the last grant, whose results may not have been published."""
        last: Round | None = None
        if self._journal is None:
            return None
        host_by_agent = self._journal.load_host_by_agent()
        for round_ in self._journal.rounds():
            record = await self._group.run_round(
                round_.grant, round_.delivered, host_by_agent, tasks, next_s=self._next_outside_s
            )
            self._group.take_rejections()  # they were counted when the round ran first
            if record.digest != round_.digest:
                raise JournalError(f"host {self.host_id!r} replays step {round_.grant.step} with a different result")
            self._record_round(record, is_replayed=True)
            if self._outside is not None:
                self._outside.restore(record)
            last = record.grant
        if last is not None:
            log.info("replayed", host=self.host_id, step=last.step)
        return last

    def _record_round(self, record: RoundRecord, *, is_replayed: bool = False) -> None:
        self._outbox.add_round(record)
        self._grants.last_step = record.grant.step
        self._local = tuple([envelope for host, envelope in record.sent if host == self.host_id]) if record.sent else ()
        if self._observer is not None:
            self._observer.round_ran(self.host_id, record, is_replayed=is_replayed)


def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
