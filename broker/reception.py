"""Who takes part: lets hosts in, turns others away, and tells everybody by the roster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog

from broker import topics
from broker.bus import Bus
from broker.errors import HostsMissingError
from broker.members import Members
from broker.patience import Patience
from broker.tally import Tally
from broker.wire import Announcement

ROSTER_EVERY_WALL_S = 0.05
"""The roster is published at most this often, whatever is announced."""

log = structlog.get_logger(__name__)


class Reception:
    """The clock's dealings with announcements."""

    def __init__(
        self,
        run: str,
        members: Members,
        tally: Tally,
        patience: Patience,
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


def missing_error(hosts: Iterable[str], patience: Patience) -> HostsMissingError:
    """Return the error that names hosts which stayed away too long."""
    names = ", ".join(repr(host) for host in sorted(hosts))
    return HostsMissingError(f"waited {patience.limit_wall_s:g} s for hosts that do not answer: {names}")
