"""The scenario file of one household: the same contracts as with the whole scenario, and nothing of the others."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from agents import MANAGER
from broker.transport.memory import MemoryBroker
from scenarios.deployment import household_text, load_part
from scenarios.errors import ScenarioError
from scenarios.events import JoinDevice, TimelineEvent
from scenarios.files import load_text
from scenarios.load import bundled_names, bundled_text, load_scenario
from scenarios.scenario import Scenario
from scenarios.simulation import RunSettings, agents_by_host, run_hosts, run_scenario
from tests.virtual_time import new_virtual_loop
from tui.cli.app import app


def households_of(scenario: Scenario) -> list[str]:
    """Return the houses that are a host each."""
    return [host for host in agents_by_host(scenario) if host != MANAGER]


def ledger_with_own_files(scenario: Scenario, supply: str) -> str:
    """Return the ledger's hash where each household reads its own file, and the clock the whole scenario."""
    settings = RunSettings(scenario.seed, "own", supply=scenario.supplied("shared" if supply == "shared" else "whole"))

    async def main() -> str:
        broker = MemoryBroker()
        async with asyncio.TaskGroup() as tasks:
            for house in households_of(scenario):
                own = load_text(household_text(scenario, [house]), house, None)
                tasks.create_task(run_hosts(own, settings, broker, [house]))
            return (await run_scenario(scenario, settings, broker, [MANAGER])).ledger_sha256

    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        return runner.run(main())


def ledger_with_whole_files(scenario: Scenario, supply: str) -> str:
    """Return the ledger's hash of a run in one process."""
    settings = RunSettings(
        scenario.seed, "whole", hosts=1, supply=scenario.supplied("shared" if supply == "shared" else "whole")
    )
    return asyncio.run(run_scenario(scenario, settings, MemoryBroker())).ledger_sha256


@pytest.mark.parametrize("supply", ["whole", "shared"])
@pytest.mark.parametrize(
    "name", ["street", *(pytest.param(it, marks=pytest.mark.long) for it in ("cloud-front", "late-joiner"))]
)
def test_the_ledger_is_the_same_where_each_household_has_only_its_own_file(name: str, supply: str) -> None:
    """Events, absent devices and what roofs correct their forecasts by included."""
    scenario = load_scenario(name)
    assert ledger_with_own_files(scenario, supply) == ledger_with_whole_files(scenario, supply)


QUICK = ("street", "late-joiner", "flaky-network")
"""Scenarios that `make test` tries; the long tests try the others."""


@pytest.mark.parametrize(
    "name", [it if it in QUICK else pytest.param(it, marks=pytest.mark.long) for it in bundled_names()]
)
def test_a_households_file_contains_nothing_of_the_others(name: str) -> None:
    """No id of another house, nor of its devices and jobs, and no expectation about the whole."""
    scenario = load_scenario(name)
    for house in households_of(scenario)[:6]:
        content = yaml.safe_load(household_text(scenario, [house]))
        assert [of["id"] for of in content["houses"]] == [house]
        assert {job["house"] for job in content.get("jobs", ())} <= {house}
        assert not content.keys() & {"expect", "description", "faults"}
        others = [of for of in scenario.houses if of.id != house]
        foreign = {of.id for of in others} | {d.id for of in others for d in of.devices if d.type == "producer"}
        said = repr({key: value for key, value in content.items() if key not in {"name", "load_profiles"}})
        assert not [one for one in foreign if f"'{one}'" in said]


def test_a_household_that_depends_on_anothers_job_cannot_be_separated() -> None:
    """Its washing machine joins when a job of the neighbours starts; without that event it would be there at once."""
    scenario = load_scenario("street")
    job = next(job for job in scenario.jobs if job.house == "adler")
    device = next(d for house in scenario.houses if house.id == "brandt" for d in house.devices if d.type == "consumer")
    joins = TimelineEvent(at_s=None, job=job.job_id, turn="starts", action=JoinDevice(house="brandt", device=device.id))
    scenario = replace(scenario, timeline=(joins,))
    with pytest.raises(ScenarioError, match=r"household 'brandt': needs the whole scenario: .*absent"):
        household_text(scenario, ["brandt"])
    household_text(scenario, ["adler"])


def test_compose_gives_each_container_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's command finds its house in the file that it mounts, with the values that `--set` gave."""
    monkeypatch.chdir(tmp_path)
    Path("my.yaml").write_text(bundled_text("street"), encoding="utf-8")
    arguments = ["compose", "my.yaml", "--household-files", "own", "--set", "seed=7"]
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    services = yaml.safe_load(result.stdout)["services"]
    adler = services["house-adler"]
    assert [mount for mount in adler["volumes"] if "scenario" in mount] == [
        "./own/adler.yaml:/scenario/household.yaml:ro"
    ]
    assert adler["command"] == ["host", "/scenario/household.yaml", "--house", "adler"]
    assert load_part("own/adler.yaml", ["adler"]).seed == 7
    for central in ("clock", "guard", "watcher"):
        assert any(mount.endswith("my.yaml:/scenario/my.yaml:ro") for mount in services[central]["volumes"])
    assert sorted(path.stem for path in Path("own").iterdir()) == sorted(households_of(load_scenario("my.yaml")))


def test_compose_says_that_containers_can_read_the_whole_scenario(tmp_path: Path) -> None:
    """Not of a bundled one, which everybody has, nor of the central services alone."""
    file = tmp_path / "my.yaml"
    file.write_text(bundled_text("street"), encoding="utf-8")
    note = (
        "note: every household's container can read the whole scenario; --household-files DIR gives each its own part"
    )
    assert note in CliRunner().invoke(app, ["compose", str(file)]).stderr
    for arguments in (["street"], [str(file), "--secrets", "guard", "--central"]):
        assert note not in CliRunner().invoke(app, ["compose", *arguments]).stderr


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    """And there is no Compose file."""
    (tmp_path / "own").write_text("", encoding="utf-8")
    result = CliRunner().invoke(app, ["compose", "street", "--household-files", str(tmp_path / "own")])
    assert result.stdout == ""
    assert result.exit_code != 0


@pytest.mark.parametrize("name", ["adler.yaml", "fuchs.yaml"])
def test_only_households_files_are_overwritten(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario, or a part that it includes, may be called like one of its houses, and lie in the same folder."""
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(bundled_text("street"), encoding="utf-8")
    result = CliRunner().invoke(app, ["compose", name, "--household-files", "."])
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{name}: exists, and this command has not written it" in result.stderr
    assert Path(name).read_text(encoding="utf-8") == bundled_text("street")
    assert [path.name for path in Path().iterdir()] == [name]
    for _ in range(2):
        assert CliRunner().invoke(app, ["compose", name, "--household-files", "own"]).exit_code == 0
