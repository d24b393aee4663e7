"""The bundled scenarios: each is a lesson whose expectations hold, with the same ledger on every bus."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.transport import MqttBroker
from scenarios.files import load_text, to_yaml
from scenarios.generate.bundle import SCENARIOS
from scenarios.load import bundled_names, bundled_text, load_content, load_scenario
from scenarios.simulation import RunEnvironment, RunSettings, run_scenario
from tests.scenarios.timeline.two_roofs import run
from tui.cli.app import app

GALLERY = [name for name in bundled_names() if name not in SCENARIOS]


@pytest.mark.parametrize("name", bundled_names())
def test_each_has_a_lesson_and_expectations(name: str) -> None:
    """A comment on top, a description for the lists, and conditions."""
    text, scenario = bundled_text(name), load_scenario(name)

    assert re.match(r"# \w.{60,}", text)
    assert 40 < len(scenario.description) < 140
    assert scenario.expectations


LARGER = [pytest.param(name, marks=pytest.mark.long) for name in SCENARIOS]


@pytest.mark.parametrize("name", [*GALLERY, *LARGER])
def test_its_expectations_hold(name: str, tmp_path: Path) -> None:
    """Each bundled example is run in memory, and the command reports its verdicts."""
    done = CliRunner().invoke(app, ["run", name, "--bus", "memory", "--out", str(tmp_path / "r.sqlite")])

    assert done.exit_code == 0, done.output
    assert "FAILS" not in done.output
    assert done.output.count("holds  ") == len(load_scenario(name).expectations)


@pytest.mark.skipif(find_mosquitto() is None, reason="Mosquitto is not installed")
@pytest.mark.long
async def test_both_buses_have_the_same_ledgers() -> None:
    """Faults of the timeline included, on a real broker."""
    asyncio.get_running_loop().set_debug(False)
    async with managed_mosquitto(restart=True) as mosquitto:
        for name in GALLERY:
            scenario = load_scenario(name)
            outcome = await run_scenario(
                scenario,
                RunSettings(seed=scenario.seed, run_id=name),
                MqttBroker(mosquitto.url),
                environment=RunEnvironment(restart_broker=mosquitto.restart),
            )
            assert outcome.ledger_sha256 == await asyncio.to_thread(lambda: run(scenario).ledger_sha256), name  # noqa: B023 - awaited within the iteration


OTHERS = [
    pytest.param(name, marks=pytest.mark.long) for name in bundled_names() if name not in {"sunny", "night", "village"}
]


@pytest.mark.parametrize("name", ["sunny", "night", *OTHERS])
def test_a_negated_expectation_exits_5(name: str, tmp_path: Path) -> None:
    """The JUnit file names it, with its value."""
    content = load_content(name).data
    first = content["expect"][0]
    turned = f"not ({first['that'] if isinstance(first, dict) else first})"
    content["expect"][0] = {**first, "that": turned} if isinstance(first, dict) else turned
    (tmp_path / "turned.yaml").write_text(json.dumps(content))
    junit = tmp_path / "junit.xml"

    done = CliRunner().invoke(
        app,
        [
            "run",
            str(tmp_path / "turned.yaml"),
            "--bus",
            "memory",
            "--out",
            str(tmp_path / "r.sqlite"),
            "--junit",
            str(junit),
        ],
    )

    assert done.exit_code == 5, done.output
    assert "FAILS  not (" in done.output
    assert '<failure message="not (' in junit.read_text()


@pytest.mark.parametrize("name", [*GALLERY, "scarce"])
def test_it_comes_back_from_yaml(name: str) -> None:
    """Timeline, expectations and zone are written as they were read."""
    scenario = load_scenario(name)

    assert load_text(to_yaml(scenario), "again.yaml", None) == scenario


def test_it_is_shown_and_copied(tmp_path: Path) -> None:
    """An existing copy is kept; the error for an unknown name suggests the nearest one."""
    runner, copy = CliRunner(), tmp_path / "mine.yaml"

    assert runner.invoke(app, ["scenarios", "show", "night"]).output == bundled_text("night")
    assert runner.invoke(app, ["scenarios", "copy", "night", str(copy)]).exit_code == 0
    assert copy.read_text() == bundled_text("night")
    assert runner.invoke(app, ["scenarios", "copy", "night", str(copy)]).exit_code == 2
    unknown = runner.invoke(app, ["scenarios", "show", "nigth"])
    assert unknown.exit_code == 2
    assert "Did you mean 'night'?" in unknown.output
