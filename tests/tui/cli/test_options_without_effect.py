"""No option of a command is ignored silently: one that can do nothing is refused, or a note says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ended import Ssmic

_NO_BROKER = ("--broker", "mqtt://127.0.0.1:1", "--limit", "0.1")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("run", "night", "--time-limit", "3"), "--time-limit: requires --compare"),
        (("run", "night", "--force"), "--force: requires --to FILE"),
        (("run", "night", "--bus", "memory", "--keep"), "--keep: goes with --bus mqtt only"),
        (("run", "night", "--keep"), "--keep: requires --broker URL: a private broker ends with the run"),
        (("run", "night", "--broker", "embedded", "--keep"), "--keep: requires --broker URL"),
        (("run", "night", "--processes", "2", "--workers", "2"), "--workers: cannot be combined with --processes"),
        (("sweep", "night", "--sample-seed", "3"), "--sample-seed: requires --sample N"),
        (("sweep", "night", "--sample", "3"), "--sample: requires --vary KEY=VALUES"),
        (("sweep", "night", "--force"), "--force: requires --to FILE"),
        (("sweep", "night", "--workers", "2", "--dask", "tcp://127.0.0.1:1"), "--workers: cannot be combined with"),
        (("generate", "--houses", "2", "--force"), "--force: requires --out FILE"),
        (("lab", "night", "--no-compare", "--time-limit", "3"), "--time-limit: requires --compare"),
        (("lab", "night", "--no-compare", "--expect", "share_of_best>=0.5"), "share_of_best requires --compare"),
        (("lab", "night", "--days", "2", "--until", "10:00"), "--days: cannot be combined with --until"),
        (("results", "bills", "latest", "--force"), "--force: requires --to FOLDER"),
        (("results", "compare", "latest", "latest~1", "--force"), "--force: requires --to FILE"),
        (("devices", "scan", "--broker", "mqtt://127.0.0.1:1", "--force"), "--force: requires --to FILE"),
        (("watch", "--allow-outside"), "--allow-outside: requires --scenario"),
        (("watch", "--set", "days=1"), "--set: requires --scenario"),
        (("broker", "init", "guard", "--allow-outside"), "--allow-outside: requires a SCENARIO"),
        (("broker", "--port", "1884", "init", "guard"), "--port: belongs to `ssmic broker` itself"),
        (("scenarios", "--json", "show", "night"), "--json: belongs to `ssmic scenarios` itself"),
        (("tui", "--port", "8001"), "--port: requires --serve"),
        (("tui", "--host", "localhost"), "--host: requires --serve"),
    ],
)
def test_an_option_that_can_do_nothing_is_wrong_usage(ssmic: Ssmic, arguments: tuple[str, ...], complaint: str) -> None:
    """It was ignored, which its user learned late or never."""
    ended = ssmic(*arguments)
    assert ended.code == 2, ended
    assert complaint in " ".join(ended.err.split())
    assert not ended.out
    assert not Path("results").exists()


@pytest.mark.parametrize(
    ("arguments", "note"),
    [
        (("--vary", "prefer=[cheapest],[covered]"), "prefer has no effect with supply 'whole'"),
        pytest.param(
            ("--set", "supply=shared", "--vary", "ask_at_once=1,2"),
            "ask_at_once has no effect with supply 'shared'",
            marks=pytest.mark.long,
        ),
        pytest.param(
            ("--vary", "supply=whole,shared", "--set", "algorithm=exact", "--set", "forecast=issued"),
            "algorithm has no effect with supply 'shared'",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_sweep_says_which_parameters_decide_nothing(ssmic: Ssmic, arguments: tuple[str, ...], note: str) -> None:
    """As `ssmic run` says of its options."""
    ended = ssmic("sweep", "night", *arguments, "--seeds", "1", "--workers", "1")
    assert ended.code == 0, ended
    assert note in ended.err


def test_processes_of_a_deployment_say_which_options_decide_nothing(ssmic: Ssmic) -> None:
    """Households as well as the clock; at full speed no time is lost that could be made up for."""
    host = ssmic("host", "night", "--house", "adler", *_NO_BROKER, "--prefer", "cheapest")
    assert "--prefer has no effect with supply 'whole'" in host.err
    clock = ssmic("clock", "night", *_NO_BROKER, "--catch-up", "2x")
    assert "--catch-up 2x has no effect as long as the pace is max" in clock.err


def test_a_report_without_tests_is_announced(ssmic: Ssmic, small: Path) -> None:
    """A CI job that reads it is green, whatever the run did."""
    ended = ssmic("run", small, "--bus", "memory", "--days", "1", "--junit", "report.xml")
    assert ended.code == 0, ended
    assert "the scenario has no expectations, so the report of --junit has no tests" in ended.err


def test_a_note_says_where_utc_has_no_effect(ssmic: Ssmic, small: Path) -> None:
    """Several runs are rows of figures, and JSON has UNIX seconds."""
    assert ssmic("run", small, "--bus", "memory", "--days", "1", "--runs", "2", "--workers", "1").code == 0
    for options, note in (((), "--run N shows one"), (("--json",), "UNIX seconds")):
        ended = ssmic("results", "show", "latest", "--utc", *options)
        assert ended.code == 0
        assert note in " ".join(ended.err.split())
    assert "--utc" not in ssmic("results", "show", "latest", "--utc", "--run", "1").err
