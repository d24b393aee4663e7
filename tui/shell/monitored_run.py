"""The monitored run: one at a time, shared by all areas; what is asked of it, and how fast its messages arrive."""

from __future__ import annotations

import asyncio
import getpass
import platform
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import cache, partial

from textual.worker import Worker

from broker.protocol import shortened
from scenarios.monitor import Feed, NotConnectedError, RunStatus, status_of_run
from tui.shell.navigation import Application

REFRESH_WALL_S = 0.25
"""Minimum interval between redraws of tables and status."""
WINDOW_WALL_S = 3.0


class MonitoredRun:
    """The monitored run: its feed, and the task that fills it."""

    def __init__(self, app: Application) -> None:
        self.feed: Feed | None = None
        self.rate_per_wall_s = 0.0
        self.is_resting = False
        """Whether the run is over and its feed closed."""
        self._is_stopped_here = False
        self.may_control = False
        """Whether keys may control the run; other people's runs are read-only until control is taken."""
        self._app = app
        self._worker: Worker[None] | None = None
        self._order = asyncio.Lock()
        """Held while a request to the run is sent; those that wait get it in the order in which they came."""
        self._rate = Rate()
        self._heard: tuple[int, float] = (0, time.monotonic())
        """Number of clock reports, and the time of the last one."""

    def begin(self, feed: Feed, *, may_control: bool = True) -> None:
        """Monitor a run, leaving the previous one.

        Args:
            feed: The run's feed.
            may_control: Whether it may be paused, stopped and so on from here; False for other people's runs.
        """
        self.end()
        self.feed = feed
        self._order = asyncio.Lock()
        self.may_control = may_control
        self._heard = feed.watched.time_reports, time.monotonic()
        self.is_resting = self._is_stopped_here = False
        self._rate = Rate()
        self._worker = self._app.run_in_background(
            feed.run, name="feed", group="feed", description=f"watching {feed.title}"
        )

    def ask(self, request: Callable[[Feed], Awaitable[None]]) -> None:
        """Send a request to the run after all those before it, in the background: a broker may take long.

        Args:
            request: Sends it; an error becomes a notice. Not called if the run is left before its turn.

        Raises:
            NotConnectedError: No run is watched.
        """
        if self.feed is None:
            raise NotConnectedError("no run is watched")
        send = partial(self._send, request, self.feed, self._order)
        self._app.run_in_background(send, name="request", group="requests")

    async def _send(self, request: Callable[[Feed], Awaitable[None]], feed: Feed, order: asyncio.Lock) -> None:
        async with order:
            if feed is self.feed:
                await request(feed)

    def end(self) -> None:
        """Stop watching."""
        if self._worker is not None:
            self._worker.cancel()
        self.feed, self._worker = None, None

    def expect_end(self) -> None:
        """Take a connection that breaks from now on for the end: this user has stopped the run and its broker."""
        self._is_stopped_here = True

    def rest(self) -> None:
        """Close the feed: the run is over, and its broker may be gone. Everything received is kept."""
        if self._worker is not None:
            self._worker.cancel()
        self._worker = None
        self.is_resting = True

    def tick(self, now_wall_s: float) -> None:
        """Update the message rate."""
        if self.feed is not None:
            self.rate_per_wall_s = self._rate.mark(now_wall_s, self.feed.watched.lines.total)
            if self.feed.watched.time_reports != self._heard[0] or self.feed.status != "connected":
                self._heard = self.feed.watched.time_reports, now_wall_s

    @property
    def standing(self) -> RunStatus | None:
        """Status of the run; None while none is monitored."""
        feed = self.feed
        if feed is None:
            return None
        return status_of_run(
            feed.watched.time,
            link=feed.status,
            problem=feed.problem,
            silent_wall_s=time.monotonic() - self._heard[1],
            is_over=self.is_resting or (self._is_stopped_here and feed.status != "connected"),
            has_clock_left=feed.watched.has_clock_left,
            me=whoami(),
        )

    @property
    def state(self) -> str:
        """The kind of `standing`; empty while nothing is known."""
        standing = self.standing
        return "" if standing is None or self.feed is None or self.feed.watched.time is None else standing.kind


@cache
def whoami() -> str:
    """Return `user@machine`, shown to others when this user pauses or stops a run."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container may have no such user
        user = "someone"
    return shortened(f"{user}@{platform.node() or 'unknown'}")


class Rate:
    """Rate of a count over the last seconds of the wall clock, which the caller reads."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def mark(self, now_wall_s: float, total: int) -> float:
        """Record the current count and return the recent rate per second.

        Args:
            now_wall_s: Time on any monotonic clock, seconds.
            total: The count so far.
        """
        marks = self._marks
        marks.append((now_wall_s, total))
        while len(marks) > 2 and now_wall_s - marks[1][0] >= WINDOW_WALL_S:
            marks.popleft()
        first_wall_s, first_total = marks[0]
        span_wall_s = now_wall_s - first_wall_s
        return (total - first_total) / span_wall_s if span_wall_s > 0 else 0.0
