"""*Negotiations*: a run as it happens."""

from __future__ import annotations

import json
import time
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import ContentSwitcher, TabbedContent, TabPane

from broker.transport import Access
from scenarios import Zone
from scenarios.monitor import Feed, ScenarioContext
from tui.monitor.hosts_and_devices import HostsPane
from tui.monitor.job_negotiations import JobsPane
from tui.monitor.join_dialog import RunChooser, access_of, feed_of, url_problem
from tui.monitor.ledger import LedgerPane
from tui.monitor.messages import JobChosen, MessagesPane
from tui.monitor.pane import Pane
from tui.monitor.producers import ProducersPane, ProducersSidebar
from tui.monitor.real_devices import DevicesPane, JobAskedFor
from tui.shell import REFRESH_WALL_S, AskText, EmptyState, Intent, RunControlsScreen, StatusLine, WatchBroker
from tui.widgets import VirtualTable

_PANES: tuple[tuple[str, str, str, type[Pane]], ...] = (
    ("M", "messages-tab", "Messages", MessagesPane),
    ("J", "jobs-tab", "Jobs", JobsPane),
    ("P", "producers-tab", "Producers", ProducersPane),
    ("L", "ledger-tab", "Ledger", LedgerPane),
    ("H", "hosts-tab", "Hosts", HostsPane),
    ("E", "devices-tab", "Devices", DevicesPane),
)


_REST = 3.0
"""Pause after drawing, as a multiple of the time it took: on a busy machine the view lags, not the keys."""


_TYPING_WALL_S = 0.15
"""Redrawing is postponed for this long after a key press,"""
_PATIENCE_WALL_S = 1.0
"""but at most for this long."""


class NegotiationsScreen(RunControlsScreen):
    """The live view of a run."""

    AREA = "negotiations"
    AUTO_FOCUS = "#nothing Button"
    TITLE = "Negotiations"
    HELP = """
The agents' messages, as they are sent. A run that you started here can be paused, stepped, paced and stopped;
one that you joined is read-only until you take control of it (`C`, which asks first).

- **Messages**: the stream. Filter by house, producer, kind or job, find by a text (`/`); `End` follows the newest.
  `Enter` on a message shows how its job was negotiated.
- **Jobs**: the state of every job; below, one job from request to contract, with the reason for each refusal.
- **Producers**: scores (the lowest is asked first; `?` if contracts are from before you joined), and the day of one:
  forecast dotted, committed filled.
  `{` and `}` choose another day of a long run. In a chart (`Tab`), `Left` and `Right` read values.
- **Ledger**: every contract with its history.
- **Hosts**: which hosts are online, and what each device is doing.
- **Devices**: real devices with their power, commands and raw messages; `Enter` shows a message, `Q` requests a job.
  Shown once a device takes part.

In each table: `o` sorts by the next column (or click a title), `y` copies the row, `Y` all rows. Times are shown at
the offset of the scenario's start; `Z` shows them in UTC. The line at the top says which. When clocks go back, the
hour that occurs twice is `2A`, then `2B`.
The newest million messages are here; the results file has all of them.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"pane('{id_}')", title, show=False) for key, id_, title, _ in _PANES),
        Binding("w", "join", "Watch", tooltip="Watch a run on a broker"),
        Binding("q", "leave", "Close", show=False, tooltip="Stop watching; the run continues"),
        Binding("left_square_bracket", "next_pane(-1)", "Previous pane", show=False, key_display="["),
        Binding("right_square_bracket", "next_pane(1)", "Next pane", show=False, key_display="]"),
    ]
    DEFAULT_CSS = """
    NegotiationsScreen ContentSwitcher#live { height: 1fr; }
    NegotiationsScreen TabbedContent { width: 1fr; height: 1fr; }
    NegotiationsScreen #panes { height: 1fr; }
    NegotiationsScreen.-narrow ProducersSidebar { display: none; }
    NegotiationsScreen.-short #jobs { height: 1fr; }
    NegotiationsScreen.-short #sequence { height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: Feed | None = None
        self._zone = Zone()
        self._next_wall_s = 0.0
        self._at_last_wall_s = 0.0
        self._broker = "mqtt://127.0.0.1"
        """The broker that was joined last; after leaving, Enter joins it again."""

    def compose_body(self) -> ComposeResult:
        """An empty state, until there is something to watch."""
        with ContentSwitcher(initial="nothing", id="live"):
            yield EmptyState(
                "No run to watch",
                "Start one in Run (key 2): its agents' messages appear here at once.\n"
                "Or join a neighbourhood that runs elsewhere, on a broker (key w).",
                (("Go to Run", "app.open_area('run')"), ("Join a broker", "screen.join")),
                id="nothing",
            )
            with Vertical(id="something"):
                yield StatusLine()
                with Horizontal(id="panes"):
                    with TabbedContent():
                        for key, id_, title, pane in _PANES:
                            with TabPane(f"[dim]{key}[/] {title}", id=id_):
                                yield pane()
                    yield ProducersSidebar()

    def on_mount(self) -> None:
        """Start the redraw timer."""
        self.query_one(TabbedContent).hide_tab("devices-tab")
        self.set_interval(REFRESH_WALL_S, self._draw_again)

    def on_screen_resume(self) -> None:
        """Draw immediately when shown."""
        self.draw()

    def _draw_again(self) -> None:
        """Redraw, unless it would delay keys: the user is typing, or drawing is slow."""
        now_wall_s = time.monotonic()
        is_typing = now_wall_s - self.ssmic.last_input_wall_s < _TYPING_WALL_S
        if now_wall_s >= self._next_wall_s and not (is_typing and now_wall_s < self._at_last_wall_s):
            self.draw()

    def _drawn(self, began_wall_s: float) -> None:
        now_wall_s = time.monotonic()
        self._next_wall_s = now_wall_s + _REST * (now_wall_s - began_wall_s)
        self._at_last_wall_s = now_wall_s + _PATIENCE_WALL_S

    def draw(self) -> None:
        """Draw the visible pane."""
        if not self.is_current:
            return
        self.call_after_refresh(self._drawn, time.monotonic())
        self.keys_follow_run()
        monitored_run = self.ssmic.monitored_run
        feed = monitored_run.feed
        zone = Zone() if feed is None else self.ssmic.shown_zone(feed.watched.zone)
        if feed is not self._shown or zone != self._zone:
            is_other = feed is not self._shown
            self._shown, self._zone = feed, zone
            for pane in self.query(Pane):
                pane.forget()
                pane.show_times(zone)
        else:
            is_other = False
        if is_other:
            self.query_one("#live", ContentSwitcher).current = "nothing" if feed is None else "something"
            self.call_after_refresh(self._focus_button if feed is None else self._focus_pane)
        if feed is None:
            return
        self.query_one(StatusLine).show(monitored_run)
        tabs = self.query_one(TabbedContent)
        if bool(feed.watched.devices) != tabs.get_tab("devices-tab").display:
            (tabs.show_tab if feed.watched.devices else tabs.hide_tab)("devices-tab")
        active = tabs.active_pane
        if active is not None:
            active.query_one(Pane).show(feed.watched)
            if self.focused is None:
                # The focused pane was hidden; move the focus to the visible one.
                active.query(VirtualTable).first().focus()
        glance = self.query_one(ProducersSidebar)
        if glance.styles.display != "none" and self.has_class("-wide"):
            glance.show(feed.watched)

    # Panes.

    def action_pane(self, pane: str) -> None:
        """Show a pane; that of real devices only where one takes part."""
        if not self.query_one(TabbedContent).get_tab(pane).display:
            return
        self.query_one(TabbedContent).active = pane
        self._focus_pane()  # immediately: the next keys are meant for it

    def action_next_pane(self, by: int) -> None:
        """Show the adjacent pane."""
        tabs = self.query_one(TabbedContent)
        ids = [id_ for _, id_, _, _ in _PANES if tabs.get_tab(id_).display]
        active = self.query_one(TabbedContent).active
        self.action_pane(ids[(ids.index(active) + by) % len(ids)])

    def _focus_button(self) -> None:
        self.query("#nothing Button").first().focus()

    def _focus_pane(self) -> None:
        active = self.query_one(TabbedContent).active_pane
        if active is None:
            return
        if not self._is_typed_in(active):  # do not interrupt typing
            active.query(VirtualTable).first().focus()
        self.draw()

    def _is_typed_in(self, pane: Widget) -> bool:
        return self.focused is not None and pane in self.focused.ancestors

    @on(TabbedContent.TabActivated)
    def _pane_shown(self, event: TabbedContent.TabActivated) -> None:
        if self._shown is not None and not self._is_typed_in(event.pane):
            self._focus_pane()  # chosen by mouse

    @on(JobChosen)
    def _show_job(self, event: JobChosen) -> None:
        self.action_pane("jobs-tab")
        self.query_one(JobsPane).open(event.job_id)

    @on(JobAskedFor)
    def _ask_for_job(self, event: JobAskedFor) -> None:
        request = json.dumps({"ready_by": event.ready_by}).encode()
        self.ssmic.monitored_run.ask(lambda feed: feed.ask_for_job(event.device, request))

    # Joining.

    def action_join(self) -> None:
        """Ask for a broker, then for one of its runs."""
        details = "URL of the broker: mqtt://[user:password@]host[:port], or mqtts:// for TLS."
        self.app.push_screen(AskText("Join a broker", details, self._broker, url_problem), self._broker_chosen)

    def _broker_chosen(self, url: str | None) -> None:
        if url is not None:
            self._broker = url
            self.choose_run(access_of(url))

    def choose_run(
        self, access: Access, scenario_context: ScenarioContext | None = None, *, control: bool = False
    ) -> None:
        """Let the user choose one of the runs on a broker.

        Args:
            access: The broker's URL and login.
            scenario_context: Known context of the scenario, if any.
            control: Whether keys may control the run.
        """

        def chosen(run_id: str | None) -> None:
            if run_id is not None:
                self.ssmic.monitored_run.begin(feed_of(access, run_id, scenario_context), may_control=control)
                self.draw()

        self.app.push_screen(RunChooser(access), chosen)

    def receive(self, intent: Intent) -> None:
        """Watch a run on a broker; let the user choose if none is given."""
        if isinstance(intent, WatchBroker):
            if intent.run_id is None:
                self.choose_run(intent.access, intent.scenario_context, control=intent.may_control)
            else:
                feed = feed_of(intent.access, intent.run_id, intent.scenario_context)
                self.ssmic.monitored_run.begin(feed, may_control=intent.may_control)
                self.draw()

    def action_leave(self) -> None:
        """Stop watching; the run continues."""
        self.ssmic.monitored_run.end()
        self.draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable leaving, and the panes, only while a run is watched."""
        if action in {"leave", "pane", "next_pane"}:
            return self.ssmic.monitored_run.feed is not None
        return super().check_action(action, parameters)
