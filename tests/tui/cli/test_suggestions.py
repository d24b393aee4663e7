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
