"""Suggestions for a mistyped word."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from tests.ended import Ssmic
from tui.cli.app import COMMANDS as OURS, application_of, did_you_mean, likely, likely_command

COMMANDS = ["tui", "run", "results", "broker"]
BELOW = {"results": ["list", "show", "report"], "broker": ["init", "clean"]}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("resutls", ["results"]),
        ("Results", ["results"]),
        ("runn", ["run"]),
        ("report", ["results report"]),
        ("shwo", ["results show"]),
        ("clean", ["broker clean"]),
        ("zzz", []),
    ],
)
def test_a_mistyped_command(typed: str, meant: list[str]) -> None:
    """A subcommand is found by its name only."""
    assert likely_command(typed, COMMANDS, BELOW) == meant


def test_the_likeliest_comes_first() -> None:
    """At most three are suggested."""
    assert likely("--lmit", ["--list", "--limit", "--lint", "--time-limit"])[0] == "--limit"
    assert len(likely("--aaa", ["--aab", "--aac", "--aad", "--aae"])) == 3


def test_without_a_suggestion_no_question_is_asked() -> None:
    """The command does not prompt."""
    assert did_you_mean([]) == ""
    assert did_you_mean(["run", "results"]) == " Did you mean 'run' or 'results'?"


def test_the_list_of_commands_says_what_each_commands_own_help_says() -> None:
    """The list is made without importing the commands, so their words stand there a second time."""
    for name, about in OURS.items():
        own = typer.main.get_command(application_of(name))
        assert own.get_short_help_str(200) == about, name


def test_a_file_suggests_what_opens_it(ssmic: Ssmic, tmp_path: Path) -> None:
    """Results are shown; anything else is run."""
    for name, commands in (("year.sqlite", ("tui", "results show")), ("street.yaml", ("run",))):
        file = tmp_path / name
        file.touch()
        ended = ssmic(file)
        assert ended.code == 2
        said = "".join(ended.err.split())
        for command in commands:
            assert f"'{command}{file}'".replace(" ", "") in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("generate", "--houses", "x"), "'--houses': a whole number of at least 1 is expected, not 'x'"),
        (("generate", "--houses", "0"), "'--houses': a whole number of at least 1 is expected, not '0'"),
        (("generate", "--houses", "1", "--roofs", "nan"), "'--roofs': a number from 0 to 1 is expected, not 'nan'"),
        (("generate", "--houses", "1", "--roofs", "half"), "'--roofs': a number from 0 to 1 is expected, not 'half'"),
        (("generate", "--houses", "1", "--weather", "wet"), "'--weather': 'wet' is not one of 'mixed', 'clear',"),
        (("generate", "--houses", "1", "--date", "2026-13-01"), "a day is expected, such as 2026-06-22, not '2026-1"),
        (("generate", "--houses", "1", "--holiday", "x"), "'--holiday': a day is expected, such as 2026-06-22"),
        (("run", "street", "--guests", "101"), "'--guests': a whole number from 0 to 100 is expected, not '101'"),
        (("run", "street", "--penalty", "x"), "a number is expected, not 'x'"),
        (("lab", "street", "--controller", "'"), "--controller: \"'\": a quote is not closed"),
        (("lab", "street", "--from", "25:00"), "--from: '25:00' is not before the end of the scenario, 22 Jun"),
        (("lab", "street", "--from", "20:00", "--until", "3:00"), "21 Jun 03:00 is not after the beginning, 21 Jun"),
    ],
)  # fmt: skip
def test_an_invalid_value_is_refused_in_our_words(ssmic: Ssmic, arguments: tuple[str, ...], said: str) -> None:
    """They were the words of the libraries: unable to parse string as an integer, Value error, No closing quotation."""
    ended = ssmic(*arguments)
    assert ended.code == 2
    assert said in ended.err.replace("\n", " "), ended.err


def test_a_switch_of_the_environment_is_true_or_false(ssmic: Ssmic, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable."""
    monkeypatch.setenv("SSMIC_KEEP", "maybe")
    ended = ssmic("run", "street")
    assert ended.code == 2
    assert "SSMIC_KEEP'): true or false is expected, not 'maybe'" in ended.err
