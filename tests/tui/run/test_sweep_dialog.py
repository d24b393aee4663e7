"""A sweep in the terminal application: set up, watched, stopped, resumed, compared."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.widgets import Button, Input, ProgressBar, Static

from scenarios.sweep import SweepRequest, plan_sweep, read_sweep
from scenarios.sweep.one_run import SweepRow
from scenarios.sweep.results_file import open_sweep
from tests.tui.conftest import Opened
from tests.tui.driving import dialog, until
from tui.run.screen import RunScreen
from tui.run.sweep_dialog import SweepDialog, SweepProcess, prepared, split_labels, state_of
from tui.shell.dialogs import Confirm


async def _opened(pilot: Pilot[None]) -> SweepDialog:
    run = pilot.app.screen
    assert isinstance(run, RunScreen)
    run.sweep()
    return await dialog(pilot, SweepDialog)


def _fill(sweep: SweepDialog, **values: str) -> None:
    for name, value in values.items():
        sweep.query_one(f"#sweep-{name}", Input).value = value


def _state(sweep: SweepDialog) -> str:
    return str(sweep.query_one("#state", Static).content)


@pytest.mark.long
async def test_a_sweep_is_set_up_stopped_resumed_and_compared(opened: Opened, tmp_path: Path) -> None:
    """Stopping keeps finished runs, starting again continues, and at the end each point has its means."""
    path = tmp_path / "sweep.sqlite"
    async with opened(first_area="run") as pilot:
        sweep = await _opened(pilot)
        _fill(sweep, source="street", vary="algorithm=insertion,fifty_fifty", set="days=1", seeds="20", out=str(path))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "left" in _state(sweep))
        assert sweep.query_one("#start", Button).disabled
        await pilot.press("ctrl+g")
        await until(pilot, lambda: _state(sweep).startswith("Stopped:"))
        kept = len(read_sweep(path).rows)
        assert 0 < kept < 40
        _fill(sweep, seeds="20")
        await pilot.press("escape")
        again = await _opened(pilot)
        assert again.query_one("#sweep-vary", Input).value == "algorithm=insertion,fifty_fifty"
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "40 of 40 runs done" in _state(again))
        assert again.query_one("#sweep-progress", ProgressBar).progress == 40
        points = str(again.query_one("#points", Static).content)
        assert points.splitlines()[0].startswith("algorithm ")
        assert points.splitlines()[2].startswith("fifty_fifty ")
        assert "±" in points
        assert points.splitlines()[0].split("  ")[-1] == "Bill (EUR)"
        # Another sweep begins without the points of this one.
        _fill(again, vary="penalty=1,2", seeds="2", out=str(tmp_path / "other.sqlite"))
        await pilot.press("ctrl+r")
        assert str(again.query_one("#points", Static).content) == ""
        notes = str(again.query_one("#notes", Static).content)
        assert notes.startswith("Note: penalty belongs to")
        await until(pilot, lambda: "4 of 4 runs done" in _state(again))
    assert read_sweep(path).is_complete


@pytest.mark.long
async def test_quitting_names_a_simulation_and_a_sweep(opened: Opened, tmp_path: Path) -> None:
    """It named the simulation only."""
    async with opened(first_area="run") as pilot:
        run = pilot.app.screen
        assert isinstance(run, RunScreen)
        run.query_one("#pace", Input).value = "60x"
        await until(pilot, lambda: run._scenario is not None)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: run.is_busy)
        sweep = await _opened(pilot)
        _fill(sweep, source="street", vary="penalty=1:40:40", seeds="20", out=str(tmp_path / "sweep.sqlite"))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: sweep.sweep is not None and sweep.sweep.goes_on)
        await pilot.press("ctrl+q")
        question = await dialog(pilot, Confirm)
        details = str(question.query_one(".details", Static).content).splitlines()
        assert [line.split(".")[0] for line in details] == ["A simulation is running", "A sweep is running"]
        await pilot.press("escape")
        await dialog(pilot, SweepDialog)
        await pilot.press("ctrl+g")
        await until(pilot, lambda: sweep.sweep is not None and not sweep.sweep.goes_on)


@pytest.mark.long
async def test_another_sweep_typed_over_a_finished_one_has_a_file_of_its_own(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It neither inherits the file nor counts the runs of the sweep before."""
    monkeypatch.chdir(tmp_path)
    async with opened(first_area="run") as pilot:
        sweep = await _opened(pilot)
        _fill(sweep, source="night", vary="penalty=1,2", seeds="1")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "2 of 2 runs done: results/sweep_night_" in _state(sweep))
        await pilot.press("escape")
        again = await _opened(pilot)
        _fill(again, vary="penalty=3")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "1 of 1 runs done: results/sweep_night_" in _state(again))
        first, second = sorted(Path("results").glob("sweep_night_*.sqlite"))
        # A file that is named, and holds the other sweep, is refused and its runs are not counted.
        named = first if read_sweep(first).info.planned == 2 else second
        _fill(again, vary="penalty=4", out=str(named))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "holds another sweep" in _state(again))
        assert _state(again).startswith("0 of 1 runs. ")
        assert str(again.query_one("#points", Static).content) == ""


async def test_problems_are_shown_in_the_dialog(opened: Opened) -> None:
    """An unknown key is shown with the nearest known one, and no sweep starts."""
    async with opened(first_area="run") as pilot:
        sweep = await _opened(pilot)
        _fill(sweep, vary="penality=1,2", seeds="none")
        await pilot.press("ctrl+r")
        assert "Seeds: 'none' is not a whole number" in str(sweep.query_one(".problem", Static).content)
        _fill(sweep, seeds="2")
        await pilot.press("ctrl+r")
        assert "did you mean 'penalty'?" in str(sweep.query_one(".problem", Static).content)
        _fill(sweep, vary="penalty=1,2", zip="x")
        await pilot.press("ctrl+r")
        assert str(sweep.query_one(".problem", Static).content).startswith("Together x: x is not varied")
        assert sweep.sweep is None


def test_points_are_named_by_their_values_below_what_is_varied() -> None:
    """Short enough for 80 columns; labels of another form stay as they are."""
    assert split_labels(["algorithm=SLSQP, penalty=1", "algorithm=TNC, penalty=2"]) == (
        "algorithm, penalty",
        ["SLSQP, 1", "TNC, 2"],
    )
    assert split_labels(["street"]) == ("", ["street"])


def test_a_sweep_whose_last_run_ends_while_it_is_stopped_is_done(tmp_path: Path) -> None:
    """There is nothing to continue then."""
    plan = plan_sweep(SweepRequest("night", seeds=2))
    sweep = SweepProcess(plan, tmp_path / "s.sqlite", plan.fingerprint(), code=130)
    assert state_of(sweep, 2).startswith("2 of 2 runs done: ")
    assert state_of(sweep, 1).startswith("Stopped: 1 of 2 runs are kept")


def test_the_rest_of_a_sweep_with_failed_runs_can_be_estimated(tmp_path: Path) -> None:
    """Runs that failed are done again, so they do not count as done before."""
    request = SweepRequest("night", seeds=2)
    with open_sweep(tmp_path / "s.sqlite", plan_sweep(request)) as file:
        file.add(SweepRow(1, "failed", {}, None, "disk full", 0.1))
    sweep = prepared(request, str(tmp_path / "s.sqlite"))
    assert sweep.left_wall_s(done=0) is None
    assert sweep.left_wall_s(done=1) is not None


@pytest.mark.long
async def test_buttons_and_all_points_are_in_reach_of_a_small_terminal(opened: Opened) -> None:
    """The points pushed the buttons out of the dialog, and their own last lines and scroll bars with them."""
    async with opened(first_area="run") as pilot:
        sweep = await _opened(pilot)
        _fill(sweep, source="night", vary="algorithm=insertion,fifty_fifty penalty=1:6:6", seeds="1")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "12 of 12 runs done" in _state(sweep))
        scroll, box = sweep.query_one(VerticalScroll), sweep.query_one("SweepDialog > Vertical")
        await until(pilot, lambda: scroll.max_scroll_y > 0)
        seen = [scroll, *sweep.query(Button)]
        await until(pilot, lambda: all(box.content_region.contains_region(widget.region) for widget in seen))
        await until(pilot, lambda: scroll.region.bottom <= min(button.region.y for button in sweep.query(Button)))


async def test_no_point_is_cut_by_a_scroll_bar(opened: Opened) -> None:
    """Textual shows no horizontal scroll bar for what only the vertical one hides: the last letters were cut off."""
    async with opened(first_area="run") as pilot:
        sweep = await _opened(pilot)
        points, scroll = sweep.query_one("#points", Static), sweep.query_one(VerticalScroll)
        for width in (74, 75, 76, 77):
            points.update("\n".join("x" * width for _ in range(20)))
            await until(pilot, lambda: points.content_size.width == len(str(points.content).splitlines()[0]))
            await until(pilot, lambda: scroll.show_vertical_scrollbar)
            await until(
                pilot,
                lambda: (
                    scroll.show_horizontal_scrollbar
                    or points.content_size.width <= scroll.region.width - scroll.scrollbar_size_vertical
                ),
            )


@pytest.mark.long
async def test_a_number_of_thousands_of_digits_leaves_the_buttons_in_sight(opened: Opened) -> None:
    """The message repeated all of its digits, which filled the dialog."""
    async with opened(first_area="run") as pilot:
        sweep = await _opened(pilot)
        _fill(sweep, vary=f"days={'9' * 5_000}")
        await pilot.press("ctrl+r")
        problem = sweep.query_one(".problem", Static)
        await until(pilot, lambda: "(5,0" in str(problem.content))
        await pilot.pause()
        assert problem.size.height <= 4
        assert sweep.query_one(VerticalScroll) not in sweep.focus_chain  # the list is empty
        assert sweep.size.region.contains_region(sweep.query_one("#start", Button).region)
