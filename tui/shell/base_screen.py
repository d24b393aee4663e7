"""The base of every area's screen: bar, footer, help, palette entries, notices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Button, Static, Tab

from tui.keys import is_typed
from tui.shell.error_notices import ErrorBoundary, complain
from tui.shell.footer import Footer
from tui.shell.header import AreaBar
from tui.shell.navigation import Intent

if TYPE_CHECKING:
    from tui.shell.navigation import Application


@dataclass(frozen=True, slots=True)
class PaletteEntry:
    """A command palette entry without a binding."""

    title: str
    help: str
    run: Callable[[], Any]


class AreaScreen(ErrorBoundary, Screen[None]):
    """The first screen of an area. See `tui.shell` for how to make one.

    Bindings with a description are in the footer (where `show` is true), in the help and in the palette. An
    `SsmicError` raised by an action or a handler is displayed as a notice. Other exceptions are stored in a file, and a
    notice names it.

    The classes `-narrow` (below 110 columns), `-wide`, and `-short` (below 34 rows), `-tall` are set on the screen as
    the terminal's size changes, for use in `DEFAULT_CSS`.
    """

    AREA: ClassVar[str] = ""
    """Id of the area in `tui.areas`."""
    HELP: ClassVar[str | None] = ""
    """Markdown, shown by `?` above the keys: what the screen is for and how to use it."""

    DEFAULT_CSS = """
    AreaScreen > #body { height: 1fr; }
    AreaScreen.-narrow AreaBar .brand { display: none; }
    AreaScreen TabPane { padding: 0; height: 1fr; }
    AreaScreen Tab { color: $text-muted; }
    AreaScreen.-short Tabs { height: 1; }
    AreaScreen.-short Tabs Underline { display: none; }
    AreaScreen.-short Tab.-active { text-style: bold; color: $text; background: $primary 28%; }
    """

    _typing = False
    """Whether the focused widget takes letters as text."""
    _labels: Mapping[Tab, Content] = MappingProxyType({})
    """Labels of the tabs, with keys."""

    def on_mount(self) -> None:
        """Follow the focus: tabs show no keys while a field takes them as text."""
        self.watch(self, "focused", self._show_keys_of_tabs)

    def _show_keys_of_tabs(self, focused: Widget | None) -> None:
        typing = is_typed(focused, "A")
        if typing == self._typing:
            return
        self._typing = typing
        if typing:
            self._labels = {tab: tab.label for tab in self.query(Tab) if tab.label.plain[1:2] == " "}
        for tab, label in self._labels.items():
            tab.label = Content(f"  {label.plain[2:]}") if typing else label

    def compose(self) -> ComposeResult:
        """Put the area's widgets between bar and footer."""
        yield AreaBar(self.AREA)
        with Vertical(id="body"):
            yield from self.compose_body()
        yield Footer()

    def compose_body(self) -> ComposeResult:
        """Yield the area's widgets."""
        yield from ()

    def palette(self) -> Iterable[PaletteEntry]:
        """Return palette entries beyond the bindings."""
        return ()

    def receive(self, intent: Intent) -> None:
        """Handle another area's intent; called when the screen is displayed."""

    @property
    def ssmic(self) -> Application:
        """The application."""
        return cast("Application", self.app)

    def complain(self, error: BaseException, title: str = "") -> None:
        """Show an error as a notice."""
        complain(self.app, error, title)


class EmptyState(Vertical):
    """A title, a hint, and buttons that run actions of the screen."""

    DEFAULT_CSS = """
    EmptyState { align: center middle; padding: 1 2; height: 1fr; }
    EmptyState > .empty-title { text-style: bold; width: 100%; text-align: center; color: $primary; margin-bottom: 1; }
    EmptyState > .empty-hint { width: 100%; text-align: center; color: $text-muted; padding: 0 1; }
    EmptyState > Horizontal { width: 100%; align-horizontal: center; height: auto; margin-top: 1; }
    EmptyState Button { margin: 0 1; min-width: 10; }
    """

    def __init__(
        self,
        title: str,
        hint: str,
        actions: tuple[tuple[str, str], ...],
        *,
        id: str,
    ) -> None:
        """Create the empty state.

        Args:
            title: The missing part.
            hint: A hint on the next action; console markup is allowed.
            actions: Buttons: label, and the action to run, as in a binding.
            id: See `textual.widget.Widget`.
        """
        super().__init__(id=id)
        self._title = title
        self._hint = hint
        self._actions = actions

    def say(self, title: str) -> None:
        """Show another title; an empty one: the own title again."""
        self.query_one(".empty-title", Static).update(title or self._title)

    def compose(self) -> ComposeResult:
        """Put title, hint and buttons in the middle."""
        yield Static(self._title, classes="empty-title", markup=False)
        yield Static(self._hint, classes="empty-hint")
        if self._actions:
            with Horizontal():
                for index, (label, action) in enumerate(self._actions):
                    yield Button(label, action=action, variant="primary" if index == 0 else "default", compact=True)
