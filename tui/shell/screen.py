"""The base of every area's screen: bar, footer, help, palette entries, notices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen

from tui.shell.bar import AreaBar
from tui.shell.footer import Footer
from tui.shell.guard import Guarded, complain
from tui.shell.intents import Intent

if TYPE_CHECKING:
    from tui.app import SsmicApp


@dataclass(frozen=True, slots=True)
class PaletteEntry:
    """Something that the command palette offers beside the bindings."""

    title: str
    help: str
    run: Callable[[], Any]


class AreaScreen(Guarded, Screen[None]):
    """The first screen of an area. See `tui.shell` for how to make one.

    Bindings with a description are in the footer (where `show` is true), in the help and in the palette. Actions and
    handlers may raise `SsmicError`: it is shown as a notice. Anything else that is raised is kept in a file and shown
    as a notice that says where.

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
    AreaScreen.-short Tabs { height: 1; }
    AreaScreen.-short Tabs Underline { display: none; }
    AreaScreen.-short Tab.-active { text-style: bold; color: $text; background: $primary 28%; }
    """

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
        """Return what the command palette offers here beside the bindings."""
        return ()

    def receive(self, intent: Intent) -> None:
        """Do what another area asks for; called when the screen is shown."""

    @property
    def ssmic(self) -> SsmicApp:
        """The application."""
        return cast("SsmicApp", self.app)

    def complain(self, error: BaseException, title: str = "") -> None:
        """Show an error as a notice."""
        complain(self.app, error, title)
