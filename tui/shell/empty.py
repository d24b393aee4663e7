"""What a place that has nothing to show yet says: what it is for, and what to do next."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static


class EmptyState(Vertical):
    """A title, a hint, and buttons that run actions of the screen."""

    DEFAULT_CSS = """
    EmptyState { align: center middle; padding: 1 2; height: 1fr; }
    EmptyState > .empty-title { text-style: bold; width: 100%; text-align: center; color: $primary; margin-bottom: 1; }
    EmptyState > .empty-hint { width: 100%; text-align: center; color: $text-muted; padding: 0 4; }
    EmptyState > Horizontal { width: 100%; align-horizontal: center; height: auto; margin-top: 1; }
    EmptyState Button { margin: 0 1; }
    """

    def __init__(
        self,
        title: str,
        hint: str,
        actions: tuple[tuple[str, str], ...] = (),
        *,
        id: str | None = None,
    ) -> None:
        """Say what is missing.

        Args:
            title: What there is none of.
            hint: What to do next; console markup is allowed.
            actions: Buttons: label, and the action to run, as in a binding.
            id: See `textual.widget.Widget`.
        """
        super().__init__(id=id)
        self._title = title
        self._hint = hint
        self._actions = actions

    def compose(self) -> ComposeResult:
        """Put title, hint and buttons in the middle."""
        yield Static(self._title, classes="empty-title")
        yield Static(self._hint, classes="empty-hint")
        if self._actions:
            with Horizontal():
                for index, (label, action) in enumerate(self._actions):
                    yield Button(label, action=action, variant="primary" if index == 0 else "default", compact=True)
