"""The Python API: a run that a script steers, and its recording."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from subprocess import run as run_process

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import ssmic
from broker.errors import SsmicError
from scenarios.errors import ScenarioError
from scenarios.load import load_scenario
from tests.scenarios.timeline.two_roofs import TWO_ROOFS, run, scripted
from tui.cli.app import app
from tui.cli.commands.run import app as run_app


async def test_a_run_is_controlled_minute_by_minute_and_replayed_from_its_recording(tmp_path: Path) -> None:
    """The recording contains all actions of the script; repeated, also from a file, it gives the same ledger."""
    async with ssmic.Emulation(scripted(), algorithm="fifty_fifty", seed=5) as going:
        async for now in going.every("1m"):
            match f"{now:%H:%M}":
                case "05:00":
                    going.house("a").link(duration="5m", loss=0.2)
                case "06:00":
                    going.add_job("a", "washer", id="extra", earliest_start="1h", latest_start="7h")
                case "07:13":
                    going.producer("pv-a").forecast(factor=0.4)
                    going.cloud(factor=0.3, duration="2h", travel="10m")
                case "08:00":
                    going.house("b").offline("90m")
                    going.restart_broker()
                case "09:00":
                    going.producer("pv-b").algorithm("insertion")
                    going.add_job("b", "washer", latest_start="6h")
                case "09:30":
                    going.job("wash-b").withdraw()
                case "10:00":
                    going.producer("pv-a").leave()
                    going.tariff(import_eur_per_kwh=0.6)
                    going.note("the first roof is gone")
    going.save_recording(tmp_path / "recording.yaml")

    async with ssmic.Emulation(going.recording, algorithm="fifty_fifty", seed=5) as again:
        pass
    async with ssmic.Emulation(tmp_path / "recording.yaml", algorithm="fifty_fifty", seed=5, hosts=1) as from_file:
        pass

    assert ssmic.run(tmp_path / "recording.yaml").ledger_sha256 == going.ledger_sha256
    assert len(going.events) > 14
    assert again.ledger_sha256 == going.ledger_sha256 == from_file.ledger_sha256
    assert again.kpis() == going.kpis() == from_file.kpis()


def test_a_recording_is_repeated_where_its_scenario_has_scores_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ssmic run RECORDING` begins with fresh scores like its script, not with those of the scenario's other runs."""
    monkeypatch.chdir(tmp_path)

    async def record() -> str | None:
        async with ssmic.Emulation("scarce") as going:
            await going.until("09:00")
            going.note("nothing else")
        going.save_recording("recording.yaml")
        return going.ledger_sha256

    expected = asyncio.run(record())
    ledgers = []
    for options in (["scarce", "--seed", "7"], ["recording.yaml"], ["recording.yaml"]):
        outcome = CliRunner().invoke(app, ["run", *options, "--bus", "memory", "--json"])
        ledgers.append(json.loads(outcome.stdout)["runs"][0]["ledger_sha256"])
    assert ledgers[1:] == [expected, expected]


async def test_stops_alone_change_nothing() -> None:
    """The ledger is that of an uncontrolled run."""
    async with ssmic.Emulation(scripted()) as going:
        await going.until("06:30")
        assert set(going.contracts) == {"wash-a", "wash-b"}
        assert f"{going.now:%H:%M}" == "06:30"
        await going.until("+8h")

    assert going.is_over
    alone = await asyncio.to_thread(run, scripted())
    assert going.ledger_sha256 == alone.ledger_sha256


async def test_stops_do_not_keep_a_run_without_end_going() -> None:
    """It ends with its last job, also one that the script adds late, and its other actions."""
    stops, replaced = [], TWO_ROOFS.replace("days: 1\n", "")
    async with ssmic.Emulation(scripted(text=replaced), bus="memory") as going:
        async for now in going.every("1h"):
            stops.append(now)
            if len(stops) == 12:
                going.cloud(factor=0.5, duration="20m")
                going.add_job("a", "washer", id="late", latest_start="6h")
            if len(stops) > 48:
                await going.stop()
    assert len(stops) < 24
    assert going.contracts["late"].start_s >= stops[11].timestamp()
    again = await asyncio.to_thread(run, going.recording)
    assert again.ledger_sha256 == going.ledger_sha256


async def test_invalid_requests_of_a_script_are_reported() -> None:
    """The errors are worded as for scenario files, and reported at once."""
    async with ssmic.Emulation(scripted()) as going:
        await going.until("12:00")
        with pytest.raises(ssmic.EmulationError, match="is in the past"):
            await going.until("11:00")
        with pytest.raises(ssmic.EmulationError, match="there is no producer 'pv-c'"):
            going.producer("pv-c")
        with pytest.raises(ScenarioError) as caught:
            going.do("cloud", factr=0.1, producers=["pv-x"], duration="soon")
        with pytest.raises(ScenarioError, match="did you mean 'wash-"):
            going.job("wash-x").withdraw()
    assert {str(problem).split(":")[0] for problem in caught.value.problems} == {"factor", "factr", "duration"}
    with pytest.raises(ssmic.EmulationError, match="has ended"):
        going.note("too late")


async def test_a_script_that_fails_interrupts_its_run() -> None:
    """The exception is the script's own."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the run ends by it
        async with ssmic.Emulation(scripted()) as going:
            await going.until("08:00")
            raise ZeroDivisionError
    assert going.is_over


async def test_the_fixture_makes_runs(emulate: ssmic.Emulation, tmp_path: Path) -> None:
    """Results are in the test's folder."""
    async with emulate("sunny") as going:  # type: ignore[operator]  # a fixture makes it
        await going.until("09:00")
    assert going.kpis().self_sufficiency == 1
    assert going.results_file.parent == tmp_path
    assert ssmic.results.summary(going.results_file)["runs"][0]["complete"]


def test_a_whole_run_and_its_scenario(tmp_path: Path) -> None:
    """The script needs no event loop."""
    (tmp_path / "two.yaml").write_text(TWO_ROOFS + "vars: {d: 1}\n".replace("d", "day"))

    outcome = ssmic.run(ssmic.load_scenario(tmp_path / "two.yaml", day=1, seed=3))

    assert set(outcome.contracts) == {"wash-a", "wash-b"}
    assert outcome.ledger_sha256 == run(load_scenario(tmp_path / "two.yaml")).ledger_sha256


def test_python_has_every_option_of_the_command_line() -> None:
    """Each has the same name, or the docs name its replacement."""
    docs = (Path(__file__).resolve().parents[2] / "docs" / "scripts.md").read_text(encoding="utf-8")
    command = get_command(run_app)
    flags = [flag for parameter in command.params for flag in parameter.opts if flag.startswith("--")]
    assert len(flags) > 30
    for flag in flags:
        if flag != "--help":
            name = flag.removeprefix("--").replace("-", "_")
            assert name in ssmic.RunOptions.__annotations__ or f"`{flag}" in docs, flag
    with pytest.raises(TypeError, match="did you mean 'algorithm'"):
        ssmic.run("night", algoritm="exact")  # type: ignore[call-arg]  # as a user mistypes it
    with pytest.raises(SsmicError, match=r"(?s)days 0.*keep requires bus='mqtt'"):
        ssmic.run("night", days=0, keep=True)
    with pytest.raises(SsmicError, match="promise 'never': 'early' or 'late' is expected"):
        ssmic.run("night", promise="never")  # type: ignore[arg-type]  # as a user mistypes it


def test_a_run_has_verdicts_and_the_distance_to_the_optimum(tmp_path: Path) -> None:
    """They are those of `--junit` and `--compare`; scores continue from run to run."""
    kept = tmp_path / "scores.json"
    first = ssmic.run("sunny", compare=True, junit=tmp_path / "report.xml", scores=kept)
    second = ssmic.run("sunny", scores=first.scores)

    assert first.all_hold
    assert [verdict.holds for verdict in first.verdicts] == [True] * len(first.verdicts) != []
    assert first.optimum is not None
    assert 0 < first.optimum["optimum"]["share"] <= 1
    assert 'failures="0"' in (tmp_path / "report.xml").read_text()
    assert second.scores == ssmic.run("sunny", scores=kept).scores


async def test_a_script_ends_a_run_before_its_end() -> None:
    """Contracts so far stand, and figures cover that time."""
    async with ssmic.Emulation(scripted()) as going:
        await going.until("06:30")
        going.set_pace("60x")
        await going.stop()
    assert going.outcome.state == "interrupted"
    assert f"{going.now:%H:%M}" == "06:30"
    assert set(going.contracts) == {"wash-a", "wash-b"}


async def test_a_whole_run_inside_a_running_loop() -> None:
    """This is the case of a notebook."""
    assert ssmic.run("night").kpis.jobs_on_grid == 3


def test_an_unknown_variable_is_an_error() -> None:
    """Whether from Python or by --set."""
    with pytest.raises(SsmicError, match="has no variable or key 'hause'"):
        ssmic.load_scenario("night", hause=3)


@pytest.mark.parametrize("code", ["from ssmic.shadowing import main; main()", "import ssmic; ssmic.Emulation"])
def test_another_package_named_agents_is_reported_in_one_line(tmp_path: Path, code: str) -> None:
    """The error states the remedy."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").write_text("")

    done = run_process(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "another distribution's package 'agents'" in last
    assert "python -m venv .venv" in last
    if "main" in code:
        assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.long
def test_results_are_frames_and_sweeps_are_run(tmp_path: Path) -> None:
    """`ssmic.results.load` and `ssmic.sweep` are the ones of the command line."""
    ssmic.run("scarce", out=tmp_path / "run.sqlite")
    assert len(ssmic.results.load(tmp_path / "run.sqlite").contracts)

    outcome = ssmic.sweep("scarce", vary={"patient": [True, False]}, seeds=1, out=tmp_path / "sweep.sqlite", workers=1)

    assert outcome.sha256 is not None
    assert not outcome.failed
