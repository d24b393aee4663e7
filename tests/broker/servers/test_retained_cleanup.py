"""Leftovers of runs at a broker are found, and removed if the login is permitted to."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from broker.protocol import topics
from broker.protocol.wire import Announcement, TimeReport
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.servers.retained_cleanup import NotRemovedError, find_leftovers, remove
from broker.transport import MqttBroker
from broker.transport.endpoint import BrokerUrl

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")

ENDED = TimeReport(time=0, round=0, step=0, pace="max", lag_wall_s=0.0, state="ended").encoded()


async def test_more_than_a_broker_sends_at_once_is_removed() -> None:
    """Foreign topics and what is no message of ours too, as far as it is the run's."""
    async with managed_mosquitto(extra_configuration="max_queued_messages 50\n") as running:
        broker = MqttBroker(running.url)
        async with broker.connect("dead") as bus:
            for number in range(300):
                await bus.publish(topics.ledger("r", f"c{number}"), b"{}", qos=1, retain=True)
            await bus.publish("ssmic/r/planted/by/somebody", b"?", qos=1, retain=True)
            await bus.publish("elsewhere", b"?", qos=1, retain=True)
        async with broker.connect("finds") as bus:
            leftover = (await find_leftovers(bus))["r"]
        assert not leftover.is_alive
        async with broker.connect("removes") as bus:
            await remove(bus, leftover)
        assert len(leftover.topics) == 301
        async with broker.connect("looks") as bus:
            assert await find_leftovers(bus) == {}


async def test_a_run_with_a_process_that_is_connected_is_alive() -> None:
    """Its announcement says "there" until its last will says "gone"."""
    async with managed_mosquitto() as running, MqttBroker(running.url).connect("host") as bus:
        there = Announcement(host="manager", session="1", agents=(), state="there")
        await bus.publish(topics.host("r", "manager"), there.encoded(), qos=1, retain=True)
        await bus.publish(topics.time("old"), ENDED, qos=1, retain=True)
        async with MqttBroker(running.url).connect("finds") as looking:
            found = await find_leftovers(looking)
    assert {run: leftover.is_alive for run, leftover in found.items()} == {"r": True, "old": False}
    assert found["old"].state == "ended"


async def test_a_login_without_permission_to_remove_gets_an_error(tmp_path: Path) -> None:
    """A broker drops forbidden messages silently, so the result is verified."""
    passwords, acl = tmp_path / "passwords", tmp_path / "acl"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "reader", "x"], check=True)  # noqa: ASYNC221 - a moment
    acl.write_text("topic readwrite #\nuser reader\ntopic read #\n", encoding="utf-8")
    async with managed_mosquitto(extra_configuration=f"password_file {passwords}\nacl_file {acl}\n") as running:
        async with MqttBroker(running.url).connect("dead") as bus:
            await bus.publish(topics.time("r"), ENDED, qos=1, retain=True)
        reader = MqttBroker(BrokerUrl(running.url.host, running.url.port, "reader", "x"))
        async with reader.connect("finds") as bus:
            leftover = (await find_leftovers(bus))["r"]
        async with reader.connect("removes") as bus:
            with pytest.raises(NotRemovedError, match=r"still has 1 message of run .*this login may not remove them"):
                await remove(bus, leftover)
