"""Of two labs at one broker, only one emulates a device, and the other one says which lab does."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from broker.protocol import TimeReport
from broker.transport import Delivery
from broker.transport.memory import MemoryBroker
from scenarios.lab import DeviceKinds, EmulatedDevices, LabTakenError
from scenarios.lab.lab_claims import SILENT_WALL_S, LabClaims
from tests.scenarios.lab.neighbourhood import START_S, lane

pytestmark = pytest.mark.looptime
TASMOTA = ("tasmota", "opendtu")


@asynccontextmanager
async def lab(broker: MemoryBroker, run: str, *kinds: str) -> AsyncIterator[None]:
    """Have a lab at the broker that emulates the lane as these kinds."""
    claims = LabClaims(run, EmulatedDevices(lane(), DeviceKinds.parse(kinds or TASMOTA), START_S + 3600).devices)
    async with claims.held(broker) as bus:
        answering = asyncio.create_task(claims.keep(bus))
        try:
            yield
        finally:
            answering.cancel()


async def begins(broker: MemoryBroker, run: str, *kinds: str) -> str:
    """Begin a lab, and end it; return why it may not, or an empty text."""
    try:
        async with lab(broker, run, *kinds):
            return ""
    except LabTakenError as error:
        return str(error)


async def retained(broker: MemoryBroker) -> list[str]:
    """Return the topics of retained messages at the broker."""
    found: list[str] = []
    async with broker.connect("looker") as bus:
        await bus.subscribe("#")
        while True:
            try:
                async with asyncio.timeout(0.1):
                    item = await anext(bus.messages())
            except TimeoutError:
                return found
            if isinstance(item, Delivery) and item.retain:
                found.append(item.topic)


async def test_a_second_lab_is_refused_and_the_error_names_the_first_and_its_devices() -> None:
    """A lab of other devices may run beside it; once the first one has ended, the second one may begin."""
    broker = MemoryBroker()
    async with lab(broker, "first"):
        problem = await begins(broker, "second")
        assert re.fullmatch(
            r"lab 'first' at this broker already emulates adler/washer \(tele/tasmota_\w{6}/LWT\), adler/fridge "
            r"\(tele/tasmota_\w{6}/LWT\), adler/meter \(tele/tasmota_\w{6}/LWT\) and 3 more: end it first, use another "
            "broker, or choose other devices with --as",
            problem,
        )
        assert "already emulates adler/pv (solar/dtu/status): end it" in await begins(broker, "second", "shelly")
        assert not await begins(broker, "second", "shelly", "ahoydtu")
        expected = "lab 'first' is already active at this broker: end it first, or choose another --run"
        assert await begins(broker, "first", "shelly", "ahoydtu") == expected
        broker.restart()
        await asyncio.sleep(60)
        assert "lab 'first' at this broker already emulates" in await begins(broker, "second")
    assert not await begins(broker, "second")
    assert not await retained(broker)


async def test_of_labs_that_begin_at_the_same_time_one_begins() -> None:
    """The broker passes their claims on in one order, which all of them see."""
    broker = MemoryBroker()
    refused: list[str] = []
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:

        async def begin(run: str) -> None:
            try:
                await stack.enter_async_context(lab(broker, run))
            except LabTakenError as error:
                refused.append(str(error))

        for number in range(4):
            tasks.create_task(begin(f"lab-{number}"))
        await asyncio.sleep(60)
        assert len(refused) == 3
        assert len(await retained(broker)) == 1


async def test_a_claim_without_a_lab_lapses() -> None:
    """A lab that begins waits for an answer, and removes what a lab has left that was killed with its broker."""
    broker = MemoryBroker()
    async with broker.connect("killed") as bus:
        for topic, payload in (
            ("ssmic/killed/lab/claims/x", b'{"v": 1, "by": "x", "devices": ["solar/dtu/status"]}'),
            ("ssmic/broken/lab/claims/y", b'{"v": 1, "by": 5}'),
            ("solar/dtu/status", b"online"),
        ):
            await bus.publish(topic, payload, retain=True)
    began_wall_s = asyncio.get_running_loop().time()
    first, second = await asyncio.gather(begins(broker, "first"), begins(broker, "second"))
    assert SILENT_WALL_S <= asyncio.get_running_loop().time() - began_wall_s < 2 * SILENT_WALL_S
    assert not first
    assert "lab 'first' at this broker already emulates" in second
    assert await retained(broker) == ["ssmic/broken/lab/claims/y", "solar/dtu/status"]


async def test_the_topics_of_a_real_device_are_left_alone() -> None:
    """The bridge of a home, and a run with the lab's id, which gives a sign of life."""
    broker = MemoryBroker()
    async with broker.connect("zigbee2mqtt") as bus:
        await bus.publish("zigbee2mqtt/bridge/state", b'{"state":"online"}', retain=True)
        problem = await begins(broker, "first", "zigbee2mqtt")
        assert problem.startswith(
            "a device that is not a lab's uses the topics of 3 devices (zigbee2mqtt/bridge/state): "
            'zigbee2mqtt/bridge/state is \'{"state":"online"}\' (retained). Use another broker'
        )
        assert not await begins(broker, "first")
        report = TimeReport(time=0, round=0, step=0, pace="1x", lag_wall_s=0.0, state="running").encoded()
        await bus.publish("ssmic/first/time", report, retain=True)
        beginning = asyncio.create_task(begins(broker, "first"))
        await asyncio.sleep(1)
        await bus.publish("ssmic/first/time", report, retain=True)
        assert (await beginning).startswith("run 'first' is already active at this broker")
        assert not await begins(broker, "first")
