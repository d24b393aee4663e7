"""The command palette (`Ctrl+P`): what it lists, and how it searches."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual import on
from textual.app import App, SystemCommand
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, OptionList
from textual.worker import Worker
from typing_extensions import override

from tui.areas import AREAS
from tui.shell import AnswersOnce, AreaScreen, ErrorBoundary, complain, described, is_move
from tui.widgets import rank_of

if TYPE_CHECKING:
    from tui.shell import Application


class Palette(Provider):
    """Searches the titles of all commands, then their descriptions, then synonyms."""

    def _commands(self) -> Iterable[SystemCommand]:
        return self.app.get_system_commands(self.screen)

    async def discover(self) -> Hits:
        """Yield all commands while nothing is typed."""
        for title, details, run, _ in sorted(self._commands(), key=lambda command: command.title):
            yield DiscoveryHit(title, run, help=details)

    async def search(self, query: str) -> Hits:
        """Yield matches, scored by relevance."""
        for title, details, run, _ in self._commands():
            rank = rank_of(query, title, details)
            if rank is not None:
                yield Hit(1 / (1 + rank), title, run, text=title, help=details)


class PaletteScreen(ErrorBoundary, AnswersOnce[None], CommandPalette):
    """The palette, closed once and running one command, also on a double click.

    Textual's search ends the application if it begins as the palette is removed.
    """

    @override
    def run_worker(self, *args: Any, **options: Any) -> Worker[Any]:
        """Run a search; see Textual's method for the arguments, `args` and `options`."""
        return super().run_worker(*args, **(options | {"exit_on_error": False}))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show why a search failed."""
        if isinstance(event.worker.error, Exception) and not self.is_answered:
            complain(self.app, event.worker.error)

    @on(OptionList.OptionSelected)
    @on(Input.Submitted)
    def _drop_if_answered(self, event: Message) -> None:
        if self.is_answered:
            event.stop()
            event.prevent_default()


def commands(app: App[Any], screen: Screen[Any]) -> Iterable[SystemCommand]:
    """Yield the commands that are possible now: the screen's own, its bindings, the other areas', and general ones."""
    seen: set[str] = set()
    if isinstance(screen, AreaScreen):
        for entry in screen.palette():
            seen.add(entry.title)
            yield SystemCommand(entry.title, entry.help, entry.run)
    yield from _of_keys(app, screen, seen)
    application = cast("Application", app)
    for area in AREAS:
        for command in area.commands if not isinstance(screen, AreaScreen) or area.id != screen.AREA else ():
            if command.title not in seen:
                seen.add(command.title)
                run = partial(application.run_area_action, area.id, command.action)
                yield SystemCommand(command.title, f"In {area.title}", run)
    yield SystemCommand("Theme", "Choose colours: light, dark, and more", app.action_change_theme)
    yield SystemCommand("Screenshot", "Save a screenshot as SVG", lambda: app.set_timer(0.1, app.deliver_screenshot))
    if screen.maximized is not None:
        yield SystemCommand("Minimize", "Restore the full screen", screen.action_minimize)
    elif screen.focused is not None and screen.focused.allow_maximize:
        yield SystemCommand("Maximize", "Maximize the focused part", screen.action_maximize)


def _of_keys(app: App[Any], screen: Screen[Any], seen: set[str]) -> Iterable[SystemCommand]:
    """Yield the commands of the keys that work now, and add their titles to those in `seen`, which are left out."""
    for active in described(screen):
        binding = active.binding
        title = binding.description
        if title in seen and binding.action.startswith("open_area("):
            title = f"Go to {title}"  # Run, Start and Results are actions of some screens, too
        if active.enabled and title not in seen and not is_move(active):
            seen |= {title, binding.tooltip}
            help_text = f"{binding.tooltip or title} ({app.get_key_display(binding)})"
            yield SystemCommand(title, help_text, partial(app.run_action, binding.action, active.node))
