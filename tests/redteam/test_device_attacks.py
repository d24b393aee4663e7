"""Attacks on the real devices of other households, with the login of a household that has room for guests."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.model import MANAGER
from broker.protocol import topics
from broker.protocol.bounds import MAX_TIME_S
from broker.security.acl import DeviceAccess
from broker.servers.mosquitto import find_mosquitto
from scenarios.gateways import Gateway
from scenarios.results import ResultsReader, RunWriter, SimulationSpec, create_results
from scenarios.results.summary import simulation_json
from scenarios.scenario import Scenario
from tests.deployment.guarded import guarded_mosquitto
from tests.redteam.attacked import attack_in_memory
from tests.redteam.attacks import agreed, job, once
from tests.redteam.member import Attack, Member, Turn
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


LAST_S = MAX_TIME_S - 400 * 86_400
"""A start in the year 10679, which a message can name."""


def _adds_a_job(turn: Turn, sender: str, **changed: Any) -> None:
    now_s = turn.grant.time
    device = sender.partition("/")[2]
    window = {"registered_s": now_s, "earliest_start_s": now_s, "latest_start_s": LAST_S}
    added = job(**{"job_id": f"{MEMBER}/evil", "device": device, **window, **changed})
    turn.say(MANAGER, {"kind": "AddJob", "job": added}, sender=sender)


def _agrees(turn: Turn, sender: str, start_s: int) -> None:
    contract = agreed(f"{MEMBER}/evil/1", f"{MEMBER}/evil", "grid", start_s, agreed_s=turn.grant.time, energy_wh=100.0)
    turn.say(MANAGER, contract, sender=sender)


def _starts_in_ten_thousand_years(turn: Turn, consumer: str) -> None:
    _adds_a_job(turn, consumer)
    _agrees(turn, consumer, LAST_S)


def _says_that_it_started_then(turn: Turn, consumer: str) -> None:
    _adds_a_job(turn, consumer)
    _agrees(turn, consumer, turn.grant.time + 60)
    started = {"state": "EXECUTING", "outcome": "on_time", "started_s": LAST_S}
    ids = {"contract_id": f"{MEMBER}/evil/1", "job_id": f"{MEMBER}/evil"}
    turn.say(MANAGER, {"kind": "JobExecuted", **ids, **started}, sender=consumer)


def _measures_a_thousand_terawatt_hours(turn: Turn, _consumer: str) -> None:
    for minute in range(900):
        times_s = [turn.grant.time + 60 * minute, turn.grant.time + 60 * minute + 60]
        measured = {"times_s": times_s, "cumulative_wh": [-1e12, 1e12]}
        said = {"kind": "ProductionMeasured", "producer": f"pv-{MEMBER}", "production": measured}
        turn.say(MANAGER, said, sender=f"pv-{MEMBER}")


@pytest.mark.parametrize(
    "attack", [_starts_in_ten_thousand_years, _says_that_it_started_then, _measures_a_thousand_terawatt_hours]
)
async def test_127_what_a_real_device_did_is_within_what_results_can_hold(
    street: Scenario, attack: Any, tmp_path: Path
) -> None:
    """The clock's process filled its memory with the minutes until then, or its results could not be read again."""
    house = next(house for house in street.houses if house.id == MEMBER)
    gateways = {
        device.agent: Gateway(
            id=f"{MEMBER}-{device.id}", house=MEMBER, device=device.id, type=device.type, agent=device.agent
        )
        for device in house.devices
    }
    scenario = replace(street, gateways=gateways)
    consumer = next(device.agent for device in house.devices if device.type == "consumer")
    attacks: Attack = once(lambda turn: attack(turn, consumer))
    results = create_results(
        SimulationSpec(scenario, scenario.algorithm, (1,), "memory", None, {}), tmp_path / "run.sqlite"
    )
    with RunWriter(results, scenario, run=1, run_id="far", seed=1, start_s=scenario.start_s) as writer:
        attacked = await attack_in_memory(scenario, Member(scenario, MEMBER, "far", attacks), recorder=writer, days=1)
    assert attacked.done.state == "done"
    with ResultsReader(results) as reader:
        assert simulation_json(reader)["runs"][0]["state"] == "done"
