"""One raw message on a device's topics, whole."""

from __future__ import annotations

import json
from typing import ClassVar

from rich.markup import escape
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from scenarios import Zone
from scenarios.monitor import DeviceMessage
from tui.monitor.formatting import moment
from tui.shell import Dialog, Footer


def _readable(text: str) -> str:
    """Return a payload with one value on a line if it is JSON, otherwise as it is."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return text or "(empty)"
    return json.dumps(content, indent=2, ensure_ascii=False)


class DeviceMessageDialog(Dialog[None]):
    """The payload of one message."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "dismiss", "Close", key_display="esc", priority=True),
    ]
    HELP = "The whole payload of a message on one of the device's topics. The arrow keys scroll."
    DEFAULT_CSS = """
    DeviceMessageDialog > Vertical { width: 90; }
    DeviceMessageDialog VerticalScroll { height: auto; max-height: 100%; }
    """

    def __init__(self, device: str, message: DeviceMessage, zone: Zone) -> None:
        """Show `message`, on a topic of the device with the id `device`; `zone`: display zone of its time."""
        super().__init__()
        self._device, self._message, self._zone = device, message, zone

    def compose(self) -> ComposeResult:
        """Yield the payload."""
        with Vertical() as box:
            box.border_title = escape(f"{self._device}: {self._message.part}")
            if self._message.time_s is not None:
                box.border_subtitle = moment(self._zone, self._message.time_s)
            with VerticalScroll():
                yield Static(_readable(self._message.text), markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self.query_one(VerticalScroll).focus()
