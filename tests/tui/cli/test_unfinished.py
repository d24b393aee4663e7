"""Output of the command line about incomplete runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.load import load_scenario
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.rows import DroppedHost
from scenarios.results.run_end import RecordedEnd
from scenarios.results.writer import RunWriter
from tests.ended import Ssmic


@pytest.fixture
def stopped(tmp_path: Path, small: Path) -> Path:
    """Two runs: one stopped at 31 % before anything ran, one stopped later."""
    scenario = load_scenario(small)
    path = create_results(SimulationSpec(scenario, "insertion", (1, 2), "memory"), out=tmp_path / "stopped.sqlite")
    for number, share in ((1, 0.31), (2, 0.5)):
        with RunWriter(
            path, scenario, run=number, run_id=f"r{number}", seed=number, start_s=scenario.start_s
        ) as writer:
            writer.finish(RecordedEnd("interrupted", scenario.start_s + round(share * 37 * 3600)))
    return path


def test_a_table_of_runs_marks_those_that_are_not_complete(ssmic: Ssmic, stopped: Path) -> None:
    """The marks are at the seed, in the title, and in words below; these runs are excluded from means."""
    ended = ssmic("results", "show", stopped)

    assert "2 runs, 0 of them complete" in ended.out
    assert "* seed 1: interrupted at 31 %" in " ".join(ended.out.split())
    assert "are excluded from means" in " ".join(ended.out.split())


def test_a_single_run_states_how_much_it_covers(ssmic: Ssmic, stopped: Path) -> None:
    """The title and the lines below the figures state it, also for one household."""
    one = ssmic("results", "show", stopped, "--run", "1").out
    house = ssmic("results", "show", stopped, "--run", "2", "--house", "1").out

    assert "seed 1, interrupted at 31 %" in " ".join(one.split())
    assert "its figures cover that part only" in " ".join(one.split())
    assert "seed 2, interrupted at 50 %" in " ".join(house.split())


def test_the_list_shows_no_share_of_incomplete_runs(ssmic: Ssmic, stopped: Path) -> None:
    """A simulation that was stopped has no self-sufficiency yet."""
    (listed,) = ssmic("results", "list", "--folder", stopped.parent, "--json").json["results"]

    assert listed["self_sufficiency"] is None
    assert listed["states"] == {"interrupted": 2}


@pytest.mark.parametrize("options", [(), ("--run", "1")])
def test_a_run_that_ended_without_a_host_names_it_with_the_reason(
    ssmic: Ssmic, tmp_path: Path, small: Path, options: tuple[str, ...]
) -> None:
    """The title names it, and the lines below give the reason."""
    scenario = load_scenario(small)
    path = create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), out=tmp_path / "without.sqlite")
    with RunWriter(path, scenario, run=1, run_id="r", seed=1, start_s=scenario.start_s) as writer:
        out = (DroppedHost("1", "it lied", is_quarantined=True), DroppedHost("2", "it was away", is_quarantined=False))
        writer.finish(RecordedEnd("done", scenario.start_s + 3600, without=out))
    shown = " ".join(ssmic("results", "show", path, *options).out.split())

    assert "seed 1, done without 1, 2" in shown
    assert "1 was quarantined: it lied." in shown
    assert "2 was dropped: it was away." in shown


@pytest.mark.parametrize("options", [(), ("--run", "1")])
def test_the_disputes_of_a_run_are_listed(ssmic: Ssmic, tmp_path: Path, small: Path, options: tuple[str, ...]) -> None:
    """Ten of them, and how many more there are; a run without any says nothing of it."""
    scenario = load_scenario(small)
    path = create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), out=tmp_path / "disputed.sqlite")
    with RunWriter(path, scenario, run=1, run_id="r", seed=1, start_s=scenario.start_s) as writer:
        writer.finish(
            RecordedEnd("done", scenario.start_s + 3600, disputes=[f"job 'j{n}': it lies" for n in range(12)])
        )
    shown = ssmic("results", "show", path, *options).out

    assert "has 12 disputes; the ledger stands:" in shown
    assert "job 'j9': it lies" in shown
    assert "job 'j10': it lies" not in shown
    assert "and 2 more, which --json lists" in shown
