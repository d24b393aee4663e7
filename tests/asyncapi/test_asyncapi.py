"""`ssmic asyncapi`: what AsyncAPI's own parser says of it, and whether real payloads fit it."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from broker.clock import Pace
from broker.protocol import topics
from broker.transport import Delivery, MemoryBroker
from scenarios import asyncapi_document
from scenarios.load import load_scenario
from scenarios.simulation import RunSettings, run_scenario
from tests.patience import PATIENCE_WALL_S

FOLDER = Path(__file__).resolve().parent
NODE = shutil.which("node")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document."""
    return asyncapi_document()


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.skipif(not (FOLDER / "node_modules").is_dir(), reason="AsyncAPI's parser is not installed: make asyncapi")
def test_asyncapis_own_parser_accepts_the_document(document: dict[str, Any]) -> None:
    """It reports no error, and finds every topic."""
    assert NODE is not None
    done = subprocess.run(
        [NODE, str(FOLDER / "check.js")],
        input=json.dumps(document),
        capture_output=True,
        text=True,
        timeout=PATIENCE_WALL_S,
        check=False,
    )
    found = json.loads(done.stdout)
    assert found["errors"] == []
    assert {"ssmic/{run}/roster", "ssmic/{run}/inbox/{host}/{fromHost}"} <= set(found["channels"])


def test_the_document_has_every_kind_of_topic_and_every_message_of_agents(document: dict[str, Any]) -> None:
    """The list of topics that the protocol's own module has."""
    kinds = {channel["address"].split("/")[2] for channel in document["channels"].values()}
    assert set(topics._LEVELS) <= kinds
    assert {"Request", "Accept", "Decline", "ContractAgreed"} <= set(document["components"]["schemas"])


async def test_what_a_run_publishes_fits_the_document(document: dict[str, Any]) -> None:
    """Every payload of a real run, by the schema of its topic."""
    schemas = {
        channel["address"].split("/")[2]: document["components"]["messages"][name]["payload"]
        for name, channel in document["channels"].items()
        if not channel["address"].startswith(("ssmic/{run}/lab", "ssmic/{run}/devices"))
    }
    validators = {
        kind: Draft7Validator({**payload, "components": document["components"]}) for kind, payload in schemas.items()
    }
    broker = MemoryBroker()
    checked: set[str] = set()
    problems: list[str] = []
    async with broker.connect("reader") as bus:
        await bus.subscribe("ssmic/#", qos=1)

        async def read() -> None:
            async for event in bus.messages():
                if isinstance(event, Delivery) and event.payload:
                    kind = event.topic.split("/")[2]
                    checked.add(kind)
                    problems.extend(
                        f"{event.topic}: {error.message[:200]}"
                        for error in validators[kind].iter_errors(json.loads(event.payload))
                    )

        reading = asyncio.create_task(read())
        await run_scenario(load_scenario("street"), RunSettings(seed=1, run_id="x", pace=Pace()), broker)
        await asyncio.sleep(0)
        reading.cancel()
    assert problems == []
    assert {"roster", "time", "hosts", "grant", "done", "inbox", "ledger", "forecast"} <= checked
