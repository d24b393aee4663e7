"""Group membership: which hosts are expected, present, lost or refused; how the clock admits and evicts them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from math import inf

import structlog
from pydantic_core import to_json

from broker.clock.barrier import RoundBarrier
from broker.errors import MalformedError, ProtocolError
from broker.hosts import check_session
from broker.journal_file import setup_differences, setup_parts
from broker.protocol import CLOCK_IS_BEHIND, MAX_PAYLOAD_BYTES, Announcement, Member, Roster, Timeouts, clipped, topics
from broker.transport import Bus

NEVER_RAN: frozenset[int] = frozenset({-1})
"""The last step of a host that announces itself before the run has begun."""
MOST_REFUSED = 4
"""How many refused sessions the roster lists for each host; the most recent ones are kept."""
AWAY_TOO_LONG = "it was away too long, and the run continued without it"
_REASON_CHARACTERS = 300
_USUAL_SESSION = "0" * 16
"""A session as long as those of ssmic's own hosts. Other hosts may have longer sessions if the roster has room."""
_DUPLICATE = "another process already takes part as this host"

log = structlog.get_logger(__name__)


class Membership:
    """The clock's register of hosts."""

    def __init__(
        self,
        expected: Mapping[str, tuple[str, ...]],
        setups: Mapping[str, str] | None = None,
        *,
        utc_offset_s: int = 0,
        zone: str = "",
    ) -> None:
        """Create a register in which no host is present.

        Args:
            expected: By host id, the agents that live there.
            setups: By host id, the fingerprint of the settings that it must have been started with; hosts not listed
                may have any.
            utc_offset_s: See `Roster`.
            zone: See `Roster`.
        """
        self._setups = dict(setups or {})
        self._utc_offset_s = utc_offset_s
        self._zone = zone
        self.expected = dict(expected)
        self.gone: set[str] = set()
        """Hosts that were present and left, or whose last will was published."""
        self.dropped: dict[str, tuple[str, ...]] = {}
        """Hosts that the run continues without, with their agents."""
        self.reasons: dict[str, str] = {}
        """Why each of them was dropped."""
        self.quarantined: dict[str, str] = {}
        """The dropped hosts that were quarantined because they broke the protocol, with the reason."""
        self.refused: dict[str, dict[str, str]] = {}
        """By host, by session: why it may not take part as that host."""
        self.claims: dict[str, Announcement] = {}
        """By host, the announcement of a second process that claims to be the host, while the first one is asked for a
        sign of life."""
        self._present: dict[str, Member] = {}
        self._sessions: dict[str, str] = {}
        self._published: dict[str, str] = {}
        """By host, the session of the last roster that has come back from the broker: the one that all hosts know."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Expected hosts that are not present, sorted."""
        return tuple(sorted(self.expected.keys() - self._present.keys()))

    @property
    def roster(self) -> Roster:
        """The host of each agent, including hosts that are absent or contested.

        Hosts route messages by it. A broker that shuts down publishes all last wills first, and when it is back the
        clock may be the first to reconnect: a roster of the present hosts only would make messages undeliverable.
        """
        unsure = {host: Member(session="", agents=self.expected[host]) for host in (*self.missing, *self.claims)}
        return Roster(
            hosts=dict(sorted({**self._present, **unsure}.items())),
            refused=_by_session(self.refused),
            quarantined=dict(sorted(self.quarantined.items())),
            utc_offset_s=self._utc_offset_s,
            zone=self._zone,
        )

    def check_session(self, host: str, session: str) -> None:
        """Reject a message from a process that does not represent its host; for an absent host, its last session does.

        A process represents its host as soon as the roster names it. The clock reads the roster from the broker, as all
        hosts do, in the same order relative to messages. Otherwise it would count messages that their receivers reject,
        or the other way round.

        Args:
            host: The host.
            session: The session in the message.

        Raises:
            ProtocolError: The session is not the host's current one.
        """
        present = self._published.get(host)
        if session != present:
            check_session(host, session, present)

    def note_published(self, roster: Roster) -> None:
        """Record that a roster has come back from the broker."""
        self._published |= {host: session for host, session in roster.sessions.items() if host in self.expected}

    def is_present(self, host: str, session: str) -> bool:
        """Return whether a process is present as its host."""
        member = self._present.get(host)
        return member is not None and member.session == session

    def check_announced(self, host: str, announcement: Announcement) -> None:
        """Reject an announcement of a host that takes no part, or of another one.

        Raises:
            ProtocolError: The host is not expected in this run, or is quarantined.
        """
        if host not in self.expected.keys() | self.dropped.keys():
            raise ProtocolError(f"host {host!r} is not expected in this run")
        if host in self.quarantined:
            raise ProtocolError(f"host {host!r} was removed from the run")
        if announcement.host != host:
            raise MalformedError(f"host {host!r} announces itself as {announcement.host!r}")

    def register(self, host: str, announcement: Announcement, ran: Collection[int] = NEVER_RAN) -> bool:
        """Process an announcement.

        A second process that claims to be a present host is neither admitted nor refused at once: the first one's last
        will may have been lost together with the broker that should have published it. It is kept in `claims` until
        either process has proven to be alive, or `evict_silent` is called.

        Args:
            host: The announcing host, from the topic.
            announcement: Its content.
            ran: Steps that it may name as the last one that it ran.

        Returns:
            Whether the host is now present with a new session.

        Raises:
            ProtocolError: The host is not expected in this run, or is quarantined.
        """
        self.check_announced(host, announcement)
        member = self._present.get(host)
        session = announcement.session
        if announcement.state == "gone":
            return self._register_departure(host, session, ran)
        if member is not None and member.session == session:
            self._refuse_claim(host)
            return False
        # A copy of a present host cannot know its last step; it is refused below for being a duplicate.
        why = self._rejection_reason(host, announcement, ran if member is None else (announcement.ran,))
        if why is None and member is not None and host in self.claims and self.claims[host].session != session:
            why = _DUPLICATE
        if why is not None:
            self._refuse(host, session, why)
        elif member is None:
            self._admit(host, session)
            return True
        elif host not in self.claims:
            log.info("host claimed", host=host)
            self.claims = {**self.claims, host: announcement}
        return False

    def evict_silent(self, host: str, session: str, ran: Collection[int]) -> bool:
        """Replace a host's silent process by the one that claims to be the host.

        Args:
            host: The host.
            session: Session of the claim; a claim that has been decided already is ignored.
            ran: As in `register`.

        Returns:
            Whether the claiming process was admitted.
        """
        claim = self.claims.get(host)
        if claim is None or claim.session != session:
            return False
        log.warning("host silent", host=host)
        return self._register_departure(host, self._present[host].session, ran)

    def drop(self, host: str, why: str = AWAY_TOO_LONG, *, is_quarantined: bool = False) -> tuple[str, ...]:
        """Continue without a host.

        Args:
            host: The host.
            why: The reason, for display.
            is_quarantined: Whether it is quarantined, because it broke the protocol.

        Returns:
            Its agents.
        """
        why = clipped(why, _REASON_CHARACTERS)
        log.warning("host quarantined" if is_quarantined else "host dropped", host=host, reason=why)
        agents = self.dropped[host] = self.expected.pop(host)
        self.reasons[host] = why
        if is_quarantined:
            self.quarantined[host] = why
            self.refused.pop(host, None)
        self._refuse_claim(host)
        self._present.pop(host, None)
        self._sessions.pop(host, None)
        self._published.pop(host, None)
        self.gone.discard(host)
        return agents

    def _rejection_reason(self, host: str, announcement: Announcement, ran: Collection[int]) -> str | None:
        if host in self.dropped:
            return self.reasons[host]
        if set(announcement.agents) != set(self.expected[host]):
            return "its scenario assigns other devices to it than the clock's does"
        found = setup_parts(announcement.setup)
        if found != (setup := setup_parts(self._setups.get(host, announcement.setup))):
            return f"its settings differ from the clock's: {', '.join(setup_differences(found, setup))}"
        if self._is_too_long(host, announcement.session):
            return "its session is too long: with it, the roster of this run would not fit into a message"
        if announcement.ran not in ran:
            in_order = sorted(ran)
            named = in_order if len(in_order) < 3 else [in_order[0], in_order[-1]]
            steps = (" or " if len(in_order) < 3 else " to ").join(map(_step_in_words, named))
            why = "its journal is missing, incomplete or from another run"
            if announcement.ran > in_order[-1]:
                why = f"{CLOCK_IS_BEHIND}, or this journal is from another run"
            return f"the last step it ran is {_step_in_words(announcement.ran)}, expected {steps}: {why}"
        return None

    def _is_too_long(self, host: str, session: str) -> bool:
        """Return whether the roster would be too large for a message if a host had this session."""
        more_bytes = _more_bytes(session)
        if not more_bytes:
            return False
        more_bytes += sum(_more_bytes(member.session) for other, member in self._present.items() if other != host)
        return self._usual_bytes + more_bytes > MAX_PAYLOAD_BYTES

    @cached_property
    def _usual_bytes(self) -> int:
        """Size of the roster if all hosts are present; it shrinks whenever one is dropped."""
        hosts = {host: Member(session=_USUAL_SESSION, agents=agents) for host, agents in self.expected.items()}
        return len(self.roster.model_copy(update={"hosts": hosts, "refused": {}, "quarantined": {}}).encoded())

    def _admit(self, host: str, session: str) -> None:
        if host in self._sessions:
            log.warning("host is back", host=host)
        else:
            log.info("host present", host=host)
        self._present[host] = Member(session=session, agents=self.expected[host])
        self._sessions[host] = session
        self.gone.discard(host)

    def _refuse(self, host: str, session: str, why: str) -> None:
        log.warning("host refused", host=host, reason=why)
        kept = [item for item in self.refused.get(host, {}).items() if item[0] != session]
        self.refused = {**self.refused, host: dict([*kept, (session, why)][-MOST_REFUSED:])}

    def _refuse_claim(self, host: str) -> None:
        if host in self.claims:
            claim = self._pop_claim(host)
            if host not in self.quarantined:
                self._refuse(host, claim.session, _DUPLICATE)

    def _pop_claim(self, host: str) -> Announcement:
        claim = self.claims[host]
        self.claims = {other: kept for other, kept in self.claims.items() if other != host}
        return claim

    def _register_departure(self, host: str, session: str, ran: Collection[int]) -> bool:
        member = self._present.get(host)
        if member is None or member.session != session:
            if host in self.claims and self.claims[host].session == session:
                self._pop_claim(host)
            return False
        log.warning("host gone", host=host)
        del self._present[host]
        self.gone.add(host)
        return host in self.claims and self.register(host, self._pop_claim(host), ran)


def _step_in_words(step: int) -> str:
    """Return the last step that a host ran, for an error."""
    return "none" if step in NEVER_RAN else str(step)


def _more_bytes(session: str) -> int:
    """Return how much more space a session takes in the roster than a session of ssmic's own hosts."""
    return max(0, len(to_json(session)) - len(to_json(_USUAL_SESSION)))


def _by_session(refused: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    by_session: dict[str, dict[str, str]] = {}
    for host, sessions in sorted(refused.items()):
        for session, why in sessions.items():
            by_session.setdefault(session, {})[host] = why
    return dict(sorted(by_session.items()))


ROSTER_EVERY_WALL_S = 0.05
"""Shortest interval between two publications of the roster, wall-clock seconds."""
MOST_CHANGES_AT_ONCE = 20
"""Announcements of one host that are processed as they come: those of a few restarts. Further ones are processed one
per `Timeouts.resend_most_wall_s`, as each changes the roster, which all hosts read."""


class Admission:
    """Admits hosts to a run: processes announcements and publishes the roster."""

    def __init__(
        self,
        run: str,
        members: Membership,
        barrier: RoundBarrier,
        timeouts: Timeouts,
        *,
        ran: Callable[[str], frozenset[int]],
        on_missing: Callable[[tuple[str, ...]], None] | None,
        keep: bool,
    ) -> None:
        """Create it.

        Args:
            run: The run's id.
            members: The register.
            barrier: Informed of signs of life and restarts.
            timeouts: How long to wait for hosts, and for a sign of life from a host that another process claims to be.
            ran: Returns which steps a host may name as the last one that it ran.
            on_missing: Called with the ids of missing hosts whenever they change before the run starts.
            keep: Whether hosts leave their retained messages at the broker.
        """
        self._keep = keep
        self._run = run
        self._members = members
        self._barrier = barrier
        self._timeouts = timeouts
        self._ran = ran
        self._on_missing = on_missing
        self._reported_missing: tuple[str, ...] = ()
        self._is_open = False
        """Whether all hosts have been present once; from then on, every change is published at once."""
        self._changed = asyncio.Event()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        """By host, the timer of its last claim; those of earlier claims have nothing left to decide."""
        self._due_wall_s: dict[str, float] = {}
        """By host, when its announcements are due if they come at the slow rate, loop time."""
        self._deferred: dict[str, tuple[Announcement, asyncio.TimerHandle]] = {}
        """By host, the announcement that waits for its turn; a later one takes its place."""

    def handle_announcement(self, host: str, announcement: Announcement, *, is_stored: bool) -> None:
        """Process an announcement.

        Args:
            host: The announcing host, from the topic.
            announcement: Its content.
            is_stored: Whether the broker had retained it since before the clock subscribed. The host may have run
                further rounds since then; if so, it is ignored, and the host announces itself again when the roster
                does not list it. It is no sign of life either.

        Raises:
            ProtocolError: The host is not expected in this run.
        """
        members = self._members
        if is_stored and announcement.state == "there" and announcement.ran not in self._ran(host):
            return
        members.check_announced(host, announcement)
        is_repeated = announcement.state == "there" and members.is_present(host, announcement.session)
        if is_repeated and is_stored:
            return  # read again after a reconnection; it is no sign of life
        if not is_repeated and self._is_deferred(host, announcement):
            return
        self._process(host, announcement)

    def _is_deferred(self, host: str, announcement: Announcement) -> bool:
        """Return whether an announcement has to wait, because its host has sent many."""
        loop, every_wall_s = asyncio.get_running_loop(), self._timeouts.resend_most_wall_s
        now_wall_s = loop.time()
        due_wall_s = max(self._due_wall_s.get(host, -inf), now_wall_s - (MOST_CHANGES_AT_ONCE - 1) * every_wall_s)
        if host in self._deferred:
            timer = self._deferred[host][1]
        elif due_wall_s > now_wall_s:
            timer = loop.call_at(due_wall_s, self._process_deferred, host)
        else:
            self._due_wall_s[host] = due_wall_s + every_wall_s
            return False
        self._deferred[host] = announcement, timer
        return True

    def _process_deferred(self, host: str) -> None:
        announcement, _ = self._deferred.pop(host)
        self._due_wall_s[host] = asyncio.get_running_loop().time() + self._timeouts.resend_most_wall_s
        try:
            self._process(host, announcement)
        except ProtocolError as error:  # its host was quarantined meanwhile
            log.warning("announcement dropped", host=host, reason=str(error))

    def _process(self, host: str, announcement: Announcement) -> None:
        members = self._members
        before = members.refused, members.claims
        is_new = members.register(host, announcement, self._ran(host))
        claim = members.claims.get(host)
        if claim is not None and claim is not before[1].get(host):
            loop = asyncio.get_running_loop()
            wait_wall_s = self._timeouts.resend_most_wall_s
            if host in self._timers:
                self._timers[host].cancel()
            self._timers[host] = loop.call_later(wait_wall_s, self._evict_silent, host, claim.session)
        if is_new:
            self._barrier.record_return(host)
        elif members.is_present(host, announcement.session):
            self._barrier.mark_alive(host, is_announcement=True)
        elif announcement.state == "gone":
            self._barrier.activity.set()  # other hosts may be missing now
        if (is_new and self._is_open) or before != (members.refused, members.claims):
            self._changed.set()

    def _evict_silent(self, host: str, session: str) -> None:
        """Admit the process that claims to be a host if the present one has given no sign of life."""
        if self._members.evict_silent(host, session, self._ran(host)):
            self._barrier.record_return(host)
        self._changed.set()

    async def wait_for_hosts(
        self, bus: Bus, quarantine_offenders: Callable[[], None], drop_missing: Callable[[tuple[str, ...]], None]
    ) -> None:
        """Wait until all hosts are present, or those that are not are dropped, then publish the roster.

        Args:
            bus: The clock's connection.
            quarantine_offenders: Quarantines hosts that break the protocol.
            drop_missing: Drops the hosts that are missing at the time limit, or raises.

        Raises:
            HostsMissingError: Hosts were still missing at the time limit.
        """
        if self._members.missing:
            await self.publish(bus)  # hosts that took part before this clock restarted announce themselves again
        with self._barrier.silence.limited_wait(self._timeouts.limit_wall_s) as deadline:
            while self._members.missing:
                quarantine_offenders()
                missing = self._members.missing
                if not missing:
                    break  # the last that was missing has just been quarantined
                if self._on_missing is not None and self._reported_missing != missing:
                    self._reported_missing = missing
                    self._on_missing(missing)
                # For a short time, to notice whether this process was suspended meanwhile.
                soon_wall_s = asyncio.get_running_loop().time() + self._timeouts.resend_most_wall_s
                wake_wall_s = min(deadline.at_wall_s, soon_wall_s)
                if await self._barrier.wait(wake_wall_s) or self._barrier.leave_out_suspension((), wake_wall_s):
                    continue
                if wake_wall_s >= deadline.at_wall_s:
                    drop_missing(missing)
        await self.publish(bus)

    def changed(self) -> None:
        """Publish the roster soon, because a host was dropped."""
        self._changed.set()

    def open(self) -> None:
        """From now on, publish the return of a host at once."""
        self._is_open = True

    async def keep_publishing(self, bus: Bus) -> None:
        """Publish the roster whenever it changes, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self.publish(bus)
            await asyncio.sleep(ROSTER_EVERY_WALL_S)

    def republish(self, away_wall_s: float) -> None:
        """Publish the unchanged roster again, because the broker may have lost it.

        Args:
            away_wall_s: For how long the clock was disconnected, wall-clock seconds.
        """
        self._barrier.leave_out(self._members.expected, away_wall_s)
        self._changed.set()

    async def publish(self, bus: Bus, *, ended: bool = False, failed: str = "", may_resume: bool = False) -> None:
        """Publish the roster.

        Args:
            bus: The clock's connection.
            ended: Whether the run has ended.
            failed: Why the run failed; empty if it did not.
            may_resume: Whether a restarted clock can continue the run.

        Raises:
            SsmicError: The run has more hosts and agents than fit into a message.
        """
        update = {"ended": ended, "failed": clipped(failed), "may_resume": may_resume, "keep": self._keep}
        roster = self._members.roster.model_copy(update=update)
        await bus.publish(topics.roster(self._run), roster, qos=topics.QOS_AT_LEAST_ONCE, retain=True)

    def close(self) -> None:
        """Stop admitting hosts: pending claims of second processes are no longer decided."""
        for timer in (*self._timers.values(), *(timer for _, timer in self._deferred.values())):
            timer.cancel()
