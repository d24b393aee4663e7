"""`ssmic run`: what it prints, what it leaves behind, and that it does the same again."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from agents.scheduling.settings import AlgorithmSettings
from broker.servers.mosquitto import find_mosquitto
from broker.transport.memory import MemoryBroker
from scenarios.load import load_scenario
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tests.ended import Ssmic

KPIS = {
    "consumed_wh",
    "contracted_wh",
    "delivered_wh",
    "grid_wh",
    "produced_wh",
    "self_consumption",
    "self_sufficiency",
}
CONTRACT = {
    "contract_id": str,
    "job_id": str,
    "source_id": str,
    "house": str,
    "device": str,
    "producer": str,
    "registered": int,
    "earliest_start": int,
    "latest_start": int,
    "start": int,
    "agreed": int,
    "energy_wh": float,
    "profile": str,
}


def test_json_has_what_was_promised_and_nothing_else_is_on_standard_output(ssmic: Ssmic, tmp_path: Path) -> None:
    """The object of the issue, to the letter; notes go to standard error."""
    ended = ssmic("run", "street", "--bus", "memory", "--json")
    assert ended.code == 0
    simulation = ended.json
    assert simulation["scenario"] == "street"
    assert simulation["algorithm"] == "insertion"
    assert simulation["broker"] == "memory"
    assert (tmp_path / simulation["results_file"]).is_file()
    assert Path(simulation["results_file"]).parent == Path("results")
    (run,) = simulation["runs"]
    assert run["seed"] == 1
    assert len(run["ledger_sha256"]) == 64
    assert run["kpis"].keys() >= KPIS
    assert len(run["contracts"]) == 32
    for contract in run["contracts"]:
        assert {key: type(value) for key, value in contract.items()} == CONTRACT
        assert contract["earliest_start"] <= contract["start"] <= contract["latest_start"]
    assert len({contract["job_id"] for contract in run["contracts"]}) == 32


@pytest.mark.long
def test_every_broker_gives_the_same_ledger(ssmic: Ssmic) -> None:
    """In memory, over the embedded broker, and over Mosquitto if it is installed."""
    ended = {
        "memory": ssmic("run", "street", "--bus", "memory", "--json"),
        "embedded": ssmic("run", "street", "--broker", "embedded", "--json"),
    }
    if find_mosquitto() is not None:
        ended["mosquitto"] = ssmic("run", "street", "--broker", "mosquitto", "--hosts", "3", "--json")
    simulations = {name: end.json for name, end in ended.items()}
    assert {name: simulation["broker"] for name, simulation in simulations.items()} == {name: name for name in ended}
    assert len({simulation["runs"][0]["ledger_sha256"] for simulation in simulations.values()}) == 1


@pytest.mark.long
def test_runs_on_several_processes_are_the_single_runs(ssmic: Ssmic) -> None:
    """`--runs 3 --workers 2` from seed 5 is seed 5, seed 6 and seed 7, each for itself."""
    options = ("--algorithm", "fifty_fifty", "--bus", "memory", "--json")
    together = ssmic("run", "street", *options, "--seed", "5", "--runs", "3", "--workers", "2").json["runs"]
    assert [run["seed"] for run in together] == [5, 6, 7]
    street, algorithm = load_scenario("street"), AlgorithmSettings("fifty_fifty")
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        single = [
            runner.run(run_scenario(street, RunSettings(seed, f"run-{seed}", algorithm), MemoryBroker()))
            for seed in (5, 6, 7)
        ]
    assert [run["ledger_sha256"] for run in together] == [outcome.ledger_sha256 for outcome in single]
    assert len({outcome.ledger_sha256 for outcome in single}) == 3
    for run, outcome in zip(together, single, strict=True):
        standing = {entry.contract.contract_id: entry.contract for entry in outcome.ledger if entry.state == "standing"}
        told = {contract["contract_id"]: contract for contract in run["contracts"]}
        assert {id_: (one["producer"], one["start"], one["agreed"]) for id_, one in told.items()} == {
            id_: (one.producer, one.start_s, one.agreed_s) for id_, one in standing.items()
        }
        assert run["negotiations"] == outcome.negotiations
        assert run["messages"] == outcome.messages


def test_the_table_shows_the_results_and_their_file(ssmic: Ssmic) -> None:
    """It has suppliers, figures, counts, the broker and the results file."""
    ended = ssmic("run", "street")
    assert ended.code == 0
    for figure in ("Energy consumed", "from the grid", "Self-consumption", "Self-sufficiency", "Peak-to-average ratio"):
        assert figure in ended.out
    assert re.search(r"Possible given production and windows +31.02 kWh *\n +reached +31.01 kWh +100.0 %", ended.out)
    for count in ("Negotiations", "Messages", "Run time", "from pv-adler"):
        assert count in ended.out
    assert "Results: results/" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "Broker: " in ended.err
    assert "\x1b" not in ended.out + ended.err
