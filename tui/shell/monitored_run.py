"""The run that the application watches: one at a time, whatever area is shown."""

from __future__ import annotations

import getpass
import platform
import time
from functools import cache

from textual.worker import Worker

from broker.protocol import shown
from scenarios.monitor import Feed, Rate, RunStatus, status_of_run
from tui.shell.application import Application

REFRESH_WALL_S = 0.25
"""Tables and status are drawn anew at most this often."""


class Watching:
    """Holds the feed of the run that is watched, and the task that fills it."""

    def __init__(self, app: Application) -> None:
        self.feed: Feed | None = None
        self.rate_per_wall_s = 0.0
        self.is_resting = False
        """Whether the run that is shown is over, and nothing is listened to."""
        self.may_control = False
        """Whether keys act on the run; whoever watches other people's run has to ask for it."""
        self._app = app
        self._worker: Worker[None] | None = None
        self._rate = Rate()
        self._heard: tuple[int, float] = (0, time.monotonic())
        """How many reports of the clock there were, and when the last one came."""

    def begin(self, feed: Feed, *, may_control: bool = True) -> None:
        """Watch a run; the one before is left.

        Args:
            feed: Of the run.
            may_control: Whether it may be paused, stopped and so on from here; False for a run of other people.
        """
        self.end()
        self.feed = feed
        self.may_control = may_control
        self._heard = feed.watched.time_reports, time.monotonic()
        self.is_resting = False
        self._rate = Rate()
        self._worker = self._app.run_worker(
            feed.run(), name="feed", group="feed", description=f"watching {feed.title}", exit_on_error=False
        )

    def end(self) -> None:
        """Stop watching."""
        if self._worker is not None:
            self._worker.cancel()
        self.feed, self._worker = None, None

    def rest(self) -> None:
        """Listen no more: the run is over, and its broker may be gone. What was seen stays."""
        if self._worker is not None:
            self._worker.cancel()
        self._worker = None
        self.is_resting = True

    def tick(self, now_wall_s: float) -> None:
        """Measure how fast messages come."""
        if self.feed is not None:
            self.rate_per_wall_s = self._rate.mark(now_wall_s, self.feed.watched.lines.total)
            if self.feed.watched.time_reports != self._heard[0] or self.feed.status != "connected":
                self._heard = self.feed.watched.time_reports, now_wall_s

    @property
    def standing(self) -> RunStatus | None:
        """How the run stands; None while none is watched."""
        feed = self.feed
        if feed is None:
            return None
        return status_of_run(
            feed.watched.time,
            link=feed.status,
            problem=feed.problem,
            silent_wall_s=time.monotonic() - self._heard[1],
            is_over=self.is_resting,
            me=whoami(),
        )

    @property
    def state(self) -> str:
        """The kind of `standing`; empty while nothing is known."""
        standing = self.standing
        return "" if standing is None or self.feed is None or self.feed.watched.time is None else standing.kind


@cache
def whoami() -> str:
    """Return who works here, as others are told who paused or stopped a run: user and machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container need not know its user
        user = "somebody"
    return shown(f"{user}@{platform.node() or 'unknown'}")
