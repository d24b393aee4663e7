"""The production of a day is the same figure on all screens."""

from __future__ import annotations

import asyncio
import re
from importlib import resources
from pathlib import Path

import pytest

from broker.transport.memory import MemoryBroker
from scenarios.files.yaml_nodes import parse_yaml
from scenarios.load import load_scenario
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.reader import ResultsReader
from scenarios.results.report.page import report_contents
from scenarios.results.writer import RunWriter
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tui.editor.preview_chart import PreviewArtist
from tui.run.preview import first_day


@pytest.fixture
def street_results(tmp_path: Path) -> Path:
    """The bundled street, run for its one day."""
    scenario = load_scenario("street")
    path = create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), out=tmp_path / "street.sqlite")
    with RunWriter(path, scenario, run=1, run_id="r1", seed=1, start_s=scenario.start_s) as writer:
        asyncio.run(run_scenario(scenario, RunSettings(1, "r1", days=1), MemoryBroker(), recorder=writer))
    return path


@pytest.mark.long
def test_the_same_day_produces_the_same_in_the_editor_the_run_form_and_the_results(street_results: Path) -> None:
    """Formerly it was 130.3 kWh by the first forecasts, 132.6 by the last ones, 134.0 by the meters."""
    text = (resources.files("scenarios") / "bundled" / "street.yaml").read_text(encoding="utf-8")
    with ResultsReader(street_results) as results:
        produced_wh = results.kpis(1).produced_wh
        report = report_contents(results)

    said = re.search(r"([0-9.]+) kWh produced", PreviewArtist(parse_yaml(text, ""), None).day(None).said)
    assert said is not None
    assert said[1] == f"{produced_wh / 1000:.1f}"
    assert first_day(load_scenario("street")).sun_wh.sum() == pytest.approx(produced_wh)
    assert sum(report["runs"][0]["produced"]) == pytest.approx(produced_wh, abs=1)
    assert report["runs"][0]["kpis"]["produced_wh"] == pytest.approx(produced_wh, abs=1)


def test_a_job_is_drawn_in_front_of_what_is_produced_where_there_is_any() -> None:
    """A neighbourhood without panels had a legend for a forecast; with panels it is called as in the day's chart."""
    text = (resources.files("scenarios") / "bundled" / "street.yaml").read_text(encoding="utf-8")
    tree = parse_yaml(text, "")
    assert [one.name for one in PreviewArtist(tree, None).job(tree["jobs"][0]).series] == [
        "produced / 5",
        "earliest",
        "latest",
    ]
    for house in tree["houses"]:
        house["devices"] = [device for device in house["devices"] if device["type"] == "consumer"]
    assert [one.name for one in PreviewArtist(tree, None).job(tree["jobs"][0]).series] == ["earliest", "latest"]
