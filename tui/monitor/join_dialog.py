"""Dialogs for joining a run elsewhere: choose the broker, then the run."""

from __future__ import annotations

import os
import time
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from broker import SsmicError
from broker.servers import with_own_login
from broker.transport import Access, AccessOptions, BrokerUrl, MqttBroker, access_to
from scenarios import Zone
from scenarios.monitor import BusFeed, FoundRun, ObservedRun, RunFinder, ScenarioContext, Tone, status_of_run
from tui.shell import Dialog, Footer, whoami
from tui.widgets import Cell, Column, VirtualTable

_LOOK_WALL_S = 0.25


def access_of(text: str) -> Access:
    """Return the access to a broker at a URL, with the environment's login, or that of this user's own broker.

    Raises:
        BrokerUrlError: The URL is malformed.
    """
    return with_own_login(access_to(text.strip(), AccessOptions(), os.environ))


def url_problem(text: str) -> str | None:
    """Return the problem with a broker URL, or None."""
    try:
        access_of(text)
    except SsmicError as error:
        return str(error)
    return None


def feed_of(access: Access, run_id: str, scenario_context: ScenarioContext | None) -> BusFeed:
    """Return a feed of a run on a broker.

    Args:
        access: The broker's URL and login.
        run_id: The run.
        scenario_context: Known context of its scenario, if any.
    """
    return BusFeed(
        MqttBroker(access.url, tls=access.tls, is_patient=False),
        ObservedRun(run_id, scenario_context),
        title_of(access),
    )


def title_of(access: Access) -> str:
    """Return a broker's URL without the login."""
    return str(BrokerUrl(access.url.host, access.url.port, tls=access.url.tls))


_LOOKS: dict[Tone, str] = {"good": "ok", "warning": "warn", "bad": "bad", "plain": "muted"}


def _state(found: FoundRun) -> Cell:
    standing = status_of_run(found.report, silent_wall_s=time.monotonic() - found.heard_wall_s, me=whoami())
    return standing.text, _LOOKS[standing.tone]


_COLUMNS: tuple[Column[FoundRun], ...] = (
    Column("run", lambda found: found.run_id),
    Column("state", _state, 34),
    Column("virtual time (UTC)", lambda found: f"{Zone().at(found.report.now_s):%d %b %Y %H:%M}", 18),
    Column("pace", lambda found: found.report.pace, 8, right=True, from_width=80),
)


class RunChooser(Dialog[str | None]):
    """A live list of the runs on a broker."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Watch", priority=True),
    ]
    DEFAULT_CSS = """
    RunChooser > Vertical { width: 90; height: 70%; }
    RunChooser .note { height: auto; padding: 0 1; color: $text-muted; }
    RunChooser VirtualTable { background: $surface; }
    """

    def __init__(self, access: Access) -> None:
        super().__init__()
        self._finder = RunFinder(MqttBroker(access.url, tls=access.tls, is_patient=False), title_of(access))

    def compose(self) -> ComposeResult:
        """Yield the list and the connection's state."""
        with Vertical() as box:
            box.border_title = Content(f"Runs on {self._finder.title}")
            yield Static("", classes="note", markup=False)
            yield VirtualTable[FoundRun](
                _COLUMNS, key=lambda found: found.run_id, empty="No runs yet; new ones appear here"
            )
        yield Footer()

    def on_mount(self) -> None:
        """Search for runs while the dialog is open."""
        self.run_in_background(self._finder.run, name="finder")
        self.set_interval(_LOOK_WALL_S, self._look)
        self.query_one(VirtualTable).focus()

    def _look(self) -> None:
        finder = self._finder
        note = {
            "connecting": "connecting ...",
            "reconnecting": "connection lost, trying again ...",
            "unreachable": f"{finder.problem}; trying again ...",
            "refused": finder.problem,
            "connected": "Choose a run to watch. It is read-only until you take control of it (C).",
        }
        self.query_one(".note", Static).update(note[finder.status])
        found = sorted(finder.runs.values(), key=lambda run: (run.is_over, run.run_id))
        self.query_one(VirtualTable).show_rows(found)

    def action_choose(self) -> None:
        """Watch the run under the cursor."""
        self.in_order(self._choose)

    def _choose(self) -> None:
        row: FoundRun | None = self.query_one(VirtualTable).row
        if row is not None:
            self.dismiss(row.run_id)

    @on(VirtualTable.Chosen)
    def _clicked(self) -> None:
        self.action_choose()
