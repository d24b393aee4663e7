"""The Python API: a run that a script steers, and its recording."""

from __future__ import annotations

import asyncio
import json
import math
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from subprocess import run as run_process
from typing import Any

import numpy as np
import pytest
from typer.main import get_command
from typer.testing import CliRunner

import ssmic
from agents import SettingsError
from broker.errors import SsmicError
from scenarios.errors import ScenarioError
from scenarios.files import save_scenario
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


@pytest.mark.long
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
        with pytest.raises(ssmic.EmulationError, match="there is no job 'wash-x'; did you mean 'wash-"):
            going.job("wash-x").withdraw()
    assert {str(problem).split(":")[0] for problem in caught.value.problems} == {"factor", "factr", "duration"}
    with pytest.raises(ssmic.EmulationError, match="has ended"):
        going.note("too late")


NOT_TIMES: tuple[Any, ...] = (
    None,
    1.5,
    math.nan,
    True,
    [],
    b"12:00",
    date(2026, 6, 21),
    timedelta(hours=1),
    "soon",
    "125:00",
    -5,
    10**30,
)
NOT_DURATIONS: tuple[Any, ...] = (
    None,
    1.5,
    math.nan,
    True,
    [],
    timedelta(hours=1),
    "",
    "soon",
    "0s",
    "-1h",
    0,
    -5,
    10**30,
)


async def test_what_is_no_time_duration_or_part_is_one_error_that_says_what_is_expected() -> None:
    """Whatever its type is."""
    going: Any  # what a type checker would refuse
    async with ssmic.Emulation(scripted()) as going:
        await going.until("+1h")
        for time in NOT_TIMES:
            with pytest.raises(ssmic.EmulationError, match="is not a time"):
                await going.until(time)
        with pytest.raises(ssmic.EmulationError, match="fraction of a second"):
            await going.until(datetime(2026, 6, 21, 12, 0, 0, 5))  # noqa: DTZ001 - in the scenario's zone
        for span in NOT_DURATIONS:
            with pytest.raises(ssmic.EmulationError, match="is not a duration"):
                await anext(going.every(span))
        names: tuple[Any, ...] = (None, 5, [], "", "pv-a-")
        for name in names:
            for find, kind in ((going.producer, "producer"), (going.house, "house"), (going.job, "job")):
                with pytest.raises(ssmic.EmulationError, match=f"there is no {kind} .*; (known: |did you mean)"):
                    find(name)
        for pace in (5, None, "fast"):
            with pytest.raises(SsmicError, match="expected 'max' or a factor above 0"):
                going.set_pace(pace)
        for file in (5, None, ""):
            with pytest.raises(ssmic.EmulationError, match="is not a file name"):
                going.save_recording(file)
        await going.until(np.int64(going.now_s + 60))
        assert going.events == ()


@pytest.mark.parametrize("has_actual", [True, pytest.param(False, marks=pytest.mark.long)])
async def test_producers_correct_their_forecasts_by_the_clouds_of_a_script_as_by_those_of_its_recording(
    tmp_path: Path, *, has_actual: bool
) -> None:
    """Nobody forecast these clouds; a roof without actual production would have produced what it forecasts."""
    scenario = load_scenario("scarce")
    scenario = replace(scenario, jobs=scenario.jobs[:30])
    if not has_actual:
        producers = {of: replace(series, actual=None) for of, series in scenario.producers.items()}
        scenario = replace(scenario, producers=producers)
    async with ssmic.Emulation(scenario, supply="shared") as going:
        await going.until("09:00")
        going.cloud(factor=0.2, duration="4h", announced=False)
        await going.until("11:07")
        going.do("forecast_error", growth_per_h=0.1, every="2h", duration="5h")
        await going.until("14:00")
        going.producer("pv-ahorn-1").forecast(factor=1.5)
        going.producer("pv-ahorn-6").forecast(factor=1.5)
    going.save_recording(tmp_path / "recording.yaml")

    again = await asyncio.to_thread(ssmic.run, tmp_path / "recording.yaml", supply="shared")

    assert again.ledger_sha256 == going.ledger_sha256


def test_the_results_of_a_script_are_replayed_with_its_actions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also from a record of that replay, which has them as events of the timeline."""
    monkeypatch.chdir(tmp_path)

    async def act() -> str:
        planned = scripted("{when: {job: wash-a, turn: starts}, do: tariff, import_eur_per_kwh: 0.5}")
        async with ssmic.Emulation(planned, out="results/session.sqlite") as going:
            await going.until("08:00")
            going.producer("pv-a").forecast(factor=0.2)
            going.cloud(factor=0.1, duration="5h")
            await going.until("09:00")
            going.add_job("b", "washer", latest_start="6h")
        return going.ledger_sha256

    ledger_sha256 = asyncio.run(act())

    assert ledger_sha256 != ssmic.run(scripted()).ledger_sha256
    for of in ("latest", "results/session.sqlite", "again.jsonl"):
        replayed = CliRunner().invoke(app, ["replay", of, "--json", "--record", "again.jsonl"])
        found = json.loads(replayed.stdout)
        assert (found["same"], found["ledger_sha256"]) == (True, ledger_sha256)


async def test_only_an_absent_device_joins_and_only_a_present_one_leaves() -> None:
    """A recording tells from a device's first event whether it is there at the start."""
    async with ssmic.Emulation(scripted("{at: '12:00', do: join, house: b, device: washer}")) as going:
        with pytest.raises(ssmic.EmulationError, match="a/washer is present: only an absent device can join"):
            going.house("a").join("washer")
        with pytest.raises(ssmic.EmulationError, match="b/washer is absent: only a present device can leave"):
            going.house("b").leave("washer")
        going.house("a").leave("washer")
        await going.until("13:00")
        going.house("a").join("washer")
        going.house("b").leave("washer")
    assert (await asyncio.to_thread(ssmic.run, going.recording)).ledger_sha256 == going.ledger_sha256


@pytest.mark.parametrize(("planned", "acted"), [("join", "leave"), ("leave", "join")])
async def test_a_device_that_joins_or_leaves_with_a_job_does_so_by_no_script(planned: str, acted: str) -> None:
    """The times of the timeline come first: a recording would take a device for present that joins with a job."""
    scenario = scripted(f"{{when: {{job: wash-a, turn: starts}}, do: {planned}, house: b, device: pv-b}}")
    async with ssmic.Emulation(scenario) as going:
        await going.until("15:30")
        with pytest.raises(ssmic.EmulationError, match=f"b/pv-b {planned}s when something happens to a job"):
            going.do(acted, house="b", device="pv-b")
    assert (await asyncio.to_thread(ssmic.run, going.recording)).ledger_sha256 == going.ledger_sha256


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda run: run.do("note", text="x", at="13:00"), "^at: belongs to a file's timeline"),
        (lambda run: run.do("note", text="x", when={"job": "wash-a"}), "^when: belongs to a file's timeline"),
        (lambda run: run.do("note", text="x", repeat={"every": "1h"}), "^repeat: belongs to a file's timeline"),
        (lambda run: run.do("note", do="cloud", text="x"), "not 'note' and 'cloud'"),
        (lambda run: run.cloud(factor=0.5, duration=0), "^duration: a duration above 0 is expected"),
        (lambda run: run.cloud(factor=math.nan, duration=60), "^factor: a finite number is expected"),
        (lambda run: run.cloud(factor=0.5, duration=60, producers="pv-a"), "^producers: a list is expected"),
        (lambda run: run.cloud(factor=0.5, duration=60, producers=5), "^producers: a list is expected"),
        (lambda run: run.house("a").offline(0), "^duration: a duration above 0 is expected"),
        (lambda run: run.house("a").link(duration="0s", loss=0.1), "^duration: a duration above 0 is expected"),
        (lambda run: run.do("forecast_error", duration=0), "^duration: a duration above 0 is expected"),
        (lambda run: run.producer("pv-a").forecast(power_w=5), "^power_w: a list is expected"),
        (lambda run: run.producer("pv-a").forecast(power_w=["a"]), r"^power_w\[0\]: a number is expected"),
        (lambda run: run.producer("pv-a").forecast(power_w=[1], step=None), "None is not a duration"),
        (lambda run: run.producer("pv-a").forecast(5), "^points: a list is expected"),
        (lambda run: run.producer("pv-a").forecast([5]), r"^points\[0\]: a point is two numbers"),
        (lambda run: run.producer("pv-a").forecast([("12:00",)]), r"^points\[0\]: a point is two numbers"),
        (lambda run: run.producer("pv-a").forecast([("soon", 5)]), "'soon' is not a time"),
    ],
)
async def test_an_action_that_is_not_valid_changes_nothing(act: Callable[[Any], None], message: str) -> None:
    """The error says which argument it is about."""
    async with ssmic.Emulation(scripted()) as going:
        with pytest.raises(SsmicError, match=message):
            act(going)
        assert going.recording.timeline == going.scenario.timeline
        await going.stop()
    with pytest.raises(ssmic.EmulationError, match="the run has ended"):
        going.set_pace("60x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"supply": "hole"}, "compare 'hole': True, False, 'whole', 'shared' or 'both' is expected"),
        ({"time_limit_wall_s": 0}, "time_limit_wall_s 0: a number of seconds above 0"),
        ({"time_limit_wall_s": math.nan}, "time_limit_wall_s nan"),
        ({"time_limit_wall_s": "5"}, "time_limit_wall_s '5'"),
    ],
)
def test_a_comparison_that_cannot_be_is_reported_before_the_run(options: dict[str, Any], message: str) -> None:
    """Not after it."""
    given = {"compare": options.get("supply", True), "time_limit_wall_s": options.get("time_limit_wall_s", 1)}
    with pytest.raises(ssmic.EmulationError, match=message):
        ssmic.run("night", **given)


def test_what_only_a_comparison_uses_is_refused_without_one() -> None:
    """It would be ignored."""
    with pytest.raises(ssmic.EmulationError, match="time_limit_wall_s 3: requires compare"):
        ssmic.run("night", time_limit_wall_s=3)
    for compare in (None, "share", 1, ["whole"]):
        with pytest.raises(ssmic.EmulationError, match=rf"^compare {re.escape(repr(compare))}: .* is expected"):
            ssmic.run("night", compare=compare)  # type: ignore[arg-type]  # as a user mistypes it
    with pytest.raises(ssmic.SettingsError, match="workers 2: a Dask cluster has its own"):
        ssmic.sweep("night", workers=2, dask="tcp://127.0.0.1:1")


def test_a_run_is_compared_by_its_own_rule_of_supply() -> None:
    """As `--compare` does: the optimum for whole jobs says little about shared supply."""
    outcome = ssmic.run("night", supply="shared", compare=True, time_limit_wall_s=1)
    assert outcome.optimum is not None
    assert set(outcome.optimum) == {"shared_optimum"}


async def test_a_job_that_an_event_adds_later_can_be_withdrawn() -> None:
    """Also one whose event waits for another job."""
    waiting = "{when: {job: wash-a, turn: agreed}, do: add_job, house: b, device: washer, id: late, latest_start: 9h}"
    async with ssmic.Emulation(scripted(waiting)) as going:
        await going.until("+6h30m")
        going.job("late").withdraw()
    assert going.job("late").contract is None
    assert [event.action.do for event in going.events] == ["add_job", "withdraw_job"]


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


WRONG_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("algorithm", 5), ("penalty", "1"), ("node_limit", 1.5), ("seed", True), ("seed", 2**63), ("days", 10**9),
    ("limit_wall_s", True), ("pace", 5), ("prefer", "cheapest"), ("prefer", 5), ("scores", 5), ("scores", {"pv": 1.5}),
    ("reset_scores", "yes"), ("hosts", True), ("hosts", "house"), ("ask_at_once", "a"), ("ask_at_once", 1.5),
    ("variables", "days=2"), ("variables", {5: 1}), ("broker", 5), ("patient", "no"), ("patient", None),
    ("allow_outside", 1), ("run_id", 5), ("strategy", 5), ("user", 5), ("guests", None), ("bus", []), ("bus", {}),
    ("scores", "\0"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG_OPTIONS)
def test_an_option_of_another_type_is_reported_by_its_name(name: str, value: object) -> None:
    """With what is expected, and not by a traceback from within."""
    with pytest.raises(SettingsError, match=rf"^{name} {re.escape(repr(value))}: .* expected"):
        ssmic.Emulation("night", **{name: value})  # type: ignore[arg-type]  # as a user mistypes it


WRONG_SWEEPS: tuple[tuple[str, Any], ...] = (
    ("vary", 5), ("vary", "algorithm=exact"), ("vary", {"algorithm": 5}), ("vary", {5: ["exact"]}), ("fixed", 5),
    ("seeds", 0), ("seeds", 1.5), ("seeds", True), ("first_seed", -1), ("first_seed", "a"), ("sample", 0),
    ("sample", 1.5), ("sample_seed", -1), ("out", 5), ("workers", 0), ("workers", 1.5), ("dask", 5), ("together", 5),
    ("together", ["days"]), ("allow_outside", "x"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG_SWEEPS)
def test_an_option_of_a_sweep_is_reported_by_its_name(name: str, value: object, tmp_path: Path) -> None:
    """Nothing is written then."""
    given: dict[str, Any] = {"out": tmp_path / "sweep.sqlite", name: value}
    with pytest.raises(SettingsError, match=rf"^{name} {re.escape(repr(value))}: .* expected"):
        ssmic.sweep("night", **given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("source", [None, 5, "", b"night", ["night"]])
def test_what_names_no_scenario_is_reported(source: Any) -> None:
    """Wherever a scenario is expected."""
    for use in (ssmic.Emulation, ssmic.load_scenario, ssmic.sweep):
        with pytest.raises(ssmic.EmulationError, match="is not a scenario"):
            use(source)
    with pytest.raises(ssmic.EmulationError, match="is not a file name"):
        ssmic.Emulation("night", out="a\0b")
    with pytest.raises(ssmic.EmulationError, match="5 is not a file name"):
        ssmic.Emulation("night", out=5)  # type: ignore[arg-type]  # as a user mistypes it


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


@pytest.mark.parametrize(
    ("options", "error"),
    [({"algorithm": "fastest"}, ssmic.SettingsError), ({"variables": {"hauses": 3}}, ssmic.ScenarioError)],
)
def test_a_script_can_catch_what_it_gave_wrongly_by_exported_names_alone(
    options: dict[str, Any], error: type[ssmic.SsmicError]
) -> None:
    """The packages below are internal, so nobody should have to import from them."""
    with pytest.raises(error):
        ssmic.Emulation("street", **options)
    with pytest.raises(ssmic.SsmicError):
        ssmic.Emulation("street", **options)


def test_the_documentation_names_all_that_the_package_exports() -> None:
    """What is exported is stable, so its users must know what it is."""
    documented = set(re.findall(r"`(?:ssmic\.)?(\w+)`", Path("docs/scripts.md").read_text()))
    assert set(ssmic.__all__) <= documented


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
    assert "in a virtual environment of its own, as `make run` does" in last, "no release is at PyPI"
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


def test_figures_of_results_are_drawn_by_what_they_are_of(tmp_path: Path) -> None:
    """As `ssmic results figure` does; whatever is not a results file, a kind or a figure is one clear error."""
    pytest.importorskip("matplotlib", reason="matplotlib is an extra: pip install 'ssmic[figures]'")
    one, other = tmp_path / "one.sqlite", tmp_path / "other.sqlite"
    ssmic.run("sunny", out=one)
    ssmic.run("sunny", out=other, algorithm="fifty_fifty")
    ssmic.results.figure(one, tmp_path / "day.svg")
    ssmic.results.figure(str(one), tmp_path / "gantt.svg", kind="gantt")
    ssmic.results.figure([one, other], tmp_path / "comparison.svg")
    texts = [(tmp_path / f"{name}.svg").read_bytes() for name in ("day", "gantt", "comparison")]
    assert len(set(texts)) == 3

    draw: Any = ssmic.results.figure
    for wrong, message in (
        (lambda: draw(one, tmp_path / "day.svg"), "exists already"),
        (lambda: draw(one, tmp_path / "x.bmp"), "expected one of these extensions"),
        (lambda: draw(one, None), "None is not a file name"),
        (lambda: draw(5, tmp_path / "x.svg"), "5 is not a file name"),
        (lambda: draw([one, other], tmp_path / "x.svg", kind="gantt"), "gantt shows a single simulation"),
        (lambda: draw(one, tmp_path / "x.svg", kind="comparison"), "name two or more simulations"),
        (lambda: draw(one, tmp_path / "x.svg", kind="dya"), "kind 'dya': 'day', 'gantt' or 'comparison'"),
        (lambda: draw(one, tmp_path / "x.svg", run=2), "has no run 2"),
        (lambda: ssmic.results.load(tmp_path / "none.sqlite"), "none.sqlite"),
        (lambda: ssmic.results.summary(None), "None is not a file name"),  # type: ignore[arg-type]  # what a caller without types may pass
    ):
        with pytest.raises(SsmicError, match=message):
            wrong()


SOMETIMES = """
{at: "09:00", do: forecast, producer: pv-a, factor: 0}
{at: "09:00", do: forecast, producer: pv-b, factor: 0}
{when: {job: wash-a, turn: cancelled}, do: add_job, house: a, device: washer, id: again, latest_start: 6h}
"""


@pytest.mark.long
def test_results_show_jobs_that_events_add_in_some_runs_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the report of all runs, and in the chart of one."""
    pytest.importorskip("matplotlib", reason="matplotlib is an extra: pip install 'ssmic[figures]'")
    monkeypatch.chdir(tmp_path)
    save_scenario(scripted(SOMETIMES), Path("two.yaml"))
    command = [
        "run",
        "two.yaml",
        "--bus",
        "memory",
        "--workers",
        "1",
        "--algorithm",
        "fifty_fifty",
        "--runs",
        "3",
        "--seed",
        "2",
    ]
    assert CliRunner().invoke(app, [*command, "--out", "two.sqlite"]).exit_code == 0
    runs = ssmic.results.summary("two.sqlite")["runs"]
    has_again = [any(one["job_id"] == "again" for one in run["contracts"]) for run in runs]
    assert (has_again[0], True in has_again) == (False, True)

    assert CliRunner().invoke(app, ["results", "report", "two.sqlite", "--to", "report.html"]).exit_code == 0
    assert '"again"' in Path("report.html").read_text(encoding="utf-8")
    ssmic.results.figure("two.sqlite", "gantt.svg", kind="gantt", run=has_again.index(True) + 1)
    assert Path("gantt.svg").stat().st_size


@pytest.mark.parametrize("events", ["", "{at: '12:00', do: cloud, factor: 1, duration: 1h}"])
def test_a_forecast_that_is_issued_after_the_end_is_not_produced(tmp_path: Path, events: str) -> None:
    """Not even where an event touches the roof: a cloud that dims nothing changes nothing."""
    later = "{issued: '26:00', start: '06:00', step_s: 3600, power_w: [9000, 9000]}"
    scenario = scripted(events, text=TWO_ROOFS.replace("}]}\n  - id: b", f"}}, {later}]}}\n  - id: b"))
    expected_wh = sum((500, 1000, 1500, 2000, 2500, 3000, 3000, 2500, 2000, 1500, 1000, 500))

    ssmic.run(scenario, out=tmp_path / "r.sqlite")

    produced = ssmic.results.summary(tmp_path / "r.sqlite")["runs"][0]["by_producer"]["pv-a"]["produced_wh"]
    assert produced == pytest.approx(expected_wh)
