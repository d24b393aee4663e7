"""Real devices: their state above, the raw messages of the chosen one below; and a dialog with one message in full."""

from __future__ import annotations

import json
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from typing_extensions import override

from scenarios import Zone
from scenarios.monitor import DeviceMessage, ObservedDevice, ObservedRun
from tui.monitor.pane import STATES, Pane, clock, moment
from tui.shell import AskText, Dialog, Footer
from tui.widgets import Cell, Column, VirtualTable

_STATES: dict[str | None, Cell] = {
    "NOT_SCHEDULED": STATES["waiting"],
    "SCHEDULED": ("◷ scheduled", "accent"),
    "EXECUTING": ("▶ executing", "ok"),
    "INTERRUPTED": ("‖ interrupted", "warn"),
    "FINISHED": ("✓ finished", "ok"),
    "ABORTED": ("✗ aborted", "bad"),
    None: ("· no job", "muted"),
}

_SAME_IN_EACH_STATE = frozenset({"v", "device", "house", "type", "agent", "name", "adapter"})
_LONGEST_STATE = 4096
"""Characters; a longer payload is not one of ours."""


def _state(device: ObservedDevice) -> Cell:
    if device.state.get("available") is False:
        return "○ offline", "bad"
    if device.state.get("type") == "producer":
        return "☼ producer", "warn"
    return _STATES.get(device.state.get("state"), str(device.state.get("state")))


def _power(device: ObservedDevice) -> str:
    power_w = device.state.get("power_w")
    return f"{power_w:,.0f} W" if isinstance(power_w, int | float) else ""


def _commands(device: ObservedDevice) -> str:
    sent = device.state.get("commands_sent")
    return f"{sent} / {device.state.get('commands_answered')}" if sent else ""


def _columns(zone: Zone) -> tuple[Column[ObservedDevice], ...]:
    def at(device: ObservedDevice, key: str) -> str:
        time_s = device.state.get(key)
        return clock(zone, time_s) if isinstance(time_s, int) else ""

    def last_heard(device: ObservedDevice) -> Cell:
        is_silent = device.state.get("last_heard", 0) is None
        return ("never", "warn") if is_silent else at(device, "last_heard")

    return (
        Column("device", lambda device: device.id, 18, wide=30, is_id=True),
        Column("state", _state, 13),
        Column("power", _power, 9, right=True),
        Column("last heard", last_heard, 10),
        Column("next start", lambda device: at(device, "next_start"), 10),
        Column("sent / answered", _commands, 15, from_width=80),
        Column("errors", lambda device: str(device.state.get("errors") or ""), 6, right=True),
        Column("adapter", lambda device: (str(device.state.get("adapter") or ""), "muted"), 11, from_width=110),
    )


def in_short(message: DeviceMessage) -> str:
    """Return a payload for a line of the table; a `state` without what is the same in each of them."""
    if message.part != "state" or len(message.text) > _LONGEST_STATE:
        return message.text
    try:
        content = json.loads(message.text)
    except (ValueError, RecursionError):
        return message.text
    if not isinstance(content, dict):
        return message.text
    changing = {key: value for key, value in content.items() if key not in _SAME_IN_EACH_STATE}
    return json.dumps(changing, ensure_ascii=False, separators=(",", ":"))


def _message_columns(zone: Zone) -> tuple[Column[DeviceMessage], ...]:
    return (
        Column("heard", lambda message: ("" if message.time_s is None else moment(zone, message.time_s), "muted"), 15),
        Column("topic", lambda message: message.part, 12),
        Column("payload", in_short),
    )


class JobAskedFor(Message):
    """A job of a real device is asked for by hand."""

    def __init__(self, device: str, ready_by: str) -> None:
        super().__init__()
        self.device = device
        self.ready_by = ready_by


class DevicesPane(Pane):
    """Real devices and the messages on their topics."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("Q", "ask", "Request a job", tooltip="Request a job for the device")
    ]
    DEFAULT_CSS = """
    DevicesPane #devices { height: 1fr; }
    DevicesPane #device-messages { height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._changes = -1
        self._chosen = ""
        self._watched: ObservedRun | None = None
        self._zone = Zone()

    def compose(self) -> ComposeResult:
        """Two tables."""
        yield VirtualTable[ObservedDevice](
            _columns(Zone()), key=lambda device: device.id, empty="No real device takes part in this run", id="devices"
        )
        yield VirtualTable[DeviceMessage](
            _message_columns(Zone()),
            key=lambda message: str(message.number),
            empty="No messages on its topics yet",
            follow=True,
            id="device-messages",
        )

    def show(self, watched: ObservedRun) -> None:
        """Redraw if something changed."""
        self._watched = watched
        if watched.changes != self._changes:
            self._changes = watched.changes
            self.query_one("#devices", VirtualTable).show_rows(sorted(watched.devices.values(), key=lambda d: d.id))
            self._show_messages()

    def forget(self) -> None:
        """Clear the pane."""
        self._changes, self._chosen, self._watched = -1, "", None
        self.query_one("#devices", VirtualTable).show_rows([])
        self._show_messages()

    @override
    def show_times(self, zone: Zone) -> None:
        super().show_times(zone)
        self._zone = zone
        self.query_one("#devices", VirtualTable).columns = _columns(zone)
        self.query_one("#device-messages", VirtualTable).columns = _message_columns(zone)

    def _show_messages(self) -> None:
        device = None if self._watched is None else self._watched.devices.get(self._chosen)
        messages = [] if device is None else list(device.messages)
        self.query_one("#device-messages", VirtualTable).show_rows(messages)

    @on(VirtualTable.Highlighted, "#devices")
    def _choose(self, event: VirtualTable.Highlighted) -> None:
        device: ObservedDevice = event.row
        self._chosen = device.id
        self._show_messages()

    @on(VirtualTable.Chosen, "#device-messages")
    def _show_whole(self, event: VirtualTable.Chosen) -> None:
        message: DeviceMessage = event.row
        self.app.push_screen(DeviceMessageDialog(self._chosen, message, self._zone))

    def action_ask(self) -> None:
        """Ask when the chosen device must have finished, and request the job on its behalf."""
        device = None if self._watched is None else self._watched.devices.get(self._chosen)
        if device is None or device.state.get("type") != "consumer":
            self.notify("Choose a device that runs jobs first.", severity="warning")
            return

        def asked(ready_by: str | None) -> None:
            if ready_by:
                self.post_message(JobAskedFor(device.id, ready_by))

        details = "When must it be finished? HH:MM, 'in 8 h', or a date and time with its offset."
        self.app.push_screen(AskText(f"A job of {device.id}", details, "in 8 h"), asked)


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
            box.border_title = Content(f"{self._device}: {self._message.part}")
            if self._message.time_s is not None:
                box.border_subtitle = moment(self._zone, self._message.time_s)
            with VerticalScroll():
                yield Static(_readable(self._message.text), markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self.query_one(VerticalScroll).focus()
