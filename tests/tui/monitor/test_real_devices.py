"""Real devices in the live view: their state, their messages, and a job requested by hand."""

from __future__ import annotations

import json
from typing import Any

from textual.widgets import Input, Static, TabbedContent

from broker.transport import BrokerUrl, MemoryBroker, MqttBroker
from scenarios.monitor import BusFeed, DeviceMessage, ObservedDevice, ObservedRun
from scenarios.zone import Zone
from tests.tui.driving import dialog, notices, the_app, until
from tests.tui.monitor.test_screen import table
from tui.monitor.pane import STATES
from tui.monitor.real_devices import DeviceMessageDialog, JobAskedFor, _columns, in_short
from tui.shell import AskText

STATE = {
    "v": 1, "device": "washer", "house": "adler", "type": "consumer", "agent": "adler/washer", "name": "Miele",
    "adapter": "tasmota", "available": True, "state": "EXECUTING", "job": "wash-1", "next_start": 1782036000,
    "supplier": "pv", "power_w": 1987.0, "energy_wh": 12.0, "last_heard": 1782036060, "commands_sent": 2,
    "commands_answered": 1, "errors": 0, "time": 1782036060,
}  # fmt: skip


async def test_a_device_is_shown_with_its_messages_and_a_job_is_requested(opened: Any) -> None:
    """The pane appears once a device takes part; `Q` publishes a request on its behalf."""
    broker = MemoryBroker()
    async with opened(first_area="negotiations") as pilot, broker.connect("device") as bus:
        feed = BusFeed(broker, ObservedRun("w"), "memory")
        the_app(pilot).monitored_run.begin(feed)
        await until(pilot, lambda: feed.status == "connected")
        tabs = pilot.app.screen.query_one(TabbedContent)
        assert not tabs.get_tab("devices-tab").display
        await bus.subscribe("ssmic/w/devices/washer/request")
        await bus.publish("ssmic/w/devices/washer/state", json.dumps(STATE).encode(), retain=True)
        await bus.publish("ssmic/w/devices/washer/set", b'{"v":1,"command":"start","id":"wash-1"}')
        await until(pilot, lambda: tabs.get_tab("devices-tab").display)
        await pilot.press("E")
        await until(pilot, lambda: len(table(pilot, "device-messages").rows) == 2)
        assert len(table(pilot, "devices").rows) == 1
        table(pilot, "device-messages").focus()
        await pilot.press("end", "enter")
        message = await dialog(pilot, DeviceMessageDialog)
        assert '"command": "start"' in str(message.query_one(Static).render())
        await pilot.press("escape")
        await pilot.press("Q")
        asking = await dialog(pilot, AskText)
        asking.query_one(Input).value = "18:30"
        await pilot.press("enter")
        async for event in bus.messages():
            assert json.loads(event.payload) == {"ready_by": "18:30"}  # type: ignore[union-attr]  # a delivery
            break


async def test_a_request_without_a_connection_is_answered_with_the_reason(opened: Any) -> None:
    """The name of a broker may look like Textual's markup."""
    feed = BusFeed(MqttBroker(BrokerUrl("127.0.0.1", 1), is_patient=False), ObservedRun("w"), "a broker [/b]")
    async with opened(first_area="negotiations") as pilot:
        the_app(pilot).monitored_run.begin(feed)
        pilot.app.screen.post_message(JobAskedFor("washer", "18:30"))
        await until(pilot, lambda: any("no connection to a broker [/b]" in said for _, said in notices(pilot)))
        await pilot.pause()  # it is drawn
    assert not the_app(pilot).unexpected


def test_a_job_that_looks_for_a_supplier_is_called_as_it_is_in_the_other_tables() -> None:
    """It was looking here, and waiting there."""
    state = next(column for column in _columns(Zone()) if column.title == "state")
    device = ObservedDevice("washer")
    device.take("state", json.dumps({**STATE, "available": True, "state": "NOT_SCHEDULED"}).encode(), None)
    assert state.cell(device) == STATES["waiting"]


def test_a_device_of_which_nothing_was_heard_says_so() -> None:
    """An empty cell looked as if it was not known yet."""
    heard = next(column for column in _columns(Zone()) if column.title == "last heard")
    device = ObservedDevice("washer")
    assert heard.cell(device) == ""
    device.take("state", json.dumps({**STATE, "last_heard": None, "available": None}).encode(), None)
    assert heard.cell(device) == ("never", "warn")


def test_a_state_in_the_table_says_what_changes() -> None:
    """At 80 columns nothing else was seen of it than who the device is, which the table above says."""
    state = {"v": 1, "device": "pv", "house": "1", "type": "producer", "agent": "pv", "name": "", "adapter": "opendtu"}
    text = json.dumps({**state, "available": True, "power_w": 812.5})
    assert in_short(DeviceMessage(1, 0, "state", text)) == '{"available":true,"power_w":812.5}'
    for part, unchanged in (("command", text), ("state", "[1]"), ("state", "{"), ("state", "")):
        assert in_short(DeviceMessage(1, 0, part, unchanged)) == unchanged
