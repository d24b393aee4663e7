"""One line: where the run stands."""

from __future__ import annotations

from typing import cast

from rich.text import Text
from textual.markup import escape
from textual.widget import Widget

from scenarios.monitor.feed import Feed
from scenarios.monitor.run_status import SIGNS, Tone
from scenarios.scenario import Zone
from tui.shell.application import Application
from tui.shell.watching import Watching

COLOURS: dict[Tone, str] = {"good": "success", "warning": "warning", "bad": "error", "plain": "foreground"}
"""By tone of a standing, the theme's colour."""


class StatusLine(Widget):
    """State, virtual time, pace, lag, messages; what there is no room for is left out, the least important first."""

    DEFAULT_CSS = """
    StatusLine { height: 1; background: $surface; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[tuple[int, str, str]] = []

    def show(self, watching: Watching) -> None:
        """Draw where the run stands now."""
        feed = watching.feed
        parts = [] if feed is None else parts_of(feed, watching, utc=cast("Application", self.app).utc_times)
        if parts != self._parts:
            self._parts = parts
            self.refresh()

    def render(self) -> Text:
        """Put the parts side by side, as many as there is room for."""
        kept = list(self._parts)
        while len(kept) > 1 and sum(len(text) + 2 for _, text, _ in kept) - 2 > self.size.width:
            kept.remove(max(kept))
        line = Text(no_wrap=True, overflow="ellipsis")
        for number, (_, text, colour) in enumerate(kept):
            line.append("  " if number else "")
            line.append(text, style=self.app.theme_variables.get(colour, ""))
        return line


def parts_of(feed: Feed, watching: Watching, *, utc: bool = False) -> list[tuple[int, str, str]]:
    """Return the parts of the line: rank (the highest is left out first), text, colour."""
    watched, standing = feed.watched, watching.standing
    if standing is None:
        return []
    parts: list[tuple[int, str, str]] = [(0, standing.text, COLOURS[standing.tone])]
    is_over = standing.is_over
    time = watched.time
    if time is None:
        return parts
    zone = Zone() if utc else watched.zone
    parts.append((2, f"{zone.at(time.time):%d %b %H:%M:%S} {zone.name}", "foreground"))
    parts.append((5, f"round {time.round}", "foreground"))
    share = watched.share_done()
    if share is not None:
        parts.append((8, f"{share:4.0%}", "primary"))
    parts.append((3, f"pace {time.pace}", "secondary"))
    if time.pace != "max":
        parts.append((4, f"lag {time.lag_wall_s:.1f} s", "error" if time.lag_wall_s >= 1 else "foreground"))
    if not is_over and not watching.may_control:
        parts.append((1, "read-only", "foreground"))
    if not is_over:
        parts.append((6, f"{watching.rate_per_wall_s:,.0f} msg/s", "foreground"))
    parts.append((7, f"{watched.lines.total:,} messages", "foreground"))
    parts.append((9, watched.backdrop.name or watched.run_id, "foreground"))
    parts.append((10, f"● {feed.title}", "foreground" if is_over else "success"))
    return parts


def short_status(watching: Watching, *, utc: bool = False) -> str:
    """Return the state of the run for the bar, as markup."""
    feed, standing = watching.feed, watching.standing
    if feed is None or feed.watched.time is None or standing is None:
        return ""
    colour = COLOURS[standing.tone]
    share = feed.watched.share_done()
    done = "" if share is None else f" {share:.0%}"
    zone = Zone() if utc else feed.watched.zone
    said = f"{SIGNS[standing.kind]} " if standing.moves or standing.is_over else f"{escape(standing.text)} "
    return f"[${colour}]{said}[/]{zone.hours(feed.watched.time.time)}{done}"
