"""A simulation of two houses, run twice, written to a results file."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.manager.ledger import LedgerEntry
from agents.messages import ContractAgreed
from agents.model import GRID
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.run_end import RecordedEnd
from scenarios.results.writer import RunWriter
from scenarios.scenario import Scenario
from tests.scenarios.neighbourhoods import (
    START_S,
    TARIFF,
    agreed,
    amended,
    cancelled,
    contract,
    forecast,
    job,
    load,
    neighbourhood,
    sun,
)

NASTY = '</script><script>alert("x")</script>&<b>'
"""An id that a page must not take for its own words."""


@pytest.fixture
def scenario() -> Scenario:
    """Two houses, one roof, three jobs; one id is nasty."""
    jobs = [
        job("wash", "a", load((0, 0), (1800, 300), (3600, 500)), (0, 14400)),
        job(NASTY, "b", load((0, 0), (3600, 200)), (3600, 10800)),
        job("dry", "b", load((0, 0), (1800, 900)), (0, 7200)),
    ]
    return neighbourhood({"a": {"pv": forecast(sun((0, 0), (18000, 2500)))}, "b": {}}, jobs, tariff=TARIFF)


@pytest.fixture
def simulation(scenario: Scenario) -> SimulationSpec:
    """Two runs of it, not begun yet."""
    return SimulationSpec(
        scenario=scenario,
        algorithm="insertion",
        seeds=(1, 2),
        broker="mqtt://user:secret@broker.example:1883",
        hosts=3,
        settings={"pace": "max", "patient": True},
    )


@pytest.fixture
def ledger(scenario: Scenario) -> tuple[LedgerEntry, ...]:
    """One job moved, one lost its contract and went to the grid, one got what it asked for."""
    wash, nasty, dry = scenario.jobs
    return (
        amended(contract(wash, "pv", 0), 60, 3600),
        agreed(contract(nasty, "pv", 3600)),
        cancelled(contract(dry, "pv", 7200), 1800),
        agreed(contract(dry, GRID, 7200, n=2, agreed_s=1800)),
    )


@pytest.fixture
def results_file(tmp_path: Path, simulation: SimulationSpec, ledger: tuple[LedgerEntry, ...]) -> Path:
    """Two finished runs; the second never lost a contract."""
    path = create_results(simulation, folder=tmp_path / "results")
    with RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        write_messages(writer, simulation.scenario)
        for entry in ledger:
            writer.entry(entry)
            writer.commit()
        writer.finish(RecordedEnd("done", START_S + 10800, negotiations=4, wall_s=0.5))
    with RunWriter(path, simulation.scenario, run=2, run_id="r2", seed=2, start_s=START_S) as writer:
        write_messages(writer, simulation.scenario)
        for job_, start_s in zip(simulation.scenario.jobs, (0, 3600, 7200), strict=True):
            writer.entry(agreed(contract(job_, "pv", start_s)))
        writer.finish(RecordedEnd("done", START_S + 10800, negotiations=3, wall_s=0.25, not_registered=("late",)))
    return path


def write_messages(writer: RunWriter, scenario: Scenario) -> None:
    """Write what one negotiation says."""
    wash = scenario.jobs[0]
    request = {"kind": "Request", "job": wash.model_dump(mode="json"), "patient": True}
    writer.message(START_S, 0, wash.agent, 0, "pv", "Request", request)
    accept = {"kind": "Accept", "job_id": "wash", "start_s": START_S}
    writer.message(START_S, 1, "pv", 0, wash.agent, "Accept", accept)
    told = ContractAgreed(contract=contract(wash, "pv", 0)).model_dump(mode="json")
    writer.message(START_S, 2, wash.agent, 1, "manager", "ContractAgreed", told)
