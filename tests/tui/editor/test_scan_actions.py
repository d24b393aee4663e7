"""Real devices are found at a broker and added to a house."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandList, CommandPalette
from textual.widgets import Input, Static

from broker.errors import BrokerUnreachableError
from broker.servers import find_mosquitto, managed_mosquitto
from broker.transport import LOST_AFTER_WALL_S, MqttBroker
from scenarios.files.scenario_from_text import load_text
from scenarios.load import load_scenario
from tests.tui.editor.test_session import Person
from tui.editor import tree_changes
from tui.editor.actions import EditActions, NothingChosenError
from tui.editor.dialogs import ChooseSeveral
from tui.editor.scan_actions import Listening, ScanActions
from tui.editor.session import EditedNeighbourhood, EditSession
from tui.shell.dialogs import AskText

pytestmark = [
    pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed"),
    pytest.mark.long,  # it listens for some seconds
]

Editing = Any
PLUG = {"t": "tasmota_A1", "dn": "Washer", "fn": ["Miele"], "rl": [1], "tp": ["cmnd", "stat", "tele"]}


async def test_a_plug_that_announces_itself_becomes_a_device_of_the_house(editing: Editing, file: Path) -> None:
    """By the palette: the broker's address, the plug in the list, and a valid file."""
    async with managed_mosquitto() as running, MqttBroker(running.url).connect("plug") as plug, editing(file) as person:
        await plug.publish("tasmota/discovery/A1/config", json.dumps(PLUG).encode(), qos=1, retain=True)
        await plug.publish("solar/116180/status/reachable", b"1", qos=1, retain=True)
        await plug.flush()
        await person.show("houses", 0)
        before = len(person.work.tree["houses"][0]["devices"])
        await person.press("ctrl+p")
        palette = await person.dialog(CommandPalette)
        await person.press(*"find", "space", *"real")
        found = palette.query_one(CommandList)
        await person.until(lambda: found.option_count and "real devices" in str(found.get_option_at_index(0).prompt))
        await person.press("enter")
        asked = await person.dialog(AskText)
        asked_url = f"mqtt://127.0.0.1:{running.url.port}"
        asked.query_one(Input).value = asked_url
        await person.press("enter")
        await person.press("h", "delete")  # ignored by the dialog that says that it listens
        assert isinstance(person.app.screen, Listening | ChooseSeveral)
        await person.dialog(ChooseSeveral)
        assert (len(person.work.tree["houses"]), person.work.history.is_dirty) == (2, False)
        await person.press("down", "space", "enter")
        await person.until(lambda: len(person.work.tree["houses"][0]["devices"]) == before + 1)
        assert person.pilot.app.devices_broker == asked_url
        device = person.work.tree["houses"][0]["devices"][before]
        assert device["gateway"] == {"adapter": "tasmota", "topic": "tasmota_A1"}
        await person.settle()
        assert person.work.problems == ()
        await person.press("ctrl+s")
        await person.until(lambda: not person.work.history.is_dirty)
    assert [gateway.adapter for gateway in load_scenario(file).gateways.values()] == ["tasmota"]


async def test_listening_is_said_and_can_be_stopped(
    editing: Editing, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There was only a notice, and whatever was typed when the list opened went to the list."""
    monkeypatch.setattr("tui.editor.scan_actions.LISTEN_WALL_S", LOST_AFTER_WALL_S)
    async with managed_mosquitto() as running, editing(file) as person:
        await _listen_at(person, url := f"mqtt://127.0.0.1:{running.url.port}")
        await person.until(lambda: isinstance(person.app.screen, Listening))
        shown = [str(static.render()) for static in person.app.screen.query(Static)]
        assert f"Listening at {url} ..." in shown
        await person.press("enter", "space", "escape")
        await person.until(lambda: person.app.screen is person.screen)
        await person.until(lambda: all(worker.name != "scan" for worker in person.app.workers))
        assert person.notices() == []
    async with editing(file) as person:
        await _listen_at(person, url)
        await person.until(person.notices)
        await person.until(lambda: person.app.screen is person.screen)
        assert "refused" in person.notices()[0]


async def _listen_at(person: Editing, url: str) -> None:
    await person.show("houses", 0)
    person.screen.workspace.begin(person.screen.real.add_found)
    asked = await person.dialog(AskText)
    asked.query_one(Input).value = url
    await person.press("enter")


class Chooser(Person):
    """A user who chooses all devices."""

    async def ask(self, dialog: Any) -> Any:
        """Give the next answer; wait for what is listened to; tick everything."""
        if isinstance(dialog, Listening):
            self.dialogs.append(type(dialog).__name__)
            return await dialog.listen()
        return dialog._known if isinstance(dialog, ChooseSeveral) else await super().ask(dialog)


@pytest.mark.parametrize("removed", ["1", "2"])
async def test_found_devices_go_to_the_house_that_was_chosen_or_nowhere(file: Path, removed: str) -> None:
    """While it listened, another house was removed, or this one: the devices went to another house."""
    session = EditSession()
    session.open(EditedNeighbourhood.opened(file))
    session.select(("houses", 1))
    async with managed_mosquitto() as running, MqttBroker(running.url).connect("plug") as plug:
        await plug.publish("tasmota/discovery/A1/config", json.dumps(PLUG).encode(), qos=1, retain=True)
        await plug.flush()
        person = Chooser(f"mqtt://127.0.0.1:{running.url.port}")
        edits = EditActions(session, person)
        finding = asyncio.create_task(ScanActions(session, person, edits, lambda _: None).add_found())
        while "Listening" not in person.dialogs:
            await asyncio.sleep(0)
        session.apply(lambda tree: tree_changes.remove_house(tree, ("houses", int(removed) - 1)))
        if removed == "2":
            with pytest.raises(NothingChosenError, match="House 2 is no longer there"):
                await finding
        else:
            await finding
    assert session.work is not None
    (house,) = session.work.tree["houses"]
    assert (house["id"], len(house["devices"])) == (("2", 2) if removed == "1" else ("1", 2))


async def test_a_broker_that_does_not_answer_is_reported_before_the_user_has_gone(file: Path) -> None:
    """A minute passed, most of it without a word on the screen."""
    session = EditSession()
    session.open(EditedNeighbourhood.opened(file))
    session.select(("houses", 1))
    async with managed_mosquitto() as running:
        url = f"mqtt://127.0.0.1:{running.url.port}"
    person = Chooser(url)
    with pytest.raises(BrokerUnreachableError, match="refused"):
        async with asyncio.timeout(LOST_AFTER_WALL_S / 2):
            await ScanActions(session, person, EditActions(session, person), lambda _: None).add_found()


async def test_real_devices_of_the_same_name_are_all_listed_and_added(file: Path) -> None:
    """Of two plugs named alike at two bridges, one was left out; each gets an id that no real device has in topics."""
    text = file.read_text().replace("id: dishwasher, type", "id: washer, gateway: {}, type")
    file.write_text(text.replace("device: dishwasher", "device: washer"))
    session = EditSession()
    session.open(EditedNeighbourhood.opened(file))
    session.select(("houses", 1))
    plug = {"friendly_name": "washer", "definition": {"exposes": [{"type": "switch"}]}}
    async with managed_mosquitto() as running, MqttBroker(running.url).connect("bridges") as bridges:
        for n, base in enumerate(("attic", "zigbee2mqtt"), start=1):
            plugs = json.dumps([{**plug, "ieee_address": f"0x{n:016}"}]).encode()
            await bridges.publish(f"{base}/bridge/devices", plugs, qos=1, retain=True)
        await bridges.flush()
        person = Chooser(f"mqtt://127.0.0.1:{running.url.port}")
        await ScanActions(session, person, EditActions(session, person), lambda _: None).add_found()
    assert session.work is not None
    added = session.work.tree["houses"][1]["devices"][1:]
    assert [(device["id"], device["gateway"]["ieee_address"]) for device in added] == [
        ("washer-2", "0x0000000000000001"),
        ("washer-3", "0x0000000000000002"),
    ]
    assert len(load_text(session.work.history.current.document().text, "ours", file.parent).gateways) == 3
