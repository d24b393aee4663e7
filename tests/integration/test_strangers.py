"""Messages of strangers that violate the protocol are dropped and counted; the ledger is the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from broker.clock.pacing import Moment
from broker.protocol import topics
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.transport import MqttBroker
from broker.transport.base import MAX_PAYLOAD_BYTES, Broker, Bus
from broker.transport.memory import MemoryBroker
from scenarios.load import load_scenario
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import RunCallbacks, run_scenario
from scenarios.simulation.settings import RunSettings

RUN = "run"
AGENT = "adler/dishwasher"


def _envelope(**changed: object) -> bytes:
    """A message that follows the protocol except for what is changed."""
    message = {
        "sender": "pv-adler",
        "seq": 10_000,
        "to": AGENT,
        "re": None,
        "body": {"kind": "Amend", "job_id": "x", "start_s": 1},
    }
    round_: dict[str, Any] = {"step": 5, "time": 0, "round": 0, "messages": [message]}
    batch: dict[str, Any] = {"v": 6, "session": "of a process that is no more", "rounds": [round_]}
    for holder in (message, round_, batch):
        holder.update((key, value) for key, value in changed.items() if key in holder)
    return json.dumps(batch).encode()


MALFORMED = (
    b"",
    b"\xff\xfe",
    b"{}",
    b"null",
    b"[" * 10_000,
    b'{"v": 1}',
    b'{"v": 6, "step": -1, "time": "x"}',
    b'{"v": 6, "surprise": true}',
    b"x" * (MAX_PAYLOAD_BYTES + 1),
    _envelope(v=1),
    _envelope(session=None),
    _envelope(sender="nobody"),
    _envelope(to="somebody else"),
    _envelope(body=7),
    _envelope(step=1.5),
)


def _topics(scenario: Scenario) -> list[str]:
    host = scenario.houses[0].id
    return [
        topics.roster(RUN),
        topics.time(RUN),
        topics.control(RUN),
        topics.host(RUN, host),
        topics.host(RUN, "nobody"),
        topics.grant(RUN, host),
        topics.done(RUN, host),
        topics.done(RUN, "nobody"),
        topics.grants(RUN),
        topics.inbox(RUN, host, "dahl"),
        topics.inbox(RUN, host, "nobody"),
        topics.local(RUN, host),
        topics.resend(RUN, host, "nobody"),
        topics.ledger(RUN, "nothing"),
        f"ssmic/{RUN}/no/such/topic",
        f"ssmic/{RUN}/grant/%zz",
    ]


@asynccontextmanager
async def _memory() -> AsyncIterator[Broker]:
    yield MemoryBroker()


@asynccontextmanager
async def _mosquitto() -> AsyncIterator[Broker]:
    async with managed_mosquitto() as running:
        yield MqttBroker(running.url)


async def _run(scenario: Scenario, broker: Broker, stranger: Bus | None) -> RunOutcome:
    """Run while a stranger publishes something wrong at every step, in an order drawn from a seed."""
    random = Random(7)
    wrong = [(topic, payload) for topic in _topics(scenario) for payload in MALFORMED]
    # An empty announcement means that a host has left; it counts only in the last step, where nothing follows from it.
    random.shuffle(wrong)

    async with asyncio.TaskGroup() as tasks:

        def on_moment(_: Moment) -> None:
            for topic, payload in [wrong.pop() for _ in range(min(4, len(wrong)))]:
                if stranger is not None:
                    tasks.create_task(stranger.publish(topic, payload))

        return await run_scenario(
            scenario, RunSettings(seed=1, run_id=RUN), broker, callbacks=RunCallbacks(on_moment=on_moment)
        )


@pytest.mark.parametrize(
    "open_broker",
    [
        _memory,
        pytest.param(
            _mosquitto,
            marks=pytest.mark.skipif(find_mosquitto() is None, reason="needs Mosquitto: apt-get install mosquitto"),
        ),
    ],
)
async def test_messages_that_violate_the_protocol_are_dropped(open_broker: object) -> None:
    """On every topic, at any step, they are logged and leave no trace in the ledger."""
    scenario = load_scenario("street")
    calm = await _run(scenario, MemoryBroker(), None)
    with capture_logs() as logs:
        async with open_broker() as broker, broker.connect("stranger") as stranger:  # type: ignore[operator]  # a parameter: one of two functions
            disturbed = await _run(scenario, broker, stranger)
    assert disturbed.ledger_sha256 == calm.ledger_sha256
    assert disturbed.messages == calm.messages
    dropped = [entry for entry in logs if entry["event"] == "dropped"]
    assert {entry["host"] for entry in dropped} >= {"clock", scenario.houses[0].id}
    assert all(entry["reason"] for entry in dropped)
    structlog.reset_defaults()
