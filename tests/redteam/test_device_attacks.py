"""Attacks on the real devices of other households, with the login of a household that has room for guests."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from broker.protocol import topics
from broker.security.acl import DeviceAccess
from broker.servers.mosquitto import find_mosquitto
from tests.deployment.guarded import guarded_mosquitto
from tests.redteam.test_broker_attacks import MEMBER, OTHER, RUN, client, heard, say_the_end

DEVICES = (DeviceAccess(OTHER, "washer"), DeviceAccess(MEMBER, ""), DeviceAccess("", "kettle"))


@pytest.mark.long
@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
async def test_87_room_for_guests_opens_no_device_of_another_household(tmp_path: Path) -> None:
    """Its commands, forecasts and announcements for a declared device are dropped, and it receives nothing of it."""
    parts = ("set", "job", "state", "announce", "availability", "forecast", "error", "request", "report", "withdraw")
    async with (
        guarded_mosquitto(tmp_path / "guard", (MEMBER, OTHER), devices=DEVICES) as guarded,
        client(guarded, "watcher") as watcher,
        client(guarded, MEMBER, identifier="liar") as member,
    ):
        await watcher.subscribe("ssmic/#", qos=1)
        await member.subscribe([(topics.devices(RUN), 1), (topics.grant(RUN, MEMBER), 1)])
        for retain in (False, True):
            for device in ("washer", "kettle"):
                for part in parts:
                    await member.publish(topics.device(RUN, device, part), device, qos=1, retain=retain)
        async with client(guarded, "device.washer") as washer:
            await washer.publish(topics.device(RUN, "washer", "report"), b"secret", qos=1)
        await say_the_end(guarded)
        to_member, to_watcher = await asyncio.gather(heard(member), heard(watcher))
    assert b"secret" not in to_member.values()
    assert b"washer" not in to_watcher.values()
    assert b"kettle" in to_watcher.values(), "a guest, whose household is not known before it announces itself"
