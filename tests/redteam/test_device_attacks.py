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

DEVICES = (
    DeviceAccess(OTHER, "washer"),
    DeviceAccess(OTHER, "toaster", is_guest=True),
    DeviceAccess(MEMBER, ""),
    DeviceAccess("", "kettle"),
)
CLOSED = {b"washer", b"toaster"}
"""The devices that are known to belong to the other household, one of them a guest."""


@pytest.mark.long
@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
async def test_87_room_for_guests_opens_no_device_of_another_household(tmp_path: Path) -> None:
    """What it says as or to a device, or a guest, that is known to belong to another household is dropped.

    It receives nothing of it either.
    """
    parts = ("set", "job", "state", "announce", "availability", "forecast", "error", "request", "report", "withdraw")
    async with (
        guarded_mosquitto(tmp_path / "guard", (MEMBER, OTHER), devices=DEVICES) as guarded,
        client(guarded, "watcher") as watcher,
        client(guarded, MEMBER, identifier="liar") as member,
    ):
        await watcher.subscribe("ssmic/#", qos=1)
        await member.subscribe([(topics.devices(RUN), 1), (topics.grant(RUN, MEMBER), 1)])
        for retain in (False, True):
            for device in ("washer", "toaster", "kettle"):
                for part in parts:
                    await member.publish(topics.device(RUN, device, part), device, qos=1, retain=retain)
        for device in ("washer", "toaster"):
            async with client(guarded, f"device.{device}") as own:
                await own.publish(topics.device(RUN, device, "report"), b"secret", qos=1)
        await say_the_end(guarded)
        to_member, to_watcher = await asyncio.gather(heard(member), heard(watcher))
    assert b"secret" not in to_member.values()
    assert not CLOSED & set(to_watcher.values())
    assert b"kettle" in to_watcher.values(), "a guest, whose household is not known before it announces itself"


@pytest.mark.long
@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
async def test_115_a_household_whose_guests_are_known_hears_no_invented_ones(tmp_path: Path) -> None:
    """Another household with room for guests announces a guest in its name, which would take one of its places."""
    devices = (DeviceAccess(OTHER, ""), DeviceAccess(OTHER, "toaster", is_guest=True), DeviceAccess(MEMBER, ""))
    async with (
        guarded_mosquitto(tmp_path / "guard", (MEMBER, OTHER), devices=devices) as guarded,
        client(guarded, OTHER) as household,
        client(guarded, MEMBER, identifier="liar") as member,
        client(guarded, "device.toaster") as toaster,
    ):
        await household.subscribe([(topics.devices(RUN), 1), (topics.time(RUN), 1)])
        await member.publish(topics.device(RUN, "invented", "announce"), b"invented", qos=1)
        await toaster.publish(topics.device(RUN, "toaster", "announce"), b"toaster", qos=1)
        await say_the_end(guarded)
        said = await heard(household)
    assert {b"toaster", b"invented"} & set(said.values()) == {b"toaster"}
