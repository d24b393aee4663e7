"""The top bar: areas and status of the run."""

from __future__ import annotations

from typing import cast

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.dom import DOMNode
from textual.widget import Widget
from textual.widgets import Static

from broker import plural
from scenarios import Zone
from scenarios.monitor import SIGNS, Feed, Tone
from tui.areas import AREAS, Area
from tui.keys import is_typed
from tui.shell.monitored_run import MonitoredRun
from tui.shell.navigation import Application
from tui.widgets import rich_colour


def shown_zone(node: DOMNode, own: Zone) -> Zone:
    """Return the display zone of times.

    Args:
        node: Anything in the application.
        own: The scenario's own zone.
    """
    return Zone() if getattr(node.app, "utc_times", False) else own


class AreaTab(Static):
    """The tab of an area; a click opens it."""

    def __init__(self, area: Area, *, shown: bool) -> None:
        super().__init__("", classes="shown" if shown else "")
        self.tooltip = area.help
        self._area = area
        self.name_keys(typing=False)

    def name_keys(self, *, typing: bool) -> None:
        """Show the key that opens the area: while typing, digits are text."""
        key = self._area.function_key.upper() if typing else self._area.key
        self.update(f"[$primary]{key}[/] {self._area.title}")

    async def on_click(self) -> None:
        """Open the area."""
        await self.app.run_action(f"app.open_area('{self._area.id}')")


class AreaBar(Horizontal):
    """The top bar: application, areas, status of the run."""

    DEFAULT_CSS = """
    AreaBar { height: 1; dock: top; background: $panel; }
    AreaBar .brand { width: auto; padding: 0 1; color: $primary; text-style: bold; background: $panel; }
    AreaBar AreaTab { width: auto; padding: 0 1; color: $text-muted; pointer: pointer; }
    AreaBar AreaTab:hover { background: $boost; color: $text; }
    AreaBar AreaTab.shown { background: $background; color: $text; text-style: bold; }
    AreaBar .status {
        width: 1fr; text-align: right; padding: 0 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis;
    }
    """

    def __init__(self, shown: str) -> None:
        """Make the bar.

        Args:
            shown: Id of the area that the screen belongs to.
        """
        super().__init__()
        self._shown = shown
        self._typing = False

    def compose(self) -> ComposeResult:
        """Yield a tab per area."""
        yield Static("ssmic", classes="brand")
        for area in AREAS:
            yield AreaTab(area, shown=area.id == self._shown)
        yield Static("", classes="status")

    def on_mount(self) -> None:
        """Follow the status of the run."""
        self.watch(self.app, "run_status", self._show_status)
        self.watch(self.screen, "focused", self._name_keys)

    def _name_keys(self, focused: Widget | None) -> None:
        typing = is_typed(focused, "1")
        if typing != self._typing:
            self._typing = typing
            for tab in self.query(AreaTab):
                tab.name_keys(typing=typing)

    def _show_status(self, status: Content) -> None:
        self.query_one(".status", Static).update(status)


COLOURS: dict[Tone, str] = {"good": "success", "warning": "warning", "bad": "error", "plain": "foreground"}
"""Theme colours by tone of a status."""


class StatusLine(Widget):
    """State, virtual time, pace, lag, messages; drops the least important parts if there is no room."""

    DEFAULT_CSS = """
    StatusLine { height: 1; background: $surface; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[tuple[int, str, str]] = []

    def show(self, monitored_run: MonitoredRun) -> None:
        """Show the run's current status."""
        feed = monitored_run.feed
        parts = [] if feed is None else parts_of(feed, monitored_run, utc=cast("Application", self.app).utc_times)
        if parts != self._parts:
            self._parts = parts
            self.refresh()

    def render(self) -> Text:
        """Render as many parts as fit."""
        kept = list(self._parts)
        while len(kept) > 1 and sum(len(text) + 2 for _, text, _ in kept) - 2 > self.size.width:
            kept.remove(max(kept))
        line = Text(no_wrap=True, overflow="ellipsis")
        for number, (_, text, colour) in enumerate(kept):
            line.append("  " if number else "")
            line.append(text, style=rich_colour(self.app.theme_variables, colour))
        return line


def parts_of(feed: Feed, monitored_run: MonitoredRun, *, utc: bool = False) -> list[tuple[int, str, str]]:
    """Return the parts of the line: rank (the highest is left out first), text, colour.

    Args:
        feed: The run's feed.
        monitored_run: The monitored run.
        utc: Whether to display times in UTC.
    """
    watched, standing = feed.watched, monitored_run.standing
    if standing is None:
        return []
    parts: list[tuple[int, str, str]] = [(0, standing.text, COLOURS[standing.tone])]
    is_over = standing.is_over
    time = watched.time
    if time is None:
        return parts
    zone = Zone() if utc else watched.zone
    parts.append((2, f"{zone.narrow(time.now_s, '%d %b %H:%M:%S')} {zone.name}", "foreground"))
    parts.append((5, f"round {time.round}", "foreground"))
    share = watched.share_done()
    if share is not None:
        parts.append((8, f"{share:4.0%}", "primary"))
    parts.append((3, f"pace {time.pace}", "secondary"))
    if time.pace != "max":
        parts.append((4, f"lag {time.lag_wall_s:.1f} s", "error" if time.lag_wall_s >= 1 else "foreground"))
    if not is_over and not monitored_run.may_control:
        parts.append((1, "read-only", "foreground"))
    if not is_over:
        parts.append((6, f"{monitored_run.rate_per_wall_s:,.0f} msg/s", "foreground"))
    parts.append((7, plural(watched.lines.total, "message"), "foreground"))
    parts.append((9, watched.scenario_context.name or watched.run_id, "foreground"))
    parts.append((10, f"● {feed.title}", "foreground" if is_over else "success"))
    return parts


def short_status(monitored_run: MonitoredRun, *, utc: bool) -> Content:
    """Return the state of the run for the bar; empty if none is watched."""
    feed, standing = monitored_run.feed, monitored_run.standing
    if feed is None or feed.watched.time is None or standing is None:
        return Content()
    colour = COLOURS[standing.tone]
    share = feed.watched.share_done()
    done = "" if share is None else f" {share:.0%}"
    zone = Zone() if utc else feed.watched.zone
    said = SIGNS[standing.kind] if standing.moves or standing.is_over else standing.text
    clock = zone.narrow(feed.watched.time.now_s, "%H:%M")
    return Content.assemble((f"{said} ", f"${colour}"), f"{clock}{done}")
