"""The terminal application: composes the areas, delivers intents between them, and holds their shared state."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import structlog
from rich.text import Text
from textual import events, on
from textual.actions import ActionParseResult
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette, Provider
from textual.content import Content
from textual.css.query import NoMatches
from textual.dom import DOMNode, NoScreen
from textual.driver import Driver
from textual.filter import LineFilter
from textual.notifications import Notification, Notify
from textual.reactive import reactive
from textual.screen import ModalScreen, Screen, SystemModalScreen
from textual.theme import ThemeProvider
from textual.widgets import Input
from typing_extensions import override

from broker import new_loop
from scenarios import Zone
from scenarios.monitor import Feed, RunStatus, names
from tui.areas import AREAS
from tui.command_palette import Palette, PaletteScreen, commands
from tui.safe_output import make_textual_safe
from tui.shell import (
    REFRESH_WALL_S,
    AreaScreen,
    Defect,
    ErrorBoundary,
    HelpScreen,
    IdleCollector,
    Intent,
    KeyQueue,
    MonitoredRun,
    OpenNeighbourhood,
    ParsedStyles,
    Rescue,
    complain,
    described,
    ended_by_signals,
    guard_handlers,
    is_of_callback,
    is_too_early,
    is_too_late,
    keep_details,
    rescued,
    short_status,
    title_of,
)
from tui.signals import exit_code
from tui.start import Preferences, load_preferences, load_recent, save_preferences, save_recent
from tui.widgets import DEFAULT_VARIABLES, THEMES, FewColours, LegibleDim, legible, pasted_line

make_textual_safe()
guard_handlers()

_NUMBERS_OF_COLOURS = {"standard": 16, "windows": 16, "256": 256}
"""By Rich's name of a terminal's colour system; other terminals have all colours."""
LEAST_SIZE = (80, 24)
"""Columns and lines that the screens need."""


class SsmicApp(ErrorBoundary, App[None]):
    """Build a neighbourhood, run it, watch it negotiate, read the results."""

    TITLE = "ssmic"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {Palette}
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {area.id: area.make_screen for area in AREAS}
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(area.key, f"open_area('{area.id}')", area.title, tooltip=f"{area.title}: {area.help}", show=False)
            for area in AREAS
        ),
        *(Binding(area.function_key, f"open_area('{area.id}')", show=False, priority=True) for area in AREAS),
        Binding("f1", "help", "Help", key_display="F1", priority=True, tooltip="Help for this screen"),
        Binding("question_mark", "help", "Help", show=False),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True, tooltip="Quit ssmic"),
        Binding(
            "ctrl+t", "toggle_light", "Light or dark", show=False, tooltip="Switch between the light and the dark theme"
        ),
        Binding("Z", "toggle_utc", "UTC", show=False, tooltip="Show times in UTC, or at the scenario's own offset"),
    ]
    CSS = """
    Screen { background: $background; }
    Toast { max-width: 76; }
    DataTable > .datatable--header { background: $panel; color: $primary; text-style: bold; }
    Input > .input--placeholder { color: $text-muted; }
    SelectCurrent .arrow { color: $text-muted; }
    SelectCurrent Static#label { color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    SelectCurrent.-has-value Static#label { color: $foreground; }
    Input:focus, Select:focus > SelectCurrent { background: $primary 28%; }
    Button:ansi.-style-default.-textual-compact:disabled { border: none !important; }
    Button:disabled { color: $label-disabled; background: $surface; text-opacity: 100%; opacity: 100%; }
    OptionList > .option-list--option-disabled { color: $text-muted; }
    .-few-colours Input, .-few-colours SelectCurrent, .-few-colours PickButton { text-style: underline; }
    .-few-colours Input:focus { text-style: bold underline; }
    .-few-colours Input > .input--selection { text-style: reverse; }
    .-few-colours Select:focus > SelectCurrent, .-few-colours PickButton:focus { text-style: reverse; }
    .-few-colours AreaTab.shown, .-few-colours Tab.-active { text-style: bold reverse; }
    .-few-colours Button { background: $background; text-style: bold underline; }
    .-few-colours Button.-primary { color: $primary; background: $background; }
    .-few-colours Button.-error { color: $error; background: $background; }
    .-few-colours Button:focus { text-style: bold reverse; }
    .-few-colours Button:disabled { text-style: none; }
    .-few-colours OptionList > .option-list--option-highlighted, .-few-colours Tree > .tree--cursor,
    .-few-colours VirtualTable > .table--cursor { text-style: underline; }
    .-few-colours OptionList:focus > .option-list--option-highlighted, .-few-colours Tree:focus > .tree--cursor,
    .-few-colours VirtualTable:focus > .table--cursor { text-style: bold; }
    SearchIcon { display: none; }
    CommandPalette CommandInput { padding-left: 1; }
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - Textual types it as no ClassVar
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-tall")]  # noqa: RUF012 - as above

    run_status: reactive[Content] = reactive(Content)
    """Short status of the run, shown at the right of the bar."""

    utc_times: reactive[bool] = reactive(default=False)
    """Whether to display times in UTC instead of the scenario's own offset."""

    @override
    def get_driver_class(self) -> type[Driver]:
        """Return a driver that survives its terminal, where Textual would use its own for terminals."""
        chosen = super().get_driver_class()
        if sys.platform == "win32":
            return chosen
        from textual.drivers.linux_driver import LinuxDriver  # noqa: PLC0415 - Windows cannot import it

        from tui.terminal_driver import TerminalDriver  # noqa: PLC0415 - as above

        return TerminalDriver if chosen is LinuxDriver else chosen  # a browser has another one

    def __init__(
        self,
        *,
        first_area: str = AREAS[0].id,
        first_intent: Intent | None = None,
        remember: bool = True,
        collector: IdleCollector | None = None,
        allow_outside: bool = False,
    ) -> None:
        """Create the application.

        Args:
            first_area: Id of the area shown first.
            first_intent: The first action there.
            remember: Whether preferences such as the theme are saved.
            collector: Decides when garbage is collected; None: Python's default.
            allow_outside: Whether scenarios may refer to files outside their folder.
        """
        super().__init__()
        self._dim = LegibleDim()
        self._few_colours: FewColours | None = None
        self.stylesheet = ParsedStyles(variables=self.get_css_variables())
        self.unexpected: list[BaseException] = []
        """Errors that were shown as notices and should not have happened."""
        self.defects_noticed: dict[Defect, float] = {}
        """When each of them was shown last; monotonic clock, s."""
        self.before_quit: list[Callable[[], Sequence[str]]] = []
        """Each returns what quitting now would lose, a sentence for each."""
        self.rescues: list[Rescue] = []
        """Called to save unsaved work when the user cannot be asked."""
        self.monitored_run = MonitoredRun(self)
        """The monitored run, in any area."""
        self.key_queue = KeyQueue(self, self._deliver)
        self._quit_question: Screen[Any] | None = None
        """The dialog that asked last whether to quit."""
        self._last_seen: tuple[Feed | None, RunStatus | None] = (None, None)
        """The monitored run, and its status, at the last refresh."""
        self.open_neighbourhood: Callable[[], OpenNeighbourhood | None] = lambda: None
        """Returns what is open in *Neighbourhoods*."""
        self.allow_outside = allow_outside
        self.devices_broker = ""
        self._is_small = False
        """Whether the terminal is smaller than `LEAST_SIZE`."""
        self._size_warning: Notification | None = None
        """The last notice that says so."""
        self._first_area = first_area
        self._first_intent = first_intent
        self._remember = remember
        self._collector = collector
        self.last_input_wall_s = 0.0
        """Time of the last key or mouse event, monotonic clock, s."""
        if "TEXTUAL_ANIMATIONS" not in os.environ:
            self.animation_level = "none"  # animations delay the next key press
        for theme in THEMES:
            self.register_theme(theme)
        preferences = load_preferences() if remember else Preferences()
        self.theme = preferences.theme if preferences.theme in self.available_themes else Preferences().theme

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return our own colours, for themes that define none."""
        return DEFAULT_VARIABLES

    def get_css_variables(self) -> dict[str, str]:
        """Return the variables of the theme; colours that would be illegible on its background are changed."""
        self.theme_variables = legible(super().get_css_variables())
        return self.theme_variables

    @override
    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return Textual's own filters, after one for dim text, and before one for terminals with few colours."""
        few = [] if self._few_colours is None else [self._few_colours]
        return [self._dim, *super().get_line_filters(), *few]

    def watch_theme(self) -> None:
        """Draw with the colours that the terminal has, or with the 16 of its own that the theme asks for."""
        theme = self.current_theme
        number = 16 if theme.ansi else _NUMBERS_OF_COLOURS.get(self.console.color_system or "")
        self._few_colours = None if number is None else FewColours(number, is_dark=theme.dark)
        self.set_class(number == 16, "-few-colours", update=False)

    async def on_mount(self) -> None:
        """Show the first area."""
        await self.switch_mode(self._first_area if self._first_intent is None else self._first_intent.area)
        self.theme_changed_signal.subscribe(self, lambda _: self._keep_preferences())
        self.screen_change_signal.subscribe(self, lambda _: self.key_queue.look_again())
        self.set_interval(REFRESH_WALL_S, self._tick)
        if self._first_intent is not None:
            self.post_message(self._first_intent)
        if self._collector is not None:
            self.call_after_refresh(self._collector.begin)

    def on_unmount(self) -> None:
        """Restore the process's state."""
        if self._collector is not None:
            self._collector.end()

    async def on_event(self, event: events.Event) -> None:
        """Record the time of the last user input, and keep keys in order."""
        if isinstance(event, events.InputEvent):
            self.last_input_wall_s = time.monotonic()
            if self._collector is not None:
                self._collector.key(self.last_input_wall_s)
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            await self.key_queue.take(event)
        else:
            await super().on_event(event)

    async def _deliver(self, event: events.Key | events.Paste) -> None:
        """Send a key or pasted text to what has the focus."""
        if isinstance(event, events.Paste) and isinstance(self.focused, Input):
            event = events.Paste(pasted_line(self.focused, event.text))
        await super().on_event(event)

    def on_resize(self, event: events.Resize) -> None:
        """Say, once, that the terminal is smaller than the screens need, for as long as it is."""
        was_small, self._is_small = (
            self._is_small,
            event.size.width < LEAST_SIZE[0] or event.size.height < LEAST_SIZE[1],
        )
        if self._is_small and not was_small:
            needed, there = (f"{width} columns and {height} lines" for width, height in (LEAST_SIZE, event.size))
            words = f"This terminal has {there}. Below {needed}, texts are cut."
            self._size_warning = Notification(words, severity="warning", markup=False)
            self.post_message(Notify(self._size_warning))
        elif was_small and not self._is_small and self._size_warning is not None:
            self.call_later(self._unnotify, self._size_warning)  # after it has been shown

    def _tick(self) -> None:
        self.monitored_run.tick(time.monotonic())
        if self._collector is not None:
            self._collector.tick(time.monotonic())
        self.run_status = short_status(self.monitored_run, utc=self.utc_times)
        self._tell_changes()

    def _tell_changes(self) -> None:
        """Notify, in any area, when the watched run stalls, continues, or is paused by someone else."""
        feed, standing = self.monitored_run.feed, self.monitored_run.standing
        (feed_before, before), self._last_seen = self._last_seen, (feed, standing)
        if standing is None or before is None or feed is not feed_before or standing.kind == before.kind:
            return
        halted = {"stalled", "disconnected"}
        if standing.kind in halted or (standing.kind == "paused" and not standing.words.endswith(" by you")):
            words = f"{standing.words[0].upper()}{standing.words[1:]}."
            self.notify(words, title="The run is not progressing", severity="warning", markup=False)
        elif standing.moves and before.kind in halted:
            who, verb = names(before.awaited) or "The connection", "is" if len(before.awaited) < 2 else "are"
            self.notify(f"{who} {verb} back.", title="The run continues", markup=False)

    def _keep_preferences(self) -> None:
        if self._remember:
            save_preferences(Preferences(theme=self.theme))

    def remember_neighbourhood(self, path: Path) -> None:
        """Add a neighbourhood to the start screen's recent list."""
        if self._remember:
            save_recent(load_recent().with_neighbourhood(path))

    def remember_results(self, path: Path) -> None:
        """Add a results file to the start screen's recent list."""
        if self._remember:
            save_recent(load_recent().with_results(path))

    def forget(self, path: Path) -> None:
        """Remove a file from the start screen's recent list."""
        if self._remember:
            save_recent(load_recent().without(path))

    # Areas.

    async def action_open_area(self, area: str) -> None:
        """Show an area, unless a dialog is open."""
        if not isinstance(self.screen, ModalScreen):
            await self.switch_mode(area)

    @on(Intent)
    async def _carry_out(self, intent: Intent) -> None:
        """Deliver an intent to the area that handles it."""
        await self.switch_mode(intent.area)
        base = self.screen_stack[0]
        if isinstance(base, AreaScreen):
            base.receive(intent)

    # Help.

    def action_help(self) -> None:
        """Show help for the screen or dialog, or close it."""
        screen = self.screen
        if isinstance(screen, HelpScreen):
            screen.dismiss()
        elif not isinstance(screen, SystemModalScreen):
            title = title_of(screen) or self.TITLE or ""
            self.push_screen(HelpScreen(title, screen.HELP or "", described(screen), screen.focused))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Yield all commands of the palette; see `tui.command_palette`."""
        return commands(self, screen)

    def action_command_palette(self) -> None:
        """Open the palette, unless it is open."""
        if not any(isinstance(screen, CommandPalette) for screen in self.screen_stack):
            self.push_screen(PaletteScreen())  # without Textual's id, which the last one has until it is removed

    def search_themes(self) -> None:
        """Open a palette of the themes."""
        self.push_screen(PaletteScreen(providers=[ThemeProvider], placeholder="Search for themes…"))

    async def run_area_action(self, area: str, action: str) -> None:
        """Show an area and run an action of its screen."""
        await self.switch_mode(area)
        await self.run_action(action, self.screen)

    def action_toggle_light(self) -> None:
        """Toggle between the light and the dark theme."""
        dark, light = THEMES
        self.theme = light.name if self.current_theme.dark else dark.name

    # Times.

    def action_toggle_utc(self) -> None:
        """Toggle between UTC and the scenario's own offset."""
        self.utc_times = not self.utc_times
        self.notify("Times are shown in UTC." if self.utc_times else "Times are shown at the scenario's own offset.")

    def shown_zone(self, own: Zone) -> Zone:
        """Return the display zone of times.

        Args:
            own: The scenario's own zone.
        """
        return Zone() if self.utc_times else own

    # Leaving, wanted and unwanted.

    async def action_quit(self) -> None:
        """Quit; if work would be lost, ask first, over an open dialog too. The same key again answers that question."""
        losses = [loss for check in self.before_quit for loss in check()]
        if not losses or self.screen is self._quit_question:
            self.exit()
            return
        from tui.shell import Answer, Confirm  # noqa: PLC0415 - not needed before

        def leave(answer: str | None) -> None:
            if answer == "quit":
                self.exit()

        answers: tuple[Answer, ...] = (("stay", "Stay", "primary"), ("quit", "Quit anyway", "error"))
        self._quit_question = Confirm("Quit?", "\n".join(losses), answers)
        self.push_screen(self._quit_question, leave)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Run an action; show exceptions as notices.

        In an action of a widget, `screen` is the widget's screen. Textual takes the screen on top: the second click on
        a dialog's button acted on the screen below.

        See `textual.app.App.run_action` for `action`, `default_namespace` and `namespaces`.
        """
        try:
            if namespaces is None and default_namespace is not None and default_namespace is not self:
                namespaces = {"screen": default_namespace.screen}
            return await super().run_action(action, default_namespace, namespaces)
        except NoScreen:
            return True  # the widget has been removed meanwhile
        except Exception as error:  # noqa: BLE001 - last resort
            if not is_too_early(error):
                complain(self, error)
            return True

    def _handle_exception(self, error: Exception) -> None:
        """Show an exception of a callback as a notice; else exit with one line instead of a traceback.

        Under test, exit as Textual does.
        """
        if is_too_late(self, error) or (self._exit and isinstance(error, NoMatches)):
            return  # a screen that was still being built when the application ended
        if is_of_callback(error):
            complain(self, error)
            return
        if self.is_headless and not os.environ.get("SSMIC_TUI_AS_USER"):
            super()._handle_exception(error)
            return
        path = keep_details(error)
        where = f" Details: {path}" if path else ""
        self._end(1, f"ssmic: the terminal application had to stop: {type(error).__name__}: {error}.{where}")

    def end_by_signal(self) -> None:
        """Exit because of a signal: without asking, after rescuing unsaved work."""
        code = exit_code()
        self._end(code, f"ssmic: ended by {signal.Signals(code - 128).name}.")

    def _end(self, code: int, why: str) -> None:
        self.exit(return_code=code, message=Text("\n".join((why, *rescued(self.rescues)))))


def _keep_logs_off_the_screen() -> None:
    """Keep log output off the terminal; a run's log is next to its results."""

    def drop(*_: object) -> NoReturn:
        raise structlog.DropEvent

    structlog.configure(processors=[drop])
    logging.getLogger().addHandler(logging.NullHandler())


def run_app(first_area: str = AREAS[0].id, first_intent: Intent | None = None, *, allow_outside: bool = False) -> int:
    """Run the application in this terminal; return the exit code. See `SsmicApp` for the arguments.

    These are `first_area`, `first_intent` and `allow_outside`.
    """
    _keep_logs_off_the_screen()
    app = SsmicApp(
        first_area=first_area, first_intent=first_intent, collector=IdleCollector(), allow_outside=allow_outside
    )

    async def run() -> None:
        with ended_by_signals(app.end_by_signal):
            await app.run_async()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run())
    return app.return_code or 0
