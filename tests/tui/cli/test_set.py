"""`--set KEY=VALUE` on every command that reads a scenario: the same scenario, so the same ledger."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import yaml

from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from scenarios.deployment import load_part
from scenarios.load import load_scenario
from tests.ended import Ssmic
from tests.integration.conftest import environment
from tests.tui.cli.conftest import SMALL

VARIABLES = SMALL.replace("houses:", "vars: {peak_wh: 6000, latest: '14:00', pv: pv-1}\nhouses:", 1).replace(
    '["18:00", 6000]', '["18:00", "${peak_wh}"]'
)
VARIABLES = VARIABLES.replace('latest_start: "14:00"', 'latest_start: "${latest}"').replace("id: pv-1", 'id: "${pv}"')
NOWHERE = ("--broker", "mqtt://127.0.0.1:1")


@pytest.fixture
def varied(tmp_path: Path) -> Path:
    """A scenario with variables."""
    file = tmp_path / "varied.yaml"
    file.write_text(VARIABLES, encoding="utf-8")
    return file


def test_the_optimum_and_a_household_are_those_of_the_chosen_values(varied: Path, ssmic: Ssmic) -> None:
    """The result is the same as with these values in the file."""
    done = ssmic("optimum", varied, "--set", "peak_wh=0", "--set", "days=1", "--json")
    assert done.json["best_wh"] == 0
    assert ssmic("optimum", varied, "--json").json["best_wh"] == pytest.approx(500)

    chosen = {"peak_wh": "100", "pv": "roof"}
    assert load_part(str(varied), ["1"], chosen) == load_scenario(varied, chosen).part_of(["1"])


def test_a_compose_file_gives_the_values_to_all_of_its_services(varied: Path, ssmic: Ssmic) -> None:
    """Clock, households, watcher and the service that creates logins read the same scenario."""
    services = yaml.safe_load(ssmic("compose", varied, "--set", "latest=13:00", "--set", "pv=$5").out)["services"]
    for name in ("guard", "clock", "house-1", "watcher"):
        command = services[name]["command"]
        assert [command[i + 1] for i, word in enumerate(command) if word == "--set"] == ["latest=13:00", "pv=$$5"]


@pytest.mark.parametrize(
    "command",
    [
        ("clock", *NOWHERE),
        ("host", "--house", "1", *NOWHERE),
        ("compose",),
        ("optimum",),
        ("lab",),
        ("watch", *NOWHERE, "--scenario"),
        ("broker", "init", "guard"),
    ],
    ids=" ".join,
)
def test_an_unknown_key_is_an_error_that_names_the_nearest_one(
    varied: Path, ssmic: Ssmic, command: tuple[str, ...]
) -> None:
    """Every command reports it before it begins."""
    done = ssmic(*command, varied, "--set", "peek_wh=1")
    assert done.code == 3
    assert "--set peek_wh" in done.err
    assert "did you mean 'peak_wh'?" in done.err


def end(process: asyncio.subprocess.Process) -> None:
    """End a process that has not ended."""
    if process.returncode is None:
        process.kill()


@pytest.mark.long
@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
async def test_a_deployment_with_chosen_values_has_the_ledger_of_a_run_with_them(varied: Path, tmp_path: Path) -> None:
    """A household with other values is refused."""
    async with managed_mosquitto() as running, AsyncExitStack() as processes:

        async def begin(*arguments: str) -> asyncio.subprocess.Process:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tui", *arguments),
                cwd=tmp_path,
                env=environment(),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            processes.push_async_callback(process.wait)
            processes.callback(end, process)
            return process

        shared = ("--broker", str(running.url), "--run", "r", "--set")
        clock = await begin("clock", str(varied), *shared, "peak_wh=400", "--json")
        other = await begin("host", str(varied), "--house", "1", "--journal", "other", *shared, "peak_wh=500")
        _, err = await other.communicate()
        assert other.returncode == 1
        assert b"its settings differ from the clock's: other forecasts" in err
        house = await begin("host", str(varied), "--house", "1", *shared, "peak_wh=400")
        run = await begin("run", str(varied), "--bus", "memory", "--set", "peak_wh=400", "--json")
        (deployed, _), _, (alone, _) = await asyncio.gather(clock.communicate(), house.communicate(), run.communicate())
    ledgers = [json.loads(text)["runs"][0]["ledger_sha256"] for text in (deployed, alone)]
    assert ledgers[0] == ledgers[1]
    assert clock.returncode == house.returncode == 0


def test_a_job_without_an_id_is_named_by_its_default_id(ssmic: Ssmic, small: Path) -> None:
    """As expectations name it; the error for an unknown one lists it."""
    small.write_text(small.read_text().replace("id: noon, ", ""))

    ended = ssmic("run", small, "--bus", "memory", "--json", "--set", "jobs[1/washer].earliest_start=09:00")
    unknown = ssmic("check", small, "--set", "jobs[1/dryer].earliest_start=09:00")

    (job,) = (of for of in ended.json["runs"][0]["contracts"] if of["job_id"] == "1/washer")
    assert job["earliest_start"] == 1_782_032_400
    assert unknown.code == 3
    assert "known: 1/washer, night, tomorrow" in unknown.err
