"""Whose fault it was: 0 done, 1 the run failed, 2 wrong usage, 3 invalid input, 4 no broker; one clear message each."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest
import typer

from agents import SettingsError
from broker.clock import PaceError
from broker.errors import (
    AgentFailedError,
    BrokerAwayError,
    BrokerLostError,
    BrokerRefusedError,
    BrokerUrlError,
    ClockMissingError,
    HostRefusedError,
    HostsGoneError,
    HostsMissingError,
    RunSuspendedError,
    SsmicError,
)
from broker.journal_file import JournalError, JournalWriteError
from scenarios import ScenarioError, ScenarioWriteError
from scenarios.deployment import UnknownHouseError
from scenarios.errors import Problem
from scenarios.figures import check_paper
from scenarios.lab import BrokerNotOursError, ControllerError, ExpectationError, LabKindError
from scenarios.metrics import IntervalError
from scenarios.results import (
    OutputFormatError,
    ResultsError,
    ResultsExistError,
    ResultsWriteError,
    SameSimulationError,
)
from scenarios.results.export import require_parquet
from scenarios.simulation import RecordingError, RecordingWriteError, ScoresFileError, ScoresWriteError
from scenarios.simulation.worker_processes import WorkerError, picklable_error
from tests.ended import Ssmic
from tui.exit_codes import code_for, exit_codes, supervised

_HUGE = str(2**63)
_NO_BROKER = ("--broker", "mqtt://127.0.0.1:1")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run", "night", "--bus", "memory", "--seed", _HUGE], "seed 9223372036854775808: expected a whole number"),
        (["run", "night", "--bus", "memory", "--seed", str(2**63 - 1), "--runs", "2"], "from 0 to 2^63 - 1"),
        (["run", "night", "--bus", "memory", "--days", "3661"], "days 3661: expected a whole number from 1 to 3660"),
        (["run", "night", "--bus", "memory", "--hosts", _HUGE], f"'{_HUGE}' is neither a whole number from 1 to"),
        (["run", "night", "--bus", "memory", "--runs", _HUGE], "a whole number from 1 to 1,000,000 is expected"),
        (["sweep", "night", "--set", "days=3661"], "days=3661: a whole number from 1 to 3660 is expected"),
        (["sweep", "night", "--set", f"hosts={_HUGE}"], "a whole number from 1 to 100000 is expected"),
        (["sweep", "night", "--seed", str(2**63 - 1), "--seeds", "2"], "the last one has to be at most 2^63 - 1"),
        (["sweep", "night", "--out", "."], ".: is a folder; a results file is expected"),
        (["clock", "night", *_NO_BROKER, "--seed", _HUGE], "expected a whole number from 0 to 2^63 - 1"),
        (["host", "night", "--house", "adler", *_NO_BROKER, "--seed", _HUGE], "a whole number from 0 to 2^63 - 1"),
        (["lab", "night", "--days", _HUGE], "expected 1 to 3660 days"),
    ],
)
def test_an_impossible_number_or_file_is_wrong_usage(ssmic: Ssmic, arguments: list[str], complaint: str) -> None:
    """These were internal errors, some of them after the run."""
    ended = ssmic(*arguments)
    assert ended.code == 2, ended
    assert complaint in " ".join(ended.err.split())


def test_a_report_for_ci_that_cannot_be_written_ends_the_command_before_the_run(ssmic: Ssmic) -> None:
    """Not when an hour of runs is over."""
    ended = ssmic("run", "night", "--bus", "memory", "--junit", ".")
    assert (ended.code, ended.out) == (1, "")
    assert ".: cannot be written: it is a folder, a file is expected" in ended.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run"], "Missing argument 'SCENARIO'"),
        (["frobnicate"], "No such command 'frobnicate'."),
        (["resutls"], "Did you mean 'results'?"),
        (["results", "shwo", "x"], "Did you mean 'show'?"),
        (["broker", "inti", "x"], "Did you mean 'init'?"),
        (["report"], "Did you mean 'results report'?"),
        (["clean"], "Did you mean 'broker clean'?"),
        (["street"], "Did you mean 'run street'?"),
        (["--verison"], "No such option: --verison. Did you mean '--version'?"),
        (["run", "street", "--algoritm", "exact"], "No such option: --algoritm. Did you mean '--algorithm'?"),
        (["results", "list", "--jsno"], "Did you mean '--json'?"),
        (["broker", "init", "--hose", "x"], "'--house'"),
        (
            ["run", "street", "--step-size", "30"],
            "--step-size belongs to L-BFGS-B, SLSQP and TNC, and insertion has no",
        ),
        (
            ["run", "street", "--algorithm", "slsqp", "--node-limit", "5"],
            "--node-limit belongs to exact, and SLSQP has",
        ),
        (["clock", "street", "--broker", "mqtt://127.0.0.1:1", "--penalty", "3"], "--penalty belongs to L-BFGS-B"),
        (
            ["host", "street", "--house", "adler", "--broker", "mqtt://127.0.0.1:1", "--tolerance", "3"],
            "--tolerance bel",
        ),
        (["run", "street", "--frob"], "No such option"),
        (["run", "street", "--runs", "0"], "--runs"),
        (["run", "street", "--days", "0"], "--days"),
        (["run", "street", "--hosts", "0"], "--hosts"),
        (["run", "street", "--workers", "-1"], "--workers"),
        (["run", "street", "--seed", "many"], "--seed"),
        (["run", "street", "--bus", "pigeon"], "'memory', 'mqtt'"),
        (["run", "street", "--pace", "fast"], "expected 'max' or a factor above 0"),
        (
            ["run", "street", "--algorithm", "magic"],
            "expected one of fifty_fifty, insertion, L-BFGS-B, SLSQP, TNC, exact",
        ),
        (["run", "street", "--penalty", "-1"], "penalty -1: expected a finite number above 0"),
        (["run", "street", "--tolerance", "0"], "tolerance 0: expected a finite number above 0"),
        (["run", "street", "--step-size", "0"], "step size 0 s: expected a number above 0"),
        (["run", "street", "--node-limit", "0"], "node limit 0: expected a whole number, 1 or more"),
        (["run", "street", "--broker", "127.0.0.1:1883"], r"expected mqtt://"),
        (["run", "street", "--bus", "memory", "--broker", "mosquitto"], "--bus mqtt only"),
        (["results", "export", "x.sqlite", "--to", "y", "--format", "xlsx"], "'csv', 'json', 'parquet'"),
        (["broker", "--engine", "hamster"], "'mosquitto', 'embedded'"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_allowed(ssmic: Ssmic, arguments: list[str], complaint: str) -> None:
    """Before anything is run or written."""
    ended = ssmic(*arguments)
    assert ended.code == 2
    assert complaint in " ".join(ended.err.split())
    assert not ended.out
    assert not Path("results").exists()


def test_all_bad_settings_are_reported_at_once(ssmic: Ssmic) -> None:
    """They are not reported one after the other."""
    err = ssmic("run", "street", "--penalty", "-1", "--tolerance", "0", "--node-limit", "0").err
    assert all(what in err for what in ("penalty", "tolerance", "node limit"))


def test_results_are_never_written_over(ssmic: Ssmic, tmp_path: Path) -> None:
    """An `--out` that exists is refused, and stays as it is."""
    out = tmp_path / "precious.sqlite"
    out.write_text("precious")
    ended = ssmic("run", "street", "--bus", "memory", "--out", out)
    assert ended.code == 2
    assert "refusing to overwrite results" in ended.err
    assert out.read_text() == "precious"


@pytest.mark.parametrize("command", [["run", "--bus", "memory"], ["check"]])
def test_an_invalid_scenario_is_3_with_all_problems(ssmic: Ssmic, small: Path, command: list[str]) -> None:
    """Each problem has its line."""
    text = small.read_text().replace("seed: 3", "sede: 3").replace('latest_start: "14:00"', 'latest_start: "07:00"')
    small.write_text(text)
    ended = ssmic(*command, small)
    assert ended.code == 3
    assert "sede" in ended.err
    assert "seed" in ended.err
    assert "small.yaml:16" in ended.err
    assert not ended.out


FALLING = "".join(f"{60 * i} {1000 - i}\n" for i in range(97))
TABLE = "time,energy_kwh\n2026-06-21T00:00Z,1\n" + "".join(
    f"2026-06-21T{i // 60:02}:{i % 60:02}Z,x\n" for i in range(1, 97)
)
POINTS = f"points: {[[60 * i, 1000 - i] for i in range(97)]}"


@pytest.mark.parametrize(
    ("written", "content"),
    [("file: s.csv", FALLING), ("file: s.csv", TABLE), (POINTS, "")],
    ids=["lines", "table", "points"],
)
def test_the_closing_count_includes_problems_that_are_only_counted(
    ssmic: Ssmic, small: Path, written: str, content: str
) -> None:
    """Of a long list the first ten are shown."""
    (small.parent / "s.csv").write_text(content)
    small.write_text(small.read_text().replace("points: [[0, 0], [3600, 500]]", written))
    ended = ssmic("check", small)
    assert ended.err.count("\n") == 12, ended.err
    assert "and 86 more problems" in ended.err
    assert ended.err.endswith("ssmic: 96 problems\n")


@pytest.mark.parametrize("source", ["nowhere", "nowhere.yaml", "no/folder"])
def test_a_missing_scenario_is_3(ssmic: Ssmic, source: str) -> None:
    """Whether it looks like a name or like a path."""
    ended = ssmic("run", source, "--bus", "memory")
    assert ended.code == 3
    assert f"ssmic: {source}: there is no such file" in ended.err


@pytest.mark.parametrize("command", [["show"], ["export", "--to", "folder"]])
def test_a_file_without_results_is_3(ssmic: Ssmic, small: Path, command: list[str]) -> None:
    """Missing, or something else."""
    assert ssmic("results", *command, "none.sqlite").code == 3
    ended = ssmic("results", *command, small)
    assert ended.code == 3
    assert "small.yaml: is not an ssmic results file" in ended.err


def test_bad_scores_are_3_unless_reset(ssmic: Ssmic, small: Path, tmp_path: Path) -> None:
    """`--reset-scores` does not look at them."""
    scores = tmp_path / "scores.json"
    scores.write_text("[]")
    common = ("run", small, "--bus", "memory", "--scores", scores)
    ended = ssmic(*common)
    assert ended.code == 3
    assert "scores.json: is not a scores file" in ended.err
    assert not Path("results").exists()
    assert ssmic(*common, "--reset-scores").code == 0
    assert ssmic(*common).code == 0


def test_an_unreachable_broker_is_4(ssmic: Ssmic) -> None:
    """It fails at the time limit, without an empty results file."""
    ended = ssmic("run", "street", "--broker", "mqtt://ann:hush@127.0.0.1:1", "--limit", "0.5", "--json")
    assert ended.code == 4
    assert "mqtt://ann@127.0.0.1:1: connection refused: no broker at 127.0.0.1:1" in ended.err
    assert "hush" not in ended.err
    assert not ended.out
    assert not Path("results").exists()


def test_an_error_while_writing_is_not_blamed_on_the_input(ssmic: Ssmic, small: Path, tmp_path: Path) -> None:
    """1, not 3: the input is valid."""
    (tmp_path / "file").touch()
    assert ssmic("run", small, "--bus", "memory", "--out", "out.sqlite").code == 0
    for command, problem in (
        (("results", "export", "out.sqlite", "--to", tmp_path / "file"), "file: is a file; a folder is expected"),
        (("results", "report", "out.sqlite", "--to", tmp_path / "file" / "report.html"), "cannot be written: "),
    ):
        ended = ssmic(*command)
        assert ended.code == 1
        assert problem in ended.err


def test_an_import_that_cannot_be_written_is_1(ssmic: Ssmic, pyssmic_inputs: Path, tmp_path: Path) -> None:
    """The input is not to blame."""
    (tmp_path / "file").touch()
    ended = ssmic("import", pyssmic_inputs / "small_test", tmp_path / "file" / "x.yaml")
    assert ended.code == 1
    assert "file is a file, a folder is expected" in ended.err


def test_results_that_cannot_be_written_are_1(ssmic: Ssmic, tmp_path: Path) -> None:
    """The scenario is not to blame."""
    (tmp_path / "file").touch()
    ended = ssmic("run", "street", "--bus", "memory", "--out", tmp_path / "file" / "out.sqlite")
    assert ended.code == 1
    assert "file is a file, a folder is expected" in ended.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (AgentFailedError("pv-1", "adler", "Traceback ...\nZeroDivisionError: division by zero"), 1, "agent 'pv-1' on"),
        (HostsMissingError("no answer from hosts within 60 s: 'adler'"), 1, "'adler'"),
        (BrokerLostError("no connection for 60 s to mqtt://nowhere"), 4, "no connection for 60 s"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(13, "Permission denied", "locked/x"), 1, "ssmic: locked/x: Permission denied\n"),
        (ZeroDivisionError("division by zero"), 1, "internal error: ZeroDivisionError: division by zero"),
    ],
)
def test_each_failure_has_its_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    """An agent's traceback is shown, because it explains the failure; a defect of ours is one line."""
    with pytest.raises(typer.Exit) as exit_, exit_codes():
        raise error
    assert exit_.value.exit_code == code
    err = capsys.readouterr().err
    assert err.startswith("ssmic: ")
    assert said in err
    assert ("ZeroDivisionError" in err) == isinstance(error, AgentFailedError | ZeroDivisionError)


@pytest.mark.parametrize(
    "command",
    [
        "check LONG",
        "run LONG --bus memory",
        "import LONG x.yaml",
        "sweep LONG --seeds 2",
        "generate --houses 2 --out LONG",
        "run street --bus memory --out LONG",
        "sweep street --seeds 2 --out LONG",
    ],
)
def test_a_path_that_cannot_be_looked_up_is_no_internal_error(ssmic: Ssmic, command: str) -> None:
    """Its name is too long for the file system, or it is in a folder that only others may enter."""
    long = "x" * 300
    ended = ssmic(*command.replace("LONG", long).split())
    assert ended.code == (1 if "--out" in command else 3)
    assert ended.err.startswith(f"ssmic: {long[:60]}… (300 characters): ")
    assert "File name too long" in ended.err


def test_any_error_in_a_worker_arrives() -> None:
    """The message of an exception that cannot be unpickled arrives too."""
    for error in (BrokerLostError("lost"), AgentFailedError("pv-1", "adler", "Traceback ..."), WorkerError("x", "y")):
        arrived = pickle.loads(pickle.dumps(picklable_error(error)))  # noqa: S301 - our own bytes
        assert isinstance(arrived, SsmicError)
        assert str(arrived) == str(error)
        assert code_for(arrived) == code_for(error)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (HostsMissingError("no answer from hosts within 300 s: 'adler'"), 75),
        (ClockMissingError("no sign of the clock for 300 s"), 75),
        (RunSuspendedError("the clock suspended the run"), 75),
        (JournalWriteError("journal x cannot be written: disk is full"), 75),
        (ResultsWriteError("x: cannot be written: disk is full"), 75),
        (BrokerAwayError("connection refused"), 4),
        (BrokerLostError("no connection for 300 s"), 4),
        (BrokerRefusedError("refused the login (user 'adler')"), 6),
        (AgentFailedError("pv-1", "adler", "Traceback"), 1),
        (HostsGoneError("hosts are gone: 'adler'"), 1),
        (HostRefusedError("host 'adler' is refused"), 1),
        (JournalError("journal x belongs to another run"), 1),
        (ResultsError("x: is missing"), 3),
    ],
)
def test_exit_codes_say_whether_a_restart_helps(error: SsmicError, code: int) -> None:
    """4 and 75 are temporary, all others are not."""
    with pytest.raises(typer.Exit) as exit_, supervised():
        raise error
    assert exit_.value.exit_code == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BrokerNotOursError("mqtt://x"), 2),
        (BrokerUrlError("mqtt:/x"), 2),
        (ControllerError("there is no such program"), 2),
        (ExpectationError("cost: is no figure"), 2),
        (OutputFormatError("x.bmp"), 2),
        (IntervalError("interval of 7 s"), 2),
        (LabKindError("there is no kind 'x'"), 2),
        (PaceError("pace 'x'"), 2),
        (ResultsExistError("x: exists already"), 2),
        (SameSimulationError("x is the same simulation"), 2),
        (SettingsError(("unknown algorithm",)), 2),
        (UnknownHouseError("there is no house 'x'"), 2),
        (RecordingError("x:1: is no recording"), 3),
        (RecordingWriteError("x: cannot be written"), 1),
        (ResultsError("x: holds no results"), 3),
        (ScenarioError([Problem("x.yaml:1", "is no scenario")]), 3),
        (ScoresFileError("x: holds no scores"), 3),
        (ResultsWriteError("x: disk is full"), 1),
        (ScenarioWriteError([Problem("x.yaml", "disk is full")]), 1),
        (ScoresWriteError("x: disk is full"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_wrong_usage_invalid_input_and_failed_output_differ(error: SsmicError, code: int) -> None:
    """2: another command line helps; 3: another input; 1: neither."""
    assert code_for(error) == code


def test_a_broker_that_is_away_and_a_wrong_setting_differ(ssmic: Ssmic, tmp_path: Path) -> None:
    """Try again; do not."""
    host = ("host", "street", "--house", "adler", "--journal", tmp_path)
    assert ssmic(*host, "--broker", "mqtt://127.0.0.1:1", "--limit", "0.5").code == 4
    no_ca = ("--broker", "mqtts://127.0.0.1:1", "--ca-file", tmp_path / "none.crt")
    assert ssmic(*host, *no_ca, "--limit", "0.5").code == 6
    (tmp_path / "file").touch()
    journal = ("host", "street", "--house", "adler", "--journal", tmp_path / "file")
    assert ssmic(*journal, "--broker", "mqtt://127.0.0.1:1", "--limit", "0.5").code == 75


def test_a_clock_that_cannot_write_its_scores_may_be_started_again(ssmic: Ssmic, tmp_path: Path) -> None:
    """The disk may have room later; exit code 1 would tell a supervisor to give up."""
    (tmp_path / "results").touch()
    scores = tmp_path / "results" / "street.scores.json"
    ended = ssmic("clock", "street", "--broker", "mqtt://127.0.0.1:1", "--scores", scores)
    assert ended.code == 75
    assert "results is a file, a folder is expected" in ended.err


@pytest.mark.parametrize(
    "command", [["run"], ["clock"], ["host"], ["lab"], ["devices", "scan"], ["broker", "clean"]], ids=" ".join
)
def test_help_names_the_code_of_a_refused_login(ssmic: Ssmic, command: list[str]) -> None:
    """It is the code that the program ends with."""
    help_text = " ".join(ssmic(*command, "--help").out.split())
    assert f"{code_for(BrokerRefusedError('refused'))} broker refuses the login" in help_text


def test_a_missing_library_is_wrong_usage_for_tables_as_for_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parquet without pyarrow was a failure (1), a figure without matplotlib wrong usage (2)."""
    for library in ("pyarrow", "matplotlib"):
        monkeypatch.setitem(sys.modules, library, None)  # as Python treats one that is not installed
    with pytest.raises(ResultsError, match="needs pyarrow") as no_parquet:
        require_parquet()
    with pytest.raises(ResultsError, match="need matplotlib") as no_figure:
        check_paper(tmp_path / "day.pdf", overwrite=False)
    assert [code_for(missing.value) for missing in (no_parquet, no_figure)] == [2, 2]
