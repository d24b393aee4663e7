"""Who takes part in a run: the hosts that are expected, those that are there, and those that were turned away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping

import structlog

from broker.clock.barrier import RoundBarrier
from broker.errors import HostsMissingError, ProtocolError
from broker.hosts import check_session
from broker.protocol import Announcement, Member, Roster, Timeouts, topics
from broker.transport import Bus

NEVER_RAN: frozenset[int] = frozenset({-1})
"""What a host says that comes before the run has begun."""
MOST_REFUSED = 100
"""Sessions that the roster turns away by name; of more than these, those that came last."""

_TWICE = "it takes part already, from another process"

log = structlog.get_logger(__name__)


class Membership:
    """The clock's register of hosts."""

    def __init__(
        self,
        expected: Mapping[str, tuple[str, ...]],
        setups: Mapping[str, str] | None = None,
        *,
        utc_offset_s: int = 0,
    ) -> None:
        """Make a register.

        Args:
            expected: By host id, the agents that live there.
            setups: By host id, the fingerprint of what it must have been started with; a host without one may have
                any.
            utc_offset_s: What the roster says of it, see `Roster`.
        """
        self._setups = dict(setups or {})
        self._utc_offset_s = utc_offset_s
        self.expected = dict(expected)
        self.gone: set[str] = set()
        """Hosts that were there and said, or had their last will say, that they are gone."""
        self.dropped: dict[str, tuple[str, ...]] = {}
        """Hosts that the run goes on without, with their agents."""
        self.refused: dict[str, str] = {}
        """By session, why it may not take part."""
        self.claims: dict[str, Announcement] = {}
        """By host, the second process that says it is that host, while the first one is asked for a sign of life."""
        self._there: dict[str, Member] = {}
        self._sessions: dict[str, str] = {}

    @property
    def missing(self) -> tuple[str, ...]:
        """Hosts that are expected and not there."""
        return tuple(sorted(self.expected.keys() - self._there.keys()))

    @property
    def roster(self) -> Roster:
        """What the clock tells everybody: where each agent lives, also of hosts that are away for now, or doubted.

        Hosts route by it. When a broker goes down it publishes everybody's last will first, and when it is back the
        clock may be the first to reconnect: a roster of those that are there would send messages nowhere.
        """
        unsure = {host: Member(session="", agents=self.expected[host]) for host in (*self.missing, *self.claims)}
        return Roster(
            hosts=dict(sorted({**self._there, **unsure}.items())),
            refused=dict(sorted(self.refused.items())),
            utc_offset_s=self._utc_offset_s,
        )

    def speaks(self, host: str, session: str) -> bool:
        """Whether a process is the one that takes part for its host."""
        return self._sessions.get(host) == session

    def check_session(self, host: str, session: str) -> None:
        """Refuse what a process says that does not speak for its host; of one that is away the last one does.

        Raises:
            ProtocolError: it is such a process.
        """
        check_session(host, session, self._sessions.get(host))

    def take(self, host: str, announcement: Announcement, ran: Collection[int] = NEVER_RAN) -> bool:
        """Take note of an announcement; return whether the host is there now with a session that was not before.

        A second process of a host that is there is neither let in nor turned away: what the first one's last will said
        may have been lost, with the broker that should have published it. `claims` has it until one of them has shown
        that it lives, or `give_way`.

        Args:
            host: Who announces, by the topic.
            announcement: What it says.
            ran: What it may name as the last step that it ran.

        Raises:
            ProtocolError: it is nobody that this run expects.
        """
        if announcement.host != host or host not in self.expected.keys() | self.dropped.keys():
            raise ProtocolError(f"host {host!r} is not expected in this run")
        member = self._there.get(host)
        session = announcement.session
        if announcement.state == "gone":
            return self._take_gone(host, session, ran)
        if member is not None and member.session == session:
            self._refuse_claim(host)
            return False
        # Of one that is there, another process may not know all, for it is only a copy; that it is told below.
        why = self._objection(host, announcement, ran if member is None else (announcement.ran,))
        if why is None and member is not None and host in self.claims and self.claims[host].session != session:
            why = _TWICE
        if why is not None:
            self._refuse(host, session, why)
        elif member is None:
            self._let_in(host, session)
            return True
        elif host not in self.claims:
            log.info("host claimed", host=host)
            self.claims = {**self.claims, host: announcement}
        return False

    def give_way(self, host: str, session: str, ran: Collection[int] = NEVER_RAN) -> bool:
        """Let in the process that claims to be a host, the first one having kept silent; return whether it is in now.

        Args:
            host: The host.
            session: Of the claim; one that has been decided already is void.
            ran: As in `take`.
        """
        claim = self.claims.get(host)
        if claim is None or claim.session != session:
            return False
        log.warning("host silent", host=host)
        return self._take_gone(host, self._there[host].session, ran)

    def drop(self, host: str) -> tuple[str, ...]:
        """Go on without a host; return its agents."""
        log.warning("host dropped", host=host)
        agents = self.dropped[host] = self.expected.pop(host)
        self._refuse_claim(host)
        self._there.pop(host, None)
        self._sessions.pop(host, None)
        self.gone.discard(host)
        return agents

    def _objection(self, host: str, announcement: Announcement, ran: Collection[int]) -> str | None:
        if host in self.dropped:
            return "it was away too long, and the run went on without it"
        if set(announcement.agents) != set(self.expected[host]):
            return "its scenario gives it other devices than the clock's does"
        if announcement.setup != self._setups.get(host, announcement.setup):
            return "its scenario, seed or algorithm differs from the clock's"
        if announcement.ran not in ran:
            steps = " or ".join(str(step) for step in sorted(ran))
            return (
                f"it has run the steps until {announcement.ran} and not until {steps}: "
                "its journal is missing, incomplete or of another run"
            )
        return None

    def _let_in(self, host: str, session: str) -> None:
        if host in self._sessions:
            log.warning("host is back", host=host)
        else:
            log.info("host there", host=host)
        self._there[host] = Member(session=session, agents=self.expected[host])
        self._sessions[host] = session
        self.gone.discard(host)

    def _refuse(self, host: str, session: str, why: str) -> None:
        log.warning("host refused", host=host, why=why)
        kept = [item for item in self.refused.items() if item[0] != session]
        self.refused = dict([*kept, (session, why)][-MOST_REFUSED:])

    def _refuse_claim(self, host: str) -> None:
        if host in self.claims:
            self._refuse(host, self._take_claim(host).session, _TWICE)

    def _take_claim(self, host: str) -> Announcement:
        claim = self.claims[host]
        self.claims = {other: kept for other, kept in self.claims.items() if other != host}
        return claim

    def _take_gone(self, host: str, session: str, ran: Collection[int]) -> bool:
        member = self._there.get(host)
        if member is None or member.session != session:
            if host in self.claims and self.claims[host].session == session:
                self._take_claim(host)
            return False
        log.warning("host gone", host=host)
        del self._there[host]
        self.gone.add(host)
        return host in self.claims and self.take(host, self._take_claim(host), ran)


ROSTER_EVERY_WALL_S = 0.05
"""The roster is published at most this often, whatever is announced."""


class Admission:
    """The clock's dealings with announcements."""

    def __init__(
        self,
        run: str,
        members: Membership,
        tally: RoundBarrier,
        patience: Timeouts,
        *,
        ran: Callable[[str], frozenset[int]],
        on_missing: Callable[[tuple[str, ...]], None] | None = None,
        keep: bool = False,
    ) -> None:
        """Make a reception.

        Args:
            run: The run's id.
            members: The register.
            tally: Is told who has been heard.
            patience: How long to wait for hosts, and for a sign of life of one that another claims to be.
            ran: Which steps a host may name as the last one that it ran.
            on_missing: Is told which hosts are not there yet, whenever that changes before the run starts.
            keep: Whether hosts leave what they told at the broker.
        """
        self._keep = keep
        self._run = run
        self._members = members
        self._tally = tally
        self._patience = patience
        self._ran = ran
        self._on_missing = on_missing
        self._told: tuple[str, ...] = ()
        self._is_open = False
        """Whether all have been there once: from then on whoever comes is told to the others at once."""
        self._news = asyncio.Event()
        self._timers: list[asyncio.TimerHandle] = []

    def take(self, host: str, announcement: Announcement, *, is_stored: bool) -> None:
        """Take note of an announcement.

        Args:
            host: Who announces, by the topic.
            announcement: What it says.
            is_stored: Whether it was said before the clock came, and the host may have gone on since then. It is asked
                again: the roster does not name it.

        Raises:
            ProtocolError: it is nobody that this run expects.
        """
        members = self._members
        if is_stored and announcement.state == "there" and announcement.ran not in self._ran(host):
            return
        before = members.refused, members.claims
        is_new = members.take(host, announcement, self._ran(host))
        claim = members.claims.get(host)
        if claim is not None and claim is not before[1].get(host):
            loop = asyncio.get_running_loop()
            wait_wall_s = self._patience.resend_most_wall_s
            self._timers.append(loop.call_later(wait_wall_s, self._give_way, host, claim.session))
        if is_new:
            self._tally.take_return(host)
        elif members.speaks(host, announcement.session):
            self._tally.hear(host)
        if (is_new and self._is_open) or before != (members.refused, members.claims):
            self._news.set()

    def _give_way(self, host: str, session: str) -> None:
        """Let in who claims to be a host, if the one that was there has given no sign of life meanwhile."""
        if self._members.give_way(host, session, self._ran(host)):
            self._tally.take_return(host)
        self._news.set()

    async def gather(self, bus: Bus) -> None:
        """Wait until all hosts are there; then everybody learns where all agents live.

        Raises:
            HostsMissingError: they are not within the limit.
        """
        if self._members.missing:
            await self.publish(bus)  # who takes part already, from before this clock came back, announces itself again
        deadline_wall_s = asyncio.get_running_loop().time() + self._patience.limit_wall_s
        while missing := self._members.missing:
            if self._on_missing is not None and self._told != missing:
                self._told = missing
                self._on_missing(missing)
            if not await self._tally.wait(deadline_wall_s):
                raise missing_error(missing, self._patience)
        await self.publish(bus)

    def open(self) -> None:
        """From now on tell at once who has come back."""
        self._is_open = True

    async def tell(self, bus: Bus) -> None:
        """Publish the roster whenever there is news in it, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self.publish(bus)
            await asyncio.sleep(ROSTER_EVERY_WALL_S)

    def tell_again(self) -> None:
        """Have the roster published though nothing is new: the broker may have forgotten it."""
        self._tally.hear_all(self._members.expected)
        self._news.set()

    async def publish(self, bus: Bus, *, ended: bool = False, failed: str = "") -> None:
        """Publish the roster, and that the run has ended or failed."""
        payload = self._members.roster.model_copy(
            update={"ended": ended, "failed": failed, "keep": self._keep}
        ).encoded()
        await bus.publish(topics.roster(self._run), payload, qos=topics.QOS_FACTS, retain=True)

    def close(self) -> None:
        """Let nobody in any more."""
        for timer in self._timers:
            timer.cancel()


def missing_error(hosts: Iterable[str], patience: Timeouts) -> HostsMissingError:
    """Return the error that names hosts which stayed away too long."""
    names = ", ".join(repr(host) for host in sorted(hosts))
    return HostsMissingError(f"waited {patience.limit_wall_s:g} s for hosts that do not answer: {names}")
