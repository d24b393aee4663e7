"""A plug that two runs at one broker are to switch is commanded by one of them, and the other one says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agents import Availability, DeviceCommand, DeviceEvent, DeviceNotice, DeviceSaid, Occupied, Vacated
from broker.hosts import Instruction
from broker.protocol import topics
from broker.servers.mosquitto import find_mosquitto
from broker.transport import Bus, Delivery
from broker.transport.memory import MemoryBroker
from scenarios.devices.adapters.registry import adapter_for, address_of
from scenarios.devices.link import DeviceLink
from scenarios.devices.switch_claims import SILENT_WALL_S, switch_id
from scenarios.gateways import Gateway
from scenarios.zone import Zone
from tests.scenarios.devices.session import RUN, STREET, session
from tests.scenarios.devices.test_adapters import plugged_in, tasmota
from tests.scenarios.devices.test_gateway import WASHER, job_state

NOW_S = 1_782_021_600
AGENT = "adler/washer"
POWER = "cmnd/kitchen/POWER"


def plug(**options: Any) -> Gateway:
    """Return a washer behind a Tasmota plug."""
    return Gateway(
        id="washer",
        house="adler",
        device="washer",
        type="consumer",
        agent=AGENT,
        adapter="tasmota",
        options={"topic": "kitchen", **options},
    )


@dataclass
class Linked:
    """A run that is connected to its plug."""

    link: DeviceLink

    async def heard(self) -> list[DeviceEvent]:
        """Return what its agent receives in the next second."""
        await settle()
        port = self.link.port("adler")
        assert port is not None
        return [one.message.said for one in port.take(NOW_S) if isinstance(one.message, DeviceSaid)]

    async def switch_on(self) -> None:
        """Command the plug."""
        command = DeviceCommand(command="start", device="washer", job="wash-1", time_s=NOW_S, run_s=60)
        self.link.carry_out([Instruction(AGENT, command)], NOW_S)
        await settle()


@dataclass
class Socket:
    """The plug's side: the commands that arrive."""

    bus: Bus
    on: list[str] = field(default_factory=list)

    async def read(self) -> None:
        """Keep what switches it on."""
        async for event in self.bus.messages():
            if isinstance(event, Delivery) and event.payload == b"ON":
                self.on.append(event.topic)


async def settle() -> None:
    """Let what was published arrive: the broker is in this event loop."""
    for _ in range(100):
        await asyncio.sleep(0)


@asynccontextmanager
async def running(broker: MemoryBroker, run: str, gateway: Gateway | None = None) -> AsyncIterator[Linked]:
    """Have a run that is connected to the plug."""
    gateway = gateway or plug()
    link = DeviceLink(run, broker, {"adler": [gateway]}, {AGENT: adapter_for(gateway)}, Zone(0))
    async with link.connected():
        yield Linked(link)


@asynccontextmanager
async def socket(broker: MemoryBroker) -> AsyncIterator[Socket]:
    """Have a plug at the broker that is online."""
    async with broker.connect("plug") as bus:
        await bus.publish("tele/kitchen/LWT", b"Online", retain=True)
        await bus.subscribe(POWER)
        plugged = Socket(bus)
        reading = asyncio.create_task(plugged.read())
        try:
            yield plugged
        finally:
            reading.cancel()


async def retained(broker: MemoryBroker, part: str = "/claims/") -> list[str]:
    """Return the topics of retained messages at the broker: those of claims, or with another part in them."""
    async with broker.connect("looker") as bus:
        await bus.subscribe("ssmic/#")
        found: list[str] = []
        while True:
            try:
                async with asyncio.timeout(0.1):
                    item = await anext(bus.messages())
            except TimeoutError:
                return found
            if isinstance(item, Delivery) and item.retain and part in item.topic:
                found.append(item.topic)


@pytest.mark.looptime
async def test_the_second_run_leaves_a_plug_alone_until_the_first_one_ends() -> None:
    """It learns which run has the plug, receives nothing from it, and takes over with the plug's present state."""
    broker = MemoryBroker()
    async with socket(broker) as plugged, running(broker, "second-to-end") as late:
        async with running(broker, "first") as never:
            assert await never.heard() == [Occupied(run="second-to-end")]
            await never.switch_on()
            assert not plugged.on
        assert await late.heard() == [Availability(online=True)]
        await late.switch_on()
        assert plugged.on == [POWER]
    async with socket(broker) as plugged:
        first = running(broker, "first")
        holder = await first.__aenter__()
        async with running(broker, "second") as waiting:
            assert await waiting.heard() == [Occupied(run="first")]
            await first.__aexit__(None, None, None)
            assert await waiting.heard() == [Vacated(), Availability(online=True)]
            await waiting.switch_on()
            assert plugged.on == [POWER]
        assert await holder.heard() == [Availability(online=True)]
        assert not await retained(broker)


@pytest.mark.looptime
async def test_of_runs_that_start_at_the_same_time_one_gets_the_plug() -> None:
    """The broker passes their claims on in one order, which all of them see."""
    broker = MemoryBroker()
    async with socket(broker) as plugged, asyncio.TaskGroup() as tasks:
        over = asyncio.Event()
        told: list[DeviceEvent] = []

        async def run(name: str) -> None:
            async with running(broker, name) as one:
                told.extend(await one.heard())
                await one.switch_on()
                await over.wait()

        running_ones = [tasks.create_task(run(f"run-{i}")) for i in range(4)]
        await asyncio.sleep(60)
        assert plugged.on == [POWER]
        assert sum(isinstance(event, Occupied) for event in told) == 3
        assert len(await retained(broker)) == 1
        over.set()
    assert all(task.done() for task in running_ones)


@pytest.mark.looptime
async def test_the_claim_of_a_run_that_crashed_lapses() -> None:
    """No run answers for it, so the next one waits for a while, commands the plug, and removes the claim."""
    broker = MemoryBroker()
    crashed = topics.claim("crashed", switch_id(address_of(plug()) or ()))
    async with broker.connect("crashed") as bus:
        await bus.publish(crashed, b'{"v": 1, "by": "x", "house": "adler", "device": "washer"}', retain=True)
    async with socket(broker) as plugged:
        started_wall_s = asyncio.get_running_loop().time()
        async with running(broker, "next") as next_one:
            assert SILENT_WALL_S <= asyncio.get_running_loop().time() - started_wall_s <= 2 * SILENT_WALL_S
            assert await next_one.heard() == [Availability(online=True)]
            await next_one.switch_on()
            assert plugged.on == [POWER]
            assert [topics.run_of(topic) for topic in await retained(broker)] == ["next"]


@pytest.mark.looptime
async def test_a_run_that_was_cut_off_for_a_moment_keeps_its_plug() -> None:
    """The broker restarts, for both runs: the one that waits continues to wait."""
    broker = MemoryBroker()
    async with socket(broker) as plugged, running(broker, "first") as first, running(broker, "second") as second:
        for _ in range(2):
            broker.restart()
            await asyncio.sleep(3 * SILENT_WALL_S)
        await second.switch_on()
        assert not plugged.on
        await first.switch_on()
        assert plugged.on == [POWER]
        assert [event for event in await second.heard() if isinstance(event, Occupied)] == [Occupied(run="first")]


@pytest.mark.looptime
@pytest.mark.parametrize("may_return", [False, True])
async def test_a_run_that_is_interrupted_leaves_nothing_at_the_broker(*, may_return: bool) -> None:
    """Neither does one of several processes; one that may be started again leaves its devices' states."""
    broker = MemoryBroker()
    is_there = asyncio.Event()
    adapters = {AGENT: adapter_for(plug())}
    link = DeviceLink(RUN, broker, {"adler": [plug()]}, adapters, Zone(0), has_all_devices=False, may_return=may_return)

    async def run() -> None:
        async with link.connected():
            notice = DeviceNotice(part="state", device="washer", content={"available": True})
            link.carry_out([Instruction(AGENT, notice)], NOW_S)
            await settle()
            is_there.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    await is_there.wait()
    assert len(await retained(broker, "")) == 2
    task.cancel()
    await asyncio.wait([task])
    assert await retained(broker, "") == ([f"ssmic/{RUN}/devices/washer/state"] if may_return else [])


@pytest.mark.looptime
async def test_a_second_process_with_the_id_of_a_run_removes_nothing_of_it() -> None:
    """It is refused, and leaves; the run still has its claim and its device's state."""
    broker = MemoryBroker()
    async with running(broker, RUN) as first:
        notice = DeviceNotice(part="state", device="washer", content={"available": True})
        first.link.carry_out([Instruction(AGENT, notice)], NOW_S)
        await settle()
        before = sorted(await retained(broker, ""))
        with pytest.raises(ExceptionGroup):
            async with running(broker, RUN):
                raise ValueError("refused")
        await settle()
        assert sorted(await retained(broker, "")) == before
        assert len(before) == 2


@pytest.mark.looptime
async def test_nonsense_on_the_topics_of_claims_takes_no_plug_away() -> None:
    """A run that holds its plug continues; one that starts ignores what is not a valid claim."""
    broker = MemoryBroker()
    switch = switch_id(address_of(plug()) or ())
    nonsense = [b"[" * 900, b"null", b"{}", b'{"v": 0, "by": "x"}', b'{"v": 1, "by": 5}', b"\xff", b"x" * 70_000]
    async with socket(broker) as plugged, broker.connect("stranger") as stranger:
        for payload in nonsense:
            await stranger.publish(topics.claim("other", switch), payload, retain=True)
            async with running(broker, "first") as first:
                await stranger.publish(topics.claim("other", switch), payload)
                await stranger.publish(topics.claim("first", switch), payload)
                await stranger.publish(topics.claim("first", switch), b"")
                await first.switch_on()
        assert plugged.on == [POWER] * len(nonsense)


def test_one_plug_has_one_name_however_it_is_written() -> None:
    """Its relay is the first one by default, and its topics may be in any order; any other plug has another name."""
    names = {
        switch_id(address_of(plug(**options)) or ())
        for options in ({}, {"relay": 1}, {"full_topic": "%prefix%/kitchen"}, {"full_topic": "%prefix%//%topic%"})
    }
    assert names == {"tasmota/cmnd/kitchen/1"}
    assert switch_id(address_of(plug(relay=2)) or ()) not in names
    assert switch_id(("generic", "x\ty", "on")).startswith("generic/")


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
@pytest.mark.long
async def test_a_job_on_a_plug_that_another_run_commands_is_refused(tmp_path: Path) -> None:
    """With a real broker, from the announcement to the reason in the ledger; the other run's job continues."""
    (tmp_path / "other").mkdir()
    async with plugged_in(tasmota, tmp_path) as (run, device, _):
        device.say(f"{WASHER}/request", {"id": "wash-1", "ready_by": "in 20 h"})
        await device.until(lambda: job_state(device) == "EXECUTING")
        heard = len(device.heard)
        text = STREET.replace("gateway: {answer_s: 3600}", f"gateway: {tasmota().gateway}")
        async with session(tmp_path / "other", text, broker=run.broker, run_id="other") as other:
            async with other.device("ssmic/other/devices/washer/#") as second:
                await second.until(lambda: second.on("error"))
                assert second.on("error")[-1]["problem"] == f"run '{RUN}' commands the device"
                second.say("ssmic/other/devices/washer/request", {"id": "wash-2", "ready_by": "in 20 h"})
                await second.until(lambda: job_state(second) == "ABORTED")
                last = second.on("job")[-1]
                assert (last["outcome"], last["reason"]) == ("refused", f"run '{RUN}' commands the device")
            outcome = await other.stop()
        assert job_state(device) == "EXECUTING"
        assert not [topic for topic, _, _ in device.heard[heard:] if topic.startswith("cmnd")]
        await run.stop()
    entry = next(entry for entry in outcome.ledger if entry.contract.job_id == "adler/washer/wash-2")
    assert entry.history[-1].what == "aborted"
