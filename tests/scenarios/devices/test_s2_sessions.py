"""Resource managers of S2 that come back, change their minds, fail, join as guests and make mistakes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from s2python.common import ReceptionStatus, RevokeObject
from s2python.generated.gen_s2 import ControlType, ReceptionStatusValues, RevokableObjects, RoleType
from s2python.ppbc import PPBCPowerProfileDefinition, PPBCScheduleInstruction

from broker.protocol.wire import Control
from broker.servers import managed_mosquitto
from broker.servers.mosquitto import find_mosquitto
from scenarios.results.reader import ResultsReader
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.replay import read_recording
from scenarios.simulation.simulation import open_simulation
from tests.integration.conftest import environment
from tests.patience import PATIENCE_WALL_S
from tests.scenarios.devices.session import RUN, Device, Session, session
from tests.scenarios.devices.test_gateway import WASHER, job_state
from tests.scenarios.devices.test_s2 import (
    NOW_S,
    S2_STREET,
    definition,
    details,
    element,
    forecast,
    measured,
    sequence,
    status,
    wrapped,
)

pytestmark = [
    pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed"),
    pytest.mark.long,
]
HOUR_S = 3600
CONSUMER = details(RoleType.ENERGY_CONSUMER, ControlType.POWER_PROFILE_BASED_CONTROL)


def later(device: Device) -> int:
    """Return a time of the run that has come, UNIX seconds."""
    return int(device.on("state")[-1]["time"]) if device.on("state") else NOW_S


def say(device: Device, part: str, message: Any, base: str = WASHER, **metadata: Any) -> None:
    """Publish a message in its wrapper."""
    said = wrapped(message)
    said["metadata"] = metadata
    device.say(f"{base}/{part}", said, retain=part == "announce")


def profile_of(start_s: float, end_s: float) -> PPBCPowerProfileDefinition:
    """Return a programme of two parts."""
    return definition(start_s, end_s, [sequence(element(600, 2000))], [sequence(element(300, 500))])


def identified(profile: PPBCPowerProfileDefinition) -> str:
    """Return the id of a profile's job at the washer's gateway."""
    return f"adler/washer/{profile.id}"


async def until_state(device: Device, profile: PPBCPowerProfileDefinition, state: str) -> dict[str, Any]:
    """Wait until the job of a profile has a state; return what its topic says."""

    def found() -> list[dict[str, Any]]:
        return [job for job in device.on("job") if (job["id"], job["state"]) == (str(profile.id), state)]

    await device.until(found)
    return found()[-1]


def events(outcome: RunOutcome, job_id: str) -> list[tuple[str, str]]:
    """Return what happened to a job's contract."""
    entry = next(entry for entry in outcome.ledger if entry.contract.job_id == job_id)
    return [(event.what, event.reason) for event in entry.history]


async def assert_it_replays(run: Session, outcome: RunOutcome, folder: Path) -> None:
    """Repeat a session without its devices, to the same ledger and the same recording."""
    first, second = folder / "first.jsonl", folder / "second.jsonl"
    read_recording(run.results).save(first)
    async with open_simulation(read_recording(first).plan(bus="memory", out=folder / "again.sqlite")) as repeated:
        assert (await repeated.run())[0].ledger_sha256 == outcome.ledger_sha256
    read_recording(folder / "again.sqlite").save(second)
    assert second.read_bytes() == first.read_bytes()


async def test_a_resource_manager_comes_back_revokes_is_interrupted_and_gives_up(tmp_path: Path) -> None:
    """Each profile has its own outcome; one that runs can no longer be revoked."""
    async with session(tmp_path, S2_STREET, pace=60.0) as run, run.device(f"{WASHER}/#") as device:
        say(device, "announce", CONSUMER)
        revoked = profile_of(NOW_S + 10 * HOUR_S, NOW_S + 20 * HOUR_S)
        say(device, "request", revoked)
        await until_state(device, revoked, "SCHEDULED")
        kind = RevokableObjects.PPBC_PowerProfileDefinition
        say(device, "withdraw", RevokeObject(message_id=uuid.uuid4(), object_type=kind, object_id=revoked.id))
        assert (await until_state(device, revoked, "ABORTED"))["outcome"] == "withdrawn"

        # The connection is lost and comes back; the same resource manager sends a new profile, which is run at once.
        device.say(f"{WASHER}/availability", "offline", retain=True)
        device.say(f"{WASHER}/availability", "online", retain=True)
        say(device, "announce", CONSUMER)
        profile = profile_of(NOW_S, NOW_S + 20 * HOUR_S)
        say(device, "request", profile)
        await device.until(lambda: len(device.on("set")) >= 2)
        ids = {PPBCScheduleInstruction.from_dict(one["message"]).power_profile_id for one in device.on("set")}
        assert ids == {profile.id}
        say(device, "report", status(profile, "EXECUTING", "SCHEDULED"))
        await until_state(device, profile, "EXECUTING")
        running = RevokeObject(message_id=uuid.uuid4(), object_type=kind, object_id=profile.id)
        say(device, "withdraw", running)
        error = (await device.until(lambda: device.on("error")))[-1]
        assert ReceptionStatus.from_dict(error["message"]).subject_message_id == running.message_id
        say(device, "report", status(profile, "INTERRUPTED", "SCHEDULED"))
        await until_state(device, profile, "INTERRUPTED")
        say(device, "report", status(profile, "EXECUTING", "SCHEDULED"))
        await device.until(lambda: job_state(device) == "EXECUTING")
        say(device, "report", status(profile, "FINISHED", "ABORTED"))
        await until_state(device, profile, "ABORTED")
        outcome = await run.stop()
    assert events(outcome, identified(revoked))[-1][0] == "cancelled"
    what = [what for what, _ in events(outcome, identified(profile))]
    assert what == ["agreed", "started", "interrupted", "aborted"]
    await assert_it_replays(run, outcome, tmp_path)


async def test_a_faulty_message_is_answered_once_with_a_reception_status(tmp_path: Path) -> None:
    """By the id of the message; what has no id is answered in our own form alone."""
    async with session(tmp_path, S2_STREET, pace=60.0) as run, run.device(f"{WASHER}/#") as device:
        say(device, "announce", CONSUMER)
        malformed = wrapped(profile_of(NOW_S, NOW_S + HOUR_S))
        del malformed["message"]["end_time"]
        device.say(f"{WASHER}/request", malformed)
        impossible = definition(NOW_S, NOW_S + 60, [sequence(element(HOUR_S, 1))])
        say(device, "request", impossible)
        unknown = status(profile_of(NOW_S, NOW_S + HOUR_S), "EXECUTING", "SCHEDULED")
        say(device, "report", unknown)
        wrong_topic = measured(1)
        say(device, "request", wrong_topic)
        device.say(f"{WASHER}/request", {"message": {"message_type": "PPBC.PowerProfileDefinition"}})
        await device.until(lambda: len(device.on("error")) >= 5)
        *answered, plain = device.on("error")
        found = [ReceptionStatus.from_dict(error["message"]) for error in answered]
        subjects = [
            malformed["message"]["message_id"],
            impossible.message_id,
            unknown.message_id,
            wrong_topic.message_id,
        ]
        assert [str(one.subject_message_id) for one in found] == [str(subject) for subject in subjects]
        values = ReceptionStatusValues
        assert [one.status for one in found] == [values.INVALID_MESSAGE, *[values.INVALID_CONTENT] * 3]
        assert "end_time" in str(found[0].diagnostic_label)
        assert "no start in time" in str(found[1].diagnostic_label)
        assert "message" not in plain
        assert {"topic", "problem", "expected", "payload", "time"} <= answered[0].keys()
        outcome = await run.stop()
    await assert_it_replays(run, outcome, tmp_path)


async def test_resource_managers_that_are_not_in_the_scenario_join_and_name_their_house(tmp_path: Path) -> None:
    """A consumer and a producer, in the metadata of their announcements; the session replays."""
    dish, roof = f"ssmic/{RUN}/devices/dish", f"ssmic/{RUN}/devices/guest-roof"
    async with session(tmp_path, S2_STREET, pace=60.0) as run, run.device(f"{dish}/#", f"{roof}/#") as device:
        say(device, "announce", CONSUMER, dish)
        error = (await device.until(lambda: device.on("error")))[-1]
        assert (error["problem"], error["expected"]) == (
            "the announcement names no house",
            "metadata.house, one of: adler",
        )
        say(device, "announce", CONSUMER, dish, house="adler")
        producer = details(RoleType.ENERGY_PRODUCER, ControlType.NOT_CONTROLABLE)
        say(device, "announce", producer, roof, house="adler")
        await device.until(lambda: {state["device"] for state in device.on("state")} >= {"dish", "guest-roof"})
        say(device, "forecast", forecast(NOW_S, -3000, -3000), roof)
        profile = profile_of(NOW_S, NOW_S + 20 * HOUR_S)
        say(device, "request", profile, dish)
        await device.until(lambda: len(device.on("set")) >= 2)
        instruction = PPBCScheduleInstruction.from_dict(device.on("set")[0]["message"])
        assert instruction.power_profile_id == profile.id
        say(device, "report", status(profile, "EXECUTING", "SCHEDULED"), dish)
        say(device, "report", status(profile, "FINISHED", "FINISHED"), dish)
        await until_state(device, profile, "FINISHED")
        mistaken = definition(NOW_S, NOW_S + 60, [sequence(element(HOUR_S, 1))])
        say(device, "request", mistaken, dish)
        await device.until(lambda: "message" in device.on("error")[-1])
        assert device.on("error")[-1]["message"]["subject_message_id"] == str(mistaken.message_id)
        outcome = await run.stop()
    assert [what for what, _ in events(outcome, f"adler/dish/{profile.id}")] == ["agreed", "started", "finished"]
    await assert_it_replays(run, outcome, tmp_path)


@asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Have a command of ours run; kill it at the end."""
    command = [sys.executable, "-m", "tui", *arguments]
    running = await asyncio.create_subprocess_exec(
        *command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        yield running
    finally:
        with suppress(ProcessLookupError):
            running.kill()
        await running.wait()


@pytest.mark.parametrize("supply", ["whole", "shared"])
async def test_a_household_that_is_killed_in_mid_job_comes_back_and_its_device_ends_the_job(
    supply: str, tmp_path: Path
) -> None:
    """The gateway restores the profile, receives its end and records it in the ledger; no instruction is repeated."""
    street = tmp_path / "street.yaml"
    street.write_text(S2_STREET.replace("    guests: 1\n", ""), encoding="utf-8")
    async with managed_mosquitto() as running:
        url = running.url
        login = f"{url.user}:{url.password}@" if url.user else ""
        broker = f"mqtt://{login}{url.host}:{url.port}"
        common = ["--broker", broker, "--run", RUN, "--supply", supply, "--journal", str(tmp_path / "journal")]
        results = tmp_path / "session.sqlite"

        def host(house: str) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
            return process("host", str(street), "--house", house, *common)

        clock = process("clock", str(street), *common, "--pace", "60x", "--out", str(results))
        run = Session(url, asyncio.get_running_loop().create_future(), results)
        async with (
            run.device(f"{WASHER}/#", f"ssmic/{RUN}/time") as device,
            clock as keeper,
            host("brandt"),
            host("celik"),
        ):
            async with host("adler") as adler:
                await device.until(lambda: device.on("state"))
                say(device, "announce", CONSUMER)
                profile = profile_of(NOW_S, NOW_S + 20 * HOUR_S)
                say(device, "request", profile)
                await device.until(lambda: len(device.on("set")) >= 2)
                say(device, "report", status(profile, "EXECUTING", "SCHEDULED"))
                await until_state(device, profile, "EXECUTING")
                adler.kill()
                await adler.wait()
            async with host("adler"):
                heard = len(device.on("state"))
                await device.until(lambda: len(device.on("state")) > heard)
                say(device, "report", measured(1990, device.on("state")[-1]["time"]))
                say(device, "report", status(profile, "FINISHED", "FINISHED"))
                said_s = device.on("time")[-1]["time"]
                finished = await until_state(device, profile, "FINISHED")
                assert finished["outcome"] == "on_time"
                assert finished["time"] < said_s + HOUR_S  # not only when the agent has something to do anyway
                device.say(f"ssmic/{RUN}/control", Control(command="stop", by="test").encoded())
                async with asyncio.timeout(PATIENCE_WALL_S):
                    await keeper.wait()
        assert keeper.returncode == 130  # it was stopped
        assert len(device.on("set")) == 2
    with ResultsReader(results) as reader:
        entry = next(one for one in reader.ledger(1) if one.contract.job_id == identified(profile))
        assert [event.what for event in entry.history if event.what != "amended"] == ["agreed", "started", "finished"]
        ledger_sha256 = reader.run(1).ledger_sha256
    async with open_simulation(read_recording(results).plan(bus="memory", out=tmp_path / "again.sqlite")) as repeated:
        assert (await repeated.run())[0].ledger_sha256 == ledger_sha256
