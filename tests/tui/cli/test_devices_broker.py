"""`ssmic run` with real devices says whether they can reach its broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.transport import BrokerUrl
from scenarios.load import load_scenario
from scenarios.simulation import Plan
from tests.ended import Ssmic
from tests.scenarios.files.series.test_coverage_notes import TEXT

WITH_A_PLUG = TEXT.replace("type: consumer", "type: consumer, gateway: {adapter: tasmota, topic: tasmota_A1}", 1)
CANNOT = "Real devices cannot connect to this private broker"


def test_a_run_says_that_real_devices_cannot_reach_its_private_broker(ssmic: Ssmic, tmp_path: Path) -> None:
    """And how to name theirs. A run without real devices has no such line."""
    file, simulated = tmp_path / "plug.yaml", tmp_path / "simulated.yaml"
    file.write_text(WITH_A_PLUG, encoding="utf-8")
    simulated.write_text(TEXT, encoding="utf-8")
    ended = ssmic("run", file, "--pace", "100000x", "--days", "1")
    assert ended.code == 0, ended.err
    (line,) = (line for line in ended.err.splitlines() if CANNOT in line)
    assert "--broker URL" in line
    assert CANNOT not in ssmic("run", simulated).err


@pytest.mark.parametrize("broker", [None, "mosquitto", "embedded"])
def test_a_broker_that_a_run_starts_is_private(broker: str | None) -> None:
    """Its login is random; one in memory is none, and one that a URL names is somebody else's."""
    scenario = load_scenario("night")
    assert Plan(scenario, (1,), broker=broker).has_private_broker
    assert not Plan(scenario, (1,), bus="memory", broker=broker).has_private_broker
    assert not Plan(scenario, (1,), broker=BrokerUrl("broker.example", 1883)).has_private_broker
    assert not Plan(scenario, (1,), broker="mqtt://broker.example").has_private_broker
