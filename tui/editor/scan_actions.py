"""Edit actions of real devices: those that announce themselves at a broker are added to a house."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from broker import BrokerUrlError, plural
from broker.transport import Access, AccessOptions, MqttBroker, access_to, parse_url
from scenarios.devices import FoundDevice, entries_of, scan_broker
from tui.editor import tree_changes, tree_model
from tui.editor.actions import EditActions, NothingChosenError, User
from tui.editor.dialogs import ChooseSeveral
from tui.editor.edit_history import Change, Insert
from tui.editor.session import EditSession
from tui.editor.tree_model import Ref, Tree, at, text
from tui.shell import AdviceError, AskText, Dialog, Footer

LISTEN_WALL_S = 3.0
"""How long announcements are listened to: retained ones come at once, and devices that are asked answer soon."""
_HERE = "mqtt://127.0.0.1"


class NoDevicesError(AdviceError):
    """No device announces itself at a broker."""


class Listening(Dialog[tuple[FoundDevice, ...] | None]):
    """Listens at a broker and returns the devices there; None on escape, or if the broker cannot be reached.

    It is a dialog because the list of devices then opens by itself: the user could not go on editing in the meantime
    without some keys going to that list.
    """

    AUTO_FOCUS = ""
    TITLE = "Find real devices at a broker"
    HELP = "The list of devices opens by itself. `Esc` stops listening; nothing is added."
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Stop")]
    DEFAULT_CSS = """
    Listening > Vertical { width: 64; padding: 1 2; }
    Listening Static { height: auto; }
    """

    def __init__(self, access: Access) -> None:
        """Listen.

        Args:
            access: The broker's URL and login.
        """
        super().__init__()
        self._access = access

    def compose(self) -> ComposeResult:
        """Show at which broker it listens."""
        with Vertical() as box:
            box.border_title = self.TITLE
            yield Static(f"Listening at {self._access.url} ...", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Begin."""
        self.run_in_background(self._listen, name="scan", on_error=self._stop)

    async def listen(self) -> tuple[FoundDevice, ...]:
        """Return the devices at the broker.

        Raises:
            BrokerUnreachableError, BrokerLostError: See `broker.transport`.
        """
        broker = MqttBroker(self._access.url, tls=self._access.tls, lost_after_wall_s=LISTEN_WALL_S, is_patient=False)
        return await scan_broker(broker, LISTEN_WALL_S)

    async def _listen(self) -> None:
        self.dismiss(await self.listen())

    def _stop(self) -> None:
        self.dismiss(None)


class ScanActions:
    """Palette commands for real devices."""

    def __init__(self, session: EditSession, user: User, edits: EditActions, on_chosen: Callable[[str], None]) -> None:
        """Make the actions.

        Args:
            session: The edit session that they change.
            user: The user, for questions and notices.
            edits: The other edit actions.
            on_chosen: Called with the URL of a broker at which devices were chosen.
        """
        self._on_chosen = on_chosen
        self._session = session
        self._user = user
        self._edits = edits

    async def add_found(self) -> None:
        """Listen at a broker, let the user choose among the devices there, and add them to a house.

        Listening takes some seconds, during which the house may move in the file.

        Raises:
            NoDevicesError: There are no devices.
            NothingChosenError: The house is no longer there.
        """
        house = await self._edits.pick_house("Which house do the real devices belong to?")
        if house is None:
            return
        work = self._edits.fields.open_work()
        house_id = text(at(work.tree, (*house, "id")))
        url = await self._user.ask(
            AskText(
                "Find real devices at a broker",
                f"Its URL, mqtt://[user:password@]host[:port]. Listens for {LISTEN_WALL_S:.0f} s.",
                os.environ.get("SSMIC_BROKER", _HERE),
                _problem_with,
            )
        )
        if url is None:
            return
        access = access_to(url, AccessOptions(), os.environ)
        found = await self._user.ask(Listening(access))
        if found is None:
            return
        if not found:
            raise NoDevicesError(f"No device announces itself at {access.url}; see docs/devices.md for what is found.")
        by_label = {
            f"{entry['id']}  {device.adapter}  {device.name}".rstrip(): device
            for entry, device in zip(entries_of(found), found, strict=True)
        }
        house = tree_model.house_ref(work.tree, house_id) if work is self._session.work else None
        if house is None:
            raise NothingChosenError(f"House {house_id} is no longer there; nothing was added.")
        title = f"Real devices for {tree_model.title_of(work.tree, house)}"
        chosen = await self._user.ask(ChooseSeveral(title, tuple(by_label), (), "Each becomes a device of the house."))
        if chosen:
            self._on_chosen(url.strip())
            devices = [by_label[label] for label in chosen]
            self._session.apply(partial(add_found, house_ref=house, found=devices))


def add_found(tree: Tree, house_ref: Ref, found: Sequence[FoundDevice]) -> Change:
    """Add real devices to a house, with ids that are free.

    Args:
        tree: The neighbourhood as plain data.
        house_ref: The house.
        found: The devices.
    """
    count = len(at(tree, (*house_ref, "devices")) or [])
    taken = tree_changes.device_ids(tree, at(tree, house_ref)) | tree_changes.gateway_ids(tree)
    entries = entries_of(found, taken)
    steps = tuple(Insert((*house_ref, "devices"), count + i, (entry,)) for i, entry in enumerate(entries))
    return Change(f"add {plural(len(entries), 'real device')}", steps, (*house_ref, "devices", count))


def _problem_with(url: str) -> str | None:
    try:
        parse_url(url)
    except BrokerUrlError as error:
        return str(error)
    return None
