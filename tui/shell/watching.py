"""The run that the application watches: one at a time, whatever area is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.worker import Worker

from scenarios.watch.feed import Feed
from scenarios.watch.rate import Rate

if TYPE_CHECKING:
    from tui.app import SsmicApp

REFRESH_WALL_S = 0.25
"""Tables and status are drawn anew at most this often."""


class Watching:
    """Holds the feed of the run that is watched, and the task that fills it."""

    def __init__(self, app: SsmicApp) -> None:
        self.feed: Feed | None = None
        self.rate_per_wall_s = 0.0
        self.is_resting = False
        """Whether the run that is shown is over, and nothing is listened to."""
        self._app = app
        self._worker: Worker[None] | None = None
        self._rate = Rate()

    def begin(self, feed: Feed) -> None:
        """Watch a run; the one before is left."""
        self.end()
        self.feed = feed
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

    @property
    def state(self) -> str:
        """`waiting`, `running`, `paused`, `ended` or `failed`; empty while nothing is known."""
        time = None if self.feed is None else self.feed.watched.time
        if time is None:
            return ""
        return "ended" if self.is_resting and time.state != "failed" else time.state
