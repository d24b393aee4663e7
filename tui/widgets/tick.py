"""A box to tick that says so without colour: a tick, or nothing."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Checkbox


class Tick(Checkbox):
    """A check box; Textual's own shows the same sign in two colours."""

    DEFAULT_CSS = """
    Tick > .toggle--button { color: $foreground 60%; background: $surface; }
    Tick.-on > .toggle--button { color: $success; background: $surface; text-style: bold; }
    """

    @property
    def _button(self) -> Content:
        return Content.assemble(("[x]" if self.value else "[ ]", self.get_visual_style("toggle--button")))
